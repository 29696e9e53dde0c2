//! VPs and the memory for them: 134–138, 170.

use super::machine::*;
use opalite::hw::mmio::Mmio;
use opalite::hw::ram::Ram;

const DONATED: u64 = 0x1000_0000;
const OS_RING_WORD2: u64 = 0x18;
/// What 2048 VPs beyond the first ones need.
const PAGES: u32 = 8 + NVT_PAGES as u32 / 64;

#[test]
fn a_block_asks_for_the_pages_that_it_needs() {
    let machine = Machine::exploiting();
    let mut next = DONATED;
    // The first pages are firmware's: a page of NVTs, the ENDs of 256 VPs.
    assert_eq!(machine.allocate_vps(0, &mut next), (0x4000_0000, 0));
    assert_eq!(machine.allocate_vps(2, &mut next), (0x4000_0004, 0));
    assert_eq!(machine.allocate_vps(6, &mut next), (0x4000_0040, 0));
    // 0x80–0xff are the threads': the next block of 128 needs ENDs.
    assert_eq!(machine.allocate_vps(7, &mut next), (0x4000_0100, 1));
    // 2048 VPs: one or two pages of NVTs, eight of ENDs.
    assert_eq!(machine.allocate_vps(11, &mut next), (0x4000_0800, PAGES));
    assert_eq!(next, DONATED + u64::from(1 + PAGES) * 0x1_0000);
    assert_eq!(machine.allocate_vps(0, &mut next), (0x4000_0001, 0));
}

#[test]
fn an_allocation_without_enough_pages_takes_none() {
    let machine = Machine::exploiting();
    for page in 0..u64::from(PAGES) - 1 {
        assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[11]), PROVISIONING);
        machine.ok(DONATE_PAGE, &[0, DONATED + page * 0x1_0000]);
    }
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[11]), PROVISIONING);
    // A smaller one can have them.
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[8]), 0x4000_0100);
    assert_eq!(machine.vp_info(0x4000_0100), (0, CAM | 0x100, 0, 0));
}

#[test]
fn vps_run_out_and_come_back() {
    let machine = Machine::exploiting();
    let mut next = DONATED;
    let mut blocks = Vec::new();
    // NVTs for 1024 VPs may be in firmware's page.
    let rest = 4 + u32::from(NVT_PAGES == 128);
    // 131072 VPs; the lowest 2048 hold the threads'.
    for expected in 1..64 {
        let (vp, pages) = machine.allocate_vps(11, &mut next);
        assert_eq!((vp, pages), (0x4000_0000 | expected << 11, PAGES));
        blocks.push(vp);
    }
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[11]), RESOURCE);
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[16]), RESOURCE);
    assert_eq!(machine.allocate_vps(10, &mut next), (0x4000_0400, rest));
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[10]), RESOURCE);
    machine.ok(FREE_VP_BLOCK, &[blocks[5].into()]);
    // What came back has its pages already.
    assert_eq!(machine.allocate_vps(10, &mut next), (blocks[5], 0));
    assert_eq!(machine.allocate_vps(10, &mut next), (blocks[5] + 0x400, 0));
    machine.ok(FREE_VP_BLOCK, &[u64::from(blocks[5]) + 0x400]);
    machine.ok(FREE_VP_BLOCK, &[blocks[5].into()]);
    for block in blocks.iter().filter(|&&block| block != blocks[5]) {
        machine.ok(FREE_VP_BLOCK, &[(*block).into()]);
    }
    assert_eq!(machine.allocate_vps(16, &mut next), (0x4001_0000, 0));
    assert_eq!(next, DONATED + u64::from(63 * PAGES + rest) * 0x1_0000);
}

