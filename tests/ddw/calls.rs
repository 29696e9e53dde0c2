//! Blocks of arguments: their exact form, their statuses in order, and what isn't a block.

use crate::fixture::*;
use crate::machine::{FIRMWARE, Machine, OUT, PARAMETER, SUCCESS};
use opalite::hw::ram::Ram;

const HARDWARE: u32 = -1_i32 as u32;
const BAD: u32 = -3_i32 as u32;
/// 4 KiB, 64 KiB, 2 MiB: those of a PHB4 that PAPR can name; it can't name 1 GiB.
const SIZES: u32 = 0x103;

#[test]
fn query_has_two_forms() {
    let machine = machine();
    // The pool's pages of 512 entries, less the upper levels: the power of two below.
    let tces = 1 << (machine.free() * 512 - 1).ilog2();
    assert_eq!(machine.rtas(QUERY, &[CONFIG, 0, 0], 5), [0, 1, tces, SIZES, 0]);
    assert_eq!(machine.rtas(QUERY, &[CONFIG, 0, 0], 6), [0, 1, 0, tces, SIZES, 0]);
    // Another bridge, where that requester is in no PE.
    assert_eq!(machine.rtas(QUERY, &[CONFIG, 0, 1], 5), [BAD, 0, 0, 0, 0]);
    assert_eq!(machine.call(31, [1, 8, RID.into(), 7, 1, 1, 1]), SUCCESS);
    assert_eq!(machine.rtas(QUERY, &[CONFIG, 0, 1], 5), [0, 1, tces, SIZES, 0]);
}

#[test]
fn more_tces_than_a_cell_names_are_told_as_far_as_it_does() {
    let machine = machine();
    for piece in 0..10 {
        let start = (1 << 40) + (piece << 32);
        assert_eq!(machine.call(token("pool-donate"), [start, 1 << 32]), SUCCESS);
    }
    let (windows, tces, _) = machine.offer(CONFIG);
    assert_eq!((windows, tces), (1, 1 << 32), "40 GiB for tables");
    assert_eq!(machine.rtas(QUERY, &[CONFIG, 0, 0], 5), [0, 1, 1 << 31, SIZES, 0]);
    assert_eq!(machine.rtas(QUERY, &[CONFIG, 0, 0], 6), [0, 1, 1, 0, SIZES, 0]);
}

#[test]
fn create_remove_and_reset_have_their_results() {
    let machine = machine();
    let high = liobn(PE, 1) as u32;
    assert_eq!(machine.rtas(CREATE, &[CONFIG, 0, 0, 21, 34], 4), [0, high, 1 << 27, 0]);
    assert_eq!(machine.rtas(REMOVE, &[high], 1), [0]);
    assert_eq!(machine.rtas(RESET, &[CONFIG, 0, 0], 1), [0]);
    assert_eq!(machine.rtas(RESET, &[CONFIG, 0, 0, 1], 1), [0]);
    assert_eq!(machine.rtas(CREATE, &[CONFIG, 0, 0, 21, 34], 4), [0, high, 1, 0]);
    assert_eq!(machine.rtas(RESET, &[CONFIG, 0, 0, 0], 1), [0]);
    // Bridge 3's LIOBNs.
    assert_eq!(machine.call(31, [3, 8, RID.into(), 7, 1, 1, 1]), SUCCESS);
    assert_eq!(machine.rtas(CREATE, &[CONFIG, 0, 3, 16, 30], 4), [0, 0x8003_0011, 1 << 27, 0]);
    assert_eq!(machine.rtas(REMOVE, &[0x8003_0011], 1), [0]);
}

/// A block of any shape, with arguments that would do for the right one.
fn any(machine: &Machine, token: u32, args: usize, results: usize) -> Vec<u32> {
    let given = match token {
        REMOVE => vec![liobn(PE, 1) as u32; args],
        _ => [CONFIG, 0, 0, 21, 34, 0, 0, 0][..args].to_vec(),
    };
    machine.rtas(token, &given, results)
}

#[test]
fn a_block_of_another_shape_is_refused() {
    let forms: [(u32, &[(usize, usize)]); 4] =
        [(QUERY, &[(3, 5), (3, 6)]), (CREATE, &[(5, 4)]), (REMOVE, &[(1, 1)]), (RESET, &[(3, 1)])];
    let machine = machine();
    for (token, forms) in forms {
        for args in 0..=8 {
            for results in 0..=8 {
                // A fourth argument of reset that is no mode.
                if forms.contains(&(args, results)) {
                    continue;
                }
                let before = machine.free();
                let answer = any(&machine, token, args, results);
                let wanted: Vec<u32> = (0..results).map(|index| if index == 0 { BAD } else { 0 }).collect();
                assert_eq!(answer, wanted, "{token:x} {args} {results}");
                assert_eq!(machine.free(), before, "{token:x} {args} {results}");
            }
        }
    }
    for mode in [2, u32::MAX] {
        assert_eq!(machine.reset_pe(CONFIG, &[mode]), -3);
    }
    for token in [0, QUERY - 1, RESET + 1, u32::MAX] {
        assert_eq!(machine.rtas(token, &[CONFIG, 0, 0], 5), [BAD, 0, 0, 0, 0]);
        assert_eq!(machine.rtas(token, &[], 0), []);
        assert_eq!(machine.rtas(token, &[0; 16], 0), []);
        assert_eq!(machine.rtas(token, &[], 16)[..2], [BAD, 0]);
    }
}

