//! XSCOM: the chip's registers of service, each 64 bits, numbered by PCB address. The answer's status is in the
//! thread's HMER, which only `arch` can read, so whoever builds a [`Window`] passes that in.
//!
//! `reference/platform-qemu-powernv.md` §3.1.

use super::mmio::Mmio;
use crate::error::{Error, Result, why};

/// Registers of one chip.
pub trait Xscom: Send + Sync {
    /// Reads a register.
    ///
    /// # Errors
    /// `Hardware` when there is no such register or its unit is off.
    fn read(&self, address: u32) -> Result<u64>;
    /// Writes a register.
    ///
    /// # Errors
    /// As for [`Xscom::read`].
    fn write(&self, address: u32, value: u64) -> Result;
}

impl<T: Xscom + ?Sized> Xscom for &T {
    fn read(&self, address: u32) -> Result<u64> {
        (**self).read(address)
    }
    fn write(&self, address: u32, value: u64) -> Result {
        (**self).write(address, value)
    }
}

/// How a PCB address becomes an offset in the chip's XSCOM window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// POWER8: the low four bits lie apart from the rest.
    Power8,
    /// POWER9 and later.
    Power9,
}

impl Layout {
    const fn offset(self, address: u32) -> u64 {
        let address = address as u64;
        match self {
            Self::Power8 => (address & !0xf) << 4 | (address & 0xf) << 3,
            Self::Power9 => address << 3,
        }
    }
}

/// HMER bit 8: the access failed.
#[doc(alias = "HMER_XSCOM_FAIL")]
pub const FAILED: u64 = 1 << (63 - 8);
/// HMER bits 21:23: why; zero is success.
#[doc(alias = "HMER_XSCOM_STATUS")]
pub const STATUS: u64 = 7 << (63 - 23);

/// A chip's XSCOM window and the way to the status.
#[derive(Clone, Copy, Debug)]
pub struct Window<I, H = fn() -> u64> {
    window: I,
    layout: Layout,
    take_hmer: H,
}

impl<I: Mmio, H: Fn() -> u64> Window<I, H> {
    /// `take_hmer` gives HMER and clears its bits 8, 9 and 21:23.
    pub const fn new(window: I, layout: Layout, take_hmer: H) -> Self {
        Self { window, layout, take_hmer }
    }

    #[inline(always)]
    fn status(&self) -> Result {
        if (self.take_hmer)() & (FAILED | STATUS) == 0 { Ok(()) } else { Err(Error::Hardware(why("XSCOM"))) }
    }
}

impl<I: Mmio, H: Fn() -> u64 + Send + Sync> Xscom for Window<I, H> {
    #[inline(always)]
    fn read(&self, address: u32) -> Result<u64> {
        let value = self.window.read64(self.layout.offset(address));
        self.status().map(|()| value)
    }
    #[inline(always)]
    fn write(&self, address: u32, value: u64) -> Result {
        self.window.write64(self.layout.offset(address), value);
        self.status()
    }
}

#[cfg(test)]
mod tests {
    use super::Layout;

    #[test]
    fn addresses_become_offsets() {
        assert_eq!(Layout::Power9.offset(0x0401_0c52), 0x2008_6290);
        assert_eq!(Layout::Power8.offset(0x0201_2045), 0x2012_0428);
    }
}
