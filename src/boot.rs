//! The whole start-up order, and the only place that knows it.
#![allow(unsafe_code)]

use crate::firmware::{FIRMWARE, Firmware};
use crate::heap::Heap;
use crate::hw::lpc::Lpc;
use crate::hw::uart::{self, Uart};
use crate::mem::{self, MemoryMap, Region};
use crate::services::{Parts, Services};
use crate::{arch, dt, log as firmware_log};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Heap for the tree and the lists of devices.
const HEAP_SIZE: u64 = 2 << 20;

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
    // SAFETY: the OPB window of chip 0 on POWER9 and POWER10.
    let opb = unsafe { arch::Registers::new(crate::hw::lpc::P9_WINDOW) };
    let lpc = Lpc::new(Box::leak(Box::new(opb)));
    let uart = Uart::probe(lpc, uart::COM1).map(|uart| &*Box::leak(Box::new(uart)));
    firmware_log::set_sink(uart.map(|uart| uart as &dyn firmware_log::Sink));
    log::info!("Opalite {} at {home:#x}, RAM to {top:#x}", env!("CARGO_PKG_VERSION"));
    lpc.init_interrupts();
    let fw = Firmware {
        memory: MemoryMap { ram, firmware: home..top },
        ram: Box::leak(Box::new(physical)),
        services: Services::new(Parts { lpc: Some(lpc), uart, ..Parts::default() }),
    };
    let fw = FIRMWARE.call_once(|| fw);
    let _ = mem::BYPASS_GRAIN;
    arch::prepare_boot_cpu();
    let area = arch::CpuArea::leak(
        0,
        region.allocate(&physical, 32768, 4096) + 32768,
        region.allocate(&physical, 16384, 4096) + 16384,
    );
    arch::publish_areas(alloc::vec![area]);
    // thin tree
    use dtoolkit::model::{DeviceTree, DeviceTreeNode, DeviceTreeProperty};
    let dt_fdt = dtoolkit::fdt::Fdt::new(unsafe { core::slice::from_raw_parts(tree, fdt.total_size()) })
        .expect("tree");
    let mut t = DeviceTree::from_fdt(&dt_fdt);
    fn p64(n: &str, v: u64) -> DeviceTreeProperty {
        DeviceTreeProperty::new(n, v).unwrap()
    }
    {
        let o = t.find_node_mut("/ibm,opal").unwrap();
        o.add_property(DeviceTreeProperty::new("compatible", "ibm,opal-v3").unwrap());
        o.add_property(p64("opal-base-address", home));
        o.add_property(p64("opal-entry-address", arch::opal_entry_address()));
        o.add_property(p64("opal-runtime-size", arch::image_end() - home));
        o.add_property(DeviceTreeProperty::new("opal-msg-async-num", 16u32).unwrap());
        o.add_property(DeviceTreeProperty::new("#address-cells", 0u32).unwrap());
        o.add_property(DeviceTreeProperty::new("#size-cells", 0u32).unwrap());
        let mut c = DeviceTreeNode::new("consoles").unwrap();
        c.add_property(DeviceTreeProperty::new("#address-cells", 1u32).unwrap());
        c.add_property(DeviceTreeProperty::new("#size-cells", 0u32).unwrap());
        let mut s = DeviceTreeNode::new("serial@0").unwrap();
        s.add_property(DeviceTreeProperty::new("compatible", "ibm,opal-console-raw").unwrap());
        s.add_property(DeviceTreeProperty::new("reg", 0u32).unwrap());
        s.add_property(DeviceTreeProperty::new("device_type", "serial").unwrap());
        c.add_child(s);
        o.add_child(c);
    }
    t.memory_reservations.push(dtoolkit::memreserve::MemoryReservation::new(home, top - home));
    let blob = t.to_dtb();
    let at = region.allocate(&physical, blob.len() as u64, 8);
    use crate::hw::ram::Ram;
    physical.write_bytes(at, &blob);
    let file =
        unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance(0x2000_0000), 128 << 20) };
    let kernel = crate::payload::parse(file).expect("no kernel at 0x20000000");
    let entry = 0x2000_0000 + kernel.offset + kernel.entry;
    log::info!(
        "tree {at:#x} {} bytes; heap {}; kernel {kernel:x?}, entry {entry:#x}",
        blob.len(),
        heap.used()
    );
    firmware_log::set_sink(None);
    fw.services.hand_over();
    heap.freeze();
    unsafe { arch::enter_kernel(entry, at, home, arch::opal_entry_address(), top) }
}
