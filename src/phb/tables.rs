//! The bridge's tables in memory: RTT (which PE a requester is in), PELT-V (which PEs freeze with a PE), PEST (why a
//! PE froze). Hardware reads RTT and PELT-V and writes PEST; they lie in firmware's region, so they survive a reset
//! of the bridge and are their own shadow. `reference/phb-dma-windows.md` §4.

use super::pe::RidMatch;
use super::touched::Touched;
use crate::hw::ram::Ram;
use crate::iommu::{PeLimits, PeNumber};
use crate::mem::Region;
use crate::units::Bdfn;

/// Bytes of the RTT: 16 bits for each requester id.
pub const RTT_SIZE: u64 = 2 << 16;
const RTT_BUS: u64 = 2 << 8;
/// Bytes of one PE's entry in the PEST.
const PEST_ENTRY: u64 = 16;

/// Where the tables of one bridge lie.
#[derive(Debug)]
pub struct Tables {
    /// Real address of the RTT.
    pub rtt: u64,
    /// Real address of the PELT-V.
    pub peltv: u64,
    /// Real address of the PEST.
    pub pest: u64,
    limits: PeLimits,
    buses: Touched,
    rows: Touched,
}

impl Tables {
    /// Takes memory for the tables and fills them: every requester is in the reserved PE.
    pub fn allocate(ram: &impl Ram, region: &mut Region, limits: PeLimits) -> Self {
        let mut tables =
            Self { rtt: 0, peltv: 0, pest: 0, limits, buses: Touched::new(), rows: Touched::new() };
        let dynamic: &dyn Ram = &ram;
        tables.rtt = region.allocate(dynamic, RTT_SIZE, RTT_SIZE);
        tables.peltv = region.allocate(dynamic, tables.peltv_size(), tables.peltv_size().max(0x2000));
        tables.pest = region.allocate(dynamic, tables.pest_size(), tables.pest_size().max(0x1000));
        for bus in 0..=255 {
            tables.fill_bus(ram, bus, limits.reserved());
        }
        tables
    }

    /// Bytes of the PELT-V.
    pub fn peltv_size(&self) -> u64 {
        self.peltv_row() * u64::from(self.limits.count())
    }

    /// Bytes of the PEST.
    pub fn pest_size(&self) -> u64 {
        PEST_ENTRY * u64::from(self.limits.count())
    }

    fn peltv_row(&self) -> u64 {
        u64::from(self.limits.count()) / 8
    }

    /// PE of a requester, as the bridge will read it.
    #[inline(always)]
    pub fn pe_of(&self, ram: &impl Ram, requester: Bdfn) -> u16 {
        ram.read16(self.rtt | (2 * u64::from(requester.as_u16())))
    }

    /// Puts all requesters of a bus into `pe`.
    #[inline(always)]
    pub fn map_bus(&mut self, ram: &impl Ram, bus: u8, pe: PeNumber) {
        self.buses.mark(bus as usize);
        self.fill_bus(ram, bus, pe);
    }

    /// Puts the requesters of `rids` into `pe`.
    pub fn map(&mut self, ram: &impl Ram, rids: RidMatch, pe: PeNumber) {
        for bus in rids.buses() {
            self.buses.mark(bus as usize);
            if rids.whole_buses() {
                self.fill_bus(ram, bus, pe);
            } else {
                for entry in rids.functions() {
                    ram.write16(self.entry(bus, entry), pe.as_u16());
                }
            }
        }
    }

    /// Takes the requesters of `rids` out of `pe`. Those that are in another PE stay there.
    pub fn unmap(&mut self, ram: &impl Ram, rids: RidMatch, pe: PeNumber) {
        let reserved = self.limits.reserved();
        for bus in rids.buses() {
            if rids.whole_buses() && self.is_whole_bus(ram, bus, pe) {
                self.fill_bus(ram, bus, reserved);
                continue;
            }
            for entry in rids.functions() {
                let address = self.entry(bus, entry);
                if ram.read16(address) == pe.as_u16() {
                    ram.write16(address, reserved.as_u16());
                }
            }
        }
    }

    fn entry(&self, bus: u8, function: u8) -> u64 {
        self.rtt | (RTT_BUS * u64::from(bus)) | (2 * u64::from(function))
    }

    /// Whether all requesters of a bus are in a PE.
    fn is_whole_bus(&self, ram: &impl Ram, bus: u8, pe: PeNumber) -> bool {
        let word = u64::from(pe.as_u16()).wrapping_mul(0x0001_0001_0001_0001);
        let start = self.entry(bus, 0);
        (0..RTT_BUS / 8).all(|at| ram.read64(start | (8 * at)) == word)
    }

    /// All entries of one bus, four at a time.
    #[inline(always)]
    fn fill_bus(&self, ram: &impl Ram, bus: u8, pe: PeNumber) {
        let word = u64::from(pe.as_u16()).wrapping_mul(0x0001_0001_0001_0001);
        // The table is aligned to its size: nothing wraps.
        let start = self.entry(bus, 0);
        for half in [start, start.wrapping_add(RTT_BUS / 2)] {
            // Written out: a loop would take four instructions for each store.
            macro_rules! store {
                ($($at:literal)*) => {$(
                    ram.write64(half.wrapping_add(8 * $at), word);
                )*};
            }
            store!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
        }
    }

    /// Lets `child` freeze with `parent`, or not.
    pub fn set_dependent(&mut self, ram: &impl Ram, parent: PeNumber, child: PeNumber, depends: bool) {
        self.rows.mark(parent.index());
        let address =
            self.peltv + self.peltv_row() * u64::from(parent.as_u16()) + u64::from(child.as_u16() / 8);
        let bit = 0x80 >> (child.as_u16() & 7);
        let old = ram.read8(address);
        ram.write8(address, if depends { old | bit } else { old & !bit });
    }

    /// What the bridge recorded about a PE's freeze.
    pub fn record(&self, ram: &impl Ram, pe: PeNumber) -> (u64, u64) {
        let address = self.pest + PEST_ENTRY * u64::from(pe.as_u16());
        (ram.read64(address), ram.read64(address + 8))
    }

    /// Forgets it.
    pub fn clear_record(&self, ram: &impl Ram, pe: PeNumber) {
        let address = self.pest + PEST_ENTRY * u64::from(pe.as_u16());
        ram.write64(address, 0);
        ram.write64(address + 8, 0);
    }

    /// A requester that was put into `pe`.
    pub fn requester_in(&self, ram: &impl Ram, pe: PeNumber) -> Option<Bdfn> {
        let mut buses = self.buses.clone();
        let mut all =
            buses.take().flat_map(|bus| (0..256_u16).map(move |function| (bus as u16) << 8 | function));
        all.find(|&rid| self.pe_of(ram, Bdfn::from_u16(rid)) == pe.as_u16()).map(Bdfn::from_u16)
    }

    /// Puts RTT and PELT-V back to how they start. The PEST belongs to hardware.
    pub fn reset(&mut self, ram: &impl Ram) {
        for bus in self.buses.take() {
            self.fill_bus(ram, bus as u8, self.limits.reserved());
        }
        let row = self.peltv_row();
        for parent in self.rows.take() {
            ram.zero(self.peltv + row * parent as u64, row);
        }
    }
}
