//! The event queue in memory, the same in both XIVE generations.

use super::{ibm32, set_ibm32};
use opalite::hw::ram::Ram;

/// Writes an entry and moves the index in the END's word 1 on; the generation flips at the wrap.
pub fn post<R: Ram>(ram: &R, address: u64, size: u32, word1: &mut u32, data: u32) {
    assert!(address != 0, "XIVE: END enqueues at address 0");
    assert_eq!(address % (4096 << size), 0, "XIVE: event queue at {address:#x} is not aligned to its size");
    let (generation, index) = (ibm32(*word1, 9, 9), ibm32(*word1, 10, 31));
    let entries = 1 << (size + 10);
    assert!(index < entries, "XIVE: event queue index {index:#x} of {entries:#x}");
    ram.write32(address + u64::from(index) * 4, generation << 31 | data & 0x7FFF_FFFF);
    let next = (index + 1) % entries;
    set_ibm32(word1, 10, 31, next);
    set_ibm32(word1, 9, 9, generation ^ u32::from(next == 0));
}
