//! Memory by real address.

use super::*;

#[test]
fn keeps_numbers_big_endian_and_reads_zero_when_fresh() {
    let ram = ModelRam::new(0x1000, 0x2000);
    ram.write32(0x1ffc, 0x0102_0304);
    ram.write16(0x2000, 0x0506);
    assert_eq!(ram.bytes(0x1ffb, 8), [0, 1, 2, 3, 4, 5, 6, 0]);
    assert_eq!(ram.read64(0x1ff8), 0x0102_0304);
    ram.zero(0x1ff8, 16);
    assert_eq!(ram.read16(0x2000), 0);
}

#[test]
fn counts_touching_ranges_as_one() {
    let ram = ModelRam::new(0, 0x1000);
    ram.add_range(0x1000, 0x1000);
    assert!(ram.contains(0xff8, 16));
    assert!(!ram.contains(0x1ff8, 16));
    assert!(!ram.contains(u64::MAX - 4, 16));
}

#[test]
fn records_stores_to_watched_ranges_only() {
    let ram = ModelRam::new(0, 0x1000);
    ram.watch(0x100, 8);
    ram.write64(0xf8, 1);
    ram.write8(0x107, 2);
    assert_eq!(ram.writes(), [RamWrite { address: 0x107, bytes: vec![2] }]);
}

#[test]
#[should_panic(expected = "store of 8 bytes at 0x1000, outside the declared ranges")]
fn a_store_outside_fails_the_test() {
    ModelRam::new(0, 0x1000).write64(0x1000, 0);
}

#[test]
#[should_panic(expected = "misaligned 8-byte load at 0x4")]
fn a_misaligned_load_fails_the_test() {
    ModelRam::new(0, 0x1000).read64(4);
}
