//! The on-chip tables behind the indirect port (§5, P4.11).
//!
//! After a reset an entry holds nothing: reading it, or an access that needs it, fails the test until firmware has
//! written it. IVC CAM, TCAM and TDR are refused because their sizes aren't documented.

use super::PES;
use super::msi::Interrupts;
use crate::model::phb4::bits::{bit, bits, field};
use crate::model::phb4::ioda::Table;

const AUTO_INCREMENT: u64 = bit(0);
const ADDRESS_FIELDS: u64 = AUTO_INCREMENT | bits(11, 15) | bits(55, 63);
const FROZEN: u64 = bit(0);

/// Table numbers of IODA_ADDR.
mod id {
    pub const LIST: u64 = 1;
    pub const LXIVT: u64 = 2;
    pub const RBA: u64 = 4;
    pub const RCAM: u64 = 5;
    pub const MRT: u64 = 6;
    pub const PESTA: u64 = 7;
    pub const PESTB: u64 = 8;
    pub const TVT: u64 = 9;
    pub const M64BT: u64 = 16;
    pub const M32DT: u64 = 17;
    pub const PEEV: u64 = 20;
}

/// The tables and the port's address register.
pub struct Ioda {
    address: u64,
    list: Table,
    lxivt: Table,
    mrt: Table,
    pest: [Table; 2],
    tvt: Table,
    m64bt: Table,
    m32dt: Table,
}

impl Default for Ioda {
    fn default() -> Self {
        let mut list = Table::new("LIST", 8);
        list.entries.fill(Some(0));
        Self {
            address: 0,
            list,
            lxivt: Table::new("LXIVT", 8),
            mrt: Table::new("MRT", 8),
            pest: [Table::new("PESTA", PES), Table::new("PESTB", PES)],
            tvt: Table::new("TVT", PES * 2),
            m64bt: Table::new("M64BT", 16),
            m32dt: Table::new("M32DT", PES),
        }
    }
}

impl Ioda {
    /// Writes zero everywhere.
    pub fn zero_all(&mut self) {
        let [pesta, pestb] = &mut self.pest;
        for table in
            [&mut self.lxivt, &mut self.mrt, pesta, pestb, &mut self.tvt, &mut self.m64bt, &mut self.m32dt]
        {
            table.entries.fill(Some(0));
        }
    }

    pub fn address(&self) -> u64 {
        self.address
    }

    /// A store to IODA_ADDR.
    pub fn select(&mut self, value: u64) {
        assert!(value & !ADDRESS_FIELDS == 0, "PHB: IODA_ADDR {value:#018x} has bits outside its fields");
        self.address = value;
        let (entries, index) = (self.entries(), self.index());
        assert!(
            index < entries,
            "PHB: IODA_ADDR selects entry {index} of table {} with {entries}",
            self.table()
        );
    }

    /// A load from IODA_DATA0.
    pub fn read(&mut self, interrupts: &Interrupts) -> u64 {
        let index = self.index();
        let value = match self.table() {
            id::LIST => self.list.get(index),
            id::LXIVT => self.lxivt.get(index),
            id::RBA => interrupts.rejected(index),
            id::MRT => self.mrt.get(index),
            id::PESTA => self.pest[0].get(index),
            id::PESTB => self.pest[1].get(index),
            id::TVT => self.tvt.get(index),
            id::M64BT => self.m64bt.get(index),
            id::M32DT => self.m32dt.get(index),
            id::PEEV => self.peev(index),
            _ => 0,
        };
        self.advance();
        value
    }

