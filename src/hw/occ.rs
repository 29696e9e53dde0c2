//! The on-chip controller (OCC), as far as it tells which frequencies the cores have.
//!
//! The OCC leaves a table of pstates in its HOMER memory (`reference/platform-qemu-powernv.md` §3.9). The layout of
//! its POWER9 form (version 0x90), which POWER10 has as 0xa0, was read off QEMU 10.0.2: valid, version, role, then the numbers of the lowest,
//! nominal, turbo and ultra-turbo pstate, and from 0x18 entries of number, flags, two spare bytes and kHz.

use crate::hw::ram::Ram;
use alloc::vec::Vec;

/// Offset of the table in HOMER.
const TABLE: u64 = 0xe_2000;
const ENTRIES: u64 = 0x18;
const VERSIONS: [u8; 2] = [0x90, 0xa0];
/// Numbers are bytes.
const MOST: u64 = 256;

/// Frequencies of the cores; pstate 0 is the fastest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pstates {
    /// Slowest.
    pub min: u8,
    /// What runs without boost.
    pub nominal: u8,
    /// Boost of all cores.
    pub turbo: u8,
    /// Boost of some: the fastest.
    pub ultra_turbo: u8,
    /// Number and kHz, fastest first.
    pub steps: Vec<(u8, u32)>,
}

impl Pstates {
    /// Reads the table of the chip whose HOMER is at `homer`; `None` when the OCC left none that we know.
    pub fn read(ram: &dyn Ram, homer: u64) -> Option<Self> {
        let byte = |offset| ram.read8(homer + TABLE + offset);
        if byte(0) != 1 || !VERSIONS.contains(&byte(1)) {
            return None;
        }
        let (min, ultra_turbo) = (byte(3), byte(6));
        let step = |entry| (byte(ENTRIES + 8 * entry), ram.read32(homer + TABLE + ENTRIES + 8 * entry + 4));
        let steps: Vec<_> = (0..MOST).map(step).take_while(|&(id, khz)| id <= min && khz != 0).collect();
        let whole = steps.len() == usize::from(min - ultra_turbo.min(min)) + 1;
        whole.then_some(Self { min, nominal: byte(4), turbo: byte(5), ultra_turbo, steps })
    }
}
