//! PAPR's dynamic DMA windows in the tree (`doc/dma-windows/ddw.md`): properties of each bridge, and the tokens by
//! name.

use crate::dt::tree::{NodeId, Tree};
use crate::papr::ddw::{NAMES, TOKENS};
use crate::services::dma::ddw::{BRIDGE_SHIFT, DEFAULT_SIZE, OWN};
use core::ops::Range;

/// The node of the tokens.
pub const RTAS: &str = "/rtas";

/// Where PAPR's calls are made, below 4 GiB.
#[derive(Clone, Debug)]
pub struct Rtas {
    /// What the OS must keep.
    pub page: Range<u64>,
    /// The address that it calls, in there.
    pub entry: u64,
}

/// Publishes what a bridge's node tells. `limited`: it has the 4 GiB mode.
pub fn publish_bridge(tree: &mut Tree, node: NodeId, id: u64, limited: bool) {
    let [query, create, remove, reset] = TOKENS;
    let mut node = tree.at(node);
    // Address and size have two cells; the LIOBN is that of PE 0.
    let liobn = OWN as u32 | (id as u32) << BRIDGE_SHIFT;
    node.set_cells("ibm,dma-window", &[liobn, 0, 0, 0, DEFAULT_SIZE as u32]);
    node.set_cells("ibm,#dma-address-cells", &[2]).set_cells("ibm,#dma-size-cells", &[2]);
    node.set_cells("ibm,ddw-applicable", &[query, create, remove]);
    // Three of them: reset, query with six results, reset with a fourth argument.
    node.set_cells("ibm,ddw-extensions", &[3, reset, 1, limited.into()]);
}

/// Publishes the tokens by name, and where RTAS is. Debian's kexec loads no kernel when the node is there and doesn't say
/// where.
pub fn publish_rtas(tree: &mut Tree, rtas: &Rtas) {
    let mut node = tree.make(RTAS);
    for (name, token) in NAMES.into_iter().zip(TOKENS) {
        node.set_cells(name, &[token]);
    }
    node.set_cells("linux,rtas-base", &[rtas.page.start as u32]);
    node.set_cells("linux,rtas-entry", &[rtas.entry as u32]);
    node.set_cells("rtas-size", &[(rtas.page.end - rtas.page.start) as u32]);
    // Linux complains when it isn't told how large an error log can be, though no call here has one.
    node.set_cells("rtas-error-log-max", &[1024]).set_cells("rtas-version", &[1]);
}
