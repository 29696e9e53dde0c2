//! The register map (§3.1–3.3): what a load gives, what a store does, and what doesn't exist.

use super::bits::{bit, bits};
use super::{Generation, Size, State};

/// How a register answers.
pub enum Kind {
    /// Keeps what was written, in these bits.
    Storage(u64),
    /// The same, and a store with other bits set is a driver's mistake.
    Strict(u64),
    /// A store is a driver's mistake.
    ReadOnly,
    /// A one clears its bit.
    OnesClear,
    /// Any store clears it.
    StoreClears,
    /// Not readable; a store ANDs or ORs into the register at that offset.
    AndInto(u64),
    OrInto(u64),
    /// Has code below.
    Active,
}

/// One register: its name, how it answers, and its value after reset.
pub struct Register {
    pub name: &'static str,
    pub kind: Kind,
    pub reset: u64,
}

const LEM_FIR: u64 = 0xc00;
const LEM_MASK: u64 = 0xc18;
/// Error groups with LEM enable: RXPHB, TXE, RXE_ARB, RXE_MRG, RXE_TCE.
pub const ERROR_GROUPS: [u64; 5] = [0xc80, 0xd00, 0xd80, 0xe00, 0xe80];
/// Error groups of the PCIe core: PBL, REGB.
pub const CORE_GROUPS: [u64; 2] = [0x1900, 0x1c00];
pub const RXE_TCE_STATUS: u64 = 0xe80;
/// TXE freeze enable and RXE_ARB fence enable: the two field lessons at the end of §3.2.
pub const TXE_FREEZE_ENABLE: u64 = 0xd28;
pub const ARB_FENCE_ENABLE: u64 = 0xdb0;

pub const LSI_SOURCE_ID: u64 = 0x100;
const DMA_CHAN_STATUS: u64 = 0x110;
const CPU_LOADSTORE_STATUS: u64 = 0x120;
const CONFIG_DATA: u64 = 0x130;
const CONFIG_DATA_END: u64 = 0x134;
pub const CONFIG_ADDRESS: u64 = 0x140;
pub const CONFIG: u64 = 0x160;
pub const RTT_BAR: u64 = 0x168;
pub const PELTV_BAR: u64 = 0x188;
pub const PEST_BAR: u64 = 0x1a8;
const DMA_SYNC: u64 = 0x200;
const RTC_INVALIDATE: u64 = 0x208;
const TCE_KILL: u64 = 0x210;
const IODA_ADDR: u64 = 0x220;
const IODA_DATA0: u64 = 0x228;
const ETU_ERR_SUMMARY: u64 = 0x2c8;
const INT_NOTIFY_INDEX: u64 = 0x308;
pub const CTRLR: u64 = 0x810;
const Q_DMA_R: u64 = 0x888;
pub const PCIE_SCR: u64 = 0x1a00;
pub const PCIE_CRESET: u64 = 0x1a10;
const HOTPLUG_STATUS: u64 = 0x1a20;
const DLP_TRAIN_CTL: u64 = 0x1a40;
pub const DLP_TRWCTL: u64 = 0x1a80;
/// The root complex's config space (§2 rule 1).
const ROOT_CONFIG: u64 = 0x1000;
const ROOT_CONFIG_END: u64 = 0x1800;

const RTC_ALL: u64 = bit(0);
/// Some PE is frozen, in both load/store and DMA status.
const ANY_FREEZE: u64 = bit(29);

pub fn storage(name: &'static str) -> Register {
    Register { name, kind: Kind::Storage(u64::MAX), reset: 0 }
}

pub fn strict(name: &'static str, mask: u64) -> Register {
    Register { name, kind: Kind::Strict(mask), reset: 0 }
}

pub fn read_only(name: &'static str, reset: u64) -> Register {
    Register { name, kind: Kind::ReadOnly, reset }
}

pub fn active(name: &'static str) -> Register {
    Register { name, kind: Kind::Active, reset: 0 }
}

pub fn kind(name: &'static str, kind: Kind) -> Register {
    Register { name, kind, reset: 0 }
}