#[test]
fn statuses_come_in_order() {
    let machine = machine();
    // Which PE.
    for (config, high, low) in
        [(CONFIG, 0, 77), (CONFIG, 1, 0), (NOBODY, 0, 0), (CONFIG | 4, 0, 0), (CONFIG | 1 << 24, 0, 0)]
    {
        let name = format!("{config:x} {high} {low}");
        assert_eq!(machine.rtas(QUERY, &[config, high, low], 5), [BAD, 0, 0, 0, 0], "{name}");
        assert_eq!(machine.rtas(CREATE, &[config, high, low, 21, 34], 4), [BAD, 0, 0, 0], "{name}");
        assert_eq!(machine.rtas(RESET, &[config, high, low], 1), [BAD], "{name}");
        assert_eq!(machine.rtas(RESET, &[config, high, low, 1], 1), [BAD], "{name}");
    }
    let create = |page: u32, window: u32| machine.create(CONFIG, page, window).map(|_| ());
    // Page sizes: not PAPR's (1 GiB), not the bridge's, none at all; wide numbers.
    for page in [30, 24, 34, 0, 11, 13, 64, 76, 12 | 1 << 31, u32::MAX] {
        assert_eq!(create(page, 40), Err(-3), "page {page}");
    }
    for (page, window) in [(12, 11), (21, 20), (21, 0), (12, 60), (16, 64), (16, 80), (12, u32::MAX)] {
        assert_eq!(create(page, window), Err(-3), "window {window}");
    }
    // The bus has room, the pool hasn't; 64 KiB pages can't fill the bus with levels of 4 KiB.
    for (page, window) in [(12, 40), (12, 59), (16, 59), (21, 59), (21, 58), (12, 58)] {
        assert_eq!(create(page, window), Err(-1), "window {window} of {page}");
    }
    let free = machine.free();
    assert_eq!(create(12, 12), Ok(()));
    assert_eq!(free - machine.free(), 1);
    // No window is free: what is wrong otherwise comes first.
    assert_eq!(create(30, 40), Err(-3));
    assert_eq!(create(12, 60), Err(-3));
    assert_eq!(create(12, 12), Err(-1));
    assert_eq!(machine.offer(CONFIG), (0, 0, SIZES));
    // Window 0 is narrower.
    assert_eq!(machine.remove(liobn(PE, 0)), 0);
    assert_eq!(machine.offer(CONFIG), (1, 1 << 10, SIZES), "2 GiB of 2 MiB pages");
    assert_eq!(create(12, 32), Err(-3));
    assert_eq!(create(12, 31), Ok(()));
    assert_eq!(machine.rtas(CREATE, &[CONFIG, 0, 0, 12, 31], 4), [HARDWARE, 0, 0, 0]);
    // In limited mode a window begins at 4 GiB and ends on the bus.
    assert_eq!(machine.reset_pe(CONFIG, &[1]), 0);
    assert_eq!(create(21, 59), Err(-3));
    assert_eq!(create(21, 58), Err(-1));
}

#[test]
fn remove_knows_its_windows_only() {
    let machine = machine();
    let count = u64::from(machine.fw.phbs[0].bridge().unwrap().limits.count());
    let none = [
        0,
        1,
        liobn(PE, 0) & 0x7fff_ffff,
        liobn(PE, 1),
        liobn(count - 1, 0),
        liobn(count, 0),
        0x8000_ffff,
        0x8006_0000,
        0xffff_ffff,
    ];
    for liobn in none {
        assert_eq!(machine.remove(liobn), -3, "{liobn:x}");
    }
    // Once, and then no more.
    assert_eq!(machine.remove(liobn(PE, 0)), 0);
    assert_eq!(machine.remove(liobn(PE, 0)), -3);
    // The OS's own window isn't PAPR's, nor is one of window-set.
    assert_eq!(machine.map(2 * PE + 1, 1, 0x2000_0000, 0x1000, 0x1000), SUCCESS);
    assert_eq!(machine.remove(liobn(PE, 1)), -3);
    assert_eq!(machine.map(2 * OTHER_PE, 1, 0x2000_0000, 0x1000, 0x1000), SUCCESS);
    assert_eq!(machine.remove(liobn(OTHER_PE, 0)), -3, "the default window isn't there");
}

#[test]
fn what_is_no_block_is_refused_and_not_touched() {
    let machine = machine();
    let call = |pointer: u64| machine.call(token("rtas-call"), [pointer]);
    for pointer in
        [0, 1, OUT + 1, OUT + 2, FIRMWARE.start, FIRMWARE.start - 8, FIRMWARE.end, u64::MAX - 3, 1 << 50]
    {
        assert_eq!(call(pointer), PARAMETER, "{pointer:x}");
    }
    let header = |at: u64, args: u32, results: u32| {
        machine.ram.write32(at, QUERY);
        machine.ram.write32(at + 4, args);
        machine.ram.write32(at + 8, results);
    };
    for (args, results) in
        [(17, 0), (0, 17), (3, 14), (9, 8), (u32::MAX, 1), (u32::MAX, 0), (1 << 31, 1 << 31)]
    {
        header(OUT, args, results);
        machine.ram.write32(OUT + 12, 0x5555_5555);
        assert_eq!(call(OUT), PARAMETER, "{args} {results}");
        assert_eq!(machine.ram.read32(OUT + 12), 0x5555_5555);
    }
    // The header is the OS's, the rest isn't.
    let edge = FIRMWARE.start - 12;
    header(edge, 3, 6);
    assert_eq!(call(edge), PARAMETER);
    header(edge, 0, 0);
    assert_eq!(call(edge), SUCCESS);
    header(edge - 4, 0, 1);
    assert_eq!(call(edge - 4), SUCCESS);
    assert_eq!(machine.ram.read32(edge + 8), BAD);
    // A kernel's address for it.
    header(OUT, 0, 1);
    assert_eq!(call(0xc000_0000_0000_0000 | OUT), SUCCESS);
    assert_eq!(machine.ram.read32(OUT + 12), BAD);
}
