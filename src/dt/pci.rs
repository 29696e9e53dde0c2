//! PCI host bridges and what was found behind them.
//!
//! Linux talks only to functions that have a node, and takes bus numbers from there; addresses it assigns itself.
//! Properties that nobody reads (slot power, LEDs, lanes, CAPI) are left out.

use crate::dt::Generation;
use crate::dt::interrupts::LEVEL;
use crate::dt::pci_class;
use crate::dt::tree::{NodeId, NodeMut, Phandle, Tree};
use crate::iommu::page_shifts;
use crate::pci::Device;
use crate::phb::windows::M32_PCI_START;
use crate::units::{Bdfn, ChipId, Isn};
use alloc::borrow::Cow;
use alloc::vec::Vec;

/// A piece of memory or of an address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its start.
    pub base: u64,
    /// Bytes.
    pub size: u64,
}

/// Where a bridge of POWER9 or POWER10 sits.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    /// Number of its PEC on the chip.
    pub pec: u32,
    /// Number of its stack in the PEC.
    pub stack: u32,
    /// Node of the stack, under the XSCOM bus.
    pub node: NodeId,
}

/// What the node of a bridge tells.
#[derive(Clone, Debug)]
pub struct PhbNode {
    /// Generation of its chip.
    pub generation: Generation,
    /// The id in every OPAL call, and Linux's PCI domain.
    pub id: u64,
    /// Its chip.
    pub chip: ChipId,
    /// Its number on the chip.
    pub index: u32,
    /// PEC and stack; POWER8 has none.
    pub stack: Option<Stack>,
    /// Its registers.
    pub registers: Window,
    /// Pages through which its interrupt sources are managed; POWER8 has none.
    pub esb: Option<Window>,
    /// The window of the processor for 64-bit addresses; the bus sees the same addresses.
    pub m64: Window,
    /// The window of the processor for 32-bit addresses, which the bus sees at 2 GiB.
    pub m32: Window,
    /// First M64 window that the OS may use, and how many.
    pub m64_ranges: (u32, u32),
    /// PEs; the last is the one that the OS leaves alone.
    pub pe_count: u32,
    /// First MSI, and how many.
    pub msis: (Isn, u32),
    /// INTA of the root port; INTB to INTD follow.
    pub lsis: Isn,
    /// IO pages that its TCEs can have, added up.
    pub page_sizes: u64,
    /// Requester table, PE lattice and PE states in memory.
    pub tables: [Window; 3],
    /// Bytes of its diagnostic data.
    pub diag_size: u32,
    /// Controller of its interrupts.
    pub interrupt_parent: Phandle,
}

/// A place where a card can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// What is written on it.
    pub label: Cow<'static, str>,
    /// Firmware resets what is behind (OPAL_PCI_RESET with the slot's id).
    pub reset_by_firmware: bool,
    /// Cards can come and go (OPAL_PCI_SET_POWER_STATE, OPAL_GET_DEVICE_TREE).
    pub pluggable: bool,
    /// They do so unannounced, and the port says it by an interrupt.
    pub surprise: bool,
}

/// A function that was found.
#[derive(Clone, Debug)]
pub struct PciNode {
    /// Where it answers, with the bus number that it keeps.
    pub bdfn: Bdfn,
    /// Vendor ID.
    pub vendor: u16,
    /// Device ID.
    pub device: u16,
    /// Class, subclass and programming interface: 24 bits.
    pub class: u32,
    /// Revision ID.
    pub revision: u8,
    /// It has extended configuration space.
    pub extended: bool,
    /// Interrupt pin, 1 to 4; 0 for none.
    pub interrupt_pin: u8,
    /// It has a bus behind it.
    pub is_bridge: bool,
    /// The slot behind it.
    pub slot: Option<Slot>,
    /// What is behind it.
    pub children: Vec<Self>,
}

impl PciNode {
    /// What the scan found; `slot` is the one that the function itself leads to.
    pub fn from_scan(device: &Device, slot: Option<Slot>) -> Self {
        Self {
            bdfn: device.bdfn,
            vendor: device.vendor,
            device: device.device,
            class: device.class,
            revision: device.revision,
            extended: device.is_pcie(),
            interrupt_pin: device.interrupt_pin,
            is_bridge: device.is_bridge(),
            slot,
            children: device.children.iter().map(|child| Self::from_scan(child, None)).collect(),
        }
    }
}

