//! The three calls: what they refuse, and one fault from its beginning to its end.

use super::os::{
    AT, DMA_FAULT, FAILURE, INVALID, MENDED, PAGE, PCI_ERROR, READ, WRITE, asking, frame, machine, rid, token,
};
use crate::machine::{EMPTY, FIRMWARE, HARDWARE, Machine, PARAMETER, SUCCESS};
use crate::model::phb4::FaultKind;
use opalite::dt::{dma_windows, tree::Tree};
use opalite::hw::ram::Ram;

const NO_ERROR: (u64, u16, u16) = (u64::MAX, 0, 0);

#[test]
fn a_fault_is_read_mended_and_answered_and_the_device_goes_on() {
    let machine = asking(1, 7);
    opalite::arch::advance_timebase(1_000_000);
    let before = opalite::arch::timebase();
    assert_eq!(machine.store(0, 5, 3 * PAGE + 0x123, 0xa5), Err(FaultKind::PageFault));
    assert_eq!(machine.events(), 0, "nobody has looked yet");
    assert_eq!(machine.take_interrupts(), 1);
    assert_eq!(machine.events(), DMA_FAULT);
    assert_eq!(machine.freeze_of(0, 5), 3, "the truth");
    assert_eq!(machine.error_of(0), NO_ERROR, "not EEH's");

    let record = machine.read(0);
    assert_eq!((record.pe, record.requester), (5, rid(5).into()));
    assert_eq!((record.pasid, record.group), (u32::MAX, u32::MAX));
    assert_eq!((record.permission, record.cause), (WRITE as u32, 1));
    assert_eq!((record.address, record.length), (3 * PAGE + 0x123, 0));
    assert_eq!((record.overflow, record.more), (0, 0));
    assert!((before..=opalite::arch::timebase()).contains(&record.time));
    assert_eq!(machine.events(), 0, "the last record was read");
    assert_eq!(machine.try_read(0), Err(EMPTY));
    assert_eq!(machine.error_of(0), NO_ERROR, "still not EEH's");
    assert_eq!(machine.store(0, 5, 3 * PAGE + 0x123, 0xa5), Err(FaultKind::Frozen));

    machine.set_tce(0, 5, 3, READ | WRITE);
    assert_eq!(machine.respond(0, record.cookie, MENDED), SUCCESS);
    assert_eq!(machine.freeze_of(0, 5), 0);
    assert_eq!(machine.store(0, 5, 3 * PAGE + 0x123, 0xa5), Ok(()));
    assert_eq!(machine.ram.read8(frame(0, 5, 3) + 0x123), 0xa5);
    assert_eq!(machine.respond(0, record.cookie, MENDED), PARAMETER, "a cookie counts once");
    assert_eq!((machine.take_interrupts(), machine.events()), (0, 0));
}

#[test]
fn a_load_and_a_missing_permission_are_told_apart() {
    let machine = asking(2, 3);
    machine.set_tce(1, 2, 9, READ);
    machine.set_tce(1, 3, 9, WRITE);
    assert_eq!(machine.load(1, 1, 9 * PAGE + 8, 1), Err(FaultKind::PageFault));
    assert_eq!(machine.store(1, 2, 9 * PAGE + 16, 1), Err(FaultKind::AccessFault));
    assert_eq!(machine.load(1, 3, 9 * PAGE + 24, 1), Err(FaultKind::AccessFault));
    assert!(machine.take_interrupts() > 0);
    let read = [1, 2, 3].map(|_| machine.read(1));
    let mut told = read.map(|record| (record.pe, record.permission, record.cause, record.address));
    told.sort_unstable();
    assert_eq!(
        told,
        [
            (1, READ as u32, 1, 9 * PAGE + 8),
            (2, WRITE as u32, 2, 9 * PAGE + 16),
            (3, READ as u32, 2, 9 * PAGE + 24)
        ]
    );
    assert_eq!(read.map(|record| record.more), [2, 1, 0]);
    assert_eq!(machine.try_read(0), Err(EMPTY), "another bridge");
}

#[test]
fn the_text_about_windows_counts_them() {
    let machine = asking(2, 3);
    let shown = || {
        opalite::arch::advance_timebase(opalite::arch::TIMEBASE_HZ);
        assert_eq!(machine.call(10, [0]), SUCCESS);
        let memory = machine.fw.services.view.memory();
        let text = machine.ram.bytes(memory.start, (memory.end - memory.start) as usize);
        let text = String::from_utf8(text).unwrap();
        let counts =
            |line: &str| line.split(" faults ").nth(1).unwrap().split(" state").next().unwrap().to_string();
        text.lines().filter(|line| line.starts_with("phb ")).take(2).map(counts).collect::<Vec<_>>()
    };
    assert_eq!(shown(), ["0 lost 0", "0 lost 0"]);
    machine.fault(1, 2, 0);
    machine.fault(1, 3, 5);
    assert_eq!(shown(), ["0 lost 0", "2 lost 0"]);
    let record = machine.read(1);
    assert_eq!(machine.respond(1, record.cookie, MENDED), SUCCESS);
    assert_eq!(shown(), ["0 lost 0", "2 lost 0"]);
}

