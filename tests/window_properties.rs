//! Windows of every shape that exists, programmed by OPAL calls and used by a device of the model. What moved is
//! compared with an oracle that knows nothing of TVEs and walks: a map from pages to frames.
//!
//! `OPALITE_WINDOW_ROUNDS` is how often each shape is tried, `OPALITE_SEED` where the random numbers begin.

mod machine;
mod model;

use machine::random::{Random, setting};
use machine::tables::{GRAIN, READ, Shape, Table, WRITE, bypass_tve};
use machine::windows::{BYPASS, PE, RID};
use machine::{FIRMWARE, Machine, PARAMETER, SUCCESS, kind, on_every_bridge};
use model::phb4::FaultKind;
use opalite::hw::ram::Ram;
use std::collections::{BTreeMap, HashMap};

const FOUR_GIB: u64 = 1 << 32;
const MSI32: std::ops::Range<u64> = 0xffff_0000..FOUR_GIB;
/// Frames lie below, tables above.
const TABLES: u64 = 1 << 49;
/// A device's transfer is cut here.
const STEP: u64 = 4096;

/// What one of a PE's windows lets pass.
enum Window {
    Closed,
    /// Pages by number: frame and permissions.
    Pages {
        shape: Shape,
        pages: BTreeMap<u64, (u64, u64)>,
    },
    /// Real addresses, unchanged.
    Bypass(std::ops::Range<u64>),
}

/// A PE as the OS meant it, and memory as its device should have left it.
struct Oracle {
    four_gib: bool,
    windows: [Window; 2],
    memory: HashMap<u64, u8>,
}

impl Oracle {
    fn new(four_gib: bool) -> Self {
        Self { four_gib, windows: [Window::Closed, Window::Closed], memory: HashMap::new() }
    }

    /// Where a bus address leads.
    fn real(&self, bus: u64, access: u64) -> Result<u64, FaultKind> {
        match bus >> 60 {
            0 if MSI32.contains(&bus) => return Err(FaultKind::MsiRange),
            0 => {}
            1 => return Err(FaultKind::MsiRange),
            _ => return Err(FaultKind::BadAddress),
        }
        let (number, offset) = match self.four_gib {
            true => (usize::from(bus >= FOUR_GIB), bus),
            false => (usize::from(bus >= BYPASS), bus % BYPASS),
        };
        match &self.windows[number] {
            Window::Closed => Err(FaultKind::Closed),
            Window::Bypass(range) => {
                let real = offset % (1 << 50);
                // Without translation, window 0 begins at 4 GiB on most PHB3s.
                let direct = kind().low_bypass || bus >= FOUR_GIB;
                if direct && range.contains(&real) { Ok(real) } else { Err(FaultKind::OutsideLimits) }
            }
            Window::Pages { shape, .. } if offset >> shape.width() != 0 => Err(FaultKind::BeyondTable),
            Window::Pages { shape, pages } => match pages.get(&(offset >> shape.page)) {
                None => Err(FaultKind::PageFault),
                Some((_, allowed)) if allowed & access == 0 => Err(FaultKind::AccessFault),
                Some((frame, _)) => Ok(frame + offset % (1 << shape.page)),
            },
        }
    }

    /// How far a transfer gets: where each byte is, and what ends it.
    fn transfer(&self, bus: u64, length: u64, access: u64) -> (Vec<u64>, Option<(FaultKind, u64)>) {
        let mut moved = Vec::new();
        for at in bus..bus + length {
            if (at == bus || at.is_multiple_of(STEP))
                && let Err(kind) = self.real(at, access)
            {
                return (moved, Some((kind, at)));
            }
            moved.push(self.real(at, access).expect("a step stays in one page"));
        }
        (moved, None)
    }
}

/// A bus address of window `number`.
fn bus(four_gib: bool, number: usize, offset: u64) -> u64 {
    if four_gib || number == 0 { offset } else { BYPASS | offset }
}