/// The register at an offset, if the tables know one.
fn describe(offset: u64, generation: Generation, size: Size) -> Option<Register> {
    let phb5 = generation == Generation::Phb5;
    let by_size = |big, small| if size == Size::Big { big } else { small };
    Some(match offset {
        LSI_SOURCE_ID => strict("LSI_SOURCE_ID", bits(4, 12)),
        DMA_CHAN_STATUS => active("DMA_CHAN_STATUS"),
        CPU_LOADSTORE_STATUS => active("CPU_LOADSTORE_STATUS"),
        0x138 => storage("LOCK0"),
        CONFIG_ADDRESS => strict("CONFIG_ADDRESS", bit(0) | bits(4, 31) | bits(39, 47)),
        0x148 => storage("LOCK1"),
        CONFIG => storage("CONFIG"),
        RTT_BAR => strict("RTT_BAR", bit(0) | bits(8, 46)),
        PELTV_BAR => strict("PELTV_BAR", bit(0) | bits(8, 50)),
        0x1a0 => storage("M32_START_ADDR"),
        PEST_BAR => strict("PEST_BAR", bit(0) | bits(8, 51)),
        0x1c0 => storage("ASN_CMPM"),
        0x1c8 => storage("CAPI_CMPM"),
        0x1d0 => storage("M64_AOMASK"),
        0x1f0 => kind("M64_UPPER_BITS", Kind::Storage(bits(0, 7))),
        0x1f8 => storage("NXLATE_PREFIX"),
        DMA_SYNC => active("DMA_READ_WRITE_SYNC"),
        RTC_INVALIDATE => active("RTC_INVALIDATE"),
        TCE_KILL => active("TCE_KILL"),
        0x218 => storage("TCE_SPEC_CTL"),
        IODA_ADDR => active("IODA_ADDR"),
        IODA_DATA0 => active("IODA_DATA0"),
        0x250 => read_only("GEN_CAP", 0xe4b8_0000_0000_0000),
        0x258 => read_only("TCE_CAP", by_size(0x4008_4400_0000_0400, 0x2008_4400_0000_0200)),
        0x260 => read_only("IRQ_CAP", 0x0800_0000_0000_0000 | size.interrupts() as u64),
        0x268 => read_only("EEH_CAP", (size.pes() as u64) << 52),
        0x2b0 => storage("PAPR_ERR_INJ_CTL"),
        0x2b8 => storage("PAPR_ERR_INJ_ADDR"),
        0x2c0 => storage("PAPR_ERR_INJ_MASK"),
        ETU_ERR_SUMMARY => active("ETU_ERR_SUMMARY"),
        0x300 => storage("INT_NOTIFY_ADDR"),
        INT_NOTIFY_INDEX => storage("INT_NOTIFY_INDEX"),

        0x800 => read_only("VERSION", if phb5 { 0xa5_0000_0002 } else { 0xa4_0000_0002 }),
        CTRLR if phb5 => storage("CTRLR"),
        CTRLR => strict("CTRLR", !(bit(9) | bit(10))),
        0x860 => storage("AIB_FENCE_CTRL"),
        0x868 => storage("TCE_TAG_ENABLE"),
        0x870 => storage("TCE_WATERMARK"),
        0x878 => storage("TIMEOUT_CTRL1"),
        0x880 => storage("TIMEOUT_CTRL2"),
        Q_DMA_R => active("Q_DMA_R"),
        0x908 => storage("TCE_TAG_STATUS"),
        LEM_FIR => storage("LEM_FIR_ACCUM"),
        0xc08 => kind("LEM_FIR_AND_MASK", Kind::AndInto(LEM_FIR)),
        0xc10 => kind("LEM_FIR_OR_MASK", Kind::OrInto(LEM_FIR)),
        LEM_MASK => storage("LEM_ERROR_MASK"),
        0xc20 => kind("LEM_ERROR_AND", Kind::AndInto(LEM_MASK)),
        0xc28 => kind("LEM_ERROR_OR", Kind::OrInto(LEM_MASK)),
        0xc30 => storage("LEM_ACTION0"),
        0xc38 => storage("LEM_ACTION1"),
        0xc40 => kind("LEM_WOF", Kind::StoreClears),
        0xc80..0xf00 => return describe_group(offset & 0x7f, true),
        0xf80 => storage("trace control"),
        0xf88 => storage("perfmon config"),
        0xf90 | 0xf98 | 0xfa0 | 0xfa8 => storage("perfmon counter"),

        0x1800 => storage("PBL_CONTROL"),
        0x1810 => storage("PBL_TIMEOUT_CTRL"),
        0x1820 => storage("PBL_NPTAG_ENABLE"),
        0x1830 => storage("PBL_NBW_CMP_MASK"),
        0x1838 => storage("PBL_SYS_LINK_INIT"),
        0x1840 => storage("PBL_BUF_STATUS"),
        0x1900..0x1960 | 0x1c00..0x1c60 => return describe_group(offset & 0xff, false),
        PCIE_SCR => storage("PCIE_SCR"),
        PCIE_CRESET => active("PCIE_CRESET"),
        HOTPLUG_STATUS => active("HOTPLUG_STATUS"),
        DLP_TRAIN_CTL => active("DLP_TRAIN_CTL"),
        0x1a78 => storage("DLP_CTL"),
        DLP_TRWCTL => storage("DLP_TRWCTL"),
        0x1aa0 => kind("DLP_ERRLOG1", Kind::OnesClear),
        0x1aa8 => kind("DLP_ERRLOG2", Kind::OnesClear),
        0x1ab0 => kind("DLP_ERR_STATUS", Kind::OnesClear),
        0x1ab8 => storage("DLP_ERR_COUNTERS"),
        0x1ad0 | 0x1ad8 | 0x1ae0 | 0x1ae8 | 0x1af0 | 0x1af8 => storage("LANE_EQ_CNTL"),
        0x1b00 | 0x1b08 if phb5 => storage("LANE_EQ_CNTL5x"),
        0x1b30 => storage("MISC_STRAP"),
        0x1b38 => storage("PDL_PHY_EQ_CNTL"),
        _ => return None,
    })
}