#[test]
fn rejects_orders_and_blocks_that_are_none() {
    let machine = Machine::exploiting();
    for order in [17, 31, 32, 64, 0xffff_ffff, 1 << 32] {
        assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[order]), PARAMETER, "{order}");
    }
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[2]), 0x4000_0000);
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[2]), 0x4000_0004);
    for vp in [0x4000_0001, 0x4000_0008, 0x4000_0080, 4, 0, 0x8000_0000, 0xc000_0000, 0x4008_0000, 1 << 32] {
        assert_eq!(machine.call(FREE_VP_BLOCK, &[vp]), PARAMETER, "{vp:#x}");
    }
    machine.ok(FREE_VP_BLOCK, &[0x4000_0000]);
    assert_eq!(machine.call(FREE_VP_BLOCK, &[0x4000_0000]), PARAMETER);
    assert_eq!(machine.call(GET_VP_INFO, &[0x4000_0000, 0, 0, 0, 0]), PARAMETER);
    assert_eq!(machine.vp_info(0x4000_0007).1, CAM | 7);
}

#[test]
fn rejects_pages_that_are_not_the_os_s_to_give() {
    let machine = Machine::exploiting();
    for (chip, page) in [
        (0, 0),
        (0, DONATED + 0x1000),
        (0, REGION),
        (0, RAM - 0x1_0000),
        (0, RAM),
        (0, IC),
        (1, DONATED),
        (1 << 32, DONATED),
    ] {
        assert_eq!(machine.call(DONATE_PAGE, &[chip, page]), PARAMETER, "{chip} {page:#x}");
    }
    machine.ok(DONATE_PAGE, &[0, DONATED]);
    assert_eq!(machine.call(DONATE_PAGE, &[0, DONATED]), PARAMETER, "twice");
    machine.ok(DONATE_PAGE, &[ANY_CHIP, 0xc000_0000_0000_0000 | (DONATED + 0x1_0000)]);
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[8]), 0x4000_0100);
    for page in [DONATED, DONATED + 0x1_0000] {
        assert_eq!(machine.call(DONATE_PAGE, &[0, page]), PARAMETER, "one waits, one holds ENDs");
    }
}

#[test]
fn donations_end_when_the_tables_could_hold_no_more() {
    let machine = Machine::exploiting();
    let all = NVT_PAGES - 1 + 511;
    for page in 0..all {
        machine.ok(DONATE_PAGE, &[0, DONATED + page * 0x1_0000]);
    }
    assert_eq!(machine.call(DONATE_PAGE, &[0, DONATED + all * 0x1_0000]), RESOURCE);
}

#[test]
fn a_page_s_old_bytes_do_not_become_structures() {
    let machine = Machine::exploiting();
    machine.ram.write_bytes(DONATED, &[0xff; 0x1_0000]);
    machine.ok(DONATE_PAGE, &[0, DONATED]);
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[8]), 0x4000_0100);
    let info = machine.queue_info(0x4000_0100, 0);
    assert_eq!((info.page, info.flags), (0, 0));
    assert_eq!(machine.xive.end(0, 0x800), Some([0; 8]));
}

#[test]
fn a_vp_is_enabled_described_and_disabled() {
    let machine = Machine::exploiting();
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[1]), 0x4000_0000);
    let vp = 0x4000_0001;
    assert_eq!(machine.vp_info(vp), (0, CAM | 1, 0, 0));
    machine.ok(SET_VP_INFO, &[vp.into(), 1, 0]);
    assert_eq!(machine.vp_info(vp), (1, CAM | 1, 0, 0));
    machine.ok(SET_VP_INFO, &[vp.into(), 1, 0xc000_0000_0123_4500]);
    assert_eq!(machine.vp_info(vp), (1, CAM | 1, 0x123_4500, 0));
    assert_eq!(nvt(&machine.xive, 1).unwrap()[6..8], [0, 0x123_4500]);
    machine.ok(SET_VP_INFO, &[vp.into(), 0, 0]);
    assert_eq!(machine.vp_info(vp), (0, CAM | 1, 0, 0));
    machine.ok(GET_VP_INFO, &[vp.into(), 0, 0, 0, 0]);
    assert_eq!(machine.vp_info(PIRS[2]), (1, CAM | 0xc8, 0, 0), "a thread's own");
    for args in [
        [0x4000_0002, 1, 0],
        [vp.into(), 4, 0],
        [vp.into(), 1 << 32, 0],
        [vp.into(), 1, 0x123_4580],
        [vp.into(), 1, REGION],
        [6, 1, 0],
    ] {
        assert_eq!(machine.call(SET_VP_INFO, &args), PARAMETER, "{args:x?}");
    }
}