/// Lets the device write or read at `bus` and compares.
fn access(machine: &Machine, oracle: &mut Oracle, random: &mut Random, bus: u64, what: &str) -> bool {
    let longest = if random.once_in(20) { 9000 } else { 40 };
    let length = 1 + random.below(longest);
    let write = random.once_in(2);
    let (moved, fault) = oracle.transfer(bus, length, if write { WRITE } else { READ });
    let note = || format!("{what}: {} of {length} at {bus:#x}", if write { "write" } else { "read" });
    let model = &machine.models[0];
    let result = if write {
        let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        for (real, byte) in moved.iter().zip(&bytes) {
            oracle.memory.insert(*real, *byte);
        }
        model.dma_write(RID, bus, &bytes)
    } else {
        for real in &moved {
            let byte = random.next() as u8;
            oracle.memory.insert(*real, byte);
            machine.ram.write8(*real, byte);
        }
        model.dma_read(RID, bus, length as usize).map(|bytes| {
            let wanted: Vec<u8> = moved.iter().map(|real| oracle.memory[real]).collect();
            assert_eq!(bytes, wanted, "{}", note());
        })
    };
    let pe = Some(PE as u16);
    assert_eq!(
        result.map_err(|fault| (fault.kind, fault.address, fault.pe)).err(),
        fault.map(|(kind, at)| (kind, at, pe)),
        "{}",
        note()
    );
    if let Some((kind, _)) = fault {
        // An MSI isn't an error of the PE; everything else froze it.
        let frozen = kind != FaultKind::MsiRange;
        assert_eq!(model.frozen(PE as u16), (frozen, frozen), "{}", note());
        if frozen {
            assert_eq!(model.dma_read(RID, bus, 1).unwrap_err().kind, FaultKind::Frozen, "{}", note());
            assert_eq!(machine.call(26, [0, PE, 3]), SUCCESS);
        }
    }
    fault.is_none()
}

/// Every byte that the device should have written is there, and those beside them are as they were.
fn check_memory(machine: &Machine, oracle: &Oracle, what: &str) {
    let mut beside: Vec<u64> =
        oracle.memory.keys().flat_map(|at| [at.saturating_sub(1), *at, at + 1]).collect();
    beside.sort_unstable();
    beside.dedup();
    for at in beside.into_iter().filter(|at| *at < FIRMWARE.start) {
        let wanted = oracle.memory.get(&at).copied().unwrap_or(0);
        assert_eq!(machine.ram.read8(at), wanted, "{what}: memory at {at:#x}");
    }
}

/// Gives back what a case used, so that the next one finds zeros.
fn clean(machine: &Machine, oracle: &Oracle) {
    for at in oracle.memory.keys() {
        machine.ram.write8(*at, 0);
    }
}

/// Whether a shape can be in a window: in the 4 GiB mode none of it may be dead for sure.
fn fits(shape: Shape, number: usize, four_gib: bool) -> bool {
    match (four_gib, number) {
        (false, _) => true,
        (true, 0) => shape.levels > 1 || shape.width() <= 32,
        (true, _) => shape.width() > 32,
    }
}

/// Maps pages of a window at its edges, beside each other and anywhere.
fn fill(table: &Table<'_>, random: &mut Random) -> BTreeMap<u64, (u64, u64)> {
    let shape = table.shape;
    let count = 1_u64 << (shape.width() - shape.page);
    let beyond = (FOUR_GIB >> shape.page).min(count - 1);
    let anywhere = random.below(count);
    let near =
        [0, 1, count - 1, count / 2, beyond, beyond.saturating_sub(1), anywhere, (anywhere + 1) % count];
    let mut pages = BTreeMap::new();
    for number in near {
        if random.once_in(5) {
            continue;
        }
        let frame = random.below(TABLES >> shape.page) << shape.page;
        if pages.values().any(|(taken, _)| *taken == frame) {
            continue;
        }
        let permission = random.pick(&[READ, WRITE, READ | WRITE, READ | WRITE]);
        table.map(number << shape.page, frame, permission);
        pages.insert(number, (frame, permission));
    }
    pages
}

