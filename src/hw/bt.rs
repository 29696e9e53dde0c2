//! IPMI block transfer (BT) to the BMC, at ISA ports 0xe4 to 0xe6.
//!
//! IPMI specification 2.0, chapter 11; `reference/platform-qemu-powernv.md` §3.3.

use super::lpc::Lpc;
use crate::error::{Error, Result, why};
use crate::sync::wait_until;
use core::sync::atomic::{AtomicU8, Ordering};

const CONTROL: u16 = 0xe4;
const DATA: u16 = 0xe5;
const MASK: u16 = 0xe6;

const CLR_WR: u8 = 0x01;
const CLR_RD: u8 = 0x02;
const H2B_ATN: u8 = 0x04;
const B2H_ATN: u8 = 0x08;
const SMS_ATN: u8 = 0x10;
const H_BUSY: u8 = 0x40;
const B_BUSY: u8 = 0x80;

const IRQ_ENABLE: u8 = 0x01;
const IRQ: u8 = 0x02;

/// How long the BMC may keep us waiting, in microseconds.
const READY: u64 = 500_000;
const ANSWER: u64 = 1_000_000;
/// Answers to somebody else's question that are passed over.
const STALE: usize = 4;

/// Longest answer that is kept, without header and completion code.
pub const ANSWER_MAX: usize = 32;

/// What the BMC answered.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// 0 when it did what was asked.
    pub completion: u8,
    length: usize,
    bytes: [u8; ANSWER_MAX],
}

impl Answer {
    /// The data after the completion code.
    pub fn data(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }
}

/// The interface. A request is many accesses: whoever uses it holds a lock, or knows that the holder will not go on.
#[derive(Debug)]
pub struct Bt {
    lpc: Lpc,
    sequence: AtomicU8,
}

impl Bt {
    /// Finds the interface: its interrupt enable can be set and read back. Leaves it off.
    pub fn probe(lpc: Lpc) -> Option<Self> {
        lpc.outb(MASK, IRQ_ENABLE);
        let answers = lpc.inb(MASK) & !IRQ == IRQ_ENABLE;
        lpc.outb(MASK, 0);
        let quiet = lpc.inb(MASK) == 0;
        (answers && quiet).then(|| Self { lpc, sequence: AtomicU8::new(0) })
    }

    /// Lets the BMC interrupt when it has something to say.
    pub fn enable_interrupt(&self) {
        self.lpc.outb(MASK, IRQ_ENABLE);
    }

    /// Withdraws the interrupt that was raised so far.
    pub fn acknowledge(&self) {
        self.lpc.outb(MASK, IRQ_ENABLE | IRQ);
    }

    /// Whether the BMC has an event for us.
    pub fn attention(&self) -> bool {
        let control = self.lpc.inb(CONTROL);
        control != 0xff && control & SMS_ATN != 0
    }

    /// Tells the BMC that its event was seen.
    pub fn clear_attention(&self) {
        self.lpc.outb(CONTROL, SMS_ATN);
    }

    /// Sends a request and waits, a bounded time, for its answer.
    ///
    /// # Errors
    /// `Timeout` when the BMC doesn't become ready or doesn't answer, `Parameter` when the data is too long.
    pub fn request(&self, netfn: u8, command: u8, data: &[u8]) -> Result<Answer> {
        let length = u8::try_from(data.len() + 3).map_err(|_| Error::Parameter(why("BT request")))?;
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        if !wait_until(READY, || self.lpc.inb(CONTROL) & (B_BUSY | H2B_ATN) == 0) {
            return Err(Error::Timeout(why("BT: BMC busy")));
        }
        self.set_host_busy(false);
        if self.lpc.inb(CONTROL) & B2H_ATN != 0 {
            self.lpc.outb(CONTROL, B2H_ATN);
        }
        self.lpc.outb(CONTROL, CLR_WR);
        for byte in [length, netfn << 2, sequence, command] {
            self.lpc.outb(DATA, byte);
        }
        for &byte in data {
            self.lpc.outb(DATA, byte);
        }
        self.lpc.outb(CONTROL, H2B_ATN);
        for _ in 0..STALE {
            if !wait_until(ANSWER, || self.lpc.inb(CONTROL) & B2H_ATN != 0) {
                return Err(Error::Timeout(why("BT: no answer")));
            }
            if let Some(answer) = self.take([(netfn | 1) << 2, sequence, command]) {
                return Ok(answer);
            }
        }
        Err(Error::Hardware(why("BT: wrong answers")))
    }

    /// Reads what lies in the buffer; `None` when it doesn't have that header.
    fn take(&self, header: [u8; 3]) -> Option<Answer> {
        self.set_host_busy(true);
        self.lpc.outb(CONTROL, B2H_ATN);
        self.lpc.outb(CONTROL, CLR_RD);
        let length = usize::from(self.lpc.inb(DATA));
        let mut found = [0; 4]; // header and completion code
        for byte in found.iter_mut().take(length) {
            *byte = self.lpc.inb(DATA);
        }
        let mut bytes = [0; ANSWER_MAX];
        let mut kept = 0;
        for at in 0..length.saturating_sub(found.len()) {
            let byte = self.lpc.inb(DATA);
            if let Some(slot) = bytes.get_mut(at) {
                *slot = byte;
                kept = at + 1;
            }
        }
        self.set_host_busy(false);
        let [netfn, sequence, command, completion] = found;
        (length >= found.len() && [netfn, sequence, command] == header).then_some(Answer {
            completion,
            length: kept,
            bytes,
        })
    }

    /// The bit toggles when a one is written.
    fn set_host_busy(&self, busy: bool) {
        if (self.lpc.inb(CONTROL) & H_BUSY != 0) != busy {
            self.lpc.outb(CONTROL, H_BUSY);
        }
    }
}
