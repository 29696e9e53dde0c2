//! The chip's own units that the OS meets: the PSI host bridge and the LPC bus behind it.

use crate::dt::interrupts::LEVEL;
use crate::dt::tree::{Phandle, Tree};
use crate::units::{ChipId, Isn};

/// What the node of a PSI host bridge tells.
#[derive(Clone, Copy, Debug)]
pub struct PsiNode {
    /// Its chip.
    pub chip: ChipId,
    /// Real address of its window.
    pub base: u64,
    /// Bytes of it.
    pub size: u64,
    /// Global number of its first interrupt.
    pub first: Isn,
    /// Sources of its own that `first` and its successors stand for.
    pub sources: u32,
    /// The controller.
    pub parent: Phandle,
    /// `ibm,power9-psi` or its like.
    pub compatible: &'static str,
}

/// Publishes a PSI host bridge of POWER9 or POWER10, which hands the interrupts of other units on, and returns its
/// phandle.
pub fn publish_psi(tree: &mut Tree, psi: &PsiNode) -> Phandle {
    let mut root = tree.make("/");
    let mut node = root.child_at("psi", psi.base);
    node.set_strings("compatible", ["ibm,psi", psi.compatible]);
    node.set_u64s("reg", &[psi.base, psi.size]);
    node.set_cells("ibm,chip-id", &[psi.chip.0]);
    node.set_cells("interrupt-parent", &[psi.parent.0]);
    node.set_cells("interrupts", &[psi.first.0, LEVEL]);
    node.set_cells("#address-cells", &[0]).set_cells("#interrupt-cells", &[1]);
    let map = (0..psi.sources).flat_map(|index| [index, psi.parent.0, psi.first.0 + index, LEVEL]);
    node.set_all("interrupt-map", map.map(u32::to_be_bytes));
    node.phandle()
}

/// How an interrupt of the LPC bus reaches the PSI host bridge.
#[derive(Clone, Copy, Debug)]
pub struct LpcRoute {
    /// SerIRQ number.
    pub irq: u32,
    /// Source of the PSI host bridge.
    pub source: u32,
}

/// Publishes how the interrupts of the first chip's LPC bus are routed, and keeps the UARTs for firmware: the OS
/// uses the console calls.
pub fn publish_lpc(tree: &mut Tree, psi: Phandle, routes: &[LpcRoute]) {
    let bridges = tree.select("/", |node| node.name().starts_with("lpcm-opb@"));
    let buses = bridges.into_iter().flat_map(|bridge| tree.get(bridge).children());
    let Some(bus) = buses.filter(|bus| bus.property("primary").is_some()).map(|bus| bus.id()).next() else {
        return;
    };
    let mut node = tree.at(bus);
    node.set_cells("#interrupt-cells", &[1]);
    // The child's address has two cells, its interrupt one: only the interrupt counts.
    node.set_cells("interrupt-map-mask", &[0, 0, 0xff]);
    let map = routes.iter().flat_map(|route| [0, 0, route.irq, psi.0, route.source]);
    node.set_all("interrupt-map", map.map(u32::to_be_bytes));
    let uarts = tree.get(bus).children().filter(|child| child.is_compatible("ns16550"));
    let uarts: alloc::vec::Vec<_> = uarts.map(|uart| uart.id()).collect();
    for uart in uarts {
        tree.at(uart).set_string("status", "reserved");
    }
}
