//! The whole start-up order, and the only place that knows it.
//!
//! Each step takes what the earlier ones found; nothing later reaches back. A failure here is a panic with a
//! sentence for the person at the console.
#![allow(unsafe_code)]

use crate::arch::{self, CpuArea, PhysicalRam, Registers};
use crate::board::{self, Board, Generation};
use crate::dt::interrupts::Xive as XiveNode;
use crate::dt::opal::{OpalNode, OwnInterrupt};
use crate::dt::pci::{PciNode, PhbNode};
use crate::dt::platform::{LpcRoute, PsiNode};
use crate::dt::tree::Phandle;
use crate::dt::{self, memory::Reserved, tree::Tree};
use crate::firmware::{FIRMWARE, Firmware};
use crate::heap::Heap;
use crate::hw::lpc::{self, Lpc};
use crate::hw::occ::Pstates;
use crate::hw::psi::{Input, Psi};
use crate::hw::uart::{self, Uart};
use crate::hw::xscom;
use crate::hw::{ram::Ram, thread::Thread};
use crate::interrupts::source::{NotifyPort, Source, Sources};
use crate::interrupts::xive::{Chips, Setup, Tables, Xive};
use crate::log::Sink;
use crate::mem::{MemoryMap, Region};
use crate::phb::phb4::Interrupts;
use crate::phb::{self, Phb, PhbInfo};
use crate::services::dma::Dma;
use crate::services::{Parts, Services, events};
use crate::units::{ChipId, Pir};
use crate::{payload, pci};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use fdt::Fdt;

