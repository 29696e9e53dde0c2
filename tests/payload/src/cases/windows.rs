//! Windows, proven with moved bytes.

use super::{Bench, Outcome, equal, status};
use crate::edu::Edu;
use crate::machine::{fill, load, memory, store, sync};
use crate::opal;
use crate::phb_registers;
use crate::tce::{READ, Table, WRITE};

/// PEs of the devices under test.
pub const PE: u64 = 5;
const OTHER_PE: u64 = 6;
const BIT59: u64 = 1 << 59;
pub const PATTERN: u64 = 0x0123_4567_89ab_cdef;
const SECRET: u64 = 0x5ec2_e75e_c2e7_5ec2;

/// Puts the device into `pe`.
pub fn join(edu: &Edu, pe: u64) -> Outcome {
    let id = edu.device.phb.id;
    status("FREEZE_CLEAR", opal::call(opal::EEH_FREEZE_CLEAR, &[id, pe, 3]), 0)?;
    status("SET_PE", opal::call(opal::SET_PE, &[id, pe, edu.device.bdfn, 7, 1, 1, 1]), 0)
}

/// Opens window `number` of `pe` onto `table`, as Linux does: map, then kill.
pub fn open(edu: &Edu, pe: u64, number: u64, table: &Table) -> Outcome {
    let id = edu.device.phb.id;
    let args =
        [id, pe, pe * 2 + number, table.levels, table.address, table.level_bytes(), 1 << table.page_shift];
    status("MAP_PE_DMA_WINDOW", opal::call(opal::MAP_WINDOW, &args), 0)?;
    let wanted =
        table.address << 4 | (table.levels - 1) << 13 | (table.bits + 3 - 11) << 8 | (table.page_shift - 11);
    equal("TVE", phb_registers::tve(edu.device.phb, pe * 2 + number), wanted)?;
    kill(edu, pe)
}

pub fn close(edu: &Edu, pe: u64, number: u64) -> Outcome {
    let id = edu.device.phb.id;
    let args = [id, pe, pe * 2 + number, 0, 0, 0, 0];
    status("MAP_PE_DMA_WINDOW with size 0", opal::call(opal::MAP_WINDOW, &args), 0)?;
    equal("TVE of a closed window", phb_registers::tve(edu.device.phb, pe * 2 + number), 0)?;
    kill(edu, pe)
}

fn kill(edu: &Edu, pe: u64) -> Outcome {
    status("TCE_KILL", opal::call(opal::TCE_KILL, &[edu.device.phb.id, 1, pe, 0, 0, 0]), 0)
}

/// A device in its PE with window 0 open: one level of 4 KiB pages, of which page 0 feeds the device.
struct Fixture<'a> {
    edu: &'a Edu,
    table: Table,
    feed: u64,
}

impl<'a> Fixture<'a> {
    fn new(edu: &'a Edu, pe: u64) -> Result<Self, super::Failure> {
        join(edu, pe)?;
        let table = Table::new(1, 4096, 12);
        let feed = memory(4096, 4096);
        table.map(0, feed, READ);
        open(edu, pe, 0, &table)?;
        Ok(Self { edu, table, feed })
    }

    /// Puts `value` at `at` in the device's buffer.
    fn feed(&self, at: u64, value: u64) {
        store(self.feed + at, value);
        sync();
        self.edu.read_memory(at, at, 8);
    }

