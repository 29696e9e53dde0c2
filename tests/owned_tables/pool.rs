//! The pool: it runs out at each allocation of each call and nothing changes; donations; random use against an oracle.

use crate::client::*;
use crate::machine::random::{Random, setting};
use crate::machine::{FIRMWARE, POOL, SUCCESS, WRONG_STATE};
use crate::model::ram::ModelRam;
use opalite::hw::ram::Ram;
use opalite::iommu::pool::Pool as Driver;

/// A call that takes pages of the pool.
struct Taker {
    name: &'static str,
    call: fn(&Client, u64) -> i64,
    /// The pages that it needs, and how many of them in one run.
    pages: u64,
    run: u64,
}

const fn taker(name: &'static str, pages: u64, run: u64, call: fn(&Client, u64) -> i64) -> Taker {
    Taker { name, call, pages, run }
}

fn create(client: &Client, shift: u64, levels: u64, size: u64, flags: u32) -> i64 {
    client.try_create(shift, levels, size, flags).map_or_else(|status| status, |_| SUCCESS)
}

/// On a table of five levels of 4 KiB pages, bound to LIOBN 7.
const TAKERS: [Taker; 8] = [
    taker("table-create", 1, 1, |client, _| create(client, 12, 5, 1 << 57, 0)),
    taker("table-create of 16 KiB", 4, 4, |client, _| create(client, 12, 1, 2048 << 12, 0)),
    taker("table-create, whole", 8, 1, |client, _| create(client, 12, 3, 6 << 21, WHOLE)),
    taker("table-map of a page", 4, 1, |client, handle| client.map_to(handle, 1 << 50, 1, FRAMES, BOTH)),
    taker("table-map of as much as there may be", 15, 1, |client, handle| {
        // Across a border of every level: nine leaves, two of each other level.
        client.map_to(handle, (1 << 56) - (300 << 12), 4096, FRAMES, BOTH)
    }),
    taker("table-map of a list", 4, 1, |client, handle| {
        client.map_list(handle, (1 << 30) * 7 - 0x1000, &[(FRAMES, 1), (FRAMES, 1)], READ)
    }),
    taker("put-tce-indirect", 4, 1, |client, _| {
        client.put_list(7, (3 << 39) + (511 << 12), &[FRAMES | 3; 512])
    }),
    taker("stuff-tce", 4, 1, |client, _| client.stuff(7, 5 << 48, FRAMES | 2, 512)),
];

const PLACE: Place = (0, 5, 0);

fn furnished() -> (Client, u64) {
    let client = Client::new();
    let handle = client.create(12, 5, 1 << 57);
    client.set(PLACE, handle);
    assert_eq!(client.map_to(handle, 0, 3, FRAMES, BOTH), SUCCESS);
    assert_eq!(client.bind(7, handle, 0), SUCCESS);
    (client, handle)
}

fn bitmap(client: &Client) -> Vec<u8> {
    client.ram.bytes(POOL.start, PAGE as usize)
}

#[test]
fn a_call_that_runs_out_at_any_page_changes_nothing() {
    for taker in &TAKERS {
        // Free pages lie together, or every second one is free.
        for (how, step) in [("together", 1), ("apart", 2)] {
            let mut served = None;
            for left in 0..=32 {
                let (client, handle) = furnished();
                let singles = client.fill_pool(64);
                for single in singles.iter().step_by(step).take(left as usize) {
                    assert_eq!(client.destroy(*single), SUCCESS);
                }
                assert_eq!(client.pool().free, left);
                let before = (Snapshot::of(&client, &[PLACE], &[(7, 0), (7, 5 << 48)]), bitmap(&client));
                let levels = client.walk(PLACE).1;
                let status = (taker.call)(&client, handle);
                if status == SUCCESS {
                    assert_eq!(client.pool().free + taker.pages, left, "{}, {how}", taker.name);
                    served = Some(left);
                    break;
                }
                let no_room = if taker.name.starts_with("table") { NO_MEM } else { -16 };
                assert_eq!(status, no_room, "{}: {left} pages {how}", taker.name);
                let after = (Snapshot::of(&client, &[PLACE], &[(7, 0), (7, 5 << 48)]), bitmap(&client));
                assert!(before == after, "{}: {left} pages {how}: something has changed", taker.name);
                assert_eq!(client.walk(PLACE).1, levels, "{}: {left} pages {how}", taker.name);
            }
            // A run of several pages never fits between pages that are taken.
            match (step, taker.run) {
                (2, 2..) => assert_eq!(served, None, "{}", taker.name),
                (_, 1) => assert_eq!(served, Some(taker.pages), "{}, {how}", taker.name),
                _ => assert!(served.is_some_and(|left| left < taker.pages + taker.run), "{}", taker.name),
            }
        }
    }
}

