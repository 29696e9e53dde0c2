//! Faults in a window whose table is firmware's: what is missing is mapped by table-map, for all PEs that share it.

use super::os::{MENDED, PAGE, READ, WRITE, machine, rid, token};
use crate::machine::random::{Random, setting};
use crate::machine::{EMPTY, Machine, SUCCESS};
use opalite::hw::ram::Ram;
use std::collections::BTreeMap;

const AT: u64 = 0x3_0000;
const BIT_59: u64 = 1 << 59;
const PE: u64 = 9;
/// 16 TiB of 64 KiB pages.
const PAGES: u64 = 1 << 28;
const MEMORY: u64 = 0x200_0000_0000;

/// Fills a structure: size and flags, then words.
fn request(machine: &Machine, flags: u64, words: &[u64]) -> u64 {
    machine.ram.write64(AT, (8 * (words.len() as u64 + 1)) << 32 | flags);
    for (word, at) in words.iter().zip((AT + 8..).step_by(8)) {
        machine.ram.write64(at, *word);
    }
    AT
}

/// One table, in window 1 of one PE on each of two bridges.
fn shared() -> (Machine, u64) {
    let machine = machine(2, 1);
    let create = request(&machine, 0, &[16 << 32, PAGES * PAGE, 0, 0, 0]);
    assert_eq!(machine.call(token("table-create"), [create]), SUCCESS);
    let handle = machine.ram.read64(AT + 24);
    for phb in [0, 1] {
        let set = request(&machine, 0, &[phb, PE << 32 | 1, handle, 0, 0, 0]);
        assert_eq!(machine.call(token("window-set"), [set]), SUCCESS);
        assert_eq!(machine.call(31, [phb, PE, rid(PE).into(), 7, 1, 1, 1]), SUCCESS);
        assert_eq!(machine.control(phb, PE, 1), SUCCESS);
    }
    (machine, handle)
}

#[test]
fn a_fault_of_both_bridges_is_mended_by_one_map() {
    let (machine, handle) = shared();
    let mut random = Random::new(11);
    for round in 0..500 {
        let page = random.below(PAGES);
        let address = BIT_59 | (page * PAGE + random.below(PAGE));
        let bytes = random.next().to_be_bytes();
        let at = address & !7;
        for phb in [0, 1] {
            machine.models[phb].dma_write(rid(PE), at, &bytes).unwrap_err();
        }
        assert_eq!(machine.take_interrupts(), 2);
        let frame = MEMORY + round * PAGE;
        let records = [0, 1].map(|phb| machine.read(phb));
        assert!(records.iter().all(|record| (u64::from(record.pe), record.address) == (PE, at)));
        let map = request(&machine, READ | WRITE, &[handle, page * PAGE, 1, frame, 0, 0]);
        assert_eq!(machine.call(token("table-map"), [map]), SUCCESS);
        for (phb, record) in records.into_iter().enumerate() {
            assert_eq!(machine.respond(phb as u64, record.cookie, MENDED), SUCCESS);
            assert_eq!(machine.models[phb].dma_write(rid(PE), at, &bytes), Ok(()), "round {round}");
            assert_eq!(machine.ram.bytes(frame + at % PAGE, 8), bytes);
            machine.ram.write64(frame + at % PAGE, 0);
            assert_eq!(machine.try_read(phb as u64), Err(EMPTY));
        }
        let unmap = request(&machine, 0, &[handle, page * PAGE, 1, 0]);
        assert_eq!(machine.call(token("table-unmap"), [unmap]), SUCCESS);
    }
}

/// A bridge's PE with a table of its own, of which page 0 is mapped all the time.
struct Client {
    phb: usize,
    pe: u64,
    handle: u64,
}

impl Client {
    const PAGES: u64 = 512;

