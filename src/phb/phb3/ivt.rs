//! Message interrupts of a PHB3: one entry each in memory, which the bridge caches (IVC) and in which it remembers what
//! it sent (P) and what came meanwhile (Q). `reference/phb-dma-windows.md` §3.4 and §4.
//!
//! Memory is changed first and the cache after it, each field by a store of its own: P and Q are the bridge's to set.

use super::regs::{FFI_LOCK, FFI_REQUEST, IVC_INVALIDATE, IVC_UPDATE};
use crate::hw::fault::Outcome;
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::iommu::PeNumber;
use crate::mem::Region;
use crate::phb::TableRange;
use crate::phb::ioda::{self, TableId};
use crate::phb::regs4;
use crate::phb::touched::Touched;
use crate::sync::wait_until;

/// Bytes of an entry; the bridge uses the first eight.
const ENTRY: u64 = 16;
const ENTRIES: u64 = super::SOURCES as u64;
/// An entry that nobody uses: masked.
const UNUSED: u64 = 0xff << 32;
/// What masks.
pub const MASKED: u8 = 0xff;

/// In an entry: P with the generation, Q, the PE.
const P_AT: u64 = 4;
const Q_AT: u64 = 5;
const PE_AT: u64 = 6;
const Q: u8 = 1;

/// IVC_UPDATE: which fields.
mod update {
    pub const P: u64 = 1 << 63;
    pub const Q: u64 = 1 << 62;
    pub const SERVER: u64 = 1 << 61;
    pub const PRIORITY: u64 = 1 << 60;
    pub const GENERATION: u64 = 1 << 59;
    /// Only if the cached entry has that generation.
    pub const CONDITIONAL: u64 = 1 << 58;
    pub const MATCH_SHIFT: u32 = 56;
    pub const SERVER_SHIFT: u32 = 40;
    pub const PRIORITY_SHIFT: u32 = 32;
    pub const GENERATION_SHIFT: u32 = 30;
}
const INVALIDATE_ALL: u64 = 1 << 63;
const INVALIDATE_SHIFT: u32 = 32;
const FFI_SHIFT: u32 = 4;
const FFI_UNLOCK: u64 = 1 << 60;
const FFI_US: u64 = 1000;
const RBA_WORDS: usize = 32;

/// The table.
#[derive(Debug)]
pub struct Ivt {
    address: u64,
    /// Entries that were changed, by pairs.
    pairs: Touched,
}

impl Ivt {
    /// That of a bridge without one.
    pub const NONE: Self = Self { address: 0, pairs: Touched::new() };

    /// Takes memory for it and masks everything.
    pub fn allocate(ram: &impl Ram, region: &mut Region) -> Self {
        let size = ENTRIES * ENTRY;
        let dynamic: &dyn Ram = &ram;
        let table = Self { address: region.allocate(dynamic, size, size), ..Self::NONE };
        for source in 0..ENTRIES {
            ram.write64(table.address + source * ENTRY, UNUSED);
        }
        table
    }

    /// Where it lies.
    pub const fn address(&self) -> u64 {
        self.address
    }

    /// Address and bytes, where there is one.
    pub fn range(&self) -> Option<TableRange> {
        (self.address != 0).then_some((self.address, ENTRIES * ENTRY))
    }

    const fn entry(&self, source: u16) -> u64 {
        // The table is aligned to its size: nothing wraps.
        self.address | (source as u64 * ENTRY)
    }

    fn change(&mut self, source: u16) -> u64 {
        self.pairs.mark(usize::from(source / 2));
        self.entry(source)
    }

    /// Gives a source to a PE.
    pub fn set_pe<I: Mmio>(&mut self, regs: &I, ram: &impl Ram, source: u16, pe: PeNumber) -> Outcome {
        let at = self.change(source) + PE_AT;
        let old = ram.read16(at);
        ram.write16(at, pe.as_u16());
        IVC_INVALIDATE.write(regs, u64::from(source) << INVALIDATE_SHIFT);
        let result = ioda::alive(regs);
        if result.is_err() {
            ram.write16(at, old);
        }
        result
    }

