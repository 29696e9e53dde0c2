//! Every status of every call, in the order that `doc/dma-windows/` gives; a refused call stores nothing.

use crate::client::*;
use crate::machine::{FIRMWARE, HARDWARE, OUT, PARAMETER, POOL, SUCCESS, WRONG_STATE};
use opalite::hw::ram::Ram;

/// A wrong value of an argument or of a field: which word, which bits of it, what they become, what is answered.
/// Word 0 is the structure's size and flags.
#[derive(Clone, Copy)]
struct Bad(&'static str, usize, u64, u64, i64);

const ALL: u64 = u64::MAX;
const HIGH: u64 = 0xffff_ffff_0000_0000;
const LOW: u64 = 0xffff_ffff;
const SIZE: u64 = HIGH;
const FLAGS: u64 = LOW;
/// What no call touches, whatever it is asked.
const PLACES: [Place; 7] = [(0, 5, 0), (0, 5, 1), (0, 6, 0), (0, 6, 1), (1, 5, 1), (3, 5, 1), (2, 5, 0)];
const LIOBNS: [(u64, u64); 3] = [(7, 0x1000), (7, 0x3000), (8, 0)];

/// A call and what is right for it.
struct Good<'a> {
    name: &'a str,
    /// Its structure, the first word too, or its arguments.
    words: &'a [u64],
    structure: bool,
}

impl Good<'_> {
    fn call(&self, client: &Client, words: &[u64]) -> i64 {
        if !self.structure {
            let mut args = [0; 7];
            args[..words.len()].copy_from_slice(words);
            return client.untouched(self.name, || client.named(self.name, args));
        }
        for (word, at) in words.iter().zip((OUT..).step_by(8)) {
            client.ram.write64(at, *word);
        }
        client.untouched(self.name, || client.named(self.name, [OUT]))
    }

    /// Each wrong value alone and each two together: the first one's status. With all values right the answer is
    /// `right`, if that isn't success.
    fn refuses(&self, client: &Client, bad: &[Bad], right: i64) {
        let before = Snapshot::of(client, &PLACES, &LIOBNS);
        for (place, first) in bad.iter().enumerate() {
            let mut words = self.words.to_vec();
            let change = |words: &mut [u64], bad: &Bad| words[bad.1] = words[bad.1] & !bad.2 | bad.3;
            change(&mut words, first);
            let status = self.call(client, &words);
            assert_eq!(status, first.4, "{}: {}", self.name, first.0);
            for second in bad[place + 1..].iter().filter(|other| other.1 != first.1 || other.2 & first.2 == 0)
            {
                let mut words = words.clone();
                change(&mut words, second);
                let status = self.call(client, &words);
                assert_eq!(status, first.4, "{}: {}, and {}", self.name, first.0, second.0);
            }
        }
        if right != SUCCESS {
            assert_eq!(self.call(client, self.words), right, "{}: nothing wrong but the state", self.name);
        }
        assert!(Snapshot::of(client, &PLACES, &LIOBNS) == before, "{}: something has changed", self.name);
        if self.structure {
            self.refuses_pointers(client);
        }
    }

    fn refuses_pointers(&self, client: &Client) {
        let size = 8 * self.words.len() as u64;
        for pointer in
            [0, OUT + 4, OUT + 1, FIRMWARE.start, FIRMWARE.start - size + 8, POOL.start, 1 << 50, !7]
        {
            let status = client.untouched(self.name, || client.named(self.name, [pointer]));
            assert_eq!(status, PARAMETER, "{}: {pointer:#x}", self.name);
        }
        // Longer than is known: with anything behind it, or too long.
        for (longer, behind) in [(size + 8, 1), (256, 1), (264, 0), (size + 4, 0), (1 << 31, 0)] {
            let mut words = self.words.to_vec();
            words[0] = words[0] & FLAGS | longer << 32;
            words.resize(longer.min(512) as usize / 8, 0);
            *words.last_mut().unwrap() |= behind;
            assert_eq!(self.call(client, &words), PARAMETER, "{}: size {longer}, {behind}", self.name);
        }
        for at in (OUT..OUT + 512).step_by(8) {
            client.ram.write64(at, 0);
        }
    }
}

