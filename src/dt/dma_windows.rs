//! `/ibm,opal/dma-windows`: Opalite's own calls and what a client may use of them (`doc/dma-windows.md`).

use crate::dt::tree::Tree;
use crate::opal::extension;
use crate::phb::fault_queue::QUEUE;
use crate::services::events::DMA_FAULT;

/// Publishes the node: a property for each call with its token, and the limits.
pub fn publish(tree: &mut Tree) {
    let mut node = tree.make("/ibm,opal/dma-windows");
    node.set_string("compatible", "opalite,dma-windows-v1");
    node.set_u64s("fault-event", &[DMA_FAULT]);
    node.set_cells("fault-queue", &[QUEUE as u32]);
    for (name, token) in extension::tokens() {
        node.set_cells(name, &[token]);
    }
}
