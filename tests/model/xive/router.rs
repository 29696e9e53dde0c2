//! From a source to a thread: EAS, END, event queue, NVT, and escalation.

use super::rings::{self, Ring};
use super::tables::Cache;
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
    /// No table reaches the NVT, or it is not valid.
    NoNvt { block: u8, index: u32 },
    /// No enabled thread holds the NVT, the END has no backlog and does not escalate.
    NotDispatched { block: u8, index: u32 },
    /// The escalation's ES bits coalesced it.
    EscalationCoalesced { block: u8, index: u32 },
}

const END_LIMIT: u32 = 16;

impl<R: Ram + Clone + 'static> State<R> {
    /// An event of a source whose PQ bits let it pass.
    pub(super) fn route(&mut self, lisn: u32) {
        if let Some(held) = &mut self.held {
            return held.push(lisn);
        }
        let index = self.own_index(lisn);
        let lost = match self.fetch_eas(index) {
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
    pub(super) fn route_to_end(&mut self, block: u8, index: u32, data: u32) {
        if block != self.block() {
            return self.forward_to_end(block, index, data);
        }
        let Some(mut end) = self.fetch(Cache::End, block, index) else {
            return self.lost.push(Lost::NoEnd { block, index });
        };
        if ibm32(end[0], 0, 0) == 0 {
            return self.lost.push(Lost::EndInvalid { block, index });
        }
        if ibm32(end[0], 1, 1) != 0 {
            self.enqueue(&mut end, data);
            self.update(Cache::End, block, index, &end);
        }
        // Silent: the event goes straight to the escalation.
        if ibm32(end[0], 7, 7) != 0 {
            return self.escalate(block, index, &mut end);
        }
        assert_eq!(ibm32(end[6], 8, 8), 0, "XIVE model: END {block}/{index:#x} has format 1");
        if ibm32(end[7], 8, 15) == 0xFF {
            return self.lost.push(Lost::EndMasked { block, index });
        }
        if ibm32(end[0], 2, 2) == 0 {
            let (pq, forward) = pq::trigger(ibm32(end[1], 0, 1) as u8);
            set_ibm32(&mut end[1], 0, 1, u32::from(pq));
            self.update(Cache::End, block, index, &end);
            if !forward {
                return self.lost.push(Lost::EndCoalesced { block, index });
            }
        }
        self.present(block, index, &end);
    }

    /// Another chip's END: a store to its notify page, as an END trigger.
    fn forward_to_end(&mut self, block: u8, index: u32, data: u32) {
        let Some(port) = self.tables.forward_port(block) else {
            return self.lost.push(Lost::NoEnd { block, index });
        };
        let event = 3 << 62 | u64::from(block) << 56 | u64::from(index) << 32 | u64::from(data);
        self.forwarded.push((port, event));
    }

    fn enqueue(&self, end: &mut [u32], data: u32) {
        let address = u64::from(ibm32(end[2], 4, 31)) << 32 | u64::from(end[3]);
        queue::post(&self.ram, address, ibm32(end[0], 12, 15), &mut end[1], data);
    }

    /// Looks for the thread that holds the END's NVT.
    pub(super) fn present(&mut self, block: u8, index: u32, end: &[u32]) {
        let priority = ibm32(end[7], 8, 15);
        assert!(priority < 8, "XIVE: END {block}/{index:#x} has priority {priority:#x}");
        assert_eq!(ibm32(end[7], 0, 0), 0, "XIVE model: END {block}/{index:#x} names a group");
        let (nvt_block, nvt_index) = (ibm32(end[6], 9, 12) as u8, ibm32(end[6], 13, 31));
        let nvt = self.fetch(Cache::Nvt, nvt_block, nvt_index);
        let Some(mut nvt) = nvt.filter(|nvt| ibm32(nvt[0], 0, 0) != 0) else {
            return self.lost.push(Lost::NoNvt { block: nvt_block, index: nvt_index });
        };
        if let Some((pir, ring)) = self.holder(nvt_block, nvt_index) {
            return self.signal(pir, ring, priority as u8);
        }
        let backlog = ibm32(end[0], 3, 3) != 0;
        if backlog {
            let ipb = ibm32(nvt[4], 16, 23) | 0x80 >> priority;
            set_ibm32(&mut nvt[4], 16, 23, ipb);
            self.update(Cache::Nvt, nvt_block, nvt_index, &nvt);
        }
        if ibm32(end[0], 5, 6) != 0 {
            let mut end = end.to_vec();
            self.escalate(block, index, &mut end);
        } else if !backlog {
            self.lost.push(Lost::NotDispatched { block: nvt_block, index: nvt_index });
        }
    }

    /// The escalation through ESe, or without it when the END says unconditional.
    fn escalate(&mut self, block: u8, index: u32, end: &mut [u32]) {
        if ibm32(end[0], 5, 5) == 0 && ibm32(end[0], 6, 6) == 0 {
            return;
        }
        if ibm32(end[0], 6, 6) == 0 {
            let (pq, forward) = pq::trigger(ibm32(end[1], 2, 3) as u8);
            set_ibm32(&mut end[1], 2, 3, u32::from(pq));
            self.update(Cache::End, block, index, end);
            if !forward {
                return self.lost.push(Lost::EscalationCoalesced { block, index });
            }
        }
        self.escalate_to(end);
    }

    /// The event at the END that words 4 and 5 name.
    pub(super) fn escalate_to(&mut self, end: &[u32]) {
        self.tables.depth += 1;
        assert!(self.tables.depth < END_LIMIT, "XIVE: escalation ENDs form a loop");
        self.route_to_end(ibm32(end[4], 4, 7) as u8, ibm32(end[4], 8, 31), ibm32(end[5], 1, 31));
        self.tables.depth -= 1;
    }

    /// The one enabled thread, and its ring, whose context is this NVT.
    fn holder(&self, block: u8, index: u32) -> Option<(u32, Ring)> {
        let mut found = None;
        for (&pir, thread) in &self.threads {
            if !self.ic.thread_enabled(pir) {
                continue;
            }
            let physical = block == self.block() && index == 0x80 | pir & 0x7F;
            let cam = u32::from(block) << 19 | index;
            for (ring, hit) in [
                (rings::PHYS, physical && thread.valid(rings::PHYS)),
                (rings::POOL, thread.valid(rings::POOL) && thread.cam(rings::POOL) == cam),
                (rings::OS, thread.valid(rings::OS) && thread.cam(rings::OS) == cam),
            ] {
                if hit {
                    assert!(found.is_none(), "XIVE: NVT {block}/{index:#x} is on two threads");
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
