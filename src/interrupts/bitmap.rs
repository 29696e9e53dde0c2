//! Sets of small numbers with a size fixed at boot, so that no call needs the heap.

use alloc::vec;
use alloc::vec::Vec;

const WORD: u32 = u64::BITS;

/// A set of numbers below a limit. A number beyond the limit is in no set and can't be put into one.
#[derive(Debug)]
pub struct Bitmap {
    words: Vec<u64>,
    limit: u32,
    /// Words from here on are empty: what was never used costs nothing.
    top: usize,
}

impl Bitmap {
    /// The empty set of numbers below `limit`, a multiple of 64.
    pub fn new(limit: u32) -> Self {
        debug_assert!(limit.is_multiple_of(WORD));
        Self { words: vec![0; (limit / WORD) as usize], limit, top: 0 }
    }

    /// Whether `number` is in the set.
    pub fn contains(&self, number: u32) -> bool {
        self.words.get((number / WORD) as usize).is_some_and(|word| word >> (number % WORD) & 1 != 0)
    }

    /// Puts `number` in.
    pub fn insert(&mut self, number: u32) {
        let at = (number / WORD) as usize;
        if let Some(word) = self.words.get_mut(at) {
            *word |= 1 << (number % WORD);
            self.top = self.top.max(at + 1);
        }
    }

    /// Takes `number` out.
    pub fn remove(&mut self, number: u32) {
        if let Some(word) = self.words.get_mut((number / WORD) as usize) {
            *word &= !(1 << (number % WORD));
        }
    }

    /// Puts `count` numbers from `first` on in (`on`) or takes them out; whole words at a time where it can.
    pub fn set_run(&mut self, first: u32, count: u32, on: bool) {
        let (mut at, end) = (first, first.saturating_add(count).min(self.limit));
        if on && at < end {
            self.top = self.top.max(end.div_ceil(WORD) as usize);
        }
        while at < end {
            let step = (WORD - at % WORD).min(end - at);
            let mask = (u64::MAX >> (WORD - step)) << (at % WORD);
            if let Some(word) = self.words.get_mut((at / WORD) as usize) {
                *word = if on { *word | mask } else { *word & !mask };
            }
            at += step;
        }
    }

    /// Empties the set.
    pub fn clear(&mut self) {
        if let Some(used) = self.words.get_mut(..self.top) {
            used.fill(0);
        }
        self.top = 0;
    }

    /// The lowest member that is not below `from`.
    pub fn next(&self, from: u32) -> Option<u32> {
        self.search(from, self.top, |word| word)
    }

    /// The lowest number not below `from` that is not a member.
    pub fn next_absent(&self, from: u32) -> Option<u32> {
        self.search(from, self.words.len(), |word| !word)
    }

    fn search(&self, from: u32, top: usize, see: impl Fn(u64) -> u64) -> Option<u32> {
        let start = (from / WORD) as usize;
        let below = (1u64 << (from % WORD)) - 1;
        for (number, &word) in self.words.iter().enumerate().take(top).skip(start) {
            let seen = if number == start { see(word) & !below } else { see(word) };
            if seen != 0 {
                return Some(number as u32 * WORD + seen.trailing_zeros());
            }
        }
        None
    }

    /// The lowest run of 2^`order` absent numbers that starts at a multiple of its length.
    pub fn free_block(&self, order: u32) -> Option<u32> {
        let length = 1u32.checked_shl(order)?;
        let mut at = 0u32;
        while at < self.limit {
            at = self.next_absent(at)?.checked_next_multiple_of(length)?;
            let end = at.checked_add(length).filter(|&end| end <= self.limit)?;
            match self.next(at) {
                Some(taken) if taken < end => at = taken + 1,
                _ => return Some(at),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_aligned_to_its_length_and_lies_in_a_gap() {
        let mut map = Bitmap::new(512);
        map.set_run(0x80, 0x80, true);
        assert_eq!(map.free_block(0), Some(0));
        map.insert(0);
        assert_eq!(map.free_block(0), Some(1));
        assert_eq!(map.free_block(3), Some(8));
        assert_eq!(map.free_block(6), Some(64));
        assert_eq!(map.free_block(7), Some(0x100));
        assert_eq!(map.free_block(8), Some(0x100));
        assert_eq!(map.free_block(9), None);
        assert_eq!(map.free_block(31), None);
        assert_eq!(map.free_block(32), None);
        assert_eq!(map.free_block(u32::MAX), None);
    }

    #[test]
    fn runs_cross_words_and_stop_at_the_limit() {
        let mut map = Bitmap::new(128);
        map.set_run(60, 10, true);
        assert!(!map.contains(59) && map.contains(60) && map.contains(69) && !map.contains(70));
        assert_eq!(map.next(0), Some(60));
        assert_eq!(map.next_absent(60), Some(70));
        map.set_run(61, 8, false);
        assert_eq!((map.next(61), map.next(70)), (Some(69), None));
        map.set_run(120, u32::MAX, true);
        assert_eq!(map.next_absent(120), None);
        assert!(!map.contains(128));
        map.insert(128);
        assert!(!map.contains(128));
        map.clear();
        assert_eq!((map.next(0), map.next_absent(0)), (None, Some(0)));
        map.insert(127);
        map.remove(127);
        assert_eq!(map.next(0), None);
    }
}
