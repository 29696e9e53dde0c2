//! Event queues: one END for each priority of a VP.

use super::State;
use super::engine::ESB_PAIR_SHIFT;
use super::structures::{End, EndControl, EndQueue, EndTarget, PQ_OFF};
use super::tables::QUEUES;
use super::vps::end_of;
use crate::error::{Error, Result, why};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::interrupts::{Priority, Queue, QueueInfo, QueuePosition, Vp};

const NO_QUEUE: Error = Error::Parameter(why("queue"));

impl<I: Mmio, R: Ram> State<I, R> {
    pub(super) fn queue(&self, vp: Vp, priority: Priority, vc: u64) -> Result<QueueInfo> {
        let index = self.vps.end(vp, priority)?;
        let control = self.engine.end(index).ok_or(NO_QUEUE)?;
        let (control, address) = (control.control, control.queue.address());
        let shared = if control.unconditional() { index | (QUEUES - 1) } else { index };
        let mut info = QueueInfo { escalation: self.vps.escalation(shared).0, ..QueueInfo::default() };
        // The queue that collects escalations isn't one that the OS can use.
        if control.silent() {
            return Ok(info);
        }
        info.eoi_page = vc + self.engine.end_esbs + (u64::from(index) << ESB_PAIR_SHIFT);
        if control.enqueue() {
            info.page = address;
            info.order = u64::from(control.queue_size()) + 12;
        }
        if control.valid() {
            info.flags = Queue::flags(control.always_notify(), control.escalate());
        }
        Ok(info)
    }

    pub(super) fn set_queue(&mut self, vp: Vp, priority: Priority, queue: Option<Queue>) -> Result {
        let nvt = self.vps.nvt(vp)?;
        let index = end_of(nvt, priority);
        if self.engine.end(index).ok_or(NO_QUEUE)?.control.silent() {
            return Err(Error::Parameter(why("queue collects escalations")));
        }
        let collector = self.collector(nvt);
        self.touched.insert(nvt);
        let (block, name) = (self.engine.block, self.engine.name(nvt));
        self.engine.update_end(index, &|old| {
            let mut end = queue.map_or_else(End::disabled, |queue| enabled(&old, &queue));
            if queue.is_some() {
                end.target = target(name, priority);
            }
            if let Some(collector) = collector {
                share_escalation(&mut end, block, collector);
            }
            end
        })
    }

    /// The END that collects the escalations of a VP in single-escalation mode.
    fn collector(&self, nvt: u32) -> Option<u32> {
        let index = end_of(nvt, Priority::LEAST);
        self.engine.end(index).filter(|end| end.control.silent()).map(|_| index)
    }

    /// Switches a VP's single-escalation mode.
    pub(super) fn set_single_escalation(&mut self, nvt: u32, on: bool) -> Result {
        let collector = end_of(nvt, Priority::LEAST);
        let old = self.engine.end(collector).ok_or(NO_QUEUE)?.control;
        if on != old.silent() {
            if on && old.valid() {
                return Err(Error::Parameter(why("queue 7 is in use")));
            }
            self.engine.update_end(collector, &|mut end| {
                if !on {
                    return End::disabled();
                }
                end.control = EndControl::default();
                end.control.set_valid(true);
                end.control.set_silent(true);
                end.control.set_escalate(true);
                end.control.set_backlog(true);
                end.control.set_notification_pq(PQ_OFF);
                end
            })?;
        }
        let block = self.engine.block;
        // Also when the collector is as it should be: hardware may have been at one of the others' ENDs the last time,
        // and the OS tries again.
        for priority in Priority::all().filter(|&priority| priority != Priority::LEAST) {
            let index = end_of(nvt, priority);
            if self.engine.end(index).is_some_and(|end| end.control.unconditional() == on) {
                continue;
            }
            self.engine.update_end(index, &|mut end| {
                if on {
                    share_escalation(&mut end, block, collector);
                } else {
                    end.control.set_unconditional(false);
                    end.control.set_escalate(false);
                }
                end
            })?;
        }
        Ok(())
    }

    /// Disables the queues of a VP that are enabled, as the OS could do one by one.
    pub(super) fn disable_queues(&mut self, nvt: u32) -> Result {
        for priority in Priority::all() {
            let index = end_of(nvt, priority);
            if self.engine.end(index).is_some_and(|end| end.control.valid() || end.control.unconditional()) {
                self.engine.update_end(index, &|_| End::disabled())?;
            }
        }
        Ok(())
    }

    /// Whether a queue of the VP is enabled.
    pub(super) fn has_queue(&self, nvt: u32) -> bool {
        Priority::all()
            .any(|priority| self.engine.end(end_of(nvt, priority)).is_some_and(|end| end.control.valid()))
    }

    pub(super) fn queue_position(&mut self, vp: Vp, priority: Priority) -> Result<QueuePosition> {
        let index = self.vps.end(vp, priority)?;
        enabled_end(self.engine.end(index))?;
        self.engine.scrub_end(index)?;
        let end = enabled_end(self.engine.end(index))?;
        Ok(QueuePosition { generation: end.control.generation(), index: end.control.index() })
    }

    pub(super) fn set_queue_position(
        &mut self,
        vp: Vp,
        priority: Priority,
        position: QueuePosition,
    ) -> Result {
        let index = self.vps.end(vp, priority)?;
        let end = enabled_end(self.engine.end(index))?;
        // Hardware would write behind the queue.
        let entries = if end.control.enqueue() { 1 << (end.control.queue_size() + 10) } else { 1 };
        if position.index >= entries {
            return Err(Error::Parameter(why("queue index")));
        }
        self.engine.update_end(index, &|mut end| {
            end.control.set_generation(position.generation);
            end.control.set_index(position.index);
            end
        })
    }
}

fn enabled_end(end: Option<End>) -> Result<End> {
    match end {
        None => Err(NO_QUEUE),
        Some(end) if end.control.valid() && !end.control.silent() => Ok(end),
        Some(_) => Err(Error::WrongState(why("queue is disabled"))),
    }
}

/// An enabled queue in place of `old`, at generation 1 and index 0. What was enabled keeps its PQ bits: the OS may
/// have masked the escalation, or an event may be on its way.
fn enabled(old: &End, queue: &Queue) -> End {
    let mut control = EndControl::default();
    control.set_valid(true);
    // Without it hardware doesn't escalate.
    control.set_backlog(true);
    control.set_always_notify(queue.always_notify);
    control.set_escalate(queue.escalate);
    control.set_generation(true);
    if old.control.valid() {
        control.set_notification_pq(old.control.notification_pq());
        control.set_escalation_pq(old.control.escalation_pq());
    }
    let mut memory = EndQueue::default();
    if let Some(page) = queue.page {
        control.set_enqueue(true);
        control.set_queue_size((page.order() - 12) as u8);
        memory.set_address(page.address());
    }
    End { control, queue: memory, escalation: old.escalation, target: EndTarget::default() }
}

fn target(name: u32, priority: Priority) -> EndTarget {
    let mut target = EndTarget::default();
    target.set_nvt(name);
    target.set_priority(priority.number());
    target
}

/// Sends an END's escalations to the collector, always.
fn share_escalation(end: &mut End, block: u8, collector: u32) {
    end.control.set_unconditional(true);
    end.escalation.set_end_block(block);
    end.escalation.set_end_index(collector);
}
