//! Who owns which memory: the RAM of the machine, the one region that firmware keeps at its top, and pointers that
//! the OS passes in.
//!
//! Firmware lives in the last 16 MiB-aligned piece of RAM, because the limits of a no-translate TVE have 16 MiB
//! grain and one range: only at an end of memory can firmware be cut out of every bypass window.
#![allow(unsafe_code)]

use crate::error::{Error, Result, why};
use crate::hw::ram::Ram;
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::ops::Range;

/// Grain of a no-translate TVE's limits (`reference/phb-dma-windows.md` §6.3).
pub const BYPASS_GRAIN: u64 = 16 << 20;

/// Real addresses have 60 bits here: the processor ignores the top four in real mode, and the OS passes kernel
/// virtual addresses 0xc… that rely on it.
const REAL_MASK: u64 = (1 << 60) - 1;

/// What the region holds besides what hardware found needs: image, heap, logs, the device tree for the OS.
const FIXED: u64 = 4 << 20;
/// The least that is left for tables of DMA windows. Rounding to 16 MiB makes it several times as much.
const POOL: u64 = 1 << 20;
/// Tables of one chip's interrupt controller and bridges, rounded up generously.
const PER_CHIP: u64 = 5 << 20;
/// Stacks and areas of one hardware thread.
const PER_THREAD: u64 = 80 << 10;

/// Memory of the machine, as far as the OS may know of it.
#[derive(Clone, Debug)]
pub struct MemoryMap {
    /// The region that firmware keeps: to the end of RAM.
    pub firmware: Range<u64>,
    /// End of the OS's RAM that begins at 0: nearly all of it, so looked at first.
    low: u64,
    /// The OS's other RAM.
    high: Vec<Range<u64>>,
    top: u64,
}

impl MemoryMap {
    /// From all RAM, sorted, without overlaps and with neighbours joined, and firmware's region at its end.
    pub fn new(ram: Vec<Range<u64>>, firmware: Range<u64>) -> Self {
        let top = ram.last().map_or(0, |range| range.end);
        let os = ram.into_iter().map(|range| range.start..range.end.min(firmware.start));
        let (low, high): (Vec<_>, Vec<_>) =
            os.filter(|range| range.start < range.end).partition(|range| range.start == 0);
        Self { firmware, low: low.first().map_or(0, |range| range.end), high, top }
    }

    /// Whether `length` bytes at `address` are RAM that the OS owns. An empty range isn't.
    #[inline(always)]
    pub fn is_os_ram(&self, address: u64, length: u64) -> bool {
        // Every call checks pointers, so this is short: no call, and a sum that wraps is less than what it began with.
        let end = address.wrapping_add(length);
        if address >= end {
            return false;
        }
        if end <= self.low {
            return true;
        }
        let mut index = 0;
        while let Some(range) = self.high.get(index) {
            if range.start <= address && end <= range.end {
                return true;
            }
            index += 1;
        }
        false
    }

    /// The OS's RAM, piece by piece.
    pub fn os_ram(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        let low = core::iter::once(0..self.low).filter(|range| range.end != 0);
        low.chain(self.high.iter().cloned())
    }

    /// Where the largest bypass window ends: no device reaches firmware.
    #[inline(always)]
    pub const fn bypass_end(&self) -> u64 {
        self.firmware.start & !(BYPASS_GRAIN - 1)
    }

    /// End of the highest RAM.
    pub const fn top(&self) -> u64 {
        self.top
    }
}

/// A pointer argument that was checked: non-null, aligned, wholly inside RAM of the OS.
#[derive(Clone, Copy, Debug)]
pub struct OsPointer<T> {
    address: u64,
    what: PhantomData<T>,
}

/// Numbers that the OS reads and writes, big-endian in memory.
pub trait OsNumber: Copy {
    /// Bytes.
    const SIZE: u64;
    /// Loads one.
    fn load<R: Ram + ?Sized>(ram: &R, address: u64) -> Self;
    /// Stores one.
    fn store<R: Ram + ?Sized>(self, ram: &R, address: u64);
}

macro_rules! os_number {
    ($type:ty, $read:ident, $write:ident) => {
        impl OsNumber for $type {
            const SIZE: u64 = size_of::<$type>() as u64;
            #[inline(always)]
            fn load<R: Ram + ?Sized>(ram: &R, address: u64) -> Self {
                ram.$read(address)
            }
            #[inline(always)]
            fn store<R: Ram + ?Sized>(self, ram: &R, address: u64) {
                ram.$write(address, self);
            }
        }
    };
}
os_number!(u8, read8, write8);
os_number!(u16, read16, write16);
os_number!(u32, read32, write32);
os_number!(u64, read64, write64);

impl<T: OsNumber> OsPointer<T> {
    /// Checks a pointer argument.
    ///
    /// # Errors
    /// `Parameter` when it is null, misaligned, or not wholly inside RAM that the OS owns.
    #[inline(always)]
    pub fn check(map: &MemoryMap, argument: u64) -> Result<Self> {
        let address = argument & REAL_MASK;
        if address == 0 || !address.is_multiple_of(T::SIZE) || !map.is_os_ram(address, T::SIZE) {
            return Err(Error::Parameter(why("pointer")));
        }
        Ok(Self { address, what: PhantomData })
    }

    /// Real address.
    pub const fn address(self) -> u64 {
        self.address
    }

    /// Loads what it points to.
    #[inline(always)]
    pub fn read<R: Ram + ?Sized>(self, ram: &R) -> T {
        T::load(ram, self.address)
    }

