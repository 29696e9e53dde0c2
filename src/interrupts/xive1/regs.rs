//! Registers of the P9 interrupt controller, with IBM's bit numbers (`reference/platform-qemu-powernv.md` §6.2).
//!
//! Offsets are those of the IC's register page; over XSCOM a register of the CQ unit has the same offset from the
//! unit's base. Only fields that firmware uses have names.

use crate::hw::mmio::Mmio;
use bitfield::bitfield;
use core::marker::PhantomData;

/// IBM's bit number in a 64-bit register, as the crate `bitfield` counts.
pub const fn ibm(bit: usize) -> usize {
    63 - bit
}

/// A register of a type.
pub struct Reg<T> {
    offset: u64,
    what: PhantomData<T>,
}

impl<T: From<u64> + Into<u64>> Reg<T> {
    const fn at(offset: u64) -> Self {
        Self { offset, what: PhantomData }
    }
    pub fn read(&self, page: &impl Mmio) -> T {
        page.read64(self.offset).into()
    }
    pub fn write(&self, page: &impl Mmio, value: T) {
        page.write64(self.offset, value.into());
    }
    pub fn update(&self, page: &impl Mmio, change: impl FnOnce(&mut T)) {
        let mut value = self.read(page);
        change(&mut value);
        self.write(page, value);
    }
}

macro_rules! as_u64 {
    ($($name:ident),+) => {
        $(impl From<u64> for $name {
            fn from(value: u64) -> Self {
                Self(value)
            }
        }
        impl From<$name> for u64 {
            fn from(value: $name) -> Self {
                value.0
            }
        })+
    };
}
pub(super) use as_u64;

/// XSCOM address of the unit.
pub const SCOM_BASE: u64 = 0x501_3000;

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
#[doc(alias = "PC_TCTXT_INDIR0")]
pub const INDIRECT_THREAD: Reg<IndirectThread> = Reg::at(0x420);
/// Thread enables: the register itself, and the ones that set and clear bits. Threads 0–63, then the others.
#[doc(alias = "PC_THREAD_EN_REG0")]
pub const THREAD_ENABLE: [[Reg<u64>; 3]; 2] =
    [[Reg::at(0x440), Reg::at(0x448), Reg::at(0x450)], [Reg::at(0x460), Reg::at(0x468), Reg::at(0x470)]];
#[doc(alias = "PC_GLOBAL_CONFIG")]
pub const PC_GLOBAL: Reg<PcGlobal> = Reg::at(0x480);
#[doc(alias = "PC_VSD_TABLE_ADDR")]
pub const PC_VSD_ADDRESS: Reg<VsdAddress> = Reg::at(0x488);
#[doc(alias = "PC_VSD_TABLE_DATA")]
pub const PC_VSD_DATA: Reg<Vsd> = Reg::at(0x490);
#[doc(alias = "PC_AT_KILL")]
pub const PC_KILL: Reg<Kill> = Reg::at(0x4b0);
#[doc(alias = "PC_AT_KILL_MASK")]
pub const PC_KILL_MASK: Reg<u64> = Reg::at(0x4b8);

#[doc(alias = "VC_GLOBAL_CONFIG")]
pub const VC_GLOBAL: Reg<VcGlobal> = Reg::at(0x800);
#[doc(alias = "VC_VSD_TABLE_ADDR")]
pub const VC_VSD_ADDRESS: Reg<VsdAddress> = Reg::at(0x808);
#[doc(alias = "VC_VSD_TABLE_DATA")]
pub const VC_VSD_DATA: Reg<Vsd> = Reg::at(0x810);
/// Overflow of the six internal queues to memory.
#[doc(alias = "VC_IRQ_CONFIG_IPI")]
pub const OVERFLOW: [Reg<Overflow>; 6] =
    [Reg::at(0x840), Reg::at(0x848), Reg::at(0x850), Reg::at(0x858), Reg::at(0x860), Reg::at(0x868)];
