//! Several chips as one controller.
//!
//! What the OS names is on one chip, and its number says on which: a source, a VP with its queues. Only these acts
//! concern more: a route from one chip's source to another's queue, a reset, and a choice of chip. One chip's lock
//! is never held while another's is taken.

use super::vps::{source_block, vp_block};
use super::{State, Vp, Xive};
use crate::error::{Error, Result, why};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::interrupts::{EndName, Mode, Priority, Route};
use crate::mem::OsBuffer;
use crate::sync::{Guard, Lock};
use crate::units::{ChipId, Isn};
use alloc::vec::Vec;

/// The controllers of all chips.
pub struct Chips<I, R> {
    chips: Vec<Xive<I, R>>,
    /// Which chip is asked first for the next block of VPs. Who gives pages or VPs out holds it.
    next: Lock<usize>,
}

impl<I: Mmio, R: Ram> Chips<I, R> {
    /// The chips' controllers.
    pub const fn new(chips: Vec<Xive<I, R>>) -> Self {
        Self { chips, next: Lock::new(0) }
    }

    /// The chip of a source number, in use or not.
    pub(super) fn of_source(&self, isn: Isn) -> Result<&Xive<I, R>> {
        self.of_block(source_block(isn))
    }

    /// The chip of a VP's number, in use or not.
    pub(super) fn of_vp(&self, vp: Vp) -> Result<&Xive<I, R>> {
        self.of_block(vp_block(vp))
    }

    /// The state of the chip of a source.
    #[inline(never)]
    pub(super) fn at_source(&self, isn: Isn) -> Result<Guard<'_, State<I, R>>> {
        self.of_source(isn)?.exploited()
    }

    /// The state of the chip of a VP.
    #[inline(never)]
    pub(super) fn at_vp(&self, vp: Vp) -> Result<Guard<'_, State<I, R>>> {
        self.of_vp(vp)?.exploited()
    }

    #[inline(never)]
    fn of_block(&self, block: u32) -> Result<&Xive<I, R>> {
        self.chips.iter().find(|chip| chip.chip.0 == block).ok_or(Error::Parameter(why("chip")))
    }

    /// That chip, or the calling thread's if none is named.
    fn chip(&self, chip: Option<ChipId>) -> Result<&Xive<I, R>> {
        self.of_block(chip.unwrap_or_else(|| crate::arch::pir().chip()).0)
    }

    pub(super) fn reset_all(&self, mode: Mode) -> Result {
        let mut next = self.next.lock();
        *next = 0;
        let mut result = Ok(());
        for chip in &self.chips {
            result = result.and(chip.state.lock().reset_sources(mode, &chip.sources));
        }
        for chip in &self.chips {
            result = result.and(chip.state.lock().reset_vps());
        }
        result
    }

    pub(super) fn route_anywhere(&self, isn: Isn, route: Route) -> Result {
        let source = self.of_source(isn)?;
        let end = |priority| self.at_vp(route.vp)?.end_name(route.vp, priority);
        // Masking needs no target: an OS that is leaving may name a thread that isn't there.
        let end = match route.priority {
            Some(priority) => Some(end(priority)?),
            None => end(Priority::LEAST).ok(),
        };
        let old = source.exploited()?.set_route(isn, route, end, source.device(isn))?;
        self.settle_beyond(source, old)
    }

    pub(super) fn sync_route(&self, isn: Isn) -> Result {
        let source = self.of_source(isn)?;
        let end = source.exploited()?.sync(isn)?;
        self.settle_beyond(source, end)
    }

    /// What left the source's chip may still be on its way to the queue, if that is on another.
    fn settle_beyond(&self, source: &Xive<I, R>, end: EndName) -> Result {
        match self.of_block(end.block.into()) {
            Ok(target) if target.chip != source.chip => target.state.lock().engine.sync(),
            _ => Ok(()),
        }
    }

    pub(super) fn donate(&self, chip: Option<ChipId>, page: OsBuffer) -> Result {
        let _one_at_a_time = self.next.lock();
        let chip = self.chip(chip)?;
        drop(chip.exploited()?);
        if self.chips.iter().any(|chip| chip.state.lock().has_page(page.address)) {
            return Err(Error::Parameter(why("page was donated before")));
        }
        chip.state.lock().donate_page(page)
    }

    pub(super) fn allocate_vps_anywhere(&self, order: u32) -> Result<Vp> {
        let mut next = self.next.lock();
        let mut result = Err(Error::Resource(why("VPs")));
        for number in 0..self.chips.len() {
            let Some(chip) = self.chips.get((*next + number) % self.chips.len()) else { continue };
            match chip.exploited()?.allocate_vps(order) {
                Ok(vp) => {
                    *next += number + 1;
                    return Ok(vp);
                }
                // Pages would help, whatever the other chips say.
                Err(_) if matches!(result, Err(Error::XiveProvisioning)) => {}
                error => result = error,
            }
        }
        result
    }

    pub(super) fn allocate_irq_on(&self, chip: Option<ChipId>) -> Result<Isn> {
        let first = self.chip(chip)?;
        let isn = first.exploited()?.allocate_irq();
        if isn.is_ok() || chip.is_some() {
            return isn;
        }
        let others = self.chips.iter().filter_map(|chip| chip.state.lock().allocate_irq().ok());
        others.take(1).last().map_or(isn, Ok)
    }
}