#[test]
fn addresses_are_as_the_device_sent_them() {
    let machine = asking(1, 1);
    // Window 1, which has bit 59.
    assert_eq!(machine.call(44, [0, 1, 3, 1, 0x3_0000_0000_u64, 4096, PAGE]), SUCCESS);
    let address = 1 << 59 | (7 * PAGE + 1);
    machine.models[0].dma_write(rid(1), address, &[1]).unwrap_err();
    assert_eq!(machine.read(0).address, address);
}

#[test]
fn a_read_finds_faults_that_did_not_interrupt() {
    let machine = asking(1, 3);
    assert_eq!(machine.store(0, 2, 0, 1), Err(FaultKind::PageFault));
    let record = machine.read(0);
    assert_eq!(record.pe, 2);
    assert_eq!(machine.events(), 0);
    // The interrupt that was on its way finds nothing new; NEXT_ERROR ends it.
    assert_eq!(machine.take_interrupts(), 1);
    assert_eq!(machine.events(), PCI_ERROR);
    assert_eq!(machine.error_of(0), NO_ERROR);
    assert_eq!(machine.events(), 0);
    machine.fault(0, 3, 0);
    assert_eq!(machine.events(), DMA_FAULT, "errors interrupt again");
    assert_eq!(machine.respond(0, record.cookie, MENDED), SUCCESS);
}

#[test]
fn bad_arguments_are_refused_and_change_nothing() {
    let machine = machine(1, 3);
    for (args, what) in [
        ([6, 5, 1], "no such bridge"),
        ([1 << 32, 5, 1], "a wide bridge"),
        ([0, 512, 1], "no such PE"),
        ([1, 256, 1], "a smaller bridge"),
        ([0, 1 << 32 | 1, 1], "a wide PE"),
        ([0, 1, 2], "neither on nor off"),
        ([0, 1, 1 << 32], "a wide switch"),
    ] {
        assert_eq!(machine.call(token("fault-control"), args), PARAMETER, "{what}");
    }
    assert_eq!(machine.store(0, 1, 0, 1), Err(FaultKind::PageFault));
    assert_eq!(machine.try_read(0), Err(EMPTY), "nothing was switched on");
    assert_eq!(machine.call(26, [0, 1, 3]), SUCCESS);
    assert_eq!(machine.control(0, 1, 1), SUCCESS);
    machine.take_interrupts();
    assert_eq!(machine.error_of(0), NO_ERROR);
    machine.fault(0, 1, 0);

    let read = token("fault-read");
    for (header, at, what) in [
        (80 << 32, 0, "null"),
        (80 << 32, AT + 4, "misaligned"),
        (80 << 32, FIRMWARE.start, "firmware's"),
        (80 << 32, FIRMWARE.start - 72, "across firmware's start"),
        (72 << 32, AT, "too short"),
        (84 << 32, AT, "no multiple of 8"),
        (264 << 32, AT, "too long"),
        (80 << 32 | 1, AT, "an unknown flag"),
    ] {
        if at == AT || at == FIRMWARE.start - 72 {
            machine.ram.write64(at, header);
        }
        assert_eq!(machine.call(read, [0, at]), PARAMETER, "{what}");
    }
    machine.ram.write64(AT, 88 << 32);
    machine.ram.write64(AT + 80, 1);
    assert_eq!(machine.call(read, [0, AT]), PARAMETER, "something that isn't known");
    assert_eq!(machine.call(read, [6, AT]), PARAMETER, "no such bridge");
    machine.ram.write64(AT + 80, 0);
    assert_eq!(
        machine.call(read, [0, AT]),
        SUCCESS,
        "a longer structure of zeros; the record was still there"
    );
    let cookie = machine.ram.read64(AT + 8);

    for (args, what) in [
        ([6, cookie, 0], "no such bridge"),
        ([1, cookie, 0], "another bridge's cookie"),
        ([0, cookie, 3], "no such response"),
        ([0, cookie, 1 << 32], "a wide response"),
        ([0, 0, 0], "cookie 0"),
        ([0, cookie + 1, 0], "another PE"),
        ([0, cookie + 0x1_0000, 0], "another serial number"),
        ([0, cookie & 0xffff, 0], "a PE alone"),
        ([0, u64::MAX, 0], "all ones"),
    ] {
        assert_eq!(machine.call(token("fault-respond"), args), PARAMETER, "{what}");
        assert_eq!(machine.freeze_of(0, 1), 3);
    }
    assert_eq!(machine.respond(0, cookie, MENDED), SUCCESS);
}

