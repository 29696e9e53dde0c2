//! Config space. The only place that knows that it is little-endian: what comes in and goes out of here are numbers.
//!
//! A PHB4's root port is reached through its own window, four bytes at a time; its memory windows are kept here instead
//! of in hardware, which has fixed values that confuse PCI code. A PHB3's answers to config cycles and has windows, of
//! which the prefetchable one can't be read back. `reference/phb-dma-windows.md` §2 and §9.2.

use super::bridge::{Health, HostBridge};
use super::generation::Ioda;
use super::ioda;
use super::regs4::{self, CONFIG_ADDRESS, CONFIG_DATA, ConfigAddress, ROOT_CONFIG_SIZE};
use crate::error::{Error, Result, why};
use crate::hw::fault::{Fault, Outcome};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::units::Bdfn;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

/// Bytes of a config access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// One byte.
    One = 1,
    /// Two bytes.
    Two = 2,
    /// Four bytes.
    Four = 4,
}

impl Width {
    /// All bits of this width: what nobody answers.
    pub const fn ones(self) -> u32 {
        u32::MAX >> (32 - 8 * self as u32)
    }
}

/// A register of config space, aligned to its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    offset: u16,
    width: Width,
}

impl Register {
    /// Checks an offset.
    ///
    /// # Errors
    /// `Parameter` when it is beyond config space or not aligned.
    #[inline(always)]
    pub fn new(offset: u64, width: Width) -> Result<Self> {
        if Self::is_at(offset, width) {
            Ok(Self::cut(offset, width))
        } else {
            Err(Error::Parameter(why("config register")))
        }
    }

    /// The register at an offset that was checked.
    #[inline(always)]
    pub const fn cut(offset: u64, width: Width) -> Self {
        Self { offset: offset as u16 & 0xfff, width }
    }

    /// Whether there is such a register.
    #[inline(always)]
    pub fn is_at(offset: u64, width: Width) -> bool {
        offset <= 0xfff && offset & (width as u64 - 1) == 0
    }

    /// One byte.
    pub const fn byte(offset: u16) -> Self {
        Self { offset: offset & 0xfff, width: Width::One }
    }
    /// Two bytes.
    pub const fn half(offset: u16) -> Self {
        Self { offset: offset & 0xffe, width: Width::Two }
    }
    /// Four bytes.
    pub const fn word(offset: u16) -> Self {
        Self { offset: offset & 0xffc, width: Width::Four }
    }
}

/// A function that was found behind a bridge, as far as a later reset of it needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Where it answers.
    pub bdfn: Bdfn,
    /// Whether it has a bus behind it.
    pub is_bridge: bool,
    /// Its PCI Express capability, or 0.
    pub express: u16,
}

/// The root port's memory windows, and those of them that hold prefetchable memory.
const ROOT_WINDOWS: RangeInclusive<u16> = 0x20..=0x2c;
const PREFETCHABLE: RangeInclusive<u16> = 0x24..=0x2c;

/// The root port.
const ROOT_PORT: Bdfn = Bdfn::from_u16(0);

/// In the PCI Express capability.
const DEVICE_CONTROL: u16 = 8;
/// Report correctable, non-fatal, fatal errors and unsupported requests.
const REPORT_ERRORS: u32 = 0xf;

/// What OPAL asks of config space.
pub trait ConfigAccess {
    /// Remembers what was found, at boot.
    fn learn(&mut self, functions: Vec<Known>);
    /// What is known of a function.
    fn known(&self, function: Bdfn) -> Option<Known>;
    /// Sets a known function up as firmware does at boot: it reports errors.
    ///
    /// # Errors
    /// When nothing can be reached.
    fn prepare(&mut self, function: Known) -> Outcome;
    /// Reads; a function that isn't there gives all ones.
    ///
    /// # Errors
    /// When nothing can be reached: broken, fenced or blocked during a reset, or no such device on bus 0.
    fn config_read(&mut self, function: Bdfn, register: Register) -> Outcome<u32>;
    /// Writes the low bits of `value`.
    ///
    /// # Errors
    /// As for reads.
    fn config_write(&mut self, function: Bdfn, register: Register, value: u32) -> Outcome;
}

