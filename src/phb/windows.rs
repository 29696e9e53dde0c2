//! MMIO windows: which addresses of the processor reach the bus, and which PE each piece of them belongs to.
//!
//! Window 0 is M32, cut into as many segments as there are PEs, each with a PE in MDT column A. The others are M64
//! and belong to the OS. `reference/phb-dma-windows.md` §5 and §12.4.

use super::bridge::HostBridge;
use super::generation::{self, Generation, Ioda};
use super::ioda::{self, Shadow, TableId};
use super::phb3::m64;
use crate::error::{Error, Result, why};
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

/// Where M32 begins on the bus; its last 64 KiB are 32-bit MSIs. Linux makes it the size of VFIO's default DMA window as
/// well, so it must be a power of two.
pub const M32_PCI_START: u64 = 0x8000_0000;
const PAGE: u64 = 4096;

/// Whose a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The segment's number is the PE.
    Segment,
    /// The MDT has the segment's PE in this column.
    Column(u8),
    /// One PE has it all.
    Single(u16),
}

/// A window, whatever the format of its entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub on: bool,
    pub owner: Owner,
    /// First address.
    pub base: u64,
    /// Bytes; 0 when it has no place.
    pub size: u64,
}

impl Entry {
    fn from_mbt(word0: u64, word1: u64) -> Self {
        let (word0, word1) = (Mbt0(word0), Mbt1(word1));
        let owner = match word0.mode() {
            MODE_SINGLE => Owner::Single(word1.pe()),
            MODE_SEGMENT => Owner::Segment,
            _ => Owner::Column(word0.column()),
        };
        let size = (word1.mask().wrapping_neg() & MASK_FIELD) * PAGE;
        Self { on: word1.enable(), owner, base: word0.base() * PAGE, size }
    }

    fn mbt(self) -> [u64; 2] {
        let (mut word0, mut word1) = (Mbt0(0), Mbt1(0));
        match self.owner {
            Owner::Segment => word0.set_mode(MODE_SEGMENT),
            Owner::Column(column) => {
                word0.set_mode(MODE_MDT);
                word0.set_column(column);
            }
            Owner::Single(pe) => {
                word0.set_mode(MODE_SINGLE);
                word1.set_pe(pe);
            }
        }
        word0.set_base(self.base / PAGE);
        word1.set_mask(size_mask(self.size));
        word1.set_enable(self.on);
        [word0.0, word1.0]
    }
}

/// An M64 window of a bridge, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct M64(u8);

