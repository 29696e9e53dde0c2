//! bypass-set in both modes of a bridge, with firmware's memory cut out.

use crate::client::*;
use crate::machine::windows::GIB;
use crate::machine::{FIRMWARE, SUCCESS, WRONG_STATE};

const BIT59: u64 = 1 << 59;
const FOUR_GIB: u64 = 1 << 32;

#[test]
fn identity_reaches_all_ram_of_the_os_and_nothing_of_firmwares() {
    let client = Client::new();
    let reach = client.bypass((0, 5, 1), 0, 0);
    assert_eq!(reach, Ok(Reach { origin: BIT59, first: BIT59, last: BIT59 + FIRMWARE.start - 1 }));
    let bypass = Window { state: 2, owner: 1, reach: reach.unwrap(), shared: 1, ..CLOSED };
    assert_eq!(client.query((0, 5, 1)), bypass);
    let device = client.device(0, 5);
    for real in [0, 0x1234_5678, 1 << 40, FIRMWARE.start - 4] {
        assert!(device.writes(BIT59 | real, real) && device.reads(BIT59 | real, real));
    }
    for real in [FIRMWARE.start, FIRMWARE.end - 4] {
        assert_eq!(device.load(BIT59 | real), None);
        assert!(!device.writes(BIT59 | real, real));
    }
    assert_eq!(client.bypass((0, 5, 1), 0, 0), Err(WRONG_STATE));
    assert_eq!(client.bypass((0, 5, 1), 0, REPLACE), reach);
    assert_eq!(client.unset((0, 5, 1)), SUCCESS);
    assert!(!device.writes(BIT59, 0));
    assert_eq!(client.query((0, 5, 1)), CLOSED);
}

#[test]
fn a_bypass_and_a_table_replace_each_other() {
    let client = Client::new();
    let device = client.device(0, 5);
    let handle = client.create(12, 1, 1 << 20);
    assert_eq!(client.map_to(handle, 0, 1, FRAMES, BOTH), SUCCESS);
    client.set((0, 5, 1), handle);
    assert!(client.bypass((0, 5, 1), 0, REPLACE).is_ok());
    assert!(device.writes(BIT59 | 0x1_0000, 0x1_0000));
    assert_eq!(client.query((0, 5, 1)).owner, 1);
    assert!(client.try_set((0, 5, 1), handle, REPLACE).is_ok());
    assert!(device.writes(BIT59, FRAMES) && !device.writes(BIT59 | 0x1_0000, 0x1_0000));
    assert!(client.bypass((0, 5, 1), 0, REPLACE).is_ok());
    assert_eq!(client.destroy(handle), SUCCESS, "it is set nowhere");
}

/// A bypass that the OS put over ours is the OS's.
#[test]
fn a_bypass_by_call_45_is_the_os_s_own() {
    let client = Client::new();
    assert!(client.bypass((0, 5, 1), 0, 0).is_ok());
    assert_eq!(client.call(45, [0, 5, 11, BIT59, GIB]), SUCCESS);
    let reach = Reach { origin: BIT59, first: BIT59, last: BIT59 + GIB - 1 };
    assert_eq!(client.query((0, 5, 1)), Window { state: 2, reach, ..CLOSED });
    assert_eq!(client.unset((0, 5, 1)), WRONG_STATE);
}

/// RAM in pieces, one of which ends on an odd 64 KiB and one begins on 1 MiB.
fn in_pieces() -> Client {
    Client::with_memory(&[0..0x4001_0000, 0x8010_0000..0xc000_0000, 5 << 30..6 << 30])
}

fn four_gib(client: &Client, phb: u64) {
    assert_eq!(client.call(179, [phb, 1, 1]), SUCCESS);
}

