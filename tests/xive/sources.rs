//! Sources: 129–131, 139–141.

use super::machine::*;
use super::xive::Lost;
use opalite::hw::ram::Ram;

#[test]
fn an_ipi_reaches_the_event_queue() {
    let machine = Machine::exploiting();
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 16, 3]);
    let irq = machine.allocate_irq();
    assert_eq!(irq, 0x10);
    let esb = ESB + (0x10 << 17);
    assert_eq!(
        machine.irq_info(irq),
        IrqInfo { flags: IPI_FLAGS, eoi: esb + 0x1_0000, trigger: esb, shift: 17, chip: 0 }
    );
    assert_eq!(machine.irq_config(irq), (PIR.into(), 0xff, 0x10), "masked, its own number");
    machine.ok(SET_IRQ_CONFIG, &[irq.into(), PIRS[1].into(), 7, 0x1234]);
    machine.ok(SET_IRQ_CONFIG, &[irq.into(), PIR.into(), 7, 0x1234]);
    assert_eq!(machine.irq_config(irq), (PIR.into(), 7, 0x1234));
    assert_eq!(machine.xive.pq(irq), 1, "PQ is the OS's business");
    machine.load(esb + 0x1_0c00);
    machine.trigger(irq);
    assert_eq!(machine.ram.read32(QUEUE), 0x8000_1234);
    assert!(!machine.xive.hv_interrupt(PIR), "CPPR is 0 until the OS raises it");
    let hv = machine.xive.window_of(PIR, TM + 0x1_0000);
    opalite::hw::mmio::Mmio::write8(&hv, 0x31, 0xff);
    assert!(machine.xive.hv_interrupt(PIR) && !machine.xive.hv_interrupt(PIRS[1]));
    assert_eq!(machine.xive.lost(), []);
}

#[test]
fn a_new_route_takes_effect_although_hardware_caches_the_old_one() {
    let machine = Machine::exploiting();
    for (pir, queue) in [(PIR, QUEUE), (PIRS[2], QUEUE + 0x1_0000)] {
        machine.ok(SET_QUEUE_INFO, &[pir.into(), 7, queue, 16, 3]);
    }
    let irq = machine.ipi(PIR, 7, 1);
    machine.trigger(irq);
    machine.ok(SET_IRQ_CONFIG, &[irq.into(), PIRS[2].into(), 7, 2]);
    machine.load(machine.irq_info(irq).eoi);
    machine.trigger(irq);
    assert_eq!(machine.ram.read32(QUEUE + 4), 0);
    assert_eq!(machine.ram.read32(QUEUE + 0x1_0000), 0x8000_0002);
}

#[test]
fn a_route_waits_until_earlier_events_have_arrived() {
    let machine = Machine::exploiting();
    let irq = machine.allocate_irq();
    machine.xive.forget_accesses();
    machine.ok(SET_IRQ_CONFIG, &[irq.into(), PIR.into(), 7, 1]);
    let writes = machine.xive.writes();
    let syncs: Vec<u64> = writes.iter().filter(|w| w.place == SYNC_PLACE).map(|w| w.offset).collect();
    assert_eq!(syncs, SYNCS);
    let loads = machine.xive.loads();
    assert_eq!(loads.iter().filter(|load| load.offset == SYNC_DONE).count(), SYNC_LOADS);
    assert_eq!(writes.last().map(|write| (write.offset, write.value & SYNC_ANSWERS)), Some((SYNC_DONE, 0)));
    assert_eq!(loads.last().map(|load| load.offset), Some(SYNC_LAST));
}

#[test]
fn a_masked_source_loses_its_events_and_needs_no_target() {
    let machine = Machine::exploiting();
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 16, 3]);
    let irq = machine.ipi(PIR, 7, 1);
    for vp in [PIRS[1], 0x7777, 0x4000_0000] {
        machine.ok(SET_IRQ_CONFIG, &[irq.into(), vp.into(), MASKED, 0x7fff_ffff]);
        assert_eq!(machine.irq_config(irq), (PIRS[1].into(), 0xff, 0x7fff_ffff));
    }
    machine.trigger(irq);
    assert_eq!(machine.ram.read32(QUEUE), 0);
    assert_eq!(machine.xive.lost(), [Lost::EasMasked { lisn: irq }]);
}

