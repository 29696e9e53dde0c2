//! The PQ state machine of an event source, and the PQ bits of the IC's own sources.

use std::collections::BTreeMap;

/// PQ 01: off, the reset state of the IC's sources.
const OFF: u8 = 1;

/// PQ bits of the sources; absent = reset state.
#[derive(Default)]
pub struct Esbs(BTreeMap<u32, u8>);

impl Esbs {
    pub fn pq(&self, index: u32) -> u8 {
        self.0.get(&index).copied().unwrap_or(OFF)
    }

    pub fn set(&mut self, index: u32, pq: u8) {
        self.0.insert(index, pq);
    }
}

/// Trigger: the new PQ, and whether an event goes on.
pub fn trigger(pq: u8) -> (u8, bool) {
    match pq {
        0b00 => (0b10, true),
        0b10 | 0b11 => (0b11, false),
        _ => (OFF, false),
    }
}

/// End of interrupt: the new PQ, and whether a queued event goes on.
pub fn eoi(pq: u8) -> (u8, bool) {
    match pq {
        0b00 | 0b10 => (0b00, false),
        0b11 => (0b10, true),
        _ => (OFF, false),
    }
}

/// What the PQ bits become by a load at this offset of a management page, what it returns, whether an event
/// goes on.
pub fn load(pq: u8, offset: u64, size: u32) -> (u8, u64, bool) {
    assert_eq!(size, 8, "XIVE: {size}-byte load from an ESB page");
    match offset {
        0x000..=0x7FF => {
            let (pq, forward) = eoi(pq);
            (pq, u64::from(forward), forward)
        }
        0x800 => (pq, u64::from(pq), false),
        0xC00 | 0xD00 | 0xE00 | 0xF00 => ((offset >> 8 & 3) as u8, u64::from(pq), false),
        _ => panic!("XIVE: load from {offset:#x} of an ESB page"),
    }
}
