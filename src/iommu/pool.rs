//! Memory for the tables that firmware makes: pages of 4 KiB, in a piece of firmware's region and in what the OS
//! donates. Nothing here uses the heap.
//!
//! An extent keeps the bitmap of its pages in its own first pages, one bit for each, set when the page is taken. A run
//! is a power of two of pages and aligned to its size, because hardware ORs an index into a table's address.

use crate::error::{Error, Result, why};
use crate::hw::ram::Ram;
use core::ops::Range;

/// log2 of a page of the pool: the smallest table.
pub const PAGE_SHIFT: u32 = 12;
const PAGE: u64 = 1 << PAGE_SHIFT;
/// Pages of one word of a bitmap; words begin at multiples of that in memory.
const WORD_PAGES: u64 = 64;
/// The OS donates whole pieces of this size.
pub const DONATION_GRAIN: u64 = WORD_PAGES << PAGE_SHIFT;
/// The largest donation. Its bitmap is read word by word when memory is short.
pub const DONATION_MAX: u64 = 1 << 32;
/// Firmware's own extent and those that the OS donated.
pub const EXTENTS: usize = 16;

/// Memory in one piece. An empty one is free for a donation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Extent {
    start: u64,
    end: u64,
    /// Words of its bitmap, which lies at `start`.
    words: u64,
    /// No word before this one has a free page.
    hint: u64,
    /// Pages that are free.
    free: u64,
    /// Pages that are free when no table is there.
    usable: u64,
}

/// The pool.
#[derive(Debug, Default)]
pub struct Pool {
    extents: [Extent; EXTENTS],
    free: u64,
    /// From the first donation to the end of the last: nearly every page that is mapped lies elsewhere.
    donations: Range<u64>,
}

/// What the pool has, in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// Pages for tables.
    pub total: u64,
    /// Those that are free.
    pub free: u64,
    /// Of the total, those that the OS donated.
    pub donated: u64,
    /// Pieces of memory.
    pub extents: u64,
}

impl Pool {
    /// A pool of firmware's own memory; both ends are multiples of 4 KiB. Less than two pages are no pool.
    pub fn new(ram: &dyn Ram, own: Range<u64>) -> Self {
        let mut pool = Self::default();
        if let [first, ..] = &mut pool.extents
            && own.end.saturating_sub(own.start) >= 2 * PAGE
        {
            *first = Extent::new(ram, own);
            pool.free = first.free;
        }
        pool
    }

    /// How much there is.
    pub fn usage(&self) -> Use {
        let total = |extents: &[Extent]| extents.iter().map(|extent| extent.usable).sum();
        let used = self.extents.iter().filter(|extent| extent.end != 0).count();
        let donated = total(self.extents.get(1..).unwrap_or(&[]));
        Use { total: total(&self.extents), free: self.free, donated, extents: used as u64 }
    }

    /// Pages that are free, in whatever runs.
    pub const fn free_pages(&self) -> u64 {
        self.free
    }

    /// A zeroed run of `1 << order` pages, aligned to its size.
    pub fn allocate(&mut self, ram: &impl Ram, order: u32) -> Option<u64> {
        let pages = 1_u64.checked_shl(order)?;
        if pages > self.free {
            return None;
        }
        let found = self.extents.iter_mut().find_map(|extent| extent.allocate(ram, order))?;
        self.free = self.free.wrapping_sub(pages);
        ram.zero(found, pages << PAGE_SHIFT);
        Some(found)
    }

    /// Gives back what [`Self::allocate`] gave.
    pub fn release(&mut self, ram: &impl Ram, address: u64, order: u32) {
        let holder = self.extents.iter_mut().find(|extent| extent.holds(address));
        if let Some(extent) = holder {
            extent.mark(ram, address, order, false);
            self.free = self.free.wrapping_add(1 << order);
        }
    }

    /// Whether some of these bytes of the OS are donated.
    #[inline(always)]
    pub fn overlaps(&self, address: u64, length: u64) -> bool {
        let end = address.saturating_add(length);
        address < self.donations.end && self.donations.start < end && self.overlaps_one(address, end)
    }

    fn overlaps_one(&self, address: u64, end: u64) -> bool {
        self.extents.iter().skip(1).any(|extent| address < extent.end && extent.start < end)
    }

    fn note_donations(&mut self) {
        let pieces = self.extents.iter().skip(1).filter(|extent| extent.end != 0);
        let hull = |all: Range<u64>, piece: Range<u64>| all.start.min(piece.start)..all.end.max(piece.end);
        self.donations = pieces.map(|piece| piece.start..piece.end).reduce(hull).unwrap_or_default();
    }

    /// Takes memory of the OS. The caller checked that it is RAM of the OS.
    ///
    /// # Errors
    /// `Parameter` when start or size isn't a multiple of 256 KiB, when the size is 0 or over 4 GiB or when part of it
    /// was donated before; `Resource` when it would be one piece too many.
    pub fn donate(&mut self, ram: &dyn Ram, start: u64, size: u64) -> Result {
        if !(start | size).is_multiple_of(DONATION_GRAIN) || size == 0 || size > DONATION_MAX {
            return Err(Error::Parameter(why("donation's size or alignment")));
        }
        if self.overlaps(start, size) {
            return Err(Error::Parameter(why("donated before")));
        }
        let free = self.extents.iter_mut().skip(1).find(|extent| extent.end == 0);
        let extent = free.ok_or(Error::Resource(why("pieces of donated memory")))?;
        *extent = Extent::new(ram, start..start.saturating_add(size));
        self.free = self.free.wrapping_add(extent.free);
        self.note_donations();
        Ok(())
    }