pub fn describe_group(inside: u64, has_lem: bool) -> Option<Register> {
    Some(match inside {
        0x00 => kind("error status", Kind::OnesClear),
        0x08 => storage("first error status"),
        0x10 => storage("error inject"),
        0x18 if has_lem => storage("LEM enable"),
        0x20 => storage("interrupt or INF enable"),
        0x28 => storage("freeze or ERC enable"),
        0x30 => storage("fence or FAT enable"),
        0x40 => storage("error log 0"),
        0x48 => storage("error log 1"),
        0x50 => storage("error status mask"),
        0x58 => storage("first error status mask"),
        _ => return None,
    })
}

impl State {
    /// A load that has reached the bridge. `width` says bytes; the value is the number a big-endian load gives.
    pub fn read(&mut self, offset: u64, width: u32) -> u64 {
        match offset {
            CONFIG_DATA..CONFIG_DATA_END if width <= 4 => return self.config_read(offset & 3, width),
            ROOT_CONFIG..ROOT_CONFIG_END => {
                assert_width("load", offset, width, 4);
                return self.root_config_read(offset - ROOT_CONFIG);
            }
            _ => assert_width("load", offset, width, 8),
        }
        let register = self.known("load", offset, width);
        match register.kind {
            Kind::AndInto(_) | Kind::OrInto(_) => {
                panic!("PHB: load from {} ({offset:#x}), which only takes stores", register.name)
            }
            Kind::Active => self.read_active(offset),
            _ => self.stored(offset),
        }
    }

    /// A store that has reached the bridge.
    pub fn write(&mut self, offset: u64, width: u32, value: u64) {
        match offset {
            CONFIG_DATA..CONFIG_DATA_END if width <= 4 => return self.config_write(offset & 3, width, value),
            ROOT_CONFIG..ROOT_CONFIG_END => {
                assert_width("store", offset, width, 4);
                return self.root_config_write(offset - ROOT_CONFIG, value as u32);
            }
            _ => assert_width("store", offset, width, 8),
        }
        let Register { name, kind, .. } = self.known("store", offset, width);
        let old = self.stored(offset);
        match kind {
            Kind::ReadOnly => panic!("PHB: store of {value:#x} to {name} ({offset:#x}), which is read-only"),
            Kind::Storage(mask) => self.set(offset, value & mask),
            Kind::Strict(mask) => {
                assert!(
                    value & !mask == 0,
                    "PHB: store of {value:#018x} to {name} ({offset:#x}) sets bits {:#018x} outside its fields",
                    value & !mask
                );
                self.set(offset, value);
            }
            Kind::OnesClear => self.set(offset, old & !value),
            Kind::StoreClears => self.set(offset, 0),
            Kind::AndInto(target) => self.set(target, self.stored(target) & value),
            Kind::OrInto(target) => self.set(target, self.stored(target) | value),
            Kind::Active => self.write_active(offset, value),
        }
        if offset == INT_NOTIFY_INDEX {
            // §4.10: the source number is ORed in, so the base must leave its bits free.
            let low = value & (self.size.interrupts() as u64 - 1);
            assert!(low == 0, "PHB: INT_NOTIFY_INDEX {value:#x} is not aligned to the number of sources");
        }
    }

