//! Windows without translation: the bus address is the real address (`reference/phb-dma-windows.md` §6.3).
//!
//! Such a window never covers firmware: its end is cut at the region that firmware keeps, which is why firmware
//! lives at the top of RAM.

use super::geometry::below_4_gib;
use super::{FOUR_GIB, Modes, WindowIndex};
use crate::error::{Error, Result};
use crate::mem::{BYPASS_GRAIN, MemoryMap};

/// Bus address bit that selects window 1 in the usual mode.
const SELECTOR: u32 = 59;

/// The highest end that a TVE can hold: one more grain would wrap to zero.
const MAX_END: u64 = (1 << 50) - BYPASS_GRAIN;

/// A range of real addresses that a PE reaches unchanged, checked and cut to what the OS owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bypass {
    start: u64,
    end: u64,
    modes: Modes,
}

impl Bypass {
    /// Checks a request: `pci_start` is a bus address, with the selector bit where the mode has one.
    ///
    /// # Errors
    /// `Parameter` when the start isn't on this window's side of the selector in any mode, when start or size isn't a
    /// multiple of 16 MiB, when the range ends beyond what can be encoded, or when firmware's memory leaves nothing of
    /// it.
    #[inline(always)]
    pub fn new(index: WindowIndex, pci_start: u64, size: u64, memory: &MemoryMap) -> Result<Self> {
        let start = pci_start & ((1 << SELECTOR) - 1);
        if !start.is_multiple_of(BYPASS_GRAIN) || !size.is_multiple_of(BYPASS_GRAIN) || size == 0 {
            return Err(Error::Parameter(&"bypass limits are multiples of 16 MiB"));
        }
        let end = start.checked_add(size).filter(|&end| end <= MAX_END);
        let end = end.ok_or(Error::Parameter(&"bypass end"))?;
        let four_gib = match index {
            WindowIndex::Zero => below_4_gib(end),
            WindowIndex::One => start >= FOUR_GIB,
        };
        let modes = Modes {
            bit59: pci_start >> SELECTOR == index as u64,
            four_gib: pci_start >> SELECTOR == 0 && four_gib,
        };
        let end = end.min(memory.firmware.start & !(BYPASS_GRAIN - 1));
        if start >= end {
            return Err(Error::Parameter(&"bypass of nothing but firmware's memory"));
        }
        Ok(Self { start, end, modes })
    }

    /// Where the window can be used.
    pub const fn modes(&self) -> Modes {
        self.modes
    }
    /// First real address.
    pub const fn start(&self) -> u64 {
        self.start
    }
    /// First real address beyond it.
    pub const fn end(&self) -> u64 {
        self.end
    }
}
