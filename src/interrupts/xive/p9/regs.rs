//! Registers of the P9 interrupt controller, with IBM's bit numbers (`reference/platform-qemu-powernv.md` §6.2).
//!
//! Offsets are those of the IC's register page; over XSCOM a register of the CQ unit has the same offset from the
//! unit's base. Only fields that firmware uses have names.

use super::super::unit::{PagesBar, Reg, as_u64, ibm};
use bitfield::bitfield;

#[doc(alias = "CQ_CFG_PB_GEN")]
pub const PB_GENERAL: Reg<PbGeneral> = Reg::at(0x050);
#[doc(alias = "CQ_MSGSND")]
pub const MSGSND: Reg<u64> = Reg::at(0x058);
#[doc(alias = "CQ_IC_BAR")]
pub const IC_BAR: Reg<PagesBar> = Reg::at(0x080);
#[doc(alias = "CQ_TM1_BAR")]
pub const TM_BAR: Reg<PagesBar> = Reg::at(0x090);
#[doc(alias = "CQ_TM2_BAR")]
pub const TM2_BAR: Reg<PagesBar> = Reg::at(0x0a0);
#[doc(alias = "CQ_PC_BAR")]
pub const PC_BAR: Reg<RegionBar> = Reg::at(0x0b0);
#[doc(alias = "CQ_PC_BARM")]
pub const PC_BAR_MASK: Reg<u64> = Reg::at(0x0b8);
#[doc(alias = "CQ_VC_BAR")]
pub const VC_BAR: Reg<RegionBar> = Reg::at(0x0c0);
#[doc(alias = "CQ_VC_BARM")]
pub const VC_BAR_MASK: Reg<u64> = Reg::at(0x0c8);
#[doc(alias = "CQ_TAR")]
pub const TABLE_ADDRESS: Reg<TableAddress> = Reg::at(0x0f0);
#[doc(alias = "CQ_TDR")]
pub const TABLE_DATA: Reg<TableData> = Reg::at(0x0f8);
#[doc(alias = "CQ_PBI_CTL")]
pub const PBI_CONTROL: Reg<PbiControl> = Reg::at(0x100);
#[doc(alias = "CQ_FIRMASK_OR")]
pub const FIR_MASK_OR: Reg<Fir> = Reg::at(0x1a8);

#[doc(alias = "PC_TCTXT_CFG")]
pub const THREAD_CONTEXT: Reg<ThreadContext> = Reg::at(0x400);
#[doc(alias = "PC_TCTXT_TRACK")]
pub const THREAD_TRACK: Reg<ThreadTrack> = Reg::at(0x408);
#[doc(alias = "PC_GLOBAL_CONFIG")]
pub const PC_GLOBAL: Reg<PcGlobal> = Reg::at(0x480);
#[doc(alias = "VC_GLOBAL_CONFIG")]
pub const VC_GLOBAL: Reg<VcGlobal> = Reg::at(0x800);
#[doc(alias = "VC_AIB_TX_ORDER_TAG2")]
pub const TX_ORDER: Reg<TxOrder> = Reg::at(0x890);
#[doc(alias = "VC_EQC_CONFIG")]
pub const EQC_CONFIG: Reg<EqcConfig> = Reg::at(0x920);
#[doc(alias = "VC_SBC_CONFIG")]
pub const SBC_CONFIG: Reg<SbcConfig> = Reg::at(0xa20);

bitfield! {
    pub struct PbGeneral(pub u64);
    /// How the block is taken from an interrupt's address: 2 = one block per chip.
    #[doc(alias = "CQ_INT_ADDR_OPT")]
    pub u8, _, set_address_option: ibm(14), ibm(15);
}

bitfield! {
    /// BAR of a region whose size a mask register says: its address in place.
    pub struct RegionBar(pub u64);
    pub _, set_valid: ibm(0);
}

bitfield! {
    pub struct TableAddress(pub u64);
    pub _, set_auto_increment: ibm(0);
    pub _, set_select_vdt: ibm(14);
    pub _, set_select_edt: ibm(15);
}

