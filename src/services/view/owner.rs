//! What the text says of tables that firmware owns and of faults.

use crate::iommu::pool::Use;
use crate::iommu::registry::{Held, Place, Registry};
use crate::iommu::tve::Tve;
use crate::phb::Phb;

/// Whose a window is.
#[derive(Clone, Copy, Debug)]
pub enum Owner {
    /// The OS put it there by a standard call.
    Os,
    /// Firmware's, without a table.
    Bypass,
    /// A table of firmware's.
    Table {
        /// What its client calls it, or 0.
        handle: u64,
        /// Slots that have it.
        shared: u32,
        /// Bytes of bus addresses that it is for; its shape may reach further.
        size: u64,
    },
}

/// DMA faults of a bridge.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// So many were recorded.
    pub seen: u64,
    /// So many found the queue full, and had to wait for a place.
    pub lost: u64,
}

/// What was last shown of the tables. Whatever else changes there changes a window too.
#[derive(Debug, Default)]
pub struct Seen(Option<Use>);

impl Seen {
    /// Whether there is something new.
    pub fn take_changed(&mut self, tables: &Registry) -> bool {
        let now = Some(tables.pool.usage());
        core::mem::replace(&mut self.0, now) != now
    }
}

/// Whose window that is.
pub fn of(tables: &Registry, place: Place, tve: Tve) -> Owner {
    match tables.held_in(place, tve) {
        Held::Nothing => Owner::Os,
        Held::Bypass => Owner::Bypass,
        Held::Table(id) => Owner::Table {
            handle: tables.handle(id).as_u64(),
            shared: tables.slots(id),
            size: tables.get(id).map_or(0, |table| table.pages() << table.geometry().page_shift()),
        },
    }
}

/// A bridge's faults.
pub fn faults(bridge: &dyn Phb) -> Faults {
    let (seen, lost) = bridge.fault_totals();
    Faults { seen, lost }
}