    fn new(machine: &Machine, phb: usize, pe: u64) -> Self {
        let create = request(machine, 0, &[16 << 32, Self::PAGES * PAGE, 0, 0, 0]);
        assert_eq!(machine.call(token("table-create"), [create]), SUCCESS);
        let client = Self { phb, pe, handle: machine.ram.read64(AT + 24) };
        let set = request(machine, 0, &[phb as u64, pe << 32 | 1, client.handle, 0, 0, 0]);
        assert_eq!(machine.call(token("window-set"), [set]), SUCCESS);
        assert_eq!(machine.call(31, [phb as u64, pe, rid(pe).into(), 7, 1, 1, 1]), SUCCESS);
        assert_eq!(machine.control(phb as u64, pe, 1), SUCCESS);
        client.map(machine, 0, READ | WRITE);
        client
    }

    fn frame(&self, page: u64) -> u64 {
        MEMORY + ((self.phb as u64 * 16 + self.pe) * Self::PAGES + page) * PAGE
    }

    fn map(&self, machine: &Machine, page: u64, permission: u64) {
        let map = request(machine, permission, &[self.handle, page * PAGE, 1, self.frame(page), 0, 0]);
        assert_eq!(machine.call(token("table-map"), [map]), SUCCESS);
    }

    fn unmap(&self, machine: &Machine, page: u64) {
        let unmap = request(machine, 0, &[self.handle, page * PAGE, 1, 0]);
        assert_eq!(machine.call(token("table-unmap"), [unmap]), SUCCESS);
    }

    /// The device's eight bytes in one direction; what arrived is checked.
    fn moves(&self, machine: &Machine, at: u64, write: bool, bytes: [u8; 8]) -> bool {
        let (model, real) = (&machine.models[self.phb], self.frame(at / PAGE) + at % PAGE);
        if write {
            let done = model.dma_write(rid(self.pe), BIT_59 | at, &bytes).is_ok();
            assert!(!done || machine.ram.bytes(real, 8) == bytes);
            return done;
        }
        machine.ram.write64(real, u64::from_be_bytes(bytes));
        match model.dma_read(rid(self.pe), BIT_59 | at, 8) {
            Ok(got) => got == bytes || panic!("{got:x?} came for {bytes:x?}"),
            Err(_) => false,
        }
    }
}

#[test]
fn faults_of_many_pes_at_once_are_mended_by_table_map() {
    let machine = machine(2, 1);
    let clients: Vec<_> = (0..2)
        .flat_map(|phb| (9..15).map(move |pe| (phb, pe)))
        .map(|(phb, pe)| Client::new(&machine, phb, pe))
        .collect();
    let mut random = Random::new(setting("OPALITE_SEED", 12));
    let mut told = 0;
    for round in 0..setting("OPALITE_FAULT_ROUNDS", 10_000) {
        let mut faults = BTreeMap::new();
        for client in &clients {
            let bytes = random.next().to_be_bytes();
            let write = random.once_in(2);
            if random.once_in(3) {
                let at = (1 + random.below(Client::PAGES - 1)) * PAGE + random.below(PAGE / 8) * 8;
                // Nothing there, or only what permits the other direction.
                if random.once_in(2) {
                    client.map(&machine, at / PAGE, if write { READ } else { WRITE });
                }
                assert!(!client.moves(&machine, at, write, bytes));
                faults.insert((client.phb, client.pe as u32), (client, at, write, bytes));
            } else {
                assert!(client.moves(&machine, random.below(PAGE / 8) * 8, write, bytes), "round {round}");
            }
        }
        machine.take_interrupts();
        told += faults.len();
        for phb in [0, 1] {
            while let Ok(record) = machine.try_read(phb as u64) {
                let (client, at, write, bytes) =
                    faults.remove(&(phb, record.pe)).expect("a fault that was made");
                assert_eq!(record.address, BIT_59 | at);
                assert_eq!(u64::from(record.permission), if write { WRITE } else { READ });
                client.map(&machine, at / PAGE, READ | WRITE);
                assert_eq!(machine.respond(phb as u64, record.cookie, MENDED), SUCCESS);
                assert!(client.moves(&machine, at, write, bytes), "round {round}");
                client.unmap(&machine, at / PAGE);
            }
        }
        assert!(faults.is_empty(), "round {round}: lost");
    }
    assert!(told > 30_000 || std::env::var("OPALITE_FAULT_ROUNDS").is_ok(), "{told}");
}