bitfield! {
    /// Entry of a domain table: EDT (one set of the VC region) or VDT (one of the PC region).
    pub struct TableData(pub u64);
    /// EDT: what the set holds, 1 = ESBs of sources, 2 = ESBs of ENDs.
    pub u8, _, set_kind: ibm(0), ibm(1);
    /// VDT: the entry is valid.
    pub _, set_valid: ibm(0);
    pub u8, _, set_block: ibm(12), ibm(15);
    /// Number of the set among those of its kind.
    pub u8, _, set_offset: ibm(26), ibm(31);
}

bitfield! {
    pub struct PbiControl(pub u64);
    pub _, set_pc_64k: ibm(5);
    pub _, set_vc_64k: ibm(6);
    #[doc(alias = "CQ_PBI_FORCE_TM_LOCAL")]
    pub _, set_force_local_tima: ibm(22);
}

bitfield! {
    pub struct Fir(pub u64);
    /// A load or store to a bad address: trigger pages may be mapped to user space.
    #[doc(alias = "CQ_FIR_PB_RCMDX_CI_ERR1")]
    pub _, set_bad_access: ibm(19);
    /// Errors of the VC that are only information.
    #[doc(alias = "CQ_FIR_VC_INFO_ERROR_0_1")]
    pub u8, _, set_vc_info: ibm(62), ibm(63);
}

bitfield! {
    pub struct ThreadContext(pub u64);
    pub _, set_block_group: ibm(0);
    pub _, set_target: ibm(1);
    pub _, set_logical_server: ibm(2);
    /// Pressure relief.
    pub _, set_store_ack: ibm(3);
    pub _, set_fused_core: ibm(4);
    pub _, set_hard_block: ibm(8);
    pub _, set_block_override: ibm(9);
    pub u8, _, set_block: ibm(12), ibm(15);
    pub u8, _, set_initial_age: ibm(30), ibm(31);
}

bitfield! {
    pub struct ThreadTrack(pub u64);
    pub _, set_enabled: ibm(0);
}

bitfield! {
    pub struct IndirectThread(pub u64);
    pub _, set_valid: ibm(0);
    /// Low seven bits of the PIR.
    pub u8, _, set_thread: ibm(9), ibm(15);
}

bitfield! {
    pub struct PcGlobal(pub u64);
    pub _, set_indirect: ibm(32);
    pub _, set_block_override: ibm(40);
    pub u8, _, set_block: ibm(44), ibm(47);
}

bitfield! {
    pub struct VcGlobal(pub u64);
    pub _, set_indirect: ibm(32);
}

bitfield! {
    pub struct TxOrder(pub u64);
    #[doc(alias = "VC_AIB_TX_ORDER_TAG2_REL_TF")]
    pub _, set_relaxed_triggers: ibm(20);
}

bitfield! {
    pub struct EqcConfig(pub u64);
    /// ENDs have the silent-escalation bit.
    #[doc(alias = "VC_EQC_CONF_ENABLE_END_s_BIT")]
    pub _, set_silent: ibm(39);
    /// ENDs have the unconditional-escalation bit.
    #[doc(alias = "VC_EQC_CONF_ENABLE_END_u_BIT")]
    pub _, set_unconditional: ibm(40);
}

bitfield! {
    pub struct SbcConfig(pub u64);
    #[doc(alias = "VC_SBC_CONF_NO_UPD_PRF")]
    pub _, set_no_update_prefetch: ibm(59);
}

bitfield! {
    /// Writes a structure back to memory.
    pub struct Scrub(pub u64);
    pub _, set_valid: ibm(0);
    pub _, set_invalidate: ibm(2);
    pub u8, _, set_block: ibm(28), ibm(31);
    pub u32, _, set_index: ibm(40), ibm(63);
}

as_u64!(
    PbGeneral,
    RegionBar,
    TableAddress,
    TableData,
    PbiControl,
    Fir,
    ThreadContext,
    ThreadTrack,
    IndirectThread,
    PcGlobal,
    VcGlobal,
    TxOrder,
    EqcConfig,
    SbcConfig,
    Scrub
);