/// Tables in several windows, something mapped, LIOBNs; all stores are looked at from here on.
fn furnished() -> (Client, u64) {
    let client = Client::new();
    let handle = client.create(12, 2, 1 << 30);
    client.set((0, 5, 1), handle);
    client.set((1, 5, 1), handle);
    assert_eq!(client.map_to(handle, 0x3000, 3, FRAMES, BOTH), SUCCESS);
    assert_eq!((client.bind(7, handle, 0), client.bind(8, handle, 0x10_0000)), (SUCCESS, SUCCESS));
    // Windows of the OS's own: a table and a bypass.
    assert_eq!(client.call(44, [0, 5, 10, 1, 0x2000_0000, 0x1000, 0x1000]), SUCCESS);
    assert_eq!(client.call(45, [0, 6, 13, 1 << 59, 1 << 30]), SUCCESS);
    client.ram.watch(0, 1 << 50);
    (client, handle)
}

fn structure(size: u64, flags: u64, fields: &[u64]) -> Vec<u64> {
    std::iter::once(size << 32 | flags).chain(fields.iter().copied()).collect()
}

const fn size_and_flags(least: u64, unknown: u64) -> [Bad; 3] {
    [
        Bad("size 0", 0, SIZE, 0, PARAMETER),
        Bad("size too small", 0, SIZE, (least - 8) << 32, PARAMETER),
        Bad("unknown flag", 0, FLAGS, unknown, PARAMETER),
    ]
}

#[test]
fn table_create() {
    let words = structure(48, 0, &[16 << 32 | 2, 1 << 40, 0, 0, 0]);
    let good = Good { name: "table-create", words: &words, structure: true };
    let mut bad = size_and_flags(48, 2).to_vec();
    bad.extend([
        Bad("the top flag", 0, FLAGS, 1 << 31, PARAMETER),
        Bad("page of 16 MiB", 1, HIGH, 24 << 32, PARAMETER),
        Bad("page shift 0", 1, HIGH, 0, PARAMETER),
        Bad("page shift 64 + 12", 1, HIGH, 76 << 32, PARAMETER),
        Bad("page shift 2^32 - 1", 1, HIGH, HIGH, PARAMETER),
        Bad("no size", 2, ALL, 0, PARAMETER),
        Bad("half a page", 2, ALL, (1 << 40) + 0x8000, PARAMETER),
        Bad("beyond 2^59", 2, ALL, (1 << 59) + 0x1_0000, PARAMETER),
        Bad("2^63", 2, ALL, 1 << 63, PARAMETER),
        Bad("six levels", 1, LOW, 6, PARAMETER),
        Bad("2^32 - 1 levels", 1, LOW, LOW, PARAMETER),
        // 5 * 9 + 16 bits
        Bad("levels wider than the bus", 1, LOW, 5, PARAMETER),
    ]);
    let (client, _) = furnished();
    good.refuses(&client, &bad, SUCCESS);
    client.fill_pool(0);
    good.refuses(&client, &bad, NO_MEM);
    let (client, _) = furnished();
    let mut made = Vec::new();
    while let Ok(table) = client.try_create(12, 1, 4096, 0) {
        made.push(table.handle);
    }
    assert_eq!(made.len(), 1023, "and the one before");
    good.refuses(&client, &bad, RESOURCE);
    // Both: 1024 tables, and no page is left.
    let (client, _) = furnished();
    let mut order = 10;
    for left in (0..1023).rev() {
        while client.pool().free < left + (1 << order)
            || client.try_create(12, 1, 1 << (order + 21), 0).is_err()
        {
            order -= 1;
        }
    }
    assert_eq!(client.pool().free, 0);
    good.refuses(&client, &bad, RESOURCE);
}

#[test]
fn table_destroy() {
    let (client, handle) = furnished();
    let gone = client.create(12, 1, 4096);
    assert_eq!(client.destroy(gone), SUCCESS);
    let next = client.create(12, 1, 4096);
    assert_ne!(gone, next, "a handle is never used again");
    let good = Good { name: "table-destroy", words: &[handle], structure: false };
    let bad = [
        Bad("no handle", 0, ALL, 0, PARAMETER),
        Bad("destroyed", 0, ALL, gone, PARAMETER),
        Bad("never was", 0, ALL, handle + 1000, PARAMETER),
        Bad("2^32 more", 0, ALL, handle + (1 << 32), PARAMETER),
        Bad("2^16 more", 0, ALL, handle + (1 << 16), PARAMETER),
        Bad("all ones", 0, ALL, ALL, PARAMETER),
    ];
    good.refuses(&client, &bad, WRONG_STATE);
    // No LIOBN names it, but it is set; then the other way round.
    assert_eq!((client.unbind(7), client.unbind(8)), (SUCCESS, SUCCESS));
    good.refuses(&client, &bad, WRONG_STATE);
    assert_eq!(client.bind(9, handle, 0), SUCCESS);
    assert_eq!((client.unset((0, 5, 1)), client.unset((1, 5, 1))), (SUCCESS, SUCCESS));
    good.refuses(&client, &bad, WRONG_STATE);
    assert_eq!((client.unbind(9), client.destroy(handle)), (SUCCESS, SUCCESS));
    assert_eq!((client.destroy(handle), client.destroy(next)), (PARAMETER, SUCCESS));
    assert_eq!(client.pool().free, POOL_PAGES);
}

