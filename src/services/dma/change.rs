//! Changes of entries: each is whole, and one invalidation for each slot reaches every bridge that walks the table.

use super::Acts;
use super::ddw::DEFAULT_PAGE_SHIFT;
use crate::error::{Error, Result, why};
use crate::hw::fault::{Fault, Outcome};
use crate::iommu::Kill;
use crate::iommu::registry::{Place, TableId};
use crate::iommu::tce::{ACCESS, MOST_PAGES};
use crate::iommu::tve::Tve;
use crate::mem::OsBuffer;
use crate::phb;

/// Entries that one list has at most.
pub const MOST_LISTED: usize = 512;

/// A list that the OS passed, copied: what is checked is what is used.
pub struct List {
    words: [u64; MOST_LISTED],
    length: usize,
}

impl List {
    /// Copies `length` words, at most [`MOST_LISTED`].
    pub fn copy(ram: &crate::arch::Memory, from: OsBuffer) -> Self {
        use crate::mem::OsNumber;
        let mut list = Self { words: [0; MOST_LISTED], length: 0 };
        list.length = (from.length / 8).min(MOST_LISTED as u64) as usize;
        for (word, at) in list.words().iter_mut().zip((from.address..).step_by(8)) {
            *word = u64::load(ram, at);
        }
        list
    }

    fn words(&mut self) -> &mut [u64] {
        self.words.get_mut(..self.length).unwrap_or(&mut [])
    }
}

/// Entries of a table.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The table.
    pub table: TableId,
    /// The first entry.
    pub first: u64,
    /// How many.
    pub count: u64,
}

