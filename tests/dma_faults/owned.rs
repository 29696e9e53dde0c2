//! Faults in a window whose table is firmware's: what is missing is mapped by table-map, for all PEs that share it.

use super::os::{MENDED, PAGE, READ, WRITE, machine, rid, token};
use crate::machine::random::Random;
use crate::machine::{EMPTY, Machine, SUCCESS};
use opalite::hw::ram::Ram;

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
