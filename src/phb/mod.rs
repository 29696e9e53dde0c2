//! PCI host bridges: what OPAL needs of one in typed terms, and how they come up.
//!
//! Each theme has its file, with the trait that says what OPAL asks and what a bridge does about it. What differs between
//! PHB3, PHB4 and PHB5 is data in `generation.rs`, or lies in `phb3`. A bridge's registers are a type parameter inside
//! this folder; outside of it a bridge is `dyn Phb` in a lock of its own.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod bridge;
mod bring_up;
pub mod config;
pub mod diag;
pub mod dma;
pub mod eeh;
pub mod fault_queue;
pub mod faults;
pub mod generation;
mod init;
pub mod inject;
pub mod ioda;
pub mod msi;
pub mod pe;
pub mod phb3;
pub mod port;
pub mod regs4;
pub mod reset;
pub mod stack;
pub mod tables;
pub mod touched;
pub mod windows;

pub use bring_up::{Addresses, StackNode, bring_up, stacks, start_links};

use crate::error::{Error, Result, why};
use crate::interrupts::xics::XicsSource;
use crate::iommu::{PeLimits, Translation};
use crate::sync::{Guard, Lock};
use crate::units::{ChipId, Isn};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::AtomicU64;

/// Which bridge one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its number in OPAL's calls.
    pub opal_id: u64,
    /// Its chip.
    pub chip: ChipId,
    /// Its number on the chip.
    pub index: u32,
    /// Its PEC on the chip.
    pub pec: u32,
    /// Its stack in the PEC.
    pub stack: u32,
    /// What its DMA windows can be.
    pub translation: &'static Translation,
}

impl PartialEq for Translation {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }
}
impl Eq for Translation {}

/// A table in memory that the device tree tells of: address and bytes.
pub type TableRange = (u64, u64);

/// What is fixed about a bridge once it is up; the device tree is made from it.
#[derive(Clone, Debug)]
pub struct PhbInfo {
    /// Which one it is.
    pub identity: Identity,
    /// VERSION.
    pub version: u64,
    /// Its PEs.
    pub limits: PeLimits,
    /// Interrupt sources, the eight LSIs at the end included.
    pub sources: u16,
    /// Global number of the first.
    pub interrupt_base: Isn,
    /// Its registers, 4 KiB of which the OS may see.
    pub registers: u64,
    /// One 64 KiB page for each source.
    pub interrupt_pages: u64,
    /// M32 as the processor sees it.
    pub m32: Range<u64>,
    /// M64; addresses are the same on the bus.
    pub m64: Range<u64>,
    /// The M64 windows that the OS may use.
    pub m64_windows: Range<u8>,
    /// RTT.
    pub rtt: TableRange,
    /// PELT-V.
    pub peltv: TableRange,
    /// PEST.
    pub pest: TableRange,
    /// IVT, on a PHB3.
    pub ivt: Option<TableRange>,
    /// Bytes of its diagnostic data.
    pub diag_size: u32,
}

impl PhbInfo {
    /// First of the eight LSIs: INTA to INTD, two unused, INF, ER.
    pub fn first_lsi(&self) -> Isn {
        Isn(self.interrupt_base.0 + u32::from(self.sources - msi::LSIS))
    }

    /// Number of MSI sources.
    pub const fn msis(&self) -> u16 {
        self.sources - msi::LSIS
    }
}

/// A bridge, as OPAL's calls see it. Everything that it is asked was checked before.
pub trait Phb:
    config::ConfigAccess
    + pe::Pes
    + windows::MmioWindows
    + dma::DmaWindows
    + msi::Msi
    + eeh::Eeh
    + reset::SlotReset
    + port::PortReset
    + diag::Diagnosis
    + inject::Inject
    + faults::DmaFaults
    + Send
{
    /// What is fixed about it.
    fn info(&self) -> &PhbInfo;
}

/// A bridge behind its lock, with the facts that arguments are checked against: they need no lock.
pub struct Locked {
    /// Its PEs.
    pub limits: PeLimits,
    /// Interrupt sources, the eight LSIs at the end included.
    pub sources: u16,
    /// The M64 windows that the OS may use.
    pub m64_windows: Range<u8>,
    /// Its interrupts.
    isns: Range<Isn>,
    /// What its DMA windows can be.
    pub translation: &'static Translation,
    bridge: Lock<Box<dyn Phb>>,
    /// Which bits of the event word it accounts for. Changed under its lock only.
    pub shown: AtomicU64,
}

impl Locked {
    fn new(bridge: Box<dyn Phb>) -> Self {
        let info = bridge.info();
        Self {
            limits: info.limits,
            sources: info.sources,
            m64_windows: info.m64_windows.clone(),
            isns: info.interrupt_base..Isn(info.interrupt_base.0 + u32::from(info.sources)),
            translation: info.identity.translation,
            bridge: Lock::new(bridge),
            shown: AtomicU64::new(0),
        }
    }

    /// The bridge's own number of a source, which may be given as a global one.
    pub fn local_source(&self, number: u64) -> u64 {
        phb3::local_source(number, self.isns.start)
    }

    /// Locks it for a call.
    #[inline(always)]
    pub fn lock(&self) -> Guard<'_, Box<dyn Phb>> {
        self.bridge.lock()
    }

    /// Locks it if nobody else has.
    pub fn try_lock(&self) -> Option<Guard<'_, Box<dyn Phb>>> {
        self.bridge.try_lock()
    }
}

impl XicsSource for Locked {
    fn isns(&self) -> Range<Isn> {
        self.isns.clone()
    }

    fn set_route(&self, isn: Isn, server: u16, priority: u8) -> Result {
        let source = isn.0.wrapping_sub(self.isns.start.0).try_into();
        self.lock().set_route(source.map_err(|_| Error::Parameter(why("interrupt")))?, server, priority)
    }

    fn route(&self, isn: Isn) -> Result<(u16, u8)> {
        let source = isn.0.wrapping_sub(self.isns.start.0).try_into();
        self.lock().route(source.map_err(|_| Error::Parameter(why("interrupt")))?)
    }
}

/// The place of one OPAL PHB id: a bridge, or nothing.
#[derive(Default)]
pub struct PhbSlot(Option<Locked>);

impl PhbSlot {
    /// The bridge, if there is one.
    pub const fn bridge(&self) -> Option<&Locked> {
        self.0.as_ref()
    }
}

/// Bridges at the places of their ids.
pub fn slots(bridges: impl IntoIterator<Item = Box<dyn Phb>>) -> Vec<PhbSlot> {
    let mut slots = Vec::new();
    for bridge in bridges {
        let id = bridge.info().identity.opal_id as usize;
        if slots.len() <= id {
            slots.resize_with(id + 1, PhbSlot::default);
        }
        if let Some(slot) = slots.get_mut(id) {
            *slot = PhbSlot(Some(Locked::new(bridge)));
        }
    }
    slots
}

/// The bridge of that OPAL id.
///
/// # Errors
/// `Parameter` when there is none.
#[inline(always)]
pub fn find(slots: &[PhbSlot], id: u64) -> Result<&Locked> {
    // Ids are small; a wide one isn't cut but not found.
    slots.get(id as usize).and_then(|slot| slot.0.as_ref()).ok_or(Error::Parameter(why("PHB id")))
}

/// All bridges, in the order of their ids.
pub fn all(slots: &[PhbSlot]) -> impl Iterator<Item = &Locked> {
    slots.iter().filter_map(|slot| slot.0.as_ref())
}
