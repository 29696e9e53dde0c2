//! BARs, domain tables and the other registers that decide where things lie and which threads exist.

use super::acts::{Slow, Watch};
use super::conflicts::Conflicts;
use super::ibm;
use super::ic::{
    BAR_64K, EDT_ENTRIES, IC_BAR, PAST_END, PBI_CTL, PC_BARM, SBC_CONFIG, TAR, TCTXT_CFG, TCTXT_INDIR0,
    THREAD_EN0, THREAD_EN1, TM1_BAR, VALID, VC_BAR, VC_BARM,
};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Domain {
    Block,
    Migration,
    Vdt,
    Edt,
}

/// What an EDT entry gives its set of the VC region to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SetKind {
    Unused,
    Ipi,
    End,
}

pub struct Ic {
    pub(super) regs: BTreeMap<u64, u64>,
    domain: BTreeMap<(Domain, u8), u64>,
    edt_complete: bool,
    pub(super) end_watch: Watch,
    pub(super) nvt_watch: Watch,
    pub(super) slow: BTreeMap<u64, Slow>,
    pub(super) sync_polls: Option<u32>,
    pub polls: u32,
    pub conflicts: Conflicts,
}

impl Default for Ic {
    fn default() -> Self {
        Self {
            regs: BTreeMap::new(),
            domain: BTreeMap::new(),
            edt_complete: false,
            end_watch: Watch::default(),
            nvt_watch: Watch::default(),
            slow: BTreeMap::new(),
            sync_polls: None,
            polls: 2,
            conflicts: Conflicts::default(),
        }
    }
}

impl Ic {
    pub(super) fn reg(&self, offset: u64) -> u64 {
        self.regs.get(&offset).copied().unwrap_or(0)
    }

    pub fn machine_reset(&mut self) {
        self.edt_complete = false;
        self.regs.remove(&PBI_CTL);
        self.end_watch = Watch::default();
        self.nvt_watch = Watch::default();
        self.slow.clear();
        self.sync_polls = None;
    }

    /// Page and offset when a page-sized BAR with `pages` pages covers the address.
    pub(super) fn bar_page(&self, bar: u64, pages: u64, address: u64) -> Option<(u8, u64)> {
        let value = self.reg(bar);
        if value & VALID == 0 {
            return None;
        }
        let shift = if value & BAR_64K != 0 { 16 } else { 12 };
        let offset = address.checked_sub(value & !(VALID | BAR_64K))?;
        (offset < pages << shift).then_some(((offset >> shift) as u8, offset & ((1 << shift) - 1)))
    }

    pub fn ic_page(&self, address: u64) -> Option<(u8, u64)> {
        self.bar_page(IC_BAR, 8, address)
    }

    pub fn tm_page(&self, address: u64) -> Option<(u8, u64)> {
        self.bar_page(TM1_BAR, 4, address)
    }

    pub fn vc_size(&self) -> u64 {
        (!self.reg(VC_BARM)).wrapping_add(1) & 0x07FF_FC00_0000
    }

    pub(super) fn pc_size(&self) -> u64 {
        (!self.reg(PC_BARM)).wrapping_add(1) & 0x003F_FE00_0000
    }

    pub fn vc_offset(&self, address: u64) -> Option<u64> {
        let value = self.reg(VC_BAR);
        if value & VALID == 0 {
            return None;
        }
        address.checked_sub(value & !VALID).filter(|&offset| offset < self.vc_size())
    }

    /// Kind of each of the 64 sets, once the EDT was written to its end.
    pub fn edt(&self) -> Option<Vec<SetKind>> {
        self.edt_complete.then(|| {
            (0..EDT_ENTRIES)
                .map(|index| match self.domain.get(&(Domain::Edt, index)).map(|entry| entry >> 62) {
                    Some(1) => SetKind::Ipi,
                    Some(2) => SetKind::End,
                    Some(0) | None => SetKind::Unused,
                    Some(kind) => panic!("XIVE: EDT entry {index} has kind {kind}"),
                })
                .collect()
        })
    }

    /// log2 of an ESB page.
    pub fn esb_shift(&self) -> u32 {
        if ibm(self.reg(PBI_CTL), 6, 6) != 0 { 16 } else { 12 }
    }

    pub fn store_eoi(&self) -> bool {
        ibm(self.reg(SBC_CONFIG), 44, 45) != 0
    }

    pub fn block_override(&self) -> Option<u8> {
        let config = self.reg(TCTXT_CFG);
        (ibm(config, 9, 9) != 0).then(|| ibm(config, 12, 15) as u8)
    }

