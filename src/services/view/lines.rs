//! The lines of the text.

use super::owner::{self, Pool};
use super::text::Text;
use crate::iommu::tve::{Meaning, Tve};
use crate::iommu::{FOUR_GIB, Slot, WindowIndex};
use crate::phb::Phb;
use crate::phb::dma::PhbOption;
use crate::phb::phb4::Health;

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
pub fn pool(text: &mut Text<'_>, pool: Pool) {
    text.count("pool total ", pool.total);
    text.count(" free ", pool.free);
    text.count(" donated ", pool.donated);
    text.count(" extents ", pool.extents);
    text.end_line();
}

/// A bridge and its open windows.
pub fn bridge(text: &mut Text<'_>, bridge: &dyn Phb) {
    let info = bridge.info();
    let four_gib = bridge.option(PhbOption::Tve1At4GiB);
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
        window(text, id, four_gib, slot, tve);
        from = slot.tve_index().wrapping_add(1);
    }
}

fn window(text: &mut Text<'_>, phb: u64, four_gib: bool, slot: Slot, tve: Tve) {
    let Some((first, last)) = reach(slot.index(), four_gib, tve) else { return };
    text.count("window phb ", phb);
    text.count(" pe ", slot.pe().as_u16().into());
    text.count(" index ", slot.tve_index() as u64 & 1);
    text.hex(" range ", first);
    text.hex("-", last);
    if let Meaning::Translated { geometry, table } = tve.meaning() {
        text.hex(" page ", 1 << geometry.page_shift());
        text.count(" levels ", geometry.levels().into());
        text.hex(" level-bytes ", 1 << geometry.level_shift());
        text.hex(" table ", table);
    } else {
        text.add(" bypass");
    }
    match owner::of(phb, slot, tve) {
        None => text.add(" owner os"),
        Some(owner) => {
            text.hex(" owner firmware handle ", owner.handle);
            text.count(" shared ", owner.shared.into());
        }
    }
    text.end_line();
}

/// The first and the last bus address that reach a window.
fn reach(index: WindowIndex, four_gib: bool, tve: Tve) -> Option<(u64, u64)> {
    let (start, end) = match tve.meaning() {
        Meaning::Closed => return None,
        Meaning::NoTranslate { start, end } => (start, end),
        Meaning::Translated { geometry, .. } => (0, 1_u64 << geometry.width()),
    };
    let (selector, start, end) = match (index, four_gib) {
        (WindowIndex::Zero, false) => (0, start, end),
        (WindowIndex::One, false) => (1 << 59, start, end),
        (WindowIndex::Zero, true) => (0, start, end.min(FOUR_GIB)),
        (WindowIndex::One, true) => (0, start.max(FOUR_GIB), end),
    };
    (start < end).then(|| (selector | start, selector | end.wrapping_sub(1)))
}
