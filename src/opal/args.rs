//! Arguments of a call: from registers to checked types.

use crate::error::{Error, Result, why};
use crate::firmware::Firmware;
use crate::mem::{OsBuffer, OsNumber, OsPointer};

/// The argument registers of a call. Registers beyond the call's own arguments hold garbage.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Args(pub [u64; 7]);

impl Args {
    /// Argument `N`, whole.
    #[inline(always)]
    pub fn u64<const N: usize>(&self) -> u64 {
        const { assert!(N < 7) };
        let [a, b, c, d, e, f, g] = self.0;
        match N {
            0 => a,
            1 => b,
            2 => c,
            3 => d,
            4 => e,
            5 => f,
            _ => g,
        }
    }

    /// Argument `N` as a 32-bit number. A wider one is an error: 0x1_0000_0002 is not 2.
    ///
    /// # Errors
    /// `Parameter` when it doesn't fit.
    #[inline(always)]
    pub fn u32<const N: usize>(&self) -> Result<u32> {
        u32::try_from(self.u64::<N>()).map_err(|_| Error::Parameter(why("wider than 32 bits")))
    }

    /// Argument `N` as a 16-bit number.
    ///
    /// # Errors
    /// `Parameter` when it doesn't fit.
    #[inline(always)]
    pub fn u16<const N: usize>(&self) -> Result<u16> {
        u16::try_from(self.u64::<N>()).map_err(|_| Error::Parameter(why("wider than 16 bits")))
    }

    /// Argument `N` as an 8-bit number.
    ///
    /// # Errors
    /// `Parameter` when it doesn't fit.
    #[inline(always)]
    pub fn u8<const N: usize>(&self) -> Result<u8> {
        u8::try_from(self.u64::<N>()).map_err(|_| Error::Parameter(why("wider than 8 bits")))
    }

    /// Argument `N` as a pointer to a number of the OS.
    ///
    /// # Errors
    /// `Parameter`, see [`OsPointer::check`].
    #[inline(always)]
    pub fn pointer<T: OsNumber, const N: usize>(&self, fw: &Firmware) -> Result<OsPointer<T>> {
        OsPointer::check(&fw.memory, self.u64::<N>())
    }

    /// Argument `N` as a pointer that may be null.
    ///
    /// # Errors
    /// `Parameter`, see [`OsPointer::check`].
    #[inline(always)]
    pub fn optional<T: OsNumber, const N: usize>(&self, fw: &Firmware) -> Result<Option<OsPointer<T>>> {
        if self.u64::<N>() == 0 { Ok(None) } else { self.pointer::<T, N>(fw).map(Some) }
    }

    /// Argument `N` as a buffer of `length` bytes.
    ///
    /// # Errors
    /// `Parameter`, see [`OsBuffer::check`].
    pub fn buffer<const N: usize>(&self, fw: &Firmware, length: u64) -> Result<OsBuffer> {
        OsBuffer::check(&fw.memory, self.u64::<N>(), length)
    }
}
