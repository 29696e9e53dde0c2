//! QEMU's `edu` device: a DMA engine that copies between memory and a 4 KiB buffer of its own. Its registers are
//! native-endian, which is big-endian here.

use crate::machine::{io_load, io_store};
use crate::pci::{self, Device};

const IDENTIFICATION: u64 = 0x00;
const SOURCE: u64 = 0x80;
const DESTINATION: u64 = 0x88;
const COUNT: u64 = 0x90;
const COMMAND: u64 = 0x98;
const BUFFER: u64 = 0x40000;

/// An `edu` device that is ready.
#[derive(Clone, Copy, Debug)]
pub struct Edu {
    pub device: Device,
    registers: u64,
}

impl Edu {
    /// Opens the device.
    pub fn open(device: Device) -> Self {
        let registers = pci::open(device);
        let edu = Self { device, registers };
        let id = io_load(registers + IDENTIFICATION);
        assert!(id & 0xff == 0xed, "no edu device at {:x}: {id:#x}", device.bdfn);
        edu
    }

    /// Copies `count` bytes from bus address `from` into the device at `at`.
    pub fn read_memory(&self, from: u64, at: u64, count: u64) {
        io_store(self.registers + SOURCE, from);
        io_store(self.registers + DESTINATION, BUFFER + at);
        self.go(count, 1);
    }

    /// Copies `count` bytes from the device at `at` to bus address `to`.
    pub fn write_memory(&self, to: u64, at: u64, count: u64) {
        io_store(self.registers + SOURCE, BUFFER + at);
        io_store(self.registers + DESTINATION, to);
        self.go(count, 3);
    }

    fn go(&self, count: u64, command: u64) {
        assert!(count <= 4096);
        io_store(self.registers + COUNT, count);
        io_store(self.registers + COMMAND, command);
        let mut patience = 500_000_000u64;
        while io_load(self.registers + COMMAND) & 1 != 0 {
            patience -= 1;
            assert!(patience != 0, "the edu device doesn't finish");
        }
    }
}
