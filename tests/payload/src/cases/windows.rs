//! Windows, proven with moved bytes.

use super::{Bench, Outcome, equal, status};
use crate::edu::Edu;
use crate::machine::{load, memory, store, sync};
use crate::opal;
use crate::pci::Phb;
use crate::tce::{READ, Table, WRITE};

/// The PE of a device under test.
const PE: u64 = 5;
const BIT59: u64 = 1 << 59;
const PATTERN: u64 = 0x0123_4567_89ab_cdef;
const SECRET: u64 = 0x5ec2_e75e_c2e7_5ec2;

/// Puts the device into `pe`.
fn join(edu: &Edu, pe: u64) -> Outcome {
    let Phb { id, .. } = edu.device.phb;
    status("FREEZE_CLEAR", opal::call(opal::EEH_FREEZE_CLEAR, &[id, pe, 3]), 0)?;
    status("SET_PE", opal::call(opal::SET_PE, &[id, pe, edu.device.bdfn, 7, 1, 1, 1]), 0)
}

/// Opens window `number` of `pe` onto `table`, as Linux does: map, then kill.
fn open(edu: &Edu, pe: u64, number: u64, table: &Table) -> Outcome {
    let id = edu.device.phb.id;
    let args =
        [id, pe, pe * 2 + number, table.levels, table.address, table.level_bytes(), 1 << table.page_shift];
    status("MAP_PE_DMA_WINDOW", opal::call(opal::MAP_WINDOW, &args), 0)?;
    kill(edu, pe)
}

fn close(edu: &Edu, pe: u64, number: u64) -> Outcome {
    let id = edu.device.phb.id;
    status("MAP_PE_DMA_WINDOW 0", opal::call(opal::MAP_WINDOW, &[id, pe, pe * 2 + number, 0, 0, 0, 0]), 0)?;
    kill(edu, pe)
}

fn kill(edu: &Edu, pe: u64) -> Outcome {
    status("TCE_KILL", opal::call(opal::TCE_KILL, &[edu.device.phb.id, 1, pe, 0, 0, 0]), 0)
}

/// Runs them.
pub fn run(bench: &mut Bench) {
    let shifts = bench.first.device.phb.page_shifts;
    for shift in shifts.into_iter().filter(|&shift| shift != 0).map(u64::from) {
        for levels in 1..=5 {
            if levels * 9 + shift > 59 {
                continue;
            }
            for number in 0..2 {
                bench.case(
                    format_args!("{levels} levels of {} KiB pages in window {number}", 1u64 << (shift - 10)),
                    |bench| round_trip(&bench.first, number, levels, shift),
                );
            }
        }
    }
}

fn round_trip(edu: &Edu, number: u64, levels: u64, shift: u64) -> Outcome {
    join(edu, PE)?;
    let table = Table::new(levels, 4096, shift);
    let base = number * BIT59;
    let page = 1 << shift.min(16);
    let (from, to) = (memory(page, page), memory(page, page));
    store(from + 8, PATTERN ^ shift);
    // The first page and the last one that the table reaches.
    let (low, high) = (0, table.reach() - (1 << shift));
    table.map(low, from, READ);
    table.map(high, to, READ | WRITE);
    open(edu, PE, number, &table)?;
    let within = |address: u64| address & ((1 << shift) - 1);
    edu.read_memory(base + low + within(from) + 8, 0, 8);
    edu.write_memory(base + high + within(to) + 16, 0, 8);
    sync();
    equal("bytes that arrived", load(to + 16), PATTERN ^ shift)?;
    equal("byte before", load(to + 8), 0)?;
    equal("byte after", load(to + 24), 0)?;
    close(edu, PE, number)?;
    store(from + 8, SECRET);
    edu.write_memory(base + high + within(to) + 32, 0, 8);
    sync();
    equal("bytes through a closed window", load(to + 32), 0)
}
