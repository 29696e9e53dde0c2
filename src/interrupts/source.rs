//! Interrupt sources: blocks of ESBs that live in a device's own pages, and what bring-up code does with them.

use super::{IRQ_LSI, SourceInfo};
use crate::error::Result;
use crate::hw::mmio::Mmio;
use crate::units::{ChipId, Isn};
use alloc::boxed::Box;
use core::ops::Range;

/// Functions of an ESB's management page (`reference/platform-qemu-powernv.md` §6.1).
pub mod esb {
    /// Load: end of interrupt. A level source that is still asserted sends its event again.
    pub const EOI: u64 = 0x000;
    /// Load: the PQ bits.
    #[doc(alias = "XIVE_ESB_GET")]
    pub const GET: u64 = 0x800;
    /// Load: PQ becomes 00 (ready).
    #[doc(alias = "XIVE_ESB_SET_PQ_00")]
    pub const SET_READY: u64 = 0xc00;
    /// Load: PQ becomes 01 (off).
    #[doc(alias = "XIVE_ESB_SET_PQ_01")]
    pub const SET_OFF: u64 = 0xd00;
}

/// A block of sources in a device (a bridge, the PSI host bridge) that has one ESB page for each.
pub struct Source {
    /// Number of the first one.
    pub first: Isn,
    /// How many.
    pub count: u32,
    /// Real address of the first one's ESB page.
    pub esb: u64,
    /// log2 of an ESB page.
    pub page_shift: u32,
    /// Which ones, counted from the first, are level-sensitive. The others take a trigger by a store.
    pub level: Range<u32>,
    /// The ESB pages; offset 0 is the first source's.
    pub pages: Box<dyn Mmio>,
}

impl Source {
    /// Position of a source in this block.
    pub(super) fn position(&self, isn: Isn) -> Option<u32> {
        isn.0.checked_sub(self.first.0).filter(|&position| position < self.count)
    }

    pub(super) fn is_level(&self, position: u32) -> bool {
        self.level.contains(&position)
    }

    fn offset(&self, position: u32) -> u64 {
        u64::from(position) << self.page_shift
    }

    /// One load from an ESB page.
    pub(super) fn load(&self, position: u32, function: u64) -> u64 {
        self.pages.read64(self.offset(position) + function)
    }

    pub(super) fn info(&self, position: u32, chip: ChipId) -> SourceInfo {
        let page = self.esb + self.offset(position);
        let level = self.is_level(position);
        SourceInfo {
            flags: if level { IRQ_LSI } else { 0 },
            eoi_page: page,
            trigger_page: if level { 0 } else { page },
            page_shift: self.page_shift,
            chip,
        }
    }
}

/// Ports of the interrupt controller that devices send their events to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyPort {
    /// For the bridge of that number on its chip.
    Phb(u8),
    /// For the PSI host bridge.
    Psi,
}

/// What bring-up of a bridge asks of a chip's interrupt controller.
pub trait Sources {
    /// Sets `count` source numbers aside, the first one a multiple of `align` (a power of two). They are valid and
    /// masked.
    ///
    /// # Errors
    /// `Resource` when there are not that many.
    fn reserve(&mut self, count: u32, align: u32) -> Result<Isn>;
    /// Tells of a block of sources with reserved numbers, so that the calls know it.
    fn register(&mut self, source: Source);
    /// Real address that events are to be sent to.
    fn notify_port(&self, port: NotifyPort) -> u64;
    /// The chip.
    fn chip(&self) -> ChipId;
}
