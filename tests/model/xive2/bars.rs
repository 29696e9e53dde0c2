//! BARs, translation tables and the other registers that decide where things lie and which threads exist.

use super::conflicts::Conflicts;
use super::flush::Slow;
use super::ibm;
use super::ic::{CFG, IC_BAR, TAR, THREAD_EN0, THREAD_EN1, TM_BAR, VALID};
use super::watch::Watch;
use std::collections::BTreeMap;

const BAR_64K: u64 = 1 << 62;
const SET_BAR_ADDRESS: u64 = 0x00FF_FFFF_FF00_0000;
const PAGE_BAR_ADDRESS: u64 = 0x00FF_FFFF_FFFF_F000;
const TAR_ENTRIES: u64 = 16;

pub struct Ic {
    pub(super) regs: BTreeMap<u64, u64>,
    translation: BTreeMap<(u64, u64), u64>,
    /// Watch engines by the offset of their spec register.
    pub(super) watches: BTreeMap<u64, Watch>,
    /// Flushes by their poll register, kills by their own.
    pub(super) slow: BTreeMap<u64, Slow>,
    pub(super) sync_polls: Option<u32>,
    pub(super) polls: u32,
    pub(super) conflicts: Conflicts,
    pub(super) stalled: bool,
}

impl Ic {
    pub fn new(chip: u8) -> Self {
        Self {
            regs: [(CFG, 0x0030_0000_3300_0000 | u64::from(chip) << 40)].into(),
            translation: BTreeMap::new(),
            watches: BTreeMap::new(),
            slow: BTreeMap::new(),
            sync_polls: None,
            polls: 2,
            conflicts: Conflicts::default(),
            stalled: false,
        }
    }

    pub(super) fn reg(&self, offset: u64) -> u64 {
        self.regs.get(&offset).copied().unwrap_or(0)
    }

    pub fn machine_reset(&mut self) {
        self.watches.clear();
        self.slow.clear();
        self.sync_polls = None;
    }

    /// Page and offset when a page-sized BAR with `pages` pages covers the address.
    fn bar_page(&self, bar: u64, pages: u64, address: u64) -> Option<(u64, u64)> {
        let value = self.reg(bar);
        if value & VALID == 0 {
            return None;
        }
        let shift = page_shift(value);
        let offset = address.checked_sub(value & PAGE_BAR_ADDRESS)?;
        (offset < pages << shift).then_some((offset >> shift, offset & ((1 << shift) - 1)))
    }

    pub fn ic_page(&self, address: u64) -> Option<(u64, u64)> {
        self.bar_page(IC_BAR, 512, address)
    }

    pub fn tm_page(&self, address: u64) -> Option<(u64, u64)> {
        self.bar_page(TM_BAR, 4, address)
    }

    /// Page and offset inside one of the ESB, END, NVPG and NVC regions.
    pub fn set_page(&self, bar: u64, address: u64) -> Option<(u64, u64)> {
        let value = self.reg(bar);
        if value & VALID == 0 {
            return None;
        }
        let shift = page_shift(value);
        let offset = address.checked_sub(value & SET_BAR_ADDRESS)?;
        (offset < set_size(value)).then_some((offset >> shift, offset & ((1 << shift) - 1)))
    }

    pub fn block_override(&self) -> Option<u8> {
        let config = self.reg(CFG);
        (ibm(config, 16, 16) != 0).then(|| ibm(config, 17, 23) as u8)
    }

    pub fn save_restore(&self) -> bool {
        ibm(self.reg(CFG), 38, 38) != 0
    }

    /// NVP index of a thread's physical context.
    pub fn physical_nvp(&self, pir: u32) -> u32 {
        match ibm(self.reg(CFG), 14, 15) {
            0 => 0x80 | pir & 0x7F,
            _ => 0x100 | pir & 0xFF,
        }
    }

    pub fn thread_enabled(&self, pir: u32) -> bool {
        let register = if pir & 0x40 == 0 { THREAD_EN0 } else { THREAD_EN1 };
        ibm(self.reg(register), pir & 0x3F, pir & 0x3F) != 0
    }

    pub(super) fn store_config(&mut self, value: u64) {
        assert!(ibm(value, 14, 15) < 2, "XIVE: CFG {value:#x} has a thread-id width that is not documented");
        assert!(ibm(value, 17, 23) < 16, "XIVE: CFG {value:#x} names a block above 15");
        assert_eq!(ibm(value, 24, 24), 0, "XIVE model: TIMA gen1 is not modelled (CFG {value:#x})");
        self.regs.insert(CFG, value);
    }

    pub(super) fn store_page_bar(&mut self, bar: u64, value: u64) {
        let pages: u64 = if bar == IC_BAR { 512 } else { 4 };
        self.store_bar(bar, value, value & PAGE_BAR_ADDRESS, pages << page_shift(value));
    }

    pub(super) fn store_set_bar(&mut self, bar: u64, value: u64) {
        assert!(ibm(value, 59, 63) < 24, "XIVE: BAR {bar:#x} = {value:#x} is larger than its address");
        self.store_bar(bar, value, value & (SET_BAR_ADDRESS | 0x1F), set_size(value));
    }

    /// `known` is the value without the valid and the page size bit, as far as the register has bits.
    fn store_bar(&mut self, bar: u64, value: u64, known: u64, size: u64) {
        let old = self.reg(bar);
        if value & VALID != 0 {
            let address = known & PAGE_BAR_ADDRESS;
            assert_eq!(value & !(VALID | BAR_64K), known, "XIVE: BAR {bar:#x} = {value:#x} has unknown bits");
            assert_eq!(address % size, 0, "XIVE: BAR {bar:#x}: {address:#x} is not aligned to {size:#x}");
            assert!(
                old & VALID == 0 || old == value,
                "XIVE: BAR {bar:#x} moved from {old:#x} to {value:#x} while valid"
            );
        }
        self.regs.insert(bar, value);
    }

    pub(super) fn store_tar(&mut self, value: u64) {
        let (table, entry) = (ibm(value, 12, 15), ibm(value, 28, 31));
        let known = value & VALID | table << 48 | entry << 32;
        assert!(value == known && matches!(table, 0 | 2 | 3 | 5), "XIVE: TAR {value:#x} names no table");
        self.regs.insert(TAR, value);
    }

    /// One access of TDR; the entry moves on afterwards, around at the end, if TAR says so.
    pub(super) fn tdr(&mut self, store: Option<u64>) -> u64 {
        let tar = self.reg(TAR);
        let entry = ibm(tar, 28, 31);
        let key = (ibm(tar, 12, 15), entry);
        if let Some(value) = store {
            self.translation.insert(key, value);
        }
        if tar & VALID != 0 {
            let next = (entry + 1) % TAR_ENTRIES;
            self.regs.insert(TAR, tar & !(0xF << 32) | next << 32);
        }
        self.translation.get(&key).copied().unwrap_or(0)
    }
}

fn page_shift(bar: u64) -> u32 {
    if bar & BAR_64K != 0 { 16 } else { 12 }
}

fn set_size(bar: u64) -> u64 {
    1 << (24 + ibm(bar, 59, 63))
}
