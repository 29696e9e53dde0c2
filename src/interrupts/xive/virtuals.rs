//! VPs: given out in blocks, enabled one by one, and the memory that they need.

use super::State;
use super::tables::{PAGE, QUEUES, VPS};
use super::vps::end_of;
use crate::error::{Error, Result, why};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::interrupts::{Priority, Vp, VpInfo, VpSettings};
use crate::mem::OsBuffer;
use crate::units::ChipId;

const NO_VP: Error = Error::Parameter(why("VP"));

impl<I: Mmio, R: Ram> State<I, R> {
    pub(super) fn donate_page(&mut self, page: OsBuffer) -> Result {
        let address = page.address;
        if page.length != PAGE || !address.is_multiple_of(PAGE) {
            return Err(Error::Parameter(why("donated page")));
        }
        if self.has_page(address) {
            return Err(Error::Parameter(why("page was donated before")));
        }
        if self.donated.len() == self.donated.capacity() {
            return Err(Error::Resource(why("donated pages")));
        }
        self.donated.push(address);
        Ok(())
    }

    /// Whether this page is in a table or waits to be.
    pub(super) fn has_page(&self, page: u64) -> bool {
        self.donated.contains(&page) || self.engine.ends.holds(page) || self.engine.nvts.holds(page)
    }

    pub(super) fn allocate_vps(&mut self, order: u32) -> Result<Vp> {
        if order >= VPS.ilog2() {
            return Err(Error::Parameter(why("VP block order")));
        }
        let first = self.vps.free_block(order).ok_or(Error::Resource(why("VPs")))?;
        let count = 1 << order;
        self.provision(first, count)?;
        Ok(self.vps.take(first, count))
    }

    /// Puts donated pages where the NVTs and ENDs of these VPs are missing. All or none.
    fn provision(&mut self, first: u32, count: u32) -> Result {
        let (end, ends) = (first * QUEUES, count * QUEUES);
        let engine = &mut self.engine;
        let needed = engine.nvts.missing(first, count).count() + engine.ends.missing(end, ends).count();
        if needed > self.donated.len() {
            return Err(Error::XiveProvisioning);
        }
        while let Some(number) = engine.nvts.first_missing(first, count) {
            let page = self.donated.pop().ok_or(Error::XiveProvisioning)?;
            engine.nvts.install(&engine.ram, number, page);
        }
        while let Some(number) = engine.ends.first_missing(end, ends) {
            let page = self.donated.pop().ok_or(Error::XiveProvisioning)?;
            engine.ends.install(&engine.ram, number, page);
        }
        Ok(())
    }

    pub(super) fn free_vps(&mut self, first: Vp) -> Result {
        let (first, count) = self.vps.block(first)?;
        let touched = |state: &Self, from| state.touched.next(from).filter(|&nvt| nvt < first + count);
        let mut from = first;
        while let Some(nvt) = touched(self, from) {
            if self.engine.nvt(nvt).is_some_and(|nvt| nvt.control.valid()) || self.has_queue(nvt) {
                return Err(Error::XiveFreeActive);
            }
            from = nvt + 1;
        }
        self.vps.give_back(first, count);
        Ok(())
    }

    pub(super) fn vp(&self, vp: Vp, chip: ChipId) -> Result<VpInfo> {
        let index = self.vps.nvt(vp)?;
        let nvt = self.engine.nvt(index).ok_or(NO_VP)?;
        let collector = self.engine.end(end_of(index, Priority::LEAST)).ok_or(NO_VP)?;
        Ok(VpInfo {
            flags: VpInfo::flags(nvt.control.valid(), collector.control.silent()),
            cam: self.engine.unit.cam | u64::from(self.engine.name(index)),
            report: nvt.report.address(),
            chip,
        })
    }

    pub(super) fn set_vp(&mut self, vp: Vp, settings: Option<VpSettings>) -> Result {
        let index = self.vps.nvt(vp)?;
        self.engine.nvt(index).ok_or(NO_VP)?;
        self.touched.insert(index);
        match settings {
            Some(settings) => {
                self.set_single_escalation(index, settings.single_escalation)?;
                self.engine.update_nvt(index, &|mut nvt| {
                    nvt.control.set_valid(true);
                    nvt.report.set_address(settings.report);
                    nvt
                })
            }
            None => self.disable_vp(index),
        }
    }

    /// Disables a VP: first its queues, so that nothing can notify it any more, then, when what was on its way has
    /// arrived, the VP itself. Its entry leaves the cache.
    pub(super) fn disable_vp(&mut self, index: u32) -> Result {
        self.disable_queues(index)?;
        self.engine.sync()?;
        self.engine.update_nvt(index, &|_| Default::default())
    }

    pub(super) fn vp_state(&mut self, vp: Vp) -> Result<u64> {
        let index = self.vps.nvt(vp)?;
        self.engine.nvt(index).ok_or(NO_VP)?;
        self.engine.scrub_nvt(index)?;
        match self.engine.nvt(index) {
            Some(nvt) if nvt.control.valid() => Ok(nvt.state),
            _ => Err(Error::WrongState(why("VP is disabled"))),
        }
    }
}
