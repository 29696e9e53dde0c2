//! Query's promise, over random states of the pool.

use crate::fixture::*;
use crate::machine::random::{Random, setting};
use crate::machine::{FIRMWARE, Machine, OUT, SUCCESS};
use opalite::hw::ram::Ram;

/// Makes a table of other calls; its levels have up to 64 KiB.
fn other_table(machine: &Machine, random: &mut Random) -> Option<u64> {
    let page_shift = random.pick(&[12_u64, 16, 21]);
    let levels = random.below(4);
    let size = 1 << (page_shift + random.below(16)) as u32;
    let flags = random.below(2);
    for (word, at) in
        [48 << 32 | flags, page_shift << 32 | levels, size, 0, 0, 0].iter().zip((OUT..).step_by(8))
    {
        machine.ram.write64(at, *word);
    }
    (machine.call(token("table-create"), [OUT]) == SUCCESS).then(|| machine.ram.read64(OUT + 24))
}

/// Leaves the pool in pieces.
fn disturb(machine: &Machine, random: &mut Random) {
    let mut tables = Vec::new();
    for _ in 0..random.below(60) {
        tables.extend(other_table(machine, random));
    }
    // All of it but for some pages, now and then.
    if random.once_in(3) {
        let keep = random.below(12);
        let pool = &mut machine.fw.tables().tables.pool;
        while pool.free_pages() > keep && pool.allocate(&machine.ram, 0).is_some() {}
    }
    for table in tables {
        if random.once_in(2) {
            assert_eq!(machine.call(token("table-destroy"), [table]), SUCCESS);
        }
    }
    if random.once_in(3) {
        let start = (1 << 40) + (random.below(16) << 18);
        assert_eq!(machine.call(token("pool-donate"), [start, (1 + random.below(8)) << 18]), SUCCESS);
    }
}

#[test]
fn a_create_of_what_query_told_succeeds_and_of_more_doesn_t() {
    let seed = setting("OPALITE_SEED", 1);
    let (mut promised, mut refused) = (0, 0);
    for round in 0..setting("OPALITE_DDW_ROUNDS", 60) {
        let mut random = Random::new(seed << 32 | round);
        let machine = machine();
        let low = random.once_in(4);
        if low {
            // Window 1 is taken; the next one is window 0.
            assert_eq!(machine.real(2 * PE + 1, HIGH, 1 << 30), SUCCESS);
            assert_eq!(machine.remove(liobn(PE, 0)), 0);
        }
        disturb(&machine, &mut random);
        let free = machine.free();
        let (windows, tces, sizes) = machine.offer(CONFIG);
        assert_eq!((windows, sizes, machine.free()), (1, 0x103, free), "{round}");
        // Linux asks before it changes the mode.
        let limited = !low && random.once_in(2);
        if limited {
            assert_eq!(machine.reset_pe(CONFIG, &[1]), 0, "{round}");
        }
        if tces != 0 {
            for page in [12, 16, 21] {
                let bits = tces.ilog2()
                    - if random.once_in(2) { 0 } else { random.below(3) as u32 }.min(tces.ilog2());
                let made = machine.create(CONFIG, page, page + bits);
                assert!(
                    made.is_ok(),
                    "{round}: {bits} of {tces:x} entries of 1 << {page}: {made:?}, {free} pages"
                );
                let (number, base) = made.unwrap();
                promised += 1;
                // And mapping in it lacks nothing.
                let rest = machine.free();
                let memory = 0x1000_0000;
                for entry in [0, (1 << bits) - 1, random.below(1 << bits)] {
                    assert_eq!(machine.put(number, base + (entry << page), memory | 3), 0);
                }
                assert!(machine.arrives(RID, base + (((1 << bits) - 1) << page), memory));
                assert_eq!(machine.free(), rest, "{round}");
                assert_eq!(machine.remove(number), 0);
                if low {
                    // The default window came back.
                    assert_eq!(machine.remove(liobn(PE, 0)), 0);
                }
                assert_eq!(machine.free(), free, "{round}: all memory is back");
            }
        }
        // The most: twice as many fail with some page, in one of the modes.
        let bits = if tces == 0 { 0 } else { tces.ilog2() + 1 };
        let mut all = true;
        for mode in [0, 1] {
            if !low {
                assert_eq!(machine.reset_pe(CONFIG, &[mode]), 0, "{round}");
            }
            for page in [12, 16, 21] {
                match machine.create(CONFIG, page, page + bits) {
                    Ok((number, _)) => {
                        assert_eq!(machine.remove(number), 0);
                        if low {
                            assert_eq!(machine.remove(liobn(PE, 0)), 0);
                        }
                    }
                    Err(status) => {
                        assert!(status == -1 || status == -3 && low, "{round}: {status}");
                        refused += 1;
                        all = false;
                    }
                }
                assert_eq!(machine.free(), free, "{round}: a failed create made nothing");
            }
        }
        assert!(!all, "{round}: query told {tces:x}, but twice as many can be had");
    }
    assert!(promised > 50 && refused > 50, "{promised} {refused}");
}

#[test]
fn tables_run_out_and_query_says_so() {
    let machine = machine();
    let mut random = Random::new(7);
    let mut count = 0;
    for _ in 0..3000 {
        for (word, at) in [48 << 32, 12 << 32, 4096, 0, 0, 0].iter().zip((OUT..).step_by(8)) {
            machine.ram.write64(at, *word);
        }
        match machine.call(token("table-create"), [OUT]) {
            SUCCESS => count += 1,
            status => {
                assert_eq!(status, -10);
                break;
            }
        }
    }
    assert_eq!(count, 1024);
    assert!(machine.free() > 100);
    assert_eq!(machine.offer(CONFIG), (1, 0, 0x103));
    assert_eq!(machine.create(CONFIG, 12, 12), Err(-1));
    assert_eq!(machine.put(liobn(PE, 0), 0, MEMORY | 3), H_RESOURCE);
    assert_eq!(machine.put(liobn(PE, 0), 0, 0), 0);
    // What is wrong is said first, and taking something out makes nothing.
    assert_eq!(machine.put(liobn(PE, 0), 0, FIRMWARE.start | 3), H_PARAMETER);
    let put_list = |tces: [u64; 2]| {
        let list = 0x20_0000;
        machine.ram.write64(list, tces[0]);
        machine.ram.write64(list + 8, tces[1]);
        machine.call(token("put-tce-indirect"), [liobn(PE, 0), 0, list, 2])
    };
    assert_eq!(put_list([MEMORY | 3, 0]), H_RESOURCE);
    assert_eq!(put_list([MEMORY | 3, FIRMWARE.start | 3]), H_PARAMETER);
    assert_eq!(put_list([0, MEMORY]), 0);
    // The first one's handle.
    assert_eq!(machine.call(token("table-destroy"), [1]), SUCCESS);
    assert_ne!(machine.offer(CONFIG).1, 0);
    assert_eq!(machine.create(CONFIG, 12, 12 + random.below(8) as u32).map(|made| made.0), Ok(liobn(PE, 1)));
}
