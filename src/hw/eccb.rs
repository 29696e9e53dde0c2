//! POWER8's way to the OPB, and so to the LPC bus: commands through four XSCOM registers of the ECCB.
//!
//! `reference/platform-qemu-powernv.md` §3.2. An offset of this window is an OPB address, as on POWER9, and 1- and
//! 4-byte accesses work.

use super::mmio::Mmio;
use super::xscom::Xscom;
use crate::sync::{Lock, wait_until};

const CONTROL: u32 = 0xb_0020;
const STATUS: u32 = 0xb_0022;
const DATA: u32 = 0xb_0023;

/// What is the same in each command; the size in bytes is in bits 4:7.
const COMMAND: u64 = 0xd000_0100 << 32;
const SIZE: u32 = 56;
/// Bit 15: a load.
const LOAD: u64 = 1 << (63 - 15);
/// Bit 52: the access is over.
const DONE: u64 = 1 << (63 - 52);
/// Loaded data is in bits 6:37, and data to store in bits 0:31, both left-aligned.
const LOADED: u32 = 26;

/// How long an access may take, in microseconds: a slow device on the LPC bus takes some.
const ACCESS: u64 = 1_000;
/// How long the lock's holder may take. After that it is a call that was interrupted on this very thread: its access
/// will time out.
const PATIENCE: u64 = 10_000;

/// The OPB through the ECCB.
pub struct Eccb<S> {
    scom: S,
    /// An access is a sequence.
    turn: Lock<()>,
}

impl<S: Xscom> Eccb<S> {
    /// The OPB of the chip with these registers.
    pub const fn new(scom: S) -> Self {
        Self { scom, turn: Lock::new(()) }
    }

    /// One access; all ones when nothing answers, as where no device is. Each character on the console is one, so
    /// whatever takes long lies apart.
    #[inline(never)]
    fn run(&self, command: u64, offset: u64, size: u64, data: u32) -> u32 {
        let Some(_turn) = self.turn.try_lock() else { return self.run_late(command, offset, size, data) };
        self.act(command, offset, size, data)
    }

    /// The same when somebody is at it. If he doesn't end, he won't before we do: this access is made all the same.
    #[cold]
    #[inline(never)]
    fn run_late(&self, command: u64, offset: u64, size: u64, data: u32) -> u32 {
        let mut turn = None;
        wait_until(PATIENCE, || {
            turn = self.turn.try_lock();
            turn.is_some()
        });
        self.act(command, offset, size, data)
    }

    #[inline(always)]
    fn act(&self, command: u64, offset: u64, size: u64, data: u32) -> u32 {
        let shift = 32 - 8 * size;
        let command = COMMAND | command | size << SIZE | offset & 0xffff_ffff;
        let stored = command & LOAD != 0 || self.scom.write(DATA, u64::from(data) << shift << 32).is_ok();
        if !stored || self.scom.write(CONTROL, command).is_err() {
            return u32::MAX;
        }
        let mut status = self.status();
        if status & DONE == 0 {
            status = self.wait_for_end();
        }
        (status >> LOADED) as u32 >> shift
    }

    #[cold]
    #[inline(never)]
    fn wait_for_end(&self) -> u64 {
        let mut status = 0;
        wait_until(ACCESS, || {
            status = self.status();
            status & DONE != 0
        });
        if status & DONE == 0 { u64::MAX } else { status }
    }

    #[inline(always)]
    fn status(&self) -> u64 {
        self.scom.read(STATUS).unwrap_or(0)
    }
}

impl<S: Xscom> Mmio for Eccb<S> {
    fn read8(&self, offset: u64) -> u8 {
        self.run(LOAD, offset, 1, 0) as u8
    }
    fn read32(&self, offset: u64) -> u32 {
        self.run(LOAD, offset, 4, 0)
    }
    fn write8(&self, offset: u64, value: u8) {
        self.run(0, offset, 1, value.into());
    }
    fn write32(&self, offset: u64, value: u32) {
        self.run(0, offset, 4, value);
    }
    // The bus has no accesses of these sizes.
    fn read16(&self, _: u64) -> u16 {
        u16::MAX
    }
    fn read64(&self, _: u64) -> u64 {
        u64::MAX
    }
    fn write16(&self, _: u64, _: u16) {}
    fn write64(&self, _: u64, _: u64) {}
}
