//! MMIO windows: which addresses of the processor reach the bus, and which PE each piece of them belongs to.
//!
//! Window 0 is M32, cut into as many segments as there are PEs, each with a PE in MDT column A. The others are M64
//! and belong to the OS. `reference/phb-dma-windows.md` §5 and §12.4.

use super::ioda::{self, Shadow, TableId};
use super::phb4::Phb4;
use crate::error::{Error, Result};
use crate::hw::fault::Outcome;
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::iommu::PeNumber;
use bitfield::bitfield;
use core::ops::Range;

/// IBM counts bits from the most significant one.
const fn ibm(bit: usize) -> usize {
    63 - bit
}

bitfield! {
    /// First word of an MBT entry.
    #[derive(Clone, Copy)]
    struct Mbt0(u64);
    bool, m32, set_m32: ibm(1);
    /// How a PE is found.
    u8, mode, set_mode: ibm(2), ibm(3);
    /// MDT column, in that mode.
    u8, column, set_column: ibm(4), ibm(5);
    /// In 4 KiB.
    u64, base, set_base: ibm(8), ibm(51);
}
bitfield! {
    /// Second word. The entry's enable bit is kept here only: the word that is written last decides.
    #[derive(Clone, Copy)]
    struct Mbt1(u64);
    bool, enable, set_enable: ibm(0);
    /// Two's complement of the size, in 4 KiB.
    u64, mask, set_mask: ibm(8), ibm(51);
    u16, pe, set_pe: ibm(55), ibm(63);
}

/// The segment's number is the PE.
const MODE_SEGMENT: u8 = 0;
/// The MDT has the segment's PE.
const MODE_MDT: u8 = 1;
/// One PE has it all.
const MODE_SINGLE: u8 = 2;

/// Where M32 begins on the bus.
pub const M32_PCI_START: u64 = 0x8000_0000;
const PAGE: u64 = 4096;

/// An M64 window of a bridge, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct M64(u8);

impl M64 {
    /// Checks a number against the bridge's count of windows; 0 is M32.
    ///
    /// # Errors
    /// `Parameter` when there is no such M64 window.
    pub fn new(number: u64, count: u8) -> Result<Self> {
        if number == 0 || number >= u64::from(count) {
            return Err(Error::Parameter(&"M64 window"));
        }
        Ok(Self(number as u8))
    }

    const fn word0(self) -> usize {
        2 * self.0 as usize
    }
}

/// How an M64 window is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enable {
    /// Off, and back to its default mode.
    Off,
    /// On, one segment for each PE.
    Split,
    /// On, wholly one PE's.
    Single,
}

impl Enable {
    /// From OPAL's number.
    ///
    /// # Errors
    /// `Parameter` for another one.
    pub fn new(code: u64) -> Result<Self> {
        match code {
            0 => Ok(Self::Off),
            1 => Ok(Self::Split),
            2 => Ok(Self::Single),
            _ => Err(Error::Parameter(&"window enable")),
        }
    }
}

/// What OPAL asks about MMIO windows.
pub trait MmioWindows {
    /// Gives an M32 segment to a PE.
    ///
    /// # Errors
    /// `Parameter` when there is no such segment, `Hardware` when the bridge is fenced, broken or in reset.
    fn map_m32_segment(&mut self, segment: u64, pe: PeNumber) -> Result;
    /// Makes a switched-off M64 window one PE's.
    ///
    /// # Errors
    /// `Partial` when it is on.
    fn map_m64_single(&mut self, window: M64, pe: PeNumber) -> Result;
    /// Sets the place of a switched-off M64 window.
    ///
    /// # Errors
    /// `Parameter` for a place that can't be, `Partial` when the window is on.
    fn place_m64(&mut self, window: M64, address: u64, size: u64) -> Result;
    /// Switches an M64 window.
    ///
    /// # Errors
    /// `Parameter` when its mode isn't that, `Partial` when it has no place inside the bridge's range, `Hardware` when
    /// the bridge is fenced, broken or in reset.
    fn enable_m64(&mut self, window: M64, enable: Enable) -> Result;
}

impl<I: Mmio, R: Ram> MmioWindows for Phb4<I, R> {
    fn map_m32_segment(&mut self, segment: u64, pe: PeNumber) -> Result {
        let segment = self.limits.pe(segment).map_err(|_| Error::Parameter(&"M32 segment"))?.index();
        self.usable()?;
        let word = self.mdt.get(segment) & !(0xffff << 48) | u64::from(pe.as_u16()) << 48;
        Ok(self.mdt.write(&self.regs, segment, word)?)
    }

    fn map_m64_single(&mut self, window: M64, pe: PeNumber) -> Result {
        let (mut word0, mut word1) = self.m64_off(window)?;
        word0.set_mode(MODE_SINGLE);
        word0.set_column(0);
        word1.set_pe(pe.as_u16());
        self.keep_m64(window, word0, word1);
        Ok(())
    }

    fn place_m64(&mut self, window: M64, address: u64, size: u64) -> Result {
        if !address.is_multiple_of(PAGE) || !size.is_multiple_of(PAGE) {
            return Err(Error::Parameter(&"M64 window is not in whole pages"));
        }
        if !size.is_power_of_two() || !address.is_multiple_of(size) || address >= 1 << 56 {
            return Err(Error::Parameter(&"M64 window size or alignment"));
        }
        let (mut word0, mut word1) = self.m64_off(window)?;
        word0.set_base(address / PAGE);
        word1.set_mask(size_mask(size));
        self.keep_m64(window, word0, word1);
        Ok(())
    }

