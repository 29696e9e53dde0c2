//! The list of cases that our register model runs too.

use super::windows::{PATTERN, PE, close, join, open};
use super::{Bench, Outcome, equal, status};
use crate::edu::Edu;
use crate::machine::{load, memory, store, sync};
use crate::opal;
use crate::shared_cases::{CASES, Case, Window};
use crate::tce::Table;

const BIT59: u64 = 1 << 59;
/// Most pages of a case.
const PAGES: usize = 8;

/// A mapped page: its window, where it is on the bus, its memory.
#[derive(Clone, Copy)]
struct Page {
    window: u64,
    at: u64,
    shift: u64,
    memory: u64,
}

impl Page {
    /// The bus address of the word at `offset` of its memory.
    fn bus(&self, offset: u64) -> u64 {
        self.window * BIT59 + self.at + (self.memory + offset & ((1 << self.shift) - 1))
    }
}

/// Runs them.
pub fn run(bench: &mut Bench) {
    // A bridge that lacks a size of page says so in the device tree.
    let phb = bench.first.device.phb;
    let possible = |case: &&Case| case.windows.iter().all(|window| phb.has_pages(window.page_shift));
    for case in CASES.iter().filter(possible) {
        bench.case(format_args!("shared: {}", case.name), |bench| one(&bench.first, case));
    }
}

fn one(edu: &Edu, case: &Case) -> Outcome {
    join(edu, PE)?;
    let mut pages = [None; PAGES];
    let mut free = pages.iter_mut();
    for window in case.windows {
        let table = Table::new(window.levels, window.level_bytes, window.page_shift);
        for &(at, permission) in window.pages {
            let memory = memory(4096, 4096);
            table.map(at, memory, permission);
            let page = Page { window: window.number, at, shift: window.page_shift, memory };
            *free.next().expect("more pages than room") = Some(page);
        }
        open(edu, PE, window.number, &table)?;
    }
    let result = accesses(edu, case, &pages);
    for Window { number, .. } in case.windows {
        close(edu, PE, *number)?;
    }
    result
}

fn accesses(edu: &Edu, case: &Case, pages: &[Option<Page>]) -> Outcome {
    let pages = || pages.iter().flatten();
    let way = pages().next().expect("the way in and out");
    store(way.memory, PATTERN);
    sync();
    edu.read_memory(way.bus(0), 0, 8);
    for (number, access) in (1..).zip(case.accesses) {
        // Each access has a word of its own in every page.
        let (word, secret) = (8 * number, PATTERN.rotate_left(number as u32));
        let page = pages().find(|page| (page.window, page.at) == (access.window, access.at));
        let bus = page.map_or(access.window * BIT59 + access.at + word, |page| page.bus(word));
        let moved = if access.write {
            edu.write_memory(bus, 0, 8);
            sync();
            let stray = pages().any(|other| {
                page.is_none_or(|page| page.memory != other.memory) && load(other.memory + word) != 0
            });
            equal("number of an access that wrote elsewhere", if stray { number } else { 0 }, 0)?;
            page.is_some_and(|page| load(page.memory + word) == PATTERN)
        } else {
            if let Some(page) = page {
                store(page.memory + word, secret);
                sync();
            }
            edu.read_memory(bus, 8, 8);
            edu.write_memory(way.bus(2048 + word), 8, 8);
            sync();
            load(way.memory + 2048 + word) == secret
        };
        if moved != access.moves {
            return equal("number of an access that shouldn't be so", number, 0);
        }
        // A bridge that freezes has done so.
        status("FREEZE_CLEAR", opal::call(opal::EEH_FREEZE_CLEAR, &[edu.device.phb.id, PE, 3]), 0)?;
    }
    Ok(())
}
