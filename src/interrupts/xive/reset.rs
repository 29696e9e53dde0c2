//! XIVE_RESET: back to what boot left, at the price of what the OS touched.

use super::State;
use super::engine::FIRST_THREAD;
use super::structures::Nvt;
use super::unit::tima;
use crate::error::{Error, Result, why};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::interrupts::Mode;
use crate::interrupts::source::{Source, esb};

impl<I: Mmio, R: Ram> State<I, R> {
    /// The first half: no source of the chip sends events any more, and those on their way have arrived. Both halves
    /// are done whole even if a step fails, so that as little as possible of the OS's memory stays in use; they tell
    /// of the first failure.
    pub(super) fn reset_sources(&mut self, mode: Mode, devices: &[Source]) -> Result {
        self.mode = Some(mode);
        let result = self.retire_sources(devices);
        result.and(self.engine.sync())
    }

    /// The other half: VPs and threads. No chip's sources may send events here.
    pub(super) fn reset_vps(&mut self) -> Result {
        let result = self.retire_vps();
        result.and(self.start_threads())
    }

    fn retire_sources(&mut self, devices: &[Source]) -> Result {
        let mut result = Ok(());
        let mut from = 0;
        while let Some(index) = self.allocated.next(from) {
            result = result.and(self.retire(index));
            from = index + 1;
        }
        from = self.devices;
        while let Some(index) = self.routed.next(from) {
            let isn = self.vps.isn(index);
            let device = devices.iter().find_map(|source| Some((source, source.position(isn)?)));
            if let Some((source, position)) = device {
                source.load(position, esb::SET_OFF);
            }
            result = result.and(self.engine.set_eas(index, self.idle_eas(index)));
            from = index + 1;
        }
        self.allocated.clear();
        self.routed.clear();
        result
    }

    /// Disables all VPs that the OS used, takes them back and gives up its pages.
    fn retire_vps(&mut self) -> Result {
        let mut result = Ok(());
        let mut from = 0;
        while let Some(index) = self.touched.next(from) {
            result = result.and(self.disable_vp(index));
            from = index + 1;
        }
        self.touched.clear();
        self.vps.reset();
        self.donated.clear();
        if !self.engine.ends.has_donated() && !self.engine.nvts.has_donated() {
            return result;
        }
        // Nothing of these pages may be in the caches when the OS has them again.
        result = result.and(self.engine.scrub_all());
        self.engine.ends.drop_donated(&self.engine.ram);
        self.engine.nvts.drop_donated(&self.engine.ram);
        result.and(self.engine.kill_translations())
    }

    /// Makes the threads' VPs valid and puts the threads into their state after reset, ready to be notified.
    pub(super) fn start_threads(&mut self) -> Result {
        let mut result = Ok(());
        for thread in self.vps.threads() {
            result = result.and(self.restart_thread(thread));
            let valid = self.engine.update_nvt(FIRST_THREAD | u32::from(thread), &|_| {
                let mut nvt = Nvt::default();
                nvt.control.set_valid(true);
                nvt
            });
            result = result.and(valid);
        }
        result
    }

    /// Disables a thread, which resets its context, enables it, and makes its physical ring valid.
    fn restart_thread(&mut self, thread: u8) -> Result {
        let ic = &self.engine.ic;
        let [low, high] = &self.engine.unit.thread_enable;
        let [state, set, clear] = if thread < 64 { low } else { high };
        let bit = 1 << (63 - (thread & 63));
        clear.write(ic, bit);
        set.write(ic, bit);
        // The load also makes the TIMA see the change.
        if state.read(ic) & bit == 0 {
            return Err(Error::Hardware(why("XIVE thread enable")));
        }
        self.with_tima(thread, |ic, page| ic.write8(page + tima::VT, tima::VALID));
        Ok(())
    }

    /// Lets `act` use the TIMA of a thread, which begins at the offset that it is given.
    pub(super) fn with_tima<T>(&mut self, thread: u8, act: impl FnOnce(&I, u64) -> T) -> T {
        let (ic, tima) = (&self.engine.ic, &self.engine.unit.tima);
        if let Some(select) = &tima.select {
            select.register.write(ic, (select.thread)(thread));
            // Hardware wants the load before the TIMA is used.
            select.register.read(ic);
        }
        let result = act(ic, tima.page + u64::from(thread) * tima.stride);
        if let Some(select) = &tima.select {
            select.register.write(ic, 0);
        }
        result
    }
}
