//! Beside the standard calls 44 and 45, and through resets: who owns a slot, and what a bridge holds afterwards.

use crate::client::*;
use crate::machine::{HARDWARE, SUCCESS, WRONG_STATE};
use opalite::hw::ram::Ram;

const OURS: u64 = 0x2000_0000;

/// Call 44 on window 0 of PE 5 of bridge 0: a table of the OS's own.
fn by_44(client: &Client, levels: u64) -> i64 {
    client.call(44, [0, 5, 10, levels, OURS, 0x1000 * levels.min(1), 0x1000 * levels.min(1)])
}

#[test]
fn call_44_takes_a_slot_and_gives_it_back() {
    let client = Client::new();
    let handle = client.create(12, 1, 1 << 21);
    client.ram.write64(OURS, (FRAMES + 0x10_0000) | 3);
    assert_eq!(client.map_to(handle, 0, 1, FRAMES, BOTH), SUCCESS);
    let device = client.device(0, 5);
    client.set((1, 5, 0), handle);
    for closes in [false, true] {
        client.set((0, 5, 0), handle);
        assert!(device.writes(4, FRAMES + 4));
        assert_eq!(by_44(&client, u64::from(!closes)), SUCCESS);
        // First seen from the other slot: it isn't counted any more.
        assert_eq!(client.query((1, 5, 0)).shared, 1);
        let window = client.query((0, 5, 0));
        assert_eq!((window.state, window.owner, window.handle), (u32::from(!closes), 0, 0));
        assert_eq!(device.writes(4, FRAMES + 0x10_0004), !closes);
        assert_eq!(client.unset((0, 5, 0)), if closes { EMPTY } else { WRONG_STATE });
        // An act on the table leaves that window alone.
        client.models[0].clear_writes();
        assert_eq!(client.map_to(handle, 0, 1, FRAMES, BOTH), SUCCESS);
        assert_eq!(client.kills(0), []);
        assert_eq!(by_44(&client, 0), SUCCESS);
    }
    assert_eq!(client.destroy(handle), WRONG_STATE);
    assert_eq!((client.unset((1, 5, 0)), client.destroy(handle)), (SUCCESS, SUCCESS));
}

#[test]
fn a_table_whose_windows_call_44_closed_can_be_destroyed() {
    let client = Client::new();
    let handle = client.create(12, 2, 1 << 30);
    client.set((0, 5, 0), handle);
    client.set((0, 5, 1), handle);
    assert_eq!(by_44(&client, 1), SUCCESS);
    assert_eq!(client.destroy(handle), WRONG_STATE);
    assert_eq!(client.call(45, [0, 5, 11, 1 << 59, 1 << 30]), SUCCESS);
    assert_eq!(client.destroy(handle), SUCCESS);
    // A table in the same memory isn't thought to be there.
    let next = client.create(12, 2, 1 << 30);
    assert_eq!((client.query((0, 5, 0)).owner, client.query((0, 5, 1)).owner), (0, 0));
    client.set((0, 6, 0), next);
    assert_eq!(client.query((0, 6, 0)).shared, 1);
}

#[test]
fn a_reset_of_the_tables_closes_the_windows_and_keeps_the_tables() {
    let client = Client::new();
    let handle = client.create(16, 2, 1 << 34);
    assert_eq!(client.map_to(handle, 1 << 33, 1, FRAMES, BOTH), SUCCESS);
    assert_eq!(client.bind(7, handle, 0), SUCCESS);
    for place in [(0, 5, 0), (0, 6, 1), (1, 5, 0)] {
        client.set(place, handle);
    }
    assert!(client.bypass((0, 5, 1), 0, 0).is_ok());
    assert_eq!(client.call(49, [0, 6, 1]), SUCCESS);
    for place in [(0, 5, 0), (0, 6, 1), (0, 5, 1)] {
        assert_eq!(client.query(place), CLOSED);
        assert_eq!(client.unset(place), EMPTY);
    }
    assert_eq!(client.query((1, 5, 0)).shared, 1);
    assert_eq!(client.get(7, 1 << 33), Ok(FRAMES | 3));
    // And again: the table still maps what it did.
    client.set((0, 5, 0), handle);
    assert!(client.device(0, 5).writes(1 << 33 | 8, FRAMES + 8));
    assert_eq!(client.query((1, 5, 0)).shared, 2);
}

#[test]
fn a_complete_reset_puts_all_windows_back() {
    let client = Client::new();
    let handle = client.create(16, 2, 1 << 34);
    assert_eq!(client.map_to(handle, 0, 1, FRAMES, BOTH), SUCCESS);
    client.set((0, 5, 0), handle);
    client.set((1, 5, 0), handle);
    assert!(client.bypass((0, 5, 1), 0, 0).is_ok());
    assert!(client.device(0, 5).writes(0, FRAMES));
    let windows = [(0, 5, 0), (0, 5, 1), (1, 5, 0)].map(|place| client.query(place));
    // While it lasts the bridge takes no window, but the table can change.
    let wait = client.call(49, [0, 1, 1]);
    assert!(wait > 0, "{wait}");
    assert_eq!(client.try_set((0, 6, 0), handle, 0), Err(HARDWARE));
    assert_eq!(client.unset((0, 5, 0)), HARDWARE);
    assert_eq!(client.bypass((0, 6, 1), 0, 0), Err(HARDWARE));
    assert_eq!(client.map_to(handle, 0, 2, FRAMES + 0x10_0000, BOTH), SUCCESS);
    assert!(client.device(1, 5).writes(0, FRAMES + 0x10_0000));
    assert_eq!(client.finish(0, wait).0, SUCCESS);
    assert_eq!([(0, 5, 0), (0, 5, 1), (1, 5, 0)].map(|place| client.query(place)), windows);
    let device = client.device(0, 5);
    // The links come up again before a device masters the bus.
    assert!(device.writes(0x1_0000, FRAMES + 0x11_0000) && device.writes(1 << 59 | 0x8000, 0x8000));
}

#[test]
fn a_fenced_bridge_is_no_hindrance_to_changes() {
    let client = Client::new();
    let handle = client.create(16, 2, 1 << 34);
    assert_eq!(client.bind(7, handle, 0), SUCCESS);
    assert_eq!(client.map_to(handle, 0, 1, FRAMES, BOTH), SUCCESS);
    client.set((0, 5, 0), handle);
    client.set((1, 5, 0), handle);
    assert!(client.device(0, 5).writes(0, FRAMES));
    client.models[0].fence();
    assert_eq!(client.map_to(handle, 0, 1, FRAMES + 0x10_0000, BOTH), SUCCESS);
    assert_eq!(client.put(7, 0x1_0000, (FRAMES + 0x20_0000) | 3), 0);
    assert_eq!(client.unmap_pages(handle, 0x2_0000, 1), SUCCESS);
    let other = client.device(1, 5);
    assert!(other.writes(0, FRAMES + 0x10_0000) && other.writes(0x1_0000, FRAMES + 0x20_0000));
    // Set there, it can't go.
    assert_eq!((client.unset((0, 5, 0)), client.unbind(7)), (HARDWARE, SUCCESS));
    assert_eq!(client.unset((1, 5, 0)), SUCCESS);
    assert_eq!(client.destroy(handle), WRONG_STATE);
    client.complete_reset(0);
    let device = client.device(0, 5);
    assert!(device.writes(0, FRAMES + 0x10_0000) && device.writes(0x1_0000, FRAMES + 0x20_0000));
    assert_eq!((client.unset((0, 5, 0)), client.destroy(handle)), (SUCCESS, SUCCESS));
    assert_eq!(client.pool().free, POOL_PAGES);
}