#[doc(alias = "VC_AIB_TX_ORDER_TAG2")]
pub const TX_ORDER: Reg<TxOrder> = Reg::at(0x890);
#[doc(alias = "VC_AT_MACRO_KILL")]
pub const VC_KILL: Reg<Kill> = Reg::at(0x8b0);
#[doc(alias = "VC_AT_MACRO_KILL_MASK")]
pub const VC_KILL_MASK: Reg<u64> = Reg::at(0x8b8);
#[doc(alias = "VC_EQC_CONFIG")]
pub const EQC_CONFIG: Reg<EqcConfig> = Reg::at(0x920);
#[doc(alias = "VC_SBC_CONFIG")]
pub const SBC_CONFIG: Reg<SbcConfig> = Reg::at(0xa20);

/// The registers of one structure cache.
pub struct CacheUnit {
    pub scrub: Reg<Scrub>,
    /// Which bits of the scrub's target are compared.
    pub mask: Reg<u64>,
    /// The mask for exactly one structure.
    pub one: u64,
    /// The mask for all structures of the block.
    pub block: u64,
}

/// A cache unit through which a structure is changed under the hardware's eyes.
pub struct WatchUnit {
    pub spec: Reg<WatchSpec>,
    /// Offset of the first data register.
    pub data: u64,
}

/// END cache.
#[doc(alias = "VC_EQC_SCRUB_TRIG")]
pub const END_CACHE: CacheUnit = CacheUnit {
    scrub: Reg::at(0x910),
    mask: Reg::at(0x918),
    one: 0x0000_000f_00ff_ffff,
    block: 0x0000_000f_0000_0000,
};
/// EAS cache.
#[doc(alias = "VC_IVC_SCRUB_TRIG")]
pub const EAS_CACHE: CacheUnit = CacheUnit {
    scrub: Reg::at(0x990),
    mask: Reg::at(0x998),
    one: 0x0000_000f_00ff_ffff,
    block: 0x0000_000f_0000_0000,
};
/// NVT cache.
#[doc(alias = "PC_VPC_SCRUB_TRIG")]
pub const NVT_CACHE: CacheUnit = CacheUnit {
    scrub: Reg::at(0x710),
    mask: Reg::at(0x718),
    one: 0x0000_001f_0007_ffff,
    block: 0x0000_001f_0000_0000,
};
#[doc(alias = "VC_EQC_CWATCH_SPEC")]
pub const END_WATCH: WatchUnit = WatchUnit { spec: Reg::at(0x928), data: 0x930 };
#[doc(alias = "PC_VPC_CWATCH_SPEC")]
pub const NVT_WATCH: WatchUnit = WatchUnit { spec: Reg::at(0x738), data: 0x740 };

/// The notify page, from the IC BAR: stores that trigger and stores that ask for a sync.
pub mod notify {
    /// The page.
    pub const PAGE: u64 = 0x1_0000;
    /// Port of a bridge: different ones have different 8-byte slots, the first its own cache line.
    pub const fn phb(number: u8) -> u64 {
        PAGE + if number == 0 { 0x100 } else { 0x200 + 8 * (number as u64 & 7) }
    }
    /// Port of the PSI host bridge, behind those of the six bridges of a chip.
    pub const PSI: u64 = PAGE + 0x230;
    /// Syncs: OS escalation, hypervisor escalation, redistribution, IPIs, hardware sources.
    pub const SYNCS: [u64; 5] = [PAGE + 0xd00, PAGE + 0xd80, PAGE + 0xe00, PAGE + 0xc00, PAGE + 0xc80];
}

/// TIMA of the thread that `INDIRECT_THREAD` names, from the IC BAR: most privileged page.
pub mod tima {
    /// The page.
    pub const PAGE: u64 = 0x4_0000;
    /// Rings.
    pub const OS: u64 = PAGE + 0x10;
    /// Pool ring.
    pub const POOL: u64 = PAGE + 0x20;
    /// Physical ring.
    pub const PHYSICAL: u64 = PAGE + 0x30;
    /// Byte with VT, the valid bit of the physical ring.
    pub const VT: u64 = PAGE + 0x38;
    /// VT set.
    pub const VALID: u8 = 0x80;
}

