//! Device registers: the one trait between a driver and its device.

/// A window of device registers.
///
/// Offsets are bytes from the window's start. A multi-byte value is the number that a big-endian load gives
/// (the byte at the lowest address is the most significant); only `phb/config.rs` knows that config space is
/// little-endian. Every access is performed once, in program order, and after all earlier stores to memory:
/// `arch/power` puts a `sync` before it.
pub trait Mmio: Send + Sync {
    /// Loads one byte.
    fn read8(&self, offset: u64) -> u8;
    /// Loads two bytes; `offset` is a multiple of 2.
    fn read16(&self, offset: u64) -> u16;
    /// Loads four bytes; `offset` is a multiple of 4.
    fn read32(&self, offset: u64) -> u32;
    /// Loads eight bytes; `offset` is a multiple of 8.
    fn read64(&self, offset: u64) -> u64;
    /// Stores one byte.
    fn write8(&self, offset: u64, value: u8);
    /// Stores two bytes; `offset` is a multiple of 2.
    fn write16(&self, offset: u64, value: u16);
    /// Stores four bytes; `offset` is a multiple of 4.
    fn write32(&self, offset: u64, value: u32);
    /// Stores eight bytes; `offset` is a multiple of 8.
    fn write64(&self, offset: u64, value: u64);
}

impl<T: Mmio + ?Sized> Mmio for &T {
    fn read8(&self, offset: u64) -> u8 {
        (**self).read8(offset)
    }
    fn read16(&self, offset: u64) -> u16 {
        (**self).read16(offset)
    }
    fn read32(&self, offset: u64) -> u32 {
        (**self).read32(offset)
    }
    fn read64(&self, offset: u64) -> u64 {
        (**self).read64(offset)
    }
    fn write8(&self, offset: u64, value: u8) {
        (**self).write8(offset, value);
    }
    fn write16(&self, offset: u64, value: u16) {
        (**self).write16(offset, value);
    }
    fn write32(&self, offset: u64, value: u32) {
        (**self).write32(offset, value);
    }
    fn write64(&self, offset: u64, value: u64) {
        (**self).write64(offset, value);
    }
}
