//! What differs between the generations of bridges, as data.

use super::regs4::{self, Reg, TceKill, TrainCtl};
use super::{diag, init, stack};
use crate::iommu::Translation;

/// The architecture of a bridge's tables, interrupts and errors, for the few places where data doesn't do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ioda {
    /// PHB3: interrupts are entries in memory, the root port answers to config cycles.
    Two,
    /// PHB4 and PHB5.
    Three,
}

/// Where a bridge shows and controls its link.
#[derive(Debug)]
pub struct Link {
    /// Has PERST.
    pub reset: Reg<u64>,
    /// PERST's bit there: 0 is asserted.
    pub perst_n: u64,
    /// Training.
    pub train: Reg<TrainCtl>,
    /// The slot.
    pub hotplug: Reg<u64>,
    /// Its bits that are all set when the slot is empty.
    pub empty: u64,
    /// What is written when the link comes up, and before it goes down on purpose.
    pub up_down: [&'static [(u64, u64)]; 2],
    /// Error group of the core, to be cleared while the link is down.
    pub errors: Option<u64>,
    /// From the end of the bridge's reset to its first access, in milliseconds.
    pub settle_ms: u32,
}

/// Enables of one error group (`reference/phb-dma-windows.md` §3.2).
#[derive(Debug)]
pub struct ErrorGroup {
    /// Offset of the group.
    pub base: u64,
    /// Errors that reach the local error macro.
    pub lem: u64,
    /// Errors that interrupt.
    pub interrupt: u64,
    /// Errors that freeze the PE.
    pub freeze: u64,
    /// Errors that fence the bridge.
    pub fence: u64,
    /// Errors that aren't latched.
    pub status_mask: u64,
    /// Errors that aren't latched as the first one.
    pub first_mask: u64,
}

/// One generation.
#[derive(Debug)]
pub struct Generation {
    /// What its windows can be.
    pub translation: Translation,
    /// Its architecture.
    pub ioda: Ioda,
    /// CTRLR's bits that are always set, besides the options.
    pub ctrlr: u64,
    /// `compatible` of its PECs in the machine's tree.
    pub pec: &'static str,
    /// From the OPAL number of a chip's first bridge to the next chip's.
    pub ids_per_chip: u64,
    /// PCIe generation of the fastest link of a bridge with 512 PEs, and of a smaller one.
    pub max_link_speed: [u8; 2],
    /// ASN_CMPM, where the register exists.
    pub asn_compare: Option<u64>,
    /// The register to look at before a TCE kill: its first three bits are 0 when the bridge takes one.
    pub kill_gate: Reg<TceKill>,
    /// Lane equalisation, register by register.
    pub lane_equalisation: &'static [(u64, u64)],
    /// DLP_CTL's bits to set.
    pub dlp_control: u64,
    /// PDL_PHY_EQ_CNTL, where it is to be written.
    pub phy_equalisation: Option<u64>,
    /// The root port's config space: offset, bits to clear, bits to set.
    pub root: &'static [(u16, u32, u32)],
    /// Its command, and ones that clear its status.
    pub root_command: u32,
    /// Error groups in the order in which they are set up.
    pub errors: &'static [ErrorGroup],
    /// Errors of the local error macro that stay masked.
    pub lem_mask: u64,
    /// Its link.
    pub link: Link,
    /// Its registers on the nest side.
    pub stack: &'static stack::Layout,
    /// Its diagnostic data.
    pub diag: &'static diag::Layout,
    /// How a word of MIST or LXIVT starts.
    pub source_word: u64,
    /// How an entry of the MDT starts: this times its number.
    pub mdt_step: u64,
    /// What an M64 window's place must be a multiple of: a window that is split, and one of a single PE.
    pub m64_grain: [u64; 2],
    /// End of the addresses that an M64 window can have.
    pub m64_top: u64,
    /// How many of the last MMIO windows use the MDT's columns B, C, D.
    pub mdt_columns: u8,
    /// Whether writes can be waited for besides reads after a TCE kill.
    pub write_sync: bool,
    /// A link that goes down must not look for a partner meanwhile (erratum HW551382).
    pub hold_detect: bool,
}

const TRANSLATION: Translation =
    Translation { page_sizes: 1 << 12 | 1 << 16 | 1 << 21 | 1 << 30, no_translate_50: true };

const REGB: u64 = regs4::REGB_ERRORS;
const LINK: Link = Link {
    reset: Reg::at(regs4::CRESET.offset()),
    perst_n: 1 << (63 - 3),
    train: regs4::DLP_TRAIN_CTL,
    hotplug: regs4::HOTPLUG_STATUS,
    empty: regs4::SLOT_EMPTY,
    // What says that the link is up, and which errors of the core are reported while it is: INF, ERC, FAT.
    up_down: [
        &[
            (regs4::MISC_STRAP.offset(), 0x0000_0600_0000_0000),
            (REGB + regs4::group::INTERRUPT, 0x2130_006e_fca8_bc00),
            (REGB + regs4::group::FREEZE, 0x0080_0000_0000_0000),
            (REGB + regs4::group::FENCE, 0xde0f_ff91_0357_43ff),
        ],
        &[
            (regs4::MISC_STRAP.offset(), 0),
            (REGB + regs4::group::INTERRUPT, 0),
            (REGB + regs4::group::FREEZE, 0),
            (REGB + regs4::group::FENCE, 0),
        ],
    ],
    errors: Some(REGB),
    settle_ms: 10,
};

/// PHB4, of which PHB5 differs in little.
const PHB4_DATA: Generation = Generation {
    translation: TRANSLATION,
    ioda: Ioda::Three,
    kill_gate: regs4::TCE_KILL,
    // 64K interrupt pages, and no TCE CLB (erratum HW557787).
    ctrlr: 0x0010_0400_0000_0000,
    pec: "ibm,power9-pbcq",
    ids_per_chip: 6,
    max_link_speed: [4, 4],
    asn_compare: Some(0x0c00_ff00_0000_0001),
    lane_equalisation: &[
        (0x1ad0, 0x5454_5454_5454_5454),
        (0x1ad8, 0x5454_5454_5454_5454),
        (0x1ae0, 0x5454_5454_5454_5454),
        (0x1ae8, 0x5454_5454_5454_5454),
        (0x1af0, 0x7777_7777_7777_7777),
        (0x1af8, 0x7777_7777_7777_7777),
    ],
    dlp_control: 0,
    phy_equalisation: None,
    errors: &with_alike(ErrorGroup {
        base: 0xd00,
        lem: 0xffff_ff0f_ffff_ffff,
        interrupt: 0x2008_400e_0820_0000,
        freeze: 0x0000_000a_0000_0000,
        fence: 0xdff7_bd05_f7dd_fff0,
        status_mask: 0,
        first_mask: 0,
    }),
    root: init::ROOT,
    root_command: 0xf900_0006,
    lem_mask: 0,
    link: LINK,
    stack: &stack::IODA3,
    diag: &diag::IODA3,
    source_word: 0,
    mdt_step: 0x0001_0001_0001,
    m64_grain: [1 << 12; 2],
    m64_top: 1 << 56,
    mdt_columns: 3,
    write_sync: false,
    hold_detect: false,
};

/// POWER9.
pub static PHB4: Generation = PHB4_DATA;

/// RXE_ARB, RXE_MRG, RXE_TCE and RXPHB, which are alike in both.
const ALIKE: [ErrorGroup; 4] = [
    ErrorGroup {
        base: 0xd80,
        lem: 0xffff_ffff_fbff_ffff,
        interrupt: 0xc400_38fc_0180_4070,
        freeze: 0xc000_18b8_0100_0060,
        fence: 0x3bff_d703_fa7f_bf8f,
        status_mask: 0,
        first_mask: 0x0000_0000_0400_0000,
    },
    ErrorGroup {
        base: 0xe00,
        lem: u64::MAX,
        interrupt: 0x0000_6100_0080_00a8,
        freeze: 0x0000_6000_0000_0000,
        fence: 0xffff_feff_ff7f_ff57,
        status_mask: 0,
        first_mask: 0,
    },
    ErrorGroup {
        base: 0xe80,
        lem: u64::MAX,
        interrupt: 0x6051_0050_c000_0000,
        freeze: 0x6000_0000_c000_0000,
        fence: 0x9fae_ffaf_3fff_ffff,
        status_mask: 0,
        first_mask: 0,
    },
    ErrorGroup {
        base: 0xc80,
        lem: u64::MAX,
        interrupt: 0xca88_80cc_0000_0000,
        freeze: 0x0000_0040_0000_0000,
        fence: 0x3577_7033_ff00_0000,
        status_mask: 0,
        first_mask: 0,
    },
];

const fn with_alike(txe: ErrorGroup) -> [ErrorGroup; 5] {
    let [arb, mrg, tce, phb] = ALIKE;
    [txe, arb, mrg, tce, phb]
}

/// POWER10. Its sources keep their PQ bits in the bridge, as POWER9's do, and notify the interrupt controller.
pub static PHB5: Generation = Generation {
    pec: "ibm,power10-pbcq",
    ids_per_chip: 18,
    max_link_speed: [5, 4],
    asn_compare: None,
    lane_equalisation: &[
        (0x1ad0, 0x4444_4444_4444_4444),
        (0x1ad8, 0x4444_4444_4444_4444),
        (0x1ae0, 0x4444_4444_4444_4444),
        (0x1ae8, 0x4444_4444_4444_4444),
        (0x1af0, 0x4444_4444_4444_4444),
        (0x1af8, 0x4444_4444_4444_4444),
        (0x1b00, 0x9999_9999_9999_9999),
        (0x1b08, 0x9999_9999_9999_9999),
    ],
    // No scaled flow control (SW527785).
    dlp_control: 1 << 3,
    phy_equalisation: Some(0x80f4_ffff_ff0f_9c00),
    errors: &with_alike(ErrorGroup {
        base: 0xd00,
        lem: 0xffff_ff0f_ffff_ffff,
        interrupt: 0x2008_50be_0820_0020,
        freeze: 0x0000_500a_0000_0000,
        fence: 0xdff7_af41_f7dd_ffdf,
        status_mask: 0,
        first_mask: 0,
    }),
    write_sync: true,
    hold_detect: true,
    ..PHB4_DATA
};

/// Every generation.
pub static ALL: [&Generation; 3] = [&super::phb3::PHB3, &PHB4, &PHB5];
