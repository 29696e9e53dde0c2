//! XICS, POWER8's interrupt controller: each thread has a presenter, and each device that interrupts holds itself to
//! which thread its interrupts go.
//!
//! The OS drives the presenters, with IPIs among themselves; firmware sets sources. Calls 19 and 20:
//! `reference/linux-opal-contract.md` §2.3. Registers: `reference/platform-qemu-powernv.md` §6.4.

use super::Controller;
use crate::board::Unit;
use crate::error::{Error, Result, why};
use crate::hw::mmio::Mmio;
use crate::units::{ChipId, Isn, Pir};
use alloc::vec::Vec;
use core::ops::Range;

/// Priority of a masked interrupt.
pub const MASKED: u8 = 0xff;

/// A thread as devices and the OS's calls name it: its PIR above two bits for a link to choose, which are 0.
pub type Server = u16;

/// The name of a thread.
///
/// # Errors
/// `Parameter` when its PIR is too large for one.
pub fn server(thread: Pir) -> Result<Server> {
    thread.0.checked_mul(4).and_then(|server| server.try_into().ok()).ok_or(Error::Parameter(why("server")))
}

/// A device that raises interrupts through XICS and holds where each goes.
pub trait XicsSource: Sync {
    /// Numbers of its interrupts.
    fn isns(&self) -> Range<Isn>;
    /// Sends an interrupt to a server that exists. Priority 0xff masks it.
    ///
    /// # Errors
    /// `Parameter` when the number isn't the device's.
    fn set_route(&self, isn: Isn, server: Server, priority: u8) -> Result;
    /// Server and priority of an interrupt.
    ///
    /// # Errors
    /// As for `set_route`.
    fn route(&self, isn: Isn) -> Result<(Server, u8)>;
}

/// Each chip has four blocks of 2048 numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// The chip's own units. It begins behind the numbers that the presenters keep for themselves: 2 is an IPI.
    Chip,
    /// A bridge, by its number on the chip, 0 to 2.
    Phb(u32),
}

/// The first number of a block.
pub const fn first_isn(chip: ChipId, block: Block) -> Isn {
    let start = match block {
        Block::Chip => 0x10,
        Block::Phb(index) => 0x800 * (index + 1),
    };
    Isn((chip.0 << 13) + start)
}

/// Where a thread's presenter is: in its chip's window, at its whole PIR.
pub const fn presenter(windows: Unit, thread: Pir) -> u64 {
    windows.on(ChipId(thread.0 >> 7)) + ((thread.0 as u64) << 12)
}

/// Current priority, as a byte.
const CPPR: u64 = 0x04;
/// Priority of a request for an IPI, as a byte.
const MFRR: u64 = 0x0c;

/// Leaves a presenter so that nothing gets through and no IPI is asked for.
pub fn quiet_presenter(page: &dyn Mmio) {
    page.write8(CPPR, 0);
    page.write8(MFRR, MASKED);
}

/// The sources of a machine.
pub struct Xics {
    /// The machine's threads, sorted.
    servers: Vec<Server>,
    sources: Vec<&'static dyn XicsSource>,
}

impl Xics {
    /// A machine with these threads.
    pub fn new(threads: &[Pir]) -> Self {
        let mut servers: Vec<_> = threads.iter().filter_map(|&thread| server(thread).ok()).collect();
        servers.sort_unstable();
        Self { servers, sources: Vec::new() }
    }

    /// Adds a device. At boot.
    pub fn register(&mut self, source: &'static dyn XicsSource) {
        self.sources.push(source);
    }

    fn source(&self, isn: Isn) -> Result<&dyn XicsSource> {
        let mut sources = self.sources.iter().copied();
        sources.find(|source| source.isns().contains(&isn)).ok_or(Error::Parameter(why("ISN")))
    }
}

impl Controller for Xics {
    fn server(&self, isn: Isn) -> Result<(Server, u8)> {
        self.source(isn)?.route(isn)
    }

    fn set_server(&self, isn: Isn, server: Server, priority: u8) -> Result {
        let source = self.source(isn)?;
        // Hardware has no answer to a thread that isn't there; QEMU crashes.
        self.servers.binary_search(&server).map_err(|_| Error::Parameter(why("server")))?;
        source.set_route(isn, server, priority)
    }
}
