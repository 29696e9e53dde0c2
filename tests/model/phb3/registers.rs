//! The register map (§3.1, §3.2, §3.4, P4.11): what a load gives, what a store does, and what doesn't exist.
//! Offsets that the reference gives to PHB4 only are unknown here, and so are XIVE_UPDATE, which is broken, and
//! those UTL registers that it doesn't name.

use super::{Part, State};
use crate::model::phb4::Generation;
use crate::model::phb4::bits::{bit, bits};
use crate::model::phb4::kill::Target;
use crate::model::phb4::registers::{
    Kind, Register, active, assert_width, describe_group, kind, read_only, storage, strict,
};

const LEM_FIR: u64 = 0xc00;
const LEM_MASK: u64 = 0xc18;
/// Error groups: ERR, OUT, INA, INB.
pub const ERROR_GROUPS: [u64; 4] = [0xc80, 0xd00, 0xd80, 0xe00];
/// INB: inbound DMA, where TCE faults are noted (?).
pub const INB_STATUS: u64 = 0xe00;

pub const LSI_SOURCE_ID: u64 = 0x100;
const DMA_CHAN_STATUS: u64 = 0x110;
const CPU_LOADSTORE_STATUS: u64 = 0x120;
const CONFIG_DATA: u64 = 0x130;
const CONFIG_DATA_END: u64 = 0x134;
pub const CONFIG_ADDRESS: u64 = 0x140;
pub const IVT_BAR: u64 = 0x150;
pub const CONFIG: u64 = 0x160;
pub const RTT_BAR: u64 = 0x168;
pub const PELTV_BAR: u64 = 0x188;
pub const M32_BASE: u64 = 0x190;
pub const M32_MASK: u64 = 0x198;
pub const M32_START: u64 = 0x1a0;
pub const PEST_BAR: u64 = 0x1a8;
pub const M64_UPPER: u64 = 0x1f0;
const DMA_SYNC: u64 = 0x200;
const RTC_INVALIDATE: u64 = 0x208;
const TCE_KILL: u64 = 0x210;
const IODA_ADDR: u64 = 0x220;
const IODA_DATA0: u64 = 0x228;
const FFI_REQUEST: u64 = 0x238;
const FFI_LOCK: u64 = 0x240;
const IVC_INVALIDATE: u64 = 0x2a0;
const IVC_UPDATE: u64 = 0x2a8;
const ETU_ERR_SUMMARY: u64 = 0x2c8;
pub const SYSTEM_CONFIG: u64 = 0x600;
const LINK_MANAGEMENT: u64 = 0x630;
const DLP_TRAIN_CTL: u64 = 0x640;
const RESET: u64 = 0x808;
pub const CONTROL: u64 = 0x810;
const Q_DMA_R: u64 = 0x888;
const HOTPLUG_OVERRIDE: u64 = 0xfb0;

/// Of CONFIG: 64-byte TCE fetch, whose store flushes the TCE cache (§3.4).
const FLUSH_TCES: u64 = bit(2);
const ALL: u64 = bit(0);
const KILL_PE: u64 = bit(1);
const KILL_PAGE: u64 = bit(2);
const KILL_PE_NUMBER: u64 = bits(56, 63);
const KILL_ADDRESS: u64 = bits(4, 51);
/// Some PE is frozen, in both load/store and DMA status.
const ANY_FREEZE: u64 = bit(29);
const QUIESCE: u64 = bit(0);