const RUN: [Bad; 7] = [
    Bad("no table", 1, ALL, 0x99, PARAMETER),
    Bad("offset within a page", 2, 0xfff, 0x800, PARAMETER),
    Bad("no pages", 3, ALL, 0, PARAMETER),
    Bad("4097 pages", 3, ALL, 4097, PARAMETER),
    Bad("2^63 pages", 3, ALL, 1 << 63, PARAMETER),
    Bad("beyond the window", 2, !0xfff, 1 << 30, PARAMETER),
    Bad("the last of them beyond the window", 2, !0xfff, (1 << 30) - 0x1000, PARAMETER),
];

#[test]
fn table_map() {
    let (client, handle) = furnished();
    assert_eq!(client.donate(0x1000_0000, 1 << 18), SUCCESS);
    let words = structure(56, 3, &[handle, 0x10_0000, 2, FRAMES, 0, 0]);
    let good = Good { name: "table-map", words: &words, structure: true };
    let mut bad = size_and_flags(56, 8 | 3).to_vec();
    bad.extend([
        Bad("no permission", 0, FLAGS, 0, PARAMETER),
        Bad("segments without a list", 6, ALL, 1, PARAMETER),
    ]);
    bad.extend(RUN);
    let pages = words[3] * PAGE;
    bad.extend([
        Bad("old entries into firmware", 5, ALL, FIRMWARE.start, PARAMETER),
        Bad("old entries not aligned", 5, ALL, PREVIOUS + 4, PARAMETER),
        Bad("old entries half in RAM", 5, ALL, FIRMWARE.start - 8, PARAMETER),
        Bad("memory not aligned", 4, ALL, FRAMES + 0x800, PARAMETER),
        Bad("memory of firmware", 4, ALL, FIRMWARE.start, PARAMETER),
        Bad("the last of it firmware's", 4, ALL, FIRMWARE.start - pages + PAGE, PARAMETER),
        Bad("no memory", 4, ALL, 1 << 50, PARAMETER),
        Bad("a kernel's address", 4, ALL, 0xc000_0000_0000_0000 | FRAMES, PARAMETER),
        Bad("memory at the end of numbers", 4, ALL, 0xffff_ffff_ffff_f000, PARAMETER),
        Bad("donated", 4, ALL, 0x1000_0000, PARAMETER),
        Bad("the last of it donated", 4, ALL, 0x1000_0000 - pages + PAGE, PARAMETER),
        Bad("the first of it donated", 4, ALL, 0x1000_0000 + (1 << 18) - PAGE, PARAMETER),
    ]);
    good.refuses(&client, &bad, SUCCESS);
    // A level is missing and there is no room for one.
    client.fill_pool(0);
    let words = structure(56, 3, &[handle, 0x2000_0000, 2, FRAMES, 0, 0]);
    let good = Good { name: "table-map", words: &words, structure: true };
    good.refuses(&client, &bad, NO_MEM);
}

