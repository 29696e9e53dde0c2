//! Windows as their PE sees them: what moves, where, and what is there afterwards.

use crate::fixture::*;
use crate::machine::{Machine, PARAMETER, PHB3, SUCCESS, WRONG_STATE, set};
use opalite::hw::ram::Ram;

const LOW: u64 = liobn(PE, 0);
const TOP: u64 = liobn(PE, 1);

#[test]
fn the_default_window_is_made_when_something_is_mapped_there() {
    let machine = machine();
    let free = machine.free();
    assert_eq!(machine.get(LOW, 0), (0, 0));
    assert_eq!(machine.get(LOW, 0x3fff_ffff), (0, 0));
    // Taking out what isn't there needs no table.
    assert_eq!(machine.put(LOW, 0x1000, 0), 0);
    assert_eq!(machine.call(token("stuff-tce"), [LOW, 0, 0, 512]), 0);
    assert_eq!((machine.free(), machine.tve(0, 2 * PE)), (free, 0));
    // Nothing that fails makes one either.
    for (address, tce) in
        [(0x4000_0000, MEMORY | 3), (0, MEMORY | 7), (0, 0x40_0800 | 3), (0, 4), (u64::MAX, 0)]
    {
        assert_eq!(machine.put(LOW, address, tce), H_PARAMETER, "{address:x} {tce:x}");
    }
    for (address, count) in [(0, 0), (0x3fff_f000, 2), (0x4000_0000, 1)] {
        for tce in [0, MEMORY | 3] {
            let status = machine.call(token("stuff-tce"), [LOW, address, tce, count]);
            assert_eq!(status, H_PARAMETER, "{address:x} {count}");
        }
    }
    assert_eq!(machine.get(LOW, 0x4000_0000).0, H_PARAMETER);
    assert_eq!((machine.free(), machine.tve(0, 2 * PE)), (free, 0));

    assert_eq!(machine.put(LOW, 0x1234_5678, MEMORY | 3), 0);
    assert_eq!(free - machine.free(), 2, "two levels");
    assert_eq!(machine.get(LOW, 0x1234_5000), (0, MEMORY | 3));
    assert!(machine.arrives(RID, 0x1234_5008, MEMORY + 8));
    assert!(!machine.arrives(RID, 0x1234_6008, MEMORY + 8));
    machine.thaw(PE);
    // PE 9 has its own.
    assert_eq!(machine.get(liobn(OTHER_PE, 0), 0x1234_5000), (0, 0));
    assert!(!machine.arrives(OTHER_RID, 0x1234_5008, MEMORY + 8));
    assert_eq!(machine.put(LOW, 0x1234_5000, 0), 0);
    assert!(!machine.arrives(RID, 0x1234_5008, MEMORY + 8));
}

#[test]
fn stuffing_and_lists_open_the_default_window_too() {
    let machine = machine();
    assert_eq!(machine.call(token("stuff-tce"), [LOW, 0x5000, MEMORY | 2, 3]), 0);
    assert!(machine.arrives(RID, 0x7010, MEMORY + 0x10));
    let list = 0x20_0000;
    machine.ram.write64(list, 0);
    machine.ram.write64(list + 8, MEMORY | 3);
    let other = liobn(OTHER_PE, 0);
    assert_eq!(machine.call(token("put-tce-indirect"), [other, 0x3fff_e000, list, 2]), 0);
    assert!(machine.arrives(OTHER_RID, 0x3fff_f020, MEMORY + 0x20));
    // A bad list leaves the next PE without a table.
    assert_eq!(machine.set_pe(11, 0x0400, [7, 1, 1], 1), SUCCESS);
    machine.ram.write64(list, MEMORY | 0x80 | 3);
    let free = machine.free();
    assert_eq!(machine.call(token("put-tce-indirect"), [liobn(11, 0), 0, list, 2]), H_PARAMETER);
    assert_eq!((machine.free(), machine.tve(0, 22)), (free, 0));
}

#[test]
fn a_created_window_maps_by_its_liobn() {
    let machine = machine();
    let (number, base) = machine.create(CONFIG, 16, 32).unwrap();
    assert_eq!((number, base), (TOP, HIGH));
    assert_eq!(machine.get(TOP, base + 0x1_0000), (0, 0));
    assert_eq!(machine.put(TOP, base + 0xffff_0000, MEMORY | 3), 0);
    assert!(machine.arrives(RID, base + 0xffff_8000, MEMORY + 0x8000));
    for address in [base - 0x1_0000, base + (1 << 32), 0, 0xffff_0000] {
        assert_eq!(machine.put(TOP, address, MEMORY | 3), H_PARAMETER, "{address:x}");
    }
    // Beside the default window.
    assert_eq!(machine.put(LOW, 0, MEMORY | 3), 0);
    assert!(machine.arrives(RID, 0x18, MEMORY + 0x18));
    // It belongs to the PE: another PE's requester has nothing there, and may have its own.
    assert!(!machine.arrives(OTHER_RID, base + 0xffff_8000, MEMORY + 0x8000));
    machine.thaw(OTHER_PE);
    assert_eq!(machine.create(OTHER_CONFIG, 21, 40), Ok((liobn(OTHER_PE, 1), HIGH)));
    // A second requester of PE 5 shares it.
    assert_eq!(machine.set_pe(PE, 0x0108, [7, 1, 1], 1), SUCCESS);
    assert!(machine.arrives(0x0108, base + 0xffff_8000, MEMORY + 0x8000));
    assert_eq!(machine.create(0x1_0800, 21, 40), Err(-1), "that PE's window 1 is taken");
}