    /// A store to IODA_DATA0. Gives the PE whose last freeze bit it cleared.
    pub fn write(&mut self, value: u64, interrupts: &mut Interrupts) -> Option<usize> {
        let index = self.index();
        let mut thawed = None;
        match self.table() {
            id::LIST => self.list.put(index, value & (bit(6) | bit(7) | bit(14))),
            id::LXIVT => {
                check("LXIVT", value, bits(8, 31) | bits(56, 63));
                assert!(value >> 40 & 3 == 0, "PHB: LXIVT {value:#018x}: a server has two link bits, zero");
                self.lxivt.put(index, value);
            }
            id::RBA => {
                assert!(value == 0, "PHB: store of {value:#x} to RBA word {index}");
                interrupts.drop_rejected(index);
            }
            id::MRT => self.mrt.put(index, value),
            half @ (id::PESTA | id::PESTB) => {
                self.pest[(half - id::PESTA) as usize].put(index, value & FROZEN);
                thawed = (!self.mmio_frozen(index) && !self.dma_stopped(index)).then_some(index);
            }
            id::TVT => self.tvt.put(index, value),
            id::M64BT => {
                check("M64BT", value, bits(0, 31) | bits(34, 63));
                self.m64bt.put(index, value);
            }
            id::M32DT => {
                check("M32DT", value, bits(8, 15));
                self.m32dt.put(index, value);
            }
            // PEEV sums up the PEST (§11.1); its bits can't be set without a freeze.
            id::PEEV => assert!(value == 0, "PHB: store of {value:#x} to PEEV word {index}"),
            _ => {}
        }
        self.advance();
        thawed
    }

    /// The TVE that a DMA uses.
    pub fn tve(&self, index: usize) -> u64 {
        self.tvt.get(index)
    }

    /// Where an LSI goes.
    pub fn lxive(&self, lsi: usize) -> u64 {
        self.lxivt.get(lsi)
    }

    /// A 64-bit window, if firmware wrote it.
    pub fn m64(&self, entry: usize) -> Option<u64> {
        self.m64bt.entries[entry]
    }

    /// The PE of a segment of the 32-bit window.
    pub fn m32_pe(&self, segment: usize) -> u16 {
        field(self.m32dt.get(segment), 8, 15) as u16
    }

    pub fn mmio_frozen(&self, pe: usize) -> bool {
        self.pest[0].entries[pe].is_some_and(|entry| entry & FROZEN != 0)
    }

    pub fn dma_stopped(&self, pe: usize) -> bool {
        self.pest[1].entries[pe].is_some_and(|entry| entry & FROZEN != 0)
    }

    pub fn any_mmio_frozen(&self) -> bool {
        (0..PES).any(|pe| self.mmio_frozen(pe))
    }

    pub fn any_dma_stopped(&self) -> bool {
        (0..PES).any(|pe| self.dma_stopped(pe))
    }

    /// Stops both directions of a PE.
    pub fn freeze(&mut self, pe: usize) {
        self.pest[0].put(pe, FROZEN);
        self.pest[1].put(pe, FROZEN);
    }

    fn peev(&self, word: usize) -> u64 {
        (0..64)
            .filter(|pe| self.mmio_frozen(word * 64 + pe) || self.dma_stopped(word * 64 + pe))
            .fold(0, |sum, pe| sum | bit(pe as u32))
    }

    fn table(&self) -> u64 {
        field(self.address, 11, 15)
    }

    fn index(&self) -> usize {
        field(self.address, 55, 63) as usize
    }

    fn entries(&self) -> usize {
        match self.table() {
            id::LIST | id::LXIVT | id::MRT => 8,
            id::RBA => 32,
            id::RCAM => 64,
            id::PESTA | id::PESTB | id::M32DT => PES,
            id::TVT => PES * 2,
            id::M64BT => 16,
            id::PEEV => 4,
            other => panic!("PHB: IODA_ADDR selects table {other}, which this bridge doesn't have"),
        }
    }

    fn advance(&mut self) {
        if self.address & AUTO_INCREMENT != 0 {
            let next = (self.index() + 1) % self.entries();
            self.address = self.address & !bits(55, 63) | next as u64;
        }
    }
}

fn check(name: &str, value: u64, fields: u64) {
    assert!(value & !fields == 0, "PHB: {name} entry {value:#018x} has bits outside its fields");
}
