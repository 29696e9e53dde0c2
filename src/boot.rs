//! The whole start-up order, and the only place that knows it.
//!
//! Each step takes what the earlier ones found; nothing later reaches back. A failure here is a panic with a
//! sentence for the person at the console.
#![allow(unsafe_code)]

mod bridges;
mod chips;
mod rtas;
mod tree;

use crate::arch::{self, CpuArea, PhysicalRam, Registers};
use crate::board::{self, LpcPath};
use crate::dt;
use crate::firmware::{FIRMWARE, Firmware};
use crate::heap::Heap;
use crate::hw::uart::{self, Uart};
use crate::hw::{ram::Ram, thread::Thread};
use crate::log::{Sink, needed, stop};
use crate::mem::{MemoryMap, Region};
use crate::services::dma::Dma;
use crate::services::{Parts, Services, events, view::View};
use crate::units::Pir;
use crate::{payload, pci, phb};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;
use fdt::Fdt;

/// The part of the region, which grows with chips and threads, that is for the tree and the lists of devices: 0.7 MiB
/// for a chip of POWER9, and 1.2 KiB for each PCI function. There is room for 2000 of them on a chip.
const HEAP_PART: u64 = 5;
/// The part of what is left of the region that isn't for tables.
const POOL_PART: u64 = 8;
/// Stack of a thread for calls, and for calls that interrupt a call.
const STACK: u64 = 32 << 10;
const SECOND_STACK: u64 = 16 << 10;
/// Where QEMU puts its `-kernel` file, and how large that may be (`reference/platform-qemu-powernv.md` §1.1).
const KERNEL: u64 = 0x2000_0000;
const KERNEL_MAX: usize = 128 << 20;
/// How long waiting threads may take to come from low memory, in microseconds; emulated ones need a turn on the host.
const GATHER: u64 = 10_000_000;

/// Boots the machine and never returns.
///
/// # Safety
/// `tree` is the device tree that the machine passed; `home` is where this image runs.
pub unsafe fn boot(tree: *const u8, home: u64, heap: &'static Heap) -> ! {
    crate::log::init();
    arch::report_exceptions_here();
    arch::prepare_cpu();

    // SAFETY: the caller's promise.
    let fdt = needed(unsafe { Fdt::from_ptr(tree) }.ok(), "the machine passed no device tree");
    // SAFETY: the header, which `Fdt` checked, says how long it is; it stays until the kernel starts.
    let machine_tree = unsafe { core::slice::from_raw_parts(tree, fdt.total_size()) };
    // SAFETY: `boot` hands out memory above the image through `Region` only.
    let ram: &'static PhysicalRam = const { unsafe { &PhysicalRam::new() } };
    let mut region = set_up_memory(&fdt, heap);
    let memory = memory_map(&fdt, home);
    let board = needed(board::detect(&fdt), "this is none of the machines that this image knows");

    let lpc = chips::lpc(board);
    let uart = Uart::probe(lpc, uart::COM1).map(|uart| &*Box::leak(Box::new(uart)));
    crate::log::set_sink(uart.map(|uart| uart as &dyn Sink));
    log::info!("Opalite {} on {} at {home:#x}", env!("CARGO_PKG_VERSION"), board.compatible);
    let threads = gather_threads(&fdt, &mut region, ram);
    let mut started = chips::start(&fdt, board, &threads, &mut region, ram);
    let &(_, psi) = needed(started.psis.first(), "the machine's tree names no chip");
    let mut sources: Vec<_> = match board.lpc {
        LpcPath::Window(_) => {
            lpc.init_interrupts();
            events::psi_sources(psi).collect()
        }
        LpcPath::Eccb => events::psi8_sources(psi).collect(),
    };
    let mut bridges = bridges::bring_up(&fdt, board, ram, &mut region, &mut started.controllers);
    phb::start_links(&mut bridges, board.links_need_time);
    events::add_bridges(&mut sources, &bridges);
    let devices: Vec<_> = bridges.iter_mut().map(|bridge| pci::scan(&mut **bridge)).collect();
    let nodes: Vec<_> = bridges.iter().map(|bridge| bridge.info().clone()).zip(devices).collect();
    let view = View::allocate(&mut region, ram, bridges.len());
    let phbs: &'static [_] = Vec::leak(phb::slots(bridges));
    started.controllers.add_bridges(phbs);
    let dma = Dma::new(ram, take_pool(&mut region), phbs);
    let boot_thread = Some(arch::pir());
    let services = Services::new(Parts { lpc: Some(lpc), uart, sources, threads, boot_thread, view });

    let firmware = FIRMWARE.call_once(|| Firmware {
        memory,
        ram: *ram,
        interrupts: started.controllers.finish(),
        phbs,
        dma,
        services,
    });
    firmware.services.view.poll(&firmware.ram, firmware.phbs, &firmware.dma);

    let rtas = rtas::instantiate(&firmware.memory, ram);
    let blob = tree::publish(machine_tree, board, firmware, &started.psis, &nodes, &rtas);
    let tree = region.allocate(ram, blob.len() as u64, 8);
    ram.write_bytes(tree, &blob);
    let entry = find_kernel();
    log::info!(
        "tree of {} bytes at {tree:#x}, {} KiB of heap used, {} KiB of the region free; kernel at {entry:#x}",
        blob.len(),
        heap.used() >> 10,
        region.free() >> 10
    );
    crate::log::set_sink(None);
    firmware.services.hand_over();
    arch::serve(firmware);
    heap.freeze();
    // SAFETY: `find_kernel` checked that a kernel is there; all that firmware needs is in its region.
    unsafe { arch::enter_kernel(entry, tree, home, arch::opal_entry_address(), firmware.memory.top()) }
}

