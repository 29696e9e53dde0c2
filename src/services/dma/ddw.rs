//! PAPR's dynamic DMA windows (`doc/dma-windows/ddw.md`): each PE has a default window, which exists without a table
//! until something is mapped there, and windows that are created, whose tables have all their levels from the start.
//!
//! A window's LIOBN says which slot it is in, so nothing is bound. Its table belongs to the slot: whoever puts something
//! else there, or takes it out, ends the window and the table (`Acts::note`).

use super::Acts;
use super::change::Span;
use crate::error::{Error, Result, why};
use crate::iommu::geometry::Geometry;
use crate::iommu::registry::{Held, Place, TableId};
use crate::iommu::tce::whole_pages;
use crate::iommu::tve::Meaning;
use crate::iommu::{FOUR_GIB, Translation, WindowIndex};
use crate::phb;
use crate::units::Bdfn;
use core::ops::Range;

/// From here on LIOBNs are those of PAPR's windows: this, the bridge, the slot.
pub const OWN: u64 = 0x8000_0000;
/// log2 of what a bridge counts in a LIOBN.
pub const BRIDGE_SHIFT: u32 = 16;

/// log2 of the IO pages that PAPR can name, in the order of its bits.
pub const PAGE_SHIFTS: [u32; 9] = [12, 16, 24, 25, 26, 27, 28, 34, 21];

/// Bytes of the default window, in 4 KiB pages from bus address 0.
pub const DEFAULT_SIZE: u64 = 1 << 30;
/// log2 of its IO pages.
pub const DEFAULT_PAGE_SHIFT: u32 = 12;
const DEFAULT_PAGES: u64 = DEFAULT_SIZE >> DEFAULT_PAGE_SHIFT;

/// A level is a page of the pool, so whatever is free can be used, and what query tells is exact.
const LEVEL_BYTES: u64 = 1 << 12;
const LEVEL_BITS: u32 = 9;

/// log2 of the largest window 0: above it lie M32 and the 32-bit MSIs.
const LOW_LIMIT: u32 = 31;
/// log2 of the largest window 1, and in the 4 GiB mode, where it doesn't begin at 0.
const HIGH_LIMIT: u32 = 59;
const HIGH_LIMIT_4_GIB: u32 = 58;

/// What a PE can still have.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Windows that can be created.
    pub windows: u32,
    /// The most entries that the next one can have, with any of the page sizes and in both modes of the bridge.
    pub tces: u64,
    /// IO page sizes, a bit for each of [`PAGE_SHIFTS`].
    pub page_sizes: u32,
}

/// The LIOBN of a slot.
pub fn liobn(place: Place) -> u32 {
    OWN as u32 | u32::from(place.phb) << BRIDGE_SHIFT | place.slot.tve_index() as u32
}

/// Window 0 of a slot's PE: there it is kept whether the default window was removed.
fn zero(place: Place) -> Place {
    match place.slot.index() {
        WindowIndex::Zero => place,
        WindowIndex::One => other(place),
    }
}

fn other(place: Place) -> Place {
    Place { slot: place.slot.sibling(), ..place }
}

/// The shape of the table that has these entries, or nothing if the bus is too narrow for it.
fn shape(translation: &Translation, page_shift: u32, entries: &Range<u64>) -> Option<Geometry> {
    let bits = u64::BITS.wrapping_sub(entries.end.wrapping_sub(1).leading_zeros());
    let levels = bits.div_ceil(LEVEL_BITS).max(1);
    Geometry::new(translation, 1_u64.checked_shl(page_shift)?, levels.into(), LEVEL_BYTES).ok()
}

/// The entries of a table of which `count` are used, in a slot. In the 4 GiB mode a window 1 begins there, so the ones
/// before are out of reach.
fn entries(index: WindowIndex, four_gib: bool, page_shift: u32, count: u64) -> Range<u64> {
    let skipped = if four_gib && index == WindowIndex::One { FOUR_GIB >> page_shift } else { 0 };
    skipped..skipped.saturating_add(count)
}

/// log2 of the largest window in a slot.
fn limit(index: WindowIndex, four_gib: bool) -> u32 {
    match (index, four_gib) {
        (WindowIndex::Zero, _) => LOW_LIMIT,
        (WindowIndex::One, false) => HIGH_LIMIT,
        (WindowIndex::One, true) => HIGH_LIMIT_4_GIB,
    }
}

