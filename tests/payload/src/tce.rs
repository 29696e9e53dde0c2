//! TCE tables, built by the rules of the hardware and not by the firmware's code.

use crate::machine::{load, memory, store, sync};

/// A table that covers `entries_shift` × levels bits of page numbers.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub address: u64,
    pub levels: u64,
    /// log2 of a level's entries.
    pub bits: u64,
    pub page_shift: u64,
}

pub const READ: u64 = 1;
pub const WRITE: u64 = 2;

impl Table {
    /// An empty table with `levels` levels of `level_bytes` each.
    pub fn new(levels: u64, level_bytes: u64, page_shift: u64) -> Self {
        Self {
            address: memory(level_bytes, level_bytes),
            levels,
            bits: u64::from(level_bytes.trailing_zeros()) - 3,
            page_shift,
        }
    }

    /// Bytes of one level's table.
    pub fn level_bytes(&self) -> u64 {
        8 << self.bits
    }

    /// Where the entry of `bus` lies; makes the levels on the way.
    pub fn slot(&self, bus: u64) -> u64 {
        let mut table = self.address;
        for level in (0..self.levels).rev() {
            let index = bus >> (self.page_shift + self.bits * level) & ((1 << self.bits) - 1);
            let slot = table + 8 * index;
            if level == 0 {
                return slot;
            }
            if load(slot) == 0 {
                store(slot, memory(self.level_bytes(), self.level_bytes()) | READ | WRITE);
            }
            table = load(slot) & !0xfff;
        }
        unreachable!()
    }

    /// Maps the page of `bus` to real address `to`.
    pub fn map(&self, bus: u64, to: u64, permissions: u64) {
        store(self.slot(bus), to & !((1 << self.page_shift) - 1) | permissions);
        sync();
    }

    /// Unmaps the page of `bus`.
    pub fn unmap(&self, bus: u64) {
        store(self.slot(bus), 0);
        sync();
    }

    /// One bus address above the highest that the table reaches.
    pub fn reach(&self) -> u64 {
        1 << (self.page_shift + self.bits * self.levels)
    }
}
