//! Slots: tables put into windows of PEs and taken out.

use super::Acts;
use crate::error::{Error, Result, why};
use crate::iommu::registry::{Held, Place, TableId};
use crate::iommu::tve::{Meaning, Tve};
use crate::iommu::{BIT_59, FOUR_GIB, Slot, WindowIndex};
use crate::phb::dma::PhbOption;
use crate::phb::{self, Locked, Phb};

/// Where a window is on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The bus address of the table's first entry, or of real address 0. It may be out of reach.
    pub origin: u64,
    /// The first bus address that can be reached.
    pub first: u64,
    /// The last one.
    pub last: u64,
}

/// What is in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// What the bridge holds.
    pub tve: Tve,
    /// What that is.
    pub meaning: Meaning,
    /// What firmware has put there, if it still is.
    pub held: Held,
    /// Where it is on the bus.
    pub reach: Reach,
}

impl Acts<'_> {
    /// A slot by the numbers that a client gives.
    ///
    /// # Errors
    /// `Parameter` when there is no such bridge or PE, when it is the reserved PE, or when the window isn't 0 or 1.
    pub fn place(&self, phb: u64, pe: u64, window: u64) -> Result<Place> {
        let bridge = phb::find(self.bridges, phb)?;
        if window > 1 {
            return Err(Error::Parameter(why("window")));
        }
        let number = pe.checked_mul(2).map(|first| first | window).ok_or(Error::Parameter(why("PE")))?;
        Ok(Place { phb: phb as u16, slot: Slot::new(bridge.limits, pe, number)? })
    }

    /// The bridge of a slot.
    pub(super) fn bridge(&self, place: Place) -> Result<&Locked> {
        phb::find(self.bridges, place.phb.into())
    }

    /// Puts a table into a slot.
    ///
    /// # Errors
    /// `Parameter` when the bridge doesn't translate the table's pages or nothing of the table can be reached there,
    /// `WrongState` when the slot is open and shall not be replaced, `Hardware` when the bridge doesn't answer.
    pub fn set(&mut self, place: Place, id: TableId, replace: bool) -> Result<Reach> {
        self.set_in(place, id, replace, None)
    }

    /// The same, if the bridge is in the mode for which the table was made; else `WrongState`.
    pub(super) fn set_in(
        &mut self,
        place: Place,
        id: TableId,
        replace: bool,
        wanted: Option<bool>,
    ) -> Result<Reach> {
        let table = self.tables.get(id).ok_or(Error::Internal(why("table")))?;
        let (tve, page, end) = (
            Tve::translated(table.table()),
            table.page_bytes(),
            table.pages() << table.geometry().page_shift(),
        );
        let bridge = self.bridge(place)?;
        if bridge.translation.page_sizes & page == 0 {
            return Err(Error::Parameter(why("the bridge has no such IO page")));
        }
        let reach = {
            let mut bridge = bridge.lock();
            let four_gib = four_gib(&**bridge);
            if wanted.is_some_and(|wanted| wanted != four_gib) {
                return Err(Error::WrongState(why("the bridge is in its other mode")));
            }
            let reach = reach(place, four_gib, 0, end)?;
            if bridge.window(place.slot).is_open() && !replace {
                return Err(Error::WrongState(why("the window is open")));
            }
            bridge.set_table(place.slot, tve)?;
            reach
        };
        self.note(place, Held::Table(id));
        // It may have been the last place of the bypass's table.
        self.drop_offset_table();
        Ok(reach)
    }

    /// Takes out what firmware has put into a slot.
    ///
    /// # Errors
    /// `Empty` when the slot is closed, `WrongState` when the window is the OS's own, `Hardware` when the bridge
    /// doesn't answer.
    pub fn unset(&mut self, place: Place) -> Result {
        let found = self.query(place)?;
        if found.meaning == Meaning::Closed {
            return Err(Error::Empty);
        }
        if found.held == Held::Nothing {
            return Err(Error::WrongState(why("the window is the OS's own")));
        }
        if !self.close(place, found.tve)? {
            return Err(Error::WrongState(why("the window is the OS's own")));
        }
        self.note(place, Held::Nothing);
        self.drop_offset_table();
        Ok(())
    }

    /// Closes a slot that still holds `tve`. False when the OS has put something else there meanwhile.
    ///
    /// # Errors
    /// `Hardware` when the bridge doesn't answer.
    pub(super) fn close(&self, place: Place, tve: Tve) -> Result<bool> {
        let mut bridge = self.bridge(place)?.lock();
        if bridge.window(place.slot) != tve {
            return Ok(false);
        }
        bridge.unset_window(place.slot)?;
        Ok(true)
    }

    /// What is in a slot. A note that no longer holds is dropped.
    ///
    /// # Errors
    /// `Parameter` when there is no such bridge.
    pub fn query(&mut self, place: Place) -> Result<Found> {
        let (tve, four_gib) = {
            let bridge = self.bridge(place)?.lock();
            (bridge.window(place.slot), four_gib(&**bridge))
        };
        let meaning = tve.meaning();
        let held = self.tables.held_in(place, tve);
        if held != self.tables.held(place) {
            self.note(place, held);
        }
        let (start, end) = match (meaning, held) {
            (Meaning::Closed, _) => (0, 0),
            (Meaning::NoTranslate { start, end }, _) => (start, end),
            (Meaning::Translated { .. }, Held::Table(id)) => {
                (0, self.tables.get(id).map_or(0, |table| table.pages() << table.geometry().page_shift()))
            }
            (Meaning::Translated { geometry, .. }, _) => (0, 1 << geometry.width()),
        };
        // What can't be reached in this mode is empty.
        let reach = reach(place, four_gib, start, end).unwrap_or(Reach { origin: 0, first: 0, last: 0 });
        Ok(Found { tve, meaning, held, reach })
    }

    /// In how many slots a table is.
    pub fn sharers(&mut self, id: TableId) -> u32 {
        self.drop_stale(id);
        self.tables.slots(id)
    }

    /// Drops the notes of slots in which a table no longer is.
    pub(super) fn drop_stale(&mut self, id: TableId) {
        let mut next = self.tables.first_slot(id);
        while let Some(place) = next {
            next = self.tables.next_slot(place);
            // Looking is enough.
            let _ = self.query(place);
        }
    }
}

/// Whether windows 1 of a bridge begin at 4 GiB.
pub(super) fn four_gib(bridge: &dyn Phb) -> bool {
    bridge.option(PhbOption::Tve1At4GiB).unwrap_or(false)
}

/// Where bytes from `start` to `end` of a table or of memory are on the bus.
///
/// # Errors
/// `Parameter` when none of them can be reached.
pub fn reach(place: Place, four_gib: bool, start: u64, end: u64) -> Result<Reach> {
    let (origin, low, high) = match (place.slot.index(), four_gib) {
        (WindowIndex::Zero, false) => (0, start, end),
        (WindowIndex::Zero, true) => (0, start, end.min(FOUR_GIB)),
        (WindowIndex::One, false) => (BIT_59, start, end),
        (WindowIndex::One, true) => (0, start.max(FOUR_GIB), end),
    };
    if low >= high {
        return Err(Error::Parameter(why("nothing of it can be reached in that window")));
    }
    Ok(Reach { origin, first: origin | low, last: origin | high.wrapping_sub(1) })
}