/// A window of device registers that lives for ever.
fn leak_window(base: u64) -> &'static Registers {
    // SAFETY: `base` comes from the board's description, which names devices only.
    Box::leak(Box::new(unsafe { Registers::new(base) }))
}

/// Nearly all that is left of the region is for the tables of DMA windows; the tree for the OS comes behind.
fn take_pool(region: &mut Region) -> Range<u64> {
    const PAGE: u64 = 1 << crate::iommu::pool::PAGE_SHIFT;
    let size = region.free() / POOL_PART * (POOL_PART - 1) / PAGE * PAGE;
    let start = region.allocate_unset(size, PAGE);
    start..start + size
}

/// The region after the image, with the heap as its first piece.
fn set_up_memory(fdt: &Fdt<'_>, heap: &Heap) -> Region {
    let top = ram_ranges(fdt).map(|range| range.end).max().unwrap_or(0);
    let mut region = Region::new(arch::image_end()..top);
    let size = region.free() / HEAP_PART;
    let start = region.allocate_unset(size, 4096);
    // SAFETY: nobody else got this memory.
    unsafe { heap.give(start, size as usize) };
    region
}

fn ram_ranges<'a>(fdt: &'a Fdt<'a>) -> impl Iterator<Item = core::ops::Range<u64>> + 'a {
    let is_memory = |node: &fdt::node::FdtNode<'_, '_>| {
        node.property("device_type").is_some_and(|p| p.value == b"memory\0")
    };
    fdt.all_nodes().filter(is_memory).flat_map(dt::read::memory_ranges)
}

fn memory_map(fdt: &Fdt<'_>, home: u64) -> MemoryMap {
    let mut ram: Vec<_> = ram_ranges(fdt).collect();
    ram.sort_unstable_by_key(|range| range.start);
    // Neighbours of several chips are one range: a buffer may cross from one to the next.
    ram.dedup_by(|next, previous| {
        let adjacent = previous.end == next.start;
        if adjacent {
            previous.end = next.end;
        }
        adjacent
    });
    let top = ram.last().map_or(home, |range| range.end);
    MemoryMap::new(ram, home..top)
}

/// Gives each thread of the machine its area and calls those that wait in low memory here.
fn gather_threads(fdt: &Fdt<'_>, region: &mut Region, ram: &PhysicalRam) -> Vec<(Pir, &'static dyn Thread)> {
    let servers = fdt.all_nodes().filter_map(|node| node.property("ibm,ppc-interrupt-server#s"));
    let areas: Vec<&'static CpuArea> = servers
        .flat_map(|servers| dt::read::cells(servers.value))
        .map(|pir| {
            let stack = region.allocate(ram, STACK, 4096) + STACK;
            let second = region.allocate(ram, SECOND_STACK, 4096) + SECOND_STACK;
            CpuArea::leak(pir, stack, second)
        })
        .collect();
    arch::publish_areas(areas.clone());
    arch::release_secondaries();
    let this = arch::pir();
    let here = |area: &&CpuArea| area.pir == this.0 || area.waiting();
    let all = || {
        let all = areas.iter().all(|area| here(&area));
        if !all {
            arch::doze();
        }
        all
    };
    if !crate::sync::wait_until(GATHER, all) {
        log::warn!("{} hardware threads didn't come", areas.iter().filter(|area| !here(area)).count());
    }
    areas.into_iter().map(|area| (Pir(area.pir), area as &'static dyn Thread)).collect()
}

/// Finds the kernel that the machine put into memory; returns its entry point.
fn find_kernel() -> u64 {
    // SAFETY: RAM, at least 1 GiB of it, in which nothing of firmware's lies; `parse` only reads.
    let file = unsafe {
        core::slice::from_raw_parts(core::ptr::with_exposed_provenance(KERNEL as usize), KERNEL_MAX)
    };
    let kernel = match payload::parse(file) {
        Ok(kernel) => kernel,
        Err(error) => stop(format_args!("no kernel to boot at {KERNEL:#x} (QEMU's -kernel): {error}")),
    };
    let start = KERNEL + kernel.offset;
    if !start.is_multiple_of(payload::KERNEL_ALIGN) {
        stop(format_args!("the kernel's segment isn't aligned in its file"));
    }
    start + kernel.entry
}
