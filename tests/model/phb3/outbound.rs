//! Where a CPU's load or store goes: through the nest's windows and M64BT or M32 to a PE and a PCI address (§5).

use super::registers::{CONFIG, M32_BASE, M32_MASK, M32_START, M64_UPPER};
use super::{ModelPhb3, Outbound, PES, State};
use crate::model::phb4::bits::{bit, bits, field};

const M64_WINDOWS: usize = 16;
/// What [`Outbound::entry`] says of the 32-bit window, which isn't in the table.
pub const M32_ENTRY: usize = M64_WINDOWS;
const ENABLE: u64 = bit(0);
const SINGLE_PE: u64 = bit(1);
const M32_ENABLE: u64 = bit(16);
const MIB_SHIFT: u32 = 20;

impl ModelPhb3 {
    /// What the bridge makes of a real address; `None` when no window has it. The root port's own windows aren't
    /// looked at.
    pub fn outbound(&self, address: u64) -> Option<Outbound> {
        let state = self.state();
        (0..M64_WINDOWS).find_map(|entry| state.m64(entry, address)).or_else(|| state.m32(address))
    }
}

impl State {
    fn m64(&self, entry: usize, address: u64) -> Option<Outbound> {
        let word = self.ioda.m64(entry)?;
        if word & ENABLE == 0 {
            return None;
        }
        let single = word & SINGLE_PE != 0;
        // In units of 1 MiB; a single PE's number takes the lowest five bits of both fields.
        let (base, mask) = match single {
            true => (field(word, 2, 26) << 5, field(word, 34, 58) << 5),
            false => (field(word, 2, 31), field(word, 34, 63)),
        };
        let (base, size) = (base << MIB_SHIFT, ((1 << 30) - mask) << MIB_SHIFT);
        let offset = self.hit(base, size, address)?;
        let pe = match single {
            true => field(word, 27, 31) << 5 | field(word, 59, 63),
            false => offset / (size / PES as u64),
        };
        Some(self.found(entry, pe as u16, address | self.stored(M64_UPPER)))
    }

    fn m32(&self, address: u64) -> Option<Outbound> {
        if self.stored(CONFIG) & M32_ENABLE == 0 {
            return None;
        }
        let size = (self.stored(M32_MASK) | bits(0, 13)).wrapping_neg();
        let offset = self.hit(self.stored(M32_BASE), size, address)?;
        let pe = self.ioda.m32_pe((offset / (size / PES as u64)) as usize);
        Some(self.found(M32_ENTRY, pe, self.stored(M32_START) + offset))
    }

    /// The offset in a window that the nest forwards wholly.
    fn hit(&self, base: u64, size: u64, address: u64) -> Option<u64> {
        assert!(
            size.is_power_of_two() && base.is_multiple_of(size),
            "PHB: an outbound window of {size:#x} bytes at {base:#x}: no power of two, or not aligned to it"
        );
        let offset = address.checked_sub(base).filter(|offset| *offset < size)?;
        self.pbcq.forwards(base, size).then_some(offset)
    }

    fn found(&self, entry: usize, pe: u16, pci: u64) -> Outbound {
        Outbound { entry, pe, pci, frozen: self.ioda.mmio_frozen(pe.into()) }
    }
}
