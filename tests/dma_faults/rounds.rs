//! Thousands of rounds in which several PEs of several bridges fault at once while others go on.
//! `OPALITE_FAULT_ROUNDS` is how many, `OPALITE_SEED` where the random numbers begin.

use super::os::{DMA_FAULT, FAILURE, INVALID, MENDED, PAGE, PAGES, READ, WRITE, asking, rid};
use crate::machine::random::{Random, setting};
use crate::machine::{EMPTY, Machine, PARAMETER, SUCCESS};
use crate::model::phb4::FaultKind;
use std::collections::BTreeMap;

const BRIDGES: u64 = 6;
const PES: u64 = 10;
/// The page that every PE has all the time.
const GOOD: u64 = 0;

#[derive(Clone, Copy, Debug)]
struct Access {
    address: u64,
    write: bool,
    /// What the TCE permits before.
    had: u64,
}

impl Access {
    fn random(random: &mut Random) -> Self {
        let address = (1 + random.below(PAGES - 1)) * PAGE + random.below(PAGE);
        let write = random.once_in(2);
        // No TCE at all, or one that permits the other direction only.
        let had = if random.once_in(3) { if write { READ } else { WRITE } } else { 0 };
        Self { address, write, had }
    }

    fn make(self, machine: &Machine, phb: u64, pe: u64, byte: u8) -> Result<(), FaultKind> {
        if self.write {
            machine.store(phb, pe, self.address, byte)
        } else {
            machine.load(phb, pe, self.address, byte)
        }
    }
}

#[test]
fn every_fault_is_told_once_and_nobody_else_is_disturbed() {
    let rounds = setting("OPALITE_FAULT_ROUNDS", 10_000);
    let mut random = Random::new(setting("OPALITE_SEED", 4));
    let machine = asking(BRIDGES, PES);
    for (phb, pe) in all() {
        machine.set_tce(phb, pe, GOOD, READ | WRITE);
    }
    let mut told = 0;
    for round in 0..rounds {
        told += one_round(&machine, &mut random, round);
    }
    assert!(told > rounds, "{told} faults in {rounds} rounds");
}

fn all() -> impl Iterator<Item = (u64, u64)> {
    (0..BRIDGES).flat_map(|phb| (1..=PES).map(move |pe| (phb, pe)))
}

fn one_round(machine: &Machine, random: &mut Random, round: u64) -> u64 {
    let mut faulting = BTreeMap::new();
    for _ in 0..1 + random.below(12) {
        faulting.insert((random.below(BRIDGES), 1 + random.below(PES)), Access::random(random));
    }
    for (&(phb, pe), access) in &faulting {
        if access.had != 0 {
            machine.set_tce(phb, pe, access.address / PAGE, access.had);
        }
        let kind = if access.had == 0 { FaultKind::PageFault } else { FaultKind::AccessFault };
        assert_eq!(access.make(machine, phb, pe, 1), Err(kind), "round {round}");
        // An OS may be slow: some interrupts come together.
        if random.once_in(3) {
            machine.take_interrupts();
        }
    }
    machine.take_interrupts();
    assert_eq!(machine.events(), DMA_FAULT, "round {round}");
    for (phb, pe) in all().filter(|who| !faulting.contains_key(who)) {
        let byte = random.next() as u8;
        assert_eq!(machine.store(phb, pe, GOOD + random.below(PAGE), byte), Ok(()), "round {round}");
    }
    let count = faulting.len() as u64;
    for phb in 0..BRIDGES {
        let mut stale = 0;
        assert_eq!(machine.error_of(phb), (u64::MAX, 0, 0), "round {round}");
        while let Ok(record) = machine.try_read(phb) {
            let pe = record.pe.into();
            let access = faulting.remove(&(phb, pe)).expect("a fault that happened, told once");
            let permission = if access.write { WRITE } else { READ };
            let cause = if access.had == 0 { 1 } else { 2 };
            assert_eq!((record.address, record.requester), (access.address, rid(pe).into()), "round {round}");
            assert_eq!((record.permission.into(), record.cause, record.overflow), (permission, cause, 0));
            assert_eq!(access.make(machine, phb, pe, 1), Err(FaultKind::Frozen));
            finish(machine, random, (phb, pe), access, record.cookie);
            for cookie in [record.cookie, stale] {
                assert_eq!(machine.respond(phb, cookie, random.below(3)), PARAMETER, "round {round}");
            }
            stale = record.cookie;
        }
        assert_eq!(machine.try_read(phb), Err(EMPTY));
    }
    assert!(faulting.is_empty(), "round {round}: {faulting:?} lost");
    assert_eq!((machine.events(), machine.take_interrupts()), (0, 0), "round {round}");
    count
}

/// Answers a record, mostly well; the device goes on in the end.
fn finish(machine: &Machine, random: &mut Random, (phb, pe): (u64, u64), access: Access, cookie: u64) {
    let page = access.address / PAGE;
    machine.set_tce(phb, pe, page, READ | WRITE);
    match random.below(8) {
        0 => {
            assert_eq!(machine.respond(phb, cookie, INVALID), SUCCESS);
            assert_eq!(machine.call(26, [phb, pe, 3]), SUCCESS);
        }
        1 => {
            assert_eq!(machine.respond(phb, cookie, FAILURE), SUCCESS);
            assert_eq!(machine.error_of(phb), (pe, 3, 4));
            assert_eq!(machine.call(26, [phb, pe, 3]), SUCCESS);
        }
        2 => assert_eq!(machine.call(26, [phb, pe, 3]), SUCCESS),
        _ => assert_eq!(machine.respond(phb, cookie, MENDED), SUCCESS),
    }
    assert_eq!(machine.freeze_of(phb, pe), 0);
    assert_eq!(access.make(machine, phb, pe, random.next() as u8), Ok(()));
    machine.set_tce(phb, pe, page, 0);
}
