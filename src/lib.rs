//! Opalite: OPAL firmware for IBM POWER. `doc/` has the interface, the README the way in.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod arch;
pub mod dt;
pub mod error;
pub mod firmware;
pub mod hw;
pub mod iommu;
pub mod log;
pub mod mem;
pub mod opal;
pub mod pci;
pub mod phb;
pub mod sync;
pub mod units;
