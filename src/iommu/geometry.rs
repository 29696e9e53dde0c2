//! Shapes of translated windows. A shape or a table that exists as a type passed every check of
//! `reference/phb-dma-windows.md` §6.7; nothing looks again.

use super::{FOUR_GIB, Translation};
use crate::error::{Error, Result, why};
use crate::mem::MemoryMap;

/// Bus addresses above this many bits select a TVE or mean an MSI, so a window can't reach them.
const BUS_BITS: u32 = 59;

/// Sizes that one level of a table can have, one bit each: 4 KiB, and up to what the TVE's five bits for it encode.
const LEVEL_SIZES: u64 = (1 << (31 + 11 + 1)) - 4096;

/// log2 of the smallest level.
const SMALLEST_LEVEL: u32 = 12;
/// log2 of the largest level that firmware chooses by itself: what is zeroed when a page is mapped.
const CHOSEN_LEVEL: u8 = 14;
/// Levels that a TVE can name.
pub const MAX_LEVELS: u32 = 5;

/// How a window divides a bus address: IO page, levels, and bytes of one level's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    page_shift: u8,
    levels: u8,
    level_shift: u8,
}

impl Geometry {
    /// Checks a shape as the OS gives it: bytes of an IO page, levels, bytes of one level's table.
    ///
    /// # Errors
    /// `Parameter` when the generation doesn't translate that page, when the levels or the table's size can't be
    /// encoded, or when the window would be wider than the bus.
    #[inline(always)]
    pub fn new(translation: &Translation, page_bytes: u64, levels: u64, level_bytes: u64) -> Result<Self> {
        if !matches!(levels, 1..=5) {
            return Err(Error::Parameter(why("TCE levels")));
        }
        if !level_bytes.is_power_of_two() || level_bytes & LEVEL_SIZES == 0 {
            return Err(Error::Parameter(why("TCE table size")));
        }
        if !page_bytes.is_power_of_two() || page_bytes & translation.page_sizes == 0 {
            return Err(Error::Parameter(why("IO page size")));
        }
        // log2 of a power of two.
        let (page_shift, level_shift) = (63 ^ page_bytes.leading_zeros(), 63 ^ level_bytes.leading_zeros());
        let geometry =
            Self { page_shift: page_shift as u8, levels: levels as u8, level_shift: level_shift as u8 };
        if geometry.width() > BUS_BITS {
            return Err(Error::Parameter(why("window wider than the bus")));
        }
        Ok(geometry)
    }

    /// Chooses the shape of a table that firmware makes: for so many pages, with so many levels, or as many as keep a
    /// level small when `levels` is 0.
    ///
    /// # Errors
    /// `Parameter` when the generation doesn't translate that page, when there are no pages or more than the bus
    /// reaches, or when no table of so many levels fits the bus.
    pub fn for_pages(translation: &Translation, page_shift: u64, pages: u64, levels: u64) -> Result<Self> {
        let page_bytes =
            u32::try_from(page_shift).ok().and_then(|shift| 1_u64.checked_shl(shift)).unwrap_or(0);
        if page_bytes & translation.page_sizes == 0 {
            return Err(Error::Parameter(why("IO page size")));
        }
        if pages == 0 || pages > 1 << BUS_BITS >> page_shift {
            return Err(Error::Parameter(why("size of the window")));
        }
        let index_bits = u64::BITS.wrapping_sub(pages.wrapping_sub(1).leading_zeros());
        let shape = |levels: u32| {
            let level_shift = index_bits.div_ceil(levels).wrapping_add(3).max(SMALLEST_LEVEL);
            let shape =
                Self { page_shift: page_shift as u8, levels: levels as u8, level_shift: level_shift as u8 };
            Some(shape).filter(|shape| shape.width() <= BUS_BITS)
        };
        let chosen = match levels {
            // With more levels they are smaller but may, together, be wider than the bus.
            0 => (1..=MAX_LEVELS)
                .filter_map(shape)
                .reduce(|best, next| if best.level_shift > CHOSEN_LEVEL { next } else { best }),
            1..=5 => shape(levels as u32),
            _ => return Err(Error::Parameter(why("TCE levels"))),
        };
        chosen.ok_or(Error::Parameter(why("window wider than the bus")))
    }

    /// Builds a shape from what a TVE holds, without a check: for looking at TVEs only.
    pub(super) const fn decoded(page_shift: u8, levels: u8, level_shift: u8) -> Self {
        Self { page_shift, levels, level_shift }
    }