    /// The device writes 8 bytes of its buffer to bus address `to`.
    fn write(&self, to: u64, at: u64) {
        self.edu.write_memory(to, at, 8);
        sync();
    }
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
    bench.case(format_args!("a page is written whole and nothing beside it"), |bench| beside(&bench.first));
    bench.case(format_args!("an unmapped page is neither written nor read"), |bench| unmapped(&bench.first));
    bench.case(format_args!("a read-only page is not written"), |bench| read_only(&bench.first));
    bench.case(format_args!("a write-only page is not read"), |bench| write_only(&bench.first));
    bench.case(format_args!("bypass reaches memory and closes"), |bench| bypass(&bench.first));
    bench.case(format_args!("a bypass window ends below firmware"), |bench| bypass_limit(&bench.first));
    bench.case(format_args!("an open window is replaced by another table"), |bench| replace(&bench.first));
    bench.case(format_args!("two devices on two bridges have different windows"), |bench| {
        two_bridges(&bench.first, &bench.second)
    });
    bench.case(format_args!("two PEs on two bridges share one table"), |bench| {
        shared(&bench.first, &bench.second)
    });
    bench
        .case(format_args!("a device that leaves its PE loses the PE's window"), |bench| leave(&bench.first));
    bench.case(format_args!("windows survive a complete reset"), |bench| complete_reset(&bench.first));
    if bench.first.device.phb.has_four_gib_mode() {
        bench
            .case(format_args!("the 4 GiB option is in the bridge's register"), |bench| option(&bench.first));
        bench.case(format_args!("the 4 GiB mode takes its windows and keeps itself"), |bench| {
            four_gib(&bench.first)
        });
    } else {
        bench.case(format_args!("a bridge without the 4 GiB mode says so"), |bench| no_option(&bench.first));
    }
    bench.case(format_args!("an IODA reset closes every window"), |bench| ioda_reset(&bench.first));
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

fn beside(edu: &Edu) -> Outcome {
    let fixture = Fixture::new(edu, PE)?;
    let pages = memory(3 * 4096, 4096);
    fill(pages, 3 * 4096, 0x11);
    fill(fixture.feed, 4096, 0x22);
    fixture.table.map(0x5000, pages + 4096, WRITE);
    sync();
    edu.read_memory(0, 0, 4096);
    edu.write_memory(0x5000, 0, 4096);
    sync();
    for at in (0..3 * 4096).step_by(8) {
        let wanted =
            if (4096..2 * 4096).contains(&at) { 0x2222_2222_2222_2222 } else { 0x1111_1111_1111_1111 };
        equal("word", load(pages + at), wanted)?;
    }
    close(edu, PE, 0)
}

fn unmapped(edu: &Edu) -> Outcome {
    let fixture = Fixture::new(edu, PE)?;
    let target = memory(4096, 4096);
    fixture.table.map(0x7000, target, READ | WRITE);
    fixture.feed(0, PATTERN);
    fixture.write(0x7000, 0);
    equal("mapped page", load(target), PATTERN)?;
    fixture.table.unmap(0x7000);
    kill(edu, PE)?;
    fixture.feed(8, SECRET);
    fixture.write(0x7008, 8);
    equal("unmapped page", load(target + 8), 0)?;
    // What the device reads there must not be what memory holds.
    store(target + 16, SECRET);
    fixture.feed(16, PATTERN);
    edu.read_memory(0x7010, 16, 8);
    fixture.table.map(0x8000, target, READ | WRITE);
    fixture.write(0x8018, 16);
    if load(target + 24) == SECRET { equal("word read through a hole", SECRET, 0) } else { close(edu, PE, 0) }
}

fn read_only(edu: &Edu) -> Outcome {
    let fixture = Fixture::new(edu, PE)?;
    fixture.feed(0, PATTERN);
    fixture.write(0x10, 0); // page 0, the feed, is READ only
    equal("read-only page", load(fixture.feed + 0x10), 0)?;
    close(edu, PE, 0)
}

fn write_only(edu: &Edu) -> Outcome {
    let fixture = Fixture::new(edu, PE)?;
    let page = memory(4096, 4096);
    fixture.table.map(0x3000, page, WRITE);
    store(page, SECRET);
    fixture.feed(0, PATTERN);
    edu.read_memory(0x3000, 0, 8);
    fixture.write(0x3008, 0);
    if load(page + 8) == SECRET {
        equal("word read from a write-only page", SECRET, 0)
    } else {
        close(edu, PE, 0)
    }
}

fn open_bypass(edu: &Edu, size: u64) -> i64 {
    opal::call(opal::MAP_REAL, &[edu.device.phb.id, PE, PE * 2 + 1, BIT59, size])
}

fn bypass(edu: &Edu) -> Outcome {
    let fixture = Fixture::new(edu, PE)?;
    let target = memory(4096, 4096);
    status("MAP_PE_DMA_WINDOW_REAL", open_bypass(edu, 1 << 30), 0)?;
    fixture.feed(0, PATTERN);
    fixture.write(BIT59 + target, 0);
    equal("bytes through bypass", load(target), PATTERN)?;
    status("MAP_PE_DMA_WINDOW_REAL with size 0", open_bypass(edu, 0), 0)?;
    kill(edu, PE)?;
    fixture.write(BIT59 + target + 8, 0);
    equal("bytes through a closed bypass", load(target + 8), 0)?;
    close(edu, PE, 0)
}

/// QEMU doesn't enforce a bypass window's limits, so this reads them back. Skiboot doesn't limit them.
fn bypass_limit(edu: &Edu) -> Outcome {
    join(edu, PE)?;
    status("MAP_PE_DMA_WINDOW_REAL", open_bypass(edu, 1 << 40), 0)?;
    let tve = phb_registers::tve(edu.device.phb, PE * 2 + 1);
    let end = (tve >> 16 & 0xff_ffff | (tve >> 8 & 3) << 24) << 24;
    status("MAP_PE_DMA_WINDOW_REAL with size 0", open_bypass(edu, 0), 0)?;
    if end <= opal::base() && end != 0 { Ok(()) } else { equal("end of bypass", end, opal::base()) }
}

fn replace(edu: &Edu) -> Outcome {
    let fixture = Fixture::new(edu, PE)?;
    let (old, new) = (memory(4096, 4096), memory(4096, 4096));
    fixture.table.map(0x2000, old, WRITE);
    fixture.feed(0, PATTERN);
    let other = Table::new(2, 4096, 12);
    other.map(0x2000, new, WRITE);
    open(edu, PE, 0, &other)?;
    fixture.write(0x2000, 0);
    equal("old table's page", load(old), 0)?;
    equal("new table's page", load(new), PATTERN)?;
    close(edu, PE, 0)
}

fn two_bridges(first: &Edu, second: &Edu) -> Outcome {
    let (one, two) = (Fixture::new(first, PE)?, Fixture::new(second, PE)?);
    let (a, b) = (memory(4096, 4096), memory(4096, 4096));
    one.table.map(0x9000, a, WRITE);
    two.table.map(0x9000, b, WRITE);
    one.feed(0, PATTERN);
    two.feed(0, !PATTERN);
    one.write(0x9000, 0);
    two.write(0x9008, 0);
    equal("first bridge's page", load(a), PATTERN)?;
    equal("second bridge's word in it", load(a + 8), 0)?;
    equal("second bridge's page", load(b + 8), !PATTERN)?;
    equal("first bridge's word in it", load(b), 0)?;
    close(first, PE, 0)?;
    one.write(0x9010, 0);
    two.write(0x9010, 0);
    equal("closed on the first", load(a + 0x10), 0)?;
    equal("still open on the second", load(b + 0x10), !PATTERN)?;
    close(second, PE, 0)
}

fn shared(first: &Edu, second: &Edu) -> Outcome {
    let one = Fixture::new(first, PE)?;
    join(second, OTHER_PE)?;
    open(second, OTHER_PE, 0, &one.table)?;
    let page = memory(4096, 4096);
    one.table.map(0xa000, page, READ | WRITE);
    one.feed(0, PATTERN);
    one.write(0xa000, 0);
    second.read_memory(0xa000, 0, 8);
    second.write_memory(0xa008, 0, 8);
    sync();
    equal("word that went through both", load(page + 8), PATTERN)?;
    close(first, PE, 0)?;
    second.write_memory(0xa010, 0, 8);
    one.write(0xa018, 0);
    equal("the other PE keeps the table", load(page + 0x10), PATTERN)?;
    equal("the first has lost it", load(page + 0x18), 0)?;
    close(second, OTHER_PE, 0)
}

fn leave(edu: &Edu) -> Outcome {
    let fixture = Fixture::new(edu, PE)?;
    let page = memory(4096, 4096);
    fixture.table.map(0xb000, page, WRITE);
    fixture.feed(0, PATTERN);
    let id = edu.device.phb.id;
    status("SET_PE unmap", opal::call(opal::SET_PE, &[id, PE, edu.device.bdfn, 7, 1, 1, 0]), 0)?;
    fixture.write(0xb000, 0);
    equal("word of a device without a PE", load(page), 0)?;
    join(edu, PE)?;
    fixture.write(0xb008, 0);
    equal("word after it is back", load(page + 8), PATTERN)?;
    close(edu, PE, 0)
}

/// Starts a reset and polls until it is done.
pub fn reset(edu: &Edu, scope: u64) -> Outcome {
    let id = edu.device.phb.id;
    let mut status_now = opal::call(opal::PCI_RESET, &[id, scope, 1]);
    let mut rounds = 0;
    while status_now > 0 {
        crate::machine::sleep(status_now as u64);
        status_now = opal::call(opal::PCI_POLL, &[id]);
        rounds += 1;
        equal("polls without end", u64::from(rounds > 1000), 0)?;
    }
    status("PCI_RESET", status_now, 0)?;
    status("PCI_RESET deassert", opal::call(opal::PCI_RESET, &[id, scope, 0]), 0)
}

fn complete_reset(edu: &Edu) -> Outcome {
    const COMPLETE: u64 = 1;
    let fixture = Fixture::new(edu, PE)?;
    let page = memory(4096, 4096);
    fixture.table.map(0xc000, page, WRITE);
    let before = phb_registers::tve(edu.device.phb, PE * 2);
    reset(edu, COMPLETE)?;
    equal("TVE after the reset", phb_registers::tve(edu.device.phb, PE * 2), before)?;
    let again = Edu::open(edu.device);
    store(fixture.feed, PATTERN);
    again.read_memory(0, 0, 8);
    again.write_memory(0xc000, 0, 8);
    sync();
    equal("word after the reset", load(page), PATTERN)?;
    close(edu, PE, 0)
}

fn ioda_reset(edu: &Edu) -> Outcome {
    const IODA_TABLE: u64 = 6;
    let fixture = Fixture::new(edu, PE)?;
    let page = memory(4096, 4096);
    fixture.table.map(0xd000, page, WRITE);
    fixture.feed(0, PATTERN);
    let id = edu.device.phb.id;
    status("PCI_RESET IODA", opal::call(opal::PCI_RESET, &[id, IODA_TABLE, 1]), 0)?;
    equal("TVE after the reset", phb_registers::tve(edu.device.phb, PE * 2), 0)?;
    fixture.write(0xd000, 0);
    equal("word after the reset", load(page), 0)?;
    join(edu, PE)?;
    fixture.write(0xd008, 0);
    equal("word before the window is open again", load(page + 8), 0)?;
    open(edu, PE, 0, &fixture.table)?;
    fixture.write(0xd010, 0);
    equal("word after it is open again", load(page + 16), PATTERN)?;
    close(edu, PE, 0)
}

const TVE1_AT_4_GIB: u64 = 1;
const CTRLR_4_GIB: u64 = 1 << (63 - 24);

fn set_option(edu: &Edu, on: u64) -> i64 {
    opal::call(opal::SET_OPTION, &[edu.device.phb.id, TVE1_AT_4_GIB, on])
}

/// Whether the option is on, by the call.
fn get_option(edu: &Edu) -> Result<u64, super::Failure> {
    let out = memory(8, 8);
    status("PHB_GET_OPTION", opal::call(opal::GET_OPTION, &[edu.device.phb.id, TVE1_AT_4_GIB, out]), 0)?;
    Ok(load(out))
}

fn no_option(edu: &Edu) -> Outcome {
    let (id, out) = (edu.device.phb.id, memory(8, 8));
    let before = phb_registers::control(edu.device.phb);
    status("PHB_GET_OPTION", opal::call(opal::GET_OPTION, &[id, TVE1_AT_4_GIB, out]), opal::UNSUPPORTED)?;
    status("PHB_SET_OPTION", set_option(edu, 1), opal::UNSUPPORTED)?;
    equal("CTRLR", phb_registers::control(edu.device.phb), before)
}

/// QEMU stores the bit; its DMA doesn't follow it.
fn option(edu: &Edu) -> Outcome {
    join(edu, PE)?;
    let before = phb_registers::control(edu.device.phb);
    equal("option before", get_option(edu)?, 0)?;
    status("a setting that is none", set_option(edu, 2), opal::PARAMETER)?;
    let unknown = opal::call(opal::SET_OPTION, &[edu.device.phb.id, 77, 1]);
    status("an option that is none", unknown, opal::UNSUPPORTED)?;
    equal("CTRLR after that", phb_registers::control(edu.device.phb), before)?;
    status("PHB_SET_OPTION 1", set_option(edu, 1), 0)?;
    equal("CTRLR", phb_registers::control(edu.device.phb), before | CTRLR_4_GIB)?;
    equal("option", get_option(edu)?, 1)?;
    status("PHB_SET_OPTION 0", set_option(edu, 0), 0)?;
    equal("CTRLR afterwards", phb_registers::control(edu.device.phb), before)
}

/// Skiboot's call 45 knows bit 59 only (B4), and it forgets the option at a complete reset (B3).
fn four_gib(edu: &Edu) -> Outcome {
    const FOUR_GIB: u64 = 1 << 32;
    join(edu, PE)?;
    let id = edu.device.phb.id;
    let table = Table::new(1, 1 << 16, 30);
    // A window that would move keeps the bridge as it is.
    open(edu, PE, 1, &table)?;
    status("switch under an open window", set_option(edu, 1), opal::WRONG_STATE)?;
    equal("option", get_option(edu)?, 0)?;
    close(edu, PE, 1)?;
    status("PHB_SET_OPTION 1", set_option(edu, 1), 0)?;
    // Window 1 has 4 GiB and more; bit 59 means nothing now.
    let bypass = |start: u64| opal::call(opal::MAP_REAL, &[id, PE, PE * 2 + 1, start, FOUR_GIB]);
    status("bypass at bit 59", bypass(BIT59), opal::PARAMETER)?;
    // RAM ends below 4 GiB here, so a bypass from there on would let nothing pass.
    status("bypass at 4 GiB", bypass(FOUR_GIB), opal::PARAMETER)?;
    equal("TVE", phb_registers::tve(edu.device.phb, PE * 2 + 1), 0)?;
    open(edu, PE, 1, &table)?;
    let tve = phb_registers::tve(edu.device.phb, PE * 2 + 1);
    reset(edu, 1)?;
    equal("TVE after the reset", phb_registers::tve(edu.device.phb, PE * 2 + 1), tve)?;
    equal("option after the reset", get_option(edu)?, 1)?;
    equal("its bit", phb_registers::control(edu.device.phb) & CTRLR_4_GIB, CTRLR_4_GIB)?;
    status("switch back under an open window", set_option(edu, 0), opal::WRONG_STATE)?;
    close(edu, PE, 1)?;
    status("PHB_SET_OPTION 0", set_option(edu, 0), 0)
}
