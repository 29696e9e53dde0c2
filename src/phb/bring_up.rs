//! Finding the bridges in the device tree and bringing each one up. At boot only, before any call.

use super::bridge::{HostBridge, Interrupts, Parts};
use super::generation::{self, Generation, Ioda};
use super::phb3;
use super::reset::Progress;
use super::stack::{Stack, Windows};
use super::{Identity, Phb};
use crate::dt::read::cells;
use crate::error::Result;
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::hw::xscom::Xscom;
use crate::mem::Region;
use crate::sync::wait_until;
use crate::units::ChipId;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

/// A bridge as the device tree names it: one stack of a PEC.
#[derive(Clone, Copy, Debug)]
pub struct StackNode {
    /// What its generation is like.
    pub generation: &'static Generation,
    /// Its chip.
    pub chip: ChipId,
    /// Its PEC.
    pub pec: u32,
    /// PEC's registers on the nest side, by XSCOM.
    pub nest: u32,
    /// PEC's registers on the PCI side.
    pub pci: u32,
    /// A PHB3's back door; 0 on others.
    pub door: u32,
    /// Its number in the PEC.
    pub stack: u32,
    /// Its number on the chip.
    pub phb_index: u32,
}

/// Where a machine has room for its bridges' windows: those of chip 0. The size of each is the same everywhere.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Distance of the same unit on two chips.
    pub chip_stride: u64,
    /// 64-bit MMIO of PHB 0 and of PHB 3.
    pub mmio64: [u64; 2],
    /// 32-bit MMIO.
    pub mmio32: u64,
    /// Pages of the interrupt sources.
    pub esb: u64,
    /// Registers.
    pub registers: u64,
}

impl StackNode {
    /// OPAL's number for the bridge.
    pub fn opal_id(&self) -> u64 {
        u64::from(self.chip.0) * self.generation.ids_per_chip + u64::from(self.phb_index)
    }

    /// Where its windows go (`reference/phb-dma-windows.md` §1.5).
    pub fn windows(&self, addresses: &Addresses) -> Windows {
        let chip = u64::from(self.chip.0) * addresses.chip_stride;
        let n = u64::from(self.phb_index);
        let [low, high] = addresses.mmio64;
        let m64 = if n < 3 { low + n * M64_SIZE } else { high + (n - 3) * M64_SIZE };
        Windows {
            m64: sized(chip + m64, M64_SIZE),
            m32: sized(chip + addresses.mmio32 + n * M32_SIZE, M32_SIZE),
            registers: chip + addresses.registers + n * REGISTERS_STRIDE,
            interrupts: chip + addresses.esb + n * ESB_STRIDE,
        }
    }
}

const M64_SIZE: u64 = 256 << 30;
const M32_SIZE: u64 = 2 << 30;
const REGISTERS_STRIDE: u64 = 1 << 20;
const ESB_STRIDE: u64 = 512 << 20;

const fn sized(start: u64, size: u64) -> Range<u64> {
    start..start + size
}

/// The stacks that the machine's device tree names, by OPAL id.
pub fn stacks(tree: &fdt::Fdt<'_>) -> Vec<StackNode> {
    let number =
        |node: &fdt::node::FdtNode<'_, '_>, name| node.property(name).and_then(|p| cells(p.value).next());
    let mut found = Vec::new();
    for (chip, xscom) in crate::dt::read::chips(tree) {
        for pec in xscom.children() {
            let mut generations = generation::ALL.into_iter();
            let Some(generation) = generations.find(|one| is_compatible(&pec, one.pec.as_bytes())) else {
                continue;
            };
            let Some(reg) = pec.property("reg") else { continue };
            let mut reg = cells(reg.value);
            let (Some(nest), Some(pci)) = (reg.next(), reg.nth(1)) else { continue };
            let door = reg.nth(1).unwrap_or(0);
            let pec_index = number(&pec, "ibm,pec-index").unwrap_or(0);
            if generation.ioda == Ioda::Two {
                let Some(phb_index) = number(&pec, "ibm,phb-index") else { continue };
                let (pec, stack) = (phb_index, 0);
                found.push(StackNode { generation, chip, pec, nest, pci, door, stack, phb_index });
                continue;
            }
            for stack in pec.children() {
                let (Some(at), Some(phb_index)) = (number(&stack, "reg"), number(&stack, "ibm,phb-index"))
                else {
                    continue;
                };
                let (pec, stack) = (pec_index, at);
                found.push(StackNode { generation, chip, pec, nest, pci, door, stack, phb_index });
            }
        }
    }
    found.sort_unstable_by_key(StackNode::opal_id);
    found
}

