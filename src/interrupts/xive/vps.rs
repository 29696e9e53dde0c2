//! Numbers: VPs, sources and escalations as the OS names them, and which VPs are given out.
//!
//! A VP owns one NVT and the eight ENDs of the same number times eight, so that neither needs an allocator of its
//! own. Hardware looks for a thread's own NVT at 0x80 | its thread number, so VPs 0x80–0xff are the threads'.
//! An allocated VP is named by block and index, with bit 30 set.

use super::super::bitmap::Bitmap;
use super::super::{Priority, Vp};
use super::engine::FIRST_THREAD;
use super::tables::{QUEUES, SOURCES, VPS};
use crate::error::{Error, Result, why};
use crate::units::{ChipId, Isn, Pir};

const ALLOCATED: u32 = 1 << 30;
/// Where a thread's number has its chip.
const CHIP_SHIFT: u32 = 8;
/// Bits of an allocated VP's index in its number; the block is above.
const VP_BITS: u32 = 19;
const THREADS: u32 = 0x80;
/// Bits of a source's index in its number; the block is above.
const ISN_BITS: u32 = 28;
/// An index with this bit is the number of an END, whose escalation it names.
const ESCALATION: u32 = 1 << 27;

/// What a source number names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A source, by its index in the EAT.
    Source(u32),
    /// The escalation of an END, by its index.
    Escalation(u32),
}

/// Names on one chip, and the VPs that are given out.
pub struct Vps {
    chip: ChipId,
    block: u8,
    /// How many threads the chip can have.
    threads_there: u32,
    /// One bit for each hardware thread that is there.
    threads: u128,
    /// VPs that are given out.
    used: Bitmap,
    /// The first one of each block of them.
    first: Bitmap,
}

impl Vps {
    /// `threads_there` is how many threads the chip can have, `threads` are those that are there.
    pub fn new(chip: ChipId, block: u8, threads_there: u32, threads: &[Pir]) -> Self {
        let mut vps =
            Self { chip, block, threads_there, threads: 0, used: Bitmap::new(VPS), first: Bitmap::new(VPS) };
        for thread in threads {
            vps.threads |= vps.thread_bit(thread.0).unwrap_or(0);
        }
        vps.reset();
        vps
    }

    fn thread_bit(&self, pir: u32) -> Option<u128> {
        let number = pir & (THREADS - 1);
        (pir == self.chip.0 << CHIP_SHIFT | number && number < self.threads_there).then_some(1 << number)
    }

    /// Takes all VPs back.
    pub fn reset(&mut self) {
        self.used.clear();
        self.first.clear();
        self.used.set_run(FIRST_THREAD, THREADS, true);
        self.first.insert(FIRST_THREAD);
    }

    /// Thread numbers of the chip's threads.
    pub fn threads(&self) -> impl Iterator<Item = u8> + use<> {
        let threads = self.threads;
        (0..THREADS as u8).filter(move |&number| threads >> number & 1 != 0)
    }

    /// NVT of a VP; `Parameter` when there is no such VP.
    pub fn nvt(&self, vp: Vp) -> Result<u32> {
        let index = vp.0 & ((1 << VP_BITS) - 1);
        let found = if self.thread_bit(vp.0).is_some_and(|bit| self.threads & bit != 0) {
            Some(FIRST_THREAD | vp.0 & (THREADS - 1))
        } else {
            (vp == self.allocated(index) && !is_thread(index) && self.used.contains(index)).then_some(index)
        };
        found.ok_or(Error::Parameter(why("VP")))
    }

    fn allocated(&self, index: u32) -> Vp {
        allocated(self.block, index)
    }

    /// END of a queue.
    pub fn end(&self, vp: Vp, priority: Priority) -> Result<u32> {
        self.nvt(vp).map(|nvt| end_of(nvt, priority))
    }

    /// The lowest free block of 2^`order` VPs, which [`Self::take`] gives out.
    pub fn free_block(&self, order: u32) -> Option<u32> {
        self.used.free_block(order)
    }

    /// Gives a block out.
    pub fn take(&mut self, first: u32, count: u32) -> Vp {
        self.used.set_run(first, count, true);
        self.first.insert(first);
        self.allocated(first)
    }

    /// The allocated block that starts with this VP: NVT of the first, and how many.
    pub fn block(&self, first: Vp) -> Result<(u32, u32)> {
        let index = self.nvt(first)?;
        if is_thread(index) || !self.first.contains(index) {
            return Err(Error::Parameter(why("first VP of a block")));
        }
        let next_block = self.first.next(index + 1).unwrap_or(VPS);
        let next_free = self.used.next_absent(index).unwrap_or(VPS);
        Ok((index, next_block.min(next_free) - index))
    }

    /// Takes a block back.
    pub fn give_back(&mut self, first: u32, count: u32) {
        self.used.set_run(first, count, false);
        self.first.remove(first);
    }

    /// Number of a source.
    pub fn isn(&self, index: u32) -> Isn {
        Isn(u32::from(self.block) << ISN_BITS | index)
    }

    /// Number of an END's escalation.
    pub fn escalation(&self, end: u32) -> Isn {
        self.isn(ESCALATION | end)
    }

    /// What a number names on this chip, whether it is in use or not.
    pub fn named(&self, isn: Isn) -> Result<Named> {
        let index = isn.0 & ((1 << ISN_BITS) - 1);
        let end = index & !ESCALATION;
        if isn.0 >> ISN_BITS != u32::from(self.block) {
            return Err(Error::Parameter(why("interrupt of another chip")));
        }
        if index < SOURCES {
            return Ok(Named::Source(index));
        }
        // Only ENDs of a VP that is given out exist.
        if index & ESCALATION != 0 && end < VPS * QUEUES && self.has_nvt(end / QUEUES) {
            return Ok(Named::Escalation(end));
        }
        Err(Error::Parameter(why("interrupt")))
    }

    fn has_nvt(&self, nvt: u32) -> bool {
        if is_thread(nvt) { self.threads >> (nvt & (THREADS - 1)) & 1 != 0 } else { self.used.contains(nvt) }
    }
}

/// The VP of an NVT of any chip.
pub fn vp_of(block: u8, nvt: u32) -> Vp {
    if is_thread(nvt) {
        Vp(u32::from(block) << CHIP_SHIFT | nvt & (THREADS - 1))
    } else {
        allocated(block, nvt)
    }
}

fn allocated(block: u8, index: u32) -> Vp {
    Vp(ALLOCATED | u32::from(block) << VP_BITS | index)
}

/// The block, which is the chip, that a VP's number tells.
pub const fn vp_block(vp: Vp) -> u32 {
    if vp.0 & ALLOCATED == 0 { vp.0 >> CHIP_SHIFT } else { (vp.0 & !ALLOCATED) >> VP_BITS }
}

/// The block that a source's number tells.
pub const fn source_block(isn: Isn) -> u32 {
    isn.0 >> ISN_BITS
}

/// Whether that NVT is a hardware thread's.
pub fn is_thread(nvt: u32) -> bool {
    (FIRST_THREAD..FIRST_THREAD + THREADS).contains(&nvt)
}

/// END of a queue of the VP with that NVT.
pub fn end_of(nvt: u32, priority: Priority) -> u32 {
    nvt * QUEUES + u32::from(priority.number())
}
