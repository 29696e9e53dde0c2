//! The error interrupt and EEH, with and without records: who is told of a frozen PE, and how.

use super::os::{DMA_FAULT, INVALID, MENDED, PAGE, PCI_ERROR, asking, machine, token};
use crate::machine::{EMPTY, HARDWARE, OUT, PARAMETER, SUCCESS, interrupt_base};
use crate::model::phb4::FaultKind;
use opalite::hw::ram::Ram;

const NO_ERROR: (u64, u16, u16) = (u64::MAX, 0, 0);
const ER: u64 = 4095;
const INF: u64 = 4094;

#[test]
fn an_os_that_does_not_ask_sees_eeh() {
    let machine = machine(2, 2);
    assert_eq!(machine.store(1, 2, 0, 1), Err(FaultKind::PageFault));
    assert_eq!(machine.take_interrupts(), 1, "masked until NEXT_ERROR says that there is none");
    assert_eq!(machine.events(), PCI_ERROR);
    assert_eq!(machine.try_read(1), Err(EMPTY));
    assert_eq!(machine.error_of(1), (2, 3, 4));
    assert_eq!(machine.events(), 0);
    // As Linux does: clear, ask again.
    assert_eq!(machine.call(26, [1, 2, 3]), SUCCESS);
    assert_eq!(machine.error_of(1), NO_ERROR);
    assert_eq!((machine.take_interrupts(), machine.events()), (0, 0));
    assert_eq!(machine.store(1, 2, 0, 1), Err(FaultKind::PageFault));
    assert_eq!(machine.take_interrupts(), 1, "errors interrupt again");
    assert_eq!(machine.error_of(1), (2, 3, 4));
}

#[test]
fn two_bridges_with_errors_keep_the_event_until_both_were_asked() {
    let machine = machine(2, 1);
    for phb in [0, 1] {
        machine.store(phb, 1, 0, 1).unwrap_err();
    }
    assert_eq!(machine.take_interrupts(), 2);
    assert_eq!(machine.error_of(0), (1, 3, 4));
    assert_eq!(machine.events(), PCI_ERROR);
    assert_eq!(machine.error_of(1), (1, 3, 4));
    assert_eq!(machine.events(), 0);
}

#[test]
fn an_error_that_froze_nothing_is_told_once_and_ends() {
    let machine = machine(1, 1);
    // RXE_ARB: an error that interrupts and does not freeze.
    machine.models[0].poke(0xd80, 0x0400_0000_0000_0000);
    assert_eq!(machine.take_interrupts(), 1);
    assert_eq!(machine.models[0].peek(0xd80), 0x0400_0000_0000_0000, "kept for the diagnostic data");
    assert_eq!(machine.events(), PCI_ERROR);
    assert_eq!(machine.error_of(0), NO_ERROR);
    assert_eq!((machine.models[0].peek(0xd80), machine.models[0].peek(0xda0)), (0, 0xc400_38fc_0180_4070));
    assert_eq!((machine.take_interrupts(), machine.events()), (0, 0));
}

#[test]
fn both_error_interrupts_are_firmware_s_and_the_others_are_not() {
    let machine = machine(2, 1);
    for source in [INF, ER] {
        machine.models[1].poke(0xe80, 1 << 62);
        let isn = u64::from(interrupt_base(1)) + source - 2048;
        assert_eq!(machine.call(9, [isn, OUT]), SUCCESS);
        assert_eq!(machine.ram.read64(OUT), PCI_ERROR);
        assert_eq!(machine.error_of(1), NO_ERROR);
    }
    for source in 4088..INF {
        assert_eq!(machine.call(9, [u64::from(interrupt_base(0)) + source, OUT]), PARAMETER);
    }
}

#[test]
fn a_fenced_bridge_is_announced() {
    let machine = asking(1, 1);
    machine.models[0].fence();
    assert_eq!(machine.call(9, [u64::from(interrupt_base(0)) + ER, OUT]), SUCCESS);
    assert_eq!(machine.events(), PCI_ERROR);
    assert_eq!(machine.error_of(0), (u64::MAX, 2, 3));
    assert_eq!(machine.events(), 0);
    machine.complete_reset(0);
    machine.fault(0, 1, 0);
    assert_eq!(machine.events(), DMA_FAULT, "the switch outlives the reset of the bridge");
}