    /// A register's value without side effects.
    pub fn stored(&self, offset: u64) -> u64 {
        self.storage.get(&offset).copied().unwrap_or_else(|| {
            describe(offset, self.generation, self.size).map_or(0, |register| register.reset)
        })
    }

    /// Replaces a register's value.
    pub fn set(&mut self, offset: u64, value: u64) {
        self.storage.insert(offset, value);
    }

    /// Whether any error group reports something.
    pub fn any_error_status(&self) -> bool {
        ERROR_GROUPS.iter().chain(&CORE_GROUPS).any(|group| self.stored(*group) != 0)
    }

    fn known(&self, what: &str, offset: u64, width: u32) -> Register {
        describe(offset, self.generation, self.size)
            .unwrap_or_else(|| panic!("PHB: {width}-byte {what} at {offset:#x}: no such register"))
    }

    fn read_active(&mut self, offset: u64) -> u64 {
        match offset {
            DMA_CHAN_STATUS => self.stored(offset) | if self.ioda.any_dma_stopped() { ANY_FREEZE } else { 0 },
            CPU_LOADSTORE_STATUS => {
                self.stored(offset) | if self.ioda.any_mmio_frozen() { ANY_FREEZE } else { 0 }
            }
            DMA_SYNC => self.kill.read_sync(),
            RTC_INVALIDATE => 0,
            TCE_KILL => self.kill.read_slot(),
            IODA_ADDR => self.ioda.address(),
            IODA_DATA0 => self.ioda.read(),
            ETU_ERR_SUMMARY => u64::from(self.any_error_status()),
            Q_DMA_R => self.read_quiesce(),
            PCIE_CRESET => self.link.creset,
            HOTPLUG_STATUS => self.hotplug_status(),
            DLP_TRAIN_CTL => self.train_control(),
            _ => unreachable!("an active register without code: {offset:#x}"),
        }
    }

    fn write_active(&mut self, offset: u64, value: u64) {
        match offset {
            DMA_CHAN_STATUS => self.set(offset, value & !ANY_FREEZE),
            DMA_SYNC => self.kill.write_sync(value, self.generation),
            RTC_INVALIDATE => {
                assert!(
                    value & !(RTC_ALL | bits(16, 31)) == 0,
                    "PHB: RTC_INVALIDATE {value:#x}: unknown bits"
                );
                if value & RTC_ALL != 0 {
                    self.rtc.clear();
                } else {
                    self.rtc.remove(&((value >> 32) as u16));
                }
            }
            TCE_KILL => self.kill.write_slot(value),
            IODA_ADDR => self.ioda.select(value),
            IODA_DATA0 => self.write_table(value),
            Q_DMA_R => self.kill.write_quiesce(value),
            PCIE_CRESET => self.write_creset(value),
            HOTPLUG_STATUS => {}
            // Only the disable-detect and in-band presence bits are said to be anything but status.
            DLP_TRAIN_CTL => self.link.train_written = value & (bit(12) | bit(19)),
            CPU_LOADSTORE_STATUS | ETU_ERR_SUMMARY => {
                panic!("PHB: store of {value:#x} to {offset:#x}, read-only")
            }
            _ => unreachable!("an active register without code: {offset:#x}"),
        }
    }

    fn write_table(&mut self, value: u64) {
        let cleared = self.ioda.write(value);
        if let Some(pe) = cleared {
            self.recorded[pe] = false;
        }
    }
}

pub fn assert_width(what: &str, offset: u64, width: u32, wanted: u32) {
    assert!(width == wanted, "PHB: {width}-byte {what} at {offset:#x}, which takes {wanted} bytes");
}
