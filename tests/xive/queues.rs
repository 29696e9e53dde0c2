//! Event queues: 132, 133, 143, 144.

use super::machine::*;
use super::xive::Lost;
use opalite::hw::ram::Ram;

/// END of a thread's queue.
fn number(pir: u32, priority: u32) -> u32 {
    (0x80 | pir) * 8 + priority
}

#[test]
fn a_queue_is_described_before_and_after_it_is_set() {
    let machine = Machine::exploiting();
    let number = number(PIR, 7);
    let escalation = 0x0800_0000 | number;
    let eoi = END_ESB + (u64::from(number) << 17);
    let unset = QueueInfo { page: 0, order: 0, eoi, escalation, flags: 0 };
    assert_eq!(machine.queue_info(PIR, 7), unset);
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 12, 3]);
    assert_eq!(machine.queue_info(PIR, 7), QueueInfo { page: QUEUE, order: 12, eoi, escalation, flags: 3 });
    assert_eq!(machine.xive.end(0, number).unwrap(), end(QUEUE as u32, 0x84, 7));
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, 0xc000_0000_0000_0000 | QUEUE, 24, 5]);
    assert_eq!(machine.queue_info(PIR, 7), QueueInfo { page: QUEUE, order: 24, eoi, escalation, flags: 5 });
    // Disabled: everything else is ignored, and wiped; both PQ pairs are off.
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, u64::MAX, 77, 6]);
    assert_eq!(machine.queue_info(PIR, 7), unset);
    assert_eq!(machine.xive.end(0, number).unwrap(), [0, 0x5000_0000, 0, 0, 0, 0, 0, 0]);
    assert_eq!(machine.queue_info(PIR, 6).escalation, escalation - 1);
}

#[test]
fn any_output_of_a_queue_s_description_may_be_null() {
    let machine = Machine::exploiting();
    machine.ram.write64(OUT, u64::MAX);
    machine.ok(GET_QUEUE_INFO, &[PIR.into(), 7, 0, 0, OUT + 8, OUT + 16, 0]);
    assert_eq!(machine.ram.read64(OUT), u64::MAX);
    assert_eq!(machine.ram.read32(OUT + 16), 0x0800_0000 | number(PIR, 7));
    machine.ok(GET_QUEUE_INFO, &[PIR.into(), 7, 0, 0, 0, 0, 0]);
    assert_eq!(machine.call(GET_QUEUE_INFO, &[PIR.into(), 7, 0, 0, REGION, 0, 0]), PARAMETER);
}

#[test]
fn a_queue_set_again_starts_at_generation_one_index_zero() {
    let machine = Machine::exploiting();
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 12, 3]);
    assert_eq!(machine.queue_state(PIR, 7), (1, 0));
    let irq = machine.ipi(PIR, 7, 0x33);
    for _ in 0..3 {
        machine.trigger(irq);
        machine.load(machine.irq_info(irq).eoi);
    }
    assert_eq!(machine.queue_state(PIR, 7), (1, 3), "as hardware has it, not as memory had it");
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE + 0x1000, 12, 3]);
    assert_eq!(machine.queue_state(PIR, 7), (1, 0));
    machine.trigger(irq);
    assert_eq!(machine.ram.read32(QUEUE + 0x1000), 0x8000_0033);
    assert_eq!(machine.ram.read32(QUEUE + 0xc), 0, "nothing more in the old one");
}

#[test]
fn a_queue_wraps_and_its_state_can_be_saved_and_restored() {
    let machine = Machine::exploiting();
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 0, QUEUE, 12, 3]);
    machine.ok(SET_QUEUE_STATE, &[PIR.into(), 0, 1, 0x3ff]);
    let irq = machine.ipi(PIR, 0, 0x44);
    machine.trigger(irq);
    assert_eq!(machine.ram.read32(QUEUE + 0xffc), 0x8000_0044);
    assert_eq!(machine.queue_state(PIR, 0), (0, 0));
    machine.load(machine.irq_info(irq).eoi);
    machine.trigger(irq);
    assert_eq!(machine.ram.read32(QUEUE), 0x44);
}

