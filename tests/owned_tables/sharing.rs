//! One table in windows of several PEs on several bridges: one invalidation for each window and act, and no more; the
//! model's bridges remember old entries until then.

use crate::client::*;
use crate::machine::{SUCCESS, WRONG_STATE};
use opalite::hw::ram::Ram;

const PLACES: [Place; 6] = [(0, 5, 0), (0, 6, 1), (0, 300, 0), (1, 5, 1), (1, 254, 0), (5, 9, 1)];

fn origin(place: Place) -> u64 {
    place.2 << 59
}

/// A table in all of [`PLACES`], with a device in each PE.
fn shared() -> (Client, u64) {
    let client = Client::new();
    let handle = client.create(16, 2, 1 << 35);
    for (count, place) in (1..).zip(PLACES) {
        client.set(place, handle);
        client.device(place.0, place.1);
        assert_eq!(client.query(place).shared, count);
    }
    assert_eq!(client.bind(7, handle, 0), SUCCESS);
    (client, handle)
}

fn everywhere(client: &Client, offset: u64, real: u64) -> Vec<bool> {
    PLACES.iter().map(|&place| client.device(place.0, place.1).reads(origin(place) + offset, real)).collect()
}

const OLD: u64 = FRAMES;
const NEW: u64 = FRAMES + 0x1000_0000;

/// Has every bridge remember the old entries of pages 3 and 4, and that page 9 has none.
fn warm(client: &Client, handle: u64) {
    assert_eq!(client.map_to(handle, 3 << 16, 2, OLD, BOTH), SUCCESS);
    assert_eq!(client.unmap_pages(handle, 9 << 16, 1), SUCCESS);
    for page in [3, 4] {
        assert_eq!(everywhere(client, page << 16, OLD + ((page - 3) << 16)), [true; 6]);
    }
    assert_eq!(everywhere(client, 9 << 16, OLD), [false; 6]);
}

type Change = fn(&Client, u64) -> i64;

/// What changes page 3 to [`NEW`], and what takes it out.
const CHANGES: [(&str, Change, bool); 8] = [
    ("table-map", |client, handle| client.map_to(handle, 3 << 16, 1, NEW, BOTH), true),
    ("table-map of a list", |client, handle| client.map_list(handle, 3 << 16, &[(NEW, 1)], BOTH), true),
    ("put-tce", |client, _| client.put(7, 3 << 16, NEW | 3), true),
    ("put-tce-indirect", |client, _| client.put_list(7, 3 << 16, &[NEW | 3; 512]), true),
    ("stuff-tce", |client, _| client.stuff(7, 3 << 16, NEW | 3, 512), true),
    ("table-unmap", |client, handle| client.unmap_pages(handle, 0, 4096), false),
    ("put-tce of nothing", |client, _| client.put(7, 3 << 16, 0), false),
    ("stuff-tce of nothing", |client, _| client.stuff(7, 0, 0, 512), false),
];

#[test]
fn every_bridge_forgets_and_is_asked_once_for_each_window() {
    let (client, handle) = shared();
    for (name, change, maps) in CHANGES {
        warm(&client, handle);
        client.models.iter().for_each(|model| model.clear_writes());
        assert_eq!(change(&client, handle), SUCCESS, "{name}");
        for phb in 0..6 {
            let mut kills = client.kills(phb);
            kills.sort_unstable();
            let wanted: Vec<u64> =
                PLACES.iter().filter(|place| place.0 == phb).map(|place| 1 << 62 | place.1).collect();
            assert_eq!(kills, wanted, "{name}: bridge {phb}");
            assert!(!client.models[phb as usize].kill_pending(), "{name}: waited for");
        }
        assert_eq!(everywhere(&client, 3 << 16, NEW), [maps; 6], "{name}");
        if !maps {
            assert_eq!(everywhere(&client, 3 << 16, OLD), [false; 6], "{name}");
        }
    }
}

/// The control of the test above: without the invalidation the bridges go on with what they remember.
#[test]
fn without_an_invalidation_every_bridge_would_use_the_old_entry() {
    let (client, handle) = shared();
    warm(&client, handle);
    let leaf = client.walk(PLACES[0]).1[1];
    assert_eq!(client.ram.read64(leaf + 8 * 3), OLD | 3);
    client.ram.write64(leaf + 8 * 3, NEW | 3);
    client.ram.write64(leaf + 8 * 9, NEW | 3);
    assert_eq!(everywhere(&client, 3 << 16, OLD), [true; 6], "stale");
    assert_eq!(everywhere(&client, 9 << 16, NEW), [false; 6], "a miss is remembered too");
    // Any act on the table mends it.
    assert_eq!(client.unmap_pages(handle, 1 << 30, 1), SUCCESS);
    assert_eq!(everywhere(&client, 3 << 16, NEW), [true; 6]);
    assert_eq!(everywhere(&client, 9 << 16, NEW), [true; 6]);
}

