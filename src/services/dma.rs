//! Windows whose tables firmware owns: the acts that concern tables and bridges together.
//!
//! One lock for all tables, taken before any bridge's, and never two bridges at once: a change of a shared table visits
//! its bridges one after another. The calls of the OS on its own windows don't come here.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod bypass;
pub mod change;
pub mod ddw;
pub mod liobns;
pub mod slots;

use crate::arch;
use crate::error::{Error, Result, why};
use crate::hw::ram::Ram;
use crate::iommu::geometry::Geometry;
use crate::iommu::pool::Pool;
use crate::iommu::registry::{Handle, Place, Registry, TableId};
use crate::mem::MemoryMap;
use crate::phb::{self, PhbSlot};
use crate::sync::{Guard, Lock};
use core::ops::Range;

/// All tables, behind their lock.
#[derive(Debug)]
pub struct Dma(Lock<Registry>);

impl Default for Dma {
    /// For a machine without bridges: no table can be made.
    fn default() -> Self {
        Self(Lock::new(Registry::new(Pool::default(), core::iter::empty())))
    }
}

impl Dma {
    /// No tables yet. They are made in `pool`, a piece of firmware's region.
    pub fn new(ram: &dyn Ram, pool: Range<u64>, bridges: &[PhbSlot]) -> Self {
        let slots = bridges
            .iter()
            .map(|bridge| bridge.bridge().map_or(0, |bridge| 2 * usize::from(bridge.limits.count())));
        Self(Lock::new(Registry::new(Pool::new(ram, pool), slots)))
    }

    /// Locks them for acts on these bridges.
    pub fn lock<'a>(
        &'a self,
        ram: &'a arch::Memory,
        memory: &'a MemoryMap,
        bridges: &'a [PhbSlot],
    ) -> Acts<'a> {
        Acts { tables: self.0.lock(), ram, memory, bridges, fresh: None }
    }

    /// The tables alone, to look at, if nobody else has them.
    pub fn try_look(&self) -> Option<Guard<'_, Registry>> {
        self.0.try_lock()
    }
}

/// The tables, locked, with what acts need besides.
pub struct Acts<'a> {
    /// The tables.
    pub tables: Guard<'a, Registry>,
    ram: &'a arch::Memory,
    memory: &'a MemoryMap,
    bridges: &'a [PhbSlot],
    /// The table of a default window that this call makes, not yet set.
    fresh: Option<(Place, TableId)>,
}

/// What a new table is like.
#[derive(Clone, Copy, Debug)]
pub struct NewTable {
    /// log2 of the IO page.
    pub page_shift: u64,
    /// Bytes of the window.
    pub window_size: u64,
    /// Levels; 0 lets firmware choose.
    pub levels: u64,
    /// With all its levels from the start.
    pub whole: bool,
}

impl Acts<'_> {
    /// Makes an empty table.
    ///
    /// # Errors
    /// `Parameter` for a page size that no bridge translates, a size that is 0, isn't in whole pages or is more than a
    /// bus reaches, and for levels that can't do it; `Resource` when there are too many tables; `NoMem` when the pool
    /// has no room.
    pub fn create(&mut self, new: NewTable) -> Result<TableId> {
        let page = u32::try_from(new.page_shift).ok().and_then(|shift| 1_u64.checked_shl(shift));
        let page = page.ok_or(Error::Parameter(why("IO page size")))?;
        let mut bridges = phb::all(self.bridges).map(|bridge| bridge.translation);
        let translation = bridges.find(|translation| translation.page_sizes & page != 0);
        let translation = translation.ok_or(Error::Parameter(why("IO page size")))?;
        if !new.window_size.is_multiple_of(page) {
            return Err(Error::Parameter(why("window isn't in whole pages")));
        }
        let pages = new.window_size / page;
        let geometry = Geometry::for_pages(translation, new.page_shift, pages, new.levels)?;
        self.tables.create(self.ram, geometry, pages, new.whole.then_some(0))
    }

    /// Destroys a table.
    ///
    /// # Errors
    /// `Parameter` when there is none, `WrongState` while it is set in a window or has a LIOBN.
    pub fn destroy(&mut self, handle: Handle) -> Result {
        let id = self.tables.find(handle)?;
        self.drop_stale(id);
        self.tables.destroy(self.ram, id)
    }

    /// Memory of the OS for tables.
    ///
    /// # Errors
    /// `Parameter` when it isn't RAM that the OS owns or begins at address 0, and as [`Pool::donate`].
    pub fn donate(&mut self, start: u64, size: u64) -> Result {
        if start == 0 || !self.memory.is_os_ram(start, size) {
            return Err(Error::Parameter(why("donation isn't RAM of the OS")));
        }
        self.tables.pool.donate(self.ram, start, size)
    }

    /// Whether a device may be let at these bytes: RAM of the OS that isn't the pool's.
    fn may_map(&self, address: u64, length: u64) -> bool {
        self.memory.is_os_ram(address, length) && !self.tables.pool.overlaps(address, length)
    }
}
