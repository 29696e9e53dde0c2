//! The on-chip tables behind the indirect port (§5).
//!
//! After a reset an entry holds nothing: reading it, or a DMA that needs it, fails the test until firmware has
//! written it. So a table that the init sequence or a replay forgot can't pass for one full of zeros.

use super::Size;
use super::bits::{bit, bits, field};

const AUTO_INCREMENT: u64 = bit(0);
const ADDRESS_FIELDS: u64 = AUTO_INCREMENT | bits(11, 15) | bits(28, 31) | bits(54, 63);
/// P, Q and the PE number of one MIST lane; two bits between them are not kept.
const MIST_LANE: u64 = 0xcfff;
const FROZEN: u64 = bit(0);
const ENABLE: u64 = bit(0);

/// Table numbers of IODA_ADDR.
mod id {
    pub const LIST: u64 = 1;
    pub const MIST: u64 = 2;
    pub const RCAM: u64 = 5;
    pub const MRT: u64 = 6;
    pub const PESTA: u64 = 7;
    pub const PESTB: u64 = 8;
    pub const TVT: u64 = 9;
    pub const TCR: u64 = 10;
    pub const TDR: u64 = 11;
    pub const MBT: u64 = 16;
    pub const MDT: u64 = 17;
    pub const PEEV: u64 = 20;
}

/// One table; `None` is an entry that nobody wrote since reset.
pub struct Table {
    name: &'static str,
    pub entries: Vec<Option<u64>>,
}

impl Table {
    pub fn new(name: &'static str, entries: usize) -> Self {
        Self { name, entries: vec![None; entries] }
    }

    pub fn get(&self, index: usize) -> u64 {
        self.entries[index].unwrap_or_else(|| {
            panic!("PHB: {} entry {index} used before it was written since reset", self.name)
        })
    }

    pub fn put(&mut self, index: usize, value: u64) {
        self.entries[index] = Some(value);
    }
}

/// The tables and the port's address register.
pub struct Ioda {
    size: Size,
    address: u64,
    list: Table,
    mist: Table,
    mrt: Table,
    pest: [Table; 2],
    tvt: Table,
    mbt: Table,
    mdt: Table,
}

impl Ioda {
    pub fn new(size: Size) -> Self {
        let pes = size.pes();
        let mut list = Table::new("LIST", 8);
        list.entries.fill(Some(0));
        Self {
            size,
            address: 0,
            list,
            mist: Table::new("MIST", size.interrupts() / 4),
            mrt: Table::new("MRT", pes / 32),
            pest: [Table::new("PESTA", pes), Table::new("PESTB", pes)],
            tvt: Table::new("TVT", pes * 2),
            mbt: Table::new("MBT", pes / 8),
            mdt: Table::new("MDT", pes),
        }
    }

