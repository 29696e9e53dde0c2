//! PHB3, the bridge of POWER8, as far as it isn't what PHB4 is: its nest side, how it is set up, its M64 windows and its
//! message interrupts. The tables' other forms, the windows for DMA, PEs, EEH and resets are those of the files above.

mod init;
pub mod ivt;
pub(super) mod m64;
mod pbcq;
pub mod regs;

use super::bridge::{Facts, HostBridge, Interrupts, Parts, Shadows, Sizes, version};
use super::generation::{ErrorGroup, Generation, Ioda, Link};
use super::ioda::{Shadow, TableId};
use super::regs4::{Reg, TceKill};
use super::stack::{Stack, Windows};
use super::{diag, regs4};
use crate::error::{Error, Reason, Result};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::hw::xscom::Xscom;
use crate::iommu::Translation;
use crate::mem::Region;
use crate::units::Isn;
use alloc::sync::Arc;
use ivt::Ivt;

/// Interrupt sources of a bridge, LSIs included.
pub const SOURCES: u16 = 2048;
/// Priority 0xff, server 0: how an LSI starts.
const MASKED_LSI: u64 = 0xff << 32;
/// Where a revision of VERSION is at least a Naples.
const NAPLES: u32 = 0xb3_0001;
const VENICE_DD20: u32 = 0xa3_0005;
/// CTRLR on a Naples: windows that don't translate reach below 4 GiB too.
const LOW_BYPASS: u64 = 1 << (63 - 11);

/// POWER8.
pub static PHB3: Generation = Generation {
    translation: Translation { page_sizes: 1 << 12 | 1 << 16 | 1 << 24 | 1 << 28, no_translate_50: false },
    ioda: Ioda::Two,
    // Entries of the IVT have 16 bytes.
    ctrlr: 0xf3a8_0e5b_0000_0000,
    pec: "ibm,power8-pbcq",
    ids_per_chip: 4,
    max_link_speed: [3, 3],
    asn_compare: None,
    // A kill ends at once, but TCE_KILL may keep what was written. This register tells of errors elsewhere only, and is
    // all ones when the bridge is fenced.
    kill_gate: Reg::<TceKill>::at(regs4::CPU_LOADSTORE_STATUS.offset()),
    lane_equalisation: &[],
    dlp_control: 0,
    phy_equalisation: None,
    root: init::ROOT,
    root_command: 0xf900_0146,
    errors: &ERRORS,
    lem_mask: 0x4249_8e36_7f50_2eae,
    link: Link {
        reset: regs::RESET,
        perst_n: 1 << (63 - 2),
        train: regs::DLP_TRAIN_CTL,
        hotplug: regs::HOTPLUG_OVERRIDE,
        empty: 3 << (63 - 11),
        up_down: [
            &[(regs::PORT_INTERRUPTS.offset(), 0xad52_8000_0000_0000)],
            &[(regs::PORT_INTERRUPTS.offset(), 0xad42_8000_0000_0000)],
        ],
        errors: None,
        settle_ms: 100,
    },
    stack: &pbcq::LAYOUT,
    diag: &DIAG,
    source_word: MASKED_LSI,
    mdt_step: 0,
    m64_grain: [1 << 20, 32 << 20],
    m64_top: 1 << 50,
    mdt_columns: 0,
    write_sync: false,
    hold_detect: false,
};

/// ERR, OUT, INA and INB.
static ERRORS: [ErrorGroup; 4] = [
    ErrorGroup {
        base: 0xc80,
        lem: u64::MAX,
        interrupt: 0x0000_0022_80b8_0000,
        freeze: 0x0000_0000_8080_0000,
        fence: 0xffff_ffdd_0c00_ffc0,
        status_mask: 0,
        first_mask: 0,
    },
    ErrorGroup {
        base: 0xd00,
        lem: 0xfdff_ffff_ffbf_ffff,
        interrupt: 0x600c_42fc_0420_80f0,
        freeze: 0x0000_4208_0000_0000,
        fence: 0x9cf3_bc00_f89c_700f,
        status_mask: 0x0000_0000_0040_0000,
        first_mask: 0x0000_0000_0040_0000,
    },
    ErrorGroup {
        base: 0xd80,
        lem: u64::MAX,
        interrupt: 0xc000_a3a9_0182_6020,
        freeze: 0xc000_03a9_0100_6000,
        fence: 0x3fff_5452_fe01_9fde,
        status_mask: 0,
        first_mask: 0,
    },
    ErrorGroup {
        base: 0xe00,
        lem: u64::MAX,
        interrupt: 0x0000_6000_0080_0070,
        freeze: 0x0000_6000_0000_0060,
        fence: 0xfcff_80fb_ff7f_f08c,
        status_mask: 0,
        first_mask: 0,
    },
];

