//! The IC's register page: BARs, domain tables, VSDs, cache watches, scrubs, thread enables.

use super::tables::{self, Cache};
use super::{State, ibm};
use opalite::hw::ram::Ram;
use std::collections::BTreeMap;

const IC_BAR: u64 = 0x080;
const TM1_BAR: u64 = 0x090;
const TM2_BAR: u64 = 0x0A0;
const PC_BAR: u64 = 0x0B0;
const PC_BARM: u64 = 0x0B8;
const VC_BAR: u64 = 0x0C0;
const VC_BARM: u64 = 0x0C8;
const TAR: u64 = 0x0F0;
const TDR: u64 = 0x0F8;
const PBI_CTL: u64 = 0x100;
const TCTXT_CFG: u64 = 0x400;
const TCTXT_INDIR0: u64 = 0x420;
const THREAD_EN0: u64 = 0x440;
const THREAD_EN1: u64 = 0x460;
const PC_VSD_ADDRESS: u64 = 0x488;
const PC_VSD_DATA: u64 = 0x490;
const PC_AT_KILL: u64 = 0x4B0;
const VPC_SCRUB: u64 = 0x710;
const VPC_WATCH: u64 = 0x738;
const VC_GLOBAL_CONFIG: u64 = 0x800;
const VC_VSD_ADDRESS: u64 = 0x808;
const VC_VSD_DATA: u64 = 0x810;
const VC_AT_KILL: u64 = 0x8B0;
const EQC_SCRUB: u64 = 0x910;
const EQC_CONFIG: u64 = 0x920;
const EQC_WATCH: u64 = 0x928;
const IVC_SCRUB: u64 = 0x990;
const SBC_CONFIG: u64 = 0xA20;

const VALID: u64 = 1 << 63;
const BAR_64K: u64 = 1 << 62;
const SYNCS_DONE: u64 = 0xF800_0000;
const EDT_ENTRIES: u8 = 64;
/// Model-only mark in TAR: auto-increment went past index 63, which the field cannot hold.
const PAST_END: u64 = 1;

/// A cache watch: what is watched, and the data registers that were loaded or stored since.
#[derive(Default)]
struct Watch {
    spec: u64,
    data: [Option<u64>; 8],
}

/// An act that takes some reads of its register to complete; b0 reads back set meanwhile.
#[derive(Default)]
struct Slow {
    value: u64,
    polls: u32,
    mask: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Domain {
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
    regs: BTreeMap<u64, u64>,
    domain: BTreeMap<(Domain, u8), u64>,
    edt_complete: bool,
    end_watch: Watch,
    nvt_watch: Watch,
    slow: BTreeMap<u64, Slow>,
    sync_polls: u32,
    pub polls: u32,
    pub conflict: Option<u64>,
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
            sync_polls: 0,
            polls: 2,
            conflict: None,
        }
    }
}

impl Ic {
    fn reg(&self, offset: u64) -> u64 {
        self.regs.get(&offset).copied().unwrap_or(0)
    }

    pub fn machine_reset(&mut self) {
        self.edt_complete = false;
        self.regs.remove(&PBI_CTL);
        self.end_watch = Watch::default();
        self.nvt_watch = Watch::default();
        self.slow.clear();
        self.sync_polls = 0;
    }