#[test]
fn table_map_of_a_list() {
    let (client, handle) = furnished();
    assert_eq!(client.donate(0x1000_0000, 1 << 18), SUCCESS);
    let words = structure(56, 7, &[handle, 0x10_0000, 3, SEGMENTS, 0, 2]);
    let good = Good { name: "table-map", words: &words, structure: true };
    let mut bad = vec![
        Bad("a list without segments", 6, ALL, 0, PARAMETER),
        Bad("257 segments", 6, ALL, 257, PARAMETER),
        Bad("2^60 segments", 6, ALL, 1 << 60, PARAMETER),
    ];
    bad.extend(RUN);
    bad.extend([
        Bad("list of firmware", 4, ALL, FIRMWARE.start, PARAMETER),
        Bad("the end of the list firmware's", 4, ALL, FIRMWARE.start - 16, PARAMETER),
        Bad("no list", 4, ALL, 0, PARAMETER),
        Bad("list not aligned", 4, ALL, SEGMENTS + 4, PARAMETER),
    ]);
    let list = |list: [(u64, u64); 2]| {
        for (&(address, pages), at) in list.iter().zip((SEGMENTS..).step_by(16)) {
            client.ram.write64(at, address);
            client.ram.write64(at + 8, pages);
        }
    };
    list([(FRAMES, 2), (FRAMES + 0x10_0000, 1)]);
    good.refuses(&client, &bad, SUCCESS);
    for wrong in [
        [(FRAMES + 0x800, 2), (FRAMES, 1)],
        [(FRAMES, 2), (FRAMES + 8, 1)],
        [(FRAMES, 3), (FRAMES, 0)],
        [(FRAMES, 1), (FRAMES, 1)],
        [(FRAMES, 2), (FRAMES, 2)],
        [(FRAMES, 4), (FRAMES, u64::MAX)],
        [(FRAMES, 1 << 52), (FRAMES, 3)],
        [(FRAMES, 2), (FIRMWARE.start, 1)],
        [(FIRMWARE.start - PAGE, 2), (FRAMES, 1)],
        [(FRAMES, 2), (0x1000_0000, 1)],
        [(0x1003_f000, 2), (FRAMES, 1)],
    ] {
        list(wrong);
        good.refuses(&client, &bad, PARAMETER);
    }
    client.fill_pool(0);
    let words = structure(56, 7, &[handle, 0x2000_0000, 3, SEGMENTS, 0, 2]);
    list([(FRAMES, 2), (FRAMES + 0x10_0000, 1)]);
    Good { words: &words, ..good }.refuses(&client, &bad, NO_MEM);
}

#[test]
fn table_unmap() {
    let (client, handle) = furnished();
    let words = structure(40, 0, &[handle, 0x3000, 2, PREVIOUS]);
    let good = Good { name: "table-unmap", words: &words, structure: true };
    let mut bad = size_and_flags(40, 1).to_vec();
    bad.extend(RUN);
    bad.extend([
        Bad("old entries into firmware", 4, ALL, FIRMWARE.start, PARAMETER),
        Bad("old entries not aligned", 4, ALL, PREVIOUS + 4, PARAMETER),
    ]);
    good.refuses(&client, &bad, SUCCESS);
}

/// Fields 2 and 3 of a structure name a slot.
const SLOT: [Bad; 7] = [
    Bad("no such bridge", 1, ALL, 6, PARAMETER),
    Bad("bridge 2^32", 1, ALL, 1 << 32, PARAMETER),
    Bad("bridge 2^16 more", 1, ALL, 1 << 16, PARAMETER),
    Bad("window 2", 2, LOW, 2, PARAMETER),
    Bad("no such PE", 2, HIGH, 512 << 32, PARAMETER),
    Bad("the reserved PE", 2, HIGH, 511 << 32, PARAMETER),
    Bad("PE 2^31", 2, HIGH, 1 << 63, PARAMETER),
];

#[test]
fn window_set() {
    let (client, handle) = furnished();
    let words = structure(56, 0, &[0, 6 << 32, handle, 0, 0, 0]);
    let good = Good { name: "window-set", words: &words, structure: true };
    let mut bad = size_and_flags(56, 2).to_vec();
    bad.extend(SLOT);
    bad.push(Bad("no table", 3, ALL, 0x99, PARAMETER));
    good.refuses(&client, &bad, SUCCESS);
    // Open: by the OS's table, by the OS's bypass, by ours.
    for place in [5 << 32, 6 << 32 | 1, 5 << 32 | 1] {
        let words = structure(56, 0, &[0, place, handle, 0, 0, 0]);
        Good { words: &words, ..good }.refuses(&client, &bad, WRONG_STATE);
    }
    client.models[0].fence();
    let words = structure(56, 0, &[0, 6 << 32, handle, 0, 0, 0]);
    assert_eq!(client.try_set((0, 6, 0), handle, 0), Err(HARDWARE));
    assert_eq!(client.try_set((0, 6, 1), handle, 0), Err(WRONG_STATE));
    let words_bad = structure(56, 0, &[0, 6 << 32, 0x99, 0, 0, 0]);
    Good { words: &words_bad, ..good }.refuses(&client, &bad[..3], PARAMETER);
    drop(words);
}

