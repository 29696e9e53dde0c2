//! The unit's caches: how a structure is changed while hardware uses it, and how firmware waits for that.
//!
//! Whoever holds the engine holds the driver's lock: there is one watch and one scrub of each kind per chip.

use super::regs::{
    ALL_SYNCS, CacheUnit, EAS_CACHE, END_CACHE, END_WATCH, EQC_CONFIG, Kill, NVT_CACHE, NVT_WATCH, PC_KILL,
    PC_KILL_MASK, Reg, Scrub, VC_GLOBAL, VC_KILL, VC_KILL_MASK, WatchSpec, WatchUnit, notify,
};
use super::structures::{EAS_SIZE, END_ROWS, Eas, End, NVT_ROWS, Nvt};
use super::tables::{PagedTable, SOURCES};
use crate::error::{Error, Result};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::interrupts::source::esb;
use crate::sync::wait_until;

/// How long hardware may take for a scrub, a kill or a sync. It takes microseconds.
const PATIENCE_US: u64 = 10_000;
/// How often a watch is tried again when hardware changed the structure meanwhile.
const WATCH_TRIES: u32 = 10;
/// NVT of the first hardware thread: its page is firmware's, so that it always exists.
pub const FIRST_THREAD: u32 = 0x80;
/// An END of firmware's own, in its page: queue 7 of a thread number that no P9 chip has.
const ORDERING_END: u32 = 0xff * super::tables::QUEUES + 7;
/// log2 of the pair of ESB pages of a source of the unit's own, and of an END.
pub const ESB_PAIR_SHIFT: u32 = 17;
/// The second page of the pair: management of a source, escalation of an END.
pub const ESB_SECOND: u64 = 0x1_0000;

/// Registers and tables of one chip.
pub struct Engine<I, R> {
    /// The IC BAR's pages.
    pub ic: I,
    /// The VC region: ESB pages.
    pub vc: I,
    pub ram: R,
    pub block: u8,
    pub eat: u64,
    /// Offset of the first END's ESB pages in the VC region.
    pub end_esbs: u64,
    pub ends: PagedTable,
    pub nvts: PagedTable,
}

impl<I: Mmio, R: Ram> Engine<I, R> {
    /// EAS of a source, from memory: only firmware changes one.
    pub fn eas(&self, index: u32) -> Eas {
        let index = index.min(SOURCES - 1);
        self.ram.read64(self.eat + u64::from(index) * EAS_SIZE).into()
    }

    /// Stores an EAS for which hardware can't hold an older one.
    pub fn put_eas(&self, index: u32, eas: Eas) {
        if index < SOURCES {
            self.ram.write64(self.eat + u64::from(index) * EAS_SIZE, eas.into());
        }
    }

    /// Changes an EAS.
    pub fn set_eas(&mut self, index: u32, eas: Eas) -> Result {
        self.put_eas(index, eas);
        self.ram.sync();
        self.scrub(&EAS_CACHE, index)
    }

    /// END, as memory has it; `None` when no page holds it. What hardware changes by itself (position, PQ) may be
    /// older than in its cache.
    pub fn end(&self, index: u32) -> Option<End> {
        let address = self.ends.address(index)?;
        let row = |number: u64| self.ram.read64(address + number * 8);
        Some(End::from([row(0), row(1), row(2), row(3)]))
    }

    /// NVT, as memory has it.
    pub fn nvt(&self, index: u32) -> Option<Nvt> {
        let address = self.nvts.address(index)?;
        let row = |number: u64| self.ram.read64(address + number * 8);
        Some(Nvt::from([row(0), row(1), row(2), row(3), 0, 0, 0, 0]))
    }

    /// Changes an END that exists: `change` gets it as hardware has it, perhaps more than once.
    pub fn update_end(&mut self, index: u32, change: impl Fn(End) -> End) -> Result {
        self.change_end(index, &change)
    }

    #[inline(never)]
    fn change_end(&mut self, index: u32, change: &dyn Fn(End) -> End) -> Result {
        let new: End = self.watch(&END_WATCH, index, true, |rows| change(rows.into()).into())?.into();
        self.scrub(&END_CACHE, index)?;
        self.after_scrub(if new.control.valid() { Some(index) } else { None })
    }

    /// Changes an NVT that exists.
    pub fn update_nvt(&mut self, index: u32, change: impl Fn(Nvt) -> Nvt) -> Result {
        self.change_nvt(index, &change)
    }

    #[inline(never)]
    fn change_nvt(&mut self, index: u32, change: &dyn Fn(Nvt) -> Nvt) -> Result {
        self.watch(&NVT_WATCH, index, true, |rows| change(rows.into()).into())?;
        self.scrub_nvt(index)
    }

    /// Writes a valid END back to memory.
    pub fn scrub_end(&mut self, index: u32) -> Result {
        self.scrub(&END_CACHE, index)?;
        self.after_scrub(Some(index))
    }

    /// Waits until memory has what a scrub of an END wrote back: the scrub's own end doesn't say that. A load from
    /// the ESB page of an END that isn't cached makes the unit read memory, which comes after the store. The END
    /// that was scrubbed serves, but only while it is valid; else one that is there for this.
    fn after_scrub(&mut self, valid: Option<u32>) -> Result {
        if valid.is_none() {
            self.scrub(&END_CACHE, ORDERING_END)?;
        }
        let index = u64::from(valid.unwrap_or(ORDERING_END));
        self.vc.read64(self.end_esbs + (index << ESB_PAIR_SHIFT) + esb::GET);
        Ok(())
    }

