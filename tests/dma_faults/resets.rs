//! Resets in the middle of a fault.

use super::os::{DMA_FAULT, FAILURE, MENDED, PAGE, asking};
use crate::machine::{EMPTY, PARAMETER, SUCCESS};
use crate::model::phb4::FaultKind;

const NO_ERROR: (u64, u16, u16) = (u64::MAX, 0, 0);

#[test]
fn a_complete_reset_withdraws_records_and_keeps_the_switches() {
    let machine = asking(2, 3);
    for pe in 1..=3 {
        machine.fault(0, pe, PAGE);
    }
    machine.fault(1, 1, PAGE);
    let [one, two] = [machine.read(0), machine.read(0)];
    assert_eq!(machine.respond(0, two.cookie, FAILURE), SUCCESS);
    machine.complete_reset(0);
    assert_eq!(machine.events(), DMA_FAULT, "the other bridge's");
    assert_eq!(machine.read(1).pe, 1);
    assert_eq!((machine.events(), machine.error_of(0)), (0, NO_ERROR));
    assert_eq!(machine.respond(0, one.cookie, MENDED), PARAMETER);
    assert_eq!(machine.try_read(0), Err(EMPTY));
    for pe in 1..=3 {
        assert_eq!(machine.freeze_of(0, pe), 0);
        machine.fault(0, pe, 2 * PAGE);
        let record = machine.read(0);
        assert_eq!((u64::from(record.pe), record.address), (pe, 2 * PAGE));
        assert!(record.cookie > two.cookie, "no cookie is used twice");
    }
}

#[test]
fn an_ioda_reset_withdraws_records_and_switches_off() {
    let machine = asking(1, 3);
    for pe in 1..=3 {
        machine.fault(0, pe, PAGE);
    }
    let record = machine.read(0);
    assert_eq!(machine.call(49, [0, 6, 1]), SUCCESS);
    assert_eq!(machine.events(), 0);
    assert_eq!(machine.respond(0, record.cookie, MENDED), PARAMETER);
    assert_eq!((machine.try_read(0), machine.freeze_of(0, 1)), (Err(EMPTY), 0));
    machine.give(0, 1);
    assert_eq!(machine.store(0, 1, PAGE, 1), Err(FaultKind::PageFault));
    assert_eq!(machine.take_interrupts(), 1);
    assert_eq!((machine.try_read(0), machine.error_of(0)), (Err(EMPTY), (1, 3, 4)), "as at boot");
}

#[test]
fn what_a_bridge_wrote_before_a_reset_is_no_record_after_it() {
    for scope in [1, 6] {
        let machine = asking(1, 1);
        machine.fault(0, 1, PAGE);
        let wait = machine.call(49, [0, scope, 1]);
        assert_eq!(machine.finish(0, wait).0, 0);
        assert_eq!(machine.control(0, 1, 1), SUCCESS);
        machine.models[0].freeze(1);
        machine.take_interrupts();
        assert_eq!((machine.try_read(0), machine.error_of(0)), (Err(EMPTY), (1, 3, 4)), "scope {scope}");
    }
}

#[test]
fn a_reset_of_the_slot_leaves_freeze_and_record() {
    let machine = asking(1, 2);
    machine.fault(0, 1, PAGE);
    machine.fault(0, 2, PAGE);
    let record = machine.read(0);
    for scope in [4, 5] {
        let wait = machine.call(49, [0, scope, 1]);
        assert_eq!(machine.finish(0, wait).0, 0);
    }
    assert_eq!((machine.freeze_of(0, 1), machine.events()), (3, DMA_FAULT));
    assert_eq!(machine.respond(0, record.cookie, MENDED), SUCCESS);
    assert_eq!(machine.read(0).pe, 2);
}