#[test]
fn a_block_with_an_enabled_vp_or_queue_is_not_freed() {
    let machine = Machine::exploiting();
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[2]), 0x4000_0000);
    machine.ok(SET_VP_INFO, &[0x4000_0003, 1, 0]);
    assert_eq!(machine.call(FREE_VP_BLOCK, &[0x4000_0000]), FREE_ACTIVE);
    machine.ok(SET_VP_INFO, &[0x4000_0003, 0, 0]);
    machine.ok(SET_QUEUE_INFO, &[0x4000_0002, 4, 0, 0, 7]);
    assert_eq!(machine.call(FREE_VP_BLOCK, &[0x4000_0000]), FREE_ACTIVE);
    machine.ok(SET_QUEUE_INFO, &[0x4000_0002, 4, 0, 0, 0]);
    machine.ok(FREE_VP_BLOCK, &[0x4000_0000]);
}

/// A VP with a queue for priority 6, enabled, and a source that goes there.
fn guest(machine: &Machine, flags: u64) -> (u32, u32) {
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[0]), 0x4000_0000);
    let vp = 0x4000_0000;
    machine.ok(SET_VP_INFO, &[vp.into(), flags, 0]);
    machine.ok(SET_QUEUE_INFO, &[vp.into(), 6, QUEUE, 16, 7]);
    (vp, machine.ipi(vp, 6, 0x66))
}

#[test]
fn a_vp_in_a_thread_s_os_ring_is_interrupted_there() {
    let machine = Machine::exploiting();
    let (vp, irq) = guest(&machine, 1);
    let cam = machine.vp_info(vp).1 as u32;
    let ring = machine.xive.window_of(PIR, TM + 0x1_0000);
    ring.write32(OS_RING_WORD2, 0x8000_0000 | cam);
    machine.xive.window_of(PIR, TM + 0x2_0000).write8(0x11, 0xff);
    machine.trigger(irq);
    assert_eq!(machine.ram.read32(QUEUE), 0x8000_0066);
    assert!(machine.xive.os_interrupt(PIR) && !machine.xive.hv_interrupt(PIR));
}

#[test]
fn a_vp_that_does_not_run_keeps_what_is_pending_and_escalates() {
    let machine = Machine::exploiting();
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE + 0x10_0000, 16, 3]);
    let (vp, irq) = guest(&machine, 1);
    let escalation = machine.queue_info(vp, 6).escalation;
    let info = machine.irq_info(escalation);
    let end = u64::from(escalation & 0x07ff_ffff);
    assert_eq!((info.flags, info.trigger, info.eoi), (0, 0, END_ESB + (end << 17) + 0x1_0000));
    machine.ok(SET_IRQ_CONFIG, &[escalation.into(), PIR.into(), 7, 0xe5c]);
    assert_eq!(machine.irq_config(escalation), (PIR.into(), 7, 0xe5c));
    machine.trigger(irq);
    assert_eq!(machine.ram.read32(QUEUE + 0x10_0000), 0x8000_0e5c);
    machine.ok(GET_VP_STATE, &[vp.into(), OUT]);
    assert_eq!(machine.ram.read64(OUT), PENDING_6);
    // An escalation can't be masked: its route stays.
    machine.ok(SET_IRQ_CONFIG, &[escalation.into(), 0, MASKED, 0xe5d]);
    assert_eq!(machine.irq_config(escalation), (PIR.into(), 7, 0xe5d));
    machine.ok(SET_VP_INFO, &[vp.into(), 0, 0]);
    assert_eq!(machine.call(GET_VP_STATE, &[vp.into(), OUT]), WRONG_STATE);
    assert_eq!(machine.queue_info(vp, 6).flags, 0, "its queues went with it");
}

