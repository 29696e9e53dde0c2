//! Windows without translation: the bus address is the real address (`reference/phb-dma-windows.md` §6.3).
//!
//! Such a window never covers firmware: its end is cut at the region that firmware keeps, which is why firmware
//! lives at the top of RAM.

use super::BIT_59;
use crate::error::{Error, Result, why};
use crate::mem::{BYPASS_GRAIN, MemoryMap};

/// The highest end that a TVE can hold: one more grain would wrap to zero.
const MAX_END: u64 = (1 << 50) - BYPASS_GRAIN;

/// A range of real addresses that a PE reaches unchanged, checked and cut to what the OS owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bypass {
    start: u64,
    end: u64,
    bit59: bool,
}

impl Bypass {
    /// Checks a request: `pci_start` is a bus address, with bit 59 where that selects the window.
    ///
    /// # Errors
    /// `Parameter` when the start has a higher bit, when start or size isn't a multiple of 16 MiB, when the range ends
    /// beyond what can be encoded, or when firmware's memory leaves nothing of it.
    #[inline(always)]
    pub fn new(pci_start: u64, size: u64, memory: &MemoryMap) -> Result<Self> {
        let start = pci_start & (BIT_59 - 1);
        if pci_start >= 2 * BIT_59 {
            return Err(Error::Parameter(why("bypass start")));
        }
        if !(start | size).is_multiple_of(BYPASS_GRAIN) || size == 0 {
            return Err(Error::Parameter(why("bypass limits are multiples of 16 MiB")));
        }
        let end = start.checked_add(size).filter(|&end| end <= MAX_END);
        let end = end.ok_or(Error::Parameter(why("bypass end")))?.min(memory.bypass_end());
        if start >= end {
            return Err(Error::Parameter(why("bypass of nothing but firmware's memory")));
        }
        Ok(Self { start, end, bit59: pci_start & BIT_59 != 0 })
    }

    /// Whether the OS's bus addresses have bit 59.
    pub const fn bit59(&self) -> bool {
        self.bit59
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