#[test]
fn hardware_can_not_be_made_to_write_outside_of_a_queue() {
    let machine = Machine::exploiting();
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 12, 3]);
    let pir = u64::from(PIR);
    for args in [
        [pir, 7, 1, 0x400],
        [pir, 7, 0, 0x3f_ffff],
        [pir, 7, 0, 0xffff_ffff],
        [pir, 7, 0, 1 << 32],
        [pir, 7, 2, 0],
        [pir, 7, 1 << 32, 0],
        [pir, 8, 0, 0],
        [6, 7, 0, 0],
    ] {
        assert_eq!(machine.call(SET_QUEUE_STATE, &args), PARAMETER, "{args:x?}");
    }
    assert_eq!(machine.queue_state(PIR, 7), (1, 0));
    assert_eq!(machine.call(SET_QUEUE_STATE, &[pir, 6, 0, 0]), WRONG_STATE);
    assert_eq!(machine.call(GET_QUEUE_STATE, &[pir, 6, OUT, OUT + 4]), WRONG_STATE);
    assert_eq!(machine.call(GET_QUEUE_STATE, &[pir, 7, 0, OUT + 4]), PARAMETER);
    // A queue without memory has index 0 only.
    machine.ok(SET_QUEUE_INFO, &[pir, 5, 0, 0, 3]);
    machine.ok(SET_QUEUE_STATE, &[pir, 5, 0, 0]);
    assert_eq!(machine.call(SET_QUEUE_STATE, &[pir, 5, 0, 1]), PARAMETER);
}

#[test]
fn rejects_queues_that_hardware_does_not_have() {
    let machine = Machine::exploiting();
    let pir = u64::from(PIR);
    machine.xive.forget_accesses();
    for args in [
        [6, 7, QUEUE, 16, 3],
        [0x4000_0000, 7, QUEUE, 16, 3],
        [pir, 8, QUEUE, 16, 3],
        [pir, 0xff, QUEUE, 16, 3],
        [pir, 7, QUEUE, 13, 3],
        [pir, 7, QUEUE, 64, 3],
        [pir, 7, QUEUE, 1 << 32 | 16, 3],
        [pir, 7, 0, 16, 3],
        [pir, 7, QUEUE, 0, 3],
        [pir, 7, QUEUE + 0x1000, 16, 3],
        [pir, 7, QUEUE + 0x1_0000, 21, 3],
        [pir, 7, REGION, 16, 3],
        [pir, 7, REGION - 0x1_0000, 21, 3],
        [pir, 7, RAM, 16, 3],
        [pir, 7, 0x0006_0302_0310_0000, 16, 3],
        [pir, 7, QUEUE, 16, 8 | 3],
        [pir, 7, QUEUE, 16, 1 << 32 | 3],
    ] {
        assert_eq!(machine.call(SET_QUEUE_INFO, &args), PARAMETER, "{args:x?}");
    }
    assert_eq!(machine.xive.accesses(), 0);
    // The last page before firmware's is fine.
    machine.ok(SET_QUEUE_INFO, &[pir, 7, REGION - 0x1_0000, 16, 3]);
}

#[test]
fn a_queue_without_memory_only_notifies() {
    let machine = Machine::exploiting();
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 3, 0, 0, 7]);
    let info = machine.queue_info(PIR, 3);
    assert_eq!((info.page, info.order, info.flags), (0, 0, 7));
    let irq = machine.ipi(PIR, 3, 1);
    opalite::hw::mmio::Mmio::write8(&machine.xive.window_of(PIR, TM + 0x1_0000), 0x31, 0xff);
    machine.trigger(irq);
    assert!(machine.xive.hv_interrupt(PIR));
    assert_eq!(machine.xive.rings(PIR)[0x32], 0x10, "priority 3 pending");
}

#[test]
fn a_disabled_queue_takes_no_events() {
    let machine = Machine::exploiting();
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 16, 3]);
    let irq = machine.ipi(PIR, 7, 1);
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, 0, 0, 0]);
    machine.trigger(irq);
    assert_eq!(machine.xive.lost(), [Lost::EndInvalid { block: 0, index: number(PIR, 7) }]);
    assert_eq!(machine.ram.read32(QUEUE), 0);
}

#[test]
fn a_queue_keeps_a_masked_escalation_masked_when_it_moves() {
    let machine = Machine::exploiting();
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 2, QUEUE, 16, 7]);
    let page = machine.irq_info(machine.queue_info(PIR, 2).escalation).eoi;
    assert_eq!(machine.load(page + 0xd00), 0);
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 2, QUEUE + 0x1_0000, 16, 7]);
    assert_eq!(machine.load(page + 0x800), 1);
    // Disabled and enabled is a fresh start.
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 2, 0, 0, 0]);
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 2, QUEUE, 16, 7]);
    assert_eq!(machine.load(page + 0x800), 0);
}

#[test]
fn a_lost_cache_watch_is_tried_again() {
    let machine = Machine::exploiting();
    // Conflict, and the watch was one that looks for conflicts.
    machine.xive.conflict_next_watch(1 << 63);
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 16, 3]);
    assert_eq!(machine.queue_info(PIR, 7).page, QUEUE);
    let commits = machine.xive.writes().iter().filter(|write| write.offset == END_COMMIT).count();
    assert_eq!(commits, 2);
}
