//! Device registers and memory as the processor sees them.

use crate::hw::{mmio::Mmio, ram::Ram};
use core::arch::asm;
use core::ptr::NonNull;
use volatile::VolatilePtr;

/// A window of device registers at a real address.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    base: u64,
}

impl Registers {
    /// A window that starts at `base`.
    ///
    /// # Safety
    /// A device's registers start at `base`, and whoever holds this value uses only offsets that the device
    /// decodes: a stray access is a machine check.
    pub const unsafe fn new(base: u64) -> Self {
        Self { base }
    }
}

// A load isn't followed by `twi; isync`: it is complete when its value is used, and every later access of a device
// begins with `sync`. A load from RAM that must come later needs a `sync` of its own.
macro_rules! load {
    ($name:ident, $type:ty, $instruction:literal) => {
        #[inline(always)]
        fn $name(&self, offset: u64) -> $type {
            let value: u64;
            // SAFETY: `new` promised that the device decodes this address; the instruction touches no memory.
            unsafe {
                asm!(
                    "sync",
                    concat!($instruction, " {v}, {b}, {o}"),
                    v = out(reg) value,
                    b = in(reg_nonzero) self.base,
                    o = in(reg) offset,
                    options(nostack, preserves_flags)
                );
            }
            value as $type
        }
    };
}

macro_rules! store {
    ($name:ident, $type:ty, $instruction:literal) => {
        #[inline(always)]
        fn $name(&self, offset: u64, value: $type) {
            // SAFETY: as for loads.
            unsafe {
                asm!(
                    "sync",
                    concat!($instruction, " {v}, {b}, {o}"),
                    v = in(reg) u64::from(value),
                    b = in(reg_nonzero) self.base,
                    o = in(reg) offset,
                    options(nostack, preserves_flags)
                );
            }
        }
    };
}

impl Mmio for Registers {
    load!(read8, u8, "lbzcix");
    load!(read16, u16, "lhzcix");
    load!(read32, u32, "lwzcix");
    load!(read64, u64, "ldcix");
    store!(write8, u8, "stbcix");
    store!(write16, u16, "sthcix");
    store!(write32, u32, "stwcix");
    store!(write64, u64, "stdcix");
}

/// The machine's memory, by real address.
#[derive(Clone, Copy, Debug)]
pub struct PhysicalRam(());

impl PhysicalRam {
    /// The machine's memory.
    ///
    /// # Safety
    /// Whoever holds this value passes only addresses of memory that firmware owns and hasn't lent to Rust
    /// objects, of tables shared with hardware, or of memory that the OS named in a call and `OsPointer` checked.
    pub const unsafe fn new() -> Self {
        Self(())
    }
}

/// Bytes that `dcbz` clears.
const CACHE_BLOCK: u64 = 128;

/// A number in memory that hardware or the OS reads or writes too.
///
/// # Safety
/// `address` is memory as `PhysicalRam::new` says, not 0, and aligned for `T`.
#[inline(always)]
unsafe fn cell<T: Copy>(address: u64) -> VolatilePtr<'static, T> {
    let pointer = core::ptr::with_exposed_provenance_mut(address as usize);
    // SAFETY: the caller's promise.
    unsafe { VolatilePtr::new(NonNull::new_unchecked(pointer)) }
}

macro_rules! ram {
    ($read:ident, $write:ident, $type:ty) => {
        #[inline(always)]
        fn $read(&self, address: u64) -> $type {
            // SAFETY: `new` promised that this is memory outside of Rust's objects.
            unsafe { cell::<$type>(address) }.read()
        }
        #[inline(always)]
        fn $write(&self, address: u64, value: $type) {
            // SAFETY: as above.
            unsafe { cell::<$type>(address) }.write(value);
        }
    };
}

impl Ram for PhysicalRam {
    ram!(read8, write8, u8);
    ram!(read16, write16, u16);
    ram!(read32, write32, u32);
    ram!(read64, write64, u64);

    fn zero(&self, address: u64, length: u64) {
        let (mut at, end) = (address, address + length);
        // Tables of TCEs are many blocks, and a page that is mapped first waits for them: six instructions for four.
        if (address | length).is_multiple_of(4 * CACHE_BLOCK) && length != 0 {
            // SAFETY: as above; whole cache blocks of it.
            unsafe {
                asm!(
                    "mtctr {count}",
                    "2: dcbz 0, {at}",
                    "dcbz {one}, {at}",
                    "dcbz {two}, {at}",
                    "dcbz {three}, {at}",
                    "add {at}, {at}, {all}",
                    "bdnz 2b",
                    at = inout(reg_nonzero) at => _,
                    one = in(reg_nonzero) CACHE_BLOCK,
                    two = in(reg_nonzero) 2 * CACHE_BLOCK,
                    three = in(reg_nonzero) 3 * CACHE_BLOCK,
                    all = in(reg) 4 * CACHE_BLOCK,
                    count = in(reg) length / (4 * CACHE_BLOCK),
                    out("ctr") _,
                    options(nostack)
                );
            }
            return;
        }
        while at < end {
            if at.is_multiple_of(CACHE_BLOCK) && end - at >= CACHE_BLOCK {
                // SAFETY: as above; a whole cache block of it.
                unsafe { asm!("dcbz 0, {}", in(reg) at, options(nostack, preserves_flags)) };
                at += CACHE_BLOCK;
            } else {
                self.write64(at, 0);
                at += 8;
            }
        }
    }
    fn read_bytes(&self, address: u64, into: &mut [u8]) {
        // SAFETY: as above; `into` is an object of Rust's and can't overlap.
        unsafe {
            into.as_mut_ptr()
                .copy_from_nonoverlapping(core::ptr::with_exposed_provenance(address as usize), into.len());
        }
    }
    fn write_bytes(&self, address: u64, from: &[u8]) {
        // SAFETY: as for `read_bytes`.
        unsafe {
            core::ptr::with_exposed_provenance_mut::<u8>(address as usize)
                .copy_from_nonoverlapping(from.as_ptr(), from.len());
        }
    }
    #[inline(always)]
    fn sync(&self) {
        // SAFETY: a barrier has no other effect.
        unsafe { asm!("sync", options(nostack, preserves_flags)) };
    }
}
