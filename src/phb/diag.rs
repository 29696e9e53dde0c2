//! Diagnostic data: what the bridge's registers say about an error, in the structure that the OS decodes.
//! `reference/phb-dma-windows.md` §11.5.

use super::bridge::{Health, HostBridge};
use super::dma::FROZEN;
use super::generation::Ioda;
use super::ioda::{self, TableId};
use super::regs4;
use crate::error::{Error, Result, why};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;

/// The structure of a generation: where each field is in it, and where it comes from.
#[derive(Debug)]
pub struct Layout {
    /// Bytes.
    pub size: u64,
    /// Number of the kind.
    pub kind: u32,
    /// 32-bit fields from the root port's config space.
    pub root: &'static [(u64, u16)],
    /// 32-bit fields from the upper half of a register.
    pub halves: &'static [(u64, u64)],
    /// 64-bit fields from the nest side.
    pub nest: u64,
    /// 64-bit fields from registers.
    pub registers: &'static [(u64, u64)],
    /// Error groups. Four words each: status, first status, two logs.
    pub groups: &'static [(u64, u64)],
    /// PEST's first words; the second ones follow.
    pub pest: u64,
    /// The structure has room for this many PEs, whatever the bridge has.
    pub pes: u64,
}

/// PHB4 and PHB5.
pub static IODA3: Layout = Layout {
    size: 0x2180,
    kind: 3,
    root: &[
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
    ],
    halves: &[],
    nest: 0x48,
    registers: &[
        (0x60, 0x120),
        (0x68, 0x110),
        (0x70, 0xc00),
        (0x78, 0xc18),
        (0x80, 0xc40),
        (0x148, 0x1aa0),
        (0x150, 0x1aa8),
        (0x158, 0x1ab0),
    ],
    groups: &[
        (0x88, 0xc80),
        (0xa8, 0xd00),
        (0xc8, 0xd80),
        (0xe8, 0xe00),
        (0x108, 0xe80),
        (0x128, 0x1900),
        (0x160, 0x1c00),
    ],
    pest: 0x180,
    pes: 512,
};

const VERSION: u32 = 1;
/// Bridge control is the upper half of this word of the root port.
const BRIDGE_CONTROL: u16 = 0x3c;
/// The nest side's FIR, its mask and what came first.
const NEST: [u32; 3] = [0, 3, 8];
const GROUP_WORDS: [u64; 4] = [0x00, 0x08, 0x40, 0x48];

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

impl<I: Mmio, R: Ram> Diagnosis for HostBridge<I, R> {
    fn diag_size(&self) -> u64 {
        self.generation.diag.size
    }

    fn diagnose(&mut self, address: u64) -> Result {
        if matches!(self.health, Health::Broken | Health::Resetting) {
            return Err(Error::Hardware(why("PHB in reset or broken")));
        }
        let layout = self.generation.diag;
        self.ram.zero(address, layout.size);
        self.ram.write32(address, VERSION);
        self.ram.write32(address + 4, layout.kind);
        self.ram.write32(address + 8, layout.size as u32);
        for (at, register) in (address + layout.nest..).step_by(8).zip(NEST) {
            self.ram.write64(at, self.stack.nest_register(register));
        }
        let fenced = ioda::alive(&self.regs).is_err();
        let door = self.stack.back_door();
        self.dump(if fenced { &door } else { &self.regs }, fenced, address);
        Ok(())
    }
}

impl<I: Mmio, R: Ram> HostBridge<I, R> {
    fn dump(&self, window: &dyn Mmio, fenced: bool, address: u64) {
        let layout = self.generation.diag;
        let root = |offset: u16| match self.ioda {
            Ioda::Three => regs4::root_get(window, offset),
            Ioda::Two if fenced => u32::MAX,
            Ioda::Two => self.root_get(offset),
        };
        self.ram.write32(address + 0xc, root(BRIDGE_CONTROL) >> 16);
        for &(at, offset) in layout.root {
            self.ram.write32(address + at, root(offset));
        }
        for &(at, register) in layout.halves {
            self.ram.write32(address + at, (window.read64(register) >> 32) as u32);
        }
        for &(at, register) in layout.registers {
            self.ram.write64(address + at, window.read64(register));
        }
        for &(at, base) in layout.groups {
            for (word, offset) in (0..).step_by(8).zip(GROUP_WORDS) {
                self.ram.write64(address + at + word, window.read64(base + offset));
            }
        }
        for pe in 0..layout.pes {
            let Ok(number) = self.limits.pe(pe) else { break };
            let (a, b) = self.tables.record(&self.ram, number);
            let a = a & !FROZEN | ioda::read(window, TableId::PestA, number.index()) & FROZEN;
            let b = b & !FROZEN | ioda::read(window, TableId::PestB, number.index()) & FROZEN;
            self.ram.write64(address + layout.pest + 8 * pe, a);
            self.ram.write64(address + layout.pest + 8 * (layout.pes + pe), b);
        }
    }
}