    /// Writes zero everywhere.
    pub fn zero_all(&mut self) {
        let [pesta, pestb] = &mut self.pest;
        for table in
            [&mut self.mist, &mut self.mrt, pesta, pestb, &mut self.tvt, &mut self.mbt, &mut self.mdt]
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
    pub fn read(&mut self) -> u64 {
        let index = self.index();
        let value = match self.table() {
            id::LIST => self.list.get(index),
            id::MIST => self.mist.get(index),
            id::MRT => self.mrt.get(index),
            id::PESTA => self.pest[0].get(index),
            id::PESTB => self.pest[1].get(index),
            id::TVT => self.tvt.get(index),
            id::MBT => self.mbt.get(index),
            id::MDT => self.mdt.get(index),
            id::PEEV => self.peev(index),
            _ => 0,
        };
        self.advance();
        value
    }

    /// A store to IODA_DATA0. Gives the PE whose last freeze bit it cleared.
    pub fn write(&mut self, value: u64) -> Option<usize> {
        let index = self.index();
        let mut thawed = None;
        match self.table() {
            id::LIST => self.list.put(index, value & (bit(6) | bit(7) | bit(14))),
            id::MIST => self.write_mist(index, value),
            id::MRT => self.mrt.put(index, value),
            half @ (id::PESTA | id::PESTB) => {
                self.pest[(half - id::PESTA) as usize].put(index, value & FROZEN);
                thawed = (!self.mmio_frozen(index) && !self.dma_stopped(index)).then_some(index);
            }
            id::TVT => self.tvt.put(index, value),
            id::MBT => self.write_mbt(index, value),
            id::MDT => self.mdt.put(index, value),
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

    /// All TVEs, as far as firmware wrote them.
    pub fn tvt_entries(&self) -> &[Option<u64>] {
        &self.tvt.entries
    }

    /// Both words of an MBT entry, if firmware wrote it.
    pub fn mbt(&self, entry: usize) -> Option<(u64, u64)> {
        Some((self.mbt.entries[entry * 2]?, self.mbt.entries[entry * 2 + 1]?))
    }

    /// The four PE numbers of an MDT entry.
    pub fn mdt(&self, index: usize) -> u64 {
        self.mdt.get(index)
    }

    /// The PE that owns an interrupt source.
    pub fn source_pe(&self, source: usize) -> u16 {
        let lane = self.mist.get(source / 4) >> (48 - 16 * (source % 4));
        (lane & 0xfff) as u16
    }

    pub fn mmio_frozen(&self, pe: usize) -> bool {
        self.pest[0].entries[pe].is_some_and(|entry| entry & FROZEN != 0)
    }

    pub fn dma_stopped(&self, pe: usize) -> bool {
        self.pest[1].entries[pe].is_some_and(|entry| entry & FROZEN != 0)
    }

    pub fn any_mmio_frozen(&self) -> bool {
        (0..self.size.pes()).any(|pe| self.mmio_frozen(pe))
    }

    pub fn any_dma_stopped(&self) -> bool {
        (0..self.size.pes()).any(|pe| self.dma_stopped(pe))
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
        field(self.address, 54, 63) as usize
    }

    fn entries(&self) -> usize {
        let pes = self.size.pes();
        match self.table() {
            id::LIST => 8,
            id::MIST => self.size.interrupts() / 4,
            id::RCAM => pes / 4,
            id::MRT => pes / 32,
            id::PESTA | id::PESTB | id::MDT => pes,
            id::TVT | id::TCR | id::TDR => pes * 2,
            id::MBT => pes / 8,
            id::PEEV => pes / 64,
            other => panic!("PHB: IODA_ADDR selects table {other}, which this bridge doesn't have"),
        }
    }

    fn advance(&mut self) {
        if self.address & AUTO_INCREMENT != 0 {
            let next = (self.index() + 1) % self.entries();
            self.address = self.address & !bits(54, 63) | next as u64;
        }
    }

    /// Only the lanes of the partial-write mask change; a mask of zero means all four.
    fn write_mist(&mut self, index: usize, value: u64) {
        let lanes = match field(self.address, 28, 31) {
            0 => 0xf,
            mask => mask,
        };
        let mut word = self.mist.entries[index].unwrap_or(0);
        for lane in (0..4).filter(|lane| lanes & 8 >> lane != 0) {
            let shift = 48 - 16 * lane;
            word = word & !(0xffff << shift) | value & MIST_LANE << shift;
        }
        self.mist.put(index, word);
    }

    /// The enable bits of an entry's two words are one flag: each write copies it to the other word.
    fn write_mbt(&mut self, index: usize, value: u64) {
        let fields = if index.is_multiple_of(2) {
            bits(0, 5) | bits(8, 51)
        } else {
            bit(0) | bits(8, 51) | bits(55, 63)
        };
        assert!(value & !fields == 0, "PHB: MBT word {index} {value:#018x} has bits outside its fields");
        let other = self.mbt.entries[index ^ 1].unwrap_or(0);
        self.mbt.put(index, value);
        self.mbt.put(index ^ 1, other & !ENABLE | value & ENABLE);
    }
}
