//! Tables and their entries: shapes, levels made when first touched, runs and lists, old entries, permissions; and what a
//! device then reaches.

use crate::client::*;
use crate::machine::{PARAMETER, POOL, SUCCESS};

const BIT59: u64 = 1 << 59;

#[test]
fn firmware_chooses_the_fewest_levels_of_at_most_16_kib() {
    let client = Client::new();
    // Page, size of the window, levels asked for; levels, log2 of a level's bytes.
    let cases: [(u64, u64, u64, u32, u32); 16] = [
        (16, 1 << 44, 0, 3, 13),
        (12, 1, 0, 1, 12),
        (12, 1 << 9, 0, 1, 12),
        (12, 1 << 11, 0, 1, 14),
        (12, (1 << 11) + 1, 0, 2, 12),
        (12, 1 << 22, 0, 2, 14),
        (12, (1 << 22) + 1, 0, 3, 12),
        (16, 1 << 15, 0, 2, 12),
        (21, 1 << 11, 0, 1, 14),
        (30, 1 << 27, 0, 3, 12),
        (12, 1 << 9, 5, 5, 12),
        (12, 1 << 15, 1, 1, 18),
        (12, 1 << 15, 2, 2, 12),
        (16, 1 << 28, 2, 2, 17),
        (16, 1 << 28, 4, 4, 12),
        (21, 1 << 20, 2, 2, 13),
    ];
    for (page, pages, asked, levels, shift) in cases {
        // Sizes that aren't in pages yet are those of the list, in pages.
        let size = if page == 16 && pages == 1 << 44 { pages } else { pages << page };
        let made = client.try_create(page, asked, size, 0).unwrap();
        assert_eq!((made.levels, made.level_shift), (levels, shift), "{page} {pages:#x} {asked}");
        assert_eq!(made.memory, 1 << shift);
        assert_eq!(client.destroy(made.handle), SUCCESS);
    }
    assert_eq!(client.pool().free, POOL_PAGES);
}

#[test]
fn a_window_of_16_tib_costs_what_is_mapped() {
    let client = Client::new();
    let made = client.try_create(16, 0, 1 << 44, 0).unwrap();
    assert_eq!((made.memory, client.pool().free), (0x2000, POOL_PAGES - 2), "8 KiB at first");
    client.set((0, 5, 1), made.handle);
    let device = client.device(0, 5);
    let cost = |offset: u64| {
        let before = client.pool().free;
        assert_eq!(client.map_to(made.handle, offset, 1, FRAMES, BOTH), SUCCESS);
        before - client.pool().free
    };
    // Levels of 1024 entries: 64 MiB for a leaf, 64 GiB for the one above.
    assert_eq!(cost(0x12 << 36 | 0x45 << 26 | 0x67 << 16), 4, "two levels of 8 KiB");
    assert_eq!(cost(0x12 << 36 | 0x45 << 26 | 0x68 << 16), 0);
    assert_eq!(cost(0x12 << 36 | 0x46 << 26), 2);
    assert_eq!(cost(0x13 << 36), 4);
    assert!(device.writes(BIT59 | 0x12 << 36 | 0x45 << 26 | 0x67_1234, FRAMES + 0x1234));
    assert!(!device.writes(BIT59 | 0x12 << 36 | 0x45 << 26 | 0x66_1234, FRAMES + 0x1234));
    assert!(!device.writes(BIT59 | 0x11 << 36, FRAMES));
    // What is unmapped leaves its levels; asking for nothing makes none.
    let before = client.pool().free;
    assert_eq!(client.unmap_pages(made.handle, 0x12 << 36, 4096), SUCCESS);
    assert_eq!(client.unmap_pages(made.handle, 0xff << 36, 1), SUCCESS);
    assert_eq!(client.pool().free, before);
    assert_eq!((client.unset((0, 5, 1)), client.destroy(made.handle)), (SUCCESS, SUCCESS));
    assert_eq!(client.pool().free, POOL_PAGES, "all is given back, mapped or not");
}

