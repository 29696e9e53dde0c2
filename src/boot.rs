//! The whole start-up order, and the only place that knows it.
#![allow(unsafe_code)]

use crate::firmware::{FIRMWARE, Firmware};
use crate::heap::Heap;
use crate::hw::mmio::Mmio;
use crate::mem::{self, MemoryMap, Region};
use crate::{arch, dt, log as firmware_log};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Heap for the tree and the lists of devices.
const HEAP_SIZE: u64 = 2 << 20;

struct Uart(arch::Registers);
impl crate::log::Sink for Uart {
    fn show(&self, bytes: &[u8]) {
        for &b in bytes {
            if b == b'\n' {
                self.0.write8(0xd001_03f8, b'\r');
            }
            self.0.write8(0xd001_03f8, b);
        }
    }
}

/// Boots the machine and never returns.
///
/// # Safety
/// `tree` is the device tree that the machine passed; `home` is where this image runs.
pub unsafe fn boot(tree: *const u8, home: u64, heap: &'static Heap) -> ! {
    arch::report_exceptions_here();
    firmware_log::init();
    // SAFETY: the caller's promise.
    let fdt = unsafe { fdt::Fdt::from_ptr(tree) }.expect("the machine passed no device tree");
    let ram: Vec<_>;
    // SAFETY: everything above the image belongs to nobody yet.
    let physical = unsafe { arch::PhysicalRam::new() };
    let top = fdt
        .all_nodes()
        .filter(|n| n.property("device_type").is_some_and(|p| p.value == b"memory\0"))
        .flat_map(dt::read::memory_ranges)
        .map(|r| r.end)
        .max()
        .unwrap_or(0);
    let mut region = Region::new(arch::image_end()..top);
    let heap_at = region.allocate(&physical, HEAP_SIZE, 4096);
    unsafe { heap.give(heap_at, HEAP_SIZE as usize) };
    ram = fdt
        .all_nodes()
        .filter(|n| n.property("device_type").is_some_and(|p| p.value == b"memory\0"))
        .flat_map(dt::read::memory_ranges)
        .collect();
    let uart = unsafe { arch::Registers::new(0x6_0300_0000_0000) };
    let uart: &'static Uart = Box::leak(Box::new(Uart(uart)));
    firmware_log::set_sink(Some(uart));
    log::info!("Opalite {} at {home:#x}, RAM to {top:#x}", env!("CARGO_PKG_VERSION"));
    let fw = Firmware {
        memory: MemoryMap { ram, firmware: home..top },
        ram: Box::leak(Box::new(physical)),
        sink: uart,
    };
    FIRMWARE.call_once(|| fw);
    let _ = mem::BYPASS_GRAIN;
    panic!("end of the road");
}
