//! The bridge's on-chip tables behind the indirect port, and the shadow of what they shall hold.
//!
//! The shadow is what a complete reset replays, and what the OS's calls build on: hardware is never read to learn
//! what was configured. A write goes through an [`Update`], so that a bridge that fences in the middle leaves the
//! shadow as it was. `reference/phb-dma-windows.md` §5.

use super::regs4::{CPU_LOADSTORE_STATUS, FENCED, IODA_ADDR, IODA_DATA0, IodaAddr, Word};
use super::touched::Touched;
use crate::hw::fault::{Fault, Outcome};
use crate::hw::mmio::Mmio;
use alloc::vec::Vec;

/// A table. PHB3's and PHB4's numbers agree but for the one that routes interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableId {
    /// P, Q and PE of four interrupt sources per word.
    #[doc(alias = "IODA3_TBL_MIST")]
    Mist,
    /// Where a PHB3's LSIs go.
    #[doc(alias = "IODA2_TBL_LXIVT")]
    Lxivt,
    /// Which of a PHB3's MSIs were rejected.
    #[doc(alias = "IODA2_TBL_RBA")]
    Rba,
    /// Not used; cleared.
    #[doc(alias = "IODA3_TBL_MRT")]
    Mrt,
    /// MMIO of a PE is frozen.
    #[doc(alias = "IODA3_TBL_PESTA")]
    PestA,
    /// DMA of a PE is stopped.
    #[doc(alias = "IODA3_TBL_PESTB")]
    PestB,
    /// DMA windows.
    #[doc(alias = "IODA3_TBL_TVT")]
    Tvt,
    /// MMIO windows, two words each; a PHB3's M64BT, one word each.
    #[doc(alias = "IODA3_TBL_MBT")]
    Mbt,
    /// PE of each segment of the windows that use one of its columns; a PHB3's M32DT.
    #[doc(alias = "IODA3_TBL_MDT")]
    Mdt,
    /// Which PEs are frozen.
    #[doc(alias = "IODA3_TBL_PEEV")]
    Peev,
}

impl TableId {
    /// Its number in IODA_ADDR.
    const fn number(self) -> u8 {
        match self {
            Self::Mist | Self::Lxivt => 2,
            Self::Rba => 4,
            Self::Mrt => 6,
            Self::PestA => 7,
            Self::PestB => 8,
            Self::Tvt => 9,
            Self::Mbt => 16,
            Self::Mdt => 17,
            Self::Peev => 20,
        }
    }
}

/// All four sources of a MIST word.
const ALL_LANES: u8 = 0xf;

#[inline(always)]
fn first(table: TableId) -> IodaAddr {
    let mut address = IodaAddr::default();
    address.set_table(table.number());
    address.set_lanes(if table == TableId::Mist { ALL_LANES } else { 0 });
    address
}

#[inline(always)]
fn select<I: Mmio + ?Sized>(window: &I, mut address: IodaAddr, index: usize) {
    address.set_index(index as u16);
    IODA_ADDR.write(window, address);
}

/// Writes one entry.
#[inline(always)]
pub fn write<I: Mmio + ?Sized>(window: &I, table: TableId, index: usize, value: u64) {
    select(window, first(table), index);
    IODA_DATA0.write(window, value);
}

/// Writes one of the four sources of a MIST word.
pub fn write_lane<I: Mmio>(window: &I, index: usize, lane: u8, value: u64) {
    let mut address = first(TableId::Mist);
    address.set_lanes(8 >> lane);
    select(window, address, index);
    IODA_DATA0.write(window, value);
}

/// Reads one entry.
#[inline(always)]
pub fn read<I: Mmio + ?Sized>(window: &I, table: TableId, index: usize) -> u64 {
    select(window, first(table), index);
    IODA_DATA0.read(window)
}

/// Writes entries from the first one on.
pub fn fill<I: Mmio>(window: &I, table: TableId, values: impl Iterator<Item = u64>) {
    let mut address = first(table);
    address.set_autoincrement(true);
    select(window, address, 0);
    for value in values {
        IODA_DATA0.write(window, value);
    }
}

/// Whether the bridge answers.
///
/// # Errors
/// When it is fenced.
#[inline(always)]
pub fn alive<I: Mmio + ?Sized>(window: &I) -> Outcome {
    if CPU_LOADSTORE_STATUS.read(window) == FENCED { Err(Fault::Fenced) } else { Ok(()) }
}

/// What one table shall hold, and which of its entries differ from the state after a reset of the tables.
#[derive(Debug)]
pub struct Shadow {
    table: TableId,
    /// Selects its first entry.
    first: IodaAddr,
    words: Vec<u64>,
    touched: Touched,
    /// Which entry was changed last, as IODA_ADDR names it; 0 when none was since [`Shadow::take_changed`].
    changed: u64,
}