impl M64 {
    /// Checks a number against the bridge's windows.
    ///
    /// # Errors
    /// `Parameter` when there is no such M64 window.
    pub fn new(number: u64, windows: &Range<u8>) -> Result<Self> {
        if number < windows.start.into() || number >= windows.end.into() {
            return Err(Error::Parameter(why("M64 window")));
        }
        Ok(Self(number as u8))
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
            _ => Err(Error::Parameter(why("window enable"))),
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

impl<I: Mmio, R: Ram> MmioWindows for HostBridge<I, R> {
    fn map_m32_segment(&mut self, segment: u64, pe: PeNumber) -> Result {
        let segment = self.limits.pe(segment).map_err(|_| Error::Parameter(why("M32 segment")))?.index();
        self.usable()?;
        let word = self.mdt.get(segment) & !(0xffff << 48) | u64::from(pe.as_u16()) << 48;
        Ok(self.mdt.write(&self.regs, segment, word)?)
    }

    fn map_m64_single(&mut self, window: M64, pe: PeNumber) -> Result {
        let entry = self.m64(window);
        let [_, grain] = self.generation.m64_grain;
        if !entry.base.is_multiple_of(grain) || !entry.size.is_multiple_of(grain) {
            return Err(Error::Parameter(why("M64 window's place isn't one for a single PE")));
        }
        self.change_m64(window, Entry { owner: Owner::Single(pe.as_u16()), ..entry })
    }

    fn place_m64(&mut self, window: M64, address: u64, size: u64) -> Result {
        let entry = self.m64(window);
        let [shared, single] = self.generation.m64_grain;
        let grain = if matches!(entry.owner, Owner::Single(_)) { single } else { shared };
        if !address.is_multiple_of(grain) || !size.is_multiple_of(grain) {
            return Err(Error::Parameter(why("M64 window is not in whole pages")));
        }
        if !size.is_power_of_two() || !address.is_multiple_of(size) || address >= self.generation.m64_top {
            return Err(Error::Parameter(why("M64 window size or alignment")));
        }
        self.change_m64(window, Entry { base: address, size, ..entry })
    }

    fn enable_m64(&mut self, window: M64, enable: Enable) -> Result {
        let entry = self.m64(window);
        if enable == Enable::Off {
            let mut off = Entry { on: false, owner: Owner::Segment, base: 0, size: 0 };
            if let Some(column) = default_column(self.generation, window.0.into(), self.mbt.len()) {
                off.owner = Owner::Column(column);
            }
            return Ok(self.write_m64(window, off)?);
        }
        if matches!(entry.owner, Owner::Single(_)) != (enable == Enable::Single) {
            return Err(Error::Parameter(why("window isn't in that mode")));
        }
        let (base, size) = (entry.base, entry.size);
        if size == 0 || base < self.m64.start || size > self.m64.end.saturating_sub(base) {
            return Err(Error::Partial(why("window is outside the bridge's range")));
        }
        Ok(self.write_m64(window, Entry { on: true, ..entry })?)
    }
}

/// The 44 bits of a mask.
const MASK_FIELD: u64 = (1 << 44) - 1;

/// A window's size as its mask has it.
const fn size_mask(size: u64) -> u64 {
    (size.wrapping_neg() / PAGE) & MASK_FIELD
}

impl<I: Mmio, R: Ram> HostBridge<I, R> {
    /// The table's words of a window.
    fn words(&self, window: M64) -> Range<usize> {
        let words = match self.ioda {
            Ioda::Two => 1,
            Ioda::Three => 2,
        };
        let first = words * usize::from(window.0);
        first..first + words
    }

    fn m64(&self, window: M64) -> Entry {
        let Range { start, .. } = self.words(window);
        match self.ioda {
            Ioda::Two => m64::decode(self.mbt.get(start)),
            Ioda::Three => Entry::from_mbt(self.mbt.get(start), self.mbt.get(start + 1)),
        }
    }

    fn keep_m64(&mut self, window: M64, entry: Entry) {
        let words = match self.ioda {
            Ioda::Two => [m64::encode(entry), 0],
            Ioda::Three => entry.mbt(),
        };
        for (index, word) in self.words(window).zip(words) {
            self.mbt.set(index, word);
        }
    }

    /// Changes a window that is off.
    fn change_m64(&mut self, window: M64, entry: Entry) -> Result {
        if entry.on {
            return Err(Error::Partial(why("window is on")));
        }
        self.keep_m64(window, entry);
        Ok(())
    }

    fn write_m64(&mut self, window: M64, entry: Entry) -> Outcome {
        self.usable()?;
        let old = self.m64(window);
        self.keep_m64(window, entry);
        for index in self.words(window) {
            ioda::write(&self.regs, TableId::Mbt, index, self.mbt.get(index));
        }
        let result = ioda::alive(&self.regs);
        if result.is_err() {
            self.keep_m64(window, old);
        }
        result
    }

    /// The processor's addresses of M32, or of M64 if `wide`, that are a PE's: the piece that holds `address`, else the
    /// first one.
    pub(super) fn memory_of(&self, pe: PeNumber, wide: bool, address: u64) -> Option<Range<u64>> {
        let m32 = &self.info.m32;
        if !wide {
            let owner = Owner::Column(0);
            return self.piece_of(
                pe,
                Entry { on: true, owner, base: m32.start, size: m32.end.wrapping_sub(m32.start) },
                address,
            );
        }
        let mut first = None;
        for window in self.info.m64_windows.clone() {
            let Some(piece) = self.piece_of(pe, self.m64(M64(window)), address) else { continue };
            if piece.contains(&address) {
                return Some(piece);
            }
            first = first.or(Some(piece));
        }
        first
    }

    /// The same for one window.
    fn piece_of(&self, pe: PeNumber, entry: Entry, address: u64) -> Option<Range<u64>> {
        if !entry.on {
            return None;
        }
        let count = if matches!(entry.owner, Owner::Single(_)) { 1 } else { self.mdt.len() };
        let size = entry.size / (count as u64).max(1);
        let mut first = None;
        for number in 0..count {
            let owner = match entry.owner {
                Owner::Single(pe) => pe,
                Owner::Segment => number as u16,
                Owner::Column(column) => (self.mdt.get(number) >> (48 - 16 * u32::from(column & 3))) as u16,
            };
            if owner != pe.as_u16() {
                continue;
            }
            let start = entry.base + number as u64 * size;
            let piece = start..start + size;
            if piece.contains(&address) {
                return Some(piece);
            }
            first = first.or(Some(piece));
        }
        first
    }
}

/// The MBT as it starts: M32 on, the rest off.
pub fn default_mbt(count: usize, m32: &Range<u64>) -> Shadow {
    let m32 = Entry { on: true, owner: Owner::Column(0), base: m32.start, size: m32.end - m32.start };
    let [mut word0, word1] = m32.mbt();
    let mut first = Mbt0(word0);
    first.set_m32(true);
    word0 = first.0;
    let rest = (2..2 * count).map(|index| default_mbt_word(&generation::PHB4, index, 2 * count));
    Shadow::new(TableId::Mbt, [word0, word1].into_iter().chain(rest))
}

/// One word of the MBT as it starts, windows other than M32.
pub fn default_mbt_word(generation: &Generation, index: usize, words: usize) -> u64 {
    let mut word0 = Mbt0(0);
    if index.is_multiple_of(2)
        && let Some(column) = default_column(generation, index / 2, words)
    {
        word0.set_mode(MODE_MDT);
        word0.set_column(column);
    }
    word0.0
}

/// The MDT's column that a window uses unless the OS says otherwise: the last ones use B, C and D.
fn default_column(generation: &Generation, window: usize, words: usize) -> Option<u8> {
    let from_end = (words / 2).wrapping_sub(window);
    (1..=usize::from(generation.mdt_columns)).contains(&from_end).then(|| 4 - from_end as u8)
}

/// An entry of the MDT as it starts: column A is PE 0, the others, if there are any, the segment's own number.
pub fn default_mdt_word(generation: &Generation, segment: usize) -> u64 {
    segment as u64 * generation.mdt_step
}

/// The MDT as it starts.
pub fn default_mdt(generation: &Generation, count: usize) -> Shadow {
    Shadow::new(TableId::Mdt, (0..count).map(|segment| default_mdt_word(generation, segment)))
}
