//! Registers that only boot uses, with IBM's bit numbers. Offsets are from the IC BAR, whose pages of 64 KiB are CQ,
//! VC, PC and TCTXT; over XSCOM the CQ's registers have the same offsets from the unit's base.

use super::super::unit::{PagesBar, Reg, as_u64, ibm};
use bitfield::bitfield;

/// The VC's page.
pub const VC: u64 = 0x1_0000;
/// The PC's.
pub const PC: u64 = 0x2_0000;
/// The TCTXT's.
pub const TCTXT: u64 = 0x3_0000;

#[doc(alias = "CQ_XIVE_CFG")]
pub const CONFIG: Reg<Config> = Reg::at(0x018);
#[doc(alias = "CQ_IC_BAR")]
pub const IC_BAR: Reg<PagesBar> = Reg::at(0x040);
#[doc(alias = "CQ_TM_BAR")]
pub const TM_BAR: Reg<PagesBar> = Reg::at(0x048);
#[doc(alias = "CQ_ESB_BAR")]
pub const ESB_BAR: Reg<SetBar> = Reg::at(0x050);
#[doc(alias = "CQ_END_BAR")]
pub const END_BAR: Reg<SetBar> = Reg::at(0x058);
#[doc(alias = "CQ_NVPG_BAR")]
pub const NVPG_BAR: Reg<SetBar> = Reg::at(0x060);
#[doc(alias = "CQ_NVC_BAR")]
pub const NVC_BAR: Reg<SetBar> = Reg::at(0x068);
#[doc(alias = "CQ_TAR")]
pub const TABLE_ADDRESS: Reg<TableAddress> = Reg::at(0x070);
#[doc(alias = "CQ_TDR")]
pub const TABLE_DATA: Reg<TableData> = Reg::at(0x078);
#[doc(alias = "CQ_MSGSND")]
pub const MSGSND: Reg<u64> = Reg::at(0x080);
#[doc(alias = "CQ_RST_CTL")]
pub const RESET: Reg<ResetControl> = Reg::at(0x090);
#[doc(alias = "CQ_FIRMASK_OR")]
pub const FIR_MASK_OR: Reg<Fir> = Reg::at(0x1a8);
#[doc(alias = "VC_ESBC_CFG")]
pub const ESB_CACHE_CONFIG: Reg<EsbCacheConfig> = Reg::at(VC + 0x240);
#[doc(alias = "TCTXT_CFG")]
pub const THREAD_CONTEXT: Reg<ThreadContext> = Reg::at(TCTXT + 0x140);

bitfield! {
    pub struct Config(pub u64);
    /// 3 = eight priorities, for VPs.
    pub u8, _, set_vp_priorities: ibm(10), ibm(11);
    pub _, set_block_override: ibm(16);
    pub u8, _, set_block: ibm(17), ibm(23);
    /// The context of a VP whose CAM asks for it is saved when pulled, restored when pushed.
    #[doc(alias = "CQ_XIVE_CFG_EN_VP_SAVE_RESTORE")]
    pub _, set_save_restore: ibm(38);
}

bitfield! {
    /// BAR of pages that belong to blocks: its address in place, and log2 of its size less 24.
    pub struct SetBar(pub u64);
    pub _, set_valid: ibm(0);
    pub _, set_pages_64k: ibm(1);
    pub u8, _, set_size: ibm(59), ibm(63);
}

bitfield! {
    pub struct TableAddress(pub u64);
    pub _, set_auto_increment: ibm(0);
    /// ESB 0, END 2, NVPG 3, NVC 5.
    pub u8, _, set_table: ibm(12), ibm(15);
}

bitfield! {
    pub struct TableData(pub u64);
    pub _, set_valid: ibm(0);
    pub u8, _, set_block: ibm(60), ibm(63);
}

bitfield! {
    pub struct ResetControl(pub u64);
    pub _, set_reset_bars: ibm(4);
}

bitfield! {
    pub struct Fir(pub u64);
    /// A load or store to a bad address: trigger pages may be mapped to user space.
    #[doc(alias = "CQ_FIR_PB_RCMDX_CI_ERR1")]
    pub _, set_bad_access: ibm(19);
    /// Errors of the VC that are only information.
    #[doc(alias = "CQ_FIR_VC_INFO_ERROR_0_2")]
    pub u8, _, set_vc_info: ibm(61), ibm(63);
}

bitfield! {
    pub struct EsbCacheConfig(pub u64);
    /// A part of the cache is for the PQ bits of bridges, which have their own here.
    pub _, set_split: ibm(56);
}

bitfield! {
    pub struct ThreadContext(pub u64);
    pub _, set_fused_core: ibm(0);
}

as_u64!(Config, SetBar, TableAddress, TableData, ResetControl, Fir, EsbCacheConfig, ThreadContext);