#[test]
fn rejects_what_no_source_and_no_queue_has() {
    let machine = Machine::exploiting();
    let irq: u64 = machine.allocate_irq().into();
    let before = machine.xive.eas(irq as u32);
    machine.xive.forget_accesses();
    let pir = u64::from(PIR);
    for args in [
        [0, pir, 7, 1],
        [0xf, pir, 7, 1],
        [0x11, pir, 7, 1],
        [0x1_0000, pir, 7, 1],
        [0x1000_0010, pir, 7, 1],
        [0x1_0000_0010, pir, 7, 1],
        [0xffff_ffff, pir, 7, 1],
        [0x0800_0000, pir, 7, 1],
        [irq, 6, 7, 1],
        [irq, 0x84, 7, 1],
        [irq, 0x104, 7, 1],
        [irq, 0x4000_0000, 7, 1],
        [irq, 0x4000_0084, 7, 1],
        [irq, 1 << 32 | pir, 7, 1],
        [irq, u64::MAX, 7, 1],
        [irq, pir, 8, 1],
        [irq, pir, 0xfe, 1],
        [irq, pir, 0x100, 1],
        [irq, pir, 0x1_0000_0007, 1],
        [irq, pir, 7, 0x8000_0000],
        [irq, pir, 7, 0x1_0000_0001],
    ] {
        assert_eq!(machine.call(SET_IRQ_CONFIG, &args), PARAMETER, "{args:x?}");
    }
    assert_eq!(machine.xive.eas(irq as u32), before);
    assert_eq!(machine.xive.accesses(), 0, "no register was touched");
    for irq in [0, 0x11, PSI_FIRST - 1, PSI_FIRST + 16, 0x0800_0000, 0x1000_0010] {
        assert_eq!(machine.call(GET_IRQ_INFO, &[irq.into(), OUT, OUT, OUT, OUT, OUT]), PARAMETER, "{irq:#x}");
        assert_eq!(machine.call(GET_IRQ_CONFIG, &[irq.into(), OUT, OUT, OUT]), PARAMETER, "{irq:#x}");
        assert_eq!(machine.call(SYNC, &[3, irq.into()]), PARAMETER, "{irq:#x}");
        assert_eq!(machine.call(FREE_IRQ, &[irq.into()]), PARAMETER, "{irq:#x}");
    }
    // Numbers 14 and 15 of the PSI block are valid, but no device has them.
    assert_eq!(machine.call(GET_IRQ_INFO, &[0xfffe, OUT, OUT, OUT, OUT, OUT]), PARAMETER);
}

#[test]
fn writes_outputs_only_where_the_os_may_have_them() {
    let machine = Machine::exploiting();
    let irq: u64 = machine.allocate_irq().into();
    machine.ram.watch(0, REGION);
    for bad in [0, OUT + 4, REGION, RAM, 0xc000_0000_0000_0000, RAM - 4] {
        for place in 1..6 {
            let mut args = [irq, OUT, OUT + 8, OUT + 16, OUT + 24, OUT + 28];
            // The last two are 32-bit numbers.
            args[place] = if place > 3 && bad == OUT + 4 { OUT + 2 } else { bad };
            assert_eq!(machine.call(GET_IRQ_INFO, &args), PARAMETER, "{args:x?}");
        }
    }
    assert_eq!(machine.ram.writes(), []);
}