    /// Low seven PIR bits of the thread behind the indirect TIMA.
    pub fn indirect_thread(&self) -> u32 {
        let value = self.reg(TCTXT_INDIR0);
        assert!(value & VALID != 0, "XIVE: indirect TIMA access while TCTXT_INDIR0 is invalid");
        ibm(value, 9, 15) as u32
    }

    pub fn thread_enabled(&self, pir: u32) -> bool {
        let register = if pir & 0x40 == 0 { THREAD_EN0 } else { THREAD_EN1 };
        ibm(self.reg(register), pir & 0x3F, pir & 0x3F) != 0
    }

    pub(super) fn store_bar(&mut self, bar: u64, value: u64, size: u64, allowed: u64) {
        let old = self.reg(bar);
        if value & VALID != 0 {
            let address = value & !allowed;
            assert!(size != 0, "XIVE: BAR {bar:#x} made valid before its size mask was set");
            assert_eq!(address % size, 0, "XIVE: BAR {bar:#x}: {address:#x} is not aligned to {size:#x}");
            assert!(address >> 56 == 0, "XIVE: BAR {bar:#x} = {value:#x} has unknown bits");
            assert!(
                old & VALID == 0 || old == value,
                "XIVE: BAR {bar:#x} moved from {old:#x} to {value:#x} while valid"
            );
        }
        self.regs.insert(bar, value);
    }

    pub(super) fn store_bar_mask(&mut self, bar: u64, mask: u64, value: u64) {
        assert!(
            self.reg(bar) & VALID == 0 || self.reg(mask) == value,
            "XIVE: size mask {mask:#x} changed while its BAR is valid"
        );
        self.regs.insert(mask, value);
        let size = if mask == VC_BARM { self.vc_size() } else { self.pc_size() };
        assert!(size.is_power_of_two(), "XIVE: size mask {mask:#x} = {value:#x} gives size {size:#x}");
    }

    pub(super) fn tar_target(&self) -> (Domain, u8, u8) {
        let tar = self.reg(TAR);
        let (domain, entries) = match ibm(tar, 12, 15) {
            8 => (Domain::Block, 16),
            4 => (Domain::Migration, 16),
            2 => (Domain::Vdt, 16),
            1 => (Domain::Edt, EDT_ENTRIES),
            other => panic!("XIVE: TAR selects {other:#06b}: one table of four must be"),
        };
        (domain, ibm(tar, 26, 31) as u8, entries)
    }

    /// One access of TDR; the index moves on afterwards if TAR says so.
    pub(super) fn tdr(&mut self, store: Option<u64>) -> u64 {
        let (domain, index, entries) = self.tar_target();
        let past_end = self.reg(TAR) & PAST_END != 0;
        assert!(!past_end && index < entries, "XIVE: {domain:?} table accessed beyond entry {}", entries - 1);
        let value = match store {
            Some(value) => {
                self.domain.insert((domain, index), value);
                value
            }
            None => self.domain.get(&(domain, index)).copied().unwrap_or(0),
        };
        if self.reg(TAR) & VALID != 0 {
            let next = u64::from(index) + 1;
            let tar = self.reg(TAR) & !(0x3F << 32);
            let tar = tar | if next == 64 { PAST_END } else { next << 32 };
            self.regs.insert(TAR, tar);
            if store.is_some() && domain == Domain::Edt && next == u64::from(EDT_ENTRIES) {
                let all = (0..EDT_ENTRIES).all(|index| self.domain.contains_key(&(Domain::Edt, index)));
                self.edt_complete = all;
            }
        }
        value
    }

    pub(super) fn vc_size_if_set(&self) -> u64 {
        if self.regs.contains_key(&VC_BARM) { self.vc_size() } else { 0 }
    }

    pub(super) fn pc_size_if_set(&self) -> u64 {
        if self.regs.contains_key(&PC_BARM) { self.pc_size() } else { 0 }
    }

    pub(super) fn vsd_key(&self, register: u64) -> (u8, u8) {
        let value = self.reg(register);
        let (kind, block) = (ibm(value, 13, 15) as u8, ibm(value, 27, 31) as u8);
        assert_eq!(
            value,
            u64::from(kind) << 48 | u64::from(block) << 32,
            "XIVE: VSD address {value:#x} has unknown bits"
        );
        assert!(kind <= 4 && block < 16, "XIVE: VSD address names type {kind}, block {block}");
        (kind, block)
    }
}
