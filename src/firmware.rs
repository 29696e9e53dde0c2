//! The one root: everything that serves a call hangs here. Set once, by `boot`, and then only shared.

use crate::hw::ram::Ram;
use crate::interrupts::Controller;
use crate::mem::MemoryMap;
use crate::services::Services;
use crate::sync::Once;

/// What the calls work on. Tests build their own.
pub struct Firmware {
    /// Who owns which memory.
    pub memory: MemoryMap,
    /// Memory itself.
    pub ram: &'static dyn Ram,
    /// The interrupt controller.
    pub interrupts: &'static dyn Controller,
    /// Console, clock, power and the like.
    pub services: Services,
}

/// The firmware that serves the OS; set at the end of `boot`.
pub static FIRMWARE: Once<Firmware> = Once::new();