#[test]
fn other_calls_leave_papr_s_windows_and_numbers_alone() {
    let machine = machine();
    machine.create(CONFIG, 16, 32).unwrap();
    machine.put(LOW, 0, MEMORY | 3);
    let at = crate::machine::OUT;
    for window in [0, 1] {
        machine.ram.write64(at, 88 << 32);
        machine.ram.write64(at + 8, 0);
        machine.ram.write64(at + 16, PE << 32 | window);
        for word in 3..11 {
            machine.ram.write64(at + 8 * word, 0);
        }
        assert_eq!(machine.call(token("window-query"), [at]), SUCCESS);
        let (state, owner, handle) =
            (machine.ram.read32(at + 24), machine.ram.read32(at + 28), machine.ram.read64(at + 32));
        assert_eq!((state, owner, handle), (1, 1, 0), "firmware's, without a handle");
    }
    for handle in 1..20 {
        assert_eq!(machine.call(token("table-destroy"), [handle]), PARAMETER);
    }
    for number in [LOW, TOP] {
        assert_eq!(machine.call(token("liobn-bind"), [number, 1, 0]), PARAMETER);
        assert_eq!(machine.call(token("liobn-unbind"), [number]), PARAMETER);
    }
}

#[test]
fn removal_gives_memory_back_and_the_default_window_after_the_last_one() {
    let machine = machine();
    let free = machine.free();
    machine.put(LOW, 0, MEMORY | 3);
    let (_, base) = machine.create(CONFIG, 12, 30).unwrap();
    assert_eq!(machine.put(TOP, base, MEMORY | 3), 0);
    assert_eq!(machine.remove(LOW), 0);
    assert!(!machine.arrives(RID, 0x18, MEMORY + 0x18));
    machine.thaw(PE);
    assert_eq!(machine.put(LOW, 0, MEMORY | 3), H_PARAMETER, "no window");
    assert_eq!(machine.get(LOW, 0).0, H_PARAMETER);
    // Mapped or not.
    assert_eq!(machine.remove(TOP), 0);
    assert_eq!(machine.free(), free);
    assert_eq!((machine.tve(0, 2 * PE), machine.tve(0, 2 * PE + 1)), (0, 0));
    assert!(!machine.arrives(RID, base + 0x18, MEMORY + 0x18));
    machine.thaw(PE);
    // The last created one went, so the default window is back, empty.
    assert_eq!(machine.get(LOW, 0), (0, 0));
    assert_eq!(machine.put(LOW, 0, MEMORY | 3), 0);
    assert!(machine.arrives(RID, 0x28, MEMORY + 0x28));
    // Removed as the last one it stays away.
    assert_eq!(machine.remove(LOW), 0);
    assert_eq!(machine.put(LOW, 0, MEMORY | 3), H_PARAMETER);
    assert_eq!((machine.offer(CONFIG).0, machine.free()), (2, free));
    // Two created ones: window 1 comes first.
    assert_eq!(machine.create(CONFIG, 16, 30), Ok((TOP, HIGH)));
    assert_eq!(machine.create(CONFIG, 16, 31), Ok((LOW, 0)));
    assert_eq!(machine.put(LOW, 0x7fff_0000, MEMORY | 3), 0);
    assert!(machine.arrives(RID, 0x7fff_0018, MEMORY + 0x18));
    assert_eq!(machine.remove(LOW), 0);
    assert_eq!(machine.put(LOW, 0, MEMORY | 3), H_PARAMETER, "one that was created is left");
    assert_eq!(machine.remove(TOP), 0);
    assert_eq!((machine.put(LOW, 0, 0), machine.free()), (0, free));
}

