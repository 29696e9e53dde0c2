//! Virtual structure tables in RAM: their VSDs, and what lies where.

use super::State;
use super::lines::Lines;
use super::vst::{self, INDIRECT, table_bytes};
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

#[derive(Default)]
pub struct Tables {
    vsds: BTreeMap<(u8, u8), u64>,
    pc_vsds: BTreeMap<(u8, u8), u64>,
    /// VSDs written since the machine reset: only these map ESB windows.
    fresh: BTreeMap<(u8, u8), ()>,
    pub lines: Lines<Cache>,
    /// Escalations under way, to find loops.
    pub depth: u32,
    pub require_pc: bool,
}

impl Tables {
    pub fn machine_reset(&mut self) {
        self.fresh.clear();
        self.lines.clear();
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

    /// Where events for ENDs of that block are forwarded to, if they are.
    pub fn forward_port(&self, block: u8) -> Option<u64> {
        let vsd = self.vsd((kind(Cache::End), block));
        (vsd >> 62 == 3).then_some(vsd & ADDRESS)
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

fn check_vsd(key: (u8, u8), value: u64) {
    vst::check(key, value, ADDRESS, matches!(key.0, 0..=3));
}

impl<R: Ram + Clone + 'static> State<R> {
    /// Where a structure lies in memory, if its table reaches that far.
    pub(super) fn locate(&self, cache: Cache, block: u8, index: u32) -> Option<u64> {
        let key = (kind(cache), block);
        let vsd = *self.tables.vsds.get(&key)?;
        if self.tables.require_pc && cache != Cache::Eas {
            assert_eq!(self.tables.pc_vsd(key), vsd, "XIVE: PC and VC have different VSDs of type {key:?}");
        }
        vst::locate(&self.ram, key, vsd, ADDRESS, words(cache) as u64 * 4, index)
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
