//! The tables in memory: how large they are, and the pages of the indirect ones.
//!
//! EAT and SBE are direct. END and NVT tables are indirect: an array of VSDs whose first page of structures is
//! firmware's, for the hardware threads; more pages come from the OS when it allocates VPs, and go back to it at the
//! next reset.

use super::structures::{EAS_SIZE, END_SIZE};
use super::unit::{TablePorts, Unit, Vsd, VsdAddress};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::mem::Region;
use alloc::vec;
use alloc::vec::Vec;

/// Sources per chip.
pub const SOURCES: u32 = 1 << 16;
/// VPs per chip. Each has eight ENDs, and the VC region has room for a million ENDs.
pub const VPS: u32 = 1 << 17;
/// Event queues of a VP, one for each priority.
pub const QUEUES: u32 = 8;

/// Page of an indirect table, and of what the OS donates.
pub const PAGE: u64 = 1 << 16;
const VSD_SIZE: u64 = 8;
const EXCLUSIVE: u8 = 2;
const FORWARD: u8 = 3;

const EAT_SIZE: u64 = SOURCES as u64 * EAS_SIZE;
/// PQ bits, two for each source.
const SBE_SIZE: u64 = SOURCES as u64 / 4;
/// Internal queues of the unit that has most.
const OVERFLOW_QUEUES: u64 = 7;

/// Where firmware's part of the tables lies. Each is aligned to its size, the overflow pages to theirs.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    pub(super) eat: u64,
    pub(super) sbe: u64,
    pub(super) ends: Indirect,
    pub(super) nvts: Indirect,
    pub(super) overflow: u64,
}

/// The array of VSDs of an indirect table, and the first page of structures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Indirect {
    pub array: u64,
    pub first: u64,
}

impl Tables {
    /// What [`Self::allocate`] takes, without gaps.
    pub const SIZE: u64 = EAT_SIZE + SBE_SIZE + (4 + OVERFLOW_QUEUES) * PAGE;

    /// Takes the tables of one chip from firmware's region, the largest alignment first so that gaps are small.
    ///
    /// # Panics
    /// When the region is full, see [`Region::allocate`].
    pub fn allocate(region: &mut Region, ram: &dyn Ram) -> Self {
        let eat = region.allocate(ram, EAT_SIZE, EAT_SIZE);
        let mut page = || region.allocate(ram, PAGE, PAGE);
        Self {
            eat,
            ends: Indirect { array: page(), first: page() },
            nvts: Indirect { array: page(), first: page() },
            overflow: region.allocate_unset(OVERFLOW_QUEUES * PAGE, PAGE),
            sbe: region.allocate_unset(SBE_SIZE, SBE_SIZE),
        }
    }

    /// Overflow page of one of the internal queues.
    fn overflow(&self, queue: u64) -> u64 {
        self.overflow + queue * PAGE
    }
}

/// Descriptor of a direct table of ours.
pub(super) fn direct(address: u64, size: u64) -> Vsd {
    let mut vsd = Vsd(address);
    vsd.set_mode(EXCLUSIVE);
    vsd.set_size((size.ilog2() - 12) as u8);
    vsd
}

/// Tells the unit where it reaches another chip's EASs, PQ bits, ENDs and NVTs.
pub(super) fn publish_neighbour(ic: &impl Mmio, unit: &Unit, block: u8, gates: [Option<(u64, u64)>; 4]) {
    let forward = |(address, size)| {
        let mut vsd = direct(address, size);
        vsd.set_mode(FORWARD);
        vsd
    };
    put_vsds(ic, &unit.tables, block, gates.map(|gate| gate.map(forward)));
}

/// Describes a block's tables: EASs, PQ bits, ENDs, NVTs.
fn put_vsds(ic: &impl Mmio, ports: &TablePorts, block: u8, vsds: [Option<Vsd>; 4]) {
    for (table, vsd) in [ports.eas, ports.esb, 2, 3].into_iter().zip(vsds) {
        let Some(vsd) = vsd else { continue };
        let units = if table == ports.eas && ports.eas_in_vc_only { 1 } else { 2 };
        for (address, data) in [&ports.vc, &ports.pc].into_iter().take(units) {
            address.write(ic, VsdAddress::new(table, block));
            data.write(ic, vsd);
        }
    }
}