static DIAG: diag::Layout = diag::Layout {
    size: 0x1128,
    kind: 2,
    root: &[
        (0x1c, 0x50),
        (0x20, 0x60),
        (0x24, 0x58),
        (0x28, 0x04),
        (0x2c, 0x1c),
        (0x30, 0x130),
        (0x34, 0x104),
        (0x38, 0x110),
        (0x3c, 0x11c),
        (0x40, 0x120),
        (0x44, 0x124),
        (0x48, 0x128),
        (0x4c, 0x134),
    ],
    halves: &[
        (0x10, regs::PORT_STATUS.offset()),
        (0x14, regs::ROOT_STATUS.offset()),
        (0x18, regs::AGENT_STATUS.offset()),
    ],
    nest: 0x68,
    registers: &[(0x80, 0x120), (0x88, 0x110), (0x90, 0xc00), (0x98, 0xc18), (0xa0, 0xc40)],
    groups: &[(0xa8, 0xc80), (0xc8, 0xd00), (0xe8, 0xd80), (0x108, 0xe00)],
    pest: 0x128,
    pes: 256,
};

/// A bridge's nest side, and its windows, which an earlier stage of firmware has chosen.
///
/// # Errors
/// `Hardware` when it has none or doesn't answer.
pub(super) fn nest(xscom: Arc<dyn Xscom>, bases: [u32; 3]) -> Result<(Stack, Windows)> {
    let stack = Stack::alone(xscom, bases, &pbcq::LAYOUT);
    let windows = pbcq::windows(&stack)?;
    Ok((stack, windows))
}

impl<I: Mmio, R: Ram> HostBridge<I, R> {
    /// The same as [`HostBridge::new`] for a PHB3.
    pub(super) fn new_phb3(
        parts: Parts<I, R>,
        region: &mut Region,
        reserve: &mut dyn FnMut(u16) -> Result<Interrupts>,
    ) -> Result<Self> {
        let interrupts = reserve(SOURCES)?;
        pbcq::open(&parts.stack, interrupts.base)?;
        if parts.stack.start()? {
            crate::sync::wait_until(SETTLE_US, || false);
        }
        let version = version(&parts.stack.back_door())?;
        let naples = if revision(version) >= NAPLES { LOW_BYPASS } else { 0 };
        let shadows = Shadows {
            mist: Shadow::new(TableId::Lxivt, (0..8).map(|_| MASKED_LSI)),
            mbt: Shadow::new(TableId::Mbt, (0..16).map(|_| 0)),
            ivt: Ivt::allocate(&parts.ram, region),
        };
        let facts = Facts {
            version,
            sizes: Sizes { pes: 256, mbt: 16, mrt: 8 },
            sources: SOURCES,
            interrupts,
            m64_windows: 0..16,
            max_link_speed: 3,
            control: parts.generation.ctrlr | naples,
        };
        let mut phb = Self::assemble(parts, facts, shadows, region);
        phb.initialise()?;
        Ok(phb)
    }
}

/// From the end of reset to the first access.
const SETTLE_US: u64 = 100_000;

/// Part and level as §1.2 has them.
const fn revision(version: u64) -> u32 {
    (version >> 16 & 0x00ff_0000 | version & 0xffff) as u32
}

/// A bridge's own source that an interrupt number, global or not, names.
pub(super) const fn local_source(number: u64, base: Isn) -> u64 {
    match number.checked_sub(base.0 as u64) {
        Some(local) if local < SOURCES as u64 => local,
        _ => number,
    }
}

/// A failure that leaves the bridge unusable.
const fn broken<T>(why: Reason) -> Result<T> {
    Err(Error::Hardware(why))
}