    fn enable_m64(&mut self, window: M64, enable: Enable) -> Result {
        let (word0, mut word1) = self.m64(window);
        if enable == Enable::Off {
            let (off0, off1) = default_entry(window.0, self.mbt.len() / 2);
            return Ok(self.write_m64(window, off0, off1)?);
        }
        if (word0.mode() == MODE_SINGLE) != (enable == Enable::Single) {
            return Err(Error::Parameter(&"window isn't in that mode"));
        }
        let size = (word1.mask().wrapping_neg() & MASK_FIELD) * PAGE;
        let base = word0.base() * PAGE;
        if word1.mask() == 0 || base < self.m64.start || size > self.m64.end.saturating_sub(base) {
            return Err(Error::Partial(&"window is outside the bridge's range"));
        }
        word1.set_enable(true);
        Ok(self.write_m64(window, word0.0, word1.0)?)
    }
}

/// The 44 bits of a mask.
const MASK_FIELD: u64 = (1 << 44) - 1;

/// A window's size as its mask has it.
const fn size_mask(size: u64) -> u64 {
    (size.wrapping_neg() / PAGE) & MASK_FIELD
}

impl<I: Mmio, R: Ram> Phb4<I, R> {
    fn m64(&self, window: M64) -> (Mbt0, Mbt1) {
        (Mbt0(self.mbt.get(window.word0())), Mbt1(self.mbt.get(window.word0() + 1)))
    }

    /// The processor's addresses of M32, or of M64 if `wide`, that are a PE's: the piece that holds `address`, else the
    /// first one.
    pub(super) fn memory_of(&self, pe: PeNumber, wide: bool, address: u64) -> Option<Range<u64>> {
        let windows = if wide { 1..self.mbt.len() / 2 } else { 0..1 };
        let mut pieces = windows.flat_map(|window| self.pieces_of(pe, window));
        let first = pieces.next()?;
        let holder = core::iter::once(first.clone()).chain(pieces).find(|piece| piece.contains(&address));
        Some(holder.unwrap_or(first))
    }

    fn pieces_of(&self, pe: PeNumber, window: usize) -> impl Iterator<Item = Range<u64>> {
        let (word0, word1) = (Mbt0(self.mbt.get(2 * window)), Mbt1(self.mbt.get(2 * window + 1)));
        let single = word0.mode() == MODE_SINGLE;
        let count = if single { 1 } else { self.mdt.len() as u64 };
        let size = (word1.mask().wrapping_neg() & MASK_FIELD) * PAGE / count.max(1);
        let owner = move |piece: u64| match word0.mode() {
            MODE_SINGLE => word1.pe(),
            MODE_SEGMENT => piece as u16,
            _ => (self.mdt.get(piece as usize) >> (48 - 16 * u32::from(word0.column()))) as u16,
        };
        let owned = move |piece: &u64| word1.enable() && owner(*piece) == pe.as_u16();
        (0..count).filter(owned).map(move |piece| {
            let start = word0.base() * PAGE + piece * size;
            start..start + size
        })
    }

    fn m64_off(&self, window: M64) -> Result<(Mbt0, Mbt1)> {
        let words = self.m64(window);
        if words.1.enable() { Err(Error::Partial(&"window is on")) } else { Ok(words) }
    }

    fn keep_m64(&mut self, window: M64, word0: Mbt0, word1: Mbt1) {
        self.mbt.set(window.word0(), word0.0);
        self.mbt.set(window.word0() + 1, word1.0);
    }

    fn write_m64(&mut self, window: M64, word0: u64, word1: u64) -> Outcome {
        self.usable()?;
        let (old0, old1) = self.m64(window);
        self.keep_m64(window, Mbt0(word0), Mbt1(word1));
        ioda::write(&self.regs, TableId::Mbt, window.word0(), word0);
        ioda::write(&self.regs, TableId::Mbt, window.word0() + 1, word1);
        let result = ioda::alive(&self.regs);
        if result.is_err() {
            self.keep_m64(window, old0, old1);
        }
        result
    }
}

/// The MBT as it starts: M32 on, the rest off.
pub fn default_mbt(count: usize, m32: &Range<u64>) -> Shadow {
    let mut words0 = Mbt0(0);
    words0.set_m32(true);
    words0.set_mode(MODE_MDT);
    words0.set_base(m32.start / PAGE);
    let mut words1 = Mbt1(0);
    words1.set_enable(true);
    words1.set_mask(size_mask(m32.end - m32.start));
    let first = [words0.0, words1.0].into_iter();
    let rest = (1..count).flat_map(move |window| {
        let (word0, word1) = default_entry(window as u8, count);
        [word0, word1]
    });
    Shadow::new(TableId::Mbt, first.chain(rest))
}

/// One word of the MBT as it starts, windows other than M32.
pub fn default_mbt_word(index: usize, count: usize) -> u64 {
    let (word0, word1) = default_entry((index / 2) as u8, count);
    if index.is_multiple_of(2) { word0 } else { word1 }
}

fn default_entry(window: u8, count: usize) -> (u64, u64) {
    let mut word0 = Mbt0(0);
    // The last three use the MDT's columns B, C and D.
    let from_end = count - usize::from(window);
    if from_end <= 3 {
        word0.set_mode(MODE_MDT);
        word0.set_column(4 - from_end as u8);
    } else {
        word0.set_mode(MODE_SEGMENT);
    }
    (word0.0, 0)
}

/// An entry of the MDT as it starts: column A is PE 0, the others the segment's own number.
pub fn default_mdt_word(segment: usize) -> u64 {
    segment as u64 * 0x0001_0001_0001
}

/// The MDT as it starts.
pub fn default_mdt(count: usize) -> Shadow {
    Shadow::new(TableId::Mdt, (0..count).map(default_mdt_word))
}
