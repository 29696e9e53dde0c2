//! The IC's registers: which offset does what. An offset that is not listed fails the test.
//!
//! Offsets have the page in bits 17:16: CQ 0, VC 1, PC 2, TCTXT 3.

use super::tables::Unit;
use super::{State, ibm};
use opalite::hw::ram::Ram;

pub(super) const CFG: u64 = 0x0_0018;
pub(super) const IC_BAR: u64 = 0x0_0040;
pub(super) const TM_BAR: u64 = 0x0_0048;
pub(super) const ESB_BAR: u64 = 0x0_0050;
pub(super) const END_BAR: u64 = 0x0_0058;
pub(super) const NVPG_BAR: u64 = 0x0_0060;
pub(super) const NVC_BAR: u64 = 0x0_0068;
pub(super) const TAR: u64 = 0x0_0070;
const TDR: u64 = 0x0_0078;
const RST_CTL: u64 = 0x0_0090;
const FIRMASK_OR: u64 = 0x0_01A8;

const VC: u64 = 0x1_0000;
const PC: u64 = 0x2_0000;
const VSD_ADDRESS: u64 = 0x000;
const VSD_DATA: u64 = 0x008;
const AT_MACRO_KILL: u64 = VC | 0x010;
const AT_MACRO_KILL_MASK: u64 = VC | 0x018;
pub(super) const ESBC_FLUSH: u64 = VC | 0x200;
const ESBC_CFG: u64 = VC | 0x240;
pub(super) const EASC_FLUSH: u64 = VC | 0x300;
pub(super) const ENDC_FLUSH: u64 = VC | 0x400;
const PC_AT_KILL: u64 = PC | 0x010;
const PC_AT_KILL_MASK: u64 = PC | 0x018;
const ENDC_SYNC_DONE: u64 = VC | 0x420;
const ENDC_ASSIGN: u64 = VC | 0x430;
const ENDC_CONFIG: u64 = VC | 0x440;
pub(super) const NXC_FLUSH: u64 = PC | 0x400;
const NXC_ASSIGN: u64 = PC | 0x430;
const NXC_CONFIG: u64 = PC | 0x450;
pub(super) const ENDC_WATCH: u64 = VC | 0x500;
pub(super) const NXC_WATCH: u64 = PC | 0x500;

pub(super) const THREAD_EN0: u64 = 0x3_0000;
pub(super) const THREAD_EN1: u64 = 0x3_0020;
const TCTXT_CFG: u64 = 0x3_0140;

pub(super) const VALID: u64 = 1 << 63;
const SYNCS_DONE: u64 = 0x7F << 57;

/// The unit whose VSD registers these are.
fn vsd_unit(offset: u64) -> (Unit, u64) {
    (if offset & PC != 0 { Unit::Pc } else { Unit::Vc }, offset & !0xFFF)
}

