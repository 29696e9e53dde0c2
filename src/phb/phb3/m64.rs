//! An M64 window's entry on PHB3 (`reference/phb-dma-windows.md` §5): one word, in MiB; a window of a single PE is in
//! units of 32 MiB, and its PE takes the low bits of both fields.

use crate::phb::windows::{Entry, Owner};

const ENABLE: u64 = 1 << 63;
const SINGLE_PE: u64 = 1 << 62;
const BASE_SHIFT: u32 = 32;
const FIELD: u64 = (1 << 30) - 1;
const PE_LOW: u64 = 0x1f;
const MIB_SHIFT: u32 = 20;

/// The word of a window.
pub fn encode(entry: Entry) -> u64 {
    let mut base = entry.base >> MIB_SHIFT & FIELD;
    let mut mask = (entry.size >> MIB_SHIFT).wrapping_neg() & FIELD;
    let mut flags = if entry.on { ENABLE } else { 0 };
    if let Owner::Single(pe) = entry.owner {
        let pe = u64::from(pe);
        flags |= SINGLE_PE;
        base = base & !PE_LOW | pe >> 5;
        mask = mask & !PE_LOW | pe & PE_LOW;
    }
    flags | base << BASE_SHIFT | mask
}

/// The window of a word.
pub fn decode(word: u64) -> Entry {
    let (mut base, mut mask) = (word >> BASE_SHIFT & FIELD, word & FIELD);
    let mut owner = Owner::Segment;
    if word & SINGLE_PE != 0 {
        owner = Owner::Single(((base & PE_LOW) << 5 | mask & PE_LOW) as u16);
        base &= !PE_LOW;
        mask &= !PE_LOW;
    }
    let size = (mask.wrapping_neg() & FIELD) << MIB_SHIFT;
    Entry { on: word & ENABLE != 0, owner, base: base << MIB_SHIFT, size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_reference_s() {
        let split = Entry { on: true, owner: Owner::Segment, base: 0x3_d000_0000_0000, size: 0x10_0000_0000 };
        // 0x3d0000000000 MiB is 2^20 times 0x3d000000; 64 GiB are 0x10000 MiB.
        assert_eq!(encode(split), 0x8000_0000_0000_0000 | 0x3d00_0000 << 32 | 0x3fff_0000);
        let single =
            Entry { on: false, owner: Owner::Single(0xa5), base: 0x3_d000_0200_0000, size: 32 << 20 };
        assert_eq!(encode(single), 0x4000_0000_0000_0000 | 0x3d00_0025 << 32 | 0x3fff_ffe5);
        for entry in [split, single] {
            let again = decode(encode(entry));
            assert_eq!(
                (again.on, again.owner, again.base, again.size),
                (entry.on, entry.owner, entry.base, entry.size)
            );
        }
        assert_eq!(decode(0).size, 0);
    }
}
