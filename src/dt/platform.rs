//! The chip's own units that the OS meets: the PSI host bridge and the LPC bus behind it.

use crate::dt::interrupts::LEVEL;
use crate::dt::tree::{Node, NodeId, Phandle, Tree};
use crate::units::{ChipId, Isn};
use alloc::vec::Vec;

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
    /// Sources of its own that `first` and its successors stand for; 0 on POWER8, which has none.
    pub sources: u32,
    /// The controller.
    pub parent: Phandle,
    /// `ibm,power9-psi` or its like.
    pub compatible: &'static str,
}

/// Publishes a PSI host bridge and returns its phandle. POWER9's and POWER10's hand on the interrupts of other units
/// one by one, which the node maps to global numbers.
pub fn publish_psi(tree: &mut Tree, psi: &PsiNode) -> Phandle {
    let mut root = tree.make("/");
    let mut node = root.child_at("psi", psi.base);
    node.set_strings("compatible", ["ibm,psi", psi.compatible]);
    node.set_u64s("reg", &[psi.base, psi.size]);
    node.set_cells("ibm,chip-id", &[psi.chip.0]);
    node.set_cells("interrupt-parent", &[psi.parent.0]);
    node.set_cells("interrupts", &[psi.first.0, LEVEL]);
    if psi.sources == 0 {
        return node.phandle();
    }
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
    let Some(bus) = find_lpc(tree) else { return };
    let mut node = tree.at(bus);
    node.set_cells("#interrupt-cells", &[1]);
    // The child's address has two cells, its interrupt one: only the interrupt counts.
    node.set_cells("interrupt-map-mask", &[0, 0, 0xff]);
    let map = routes.iter().flat_map(|route| [0, 0, route.irq, psi.0, route.source]);
    node.set_all("interrupt-map", map.map(u32::to_be_bytes));
    reserve_uarts(tree, bus);
}

/// The same for POWER8, whose LPC bus has a controller of its own that only firmware sees.
pub fn publish_lpc8(tree: &mut Tree) {
    let Some(bus) = find_lpc(tree) else { return };
    tree.at(bus).set_cells("#interrupt-cells", &[1]).set_empty("interrupt-controller");
    reserve_uarts(tree, bus);
}

/// Hides the I2C buses: firmware doesn't serve OPAL's I2C calls, and Linux complains about each bus without a number.
pub fn hide_i2c(tree: &mut Tree) {
    for bus in tree.select("/", |node| node.name().starts_with("xscom@")) {
        let engines = tree.get(bus).children().filter(|unit| unit.name().starts_with("i2cm@"));
        let ports: Vec<_> = engines.flat_map(Node::children).map(Node::id).collect();
        for port in ports {
            tree.at(port).set_string("status", "disabled");
        }
    }
}

/// The LPC bus of the first chip: below the OPB bridge, or on POWER8 below XSCOM.
fn find_lpc(tree: &Tree) -> Option<NodeId> {
    let mut buses = tree.node("/")?.children().flat_map(Node::children);
    buses.find(|bus| bus.is_compatible("ibm,lpc") && bus.property("primary").is_some()).map(Node::id)
}

fn reserve_uarts(tree: &mut Tree, bus: NodeId) {
    let uarts = tree.get(bus).children().filter(|child| child.is_compatible("ns16550"));
    let uarts: Vec<_> = uarts.map(Node::id).collect();
    for uart in uarts {
        tree.at(uart).set_string("status", "reserved");
    }
}
