//! Bypass windows: all RAM of the OS, with firmware's cut out.
//!
//! In the usual mode a bridge passes addresses on unchanged from bit 59 on. In the 4 GiB mode it can't, because the
//! first 4 GiB of memory would be out of reach: there one table, shared by all PEs that ask, maps memory at 4 GiB plus its
//! address.

use super::slots::{Reach, four_gib, reach};
use super::{Acts, NewTable};
use crate::error::{Error, Result, why};
use crate::iommu::bypass::Bypass;
use crate::iommu::registry::{Held, Place, TableId};
use crate::iommu::tce::{ACCESS, MOST_PAGES};
use crate::iommu::tve::Tve;
use crate::iommu::{BIT_59, FOUR_GIB, WindowIndex};
use crate::phb::Phb;

/// How a device's address becomes a real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Bit 59 off: for the usual mode of a bridge.
    Identity,
    /// Less 4 GiB: for its 4 GiB mode.
    Offset,
}

impl Acts<'_> {
    /// Lets a PE reach all RAM of the OS by window 1.
    ///
    /// # Errors
    /// `Parameter` for window 0, `WrongState` when the bridge is in the other mode or when the window is open and shall
    /// not be replaced, `Resource` or `NoMem` when there is no room for the table, `Hardware` when the bridge doesn't
    /// answer.
    pub fn set_bypass(&mut self, place: Place, mode: Mode, replace: bool) -> Result<Reach> {
        if place.slot.index() != WindowIndex::One {
            return Err(Error::Parameter(why("a bypass is window 1")));
        }
        let may = |bridge: &dyn Phb| {
            if four_gib(bridge) != (mode == Mode::Offset) {
                return Err(Error::WrongState(why("the bridge is in its other mode")));
            }
            if bridge.window(place.slot).is_open() && !replace {
                return Err(Error::WrongState(why("the window is open")));
            }
            Ok(())
        };
        match mode {
            Mode::Identity => {
                let bridge = self.bridge(place)?;
                let bypass = Bypass::new(BIT_59, self.memory.bypass_end(), self.memory)?;
                let tve = Tve::no_translate(bridge.translation, &bypass);
                {
                    let mut bridge = bridge.lock();
                    may(&**bridge)?;
                    bridge.set_bypass(place.slot, tve, true)?;
                }
                self.tables.bypass = tve;
                self.note(place, Held::Bypass);
                self.drop_offset_table();
                reach(place, false, 0, bypass.end())
            }
            Mode::Offset => {
                // Before the table is made, and again when it is set.
                may(&**self.bridge(place)?.lock())?;
                let id = self.offset_table()?;
                let result = self.set_in(place, id, replace, Some(true));
                self.drop_offset_table();
                // The caller counts from memory, not from the table.
                result.map(|reach| Reach { origin: FOUR_GIB, ..reach })
            }
        }
    }

    /// The table of the 4 GiB mode, made when first asked for.
    fn offset_table(&mut self) -> Result<TableId> {
        if let Some(id) = self.tables.offset_table {
            return Ok(id);
        }
        let edges = self.memory.os_ram().fold(0, |edges, range| edges | range.start | range.end);
        let sizes = crate::phb::all(self.bridges)
            .fold(u64::MAX, |sizes, bridge| sizes & bridge.translation.page_sizes);
        // The largest pages that leave nothing of the OS's RAM out and take in nothing else.
        let fitting = sizes & (edges & edges.wrapping_neg()).wrapping_shl(1).wrapping_sub(1);
        let page_shift =
            u64::from(fitting.checked_ilog2().ok_or(Error::Internal(why("no IO page fits memory")))?);
        let end = self.memory.os_ram().map(|range| range.end).max().unwrap_or(0);
        let window_size = FOUR_GIB.saturating_add(end);
        let id = self.create(NewTable { page_shift, window_size, levels: 0, whole: false })?;
        let result = self.fill_offset_table(id, page_shift);
        if result.is_err() {
            self.tables.destroy(self.ram, id)?;
        }
        result?;
        self.tables.offset_table = Some(id);
        Ok(id)
    }

    fn fill_offset_table(&mut self, id: TableId, page_shift: u64) -> Result {
        let memory = self.memory;
        for range in memory.os_ram() {
            let mut at = range.start;
            while at < range.end {
                let pages = (range.end.wrapping_sub(at) >> page_shift).min(MOST_PAGES as u64);
                let span = self.span(id, at.saturating_add(FOUR_GIB), pages)?;
                // Donated memory too, as in the other mode.
                self.change_run(span, true, at | ACCESS, 1 << page_shift)?;
                at = at.saturating_add(pages << page_shift);
            }
        }
        Ok(())
    }

    /// Destroys that table when no PE has it any more.
    pub(super) fn drop_offset_table(&mut self) {
        if let Some(id) = self.tables.offset_table {
            self.drop_stale(id);
            if self.tables.slots(id) == 0 && self.tables.destroy(self.ram, id).is_ok() {
                self.tables.offset_table = None;
            }
        }
    }
}