#[test]
fn donated_memory_serves_until_it_is_reclaimed() {
    const AT: u64 = 0x1000_0000;
    let client = Client::new();
    let own = client.pool();
    assert_eq!(own, Pool { total: POOL_PAGES, free: POOL_PAGES, donated: 0, pieces: 1 });
    let fill = client.fill_pool(1);
    assert_eq!(client.donate(AT, 1 << 20), SUCCESS);
    assert_eq!(client.pool(), Pool { total: POOL_PAGES + 255, free: 255, donated: 255, pieces: 2 });
    // A table there works: set, mapped, walked by the bridge.
    let handle = client.create(12, 2, 1 << 30);
    client.set((0, 5, 0), handle);
    assert_eq!(client.map_to(handle, 0x1000, 2, FRAMES, BOTH), SUCCESS);
    assert!((AT..AT + (1 << 20)).contains(&client.query((0, 5, 0)).table));
    assert!(client.device(0, 5).writes(0x2004, FRAMES + 0x1004));
    assert_eq!(client.pool().free, 253);
    assert_eq!(client.reclaim(AT, 1 << 20), WRONG_STATE);
    assert_eq!(client.unset((0, 5, 0)), SUCCESS);
    assert_eq!(client.reclaim(AT, 1 << 20), WRONG_STATE, "not while the table exists");
    // The OS may not map it for devices, and may again when it has it back.
    let other = client.fill_pool(0).len();
    assert_eq!((other, client.pool().free), (0, 0));
    assert_eq!(client.destroy(fill[0]), SUCCESS);
    let tiny = client.create(12, 1, 1 << 20);
    client.set((0, 6, 0), tiny);
    assert_eq!(client.map_to(tiny, 0, 1, AT + 0x8000, BOTH), -1);
    let (client, _) = (Client::new(), client);
    assert_eq!(client.donate(AT, 1 << 20), SUCCESS);
    assert_eq!(client.reclaim(AT, 1 << 20), SUCCESS);
    assert_eq!(client.pool(), own);
    let tiny = client.create(12, 1, 1 << 20);
    assert_eq!(client.map_to(tiny, 0, 1, AT, BOTH), SUCCESS);
}

#[test]
fn a_donation_at_the_end_of_memory_and_one_of_4_gib_are_taken() {
    let client = Client::new();
    let last = FIRMWARE.start - (1 << 18);
    assert_eq!(client.donate(last, 1 << 18), SUCCESS);
    assert_eq!(client.donate(0, 1 << 18), -1, "address 0 is no memory for tables");
    assert_eq!(client.donate(1 << 18, 1 << 18), SUCCESS);
    assert_eq!(client.pool().donated, 126);
    assert_eq!(client.donate(1 << 40, 1 << 32), SUCCESS);
    // 2^20 pages need 2^20 / 8 bytes for account: 32 pages.
    assert_eq!(client.pool().donated, 126 + (1 << 20) - 32);
    // A level of 1 GiB.
    let made = client.try_create(12, 1, 1 << 39, 0).unwrap();
    assert_eq!((made.level_shift, made.memory), (30, 1 << 30));
    assert_eq!(client.destroy(made.handle), SUCCESS);
    for (start, size) in [(1 << 40, 1 << 32), (1 << 18, 1 << 18), (last, 1 << 18)] {
        assert_eq!(client.reclaim(start, size), SUCCESS);
    }
    assert_eq!(client.pool(), Pool { total: POOL_PAGES, free: POOL_PAGES, donated: 0, pieces: 1 });
}