fn is_compatible(node: &fdt::node::FdtNode<'_, '_>, name: &[u8]) -> bool {
    node.property("compatible").is_some_and(|p| p.value.split(|&byte| byte == 0).any(|string| string == name))
}

/// Brings one bridge up, link not included; a PHB3's windows are where an earlier stage of firmware placed them, not at
/// `addresses`. `registers` makes the window of the bridge's registers at the address
/// that it is given; `reserve` gets a number of interrupt sources and gives where they go.
///
/// # Errors
/// `Hardware` when the bridge is guarded out or broken: the machine works without it.
pub fn bring_up<I: Mmio + 'static, R: Ram + 'static>(
    node: &StackNode,
    addresses: &Addresses,
    xscom: Arc<dyn Xscom>,
    ram: R,
    region: &mut Region,
    registers: impl FnOnce(u64) -> I,
    reserve: &mut dyn FnMut(u16) -> Result<Interrupts>,
) -> Result<Box<dyn Phb>> {
    let generation = node.generation;
    let (stack, windows) = match generation.ioda {
        Ioda::Two => phb3::nest(xscom, [node.nest, node.pci, node.door])?,
        Ioda::Three => (Stack::new(xscom, node.nest, node.pci, node.stack), node.windows(addresses)),
    };
    let identity = Identity {
        opal_id: node.opal_id(),
        chip: node.chip,
        index: node.phb_index,
        pec: node.pec,
        stack: node.stack,
        translation: &generation.translation,
    };
    let regs = registers(windows.registers);
    let parts = Parts { regs, ram, stack, generation, identity, windows };
    let phb = match generation.ioda {
        Ioda::Two => HostBridge::new_phb3(parts, region, reserve)?,
        Ioda::Three => HostBridge::new(parts, region, reserve)?,
    };
    log::info!(
        "PHB#{:x}: version {:x}, {} PEs, {} interrupts from {:#x}",
        identity.opal_id,
        phb.info().version,
        phb.info().limits.count(),
        phb.info().sources,
        phb.info().interrupt_base.0
    );
    Ok(Box::new(phb))
}

/// The longest that all links together may take: presence, training with one more try, settling.
const LINKS_US: u64 = 8_000_000;

/// Starts the links of all bridges at once and waits until each is up or known to be empty. `patient`: see
/// [`super::reset::SlotReset::start_link`].
pub fn start_links(bridges: &mut [Box<dyn Phb>], patient: bool) {
    for bridge in bridges.iter_mut() {
        if let Err(error) = bridge.start_link(patient) {
            log::error!("PHB#{:x}: link: {error}", bridge.info().identity.opal_id);
        }
    }
    wait_until(LINKS_US, || {
        // Every one is asked, so that they wait at the same time.
        let waiting = bridges.iter_mut().filter_map(|bridge| match bridge.poll_reset() {
            Ok(Progress::Wait(_)) => Some(()),
            Ok(Progress::Done) | Err(_) => None,
        });
        waiting.count() == 0
    });
    for bridge in bridges.iter() {
        let link = if bridge.is_link_up() { "up" } else { "down" };
        log::info!("PHB#{:x}: link {link}", bridge.info().identity.opal_id);
    }
}
