//! The acts on a window. Each is whole: it happens, or every TVE is as it was before, whichever step failed.
//!
//! Orders are those of `reference/phb-dma-windows.md` §8.4. When an act returns success no device access that used
//! the old content is under way, so the memory of a closed window's table may be used for something else.

use super::tve::Tve;
use super::{Bridge, Kill, Select, Slot, WindowIndex};
use crate::error::{Error, Result, why};
use crate::hw::fault::Outcome;

/// Opens a window, or replaces what it was.
///
/// # Errors
/// When the bridge doesn't answer; nothing has changed then.
#[inline(always)]
pub fn set<B: Bridge + ?Sized>(bridge: &mut B, slot: Slot, tve: Tve) -> Outcome {
    let old = bridge.tve(slot);
    if old.is_open() && old != tve {
        return replace(bridge, slot, old, tve);
    }
    // Hardware may remember that an address had no translation. Nothing that is under way has used one.
    bridge.write_tve(slot, tve);
    if bridge.try_forget(slot.pe()) { Ok(()) } else { settle(bridge, slot, old) }
}

/// Closes a window. A closed one may be closed again.
///
/// # Errors
/// When the bridge doesn't answer; nothing has changed then.
#[inline(always)]
pub fn unset<B: Bridge + ?Sized>(bridge: &mut B, slot: Slot) -> Outcome {
    let old = bridge.tve(slot);
    put(bridge, slot, old, Tve::CLOSED)
}

/// Closes both windows of a PE.
///
/// # Errors
/// When the bridge doesn't answer; nothing has changed then.
pub fn unset_both<B: Bridge + ?Sized>(bridge: &mut B, slots: [Slot; 2]) -> Outcome {
    let old = slots.map(|slot| bridge.tve(slot));
    let mut result = Ok(());
    for (slot, old) in slots.into_iter().zip(old) {
        if result.is_ok() && old.is_open() {
            result = put(bridge, slot, old, Tve::CLOSED);
        }
    }
    if result.is_err() {
        reopen(bridge, slots, old);
    }
    result
}

/// Puts back what two slots of a PE had.
#[cold]
pub fn reopen<B: Bridge + ?Sized>(bridge: &mut B, slots: [Slot; 2], old: [Tve; 2]) {
    for (slot, old) in slots.into_iter().zip(old) {
        bridge.restore_tve(slot, old);
        // Hardware may remember that an address had no translation.
        let _ = bridge.try_forget(slot.pe());
    }
}

#[cold]
fn replace<B: Bridge + ?Sized>(bridge: &mut B, slot: Slot, old: Tve, new: Tve) -> Outcome {
    let stopped = bridge.stop_dma(slot.pe())?;
    let replaced = put(bridge, slot, old, Tve::CLOSED).and_then(|()| put(bridge, slot, old, new));
    let resumed = stopped.map_or(Ok(()), |stopped| bridge.resume_dma(slot.pe(), stopped));
    let result = replaced.and(resumed);
    if result.is_err() {
        bridge.restore_tve(slot, old);
    }
    result
}

#[inline(always)]
fn put<B: Bridge + ?Sized>(bridge: &mut B, slot: Slot, old: Tve, new: Tve) -> Outcome {
    bridge.write_tve(slot, new);
    if bridge.try_invalidate(slot.pe()) { Ok(()) } else { settle(bridge, slot, old) }
}

/// The rest of an act whose invalidation takes longer or fails. Called last, so that the usual way keeps nothing for it.
#[cold]
#[inline(never)]
fn settle<B: Bridge + ?Sized>(bridge: &mut B, slot: Slot, old: Tve) -> Outcome {
    let result = bridge.invalidate(Kill::Pe(slot.pe()));
    if result.is_err() {
        bridge.restore_tve(slot, old);
    }
    result
}

/// Whether a bridge with these open windows may change to another way of selecting them.
///
/// # Errors
/// `WrongState` while a window would move: window 1 begins elsewhere in each mode, and a window 0 that reaches
/// beyond 4 GiB would lose what lies there.
pub fn may_select(to: Select, windows: impl Iterator<Item = (WindowIndex, Tve)>) -> Result {
    for (index, tve) in windows {
        match index {
            WindowIndex::One if tve.is_open() => return Err(Error::WrongState(why("a window 1 is open"))),
            WindowIndex::Zero if to == Select::FourGiB && tve.reaches_beyond_4_gib() => {
                return Err(Error::WrongState(why("a window 0 is larger than 4 GiB")));
            }
            _ => {}
        }
    }
    Ok(())
}
