//! Features of the processors, as `/cpus/ibm,powerpc-cpu-features` tells them. Linux takes its set of CPU features
//! from there alone; a name that it doesn't know it enables by the bit numbers.
//!
//! The rows are what skiboot publishes for QEMU's processors, with one name put right: Linux calls POWER10's matrix
//! unit `matrix-multiply-assist`, and under another name leaves it switched off.
//!
//! The table is written in rows with text and packed by the compiler: each pointer in the image costs a relocation
//! too, and this way it is 3 KB instead of 12.

use crate::dt::Generation;

/// What software of one privilege must do before the feature works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing to do there.
    Nothing,
    /// A recipe of its own.
    Recipe,
    /// A recipe of its own, and this bit of (H)FSCR, counted from the least significant.
    RecipeAndBit(u8),
    /// Just the bit.
    Bit(u8),
}
use Needs::{Bit, Recipe, RecipeAndBit};

/// One feature.
#[derive(Clone, Copy, Debug)]
pub struct Feature {
    span: Span,
    name: (u16, u8),
    after: [u8; 2],
    /// First version of the architecture that has it, times 1000; 0 before 2.07.
    pub isa: u16,
    /// Who may use it: 1 problem state, 2 OS, 4 hypervisor.
    pub privilege: u8,
    /// What the hypervisor must do (HFSCR).
    pub hypervisor: Needs,
    /// What the OS must do (FSCR).
    pub os: Needs,
    /// Bit of AT_HWCAP (below 32) or AT_HWCAP2.
    pub hwcap: Option<u8>,
}

impl Feature {
    /// Name of its node.
    pub fn name(&self) -> &'static str {
        let start = usize::from(self.name.0);
        core::str::from_utf8(&NAMES[start..start + usize::from(self.name.1)]).unwrap_or_default()
    }

    /// Features that must be enabled before; they stand above it in the table.
    pub fn after(&self) -> impl Iterator<Item = &'static Self> {
        self.after.into_iter().filter_map(|index| FEATURES.get(usize::from(index)))
    }
}

/// Features of one generation.
pub fn of(generation: Generation) -> impl Iterator<Item = &'static Feature> {
    FEATURES.iter().filter(move |feature| (feature.span.0..=feature.span.1).contains(&generation))
}

/// A feature as it is written down here.
struct Row {
    feature: Feature,
    name: &'static str,
    after: &'static [&'static str],
}

type Span = (Generation, Generation);
const P8: Span = (Generation::Power8, Generation::Power8);
const P9: Span = (Generation::Power9, Generation::Power9);
const P10: Span = (Generation::Power10, Generation::Power10);
const P9_ON: Span = (Generation::Power9, Generation::Power10);
const ALL: Span = (Generation::Power8, Generation::Power10);

const fn feature(span: Span, name: &'static str, isa: u16, privilege: u8) -> Row {
    let (hypervisor, os) = (Needs::Nothing, Needs::Nothing);
    let after = [NONE; 2];
    let feature = Feature { span, name: (0, 0), after, isa, privilege, hypervisor, os, hwcap: None };
    Row { feature, name, after: &[] }
}

impl Row {
    const fn hypervisor(self, needs: Needs) -> Self {
        Self { feature: Feature { hypervisor: needs, ..self.feature }, ..self }
    }
    const fn os(self, needs: Needs) -> Self {
        Self { feature: Feature { os: needs, ..self.feature }, ..self }
    }
    const fn hwcap(self, bit: u8) -> Self {
        Self { feature: Feature { hwcap: Some(bit), ..self.feature }, ..self }
    }
    const fn after(self, names: &'static [&'static str]) -> Self {
        Self { after: names, ..self }
    }
}

/// No feature, as an index into the table.
const NONE: u8 = u8::MAX;

static FEATURES: [Feature; ROWS.len()] = pack();
static NAMES: [u8; names_length()] = join_names();

const fn pack() -> [Feature; ROWS.len()] {
    let mut table = [ROWS[0].feature; ROWS.len()];
    let (mut row, mut start) = (0, 0);
    while row < ROWS.len() {
        table[row] = ROWS[row].feature;
        table[row].name = (start as u16, ROWS[row].name.len() as u8);
        start += ROWS[row].name.len();
        let mut dependency = 0;
        while dependency < ROWS[row].after.len() {
            table[row].after[dependency] = index_above(row, ROWS[row].after[dependency].as_bytes());
            dependency += 1;
        }
        row += 1;
    }
    table
}

