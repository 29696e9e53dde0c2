//! The caches between the structures in RAM and the unit, the same in both XIVE generations.
//!
//! The caches are write-back: what the unit changes in an END (generation, index, ES bits) reaches memory by a
//! scrub, and what a driver changes in memory is not seen while the old entry is cached.

use super::State;
use super::tables::{Cache, words};
use opalite::hw::ram::Ram;
use std::collections::BTreeMap;

struct Line {
    words: Vec<u32>,
    dirty: bool,
}

/// Cached structures by cache, block and index.
pub struct Lines<K> {
    lines: BTreeMap<(K, u8, u32), Line>,
    cached: bool,
}

impl<K> Default for Lines<K> {
    fn default() -> Self {
        Self { lines: BTreeMap::new(), cached: true }
    }
}

impl<K: Ord> Lines<K> {
    pub fn clear(&mut self) {
        self.lines.clear();
    }

    pub fn set_cached(&mut self, on: bool) {
        assert!(self.lines.is_empty(), "XIVE model: switch the caches before they are used");
        self.cached = on;
    }
}

impl<R: Ram + Clone + 'static> State<R> {
    fn read_words(&self, cache: Cache, address: u64) -> Vec<u32> {
        (0..words(cache) as u64).map(|word| self.ram.read32(address + word * 4)).collect()
    }

    fn write_words(&self, address: u64, words: &[u32]) {
        for (number, &word) in words.iter().enumerate() {
            self.ram.write32(address + number as u64 * 4, word);
        }
    }

    /// A structure as the unit uses it; it stays in the cache.
    pub(super) fn fetch(&mut self, cache: Cache, block: u8, index: u32) -> Option<Vec<u32>> {
        if let Some(line) = self.tables.lines.lines.get(&(cache, block, index)) {
            return Some(line.words.clone());
        }
        let words = self.read_words(cache, self.locate(cache, block, index)?);
        if self.tables.lines.cached {
            self.tables
                .lines
                .lines
                .insert((cache, block, index), Line { words: words.clone(), dirty: false });
        }
        Some(words)
    }

    /// The unit's own change of a structure: in the cache until it is scrubbed.
    pub(super) fn update(&mut self, cache: Cache, block: u8, index: u32, words: &[u32]) {
        match self.tables.lines.lines.get_mut(&(cache, block, index)) {
            Some(line) if line.words == words => {}
            Some(line) => *line = Line { words: words.to_vec(), dirty: true },
            None => self.commit(cache, block, index, words),
        }
    }

    /// A watch's store: cache and memory.
    pub(super) fn commit(&mut self, cache: Cache, block: u8, index: u32, words: &[u32]) {
        let address = self
            .locate(cache, block, index)
            .unwrap_or_else(|| panic!("XIVE: {cache:?} {block}/{index:#x} stored but not in any table"));
        self.write_words(address, words);
        if let Some(line) = self.tables.lines.lines.get_mut(&(cache, block, index)) {
            *line = Line { words: words.to_vec(), dirty: false };
        }
    }

    /// Writes back and drops the lines that `hit` names.
    pub(super) fn scrub(&mut self, cache: Cache, hit: impl Fn(u8, u32) -> bool) {
        let keys: Vec<_> =
            self.tables.lines.lines.keys().copied().filter(|k| k.0 == cache && hit(k.1, k.2)).collect();
        for key in keys {
            let Some(line) = self.tables.lines.lines.remove(&key) else { continue };
            if line.dirty {
                self.commit(key.0, key.1, key.2, &line.words);
            }
        }
    }

    pub(super) fn peek(&self, cache: Cache, block: u8, index: u32) -> Option<Vec<u32>> {
        match self.tables.lines.lines.get(&(cache, block, index)) {
            Some(line) => Some(line.words.clone()),
            None => Some(self.read_words(cache, self.locate(cache, block, index)?)),
        }
    }
}