    /// Gives a donation back, whole as it was given.
    ///
    /// # Errors
    /// `Parameter` when nothing was donated in exactly this piece, `WrongState` while a page of it is in use.
    pub fn reclaim(&mut self, start: u64, size: u64) -> Result {
        let end = start.checked_add(size).ok_or(Error::Parameter(why("donation")))?;
        let mut donated = self.extents.iter_mut().skip(1);
        let extent = donated.find(|extent| extent.start == start && extent.end == end && end != 0);
        let extent = extent.ok_or(Error::Parameter(why("no such donation")))?;
        if extent.free != extent.usable {
            return Err(Error::WrongState(why("a page of the donation is in use")));
        }
        self.free = self.free.wrapping_sub(extent.free);
        *extent = Extent::default();
        self.note_donations();
        Ok(())
    }
}

impl Extent {
    fn new(ram: &dyn Ram, range: Range<u64>) -> Self {
        let mut extent = Self { start: range.start, end: range.end, ..Self::default() };
        let first_word = range.start / DONATION_GRAIN;
        extent.words = range.end.div_ceil(DONATION_GRAIN).saturating_sub(first_word);
        // All taken, then what is beyond the bitmap's own pages is set free.
        for word in 0..extent.words {
            ram.write64(extent.word(word), u64::MAX);
        }
        let own = (extent.words * 8).div_ceil(PAGE);
        let mut page = range.start.saturating_add(own * PAGE);
        while page < range.end {
            if page.is_multiple_of(DONATION_GRAIN) && range.end.saturating_sub(page) >= DONATION_GRAIN {
                ram.write64(extent.word(extent.word_of(page)), 0);
                page = page.saturating_add(DONATION_GRAIN);
                extent.usable = extent.usable.saturating_add(WORD_PAGES);
            } else {
                extent.mark(ram, page, 0, false);
                page = page.saturating_add(PAGE);
                extent.usable = extent.usable.saturating_add(1);
            }
        }
        (extent.free, extent.hint) = (extent.usable, 0);
        extent
    }

    const fn holds(&self, address: u64) -> bool {
        self.start <= address && address < self.end
    }

    /// Address of a word of the bitmap.
    const fn word(&self, index: u64) -> u64 {
        self.start.wrapping_add(index.wrapping_mul(8))
    }

    /// The word that has the bit of the page at `address`.
    const fn word_of(&self, address: u64) -> u64 {
        (address / DONATION_GRAIN).wrapping_sub(self.start / DONATION_GRAIN)
    }

    /// The first page of a word, whether or not it is the extent's.
    const fn address_of(&self, word: u64) -> u64 {
        (self.start / DONATION_GRAIN).wrapping_add(word).wrapping_mul(DONATION_GRAIN)
    }

    fn mark<R: Ram + ?Sized>(&mut self, ram: &R, address: u64, order: u32, taken: bool) {
        let first = self.word_of(address);
        let bit = address / PAGE % WORD_PAGES;
        let (words, mask) = match 1_u64.checked_shl(order).unwrap_or(0) {
            pages @ 0..WORD_PAGES => {
                (1, (1_u64.wrapping_shl(pages as u32).wrapping_sub(1)).wrapping_shl(bit as u32))
            }
            pages => (pages / WORD_PAGES, u64::MAX),
        };
        for word in first..first.saturating_add(words) {
            let at = self.word(word);
            let old = ram.read64(at);
            ram.write64(at, if taken { old | mask } else { old & !mask });
        }
        let pages = 1 << order;
        if taken {
            self.free = self.free.wrapping_sub(pages);
        } else {
            self.free = self.free.wrapping_add(pages);
            self.hint = self.hint.min(first);
        }
    }

    fn allocate(&mut self, ram: &impl Ram, order: u32) -> Option<u64> {
        if 1 << order > self.free {
            return None;
        }
        let address = if order < WORD_PAGES.ilog2() {
            self.find_small(ram, order)
        } else {
            self.find_large(ram, order)
        };
        let address = address?;
        self.mark(ram, address, order, true);
        Some(address)
    }

    /// A run that lies in one word.
    fn find_small(&mut self, ram: &impl Ram, order: u32) -> Option<u64> {
        let mut all_taken = true;
        for word in self.hint..self.words {
            let free = !ram.read64(self.word(word));
            if free == 0 {
                continue;
            }
            if all_taken {
                all_taken = false;
                self.hint = word;
            }
            let mut starts = free;
            for step in 0..order {
                starts &= starts >> (1 << step);
            }
            starts &= ALIGNED.get(order as usize).copied().unwrap_or(0);
            if starts != 0 {
                return Some(
                    self.address_of(word).wrapping_add(u64::from(starts.trailing_zeros()) << PAGE_SHIFT),
                );
            }
        }
        None
    }

    /// A run of whole words.
    fn find_large(&self, ram: &impl Ram, order: u32) -> Option<u64> {
        let bytes = PAGE << order;
        let words = bytes / DONATION_GRAIN;
        let mut at = self.start.checked_next_multiple_of(bytes)?;
        while self.end.saturating_sub(at) >= bytes && at < self.end {
            let first = self.word_of(at);
            if (first..first.saturating_add(words)).all(|word| ram.read64(self.word(word)) == 0) {
                return Some(at);
            }
            at = at.saturating_add(bytes);
        }
        None
    }
}

/// Where in a word a run of 1, 2, 4 … pages may begin.
const ALIGNED: [u64; 6] = [
    u64::MAX,
    0x5555_5555_5555_5555,
    0x1111_1111_1111_1111,
    0x0101_0101_0101_0101,
    0x0001_0001_0001_0001,
    0x1_0000_0001,
];