#[test]
fn window_set_in_the_4_gib_mode() {
    let client = Client::new();
    assert_eq!(client.call(179, [0, 1, 1]), SUCCESS);
    let small = client.create(12, 0, 1 << 32);
    let flat = client.create(16, 1, (1 << 32) + (1 << 16));
    let large = client.create(16, 2, (1 << 32) + (1 << 16));
    client.ram.watch(0, 1 << 50);
    // Nothing of 4 GiB is in window 1; it is said before that the window is open.
    assert_eq!(client.try_set((0, 5, 1), small, 0), Err(PARAMETER));
    assert_eq!(client.try_set((0, 5, 0), flat, 0), Err(PARAMETER), "one level in window 0, over 4 GiB");
    let reach = |origin, first, last| Ok(Reach { origin, first, last });
    assert_eq!(client.try_set((0, 5, 0), large, 0), reach(0, 0, (1 << 32) - 1));
    assert_eq!(client.try_set((0, 5, 0), flat, 0), Err(WRONG_STATE), "open is said first");
    assert_eq!(client.try_set((0, 5, 1), flat, 0), reach(0, 1 << 32, (1 << 32) + 0xffff));
    assert_eq!(client.try_set((0, 5, 1), small, 0), Err(PARAMETER));
    assert_eq!(client.try_set((0, 5, 1), small, REPLACE), Err(PARAMETER));
    assert_eq!(client.query((0, 5, 1)).handle, flat);
    // Before the bridge is asked at all.
    client.models[0].fence();
    assert_eq!(client.try_set((0, 6, 0), flat, 0), Err(PARAMETER));
    assert_eq!(client.try_set((0, 6, 0), large, 0), Err(HARDWARE));
}

#[test]
fn window_unset() {
    let (client, _) = furnished();
    let good = |words: &[u64], right| {
        let bad = [
            Bad("no such bridge", 0, ALL, 6, PARAMETER),
            Bad("bridge 2^32", 0, ALL, 1 << 32, PARAMETER),
            Bad("no such PE", 1, ALL, 512, PARAMETER),
            Bad("the reserved PE", 1, ALL, 511, PARAMETER),
            Bad("PE 2^32 more", 1, ALL, 5 + (1 << 32), PARAMETER),
            Bad("PE 2^63", 1, ALL, 1 << 63, PARAMETER),
            Bad("window 2", 2, ALL, 2, PARAMETER),
            Bad("window 2^32", 2, ALL, 1 << 32, PARAMETER),
        ];
        Good { name: "window-unset", words, structure: false }.refuses(&client, &bad, right);
    };
    good(&[0, 6, 0], EMPTY);
    good(&[0, 5, 0], WRONG_STATE);
    good(&[0, 6, 1], WRONG_STATE);
    good(&[0, 5, 1], SUCCESS);
    client.models[0].fence();
    good(&[0, 6, 0], EMPTY);
    good(&[0, 5, 0], WRONG_STATE);
    assert_eq!(client.unset((0, 5, 1)), HARDWARE);
}

#[test]
fn window_query() {
    let (client, handle) = furnished();
    let words = structure(88, 0, &[0, 6 << 32, 0, 0, 0, 0, 0, 0, 0, 0]);
    let good = Good { name: "window-query", words: &words, structure: true };
    let mut bad = size_and_flags(88, 1).to_vec();
    bad.extend(SLOT);
    good.refuses(&client, &bad, SUCCESS);
    assert_eq!(client.query((0, 6, 0)), CLOSED);
    let reach = |origin, size| Reach { origin, first: origin, last: origin + size - 1 };
    let ours = client.query((0, 5, 1));
    assert_eq!(ours.table % PAGE, 0);
    assert!(POOL.contains(&ours.table));
    let wanted = Window {
        state: 1,
        owner: 1,
        handle,
        page_shift: 12,
        levels: 2,
        reach: reach(1 << 59, 1 << 30),
        table: ours.table,
        shared: 2,
    };
    assert_eq!((ours, client.query((1, 5, 1))), (wanted, wanted));
    let os = Window {
        state: 1,
        page_shift: 12,
        levels: 1,
        reach: reach(0, 1 << 21),
        table: 0x2000_0000,
        ..CLOSED
    };
    assert_eq!(client.query((0, 5, 0)), os);
    assert_eq!(client.query((0, 6, 1)), Window { state: 2, reach: reach(1 << 59, 1 << 30), ..CLOSED });
}