#[test]
fn offset_reaches_each_piece_of_ram_at_4_gib_more() {
    let client = in_pieces();
    let before = client.pool();
    four_gib(&client, 0);
    four_gib(&client, 1);
    let reach = client.bypass((0, 5, 1), 1, 0);
    assert_eq!(reach, Ok(Reach { origin: FOUR_GIB, first: FOUR_GIB, last: FOUR_GIB + (6 << 30) - 1 }));
    let used = client.pool().free;
    for place in [(0, 6, 1), (1, 5, 1)] {
        assert_eq!(client.bypass(place, 1, 0), reach);
    }
    assert_eq!(client.pool().free, used, "one table for all");
    let window = client.query((0, 5, 1));
    assert_eq!((window.state, window.owner, window.handle, window.shared), (1, 1, 0, 3));
    assert_eq!(window.page_shift, 16, "the largest page that divides all borders");
    for device in [client.device(0, 5), client.device(0, 6), client.device(1, 5)] {
        for real in
            [0, 0x4000_fffc, 0x8010_0000, 0xbfff_fffc, 5 << 30, (6 << 30) - 4, 0x1234_5678, 0x9876_5430]
        {
            assert!(device.writes(FOUR_GIB + real, real), "{real:#x}");
            assert!(device.reads(FOUR_GIB + real, real), "{real:#x}");
        }
        for hole in
            [0x4001_0000, 0x800f_fffc, 0xc000_0000, (5 << 30) - 4, 6 << 30, FIRMWARE.start, FIRMWARE.end - 4]
        {
            assert_eq!(device.load(FOUR_GIB + hole), None, "{hole:#x}");
        }
        assert_eq!(device.load(0x1000), None, "window 0 is closed");
    }
    // It has no handle: nobody can map there or destroy it.
    for handle in 0..64 {
        assert_ne!(client.map_to(handle, FOUR_GIB, 1, FRAMES, BOTH), SUCCESS);
        assert_ne!(client.destroy(handle), SUCCESS);
    }
    // The last one takes the table with it.
    for place in [(0, 5, 1), (1, 5, 1)] {
        assert_eq!(client.unset(place), SUCCESS);
        assert_eq!(client.pool().free, used);
    }
    assert_eq!(client.bypass((0, 6, 1), 1, REPLACE), reach);
    assert_eq!(client.pool().free, used);
    assert_eq!(client.unset((0, 6, 1)), SUCCESS);
    assert_eq!(client.pool(), before);
}

#[test]
fn the_offset_table_goes_with_its_last_user_however_that_leaves() {
    let client = in_pieces();
    four_gib(&client, 0);
    let device = client.device(0, 5);
    let handle = client.create(12, 0, FOUR_GIB + (1 << 20));
    assert_eq!(client.map_to(handle, FOUR_GIB, 1, 0x8020_0000, BOTH), SUCCESS);
    let before = client.pool().free;
    // Replaced by a table.
    assert!(client.bypass((0, 5, 1), 1, 0).is_ok());
    assert!(client.pool().free < before);
    assert!(client.try_set((0, 5, 1), handle, REPLACE).is_ok());
    assert!(device.writes(FOUR_GIB, 0x8020_0000));
    assert_eq!(client.pool().free, before, "replaced by a table");
    // Replacing a table, then closed by call 44: the next act notices.
    assert!(client.bypass((0, 5, 1), 1, REPLACE).is_ok());
    assert!(device.writes(FOUR_GIB + 0x100, 0x100));
    assert_eq!(client.call(44, [0, 5, 11, 0, 0, 0, 0]), SUCCESS);
    assert!(client.try_set((0, 5, 1), handle, 0).is_ok());
    assert_eq!(client.pool().free, before, "closed by call 44");
    // A refused one makes none.
    assert_eq!(client.bypass((0, 5, 1), 1, 0), Err(WRONG_STATE));
    client.models[0].fence();
    assert_eq!(client.bypass((0, 6, 1), 1, 0), Err(-6));
    assert_eq!(client.pool().free, before);
}

#[test]
fn running_out_while_the_offset_table_is_made_changes_nothing() {
    let client = in_pieces();
    four_gib(&client, 0);
    let singles = client.fill_pool(200);
    for single in singles {
        let before = (client.pool(), client.ram.bytes(crate::machine::POOL.start, 4096));
        match client.bypass((0, 5, 1), 1, 0) {
            Ok(_) => {
                assert_eq!(client.unset((0, 5, 1)), SUCCESS);
                assert_eq!(client.pool(), before.0);
                return;
            }
            Err(status) => assert_eq!(status, NO_MEM),
        }
        assert_eq!((client.pool(), client.ram.bytes(crate::machine::POOL.start, 4096)), before);
        assert_eq!(client.query((0, 5, 1)), CLOSED);
        assert_eq!(client.destroy(single), SUCCESS);
    }
    panic!("200 pages aren't enough");
}