    /// Page and offset when a page-sized BAR with `pages` pages covers the address.
    fn bar_page(&self, bar: u64, pages: u64, address: u64) -> Option<(u8, u64)> {
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

    fn pc_size(&self) -> u64 {
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

    fn store_bar(&mut self, bar: u64, value: u64, size: u64, allowed: u64) {
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

    fn store_bar_mask(&mut self, bar: u64, mask: u64, value: u64) {
        assert!(
            self.reg(bar) & VALID == 0 || self.reg(mask) == value,
            "XIVE: size mask {mask:#x} changed while its BAR is valid"
        );
        self.regs.insert(mask, value);
        let size = if mask == VC_BARM { self.vc_size() } else { self.pc_size() };
        assert!(size.is_power_of_two(), "XIVE: size mask {mask:#x} = {value:#x} gives size {size:#x}");
    }

    fn tar_target(&self) -> (Domain, u8, u8) {
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
    fn tdr(&mut self, store: Option<u64>) -> u64 {
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
}

impl<R: Ram + Clone + 'static> State<R> {
    pub(super) fn ic_load(&mut self, offset: u64) -> u64 {
        match offset {
            0x058 => 0xFFFF_FF00_0000_0000,
            TDR => self.ic.tdr(None),
            TAR => self.ic.reg(TAR) & !PAST_END,
            VC_VSD_DATA => self.tables.vsd(self.ic.vsd_key(VC_VSD_ADDRESS)),
            PC_VSD_DATA => self.tables.pc_vsd(self.ic.vsd_key(PC_VSD_ADDRESS)),
            PC_AT_KILL | VC_AT_KILL | VPC_SCRUB | EQC_SCRUB | IVC_SCRUB => self.slow_load(offset),
            0x4B8 | 0x8B8 | 0x718 | 0x918 | 0x998 => {
                self.ic.slow.get(&(offset - 8)).and_then(|slow| slow.mask).unwrap_or(0)
            }
            EQC_CONFIG => {
                let busy = self.ic.sync_polls > 0;
                self.ic.sync_polls = self.ic.sync_polls.saturating_sub(1);
                self.ic.reg(EQC_CONFIG) | if busy { 0 } else { SYNCS_DONE }
            }
            VPC_WATCH => self.ic.nvt_watch.spec,
            EQC_WATCH => self.ic.end_watch.spec,
            0x740..=0x778 => self.watch_load(Cache::Nvt, (offset - 0x740) / 8),
            0x930..=0x948 => self.watch_load(Cache::End, (offset - 0x930) / 8),
            0x050 | IC_BAR | TM1_BAR | TM2_BAR | PC_BAR | PC_BARM | VC_BAR | VC_BARM | PBI_CTL => {
                self.ic.reg(offset)
            }
            TCTXT_CFG | 0x408 | TCTXT_INDIR0 | THREAD_EN0 | THREAD_EN1 | 0x480 | PC_VSD_ADDRESS => {
                self.ic.reg(offset)
            }
            VC_GLOBAL_CONFIG | VC_VSD_ADDRESS | 0x840..=0x868 | 0x890 | SBC_CONFIG => self.ic.reg(offset),
            _ => panic!("XIVE: load from unknown register {offset:#x}"),
        }
    }

    pub(super) fn ic_store(&mut self, offset: u64, value: u64) {
        match offset {
            0x050 | 0x408 | 0x480 | 0x840..=0x868 | 0x890 => {
                self.ic.regs.insert(offset, value);
            }
            0x1A8 => {}
            IC_BAR | TM1_BAR => {
                let pages = if offset == IC_BAR { 8 } else { 4 };
                let page = if value & BAR_64K != 0 { 1 << 16 } else { 1 << 12 };
                self.ic.store_bar(offset, value, pages * page, VALID | BAR_64K);
            }
            TM2_BAR => assert_eq!(value, 0, "XIVE: TM2_BAR shares TM1's handling: leave it 0"),
            PC_BAR => self.ic.store_bar(offset, value, self.ic.pc_size_if_set(), VALID),
            VC_BAR => self.ic.store_bar(offset, value, self.ic.vc_size_if_set(), VALID),
            PC_BARM => self.ic.store_bar_mask(PC_BAR, PC_BARM, value),
            VC_BARM => self.ic.store_bar_mask(VC_BAR, VC_BARM, value),
            TAR => {
                self.ic.regs.insert(TAR, value & !PAST_END);
                self.ic.tar_target();
            }
            TDR => {
                self.ic.tdr(Some(value));
            }
            PBI_CTL | TCTXT_CFG | TCTXT_INDIR0 | VC_GLOBAL_CONFIG | SBC_CONFIG | EQC_CONFIG => {
                self.ic.regs.insert(offset, value);
            }
            THREAD_EN0 | THREAD_EN1 => {
                self.ic.regs.insert(offset, value);
            }
            0x448 | 0x468 => {
                let register = offset - 8;
                self.ic.regs.insert(register, self.ic.reg(register) | value);
            }
            0x450 | 0x470 => {
                let register = offset - 16;
                self.ic.regs.insert(register, self.ic.reg(register) & !value);
            }
            VC_VSD_ADDRESS | PC_VSD_ADDRESS => {
                self.ic.regs.insert(offset, value);
                self.ic.vsd_key(offset);
            }
            VC_VSD_DATA => {
                let indirect_allowed = ibm(self.ic.reg(VC_GLOBAL_CONFIG), 32, 32) != 0;
                self.tables.store_vsd(self.ic.vsd_key(VC_VSD_ADDRESS), value, indirect_allowed);
            }
            PC_VSD_DATA => self.tables.store_pc_vsd(self.ic.vsd_key(PC_VSD_ADDRESS), value),
            PC_AT_KILL | VC_AT_KILL | VPC_SCRUB | EQC_SCRUB | IVC_SCRUB => self.slow_store(offset, value),
            0x4B8 | 0x8B8 | 0x718 | 0x918 | 0x998 => {
                self.ic.slow.entry(offset - 8).or_default().mask = Some(value);
            }
            VPC_WATCH => self.ic.nvt_watch = Watch { spec: value, data: [None; 8] },
            EQC_WATCH => self.ic.end_watch = Watch { spec: value, data: [None; 8] },
            0x740..=0x778 => self.watch_store(Cache::Nvt, (offset - 0x740) / 8, value),
            0x930..=0x948 => self.watch_store(Cache::End, (offset - 0x930) / 8, value),
            _ => panic!("XIVE: store of {value:#x} to unknown register {offset:#x}"),
        }
    }

    fn slow_store(&mut self, offset: u64, value: u64) {
        let polls = self.ic.polls;
        let slow = self.ic.slow.entry(offset).or_default();
        assert!(slow.value & VALID == 0, "XIVE: register {offset:#x} written while its last act runs");
        assert!(
            value & VALID == 0 || slow.mask.is_some() || scrubbed(offset).is_none(),
            "XIVE: scrub at {offset:#x} before its mask register was ever written"
        );
        slow.value = value;
        slow.polls = polls;
        if polls == 0 {
            self.slow_done(offset);
        }
    }

    fn slow_load(&mut self, offset: u64) -> u64 {
        let slow = self.ic.slow.entry(offset).or_default();
        if slow.value & VALID != 0 {
            if slow.polls > 0 {
                slow.polls -= 1;
                return slow.value;
            }
            self.slow_done(offset);
        }
        self.ic.slow[&offset].value
    }

    fn slow_done(&mut self, offset: u64) {
        let Some(slow) = self.ic.slow.get_mut(&offset) else { return };
        let (value, mask) = (slow.value, slow.mask.unwrap_or(0));
        slow.value &= !VALID;
        if let Some(cache) = scrubbed(offset).filter(|_| value & VALID != 0) {
            let ((block, index), (block_mask, index_mask)) = (target(cache, value), target(cache, mask));
            self.scrub(cache, |b, i| (b ^ block) & block_mask == 0 && (i ^ index) & index_mask == 0);
        }
    }

    fn watch(&mut self, cache: Cache) -> &mut Watch {
        if cache == Cache::End { &mut self.ic.end_watch } else { &mut self.ic.nvt_watch }
    }

    fn watch_load(&mut self, cache: Cache, register: u64) -> u64 {
        if register == 0 {
            let (block, index) = target(cache, self.watch(cache).spec);
            let words = self.fetch(cache, block, index);
            let words = words.unwrap_or_else(|| panic!("XIVE: watch of absent {cache:?} {block}/{index:#x}"));
            for (slot, pair) in self.watch(cache).data.iter_mut().zip(words.chunks(2)) {
                *slot = Some(u64::from(pair[0]) << 32 | u64::from(pair[1]));
            }
        }
        self.watch(cache).data[register as usize]
            .unwrap_or_else(|| panic!("XIVE: {cache:?} watch data {register} read before data 0 loaded it"))
    }

    fn watch_store(&mut self, cache: Cache, register: u64, value: u64) {
        self.watch(cache).data[register as usize] = Some(value);
        if register != 0 {
            return;
        }
        if let Some(bits) = self.ic.conflict.take() {
            self.watch(cache).spec |= bits;
            return;
        }
        let (block, index) = target(cache, self.watch(cache).spec);
        let mut words = Vec::new();
        for number in 0..tables::words(cache) / 2 {
            let value = self.watch(cache).data[number].unwrap_or_else(|| {
                panic!("XIVE: {cache:?} watch committed while data {number} was neither loaded nor stored")
            });
            words.extend([(value >> 32) as u32, value as u32]);
        }
        self.commit(cache, block, index, &words);
    }

    /// The notify page's stores: triggers and syncs.
    pub(super) fn notify_store(&mut self, offset: u64, value: u64) {
        match offset {
            0x000..=0x7FF if ibm(value, 0, 0) != 0 => self.route_to_end(
                ibm(value, 4, 7) as u8,
                ibm(value, 8, 31) as u32,
                ibm(value, 33, 63) as u32,
            ),
            0x000..=0x7FF if ibm(value, 1, 1) != 0 => self.route(value as u32),
            0x000..=0x7FF => self.trigger(value as u32),
            0xC00..=0xF80 if offset % 0x80 == 0 => self.ic.sync_polls = self.ic.polls,
            _ => panic!("XIVE: store to {offset:#x} of the notify page"),
        }
    }
}

impl Ic {
    fn vc_size_if_set(&self) -> u64 {
        if self.regs.contains_key(&VC_BARM) { self.vc_size() } else { 0 }
    }

    fn pc_size_if_set(&self) -> u64 {
        if self.regs.contains_key(&PC_BARM) { self.pc_size() } else { 0 }
    }

    fn vsd_key(&self, register: u64) -> (u8, u8) {
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

/// The cache that a scrub register works on.
fn scrubbed(offset: u64) -> Option<Cache> {
    match offset {
        VPC_SCRUB => Some(Cache::Nvt),
        EQC_SCRUB => Some(Cache::End),
        IVC_SCRUB => Some(Cache::Eas),
        _ => None,
    }
}

/// Block and index in a watch spec or a scrub register.
fn target(cache: Cache, value: u64) -> (u8, u32) {
    match cache {
        Cache::Nvt => (ibm(value, 27, 31) as u8, ibm(value, 45, 63) as u32),
        Cache::End | Cache::Eas => (ibm(value, 28, 31) as u8, ibm(value, 40, 63) as u32),
    }
}