#[test]
fn freezes_that_are_not_dma_faults_are_eeh_s() {
    let machine = asking(1, 5);
    // An error of the PE without a record, as one of its MMIO.
    machine.models[0].freeze(1);
    assert!(machine.take_interrupts() > 0);
    assert_eq!((machine.events(), machine.error_of(0)), (PCI_ERROR, (1, 3, 4)));
    assert_eq!(machine.call(26, [0, 1, 3]), SUCCESS);
    // An interrupt that isn't the PE's.
    assert_eq!(machine.models[0].msi(super::os::rid(2), 0x1000_0000_0000_1200, 3), None);
    assert!(machine.take_interrupts() > 0);
    assert_eq!((machine.events(), machine.error_of(0)), (PCI_ERROR, (2, 3, 4)));
    assert_eq!(machine.call(26, [0, 2, 3]), SUCCESS);
    // A closed window.
    machine.models[0].dma_write(super::os::rid(3), 1 << 59, &[1]).unwrap_err();
    assert!(machine.take_interrupts() > 0);
    assert_eq!((machine.events(), machine.error_of(0)), (PCI_ERROR, (3, 3, 4)));
    assert_eq!(machine.call(26, [0, 3, 3]), SUCCESS);
    // A freeze by the OS.
    assert_eq!(machine.call(97, [0, 4, 2]), SUCCESS);
    assert_eq!((machine.error_of(0), machine.freeze_of(0, 4)), ((4, 3, 4), 2));
    assert_eq!(machine.call(26, [0, 4, 2]), SUCCESS);
    assert_eq!(machine.try_read(0), Err(EMPTY));
    // And after all that a fault of each is a record.
    for pe in 1..=4 {
        machine.fault(0, pe, PAGE * pe);
        assert_eq!(machine.read(0).address, PAGE * pe);
    }
}

#[test]
fn eeh_and_records_go_side_by_side() {
    let machine = asking(1, 4);
    assert_eq!(machine.control(0, 4, 0), SUCCESS);
    machine.store(0, 4, 0, 1).unwrap_err();
    machine.store(0, 1, 0, 1).unwrap_err();
    assert!(machine.take_interrupts() > 0);
    assert_eq!(machine.events(), PCI_ERROR | DMA_FAULT);
    assert_eq!(machine.error_of(0), (4, 3, 4));
    assert_eq!(machine.events(), DMA_FAULT);
    // While PE 4 is in EEH's hands others fault, interrupt and go on.
    for pe in [2, 3] {
        machine.fault(0, pe, PAGE);
    }
    for pe in 1..=3 {
        let record = machine.read(0);
        assert_eq!(u64::from(record.pe), pe);
        machine.set_tce(0, pe, record.address / PAGE, 3);
        assert_eq!(machine.respond(0, record.cookie, MENDED), SUCCESS);
        assert_eq!(machine.store(0, pe, record.address, 7), Ok(()));
    }
    assert_eq!(machine.error_of(0), (4, 3, 4));
    assert_eq!(machine.call(26, [0, 4, 3]), SUCCESS);
    assert_eq!(machine.error_of(0), NO_ERROR);
}

#[test]
fn a_child_that_froze_along_is_eeh_s() {
    let machine = asking(1, 4);
    assert_eq!(machine.call(32, [0, 1, 2, 1]), SUCCESS);
    machine.fault(0, 1, PAGE);
    assert_eq!(machine.events(), PCI_ERROR | DMA_FAULT);
    assert_eq!(machine.error_of(0), (2, 3, 4));
    let record = machine.read(0);
    assert_eq!(machine.respond(0, record.cookie, MENDED), SUCCESS);
    assert_eq!((machine.freeze_of(0, 1), machine.freeze_of(0, 2)), (0, 3));
}

#[test]
fn clearing_the_freeze_withdraws_the_record() {
    for (actions, read_first) in [(&[3_u64][..], false), (&[3], true), (&[1, 2], true), (&[2, 1], false)] {
        let machine = asking(1, 2);
        machine.fault(0, 1, PAGE);
        machine.fault(0, 2, PAGE);
        let cookie = if read_first { machine.read(0).cookie } else { 0 };
        for &action in actions {
            assert_eq!(machine.call(26, [0, 1, action]), SUCCESS);
        }
        assert_eq!(machine.freeze_of(0, 1), 0);
        assert_eq!(machine.respond(0, cookie, MENDED), PARAMETER);
        let other = machine.read(0);
        assert_eq!((other.pe, other.more), (2, 0), "the other's stays");
        assert_eq!(machine.events(), 0);
        machine.fault_is_told(0, 1);
    }
}

#[test]
fn letting_mmio_go_on_keeps_the_record() {
    let machine = asking(1, 1);
    machine.fault(0, 1, PAGE);
    assert_eq!(machine.call(26, [0, 1, 1]), SUCCESS);
    assert_eq!((machine.freeze_of(0, 1), machine.error_of(0)), (2, NO_ERROR));
    let record = machine.read(0);
    assert_eq!(machine.respond(0, record.cookie, MENDED), SUCCESS);
    assert_eq!(machine.freeze_of(0, 1), 0);
    machine.fault_is_told(0, 1);
}

