//! Memory by real address: what firmware shares with hardware (RTT, PELT-V, XIVE tables …) and with the OS.

/// Memory, addressed by real address.
///
/// Values are big-endian in memory, whatever the machine that runs this code: a host test thus sees the bytes
/// that POWER hardware would. An access is performed once and not moved across another one of this trait.
/// The caller has made sure that the bytes exist; a model fails the test when they don't.
pub trait Ram: Send + Sync {
    /// Loads one byte.
    fn read8(&self, address: u64) -> u8;
    /// Loads a big-endian 16-bit number; `address` is a multiple of 2.
    fn read16(&self, address: u64) -> u16;
    /// Loads a big-endian 32-bit number; `address` is a multiple of 4.
    fn read32(&self, address: u64) -> u32;
    /// Loads a big-endian 64-bit number; `address` is a multiple of 8.
    fn read64(&self, address: u64) -> u64;
    /// Stores one byte.
    fn write8(&self, address: u64, value: u8);
    /// Stores a big-endian 16-bit number; `address` is a multiple of 2.
    fn write16(&self, address: u64, value: u16);
    /// Stores a big-endian 32-bit number; `address` is a multiple of 4.
    fn write32(&self, address: u64, value: u32);
    /// Stores a big-endian 64-bit number; `address` is a multiple of 8.
    fn write64(&self, address: u64, value: u64);
    /// Sets `length` bytes to zero; `address` and `length` are multiples of 8.
    fn zero(&self, address: u64, length: u64);
    /// Copies `into.len()` bytes out of memory.
    fn read_bytes(&self, address: u64, into: &mut [u8]);
    /// Copies `from` into memory.
    fn write_bytes(&self, address: u64, from: &[u8]);
    /// Makes all earlier stores visible to devices before any later access (`sync`).
    fn sync(&self);
}

impl<T: Ram + ?Sized> Ram for &T {
    fn read8(&self, address: u64) -> u8 {
        (**self).read8(address)
    }
    fn read16(&self, address: u64) -> u16 {
        (**self).read16(address)
    }
    fn read32(&self, address: u64) -> u32 {
        (**self).read32(address)
    }
    fn read64(&self, address: u64) -> u64 {
        (**self).read64(address)
    }
    fn write8(&self, address: u64, value: u8) {
        (**self).write8(address, value);
    }
    fn write16(&self, address: u64, value: u16) {
        (**self).write16(address, value);
    }
    fn write32(&self, address: u64, value: u32) {
        (**self).write32(address, value);
    }
    fn write64(&self, address: u64, value: u64) {
        (**self).write64(address, value);
    }
    fn zero(&self, address: u64, length: u64) {
        (**self).zero(address, length);
    }
    fn read_bytes(&self, address: u64, into: &mut [u8]) {
        (**self).read_bytes(address, into);
    }
    fn write_bytes(&self, address: u64, from: &[u8]) {
        (**self).write_bytes(address, from);
    }
    fn sync(&self) {
        (**self).sync();
    }
}
