//! The one root: everything that serves a call hangs here. Set once, by `boot`, and then only shared.

use crate::hw::ram::Ram;
use crate::log::Sink;
use crate::mem::MemoryMap;
use crate::phb::PhbSlot;
use crate::sync::Once;
use alloc::vec::Vec;

/// What the calls work on. Tests build their own.
pub struct Firmware {
    /// Who owns which memory.
    pub memory: MemoryMap,
    /// Memory itself.
    pub ram: &'static dyn Ram,
    /// The console's device.
    pub sink: &'static dyn Sink,
    /// PCI host bridges, by OPAL id (`phb::slots`).
    pub phbs: Vec<PhbSlot>,
}

/// The firmware that serves the OS; set at the end of `boot`.
pub static FIRMWARE: Once<Firmware> = Once::new();
