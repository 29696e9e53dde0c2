//! The device tree: what the machine handed us, and what we hand on.
//!
//! Each `publish` adds one theme to the [`tree::Tree`] that was made from the machine's. They don't depend on each
//! other but through phandles, which are arguments. What Linux needs is in `reference/linux-opal-contract.md` §3.

mod flat;
mod names;

pub mod chosen;
pub mod cpus;
mod features;
pub mod interrupts;
pub mod memory;
pub mod opal;
pub mod pci;
mod pci_class;
pub mod platform;
pub mod read;
pub mod tree;

use tree::Tree;

/// Generation of the processor: what the tables of this folder differ by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    /// POWER8.
    Power8,
    /// POWER9.
    Power9,
    /// POWER10.
    Power10,
}

impl Generation {
    /// The generation that the node of a chip's XSCOM bus names.
    pub fn of(tree: &Tree) -> Option<Self> {
        tree.node("/")?.children().find_map(|node| {
            [Self::Power8, Self::Power9, Self::Power10].into_iter().find(|generation| {
                node.is_compatible(match generation {
                    Self::Power8 => "ibm,power8-xscom",
                    Self::Power9 => "ibm,power9-xscom",
                    Self::Power10 => "ibm,power10-xscom",
                })
            })
        })
    }
}
