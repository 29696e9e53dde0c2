//! QEMU's powernv machines (`reference/platform-qemu-powernv.md` §3). The addresses that firmware is free to choose
//! are those that real machines use.

use super::{Board, Generation, Interrupts, LpcPath, Unit};
use crate::interrupts::xive::{self, p9, p10};
use crate::phb;

/// Machines that this image boots.
pub const BOARDS: &[&Board] = &[&POWERNV8, &POWERNV9, &POWERNV10, &POWERNV11];

/// Here the machine has put all units, the bridges' windows too.
static POWERNV8: Board = Board {
    compatible: "qemu,powernv8",
    generation: Generation::Power8,
    xscom: Unit { base: 0x0003_fc00_0000_0000, stride: 0x8_0000_0000 },
    lpc: LpcPath::Eccb,
    psi: Unit { base: 0x0003_fffe_8000_0000, stride: 0x10_0000 },
    interrupts: Interrupts::Xics { presenters: Unit { base: 0x0003_ffff_8000_0000, stride: 0x10_0000 } },
    links_need_time: false,
    phb: phb::Addresses { chip_stride: 0, ..BRIDGES },
    homer: 0x0000_007f_fd80_0000,
    occ_common: 0x0000_007f_ff80_0000,
};

/// Distance of the same unit on two chips.
const STRIDE9: u64 = 1 << 42;
const STRIDE10: u64 = 1 << 44;

static POWERNV9: Board = Board {
    compatible: "qemu,powernv9",
    generation: Generation::Power9,
    xscom: Unit { base: 0x0006_03fc_0000_0000, stride: STRIDE9 },
    lpc: LpcPath::Window(0x0006_0300_0000_0000),
    psi: Unit { base: 0x0006_0302_0300_0000, stride: STRIDE9 },
    interrupts: Interrupts::Xive {
        addresses: xive::Addresses {
            ic: 0x0006_0302_0310_0000,
            tm: 0x0006_0302_0318_0000,
            regions: xive::Regions::Power9(p9::Regions {
                pc: 0x0006_0180_0000_0000,
                pc_size: 0x10_0000_0000,
                vc: 0x0006_0100_0000_0000,
                vc_size: 0x80_0000_0000,
            }),
        },
        psi_esb: Unit { base: 0x0006_0302_031c_0000, stride: STRIDE9 },
        psi_page_shift: 12,
    },
    links_need_time: false,
    phb: phb::Addresses { chip_stride: STRIDE9, ..BRIDGES },
    homer: 0x0000_203f_fd80_0000,
    occ_common: 0x0000_203f_ff80_0000,
};

/// Windows of the bridges of POWER9 and POWER10.
const BRIDGES: phb::Addresses = phb::Addresses {
    chip_stride: 0,
    mmio64: [0x0006_0000_0000_0000, 0x0006_0200_0000_0000],
    mmio32: 0x0006_00c0_0000_0000,
    esb: 0x0006_00c3_0000_0000,
    registers: 0x0006_00c3_c000_0000,
};

/// `powernv10-rainier` has the same tree.
static POWERNV10: Board = POWER10;

/// QEMU made it of powernv10's units; QEMU 10.0 doesn't have it.
static POWERNV11: Board = Board { compatible: "qemu,powernv11", ..POWER10 };

const POWER10: Board = Board {
    compatible: "qemu,powernv10",
    generation: Generation::Power10,
    xscom: Unit { base: 0x0006_03fc_0000_0000, stride: STRIDE10 },
    lpc: LpcPath::Window(0x0006_0300_0000_0000),
    psi: Unit { base: 0x0006_0302_0300_0000, stride: STRIDE10 },
    interrupts: Interrupts::Xive {
        addresses: xive::Addresses {
            ic: 0x0006_0302_0000_0000,
            tm: 0x0006_0302_0318_0000,
            regions: xive::Regions::Power10(p10::Regions {
                esb: 0x0006_0500_0000_0000,
                end: 0x0006_0600_0000_0000,
                nvpg: 0x0006_0400_0000_0000,
            }),
        },
        psi_esb: Unit { base: 0x0006_0302_0200_0000, stride: STRIDE10 },
        psi_page_shift: 16,
    },
    links_need_time: false,
    phb: phb::Addresses { chip_stride: STRIDE10, ..BRIDGES },
    homer: 0x0000_300f_fd80_0000,
    occ_common: 0x0000_300f_ff80_0000,
};