#[test]
fn bypass_set() {
    let (client, _) = furnished();
    let words = structure(56, 0, &[1, 6 << 32 | 1, 0, 0, 0, 0]);
    let good = Good { name: "bypass-set", words: &words, structure: true };
    let mut bad = size_and_flags(56, 2).to_vec();
    bad.extend([Bad("mode 2", 3, ALL, 2, PARAMETER), Bad("mode 2^32", 3, ALL, 1 << 32, PARAMETER)]);
    bad.extend([SLOT[0], SLOT[1], SLOT[3]]);
    bad.extend([
        Bad("the reserved PE", 2, HIGH, 255 << 32, PARAMETER),
        Bad("window 0", 2, LOW, 0, PARAMETER),
    ]);
    bad.push(Bad("offset in the usual mode", 3, ALL, 1, WRONG_STATE));
    good.refuses(&client, &bad, SUCCESS);
    let words = structure(56, 0, &[1, 5 << 32 | 1, 0, 0, 0, 0]);
    Good { words: &words, ..good }.refuses(&client, &bad, WRONG_STATE);
    client.models[1].fence();
    assert_eq!(client.bypass((1, 6, 1), 0, 0), Err(HARDWARE));
    assert_eq!(client.bypass((1, 5, 1), 0, 0), Err(WRONG_STATE));
    assert_eq!(client.query((1, 6, 1)), CLOSED);
    // All memory of 2^50 bytes by 2 MiB pages is more than the pool has.
    assert_eq!(client.call(179, [2, 1, 1]), SUCCESS);
    let words = structure(56, 0, &[2, 6 << 32 | 1, 1, 0, 0, 0]);
    let mut in_that_mode = bad[..bad.len() - 1].to_vec();
    in_that_mode.push(Bad("identity in the 4 GiB mode", 3, ALL, 0, WRONG_STATE));
    Good { words: &words, ..good }.refuses(&client, &in_that_mode, SUCCESS);
    let before = client.pool();
    assert_eq!(client.bypass((2, 6, 1), 1, 0), Err(NO_MEM));
    assert_eq!((client.pool(), client.query((2, 6, 1))), (before, CLOSED));
    while client.try_create(12, 1, 4096, 0).is_ok() {}
    assert_eq!(client.bypass((2, 6, 1), 1, 0), Err(RESOURCE));
}

#[test]
fn pool_donate_and_reclaim() {
    let (client, _) = furnished();
    const AT: u64 = 0x1000_0000;
    const PIECE: u64 = 1 << 18;
    assert_eq!(client.donate(AT, 2 * PIECE), SUCCESS);
    let bad = [
        Bad("firmware's", 0, ALL, FIRMWARE.start, PARAMETER),
        Bad("no RAM", 0, ALL, 1 << 50, PARAMETER),
        Bad("wraps", 0, ALL, (PIECE - 1) ^ ALL, PARAMETER),
        Bad("start not aligned", 0, ALL, AT * 2 + PAGE, PARAMETER),
        Bad("size not aligned", 1, ALL, PIECE + PAGE, PARAMETER),
        Bad("nothing", 1, ALL, 0, PARAMETER),
        Bad("over 4 GiB", 1, ALL, (1 << 32) + PIECE, PARAMETER),
        Bad("donated before", 0, ALL, AT, PARAMETER),
        Bad("its end donated before", 0, ALL, AT - PIECE, PARAMETER),
        Bad("its start donated before", 0, ALL, AT + PIECE, PARAMETER),
        Bad("around what was donated", 0, ALL, AT - PIECE, PARAMETER),
    ];
    let good = Good { name: "pool-donate", words: &[AT * 2, 2 * PIECE], structure: false };
    good.refuses(&client, &bad, SUCCESS);
    for piece in 1..15 {
        assert_eq!(client.donate(AT * 4 + piece * PIECE, PIECE), SUCCESS, "{piece}");
    }
    good.refuses(&client, &bad, RESOURCE);
    assert_eq!(client.pool().pieces, 16);

    let good = Good { name: "pool-reclaim", words: &[AT, 2 * PIECE], structure: false };
    let bad = [
        Bad("firmware's own piece", 0, ALL, POOL.start, PARAMETER),
        Bad("nothing there", 0, ALL, AT * 2, PARAMETER),
        Bad("half of it", 1, ALL, PIECE, PARAMETER),
        Bad("more than it", 1, ALL, 3 * PIECE, PARAMETER),
        Bad("its second half", 0, ALL, AT + PIECE, PARAMETER),
        Bad("no size", 1, ALL, 0, PARAMETER),
        Bad("wraps", 1, ALL, ALL, PARAMETER),
    ];
    good.refuses(&client, &bad, SUCCESS);
    assert_eq!(client.named("pool-reclaim", [0, 0]), PARAMETER);
    assert_eq!(client.named("pool-reclaim", [POOL.start, POOL.end - POOL.start]), PARAMETER);
    client.fill_pool(0);
    good.refuses(&client, &bad, WRONG_STATE);
}

