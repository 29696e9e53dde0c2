//! Every act on a bridge is whole: with a failure injected at each of its steps in turn it either happened and says
//! so, or nothing did and the status is HARDWARE. What is wanted shows when a complete reset writes it all again.

mod machine;
mod model;

use machine::windows::{BYPASS, GIB};
use machine::{HARDWARE, Machine, Model, OUT, PARAMETER, SUCCESS, kind, on_every_bridge};
use opalite::hw::ram::Ram;
use opalite::phb;

/// An act: what it is, the call, and whether it waits for a kill.
struct Act {
    name: &'static str,
    call: fn(&Machine) -> i64,
    kills: bool,
    /// The fewest accesses that can be a whole act.
    least: u64,
    /// It changes an option, which PHB3 doesn't have.
    option: bool,
}

/// The acts that the bridge at hand knows.
fn acts() -> impl Iterator<Item = &'static Act> {
    ACTS.iter().filter(|act| kind().options || !act.option)
}

const fn act(name: &'static str, least: u64, kills: bool, call: fn(&Machine) -> i64) -> Act {
    Act { name, call, kills, least, option: false }
}

const fn option(name: &'static str, call: fn(&Machine) -> i64) -> Act {
    Act { option: true, ..act(name, 2, false, call) }
}

static ACTS: [Act; 22] = [
    act("open a window", 5, true, |m| m.map(12, 1, 0x2000_0000, 0x1000, 0x1000)),
    act("open a window again", 5, true, |m| m.map(10, 1, 0x2000_0000, 0x4_0000, 0x1_0000)),
    act("close a window", 6, true, |m| m.unmap(10)),
    act("close a bypass", 6, true, |m| m.real(402, 0, 0)),
    act("replace a table by another", 14, true, |m| m.map(10, 1, 0x2100_0000, 0x1000, 0x1000)),
    act("open a bypass", 5, true, |m| m.real(14, 0, GIB)),
    act("replace a table by a bypass", 14, true, |m| m.real(10, 0, GIB)),
    act("replace a bypass by a table", 14, true, |m| m.map(402, 2, 0x2200_0000, 0x1_0000, 0x1_0000)),
    act("replace a bypass by a smaller one", 14, true, |m| m.real(402, 0, 16 << 20)),
    act("replace a window of a frozen PE", 11, true, |m| m.map(16, 1, 0x2100_0000, 0x1000, 0x1000)),
    option("choose window 1 at 4 GiB", |m| m.four_gib(1)),
    option("disable EEH for MMIO", |m| m.call(179, [0, 2, 1])),
    act("put a requester into a PE", 2, false, |m| m.set_pe(7, 0x0300, [7, 1, 1], 1)),
    act("put a bus into a PE", 2, false, |m| m.set_pe(7, 0x0100, [7, 0, 0], 1)),
    act("take a requester out of a PE", 2, false, |m| m.set_pe(5, 0x0100, [7, 1, 1], 0)),
    act("give an M32 segment to a PE", 3, false, |m| m.call(29, [0, 9, 1, 0, 7])),
    act("switch an M64 window on", 3, false, |m| m.call(27, [0, 2, 2, 1])),
    act("switch an M64 window of one PE on", 3, false, |m| m.call(27, [0, 2, 3, 2])),
    act("switch an M64 window off", 3, false, |m| m.call(27, [0, 2, 1, 0])),
    act("give an MSI to a PE", 2, false, |m| m.call(37, [0, 9, 0x123])),
    act("drop cached translations", 5, true, |m| m.call(126, [0, 1, 5, 0, 0, 0])),
    act("reset the tables", 20, true, |m| m.call(49, [0, 6, 1])),
];

/// A bridge with something of everything.
fn furnished() -> Machine {
    let machine = Machine::new();
    assert_eq!(machine.set_pe(5, 0x0100, [7, 1, 1], 1), SUCCESS);
    assert_eq!(machine.set_pe(6, 0x0200, [7, 0, 0], 1), SUCCESS);
    assert_eq!(machine.call(32, [0, 5, 6, 1]), SUCCESS);
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x4_0000, 0x1_0000), SUCCESS);
    assert_eq!(machine.map(16, 1, 0x2000_0000, 0x4_0000, 0x1_0000), SUCCESS);
    assert_eq!(machine.real(402, 0, GIB), SUCCESS);
    assert_eq!(machine.call(29, [0, 6, 1, 0, 3]), SUCCESS);
    for window in [1, 2, 3] {
        assert_eq!(machine.call(28, [0, 2, window, kind().m64 + (window << 30), 0, 1 << 30]), SUCCESS);
    }
    assert_eq!(machine.call(27, [0, 2, 1, 1]), SUCCESS);
    assert_eq!(machine.call(29, [0, 6, 2, 3, 0]), SUCCESS);
    assert_eq!(machine.call(37, [0, 5, 0x121]), SUCCESS);
    assert_eq!(machine.call(97, [0, 8, 2]), SUCCESS);
    machine
}