/// The part of the region, which grows with chips and threads, that is for the tree and the lists of devices. QEMU's
/// machines need a quarter of it.
const HEAP_PART: u64 = 8;
/// The part of what is left of the region that isn't for tables.
const POOL_PART: u64 = 8;
/// Stack of a thread for calls, and for calls that interrupt a call.
const STACK: u64 = 32 << 10;
const SECOND_STACK: u64 = 16 << 10;
/// Where QEMU puts its `-kernel` file, and how large that may be (`reference/platform-qemu-powernv.md` §1.1).
const KERNEL: u64 = 0x2000_0000;
const KERNEL_MAX: usize = 128 << 20;
/// Window of the PSI host bridge.
const PSI_SIZE: u64 = 4 << 30;
/// Bytes of a PHB4's diagnostic data.
const DIAG_SIZE: u32 = 0x2180;
/// How often the OS looks for events that nothing announced.
const HEARTBEAT_MS: u32 = 2000;
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
    let fdt = unsafe { Fdt::from_ptr(tree) }.expect("the machine passed no device tree");
    // SAFETY: the header, which `Fdt` checked, says how long it is; it stays until the kernel starts.
    let machine_tree = unsafe { core::slice::from_raw_parts(tree, fdt.total_size()) };
    // SAFETY: `boot` hands out memory above the image through `Region` only.
    let ram: &'static PhysicalRam = const { unsafe { &PhysicalRam::new() } };
    let mut region = set_up_memory(&fdt, heap);
    let memory = memory_map(&fdt, home);
    let board = board::detect(&fdt).expect("this is none of the machines that this image knows");

    let lpc = Lpc::new(leak_window(board.lpc));
    let uart = Uart::probe(lpc, uart::COM1).map(|uart| &*Box::leak(Box::new(uart)));
    crate::log::set_sink(uart.map(|uart| uart as &dyn Sink));
    log::info!("Opalite {} on {} at {home:#x}", env!("CARGO_PKG_VERSION"), board.compatible);
    lpc.init_interrupts();
    let threads = gather_threads(&fdt, &mut region, ram);
    let (mut xives, psis) = start_chips(&fdt, board, &threads, &mut region, ram);
    let (_, first) = psis.first().expect("the machine's tree names no chip");
    let sources: Vec<_> = events::psi_sources(first.isn(Input::Psi)).collect();
    let mut bridges = bring_up_bridges(&fdt, board, ram, &mut region, &mut xives);
    phb::start_links(&mut bridges);
    let devices: Vec<_> = bridges.iter_mut().map(|bridge| pci::scan(&mut **bridge)).collect();
    let nodes: Vec<_> = bridges.iter().map(|bridge| bridge.info().clone()).zip(devices).collect();
    let phbs = phb::slots(bridges);
    let dma = Dma::new(ram, take_pool(&mut region), &phbs);
    let boot_thread = Some(arch::pir());
    let services = Services::new(Parts { lpc: Some(lpc), uart, sources, threads, boot_thread });

    let firmware = FIRMWARE.call_once(|| Firmware {
        memory,
        ram: *ram,
        interrupts: Box::leak(Box::new(Chips::new(xives))),
        phbs,
        dma,
        services,
    });

    let blob = publish(machine_tree, board, firmware, &psis, &nodes);
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
    if !crate::sync::wait_until(GATHER, || areas.iter().all(|area| here(&area))) {
        log::warn!("{} hardware threads didn't come", areas.iter().filter(|area| !here(area)).count());
    }
    areas.into_iter().map(|area| (Pir(area.pir), area as &'static dyn Thread)).collect()
}

/// A chip's interrupt controller.
type ChipXive = Xive<&'static Registers, &'static PhysicalRam>;

/// Starts the units of each chip that the machine's tree names.
// Copied into `boot` it makes the image ten kilobytes larger.
#[inline(never)]
fn start_chips(
    fdt: &Fdt<'_>,
    board: &Board,
    threads: &[(Pir, &'static dyn Thread)],
    region: &mut Region,
    ram: &'static PhysicalRam,
) -> (Vec<ChipXive>, Vec<(ChipId, Psi)>) {
    let pirs: Vec<Pir> = threads.iter().map(|&(pir, _)| pir).collect();
    let there =
        dt::read::chips(fdt).fold(0_u32, |set, (chip, _)| set | 1_u32.checked_shl(chip.0).unwrap_or(0));
    let (mut xives, mut psis) = (Vec::<ChipXive>::new(), Vec::new());
    for id in (0..u32::BITS).filter(|id| there >> id & 1 != 0).map(ChipId) {
        let mut xive = start_xive(id, board, &pirs, region, ram);
        for other in &mut xives {
            xive.add_neighbour(other);
            other.add_neighbour(&xive);
        }
        let window = |address| leak_window(board.on_chip(id, address));
        let (esb, pages) = (board.on_chip(id, board.psi_esb), Box::new(window(board.psi_esb)));
        let psi = Psi::connect(window(board.psi), esb, board.psi_page_shift, pages, &mut xive);
        psis.push((id, psi.expect("no interrupt numbers for the PSI bridge")));
        xives.push(xive);
    }
    (xives, psis)
}

fn start_xive(
    id: ChipId,
    board: &Board,
    threads: &[Pir],
    region: &mut Region,
    ram: &'static PhysicalRam,
) -> ChipXive {
    let xscom = leak_window(board.on_chip(id, board.xscom));
    let addresses = board.xive.on_chip(id, board.chip_stride);
    for &thread in threads.iter().filter(|thread| thread.chip() == id) {
        addresses.announce_tima(xscom, thread);
    }
    let setup = Setup {
        chip: id,
        threads,
        addresses,
        xscom,
        ic: leak_window(addresses.ic),
        vc: leak_window(addresses.regions.source_esbs()),
        ram,
        tables: Tables::allocate(region, ram),
    };
    Xive::new(setup)
        .unwrap_or_else(|error| panic!("chip {}: the interrupt controller doesn't start: {error}", id.0))
}

/// Brings up each bridge that the tree names. One that doesn't come is left out: the machine works without it.
fn bring_up_bridges(
    fdt: &Fdt<'_>,
    board: &Board,
    ram: &'static PhysicalRam,
    region: &mut Region,
    xives: &mut [ChipXive],
) -> Vec<Box<dyn Phb>> {
    const HMER: u64 = xscom::FAILED | xscom::STATUS | 1 << (63 - 9);
    let mut bridges = Vec::new();
    for stack in phb::stacks(fdt) {
        let Some(xive) = xives.iter_mut().find(|xive| xive.chip() == stack.chip) else { continue };
        let window = leak_window(board.on_chip(stack.chip, board.xscom));
        let scom = Arc::new(xscom::Window::new(window, xscom::Layout::Power9, || arch::take_hmer(HMER)));
        let esb = stack.windows(&board.phb).interrupts;
        let mut reserve = |sources: u16| {
            let base = xive.reserve(sources.into(), sources.into())?;
            let count = u32::from(sources);
            xive.register(Source {
                first: base,
                count,
                esb,
                page_shift: 16,
                level: count - u32::from(phb::msi::LSIS)..count,
                pages: Box::new(leak_window(esb)),
            });
            Ok(Interrupts { base, notify: xive.notify_port(NotifyPort::Phb(stack.phb_index as u8)) })
        };
        let window = |base| *leak_window(base);
        match phb::bring_up(&stack, &board.phb, scom, ram, region, window, &mut reserve) {
            Ok(bridge) => bridges.push(bridge),
            Err(error) => log::error!("PHB#{:x} doesn't come up: {error}", stack.opal_id()),
        }
    }
    bridges
}

/// A bridge and what is behind it, for the tree.
type Bridge = (PhbInfo, Vec<pci::Device>);

/// Makes the node of a bridge.
fn publish_bridge(tree: &mut Tree, board: &Board, (info, devices): &Bridge, parent: Phandle) {
    let identity = &info.identity;
    let window = |base, size| dt::pci::Window { base, size };
    let table = |(base, size): phb::TableRange| window(base, size);
    let range = |range: &core::ops::Range<u64>| window(range.start, range.end - range.start);
    let node = PhbNode {
        generation: board.generation,
        id: identity.opal_id,
        chip: identity.chip,
        index: identity.index,
        stack: stack_node(tree, identity),
        xscom_bases: &[],
        registers: window(info.registers, 0x1000),
        esb: Some(window(info.interrupt_pages, 0x1000_0000)),
        m64: range(&info.m64),
        m32: range(&info.m32),
        m64_ranges: (1, u32::from(info.mmio_windows) - 1),
        pe_count: info.limits.count().into(),
        msis: (info.interrupt_base, info.msis().into()),
        lsis: info.first_lsi(),
        tce_shifts: &[12, 16, 21, 30],
        tables: [table(info.rtt), table(info.peltv), table(info.pest)],
        diag_size: DIAG_SIZE,
        interrupt_parent: parent,
    };
    let label = format!("pcie.{}", identity.opal_id);
    let functions: Vec<_> = devices.iter().map(|device| pci_node(device, Some(&label))).collect();
    let node = dt::pci::publish_phb(tree, &node, &functions);
    dt::ddw::publish_bridge(tree, node, identity.opal_id);
}

/// The machine's node of a bridge's stack.
fn stack_node(tree: &Tree, identity: &phb::Identity) -> Option<dt::pci::Stack> {
    let is_stack = |node: &dt::tree::Node<'_>| node.cell("ibm,phb-index") == Some(identity.index);
    let chips = tree.select("/", |node| {
        node.name().starts_with("xscom@") && node.cell("ibm,chip-id") == Some(identity.chip.0)
    });
    let pecs = chips.into_iter().flat_map(|chip| tree.get(chip).children());
    let node = pecs.flat_map(|pec| pec.children()).find(is_stack)?.id();
    Some(dt::pci::Stack { pec: identity.pec, stack: identity.stack, node })
}

/// A function that the scan found, as the tree tells of it. Firmware resets what is behind a root port.
fn pci_node(device: &pci::Device, slot: Option<&str>) -> PciNode {
    PciNode {
        bdfn: device.bdfn,
        vendor: device.vendor,
        device: device.device,
        class: device.class,
        revision: device.revision,
        extended: device.is_pcie(),
        interrupt_pin: device.interrupt_pin,
        is_bridge: device.is_bridge(),
        slot: slot.map(|label| dt::pci::Slot {
            label: String::from(label).into(),
            reset_by_firmware: true,
            pluggable: false,
            surprise: false,
        }),
        children: device.children.iter().map(|child| pci_node(child, None)).collect(),
    }
}

/// Makes the OS's tree from the machine's.
fn publish(
    machine_tree: &[u8],
    board: &Board,
    firmware: &Firmware,
    psis: &[(ChipId, Psi)],
    bridges: &[Bridge],
) -> Vec<u8> {
    let mut tree = Tree::from_blob(machine_tree).expect("the machine's tree is damaged");
    dt::cpus::publish(&mut tree, board.generation);
    let chips: Vec<ChipId> = psis.iter().map(|&(chip, _)| chip).collect();
    let mut reserved = Vec::from([Reserved::firmware(firmware.memory.firmware.clone())]);
    reserved.extend(chips.iter().map(|&chip| Reserved::homer(board.homer, chip)));
    reserved.push(Reserved::occ_common(board.occ_common));
    dt::memory::publish(&mut tree, &reserved);
    dt::chosen::publish(&mut tree);
    dt::platform::hide_i2c(&mut tree);
    if let Some(pstates) = Pstates::read(&firmware.ram, board.homer) {
        dt::power::publish_pstates(&mut tree, &pstates);
    }
    let xive = XiveNode { tima: board.xive.tm, page: 64 << 10, chips: &chips };
    let interrupts = if board.generation == Generation::Power10 {
        dt::interrupts::publish_xive2(&mut tree, &xive)
    } else {
        dt::interrupts::publish_xive1(&mut tree, &xive)
    };
    let psi_node = |&(chip, psi): &(ChipId, Psi)| PsiNode {
        chip,
        base: board.on_chip(chip, board.psi),
        size: PSI_SIZE,
        first: psi.isn(Input::Psi),
        sources: crate::hw::psi::INPUTS,
        parent: interrupts,
        compatible: "ibm,power9-psi",
    };
    let routes =
        [LpcRoute { irq: 4, source: lpc::psi_input::UART }, LpcRoute { irq: 10, source: lpc::psi_input::BT }];
    for psi in psis {
        let node = dt::platform::publish_psi(&mut tree, &psi_node(psi));
        // QEMU connects the LPC bus of the first chip only.
        if psi.0 == chips[0] {
            dt::platform::publish_lpc(&mut tree, node, &routes);
        }
    }
    for bridge in bridges {
        publish_bridge(&mut tree, board, bridge, interrupts);
    }
    let own: Vec<_> = firmware
        .services
        .events
        .owned()
        .map(|source| OwnInterrupt { source, name: format!("psi#0:{}", source.0 & 0xf).into() })
        .collect();
    dt::opal::publish(
        &mut tree,
        &OpalNode {
            generation: board.generation,
            base: arch::image_start(),
            entry: arch::opal_entry_address(),
            runtime_size: firmware.memory.firmware.end - firmware.memory.firmware.start,
            memcons: crate::log::memory_console(),
            heartbeat_ms: HEARTBEAT_MS,
            interrupts: &own,
            interrupt_parent: interrupts,
            nvram: Some(crate::services::nvram::SIZE as u32),
            version: concat!("opalite-", env!("CARGO_PKG_VERSION")),
            exports: &[],
        },
    );
    let page_sizes = phb::all(&firmware.phbs).fold(0, |sizes, bridge| sizes | bridge.translation.page_sizes);
    dt::dma_windows::publish(&mut tree, page_sizes);
    dt::ddw::publish_rtas(&mut tree);
    tree.to_blob(arch::pir())
}

/// Finds the kernel that the machine put into memory; returns its entry point.
fn find_kernel() -> u64 {
    // SAFETY: RAM, at least 1 GiB of it, in which nothing of firmware's lies; `parse` only reads.
    let file = unsafe {
        core::slice::from_raw_parts(core::ptr::with_exposed_provenance(KERNEL as usize), KERNEL_MAX)
    };
    let kernel = match payload::parse(file) {
        Ok(kernel) => kernel,
        Err(error) => panic!("no kernel to boot at {KERNEL:#x} (QEMU's -kernel): {error}"),
    };
    let start = KERNEL + kernel.offset;
    assert!(start.is_multiple_of(payload::KERNEL_ALIGN), "the kernel's segment isn't aligned in its file");
    start + kernel.entry
}
