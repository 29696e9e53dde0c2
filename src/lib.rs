//! Opalite: OPAL firmware for IBM POWER. `doc/` has the interface, the README the way in.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod arch;
pub mod board;
#[cfg(all(target_arch = "powerpc64", target_os = "none"))]
pub mod boot;
pub mod dt;
pub mod error;
pub mod firmware;
pub mod heap;
pub mod hw;
pub mod interrupts;
pub mod iommu;
pub mod log;
pub mod mem;
pub mod opal;
pub mod papr;
pub mod payload;
pub mod pci;
pub mod phb;
pub mod services;
pub mod sync;
pub mod units;
