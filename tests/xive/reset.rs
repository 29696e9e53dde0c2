//! XIVE_RESET, and XIVE_DUMP, which changes nothing.

use super::machine::*;
use super::xive::Lost;
use opalite::hw::mmio::Mmio;
use opalite::hw::ram::Ram;

const DONATED: u64 = 0x1000_0000;

#[test]
fn no_call_is_served_before_exploitation_mode() {
    let machine = Machine::booted();
    let pir = u64::from(PIR);
    let all = |machine: &Machine, expected: i64| {
        for (token, args) in [
            (GET_IRQ_INFO, vec![u64::from(PSI_FIRST), OUT, OUT + 8, OUT + 16, OUT + 24, OUT + 28]),
            (GET_IRQ_CONFIG, vec![u64::from(PSI_FIRST), OUT, OUT + 8, OUT + 12]),
            (SET_IRQ_CONFIG, vec![u64::from(PSI_FIRST), pir, 7, 1]),
            (GET_QUEUE_INFO, vec![pir, 7, 0, 0, 0, 0, 0]),
            (SET_QUEUE_INFO, vec![pir, 7, QUEUE, 16, 3]),
            (DONATE_PAGE, vec![0, DONATED]),
            (FREE_VP_BLOCK, vec![0x4000_0000]),
            (GET_VP_INFO, vec![pir, 0, 0, 0, 0]),
            (SET_VP_INFO, vec![pir, 1, 0]),
            (FREE_IRQ, vec![0x10]),
            (SYNC, vec![3, u64::from(PSI_FIRST)]),
            (DUMP, vec![0, pir]),
            (DUMP, vec![4, pir]),
            (GET_QUEUE_STATE, vec![pir, 7, OUT, OUT + 4]),
            (SET_QUEUE_STATE, vec![pir, 7, 0, 0]),
            (GET_VP_STATE, vec![pir, OUT]),
        ] {
            assert_eq!(machine.call(token, &args), expected, "call {token}");
        }
        assert_eq!(machine.call(ALLOCATE_IRQ, &[0]), expected);
        assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[0]), expected);
    };
    all(&machine, WRONG_STATE);
    for mode in [2, 3, 1 << 32 | 1, u64::MAX] {
        assert_eq!(machine.call(RESET, &[mode]), PARAMETER, "{mode:#x}");
    }
    all(&machine, WRONG_STATE);
    machine.ok(RESET, &[1]);
    assert_eq!(machine.allocate_irq(), 0x10);
    machine.ok(RESET, &[0]);
    all(&machine, WRONG_STATE);
    machine.ok(RESET, &[1]);
    assert_eq!(machine.allocate_irq(), 0x10);
}

/// What a kernel and a guest of it use.
fn use_everything(machine: &Machine) -> (u32, u32) {
    let mut next = DONATED;
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 16, 3]);
    let ipi = machine.ipi(PIR, 7, 0x10);
    machine.ok(SET_IRQ_CONFIG, &[u64::from(PSI_FIRST) + 8, PIR.into(), 7, 0x21]);
    let (vps, _) = machine.allocate_vps(11, &mut next);
    machine.ok(SET_VP_INFO, &[vps.into(), 3, 0]);
    machine.ok(SET_QUEUE_INFO, &[vps.into(), 5, QUEUE + 0x10_0000, 16, 7]);
    machine.ok(SET_IRQ_CONFIG, &[machine.queue_info(vps, 5).escalation.into(), PIR.into(), 7, 0x31]);
    let guest = machine.ipi(vps, 5, 0x11);
    machine.trigger(ipi);
    machine.trigger(guest);
    let hv = machine.xive.window_of(PIR, TM + 0x1_0000);
    hv.write32(0x28, 0x8000_0000 | machine.vp_info(vps).1 as u32);
    (ipi, guest)
}

#[test]
fn reset_forgets_all_that_the_os_set_up() {
    let machine = Machine::exploiting();
    let (ipi, guest) = use_everything(&machine);
    for mode in [1, 1, 0, 1] {
        machine.ok(RESET, &[mode]);
        machine.xive.forget_accesses();
        // Sources: off, and what still comes goes nowhere.
        for irq in [ipi, guest] {
            assert_eq!(machine.xive.pq(irq), 1);
            assert_eq!(machine.xive.eas(irq), Some(0));
        }
        assert_eq!(machine.psi.pq(8), 1);
        machine.xive.notify(PSI_FIRST + 8);
        assert_eq!(machine.xive.lost(), [Lost::EasMasked { lisn: PSI_FIRST + 8 }]);
        // Queues and VPs.
        assert_eq!(machine.xive.end(0, (0x80 | PIR) * 8 + 7).unwrap(), [0, 0x5000_0000, 0, 0, 0, 0, 0, 0]);
        assert_eq!(machine.xive.end(0, 0x800 * 8 + 5), None, "the donated page is gone");
        assert_eq!(nvt(&machine.xive, 0x800), None);
        for pir in PIRS {
            assert!(machine.xive.thread_enabled(pir));
            assert_eq!(machine.xive.rings(pir)[0x38], 0x80);
            assert_eq!(nvt(&machine.xive, 0x80 | pir).unwrap()[..2], [0x8000_0000, 0]);
        }
    }
    // The donated memory is the OS's again, and firmware asks for new one.
    machine.ram.write_bytes(DONATED, &[0xff; 0x1_0000]);
    let mut next = DONATED;
    assert_eq!(machine.allocate_vps(11, &mut next), (0x4000_0800, 8 + NVT_PAGES as u32 / 64));
    assert_eq!(machine.vp_info(0x4000_0800), (0, CAM | 0x800, 0, 0));
}

