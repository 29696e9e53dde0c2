//! The IC's registers: which offset does what. An offset that is not listed fails the test.

use super::acts::Watch;
use super::tables::Cache;
use super::{State, ibm};
use opalite::hw::ram::Ram;

pub(super) const IC_BAR: u64 = 0x080;
pub(super) const TM1_BAR: u64 = 0x090;
pub(super) const TM2_BAR: u64 = 0x0A0;
pub(super) const PC_BAR: u64 = 0x0B0;
pub(super) const PC_BARM: u64 = 0x0B8;
pub(super) const VC_BAR: u64 = 0x0C0;
pub(super) const VC_BARM: u64 = 0x0C8;
pub(super) const TAR: u64 = 0x0F0;
pub(super) const TDR: u64 = 0x0F8;
pub(super) const PBI_CTL: u64 = 0x100;
pub(super) const TCTXT_CFG: u64 = 0x400;
pub(super) const TCTXT_INDIR0: u64 = 0x420;
pub(super) const THREAD_EN0: u64 = 0x440;
pub(super) const THREAD_EN1: u64 = 0x460;
pub(super) const PC_VSD_ADDRESS: u64 = 0x488;
pub(super) const PC_VSD_DATA: u64 = 0x490;
pub(super) const PC_AT_KILL: u64 = 0x4B0;
pub(super) const VPC_SCRUB: u64 = 0x710;
pub(super) const VPC_WATCH: u64 = 0x738;
pub(super) const VC_GLOBAL_CONFIG: u64 = 0x800;
pub(super) const VC_VSD_ADDRESS: u64 = 0x808;
pub(super) const VC_VSD_DATA: u64 = 0x810;
pub(super) const VC_AT_KILL: u64 = 0x8B0;
pub(super) const EQC_SCRUB: u64 = 0x910;
pub(super) const EQC_CONFIG: u64 = 0x920;
pub(super) const EQC_WATCH: u64 = 0x928;
pub(super) const IVC_SCRUB: u64 = 0x990;
pub(super) const SBC_CONFIG: u64 = 0xA20;

pub(super) const VALID: u64 = 1 << 63;
pub(super) const BAR_64K: u64 = 1 << 62;
pub(super) const SYNCS_DONE: u64 = 0xF800_0000;
pub(super) const EDT_ENTRIES: u8 = 64;
/// Model-only mark in TAR: auto-increment went past index 63, which the field cannot hold.
pub(super) const PAST_END: u64 = 1;

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
            EQC_CONFIG => self.ic.reg(EQC_CONFIG) | if self.sync_done() { SYNCS_DONE } else { 0 },
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
}
