//! What the text says of tables that firmware owns and of faults. There are none yet, so every window is the OS's.

use crate::iommu::Slot;
use crate::iommu::tve::Tve;
use crate::phb::Phb;

/// A table of firmware's.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    /// What its client calls it.
    pub handle: u64,
    /// Slots that have it.
    pub shared: u32,
}

/// Memory for tables, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pool {
    /// All of it.
    pub total: u64,
    /// What no table has.
    pub free: u64,
    /// What the OS donated.
    pub donated: u64,
    /// Its pieces.
    pub extents: u64,
}

/// DMA faults of a bridge.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// So many were recorded.
    pub seen: u64,
    /// So many found the queue full.
    pub lost: u64,
}

/// What was last known of the tables.
#[derive(Debug, Default)]
pub struct Seen {}

impl Seen {
    /// Whether there is something new.
    pub fn take_changed(&mut self) -> bool {
        false
    }

    /// Memory for tables.
    pub fn pool(&self) -> Pool {
        Pool::default()
    }
}

/// Whose window that is; none if it is the OS's.
pub fn of(_phb: u64, _slot: Slot, _tve: Tve) -> Option<Owner> {
    None
}

/// A bridge's faults.
pub fn faults(_bridge: &dyn Phb) -> Faults {
    Faults::default()
}
