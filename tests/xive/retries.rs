//! What takes the hardware several attempts or some time: cache watches, syncs, queues that run full.

use super::machine::*;
use opalite::hw::ram::Ram;

const BUSY: i64 = -2;
/// A watch's spec register after a lost commit.
const LOST: u64 = 1 << 63;

#[test]
fn a_lost_watch_of_a_vp_is_tried_again() {
    let machine = Machine::exploiting();
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[0]), 0x4000_0000);
    machine.xive.conflict_watches(9, LOST);
    machine.ok(SET_VP_INFO, &[0x4000_0000, 1, 0x123_4500]);
    assert_eq!(machine.vp_info(0x4000_0000), (1, CAM, 0x123_4500, 0));
}

#[test]
fn a_watch_that_is_lost_again_and_again_changes_nothing() {
    let machine = Machine::exploiting();
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[1]), 0x4000_0000);
    machine.ok(SET_VP_INFO, &[0x4000_0001, 1, 0]);
    machine.ok(SET_QUEUE_INFO, &[0x4000_0001, 6, QUEUE, 16, 7]);
    let state = || {
        let ends: Vec<_> = (0..16).map(|index| machine.xive.end(0, index)).collect();
        (ends, nvt(&machine.xive, 0), nvt(&machine.xive, 1))
    };
    let before = state();
    for (token, args) in [
        (SET_VP_INFO, vec![0x4000_0000, 1, 0]),
        (SET_VP_INFO, vec![0x4000_0000, 3, 0]),
        (SET_VP_INFO, vec![0x4000_0001, 3, 0]),
        (SET_VP_INFO, vec![0x4000_0001, 0, 0]),
        (SET_QUEUE_INFO, vec![0x4000_0000, 6, QUEUE, 16, 7]),
        (SET_QUEUE_INFO, vec![0x4000_0001, 6, 0, 0, 0]),
        (SET_QUEUE_STATE, vec![0x4000_0001, 6, 0, 5]),
    ] {
        machine.xive.conflict_watches(u32::MAX, LOST);
        assert_eq!(machine.call(token, &args), BUSY, "call {token} {args:x?}");
        machine.xive.conflict_watches(0, 0);
        assert_eq!(state(), before, "call {token} {args:x?}");
    }
}

#[test]
fn what_was_lost_half_way_is_finished_by_the_next_attempt() {
    for flags in [3, 1, 0] {
        // Wherever in the act hardware is at the same END or NVT.
        for lucky in 0..12 {
            let machine = Machine::exploiting();
            assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[0]), 0x4000_0000);
            let vp = 0x4000_0000;
            // The modes come from each other.
            machine.ok(SET_VP_INFO, &[vp.into(), 4 - flags.max(1), 0]);
            machine.ok(SET_QUEUE_INFO, &[vp.into(), 6, QUEUE, 16, 7]);
            machine.xive.lose_watches_after(lucky);
            let first = machine.call(SET_VP_INFO, &[vp.into(), flags, 0]);
            machine.xive.conflict_watches(0, 0);
            assert!(first == SUCCESS || first == BUSY, "{first}");
            machine.ok(SET_VP_INFO, &[vp.into(), flags, 0]);
            assert_eq!(machine.vp_info(vp).0, flags);
            let own = [0x0800_0000, 0x0800_0006];
            let shared = [0x0800_0007; 2];
            let seen = [0, 6].map(|priority| machine.queue_info(vp, priority).escalation);
            assert_eq!(seen, if flags == 3 { shared } else { own }, "{flags} after {lucky}");
        }
    }
}

#[test]
fn a_slow_sync_is_waited_for_and_brings_what_was_on_its_way() {
    let machine = Machine::exploiting();
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 16, 3]);
    for (round, polls) in [(0, 0), (1, 1), (2, 500)] {
        let irq = machine.ipi(PIR, 7, 0x40 + round);
        machine.xive.set_polls(polls);
        machine.xive.hold_events();
        machine.trigger(irq);
        assert_eq!(machine.ram.read32(QUEUE + round * 4), 0);
        machine.ok(SYNC, &[2, irq.into()]);
        assert_eq!(machine.ram.read32(QUEUE + round * 4), 0x8000_0040 + round as u32, "{polls} polls");
    }
}

#[test]
fn slow_scrubs_are_waited_for() {
    let machine = Machine::exploiting();
    machine.xive.set_polls(500);
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 16, 3]);
    let irq = machine.ipi(PIR, 7, 0x40);
    machine.trigger(irq);
    assert_eq!(machine.ram.read32(QUEUE), 0x8000_0040);
    assert_eq!(machine.queue_state(PIR, 7), (1, 1));
}

#[test]
fn a_queue_that_runs_full_begins_anew_and_stays_in_its_memory() {
    let machine = Machine::exploiting();
    let entries = 1024;
    machine.ram.write32(QUEUE - 4, 0x1111);
    machine.ram.write32(QUEUE + 0x1000, 0x2222);
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 12, 3]);
    let irq = machine.ipi(PIR, 7, 0x77);
    let eoi = machine.irq_info(irq).eoi;
    // Nobody reads it. Hardware has no notion of full: what comes takes the place of the oldest.
    for _ in 0..2 * entries + 6 {
        machine.trigger(irq);
        machine.load(eoi);
    }
    assert_eq!(machine.queue_state(PIR, 7), (1, 6));
    assert_eq!(machine.ram.read32(QUEUE + 5 * 4), 0x8000_0077, "third generation");
    assert_eq!(machine.ram.read32(QUEUE + 6 * 4), 0x77, "second generation");
    assert_eq!(machine.ram.read32(QUEUE + 0xffc), 0x77);
    assert_eq!([machine.ram.read32(QUEUE - 4), machine.ram.read32(QUEUE + 0x1000)], [0x1111, 0x2222]);
    assert_eq!(machine.xive.lost(), []);
}