    /// Server, link bits included, and priority.
    pub fn route(&self, ram: &impl Ram, source: u16) -> (u16, u8) {
        let word = ram.read32(self.entry(source));
        ((word >> 8) as u16, word as u8)
    }

    /// Sends a source somewhere, or masks it. A masked source forgets what it sent; one that is unmasked sends what
    /// came meanwhile.
    pub fn set_route<I: Mmio>(
        &mut self,
        regs: &I,
        ram: &impl Ram,
        source: u16,
        (server, priority): (u16, u8),
    ) -> Outcome {
        let at = self.change(source);
        let old = ram.read32(at);
        ram.write32(at, u32::from(server) << 8 | u32::from(priority));
        let fields = update::SERVER | update::PRIORITY;
        let place = u64::from(server) << update::SERVER_SHIFT | u64::from(priority) << update::PRIORITY_SHIFT;
        IVC_UPDATE.write(regs, fields | place | u64::from(source));
        // Besides, whatever the bridge still stores to the entry is there after a load.
        if let Err(fault) = ioda::alive(regs) {
            ram.write32(at, old);
            return Err(fault);
        }
        if priority == MASKED {
            ram.write16(at + P_AT, 0);
            IVC_UPDATE.write(regs, update::P | update::Q | update::GENERATION | u64::from(source));
        } else {
            self.send_waiting(regs, ram, source);
        }
        Ok(())
    }

    /// Ends an interrupt: P goes, and what came meanwhile is sent.
    pub fn end<I: Mmio>(&self, regs: &I, ram: &impl Ram, source: u16) {
        let at = self.entry(source) + P_AT;
        let generation = ram.read8(at) >> 1 & 3;
        let next = (generation + 1) & 3;
        // If the cache dropped the entry and fetched it since, it has the new generation, and P means a new interrupt:
        // the update below must not clear that one.
        ram.write8(at, next << 1);
        IVC_UPDATE.write(
            regs,
            update::P
                | update::GENERATION
                | update::CONDITIONAL
                | u64::from(generation) << update::MATCH_SHIFT
                | u64::from(next) << update::GENERATION_SHIFT
                | u64::from(source),
        );
        self.send_waiting(regs, ram, source);
    }

    /// Sends again what came while P was set. A bridge that fences on the way forgets it with all else that it sent.
    fn send_waiting<I: Mmio>(&self, regs: &I, ram: &impl Ram, source: u16) {
        let at = self.entry(source) + Q_AT;
        if ram.read8(at) & Q == 0 {
            // The bridge's store may be under way: a load flushes it.
            regs4::CPU_LOADSTORE_STATUS.read(regs);
            ram.sync();
            if ram.read8(at) & Q == 0 {
                return;
            }
        }
        let mut state = 0;
        let free = wait_until(FFI_US, || {
            state = FFI_LOCK.read(regs);
            state == 0 || state == u64::MAX
        });
        if free && state == 0 {
            ram.write8(at, 0);
            IVC_UPDATE.write(regs, update::Q | u64::from(source));
            FFI_REQUEST.write(regs, FFI_UNLOCK | u64::from(source) << FFI_SHIFT);
        }
    }

    /// Puts changed entries back to how they start, and drops what the bridge remembers.
    pub fn reset<I: Mmio>(&mut self, regs: &I, ram: &impl Ram) {
        for pair in self.pairs.take() {
            for source in [2 * pair as u64, 2 * pair as u64 + 1] {
                ram.write64(self.address + source * ENTRY, UNUSED);
            }
        }
        self.forget(regs);
    }

    /// After a reset of the bridge: nothing is under way, and routes and PEs are as they were.
    pub fn restart<I: Mmio>(&self, regs: &I, ram: &impl Ram) {
        if self.address == 0 {
            return;
        }
        for pair in self.pairs.clone().take() {
            for source in [2 * pair as u64, 2 * pair as u64 + 1] {
                ram.write16(self.address + source * ENTRY + P_AT, 0);
            }
        }
        self.forget(regs);
        ioda::fill(regs, TableId::Rba, (0..RBA_WORDS).map(|_| 0));
    }

    fn forget<I: Mmio>(&self, regs: &I) {
        if self.address != 0 {
            IVC_INVALIDATE.write(regs, INVALIDATE_ALL);
        }
    }
}