#[test]
fn pool_query() {
    let (client, _) = furnished();
    let words = structure(40, 0, &[0; 4]);
    let good = Good { name: "pool-query", words: &words, structure: true };
    good.refuses(&client, &size_and_flags(40, 1), SUCCESS);
}

#[test]
fn liobn_bind_and_unbind() {
    let (client, handle) = furnished();
    let good = Good { name: "liobn-bind", words: &[0x7fff_ffff, handle, 0x1000], structure: false };
    let bad = [
        Bad("firmware's own", 0, ALL, 0x8000_0000, PARAMETER),
        Bad("33 bits", 0, ALL, 1 << 32 | 5, PARAMETER),
        Bad("no table", 1, ALL, 0x99, PARAMETER),
        Bad("base within a page", 2, ALL, 0x800, PARAMETER),
        Bad("beyond 2^64", 2, ALL, (1_u64 << 30).wrapping_neg() | 0x1000, PARAMETER),
        Bad("bound", 0, ALL, 7, WRONG_STATE),
    ];
    fn check(bad: &[Bad]) {
        assert!(bad.iter().all(|bad| bad.4 != SUCCESS));
    }
    check(&bad);
    good.refuses(&client, &bad, SUCCESS);
    // Up to the end of numbers is right.
    assert_eq!(client.bind(0x7fff_ffff, handle, (1_u64 << 30).wrapping_neg()), SUCCESS);
    assert_eq!(client.get(0x7fff_ffff, u64::MAX), Ok(0));
    assert_eq!(client.unbind(0x7fff_ffff), SUCCESS);
    for liobn in 100..2146 {
        assert_eq!(client.bind(liobn, handle, 0), SUCCESS, "{liobn}");
    }
    good.refuses(&client, &bad, RESOURCE);
    let good = Good { name: "liobn-unbind", words: &[100], structure: false };
    let bad = [
        Bad("not bound", 0, ALL, 99, PARAMETER),
        Bad("33 bits", 0, ALL, 1 << 32 | 100, PARAMETER),
        Bad("firmware's own", 0, ALL, 0x8000_0000, PARAMETER),
    ];
    good.refuses(&client, &bad, SUCCESS);
    assert_eq!((client.unbind(100), client.unbind(100)), (SUCCESS, PARAMETER));
}

const H_FUNCTION: i64 = -2;
const H_PARAMETER: i64 = -4;
const H_RESOURCE: i64 = -16;
const H_P4: i64 = -57;

