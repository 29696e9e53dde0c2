//! What differs by machine: where things are, and which parts there are. Data only; logic that two machines share
//! lives with the thing that it drives.

mod qemu;

use crate::interrupts::xive;
use crate::phb;
use crate::units::ChipId;
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

/// A unit that every chip has.
#[derive(Clone, Copy, Debug)]
pub struct Unit {
    /// Where chip 0's is.
    pub base: u64,
    /// Distance to the next chip's.
    pub stride: u64,
}

impl Unit {
    /// Where a chip's is.
    pub const fn on(self, chip: ChipId) -> u64 {
        self.base + chip.0 as u64 * self.stride
    }
}

/// How the LPC bus of chip 0 is reached.
#[derive(Clone, Copy, Debug)]
pub enum LpcPath {
    /// The OPB's window.
    Window(u64),
    /// The ECCB, by XSCOM.
    Eccb,
}

/// The interrupt controller.
#[derive(Clone, Copy, Debug)]
pub enum Interrupts {
    /// Presenters, 4 KiB a thread at its PIR, and sources that name a thread.
    Xics {
        /// Presenters of chip 0.
        presenters: Unit,
    },
    /// XIVE of either generation.
    Xive {
        /// Its regions.
        addresses: xive::Addresses,
        /// ESB pages of the PSI host bridge's sources.
        psi_esb: Unit,
        /// log2 of the size of one of them.
        psi_page_shift: u32,
    },
}

/// One machine.
#[derive(Debug)]
pub struct Board {
    /// Entry of the root node's `compatible` that names it.
    pub compatible: &'static str,
    /// Its processor.
    pub generation: Generation,
    /// XSCOM window.
    pub xscom: Unit,
    /// LPC.
    pub lpc: LpcPath,
    /// PSI host bridge: registers.
    pub psi: Unit,
    /// The interrupt controller.
    pub interrupts: Interrupts,
    /// Whether the link to a card takes time to come up. QEMU's never train: they are up, or nothing is plugged in.
    pub links_need_time: bool,
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
