//! What differs by machine: where things are, and which parts there are. Data only; logic that two machines share
//! lives with the thing that it drives.

mod qemu;

use crate::interrupts::xive;
use crate::phb;
use fdt::Fdt;

/// Processor generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    /// POWER8: PHB3, XICS.
    Power8,
    /// POWER9: PHB4, XIVE.
    Power9,
    /// POWER10: PHB5, XIVE2.
    Power10,
}

/// One machine. Addresses are those of chip 0; chip n's lie `chip_stride` × n higher.
#[derive(Debug)]
pub struct Board {
    /// Entry of the root node's `compatible` that names it.
    pub compatible: &'static str,
    /// Its processor.
    pub generation: Generation,
    /// Distance of the same unit on two chips.
    pub chip_stride: u64,
    /// XSCOM window: byte offset = PCB address << 3.
    pub xscom: u64,
    /// LPC: the OPB's window.
    pub lpc: u64,
    /// PSI host bridge: registers.
    pub psi: u64,
    /// PSI host bridge: ESB pages of its sources.
    pub psi_esb: u64,
    /// log2 of the size of one of them.
    pub psi_page_shift: u32,
    /// XIVE: its regions.
    pub xive: xive::Addresses,
    /// Bridges: their windows.
    pub phb: phb::Addresses,
    /// Memory of the on-chip controller's firmware (HOMER), 4 MiB a chip, outside RAM.
    pub homer: u64,
    /// Common area of the on-chip controllers, 8 MiB, outside RAM.
    pub occ_common: u64,
}

/// Finds the machine that the tree describes.
pub fn detect(tree: &Fdt<'_>) -> Option<&'static Board> {
    let compatible = tree.find_node("/")?.property("compatible")?.value;
    qemu::BOARDS
        .iter()
        .copied()
        .find(|board| compatible.split(|&byte| byte == 0).any(|entry| entry == board.compatible.as_bytes()))
}
