//! Tables that firmware owns, by Opalite's own calls, on modelled bridges.

mod machine;
mod model;

use machine::{Machine, OUT, SUCCESS};
use opalite::hw::ram::Ram;

/// The token that the device tree would name.
fn token(name: &str) -> u64 {
    let (_, token) = opalite::opal::extension::tokens().find(|&(other, _)| other == name).unwrap();
    token.into()
}

/// Fills a structure at [`OUT`]: size and flags, then words.
fn request(machine: &Machine, flags: u32, words: &[u64]) -> u64 {
    let size = 8 * (words.len() as u64 + 1);
    machine.ram.write64(OUT, size << 32 | u64::from(flags));
    for (word, at) in words.iter().zip((OUT + 8..).step_by(8)) {
        machine.ram.write64(at, *word);
    }
    OUT
}

#[test]
fn a_table_is_made_set_mapped_and_taken_out() {
    let machine = Machine::new();
    let create = request(&machine, 0, &[16 << 32, 1 << 44, 0, 0, 0]);
    assert_eq!(machine.call(token("table-create"), [create]), SUCCESS);
    let handle = machine.ram.read64(OUT + 24);
    assert_eq!((machine.ram.read32(OUT + 32), machine.ram.read32(OUT + 36)), (3, 13), "3 levels of 8 KiB");
    assert_eq!(machine.ram.read64(OUT + 40), 0x2000);

    let set = request(&machine, 0, &[1, 3 << 32 | 1, handle, 0, 0, 0]);
    assert_eq!(machine.call(token("window-set"), [set]), SUCCESS);
    let (origin, first, last) =
        (machine.ram.read64(OUT + 32), machine.ram.read64(OUT + 40), machine.ram.read64(OUT + 48));
    assert_eq!((origin, first, last), (1 << 59, 1 << 59, (1 << 59) + (1 << 44) - 1));

    let map = request(&machine, 3, &[handle, 0x12340 << 16, 2, 0x500_0000, 0, 0]);
    assert_eq!(machine.call(token("table-map"), [map]), SUCCESS);
    assert_eq!(machine.call(token("table-destroy"), [handle]), -14);
    assert_eq!(machine.call(token("window-unset"), [1, 3, 1]), SUCCESS);
    assert_eq!(machine.tve(1, 7), 0);
    assert_eq!(machine.call(token("table-destroy"), [handle]), SUCCESS);
    let pool = request(&machine, 0, &[0, 0, 0, 0]);
    assert_eq!(machine.call(token("pool-query"), [pool]), SUCCESS);
    assert_eq!(machine.ram.read64(OUT + 8), machine.ram.read64(OUT + 16), "all of the pool is free");
}