/// All that the OS has configured on a bridge.
#[derive(PartialEq, Eq)]
struct Snapshot {
    tvt: Vec<u64>,
    mist: Vec<u64>,
    ivt: Vec<u8>,
    mbt: Vec<u64>,
    mdt: Vec<u64>,
    control: u64,
    options: [u64; 2],
    rtt: Vec<u8>,
    peltv: Vec<u8>,
}

impl Snapshot {
    fn of(machine: &Machine) -> Self {
        let table = |id, count| (0..count).map(|index| machine.table(0, id, index)).collect();
        let info = phb::find(machine.fw.phbs, 0).unwrap().lock().info().clone();
        let pes = kind().pes;
        let option = |option| {
            assert_eq!(machine.call(180, [0, option, OUT]), SUCCESS);
            machine.ram.read64(OUT)
        };
        Self {
            tvt: table(9, 2 * pes),
            // A PHB3's LXIVT, and the IVT, in which the PE of an MSI is.
            mist: table(2, if kind().options { 2 * pes } else { 8 }),
            ivt: info.ivt.map(|(base, size)| machine.ram.bytes(base, size as usize)).unwrap_or_default(),
            mbt: table(16, kind().m64_words * (kind().last_m64 + 1)),
            mdt: table(17, pes),
            control: machine.models[0].peek(0x810),
            options: if kind().options { [1, 2].map(option) } else { [0; 2] },
            rtt: machine.ram.bytes(info.rtt.0, info.rtt.1 as usize),
            peltv: machine.ram.bytes(info.peltv.0, info.peltv.1 as usize),
        }
    }

    /// Names of what differs.
    fn differences(&self, other: &Self) -> Vec<&'static str> {
        [
            ("TVT", self.tvt != other.tvt),
            ("MIST", self.mist != other.mist),
            ("IVT", self.ivt != other.ivt),
            ("MBT", self.mbt != other.mbt),
            ("MDT", self.mdt != other.mdt),
            ("CTRLR", self.control != other.control),
            ("options", self.options != other.options),
            ("RTT", self.rtt != other.rtt),
            ("PELT-V", self.peltv != other.peltv),
        ]
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
    }
}

/// What a complete reset brings back, before and after an act that nothing disturbs.
fn undisturbed(act: &Act) -> (Snapshot, Snapshot) {
    let machine = furnished();
    machine.complete_reset(0);
    let before = Snapshot::of(&machine);
    let machine = furnished();
    assert_eq!((act.call)(&machine), SUCCESS, "{}", act.name);
    machine.complete_reset(0);
    (before, Snapshot::of(&machine))
}

/// After an act with an injected failure: the status, and all that a complete reset brings back.
fn whole(act: &Act, how: &str, machine: &Machine, status: i64, before: &Snapshot, after: &Snapshot) {
    assert!(status == SUCCESS || status == HARDWARE, "{}, {how}: {status}", act.name);
    machine.complete_reset(0);
    let wanted = if status == SUCCESS { after } else { before };
    let now = Snapshot::of(machine);
    assert_eq!(now.differences(wanted), [""; 0], "{}, {how}, status {status}", act.name);
    // And the bridge works: the same act succeeds now.
    if status == HARDWARE {
        assert_eq!((act.call)(machine), SUCCESS, "{}, {how}, once more", act.name);
    }
}

fn a_fence_at_any_access_leaves_all_or_nothing() {
    fences(acts(), 2);
}

/// The ways on which nothing has to be waited for are others.
fn a_fence_at_any_access_of_an_act_that_needn_t_wait_leaves_all_or_nothing() {
    fences(acts().filter(|act| act.kills), 0);
}

fn an_error_that_freezes_the_pe_during_an_act_is_left_to_eeh() {
    for number in [10, 402] {
        let pe = number as u16 / 2;
        let replace = |accesses| {
            let machine = furnished();
            machine.models[0].freeze_after(accesses, pe);
            assert_eq!(machine.map(number, 1, 0x2100_0000, 0x1000, 0x1000), SUCCESS);
            machine.models[0].frozen(pe)
        };
        let frozen: Vec<_> = (0..).map(replace).take_while(|&(mmio, _)| mmio).collect();
        assert!(frozen.len() >= 14, "that many accesses: {}", frozen.len());
        assert!(frozen.iter().all(|&(_, dma)| dma), "{frozen:?}");
        assert_eq!(replace(u64::MAX), (false, false));
    }
}

/// `reads` is how many loads of a status a kill takes.
fn fences<'a>(acts: impl Iterator<Item = &'a Act>, reads: u32) {
    for act in acts {
        let (before, after) = undisturbed(act);
        let (mut refused, mut accesses) = (0, 0);
        loop {
            let machine = furnished();
            machine.models[0].set_kill_reads(reads);
            machine.models[0].fence_after(accesses);
            let status = (act.call)(&machine);
            let fenced = machine.models[0].is_fenced();
            machine.models[0].fence_after(u64::MAX);
            if !fenced {
                assert_eq!(status, SUCCESS, "{}", act.name);
                break;
            }
            refused += u64::from(status == HARDWARE);
            whole(act, &format!("fence at access {accesses}"), &machine, status, &before, &after);
            accesses += 1;
            assert!(accesses < 3000, "{} never ends", act.name);
        }
        assert!(accesses >= act.least, "{}: {accesses} accesses can't be all of it", act.name);
        assert!(
            refused > 0 && refused >= act.least / 3,
            "{}: {refused} of {accesses} failures seen",
            act.name
        );
    }
}