impl<I: Mmio, R: Ram> ConfigAccess for HostBridge<I, R> {
    fn learn(&mut self, functions: Vec<Known>) {
        self.known = functions;
    }

    fn known(&self, function: Bdfn) -> Option<Known> {
        self.known.iter().copied().find(|known| known.bdfn == function)
    }

    fn prepare(&mut self, function: Known) -> Outcome {
        if function.express == 0 {
            return self.reachable(function.bdfn);
        }
        let control = Register::half(function.express + DEVICE_CONTROL);
        let old = self.config_read(function.bdfn, control)?;
        self.config_write(function.bdfn, control, old | REPORT_ERRORS)
    }

    fn config_read(&mut self, function: Bdfn, register: Register) -> Outcome<u32> {
        self.reachable(function)?;
        let value = if function.bus() == 0 && !self.is_ordinary(register) {
            if self.ioda == Ioda::Two {
                return self.root_read_phb3(register);
            }
            self.root_read(register, ROOT_WINDOWS, |at| regs4::root_get(&self.regs, at))
        } else {
            self.select(function, register);
            let data = CONFIG_DATA + u64::from(register.offset & 3);
            match register.width {
                Width::One => self.regs.read8(data).into(),
                Width::Two => self.regs.read16(data).swap_bytes().into(),
                Width::Four => self.regs.read32(data).swap_bytes(),
            }
        };
        if value == register.width.ones() {
            ioda::alive(&self.regs)?;
        }
        Ok(value)
    }

    fn config_write(&mut self, function: Bdfn, register: Register, value: u32) -> Outcome {
        self.reachable(function)?;
        if function.bus() == 0 && !self.is_ordinary(register) {
            if self.ioda == Ioda::Two {
                return self.root_write_phb3(register, value);
            }
            let get = |at| regs4::root_get(&self.regs, at);
            if let Some((at, word)) = self.root_word(register, value, ROOT_WINDOWS, get) {
                if ROOT_WINDOWS.contains(&at) {
                    self.bridge_windows.set(at, word);
                } else {
                    regs4::root_set(&self.regs, at, word);
                }
            }
        } else {
            self.select(function, register);
            let data = CONFIG_DATA + u64::from(register.offset & 3);
            match register.width {
                Width::One => self.regs.write8(data, value as u8),
                Width::Two => self.regs.write16(data, (value as u16).swap_bytes()),
                Width::Four => self.regs.write32(data, value.swap_bytes()),
            }
        }
        ioda::alive(&self.regs)
    }
}

/// Bits that a one clears, which a read-modify-write of the other bytes must not write back.
#[inline(always)]
const fn ones_clear(offset: u16) -> u32 {
    // Apart from the others, because it is written the most.
    if offset == 0x04 {
        return 0xf900_0000;
    }
    match offset {
        0x1c => 0xff00_0000,
        0x50 => 0x000f_0000,
        0x58 => 0xc000_0000,
        0x78 => 0x0fff_0000,
        0x104 | 0x110 | 0x130 | 0x180 | 0x184 | 0x188 | 0x18c => u32::MAX,
        _ => 0,
    }
}

/// The root port's memory windows as the OS sees them: 0x20 to 0x2c.
#[derive(Clone, Copy, Debug)]
pub struct BridgeWindows([u32; 4]);

impl BridgeWindows {
    /// Both closed, the prefetchable one with 64-bit addresses.
    pub const CLOSED: Self = Self([0x0000_fff0, 0x0001_fff1, 0, 0]);

    #[inline(always)]
    fn get(&self, offset: u16) -> u32 {
        self.0.get(Self::index(offset)).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn set(&mut self, offset: u16, value: u32) {
        let value = match offset {
            0x20 => value & 0xfff0_fff0,
            0x24 => value & 0xfff0_fff0 | 0x0001_0001,
            _ => value,
        };
        if let Some(word) = self.0.get_mut(Self::index(offset)) {
            *word = value;
        }
    }

    const fn index(offset: u16) -> usize {
        (offset as usize - 0x20) / 4
    }
}

impl<I: Mmio, R: Ram> HostBridge<I, R> {
    #[inline(always)]
    fn reachable(&self, function: Bdfn) -> Outcome {
        if function.bus() == 0 && function.as_u16() != 0 {
            return Err(Fault::NoDevice);
        }
        match self.health {
            Health::Working => Ok(()),
            Health::Blocked if function.as_u16() == 0 => Ok(()),
            Health::Blocked => Err(Fault::LinkDown),
            Health::Resetting => Err(Fault::InReset),
            Health::Broken => Err(Fault::Broken),
        }
    }