    /// log2 of the IO page.
    pub const fn page_shift(self) -> u8 {
        self.page_shift
    }
    /// Levels, 1 to 5.
    pub const fn levels(self) -> u8 {
        self.levels
    }
    /// log2 of the bytes of one level's table.
    pub const fn level_shift(self) -> u8 {
        self.level_shift
    }
    /// Bits of bus address that the window spans.
    #[inline(always)]
    pub const fn width(self) -> u32 {
        // At most 8 * 31 + 31, and a table has 4 KiB at least: nothing wraps.
        (self.levels as u32)
            .wrapping_mul((self.level_shift as u32).wrapping_sub(3))
            .wrapping_add(self.page_shift as u32)
    }
    /// Whether bus addresses at or above 4 GiB are in the window's reach.
    pub const fn reaches_beyond_4_gib(self) -> bool {
        self.width() > 32
    }
}

/// The top level of a table of TCEs, checked: it lies wholly in RAM of the OS, or in firmware's pool, and is aligned to
/// its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    geometry: Geometry,
    address: u64,
}

impl Table {
    /// Checks where a table lies.
    ///
    /// # Errors
    /// `Parameter` when it isn't aligned to the size of a level (hardware ORs the index in) or isn't wholly in RAM
    /// that the OS owns.
    #[inline(always)]
    pub fn new(geometry: Geometry, address: u64, memory: &MemoryMap) -> Result<Self> {
        let bytes = 1 << geometry.level_shift;
        if address & (bytes - 1) != 0 {
            return Err(Error::Parameter(why("TCE table alignment")));
        }
        if !memory.is_os_ram(address, bytes) {
            return Err(Error::Parameter(why("TCE table not in RAM of the OS")));
        }
        Ok(Self { geometry, address })
    }

    /// A table of firmware's own, from the pool.
    pub(super) const fn owned(geometry: Geometry, address: u64) -> Self {
        Self { geometry, address }
    }

    /// Its shape.
    pub const fn geometry(&self) -> Geometry {
        self.geometry
    }
    /// Its real address.
    pub const fn address(&self) -> u64 {
        self.address
    }
}

/// Whether an end is at or below 4 GiB.
pub(super) const fn below_4_gib(end: u64) -> bool {
    end <= FOUR_GIB
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHB4: Translation =
        Translation { page_sizes: 1 << 12 | 1 << 16 | 1 << 21 | 1 << 30, no_translate_50: true };

    #[test]
    fn width_counts_levels_and_page() {
        let cases = [
            (0x1_0000, 1, 0x4_0000, 31),
            (0x1000, 5, 0x1000, 57),
            (0x4000_0000, 1, 0x1000, 39),
            (0x1_0000, 2, 0x1_0000, 42),
        ];
        for (page, levels, bytes, width) in cases {
            assert_eq!(Geometry::new(&PHB4, page, levels, bytes).map(Geometry::width), Ok(width));
        }
    }

    #[test]
    fn a_shape_that_hardware_can_t_walk_is_refused() {
        let bad = [
            (0x1000, 0, 0x1000),
            (0x1000, 6, 0x1000),
            (0x1000, 0x1_0000_0001, 0x1000),
            (0x1000, 1, 0x3000),
            (0x1000, 1, 0x800),
            (0x1000, 1, 0),
            (0x1000, 1, 1 << 43),
            (0x100_0000, 1, 0x1000),
            (0x1800, 1, 0x1000),
            (0, 1, 0x1000),
            (0x1_0000, 5, 0x1000),
            (0x4000_0000, 4, 0x1000),
        ];
        for (page, levels, bytes) in bad {
            let result = Geometry::new(&PHB4, page, levels, bytes);
            if (page, levels, bytes) == (0x1_0000, 5, 0x1000) {
                // 5 * 9 + 16 = 61
                assert!(result.is_err(), "61 bits");
            }
            assert!(matches!(result, Err(Error::Parameter(_))), "{page:#x} {levels} {bytes:#x}");
        }
        assert_eq!(Geometry::new(&PHB4, 0x4000_0000, 3, 0x1000).map(Geometry::width), Ok(57));
    }

    #[test]
    fn a_table_lies_aligned_in_memory_of_the_os() {
        let memory = MemoryMap::new(core::iter::once(0..0x8000_0000).collect(), 0x7f00_0000..0x8000_0000);
        let shape = Geometry::new(&PHB4, 0x1_0000, 1, 0x4_0000).unwrap_or_else(|_| unreachable!());
        assert!(Table::new(shape, 0x2000_0000, &memory).is_ok());
        assert!(Table::new(shape, 0x7efc_0000, &memory).is_ok());
        for bad in [0x2000_1000, 0x2000_0001, 0x7f00_0000, 0x7ff0_0000, 0x8000_0000, 0xc000_0000_2000_0000] {
            assert!(Table::new(shape, bad, &memory).is_err(), "{bad:#x}");
        }
    }
}
