//! The book of a bridge's DMA faults: which PEs want theirs as records, the records that wait to be read, the cookies
//! that wait for an answer. Knows nothing of registers. `doc/dma-windows/faults.md` says what the OS sees of it.

use super::touched::Touched;
use crate::iommu::{PeLimits, PeNumber};
use alloc::vec;
use alloc::vec::Vec;

/// Records that can wait to be read.
pub const QUEUE: usize = 64;

/// A cookie is a serial number above its PE's number; both are needed to find and to tell apart.
const PE_BITS: u32 = 16;
const PE_MASK: u64 = (1 << PE_BITS) - 1;

/// Why a DMA was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No TCE.
    Page = 1,
    /// A TCE without the permission.
    Access = 2,
}

/// What the bridge says of a refused DMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmaFault {
    /// Who asked.
    pub requester: u16,
    /// Whether it was a store to memory.
    pub write: bool,
    /// Why it was refused.
    pub cause: Cause,
    /// Bus address, as the device sent it.
    pub address: u64,
}

/// A fault as the OS reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Names it in the answer; never 0, never used twice.
    pub cookie: u64,
    /// Timebase when firmware found it.
    pub time: u64,
    /// What happened.
    pub fault: DmaFault,
    /// How many faults found the queue full since the record before this one was read.
    pub overflow: u64,
    /// Records that wait behind it.
    pub more: u32,
}

/// What became of a PE that was found frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A record.
    Record,
    /// It waits until a record was read.
    Waits,
    /// Nothing new: it waited before.
    Nothing,
}

impl Record {
    /// Whose.
    pub const fn pe(&self) -> u64 {
        self.cookie & PE_MASK
    }
}

/// One place of the queue; a cookie of 0 is a free one.
#[derive(Clone, Copy, Debug)]
struct Place {
    cookie: u64,
    time: u64,
    fault: DmaFault,
}

/// A PE's place in a set whose words are as the bridge's PEEV has them.
const fn msb_first(pe: PeNumber) -> usize {
    pe.index() ^ 63
}

/// The book.
#[derive(Debug)]
pub struct FaultQueue {
    /// PEs whose faults become records.
    enabled: Touched,
    /// PEs whose present freeze was dealt with.
    seen: Touched,
    /// PEs whose freeze isn't EEH's: it has a record, or waits for one, or was answered "invalid".
    ours: Touched,
    /// The oldest first. Never longer than [`QUEUE`], so that it takes no memory after boot.
    queue: Vec<Place>,
    /// Each PE's cookie that wasn't answered, or 0.
    open: Vec<u64>,
    serial: u64,
    overflow: u64,
    /// Faults that ever found it full.
    waited: u64,
}

impl FaultQueue {
    /// An empty book. The only one that takes memory.
    pub fn new(limits: PeLimits) -> Self {
        Self {
            enabled: Touched::new(),
            seen: Touched::new(),
            ours: Touched::new(),
            queue: Vec::with_capacity(QUEUE),
            open: vec![0; limits.count().into()],
            serial: 0,
            overflow: 0,
            waited: 0,
        }
    }

    /// Whether some PE's faults become records.
    pub fn is_used(&self) -> bool {
        self.enabled.first().is_some()
    }

    /// Whether this PE's do.
    pub fn is_enabled(&self, pe: PeNumber) -> bool {
        self.enabled.has(pe.index())
    }

    /// Sets whether they do.
    pub fn enable(&mut self, pe: PeNumber, on: bool) {
        if on { self.enabled.mark(pe.index()) } else { self.enabled.clear(pe.index()) }
    }

    /// Whether records wait to be read.
    pub fn is_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether a PE waits for a place, and there is one.
    pub fn can_go_on(&self) -> bool {
        self.queue.len() < QUEUE
            && (0..self.open.len() / 64).any(|at| self.ours.word(at) & !self.seen.word(at) != 0)
    }

    /// PEs of 64 whose freeze was dealt with, the first one in the most significant bit.
    pub fn seen(&self, word_at: usize) -> u64 {
        self.seen.word(word_at)
    }

    /// PEs of 64 whose freeze isn't EEH's, the first one in the most significant bit.
    pub fn ours(&self, word_at: usize) -> u64 {
        self.ours.word(word_at)
    }

    /// Whether a PE's freeze isn't EEH's.
    pub fn is_ours(&self, pe: PeNumber) -> bool {
        self.ours.has(msb_first(pe))
    }

    /// A PE whose faults become records was found frozen by one.
    pub fn found(&mut self, pe: PeNumber, fault: DmaFault, time: u64) -> Found {
        if self.queue.len() >= QUEUE {
            if self.ours.has(msb_first(pe)) {
                return Found::Nothing;
            }
            self.ours.mark(msb_first(pe));
            self.overflow = self.overflow.saturating_add(1);
            self.waited = self.waited.saturating_add(1);
            return Found::Waits;
        }
        self.serial = self.serial.wrapping_add(1);
        let cookie = self.serial << PE_BITS | u64::from(pe.as_u16());
        if let Some(open) = self.open.get_mut(pe.index()) {
            *open = cookie;
        }
        self.queue.push(Place { cookie, time, fault });
        self.seen.mark(msb_first(pe));
        self.ours.mark(msb_first(pe));
        Found::Record
    }

    /// A PE is EEH's: its freeze has no record from now on. Cookies of it are stale.
    pub fn leave_to_eeh(&mut self, pe: PeNumber) {
        self.withdraw(pe);
        self.seen.mark(msb_first(pe));
    }

    /// A PE runs again. Cookies of it are stale.
    pub fn thawed(&mut self, pe: PeNumber) {
        self.withdraw(pe);
        self.seen.clear(msb_first(pe));
    }

    /// Every PE runs again. Which faults become records stays.
    pub fn all_thawed(&mut self) {
        self.seen = Touched::new();
        self.ours = Touched::new();
        self.queue.clear();
        // Where there was no record there is no cookie.
        if self.serial != 0 {
            self.open.fill(0);
        }
        self.overflow = 0;
    }

    /// The same, and no fault becomes a record.
    pub fn reset(&mut self) {
        self.all_thawed();
        self.enabled = Touched::new();
    }

    /// Records that were ever made, and faults that ever found the queue full.
    pub const fn totals(&self) -> (u64, u64) {
        (self.serial, self.waited)
    }

    /// Takes the oldest record.
    pub fn read(&mut self) -> Option<Record> {
        let Place { cookie, time, fault } = *self.queue.first()?;
        self.remove(cookie);
        let overflow = core::mem::take(&mut self.overflow);
        Some(Record { cookie, time, fault, overflow, more: self.queue.len() as u32 })
    }

    /// The PE whose answer a cookie waits for.
    pub fn awaiting(&self, limits: PeLimits, cookie: u64) -> Option<PeNumber> {
        let pe = limits.pe(cookie & PE_MASK).ok()?;
        let open = *self.open.get(pe.index())?;
        (open == cookie && cookie != 0).then_some(pe)
    }

    /// The answer was "invalid": the PE stays frozen, and stays the OS's affair.
    pub fn keep(&mut self, pe: PeNumber) {
        self.withdraw(pe);
        self.ours.mark(msb_first(pe));
    }

    fn withdraw(&mut self, pe: PeNumber) {
        self.ours.clear(msb_first(pe));
        let Some(open) = self.open.get_mut(pe.index()) else { return };
        let cookie = core::mem::take(open);
        if cookie != 0 {
            self.remove(cookie);
        }
    }

    fn remove(&mut self, cookie: u64) {
        self.queue.retain(|place| place.cookie != cookie);
    }
}
