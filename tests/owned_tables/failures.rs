//! Hardware that fails in the middle of an act on tables that two bridges share: at each access of each bridge in turn
//! the act is whole or hasn't happened, and says which.

use crate::client::*;
use crate::machine::{HARDWARE, SUCCESS};
use crate::model::phb4::ModelPhb4;

/// An act, the bridges that it concerns, and whether it is a change of entries.
struct Act {
    name: &'static str,
    call: fn(&Client, &Tables) -> i64,
    bridges: &'static [usize],
    entries: bool,
}

struct Tables {
    shared: u64,
    other: u64,
}

const PLACES: [Place; 7] = [(0, 5, 0), (0, 5, 1), (0, 6, 1), (0, 8, 1), (1, 5, 1), (1, 9, 0), (1, 7, 0)];

fn status<T>(result: Result<T, i64>) -> i64 {
    result.map_or_else(|status| status, |_| SUCCESS)
}

const fn act(
    name: &'static str,
    bridges: &'static [usize],
    entries: bool,
    call: fn(&Client, &Tables) -> i64,
) -> Act {
    Act { name, call, bridges, entries }
}

const BOTH_BRIDGES: &[usize] = &[0, 1];

const ACTS: [Act; 11] = [
    act("window-set", &[0], false, |client, tables| status(client.try_set((0, 8, 1), tables.shared, 0))),
    act("window-set with REPLACE", &[0], false, |client, tables| {
        status(client.try_set((0, 5, 0), tables.other, REPLACE))
    }),
    act("window-set over a window of the OS", &[1], false, |client, tables| {
        status(client.try_set((1, 7, 0), tables.other, REPLACE))
    }),
    act("window-unset", &[1], false, |client, _| client.unset((1, 5, 1))),
    act("window-unset of a bypass", &[0], false, |client, _| client.unset((0, 5, 1))),
    act("bypass-set", &[0], false, |client, _| status(client.bypass((0, 8, 1), 0, 0))),
    act("bypass-set with REPLACE", &[1], false, |client, _| status(client.bypass((1, 5, 1), 0, REPLACE))),
    act("table-map", BOTH_BRIDGES, true, |client, tables| {
        client.map_to(tables.shared, 0x1000, 600, FRAMES + (1 << 32), READ)
    }),
    act("table-unmap", BOTH_BRIDGES, true, |client, tables| client.unmap_pages(tables.shared, 0x1000, 2)),
    act("put-tce-indirect", BOTH_BRIDGES, true, |client, _| {
        client.put_list(7, 0x2000, &[(FRAMES + (2 << 32)) | 1, 0, FRAMES | 2])
    }),
    act("stuff-tce", BOTH_BRIDGES, true, |client, _| client.stuff(7, 0x2000, 0, 512)),
];

fn furnished() -> (Client, Tables) {
    let client = Client::new();
    let tables = Tables { shared: client.create(12, 2, 1 << 30), other: client.create(16, 1, 1 << 30) };
    for place in [(0, 5, 0), (0, 6, 1), (1, 5, 1), (1, 9, 0)] {
        client.set(place, tables.shared);
    }
    assert!(client.bypass((0, 5, 1), 0, 0).is_ok());
    assert_eq!(client.call(44, [1, 7, 14, 1, 0x2000_0000, 0x1000, 0x1000]), SUCCESS);
    assert_eq!(client.map_to(tables.shared, 0, 5, FRAMES, BOTH), SUCCESS);
    assert_eq!(client.bind(7, tables.shared, 0), SUCCESS);
    (client, tables)
}

/// All but the use of the pool: levels stay after a failed change of entries.
type State = (Vec<Window>, Vec<Vec<(u64, u64)>>);

fn state(client: &Client) -> State {
    let entries = PLACES.map(|place| client.walk(place).0.into_iter().collect());
    (PLACES.map(|place| client.query(place)).to_vec(), entries.to_vec())
}

/// Before and after an act that nothing disturbs.
fn undisturbed(act: &Act) -> (State, State) {
    let (client, tables) = furnished();
    let before = state(&client);
    assert_eq!((act.call)(&client, &tables), SUCCESS, "{}", act.name);
    (before, state(&client))
}

/// After an act that hardware disturbed; tells whether it failed.
fn whole(act: &Act, wanted: &(State, State), how: &str, machine: (Client, Tables), result: i64) -> bool {
    let (client, tables) = machine;
    let failed = result == if act.name.contains("tce") { -1 } else { HARDWARE };
    assert!(failed || result == SUCCESS, "{}, {how}: {result}", act.name);
    for model in &client.models {
        model.fence_after(u64::MAX);
        model.stuck_kill(false);
        model.stuck_sync(false);
    }
    for phb in [0, 1] {
        if client.models[phb].is_fenced() {
            client.complete_reset(phb as u64);
        }
    }
    let wanted = if failed { &wanted.0 } else { &wanted.1 };
    assert!(state(&client) == *wanted, "{}, {how}: {result}", act.name);
    // And it works now. What it stands on is there again.
    if failed {
        assert_eq!((act.call)(&client, &tables), SUCCESS, "{}, {how}, once more", act.name);
    }
    // Each bridge walks the table as it is.
    assert_eq!(client.map_to(tables.shared, 0x3000, 1, FRAMES + (3 << 32), BOTH), SUCCESS);
    for place in PLACES {
        if client.query(place).handle == tables.shared {
            let device = client.device(place.0, place.1);
            assert!(device.writes(place.2 << 59 | 0x3000, FRAMES + (3 << 32)), "{}, {how}", act.name);
        }
    }
    failed
}