impl Acts<'_> {
    /// The entries that `pages` IO pages from byte `offset` of a table's window on are.
    ///
    /// # Errors
    /// `Parameter` when the offset isn't that of a page, when there are no pages or more than one act may change, or
    /// when they aren't in the window.
    pub fn span(&self, table: TableId, offset: u64, pages: u64) -> Result<Span> {
        let entry = self.tables.get(table).ok_or(Error::Internal(why("table")))?;
        let shift = entry.geometry().page_shift();
        if !offset.is_multiple_of(entry.page_bytes()) {
            return Err(Error::Parameter(why("offset isn't that of an IO page")));
        }
        if pages == 0 || pages > MOST_PAGES as u64 {
            return Err(Error::Parameter(why("number of pages")));
        }
        let first = offset >> shift;
        if !entry.has(first, pages) {
            return Err(Error::Parameter(why("pages aren't in the window")));
        }
        Ok(Span { table, first, count: pages })
    }

    /// Maps consecutive memory.
    ///
    /// # Errors
    /// `Parameter` when `memory` isn't aligned to the IO page or not wholly RAM that a device may be let at, `NoMem`
    /// when the pool has no room for a level, `Hardware` when a bridge doesn't drop what it remembers. Nothing has
    /// changed then.
    pub fn map_run(&mut self, span: Span, memory: u64, access: u64) -> Result {
        let page = self.page_bytes(Some(span))?;
        let length = page.checked_mul(span.count).ok_or(Error::Parameter(why("memory")))?;
        if !memory.is_multiple_of(page) || !self.may_map(memory, length) {
            return Err(Error::Parameter(why("memory")));
        }
        self.change_run(span, true, memory | access, page)
    }

    /// Maps segments of memory one after another: pairs of real address and IO pages, which add up to the span.
    ///
    /// # Errors
    /// As [`Self::map_run`]; also when a segment is empty or they add up to something else.
    pub fn map_segments(&mut self, span: Span, list: &mut List, access: u64) -> Result {
        let page = self.page_bytes(Some(span))?;
        let words = list.words();
        let mut pages = 0_u64;
        for pair in words.chunks_exact(2) {
            let &[address, count] = pair else { continue };
            let length = page.checked_mul(count).filter(|&length| length != 0);
            let fits =
                length.is_some_and(|length| address.is_multiple_of(page) && self.may_map(address, length));
            if !fits {
                return Err(Error::Parameter(why("segment")));
            }
            // Each is RAM, and there are few: they don't add up beyond 64 bits.
            pages = pages.saturating_add(count);
        }
        if pages != span.count {
            return Err(Error::Parameter(why("segments don't add up")));
        }
        let mut segments = words.chunks_exact(2);
        let (mut value, mut left) = (0, 0);
        self.change(span, true, &mut || {
            if left == 0
                && let Some(&[address, count]) = segments.next()
            {
                (value, left) = (address | access, count);
            }
            let now = value;
            value = value.wrapping_add(page);
            left = left.wrapping_sub(1);
            now
        })
    }

    /// Whether TCEs for IO pages of so many bytes map anything; those that don't become 0.
    ///
    /// # Errors
    /// As [`Self::check_tce`], of the first that is bad.
    pub fn check_list(&self, list: &mut List, page: u64) -> Result<bool> {
        let mut maps = false;
        for tce in list.words() {
            self.check_tce(*tce, page)?;
            if *tce & ACCESS == 0 {
                *tce = 0;
            }
            maps |= *tce != 0;
        }
        Ok(maps)
    }

    /// Stores TCEs that were checked. `maps`: they map something.
    ///
    /// # Errors
    /// As [`Self::map_run`], but for the memory.
    pub fn map_list(&mut self, span: Span, list: &mut List, maps: bool) -> Result {
        let mut values = list.words().iter();
        self.change(span, maps, &mut || values.next().copied().unwrap_or(0))
    }

    /// Stores one TCE, which was checked, into each entry.
    ///
    /// # Errors
    /// As [`Self::map_list`].
    pub fn fill(&mut self, span: Span, tce: u64) -> Result {
        let mapped = tce & ACCESS != 0;
        self.change_run(span, mapped, if mapped { tce } else { 0 }, 0)
    }

    /// Takes out what is mapped. Makes no level.
    ///
    /// # Errors
    /// `Hardware` when a bridge doesn't drop what it remembers; nothing has changed then.
    pub fn unmap(&mut self, span: Span) -> Result {
        self.change_run(span, false, 0, 0)
    }

    /// What the entries of the last act were.
    pub fn previous(&self, count: u64) -> &[u64] {
        self.tables.previous.get(..count as usize).unwrap_or(&[])
    }

    /// A TCE without a permission maps nothing, whatever its address. Bits below the page that aren't permissions have no
    /// meaning yet.
    ///
    /// # Errors
    /// `Parameter` when it has such a bit, or maps what isn't aligned to the IO page or no RAM that a device may be let at.
    pub fn check_tce(&self, tce: u64, page: u64) -> Result {
        let address = tce & !ACCESS;
        if tce & ACCESS == 0 {
            return if tce & 0xffc == 0 { Ok(()) } else { Err(Error::Parameter(why("TCE"))) };
        }
        if !address.is_multiple_of(page) || !self.may_map(address, page) {
            return Err(Error::Parameter(why("TCE")));
        }
        Ok(())
    }

    /// Bytes of a span's IO pages. Where no table is yet they are those of the default window.
    ///
    /// # Errors
    /// None that a span can have.
    pub fn page_bytes(&self, span: Option<Span>) -> Result<u64> {
        let Some(span) = span else { return Ok(1 << DEFAULT_PAGE_SHIFT) };
        self.tables.get(span.table).map(|table| table.page_bytes()).ok_or(Error::Internal(why("table")))
    }

    /// Stores `value` into the first entry and `step` more into each further one. `grow`: levels that aren't there are
    /// made first.
    pub(super) fn change_run(&mut self, span: Span, grow: bool, mut value: u64, step: u64) -> Result {
        self.change_each(span, grow, || {
            let now = value;
            value = value.wrapping_add(step);
            now
        })
    }

    /// Stores what `next` gives into one entry after another. `grow`: as for runs.
    fn change(&mut self, span: Span, grow: bool, next: &mut dyn FnMut() -> u64) -> Result {
        self.change_each(span, grow, next)
    }

    #[inline(always)]
    fn change_each(&mut self, span: Span, grow: bool, next: impl FnMut() -> u64) -> Result {
        let ram = self.ram;
        let (table, pool, previous) = self.tables.parts(span.table).ok_or(Error::Internal(why("table")))?;
        if grow {
            table.prepare(pool, ram, span.first..span.first.wrapping_add(span.count))?;
        }
        let previous =
            previous.get_mut(..span.count as usize).ok_or(Error::Internal(why("too many pages")))?;
        table.exchange(ram, span.first, previous, next);
        self.settle(span)
    }

    /// Makes a change certain, or takes it back.
    fn settle(&mut self, span: Span) -> Result {
        let result = self.invalidate(span.table);
        if result.is_err()
            && let Some((table, _, previous)) = self.tables.parts(span.table)
        {
            let previous = previous.get_mut(..span.count as usize).unwrap_or(&mut []);
            table.restore(self.ram, span.first, previous);
            // What a bridge saw meanwhile it shall forget too, as far as it still does.
            let _ = self.invalidate(span.table);
        }
        result
    }

    /// Has every bridge drop what it remembers of a table.
    fn invalidate(&mut self, id: TableId) -> Result {
        let Some(table) = self.tables.get(id) else { return Ok(()) };
        let tve = Tve::translated(table.table());
        let mut next = self.tables.first_slot(id);
        while let Some(place) = next {
            if let Err(fault) = self.forget(place, tve) {
                return Err(self.invalidate_rest(place, tve, fault));
            }
            next = self.tables.next_slot(place);
        }
        Ok(())
    }

    /// The slots after one whose bridge didn't finish. Such a bridge isn't waited for again: each wait is long, and there
    /// may be many slots. (Bridges whose numbers are 64 and more, which are on the fourth chip of POWER10, are.)
    #[cold]
    fn invalidate_rest(&self, mut place: Place, tve: Tve, mut fault: Fault) -> Error {
        let bit = |place: Place| 1_u64.checked_shl(place.phb.into()).unwrap_or(0);
        let mut silent = bit(place);
        while let Some(next) = self.tables.next_slot(place) {
            place = next;
            if silent & bit(place) == 0
                && let Err(other) = self.forget(place, tve)
            {
                silent |= bit(place);
                fault = other;
            }
        }
        fault.into()
    }

    /// Has a slot's bridge drop what it remembers of the PE, if the table still is there. A bridge that is fenced, in reset
    /// or broken walks nothing, and remembers nothing when it is back.
    fn forget(&self, place: Place, tve: Tve) -> Outcome {
        let Ok(bridge) = phb::find(self.bridges, place.phb.into()) else { return Ok(()) };
        let mut bridge = bridge.lock();
        if bridge.window(place.slot) != tve {
            return Ok(());
        }
        match bridge.kill(Kill::Pe(place.slot.pe())) {
            Err(Fault::Fenced | Fault::InReset | Fault::Broken) => Ok(()),
            result => result,
        }
    }
}
