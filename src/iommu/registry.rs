//! The tables that firmware owns: their handles, their LIOBNs, and the slots in which each is set.
//!
//! A slot's note may be older than the slot: the OS may put a window of its own over ours with a standard call, and a
//! reset of a bridge's tables closes all. So a note counts only while the slot's TVE still is the table's; whoever acts
//! looks there and drops a note that no longer holds.

use super::Slot;
use super::geometry::Geometry;
use super::liobn::Liobns;
use super::pool::Pool;
use super::tce::{MOST_PAGES, TceTable};
use super::tve::Tve;
use crate::error::{Error, Result, why};
use crate::hw::ram::Ram;
use alloc::vec;
use alloc::vec::Vec;

/// Tables that can exist at once.
pub const TABLES: u16 = 1024;

/// A table that exists, by its place. Only good while the registry stays locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableId(u16);

/// What a client calls a table: never the same again after it was destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(u64);

impl Handle {
    /// From a client's number.
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }
    /// The client's number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// A slot of one of the bridges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The bridge's OPAL id.
    pub phb: u16,
    /// Its slot.
    pub slot: Slot,
}

/// What firmware has put into a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Held {
    /// Nothing: closed, or a window of the OS's own.
    #[default]
    Nothing,
    /// A table.
    Table(TableId),
    /// Memory itself.
    Bypass,
}

/// A note about a slot.
#[derive(Clone, Debug, Default)]
struct Note {
    held: Held,
    /// The next slot with the same table.
    next: Option<Place>,
    /// PAPR's default window was removed from this window 0.
    default_removed: bool,
}

#[derive(Debug, Default)]
struct Entry {
    table: Option<TceTable>,
    /// Counts the tables that were here.
    generation: u32,
    /// A slot in which it is set, and how many there are.
    first: Option<Place>,
    slots: u32,
    /// LIOBNs that name it.
    liobns: u32,
    /// PAPR's window whose table it is. It goes with the window, and no client has a handle.
    papr: Option<Place>,
}

/// The registry.
#[derive(Debug)]
pub struct Registry {
    /// Memory for tables.
    pub pool: Pool,
    /// LIOBNs.
    pub liobns: Liobns,
    /// Old entries of the act under way.
    pub previous: Vec<u64>,
    entries: Vec<Entry>,
    /// Places without a table.
    vacant: Vec<u16>,
    /// By bridge and slot.
    notes: Vec<Vec<Note>>,
    /// The table behind the bypass windows of the 4 GiB mode.
    pub offset_table: Option<TableId>,
    /// What the others hold: the same on all bridges.
    pub bypass: Tve,
}

impl Registry {
    /// An empty registry for bridges with so many slots, by their ids.
    pub fn new(pool: Pool, slots: impl Iterator<Item = usize>) -> Self {
        Self {
            pool,
            liobns: Liobns::new(),
            previous: vec![0; MOST_PAGES],
            entries: (0..TABLES).map(|_| Entry::default()).collect(),
            vacant: (0..TABLES).rev().collect(),
            notes: slots.map(|count| vec![Note::default(); count]).collect(),
            offset_table: None,
            bypass: Tve::CLOSED,
        }
    }

    /// Makes a table. `whole_from`: with all levels that entries from there on need.
    ///
    /// # Errors
    /// `Resource` when there are too many, `NoMem` when the pool has no room.
    pub fn create(
        &mut self,
        ram: &impl Ram,
        geometry: Geometry,
        pages: u64,
        whole_from: Option<u64>,
    ) -> Result<TableId> {
        let &place = self.vacant.last().ok_or(Error::Resource(why("tables")))?;
        let entry = self.entries.get_mut(usize::from(place)).ok_or(Error::Internal(why("tables")))?;
        let table = match whole_from {
            None => TceTable::create(&mut self.pool, ram, geometry, pages)?,
            Some(first) => TceTable::create_whole(&mut self.pool, ram, geometry, pages, first)?,
        };
        self.vacant.pop();
        *entry = Entry { table: Some(table), generation: entry.generation, ..Entry::default() };
        Ok(TableId(place))
    }

    /// Destroys a table.
    ///
    /// # Errors
    /// `WrongState` while it is set in a slot or has a LIOBN.
    pub fn destroy(&mut self, ram: &impl Ram, id: TableId) -> Result {
        let entry = self.entries.get_mut(usize::from(id.0)).ok_or(Error::Internal(why("tables")))?;
        if entry.slots != 0 {
            return Err(Error::WrongState(why("the table is set in a window")));
        }
        if entry.liobns != 0 {
            return Err(Error::WrongState(why("a LIOBN names the table")));
        }
        if let Some(table) = entry.table.take() {
            table.destroy(&mut self.pool, ram);
            entry.generation = entry.generation.wrapping_add(1);
            // There was room for it when it was made.
            self.vacant.push(id.0);
        }
        Ok(())
    }

    /// The table that a client names.
    ///
    /// # Errors
    /// `Parameter` when there is none, or when it is firmware's own affair.
    pub fn find(&self, handle: Handle) -> Result<TableId> {
        let place = u16::try_from((handle.0 as u32).wrapping_sub(1)).ok().map(TableId);
        place
            .filter(|&id| self.get(id).is_some() && self.handle(id) == handle)
            .ok_or(Error::Parameter(why("table")))
    }

    /// Whether a table is firmware's own affair: behind a bypass of the 4 GiB mode, or PAPR's.
    fn is_own(&self, id: TableId) -> bool {
        self.offset_table == Some(id) || self.papr(id).is_some()
    }

