//! Calls 7, 8.

use super::model::firmware::{FIRMWARE, Machine, RAM_END};
use super::{BUFFER, code::*, token::*};
use opalite::hw::ram::Ram;
use opalite::services::nvram::SIZE;

#[test]
fn partitions_fill_the_store_and_their_checksums_hold() {
    let machine = Machine::new();
    let mut found = Vec::new();
    let mut at = 0;
    while at < SIZE {
        assert_eq!(machine.call(READ_NVRAM, &[BUFFER, 16, at as u64]), SUCCESS);
        let header = machine.ram.bytes(BUFFER, 16);
        // Ones' complement: equal modulo 255, and zero only when all is zero.
        let sum = header.iter().map(|&byte| u32::from(byte)).sum::<u32>() - u32::from(header[1]);
        assert_eq!(sum % 255, u32::from(header[1]) % 255);
        assert_ne!(header[1], 0);
        let length = usize::from(u16::from_be_bytes([header[2], header[3]])) * 16;
        found.push((header[0], header[4..].to_vec(), length));
        assert!(length > 0);
        at += length;
    }
    assert_eq!(at, SIZE);
    assert_eq!(found[0].0, 0x70);
    assert_eq!(found[0].1, b"common\0\0\0\0\0\0");
    assert_eq!(found[1].0, 0x7f);
    assert_eq!(found[1].1, b"wwwwwwwwwwww");
    assert!(found[1].2 >= 4016, "Linux wants room for its oops log");
    assert_eq!(found.len(), 2);
}

#[test]
fn keeps_what_is_written() {
    let machine = Machine::new();
    let last = SIZE as u64 - 3;
    machine.ram.write_bytes(BUFFER, b"abc");
    assert_eq!(machine.call(WRITE_NVRAM, &[BUFFER, 3, last]), SUCCESS);
    machine.ram.write_bytes(BUFFER, b"..");
    assert_eq!(machine.call(READ_NVRAM, &[BUFFER + 1, 3, last]), SUCCESS);
    assert_eq!(machine.ram.bytes(BUFFER, 4), b".abc");
    assert_eq!(machine.call(READ_NVRAM, &[BUFFER, SIZE as u64, 0]), SUCCESS);
}

#[test]
fn stays_inside_the_store_and_inside_the_os_s_memory() {
    let machine = Machine::new();
    machine.ram.write_bytes(BUFFER, &[0xaa; 8]);
    let size = SIZE as u64;
    for (buffer, length, offset) in [
        (BUFFER, 1, size),
        (BUFFER, 2, size - 1),
        (BUFFER, size + 1, 0),
        (BUFFER, u64::MAX, 1),
        (BUFFER, 1, u64::MAX),
        (BUFFER, 0, size + 1),
        (0, 8, 0),
        (FIRMWARE, 8, 0),
        (FIRMWARE - 7, 8, 0),
        (RAM_END, 8, 0),
        (u64::MAX - 3, 8, 0),
    ] {
        for token in [READ_NVRAM, WRITE_NVRAM] {
            assert_eq!(machine.call(token, &[buffer, length, offset]), PARAMETER, "{length:#x} {offset:#x}");
        }
    }
    assert_eq!(machine.ram.bytes(BUFFER, 8), [0xaa; 8]);
    assert_eq!(machine.call(READ_NVRAM, &[BUFFER, 1, 0]), SUCCESS);
    assert_eq!(machine.ram.read8(BUFFER), 0x70);
    assert_eq!(machine.call(READ_NVRAM, &[0, 0, size]), SUCCESS);
}
