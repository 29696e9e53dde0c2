//! Calls 41, 42, 69, 70, 98, 158, 166, and who may call.

use super::model::firmware::{FIRMWARE, Machine, RAM_END};
use super::{BAD_POINTERS, OUT, code::*, token::*};
use opalite::arch;
use opalite::hw::ram::Ram;
use opalite::services::quiesce::Mode;
use opalite::units::Pir;
use std::sync::atomic::Ordering;

const ENTRY: u64 = 0xde5c;
const ALL: u64 = u64::MAX;

impl Machine {
    fn status(&self, pir: u64) -> u8 {
        self.ram.write8(OUT, 0x55);
        assert_eq!(self.call(QUERY_CPU_STATUS, &[pir, OUT]), SUCCESS);
        self.ram.read8(OUT)
    }
}

#[test]
fn tells_which_threads_run_wait_and_never_came() {
    let machine = Machine::new();
    machine.threads[2].waiting.store(false, Ordering::Relaxed);
    assert_eq!([0, 1, 2, 4].map(|pir| machine.status(pir)), [1, 0, 0, 2]);
    machine.ram.write8(OUT, 0x55);
    for pir in [3, 5, u64::MAX, 1 << 32] {
        assert_eq!(machine.call(QUERY_CPU_STATUS, &[pir, OUT]), PARAMETER, "{pir:#x}");
    }
    for pointer in [0, FIRMWARE, RAM_END] {
        assert_eq!(machine.call(QUERY_CPU_STATUS, &[1, pointer]), PARAMETER);
    }
    assert_eq!(machine.ram.read8(OUT), 0x55);
}

#[test]
fn a_started_thread_leaves_once() {
    let machine = Machine::new();
    assert_eq!(machine.call(START_CPU, &[2, 0xc000_0000_0000_0000 | ENTRY]), SUCCESS);
    assert_eq!(machine.threads[1].started_at.load(Ordering::Relaxed), ENTRY);
    assert_eq!(machine.status(2), 1);
    assert_eq!(machine.status(1), 0);
    assert_eq!(machine.call(START_CPU, &[2, ENTRY]), WRONG_STATE);
    assert_eq!(machine.call(START_CPU, &[0, ENTRY]), WRONG_STATE);
}

#[test]
fn starting_checks_thread_and_address() {
    let machine = Machine::new();
    for pir in [3, 1 << 32 | 1, u64::MAX] {
        assert_eq!(machine.call(START_CPU, &[pir, ENTRY]), PARAMETER, "{pir:#x}");
    }
    for address in [0, ENTRY + 2, FIRMWARE, RAM_END, 0x0fff_ffff_ffff_fffc] {
        assert_eq!(machine.call(START_CPU, &[1, address]), PARAMETER, "{address:#x}");
    }
    assert_eq!(machine.threads[0].started_at.load(Ordering::Relaxed), 0);
    machine.threads[0].waiting.store(false, Ordering::Relaxed);
    assert_eq!(machine.call(START_CPU, &[1, ENTRY]), WRONG_STATE);
    machine.threads[0].waiting.store(true, Ordering::Relaxed);
    assert_eq!(machine.call(START_CPU, &[1, ENTRY]), SUCCESS);
}

#[test]
fn a_thread_that_does_not_leave_is_reported() {
    let machine = Machine::new();
    machine.threads[0].stuck.store(true, Ordering::Relaxed);
    assert_eq!(machine.call(START_CPU, &[1, ENTRY]), HARDWARE);
    assert_eq!(machine.call(START_CPU, &[1, ENTRY]), WRONG_STATE);
}

#[test]
fn a_returned_thread_can_start_again() {
    let machine = Machine::new();
    assert_eq!(machine.call(START_CPU, &[1, ENTRY]), SUCCESS);
    machine.firmware.services.cpus.returned(Pir(1));
    assert_eq!(machine.status(1), 0);
    assert_eq!(machine.call(START_CPU, &[1, ENTRY + 4]), SUCCESS);
    assert_eq!(machine.threads[0].started_at.load(Ordering::Relaxed), ENTRY + 4);
    // The host's only thread is 0; its parking returns at once.
    assert_eq!(machine.call(RETURN_CPU, &[]), SUCCESS);
    assert_eq!(machine.status(0), 0);
}