    /// PAPR's window whose table it is.
    pub fn papr(&self, id: TableId) -> Option<Place> {
        self.entries.get(usize::from(id.0))?.papr
    }

    /// Makes a table that of PAPR's window there.
    pub fn set_papr(&mut self, id: TableId, place: Place) {
        if let Some(entry) = self.entries.get_mut(usize::from(id.0)) {
            entry.papr = Some(place);
        }
    }

    /// Window of the first table from `at` on that is PAPR's, and where to go on.
    pub fn next_papr(&self, at: usize) -> Option<(Place, usize)> {
        let rest = self.entries.get(at..)?.iter().zip(at..);
        rest.filter(|(entry, _)| entry.table.is_some())
            .find_map(|(entry, index)| Some((entry.papr?, index.wrapping_add(1))))
    }

    /// Whether one more table can be.
    pub const fn has_vacancy(&self) -> bool {
        !self.vacant.is_empty()
    }

    /// What a client calls a table. 0 if it is firmware's own affair: such a one no client names.
    pub fn handle(&self, id: TableId) -> Handle {
        if self.is_own(id) {
            return Handle(0);
        }
        let generation = self.entries.get(usize::from(id.0)).map_or(0, |entry| entry.generation);
        Handle(u64::from(generation) << 32 | u64::from(id.0).wrapping_add(1))
    }

    /// A table.
    pub fn get(&self, id: TableId) -> Option<&TceTable> {
        self.entries.get(usize::from(id.0))?.table.as_ref()
    }

    /// A table with what an act on it needs besides: the pool, and room for old entries.
    pub fn parts(&mut self, id: TableId) -> Option<(&mut TceTable, &mut Pool, &mut [u64])> {
        let entry = self.entries.get_mut(usize::from(id.0))?;
        Some((entry.table.as_mut()?, &mut self.pool, &mut self.previous))
    }

    /// The table whose top level is there.
    pub fn at_address(&self, address: u64) -> Option<TableId> {
        let is_it =
            |entry: &Entry| entry.table.as_ref().is_some_and(|table| table.table().address() == address);
        self.entries.iter().position(is_it).map(|place| TableId(place as u16))
    }

    /// In how many slots it is noted.
    pub fn slots(&self, id: TableId) -> u32 {
        self.entries.get(usize::from(id.0)).map_or(0, |entry| entry.slots)
    }

    /// A LIOBN names it from now on, or no longer.
    pub fn count_liobn(&mut self, id: TableId, more: bool) {
        if let Some(entry) = self.entries.get_mut(usize::from(id.0)) {
            entry.liobns = if more { entry.liobns.wrapping_add(1) } else { entry.liobns.saturating_sub(1) };
        }
    }

    /// What firmware has put into a slot that holds `tve`: the note, if it still says what is there.
    pub fn held_in(&self, place: Place, tve: Tve) -> Held {
        let held = self.held(place);
        let holds = match held {
            Held::Nothing => true,
            Held::Bypass => self.bypass == tve,
            Held::Table(id) => self.get(id).is_some_and(|table| Tve::translated(table.table()) == tve),
        };
        if holds { held } else { Held::Nothing }
    }

    /// What is noted about a slot.
    pub fn held(&self, place: Place) -> Held {
        self.note(place).map_or(Held::Nothing, |note| note.held)
    }

    /// The first slot in which a table is noted.
    pub fn first_slot(&self, id: TableId) -> Option<Place> {
        self.entries.get(usize::from(id.0))?.first
    }

    /// The one after that.
    pub fn next_slot(&self, place: Place) -> Option<Place> {
        self.note(place)?.next
    }

    /// Notes what was put into a slot, in place of what was there.
    pub fn note_held(&mut self, place: Place, held: Held) {
        if let Held::Table(old) = self.held(place) {
            self.unlink(old, place);
        }
        let mut next = None;
        if let Held::Table(id) = held
            && let Some(entry) = self.entries.get_mut(usize::from(id.0))
        {
            next = entry.first.replace(place);
            entry.slots = entry.slots.wrapping_add(1);
        }
        if let Some(note) = self.note_mut(place) {
            (note.held, note.next) = (held, next);
        }
    }

    /// Whether PAPR's default window was removed from this window 0.
    pub fn default_removed(&self, place: Place) -> bool {
        self.note(place).is_some_and(|note| note.default_removed)
    }

    /// Notes that it was, or that it is back.
    pub fn set_default_removed(&mut self, place: Place, removed: bool) {
        if let Some(note) = self.note_mut(place) {
            note.default_removed = removed;
        }
    }

    fn unlink(&mut self, id: TableId, place: Place) {
        let after = self.next_slot(place);
        let mut before = None;
        let mut at = self.first_slot(id);
        while let Some(here) = at
            && here != place
        {
            before = at;
            at = self.next_slot(here);
        }
        match before {
            Some(before) => {
                if let Some(note) = self.note_mut(before) {
                    note.next = after;
                }
            }
            None => {
                if let Some(entry) = self.entries.get_mut(usize::from(id.0)) {
                    entry.first = after;
                }
            }
        }
        if let Some(entry) = self.entries.get_mut(usize::from(id.0)) {
            entry.slots = entry.slots.saturating_sub(1);
        }
    }

    fn note(&self, place: Place) -> Option<&Note> {
        self.notes.get(usize::from(place.phb))?.get(place.slot.tve_index())
    }

    fn note_mut(&mut self, place: Place) -> Option<&mut Note> {
        self.notes.get_mut(usize::from(place.phb))?.get_mut(place.slot.tve_index())
    }
}