/// Bus addresses worth a try: at the edges of pages and of the window, inside, far outside.
fn probes(shape: Shape, pages: &BTreeMap<u64, (u64, u64)>, random: &mut Random) -> Vec<u64> {
    let page = 1_u64 << shape.page;
    let mut offsets: Vec<u64> = pages
        .keys()
        .flat_map(|number| {
            let start = number << shape.page;
            [
                start,
                start + page - 1 - random.below(16),
                start + random.below(page),
                start.saturating_sub(1),
                start + page,
            ]
        })
        .collect();
    let end = 1_u64 << shape.width();
    offsets.extend([end - 1, end, end + random.below(page), end | random.below(end)]);
    offsets.extend([FOUR_GIB - 1, FOUR_GIB, MSI32.start, MSI32.start - 8, BYPASS - 1, 1 << 58, 1 << 50]);
    offsets.extend([1 << 60, 1 << 60 | random.below(1 << 59), 1 << 61, 15 << 60, random.below(BYPASS)]);
    offsets
}

fn one_shape(machine: &Machine, shape: Shape, number: usize, four_gib: bool, random: &mut Random) -> u64 {
    let what = format!("{shape:?}, window {number}, 4 GiB mode {four_gib}");
    let size = 1_u64 << shape.level;
    let lowest = TABLES.next_multiple_of(size);
    let base = lowest + random.below(((FIRMWARE.start - lowest) / size).min(1 << 20)) * size;
    // Lower levels are made in the part of memory that top levels seldom reach.
    let arena = if base < (3 << 48) { 3 << 48 } else { TABLES };
    let table = Table::new(machine.ram, shape, base, arena);
    let window = 2 * PE + number as u64;
    let [levels, address, bytes, page] = shape.args(base);
    if !fits(shape, number, four_gib) {
        assert_eq!(machine.map(window, levels, address, bytes, page), PARAMETER, "{what}");
        return 0;
    }
    let mut oracle = Oracle::new(four_gib);
    let pages = fill(&table, random);
    let offsets = probes(shape, &pages, random);
    oracle.windows[number] = Window::Pages { shape, pages: pages.clone() };
    // The other window must not matter: it passes real addresses on where it may.
    if number == 1 && random.once_in(2) {
        assert_eq!(machine.real(2 * PE, 0, GRAIN), SUCCESS);
        oracle.windows[0] = Window::Bypass(0..GRAIN);
    }
    assert_eq!(machine.map(window, levels, address, bytes, page), SUCCESS, "{what}");
    assert_eq!(machine.tve(0, window), shape.tve(base), "{what}");
    let mut moved = 0;
    for offset in offsets {
        let at = if offset >> 59 == 0 { bus(four_gib, number, offset) } else { offset };
        moved += u64::from(access(machine, &mut oracle, random, at, &what));
    }
    check_memory(machine, &oracle, &what);
    assert_eq!(machine.unmap(window), SUCCESS);
    oracle.windows[number] = Window::Closed;
    for offset in pages.keys().map(|number| number << shape.page) {
        access(machine, &mut oracle, random, bus(four_gib, number, offset), &what);
    }
    if matches!(oracle.windows[0], Window::Bypass(_)) {
        assert_eq!(machine.unmap(2 * PE), SUCCESS);
    }
    check_memory(machine, &oracle, &what);
    clean(machine, &oracle);
    table.clear();
    moved
}

/// The ways of choosing a window that the bridge has.
fn modes() -> &'static [bool] {
    if kind().options { &[false, true] } else { &[false] }
}

fn choose(machine: &Machine, four_gib: bool) {
    if kind().options {
        assert_eq!(machine.four_gib(four_gib.into()), SUCCESS);
    }
}