#[test]
fn reset_closes_everything_and_gives_the_default_window_back() {
    let machine = machine();
    let free = machine.free();
    assert_eq!(machine.remove(LOW), 0);
    let (_, base) = machine.create(CONFIG, 21, 34).unwrap();
    assert_eq!(machine.create(CONFIG, 12, 30), Ok((LOW, 0)));
    machine.put(TOP, base, 0x800_0000 | 3);
    assert!(machine.arrives(RID, base + 8, 0x800_0008));
    assert_eq!(machine.reset_pe(CONFIG, &[]), 0);
    assert!(!machine.arrives(RID, base + 8, 0x800_0008));
    machine.thaw(PE);
    assert_eq!((machine.free(), machine.put(LOW, 0x3fff_f000, MEMORY | 3)), (free, 0));
    assert!(machine.arrives(RID, 0x3fff_f000, MEMORY));
    // Windows of other calls too.
    assert_eq!(machine.reset_pe(CONFIG, &[]), 0);
    assert_eq!(machine.map(2 * PE, 1, 0x2000_0000, 0x1000, 0x1000), SUCCESS);
    assert_eq!(machine.real(2 * PE + 1, HIGH, 1 << 30), SUCCESS);
    assert_eq!(machine.offer(CONFIG).0, 0);
    assert_eq!(machine.put(LOW, 0, MEMORY | 3), H_PARAMETER, "it isn't there");
    assert_eq!(machine.reset_pe(CONFIG, &[]), 0);
    assert_eq!((machine.tve(0, 2 * PE), machine.tve(0, 2 * PE + 1)), (0, 0));
    assert_eq!((machine.offer(CONFIG).0, machine.put(LOW, 0, MEMORY | 3)), (1, 0));
}

#[test]
fn what_the_os_puts_in_a_window_s_place_ends_it() {
    let free = machine().free();
    let ends: [fn(&Machine); 4] = [
        |m| assert_eq!(m.map(2 * PE + 1, 1, 0x2000_0000, 0x1000, 0x1000), SUCCESS),
        |m| assert_eq!(m.unmap(2 * PE + 1), SUCCESS),
        |m| assert_eq!(m.call(49, [0, 6, 1]), SUCCESS),
        |m| assert_eq!(m.call(token("window-unset"), [0, PE, 1]), SUCCESS),
    ];
    for (index, end) in ends.into_iter().enumerate() {
        let machine = machine();
        assert_eq!(machine.remove(LOW), 0);
        machine.create(CONFIG, 12, 30).unwrap();
        end(&machine);
        assert_eq!(machine.put(TOP, HIGH, MEMORY | 3), H_PARAMETER, "{index}");
        assert_eq!(machine.remove(TOP), -3, "{index}");
        // It was the last created one.
        assert_eq!(machine.get(LOW, 0), (0, 0), "{index}");
        assert_eq!(machine.free(), free, "{index}");
    }
    // Seen by whoever needs the memory, even for another PE.
    let machine = machine();
    machine.create(CONFIG, 12, 30).unwrap();
    let less = machine.offer(OTHER_CONFIG).1;
    assert_eq!(machine.unmap(2 * PE + 1), SUCCESS);
    machine.offer(OTHER_CONFIG);
    assert_eq!((less, machine.free()), (machine.offer(OTHER_CONFIG).1, free));
}

#[test]
fn limited_mode_puts_windows_at_4_gib() {
    let machine = machine();
    machine.put(LOW, 0, MEMORY | 3);
    assert_eq!(machine.reset_pe(CONFIG, &[1]), 0);
    assert_eq!(machine.call(180, [0, 1, crate::machine::OUT]), SUCCESS);
    assert_eq!(machine.ram.read64(crate::machine::OUT), 1, "PHB option 1");
    let free = machine.free();
    for page in [12, 16, 21] {
        let (number, base) = machine.create(CONFIG, page, 31).unwrap();
        assert_eq!((number, base), (TOP, FOUR_GIB));
        // Only levels above what is reached were made for the first 4 GiB.
        let leaves = (1 << (31 - page)) / 512_u64;
        assert!(free - machine.free() <= leaves + leaves / 256 + 3, "{page}: {}", free - machine.free());
        let size = 1 << page;
        let memory = 0x800_0000;
        let last = base + (1 << 31) - size;
        assert_eq!(machine.put(TOP, base, memory | 3), 0);
        assert_eq!(machine.put(TOP, last, (memory + size) | 3), 0);
        assert!(machine.arrives(RID, base + 8, memory + 8));
        assert!(machine.arrives(RID, last + 16, memory + size + 16));
        for address in [0, base - size, base + (1 << 31), HIGH + base] {
            assert_eq!(machine.put(TOP, address, memory | 3), H_PARAMETER, "{address:x}");
        }
        assert_eq!(machine.remove(TOP), 0);
        assert_eq!(machine.free(), free);
    }
    // The default window is as ever.
    assert_eq!(machine.put(LOW, 0x3fff_f000, MEMORY | 3), 0);
    assert!(machine.arrives(RID, 0x3fff_f008, MEMORY + 8));
    // A complete reset of the bridge puts all back.
    machine.create(CONFIG, 21, 40).unwrap();
    machine.put(TOP, FOUR_GIB, 0x800_0000 | 3);
    machine.complete_reset(0);
    assert!(machine.arrives(RID, FOUR_GIB + 0x10_0000, 0x810_0000));
}

