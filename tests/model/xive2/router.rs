//! From a source to a thread: EAS, END, event queue, NVP, and escalation.

use super::rings::{self, Ring};
use super::tables::Cache;
use super::tima::cam;
use super::{State, ibm, ibm32, pq, queue, set_ibm32};
use opalite::hw::ram::Ram;

/// Why an event went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// No table reaches this source's EAS.
    NoEas { lisn: u32 },
    /// The EAS is not valid.
    EasInvalid { lisn: u32 },
    /// The EAS is masked: no fault, but nothing happens.
    EasMasked { lisn: u32 },
    /// No table reaches the END.
    NoEnd { block: u8, index: u32 },
    /// The END is not valid.
    EndInvalid { block: u8, index: u32 },
    /// The END has priority 0xFF.
    EndMasked { block: u8, index: u32 },
    /// The END's own ES bits coalesced the event.
    EndCoalesced { block: u8, index: u32 },
    /// No table reaches the NVP, or it is not valid.
    NoNvp { block: u8, index: u32 },
    /// No enabled thread holds the NVP, the END has no backlog and does not escalate.
    NotDispatched { block: u8, index: u32 },
    /// The escalation's ES bits coalesced it.
    EscalationCoalesced { block: u8, index: u32 },
}

const ENQUEUE: u32 = 5;
const UNCONDITIONAL_NOTIFY: u32 = 6;
const SILENT: u32 = 7;
const BACKLOG: u32 = 8;
const UNCONDITIONAL_ESCALATE: u32 = 10;
const ESCALATE: u32 = 11;
const ESCALATE_TO_END: u32 = 13;

const ESCALATION_LIMIT: u32 = 16;

pub fn eas(words: &[u32]) -> u64 {
    u64::from(words[0]) << 32 | u64::from(words[1])
}

/// A bit of an END's word 0.
fn has(end: &[u32], bit: u32) -> bool {
    ibm32(end[0], bit, bit) != 0
}

