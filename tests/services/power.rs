//! Calls 5, 6, 85, 87, 116, and the BMC's own wishes.

use super::model::firmware::{FIRMWARE, Machine, PSI_BASE, RAM_END};
use super::model::lpc::{self, Chassis};
use super::{BUFFER, OUT, code::*, token::*};
use opalite::hw::ram::Ram;

const BT_ISN: u64 = PSI_BASE as u64 + 7;
const BT_INPUT: u8 = 7;
const MESSAGE_EVENT: u64 = 0x800;
const SOFT_REBOOT: [u8; 16] = [1, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0x3a, 0x04, 0x01, 0xff, 0xff, 0xff];

#[test]
fn power_down_tells_the_chassis() {
    for request in [0, 1] {
        let machine = Machine::new();
        assert_eq!(machine.call(CEC_POWER_DOWN, &[request]), SUCCESS);
        assert_eq!(machine.lpc.chassis(), [Chassis::PowerOff]);
    }
    let machine = Machine::new();
    assert_eq!(machine.call(CEC_POWER_DOWN, &[2]), PARAMETER);
    assert_eq!(machine.lpc.chassis(), []);
}

#[test]
fn reboot_falls_back_from_a_power_cycle_to_a_hard_reset() {
    for call in [(CEC_REBOOT, 0), (CEC_REBOOT2, 0), (CEC_REBOOT2, 1), (CEC_REBOOT2, 2)] {
        let machine = Machine::new();
        assert_eq!(machine.call(call.0, &[call.1, 0]), SUCCESS, "{call:?}");
        assert_eq!(machine.lpc.chassis(), [Chassis::HardReset]);
        let requests = machine.lpc.bmc_requests();
        assert_eq!(requests[requests.len() - 2..], [(0, 2, vec![2]), (0, 2, vec![3])]);
    }
}

#[test]
fn reboot_takes_a_power_cycle_where_there_is_one() {
    let machine = Machine::with(|lpc| lpc.set_answer(0, 2, &[0]));
    assert_eq!(machine.call(CEC_REBOOT, &[]), SUCCESS);
    assert_eq!(machine.lpc.bmc_requests().last(), Some(&(0, 2, vec![2])));
}

#[test]
fn waiting_output_leaves_before_the_power_goes() {
    let machine = Machine::with(|lpc| lpc.set_transmit_delay(3));
    machine.ram.write_bytes(BUFFER, &[b'x'; 500]);
    machine.ram.write64(OUT, 500);
    assert_eq!(machine.call(CONSOLE_WRITE, &[0, OUT, BUFFER]), SUCCESS);
    assert!(machine.lpc.output().len() < 500);
    assert_eq!(machine.call(CEC_POWER_DOWN, &[0]), SUCCESS);
    assert_eq!(machine.lpc.output(), [b'x'; 500]);
}

#[test]
fn a_silent_bmc_is_an_error_and_not_a_hang() {
    let machine = Machine::with(|lpc| lpc.set_bmc_delay(u32::MAX));
    assert_eq!(machine.call(CEC_POWER_DOWN, &[0]), TIMEOUT);
}

#[test]
fn a_slow_bmc_is_waited_for() {
    let machine = Machine::with(|lpc| lpc.set_bmc_delay(1000));
    assert_eq!(machine.call(CEC_POWER_DOWN, &[0]), SUCCESS);
    assert_eq!(machine.lpc.chassis(), [Chassis::PowerOff]);
}

#[test]
fn a_bmc_that_refuses_is_reported() {
    let machine = Machine::with(|lpc| lpc.set_answer(0, 2, &[0xd5]));
    assert_eq!(machine.call(CEC_POWER_DOWN, &[0]), HARDWARE);
    assert_eq!(machine.call(CEC_REBOOT, &[]), HARDWARE);
}

#[test]
fn without_a_bmc_there_is_no_power_control() {
    let machine = Machine::with(lpc::Lpc::remove_bmc);
    assert_eq!(machine.call(CEC_POWER_DOWN, &[0]), UNSUPPORTED);
    assert_eq!(machine.call(CEC_REBOOT, &[]), UNSUPPORTED);
    assert_eq!(machine.call(POLL_EVENTS, &[0]), SUCCESS);
    assert!(!machine.lpc.psi_input(3), "probing left an error behind");
}

#[test]
fn reboot_types_that_are_not_served_do_nothing() {
    let machine = Machine::new();
    for kind in [3, 4, 5, u64::from(u32::MAX)] {
        assert_eq!(machine.call(CEC_REBOOT2, &[kind, 0]), UNSUPPORTED, "{kind}");
    }
    for kind in [1 << 32, u64::MAX] {
        assert_eq!(machine.call(CEC_REBOOT2, &[kind, 0]), PARAMETER, "{kind:#x}");
    }
    for pointer in [FIRMWARE, RAM_END, 0xc000_0000_0000_0000 | FIRMWARE, u64::MAX] {
        assert_eq!(machine.call(CEC_REBOOT2, &[1, pointer]), PARAMETER, "{pointer:#x}");
    }
    // A string that runs into firmware's memory before it ends.
    machine.ram.write_bytes(FIRMWARE - 4, b"text");
    assert_eq!(machine.call(CEC_REBOOT2, &[1, FIRMWARE - 4]), PARAMETER);
    assert_eq!(machine.lpc.chassis(), []);
    machine.ram.write_bytes(FIRMWARE - 4, b"txt\0");
    assert_eq!(machine.call(CEC_REBOOT2, &[1, 0xc000_0000_0000_0000 | (FIRMWARE - 4)]), SUCCESS);
    assert_eq!(machine.lpc.chassis(), [Chassis::HardReset]);
}

