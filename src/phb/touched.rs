//! A set of small numbers without a heap: which entries of a table were changed, so that putting it back costs what
//! was used and not what there is.

/// The most entries of a set.
const MAX: usize = 1024;

/// A set of numbers below 1024.
#[derive(Clone, Debug)]
pub struct Touched {
    words: [u64; MAX / 64],
}

impl Default for Touched {
    fn default() -> Self {
        Self::new()
    }
}

impl Touched {
    /// The empty set.
    pub const fn new() -> Self {
        Self { words: [0; MAX / 64] }
    }

    /// Adds a number; one of 1024 or more is left out.
    #[inline(always)]
    pub fn mark(&mut self, number: usize) {
        if let Some(word) = self.words.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    /// Removes a number.
    #[inline(always)]
    pub fn clear(&mut self, number: usize) {
        if let Some(word) = self.words.get_mut(number / 64) {
            *word &= !(1 << (number % 64));
        }
    }

    /// Whether a number is in the set.
    #[inline(always)]
    pub fn has(&self, number: usize) -> bool {
        self.words.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 != 0)
    }

    /// Empties the set and gives what was in it, in order.
    pub fn take(&mut self) -> impl Iterator<Item = usize> + use<> {
        core::mem::take(self).into_iter()
    }

    fn into_iter(self) -> impl Iterator<Item = usize> {
        self.words.into_iter().enumerate().flat_map(|(at, mut word)| {
            core::iter::from_fn(move || {
                let bit = word.trailing_zeros();
                word &= word.checked_sub(1)?;
                Some(at * 64 + bit as usize)
            })
        })
    }

    /// Which of the 64 numbers from 64 times `at` on are in the set, the first one in the least significant bit.
    #[inline(always)]
    pub fn word(&self, at: usize) -> u64 {
        self.words.get(at).copied().unwrap_or(0)
    }

    /// The lowest number in the set.
    pub fn first(&self) -> Option<usize> {
        self.words
            .iter()
            .enumerate()
            .find(|(_, word)| **word != 0)
            .map(|(at, word)| at * 64 + word.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::Touched;
    use alloc::vec::Vec;

    #[test]
    fn gives_each_number_once_in_order() {
        let mut set = Touched::new();
        for number in [1023, 0, 64, 63, 64, 1024] {
            set.mark(number);
        }
        assert!(set.has(63) && !set.has(62));
        assert_eq!(set.first(), Some(0));
        assert_eq!(set.take().collect::<Vec<_>>(), [0, 63, 64, 1023]);
        assert_eq!(set.take().count(), 0);
    }
}
