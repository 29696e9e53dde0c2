//! A table of TCEs that firmware owns: levels in memory, entries, permissions (`reference/phb-dma-windows.md` §7).
//!
//! Lower levels are made when first touched, so a window costs what is mapped and not what could be. They stay until
//! the table goes. An entry of an upper level has the address of the next one and both permissions.

use super::geometry::{Geometry, Table};
use super::pool::{PAGE_SHIFT, Pool};
use crate::error::{Error, Result};
use crate::hw::ram::Ram;
use core::ops::Range;

/// A device may read memory.
pub const READ: u64 = 1;
/// A device may write memory.
pub const WRITE: u64 = 2;
/// Both permissions.
pub const ACCESS: u64 = READ | WRITE;

/// The address in an entry of an upper level.
const NEXT: u64 = !0xfff;

/// Pages that one act changes at most: their old entries are kept until the act is certain.
pub const MOST_PAGES: usize = 4096;

/// Levels that one act makes at most. A leaf has 512 entries at least: nine of them, and two on each of the three levels
/// between them and the top.
const MOST_MADE: usize = 9 + 2 * 3;

/// A table and what is known of it.
#[derive(Debug)]
pub struct TceTable {
    table: Table,
    /// Entries of the window; the levels may have room for more.
    pages: u64,
    /// Pages of the pool in all its levels.
    pool_pages: u64,
}

impl TceTable {
    /// Makes an empty table: its top level.
    ///
    /// # Errors
    /// `NoMem` when the pool has no room.
    pub fn create(pool: &mut Pool, ram: &impl Ram, geometry: Geometry, pages: u64) -> Result<Self> {
        let address = pool.allocate(ram, order(geometry)).ok_or(Error::NoMem)?;
        ram.sync();
        Ok(Self { table: Table::owned(geometry, address), pages, pool_pages: 1 << order(geometry) })
    }

    /// Makes an empty table with all levels that entries from `first` on need.
    ///
    /// # Errors
    /// `NoMem` when the pool has no room; it is then as before.
    pub fn create_whole(
        pool: &mut Pool,
        ram: &impl Ram,
        geometry: Geometry,
        pages: u64,
        first: u64,
    ) -> Result<Self> {
        // A refusal that came late would have emptied the pool, page by page.
        if whole_pages(geometry, &(first..pages)) > pool.free_pages() {
            return Err(Error::NoMem);
        }
        let mut table = Self::create(pool, ram, geometry, pages)?;
        let mut index = first & !table.leaf_entries().wrapping_sub(1);
        while index < pages {
            let made = table.descend(ram, index, |parent| {
                let child = link_new(pool, ram, geometry, parent)?;
                // Nothing walks this table yet.
                ram.write64(parent, child | ACCESS);
                Some(child)
            });
            if made.is_none() {
                table.destroy(pool, ram);
                return Err(Error::NoMem);
            }
            index = index.saturating_add(table.leaf_entries());
        }
        table.pool_pages = table.count(ram, table.top(), table.upper_levels());
        Ok(table)
    }

    /// Gives its memory back. No bridge may walk it any more.
    pub fn destroy(&self, pool: &mut Pool, ram: &impl Ram) {
        self.release(pool, ram, self.top(), self.upper_levels());
    }

    /// What a TVE names.
    pub const fn table(&self) -> &Table {
        &self.table
    }
    /// Its shape.
    pub const fn geometry(&self) -> Geometry {
        self.table.geometry()
    }
    /// Entries of the window.
    pub const fn pages(&self) -> u64 {
        self.pages
    }
    /// Pages of the pool that it has.
    pub const fn pool_pages(&self) -> u64 {
        self.pool_pages
    }
    /// Bytes of an IO page.
    pub const fn page_bytes(&self) -> u64 {
        1 << self.geometry().page_shift()
    }

    /// Whether so many entries from `first` on are in the window.
    pub const fn has(&self, first: u64, count: u64) -> bool {
        first < self.pages && count <= self.pages.wrapping_sub(first)
    }

    /// An entry; 0 where nothing is mapped. The index is in the window.
    pub fn get(&self, ram: &impl Ram, index: u64) -> u64 {
        self.leaf(ram, index).map_or(0, |leaf| ram.read64(leaf))
    }

    /// Makes the levels that entries in this range need. They are in the window, at most [`MOST_PAGES`]. No bridge walks
    /// one before all are there: were they given back, it might remember them.
    ///
    /// # Errors
    /// `NoMem` when the pool has no room; nothing has changed then.
    pub fn prepare(&mut self, pool: &mut Pool, ram: &impl Ram, range: Range<u64>) -> Result {
        let mut made = [0; MOST_MADE];
        let mut count = 0;
        let geometry = self.geometry();
        let mut index = range.start;
        while index < range.end {
            let leaf = self.descend(ram, index, |parent| {
                let slot = made.get_mut(count)?;
                let child = link_new(pool, ram, geometry, parent)?;
                *slot = parent;
                count = count.wrapping_add(1);
                Some(child)
            });
            if leaf.is_none() {
                for &parent in made.get(..count).unwrap_or(&[]).iter().rev() {
                    let child = ram.read64(parent) & NEXT;
                    ram.write64(parent, 0);
                    pool.release(ram, child, order(geometry));
                }
                return Err(Error::NoMem);
            }
            index = (index | self.leaf_entries().wrapping_sub(1)).saturating_add(1);
        }
        open(ram, made.get(..count).unwrap_or(&[]));
        self.pool_pages = self.pool_pages.wrapping_add((count as u64) << order(geometry));
        Ok(())
    }