#[test]
fn an_endless_message_is_cut() {
    let machine = Machine::new();
    machine.ram.write_bytes(BUFFER, &[b'y'; 4096]);
    assert_eq!(machine.call(CEC_REBOOT2, &[1, BUFFER]), SUCCESS);
}

#[test]
fn nothing_of_firmware_s_moves_data_at_a_kexec() {
    assert_eq!(Machine::new().call(SYNC_HOST_REBOOT, &[]), SUCCESS);
}

#[test]
fn the_bmc_s_wish_to_power_off_becomes_a_message() {
    let machine = Machine::new();
    for (post, parameter) in [(None, 0), (Some(SOFT_REBOOT), 1)] {
        match post {
            None => machine.lpc.ask_soft_power_off(),
            Some(event) => machine.lpc.post_event(event),
        }
        assert!(machine.lpc.psi_input(BT_INPUT));
        assert_eq!(machine.call(HANDLE_INTERRUPT, &[BT_ISN, OUT]), SUCCESS);
        assert_eq!(machine.ram.read64(OUT), MESSAGE_EVENT);
        assert!(!machine.lpc.psi_input(BT_INPUT));
        machine.ram.write_bytes(BUFFER, &[0xaa; 80]);
        assert_eq!(machine.call(GET_MSG, &[BUFFER, 72]), SUCCESS);
        assert_eq!(machine.ram.read64(BUFFER), 3 << 32);
        assert_eq!(machine.ram.read64(BUFFER + 8), parameter);
        assert_eq!(machine.ram.bytes(BUFFER + 16, 56), [0; 56]);
        assert_eq!(machine.ram.bytes(BUFFER + 72, 8), [0xaa; 8]);
        assert_eq!(machine.call(POLL_EVENTS, &[OUT]), SUCCESS);
        assert_eq!(machine.ram.read64(OUT), 0);
        assert_eq!(machine.call(GET_MSG, &[BUFFER, 72]), RESOURCE);
    }
}

#[test]
fn polling_finds_the_bmc_s_event_too() {
    let machine = Machine::new();
    machine.lpc.ask_soft_power_off();
    assert_eq!(machine.call(POLL_EVENTS, &[OUT]), SUCCESS);
    assert_eq!(machine.ram.read64(OUT), MESSAGE_EVENT);
}

#[test]
fn other_events_of_the_bmc_are_passed_over() {
    let machine = Machine::new();
    for at in [2, 10, 11, 12] {
        let mut event = SOFT_REBOOT;
        event[at] = 0x77;
        machine.lpc.post_event(event);
        assert_eq!(machine.call(HANDLE_INTERRUPT, &[BT_ISN, OUT]), SUCCESS);
        assert_eq!(machine.ram.read64(OUT), 0);
        assert!(!machine.lpc.psi_input(BT_INPUT));
    }
}

#[test]
fn a_message_needs_room_and_is_kept_until_it_has() {
    let machine = Machine::new();
    machine.lpc.ask_soft_power_off();
    machine.call(POLL_EVENTS, &[0]);
    for (buffer, size) in [
        (BUFFER, 71),
        (BUFFER, 0),
        (0, 72),
        (FIRMWARE, 72),
        (FIRMWARE - 71, 72),
        (RAM_END - 8, 72),
        (BUFFER, u64::MAX),
        (BUFFER, 1 << 40),
    ] {
        assert_eq!(machine.call(GET_MSG, &[buffer, size]), PARAMETER, "{buffer:#x} {size:#x}");
    }
    assert_eq!(machine.call(GET_MSG, &[BUFFER, 0x10000]), SUCCESS);
    assert_eq!(machine.ram.read32(BUFFER), 3);
}

#[test]
fn a_full_queue_keeps_the_oldest() {
    let machine = Machine::new();
    machine.lpc.post_event(SOFT_REBOOT);
    machine.call(POLL_EVENTS, &[0]);
    for _ in 0..opalite::services::messages::QUEUE + 5 {
        machine.lpc.ask_soft_power_off();
        machine.call(POLL_EVENTS, &[0]);
    }
    assert_eq!(machine.call(GET_MSG, &[BUFFER, 72]), SUCCESS);
    assert_eq!(machine.ram.read64(BUFFER + 8), 1);
    let mut count = 1;
    while machine.call(GET_MSG, &[BUFFER, 72]) == SUCCESS {
        count += 1;
    }
    assert_eq!(count, opalite::services::messages::QUEUE);
}
