//! The acts on a window. Each is whole: it happens, or every TVE is as it was before, whichever step failed.
//!
//! Orders are those of `reference/phb-dma-windows.md` §8.4. When an act returns success no device access that used
//! the old content is under way, so the memory of a closed window's table may be used for something else.

use super::tve::Tve;
use super::{Bridge, Kill, Select, Slot, WindowIndex};
use crate::error::{Error, Result};
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
    // Hardware may remember that an address had no translation, so there is a kill here too.
    put(bridge, slot, old, tve)
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

#[cold]
fn replace<B: Bridge + ?Sized>(bridge: &mut B, slot: Slot, old: Tve, new: Tve) -> Outcome {
    let ran = bridge.stop_dma(slot.pe())?;
    let replaced = put(bridge, slot, old, Tve::CLOSED).and_then(|()| put(bridge, slot, old, new));
    let resumed = if ran { bridge.resume_dma(slot.pe()) } else { Ok(()) };
    let result = replaced.and(resumed);
    if result.is_err() {
        bridge.restore_tve(slot, old);
    }
    result
}

#[inline(always)]
fn put<B: Bridge + ?Sized>(bridge: &mut B, slot: Slot, old: Tve, new: Tve) -> Outcome {
    bridge.write_tve(slot, new);
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
            WindowIndex::One if tve.is_open() => return Err(Error::WrongState(&"a window 1 is open")),
            WindowIndex::Zero if to == Select::FourGiB && tve.reaches_beyond_4_gib() => {
                return Err(Error::WrongState(&"a window 0 is larger than 4 GiB"));
            }
            _ => {}
        }
    }
    Ok(())
}
