//! Sources: what the OS must know to drive one, where its events go, and the ones that software triggers.

use super::engine::{ESB_PAIR_SHIFT, ESB_SECOND};
use super::structures::{DATA_LIMIT, Eas};
use super::vps::{Named, vp_of};
use super::{FIRST_SOURCE, State, Xive};
use crate::error::{Error, Result, why};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::interrupts::source::{Source, esb};
use crate::interrupts::{EndName, IRQ_TRIGGER_PAGE, Priority, Route, SourceInfo, Vp};
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
                    return Err(Error::Parameter(why("interrupt isn't allocated")));
                }
                let trigger = pair(esbs, index);
                (IRQ_TRIGGER_PAGE | state.engine.unit.source_flags, trigger, trigger + ESB_SECOND)
            }
            Named::Escalation(end) => {
                state.engine.end(end).ok_or(Error::Parameter(why("interrupt")))?;
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
        if eas.valid() { Ok(eas) } else { Err(Error::Parameter(why("interrupt isn't in use"))) }
    }

    pub(super) fn route(&self, isn: Isn) -> Result<Route> {
        let (eas, masked) = match self.vps.named(isn)? {
            Named::Source(index) => {
                let eas = self.valid_eas(index)?;
                (eas, eas.masked())
            }
            Named::Escalation(end) => {
                (self.engine.end(end).ok_or(Error::Parameter(why("interrupt")))?.escalation, false)
            }
        };
        let (nvt, queue) = (eas.end_index() / super::tables::QUEUES, eas.end_index() % super::tables::QUEUES);
        let priority = if masked { None } else { Priority::try_from(u64::from(queue)).ok() };
        Ok(Route { vp: vp_of(eas.end_block(), nvt), priority, data: eas.data() })
    }

    /// The END of a queue of this chip's.
    pub(super) fn end_name(&self, vp: Vp, priority: Priority) -> Result<EndName> {
        Ok(EndName { block: self.engine.block, index: self.vps.end(vp, priority)? })
    }

    /// Routes a source to `end`; gives the END that it went to.
    pub(super) fn set_route(
        &mut self,
        isn: Isn,
        route: Route,
        end: Option<EndName>,
        device: Option<(&Source, u32)>,
    ) -> Result<EndName> {
        if route.data > DATA_LIMIT {
            return Err(Error::Parameter(why("queue data")));
        }
        let old = match self.vps.named(isn)? {
            Named::Source(index) => {
                let old = self.valid_eas(index)?;
                let mut new = routed_eas(old, end, route.data);
                new.set_masked(route.priority.is_none());
                self.routed.insert(index);
                self.engine.set_eas(index, new)?;
                if old.masked() && !new.masked() {
                    resend_level(device);
                }
                old
            }
            Named::Escalation(index) => self.set_escalation(index, route.priority.and(end), route.data)?,
        };
        self.engine.sync()?;
        Ok(end_name(old))
    }

    /// An escalation can't be masked: then only its data changes.
    fn set_escalation(&mut self, index: u32, end: Option<EndName>, data: u32) -> Result<Eas> {
        let old = self.engine.end(index).ok_or(Error::Parameter(why("interrupt")))?;
        if old.control.unconditional() {
            return Err(Error::Parameter(why("escalation is shared")));
        }
        let escalation = routed_eas(old.escalation, end, data);
        self.touched.insert(index / super::tables::QUEUES);
        self.engine.update_end(index, &|mut end| {
            end.escalation = escalation;
            end
        })?;
        Ok(old.escalation)
    }

    pub(super) fn allocate_irq(&mut self) -> Result<Isn> {
        let free = self.allocated.next_absent(FIRST_SOURCE).filter(|&index| index < self.devices);
        let index = free.ok_or(Error::Resource(why("interrupt sources")))?;
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
            _ => Err(Error::Parameter(why("interrupt isn't allocated"))),
        }
    }

    /// Turns an allocated source off and makes it invalid.
    pub(super) fn retire(&mut self, index: u32) -> Result {
        self.engine.esb(index, esb::SET_OFF);
        self.engine.set_eas(index, Eas::default())
    }

    /// Waits for the events of a source; gives the END that they went to.
    pub(super) fn sync(&mut self, isn: Isn) -> Result<EndName> {
        let eas = match self.vps.named(isn)? {
            Named::Source(index) => self.valid_eas(index)?,
            Named::Escalation(end) => self.engine.end(end).unwrap_or_default().escalation,
        };
        self.engine.sync()?;
        Ok(end_name(eas))
    }
}

fn end_name(eas: Eas) -> EndName {
    EndName { block: eas.end_block(), index: eas.end_index() }
}

fn routed_eas(mut eas: Eas, end: Option<EndName>, data: u32) -> Eas {
    if let Some(end) = end {
        eas.set_end_block(end.block);
        eas.set_end_index(end.index);
    }
    eas.set_data(data);
    eas
}

/// Lets a level source that is asserted already send its event: the controller doesn't look at the level again
/// when PQ is set, only at an EOI (`reference/platform-qemu-powernv.md` §6.5).
fn resend_level(device: Option<(&Source, u32)>) {
    if let Some((source, position)) = device.filter(|(source, position)| source.is_level(*position)) {
        source.load(position, esb::SET_READY);
        source.load(position, esb::EOI);
    }
}