#[test]
fn a_new_mapping_is_seen_where_a_miss_was_remembered() {
    let (client, handle) = shared();
    warm(&client, handle);
    assert_eq!(client.map_to(handle, 9 << 16, 1, NEW, BOTH), SUCCESS);
    assert_eq!(everywhere(&client, 9 << 16, NEW), [true; 6]);
    // And where a level was missing.
    assert_eq!(everywhere(&client, 5 << 31, NEW), [false; 6]);
    assert_eq!(client.put(7, 5 << 31, NEW | 1), 0);
    assert_eq!(everywhere(&client, 5 << 31, NEW), [true; 6]);
}

#[test]
fn other_tables_and_other_windows_are_left_alone() {
    let (client, handle) = shared();
    let other = client.create(12, 1, 1 << 20);
    client.set((0, 5, 1), other);
    client.set((2, 5, 0), other);
    assert_eq!(client.map_to(other, 0, 1, OLD, BOTH), SUCCESS);
    client.models.iter().for_each(|model| model.clear_writes());
    assert_eq!(client.map_to(handle, 0, 1, NEW, BOTH), SUCCESS);
    assert_eq!((client.kills(2), client.kills(3)), (vec![], vec![]));
    assert_eq!(client.kills(0).len(), 3);
    assert_eq!(client.map_to(other, 0, 1, NEW, BOTH), SUCCESS);
    assert_eq!((client.kills(0), client.kills(2)), (vec![1 << 62 | 5], vec![1 << 62 | 5]));
    assert!(client.device(2, 5).reads(0, NEW) && client.device(0, 5).reads(1 << 59, NEW));
}

#[test]
fn a_leaving_pe_forgets_the_table_and_the_others_keep_it() {
    let (client, handle) = shared();
    let own = client.create(16, 2, 1 << 35);
    warm(&client, handle);
    // Two leave: one gets a table of its own, one nothing.
    assert_eq!(client.unset((0, 6, 1)), SUCCESS);
    assert!(client.try_set((1, 5, 1), own, REPLACE).is_ok());
    assert_eq!(everywhere(&client, 3 << 16, OLD), [true, false, true, false, true, true]);
    assert_eq!(everywhere(&client, 4 << 16, OLD + 0x1_0000), [true, false, true, false, true, true]);
    assert_eq!(client.map_to(own, 3 << 16, 1, NEW, BOTH), SUCCESS);
    assert!(client.device(1, 5).reads(1 << 59 | 3 << 16, NEW));
    assert_eq!((client.query((0, 5, 0)).shared, client.query((1, 5, 1)).shared), (4, 1));
    // Acts reach those that are left.
    client.models.iter().for_each(|model| model.clear_writes());
    assert_eq!(client.put(7, 3 << 16, 0), 0);
    assert_eq!([0, 1, 5].map(|phb| client.kills(phb).len()), [2, 1, 1]);
    assert_eq!(client.put(7, 4 << 16, 0), 0);
    assert_eq!(everywhere(&client, 4 << 16, OLD), [false; 6]);
    assert!(!client.device(0, 5).reads(3 << 16, OLD) && client.device(1, 5).reads(1 << 59 | 3 << 16, NEW));
    // The last ones leave; a LIOBN still names it.
    for place in [(0, 5, 0), (0, 300, 0), (1, 254, 0), (5, 9, 1)] {
        assert_eq!(client.destroy(handle), WRONG_STATE);
        assert_eq!(client.unset(place), SUCCESS);
    }
    assert_eq!(client.destroy(handle), WRONG_STATE);
    assert_eq!((client.unbind(7), client.destroy(handle)), (SUCCESS, SUCCESS));
}

/// A replaced window lets no moment pass in which the device reaches something else than one of both.
#[test]
fn replacing_goes_both_ways_and_keeps_other_windows() {
    let client = Client::new();
    let (first, second) = (client.create(12, 1, 1 << 21), client.create(21, 1, 1 << 30));
    assert_eq!(client.map_to(first, 0, 1, OLD, BOTH), SUCCESS);
    assert_eq!(client.map_to(second, 0, 1, NEW, BOTH), SUCCESS);
    let device = client.device(0, 5);
    client.set((0, 5, 0), first);
    for (handle, real) in [(second, NEW), (first, OLD), (first, OLD), (second, NEW)] {
        assert!(client.try_set((0, 5, 0), handle, REPLACE).is_ok());
        assert!(device.writes(8, real + 8));
        assert_eq!(client.query((0, 5, 0)).handle, handle);
        assert_eq!(client.query((0, 5, 0)).shared, 1);
        assert_eq!(client.models[0].all_frozen(), []);
    }
    // Over a window of the OS's own, closed or open.
    assert_eq!(client.call(44, [0, 6, 12, 1, 0x2000_0000, 0x1000, 0x1000]), SUCCESS);
    assert!(client.try_set((0, 6, 0), first, REPLACE).is_ok());
    assert!(client.device(0, 6).writes(8, OLD + 8));
    assert_eq!(client.unset((0, 5, 0)), SUCCESS);
    assert_eq!((client.destroy(second), client.destroy(first)), (SUCCESS, WRONG_STATE));
}