/// One test, because the host has one set of modes.
#[test]
fn reinit_switches_what_it_was_asked_and_nothing_else() {
    let machine = Machine::new();
    let modes = || (arch::little_endian_interrupts(), arch::radix());
    assert_eq!(machine.call(REINIT_CPUS, &[0xe]), SUCCESS);
    assert_eq!(modes(), (true, true));
    assert_eq!(machine.call(REINIT_CPUS, &[4]), SUCCESS);
    assert_eq!(modes(), (true, false));
    assert_eq!(machine.call(REINIT_CPUS, &[1 | 4 | 8]), SUCCESS);
    assert_eq!(modes(), (false, true));
    assert_eq!(machine.call(REINIT_CPUS, &[2]), SUCCESS);
    assert_eq!(modes(), (true, true));
    assert_eq!(machine.call(REINIT_CPUS, &[0]), SUCCESS);
    assert_eq!(machine.call(REINIT_CPUS, &[3 | 4]), PARAMETER);
    for flags in [0x10, 0x11, 0x20, 1 << 32 | 1, 1 << 63] {
        assert_eq!(machine.call(REINIT_CPUS, &[flags]), UNSUPPORTED, "{flags:#x}");
    }
    assert_eq!(modes(), (true, true));
    assert_eq!(machine.call(START_CPU, &[4, ENTRY]), SUCCESS);
    assert_eq!(machine.call(REINIT_CPUS, &[1]), WRONG_STATE);
    assert_eq!(modes(), (true, true));
}

/// One test, because the host has one HMER.
#[test]
fn maintenance_interrupts_are_cleared_and_damage_is_reported() {
    let machine = Machine::new();
    let ibm = |bit: u32| 1 << (63 - bit);
    machine.ram.write64(OUT, 0x55);
    for pointer in BAD_POINTERS {
        assert_eq!(machine.call(HANDLE_HMI2, &[pointer]), PARAMETER);
    }
    arch::set_hmer(ibm(2) | ibm(9));
    assert_eq!(machine.call(HANDLE_HMI2, &[OUT]), SUCCESS);
    assert_eq!(machine.ram.read64(OUT), 0);
    assert_eq!(arch::take_hmer(u64::MAX), ibm(9), "XSCOM's bit is another's");
    assert_eq!(machine.call(HANDLE_HMI, &[]), SUCCESS);
    for damage in [0, 4, 5, 20] {
        arch::set_hmer(ibm(damage));
        assert_eq!(machine.call(HANDLE_HMI, &[]), HARDWARE);
        assert_eq!(arch::take_hmer(u64::MAX), 0);
    }
}

#[test]
fn a_quiescence_keeps_others_out_until_it_ends() {
    let machine = Machine::new();
    let quiesce = &machine.firmware.services.quiesce;
    assert_eq!(machine.call(QUIESCE, &[2, ALL]), SUCCESS);
    assert_eq!(machine.call(TEST, &[]), SUCCESS, "the caller itself");
    assert!(quiesce.admit(Pir(1)).is_err() && quiesce.admit(Pir(4)).is_err());
    assert_eq!(machine.call(QUIESCE, &[4, ALL]), SUCCESS);
    assert!(quiesce.admit(Pir(1)).is_ok());
    assert_eq!(machine.call(QUIESCE, &[2, 4]), SUCCESS);
    assert!(quiesce.admit(Pir(1)).is_ok() && quiesce.admit(Pir(4)).is_err());
    assert_eq!(machine.call(QUIESCE, &[5, 4]), SUCCESS);
    assert!(quiesce.admit(Pir(4)).is_ok());
}

#[test]
fn a_thread_that_is_kept_out_gets_busy_and_may_still_end_it() {
    let machine = Machine::new();
    for mode in [Mode::Reject, Mode::Hold] {
        machine.firmware.services.quiesce.start(mode, Pir(1), None);
        assert_eq!(machine.call(TEST, &[]), BUSY, "{mode:?}");
        assert_eq!(machine.call(QUIESCE, &[4, ALL]), SUCCESS);
        assert_eq!(machine.call(TEST, &[]), SUCCESS);
    }
}

#[test]
fn a_quiescence_waits_for_those_inside() {
    let machine = Machine::new();
    assert_eq!(machine.call(START_CPU, &[1, ENTRY]), SUCCESS);
    machine.threads[0].in_call.store(true, Ordering::Relaxed);
    assert_eq!(machine.call(QUIESCE, &[1, ALL]), PARTIAL);
    assert_eq!(machine.call(QUIESCE, &[1, 1]), PARTIAL);
    assert_eq!(machine.call(QUIESCE, &[1, 2]), SUCCESS);
    machine.threads[0].in_call.store(false, Ordering::Relaxed);
    assert_eq!(machine.call(QUIESCE, &[1, ALL]), SUCCESS);
}

#[test]
fn quiescing_checks_operation_and_thread() {
    let machine = Machine::new();
    assert_eq!(machine.call(QUIESCE, &[3, ALL]), UNSUPPORTED);
    for operation in [0, 6, u64::MAX, 1 << 32 | 1] {
        assert_eq!(machine.call(QUIESCE, &[operation, ALL]), PARAMETER, "{operation:#x}");
    }
    for cpu in [0, 3, u64::from(u32::MAX), 1 << 40] {
        assert_eq!(machine.call(QUIESCE, &[1, cpu]), PARAMETER, "{cpu:#x}");
    }
    assert!(!machine.firmware.services.quiesce.is_on());
}