impl<R: Ram + Clone + 'static> State<R> {
    pub(super) fn ic_load(&mut self, offset: u64) -> u64 {
        match offset {
            0x0_0010 => 0x2000_1200_76F0_00FC,
            0x0_0080 => 0xFFFF_FFFF_0000_0000,
            0x0_00A0 => 1 << 18,
            TDR => self.ic.tdr(None),
            CFG | IC_BAR | TM_BAR | ESB_BAR | END_BAR | NVPG_BAR | NVC_BAR | TAR => self.ic.reg(offset),
            0x1_0000 | 0x2_0000 => self.ic.reg(offset),
            0x1_0008 | 0x2_0008 => {
                let (unit, page) = vsd_unit(offset);
                self.tables.vsd(unit, vsd_key(self.ic.reg(page | VSD_ADDRESS)))
            }
            AT_MACRO_KILL | PC_AT_KILL => self.slow_load(offset),
            AT_MACRO_KILL_MASK | PC_AT_KILL_MASK | ESBC_CFG | ENDC_CONFIG | NXC_CONFIG => self.ic.reg(offset),
            0x1_00B8..=0x1_00E8 => self.ic.reg(offset),
            ESBC_FLUSH | EASC_FLUSH | ENDC_FLUSH | NXC_FLUSH => {
                let valid = self.slow_load(offset + 8) & VALID;
                self.ic.reg(offset) | valid
            }
            ENDC_SYNC_DONE => {
                if self.sync_done() {
                    SYNCS_DONE
                } else {
                    0
                }
            }
            ENDC_ASSIGN => self.assign_watch(ENDC_WATCH),
            NXC_ASSIGN => self.assign_watch(NXC_WATCH),
            0x1_0500..=0x1_05FF | 0x2_0500..=0x2_05FF => self.watch_load(offset),
            THREAD_EN0 | THREAD_EN1 | TCTXT_CFG => self.ic.reg(offset),
            _ => panic!("XIVE: load from unknown register {offset:#x}"),
        }
    }

    pub(super) fn ic_store(&mut self, pir: u32, offset: u64, value: u64) {
        match offset {
            RST_CTL | FIRMASK_OR => {}
            CFG => self.ic.store_config(value),
            IC_BAR | TM_BAR => self.ic.store_page_bar(offset, value),
            ESB_BAR | END_BAR | NVPG_BAR | NVC_BAR => self.ic.store_set_bar(offset, value),
            TAR => self.ic.store_tar(value),
            TDR => {
                self.ic.tdr(Some(value));
            }
            0x1_0000 | 0x2_0000 => {
                vsd_key(value);
                self.ic.regs.insert(offset, value);
            }
            0x1_0008 | 0x2_0008 => {
                let (unit, page) = vsd_unit(offset);
                let key = vsd_key(self.ic.reg(page | VSD_ADDRESS));
                self.tables.store_vsd(unit, key, value);
            }
            // QEMU has the PC's kill too, with its type in b24:27.
            AT_MACRO_KILL | PC_AT_KILL => self.slow_store(offset, value),
            // QEMU takes the store with which the done bits are cleared; they show the state of the last sync anyway.
            ENDC_SYNC_DONE => {}
            AT_MACRO_KILL_MASK
            | PC_AT_KILL_MASK
            | ESBC_CFG
            | ENDC_CONFIG
            | NXC_CONFIG
            | 0x1_00B8..=0x1_00E8
            | TCTXT_CFG => {
                self.ic.regs.insert(offset, value);
            }
            ESBC_FLUSH | EASC_FLUSH | ENDC_FLUSH | NXC_FLUSH => {
                assert_eq!(value & VALID, 0, "XIVE: store of {value:#x} to flush control {offset:#x}");
                self.ic.regs.insert(offset, value);
            }
            0x1_0208 | 0x1_0308 | 0x1_0408 | 0x2_0408 => self.flush_poll(offset, value),
            0x1_0210 | 0x1_0310 | 0x1_0410 | 0x2_0410 => self.flush_inject(pir, offset - 0x10, value),
            0x1_0500..=0x1_05FF | 0x2_0500..=0x2_05FF => self.watch_store(offset, value),
            THREAD_EN0 | THREAD_EN1 => {
                self.ic.regs.insert(offset, value);
            }
            0x3_0010 | 0x3_0030 => {
                let register = offset - 0x10;
                self.ic.regs.insert(register, self.ic.reg(register) | value);
            }
            0x3_0018 | 0x3_0038 => {
                let register = offset - 0x18;
                self.ic.regs.insert(register, self.ic.reg(register) & !value);
            }
            _ => panic!("XIVE: store of {value:#x} to unknown register {offset:#x}"),
        }
    }
}

/// Type and block that a VSD address register names.
fn vsd_key(value: u64) -> (u8, u8) {
    let (kind, block) = (ibm(value, 12, 15) as u8, ibm(value, 28, 31) as u8);
    let known = u64::from(kind) << 48 | u64::from(block) << 32;
    assert_eq!(value, known, "XIVE: VSD address {value:#x} has unknown bits");
    assert!(kind <= 8, "XIVE: VSD address names type {kind}");
    assert!(kind != 8 || block < 7, "XIVE: VSD address names ERQ {block}");
    (kind, block)
}