bitfield! {
    pub struct PbGeneral(pub u64);
    /// How the block is taken from an interrupt's address: 2 = one block per chip.
    #[doc(alias = "CQ_INT_ADDR_OPT")]
    pub u8, _, set_address_option: ibm(14), ibm(15);
}

bitfield! {
    /// BAR of a few pages: its address in place, and how large pages are.
    pub struct PagesBar(pub u64);
    pub _, set_valid: ibm(0);
    pub _, set_pages_64k: ibm(1);
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
    pub struct VsdAddress(pub u64);
    pub u8, _, set_table: ibm(13), ibm(15);
    pub u8, _, set_block: ibm(27), ibm(31);
}

bitfield! {
    /// Virtual structure descriptor: where a table, or a page of an indirect one, lies. The address is in place.
    pub struct Vsd(pub u64);
    /// 2 = exclusive, ours.
    pub u8, _, set_mode: ibm(0), ibm(1);
    pub _, set_indirect: ibm(56);
    /// log2 of the size, less 12.
    pub u8, _, set_size: ibm(59), ibm(63);
}

bitfield! {
    pub struct Overflow(pub u64);
    pub _, set_enabled: ibm(45);
    /// log2 of the size, less 12.
    pub u8, _, set_size: ibm(46), ibm(51);
}

bitfield! {
    pub struct TxOrder(pub u64);
    #[doc(alias = "VC_AIB_TX_ORDER_TAG2_REL_TF")]
    pub _, set_relaxed_triggers: ibm(20);
}

bitfield! {
    /// Drops translations of indirect tables; with mask 0, all of them.
    pub struct Kill(pub u64);
    pub valid, set_valid: ibm(0);
    /// VC only: 3 = END table.
    pub u8, _, set_table: ibm(14), ibm(15);
}

bitfield! {
    pub struct EqcConfig(pub u64);
    /// IPIs, hardware sources, first and second escalation, redistribution.
    pub u8, syncs_done, set_syncs_done: ibm(32), ibm(36);
    /// ENDs have the silent-escalation bit.
    #[doc(alias = "VC_EQC_CONF_ENABLE_END_s_BIT")]
    pub _, set_silent: ibm(39);
    /// ENDs have the unconditional-escalation bit.
    #[doc(alias = "VC_EQC_CONF_ENABLE_END_u_BIT")]
    pub _, set_unconditional: ibm(40);
}

/// All of [`EqcConfig::syncs_done`].
pub const ALL_SYNCS: u8 = 0x1f;

bitfield! {
    pub struct SbcConfig(pub u64);
    #[doc(alias = "VC_SBC_CONF_NO_UPD_PRF")]
    pub _, set_no_update_prefetch: ibm(59);
}

bitfield! {
    /// Writes a structure back to memory.
    pub struct Scrub(pub u64);
    pub valid, set_valid: ibm(0);
    pub _, set_invalidate: ibm(2);
    pub u8, _, set_block: ibm(28), ibm(31);
    pub u32, _, set_index: ibm(40), ibm(63);
}

bitfield! {
    pub struct WatchSpec(pub u64);
    /// The structure changed under the watch: nothing was written.
    pub conflict, _: ibm(0);
    /// The watch looks for conflicts.
    pub full, set_full: ibm(8);
    pub u8, _, set_block: ibm(28), ibm(31);
    pub u32, _, set_index: ibm(40), ibm(63);
}

as_u64!(
    PbGeneral,
    PagesBar,
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
    VsdAddress,
    Vsd,
    Overflow,
    TxOrder,
    Kill,
    EqcConfig,
    SbcConfig,
    Scrub,
    WatchSpec
);