/// The register at an offset, if the tables know one.
fn describe(offset: u64, part: Part) -> Option<Register> {
    Some(match offset {
        LSI_SOURCE_ID => strict("LSI_SOURCE_ID", bits(5, 12)),
        DMA_CHAN_STATUS => active("DMA_CHAN_STATUS"),
        CPU_LOADSTORE_STATUS => active("CPU_LOADSTORE_STATUS"),
        0x128 => strict("DMA_MSI_NODE_ID", bit(0) | bits(24, 31)),
        0x138 => storage("LOCK0"),
        CONFIG_ADDRESS => strict("CONFIG_ADDRESS", bit(0) | bits(4, 31) | bits(40, 47)),
        0x148 => storage("LOCK1"),
        IVT_BAR => strict("IVT_BAR", bit(0) | bits(14, 48) | bits(52, 63)),
        0x158 => strict("RBA_BAR", bit(0) | bits(14, 55)),
        CONFIG => strict("CONFIG", bit(2) | bit(8) | bit(14) | bit(16)),
        RTT_BAR => strict("RTT_BAR", bit(0) | bits(14, 46)),
        PELTV_BAR => strict("PELTV_BAR", bit(0) | bits(14, 50)),
        M32_BASE => storage("M32_BASE_ADDR"),
        M32_MASK => storage("M32_BASE_MASK"),
        M32_START => storage("M32_START_ADDR"),
        PEST_BAR => strict("PEST_BAR", bit(0) | bits(14, 51)),
        M64_UPPER => kind("M64_UPPER_BITS", Kind::Storage(bits(0, 13))),
        0x1f8 => storage("INTREP_TIMER"),
        DMA_SYNC => active("DMA_READ_WRITE_SYNC"),
        RTC_INVALIDATE => active("RTC_INVALIDATE"),
        TCE_KILL => active("TCE_KILL"),
        0x218 => storage("TCE_SPEC_CTL"),
        IODA_ADDR => active("IODA_ADDR"),
        IODA_DATA0 => active("IODA_DATA0"),
        FFI_REQUEST => active("FFI_REQUEST"),
        FFI_LOCK => active("FFI_LOCK"),
        IVC_INVALIDATE => active("IVC_INVALIDATE"),
        IVC_UPDATE => active("IVC_UPDATE"),
        0x2b0 => storage("PAPR_ERR_INJ_CTL"),
        0x2b8 => storage("PAPR_ERR_INJ_ADDR"),
        0x2c0 => storage("PAPR_ERR_INJ_MASK"),
        ETU_ERR_SUMMARY => active("ETU_ERR_SUMMARY"),

        0x410 => kind("UTL agent status", Kind::OnesClear),
        0x418 => storage("UTL agent severity"),
        0x420 => storage("UTL agent interrupt enable"),
        0x540 => storage("UTL port control"),
        0x548 => kind("UTL port status", Kind::OnesClear),
        0x550 => storage("UTL port severity"),
        0x558 => storage("UTL port interrupt enable"),
        0x560 => kind("UTL root complex status", Kind::OnesClear),
        SYSTEM_CONFIG => {
            let reset = 0x4411_00fc_3000_0000;
            Register { name: "PCIE_SYSTEM_CONFIG", kind: Kind::Storage(u64::MAX), reset }
        }
        LINK_MANAGEMENT => active("LINK_MANAGEMENT"),
        DLP_TRAIN_CTL => active("DLP_TRAIN_CTL"),
        0x668 => storage("SYS_LINK_INIT"),
        0x680 | 0x688 | 0x690 | 0x698 => kind("UTL_ERRLOG", Kind::OnesClear),
        0x6a0 => kind("DLP_ERRLOG1", Kind::OnesClear),
        0x6a8 => kind("DLP_ERRLOG2", Kind::OnesClear),
        0x6d0 | 0x6d8 | 0x6e0 | 0x6e8 => storage("LANE_EQ_CNTL"),

        0x800 => read_only("VERSION", if part == Part::Naples { 0xb3_0000_0001 } else { 0xa3_0000_0005 }),
        RESET => active("RESET"),
        CONTROL => storage("PHB_CONTROL"),
        0x818 => storage("AIB_RX_CRED_INIT_TIMER"),
        0x820 => storage("AIB_RX_CMD_CRED"),
        0x828 => storage("AIB_RX_DATA_CRED"),
        0x840 => storage("AIB_TX_CHAN_MAPPING"),
        0x858 => storage("AIB_TAG_ENABLE"),
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
        0xc80..0xe80 => return describe_group(offset & 0x7f, true),
        0xf80 => storage("trace control"),
        0xf88 => storage("perfmon config"),
        0xf90 | 0xf98 | 0xfa0 | 0xfa8 => storage("perfmon counter"),
        HOTPLUG_OVERRIDE => active("HOTPLUG_OVERRIDE"),
        _ => return None,
    })
}

