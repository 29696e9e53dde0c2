//! Registers of PHB4 and PHB5: one name per register, one type per register that has fields, IBM's bit numbers.
//! The manual's names are the doc aliases. `reference/phb-dma-windows.md` §3.

use crate::hw::mmio::Mmio;
use bitfield::bitfield;
use core::marker::PhantomData;

/// IBM counts bits from the most significant one.
const fn ibm(bit: usize) -> usize {
    63 - bit
}

/// A 64-bit register at an offset of the bridge's window.
#[derive(Clone, Copy, Debug)]
pub struct Reg<T> {
    offset: u64,
    what: PhantomData<T>,
}

impl<T: Word> Reg<T> {
    /// The register at that offset.
    pub const fn at(offset: u64) -> Self {
        Self { offset, what: PhantomData }
    }
    /// Its offset.
    pub const fn offset(self) -> u64 {
        self.offset
    }
    /// Loads it.
    #[inline(always)]
    pub fn read(self, window: &(impl Mmio + ?Sized)) -> T {
        T::from_bits(window.read64(self.offset))
    }
    /// Stores it.
    #[inline(always)]
    pub fn write(self, window: &(impl Mmio + ?Sized), value: T) {
        window.write64(self.offset, value.bits());
    }
}

/// What a 64-bit register holds.
pub trait Word: Copy {
    /// From the number.
    fn from_bits(bits: u64) -> Self;
    /// The number.
    fn bits(self) -> u64;
}

impl Word for u64 {
    fn from_bits(bits: u64) -> Self {
        bits
    }
    fn bits(self) -> u64 {
        self
    }
}

macro_rules! words {
    ($($type:ident)*) => { $(
        impl Word for $type {
            #[inline(always)]
            fn from_bits(bits: u64) -> Self { Self(bits) }
            #[inline(always)]
            fn bits(self) -> u64 { self.0 }
        }
        impl Default for $type {
            #[inline(always)]
            fn default() -> Self { Self(0) }
        }
    )* };
}
words!(LsiSourceId ConfigAddress Config TableBar RtcInvalidate TceKill DmaSync IodaAddr QDmaR Ctrlr Creset TrainCtl);

bitfield! {
    /// LSI_SOURCE_ID.
    #[derive(Clone, Copy)]
    pub struct LsiSourceId(u64);
    /// First of the eight LSI sources, in eights.
    pub u16, source, set_source: ibm(4), ibm(12);
}
bitfield! {
    /// CONFIG_ADDRESS.
    #[derive(Clone, Copy)]
    pub struct ConfigAddress(u64);
    /// Whether CONFIG_DATA works.
    pub bool, enable, set_enable: ibm(0);
    /// Bus, device and function.
    pub u16, bdfn, set_bdfn: ibm(4), ibm(19);
    /// Register.
    pub u16, register, set_register: ibm(20), ibm(31);
    /// PE that the access belongs to.
    pub u16, pe, set_pe: ibm(39), ibm(47);
}
bitfield! {
    /// CONFIG.
    #[derive(Clone, Copy)]
    pub struct Config(u64);
    /// Decode 32-bit MSIs.
    pub bool, msi32, set_msi32: ibm(8);
    /// Decode 64-bit MSIs.
    pub bool, msi64, set_msi64: ibm(14);
}
bitfield! {
    /// RTT_BAR, PELTV_BAR, PEST_BAR: the address takes the bits that its alignment leaves.
    #[derive(Clone, Copy)]
    pub struct TableBar(u64);
    /// Whether the table is used.
    pub bool, enable, set_enable: ibm(0);
    /// Real address, in 4 KiB.
    pub u64, page, set_page: ibm(8), ibm(51);
}
bitfield! {
    /// RTC_INVALIDATE.
    #[derive(Clone, Copy)]
    pub struct RtcInvalidate(u64);
    /// All requesters.
    pub bool, all, set_all: ibm(0);
}
bitfield! {
    /// TCE_KILL.
    #[derive(Clone, Copy, Debug)]
    pub struct TceKill(u64);
    /// Everything.
    pub bool, all, set_all: ibm(0);
    /// One PE.
    pub bool, one_pe, set_one_pe: ibm(1);
    /// What waits in the queue: not zero means that it takes no other kill.
    pub u8, pending, _: ibm(0), ibm(2);
    /// The PE.
    pub u16, pe, set_pe: ibm(55), ibm(63);
}
bitfield! {
    /// DMA_READ_WRITE_SYNC.
    #[derive(Clone, Copy, Debug)]
    pub struct DmaSync(u64);
    /// Start to wait for reads.
    pub bool, start_read, set_start_read: ibm(0);
    /// All earlier reads are done.
    pub bool, read_done, set_read_done: ibm(1);
    /// Start to wait for writes (PHB5).
    pub bool, start_write, set_start_write: ibm(2);
    /// All earlier writes are done (PHB5).
    pub bool, write_done, set_write_done: ibm(3);
}
bitfield! {
    /// IODA_ADDR.
    #[derive(Clone, Copy, Debug)]
    pub struct IodaAddr(u64);
    /// Step to the next entry after each access.
    pub bool, autoincrement, set_autoincrement: ibm(0);
    /// Table.
    pub u8, table, set_table: ibm(11), ibm(15);
    /// Which of the four sources in a MIST word a store changes.
    pub u8, lanes, set_lanes: ibm(28), ibm(31);
    /// Entry.
    pub u16, index, set_index: ibm(54), ibm(63);
}
bitfield! {
    /// Q_DMA_R.
    #[derive(Clone, Copy)]
    pub struct QDmaR(u64);
    /// All that may be under way: quiescing, responses, a TCE kill. One instruction tells that there is none of it.
    pub u8, busy, _: ibm(0), ibm(7);
    /// A TCE kill still runs.
    pub bool, kill_running, _: ibm(7);
}
bitfield! {
    /// CTRLR.
    #[derive(Clone, Copy)]
    pub struct Ctrlr(u64);
    /// Loads and stores don't freeze the PE.
    pub bool, mmio_eeh_disable, set_mmio_eeh_disable: ibm(14);
    /// TVE 1 takes what is at or above 4 GiB. IBM's published name for this bit isn't known here.
    pub bool, tve1_at_4_gib, set_tve1_at_4_gib: ibm(24);
}
bitfield! {
    /// PCIE_CRESET.
    #[derive(Clone, Copy)]
    pub struct Creset(u64);
    /// Config core in reset.
    pub bool, config_core, set_config_core: ibm(0);
    /// Transaction and data link layers in reset.
    pub bool, link_layers, set_link_layers: ibm(1);
    /// PBL in reset.
    pub bool, pbl, set_pbl: ibm(2);
    /// PERST released.
    pub bool, perst_n, set_perst_n: ibm(3);
    /// PIPE reset released.
    pub bool, pipe_n, set_pipe_n: ibm(4);
}
bitfield! {
    /// DLP_TRAIN_CTL.
    #[derive(Clone, Copy, Debug)]
    pub struct TrainCtl(u64);
    /// The link doesn't look for a partner.
    pub bool, hold_detect, set_hold_detect: ibm(12);
    /// Something answers at the other end.
    pub bool, present, _: ibm(19);
    /// The core is still in reset.
    pub bool, in_reset, _: ibm(22);
    /// The link carries data.
    pub bool, link_active, _: ibm(23);
}

