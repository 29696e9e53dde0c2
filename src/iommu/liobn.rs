//! LIOBNs: numbers that name tables, as PAPR's TCE calls use them. A table may have several.

use super::registry::TableId;
use crate::error::{Error, Result, why};
use alloc::vec::Vec;

/// LIOBNs that can be bound at once.
pub const LIOBNS: usize = 2048;

/// What a LIOBN means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The number.
    pub liobn: u32,
    /// Its table.
    pub table: TableId,
    /// The bus address of the table's first entry.
    pub base: u64,
}

/// All bindings, by number. They never outgrow what was reserved at boot.
#[derive(Debug)]
pub struct Liobns(Vec<Binding>);

impl Liobns {
    /// None.
    pub fn new() -> Self {
        Self(Vec::with_capacity(LIOBNS))
    }

    /// What a LIOBN means.
    pub fn find(&self, liobn: u64) -> Option<Binding> {
        let liobn = u32::try_from(liobn).ok()?;
        self.place(liobn).ok().and_then(|at| self.0.get(at)).copied()
    }

    /// Binds one.
    ///
    /// # Errors
    /// `WrongState` when it is bound already, `Resource` when there are too many.
    pub fn bind(&mut self, binding: Binding) -> Result {
        match self.place(binding.liobn) {
            Ok(_) => Err(Error::WrongState(why("the LIOBN is bound"))),
            Err(_) if self.0.len() >= LIOBNS => Err(Error::Resource(why("LIOBNs"))),
            Err(at) => {
                self.0.insert(at, binding);
                Ok(())
            }
        }
    }

    /// Takes one away; tells what it was.
    pub fn unbind(&mut self, liobn: u64) -> Option<Binding> {
        let at = self.place(u32::try_from(liobn).ok()?).ok()?;
        Some(self.0.remove(at))
    }

    fn place(&self, liobn: u32) -> core::result::Result<usize, usize> {
        self.0.binary_search_by_key(&liobn, |binding| binding.liobn)
    }
}

impl Default for Liobns {
    fn default() -> Self {
        Self::new()
    }
}