impl Acts<'_> {
    /// Window 0 of the PE that a requester is in: bus << 16, device and function << 8.
    ///
    /// # Errors
    /// `Parameter` when there is no such bridge, when the address is none, and when the requester is in the reserved PE.
    pub fn requester(&self, config_addr: u32, bridge: u64) -> Result<Place> {
        let found = phb::find(self.bridges, bridge)?;
        if config_addr & 0xff00_00ff != 0 {
            return Err(Error::Parameter(why("configuration address")));
        }
        let pe = found.lock().pe_of(Bdfn::from_u16((config_addr >> 8) as u16));
        self.place(bridge, pe.into(), 0)
    }

    /// What a PE can still have.
    ///
    /// # Errors
    /// `Parameter` when there is no such bridge.
    pub fn offer(&mut self, pe: Place) -> Result<Offer> {
        self.drop_orphans();
        let (windows, next) = self.free_windows(pe)?;
        let translation = self.bridge(pe)?.translation;
        let offered = |shift: u32| translation.page_sizes >> shift & 1 != 0;
        let bits = PAGE_SHIFTS.into_iter().zip(0..).filter(|&(shift, _)| offered(shift));
        let page_sizes = bits.fold(0, |mask, (_, bit)| mask | 1 << bit);
        let free = self.tables.pool.free_pages();
        let fits = |index, order: u32| {
            // Linux asks before it changes the mode.
            [false, true].into_iter().all(|four_gib| {
                PAGE_SHIFTS.into_iter().filter(|&shift| offered(shift)).all(|shift| {
                    let entries = entries(index, four_gib, shift, 1 << order);
                    order.saturating_add(shift) <= limit(index, four_gib)
                        && shape(translation, shift, &entries)
                            .is_some_and(|geometry| whole_pages(geometry, &entries) <= free)
                })
            })
        };
        let most = free.saturating_mul(1 << LEVEL_BITS).checked_ilog2();
        let order = match (next, most) {
            (Some(place), Some(most)) if self.tables.has_vacancy() => {
                let index = place.slot.index();
                (0..=most.min(HIGH_LIMIT)).rev().find(|&order| fits(index, order))
            }
            _ => None,
        };
        Ok(Offer { windows, tces: order.map_or(0, |order| 1 << order), page_sizes })
    }

    /// Creates a window; gives its LIOBN and its first bus address.
    ///
    /// # Errors
    /// `Parameter` when the page size isn't offered, when the window is smaller than a page or larger than its place;
    /// `Resource` when no window is free or there are too many tables; `NoMem` when the pool has no room; `Hardware`
    /// when the bridge doesn't answer. Nothing was made then.
    pub fn create_window(&mut self, pe: Place, page_shift: u32, window_shift: u32) -> Result<(u32, u64)> {
        self.drop_orphans();
        let (_, next) = self.free_windows(pe)?;
        let bridge = self.bridge(pe)?;
        let (translation, four_gib) = (bridge.translation, super::slots::four_gib(&**bridge.lock()));
        if !PAGE_SHIFTS.contains(&page_shift) || translation.page_sizes >> page_shift & 1 == 0 {
            return Err(Error::Parameter(why("IO page size")));
        }
        let index = next.map_or(WindowIndex::One, |place| place.slot.index());
        if window_shift < page_shift || window_shift > limit(index, four_gib) {
            return Err(Error::Parameter(why("size of the window")));
        }
        let place = next.ok_or(Error::Resource(why("windows of the PE")))?;
        let entries = entries(index, four_gib, page_shift, 1 << window_shift.wrapping_sub(page_shift));
        let geometry = shape(translation, page_shift, &entries).ok_or(Error::NoMem)?;
        let table = self.tables.create(self.ram, geometry, entries.end, Some(entries.start))?;
        let reach = self.set_papr(place, table, Some(four_gib))?;
        Ok((liobn(place), reach))
    }

    /// Removes a window and its table.
    ///
    /// # Errors
    /// `Parameter` when there is no such window, `Hardware` when the bridge doesn't answer.
    pub fn remove_window(&mut self, liobn: u64) -> Result {
        let place = self.place_of(liobn)?;
        let found = self.query(place)?;
        let is_default = self.may_be_default(place);
        if self.papr_table(place).is_some() {
            if !self.close(place, found.tve)? {
                return Err(Error::Parameter(why("LIOBN")));
            }
            self.note(place, Held::Nothing);
        } else if !(is_default && found.meaning == Meaning::Closed) {
            return Err(Error::Parameter(why("LIOBN")));
        }
        if is_default {
            self.tables.set_default_removed(place, true);
        }
        Ok(())
    }

    /// Closes all windows of a PE, gives the default one back and chooses where windows 1 of its bridge begin. `must`: the
    /// choice has to be made, even if it moves other PEs' windows; then it is refused.
    ///
    /// # Errors
    /// `WrongState` when it is refused, `Hardware` when the bridge doesn't answer. Nothing has changed then.
    pub fn reset_windows(&mut self, pe: Place, four_gib: bool, must: bool) -> Result {
        self.bridge(pe)?.lock().reset_pe(pe.slot, four_gib, must)?;
        self.note(pe, Held::Nothing);
        self.note(other(pe), Held::Nothing);
        self.tables.set_default_removed(zero(pe), false);
        self.drop_offset_table();
        Ok(())
    }

    /// The entries that a LIOBN of PAPR's means, from bus address `ioba` on. Nothing when they are in a default window
    /// that has no table and nothing shall be mapped; if something shall, it gets one, which [`Acts::finish`] sets.
    ///
    /// # Errors
    /// `Parameter` when there is no such window or the entries aren't in it; `Resource` or `NoMem` when there is no room
    /// for the table.
    pub(super) fn papr_span(
        &mut self,
        liobn: u64,
        ioba: u64,
        count: u64,
        maps: bool,
    ) -> Result<Option<Span>> {
        let outside = Error::Parameter(why("bus address"));
        let place = self.place_of(liobn)?;
        let found = self.query(place)?;
        if let Some(table) = self.papr_table(place) {
            if ioba < found.reach.first {
                return Err(outside);
            }
            let page = self.tables.get(table).map_or(1, |table| table.page_bytes());
            let offset = ioba.wrapping_sub(found.reach.origin) & page.wrapping_neg();
            return self.span(table, offset, count).map(Some);
        }
        if found.meaning != Meaning::Closed || !self.may_be_default(place) {
            return Err(Error::Parameter(why("LIOBN")));
        }
        let first = ioba >> DEFAULT_PAGE_SHIFT;
        if count == 0 || first >= DEFAULT_PAGES || count > DEFAULT_PAGES.wrapping_sub(first) {
            return Err(outside);
        }
        if !maps {
            return Ok(None);
        }
        let all = 0..DEFAULT_PAGES;
        let geometry = shape(self.bridge(place)?.translation, DEFAULT_PAGE_SHIFT, &all);
        let geometry = geometry.ok_or(Error::Internal(why("default window")))?;
        let table = self.tables.create(self.ram, geometry, DEFAULT_PAGES, None)?;
        self.fresh = Some((place, table));
        Ok(Some(Span { table, first, count }))
    }

    /// Ends a TCE call: opens the default window that it made a table for, if it succeeded.
    ///
    /// # Errors
    /// What the call failed with; `Hardware` when the bridge doesn't answer. There is no such table then.
    #[inline(always)]
    pub fn finish(&mut self, result: Result) -> Result {
        if self.fresh.is_none() { result } else { self.open_default(result) }
    }

    #[cold]
    fn open_default(&mut self, result: Result) -> Result {
        let Some((place, table)) = self.fresh.take() else { return result };
        match result {
            // A window 0 begins at 0 in either mode.
            Ok(()) => self.set_papr(place, table, None).map(|_| ()),
            Err(_) => {
                self.tables.destroy(self.ram, table)?;
                result
            }
        }
    }

    /// Puts a new table into a slot as PAPR's; destroys it if that fails, or if its bridge no longer is in the mode that the
    /// table was made for. Gives the window's first bus address.
    fn set_papr(&mut self, place: Place, table: TableId, four_gib: Option<bool>) -> Result<u64> {
        self.tables.set_papr(table, place);
        match self.set_in(place, table, false, four_gib) {
            Ok(reach) => Ok(reach.first),
            Err(error) => {
                self.tables.destroy(self.ram, table)?;
                Err(error)
            }
        }
    }

    /// Notes what is in a slot from now on. If a window of PAPR's was there, its table goes; no bridge walks it any more.
    pub(super) fn note(&mut self, place: Place, held: Held) {
        let old = self.papr_table(place);
        self.tables.note_held(place, held);
        let Some(table) = old.filter(|&table| held != Held::Table(table)) else { return };
        // It is set nowhere else and no LIOBN is bound to it.
        let _ = self.tables.destroy(self.ram, table);
        // After the last created window the default one is back.
        if self.papr_table(place).is_none() && self.papr_table(other(place)).is_none() {
            self.tables.set_default_removed(zero(place), false);
        }
    }

    /// The table of PAPR's window in a slot, as noted.
    fn papr_table(&self, place: Place) -> Option<TableId> {
        match self.tables.held(place) {
            Held::Table(table) if self.tables.papr(table) == Some(place) => Some(table),
            _ => None,
        }
    }

    /// Whether PAPR's window in that slot, if there is one, is the default window.
    fn may_be_default(&self, place: Place) -> bool {
        place.slot.index() == WindowIndex::Zero && !self.tables.default_removed(place)
    }

    /// The slot of a LIOBN of PAPR's.
    fn place_of(&self, liobn: u64) -> Result<Place> {
        if liobn >> 31 != 1 {
            return Err(Error::Parameter(why("LIOBN")));
        }
        let slot = liobn & 0xffff;
        self.place(liobn >> BRIDGE_SHIFT & 0x7fff, slot >> 1, slot & 1)
    }

    /// How many windows a PE can still have, and the next one's slot.
    fn free_windows(&mut self, pe: Place) -> Result<(u32, Option<Place>)> {
        let one = other(pe);
        let high = self.query(one)?.meaning == Meaning::Closed;
        let low = self.query(pe)?.meaning == Meaning::Closed && self.tables.default_removed(pe);
        let next = if high { Some(one) } else { Some(pe).filter(|_| low) };
        Ok((u32::from(high).wrapping_add(low.into()), next))
    }

    /// Drops windows that were ended behind our back, so that their memory is free.
    fn drop_orphans(&mut self) {
        let mut at = 0;
        while let Some((place, next)) = self.tables.next_papr(at) {
            at = next;
            // Looking is enough.
            let _ = self.query(place);
        }
    }
}
