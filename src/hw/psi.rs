//! PSI host bridge of POWER9 and POWER10: the interrupts of the chip's own units (LPC and what hangs on it, I2C, SBE …).
//!
//! Registers: `reference/platform-qemu-powernv.md` §3.5. The BAR is left where the machine put it.

use crate::error::Result;
use crate::hw::mmio::Mmio;
use crate::interrupts::source::{NotifyPort, Source, Sources, esb};
use crate::units::Isn;
use alloc::boxed::Box;

/// Inputs of the bridge, all level-sensitive, in the order of their source numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Input {
    /// PSI itself.
    Psi = 0,
    /// On-chip controller.
    Occ = 1,
    /// Service interface.
    Fsi = 2,
    /// LPC host controller.
    Lpc = 3,
    /// Local error.
    LocalError = 4,
    /// Global error.
    GlobalError = 5,
    /// Trusted platform module.
    Tpm = 6,
    /// First of the four routes of LPC's serial interrupts.
    SerialIrq0 = 7,
    /// Second route.
    SerialIrq1 = 8,
    /// Third route.
    SerialIrq2 = 9,
    /// Fourth route.
    SerialIrq3 = 10,
    /// I2C masters.
    I2c = 11,
    /// Digital I/O.
    Dio = 12,
    /// Self-boot engine.
    Sbe = 13,
}

/// How many inputs there are.
pub const INPUTS: u32 = 14;
/// Source numbers that are set aside for them: the base is or-ed with the input.
const ALIGN: u32 = 16;

/// Address of the ESB pages, and the bit that makes them valid.
#[doc(alias = "PSIHB_ESB_CI_BASE")]
const ESB_BASE: u64 = 0x60;
#[doc(alias = "PSIHB_ESB_NOTIF_ADDR")]
const NOTIFY_ADDRESS: u64 = 0x68;
const VALID: u64 = 1;
/// POWER10: ESB pages have 64 KiB.
#[doc(alias = "PSIHB10_ESB_CI_64K")]
const PAGES_64K: u64 = 1 << 62;
/// log2 of an ESB page on POWER10; those of POWER9 have 4 KiB.
const SHIFT_64K: u32 = 16;
/// Number of the first source, in the upper half.
#[doc(alias = "PSIHB_IVT_OFFSET")]
const SOURCE_BASE: u64 = 0x70;
#[doc(alias = "PSIHB_INTERRUPT_CONTROL")]
const INTERRUPT_CONTROL: u64 = 0x58;
/// Resets the input logic; bit 0 clear selects ESBs.
const RESET: u64 = 1 << 62;

/// Numbers of the bridge's interrupts.
#[derive(Clone, Copy, Debug)]
pub struct Psi {
    first: Isn,
}

impl Psi {
    /// Connects the bridge whose registers these are to its chip's interrupt controller, all inputs off. `esb` is
    /// where its ESB pages shall be, `page_shift` is log2 of their size (12 on POWER9, 16 on POWER10), `pages` is
    /// what will answer there.
    ///
    /// # Errors
    /// `Resource` when no source numbers are left.
    pub fn connect(
        registers: &dyn Mmio,
        esb: u64,
        page_shift: u32,
        pages: Box<dyn Mmio>,
        controller: &mut dyn Sources,
    ) -> Result<Self> {
        let first = controller.reserve(ALIGN, ALIGN)?;
        registers.write64(ESB_BASE, 0);
        let size = if page_shift == SHIFT_64K { PAGES_64K } else { 0 };
        registers.write64(ESB_BASE, esb | size | VALID);
        for input in 0..u64::from(INPUTS) {
            pages.read64((input << page_shift) + esb::SET_OFF);
        }
        registers.write64(SOURCE_BASE, u64::from(first.0) << 32);
        registers.write64(NOTIFY_ADDRESS, controller.notify_port(NotifyPort::Psi) | VALID);
        registers.write64(INTERRUPT_CONTROL, RESET);
        registers.write64(INTERRUPT_CONTROL, 0);
        controller.register(Source { first, count: INPUTS, esb, page_shift, level: 0..INPUTS, pages });
        Ok(Self { first })
    }

    /// Number of an input's interrupt, for the device tree.
    pub const fn isn(self, input: Input) -> Isn {
        Isn(self.first.0 | input as u32)
    }
}