/// The top of the 32-bit window is where MSIs are written to.
const M32_MSI: u64 = 0x1_0000;
/// Place of the register by which the OS of a PHB3 invalidates TCEs itself.
const TCE_KILL: u64 = 0x210;
/// Flag of a 32-bit memory range in `ranges`.
const MEMORY32: u32 = 0x0200_0000;

/// Publishes a bridge and what is behind it, and returns its node.
pub fn publish_phb(tree: &mut Tree, phb: &PhbNode, behind: &[PciNode]) -> NodeId {
    let stack = phb.stack.map(|stack| (stack.pec, stack.stack, tree.at(stack.node).phandle()));
    let mut root = tree.make("/");
    let mut node = root.child_at("pciex", phb.registers.base);
    publish_identity(&mut node, phb, stack);
    publish_windows(&mut node, phb);
    for function in behind {
        publish_function(&mut node, function, &Above { phb, turn: None, label: None });
    }
    node.id()
}

fn publish_identity(node: &mut NodeMut<'_>, phb: &PhbNode, stack: Option<(u32, u32, Phandle)>) {
    node.set_strings(
        "compatible",
        match phb.generation {
            Generation::Power8 => ["ibm,power8-pciex", "ibm,ioda2-phb"],
            Generation::Power9 => ["ibm,power9-pciex", "ibm,ioda3-phb"],
            Generation::Power10 => ["ibm,power10-pciex", "ibm,ioda3-phb"],
        },
    );
    node.set_string("device_type", "pciex").set_string("status", "okay");
    let units = [Some(phb.registers), phb.esb];
    node.set_all("reg", units.into_iter().flatten().flat_map(both));
    node.set_cells("#address-cells", &[3]).set_cells("#size-cells", &[2]).set_cells("#interrupt-cells", &[1]);
    node.set_cells("bus-range", &[0, 0xff]);
    node.set_u64s("ibm,opal-phbid", &[phb.id]);
    node.set_cells("ibm,chip-id", &[phb.chip.0]);
    node.set_cells("ibm,associativity", &[4, 0, 0, 0, phb.chip.0]);
    node.set_cells("ibm,phb-index", &[phb.index]);
    if let Some((pec, index, stack)) = stack {
        node.set_cells("ibm,phb-pec-index", &[pec]).set_cells("ibm,phb-stack-index", &[index]);
        node.set_cells("ibm,phb-stack", &[stack.0]);
    }
    node.set_cells("interrupt-parent", &[phb.interrupt_parent.0]);
}

fn publish_windows(node: &mut NodeMut<'_>, phb: &PhbNode) {
    let power8 = phb.generation == Generation::Power8;
    let windows = if power8 { "ibm,mmio-window" } else { "ibm,mmio-windows" };
    node.set_all(windows, [phb.m64, phb.m32].into_iter().flat_map(both));
    if power8 {
        node.set_u64s("ibm,opal-tce-kill", &[phb.registers.base + TCE_KILL]);
    }
    let [cpu_high, cpu_low] = halves(phb.m32.base);
    let [size_high, size_low] = halves(phb.m32.size - M32_MSI);
    node.set_cells("ranges", &[MEMORY32, 0, M32_PCI_START as u32, cpu_high, cpu_low, size_high, size_low]);
    node.set_u64s("ibm,opal-m64-window", &[phb.m64.base, phb.m64.base, phb.m64.size]);
    node.set_cells("ibm,opal-available-m64-ranges", &<[u32; 2]>::from(phb.m64_ranges));
    node.set_cells("ibm,opal-num-pes", &[phb.pe_count]);
    node.set_cells("ibm,opal-reserved-pe", &[phb.pe_count - 1]);
    node.set_cells("ibm,opal-msi-ranges", &[phb.msis.0.0, phb.msis.1]);
    node.set_all("ibm,supported-tce-sizes", page_shifts(phb.page_sizes).map(u32::to_be_bytes));
    node.set_cells("ibm,phb-diag-data-size", &[phb.diag_size]);
    let names = ["ibm,opal-rtt-table", "ibm,opal-peltv-table", "ibm,opal-pest-table"];
    for (name, table) in names.into_iter().zip(phb.tables) {
        let [high, low] = halves(table.base);
        node.set_cells(name, &[high, low, halves(table.size)[1]]);
    }
}

