//! The cases that `tests/payload` runs on QEMU's bridge, on the register model: both must agree on what moves.

mod machine;
mod model;
#[path = "payload/src/shared_cases.rs"]
mod shared_cases;

use machine::tables::{Shape, Table};
use machine::windows::{BYPASS, PE, RID};
use machine::{Machine, SUCCESS, kind, on_every_bridge};
use opalite::hw::ram::Ram;
use shared_cases::{CASES, Case};

const PATTERN: u64 = 0x0123_4567_89ab_cdef;
const TABLES: u64 = 0x1_0000_0000;
const MEMORY: u64 = 0x2000_0000;

struct Page {
    window: u64,
    at: u64,
    shift: u64,
    memory: u64,
}

impl Page {
    fn bus(&self, offset: u64) -> u64 {
        self.window * BYPASS + self.at + ((self.memory + offset) & ((1 << self.shift) - 1))
    }
}

/// Gives which accesses moved their bytes.
fn run(case: &Case) -> Vec<bool> {
    let machine = Machine::owned();
    let mut pages = Vec::new();
    for window in case.windows {
        let shape = Shape {
            page: window.page_shift as u32,
            levels: window.levels as u32,
            level: window.level_bytes.trailing_zeros(),
        };
        let base = TABLES + (window.number << 28);
        let table = Table::new(machine.ram, shape, base, base + (1 << 27));
        for &(at, permission) in window.pages {
            let memory = MEMORY + 0x1_0000 * pages.len() as u64;
            table.map(at, memory & !((1 << window.page_shift) - 1), permission);
            pages.push(Page { window: window.number, at, shift: window.page_shift, memory });
        }
        let [levels, address, bytes, page] = shape.args(base);
        assert_eq!(
            machine.map(2 * PE + window.number, levels, address, bytes, page),
            SUCCESS,
            "{}",
            case.name
        );
    }
    let device = &machine.models[0];
    let way = &pages[0];
    machine.ram.write64(way.memory, PATTERN);
    assert_eq!(device.dma_read(RID, way.bus(0), 8).unwrap(), PATTERN.to_be_bytes(), "{}", case.name);
    let mut moved = Vec::new();
    for (number, access) in (1..).zip(case.accesses) {
        let word = 8 * number;
        let page = pages.iter().find(|page| (page.window, page.at) == (access.window, access.at));
        let bus = page.map_or(access.window * BYPASS + access.at + word, |page| page.bus(word));
        moved.push(if access.write {
            let passed = device.dma_write(RID, bus, &PATTERN.to_be_bytes()).is_ok();
            for other in &pages {
                let mine = page.is_some_and(|page| page.memory == other.memory);
                let wanted = if mine && passed { PATTERN } else { 0 };
                assert_eq!(machine.ram.read64(other.memory + word), wanted, "{}: access {number}", case.name);
            }
            passed
        } else {
            let secret = PATTERN.rotate_left(number as u32);
            if let Some(page) = page {
                machine.ram.write64(page.memory + word, secret);
            }
            device.dma_read(RID, bus, 8).is_ok_and(|bytes| bytes == secret.to_be_bytes())
        });
        assert_eq!(machine.call(26, [0, PE, 3]), SUCCESS);
    }
    moved
}

fn the_model_moves_what_qemu_moves() {
    // Only windows whose pages the bridge has.
    let possible =
        |case: &&Case| case.windows.iter().all(|window| kind().pages.contains(&(window.page_shift as u32)));
    assert!(CASES.iter().filter(possible).count() >= 5);
    for case in CASES.iter().filter(possible) {
        let wanted: Vec<bool> = case.accesses.iter().map(|access| access.moves).collect();
        assert_eq!(run(case), wanted, "{}", case.name);
        assert!(case.windows[0].pages[0].1 == shared_cases::READ | shared_cases::WRITE, "{}", case.name);
    }
}

on_every_bridge! {
    the_model_moves_what_qemu_moves
}