#[test]
fn letting_dma_alone_go_on_gives_the_rest_to_eeh() {
    let machine = asking(1, 1);
    machine.fault(0, 1, PAGE);
    let record = machine.read(0);
    assert_eq!(machine.call(26, [0, 1, 2]), SUCCESS);
    assert_eq!((machine.freeze_of(0, 1), machine.error_of(0)), (1, (1, 3, 4)));
    assert_eq!(machine.respond(0, record.cookie, MENDED), PARAMETER);
    assert_eq!(machine.try_read(0), Err(EMPTY));
}

#[test]
fn a_freeze_by_the_os_withdraws_the_record() {
    let machine = asking(1, 1);
    machine.fault(0, 1, PAGE);
    let record = machine.read(0);
    assert_eq!(machine.call(97, [0, 1, 3]), SUCCESS);
    assert_eq!(machine.respond(0, record.cookie, MENDED), PARAMETER);
    assert_eq!((machine.freeze_of(0, 1), machine.error_of(0)), (3, (1, 3, 4)));
    assert_eq!(machine.call(26, [0, 1, 3]), SUCCESS);
    assert_eq!(machine.error_of(0), NO_ERROR);
}

#[test]
fn switching_off_hands_what_is_frozen_to_eeh() {
    let machine = asking(1, 3);
    for pe in 1..=3 {
        machine.fault(0, pe, PAGE);
    }
    let [one, two] = [machine.read(0), machine.read(0)];
    assert_eq!(machine.respond(0, two.cookie, INVALID), SUCCESS);
    for (pe, cookie) in [(1, one.cookie), (2, two.cookie), (3, 0)] {
        assert_eq!(machine.control(0, pe, 0), SUCCESS);
        assert_eq!(machine.events() & PCI_ERROR, PCI_ERROR);
        assert_eq!(machine.respond(0, cookie, MENDED), PARAMETER);
        assert_eq!(machine.error_of(0), (pe, 3, 4));
        assert_eq!(machine.call(26, [0, pe, 3]), SUCCESS);
    }
    assert_eq!((machine.events(), machine.error_of(0)), (0, NO_ERROR));
}

#[test]
fn a_freeze_from_before_stays_eeh_s() {
    let machine = machine(1, 1);
    machine.store(0, 1, 0, 1).unwrap_err();
    assert_eq!(machine.take_interrupts(), 1);
    assert_eq!(machine.control(0, 1, 1), SUCCESS);
    assert_eq!(machine.try_read(0), Err(EMPTY));
    assert_eq!(machine.error_of(0), (1, 3, 4));
    assert_eq!(machine.call(26, [0, 1, 3]), SUCCESS);
    machine.fault(0, 1, PAGE);
    assert_eq!(machine.read(0).address, PAGE);
}

#[test]
fn switching_twice_changes_nothing() {
    let machine = asking(1, 1);
    machine.fault(0, 1, PAGE);
    let record = machine.read(0);
    assert_eq!(machine.control(0, 1, 1), SUCCESS);
    assert_eq!(machine.error_of(0), NO_ERROR);
    assert_eq!(machine.respond(0, record.cookie, MENDED), SUCCESS);
    for _ in 0..2 {
        assert_eq!(machine.control(0, 1, 0), SUCCESS);
    }
    assert_eq!((machine.events(), machine.error_of(0)), (0, NO_ERROR));
}

#[test]
fn asking_again_loses_no_fault_that_nobody_has_looked_at_yet() {
    let machine = asking(1, 1);
    assert!(machine.store(0, 1, PAGE, 1).is_err());
    assert_eq!(machine.control(0, 1, 1), SUCCESS);
    assert_eq!(machine.read(0).address, PAGE);
    assert_eq!(machine.error_of(0), NO_ERROR);
}

#[test]
fn an_error_interrupt_during_a_reset_touches_nothing() {
    let machine = asking(1, 1);
    assert!(machine.call(49, [0, 1, 1]) > 0);
    assert_eq!(machine.call(9, [u64::from(interrupt_base(0)) + ER, OUT]), SUCCESS);
    assert_eq!(machine.events(), 0);
    assert_eq!(machine.call(token("fault-control"), [0, 1, 0]), HARDWARE);
    assert_eq!(machine.try_read(0), Err(HARDWARE));
    assert_eq!(machine.finish(0, 1).0, 0);
    machine.fault(0, 1, PAGE);
    assert_eq!(machine.read(0).address, PAGE);
}