impl State {
    /// A load that has reached the bridge. `width` says bytes; the value is the number a big-endian load gives.
    pub fn read(&mut self, offset: u64, width: u32) -> u64 {
        match offset {
            CONFIG_DATA..CONFIG_DATA_END if width <= 4 => return self.config_read(offset & 3, width),
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
        if offset == CONFIG && value & FLUSH_TCES != 0 {
            self.tce_cache.clear();
        }
    }

    /// A register's value without side effects.
    pub fn stored(&self, offset: u64) -> u64 {
        self.storage
            .get(&offset)
            .copied()
            .unwrap_or_else(|| describe(offset, self.part).map_or(0, |register| register.reset))
    }

    /// Replaces a register's value.
    pub fn set(&mut self, offset: u64, value: u64) {
        self.storage.insert(offset, value);
    }

    fn known(&self, what: &str, offset: u64, width: u32) -> Register {
        describe(offset, self.part)
            .unwrap_or_else(|| panic!("PHB: {width}-byte {what} at {offset:#x}: no such register"))
    }

    fn read_active(&mut self, offset: u64) -> u64 {
        match offset {
            DMA_CHAN_STATUS => self.stored(offset) | if self.ioda.any_dma_stopped() { ANY_FREEZE } else { 0 },
            CPU_LOADSTORE_STATUS => {
                self.stored(offset) | if self.ioda.any_mmio_frozen() { ANY_FREEZE } else { 0 }
            }
            DMA_SYNC => self.sync.read_sync(),
            RTC_INVALIDATE | TCE_KILL | IVC_INVALIDATE => 0,
            IODA_ADDR => self.ioda.address(),
            IODA_DATA0 => self.ioda.read(&self.interrupts),
            FFI_LOCK => self.interrupts.take_lock(),
            ETU_ERR_SUMMARY => u64::from(ERROR_GROUPS.iter().any(|group| self.stored(*group) != 0)),
            LINK_MANAGEMENT => self.link_management(),
            DLP_TRAIN_CTL => self.train_control(),
            RESET => self.link.reset,
            Q_DMA_R => u64::from(self.sync.quiesced()) * QUIESCE,
            HOTPLUG_OVERRIDE => self.hotplug(),
            FFI_REQUEST | IVC_UPDATE => panic!("PHB: load from {offset:#x}, which only takes stores"),
            _ => unreachable!("an active register without code: {offset:#x}"),
        }
    }

    fn write_active(&mut self, offset: u64, value: u64) {
        match offset {
            DMA_CHAN_STATUS => self.set(offset, value & !ANY_FREEZE),
            DMA_SYNC => self.sync.write_sync(value, Generation::Phb4),
            RTC_INVALIDATE => match invalidation("RTC", value) {
                None => self.rtc.clear(),
                Some(rid) => _ = self.rtc.remove(&rid),
            },
            TCE_KILL => self.kill(value),
            IODA_ADDR => self.ioda.select(value),
            IODA_DATA0 => {
                if let Some(pe) = self.ioda.write(value, &mut self.interrupts) {
                    self.recorded[pe] = false;
                }
            }
            FFI_REQUEST => self.ffi_request(value),
            IVC_INVALIDATE => self.interrupts.forget(invalidation("IVC", value)),
            IVC_UPDATE => self.interrupts.update(value),
            LINK_MANAGEMENT => self.set(offset, value),
            DLP_TRAIN_CTL => self.write_train_control(value),
            RESET => self.write_reset(value),
            Q_DMA_R => self.sync.write_quiesce(value),
            // What an override does isn't documented; reading it back shows the slot all the same.
            HOTPLUG_OVERRIDE => {}
            CPU_LOADSTORE_STATUS | ETU_ERR_SUMMARY | FFI_LOCK => {
                panic!("PHB: store of {value:#x} to {offset:#x}, read-only")
            }
            _ => unreachable!("an active register without code: {offset:#x}"),
        }
    }

    /// §8.1: no status tells when a kill is done, so it is at once. A page kill names no size.
    fn kill(&mut self, value: u64) {
        let pe = (value & KILL_PE_NUMBER) as u16;
        let (target, known) = match value & (ALL | KILL_PE | KILL_PAGE) {
            ALL => (Target::All, 0),
            KILL_PE => (Target::Pe(pe), KILL_PE_NUMBER),
            KILL_PAGE => {
                (Target::AnyPage { pe, address: value & KILL_ADDRESS }, KILL_PE_NUMBER | KILL_ADDRESS)
            }
            _ => panic!("PHB: TCE_KILL {value:#018x} asks for none or several kinds"),
        };
        let unknown = value & !(known | bits(0, 2));
        assert!(unknown == 0, "PHB: TCE_KILL {value:#018x}: unknown bits {unknown:#x}");
        self.tce_cache.kill(target);
    }
}

/// Bit 0 for everything (`None`) or one entry in bits 16 to 31.
fn invalidation(name: &str, value: u64) -> Option<u16> {
    assert!(value & !(ALL | bits(16, 31)) == 0, "PHB: {name}_INVALIDATE {value:#x}: unknown bits");
    (value & ALL == 0).then_some((value >> 32) as u16)
}
