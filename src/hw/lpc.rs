//! The LPC bus behind the OPB: ISA I/O ports, and the host controller that turns SerIRQ into PSI inputs.
//!
//! `reference/platform-qemu-powernv.md` §3.2. On POWER9 and POWER10 the OPB is a window of memory where the offset
//! is the OPB address and only 1- and 4-byte accesses work. POWER8 reaches it through the ECCB ([`super::eccb`]), and its
//! devices' interrupts don't pass the host controller.

use super::mmio::Mmio;

const OPB_MASTER: u64 = 0xc001_0000;
const HOST_CONTROLLER: u64 = 0xc001_2000;
const ISA_IO: u64 = 0xd001_0000;

#[doc(alias = "OPB_MASTER_LS_ROUTE0")]
const ROUTE0: u64 = OPB_MASTER + 0x08;
#[doc(alias = "OPB_MASTER_LS_ROUTE1")]
const ROUTE1: u64 = OPB_MASTER + 0x0c;
const OPB_IRQ_STAT: u64 = OPB_MASTER + 0x50;
const OPB_IRQ_MASK: u64 = OPB_MASTER + 0x54;
const OPB_IRQ_POL: u64 = OPB_MASTER + 0x58;
const OPB_HOST_CONTROLLER: u32 = 0x800;

#[doc(alias = "LPC_HC_IRQSER_CTRL")]
const IRQSER_CTRL: u64 = HOST_CONTROLLER + 0x30;
const IRQMASK: u64 = HOST_CONTROLLER + 0x34;
const IRQSTAT: u64 = HOST_CONTROLLER + 0x38;
const IRQSER_ENABLE: u32 = 0x8000_0000;
const IRQSER_AUTO_CLEAR: u32 = 0x0080_0000;
/// Errors of the host controller that are worth an interrupt; the no-response one is not in any
/// probing's interest, but a driver that loses its device should show.
const ERRORS: u32 = 0x4fc;

/// A serialized interrupt of the bus, 0 to 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SerIrq(u8);

impl SerIrq {
    /// The first UART.
    pub const UART: Self = Self(4);
    /// The BMC's block-transfer interface.
    pub const BT: Self = Self(10);

    const fn bit(self) -> u32 {
        0x8000_0000 >> self.0
    }

    /// The field of ROUTE1 with that route; only interrupts up to 13 are there.
    const fn route(self, route: u32) -> u32 {
        route << (26 - 2 * self.0)
    }
}

/// The LPC bus of one chip.
#[derive(Clone, Copy)]
pub struct Lpc {
    opb: &'static dyn Mmio,
}

impl Lpc {
    /// The bus behind an OPB window.
    pub const fn new(opb: &'static dyn Mmio) -> Self {
        Self { opb }
    }

    /// Loads from an ISA port.
    #[inline(always)]
    pub fn inb(self, port: u16) -> u8 {
        self.opb.read8(ISA_IO + u64::from(port))
    }

    /// Stores to an ISA port.
    #[inline(always)]
    pub fn outb(self, port: u16, value: u8) {
        self.opb.write8(ISA_IO + u64::from(port), value);
    }

    /// Routes the UART's interrupt to PSI input 8, the BT's to 7 and errors to 3, in continuous mode. The host
    /// controller clears its status by itself when a device withdraws its interrupt.
    pub fn init_interrupts(self) {
        self.opb.write32(IRQSER_CTRL, 0);
        self.opb.write32(ROUTE0, 0);
        self.opb.write32(ROUTE1, SerIrq::UART.route(1) | SerIrq::BT.route(0));
        self.opb.write32(IRQSTAT, u32::MAX);
        self.opb.write32(OPB_IRQ_POL, 0);
        self.opb.write32(OPB_IRQ_STAT, u32::MAX);
        self.opb.write32(OPB_IRQ_MASK, OPB_HOST_CONTROLLER);
        self.opb.write32(IRQMASK, SerIrq::UART.bit() | SerIrq::BT.bit() | ERRORS);
        self.opb.write32(IRQSER_CTRL, IRQSER_ENABLE | IRQSER_AUTO_CLEAR);
    }

    /// Takes back a serialized interrupt whose device was served. Real host controllers may latch it even with
    /// auto-clear on.
    pub fn acknowledge(self, irq: SerIrq) {
        self.opb.write32(IRQSTAT, irq.bit());
    }

    /// Reads and clears the host controller's errors, then the OPB's latch.
    pub fn take_errors(self) -> u32 {
        let errors = self.opb.read32(IRQSTAT) & 0x7ff;
        self.opb.write32(IRQSTAT, errors);
        self.opb.write32(OPB_IRQ_STAT, OPB_HOST_CONTROLLER);
        errors
    }
}

impl core::fmt::Debug for Lpc {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Lpc")
    }
}
