//! From a PHB3 that just left reset to one that works: `reference/phb-dma-windows.md` §9.3, step by step.

use super::regs::{self, *};
use super::{NAPLES, VENICE_DD20, broken, pbcq, revision};
use crate::error::{Result, why};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::iommu::Kill;
use crate::phb::bridge::HostBridge;
use crate::phb::ioda;
use crate::phb::regs4::{self, LsiSourceId, TCE_TAG_ENABLE};
use crate::phb::windows::M32_PCI_START;
use crate::sync::wait_until;

/// The core leaves reset in this time.
const CORE_RESET_US: u64 = 400_000;

/// The root port's config space: offset, bits to clear, bits to set.
pub const ROOT: &[(u16, u32, u32)] = &[
    // Primary bus 0, secondary 1, all others below.
    (0x18, u32::MAX, 0x00ff_0100),
    // Windows begin behind their end; upper halves 0.
    (0x1c, u32::MAX, 0xf900_0010),
    (0x20, u32::MAX, 0x0000_0010),
    (0x24, u32::MAX, 0x0000_0010),
    (0x28, u32::MAX, 0),
    (0x2c, u32::MAX, 0),
    // Forward the other side's errors.
    (0x3c, 0, 2 << 16),
    // Report all errors, payloads of 128 bytes; the high half clears the status.
    (0x50, 0x0000_ffff, 0x000f_000f),
    // Root control: system errors, retry status is visible.
    (0x64, 0, 0x17),
    // Completion timeout of the bridge, ARI forwarding.
    (0x70, 0x0000_ffff, 0x2f),
    (0x104, u32::MAX, u32::MAX),
    // Poisoned, timeout, abort, ECRC are handled by the bridge and its PEs.
    (0x108, u32::MAX, 1 << 12 | 1 << 14 | 1 << 15 | 1 << 19),
    // Fatal: data link, surprise down, flow control, unexpected completion, overflow, malformed.
    (0x10c, u32::MAX, 1 << 4 | 1 << 5 | 1 << 13 | 1 << 16 | 1 << 17 | 1 << 18),
    (0x110, u32::MAX, u32::MAX),
    // Advisory, and receiver errors while the link is down.
    (0x114, u32::MAX, 1 << 13 | 1),
    // ECRC: generate and check.
    (0x118, 0, 1 << 6 | 1 << 8),
    (0x12c, 0, 7),
    (0x130, u32::MAX, u32::MAX),
];

const SLOT_POWER: u64 = 1 << (63 - 15);
const SPEED: u64 = 0xf << 28;
const SPEED_SHIFT: u32 = 28;
/// All but PERST.
const RESET_RELEASED: u64 = 0xd << 60;
const ENABLE: u64 = 1 << 63;
const IVT_ENTRIES: u64 = 0x800;
/// CONFIG: 64-byte TCE fetch, whose change empties the TCE cache.
const FETCH_64: u64 = 1 << (63 - 2);
/// 32-bit MSIs, 64-bit MSIs, M32.
const DECODE: u64 = 1 << (63 - 8) | 1 << (63 - 14) | 1 << (63 - 16);

