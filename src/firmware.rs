//! The one root: everything that serves a call hangs here. Set once, by `boot`, and then only shared.

use crate::arch;
use crate::interrupts::Controller;
use crate::mem::MemoryMap;
use crate::phb::PhbSlot;
use crate::services::Services;
use crate::services::dma::{Acts, Dma};
use crate::sync::Once;

/// What the calls work on. Tests build their own.
pub struct Firmware {
    /// Who owns which memory.
    pub memory: MemoryMap,
    /// Memory itself.
    pub ram: arch::Memory,
    /// The interrupt controller.
    pub interrupts: &'static dyn Controller,
    /// PCI host bridges, by OPAL id: [`crate::phb::slots`] makes it, [`crate::phb::find`] looks in it.
    pub phbs: &'static [PhbSlot],
    /// Tables that firmware owns.
    pub dma: Dma,
    /// Console, clock, power and the like.
    pub services: Services,
}

impl Firmware {
    /// Locks the tables that firmware owns, for acts on them.
    pub fn tables(&self) -> Acts<'_> {
        self.dma.lock(&self.ram, &self.memory, self.phbs)
    }
}

/// The firmware that serves the OS; set at the end of `boot`.
pub static FIRMWARE: Once<Firmware> = Once::new();