#[test]
fn a_bridge_without_limited_mode_refuses_it_before_it_closes_anything() {
    set(&PHB3);
    let machine = machine();
    let table = 0x30_0000;
    assert_eq!(machine.call(44, [0, PE, 2 * PE + 1, 1, table, 4096, 4096]), SUCCESS);
    machine.ram.write64(table, MEMORY | 3);
    assert!(machine.arrives(RID, HIGH, MEMORY));
    // The bridge remembers it until something of the PE's is killed.
    machine.ram.write64(table, 0);
    assert_eq!(machine.reset_pe(CONFIG, &[1]), -1);
    assert!(machine.arrives(RID, HIGH, MEMORY), "the window was closed for a moment");
    assert_eq!(machine.reset_pe(CONFIG, &[0]), 0);
    assert!(!machine.arrives(RID, HIGH, MEMORY));
}

#[test]
fn limited_mode_doesn_t_move_another_pe_s_windows() {
    let machine = machine();
    machine.create(OTHER_CONFIG, 21, 34).unwrap();
    machine.put(liobn(OTHER_PE, 1), HIGH, 0x800_0000 | 3);
    // Of this PE everything stays as it is when the switch is refused.
    assert_eq!(machine.remove(LOW), 0);
    machine.create(CONFIG, 12, 30).unwrap();
    machine.put(TOP, HIGH, MEMORY | 3);
    let free = machine.free();
    assert_eq!(machine.reset_pe(CONFIG, &[1]), -1);
    assert!(machine.arrives(RID, HIGH + 8, MEMORY + 8));
    assert_eq!((machine.free(), machine.get(LOW, 0).0), (free, H_PARAMETER));
    // A closed one doesn't matter, and its own don't.
    assert_eq!(machine.remove(liobn(OTHER_PE, 1)), 0);
    machine.put(liobn(OTHER_PE, 0), 0, MEMORY | 3);
    assert_eq!(machine.reset_pe(CONFIG, &[1]), 0);
    assert_eq!(machine.create(CONFIG, 12, 30), Ok((TOP, FOUR_GIB)));
    assert!(machine.arrives(OTHER_RID, 8, MEMORY + 8), "a default window is on both sides the same");
    // Another PE's window 1 at 4 GiB keeps the mode.
    assert_eq!(machine.create(OTHER_CONFIG, 12, 30), Ok((liobn(OTHER_PE, 1), FOUR_GIB)));
    assert_eq!(machine.reset_pe(CONFIG, &[0]), -1);
    assert_eq!(machine.get(TOP, FOUR_GIB), (0, 0), "nothing has changed");
    // The form without a fourth argument puts up with that.
    assert_eq!(machine.reset_pe(CONFIG, &[]), 0);
    assert_eq!(machine.create(CONFIG, 12, 30), Ok((TOP, FOUR_GIB)));
    assert_eq!(machine.remove(TOP), 0);
    assert_eq!(machine.remove(liobn(OTHER_PE, 1)), 0);
    assert_eq!(machine.reset_pe(CONFIG, &[]), 0);
    assert_eq!(machine.create(CONFIG, 12, 30), Ok((TOP, HIGH)), "the usual mode again");
    // A window 0 beyond 4 GiB would lose a part.
    assert_eq!(machine.map(2 * OTHER_PE, 0, 0, 0, 0), SUCCESS);
    assert_eq!(machine.map(2 * OTHER_PE, 1, 0x2000_0000, 0x8000, 0x20_0000), SUCCESS);
    assert_eq!(machine.reset_pe(CONFIG, &[1]), -1);
    assert_eq!(machine.call(179, [0, 1, 1]), WRONG_STATE);
}

/// Which PE a requester is in is what the OS said last.
#[test]
fn windows_follow_the_pe_and_not_the_requester() {
    let machine = machine();
    let (_, base) = machine.create(CONFIG, 16, 32).unwrap();
    machine.put(TOP, base, MEMORY | 3);
    assert_eq!(machine.set_pe(OTHER_PE, RID.into(), [7, 1, 1], 1), SUCCESS);
    assert!(!machine.arrives(RID, base, MEMORY));
    machine.thaw(OTHER_PE);
    assert_eq!(machine.create(CONFIG, 16, 32), Ok((liobn(OTHER_PE, 1), HIGH)));
    assert_eq!(machine.put(liobn(OTHER_PE, 1), HIGH, (MEMORY + 0x1_0000) | 3), 0);
    assert!(machine.arrives(RID, base, MEMORY + 0x1_0000));
}