#[test]
fn a_run_over_many_levels_arrives_page_by_page() {
    let client = Client::new();
    for (page, levels) in [(12, 3), (16, 2), (21, 2), (12, 5), (16, 4)] {
        let handle = client.create(page, levels, 1 << (page + 13));
        client.set((1, 7, 0), handle);
        let device = client.device(1, 7);
        let at = |index: u64| index << page;
        // 4096 pages from the 500th on: over nine leaves of 512.
        let old = client.replace(handle, at(500), 4096, FRAMES, BOTH);
        assert_eq!(old, [0; 4096]);
        for index in [0, 11, 12, 13, 523, 524, 2048, 4094, 4095] {
            assert!(device.writes(at(500 + index) + 8, FRAMES + at(index) + 8), "{page} {levels}: {index}");
        }
        for index in [0, 499, 4596, 8191] {
            assert!(!device.writes(at(index), FRAMES), "{page} {levels}: {index}");
        }
        assert!(!device.writes(at(8192), FRAMES), "behind the window");
        let (entries, _) = client.walk((1, 7, 0));
        let wanted = (0..4096).map(|index| (500 + index, (FRAMES + at(index)) | 3)).collect();
        assert_eq!(entries, wanted);
        // Replaced by less, in the middle.
        let old = client.replace(handle, at(1000), 3, FRAMES + (1 << 36), READ);
        assert_eq!(old, [500, 501, 502].map(|index| (FRAMES + at(index)) | 3));
        assert!(device.reads(at(1001), FRAMES + (1 << 36) + at(1)));
        assert!(!device.writes(at(1001), FRAMES + (1 << 36) + at(1)));
        assert!(device.writes(at(999), FRAMES + at(499)) && device.writes(at(1003), FRAMES + at(503)));
        let old = client.take_out(handle, at(998), 6);
        let second = |index| (FRAMES + (1 << 36) + at(index)) | 1;
        let first = |index| (FRAMES + at(index)) | 3;
        assert_eq!(old, [first(498), first(499), second(0), second(1), second(2), first(503)]);
        assert!(!device.reads(at(1001), FRAMES + (1 << 36) + at(1)));
        assert!(device.writes(at(997), FRAMES + at(497)) && device.writes(at(1004), FRAMES + at(504)));
        assert_eq!((client.unset((1, 7, 0)), client.destroy(handle)), (SUCCESS, SUCCESS));
    }
}

#[test]
fn permissions_are_as_asked() {
    let client = Client::new();
    let handle = client.create(12, 1, 1 << 21);
    client.set((0, 5, 0), handle);
    let device = client.device(0, 5);
    for (access, reads, writes) in [(READ, true, false), (WRITE, false, true), (BOTH, true, true)] {
        assert_eq!(client.map_to(handle, 0x7000, 1, FRAMES, access), SUCCESS);
        assert_eq!(
            (device.reads(0x7010, FRAMES + 0x10), device.writes(0x7010, FRAMES + 0x10)),
            (reads, writes)
        );
        assert_eq!(client.walk((0, 5, 0)).0[&7], FRAMES | u64::from(access));
    }
}

