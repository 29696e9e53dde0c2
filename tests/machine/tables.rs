//! TVEs and TCE tables as `reference/phb-dma-windows.md` §6 and §7 have them, made without the firmware's code.

use crate::model::ram::ModelRam;
use opalite::hw::ram::Ram;
use std::cell::{Cell, RefCell};

pub const READ: u64 = 1;
pub const WRITE: u64 = 2;
pub const GRAIN: u64 = 16 << 20;

/// A window's shape: log2 of the IO page, levels, log2 of a level's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    pub page: u32,
    pub levels: u32,
    pub level: u32,
}

impl Shape {
    /// Every shape of §6.7: 1 to 5 levels, of 4 KiB to 2^42 bytes, 59 bits in all.
    pub fn all() -> impl Iterator<Item = Self> {
        super::kind()
            .pages
            .into_iter()
            .flat_map(|page| (1..=5).map(move |levels| (page, levels)))
            .flat_map(|(page, levels)| (12..=42).map(move |level| Self { page, levels, level }))
            .filter(|shape| shape.width() <= 59)
    }

    /// Bits of bus address.
    pub fn width(self) -> u32 {
        self.levels * (self.level - 3) + self.page
    }

    /// The TVE of this shape with its table at `table` (§6.1).
    pub fn tve(self, table: u64) -> u64 {
        table << 4
            | u64::from(self.levels - 1) << 13
            | u64::from(self.level - 11) << 8
            | u64::from(self.page - 11)
    }

    /// Call 44's last four arguments.
    pub fn args(self, table: u64) -> [u64; 4] {
        [self.levels.into(), table, 1 << self.level, 1 << self.page]
    }
}

/// The TVE of a no-translate window of the bridge at hand (§6.3).
pub fn bypass_tve(start: u64, end: u64) -> u64 {
    (start << 16 & 0xffff_ff00_0000_0000)
        | (start >> 38 & 0xc00)
        | (end >> 8 & 0x0000_00ff_ffff_0000)
        | (end >> 40 & 0x300)
        | super::kind().bypass
}

/// A table in memory whose lower levels are made when first touched.
pub struct Table<'a> {
    ram: &'a ModelRam,
    pub shape: Shape,
    pub base: u64,
    /// Where the next lower level goes; each is aligned to its size.
    next: Cell<u64>,
    written: RefCell<Vec<u64>>,
}

impl<'a> Table<'a> {
    /// Top level at `base`, lower ones from `arena` on.
    pub fn new(ram: &'a ModelRam, shape: Shape, base: u64, arena: u64) -> Self {
        assert!(base.is_multiple_of(1 << shape.level), "a table that isn't aligned");
        Self { ram, shape, base, next: Cell::new(arena), written: RefCell::default() }
    }

    /// Where the TCE of the page that has `offset` lies.
    pub fn entry(&self, offset: u64) -> u64 {
        let bits = self.shape.level - 3;
        let mut table = self.base;
        for level in (0..self.shape.levels).rev() {
            let index = offset >> (self.shape.page + bits * level) & ((1 << bits) - 1);
            let entry = table + 8 * index;
            if level == 0 {
                return entry;
            }
            if self.ram.read64(entry) == 0 {
                let size = 1_u64 << self.shape.level;
                let lower = self.next.get().next_multiple_of(size);
                self.next.set(lower + size);
                self.write(entry, lower | READ | WRITE);
            }
            table = self.ram.read64(entry) & !0xfff;
        }
        unreachable!()
    }

    pub fn map(&self, offset: u64, frame: u64, permission: u64) {
        self.write(self.entry(offset), frame | permission);
    }

    fn write(&self, entry: u64, tce: u64) {
        self.ram.write64(entry, tce);
        self.written.borrow_mut().push(entry);
    }

    /// Zeroes whatever was written.
    pub fn clear(&self) {
        for entry in self.written.take() {
            self.ram.write64(entry, 0);
        }
    }
}
