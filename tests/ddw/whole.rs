//! Each act is whole, whichever step fails: a fence at every access, kills and syncs that never end, and a pool that runs
//! out at each allocation.

use crate::fixture::*;
use crate::machine::{Machine, OUT, SUCCESS};
use crate::model::phb4::ModelPhb4;
use opalite::hw::ram::Ram;

const LOW: u64 = liobn(PE, 0);
const TOP: u64 = liobn(PE, 1);

struct Act {
    name: &'static str,
    /// What is there before.
    before: fn(&Machine),
    call: fn(&Machine) -> i64,
    /// What it gives when hardware fails.
    fails: i64,
}

fn create(machine: &Machine, page: u32, window: u32) -> i64 {
    machine.create(CONFIG, page, window).err().unwrap_or(0).into()
}

fn furnish(machine: &Machine) {
    assert_eq!(create(machine, 12, 24), 0);
    assert_eq!(machine.put(TOP, HIGH, MEMORY | 3), 0);
    assert_eq!(machine.put(LOW, 0, (MEMORY + 0x1000) | 3), 0);
}

fn furnish_both(machine: &Machine) {
    assert_eq!(machine.remove(LOW), 0);
    assert_eq!(create(machine, 12, 24), 0);
    assert_eq!(create(machine, 16, 31), 0);
    assert_eq!(machine.put(TOP, HIGH, MEMORY | 3), 0);
    assert_eq!(machine.put(LOW, 0, (MEMORY + 0x1_0000) | 3), 0);
}

fn foreign(machine: &Machine) {
    assert_eq!(machine.map(2 * PE, 1, 0x2000_0000, 0x1000, 0x1000), SUCCESS);
    assert_eq!(machine.real(2 * PE + 1, HIGH, 1 << 30), SUCCESS);
}

const ACTS: [Act; 13] = [
    Act { name: "create", before: |_| {}, call: |m| create(m, 16, 32), fails: -1 },
    Act {
        name: "create window 0",
        before: |m| {
            foreign(m);
            assert_eq!(m.map(2 * PE, 0, 0, 0, 0), SUCCESS);
            assert_eq!(m.remove(LOW), 0);
        },
        call: |m| create(m, 16, 30),
        fails: -1,
    },
    Act {
        name: "create in limited mode",
        before: |m| assert_eq!(m.reset_pe(CONFIG, &[1]), 0),
        call: |m| create(m, 12, 30),
        fails: -1,
    },
    Act { name: "remove", before: furnish, call: |m| m.remove(TOP).into(), fails: -1 },
    Act { name: "remove the default window", before: furnish, call: |m| m.remove(LOW).into(), fails: -1 },
    Act {
        name: "remove the last window",
        before: |m| {
            assert_eq!(m.remove(LOW), 0);
            assert_eq!(create(m, 12, 24), 0);
        },
        call: |m| m.remove(TOP).into(),
        fails: -1,
    },
    Act { name: "reset", before: furnish, call: |m| m.reset_pe(CONFIG, &[]).into(), fails: -1 },
    Act {
        name: "reset two windows",
        before: furnish_both,
        call: |m| m.reset_pe(CONFIG, &[0]).into(),
        fails: -1,
    },
    Act {
        name: "reset to limited mode",
        before: furnish_both,
        call: |m| m.reset_pe(CONFIG, &[1]).into(),
        fails: -1,
    },
    Act {
        name: "reset from limited mode",
        before: |m| {
            assert_eq!(m.reset_pe(CONFIG, &[1]), 0);
            assert_eq!(create(m, 12, 24), 0);
            assert_eq!(m.put(LOW, 0, MEMORY | 3), 0);
        },
        call: |m| m.reset_pe(CONFIG, &[]).into(),
        fails: -1,
    },
    Act {
        name: "reset the OS's windows",
        before: foreign,
        call: |m| m.reset_pe(CONFIG, &[1]).into(),
        fails: -1,
    },
    Act {
        name: "map in the default window first",
        before: |_| {},
        call: |m| m.put(LOW, 0, MEMORY | 3),
        fails: H_HARDWARE,
    },
    Act {
        name: "map a list there first",
        before: |m| {
            for index in 0..512 {
                m.ram.write64(0x20_0000 + 8 * index, (MEMORY + 0x1000 * index) | 3);
            }
        },
        call: |m| m.call(token("put-tce-indirect"), [LOW, 0x10_0000, 0x20_0000, 512]),
        fails: H_HARDWARE,
    },
];

/// What there is: the bridge's tables, memory, and what a client sees of the PE.
#[derive(PartialEq, Eq)]
struct Seen {
    tvt: Vec<u64>,
    option: u64,
    free: u64,
    offer: (u32, u64, u32),
    entries: Vec<(i64, u64)>,
}

fn see(machine: &Machine) -> Seen {
    let tvt = (0..1024).map(|index| machine.tve(0, index)).collect();
    assert_eq!(machine.call(180, [0, 1, OUT]), SUCCESS);
    let option = machine.ram.read64(OUT);
    let at = [(LOW, 0), (LOW, 0x10_0000), (LOW, 0x2ff000), (TOP, HIGH), (TOP, FOUR_GIB)];
    let entries = at.into_iter().map(|(number, address)| machine.get(number, address)).collect();
    Seen { tvt, option, free: machine.free(), offer: machine.offer(CONFIG), entries }
}