#[test]
fn hardware_writes_no_donated_page_after_a_reset() {
    let machine = Machine::exploiting();
    use_everything(&machine);
    machine.ram.watch(DONATED, 10 * 0x1_0000);
    machine.ok(RESET, &[1]);
    let during = machine.ram.writes().len();
    // Everything that could still be in a cache goes out now, if it is.
    let ic = machine.xive.window(IC);
    scrub_end(&ic, 0x800 * 8 + 5);
    scrub_end(&ic, 0x800 * 8 + 7);
    scrub_nvt(&ic, 0x800);
    assert_eq!(machine.ram.writes().len(), during);
}

#[test]
fn caches_forget_donated_pages_before_and_translations_after_they_go() {
    let machine = Machine::exploiting();
    use_everything(&machine);
    machine.xive.forget_accesses();
    machine.ok(RESET, &[1]);
    let writes = machine.xive.writes();
    let at = |offset, value| writes.iter().position(|write| (write.offset, write.value) == (offset, value));
    // Scrubs that compare the block only.
    let mut last = None;
    for ((register, mask), behind, scrub) in SCRUB_ALL {
        let found = at(register, mask);
        assert_eq!(writes[found.unwrap() + behind].value, scrub);
        assert!(last < found, "{last:?} {found:?}");
        last = found;
    }
    for (register, value) in KILLS {
        let found = at(register, value);
        assert!(last < found, "{register:#x}: {last:?} {found:?}");
        last = found;
    }
    // Without such pages there is nothing to forget.
    machine.xive.forget_accesses();
    machine.ok(RESET, &[1]);
    assert!(machine.xive.writes().iter().all(|write| KILLS.iter().all(|kill| kill.0 != write.offset)));
}

#[test]
fn a_kernel_started_by_kexec_finds_a_working_controller() {
    let machine = Machine::exploiting();
    use_everything(&machine);
    machine.ok(RESET, &[0]);
    machine.ok(RESET, &[1]);
    machine.ram.write64(QUEUE, 0);
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 12, 3]);
    let irq = machine.ipi(PIR, 7, 0x77);
    machine.trigger(irq);
    assert_eq!(machine.ram.read32(QUEUE), 0x8000_0077);
    machine.psi.set_input(8, true);
    machine.ok(SET_IRQ_CONFIG, &[u64::from(PSI_FIRST) + 8, PIR.into(), 7, 0x78]);
    assert_eq!(machine.ram.read32(QUEUE + 4), 0x8000_0078);
}

#[test]
fn reset_costs_what_was_touched() {
    let machine = Machine::exploiting();
    machine.ok(RESET, &[1]);
    let idle = machine.xive.accesses();
    // Three threads: enable, TIMA, NVT and its scrub; one sync.
    assert!(idle < 250, "{idle} accesses");
    use_everything(&machine);
    machine.xive.forget_accesses();
    machine.ok(RESET, &[1]);
    let used = machine.xive.accesses();
    assert!(used < 1000, "{used} accesses");
    machine.xive.forget_accesses();
    machine.ok(RESET, &[1]);
    assert_eq!(machine.xive.accesses(), idle);
}

#[test]
fn dumps_change_nothing() {
    let machine = Machine::exploiting();
    let pir = u64::from(PIR);
    let rings = machine.xive.rings(PIR);
    for what in [0, 1, 2, 4] {
        machine.ok(DUMP, &[what, pir]);
    }
    assert_eq!(machine.xive.rings(PIR), rings);
    for what in [3, 5] {
        assert_eq!(machine.call(DUMP, &[what, pir]), UNSUPPORTED);
    }
    assert_eq!(machine.call(DUMP, &[6, pir]), PARAMETER);
    assert_eq!(machine.call(DUMP, &[0, 6]), PARAMETER);
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[0]), 0x4000_0000);
    assert_eq!(machine.call(DUMP, &[0, 0x4000_0000]), PARAMETER, "a VP has no TIMA");
    machine.ok(DUMP, &[4, 0x4000_0000]);
}
