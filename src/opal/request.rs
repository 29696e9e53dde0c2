//! Structures that the OS passes to Opalite's own calls. Each begins with its size in bytes and its flags, both
//! `be32`, so that it can grow: a longer one from a newer OS is served if what is behind the known part is zero.

use super::args::Args;
use crate::error::{Error, Result, why};
use crate::firmware::Firmware;
use crate::mem::{OsBuffer, OsNumber};

/// The longest structure that is looked at.
const LONGEST: u64 = 256;

/// A structure of the OS, checked; its fields are read and written by their offsets. It lies in memory that the OS may
/// change meanwhile: each field is read once.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    fw: &'a Firmware,
    address: u64,
    /// Its flags; all of them are known.
    pub flags: u32,
}

impl<'a> Request<'a> {
    /// Checks argument `N`: a pointer to a structure whose known part has `known` bytes (a multiple of 8), and whose
    /// flags are among `flags`.
    ///
    /// # Errors
    /// `Parameter` when the pointer isn't aligned to 8 or the known part isn't in RAM of the OS, when the size is less
    /// than the known part, over 256, or no multiple of 8, when it has something that isn't known, or unknown flags.
    pub fn check<const N: usize>(fw: &'a Firmware, args: &Args, known: u64, flags: u32) -> Result<Self> {
        Self::at(fw, args.u64::<N>(), known, flags)
    }

    /// One copy for all calls.
    #[inline(never)]
    fn at(fw: &'a Firmware, argument: u64, known: u64, flags: u32) -> Result<Self> {
        let part = OsBuffer::check(&fw.memory, argument, known)?;
        if !part.address.is_multiple_of(8) {
            return Err(Error::Parameter(why("structure's alignment")));
        }
        let header = u64::load(&fw.ram, part.address);
        let (size, given) = (header >> 32, header as u32);
        if size < known || size > LONGEST || !size.is_multiple_of(8) {
            return Err(Error::Parameter(why("structure's size")));
        }
        if given & !flags != 0 {
            return Err(Error::Parameter(why("flags")));
        }
        let whole = OsBuffer::check(&fw.memory, part.address, size)?;
        if (known..size).step_by(8).any(|offset| u64::load(&fw.ram, whole.address.wrapping_add(offset)) != 0)
        {
            return Err(Error::Parameter(why("structure has more than is known")));
        }
        Ok(Self { fw, address: part.address, flags: given })
    }

    /// The 64-bit field at that offset.
    #[inline]
    pub fn u64(&self, offset: u64) -> u64 {
        u64::load(&self.fw.ram, self.address.wrapping_add(offset))
    }

    /// The 32-bit field at that offset.
    #[inline]
    pub fn u32(&self, offset: u64) -> u32 {
        u32::load(&self.fw.ram, self.address.wrapping_add(offset))
    }

    /// Sets a 64-bit field.
    #[inline]
    pub fn set_u64(&self, offset: u64, value: u64) {
        value.store(&self.fw.ram, self.address.wrapping_add(offset));
    }

    /// Sets a 32-bit field.
    #[inline]
    pub fn set_u32(&self, offset: u64, value: u32) {
        value.store(&self.fw.ram, self.address.wrapping_add(offset));
    }
}
