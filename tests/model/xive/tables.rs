//! Virtual structure tables in RAM, and the caches that stand between them and the unit.
//!
//! The caches are write-back: what the unit changes in an END (generation, index, ES bits) reaches memory by a
//! scrub, and what a driver changes in memory is not seen while the old entry is cached.

use super::{State, ibm};
use opalite::hw::ram::Ram;
use std::collections::BTreeMap;

/// The three structure caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cache {
    Eas,
    End,
    Nvt,
}

/// 32-bit words of a structure.
pub fn words(cache: Cache) -> usize {
    match cache {
        Cache::Eas => 2,
        Cache::End => 8,
        Cache::Nvt => 16,
    }
}

/// VSD type of the table that holds a structure.
fn kind(cache: Cache) -> u8 {
    match cache {
        Cache::Eas => 0,
        Cache::End => 2,
        Cache::Nvt => 3,
    }
}

const SBE: u8 = 1;
const ADDRESS: u64 = 0x0FFF_FFFF_FFFF_F000;
const INDIRECT: u64 = 0x80;

struct Line {
    words: Vec<u32>,
    dirty: bool,
}

pub struct Tables {
    vsds: BTreeMap<(u8, u8), u64>,
    pc_vsds: BTreeMap<(u8, u8), u64>,
    /// VSDs written since the machine reset: only these map ESB windows.
    fresh: BTreeMap<(u8, u8), ()>,
    lines: BTreeMap<(Cache, u8, u32), Line>,
    cached: bool,
    /// Escalations under way, to find loops.
    pub depth: u32,
    pub require_pc: bool,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            vsds: BTreeMap::new(),
            pc_vsds: BTreeMap::new(),
            fresh: BTreeMap::new(),
            lines: BTreeMap::new(),
            cached: true,
            depth: 0,
            require_pc: false,
        }
    }
}

impl Tables {
    pub fn machine_reset(&mut self) {
        self.fresh.clear();
        self.lines.clear();
    }

    pub fn set_cached(&mut self, on: bool) {
        assert!(self.lines.is_empty(), "XIVE model: switch the caches before they are used");
        self.cached = on;
    }

    pub fn vsd(&self, key: (u8, u8)) -> u64 {
        self.vsds.get(&key).copied().unwrap_or(0)
    }

    pub fn pc_vsd(&self, key: (u8, u8)) -> u64 {
        self.pc_vsds.get(&key).copied().unwrap_or(0)
    }

    pub fn store_vsd(&mut self, key: (u8, u8), value: u64, indirect_allowed: bool) {
        check_vsd(key, value);
        assert!(
            value & INDIRECT == 0 || indirect_allowed,
            "XIVE: indirect VSD {value:#x} before b32 of VC_GLOBAL_CONFIG is set"
        );
        self.vsds.insert(key, value);
        self.fresh.insert(key, ());
    }

    pub fn store_pc_vsd(&mut self, key: (u8, u8), value: u64) {
        check_vsd(key, value);
        self.pc_vsds.insert(key, value);
    }

    /// How many ESBs of sources (`end` false) or ENDs the table of this block lets be reached, if it was set.
    pub fn esb_limit(&self, block: u8, end: bool) -> Option<u64> {
        let key = (if end { kind(Cache::End) } else { SBE }, block);
        self.fresh.get(&key)?;
        let vsd = self.vsd(key);
        let bytes = table_bytes(vsd);
        Some(match (vsd & INDIRECT != 0, end) {
            (true, _) => u64::MAX,
            (false, true) => bytes / 32,
            (false, false) => bytes * 4,
        })
    }
}

fn table_bytes(vsd: u64) -> u64 {
    4096 << ibm(vsd, 59, 63)
}

fn check_vsd(key: (u8, u8), value: u64) {
    let (mode, address) = (value >> 62, value & ADDRESS);
    assert!(mode == 2 || mode == 3, "XIVE: VSD {value:#x} of type {key:?} has mode {mode}");
    assert!(address != 0, "XIVE: VSD {value:#x} of type {key:?} has no address");
    let known = 3 << 62 | ADDRESS | INDIRECT | 0x1F;
    assert_eq!(value & !known, 0, "XIVE: VSD {value:#x} of type {key:?} has unknown bits");
    assert!(
        value & INDIRECT == 0 || matches!(key.0, 0..=3),
        "XIVE: VSD {value:#x} of type {key:?} cannot be indirect"
    );
    if mode == 2 {
        let size = table_bytes(value);
        assert_eq!(address % size, 0, "XIVE: table at {address:#x} is not aligned to its size {size:#x}");
    }
}

