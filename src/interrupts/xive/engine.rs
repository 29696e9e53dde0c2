//! The unit's caches: how a structure is changed while hardware uses it, and how firmware waits for that.
//!
//! Whoever holds the engine holds the driver's lock: there is one watch and one scrub of each kind per chip.

use super::structures::{EAS_SIZE, END_ROWS, Eas, End, Nvt, Rows};
use super::tables::{PagedTable, SOURCES};
use super::unit::{Cache, Kill, Unit, WatchSpec, Watched};
use super::vps::is_thread;
use crate::error::{Error, Result, why};
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
/// Bit 0 of a register that starts something: it runs.
const BUSY: u64 = 1 << 63;
/// An END of firmware's own, in its page: queue 7 of a thread number that no POWER9 chip has.
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
    pub unit: &'static Unit,
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
        self.scrub(&self.unit.eas_cache, index)
    }

    /// END, as memory has it; `None` when no page holds it. What hardware changes by itself (position, PQ) may be
    /// older than in its cache.
    pub fn end(&self, index: u32) -> Option<End> {
        let rows = self.rows(self.ends.address(index)?, END_ROWS);
        Some((self.unit.layout.end_from)(&rows))
    }

    /// NVT, as memory has it.
    pub fn nvt(&self, index: u32) -> Option<Nvt> {
        let rows = self.rows(self.nvts.address(index)?, 4);
        Some((self.unit.layout.nvt_from)(&rows))
    }

    /// The first `count` rows of a structure in memory.
    pub fn rows(&self, address: u64, count: usize) -> Rows {
        let mut rows = Rows::default();
        for (number, row) in (0..).zip(rows.iter_mut().take(count)) {
            *row = self.ram.read64(address + number * 8);
        }
        rows
    }

    /// How ENDs and TIMA rings name an NVT.
    pub fn name(&self, index: u32) -> u32 {
        self.unit.nvt_name(self.block, index)
    }

    /// Changes an END that exists: `change` gets it as hardware has it, perhaps more than once.
    pub fn update_end(&mut self, index: u32, change: &dyn Fn(End) -> End) -> Result {
        let layout = &self.unit.layout;
        let mut valid = false;
        self.watch(Watched::End, index, true, &mut |rows| {
            let new = change((layout.end_from)(rows));
            valid = new.control.valid();
            (layout.end_into)(&new, rows);
        })?;
        self.scrub(&self.unit.end_cache, index)?;
        self.after_scrub(if valid { Some(index) } else { None })
    }

    /// Changes an NVT that exists.
    pub fn update_nvt(&mut self, index: u32, change: &dyn Fn(Nvt) -> Nvt) -> Result {
        let (layout, name) = (&self.unit.layout, self.name(index));
        self.watch(Watched::Nvt, index, true, &mut |rows| {
            (layout.nvt_into)(&change((layout.nvt_from)(rows)), rows, name, is_thread(index));
        })?;
        self.scrub_nvt(index)
    }

    /// Writes a valid END back to memory.
    pub fn scrub_end(&mut self, index: u32) -> Result {
        self.scrub(&self.unit.end_cache, index)?;
        self.after_scrub(Some(index))
    }

    /// Waits until memory has what a scrub of an END wrote back: the scrub's own end doesn't say that on POWER9. A
    /// load from the ESB page of an END that isn't cached makes the unit read memory, which comes after the store.
    /// The END that was scrubbed serves, but only while it is valid; else one that is there for this.
    fn after_scrub(&mut self, valid: Option<u32>) -> Result {
        if !self.unit.early_scrubs {
            return Ok(());
        }
        if valid.is_none() {
            self.scrub(&self.unit.end_cache, ORDERING_END)?;
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
        end.target.set_nvt(self.name(ORDERING_END / super::tables::QUEUES));
        end.target.set_priority(u8::MAX);
        let mut rows = Rows::default();
        (self.unit.layout.end_into)(&end, &mut rows);
        if let Some(address) = self.ends.address(ORDERING_END).filter(|_| self.unit.early_scrubs) {
            for (number, &row) in (0..).zip(rows.iter().take(END_ROWS)) {
                self.ram.write64(address + number * 8, row);
            }
        }
    }

    /// Writes an NVT back to memory. On POWER9, a watch of another NVT is what comes after the store; that one must
    /// not lie in a donated page, because the watch leaves it in the cache.
    pub fn scrub_nvt(&mut self, index: u32) -> Result {
        self.scrub(&self.unit.nvt_cache, index)?;
        if self.unit.early_scrubs {
            self.watch(Watched::Nvt, FIRST_THREAD, false, &mut |_| {})?;
        }
        Ok(())
    }

    /// One act of a watch: load the rows, store the new ones, the first one last because it commits.
    fn watch(&mut self, what: Watched, index: u32, full: bool, change: &mut dyn FnMut(&mut Rows)) -> Result {
        let [ends, nvts] = &self.unit.watches;
        let (port, count) = match what {
            Watched::End => (ends, END_ROWS),
            Watched::Nvt => (nvts, self.unit.nvt_rows),
        };
        let data = |row: usize| port.data + row as u64 * 8;
        for _ in 0..WATCH_TRIES {
            let mut spec = WatchSpec(0);
            spec.set_full(full);
            spec.set_block(self.block);
            spec.set_index(index);
            port.spec.write(&self.ic, spec);
            let mut rows = Rows::default();
            for (number, row) in rows.iter_mut().enumerate().take(count) {
                *row = self.ic.read64(data(number));
            }
            change(&mut rows);
            for (number, &row) in rows.iter().enumerate().take(count).rev() {
                self.ic.write64(data(number), row);
            }
            let status = port.spec.read(&self.ic);
            if !(full && status.full() && status.conflict()) {
                return Ok(());
            }
        }
        Err(Error::Busy)
    }

    fn scrub(&self, cache: &Cache, index: u32) -> Result {
        self.scrub_masked(cache, cache.one, index)
    }

    /// Writes all ENDs and NVTs back and drops them from the caches.
    pub fn scrub_all(&mut self) -> Result {
        let unit = self.unit;
        self.scrub_masked(&unit.end_cache, unit.end_cache.block, 0)?;
        self.scrub_masked(&unit.nvt_cache, unit.nvt_cache.block, 0)?;
        self.after_scrub(None)?;
        self.scrub_nvt(FIRST_THREAD)
    }

    fn scrub_masked(&self, cache: &Cache, mask: u64, index: u32) -> Result {
        let target = (cache.target)(self.block, index);
        match cache.mask {
            Some(register) => {
                register.write(&self.ic, mask);
                cache.scrub.write(&self.ic, target);
            }
            None => cache.scrub.write(&self.ic, target | mask),
        }
        let done = wait_until(PATIENCE_US, || cache.busy.read(&self.ic) & BUSY == 0);
        self.ram.sync();
        if done { Ok(()) } else { Err(Error::Hardware(why("XIVE scrub"))) }
    }

    /// Waits until all events that were on their way have reached their queues.
    pub fn sync(&mut self) -> Result {
        let syncs = &self.unit.syncs;
        for &port in syncs.ports {
            self.ic.write64(port, 0);
        }
        let done = wait_until(PATIENCE_US, || syncs.done.read(&self.ic) & syncs.all == syncs.all);
        syncs.done.update(&self.ic, |answers| *answers &= !syncs.all);
        syncs.then.read(&self.ic);
        if done { Ok(()) } else { Err(Error::Hardware(why("XIVE sync"))) }
    }

    /// Drops what hardware remembers of the indirect tables' VSDs.
    pub fn kill_translations(&mut self) -> Result {
        self.unit.kills.iter().try_for_each(|kill| self.kill(kill))
    }

    fn kill(&self, kill: &Kill) -> Result {
        kill.mask.write(&self.ic, 0);
        kill.kill.write(&self.ic, kill.value);
        let done = wait_until(PATIENCE_US, || kill.kill.read(&self.ic) & BUSY == 0);
        if done { Ok(()) } else { Err(Error::Hardware(why("XIVE kill"))) }
    }

    /// Loads from the management page of a source of the unit's own.
    pub fn esb(&self, index: u32, function: u64) -> u64 {
        self.vc.read64((u64::from(index) << ESB_PAIR_SHIFT) + ESB_SECOND + function)
    }
}
