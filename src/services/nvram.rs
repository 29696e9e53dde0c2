//! NVRAM for the OS, in RAM: it lasts until the machine is reset. The platform's flash isn't written.
//!
//! Formatted as PAPR §8 (NVRAM) has it, so that Linux finds its way: a `common` partition for settings, the rest free.
//! Each partition begins with a 16-byte header: signature, checksum, length in 16-byte blocks, name.

use crate::error::{Error, Result, why};
use crate::hw::ram::Ram;
use crate::mem::OsBuffer;
use crate::sync::Lock;
use alloc::boxed::Box;
use alloc::vec;
use core::ops::Range;

/// Bytes; `/ibm,opal/nvram` says so in `#bytes`.
pub const SIZE: usize = 64 * 1024;

const BLOCK: usize = 16;
const COMMON_SIZE: usize = 16 * 1024;
const COMMON: u8 = 0x70;
const FREE: u8 = 0x7f;

/// The store.
#[derive(Debug)]
pub struct Nvram {
    bytes: Lock<Box<[u8]>>,
}

impl Nvram {
    /// A fresh, formatted store.
    pub fn new() -> Self {
        let mut bytes = vec![0; SIZE].into_boxed_slice();
        let (common, free) = bytes.split_at_mut(COMMON_SIZE);
        format(common, COMMON, b"common\0\0\0\0\0\0");
        format(free, FREE, b"wwwwwwwwwwww");
        Self { bytes: Lock::new(bytes) }
    }

    /// Copies from `offset` to the OS.
    ///
    /// # Errors
    /// `Parameter` when that isn't wholly inside.
    pub fn read(&self, ram: &dyn Ram, into: OsBuffer, offset: u64) -> Result {
        let range = range(offset, into.length)?;
        let bytes = self.bytes.lock();
        let part = bytes.get(range).ok_or(Error::Parameter(why("NVRAM offset")))?;
        ram.write_bytes(into.address, part);
        Ok(())
    }

    /// Copies from the OS to `offset`.
    ///
    /// # Errors
    /// `Parameter` when that isn't wholly inside.
    pub fn write(&self, ram: &dyn Ram, from: OsBuffer, offset: u64) -> Result {
        let range = range(offset, from.length)?;
        let mut bytes = self.bytes.lock();
        let part = bytes.get_mut(range).ok_or(Error::Parameter(why("NVRAM offset")))?;
        ram.read_bytes(from.address, part);
        Ok(())
    }
}

impl Default for Nvram {
    fn default() -> Self {
        Self::new()
    }
}

/// The part of the store that a call names.
///
/// # Errors
/// `Parameter` when it isn't wholly inside.
pub fn range(offset: u64, length: u64) -> Result<Range<usize>> {
    let end = offset.checked_add(length).filter(|&end| end <= SIZE as u64);
    match (usize::try_from(offset), end.map(usize::try_from)) {
        (Ok(start), Some(Ok(end))) => Ok(start..end),
        _ => Err(Error::Parameter(why("NVRAM offset"))),
    }
}

fn format(partition: &mut [u8], signature: u8, name: &[u8; 12]) {
    let blocks = u16::try_from(partition.len() / BLOCK).unwrap_or(u16::MAX);
    let Some(header) = partition.first_chunk_mut::<BLOCK>() else { return };
    let [high, low] = blocks.to_be_bytes();
    let [first, sum, length_high, length_low, title @ ..] = header;
    (*first, *length_high, *length_low, *title) = (signature, high, low, *name);
    let bytes = [signature, high, low].into_iter().chain(*name);
    *sum = bytes.fold(0u8, |sum, byte| {
        let (sum, carry) = sum.overflowing_add(byte);
        if carry { sum.wrapping_add(1) } else { sum } // a ones' complement sum
    });
}