impl<R: Ram + Clone + 'static> State<R> {
    /// Where a structure lies in memory, if its table reaches that far.
    fn locate(&self, cache: Cache, block: u8, index: u32) -> Option<u64> {
        let key = (kind(cache), block);
        let vsd = *self.tables.vsds.get(&key)?;
        if self.tables.require_pc && cache != Cache::Eas {
            assert_eq!(self.tables.pc_vsd(key), vsd, "XIVE: PC and VC have different VSDs of type {key:?}");
        }
        assert_eq!(vsd >> 62, 2, "XIVE model: forwarding of block {block} is not modelled");
        let entry_bytes = words(cache) as u64 * 4;
        let index = u64::from(index);
        if vsd & INDIRECT == 0 {
            return (index < table_bytes(vsd) / entry_bytes).then_some((vsd & ADDRESS) + index * entry_bytes);
        }
        let first = self.ram.read64(vsd & ADDRESS);
        if first & ADDRESS == 0 {
            return None;
        }
        let page_bytes = table_bytes(first);
        let per_page = page_bytes / entry_bytes;
        let page = index / per_page;
        if page >= table_bytes(vsd) / 8 {
            return None;
        }
        let entry = self.ram.read64((vsd & ADDRESS) + page * 8);
        if entry & ADDRESS == 0 {
            return None;
        }
        assert_eq!(entry >> 62, 2, "XIVE: page {page} of indirect table {key:?} has VSD {entry:#x}");
        assert_eq!(table_bytes(entry), page_bytes, "XIVE: pages of indirect table {key:?} differ in size");
        assert!(
            matches!(ibm(entry, 59, 63), 0 | 4 | 9 | 12),
            "XIVE: page {page} of indirect table {key:?} has no page size: {entry:#x}"
        );
        assert_eq!(entry & ADDRESS & (page_bytes - 1), 0, "XIVE: unaligned page {entry:#x} in table {key:?}");
        Some((entry & ADDRESS) + index % per_page * entry_bytes)
    }

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
        if let Some(line) = self.tables.lines.get(&(cache, block, index)) {
            return Some(line.words.clone());
        }
        let words = self.read_words(cache, self.locate(cache, block, index)?);
        if self.tables.cached {
            self.tables.lines.insert((cache, block, index), Line { words: words.clone(), dirty: false });
        }
        Some(words)
    }

    /// The unit's own change of a structure: in the cache until it is scrubbed.
    pub(super) fn update(&mut self, cache: Cache, block: u8, index: u32, words: &[u32]) {
        match self.tables.lines.get_mut(&(cache, block, index)) {
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
        if let Some(line) = self.tables.lines.get_mut(&(cache, block, index)) {
            *line = Line { words: words.to_vec(), dirty: false };
        }
    }

    /// Writes back and drops the lines that `hit` names.
    pub(super) fn scrub(&mut self, cache: Cache, hit: impl Fn(u8, u32) -> bool) {
        let keys: Vec<_> =
            self.tables.lines.keys().copied().filter(|k| k.0 == cache && hit(k.1, k.2)).collect();
        for key in keys {
            let Some(line) = self.tables.lines.remove(&key) else { continue };
            if line.dirty {
                self.commit(key.0, key.1, key.2, &line.words);
            }
        }
    }

    fn peek(&self, cache: Cache, block: u8, index: u32) -> Option<Vec<u32>> {
        match self.tables.lines.get(&(cache, block, index)) {
            Some(line) => Some(line.words.clone()),
            None => Some(self.read_words(cache, self.locate(cache, block, index)?)),
        }
    }

    pub(super) fn peek_end(&self, block: u8, index: u32) -> Option<[u32; 8]> {
        self.peek(Cache::End, block, index)?.try_into().ok()
    }

    pub(super) fn peek_nvt(&self, block: u8, index: u32) -> Option<[u32; 16]> {
        self.peek(Cache::Nvt, block, index)?.try_into().ok()
    }

    pub(super) fn peek_eas(&self, index: u32) -> Option<u64> {
        self.peek(Cache::Eas, self.block(), index).map(|words| eas(&words))
    }

    pub(super) fn fetch_eas(&mut self, index: u32) -> Option<u64> {
        self.fetch(Cache::Eas, self.block(), index).map(|words| eas(&words))
    }
}

fn eas(words: &[u32]) -> u64 {
    u64::from(words[0]) << 32 | u64::from(words[1])
}