    #[inline(always)]
    fn select(&self, function: Bdfn, register: Register) {
        let mut address = ConfigAddress::default();
        address.set_enable(true);
        address.set_bdfn(function.as_u16());
        address.set_register(register.offset);
        address.set_pe(self.tables.pe_of(&self.ram, function));
        CONFIG_ADDRESS.write(&self.regs, address);
    }

    /// Whether a register of the root port is like any other device's: a PHB3's are, save windows and expansion ROM.
    #[inline(always)]
    fn is_ordinary(&self, register: Register) -> bool {
        self.ioda == Ioda::Two && matches!(register.offset, ..0x1c | 0x34..ROOT_CONFIG_SIZE)
    }

    /// Four bytes of the root port as hardware has them.
    #[inline]
    pub(super) fn root_get(&self, offset: u16) -> u32 {
        match self.ioda {
            Ioda::Three => regs4::root_get(&self.regs, offset),
            Ioda::Two => {
                self.select(ROOT_PORT, Register::word(offset));
                self.regs.read32(CONFIG_DATA).swap_bytes()
            }
        }
    }

    /// Writes four bytes of the root port.
    #[inline]
    pub(super) fn root_set(&self, offset: u16, value: u32) {
        match self.ioda {
            Ioda::Three => regs4::root_set(&self.regs, offset, value),
            Ioda::Two => {
                self.select(ROOT_PORT, Register::word(offset));
                self.regs.write32(CONFIG_DATA, value.swap_bytes());
            }
        }
    }

    /// Changes bits of four bytes of the root port, leaving alone those that a one would clear.
    pub(super) fn root_change(&self, offset: u16, clear: u32, set: u32) {
        let old = self.root_get(offset) & !ones_clear(offset);
        self.root_set(offset, old & !clear | set);
    }

    /// What a register of the root port shows: what is in `kept` from here, else what `get` gives.
    #[inline(always)]
    fn root_read(&self, register: Register, kept: RangeInclusive<u16>, get: impl Fn(u16) -> u32) -> u32 {
        let word = match register.offset & !3 {
            at if at >= ROOT_CONFIG_SIZE => u32::MAX,
            at if kept.contains(&at) => self.bridge_windows.get(at),
            0x30 => 0,
            // No I/O window.
            0x1c => get(0x1c) | 0x01f1,
            at => get(at),
        };
        word >> (8 * (register.offset & 3)) & register.width.ones()
    }

    /// What the four bytes that hold a register of the root port become by a write, and where they are.
    #[inline(always)]
    fn root_word(
        &self,
        register: Register,
        value: u32,
        kept: RangeInclusive<u16>,
        get: impl Fn(u16) -> u32,
    ) -> Option<(u16, u32)> {
        let at = register.offset & !3;
        if at >= ROOT_CONFIG_SIZE || at == 0x30 {
            return None;
        }
        if register.width == Width::Four {
            return Some((at, value));
        }
        let old = if kept.contains(&at) { self.bridge_windows.get(at) } else { get(at) & !ones_clear(at) };
        let shift = 8 * (register.offset & 3);
        let mask = register.width.ones() << shift;
        Some((at, old & !mask | value << shift & mask))
    }

    #[inline(never)]
    fn root_read_phb3(&self, register: Register) -> Outcome<u32> {
        let value = self.root_read(register, PREFETCHABLE, |at| self.root_get(at));
        if value == register.width.ones() {
            ioda::alive(&self.regs)?;
        }
        Ok(value)
    }

    #[inline(never)]
    fn root_write_phb3(&mut self, register: Register, value: u32) -> Outcome {
        if let Some((at, word)) = self.root_word(register, value, PREFETCHABLE, |at| self.root_get(at)) {
            if PREFETCHABLE.contains(&at) {
                self.bridge_windows.set(at, word);
            }
            self.root_set(at, word);
        }
        ioda::alive(&self.regs)
    }
}