    /// Stores what `next` gives into entries from `first` on, as many as `previous` has room for, and keeps what they
    /// were. Entries whose level isn't there stay as they are: nothing mapped.
    #[inline(always)]
    pub fn exchange(&self, ram: &impl Ram, first: u64, previous: &mut [u64], mut next: impl FnMut() -> u64) {
        // What the OS stored earlier is in memory before a device finds it.
        ram.sync();
        self.leaves(ram, first, previous, |leaf, run| match leaf {
            Some(mut at) => {
                for old in run {
                    *old = ram.read64(at);
                    ram.write64(at, next());
                    at = at.wrapping_add(8);
                }
            }
            None => {
                for old in run {
                    next();
                    *old = 0;
                }
            }
        });
    }

    /// Puts back what [`Self::exchange`] replaced.
    pub fn restore(&self, ram: &impl Ram, first: u64, previous: &mut [u64]) {
        self.leaves(ram, first, previous, |leaf, run| {
            if let Some(mut at) = leaf {
                for old in run {
                    ram.write64(at, *old);
                    at = at.wrapping_add(8);
                }
            }
        });
    }

    /// Goes through a run of entries leaf by leaf.
    #[inline(always)]
    fn leaves(
        &self,
        ram: &impl Ram,
        first: u64,
        run: &mut [u64],
        mut act: impl FnMut(Option<u64>, &mut [u64]),
    ) {
        let (mut index, mut rest) = (first, run);
        while !rest.is_empty() {
            let room = self.leaf_entries().wrapping_sub(index & self.leaf_entries().wrapping_sub(1));
            let (now, later) = rest.split_at_mut(rest.len().min(room as usize));
            act(self.leaf(ram, index), now);
            index = index.wrapping_add(now.len() as u64);
            rest = later;
        }
    }

    const fn top(&self) -> u64 {
        self.table.address()
    }

    const fn upper_levels(&self) -> u32 {
        self.geometry().levels() as u32 - 1
    }

    /// log2 of the entries of a level.
    const fn level_bits(&self) -> u32 {
        self.geometry().level_shift() as u32 - 3
    }

    const fn leaf_entries(&self) -> u64 {
        1 << self.level_bits()
    }

    /// Address of an entry, if its level is there.
    #[inline]
    fn leaf(&self, ram: &impl Ram, index: u64) -> Option<u64> {
        self.descend(ram, index, |_| None)
    }

    /// Address of an entry; `missing` makes the level below an entry that names none.
    #[inline(always)]
    fn descend(
        &self,
        ram: &impl Ram,
        index: u64,
        mut missing: impl FnMut(u64) -> Option<u64>,
    ) -> Option<u64> {
        let mask = self.leaf_entries().wrapping_sub(1);
        let mut level = self.upper_levels();
        let mut at = self.top();
        loop {
            at |= (index.wrapping_shr(level.wrapping_mul(self.level_bits())) & mask).wrapping_mul(8);
            if level == 0 {
                return Some(at);
            }
            at = match ram.read64(at) & NEXT {
                0 => missing(at)?,
                next => next,
            };
            level = level.wrapping_sub(1);
        }
    }

    /// Goes through the entries of a level of which so many are above the leaves.
    fn below(&self, ram: &impl Ram, address: u64, mut act: impl FnMut(u64)) {
        for index in 0..self.leaf_entries() {
            let next = ram.read64(address | index.wrapping_mul(8)) & NEXT;
            if next != 0 {
                act(next);
            }
        }
    }

    fn release(&self, pool: &mut Pool, ram: &impl Ram, address: u64, upper: u32) {
        if let Some(upper) = upper.checked_sub(1) {
            self.below(ram, address, |next| self.release(pool, ram, next, upper));
        }
        pool.release(ram, address, order(self.geometry()));
    }

    fn count(&self, ram: &impl Ram, address: u64, upper: u32) -> u64 {
        let mut pages = 1 << order(self.geometry());
        if let Some(upper) = upper.checked_sub(1) {
            self.below(ram, address, |next| pages += self.count(ram, next, upper));
        }
        pages
    }
}

/// Pages of the pool in all levels that these entries need; there is at least one entry.
pub const fn whole_pages(geometry: Geometry, entries: &Range<u64>) -> u64 {
    let bits = geometry.level_shift() as u32 - 3;
    let (mut tables, mut height, mut shift) = (0_u64, 0, bits);
    while height < geometry.levels() {
        let span = (entries.end.wrapping_sub(1) >> shift).wrapping_sub(entries.start >> shift);
        tables = tables.wrapping_add(span).wrapping_add(1);
        shift = shift.wrapping_add(bits);
        height += 1;
    }
    tables << order(geometry)
}

/// log2 of the pool's pages in a level.
const fn order(geometry: Geometry) -> u32 {
    geometry.level_shift() as u32 - PAGE_SHIFT
}

/// Makes an empty level below the entry at `parent`. No bridge walks it yet: the entry has no permission.
fn link_new(pool: &mut Pool, ram: &impl Ram, geometry: Geometry, parent: u64) -> Option<u64> {
    let child = pool.allocate(ram, order(geometry))?;
    ram.write64(parent, child);
    Some(child)
}

/// Lets bridges walk new levels. They must not see one before it is empty.
fn open(ram: &impl Ram, parents: &[u64]) {
    if !parents.is_empty() {
        ram.sync();
    }
    for &parent in parents {
        ram.write64(parent, ram.read64(parent) | ACCESS);
    }
}
