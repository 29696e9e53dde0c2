//! ESB pages of sources and of ENDs, and where they lie.

use super::ic::{END_BAR, ESB_BAR, NVC_BAR, NVPG_BAR};
use super::tables::Cache;
use super::{Place, State, ibm32, pq, set_ibm32};
use opalite::hw::ram::Ram;

impl<R: Ram + Clone + 'static> State<R> {
    /// Which ESB page lies at a real address: two pages per source and per END.
    pub(super) fn decode_esb(&self, address: u64) -> Option<(Place, u64)> {
        for bar in [NVPG_BAR, NVC_BAR] {
            let hit = self.ic.set_page(bar, address).is_some();
            assert!(!hit, "XIVE model: the region of BAR {bar:#x} is not modelled ({address:#x})");
        }
        let end = self.ic.set_page(END_BAR, address);
        let (page, offset) = end.or_else(|| self.ic.set_page(ESB_BAR, address))?;
        let (index, odd) = ((page >> 1) as u32, page & 1 != 0);
        let Some(limit) = self.tables.esb_limit(self.block(), end.is_some()) else {
            let table = if end.is_some() { "END" } else { "ESB" };
            panic!("XIVE: {address:#x} accessed, the {table} VSD is missing");
        };
        assert!(u64::from(index) < limit, "XIVE: ESB {index:#x} accessed, its table holds {limit:#x}");
        Some(match end {
            Some(_) => (Place::EndEsb { index, escalation: odd }, offset),
            None => (Place::Esb { index, management: odd }, offset),
        })
    }

    fn lisn(&self, index: u32) -> u32 {
        u32::from(self.block()) << 28 | index
    }

    fn set_pq(&mut self, index: u32, pq: u8, forward: bool) {
        self.esb.set(index, pq);
        if forward {
            self.route(self.lisn(index));
        }
    }

    pub(super) fn trigger(&mut self, lisn: u32) {
        let index = self.own_index(lisn);
        let (pq, forward) = pq::trigger(self.esb.pq(index));
        self.set_pq(index, pq, forward);
    }

    pub(super) fn esb_page_load(&mut self, index: u32, management: bool, offset: u64, size: u32) -> u64 {
        assert!(management, "XIVE: load from the trigger page of source {index:#x}");
        let (pq, value, forward) = pq::load(self.esb.pq(index), offset, size);
        self.set_pq(index, pq, forward);
        value
    }

    pub(super) fn esb_page_store(
        &mut self,
        index: u32,
        management: bool,
        offset: u64,
        size: u32,
        _value: u64,
    ) {
        if !management {
            return self.trigger(self.lisn(index));
        }
        assert_eq!(size, 8, "XIVE: {size}-byte store to an ESB page");
        match offset {
            0x000..=0x3FF => self.trigger(self.lisn(index)),
            0x400..=0x7FF => {
                let (pq, forward) = pq::eoi(self.esb.pq(index));
                self.set_pq(index, pq, forward);
            }
            // Inject: a PHB in ABT mode has checked the PQ bits itself.
            0x800 => self.route(self.lisn(index)),
            0xC00 | 0xD00 | 0xE00 | 0xF00 => self.set_pq(index, (offset >> 8 & 3) as u8, false),
            _ => panic!("XIVE: store to {offset:#x} of an ESB page"),
        }
    }

    /// ESn (b0:1 of word 1) or ESe (b2:3) of an END.
    pub(super) fn end_esb_load(&mut self, index: u32, escalation: bool, offset: u64, size: u32) -> u64 {
        let block = self.block();
        let Some(mut end) = self.fetch(Cache::End, block, index) else {
            panic!("XIVE: END ESB of {index:#x}, which is in no table");
        };
        assert!(ibm32(end[0], 0, 0) != 0, "XIVE: END ESB of {index:#x}, which is not valid");
        let first = if escalation { 2 } else { 0 };
        let (pq, value, forward) = pq::load(ibm32(end[1], first, first + 1) as u8, offset, size);
        set_ibm32(&mut end[1], first, first + 1, u32::from(pq));
        self.update(Cache::End, block, index, &end);
        match (forward, escalation) {
            (true, true) => self.escalate_to(&end),
            (true, false) => self.present(block, index, &end),
            (false, _) => {}
        }
        value
    }
}