#[test]
fn a_fence_at_any_access_of_either_bridge() {
    for act in &ACTS {
        let wanted = undisturbed(act);
        for &phb in act.bridges {
            // The quick way of a kill and the slow one; of an act on both bridges each has one.
            let ways: &[u32] = if act.bridges.len() == 1 { &[0, 2] } else { &[[0, 2][phb]] };
            for &reads in ways {
                let (mut accesses, mut refused) = (0, 0);
                loop {
                    let (client, tables) = furnished();
                    client.models[phb].set_kill_reads(reads);
                    client.models[phb].fence_after(accesses);
                    let result = (act.call)(&client, &tables);
                    if !client.models[phb].is_fenced() {
                        assert_eq!(result, SUCCESS, "{}", act.name);
                        break;
                    }
                    let how = format!("bridge {phb} fences at access {accesses}");
                    refused += u64::from(whole(act, &wanted, &how, (client, tables), result));
                    accesses += 1;
                }
                assert!(accesses >= 5, "{}: {accesses} accesses of bridge {phb}", act.name);
                // A fenced bridge forgets all by itself, so that a change of entries is none of its concern.
                assert!(act.entries || refused >= 3, "{}: {refused} of {accesses}", act.name);
            }
        }
    }
}

#[test]
fn a_lost_store_to_any_register_of_either_bridge() {
    for act in &ACTS {
        let wanted = undisturbed(act);
        for &phb in act.bridges {
            let (client, tables) = furnished();
            client.models[phb].clear_writes();
            assert_eq!((act.call)(&client, &tables), SUCCESS);
            let mut offsets: Vec<u64> = client.models[phb].writes().iter().map(|write| write.0).collect();
            offsets.sort_unstable();
            offsets.dedup();
            assert!(!offsets.is_empty(), "{}", act.name);
            for offset in offsets {
                let (client, tables) = furnished();
                client.models[phb].fail_next_write_at(offset);
                let result = (act.call)(&client, &tables);
                whole(act, &wanted, &format!("bridge {phb} loses {offset:#x}"), (client, tables), result);
            }
        }
    }
}

#[test]
fn a_kill_or_sync_that_never_ends_on_either_bridge() {
    type Stick = fn(&ModelPhb4, bool);
    for act in &ACTS {
        let wanted = undisturbed(act);
        for &phb in act.bridges {
            for (how, stick) in [("kill", ModelPhb4::stuck_kill as Stick), ("sync", ModelPhb4::stuck_sync)] {
                let (client, tables) = furnished();
                // Every bridge remembers the old entries.
                for (id, pe, window) in [(0, 5, 0), (1, 5, 1)] {
                    assert!(client.device(id, pe).writes(window << 59 | 0x1000, FRAMES + 0x1000));
                }
                stick(client.models[phb].phb4(), true);
                client.models[phb].fence_after(1_000_000);
                let result = (act.call)(&client, &tables);
                assert!(!client.models[phb].is_fenced(), "{} waits without end", act.name);
                let failed = whole(act, &wanted, &format!("{how} of bridge {phb}"), (client, tables), result);
                assert!(failed || how == "sync" && !act.entries, "{}, {how} of bridge {phb}", act.name);
            }
        }
    }
}

/// Entries are as before although the bridge may have forgotten them, and what was new is forgotten again.
#[test]
fn after_a_failed_change_no_bridge_uses_what_it_would_have_been() {
    let (client, tables) = furnished();
    client.models[1].stuck_kill(true);
    let result = client.map_to(tables.shared, 0x1000, 1, FRAMES + (1 << 32), BOTH);
    assert_eq!(result, HARDWARE);
    client.models[1].stuck_kill(false);
    assert_eq!(client.get(7, 0x1000), Ok((FRAMES + 0x1000) | 3));
    for (phb, pe, window) in [(0, 5, 0), (0, 6, 1), (1, 5, 1), (1, 9, 0)] {
        assert!(client.device(phb, pe).writes(window << 59 | 0x1000, FRAMES + 0x1000));
    }
}

/// A stuck bridge costs its wait once for an act, and not for each of many windows.
#[test]
fn a_silent_bridge_is_waited_for_once() {
    let (client, tables) = furnished();
    for pe in 20..120 {
        client.set((1, pe, 0), tables.shared);
    }
    client.models[1].stuck_kill(true);
    let before = opalite::arch::timebase();
    assert_eq!(client.map_to(tables.shared, 0x1000, 1, FRAMES + (1 << 32), BOTH), HARDWARE);
    let milliseconds = (opalite::arch::timebase() - before) / 512_000;
    assert!(milliseconds < 1000, "{milliseconds} ms");
}
