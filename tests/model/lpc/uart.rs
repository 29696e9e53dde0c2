//! 16550 UART. A receive FIFO is fed from what was typed; a byte sent into a full transmitter fails the test.

use std::collections::VecDeque;

const DLAB: u8 = 0x80;
const FIFO_ENABLE: u8 = 0x01;
const FIFO_CLEAR_RECEIVE: u8 = 0x02;
const FIFO_CLEAR_TRANSMIT: u8 = 0x04;
const LOOPBACK: u8 = 0x10;
const DATA_READY: u8 = 0x01;
const TRANSMITTER_EMPTY: u8 = 0x60;

#[derive(Default)]
pub struct Uart {
    pub output: Vec<u8>,
    pub delay: u32,
    pub lcr: u8,
    typed: VecDeque<u8>,
    receive: VecDeque<u8>,
    in_transmitter: usize,
    reads_left: u32,
    ier: u8,
    fcr: u8,
    mcr: u8,
    scratch: u8,
    divisor: [u8; 2],
    /// The "transmitter empty" interrupt, until IIR names it or a byte is sent.
    empty_pending: bool,
}

impl Uart {
    pub fn divisor(&self) -> u16 {
        u16::from_le_bytes(self.divisor)
    }

    fn fifo(&self) -> bool {
        self.fcr & FIFO_ENABLE != 0
    }

    pub fn receive(&mut self, bytes: &[u8]) {
        self.typed.extend(bytes);
        self.fill();
    }

    fn fill(&mut self) {
        let depth = if self.fifo() { 16 } else { 1 };
        while self.receive.len() < depth {
            let Some(byte) = self.typed.pop_front() else { return };
            self.receive.push_back(byte);
        }
    }

    /// Level of IRQ 4.
    pub fn interrupt(&self) -> bool {
        self.identify() != 1
    }

    /// The cause that IIR names: receive before transmit, 1 for none.
    fn identify(&self) -> u8 {
        if self.ier & 1 != 0 && !self.receive.is_empty() {
            4
        } else if self.ier & 2 != 0 && self.empty_pending {
            2
        } else {
            1
        }
    }

    pub fn load(&mut self, register: u64) -> u8 {
        match (register, self.lcr & DLAB != 0) {
            (0 | 1, true) => self.divisor[register as usize],
            (0, false) => {
                let byte = self.receive.pop_front().unwrap_or(0);
                self.fill();
                byte
            }
            (1, false) => self.ier,
            (2, _) => {
                let cause = self.identify();
                if cause == 2 {
                    self.empty_pending = false;
                }
                cause | if self.fifo() { 0xC0 } else { 0 }
            }
            (3, _) => self.lcr,
            (4, _) => self.mcr,
            (5, _) => self.line_status(),
            // Carrier, data set ready, clear to send.
            (6, _) => 0xB0,
            _ => self.scratch,
        }
    }

    fn line_status(&mut self) -> u8 {
        if self.in_transmitter > 0 {
            match self.reads_left.checked_sub(1) {
                Some(left) => self.reads_left = left,
                None => {
                    self.in_transmitter = 0;
                    self.empty_pending = true;
                }
            }
        }
        let received = if self.receive.is_empty() { 0 } else { DATA_READY };
        received | if self.in_transmitter == 0 { TRANSMITTER_EMPTY } else { 0 }
    }

    pub fn store(&mut self, register: u64, value: u8) {
        match (register, self.lcr & DLAB != 0) {
            (0 | 1, true) => self.divisor[register as usize] = value,
            (0, false) => self.send(value),
            (1, false) => {
                if value & 2 != 0 && self.ier & 2 == 0 && self.in_transmitter == 0 {
                    self.empty_pending = true;
                }
                self.ier = value & 0xF;
            }
            (2, _) => {
                if value & FIFO_CLEAR_RECEIVE != 0 {
                    self.receive.clear();
                }
                if value & FIFO_CLEAR_TRANSMIT != 0 {
                    assert_eq!(
                        self.in_transmitter, 0,
                        "UART: FCR throws away bytes that wait in the transmitter"
                    );
                }
                self.fcr = value;
                self.fill();
            }
            (3, _) => self.lcr = value,
            (4, _) => self.mcr = value,
            (5 | 6, _) => panic!("UART: store of {value:#x} to status register {register}"),
            _ => self.scratch = value,
        }
    }

    fn send(&mut self, byte: u8) {
        if self.mcr & LOOPBACK != 0 {
            return self.receive.push_back(byte);
        }
        let depth = if self.fifo() { 16 } else { 1 };
        assert!(self.in_transmitter < depth, "UART: byte {byte:#x} lost: the transmitter is full");
        self.output.push(byte);
        self.empty_pending = self.delay == 0;
        if self.delay > 0 {
            self.in_transmitter += 1;
            self.reads_left = self.delay;
        }
    }
}
