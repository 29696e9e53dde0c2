//! The OS's tree, made from the machine's and from what boot found.

use crate::arch;
use crate::board::{Board, Generation, Interrupts, LpcPath};
use crate::dt::ddw::Rtas;
use crate::dt::interrupts::Xive as XiveNode;
use crate::dt::opal::{Export, OpalNode, OwnInterrupt};
use crate::dt::pci::{PciNode, PhbNode};
use crate::dt::platform::{LpcRoute, PsiNode};
use crate::dt::tree::Phandle;
use crate::dt::{self, memory::Reserved, tree::Tree};
use crate::firmware::Firmware;
use crate::hw::occ::Pstates;
use crate::hw::psi::Input;
use crate::log::needed;
use crate::pci;
use crate::phb::{self, PhbInfo};
use crate::services::view::View;
use crate::units::{ChipId, Isn};
use alloc::format;
use alloc::vec::Vec;

/// Window of the PSI host bridge.
const PSI_SIZE: u64 = 4 << 30;
/// How often the OS looks for events that nothing announced.
const HEARTBEAT_MS: u32 = 2000;

/// A bridge and what is behind it, for the tree.
pub type Bridge = (PhbInfo, Vec<pci::Device>);

/// Makes the node of a bridge.
fn publish_bridge(tree: &mut Tree, board: &Board, (info, devices): &Bridge, parent: Phandle) {
    let identity = &info.identity;
    let window = |base, size| dt::pci::Window { base, size };
    let table = |(base, size): phb::TableRange| window(base, size);
    let range = |range: &core::ops::Range<u64>| window(range.start, range.end - range.start);
    let power8 = board.generation == Generation::Power8;
    let node = PhbNode {
        generation: board.generation,
        id: identity.opal_id,
        chip: identity.chip,
        index: identity.index,
        stack: stack_node(tree, identity),
        registers: window(info.registers, 0x1000),
        esb: (!power8).then(|| window(info.interrupt_pages, 0x1000_0000)),
        m64: range(&info.m64),
        m32: range(&info.m32),
        m64_ranges: (info.m64_windows.start.into(), info.m64_windows.len() as u32),
        pe_count: info.limits.count().into(),
        msis: (info.interrupt_base, info.msis().into()),
        lsis: info.first_lsi(),
        page_sizes: identity.translation.page_sizes,
        tables: [table(info.rtt), table(info.peltv), table(info.pest)],
        diag_size: info.diag_size,
        interrupt_parent: parent,
    };
    // Firmware resets what is behind a root port.
    let slot = dt::pci::Slot {
        label: format!("pcie.{}", identity.opal_id).into(),
        reset_by_firmware: true,
        pluggable: false,
        surprise: false,
    };
    let functions: Vec<_> =
        devices.iter().map(|device| PciNode::from_scan(device, Some(slot.clone()))).collect();
    let node = dt::pci::publish_phb(tree, &node, &functions);
    dt::ddw::publish_bridge(tree, node, identity.opal_id, board.generation != Generation::Power8);
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

fn publish_controller(tree: &mut Tree, board: &Board, chips: &[ChipId]) -> Phandle {
    let Interrupts::Xive { addresses, .. } = board.interrupts else {
        return dt::interrupts::publish_xics(tree);
    };
    let xive = XiveNode { tima: addresses.tm, page: 64 << 10, chips };
    if board.generation == Generation::Power10 {
        dt::interrupts::publish_xive2(tree, &xive)
    } else {
        dt::interrupts::publish_xive1(tree, &xive)
    }
}

/// The PSI host bridges, and the LPC bus behind the first: QEMU connects no other chip's.
fn publish_psis(tree: &mut Tree, board: &Board, psis: &[(ChipId, Isn)], parent: Phandle) {
    let (sources, compatible) = match board.interrupts {
        Interrupts::Xics { .. } => (0, "ibm,power8-psi"),
        Interrupts::Xive { .. } => (crate::hw::psi::INPUTS, "ibm,power9-psi"),
    };
    let route = |irq, input| LpcRoute { irq, source: input as u32 };
    let routes = [route(4, Input::SerialIrq1), route(10, Input::SerialIrq0)];
    for (index, &(chip, first)) in psis.iter().enumerate() {
        let base = board.psi.on(chip);
        let node = PsiNode { chip, base, size: PSI_SIZE, first, sources, parent, compatible };
        let node = dt::platform::publish_psi(tree, &node);
        match board.lpc {
            _ if index != 0 => {}
            LpcPath::Window(_) => dt::platform::publish_lpc(tree, node, &routes),
            LpcPath::Eccb => dt::platform::publish_lpc8(tree),
        }
    }
}

/// Makes the OS's tree from the machine's.
pub fn publish(
    machine_tree: &[u8],
    board: &Board,
    firmware: &Firmware,
    psis: &[(ChipId, Isn)],
    bridges: &[Bridge],
    rtas: &Rtas,
) -> Vec<u8> {
    let mut tree = needed(Tree::from_blob(machine_tree).ok(), "the machine's tree is damaged");
    dt::cpus::publish(&mut tree, board.generation);
    let chips: Vec<ChipId> = psis.iter().map(|&(chip, _)| chip).collect();
    let mut reserved =
        Vec::from([Reserved::firmware(firmware.memory.firmware.clone()), Reserved::rtas(rtas.page.clone())]);
    reserved.extend(chips.iter().map(|&chip| Reserved::homer(board.homer, chip)));
    reserved.push(Reserved::occ_common(board.occ_common));
    dt::memory::publish(&mut tree, &reserved);
    dt::chosen::publish(&mut tree);
    dt::platform::hide_i2c(&mut tree);
    if let Some(pstates) = Pstates::read(&firmware.ram, board.homer) {
        dt::power::publish_pstates(&mut tree, &pstates);
    }
    let interrupts = publish_controller(&mut tree, board, &chips);
    publish_psis(&mut tree, board, psis, interrupts);
    for bridge in bridges {
        publish_bridge(&mut tree, board, bridge, interrupts);
    }
    let own: Vec<_> = firmware
        .services
        .events
        .owned()
        .map(|(source, what)| OwnInterrupt { source, name: what.name().into() })
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
            exports: &[windows_export(&firmware.services.view)],
        },
    );
    let page_sizes = phb::all(firmware.phbs).fold(0, |sizes, bridge| sizes | bridge.translation.page_sizes);
    dt::dma_windows::publish(&mut tree, page_sizes);
    dt::ddw::publish_rtas(&mut tree, rtas);
    tree.to_blob(arch::pir())
}

/// The text about DMA windows, for the OS to read.
fn windows_export(view: &View) -> Export {
    let memory = view.memory();
    Export { name: "dma_windows".into(), address: memory.start, size: memory.end - memory.start }
}