fn every_shape_moves_the_bytes_of_its_pages_and_no_others() {
    let seed = setting("OPALITE_SEED", 1);
    let rounds = setting("OPALITE_WINDOW_ROUNDS", 2);
    let (mut windows, mut moved) = (0, 0);
    for round in 0..rounds {
        for &four_gib in modes() {
            let machine = Machine::owned();
            choose(&machine, four_gib);
            for (index, shape) in (0..).zip(Shape::all()) {
                for number in 0..2 {
                    let mut random = Random::new(seed ^ round << 32 ^ index << 8 ^ number as u64);
                    moved += one_shape(&machine, shape, number, four_gib, &mut random);
                    windows += 1;
                }
            }
            machine.models[0].clear_writes();
        }
    }
    println!("{windows} windows, {moved} transfers that went through");
    assert!(moved > windows * 5, "{moved} transfers in {windows} windows: nothing much was tried");
}

/// The oracle of a bypass request: its TVE, or `None` when it is refused.
fn bypass(number: u64, start: u64, size: u64, four_gib: bool) -> Option<std::ops::Range<u64>> {
    let real = start % BYPASS;
    let aligned = real.is_multiple_of(GRAIN) && size.is_multiple_of(GRAIN) && size != 0;
    let end = real.checked_add(size).filter(|end| *end <= (1 << 50) - GRAIN)?;
    let side = match (four_gib, number) {
        (false, _) => start / BYPASS == number,
        (true, 0) => start < BYPASS && end <= FOUR_GIB,
        (true, _) => start < BYPASS && real >= FOUR_GIB,
    };
    let range = real..end.min(FIRMWARE.start);
    (aligned && side && !range.is_empty()).then_some(range)
}

/// A number of 16 MiB pieces, of any magnitude.
fn grains(random: &mut Random, bits: u64) -> u64 {
    let magnitude = random.below(bits);
    random.below(1 << magnitude) * GRAIN
}

fn one_bypass(machine: &Machine, four_gib: bool, random: &mut Random) -> Option<u64> {
    let number = random.below(2);
    let mut start = grains(random, 27);
    if random.once_in(8) {
        start = random.pick(&[FIRMWARE.start - GRAIN, FIRMWARE.start, FOUR_GIB - GRAIN, FOUR_GIB, 1 << 50]);
    }
    if number == 1 && !four_gib && !random.once_in(8) {
        start |= BYPASS;
    }
    let mut size = grains(random, 27);
    if random.once_in(8) {
        size = random.pick(&[
            1 << 50,
            (1 << 50) - GRAIN,
            FOUR_GIB,
            1 << 63,
            start.wrapping_neg(),
            4096,
            GRAIN + 1,
        ]);
    }
    if random.once_in(16) {
        start += 1 << random.below(24);
    }
    let what = format!("bypass {start:#x} + {size:#x}, window {number}, 4 GiB mode {four_gib}");
    let window = 2 * PE + number;
    let before = machine.tve(0, window);
    let status = machine.real(window, start, size);
    if size == 0 {
        assert_eq!((status, machine.tve(0, window)), (SUCCESS, 0), "{what}");
        return None;
    }
    let Some(range) = bypass(number, start, size, four_gib) else {
        assert_eq!((status, machine.tve(0, window)), (PARAMETER, before), "{what}");
        return None;
    };
    assert_eq!((status, machine.tve(0, window)), (SUCCESS, bypass_tve(range.start, range.end)), "{what}");
    let mut oracle = Oracle::new(four_gib);
    oracle.windows[number as usize] = Window::Bypass(range.clone());
    let inside = range.start + random.below(range.end - range.start);
    let high = if four_gib { 0 } else { 1 << 55 };
    let mut moved = 0;
    for offset in [
        range.start,
        range.start.saturating_sub(1),
        range.end - 1 - random.below(64),
        range.end,
        inside,
        inside | high,
        random.below(1 << 50),
        FIRMWARE.start,
        0,
        FOUR_GIB - 1,
        FOUR_GIB,
        MSI32.start,
    ] {
        let at = bus(four_gib, number as usize, offset);
        moved += u64::from(access(machine, &mut oracle, random, at, &what));
    }
    check_memory(machine, &oracle, &what);
    clean(machine, &oracle);
    assert_eq!(machine.real(window, 0, 0), SUCCESS);
    Some(moved)
}