#[test]
fn a_list_of_segments_lies_one_after_another() {
    let client = Client::new();
    let handle = client.create(12, 2, 1 << 24);
    client.set((0, 5, 0), handle);
    let device = client.device(0, 5);
    let list = [(FRAMES, 3), (FRAMES + 0x80_0000, 1), (FRAMES + 0x10_0000, 600), (FRAMES + 0x80_0000, 2)];
    assert_eq!(client.map_list(handle, 510 << 12, &list, BOTH), SUCCESS);
    assert_eq!(client.previous(606), [0; 606]);
    for (index, frame) in [
        (0, 0),
        (2, 0x2000),
        (3, 0x80_0000),
        (4, 0x10_0000),
        (603, 0x35_7000),
        (604, 0x80_0000),
        (605, 0x80_1000),
    ] {
        assert!(device.writes((510 + index) << 12, FRAMES + frame), "{index}");
    }
    assert!(!device.writes(509 << 12, FRAMES) && !device.writes(1116 << 12, FRAMES));
    // As many segments and pages as there may be.
    let list: Vec<_> = (0..256).map(|index| (FRAMES + (255 - index) * 0x10_0000, 16)).collect();
    assert_eq!(client.map_list(handle, 0, &list, WRITE), SUCCESS);
    let old = client.previous(4096);
    assert_eq!((old[509], old[510], old[1115], old[1116]), (0, FRAMES | 3, (FRAMES + 0x80_1000) | 3, 0));
    assert!(
        (0..256)
            .all(|index| device.writes(index << 16 | 0xf010, FRAMES + (255 - index) * 0x10_0000 + 0xf010))
    );
    assert!(!device.reads(0, FRAMES + 255 * 0x10_0000));
}

#[test]
fn a_window_ends_where_it_was_said_to() {
    let client = Client::new();
    // 5 pages, and 513 of two levels.
    for (pages, levels) in [(5_u64, 1), (513, 2), (513, 0)] {
        let handle = client.create(16, levels, pages << 16);
        let reach = client.set((0, 5, 1), handle);
        assert_eq!(reach, Reach { origin: BIT59, first: BIT59, last: BIT59 + (pages << 16) - 1 });
        assert_eq!(client.query((0, 5, 1)).reach, reach);
        let device = client.device(0, 5);
        assert_eq!(client.map_to(handle, (pages - 1) << 16, 1, FRAMES, BOTH), SUCCESS);
        assert_eq!(client.map_to(handle, (pages - 1) << 16, 2, FRAMES, BOTH), PARAMETER);
        assert_eq!(client.map_to(handle, pages << 16, 1, FRAMES, BOTH), PARAMETER);
        assert_eq!(client.unmap_pages(handle, pages << 16, 1), PARAMETER);
        assert!(device.writes(reach.last - 3, FRAMES + 0xfffc));
        assert!(!device.writes(reach.last + 1, FRAMES));
        assert_eq!((client.unset((0, 5, 1)), client.destroy(handle)), (SUCCESS, SUCCESS));
    }
}

#[test]
fn the_widest_windows_work_at_both_ends() {
    let client = Client::new();
    for (page, levels, size) in [(12, 5, 1 << 57), (16, 4, 1 << 52), (30, 3, 1 << 57), (21, 4, 1 << 57)] {
        let handle = client.create(page, levels, size);
        let reach = client.set((0, 5, 1), handle);
        assert_eq!(reach.last, BIT59 + size - 1);
        let device = client.device(0, 5);
        for offset in [0, size - (1 << page), size / 2] {
            assert_eq!(client.map_to(handle, offset, 1, FRAMES, BOTH), SUCCESS);
            assert!(device.writes(BIT59 + offset + 16, FRAMES + 16));
        }
        assert!(!device.writes(BIT59 + size / 4, FRAMES));
        assert_eq!((client.unset((0, 5, 1)), client.destroy(handle)), (SUCCESS, SUCCESS));
    }
    assert_eq!(client.pool().free, POOL_PAGES);
}

/// Fresh levels hold nothing of what was there before.
#[test]
fn memory_of_a_destroyed_table_comes_back_empty() {
    let client = Client::new();
    for round in 0..4 {
        let handle = client.create(12, 2, 1 << 30);
        client.set((0, 5, 0), handle);
        assert_eq!(client.walk((0, 5, 0)).0.len(), 0, "round {round}");
        assert_eq!(client.map_to(handle, 0x10_0000 * round, 1000, FRAMES, BOTH), SUCCESS);
        assert_eq!(client.walk((0, 5, 0)).0.len(), 1000);
        assert_eq!((client.unset((0, 5, 0)), client.destroy(handle)), (SUCCESS, SUCCESS));
    }
}

