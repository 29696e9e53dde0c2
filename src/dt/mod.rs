//! The device tree: what the machine handed us, and what we hand on.
//!
//! Each `publish` adds one theme to the [`tree::Tree`] that was made from the machine's. They don't depend on each
//! other but through phandles, which are arguments. What Linux needs is in `reference/linux-opal-contract.md` §3.

mod flat;
mod names;

pub mod chosen;
pub mod cpus;
pub mod ddw;
pub mod dma_windows;
mod features;
pub mod interrupts;
pub mod memory;
pub mod opal;
pub mod pci;
mod pci_class;
pub mod platform;
pub mod power;
pub mod read;
pub mod tree;

pub use crate::board::Generation;
