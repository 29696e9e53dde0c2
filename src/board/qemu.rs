//! QEMU's powernv machines (`reference/platform-qemu-powernv.md` §3). The addresses that firmware is free to choose
//! are those that real machines use.

use super::{Board, Generation};
use crate::interrupts::xive1;
use crate::phb;

/// Machines that this image boots.
pub const BOARDS: &[&Board] = &[&POWERNV9];

static POWERNV9: Board = Board {
    compatible: "qemu,powernv9",
    generation: Generation::Power9,
    chip_stride: 1 << 42,
    xscom: 0x0006_03fc_0000_0000,
    lpc: 0x0006_0300_0000_0000,
    psi: 0x0006_0302_0300_0000,
    psi_esb: 0x0006_0302_031c_0000,
    xive: xive1::Addresses {
        ic: 0x0006_0302_0310_0000,
        tm: 0x0006_0302_0318_0000,
        pc: 0x0006_0180_0000_0000,
        pc_size: 0x10_0000_0000,
        vc: 0x0006_0100_0000_0000,
        vc_size: 0x80_0000_0000,
    },
    phb: phb::Addresses {
        chip_stride: 1 << 42,
        mmio64: [0x0006_0000_0000_0000, 0x0006_0200_0000_0000],
        mmio32: 0x0006_00c0_0000_0000,
        esb: 0x0006_00c3_0000_0000,
        registers: 0x0006_00c3_c000_0000,
    },
    homer: 0x0000_203f_fd80_0000,
    occ_common: 0x0000_203f_ff80_0000,
};
