//! Virtual structure tables in RAM: their VSDs in VC and PC, and what lies where.

use super::State;
use super::lines::Lines;
use super::vst::{self, INDIRECT, table_bytes};
use opalite::hw::ram::Ram;
use std::collections::{BTreeMap, BTreeSet};

/// The structure caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cache {
    Eas,
    End,
    Nvp,
    Nvg,
    Nvc,
}

/// The part of the IC that has VSD registers of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    Vc,
    Pc,
}

/// 32-bit words of a structure.
pub fn words(cache: Cache) -> usize {
    if cache == Cache::Eas { 2 } else { 8 }
}

/// The cache that a type of an NXC watch or flush names.
pub fn nxc(kind: u64) -> Cache {
    match kind {
        0 => Cache::Nvp,
        2 => Cache::Nvg,
        3 => Cache::Nvc,
        _ => panic!("XIVE: NXC type {kind} does not exist and stops QEMU"),
    }
}

/// Where a structure is found: the type of its table, and the unit that looks.
fn home(cache: Cache) -> (u8, Unit) {
    match cache {
        Cache::Eas => (1, Unit::Vc),
        Cache::End => (END, Unit::Vc),
        Cache::Nvp => (3, Unit::Pc),
        Cache::Nvg => (4, Unit::Pc),
        Cache::Nvc => (5, Unit::Pc),
    }
}

const ESB: u8 = 0;
const END: u8 = 2;
const SYNC: u8 = 7;
const ADDRESS: u64 = 0x00FF_FFFF_FFFF_F000;

#[derive(Default)]
pub struct Tables {
    vsds: BTreeMap<(Unit, (u8, u8)), u64>,
    /// VC VSDs written since the machine reset: only these map ESB windows.
    fresh: BTreeSet<(u8, u8)>,
    pub lines: Lines<Cache>,
    /// Escalations under way, to find loops.
    pub depth: u32,
    pub require_both: bool,
}

impl Tables {
    pub fn machine_reset(&mut self) {
        self.fresh.clear();
        self.lines.clear();
    }

    pub fn vsd(&self, unit: Unit, key: (u8, u8)) -> u64 {
        self.vsds.get(&(unit, key)).copied().unwrap_or(0)
    }

    pub fn store_vsd(&mut self, unit: Unit, key: (u8, u8), value: u64) {
        vst::check(key, value, ADDRESS, key.0 <= 5);
        self.vsds.insert((unit, key), value);
        if unit == Unit::Vc {
            self.fresh.insert(key);
        }
    }

    /// How many ESBs of sources (`end` false) or ENDs the table of this block lets be reached, if it was set.
    pub fn esb_limit(&self, block: u8, end: bool) -> Option<u64> {
        let key = (if end { END } else { ESB }, block);
        self.fresh.get(&key)?;
        let vsd = self.vsd(Unit::Vc, key);
        let bytes = table_bytes(vsd);
        Some(match (vsd & INDIRECT != 0, end) {
            (true, _) => u64::MAX,
            (false, true) => bytes / 32,
            (false, false) => bytes * 4,
        })
    }

    /// Address of a notification byte.
    pub fn sync_byte(&self, unit: Unit, block: u8, offset: u64) -> u64 {
        let vsd = self.vsd(unit, (SYNC, block));
        assert!(vsd != 0, "XIVE: injection before the {unit:?}'s SYNC VSD of block {block} was set");
        assert!(offset < table_bytes(vsd), "XIVE: SYNC table too small for byte {offset:#x}");
        (vsd & ADDRESS) + offset
    }
}

impl<R: Ram + Clone + 'static> State<R> {
    /// Where a structure lies in memory, if its table reaches that far.
    pub(super) fn locate(&self, cache: Cache, block: u8, index: u32) -> Option<u64> {
        let (kind, unit) = home(cache);
        let key = (kind, block);
        let vsd = *self.tables.vsds.get(&(unit, key))?;
        if self.tables.require_both && matches!(cache, Cache::End | Cache::Nvp) {
            let (vc, pc) = (self.tables.vsd(Unit::Vc, key), self.tables.vsd(Unit::Pc, key));
            assert_eq!(vc, pc, "XIVE: PC and VC have different VSDs of type {key:?}");
        }
        vst::locate(&self.ram, key, vsd, ADDRESS, words(cache) as u64 * 4, index)
    }
}
