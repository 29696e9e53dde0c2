//! The lines of the text.

use super::owner::{self, Owner};
use super::text::Text;
use crate::iommu::pool::{PAGE_SHIFT, Use};
use crate::iommu::registry::{Place, Registry};
use crate::iommu::tve::{Meaning, Tve};
use crate::phb::Phb;
use crate::phb::bridge::Health;
use crate::phb::dma::PhbOption;
use crate::services::dma::slots::reach;

/// Which text this is.
pub fn head(text: &mut Text<'_>, update: u64) {
    text.count("opalite-dma-windows 1 update ", update);
    text.end_line();
}

/// That it ends.
pub fn end(text: &mut Text<'_>, update: u64) {
    text.count("end ", update);
    text.end_line();
}

/// Memory for tables, in bytes.
pub fn pool(text: &mut Text<'_>, pages: Use) {
    text.count("pool total ", pages.total << PAGE_SHIFT);
    text.count(" free ", pages.free << PAGE_SHIFT);
    text.count(" donated ", pages.donated << PAGE_SHIFT);
    text.count(" extents ", pages.extents);
    text.end_line();
}

/// A bridge and its open windows.
pub fn bridge(text: &mut Text<'_>, tables: &Registry, bridge: &dyn Phb) {
    let info = bridge.info();
    let four_gib = bridge.option(PhbOption::Tve1At4GiB).unwrap_or(false);
    let id = info.identity.opal_id;
    text.count("phb ", id);
    text.count(" chip ", info.identity.chip.0.into());
    text.add(if four_gib { " mode 4gib" } else { " mode bit59" });
    text.count(" pes ", info.limits.count().into());
    let faults = owner::faults(bridge);
    text.count(" faults ", faults.seen);
    text.count(" lost ", faults.lost);
    text.add(" state ");
    text.add(match bridge.health() {
        Health::Working => "working",
        Health::Blocked => "blocked",
        Health::Resetting => "reset",
        Health::Broken => "broken",
    });
    text.end_line();
    let mut from = 0;
    while let Some((slot, tve)) = bridge.next_window(from) {
        window(text, tables, Place { phb: id as u16, slot }, four_gib, tve);
        from = slot.tve_index().wrapping_add(1);
    }
}

fn window(text: &mut Text<'_>, tables: &Registry, place: Place, four_gib: bool, tve: Tve) {
    let owner = owner::of(tables, place, tve);
    let (start, end) = match (tve.meaning(), owner) {
        (Meaning::NoTranslate { start, end }, _) => (start, end),
        (_, Owner::Table { size, .. }) => (0, size),
        (Meaning::Translated { geometry, .. }, _) => (0, 1 << geometry.width()),
        (Meaning::Closed, _) => return,
    };
    // One of which nothing can be reached isn't open to anybody.
    let Ok(reach) = reach(place, four_gib, start, end) else { return };
    let slot = place.slot;
    text.count("window phb ", place.phb.into());
    text.count(" pe ", slot.pe().as_u16().into());
    text.count(" index ", slot.tve_index() as u64 & 1);
    text.hex(" range ", reach.first);
    text.hex("-", reach.last);
    if let Meaning::Translated { geometry, table } = tve.meaning() {
        text.hex(" page ", 1 << geometry.page_shift());
        text.count(" levels ", geometry.levels().into());
        text.hex(" level-bytes ", 1 << geometry.level_shift());
        text.hex(" table ", table);
    } else {
        text.add(" bypass");
    }
    text.add(if matches!(owner, Owner::Os) { " owner os" } else { " owner firmware" });
    if let Owner::Table { handle, shared, .. } = owner {
        text.hex(" handle ", handle);
        text.count(" shared ", shared.into());
    }
    text.end_line();
}
