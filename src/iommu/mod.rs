//! The DMA-window engine: what a window is, how it is encoded, and the acts on it.
//!
//! It knows nothing of OPAL or of registers. What it needs of a bridge it asks through [`Bridge`], which `phb`
//! implements. `reference/phb-dma-windows.md` §6 to §8.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod bypass;
pub mod geometry;
pub mod liobn;
pub mod pool;
pub mod registry;
pub mod tce;
pub mod tve;
pub mod window;

use crate::error::{Error, Result, why};
use crate::hw::fault::Outcome;
use tve::Tve;

/// A partitionable endpoint of one bridge. It exists only if that bridge has it: [`PeLimits::pe`] makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeNumber(u16);

impl PeNumber {
    /// The number.
    pub const fn as_u16(self) -> u16 {
        self.0
    }
    /// The number, to index a table.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// How many PEs a bridge has. The last one is reserved: every requester that nobody claimed is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeLimits {
    reserved: u16,
}

impl PeLimits {
    /// `count` PEs; at least one.
    pub const fn new(count: u16) -> Self {
        Self { reserved: count - 1 }
    }
    /// Number of PEs.
    pub const fn count(self) -> u16 {
        self.reserved + 1
    }
    /// The reserved PE.
    pub const fn reserved(self) -> PeNumber {
        PeNumber(self.reserved)
    }
    /// The PE of that number.
    ///
    /// # Errors
    /// `Parameter` when the bridge has none.
    #[inline(always)]
    pub fn pe(self, number: u64) -> Result<PeNumber> {
        if number <= u64::from(self.reserved) {
            Ok(PeNumber(number as u16))
        } else {
            Err(Error::Parameter(why("PE")))
        }
    }
}

/// Which of a PE's two windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowIndex {
    /// Bus addresses that the selector sends to the first TVE.
    Zero,
    /// Those that it sends to the second.
    One,
}

/// A place for a window: a PE that the OS may use, and one of its two TVEs.
///
/// It is kept as the index of the TVE: twice the PE, plus which window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u16);

impl Slot {
    /// Checks a PE and the number of its window, which is twice the PE's plus 0 or 1.
    ///
    /// # Errors
    /// `Parameter` when there is no such PE, when it is the reserved one (a window there would be open to every
    /// requester that nobody claimed), or when the window is another PE's.
    #[inline(always)]
    pub fn new(limits: PeLimits, pe: u64, window: u64) -> Result<Self> {
        // The reserved PE is the last one.
        if pe >= u64::from(limits.reserved) {
            return Err(Error::Parameter(why("PE that can have windows")));
        }
        if window >> 1 != pe {
            return Err(Error::Parameter(why("window of another PE")));
        }
        Ok(Self(window as u16))
    }
    /// The slot that a TVE is for, by its index in the bridge's TVT.
    pub fn of_tve(limits: PeLimits, index: usize) -> Option<Self> {
        Self::new(limits, index as u64 / 2, index as u64).ok()
    }
    /// The PE.
    pub const fn pe(self) -> PeNumber {
        PeNumber(self.0 >> 1)
    }
    /// The other slot of the PE.
    pub const fn sibling(self) -> Self {
        Self(self.0 ^ 1)
    }
    /// Which of its windows.
    pub const fn index(self) -> WindowIndex {
        if self.0 & 1 == 0 { WindowIndex::Zero } else { WindowIndex::One }
    }
    /// Index in the bridge's TVT.
    pub const fn tve_index(self) -> usize {
        self.0 as usize
    }
}

/// How the bridge chooses between a PE's two TVEs (§6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    /// By bit 59 of the bus address.
    Bit59,
    /// TVE 1 takes what is at or above 4 GiB.
    FourGiB,
}

/// Bus address bit that selects TVE 1 otherwise.
pub const BIT_59: u64 = 1 << 59;
/// Where TVE 1 begins in the 4 GiB mode.
pub const FOUR_GIB: u64 = 1 << 32;

/// What a generation of bridges translates.
#[derive(Debug)]
pub struct Translation {
    /// Sizes of the IO pages, added up.
    pub page_sizes: u64,
    /// Whether a no-translate TVE must set bit 56.
    pub no_translate_50: bool,
}

/// log2 of IO page sizes that are added up, ascending.
pub fn page_shifts(page_sizes: u64) -> impl Iterator<Item = u32> {
    (0..u64::BITS).filter(move |&shift| page_sizes >> shift & 1 != 0)
}

/// Which cached translations to drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// Those of one PE.
    Pe(PeNumber),
    /// All.
    All,
}

/// DMA of a PE that an act has stopped.
#[derive(Clone, Copy, Debug)]
pub struct Stopped {
    /// Its MMIO ran then: if that is frozen when the act ends, an error did it.
    pub mmio_ran: bool,
}

/// What the engine asks of a bridge.
pub trait Bridge {
    /// How it selects the TVE.
    fn select(&self) -> Select;
    /// The TVE that is wanted in a slot.
    fn tve(&self, slot: Slot) -> Tve;
    /// Writes a TVE. Whether the bridge took it shows at the invalidation, which always follows.
    fn write_tve(&mut self, slot: Slot, tve: Tve);
    /// Puts back what was wanted in a slot after a failure, and, if the bridge still answers, what it holds.
    fn restore_tve(&mut self, slot: Slot, tve: Tve);
    /// Drops a PE's cached translations, and what is remembered of addresses that had none. Accesses that used the old
    /// ones may still be under way. `false` when that didn't end at once: then [`Bridge::invalidate`] does it.
    fn try_forget(&mut self, pe: PeNumber) -> bool;
    /// Drops a PE's cached translations; when it returns `true`, no access that used them is under way. `false` when
    /// that didn't end at once: then [`Bridge::invalidate`] does it.
    fn try_invalidate(&mut self, pe: PeNumber) -> bool;
    /// Drops cached translations, however long it takes; when it returns, no access that used them is under way.
    ///
    /// # Errors
    /// When the bridge doesn't answer or doesn't finish in time.
    fn invalidate(&mut self, kill: Kill) -> Outcome;
    /// Stops a PE's DMA; nothing if it didn't run.
    ///
    /// # Errors
    /// When the bridge doesn't answer.
    fn stop_dma(&mut self, pe: PeNumber) -> Outcome<Option<Stopped>>;
    /// Lets a PE's DMA run again, unless an error froze the PE meanwhile.
    ///
    /// # Errors
    /// When the bridge doesn't answer.
    fn resume_dma(&mut self, pe: PeNumber, stopped: Stopped) -> Outcome;
}