fn a_bypass_reaches_its_range_and_nothing_else() {
    let seed = setting("OPALITE_SEED", 1);
    let rounds = 1000 * setting("OPALITE_WINDOW_ROUNDS", 2);
    for &four_gib in modes() {
        let machine = Machine::owned();
        choose(&machine, four_gib);
        let (mut opened, mut moved) = (0, 0);
        for round in 0..rounds {
            let mut random = Random::new(seed ^ round << 16 ^ 0xb1);
            if let Some(transfers) = one_bypass(&machine, four_gib, &mut random) {
                opened += 1;
                moved += transfers;
            }
        }
        println!(
            "4 GiB mode {four_gib}: {opened} of {rounds} bypasses opened, {moved} transfers went through"
        );
        assert!(opened > rounds / 5 && opened < rounds, "{opened} of {rounds}");
        assert!(moved > opened, "{moved} transfers in {opened} windows");
    }
}

/// What call 44 must take (§6.7), said once more.
fn accepted(levels: u64, table: u64, bytes: u64, page: u64) -> Option<Shape> {
    let shape =
        Shape { page: page.trailing_zeros(), levels: levels.min(9) as u32, level: bytes.trailing_zeros() };
    let there = bytes.is_power_of_two()
        && page.is_power_of_two()
        && levels < 9
        && Shape::all().any(|other| other == shape)
        && table.is_multiple_of(bytes)
        && table.checked_add(bytes).is_some_and(|end| end <= FIRMWARE.start);
    there.then_some(shape)
}

fn exactly_the_shapes_of_the_reference_are_taken() {
    let machine = Machine::owned();
    let mut random = Random::new(setting("OPALITE_SEED", 1) ^ 0x54a9e);
    let (mut taken, rounds) = (0, 5000 * setting("OPALITE_WINDOW_ROUNDS", 2));
    for _ in 0..rounds {
        let mut args = [
            1 + random.below(6),
            0,
            1 << (10 + random.below(26)),
            1 << random.pick(&[12, 16, 21, 30, 12, 16, 21, 30, 24, 28, 20, 13]),
        ];
        args[1] = random.below(1 << (50 - args[2].trailing_zeros())) * args[2];
        if random.once_in(3) {
            let at = random.below(4) as usize;
            args[at] = match random.below(5) {
                0 => random.next() >> random.below(64),
                1 => args[at] ^ 1 << random.below(64),
                2 => args[at].wrapping_add(random.below(3)).wrapping_sub(1),
                3 => args[at] | 1 << 32,
                _ => FIRMWARE.start.wrapping_add(random.below(3)).wrapping_sub(1) << random.below(2),
            };
        }
        let [levels, table, bytes, page] = args;
        if bytes == 0 {
            continue;
        }
        let before = machine.tve(0, 10);
        let status = machine.map(10, levels, table, bytes, page);
        let wanted = accepted(levels, table, bytes, page);
        let tve = wanted.map_or(before, |shape| shape.tve(table));
        let code = if wanted.is_some() { SUCCESS } else { PARAMETER };
        assert_eq!((status, machine.tve(0, 10)), (code, tve), "{levels} {table:#x} {bytes:#x} {page:#x}");
        taken += u64::from(wanted.is_some());
    }
    println!("{taken} of {rounds} taken");
    assert!(taken > rounds / 10 && taken < rounds * 9 / 10, "{taken} of {rounds}");
}

on_every_bridge! {
    every_shape_moves_the_bytes_of_its_pages_and_no_others
    a_bypass_reaches_its_range_and_nothing_else
    exactly_the_shapes_of_the_reference_are_taken
}
