//! Register models of the hardware that the drivers talk to, written from the reference and not from the drivers.
//!
//! A model behaves as the hardware is documented to; an access that the documents don't know fails the test.
//! Each test binary uses a part of them.
#![allow(dead_code, unused_imports)]

pub mod firmware;
pub mod lpc;
pub mod pci_device;
pub mod pec;
pub mod phb3;
pub mod phb4;
pub mod psi8;
pub mod ram;
pub mod xics;