impl Tables {
    /// Tells the unit where its tables are.
    pub(super) fn publish(&self, ic: &impl Mmio, ram: &impl Ram, unit: &Unit, block: u8) {
        self.clear_sbe(ram);
        ram.sync();
        let ports = &unit.tables;
        let own = [self.eat(), self.sbe(), self.ends.vsd(), self.nvts.vsd()];
        put_vsds(ic, ports, block, own.map(Some));
        let (address, data) = &ports.vc;
        for queue in 0..ports.queue_count {
            address.write(ic, VsdAddress::new(ports.overflow, queue));
            data.write(ic, direct(self.overflow(queue.into()), PAGE));
            let register = ports.queues + 8 * u64::from(queue);
            ic.write64(register, ic.read64(register) | ports.queue);
        }
    }

    /// The EAT's descriptor.
    fn eat(&self) -> Vsd {
        direct(self.eat, EAT_SIZE)
    }
    /// The SBE table's descriptor.
    fn sbe(&self) -> Vsd {
        direct(self.sbe, SBE_SIZE)
    }
    /// Turns all sources off: PQ 01.
    fn clear_sbe(&self, ram: &impl Ram) {
        for offset in (0..SBE_SIZE).step_by(8) {
            ram.write64(self.sbe + offset, 0x5555_5555_5555_5555);
        }
    }
}

impl Indirect {
    /// The table's descriptor.
    fn vsd(&self) -> Vsd {
        let mut vsd = direct(self.array, PAGE);
        vsd.set_indirect(true);
        vsd
    }
}

/// An indirect table at run time.
#[derive(Debug)]
pub(super) struct PagedTable {
    array: u64,
    entry_size: u64,
    per_page: u32,
    /// Address of each page, 0 for none: firmware doesn't read back what the OS could change.
    pages: Vec<u64>,
}

impl PagedTable {
    pub fn ends(at: Indirect, ram: &impl Ram) -> Self {
        Self::new(at, ram, END_SIZE, VPS * QUEUES)
    }

    pub fn nvts(at: Indirect, ram: &impl Ram, unit: &Unit) -> Self {
        Self::new(at, ram, unit.nvt_size(), VPS)
    }

    fn new(at: Indirect, ram: &impl Ram, entry_size: u64, entries: u32) -> Self {
        let per_page = (PAGE / entry_size) as u32;
        let pages = vec![0; (entries / per_page) as usize];
        let mut table = Self { array: at.array, entry_size, per_page, pages };
        table.put(ram, 0, at.first);
        table
    }

    /// Real address of a structure; `None` when its page is missing.
    pub fn address(&self, index: u32) -> Option<u64> {
        let page = self.pages.get((index / self.per_page) as usize).copied().filter(|&page| page != 0)?;
        Some(page + u64::from(index % self.per_page) * self.entry_size)
    }

    /// The pages for `count` structures from `first` on that are missing.
    pub fn missing(&self, first: u32, count: u32) -> impl Iterator<Item = usize> {
        let start = (first / self.per_page) as usize;
        let end = (first.saturating_add(count)).div_ceil(self.per_page) as usize;
        let pages = self.pages.iter().enumerate().skip(start).take(end.saturating_sub(start));
        pages.filter(|&(_, &page)| page == 0).map(|(number, _)| number)
    }

    /// The first missing page of those that [`Self::missing`] names.
    pub fn first_missing(&self, first: u32, count: u32) -> Option<usize> {
        self.missing(first, count).next()
    }

    /// Puts a page in, zeroed.
    pub fn install(&mut self, ram: &impl Ram, number: usize, page: u64) {
        ram.zero(page, PAGE);
        ram.sync();
        self.put(ram, number, page);
    }

    fn put(&mut self, ram: &impl Ram, number: usize, page: u64) {
        if let Some(slot) = self.pages.get_mut(number) {
            *slot = page;
            let vsd = if page == 0 { 0 } else { direct(page, PAGE).into() };
            ram.write64(self.array + number as u64 * VSD_SIZE, vsd);
            ram.sync();
        }
    }

    /// Whether `page` is one of the table's.
    pub fn holds(&self, page: u64) -> bool {
        self.pages.contains(&page)
    }

    /// Whether there are pages of the OS's.
    pub fn has_donated(&self) -> bool {
        self.pages.iter().skip(1).any(|&page| page != 0)
    }

    /// Takes out all pages but firmware's.
    pub fn drop_donated(&mut self, ram: &impl Ram) {
        for number in 1..self.pages.len() {
            if self.pages.get(number).is_some_and(|&page| page != 0) {
                self.put(ram, number, 0);
            }
        }
    }

    /// How many pages the OS can donate to this table at most.
    pub fn room(&self) -> usize {
        self.pages.len() - 1
    }
}