fn a_lost_store_to_any_register_leaves_all_or_nothing() {
    for act in acts() {
        let (before, after) = undisturbed(act);
        let machine = furnished();
        machine.models[0].clear_writes();
        assert_eq!((act.call)(&machine), SUCCESS);
        let mut offsets: Vec<u64> = machine.models[0].writes().iter().map(|write| write.0).collect();
        offsets.sort_unstable();
        offsets.dedup();
        assert!(!offsets.is_empty(), "{} stores nothing", act.name);
        for offset in offsets {
            let machine = furnished();
            machine.models[0].fail_next_write_at(offset);
            let status = (act.call)(&machine);
            assert!(machine.models[0].is_fenced());
            whole(act, &format!("store at {offset:#x} lost"), &machine, status, &before, &after);
        }
    }
}

/// Here the bridge still answers, so what it holds must be as before at once, not only after a reset.
fn a_kill_or_a_sync_that_never_ends_changes_nothing_and_is_given_up() {
    for act in acts().filter(|act| act.kills) {
        let (before, after) = undisturbed(act);
        type Stick = fn(&Model, bool);
        let (kill, sync) = (Model::stuck_kill as Stick, Model::stuck_sync as Stick);
        for (how, stick, reads) in
            [("kill", kill, 2), ("sync", sync, 2), ("kill", kill, 0), ("sync", sync, 0)]
        {
            let machine = furnished();
            // Places of M64 windows that are off reach hardware when all is written again; freezes don't.
            machine.complete_reset(0);
            assert_eq!(machine.call(97, [0, 8, 2]), SUCCESS);
            let live = Snapshot::of(&machine);
            let frozen = machine.models[0].all_frozen();
            machine.models[0].set_kill_reads(reads);
            stick(&machine.models[0], true);
            // A bound for the wait: were there more accesses, the bridge would fence.
            machine.models[0].fence_after(1_000_000);
            let status = (act.call)(&machine);
            assert!(!machine.models[0].is_fenced(), "{} waits without end for a {how}", act.name);
            machine.models[0].fence_after(u64::MAX);
            if status == HARDWARE {
                assert_eq!(Snapshot::of(&machine).differences(&live), [""; 0], "{}, {how} stuck", act.name);
                assert_eq!(machine.models[0].all_frozen(), frozen, "{}, {how} stuck", act.name);
            } else if how == "sync" || kind().options {
                // An opening doesn't wait for DMA: nothing can have used the window before.
                assert!(how == "sync" && act.name.starts_with("open"), "{}, {how} stuck: {status}", act.name);
            }
            stick(&machine.models[0], false);
            whole(act, &format!("{how} stuck"), &machine, status, &before, &after);
        }
    }
}

fn a_kill_that_is_slow_but_ends_is_waited_for() {
    for act in acts().filter(|act| act.kills) {
        let machine = furnished();
        for reads in [0, 1, 5000] {
            machine.models[0].set_kill_reads(reads);
            let status = (act.call)(&machine);
            assert_eq!((status, machine.models[0].kill_pending()), (SUCCESS, false), "{}, {reads}", act.name);
        }
    }
}

/// A refused call is no act at all.
fn acts_on_another_bridge_don_t_care() {
    let machine = furnished();
    machine.models[0].fence();
    assert_eq!(machine.call(44, [1, 5, 10, 1, 0x2000_0000, 0x1000, 0x1000]), SUCCESS);
    assert_eq!(machine.call(45, [1, 5, 11, BYPASS, GIB]), SUCCESS);
    assert_eq!(machine.call(44, [0, 5, 10, 9, 0x2000_0000, 0x1000, 0x1000]), PARAMETER);
    assert_eq!(machine.call(44, [0, 5, 10, 1, 0x2000_0000, 0x1000, 0x1000]), HARDWARE);
    machine.complete_reset(0);
    assert_eq!(machine.tve(0, 10), 0x0000_0002_0000_0705);
    assert_eq!(machine.tve(1, 10), 0x0000_0002_0000_0101);
}

on_every_bridge! {
    a_fence_at_any_access_leaves_all_or_nothing
    an_error_that_freezes_the_pe_during_an_act_is_left_to_eeh
    a_fence_at_any_access_of_an_act_that_needn_t_wait_leaves_all_or_nothing
    a_lost_store_to_any_register_leaves_all_or_nothing
    a_kill_or_a_sync_that_never_ends_changes_nothing_and_is_given_up
    a_kill_that_is_slow_but_ends_is_waited_for
    acts_on_another_bridge_don_t_care
}