/// What a function inherits from where it is.
#[derive(Clone, Copy)]
struct Above<'a> {
    phb: &'a PhbNode,
    /// By how much the pins of device 0 are turned on their way to the root port; `None` on the root bus.
    turn: Option<u32>,
    /// Label of the slot it is in.
    label: Option<&'a str>,
}

fn publish_function(parent: &mut NodeMut<'_>, function: &PciNode, above: &Above<'_>) {
    let name = pci_class::name(function.class);
    let mut node = parent.child_named(name, function.bdfn);
    node.set_cells("reg", &[u32::from(function.bdfn.as_u16()) << 8, 0, 0, 0, 0]);
    node.set_cells("vendor-id", &[function.vendor.into()]).set_cells("device-id", &[function.device.into()]);
    node.set_cells("class-code", &[function.class]).set_cells("revision-id", &[function.revision.into()]);
    node.set_cells("ibm,pci-config-space-type", &[function.extended.into()]);
    // On the root bus nothing says which interrupt a pin is.
    if function.interrupt_pin != 0 && above.turn.is_some() {
        node.set_cells("interrupts", &[function.interrupt_pin.into()]);
    }
    let label = function.slot.as_ref().map(|slot| &*slot.label);
    if let Some(code) = above.label.or(label) {
        node.set_string("ibm,loc-code", code);
    }
    if let Some(slot) = &function.slot {
        publish_slot(&mut node, slot);
    }
    if function.is_bridge {
        publish_bridge(&mut node, function, above);
        // A PCIe link has one device, 0, so the root port turns no pin; each bridge below turns by device number.
        let turn = above.turn.map_or(0, |turn| turn + u32::from(function.bdfn.device()));
        for child in &function.children {
            publish_function(&mut node, child, &Above { phb: above.phb, turn: Some(turn), label });
        }
    }
}

fn publish_slot(node: &mut NodeMut<'_>, slot: &Slot) {
    node.set_string("ibm,slot-label", &slot.label).set_string("ibm,slot-location-code", &slot.label);
    node.set_cells("ibm,reset-by-firmware", &[slot.reset_by_firmware.into()]);
    node.set_cells("ibm,slot-pluggable", &[slot.pluggable.into()]);
    node.set_cells("ibm,slot-surprise-pluggable", &[slot.surprise.into()]);
    if slot.pluggable {
        // The OS names the slot by its phandle.
        node.phandle();
    }
}

fn publish_bridge(node: &mut NodeMut<'_>, bridge: &PciNode, above: &Above<'_>) {
    node.set_string("device_type", if bridge.extended { "pciex" } else { "pci" });
    node.set_cells("#address-cells", &[3]).set_cells("#size-cells", &[2]).set_cells("#interrupt-cells", &[1]);
    // The same addresses on both sides. The OS moves the windows; what is here only must not be in its way.
    node.set_cells("ranges", &[MEMORY32, 0, 0, MEMORY32, 0, 0, 0xf000_0000, 0]);
    // Of the device number only the lowest two bits matter, and on a link to a root port it is always 0.
    let (devices, mask, turn) = match above.turn {
        None => (1, 0, 0),
        Some(turn) => (4, 0x1800, turn + u32::from(bridge.bdfn.device())),
    };
    let (parent, first) = (above.phb.interrupt_parent.0, above.phb.lsis.0);
    let mut map = Vec::with_capacity(4 * 4 * 7);
    for device in 0..devices {
        for pin in 1..=4 {
            let lsi = first + (pin - 1 + device + turn) % 4;
            map.extend_from_slice(&[device << 11, 0, 0, pin, parent, lsi, LEVEL]);
        }
    }
    node.set_cells("interrupt-map-mask", &[mask, 0, 0, 7]);
    node.set_cells("interrupt-map", &map);
}

fn both(window: Window) -> [[u8; 8]; 2] {
    [window.base.to_be_bytes(), window.size.to_be_bytes()]
}

fn halves(number: u64) -> [u32; 2] {
    [(number >> 32) as u32, number as u32]
}

impl NodeMut<'_> {
    /// A child named as PCI functions are: `name@device`, or `name@device,function` but for function 0.
    fn child_named(&mut self, name: &str, bdfn: Bdfn) -> NodeMut<'_> {
        let (device, function) = (bdfn.device(), bdfn.function());
        match function {
            0 => self.child_at(name, device.into()),
            _ => self.child(&alloc::format!("{name}@{device:x},{function:x}")),
        }
    }
}
