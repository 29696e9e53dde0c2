//! The interrupt controllers. An interrupt's specifier is its global number and a flag: 1 for level, 0 for edge.

use crate::dt::tree::{NodeMut, Phandle, Tree};
use crate::units::ChipId;

/// Flag of a level-sensitive interrupt in a specifier.
pub const LEVEL: u32 = 1;

/// What the nodes of a XIVE tell.
#[derive(Clone, Copy, Debug)]
pub struct Xive<'a> {
    /// Real address of the TIMA: its four pages follow each other.
    pub tima: u64,
    /// Bytes of a TIMA page.
    pub page: u64,
    /// Chips to which the OS may donate pages.
    pub chips: &'a [ChipId],
}

/// Publishes POWER9's two nodes: the sources ("vc"), whose phandle is returned, and the presenter ("pe").
pub fn publish_xive1(tree: &mut Tree, xive: &Xive<'_>) -> Phandle {
    let mut root = tree.make("/");
    let mut source = root.child_at("interrupt-controller", 0);
    source.set_strings("compatible", ["ibm,opal-xive-vc", "IBM,opal-xics"]);
    source.set_u64s("reg", &[0, 0]);
    source.set_string("device_type", "PowerPC-Interrupt-Source-Controller");
    set_controller(&mut source);
    let phandle = source.phandle();

    let mut presenter = root.child_at("interrupt-controller", xive.tima);
    presenter.set_strings("compatible", ["ibm,opal-xive-pe", "ibm,opal-intc"]);
    set_presenter(&mut presenter, xive);
    phandle
}

/// Publishes POWER10's one node, whose phandle is returned.
pub fn publish_xive2(tree: &mut Tree, xive: &Xive<'_>) -> Phandle {
    let mut root = tree.make("/");
    let mut node = root.child_at("interrupt-controller", xive.tima);
    node.set_strings("compatible", ["ibm,opal-xive-pe", "ibm,opal-xive-vc", "ibm,opal-intc"]);
    set_controller(&mut node);
    set_presenter(&mut node, xive);
    node.set_empty("store-eoi").set_empty("vp-save-restore");
    node.phandle()
}

/// Publishes POWER8's source controller and returns its phandle. The presenters are in the machine's own tree.
pub fn publish_xics(tree: &mut Tree) -> Phandle {
    let mut root = tree.make("/");
    let mut source = root.child_at("interrupt-controller", 0);
    source.set_strings("compatible", ["IBM,ppc-xics", "IBM,opal-xics"]);
    source.set_u64s("reg", &[0, 0]);
    source.set_string("device_type", "PowerPC-Interrupt-Source-Controller");
    set_controller(&mut source);
    source.phandle()
}

fn set_controller(node: &mut NodeMut<'_>) {
    node.set_cells("#address-cells", &[0]).set_cells("#interrupt-cells", &[2]);
    node.set_empty("interrupt-controller");
}

/// Linux takes the second page as the hypervisor's and the third as the OS's; the sizes of event queues are shifts.
fn set_presenter(node: &mut NodeMut<'_>, xive: &Xive<'_>) {
    let pages = [0, 1, 2, 3].map(|index| [xive.tima + index * xive.page, xive.page]);
    node.set_u64s("reg", pages.as_flattened());
    node.set_cells("ibm,xive-eq-sizes", &[12, 16, 21, 24]);
    node.set_cells("ibm,xive-#priorities", &[8]);
    node.set_empty("single-escalation-support");
    node.set_cells("ibm,xive-provision-page-size", &[0x1_0000]);
    node.set_all("ibm,xive-provision-chips", xive.chips.iter().map(|chip| chip.0.to_be_bytes()));
}
