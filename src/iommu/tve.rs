//! Translation-validation entries: one 64-bit word per window (`reference/phb-dma-windows.md` §6.1).

use super::bypass::Bypass;
use super::geometry::{Geometry, Table};
use super::{FOUR_GIB, Select, Translation, WindowIndex};
use bitfield::bitfield;

/// IBM counts bits from the most significant one.
const fn ibm(bit: usize) -> usize {
    63 - bit
}

bitfield! {
    /// The word of a translated window.
    #[derive(Clone, Copy)]
    struct Translated(u64);
    /// Real address of the table, in 4 KiB.
    u64, table, set_table: ibm(0), ibm(47);
    /// Levels less one.
    u8, levels, set_levels: ibm(48), ibm(50);
    /// log2 of a level's bytes, less 11.
    u8, size, set_size: ibm(51), ibm(55);
    /// log2 of the IO page, less 11; 0 means no translation.
    u8, page, set_page: ibm(59), ibm(63);
}

bitfield! {
    /// The word of a window that passes addresses on unchanged. Limits are in 16 MiB, cut in two.
    #[derive(Clone, Copy)]
    struct NoTranslate(u64);
    u64, start_low, set_start_low: ibm(0), ibm(23);
    u64, end_low, set_end_low: ibm(24), ibm(47);
    bool, marker, set_marker: ibm(51);
    u64, start_high, set_start_high: ibm(52), ibm(53);
    u64, end_high, set_end_high: ibm(54), ibm(55);
    bool, bits_50, set_bits_50: ibm(56);
}

/// A TVE as the bridge holds it.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Tve(u64);

/// What a TVE says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing may pass.
    Closed,
    /// Addresses go through a table.
    Translated {
        /// How the table divides an address.
        geometry: Geometry,
        /// Its real address.
        table: u64,
    },
    /// Addresses from `start` up to `end` pass unchanged.
    NoTranslate {
        /// First address.
        start: u64,
        /// First address that no longer passes.
        end: u64,
    },
}

/// Where the fields of a translated TVE end, and what is taken off each: levels are less 1, sizes are less 11.
const LEVELS: u32 = 13;
const SIZE: u32 = 8;
const BIASES: u64 = 1 << LEVELS | 11 << SIZE | 11;

impl Tve {
    /// The closed window.
    pub const CLOSED: Self = Self(0);

    /// The TVE that walks a table.
    #[inline(always)]
    pub fn translated(table: &Table) -> Self {
        let geometry = table.geometry();
        // What a `Translated` with these fields is: each was checked to fit its field, so sums do, in fewer steps than
        // setters that mask. A test compares the two.
        let fields = (u64::from(geometry.levels()) << LEVELS)
            .wrapping_add(u64::from(geometry.level_shift()) << SIZE)
            .wrapping_add(u64::from(geometry.page_shift()));
        Self((table.address() << 4).wrapping_add(fields).wrapping_sub(BIASES))
    }

    /// The TVE that passes a range unchanged.
    #[inline(always)]
    pub fn no_translate(translation: &Translation, bypass: &Bypass) -> Self {
        let (start, end) = (bypass.start() >> 24, bypass.end() >> 24);
        let mut word = NoTranslate(0);
        word.set_start_low(start & 0xff_ffff);
        word.set_start_high(start >> 24);
        word.set_end_low(end & 0xff_ffff);
        word.set_end_high(end >> 24);
        word.set_marker(true);
        word.set_bits_50(translation.no_translate_50);
        Self(word.0)
    }

    /// The word.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// From the word that one of the above made.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Whether anything may pass.
    pub const fn is_open(self) -> bool {
        self.0 != 0
    }

    /// What it says.
    pub fn meaning(self) -> Meaning {
        let word = Translated(self.0);
        if self.0 == 0 {
            Meaning::Closed
        } else if word.page() == 0 {
            let word = NoTranslate(self.0);
            Meaning::NoTranslate {
                start: (word.start_high() << 24 | word.start_low()) << 24,
                end: (word.end_high() << 24 | word.end_low()) << 24,
            }
        } else {
            Meaning::Translated {
                geometry: Geometry::decoded(word.page() + 11, word.levels() + 1, word.size() + 11),
                table: word.table() << 12,
            }
        }
    }

    /// Whether all that the window is meant to reach can be reached in its place, with bit 59 left out of account. In
    /// the 4 GiB mode the first 4 GiB of a table in window 1 are never reached, and what a one-level table in window 0
    /// has beyond them neither. A table of more levels may reach further than it is filled, so its reach says nothing
    /// about window 0.
    pub fn fits(self, select: Select, index: WindowIndex) -> bool {
        match (select, index, self.meaning()) {
            (Select::Bit59, ..) | (_, _, Meaning::Closed) => true,
            (_, WindowIndex::Zero, Meaning::Translated { geometry, .. }) => {
                geometry.levels() > 1 || !geometry.reaches_beyond_4_gib()
            }
            (_, WindowIndex::One, Meaning::Translated { geometry, .. }) => geometry.reaches_beyond_4_gib(),
            (_, WindowIndex::Zero, Meaning::NoTranslate { end, .. }) => super::geometry::below_4_gib(end),
            (_, WindowIndex::One, Meaning::NoTranslate { start, .. }) => start >= FOUR_GIB,
        }
    }

    /// Whether bus addresses at or above 4 GiB lie in the window.
    pub fn reaches_beyond_4_gib(self) -> bool {
        match self.meaning() {
            Meaning::Closed => false,
            Meaning::Translated { geometry, .. } => geometry.reaches_beyond_4_gib(),
            Meaning::NoTranslate { end, .. } => !super::geometry::below_4_gib(end),
        }
    }
}

impl core::fmt::Debug for Tve {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Tve({:#018x}: {:x?})", self.0, self.meaning())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::MemoryMap;

    #[test]
    fn what_is_encoded_is_decoded_again_field_by_field() {
        let memory = MemoryMap::new(core::iter::once(0..1 << 50).collect(), (1 << 50) - (1 << 24)..1 << 50);
        let translation = &crate::phb::generation::PHB4.translation;
        let mut seen = 0;
        for page in [12, 16, 21, 30] {
            for (levels, level) in (1..=5).flat_map(|levels| (12..=42).map(move |level| (levels, level))) {
                let Ok(geometry) = Geometry::new(translation, 1 << page, levels, 1 << level) else {
                    continue;
                };
                for address in [0, 1 << level, ((1 << 49) / (1 << level)) << level] {
                    let Ok(table) = Table::new(geometry, address, &memory) else { continue };
                    let tve = Tve::translated(&table);
                    assert_eq!(tve.meaning(), Meaning::Translated { geometry, table: address });
                    let word = Translated(tve.bits());
                    assert_eq!(
                        (u64::from(word.levels()), u64::from(word.size()), u64::from(word.page())),
                        (levels - 1, level - 11, page - 11)
                    );
                    seen += 1;
                }
            }
        }
        assert!(seen > 500, "{seen}");
    }
}
