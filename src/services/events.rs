//! The event word that POLL_EVENTS and HANDLE_INTERRUPT hand to the OS, and the interrupts that firmware owns.
//!
//! A bit has a level: it is set while its cause is there and cleared by whoever removes the cause. A bit without a
//! cause would make Linux poll for ever.

use crate::hw::psi::{self, Input};
use crate::phb::{self, Phb, PhbSlot, msi};
use crate::sync::Lock;
use crate::units::Isn;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

/// Input waits on the console.
pub const CONSOLE_INPUT: u64 = 0x10;
/// A bridge has an error for PCI_NEXT_ERROR.
pub const PCI_ERROR: u64 = 0x200;
/// A message waits for GET_MSG.
pub const MESSAGE: u64 = 0x800;

/// A bridge has a record for fault-read.
pub const DMA_FAULT: u64 = 0x1_0000_0000;

/// What raises an interrupt that firmware owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The console's UART.
    Uart,
    /// The BMC's BT interface.
    Bt,
    /// POWER8: any device on the ISA bus.
    IsaDevices,
    /// The LPC host controller itself.
    LpcErrors,
    /// An error interrupt of the PHB with that OPAL id.
    PciError(u64),
    /// Firmware's, but nothing is wired to it.
    Nothing,
}

impl Source {
    /// What the OS shows behind "opal-".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uart => "uart",
            Self::Bt => "bt",
            Self::IsaDevices => "isa",
            Self::LpcErrors => "lpc-errors",
            Self::PciError(_) => "phb-errors",
            Self::Nothing => "psi",
        }
    }
}

/// The event word and the table of sources.
#[derive(Debug)]
pub struct Events {
    pending: AtomicU64,
    /// Held while the bridges' bits are brought in line with what the bridges show.
    bridges: Lock<()>,
    /// Sorted by number.
    sources: Vec<(Isn, Source)>,
}

impl Events {
    /// No event is pending. Of two sources with one number the first counts.
    pub fn new(mut sources: Vec<(Isn, Source)>) -> Self {
        sources.sort_unstable_by_key(|&(isn, _)| isn);
        sources.dedup_by_key(|&mut (isn, _)| isn);
        Self { pending: AtomicU64::new(0), bridges: Lock::new(()), sources }
    }

    /// The event word.
    #[inline(always)]
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Acquire)
    }

    /// Sets bits.
    pub fn raise(&self, bits: u64) {
        self.pending.fetch_or(bits, Ordering::AcqRel);
    }

    /// Clears bits.
    pub fn lower(&self, bits: u64) {
        self.pending.fetch_and(!bits, Ordering::AcqRel);
    }

    /// Sets or clears bits; a word that is right already isn't written.
    #[inline(always)]
    pub fn set_level(&self, bits: u64, level: bool) {
        if (self.pending() & bits != 0) != level {
            if level { self.raise(bits) } else { self.lower(bits) }
        }
    }

    /// A bridge, which shows what `shown` says, has causes for other bits now; `all` of the bridges together decide.
    pub fn show(&self, all: &[PhbSlot], shown: &AtomicU64, now: u64) {
        let _one = self.bridges.lock();
        shown.store(now, Ordering::Relaxed);
        let bits = phb::all(all).fold(0, |bits, bridge| bits | bridge.shown.load(Ordering::Relaxed));
        // Nobody else changes these two.
        self.pending.fetch_xor(self.pending() & (PCI_ERROR | DMA_FAULT) ^ bits, Ordering::AcqRel);
    }

    /// What is behind an interrupt of firmware's.
    pub fn source(&self, isn: Isn) -> Option<Source> {
        let at = self.sources.binary_search_by_key(&isn, |&(isn, _)| isn).ok()?;
        self.sources.get(at).map(|&(_, source)| source)
    }

    /// All interrupts that firmware owns, by number: `/ibm,opal` lists them.
    pub fn owned(&self) -> impl Iterator<Item = (Isn, Source)> + '_ {
        self.sources.iter().copied()
    }
}

/// The sources of a POWER9 or POWER10 PSI bridge whose first interrupt has number `base`.
pub fn psi_sources(base: Isn) -> impl Iterator<Item = (Isn, Source)> {
    // BT's serial interrupt is routed to the first of its inputs, the UART's to the second.
    let (lpc, bt, uart) = (Input::Lpc as u32, Input::SerialIrq0 as u32, Input::SerialIrq1 as u32);
    (0..psi::INPUTS).map(move |input| {
        let source = match input {
            _ if input == lpc => Source::LpcErrors,
            _ if input == bt => Source::Bt,
            _ if input == uart => Source::Uart,
            _ => Source::Nothing,
        };
        (Isn(base.0 + input), source)
    })
}

/// Adds the error interrupts of bridges.
#[inline(never)]
pub fn add_bridges(sources: &mut Vec<(Isn, Source)>, bridges: &[Box<dyn Phb>]) {
    for bridge in bridges {
        let info = bridge.info();
        for lsi in [msi::INF, msi::ER] {
            sources.push((Isn(info.first_lsi().0 + lsi), Source::PciError(info.identity.opal_id)));
        }
    }
}

/// The sources of a POWER8 PSI bridge whose first interrupt has number `base`.
pub fn psi8_sources(base: Isn) -> impl Iterator<Item = (Isn, Source)> {
    use crate::hw::psi8::{INPUTS, Input};
    (0..INPUTS).map(move |input| {
        let source = if input == Input::External as u32 { Source::IsaDevices } else { Source::Nothing };
        (Isn(base.0 + input), source)
    })
}