#[test]
fn in_single_escalation_mode_all_queues_escalate_through_queue_seven() {
    let machine = Machine::exploiting();
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE + 0x10_0000, 16, 3]);
    let (vp, irq) = guest(&machine, 3);
    assert_eq!(machine.vp_info(vp).0, 3);
    let shared = machine.queue_info(vp, 7).escalation;
    assert_eq!(shared, 0x0800_0007);
    assert_eq!(machine.queue_info(vp, 6).escalation, shared);
    assert_eq!(machine.queue_info(vp, 0).escalation, shared);
    let collector = machine.queue_info(vp, 7);
    assert_eq!((collector.eoi, collector.flags, collector.page), (0, 0, 0));
    assert_eq!(machine.xive.end(0, 7).unwrap()[..2], [COLLECTOR, 0x4000_0000]);
    machine.ok(SET_IRQ_CONFIG, &[shared.into(), PIR.into(), 7, 0x5e5]);
    machine.trigger(irq);
    assert_eq!(machine.ram.read32(QUEUE + 0x10_0000), 0x8000_05e5);
    // Queue 7 and the others' own escalations can't be had now.
    assert_eq!(machine.call(SET_QUEUE_INFO, &[vp.into(), 7, QUEUE + 0x2_0000, 16, 3]), PARAMETER);
    assert_eq!(machine.call(SET_QUEUE_INFO, &[vp.into(), 7, 0, 0, 0]), PARAMETER);
    assert_eq!(machine.call(SET_IRQ_CONFIG, &[0x0800_0006, PIR.into(), 7, 1]), PARAMETER);
    // A queue that is set again keeps the mode.
    machine.ok(SET_QUEUE_INFO, &[vp.into(), 6, 0, 0, 0]);
    machine.ok(SET_QUEUE_INFO, &[vp.into(), 6, QUEUE + 0x2_0000, 16, 7]);
    assert_eq!(machine.queue_info(vp, 6).escalation, shared);
    // Out of the mode: separate again, and nothing escalates.
    machine.ok(SET_VP_INFO, &[vp.into(), 1, 0]);
    assert_eq!(
        machine.queue_info(vp, 6),
        QueueInfo {
            page: QUEUE + 0x2_0000,
            order: 16,
            eoi: END_ESB + (6 << 17),
            escalation: 0x0800_0006,
            flags: 3
        }
    );
    machine.ok(SET_QUEUE_INFO, &[vp.into(), 7, QUEUE + 0x3_0000, 16, 3]);
    assert_eq!(machine.call(SET_VP_INFO, &[vp.into(), 3, 0]), PARAMETER, "queue 7 is in use");
    machine.ok(SET_VP_INFO, &[vp.into(), 0, 0]);
    machine.ok(FREE_VP_BLOCK, &[vp.into()]);
}

#[test]
fn an_escalation_exists_only_with_its_vp() {
    let machine = Machine::exploiting();
    let outputs = [OUT, OUT + 8, OUT + 16, OUT + 24, OUT + 28];
    let info = |irq: u64| {
        let mut args = vec![irq];
        args.extend(outputs);
        machine.call(GET_IRQ_INFO, &args)
    };
    let thread = u64::from(0x0800_0000 | ((0x80 | PIR) * 8));
    assert_eq!(info(thread + 7), SUCCESS);
    assert_eq!(info(thread + 16), PARAMETER, "thread 6 isn't there");
    assert_eq!(info(0x0800_0000), PARAMETER);
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[0]), 0x4000_0000);
    assert_eq!(info(0x0800_0000), SUCCESS);
    machine.ok(FREE_VP_BLOCK, &[0x4000_0000]);
    assert_eq!(info(0x0800_0000), PARAMETER);
    assert_eq!(machine.call(SYNC, &[3, 0x0800_0000]), PARAMETER);
}