impl<R: Ram + Clone + 'static> State<R> {
    /// An event of a source whose PQ bits let it pass.
    pub(super) fn route(&mut self, lisn: u32) {
        if let Some(held) = &mut self.held {
            return held.push(lisn);
        }
        let (index, block) = (self.own_index(lisn), self.block());
        let lost = match self.fetch(Cache::Eas, block, index).map(|words| eas(&words)) {
            None => Lost::NoEas { lisn },
            Some(eas) if ibm(eas, 0, 0) == 0 => Lost::EasInvalid { lisn },
            Some(eas) if ibm(eas, 32, 32) != 0 => Lost::EasMasked { lisn },
            Some(eas) => {
                let (block, end) = (ibm(eas, 4, 7) as u8, ibm(eas, 8, 31) as u32);
                return self.route_to_end(block, end, ibm(eas, 33, 63) as u32);
            }
        };
        self.lost.push(lost);
    }

    /// An event with its data at an END: queue, then notification.
    fn route_to_end(&mut self, block: u8, index: u32, data: u32) {
        let Some(mut end) = self.fetch(Cache::End, block, index) else {
            return self.lost.push(Lost::NoEnd { block, index });
        };
        if !has(&end, 0) {
            return self.lost.push(Lost::EndInvalid { block, index });
        }
        if has(&end, ENQUEUE) {
            self.enqueue(&mut end, data);
            self.update(Cache::End, block, index, &end);
        }
        // Silent: the event goes straight to the escalation.
        if has(&end, SILENT) {
            return self.escalate(block, index, &mut end);
        }
        assert_eq!(ibm32(end[6], 0, 0), 0, "XIVE model: END {block}/{index:#x} has format 1");
        if ibm32(end[7], 8, 15) == 0xFF {
            return self.lost.push(Lost::EndMasked { block, index });
        }
        if !has(&end, UNCONDITIONAL_NOTIFY) {
            let (pq, forward) = pq::trigger(ibm32(end[1], 0, 1) as u8);
            set_ibm32(&mut end[1], 0, 1, u32::from(pq));
            self.update(Cache::End, block, index, &end);
            if !forward {
                return self.lost.push(Lost::EndCoalesced { block, index });
            }
        }
        self.present(block, index, &end);
    }

    fn enqueue(&self, end: &mut [u32], data: u32) {
        // b8:31 of word 2 and b0:24 of word 3, low bits in place: a queue is page-aligned.
        let address = u64::from(ibm32(end[2], 8, 31)) << 32 | u64::from(end[3] & !0x7F);
        assert_eq!(end[3] & 0x70, 0, "XIVE: END word 3 {:#x} has unknown bits", end[3]);
        queue::post(&self.ram, address, ibm32(end[3], 28, 31), &mut end[1], data);
    }

    /// Looks for the thread that holds the END's NVP.
    pub(super) fn present(&mut self, block: u8, index: u32, end: &[u32]) {
        let priority = ibm32(end[7], 8, 15);
        assert!(priority < 8, "XIVE: END {block}/{index:#x} has priority {priority:#x}");
        assert_eq!(ibm32(end[6], 1, 2), 0, "XIVE model: END {block}/{index:#x} names a group or crowd");
        let (nvp_block, nvp_index) = (ibm32(end[6], 4, 7) as u8, ibm32(end[6], 8, 31));
        let nvp = self.fetch(Cache::Nvp, nvp_block, nvp_index);
        let Some(mut nvp) = nvp.filter(|nvp| ibm32(nvp[0], 0, 0) != 0) else {
            return self.lost.push(Lost::NoNvp { block: nvp_block, index: nvp_index });
        };
        if let Some((pir, ring)) = self.holder(nvp_block, nvp_index) {
            return self.signal(pir, ring, priority as u8);
        }
        let backlog = has(end, BACKLOG);
        if backlog {
            let ipb = ibm32(nvp[2], 8, 15) | 0x80 >> priority;
            set_ibm32(&mut nvp[2], 8, 15, ipb);
            self.update(Cache::Nvp, nvp_block, nvp_index, &nvp);
        }
        if has(end, ESCALATE) || has(end, UNCONDITIONAL_ESCALATE) {
            let mut end = end.to_vec();
            self.escalate(block, index, &mut end);
        } else if !backlog {
            self.lost.push(Lost::NotDispatched { block: nvp_block, index: nvp_index });
        }
    }

    /// The escalation through ESe, or without it when the END says unconditional.
    fn escalate(&mut self, block: u8, index: u32, end: &mut [u32]) {
        if !has(end, ESCALATE) && !has(end, UNCONDITIONAL_ESCALATE) {
            return;
        }
        if !has(end, UNCONDITIONAL_ESCALATE) {
            let (pq, forward) = pq::trigger(ibm32(end[1], 2, 3) as u8);
            set_ibm32(&mut end[1], 2, 3, u32::from(pq));
            self.update(Cache::End, block, index, end);
            if !forward {
                return self.lost.push(Lost::EscalationCoalesced { block, index });
            }
        }
        self.escalate_to(end);
    }

    /// The event at the END or the source that words 4 and 5 name.
    pub(super) fn escalate_to(&mut self, end: &[u32]) {
        self.tables.depth += 1;
        assert!(self.tables.depth < ESCALATION_LIMIT, "XIVE: escalations form a loop");
        if has(end, ESCALATE_TO_END) {
            self.route_to_end(ibm32(end[4], 4, 7) as u8, ibm32(end[4], 8, 31), ibm32(end[5], 1, 31));
        } else {
            self.trigger(end[4]);
        }
        self.tables.depth -= 1;
    }

    /// The one enabled thread, and its ring, whose context is this NVP.
    fn holder(&self, block: u8, index: u32) -> Option<(u32, Ring)> {
        let mut found = None;
        for (&pir, thread) in &self.threads {
            if !self.ic.thread_enabled(pir) {
                continue;
            }
            let physical = block == self.block() && index == self.ic.physical_nvp(pir);
            for (ring, hit) in [
                (rings::PHYS, physical && thread.valid(rings::PHYS)),
                (rings::POOL, thread.valid(rings::POOL) && cam(thread, rings::POOL) == (block, index)),
                (rings::OS, thread.valid(rings::OS) && cam(thread, rings::OS) == (block, index)),
            ] {
                if hit {
                    assert!(found.is_none(), "XIVE: NVP {block}/{index:#x} is on two threads");
                    found = Some((pir, ring));
                }
            }
        }
        found
    }

    fn signal(&mut self, pir: u32, ring: Ring, priority: u8) {
        if let Some(thread) = self.threads.get_mut(&pir) {
            thread.pend(ring, 0x80 >> priority);
        }
    }
}
