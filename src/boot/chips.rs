//! The units of each chip that boot starts: XSCOM, the LPC bus of the first, the PSI host bridge, the interrupt
//! controller.

use super::leak_window;
use crate::arch::{self, PhysicalRam, Registers};
use crate::board::{Board, Interrupts, LpcPath};
use crate::dt;
use crate::hw::eccb::Eccb;
use crate::hw::lpc::Lpc;
use crate::hw::mmio::Mmio;
use crate::hw::psi::{Input, Psi};
use crate::hw::psi8::Psi8;
use crate::hw::thread::Thread;
use crate::hw::xscom::{self, Layout, Xscom};
use crate::interrupts::Controller;
use crate::interrupts::xics::{self, Xics};
use crate::interrupts::xive::{Addresses, Chips, Setup, Tables, Xive};
use crate::log::{needed, stop};
use crate::mem::Region;
use crate::phb::{self, PhbSlot};
use crate::units::{ChipId, Isn, Pir};
use alloc::boxed::Box;
use alloc::vec::Vec;
use fdt::Fdt;

/// A chip's XIVE.
pub type ChipXive = Xive<&'static Registers, &'static PhysicalRam>;

/// The machine's interrupt controller while bridges connect to it.
pub enum Controllers {
    /// One for each chip.
    Xive(Vec<ChipXive>),
    /// One for the machine.
    Xics(Xics),
}

impl Controllers {
    /// On POWER8 a bridge itself holds where its interrupts go.
    pub fn add_bridges(&mut self, bridges: &'static [PhbSlot]) {
        if let Self::Xics(xics) = self {
            phb::all(bridges).for_each(|bridge| xics.register(bridge));
        }
    }

    /// Nothing is added any more.
    pub fn finish(self) -> &'static dyn Controller {
        match self {
            Self::Xive(chips) => Box::leak(Box::new(Chips::new(chips))),
            Self::Xics(xics) => Box::leak(Box::new(xics)),
        }
    }
}

/// What `start` makes of the chips.
pub struct Started {
    /// The interrupt controller.
    pub controllers: Controllers,
    /// Each chip, with the number of its PSI host bridge's first interrupt.
    pub psis: Vec<(ChipId, Isn)>,
}

/// XSCOM of a chip.
pub fn scom(board: &Board, chip: ChipId) -> impl Xscom + 'static {
    const HMER: u64 = xscom::FAILED | xscom::STATUS | 1 << (63 - 9);
    let layout = match board.lpc {
        LpcPath::Eccb => Layout::Power8,
        LpcPath::Window(_) => Layout::Power9,
    };
    xscom::Window::new(*leak_window(board.xscom.on(chip)), layout, || arch::take_hmer(HMER))
}

/// The LPC bus of the first chip.
pub fn lpc(board: &Board) -> Lpc {
    let opb: &'static dyn Mmio = match board.lpc {
        LpcPath::Window(base) => leak_window(base),
        LpcPath::Eccb => Box::leak(Box::new(Eccb::new(scom(board, ChipId(0))))),
    };
    Lpc::new(opb)
}

/// Starts the units of each chip that the machine's tree names.
// Copied into `boot` it makes the image ten kilobytes larger.
#[inline(never)]
pub fn start(
    fdt: &Fdt<'_>,
    board: &Board,
    threads: &[(Pir, &'static dyn Thread)],
    region: &mut Region,
    ram: &'static PhysicalRam,
) -> Started {
    let pirs: Vec<Pir> = threads.iter().map(|&(pir, _)| pir).collect();
    let there =
        dt::read::chips(fdt).fold(0_u32, |set, (chip, _)| set | 1_u32.checked_shl(chip.0).unwrap_or(0));
    let chips = (0..u32::BITS).filter(|id| there >> id & 1 != 0).map(ChipId);
    match board.interrupts {
        Interrupts::Xive { addresses, psi_esb, psi_page_shift } => {
            let (mut xives, mut psis) = (Vec::<ChipXive>::new(), Vec::new());
            for id in chips {
                let mut xive = start_xive(id, board, &addresses, &pirs, region, ram);
                for other in &mut xives {
                    xive.add_neighbour(other);
                    other.add_neighbour(&xive);
                }
                let esb = psi_esb.on(id);
                let (registers, pages) = (leak_window(board.psi.on(id)), Box::new(leak_window(esb)));
                let psi = Psi::connect(registers, esb, psi_page_shift, pages, &mut xive);
                psis.push((id, needed(psi.ok(), "no interrupt numbers for the PSI bridge").isn(Input::Psi)));
                xives.push(xive);
            }
            Started { controllers: Controllers::Xive(xives), psis }
        }
        Interrupts::Xics { presenters } => {
            let server = needed(xics::server(arch::pir()).ok(), "this thread is no server");
            for &pir in &pirs {
                // A chip's window is found from the PIR; the page in it from the whole PIR.
                xics::quiet_presenter(leak_window(xics::presenter(presenters, pir)));
            }
            let mut xics = Xics::new(&pirs);
            let connect = |id| {
                let first = xics::first_isn(id, xics::Block::Chip);
                let psi = Psi8::connect(leak_window(board.psi.on(id)), first, server);
                xics.register(Box::leak(Box::new(psi)));
                (id, first)
            };
            let psis = chips.map(connect).collect();
            Started { controllers: Controllers::Xics(xics), psis }
        }
    }
}

fn start_xive(
    id: ChipId,
    board: &Board,
    addresses: &Addresses,
    threads: &[Pir],
    region: &mut Region,
    ram: &'static PhysicalRam,
) -> ChipXive {
    let xscom = leak_window(board.xscom.on(id));
    let addresses = addresses.on_chip(id, board.xscom.stride);
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
    Xive::new(setup).unwrap_or_else(|error| {
        stop(format_args!("chip {}: the interrupt controller doesn't start: {error}", id.0))
    })
}
