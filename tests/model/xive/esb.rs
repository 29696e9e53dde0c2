//! ESB pages: the PQ state machine of sources and of ENDs, and where the pages lie in the VC region.

use super::bars::SetKind;
use super::pq;
use super::tables::Cache;
use super::{Place, State, ibm32, set_ibm32};
use opalite::hw::ram::Ram;

impl<R: Ram + Clone + 'static> State<R> {
    /// Which ESB page lies at an offset of the VC region.
    pub(super) fn decode_vc(&self, offset: u64) -> (Place, u64) {
        let Some(edt) = self.ic.edt() else {
            panic!("XIVE: VC region accessed at {offset:#x} before all 64 EDT entries were written");
        };
        let set_size = self.ic.vc_size() / edt.len() as u64;
        let set = (offset / set_size) as usize;
        let kind = edt[set];
        assert!(kind != SetKind::Unused, "XIVE: VC region accessed at {offset:#x}, in unused set {set}");
        let before = edt[..set].iter().filter(|&&other| other == kind).count() as u64;
        let local = before * set_size + offset % set_size;
        let shift = self.ic.esb_shift();
        let (page, inside) = (local >> shift, local & ((1 << shift) - 1));
        let (index, odd) = ((page >> 1) as u32, page & 1 != 0);
        let is_end = kind == SetKind::End;
        let Some(limit) = self.tables.esb_limit(self.block(), is_end) else {
            panic!(
                "XIVE: VC region accessed at {offset:#x}: the {} VSD is missing",
                if is_end { "END" } else { "SBE" }
            );
        };
        assert!(u64::from(index) < limit, "XIVE: ESB {index:#x} accessed, its table holds {limit:#x}");
        match kind {
            SetKind::End => (Place::EndEsb { index, escalation: odd }, inside),
            _ => (Place::Esb { index, management: odd }, inside),
        }
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
                assert!(self.ic.store_eoi(), "XIVE: store-EOI of {index:#x} while SBC_CONFIG has it off");
                let (pq, forward) = pq::eoi(self.esb.pq(index));
                self.set_pq(index, pq, forward);
            }
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