/// The allocator alone against a plain set of free pages. `OPALITE_SEED` is where the random numbers begin.
#[test]
fn random_use_of_the_allocator_agrees_with_a_set_of_pages() {
    const DONATIONS: [(u64, u64); 4] =
        [(0x1000_0000, 1 << 18), (0x1004_0000, 1 << 18), (0x2000_0000, 1 << 21), (0x3004_0000, 5 << 18)];
    for round in 0..12 {
        let mut random = Random::new(setting("OPALITE_SEED", 1) ^ round << 32);
        let ram = ModelRam::new(0, 1 << 32);
        // Ends that aren't those of 256 KiB.
        let own = 0x800_3000 + PAGE * random.below(70)..0x810_0000 + PAGE * random.below(70);
        let mut pool = Driver::new(&ram, own.clone());
        let mut free: std::collections::BTreeSet<u64> = ((own.start / PAGE) + 1..own.end / PAGE).collect();
        assert_eq!(pool.free_pages(), free.len() as u64);
        let mut taken: Vec<(u64, u32)> = Vec::new();
        let mut donated = [false; 4];
        for _ in 0..4000 {
            match random.below(20) {
                0 => {
                    let which = random.below(4) as usize;
                    let (start, size) = DONATIONS[which];
                    assert_eq!(pool.donate(&ram, start, size).is_ok(), !donated[which]);
                    if !donated[which] {
                        free.extend(start / PAGE + 1..(start + size) / PAGE);
                    }
                    donated[which] = true;
                }
                1 => {
                    let which = random.below(4) as usize;
                    let (start, size) = DONATIONS[which];
                    let inside = |at: u64| start <= at && at < start + size;
                    let idle = donated[which] && !taken.iter().any(|run| inside(run.0));
                    assert_eq!(pool.reclaim(start, size).is_ok(), idle);
                    if idle {
                        free.retain(|page| !inside(page * PAGE));
                        donated[which] = false;
                    }
                }
                2..12 => {
                    let largest = if random.once_in(4) { 10 } else { 4 };
                    let order = random.below(largest) as u32;
                    let run = 1_u64 << order;
                    let fits = |page: &u64| {
                        page.is_multiple_of(run) && free.range(*page..page + run).count() as u64 == run
                    };
                    match pool.allocate(&ram, order) {
                        Some(at) => {
                            assert!(at % PAGE == 0 && fits(&(at / PAGE)), "{at:#x} of order {order}");
                            assert_eq!(ram.bytes(at, (run * PAGE) as usize), vec![0; (run * PAGE) as usize]);
                            ram.write64(at, u64::MAX);
                            ram.write64(at + run * PAGE - 8, u64::MAX);
                            (at / PAGE..at / PAGE + run).for_each(|page| assert!(free.remove(&page)));
                            taken.push((at, order));
                        }
                        None => {
                            assert!(!free.iter().any(fits), "there was room of order {order}")
                        }
                    }
                }
                _ if !taken.is_empty() => {
                    let (at, order) = taken.swap_remove(random.below(taken.len() as u64) as usize);
                    pool.release(&ram, at, order);
                    free.extend(at / PAGE..(at / PAGE) + (1 << order));
                }
                _ => {}
            }
            assert_eq!(pool.free_pages(), free.len() as u64);
            let (at, length) = (0x0ff0_0000 + PAGE * random.below(0x2_0500), PAGE * (1 + random.below(64)));
            let donation = |(there, (start, size)): (&bool, &(u64, u64))| {
                *there && at < start + size && *start < at + length
            };
            assert_eq!(
                pool.overlaps(at, length),
                donated.iter().zip(&DONATIONS).any(donation),
                "{at:#x} {length:#x}"
            );
            let usage = pool.usage();
            let used: u64 = taken.iter().map(|run| 1 << run.1).sum();
            assert_eq!((usage.free, usage.total), (free.len() as u64, free.len() as u64 + used));
            assert_eq!(usage.extents, 1 + donated.iter().filter(|there| **there).count() as u64);
        }
    }
}