macro_rules! registers {
    ($($name:ident: $type:ty = $offset:literal, $manual:literal;)*) => { $(
        #[doc = concat!($manual, ".")]
        #[doc(alias = $manual)]
        pub const $name: Reg<$type> = Reg::at($offset);
    )* };
}
pub(super) use registers;

registers! {
    LSI_SOURCE_ID: LsiSourceId = 0x100, "PHB_LSI_SOURCE_ID";
    DMA_CHAN_STATUS: u64 = 0x110, "PHB_DMA_CHAN_STATUS";
    CPU_LOADSTORE_STATUS: u64 = 0x120, "PHB_CPU_LOADSTORE_STATUS";
    CONFIG_ADDRESS: ConfigAddress = 0x140, "PHB_CONFIG_ADDRESS";
    CONFIG: Config = 0x160, "PHB_PHB4_CONFIG";
    RTT_BAR: TableBar = 0x168, "PHB_RTT_BAR";
    PELTV_BAR: TableBar = 0x188, "PHB_PELTV_BAR";
    M32_START_ADDR: u64 = 0x1a0, "PHB_M32_START_ADDR";
    PEST_BAR: TableBar = 0x1a8, "PHB_PEST_BAR";
    ASN_CMPM: u64 = 0x1c0, "PHB_ASN_CMPM";
    M64_UPPER_BITS: u64 = 0x1f0, "PHB_M64_UPPER_BITS";
    DMA_SYNC: DmaSync = 0x200, "PHB_DMA_READ_WRITE_SYNC";
    RTC_INVALIDATE: RtcInvalidate = 0x208, "PHB_RTC_INVALIDATE";
    TCE_KILL: TceKill = 0x210, "PHB_TCE_KILL";
    TCE_SPEC_CTL: u64 = 0x218, "PHB_TCE_SPEC_CTL";
    IODA_ADDR: IodaAddr = 0x220, "PHB_IODA_ADDR";
    IODA_DATA0: u64 = 0x228, "PHB_IODA_DATA0";
    IRQ_CAP: u64 = 0x260, "PHB_PHB4_IRQ_CAP";
    EEH_CAP: u64 = 0x268, "PHB_PHB4_EEH_CAP";
    ERR_INJECT_CTL: u64 = 0x2b0, "PHB_PAPR_ERR_INJ_CTL";
    ERR_INJECT_ADDR: u64 = 0x2b8, "PHB_PAPR_ERR_INJ_ADDR";
    ERR_INJECT_MASK: u64 = 0x2c0, "PHB_PAPR_ERR_INJ_MASK";
    ETU_ERR_SUMMARY: u64 = 0x2c8, "PHB_ETU_ERR_SUMMARY";
    INT_NOTIFY_ADDR: u64 = 0x300, "PHB_INT_NOTIFY_ADDR";
    INT_NOTIFY_INDEX: u64 = 0x308, "PHB_INT_NOTIFY_INDEX";
    VERSION: u64 = 0x800, "PHB_VERSION";
    CTRLR: Ctrlr = 0x810, "PHB_CTRLR";
    TCE_TAG_ENABLE: u64 = 0x868, "PHB_TCE_TAG_ENABLE";
    TIMEOUT_CTRL1: u64 = 0x878, "PHB_TIMEOUT_CTRL1";
    TIMEOUT_CTRL2: u64 = 0x880, "PHB_TIMEOUT_CTRL2";
    Q_DMA_R: QDmaR = 0x888, "PHB_Q_DMA_R";
    LEM_FIR: u64 = 0xc00, "PHB_LEM_FIR_ACCUM";
    LEM_FIR_AND: u64 = 0xc08, "PHB_LEM_FIR_AND_MASK";
    LEM_ERROR_MASK: u64 = 0xc18, "PHB_LEM_ERROR_MASK";
    LEM_ACTION0: u64 = 0xc30, "PHB_LEM_ACTION0";
    LEM_ACTION1: u64 = 0xc38, "PHB_LEM_ACTION1";
    LEM_WOF: u64 = 0xc40, "PHB_LEM_WOF";
    PBL_TIMEOUT_CTRL: u64 = 0x1810, "PHB_PBL_TIMEOUT_CTRL";
    PCIE_SCR: u64 = 0x1a00, "PHB_PCIE_SCR";
    CRESET: Creset = 0x1a10, "PHB_PCIE_CRESET";
    HOTPLUG_STATUS: u64 = 0x1a20, "PHB_PCIE_HOTPLUG_STATUS";
    DLP_TRAIN_CTL: TrainCtl = 0x1a40, "PHB_PCIE_DLP_TRAIN_CTL";
    DLP_CTL: u64 = 0x1a78, "PHB_PCIE_DLP_CTL";
    DLP_ERRLOG1: u64 = 0x1aa0, "PHB_PCIE_DLP_ERRLOG1";
    DLP_ERRLOG2: u64 = 0x1aa8, "PHB_PCIE_DLP_ERRLOG2";
    DLP_ERR_STATUS: u64 = 0x1ab0, "PHB_PCIE_DLP_ERR_STATUS";
    DLP_ERR_COUNTERS: u64 = 0x1ab8, "PHB_PCIE_DLP_ERR_COUNTERS";
    MISC_STRAP: u64 = 0x1b30, "PHB_PCIE_MISC_STRAP";
    PHY_EQ_CNTL: u64 = 0x1b38, "PHB_PCIE_PDL_PHY_EQ_CNTL";
}