#[test]
fn tce_calls() {
    let (client, _) = furnished();
    assert_eq!(client.donate(0x1000_0000, 1 << 18), SUCCESS);
    let place = [
        Bad("not bound", 0, ALL, 9, H_PARAMETER),
        Bad("33 bits", 0, ALL, 1 << 32 | 8, H_PARAMETER),
        Bad("below the base", 1, ALL, 0xf_ffff, H_PARAMETER),
        Bad("behind the window", 1, ALL, 0x4010_0000, H_PARAMETER),
        Bad("far behind", 1, ALL, ALL, H_PARAMETER),
    ];
    let tce = |word| {
        [
            Bad("low bits", word, ALL, FRAMES | 3 | 4, H_PARAMETER),
            Bad("bit 11", word, ALL, FRAMES | 3 | 0x800, H_PARAMETER),
            Bad("low bits without permission", word, ALL, FRAMES | 0x10, H_PARAMETER),
            Bad("firmware", word, ALL, FIRMWARE.start | 3, H_PARAMETER),
            Bad("no RAM", word, ALL, 1 << 60 | 3, H_PARAMETER),
            Bad("donated", word, ALL, 0x1000_0000 | 1, H_PARAMETER),
        ]
    };
    let put = Good { name: "put-tce", words: &[8, 0x2010_0000, FRAMES | 3], structure: false };
    let put_bad: Vec<_> = place.into_iter().chain(tce(2)).collect();
    put.refuses(&client, &put_bad, SUCCESS);

    let stuff = Good { name: "stuff-tce", words: &[8, 0x2010_0000, FRAMES | 3, 2], structure: false };
    let mut stuff_bad = vec![
        Bad("513", 3, ALL, 513, H_P4),
        Bad("2^32 + 1", 3, ALL, 1 << 32 | 1, H_P4),
        Bad("none", 3, ALL, 0, H_PARAMETER),
    ];
    stuff_bad.extend(&put_bad);
    stuff_bad.push(Bad("the second behind the window", 1, ALL, 0x400f_ffff, H_PARAMETER));
    stuff.refuses(&client, &stuff_bad, SUCCESS);

    client.ram.write64(SEGMENTS, FRAMES | 3);
    client.ram.write64(SEGMENTS + 8, FRAMES | 1);
    let list = Good { name: "put-tce-indirect", words: &[8, 0x2010_0000, SEGMENTS, 2], structure: false };
    let mut list_bad = vec![
        Bad("several tables", 0, ALL, 2_u64.wrapping_neg(), H_FUNCTION),
        Bad("none", 3, ALL, 0, H_PARAMETER),
        Bad("513", 3, ALL, 513, H_PARAMETER),
        Bad("list not aligned", 2, ALL, SEGMENTS + 8, H_PARAMETER),
        Bad("list of firmware", 2, ALL, FIRMWARE.start, H_PARAMETER),
        Bad("no list", 2, ALL, 0, H_PARAMETER),
    ];
    list_bad.extend(place);
    list_bad.push(Bad("the second behind the window", 1, ALL, 0x400f_ffff, H_PARAMETER));
    list.refuses(&client, &list_bad, SUCCESS);
    for bad in tce(0) {
        client.ram.write64(SEGMENTS + 8, bad.3);
        list.refuses(&client, &list_bad, H_PARAMETER);
    }
    client.ram.write64(SEGMENTS + 8, FRAMES | 1);

    let get = Good { name: "get-tce", words: &[8, 0x2010_0000, PREVIOUS], structure: false };
    let mut get_bad = vec![
        Bad("no pointer", 2, ALL, 0, H_PARAMETER),
        Bad("pointer not aligned", 2, ALL, PREVIOUS + 4, H_PARAMETER),
        Bad("firmware's", 2, ALL, FIRMWARE.start, H_PARAMETER),
    ];
    get_bad.extend(place);
    get.refuses(&client, &get_bad, SUCCESS);

    client.fill_pool(0);
    put.refuses(&client, &put_bad, H_RESOURCE);
    stuff.refuses(&client, &stuff_bad, H_RESOURCE);
    list.refuses(&client, &list_bad, H_RESOURCE);
    // What maps nothing needs no level.
    assert_eq!(client.put(8, 0x2010_0000, FRAMES), 0);
    assert_eq!(client.stuff(8, 0x2010_0000, 0, 512), 0);
}

/// Fields that aren't outputs stay as they are, and so does what is behind the structure.
#[test]
fn a_served_call_writes_its_outputs_only() {
    let (client, handle) = furnished();
    let cases: [(&str, u64, Vec<u64>, std::ops::Range<u64>); 5] = [
        ("table-create", 0, vec![12 << 32 | 1, 1 << 20, 5, 5, 5], 24..48),
        ("window-set", 0, vec![2, 5 << 32, handle, 5, 5, 5], 32..56),
        ("bypass-set", 0, vec![2, 5 << 32 | 1, 0, 5, 5, 5], 32..56),
        ("window-query", 0, vec![0, 5 << 32, 5, 5, 5, 5, 5, 5, 5, 5], 24..88),
        ("pool-query", 0, vec![5, 5, 5, 5], 8..40),
    ];
    for (name, flags, fields, outputs) in cases {
        let known = 8 * (fields.len() as u64 + 1);
        for size in [known, 256] {
            let words = structure(size, flags, &fields);
            (OUT..OUT + 256).step_by(8).for_each(|at| client.ram.write64(at, 0));
            words.iter().zip((OUT..).step_by(8)).for_each(|(word, at)| client.ram.write64(at, *word));
            client.ram.write64(OUT + size, 0x77);
            if size == 256 && name != "window-query" {
                for window in [0, 1] {
                    client.unset((2, 5, window));
                }
            }
            client.ram.take_writes();
            assert_eq!(client.named(name, [OUT]), SUCCESS, "{name} of {size} bytes");
            let stores = client.ram.take_writes();
            let ours = stores.iter().filter(|store| store.address < FIRMWARE.start);
            let mut written: Vec<u64> =
                ours.flat_map(|store| store.address..store.address + store.bytes.len() as u64).collect();
            written.sort_unstable();
            assert_eq!(written, (OUT + outputs.start..OUT + outputs.end).collect::<Vec<_>>(), "{name}");
        }
    }
}
