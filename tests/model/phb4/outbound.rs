//! Where a CPU's load or store goes: through the nest's windows and the MBT to a PE and a PCI address (§5).

use super::bits::{bit, bits, field};
use super::{ModelPhb4, State};

const ENABLE: u64 = bit(0);
const M32: u64 = bit(1);
const BASE: u64 = bits(8, 51);
const M32_START: u64 = 0x1a0;
const M64_UPPER: u64 = 0x1f0;

/// An MMIO that the bridge forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// The MBT entry that decoded it.
    pub entry: usize,
    /// The PE that the address belongs to.
    pub pe: u16,
    /// The address on the bus.
    pub pci: u64,
    /// The PE's MMIO is frozen: a load gives all ones, a store is lost.
    pub frozen: bool,
}

impl ModelPhb4 {
    /// What the bridge makes of a real address; `None` when no window has it.
    pub fn outbound(&self, address: u64) -> Option<Outbound> {
        let state = self.state();
        (0..state.size.pes() / 16).find_map(|entry| state.decode_outbound(entry, address))
    }
}

impl State {
    fn decode_outbound(&self, entry: usize, address: u64) -> Option<Outbound> {
        let (word0, word1) = self.ioda.mbt(entry)?;
        let mask = word1 & BASE | bits(0, 7);
        let size = mask.wrapping_neg();
        let base = word0 & BASE;
        let hit = word0 & ENABLE != 0 && address & mask == base & mask;
        if !hit || !self.stack.forwards(base, size) {
            return None;
        }
        let offset = address & !mask;
        let pci = match word0 & M32 {
            0 => address | self.stored(M64_UPPER),
            _ => self.stored(M32_START) + offset,
        };
        let pe = self.outbound_pe(word0, word1, offset, size);
        Some(Outbound { entry, pe, pci, frozen: self.ioda.mmio_frozen(pe.into()) })
    }

    fn outbound_pe(&self, word0: u64, word1: u64, offset: u64, size: u64) -> u16 {
        let pes = self.size.pes() as u64;
        let (low, column) = (field(word1, 55, 63), field(word0, 4, 5));
        let pe = match field(word0, 2, 3) {
            0 => {
                let segments = [pes, 128, 64, 8][column as usize];
                low + offset / (size / segments)
            }
            1 => {
                let entry = self.ioda.mdt((offset / (size / pes)) as usize);
                entry >> (48 - 16 * column) & 0xffff
            }
            2 => low,
            mode => panic!("PHB: MBT mode {mode} is not documented"),
        };
        (pe & (pes - 1)) as u16
    }
}