#[test]
fn a_bridge_that_does_not_answer_is_an_error_of_hardware() {
    let machine = asking(1, 4);
    machine.fault(0, 1, 0);
    machine.fault(0, 2, 0);
    let [one, two] = [machine.read(0), machine.read(0)];
    machine.fault(0, 3, 0);
    machine.models[0].fence();
    assert_eq!(machine.control(0, 4, 0), HARDWARE);
    assert_eq!(machine.read(0).pe, 3, "what was noted before is given");
    assert_eq!(machine.try_read(0), Err(HARDWARE));
    assert_eq!(machine.respond(0, one.cookie, MENDED), HARDWARE);
    assert_eq!(machine.respond(0, two.cookie, INVALID), SUCCESS, "needs no bridge");
    assert_eq!(machine.error_of(0), (u64::MAX, 2, 3), "the fence is EEH's");
    machine.complete_reset(0);
    assert_eq!(machine.respond(0, one.cookie, MENDED), PARAMETER, "from before the reset");
    machine.fault(0, 4, 0);
    assert_eq!(machine.read(0).pe, 4, "the refused control changed nothing");
}

#[test]
fn invalid_leaves_the_pe_frozen_and_away_from_eeh() {
    let machine = asking(1, 2);
    machine.fault(0, 1, PAGE);
    let record = machine.read(0);
    assert_eq!(machine.respond(0, record.cookie, INVALID), SUCCESS);
    assert_eq!(machine.freeze_of(0, 1), 3);
    assert_eq!((machine.error_of(0), machine.events()), (NO_ERROR, 0));
    assert_eq!(machine.try_read(0), Err(EMPTY), "no second record of one freeze");
    for response in [MENDED, INVALID, FAILURE] {
        assert_eq!(machine.respond(0, record.cookie, response), PARAMETER);
    }
    // The OS ends it with the standard call; then the PE faults anew.
    assert_eq!(machine.call(26, [0, 1, 3]), SUCCESS);
    machine.fault_is_told(0, 1);
}

#[test]
fn failure_hands_the_pe_to_eeh() {
    let machine = asking(2, 2);
    machine.fault(1, 1, PAGE);
    let record = machine.read(1);
    assert_eq!(machine.respond(1, record.cookie, FAILURE), SUCCESS);
    assert_eq!(machine.events(), PCI_ERROR);
    assert_eq!(machine.error_of(0), NO_ERROR);
    assert_eq!(machine.events(), PCI_ERROR, "another bridge's error");
    assert_eq!(machine.error_of(1), (1, 3, 4));
    assert_eq!(machine.events(), 0);
    assert_eq!(machine.try_read(1), Err(EMPTY));
    assert_eq!(machine.respond(1, record.cookie, MENDED), PARAMETER);
    assert_eq!(machine.error_of(1), (1, 3, 4), "until it is cleared");
    assert_eq!(machine.call(26, [1, 1, 3]), SUCCESS);
    assert_eq!(machine.error_of(1), NO_ERROR);
    machine.fault_is_told(1, 1);
}

#[test]
fn the_tree_names_calls_event_and_queue() {
    let mut tree = Tree::new();
    dma_windows::publish(&mut tree, 1 << 16);
    let node = tree.node("/ibm,opal/dma-windows").expect("the node");
    for name in ["fault-control", "fault-read", "fault-respond"] {
        assert_eq!(node.cell(name), Some(token(name) as u32));
    }
    assert_eq!(node.cell("fault-queue"), Some(64));
    assert_eq!(node.property("fault-event"), Some(&[0, 0, 0, 1, 0, 0, 0, 0][..]));
    assert!(extension_tokens_differ());
}

fn extension_tokens_differ() -> bool {
    let mut tokens: Vec<_> = opalite::opal::extension::tokens().collect();
    let all = tokens.len();
    tokens.sort_by_key(|&(_, token)| token);
    tokens.dedup_by_key(|&mut (_, token)| token);
    tokens.len() == all
}

#[test]
fn the_calls_can_be_asked_for() {
    let machine = Machine::new();
    for name in ["fault-control", "fault-read", "fault-respond"] {
        assert_eq!(machine.call(80, [token(name)]), 1, "{name}");
    }
}