    /// Stores `value` there.
    #[inline(always)]
    pub fn write<R: Ram + ?Sized>(self, ram: &R, value: T) {
        value.store(ram, self.address);
    }
}

/// A buffer argument that was checked.
#[derive(Clone, Copy, Debug)]
pub struct OsBuffer {
    /// Real address.
    pub address: u64,
    /// Bytes; not zero.
    pub length: u64,
}

impl OsBuffer {
    /// Checks a buffer argument.
    ///
    /// # Errors
    /// `Parameter` when it is null, empty, or not wholly inside RAM that the OS owns.
    pub fn check(map: &MemoryMap, argument: u64, length: u64) -> Result<Self> {
        let address = argument & REAL_MASK;
        if address == 0 || !map.is_os_ram(address, length) {
            return Err(Error::Parameter(why("buffer")));
        }
        Ok(Self { address, length })
    }

    /// Copies `bytes` to its start; what doesn't fit is left out.
    pub fn write<R: Ram + ?Sized>(self, ram: &R, bytes: &[u8]) {
        let length = bytes.len().min(usize::try_from(self.length).unwrap_or(usize::MAX));
        ram.write_bytes(self.address, bytes.get(..length).unwrap_or(bytes));
    }
}

/// Hands out memory of firmware's region, aligned and zeroed, at boot only. Nothing is given back.
#[derive(Debug)]
pub struct Region {
    next: u64,
    end: u64,
}

impl Region {
    /// The free part of firmware's region.
    pub const fn new(free: Range<u64>) -> Self {
        Self { next: free.start, end: free.end }
    }

    /// `length` zeroed bytes at a multiple of `align` (a power of two, at least 8).
    ///
    /// # Panics
    /// When the region is full: its size was computed from what the machine has, so that is a firmware error that
    /// shows at boot.
    pub fn allocate(&mut self, ram: &dyn Ram, length: u64, align: u64) -> u64 {
        let start = self.allocate_unset(length, align);
        ram.zero(start, length.next_multiple_of(8));
        start
    }

    /// The same, but what the bytes hold is left to chance.
    ///
    /// # Panics
    /// When the region is full.
    pub fn allocate_unset(&mut self, length: u64, align: u64) -> u64 {
        let start = self.next.next_multiple_of(align);
        let end = start + length.next_multiple_of(8);
        if end > self.end {
            crate::log::stop(format_args!(
                "firmware's memory region is too small for {length:#x} more bytes"
            ));
        }
        self.next = end;
        start
    }

    /// Bytes that are left.
    pub const fn free(&self) -> u64 {
        self.end - self.next
    }
}

/// Where in RAM firmware shall live, computed from what the device tree says is there.
///
/// Returns the region's start; its end is the end of RAM.
pub fn home(tree: &fdt::Fdt<'_>) -> u64 {
    let (mut top, mut chips, mut threads) = (0, 0, 0);
    for node in tree.all_nodes() {
        if node.property("device_type").is_some_and(|p| p.value == b"memory\0") {
            top = crate::dt::read::memory_ranges(node).map(|range| range.end).max().unwrap_or(0).max(top);
        }
        if node.name.starts_with("xscom@") {
            chips += 1;
        }
        if let Some(servers) = node.property("ibm,ppc-interrupt-server#s") {
            threads += servers.value.len() as u64 / 4;
        }
    }
    let size = FIXED + POOL + PER_CHIP * chips + PER_THREAD * threads;
    (top - size) & !(BYPASS_GRAIN - 1)
}

/// Called by `entry.S` from the first copy of the image: where shall the second one go?
///
/// # Safety
/// `tree` is the device tree that the machine passed.
pub unsafe extern "C" fn find_home(tree: *const u8) -> u64 {
    // SAFETY: the caller's promise. A machine without a valid tree can't be booted, and can't be told so either.
    unsafe { fdt::Fdt::from_ptr(tree) }.map_or(0, |tree| home(&tree))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> MemoryMap {
        MemoryMap::new(core::iter::once(0..0x8000_0000).collect(), 0x7f00_0000..0x8000_0000)
    }

    #[test]
    fn firmware_memory_is_not_the_os_s() {
        let map = map();
        assert!(map.is_os_ram(0x7eff_fff8, 8));
        assert!(!map.is_os_ram(0x7eff_fffc, 8));
        assert!(!map.is_os_ram(0x7f00_0000, 1));
        assert!(!map.is_os_ram(0x7fff_fff8, 8));
        assert!(!map.is_os_ram(0x8000_0000, 8));
        assert!(!map.is_os_ram(u64::MAX - 3, 8));
        assert!(!map.is_os_ram(0x1000, 0));
    }

    #[test]
    fn pointers_are_checked_after_the_kernel_s_nibble_is_dropped() {
        let map = map();
        assert!(OsPointer::<u64>::check(&map, 0xc000_0000_0000_1008).is_ok());
        assert!(OsPointer::<u64>::check(&map, 0x1008).is_ok());
        for bad in
            [0, 0xc000_0000_0000_0000, 0x1004, 0x7f00_0000, 0xc000_0000_7f00_0000, 0x0001_0000_0000_1000]
        {
            assert_eq!(OsPointer::<u64>::check(&map, bad).unwrap_err().code(), -1, "{bad:#x}");
        }
        assert!(OsPointer::<u8>::check(&map, 0x1001).is_ok());
        assert!(OsPointer::<u32>::check(&map, 0x1002).is_err());
    }
}
