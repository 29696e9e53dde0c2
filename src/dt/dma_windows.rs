//! `/ibm,opal/dma-windows`: Opalite's own calls and what a client may use of them (`doc/dma-windows.md`).

use crate::dt::tree::Tree;
use crate::iommu::geometry::MAX_LEVELS;
use crate::iommu::liobn::LIOBNS;
use crate::iommu::page_shifts;
use crate::iommu::pool::{DONATION_GRAIN, DONATION_MAX};
use crate::iommu::registry::TABLES;
use crate::iommu::tce::MOST_PAGES;
use crate::opal::extension;
use crate::phb::fault_queue::QUEUE;
use crate::services::dma::change::MOST_LISTED;
use crate::services::events::DMA_FAULT;

/// Publishes the node: a property for each call with its token, and the limits. `page_sizes`: IO pages of the machine's
/// bridges, added up.
pub fn publish(tree: &mut Tree, page_sizes: u64) {
    let mut node = tree.make("/ibm,opal/dma-windows");
    node.set_string("compatible", "opalite,dma-windows-v1");
    node.set_u64s("fault-event", &[DMA_FAULT]);
    node.set_cells("fault-queue", &[QUEUE as u32]);
    for (name, token) in extension::tokens() {
        node.set_cells(name, &[token]);
    }
    node.set_cells("windows-per-pe", &[2]).set_cells("max-levels", &[MAX_LEVELS]);
    node.set_all("page-shifts", page_shifts(page_sizes).map(u32::to_be_bytes));
    node.set_cells("max-pages", &[MOST_PAGES as u32]).set_cells("max-segments", &[MOST_LISTED as u32 / 2]);
    node.set_cells("max-tables", &[TABLES.into()]).set_cells("max-liobns", &[LIOBNS as u32]);
    node.set_u64s("donation", &[DONATION_GRAIN, DONATION_MAX]);
}
