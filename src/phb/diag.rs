//! Diagnostic data: what the bridge's registers say about an error, in the structure that the OS decodes.
//! `reference/phb-dma-windows.md` §11.5.

use super::dma::FROZEN;
use super::ioda::{self, TableId};
use super::phb4::{Health, Phb4};
use super::regs4::ROOT_CONFIG;
use crate::error::{Error, Result};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;

/// Bytes of the structure of PHB4 and PHB5.
pub const SIZE: u64 = 0x2180;
const VERSION: u32 = 1;
/// PHB4 and PHB5.
const TYPE: u32 = 3;
/// The structure has room for this many PEs, whatever the bridge has.
const PES: u64 = 512;
const PEST_A: u64 = 0x180;
const PEST_B: u64 = PEST_A + 8 * PES;

/// Where each 32-bit field comes from: offset in the structure, offset in the root port's config space.
const ROOT: [(u64, u64); 13] = [
    (0x10, 0x50),
    (0x14, 0x60),
    (0x18, 0x58),
    (0x1c, 0x04),
    (0x20, 0x1c),
    (0x24, 0x130),
    (0x28, 0x104),
    (0x2c, 0x110),
    (0x30, 0x11c),
    (0x34, 0x120),
    (0x38, 0x124),
    (0x3c, 0x128),
    (0x40, 0x134),
];

/// Bridge control is the upper half of this word of the root port.
const BRIDGE_CONTROL: u64 = 0x3c;

/// Where each 64-bit field comes from: offset in the structure, register of the stack's nest side.
const NEST: [(u64, u32); 3] = [(0x48, 0), (0x50, 3), (0x58, 8)];

/// Where each 64-bit field comes from: offset in the structure, register of the bridge.
const REGISTERS: [(u64, u64); 5] =
    [(0x60, 0x120), (0x68, 0x110), (0x70, 0xc00), (0x78, 0xc18), (0x80, 0xc40)];

/// Error groups: offset in the structure, base. Four words each: status, first status, two logs.
const GROUPS: [(u64, u64); 7] = [
    (0x88, 0xc80),
    (0xa8, 0xd00),
    (0xc8, 0xd80),
    (0xe8, 0xe00),
    (0x108, 0xe80),
    (0x128, 0x1900),
    (0x160, 0x1c00),
];
const GROUP_WORDS: [u64; 4] = [0x00, 0x08, 0x40, 0x48];

/// DLP: two logs and the status.
const DLP: [(u64, u64); 3] = [(0x148, 0x1aa0), (0x150, 0x1aa8), (0x158, 0x1ab0)];

/// What OPAL asks about diagnostic data.
pub trait Diagnosis {
    /// Bytes that [`Diagnosis::diagnose`] writes.
    fn diag_size(&self) -> u64;
    /// Writes the structure to `address`, which has room for it. A fenced bridge is read through the back door.
    ///
    /// # Errors
    /// `Hardware` when the bridge is broken or in reset.
    fn diagnose(&mut self, address: u64) -> Result;
}

impl<I: Mmio, R: Ram> Diagnosis for Phb4<I, R> {
    fn diag_size(&self) -> u64 {
        SIZE
    }

    fn diagnose(&mut self, address: u64) -> Result {
        if matches!(self.health, Health::Broken | Health::Resetting) {
            return Err(Error::Hardware(&"PHB in reset or broken"));
        }
        self.ram.write32(address, VERSION);
        self.ram.write32(address + 4, TYPE);
        self.ram.write32(address + 8, SIZE as u32);
        self.ram.write32(address + 0x44, 0);
        for (at, register) in NEST {
            self.ram.write64(address + at, self.stack.nest_register(register));
        }
        if ioda::alive(&self.regs).is_ok() {
            self.dump(&self.regs, address);
        } else {
            self.dump(&self.stack.back_door(), address);
        }
        Ok(())
    }
}

impl<I: Mmio, R: Ram> Phb4<I, R> {
    fn dump<W: Mmio>(&self, window: &W, address: u64) {
        let root = |offset: u64| window.read32(ROOT_CONFIG + offset).swap_bytes();
        self.ram.write32(address + 0xc, root(BRIDGE_CONTROL) >> 16);
        for (at, offset) in ROOT {
            self.ram.write32(address + at, root(offset));
        }
        for (at, register) in REGISTERS.into_iter().chain(DLP) {
            self.ram.write64(address + at, window.read64(register));
        }
        for (at, base) in GROUPS {
            for (word, offset) in (0..).step_by(8).zip(GROUP_WORDS) {
                self.ram.write64(address + at + word, window.read64(base + offset));
            }
        }
        for pe in 0..PES {
            let (mut a, mut b) = (0, 0);
            if let Ok(number) = self.limits.pe(pe) {
                (a, b) = self.tables.record(&self.ram, number);
                a = a & !FROZEN | ioda::read(window, TableId::PestA, number.index()) & FROZEN;
                b = b & !FROZEN | ioda::read(window, TableId::PestB, number.index()) & FROZEN;
            }
            self.ram.write64(address + PEST_A + 8 * pe, a);
            self.ram.write64(address + PEST_B + 8 * pe, b);
        }
    }
}
