//! The queue: 64 records, none overwritten, none lost.

use super::os::{DMA_FAULT, MENDED, PAGE, asking};
use crate::machine::{EMPTY, SUCCESS};
use crate::model::phb4::FaultKind;
use std::collections::BTreeSet;

/// Records that the queue holds.
const QUEUE: usize = 64;

#[test]
fn records_come_in_the_order_in_which_they_were_found() {
    let machine = asking(1, 20);
    let order = [7, 3, 20, 1, 12];
    for pe in order {
        opalite::arch::advance_timebase(10);
        machine.fault(0, pe, pe * PAGE);
    }
    let read = order.map(|_| machine.read(0));
    assert_eq!(read.map(|record| u64::from(record.pe)), order);
    assert!(read.windows(2).all(|two| two[0].time < two[1].time && two[0].cookie != two[1].cookie));
}

#[test]
fn faults_that_find_no_room_are_counted_and_come_later() {
    let machine = asking(1, 100);
    for pe in 1..=100 {
        machine.fault(0, pe, PAGE);
    }
    assert_eq!(machine.error_of(0), (u64::MAX, 0, 0), "those that wait aren't EEH's either");
    let mut told = BTreeSet::new();
    for at in 0..100 {
        assert_eq!(machine.events(), DMA_FAULT);
        let record = machine.read(0);
        assert_eq!(record.overflow, if at == 0 { 36 } else { 0 });
        assert_eq!(
            record.more as usize,
            if at < 36 { QUEUE - usize::from(at == 0) } else { 99 - at }.min(QUEUE - 1)
        );
        if at < QUEUE {
            assert_eq!(u64::from(record.pe), at as u64 + 1, "none was overwritten");
        }
        assert!(told.insert(record.pe));
        assert_eq!(machine.respond(0, record.cookie, MENDED), SUCCESS);
    }
    assert_eq!(told, (1..=100).collect());
    assert_eq!((machine.events(), machine.try_read(0)), (0, Err(EMPTY)));
}

#[test]
fn a_place_that_is_withdrawn_goes_to_one_that_waits() {
    let machine = asking(1, 66);
    for pe in 1..=66 {
        machine.fault(0, pe, PAGE);
    }
    for pe in 1..=64 {
        assert_eq!(machine.call(26, [0, pe, 3]), SUCCESS);
    }
    assert_eq!(machine.events(), DMA_FAULT);
    let [one, two] = [machine.read(0), machine.read(0)];
    assert_eq!((one.pe, two.pe, two.more), (65, 66, 0));
}

#[test]
fn one_that_waits_can_be_cleared() {
    let machine = asking(1, 66);
    for pe in 1..=66 {
        machine.fault(0, pe, PAGE);
    }
    assert_eq!(machine.call(26, [0, 66, 3]), SUCCESS);
    let told: BTreeSet<_> = (0..65).map(|_| machine.read(0).pe).collect();
    assert_eq!(told, (1..=65).collect());
    assert_eq!(machine.try_read(0), Err(EMPTY));
}

#[test]
fn pes_that_fault_again_at_once_do_not_keep_others_waiting() {
    let machine = asking(1, 130);
    for pe in 1..=130 {
        machine.fault(0, pe, PAGE);
    }
    let mut told = BTreeSet::new();
    for _ in 0..260 {
        let record = machine.read(0);
        let pe = record.pe.into();
        told.insert(pe);
        assert_eq!(machine.respond(0, record.cookie, MENDED), SUCCESS);
        assert_eq!(machine.store(0, pe, PAGE, 1), Err(FaultKind::PageFault));
        machine.take_interrupts();
    }
    assert_eq!(told, (1..=130).collect::<BTreeSet<u64>>());
}
