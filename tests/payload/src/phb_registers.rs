//! The bridge's own registers, read behind the firmware's back: what a call really programmed.

use crate::machine::{io_load64, io_store};
use crate::pci::Phb;

const IODA_ADDRESS: u64 = 0x220;
const IODA_DATA: u64 = 0x228;
const TVT: u64 = 9;

/// One entry of the TVT.
pub fn tve(phb: Phb, index: u64) -> u64 {
    io_store(phb.registers + IODA_ADDRESS, TVT << 48 | index);
    io_load64(phb.registers + IODA_DATA)
}

/// CTRLR: how the bridge chooses TVEs, and more.
pub fn control(phb: Phb) -> u64 {
    io_load64(phb.registers + 0x810)
}
