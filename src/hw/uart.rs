//! A 16550 UART on the LPC bus.

use super::lpc::Lpc;
use crate::log::Sink;
use crate::sync::wait_until;
use core::sync::atomic::{AtomicU8, Ordering};

/// Port of the first UART.
pub const COM1: u16 = 0x3f8;

const DATA: u16 = 0;
const IER: u16 = 1;
const IIR: u16 = 2;
const FCR: u16 = 2;
const LCR: u16 = 3;
const MCR: u16 = 4;
const LSR: u16 = 5;
const SCRATCH: u16 = 7;

const IIR_FIFOS: u8 = 0xc0;
const FCR_ON_AND_EMPTY: u8 = 0x07;
const LCR_8N1: u8 = 0x03;
const LCR_DIVISOR: u8 = 0x80;
/// DTR, RTS, and OUT2, which gates the interrupt on PC-like parts.
const MCR_READY: u8 = 0x0b;
const LSR_DATA: u8 = 0x01;
const LSR_THR_EMPTY: u8 = 0x20;
/// 115200 baud from 1.8432 MHz.
const DIVISOR: u8 = 1;
/// Longest wait for room, in microseconds: 16 characters at 9600 baud.
const ROOM: u64 = 17_000;

/// Interrupts that the UART raises (its IER).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interrupts {
    /// When a character has arrived.
    pub input: bool,
    /// When there is room for output.
    pub output: bool,
}

/// The UART; it holds no state but what it found at start, so that two owners do no harm.
#[derive(Debug)]
pub struct Uart {
    lpc: Lpc,
    port: u16,
    /// Characters that fit when the transmitter says it is empty: 16, or 1 without FIFOs.
    depth: AtomicU8,
}

impl Uart {
    /// Finds the UART at `port` and sets it to 115200 8N1, FIFOs on, interrupts off. `None` when nothing answers.
    pub fn probe(lpc: Lpc, port: u16) -> Option<Self> {
        let uart = Self { lpc, port, depth: AtomicU8::new(1) };
        for pattern in [0x5a, 0xa5] {
            uart.set(SCRATCH, pattern);
            if uart.get(SCRATCH) != pattern {
                return None;
            }
        }
        uart.set(IER, 0);
        uart.set(LCR, LCR_DIVISOR);
        uart.set(DATA, DIVISOR);
        uart.set(IER, 0); // the divisor's high byte, here
        uart.set(LCR, LCR_8N1);
        uart.set(MCR, MCR_READY);
        uart.set(FCR, FCR_ON_AND_EMPTY);
        if uart.get(IIR) & IIR_FIFOS == IIR_FIFOS {
            uart.depth.store(16, Ordering::Relaxed);
        }
        Some(uart)
    }

    /// How many characters the transmitter takes now, and whether one has arrived.
    #[inline(always)]
    pub fn status(&self) -> (u8, bool) {
        let status = self.get(LSR);
        if status == 0xff {
            return (0, false); // nobody drives the bus
        }
        let room = if status & LSR_THR_EMPTY == 0 { 0 } else { self.depth.load(Ordering::Relaxed) };
        (room, status & LSR_DATA != 0)
    }

    /// Takes the character that `status` announced.
    pub fn receive(&self) -> u8 {
        self.get(DATA)
    }

    /// Sends a character; `status` said that there is room.
    #[inline(always)]
    pub fn send(&self, byte: u8) {
        self.set(DATA, byte);
    }

    /// Chooses which interrupts it raises.
    pub fn set_interrupts(&self, which: Interrupts) {
        self.set(IER, u8::from(which.input) | u8::from(which.output) << 1);
    }

    /// Sends `bytes` when there is no other owner whose place is known: looks for room before each 16 and waits a
    /// bounded time. Tells how many went out.
    pub fn send_waiting(&self, bytes: &[u8]) -> usize {
        let mut room = 0;
        for (sent, &byte) in bytes.iter().enumerate() {
            if room == 0
                && !wait_until(ROOM, || {
                    room = self.status().0;
                    room > 0
                })
            {
                return sent;
            }
            self.send(byte);
            room = room.saturating_sub(1);
        }
        bytes.len()
    }

    #[inline(always)]
    fn get(&self, register: u16) -> u8 {
        self.lpc.inb(self.port.wrapping_add(register))
    }

    #[inline(always)]
    fn set(&self, register: u16, value: u8) {
        self.lpc.outb(self.port.wrapping_add(register), value);
    }
}

/// Firmware's own lines, while it boots. A UART that takes nothing loses them: the ring in memory has them too.
impl Sink for Uart {
    fn show(&self, bytes: &[u8]) {
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            match line.split_last() {
                Some((b'\n', text)) => {
                    self.send_waiting(text);
                    self.send_waiting(b"\r\n");
                }
                _ => {
                    self.send_waiting(line);
                }
            }
        }
    }
}