#[test]
fn a_level_that_was_up_before_it_had_a_route_is_not_forgotten() {
    let machine = Machine::exploiting();
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 12, 3]);
    machine.psi.set_input(8, true);
    assert_eq!(machine.psi.events(), []);
    let irq = PSI_FIRST + 8;
    let page = PSI_ESB + (8 << PSI_SHIFT);
    assert_eq!(machine.irq_info(irq), IrqInfo { flags: 4, eoi: page, trigger: 0, shift: PSI_SHIFT, chip: 0 });
    machine.ok(SET_IRQ_CONFIG, &[irq.into(), PIR.into(), 7, 0x21]);
    assert_eq!(machine.ram.read32(QUEUE), 0x8000_0021);
    // A change of the route doesn't send it once more.
    machine.ok(SET_IRQ_CONFIG, &[irq.into(), PIR.into(), 7, 0x22]);
    assert_eq!(machine.ram.read32(QUEUE + 4), 0);
    assert_eq!(machine.psi.events().len(), 1);
}

#[test]
fn an_idle_level_sends_nothing_when_it_gets_its_route() {
    let machine = Machine::exploiting();
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 12, 3]);
    machine.ok(SET_IRQ_CONFIG, &[u64::from(PSI_FIRST) + 7, PIR.into(), 7, 0x21]);
    assert_eq!(machine.psi.events(), []);
    machine.psi.set_input(7, true);
    assert_eq!(machine.ram.read32(QUEUE), 0x8000_0021);
}

#[test]
fn freed_sources_are_off_invalid_and_given_out_again() {
    let machine = Machine::exploiting();
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 16, 3]);
    let irqs: Vec<u32> = (0..3).map(|data| machine.ipi(PIR, 7, data)).collect();
    assert_eq!(irqs, [0x10, 0x11, 0x12]);
    machine.trigger(0x11);
    machine.ok(FREE_IRQ, &[0x11]);
    assert_eq!(machine.xive.pq(0x11), 1);
    assert_eq!(machine.xive.eas(0x11), Some(0));
    assert_eq!(machine.call(FREE_IRQ, &[0x11]), PARAMETER);
    assert_eq!(machine.call(SET_IRQ_CONFIG, &[0x11, PIR.into(), 7, 1]), PARAMETER);
    assert_eq!(machine.allocate_irq(), 0x11);
    assert_eq!(machine.irq_config(0x11).1, 0xff);
    assert_eq!(machine.call(FREE_IRQ, &[PSI_FIRST.into()]), PARAMETER, "a device's");
}

#[test]
fn sources_run_out_below_those_of_devices() {
    let machine = Machine::exploiting();
    for expected in 0x10..PSI_FIRST {
        assert_eq!(machine.call(ALLOCATE_IRQ, &[0]), i64::from(expected));
    }
    assert_eq!(machine.call(ALLOCATE_IRQ, &[0]), RESOURCE);
    machine.ok(FREE_IRQ, &[0x4321]);
    assert_eq!(machine.call(ALLOCATE_IRQ, &[u64::MAX]), 0x4321);
    for chip in [1, 0x1_0000_0000, 0xffff_fffe] {
        assert_eq!(machine.call(ALLOCATE_IRQ, &[chip]), PARAMETER, "{chip:#x}");
    }
}

#[test]
fn sync_takes_its_two_types() {
    let machine = Machine::exploiting();
    let irq: u64 = machine.allocate_irq().into();
    for types in [1, 2, 3] {
        machine.xive.forget_accesses();
        machine.ok(SYNC, &[types, irq]);
        let syncs = machine.xive.writes().into_iter().filter(|write| write.place == SYNC_PLACE).count();
        assert_eq!(syncs, SYNCS.len());
    }
    assert_eq!(machine.call(SYNC, &[4, irq]), PARAMETER);
    assert_eq!(machine.call(SYNC, &[1 << 32, irq]), PARAMETER);
}

#[test]
fn hardware_that_never_answers_is_a_hardware_error() {
    let machine = Machine::exploiting();
    let irq: u64 = machine.allocate_irq().into();
    machine.xive.set_polls(u32::MAX);
    assert_eq!(machine.call(SYNC, &[1, irq]), HARDWARE);
    assert_eq!(machine.call(SET_IRQ_CONFIG, &[irq, PIR.into(), 7, 1]), HARDWARE);
}