/// The row with this name; not to compile is better than a dependency that doesn't stand above.
const fn index_above(end: usize, name: &[u8]) -> u8 {
    let mut row = 0;
    while row < end {
        let candidate = ROWS[row].name.as_bytes();
        let mut same = 0;
        while same < name.len() && same < candidate.len() && name[same] == candidate[same] {
            same += 1;
        }
        if same == name.len() && same == candidate.len() {
            return row as u8;
        }
        row += 1;
    }
    panic!("a feature depends on one that doesn't stand above it")
}

const fn names_length() -> usize {
    let (mut row, mut length) = (0, 0);
    while row < ROWS.len() {
        length += ROWS[row].name.len();
        row += 1;
    }
    length
}

const fn join_names() -> [u8; names_length()] {
    let mut names = [0; names_length()];
    let (mut row, mut at) = (0, 0);
    while row < ROWS.len() {
        let name = ROWS[row].name.as_bytes();
        let mut index = 0;
        while index < name.len() {
            names[at] = name[index];
            (index, at) = (index + 1, at + 1);
        }
        row += 1;
    }
    names
}

#[rustfmt::skip] // One line per feature.
const ROWS: &[Row] = &[
    feature(P8, "transactional-memory", 0, 7).hypervisor(RecipeAndBit(5)).os(Recipe).hwcap(62),
    feature(P8, "processor-control-facility", 0, 6).hypervisor(Recipe).os(Recipe),
    feature(P8, "coprocessor-icswx", 0, 6).hypervisor(Recipe).os(Recipe),
    feature(P8, "mmu-hash", 0, 6).hypervisor(Recipe).os(Recipe),
    feature(P8, "machine-check-power8", 0, 6).hypervisor(Recipe).os(Recipe),
    feature(P8, "performance-monitor-power8", 0, 6).hypervisor(Recipe).os(Recipe),
    feature(P8, "idle-nap", 0, 4).hypervisor(Recipe),
    feature(P8, "wait", 0, 7),
    feature(ALL, "smt", 0, 7).hypervisor(Recipe).os(Recipe).hwcap(14),
    feature(P8, "subcore", 0, 6).hypervisor(Recipe).os(Recipe).after(&["smt"]),
    feature(ALL, "big-endian", 0, 7).hypervisor(Recipe).os(Recipe),
    feature(ALL, "little-endian", 0, 7).hypervisor(Recipe).os(Recipe),
    feature(ALL, "hypervisor", 0, 4).hypervisor(Recipe),
    feature(ALL, "interrupt-facilities", 0, 6).hypervisor(Recipe).os(Recipe),
    feature(ALL, "program-priority-register", 0, 7),
    feature(ALL, "virtual-page-class-key-protection", 0, 7).hypervisor(Recipe).os(Recipe),
    feature(ALL, "strong-access-ordering", 0, 7).hypervisor(Recipe).os(Recipe),
    feature(ALL, "no-execute", 0, 6).hypervisor(Recipe).os(Recipe),
    feature(ALL, "cache-inhibited-large-page", 0, 6).hypervisor(Recipe).os(Recipe),
    feature(ALL, "debug-facilities", 0, 6).hypervisor(Recipe).os(Recipe),
    feature(ALL, "come-from-address-register", 0, 6).hypervisor(Recipe).os(Recipe).after(&["debug-facilities"]),
    feature(ALL, "branch-tracing", 0, 6).hypervisor(Recipe).os(Recipe).after(&["debug-facilities"]),
    feature(ALL, "floating-point", 0, 7).hypervisor(RecipeAndBit(0)).os(Recipe).hwcap(27),
    feature(ALL, "vector", 0, 7).hypervisor(RecipeAndBit(1)).os(Recipe).hwcap(28).after(&["floating-point"]),
    feature(ALL, "vector-scalar", 0, 7).hypervisor(Recipe).os(Recipe).hwcap(7).after(&["vector"]),
    feature(ALL, "vector-crypto", 0, 7).hwcap(57).after(&["vector"]),
    feature(ALL, "quadword-load-store", 0, 7),
    feature(ALL, "decimal-integer", 0, 7),
    feature(ALL, "decimal-floating-point", 0, 7).hwcap(10).after(&["floating-point"]),
    feature(ALL, "data-stream-control-register", 0, 7).hypervisor(RecipeAndBit(2)).os(RecipeAndBit(2)).hwcap(61),
    feature(ALL, "branch-history-rolling-buffer", 0, 7).hypervisor(RecipeAndBit(4)).os(Recipe),
    feature(ALL, "event-based-branch", 0, 7).hypervisor(RecipeAndBit(7)).os(RecipeAndBit(7)).hwcap(60),
    feature(ALL, "target-address-register", 0, 7).hypervisor(RecipeAndBit(8)).os(RecipeAndBit(8)).hwcap(58),
    feature(ALL, "control-register", 0, 6).hypervisor(Recipe).os(Recipe),
    feature(ALL, "processor-utilization-of-resources-register", 0, 6).hypervisor(Recipe).os(Recipe),
    feature(ALL, "timer-facilities", 0, 6),
    feature(P9, "machine-check-power9", 3000, 6).hypervisor(Recipe).os(Recipe),
    feature(P9, "performance-monitor-power9", 3000, 6).hypervisor(Recipe).os(Recipe),
    feature(P9, "tm-suspend-hypervisor-assist", 3000, 4).hypervisor(Recipe),
    feature(P9, "tm-suspend-xer-so-bug", 3000, 4).hypervisor(Recipe),
    feature(P9_ON, "mmu-radix", 3000, 6).hypervisor(Recipe).os(Recipe),
    feature(P9_ON, "mmu-hash-v3", 3000, 6).hypervisor(Recipe).os(Recipe),
    feature(P9_ON, "wait-v3", 3000, 7),
    feature(P9_ON, "idle-stop", 3000, 6).hypervisor(Recipe).os(Recipe),
    feature(P9_ON, "hypervisor-virtualization-interrupt", 3000, 4).hypervisor(Recipe),
    feature(P9_ON, "system-call-vectored", 3000, 3).os(RecipeAndBit(12)).hwcap(52),
    feature(P9_ON, "processor-control-facility-v3", 3000, 6).hypervisor(RecipeAndBit(10)),
    feature(P9_ON, "pc-relative-addressing", 3000, 7),
    feature(P9_ON, "timer-facilities-v3", 3000, 6).after(&["timer-facilities"]),
    feature(P9_ON, "random-number-generator", 3000, 7).hwcap(53),
    feature(P9_ON, "fixed-point-v3", 3000, 7),
    feature(P9_ON, "decimal-integer-v3", 3000, 7).after(&["fixed-point-v3", "decimal-integer"]),
    feature(P9_ON, "floating-point-v3", 3000, 7).after(&["floating-point"]),
    feature(P9_ON, "decimal-floating-point-v3", 3000, 7).after(&["floating-point-v3", "decimal-floating-point"]),
    feature(P9_ON, "vector-v3", 3000, 7).after(&["vector"]),
    feature(P9_ON, "vector-scalar-v3", 3000, 7).after(&["vector-v3", "vector-scalar"]),
    feature(P9_ON, "vector-binary128", 3000, 7).hwcap(54).after(&["vector-scalar-v3"]),
    feature(P9_ON, "vector-binary16", 3000, 7).after(&["vector-v3"]),
    feature(P9_ON, "event-based-branch-v3", 3000, 7).after(&["event-based-branch"]),
    feature(P9_ON, "atomic-memory-operations", 3000, 7),
    feature(P9_ON, "copy-paste", 3000, 7),
    feature(P10, "debug-facilities-v31", 3100, 6).hypervisor(Recipe).os(Recipe),
    feature(P10, "machine-check-power10", 3000, 6).hypervisor(Recipe).os(Recipe),
    feature(P10, "performance-monitor-power10", 3100, 6).hypervisor(Recipe).os(Recipe),
    feature(P10, "matrix-multiply-assist", 3100, 1).hwcap(49),
    feature(P10, "prefix-instructions", 3100, 7).hypervisor(Bit(13)).os(Bit(13)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn what_a_feature_depends_on_exists_in_each_generation_and_comes_first() {
        for (generation, count) in
            [(Generation::Power8, 36), (Generation::Power9, 52), (Generation::Power10, 53)]
        {
            let mut above: Vec<&str> = Vec::new();
            for feature in of(generation) {
                assert!(feature.after().all(|needed| above.contains(&needed.name())), "{}", feature.name());
                above.push(feature.name());
            }
            assert_eq!(above.len(), count);
        }
    }

    #[test]
    fn rows_survive_packing() {
        for (feature, row) in FEATURES.iter().zip(ROWS) {
            assert_eq!(feature.name(), row.name);
            assert_eq!(feature.after().map(Feature::name).collect::<Vec<_>>(), row.after);
        }
    }
}