impl Seen {
    /// All but the TVEs.
    fn rest(&self) -> impl std::fmt::Debug + PartialEq {
        (self.option, self.free, self.offer, self.entries.clone())
    }
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let open: Vec<_> = self.tvt.iter().enumerate().filter(|(_, tve)| **tve != 0).collect();
        write!(f, "{open:x?} {:?}", self.rest())
    }
}

fn ready(act: &Act) -> Machine {
    let machine = machine();
    (act.before)(&machine);
    machine
}

fn undisturbed(act: &Act) -> (Seen, Seen) {
    let machine = ready(act);
    let before = see(&machine);
    assert_eq!((act.call)(&machine), 0, "{}", act.name);
    let after = see(&machine);
    assert_ne!(before, after, "{} does nothing", act.name);
    (before, after)
}

#[test]
fn a_fence_at_any_access_leaves_all_or_nothing() {
    for reads in [0, 2] {
        for act in &ACTS {
            let (before, after) = undisturbed(act);
            let (mut accesses, mut refused) = (0, 0);
            loop {
                let machine = ready(act);
                machine.models[0].set_kill_reads(reads);
                machine.models[0].fence_after(accesses);
                let status = (act.call)(&machine);
                let fenced = machine.models[0].is_fenced();
                machine.models[0].fence_after(u64::MAX);
                if !fenced {
                    assert_eq!(status, 0, "{}", act.name);
                    break;
                }
                machine.complete_reset(0);
                let wanted = if status == 0 { &after } else { &before };
                assert!(status == 0 || status == act.fails, "{}, access {accesses}: {status}", act.name);
                assert_eq!(&see(&machine), wanted, "{}, access {accesses}: {status}", act.name);
                if status != 0 {
                    refused += 1;
                    assert_eq!((act.call)(&machine), 0, "{}, once more", act.name);
                    assert_eq!(see(&machine), after, "{}, once more", act.name);
                }
                accesses += 1;
                assert!(accesses < 200, "{} never ends", act.name);
            }
            assert!(accesses >= 5 && refused >= 2, "{}: {refused} of {accesses}", act.name);
        }
    }
}

/// The bridge still answers, so what it holds must be as before at once.
#[test]
fn a_kill_or_a_sync_that_never_ends_changes_nothing() {
    for act in &ACTS {
        let (before, after) = undisturbed(act);
        for (how, stick) in [
            ("kill", ModelPhb4::stuck_kill as fn(&ModelPhb4, bool)),
            ("sync", ModelPhb4::stuck_sync as fn(&ModelPhb4, bool)),
        ] {
            let machine = ready(act);
            machine.models[0].set_kill_reads(2);
            stick(machine.models[0].phb4(), true);
            machine.models[0].fence_after(2_000_000);
            let status = (act.call)(&machine);
            assert!(!machine.models[0].is_fenced(), "{} waits without end", act.name);
            machine.models[0].fence_after(u64::MAX);
            stick(machine.models[0].phb4(), false);
            // An opening doesn't wait for DMA: nothing can have used the window before.
            let wanted = if status == 0 { &after } else { &before };
            assert_eq!(&see(&machine), wanted, "{}, {how} stuck: {status}", act.name);
            assert!(status == act.fails || how == "sync" && status == 0, "{}, {how} stuck", act.name);
            if status != 0 {
                assert_eq!((act.call)(&machine), 0, "{}, {how}, once more", act.name);
                assert_eq!(see(&machine), after, "{}, {how}, once more", act.name);
            }
        }
    }
}

#[test]
fn a_bridge_in_reset_or_fenced_refuses_and_keeps_what_it_had() {
    for act in &ACTS {
        let (before, after) = undisturbed(act);
        let machine = ready(act);
        let wait = machine.call(49, [0, 1, 1]);
        assert_eq!((act.call)(&machine), act.fails, "{}", act.name);
        machine.finish(0, wait);
        assert_eq!(see(&machine), before, "{}", act.name);
        assert_eq!((act.call)(&machine), 0, "{}", act.name);
        assert_eq!(see(&machine), after, "{}", act.name);
    }
}

#[test]
fn a_pool_that_runs_out_at_any_allocation_leaves_nothing_behind() {
    for act in &ACTS {
        let (before, after) = undisturbed(act);
        let needed = before.free.saturating_sub(after.free);
        for left in 0..=needed.min(40) {
            let machine = ready(act);
            let taken: Vec<u64> = {
                let pool = &mut machine.fw.tables().tables.pool;
                (left..before.free).map(|_| pool.allocate(&machine.ram, 0).unwrap()).collect()
            };
            let status = (act.call)(&machine);
            let all = left >= needed;
            let refusal =
                if act.fails == H_HARDWARE && act.name.starts_with("map") { H_RESOURCE } else { -1 };
            assert_eq!(status, if all { 0 } else { refusal }, "{}, {left} of {needed} pages", act.name);
            for page in taken {
                machine.fw.tables().tables.pool.release(&machine.ram, page, 0);
            }
            // The tables may lie elsewhere.
            let (seen, wanted) = (see(&machine), if all { &after } else { &before });
            assert_eq!(seen.rest(), wanted.rest(), "{}, {left} of {needed} pages", act.name);
            assert!(all || seen == before, "{}, {left} of {needed} pages", act.name);
        }
    }
}