#[test]
fn a_whole_table_never_lacks_memory() {
    let client = Client::new();
    let before = client.pool().free;
    let made = client.try_create(12, 2, 1000 << 12, WHOLE).unwrap();
    assert_eq!((made.memory, before - client.pool().free), (3 * PAGE, 3), "a top level and two below");
    client.set((0, 5, 0), made.handle);
    client.fill_pool(0);
    assert_eq!(client.map_to(made.handle, 0, 1000, FRAMES, BOTH), SUCCESS);
    assert_eq!(client.walk((0, 5, 0)).0.len(), 1000);
    assert_eq!((client.unset((0, 5, 0)), client.destroy(made.handle)), (SUCCESS, SUCCESS));
    assert_eq!(client.pool().free, 3);
    let client = Client::new();
    // 2^19 pages: 1024 leaves of 512, two levels above, one at the top. Twice as many are more than the pool has.
    assert_eq!(client.try_create(16, 3, 1 << 36, WHOLE), Err(NO_MEM));
    assert_eq!(client.pool().free, POOL_PAGES);
    let made = client.try_create(16, 3, 1 << 35, WHOLE).unwrap();
    assert_eq!((made.level_shift, POOL_PAGES - client.pool().free, made.memory), (12, 1027, 1027 * PAGE));
}

/// An entry must not be seen before what the OS wrote into the page.
#[test]
fn stores_of_the_os_come_before_the_entry() {
    let client = Client::new();
    let handle = client.create(12, 1, 1 << 21);
    client.set((0, 5, 0), handle);
    assert_eq!(client.bind(7, handle, 0), SUCCESS);
    client.ram.watch(POOL.start, POOL.end - POOL.start);
    for act in ["table-map", "put-tce", "put-tce-indirect", "stuff-tce"] {
        client.ram.take_writes();
        let before = client.ram.syncs();
        match act {
            "table-map" => assert_eq!(client.map_to(handle, 0, 2, FRAMES, BOTH), SUCCESS),
            "put-tce" => assert_eq!(client.put(7, 0, FRAMES | 3), 0),
            "put-tce-indirect" => assert_eq!(client.put_list(7, 0, &[FRAMES | 3]), 0),
            _ => assert_eq!(client.stuff(7, 0, FRAMES | 3, 2), 0),
        }
        let stamps = client.ram.write_stamps();
        assert!(!stamps.is_empty() && stamps.iter().all(|stamp| *stamp > before), "{act}");
    }
}

/// A walk that begins while levels are made must see none of them before all are there: when one is missing they go
/// back to the pool, and a bridge might have remembered them.
#[test]
fn levels_of_an_act_that_lacks_memory_were_never_to_be_walked() {
    let client = Client::new();
    let made = client.try_create(12, 3, 1 << 39, 0).unwrap();
    client.set((0, 5, 0), made.handle);
    let top = client.query((0, 5, 0)).table;
    client.ram.watch(top, PAGE);
    let singles = client.fill_pool(2);
    assert_eq!(client.destroy(singles[0]), SUCCESS);
    client.ram.take_writes();
    assert_eq!(client.map_to(made.handle, 7 << 30, 1, FRAMES, BOTH), NO_MEM);
    for store in client.ram.take_writes() {
        assert!(store.bytes.last().unwrap() & 3 == 0, "{store:x?}");
    }
    assert_eq!((client.walk((0, 5, 0)).1, client.pool().free), (vec![top], 1));
    assert_eq!(client.destroy(singles[1]), SUCCESS);
    assert_eq!(client.map_to(made.handle, 7 << 30, 1, FRAMES, BOTH), SUCCESS);
    assert!(client.device(0, 5).writes(7 << 30, FRAMES));
}