impl<I: Mmio, R: Ram> HostBridge<I, R> {
    /// Sets up the whole bridge but its link; PERST stays asserted.
    pub(in crate::phb) fn initialise_phb3(&mut self) -> Result {
        pbcq::set_timeouts(&self.stack)?;
        let revision = revision(self.info.version);
        self.set_up_bus(revision);
        self.set_up_decoding_phb3(revision);
        self.write_tables();
        self.start_kill(Kill::All);
        for offset in [0x680, 0x688, 0x690, 0x698, 0x6a0, 0x6a8] {
            self.regs.write64(offset, u64::MAX);
        }
        if !wait_until(CORE_RESET_US, || !DLP_TRAIN_CTL.read(&self.regs).in_reset()) {
            return broken(why("PHB core stays in reset"));
        }
        PORT_STATUS.write(&self.regs, u64::MAX);
        self.set_up_root_port();
        self.write_all(&[
            (AGENT_STATUS.offset(), u64::MAX),
            (AGENT_SEVERITY.offset(), 0x5000_0000_0000_0000),
            (AGENT_INTERRUPTS.offset(), 0xfcc0_0000_0000_0000),
            // Outbound requests time out after 16 ms (SW283991).
            (PORT_CONTROL.offset(), 0x8588_0070_0000_0000),
            (PORT_STATUS.offset(), 0xffdf_ffff_ffff_ffff),
            (PORT_SEVERITY.offset(), 0x5039_0000_0000_0000),
            (PORT_INTERRUPTS.offset(), 0xad42_8000_0000_0000),
            (regs::ROOT_STATUS.offset(), u64::MAX),
            (regs4::CTRLR.offset(), self.control),
            (regs4::LEM_ERROR_MASK.offset(), u64::MAX),
        ]);
        self.set_up_errors();
        if regs4::ETU_ERR_SUMMARY.read(&self.regs) != 0 {
            return broken(why("PHB shows errors while it is set up"));
        }
        self.command_root_port();
        self.enable_errors();
        self.write_all(&[
            // Speculation, but not of the IVT.
            (regs4::TCE_SPEC_CTL.offset(), 0xf000_0000_0000_0000),
            (regs4::TIMEOUT_CTRL1.offset(), 0x1715_1520_1620_0000),
            (regs4::TIMEOUT_CTRL2.offset(), 0x2320_d716_0000_0000),
        ]);
        Ok(ioda::alive(&self.regs)?)
    }

    /// Steps 2 to 13: the bus to the nest, which isn't ready for accesses through the window before, and the core.
    fn set_up_bus(&self, revision: u32) {
        let door = self.stack.back_door();
        let new = revision >= VENICE_DD20;
        for (offset, value) in [
            (0x840, 0x0211_2300_0000_0000),
            (0x820, if new { 0x0020_0001_0002_0001 } else { 0x0020_0001_0001_0001 }),
            (0x828, if new { 0x0020_0020_0001_0001 } else { 0x0020_0020_0000_0001 }),
            (0x818, 0x0f00_0000_0000_0000),
            (0x858, 0xffff_ffff_0000_0000),
            (TCE_TAG_ENABLE.offset(), 0xffff_ffff_0000_0000),
        ] {
            door.write64(offset, value);
        }
        let config = SYSTEM_CONFIG.read(&self.regs) & !(SLOT_POWER | SPEED);
        SYSTEM_CONFIG.write(&self.regs, config | u64::from(self.max_link_speed) << SPEED_SHIFT);
        if self.info.identity.index == 2 && revision < NAPLES {
            // Erratum: wrong credits.
            SYS_LINK_INIT.write(&self.regs, 0x9008_1333_3212_0000);
        }
        RESET.write(&self.regs, RESET_RELEASED);
    }

    /// Steps 14 to 26: where interrupts, tables and windows are.
    fn set_up_decoding_phb3(&self, revision: u32) {
        let mut lsi = LsiSourceId::default();
        lsi.set_source((self.sources - 1) >> 3);
        regs4::LSI_SOURCE_ID.write(&self.regs, lsi);
        let m32 = &self.info.m32;
        self.write_all(&[
            (regs4::RTT_BAR.offset(), self.tables.rtt | ENABLE),
            (regs4::PELTV_BAR.offset(), self.tables.peltv | ENABLE),
            (IVT_BAR.offset(), self.ivt.address() | IVT_ENTRIES | ENABLE),
            (RBA_BAR.offset(), 0),
            (M32_BASE.offset(), m32.start),
            (M32_MASK.offset(), m32.end.wrapping_sub(m32.start).wrapping_neg()),
            (regs4::M32_START_ADDR.offset(), M32_PCI_START),
            (regs4::PEST_BAR.offset(), self.tables.pest | ENABLE),
            (regs4::M64_UPPER_BITS.offset(), 0),
            (
                INTREP_TIMER.offset(),
                if revision >= NAPLES { 0x0014_0000_0000_0000 } else { 0x0004_0000_0000_0000 },
            ),
            (CONFIG.offset(), FETCH_64),
            (CONFIG.offset(), DECODE),
        ]);
        // At least 512 ns must pass before the next access.
        wait_until(2, || false);
    }
}
