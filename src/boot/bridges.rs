//! The PCI host bridges, each brought up as its generation wants.

use super::chips::{ChipXive, Controllers};
use super::{chips, leak_window};
use crate::arch::PhysicalRam;
use crate::board::Board;
use crate::error::{Error, Result, why};
use crate::interrupts::source::{NotifyPort, Source, Sources};
use crate::interrupts::xics;
use crate::mem::Region;
use crate::phb::bridge::Interrupts;
use crate::phb::{self, Phb, StackNode};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use fdt::Fdt;

/// Brings up each bridge that the tree names. One that doesn't come is left out: the machine works without it.
pub fn bring_up(
    fdt: &Fdt<'_>,
    board: &Board,
    ram: &'static PhysicalRam,
    region: &mut Region,
    controllers: &mut Controllers,
) -> Vec<Box<dyn Phb>> {
    let mut bridges = Vec::new();
    for stack in phb::stacks(fdt) {
        let scom = Arc::new(chips::scom(board, stack.chip));
        let mut reserve = |sources| match controllers {
            Controllers::Xive(xives) => connect_to_xive(xives, &stack, board, sources),
            Controllers::Xics(_) => {
                let base = xics::first_isn(stack.chip, xics::Block::Phb(stack.phb_index));
                Ok(Interrupts { base, notify: 0 })
            }
        };
        let window = |base| *leak_window(base);
        match phb::bring_up(&stack, &board.phb, scom, ram, region, window, &mut reserve) {
            Ok(bridge) => bridges.push(bridge),
            Err(error) => log::error!("PHB#{:x} doesn't come up: {error}", stack.opal_id()),
        }
    }
    bridges
}

/// Reserves numbers for a bridge's sources and connects their pages.
fn connect_to_xive(
    xives: &mut [ChipXive],
    stack: &StackNode,
    board: &Board,
    sources: u16,
) -> Result<Interrupts> {
    let xive = xives.iter_mut().find(|xive| xive.chip() == stack.chip);
    let xive = xive.ok_or(Error::Hardware(why("its chip has no interrupt controller")))?;
    let esb = stack.windows(&board.phb).interrupts;
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
}
