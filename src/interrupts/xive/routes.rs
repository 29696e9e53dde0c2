//! Sources: what the OS must know to drive one, where its events go, and the ones that software triggers.

use super::engine::{ESB_PAIR_SHIFT, ESB_SECOND};
use super::structures::{DATA_LIMIT, Eas};
use super::vps::Named;
use super::{FIRST_SOURCE, State, Xive};
use crate::error::{Error, Result};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::interrupts::source::{Source, esb};
use crate::interrupts::{IRQ_TRIGGER_PAGE, Priority, Route, SourceInfo};
use crate::units::Isn;

impl<I: Mmio, R: Ram> Xive<I, R> {
    pub(super) fn source_info(&self, isn: Isn) -> Result<SourceInfo> {
        let state = self.exploited()?;
        let esbs = self.addresses.regions.source_esbs();
        let pair = |base: u64, number: u32| base + (u64::from(number) << ESB_PAIR_SHIFT);
        let (flags, trigger_page, eoi_page) = match state.vps.named(isn)? {
            Named::Source(index) => {
                if let Some((source, position)) = self.device(isn) {
                    return Ok(source.info(position, self.chip));
                }
                if !state.allocated.contains(index) {
                    return Err(Error::Parameter(&"interrupt isn't allocated"));
                }
                let trigger = pair(esbs, index);
                (IRQ_TRIGGER_PAGE | state.engine.unit.source_flags, trigger, trigger + ESB_SECOND)
            }
            Named::Escalation(end) => {
                state.engine.end(end).ok_or(Error::Parameter(&"interrupt"))?;
                (0, 0, pair(esbs + state.engine.end_esbs, end) + ESB_SECOND)
            }
        };
        Ok(SourceInfo { flags, eoi_page, trigger_page, page_shift: ESB_PAIR_SHIFT, chip: self.chip })
    }
}

impl<I: Mmio, R: Ram> State<I, R> {
    /// EAS of a source that exists.
    fn valid_eas(&self, index: u32) -> Result<Eas> {
        let eas = self.engine.eas(index);
        if eas.valid() { Ok(eas) } else { Err(Error::Parameter(&"interrupt isn't in use")) }
    }

    pub(super) fn route(&self, isn: Isn) -> Result<Route> {
        let (eas, masked) = match self.vps.named(isn)? {
            Named::Source(index) => {
                let eas = self.valid_eas(index)?;
                (eas, eas.masked())
            }
            Named::Escalation(end) => {
                (self.engine.end(end).ok_or(Error::Parameter(&"interrupt"))?.escalation, false)
            }
        };
        let (nvt, queue) = (eas.end_index() / super::tables::QUEUES, eas.end_index() % super::tables::QUEUES);
        let priority = if masked { None } else { Priority::try_from(u64::from(queue)).ok() };
        Ok(Route { vp: self.vps.vp(nvt), priority, data: eas.data() })
    }

    pub(super) fn set_route(&mut self, isn: Isn, route: Route, device: Option<(&Source, u32)>) -> Result {
        if route.data > DATA_LIMIT {
            return Err(Error::Parameter(&"queue data"));
        }
        // Masking needs no target: an OS that is leaving may name a thread that isn't there.
        let end = match route.priority {
            Some(priority) => Some(self.vps.end(route.vp, priority)?),
            None => self.vps.end(route.vp, Priority::LEAST).ok(),
        };
        match self.vps.named(isn)? {
            Named::Source(index) => {
                let old = self.valid_eas(index)?;
                let mut new = self.routed_eas(old, end, route.data);
                new.set_masked(route.priority.is_none());
                self.routed.insert(index);
                self.engine.set_eas(index, new)?;
                if old.masked() && !new.masked() {
                    resend_level(device);
                }
            }
            Named::Escalation(index) => self.set_escalation(index, route.priority.and(end), route.data)?,
        }
        self.engine.sync()
    }

    fn routed_eas(&self, mut eas: Eas, end: Option<u32>, data: u32) -> Eas {
        if let Some(end) = end {
            eas.set_end_block(self.engine.block);
            eas.set_end_index(end);
        }
        eas.set_data(data);
        eas
    }

    /// An escalation can't be masked: then only its data changes.
    fn set_escalation(&mut self, index: u32, end: Option<u32>, data: u32) -> Result {
        let old = self.engine.end(index).ok_or(Error::Parameter(&"interrupt"))?;
        if old.control.unconditional() {
            return Err(Error::Parameter(&"escalation is shared"));
        }
        let escalation = self.routed_eas(old.escalation, end, data);
        self.touched.insert(index / super::tables::QUEUES);
        self.engine.update_end(index, |mut end| {
            end.escalation = escalation;
            end
        })
    }

    pub(super) fn allocate_irq(&mut self) -> Result<Isn> {
        let free = self.allocated.next_absent(FIRST_SOURCE).filter(|&index| index < self.devices);
        let index = free.ok_or(Error::Resource(&"interrupt sources"))?;
        self.allocated.insert(index);
        // Hardware may remember the invalid entry; it reads the new one when the source gets a route.
        self.engine.put_eas(index, self.idle_eas(index));
        Ok(self.vps.isn(index))
    }

    pub(super) fn free_irq(&mut self, isn: Isn) -> Result {
        match self.vps.named(isn)? {
            Named::Source(index) if self.allocated.contains(index) => {
                self.retire(index)?;
                self.allocated.remove(index);
                self.routed.remove(index);
                Ok(())
            }
            _ => Err(Error::Parameter(&"interrupt isn't allocated")),
        }
    }

    /// Turns an allocated source off and makes it invalid.
    pub(super) fn retire(&mut self, index: u32) -> Result {
        self.engine.esb(index, esb::SET_OFF);
        self.engine.set_eas(index, Eas::default())
    }

    pub(super) fn sync(&mut self, isn: Isn) -> Result {
        if let Named::Source(index) = self.vps.named(isn)? {
            self.valid_eas(index)?;
        }
        self.engine.sync()
    }
}

/// Lets a level source that is asserted already send its event: the controller doesn't look at the level again
/// when PQ is set, only at an EOI (`reference/platform-qemu-powernv.md` §6.5).
fn resend_level(device: Option<(&Source, u32)>) {
    if let Some((source, position)) = device.filter(|(source, position)| source.is_level(*position)) {
        source.load(position, esb::SET_READY);
        source.load(position, esb::EOI);
    }
}