/// CONFIG_DATA: four bytes of config space, little-endian, any width.
#[doc(alias = "PHB_CONFIG_DATA")]
pub const CONFIG_DATA: u64 = 0x130;
/// The root port's config space, four bytes at a time, little-endian.
#[doc(alias = "PHB_RC_CONFIG_BASE")]
pub const ROOT_CONFIG: u64 = 0x1000;
/// Bytes of the root port's config space.
pub const ROOT_CONFIG_SIZE: u16 = 0x800;
/// Four bytes of the root port's config space, through the window or the back door.
pub fn root_get(window: &(impl Mmio + ?Sized), offset: u16) -> u32 {
    window.read32(ROOT_CONFIG + u64::from(offset)).swap_bytes()
}

/// Writes four bytes of it.
pub fn root_set(window: &(impl Mmio + ?Sized), offset: u16, value: u32) {
    window.write32(ROOT_CONFIG + u64::from(offset), value.swap_bytes());
}

/// PBL's error group.
#[doc(alias = "PHB_PBL_ERR_STATUS")]
pub const PBL_ERRORS: u64 = 0x1900;
/// REGB's error group.
#[doc(alias = "PHB_REGB_ERR_STATUS")]
pub const REGB_ERRORS: u64 = 0x1c00;

/// Offsets inside an error group; PBL and REGB have INF, ERC and FAT enables in place of interrupt, freeze, fence.
pub mod group {
    /// Errors; ones clear.
    pub const STATUS: u64 = 0x00;
    /// First error.
    pub const FIRST: u64 = 0x08;
    /// To the local error macro.
    pub const LEM: u64 = 0x18;
    /// To the interrupt (INF).
    pub const INTERRUPT: u64 = 0x20;
    /// To the PE (ERC).
    pub const FREEZE: u64 = 0x28;
    /// To the fence (FAT).
    pub const FENCE: u64 = 0x30;
    /// First log.
    pub const LOG0: u64 = 0x40;
    /// Second log.
    pub const LOG1: u64 = 0x48;
    /// Errors that are not latched.
    pub const STATUS_MASK: u64 = 0x50;
    /// Errors that are not latched as first.
    pub const FIRST_MASK: u64 = 0x58;
}

/// What a fenced bridge answers.
pub const FENCED: u64 = u64::MAX;
/// Empty slot, in HOTPLUG_STATUS.
pub const SLOT_EMPTY: u64 = 1 << ibm(10);
/// Maximum link speed in PCIE_SCR.
pub const SCR_SPEED: core::ops::Range<u32> = 28..32;