    /// Makes the END that [`Self::after_scrub`] needs: valid, without a queue, all its events off. For boot, before
    /// hardware knows the table.
    pub fn make_ordering_end(&self) {
        let mut end = End::disabled();
        end.control.set_valid(true);
        end.target.set_nvt_block(self.block);
        end.target.set_nvt_index(ORDERING_END / super::tables::QUEUES);
        end.target.set_priority(u8::MAX);
        if let Some(address) = self.ends.address(ORDERING_END) {
            for (row, value) in (0..).zip(<[u64; END_ROWS]>::from(end)) {
                self.ram.write64(address + row * 8, value);
            }
        }
    }

    /// Writes an NVT back to memory. A watch of another NVT is what comes after the store here; that one must not
    /// lie in a donated page, because the watch leaves it in the cache.
    pub fn scrub_nvt(&mut self, index: u32) -> Result {
        self.scrub(&NVT_CACHE, index)?;
        self.watch(&NVT_WATCH, FIRST_THREAD, false, |rows: [u64; NVT_ROWS]| rows)?;
        Ok(())
    }

    /// One act of a watch: load the rows, store the new ones, the first one last because it commits. Returns what
    /// was stored.
    fn watch<const ROWS: usize>(
        &mut self,
        unit: &WatchUnit,
        index: u32,
        full: bool,
        change: impl Fn([u64; ROWS]) -> [u64; ROWS],
    ) -> Result<[u64; ROWS]> {
        let data = |row: usize| unit.data + row as u64 * 8;
        for _ in 0..WATCH_TRIES {
            let mut spec = WatchSpec(0);
            spec.set_full(full);
            spec.set_block(self.block);
            spec.set_index(index);
            unit.spec.write(&self.ic, spec);
            let mut rows = [0; ROWS];
            for (number, row) in rows.iter_mut().enumerate() {
                *row = self.ic.read64(data(number));
            }
            rows = change(rows);
            for (number, &row) in rows.iter().enumerate().rev() {
                self.ic.write64(data(number), row);
            }
            let status = unit.spec.read(&self.ic);
            if !(full && status.full() && status.conflict()) {
                return Ok(rows);
            }
        }
        Err(Error::Busy)
    }

    fn scrub(&mut self, unit: &CacheUnit, index: u32) -> Result {
        self.scrub_masked(unit, unit.one, index)
    }

    /// Writes all ENDs and NVTs back and drops them from the caches.
    pub fn scrub_all(&mut self) -> Result {
        self.scrub_masked(&END_CACHE, END_CACHE.block, 0)?;
        self.scrub_masked(&NVT_CACHE, NVT_CACHE.block, 0)?;
        self.after_scrub(None)?;
        self.scrub_nvt(FIRST_THREAD)
    }

    fn scrub_masked(&mut self, unit: &CacheUnit, mask: u64, index: u32) -> Result {
        let mut scrub = Scrub(0);
        scrub.set_valid(true);
        // Without it, lines could stay that were written back before the store reached memory. The EAS cache
        // always invalidates.
        scrub.set_invalidate(true);
        scrub.set_block(self.block);
        scrub.set_index(index);
        unit.mask.write(&self.ic, mask);
        unit.scrub.write(&self.ic, scrub);
        let done = wait_until(PATIENCE_US, || !unit.scrub.read(&self.ic).valid());
        self.ram.sync();
        if done { Ok(()) } else { Err(Error::Hardware(&"XIVE scrub")) }
    }

    /// Waits until all events that were on their way have reached their queues.
    pub fn sync(&mut self) -> Result {
        for port in notify::SYNCS {
            self.ic.write64(port, 0);
        }
        let done = wait_until(PATIENCE_US, || EQC_CONFIG.read(&self.ic).syncs_done() == ALL_SYNCS);
        EQC_CONFIG.update(&self.ic, |config| config.set_syncs_done(0));
        // Hardware wants a load before the next sync is asked for.
        VC_GLOBAL.read(&self.ic);
        if done { Ok(()) } else { Err(Error::Hardware(&"XIVE sync")) }
    }

    /// Drops what hardware remembers of the indirect tables' VSDs.
    pub fn kill_translations(&mut self) -> Result {
        let mut kill = Kill(0);
        kill.set_valid(true);
        self.kill(&PC_KILL_MASK, &PC_KILL, kill)?;
        let mut kill = Kill(0);
        kill.set_valid(true);
        kill.set_table(END_TABLE);
        self.kill(&VC_KILL_MASK, &VC_KILL, kill)
    }

    fn kill(&mut self, mask: &Reg<u64>, register: &Reg<Kill>, kill: Kill) -> Result {
        mask.write(&self.ic, 0);
        register.write(&self.ic, kill);
        let done = wait_until(PATIENCE_US, || !register.read(&self.ic).valid());
        if done { Ok(()) } else { Err(Error::Hardware(&"XIVE kill")) }
    }

    /// Loads from the management page of a source of the unit's own.
    pub fn esb(&self, index: u32, function: u64) -> u64 {
        self.vc.read64((u64::from(index) << ESB_PAIR_SHIFT) + ESB_SECOND + function)
    }
}

/// The END table in a VC kill.
const END_TABLE: u8 = 3;
