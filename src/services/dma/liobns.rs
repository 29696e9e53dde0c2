//! LIOBNs: numbers by which tables are named in PAPR's calls.

use super::Acts;
use super::change::Span;
use crate::error::{Error, Result, why};
use crate::iommu::liobn::Binding;
use crate::iommu::registry::Handle;
use crate::services::dma::ddw::OWN;

impl Acts<'_> {
    /// Lets a LIOBN name a table, whose first entry is at bus address `base`.
    ///
    /// # Errors
    /// `Parameter` when the number is firmware's own, there is no such table or the base isn't that of a page or too high;
    /// `WrongState` when it is bound; `Resource` when too many are.
    pub fn bind(&mut self, liobn: u64, handle: Handle, base: u64) -> Result {
        if liobn >= OWN {
            return Err(Error::Parameter(why("LIOBN")));
        }
        let table = self.tables.find(handle)?;
        let fits = self.tables.get(table).is_some_and(|table| {
            let size = table.pages() << table.geometry().page_shift();
            // The window isn't empty; it may reach the last address.
            base.is_multiple_of(table.page_bytes()) && base.checked_add(size.wrapping_sub(1)).is_some()
        });
        if !fits {
            return Err(Error::Parameter(why("base")));
        }
        self.tables.liobns.bind(Binding { liobn: liobn as u32, table, base })?;
        self.tables.count_liobn(table, true);
        Ok(())
    }

    /// Takes a LIOBN away.
    ///
    /// # Errors
    /// `Parameter` when it isn't bound or is firmware's own.
    pub fn unbind(&mut self, liobn: u64) -> Result {
        let bound =
            Some(liobn).filter(|&liobn| liobn < OWN).and_then(|liobn| self.tables.liobns.unbind(liobn));
        let binding = bound.ok_or(Error::Parameter(why("LIOBN")))?;
        self.tables.count_liobn(binding.table, false);
        Ok(())
    }

    /// The entries from bus address `ioba` on, which is rounded down to a page. Nothing when there is no table and
    /// nothing shall be mapped: they are 0.
    ///
    /// # Errors
    /// `Parameter` when the LIOBN isn't bound or the entries aren't in its window; for PAPR's windows as
    /// `Acts::papr_span`.
    pub fn liobn_span(&mut self, liobn: u64, ioba: u64, count: u64, maps: bool) -> Result<Option<Span>> {
        if liobn >= OWN {
            return self.papr_span(liobn, ioba, count, maps);
        }
        let binding = self.tables.liobns.find(liobn).ok_or(Error::Parameter(why("LIOBN")))?;
        let page = self.tables.get(binding.table).map_or(1, |table| table.page_bytes());
        let offset = ioba.checked_sub(binding.base).ok_or(Error::Parameter(why("bus address")))?;
        self.span(binding.table, offset & page.wrapping_neg(), count).map(Some)
    }

    /// The first entry of a span, or of nothing.
    pub fn entry(&self, span: Option<Span>) -> u64 {
        span.and_then(|span| Some(self.tables.get(span.table)?.get(self.ram, span.first))).unwrap_or(0)
    }
}