impl Shadow {
    /// A table with these initial entries.
    pub fn new(table: TableId, initial: impl Iterator<Item = u64>) -> Self {
        Self { table, first: first(table), words: initial.collect(), touched: Touched::new(), changed: 0 }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether the table has no entries.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// What an entry shall hold; 0 for one that doesn't exist.
    #[inline(always)]
    pub fn get(&self, index: usize) -> u64 {
        self.words.get(index).copied().unwrap_or(0)
    }

    /// All entries.
    pub fn words(&self) -> impl Iterator<Item = u64> + '_ {
        self.words.iter().copied()
    }

    /// Changes what an entry shall hold, without writing it.
    pub fn set(&mut self, index: usize, value: u64) {
        if let Some(word) = self.words.get_mut(index) {
            *word = value;
            self.touched.mark(index);
        }
    }

    /// Starts to change an entry; unless [`Update::commit`] is reached the old one comes back.
    #[inline(always)]
    pub fn update(&mut self, index: usize, value: u64) -> Outcome<Update<'_>> {
        let word = self.words.get_mut(index).ok_or(Fault::NoDevice)?;
        let old = *word;
        *word = value;
        self.touched.mark(index);
        Ok(Update { word, old, done: false })
    }

    /// Changes an entry in hardware and shadow.
    ///
    /// # Errors
    /// When the bridge is fenced; the shadow is then as before.
    #[inline(always)]
    pub fn write<I: Mmio + ?Sized>(&mut self, window: &I, index: usize, value: u64) -> Outcome {
        let first = self.first;
        let update = self.update(index, value)?;
        select(window, first, index);
        IODA_DATA0.write(window, value);
        alive(window)?;
        update.commit();
        Ok(())
    }

    /// Changes an entry in hardware and shadow. The caller looks for a fence, and puts the old entry back if there is
    /// one. For a table that [`Shadow::close`] resets: nobody notes which entries were changed.
    #[inline(always)]
    pub fn put<I: Mmio>(&mut self, window: &I, index: usize, value: u64) {
        if let Some(word) = self.words.get_mut(index) {
            *word = value;
            // The index is the lowest field and 0 in the first entry's address; every table's entries fit it.
            let entry = self.first.bits() | index as u64;
            // Noted by a value that is at hand: that costs one store.
            self.changed = entry;
            IODA_ADDR.write(window, IodaAddr::from_bits(entry));
            IODA_DATA0.write(window, value);
        }
    }

    /// The first entry at or after `from` that isn't 0.
    pub fn next_open(&self, from: usize) -> Option<(usize, u64)> {
        // Nearly all are 0: eight at a time take half the instructions.
        let rest = self.words.get(from..)?;
        let (eights, _) = rest.as_chunks::<8>();
        let all = |&&[a, b, c, d, e, f, g, h]: &&[u64; 8]| a | b | c | d | e | f | g | h;
        let closed = eights.iter().take_while(|eight| all(eight) == 0).count();
        let mut left = rest.iter().enumerate().skip(closed.wrapping_mul(8));
        left.find(|(_, word)| **word != 0).map(|(offset, &word)| (from.wrapping_add(offset), word))
    }

    /// Whether [`Shadow::put`] or [`Shadow::close`] changed an entry, or [`Shadow::mark_changed`] said so, since this was
    /// asked last.
    pub fn take_changed(&mut self) -> bool {
        core::mem::take(&mut self.changed) != 0
    }

    /// Makes [`Shadow::take_changed`] say yes.
    pub fn mark_changed(&mut self) {
        self.changed = self.first.bits();
    }

    /// Writes the whole table to hardware.
    pub fn replay<I: Mmio>(&self, window: &I) {
        fill(window, self.table, self.words());
    }

    /// Writes to hardware, for every entry that isn't 0, what `value` makes of it. The shadow stays.
    pub fn write_open<I: Mmio>(&self, window: &I, value: fn(u64) -> u64) {
        for (index, word) in self.words().enumerate().filter(|(_, word)| *word != 0) {
            write(window, self.table, index, value(word));
        }
    }

    /// Sets every entry of the shadow to 0.
    pub fn close(&mut self) {
        self.words.fill(0);
        self.mark_changed();
    }

    /// Writes to hardware, for every changed entry, what `value` says. The shadow stays.
    #[inline(never)]
    pub fn write_changed<I: Mmio>(&self, window: &I, value: &dyn Fn(usize) -> u64) {
        for index in self.touched.clone().take() {
            write(window, self.table, index, value(index));
        }
    }

    /// Puts changed entries of the shadow back to what `initial` says.
    #[inline(never)]
    pub fn restart(&mut self, initial: &dyn Fn(usize) -> u64) {
        for index in self.touched.take() {
            if let Some(word) = self.words.get_mut(index) {
                *word = initial(index);
            }
        }
    }
}

/// A change of one shadow entry that isn't certain yet.
#[derive(Debug)]
pub struct Update<'a> {
    word: &'a mut u64,
    old: u64,
    done: bool,
}

impl Update<'_> {
    /// The change has happened.
    #[inline(always)]
    pub fn commit(mut self) {
        self.done = true;
    }
}

impl Drop for Update<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.done {
            *self.word = self.old;
        }
    }
}
