//! The PSI host bridge of POWER8: it hands six level-sensitive interrupts to the presenters itself.
//!
//! `reference/platform-qemu-powernv.md` §3.5. The serial link to a service processor isn't used.

use super::mmio::Mmio;
use crate::error::{Error, Result, why};
use crate::interrupts::xics::{MASKED, Server, XicsSource};
use crate::units::Isn;
use core::ops::Range;

/// What can interrupt; the numbers are those of the sources, counted from the bridge's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Input {
    Fsp = 0,
    Occ = 1,
    Fsi = 2,
    /// LPC host controller, I2C masters.
    LpcI2c = 3,
    LocalError = 4,
    /// The pin: on the machines that we know, all devices of the LPC bus.
    External = 5,
}

/// How many inputs there are.
pub const INPUTS: u32 = 6;

/// Where an input's interrupt goes.
#[doc(alias = "PSIHB_XIVR")]
const XIVR: [u64; INPUTS as usize] = [0x30, 0x60, 0x68, 0x70, 0x78, 0x80];
/// Bits 8:23.
const SERVER: u32 = 40;
/// Bits 24:31.
const PRIORITY: u32 = 32;
/// Bits 32:34: number of the source.
const SOURCE: u32 = 29;

#[doc(alias = "PSIHB_IRSN")]
const IRSN: u64 = 0x88;
/// Bits 0:18: number of the first source; the bridge passes messages on that don't compare under the mask in 32:50.
const FIRST: u32 = 45;
const COMPARE_MASK: u64 = 0x7_fff8 << 13;
/// Bits 30 and 31.
const UP_AND_DOWN: u64 = 3 << 32;

/// The bridge of one chip.
pub struct Psi8<I> {
    registers: I,
    first: Isn,
}

impl<I: Mmio> Psi8<I> {
    /// Connects the bridge whose registers these are: its interrupts have numbers from `first` on, a multiple of 8,
    /// and are masked. `server` exists: hardware wants one even of a masked interrupt.
    pub fn connect(registers: I, first: Isn, server: Server) -> Self {
        let psi = Self { registers, first };
        // Each input has its own number before any number counts.
        for (input, xivr) in (0..).zip(XIVR) {
            psi.registers.write64(xivr, value(input, server, MASKED));
        }
        psi.registers.write64(IRSN, u64::from(first.0) << FIRST | UP_AND_DOWN | COMPARE_MASK);
        psi
    }

    fn input(&self, isn: Isn) -> Result<(u32, u64)> {
        let input = isn.0.wrapping_sub(self.first.0);
        let xivr = XIVR.get(input as usize).ok_or(Error::Parameter(why("ISN")))?;
        Ok((input, *xivr))
    }
}

fn value(input: u32, server: Server, priority: u8) -> u64 {
    u64::from(server) << SERVER | u64::from(priority) << PRIORITY | u64::from(input) << SOURCE
}

impl<I: Mmio> XicsSource for Psi8<I> {
    fn isns(&self) -> Range<Isn> {
        self.first..Isn(self.first.0 + INPUTS)
    }

    fn set_route(&self, isn: Isn, server: Server, priority: u8) -> Result {
        let (input, xivr) = self.input(isn)?;
        self.registers.write64(xivr, value(input, server, priority));
        Ok(())
    }

    fn route(&self, isn: Isn) -> Result<(Server, u8)> {
        let value = self.registers.read64(self.input(isn)?.1);
        Ok(((value >> SERVER) as Server, (value >> PRIORITY) as u8))
    }
}
