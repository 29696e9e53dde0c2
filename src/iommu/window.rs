//! The acts on a window. Each is whole: it happens, or every TVE is as it was before, whichever step failed.
//!
//! Orders are those of `reference/phb-dma-windows.md` §8.4. When an act returns success no device access that used
//! the old content is under way, so the memory of a closed window's table may be used for something else.

use super::tve::Tve;
use super::{Bridge, Kill, Select, Slot, WindowIndex};
use crate::error::{Error, Result};

/// Opens a window, or replaces what it was.
///
/// # Errors
/// `Hardware` when the bridge doesn't answer; nothing has changed then.
pub fn set<B: Bridge + ?Sized>(bridge: &mut B, slot: Slot, tve: Tve) -> Result {
    let old = bridge.tve(slot);
    if !old.is_open() || old == tve {
        // Hardware may remember that an address had no translation.
        return put(bridge, slot, old, tve);
    }
    let ran = bridge.stop_dma(slot.pe())?;
    let mut result = put(bridge, slot, old, Tve::CLOSED);
    if result.is_ok() {
        result = put(bridge, slot, old, tve);
    }
    if ran {
        let resumed = bridge.resume_dma(slot.pe());
        if resumed.is_err() && result.is_ok() {
            bridge.restore_tve(slot, old);
            result = resumed;
        }
    }
    result
}

/// Closes a window. A closed one may be closed again.
///
/// # Errors
/// `Hardware` when the bridge doesn't answer; nothing has changed then.
pub fn unset<B: Bridge + ?Sized>(bridge: &mut B, slot: Slot) -> Result {
    let old = bridge.tve(slot);
    put(bridge, slot, old, Tve::CLOSED)
}

fn put<B: Bridge + ?Sized>(bridge: &mut B, slot: Slot, old: Tve, new: Tve) -> Result {
    let result = bridge.write_tve(slot, new).and_then(|()| bridge.invalidate(Kill::Pe(slot.pe())));
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
            WindowIndex::One if tve.is_open() => return Err(Error::WrongState("a window 1 is open")),
            WindowIndex::Zero if to == Select::FourGiB && tve.reaches_beyond_4_gib() => {
                return Err(Error::WrongState("a window 0 is larger than 4 GiB"));
            }
            _ => {}
        }
    }
    Ok(())
}
