//! PAPR's dynamic DMA windows in the tree (`doc/dma-windows/ddw.md`): properties of each bridge, and the tokens by
//! name.

use crate::dt::tree::{NodeId, Tree};
use crate::papr::ddw::{NAMES, TOKENS};
use crate::services::dma::ddw::{BRIDGE_SHIFT, DEFAULT_SIZE, OWN};

/// The node of the tokens.
pub const RTAS: &str = "/ibm,opal/rtas";

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

/// Publishes the tokens by name. Not in `/rtas`, where PAPR has them: Debian's kexec refuses to load a kernel when that
/// node is there and doesn't say where RTAS is.
pub fn publish_rtas(tree: &mut Tree) {
    let mut node = tree.make(RTAS);
    for (name, token) in NAMES.into_iter().zip(TOKENS) {
        node.set_cells(name, &[token]);
    }
}
