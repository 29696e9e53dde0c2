//! Interrupts: MSIs with their entries in memory (IVT) and the cache of them (IVC), FFI, and LSIs (§3.4, §4, P4.11).
//!
//! The bridge looks at memory only when the IVC doesn't have the entry: a changed server, priority, PE, P or Q is
//! seen after IVC_UPDATE or IVC_INVALIDATE. It writes P with the generation, and Q, as single bytes to both. An
//! update with its condition does nothing when the cached generation is another, as after an entry was dropped
//! and fetched anew; [`ModelPhb3::evict_ivc`] makes that happen.

use std::collections::{BTreeSet, HashMap};

use opalite::hw::ram::Ram;

use super::fault::ERROR_LSI;
use super::registers::{CONFIG, CONTROL, IVT_BAR, LSI_SOURCE_ID, RTT_BAR};
use super::{FaultKind, ModelPhb3, SOURCES, State};
use crate::model::phb4::bits::{bit, bits, field};
use crate::model::phb4::fault::{BAD_INTERRUPT, MSI};
use crate::model::phb4::translate::{self, Cycle, route};
use crate::model::xics::{InterruptSource, Offer};

const ENABLE: u64 = bit(0);
const MASKED: u8 = 0xff;
/// PHB_CONTROL: an IVE takes 128 bytes, else 16.
const LONG_IVES: u64 = bit(24);

const SERVER: u64 = bits(0, 23);
const PRIORITY: u64 = bits(24, 31);
const GENERATION: u64 = bits(37, 38);
const P: u64 = bit(39);
const Q: u64 = bit(47);

/// IVC_UPDATE.
mod update {
    use crate::model::phb4::bits::{bit, bits};
    pub const P: u64 = bit(0);
    pub const Q: u64 = bit(1);
    pub const SERVER: u64 = bit(2);
    pub const PRIORITY: u64 = bit(3);
    pub const GENERATION: u64 = bit(4);
    pub const CONDITIONAL: u64 = bit(5);
    pub const FIELDS: u64 = bits(0, 35) | bits(48, 63);
}

const FFI_SOURCE: u64 = bits(49, 59);
const FFI_LOCK_CLEAR: u64 = bit(3);
const FFI_LOCKED: u64 = bit(0);

/// What the bridge knows of its interrupts besides the tables.
#[derive(Default)]
pub struct Interrupts {
    ivc: HashMap<u16, u64>,
    ffi_locked: bool,
    /// MSIs that have P and that no presenter has taken.
    waiting: BTreeSet<u16>,
    lines: [bool; 8],
    /// LSIs that a presenter has, or the processor, until their end.
    sent: [bool; 8],
    lost: Vec<u64>,
}

impl ModelPhb3 {
    /// A device signals an MSI; gives the source if its entry belongs to the device's PE. Whether it is presented
    /// depends on P, Q and the priority.
    pub fn msi(&self, rid: u16, address: u64, data: u32) -> Option<u64> {
        self.run(|state| state.msi(rid, address, data))
    }

    /// Raises or lowers an LSI: 0 to 3 are INTA to INTD, 6 the informational error. 7 follows the error groups.
    pub fn set_lsi(&self, lsi: usize, level: bool) {
        assert!(lsi < ERROR_LSI, "LSI {lsi} can't be set");
        self.run(|state| state.interrupts.lines[lsi] = level);
    }

    /// Drops one entry from the IVC, as load on it would.
    pub fn evict_ivc(&self, source: u16) {
        self.state().interrupts.ivc.remove(&source);
    }

    /// The entry of a source as the IVC has it.
    pub fn cached_ive(&self, source: u16) -> Option<u64> {
        self.state().interrupts.ivc.get(&source).copied()
    }

    /// Sources that fired while the PBCQ gave them no global number.
    pub fn lost_interrupts(&self) -> Vec<u64> {
        self.state().interrupts.lost.clone()
    }
}

impl Interrupts {
    /// After an ETU reset; the devices are in reset too.
    pub fn reset(&mut self) {
        *self = Self { lost: std::mem::take(&mut self.lost), ..Self::default() };
    }

    /// A load of FFI_LOCK: the old state, and from now on locked.
    pub fn take_lock(&mut self) -> u64 {
        if std::mem::replace(&mut self.ffi_locked, true) { FFI_LOCKED } else { 0 }
    }

    /// IVC_INVALIDATE of one entry or of all.
    pub fn forget(&mut self, source: Option<u16>) {
        match source {
            Some(source) => _ = self.ivc.remove(&source),
            None => self.ivc.clear(),
        }
    }

    /// IVC_UPDATE changes an entry that is there; memory is the driver's to change.
    pub fn update(&mut self, value: u64) {
        assert!(value & !update::FIELDS == 0, "PHB: IVC_UPDATE {value:#018x}: unknown bits");
        let source = (value & 0xffff) as u16;
        assert!(usize::from(source) < SOURCES, "PHB: IVC_UPDATE {value:#018x}: no such source");
        let Some(ive) = self.ivc.get_mut(&source) else { return };
        if value & update::CONDITIONAL != 0 && field(*ive, 37, 38) != field(value, 6, 7) {
            return;
        }
        for (enable, target, new) in [
            (update::P, P, u64::from(value & bit(34) != 0) * P),
            (update::Q, Q, u64::from(value & bit(35) != 0) * Q),
            (update::SERVER, SERVER, field(value, 8, 23) << 40),
            (update::PRIORITY, PRIORITY, value & PRIORITY),
            (update::GENERATION, GENERATION, field(value, 32, 33) << 25),
        ] {
            if value & enable != 0 {
                *ive = *ive & !target | new;
            }
        }
    }

    /// A word of the reject bit array; source 64n is bit 0 of word n (?).
    pub fn rejected(&self, word: usize) -> u64 {
        let inside = self.waiting.iter().filter(|source| usize::from(**source) / 64 == word);
        inside.fold(0, |sum, source| sum | bit(u32::from(source % 64)))
    }

    /// Forgets a word of it, and with it the interrupts.
    pub fn drop_rejected(&mut self, word: usize) {
        self.waiting.retain(|source| usize::from(*source) / 64 != word);
    }
}

impl State {
    fn msi(&mut self, rid: u16, address: u64, data: u32) -> Option<u64> {
        let pe = match self.admit(rid, address) {
            Ok(pe) => pe,
            Err(fault) => {
                let has_rtt = self.stored(RTT_BAR) & ENABLE != 0;
                assert!(
                    fault.kind != FaultKind::NoPe || !has_rtt,
                    "PHB: MSI from {rid:#06x}, whose RTT entry is no PE (erratum HW278969)"
                );
                return None;
            }
        };
        let Cycle::Interrupt(offset) = route(address, self.stored(CONFIG)) else { return None };
        let source = translate::source(offset, data);
        if self.owner(source) == Some(pe) {
            self.raise(source as u16);
            return Some(source);
        }
        let word0 = MSI | BAD_INTERRUPT | u64::from(rid) << 16 | u64::from(data & 0xffff);
        self.freeze(pe, Some((word0, address)));
        None
    }

    /// The PE of an MSI; the eight LSIs aren't MSIs.
    fn owner(&mut self, source: u64) -> Option<u16> {
        let entries = field(self.stored(IVT_BAR), 52, 63).min(SOURCES as u64);
        let lsis = self.first_lsi();
        let exists = source < entries && !(lsis..lsis + 8).contains(&source);
        let exists = exists && self.stored(IVT_BAR) & ENABLE != 0;
        exists.then(|| (self.ive(source as u16) & 0xffff) as u16)
    }

    fn ive_address(&self, source: u16) -> u64 {
        let bar = self.stored(IVT_BAR);
        assert!(bar & ENABLE != 0, "PHB: interrupt {source:#x} without an IVT");
        let stride = if self.stored(CONTROL) & LONG_IVES != 0 { 128 } else { 16 };
        (bar & bits(14, 48)) + stride * u64::from(source)
    }

    /// The entry as the bridge sees it: from the IVC, else from memory.
    fn ive(&mut self, source: u16) -> u64 {
        if let Some(ive) = self.interrupts.ivc.get(&source) {
            return *ive;
        }
        let ive = self.ram.read64(self.ive_address(source));
        self.interrupts.ivc.insert(source, ive);
        ive
    }

    fn set_p(&mut self, source: u16) {
        let ive = self.ive(source) | P;
        self.interrupts.ivc.insert(source, ive);
        self.ram.write8(self.ive_address(source) + 4, field(ive, 32, 39) as u8);
    }

    fn set_q(&mut self, source: u16) {
        let ive = self.ive(source) | Q;
        self.interrupts.ivc.insert(source, ive);
        self.ram.write8(self.ive_address(source) + 5, field(ive, 40, 47) as u8);
    }

    /// An interrupt while P is set, or of a masked source, is only remembered in Q.
    fn raise(&mut self, source: u16) {
        let ive = self.ive(source);
        if ive & P != 0 || field(ive, 24, 31) as u8 == MASKED {
            return self.set_q(source);
        }
        self.set_p(source);
        match self.number(source.into()) {
            Some(_) => _ = self.interrupts.waiting.insert(source),
            None => self.interrupts.lost.push(source.into()),
        }
    }

    /// FFI_REQUEST sends an MSI again, whoever owns it, and frees the lock.
    pub fn ffi_request(&mut self, value: u64) {
        let unknown = value & !(FFI_SOURCE | FFI_LOCK_CLEAR);
        assert!(unknown == 0, "PHB: FFI_REQUEST {value:#x}: unknown bits {unknown:#x}");
        assert!(self.interrupts.ffi_locked, "PHB: FFI_REQUEST {value:#x} without the lock");
        self.interrupts.ffi_locked = false;
        self.raise(field(value, 49, 59) as u16);
    }

    /// The global number of a source.
    fn number(&self, source: u64) -> Option<u32> {
        let (first, count) = self.pbcq.numbers()?;
        (source < count).then_some((first + source) as u32)
    }

    /// The source of a global number.
    fn source(&self, number: u32) -> Option<u64> {
        let (first, count) = self.pbcq.numbers()?;
        u64::from(number).checked_sub(first).filter(|source| *source < count)
    }

    fn lsi_offers(&self) -> Vec<Offer> {
        // P4.3: both ids must be the same or LSIs aren't mapped.
        if self.pbcq.lsi_id() != field(self.stored(LSI_SOURCE_ID), 5, 12) {
            return Vec::new();
        }
        let error = self.error_raised();
        let up = |lsi: usize| self.interrupts.lines[lsi] || lsi == ERROR_LSI && error;
        (0..8)
            .filter(|lsi| up(*lsi) && !self.interrupts.sent[*lsi])
            .filter_map(|lsi| {
                let number = self.number(self.first_lsi() + lsi as u64)?;
                let lxive = self.ioda.lxive(lsi);
                let server = (field(lxive, 8, 23) >> 2) as u16;
                Some(Offer { number, server, priority: field(lxive, 24, 31) as u8 })
            })
            .filter(|offer| offer.priority != MASKED)
            .collect()
    }

    fn msi_offers(&mut self) -> Vec<Offer> {
        let waiting: Vec<_> = self.interrupts.waiting.iter().copied().collect();
        let mut offers = Vec::new();
        for source in waiting {
            let ive = self.ive(source);
            let (server, priority) = (field(ive, 0, 23), field(ive, 24, 31) as u8);
            if priority == MASKED {
                self.interrupts.waiting.remove(&source);
                self.set_q(source);
                continue;
            }
            assert!(server & 3 == 0, "PHB: IVE {source:#x} = {ive:#018x}: a server has two link bits, zero");
            let Some(number) = self.number(source.into()) else { continue };
            offers.push(Offer { number, server: (server >> 2) as u16, priority });
        }
        offers
    }

    /// Tells the source of a number that a presenter has it, or no longer; `false` for another unit's number.
    fn set_presented(&mut self, number: u32, presented: bool) {
        let Some(source) = self.source(number) else { return };
        let first = self.first_lsi();
        match source.checked_sub(first).filter(|lsi| *lsi < 8) {
            Some(lsi) => self.interrupts.sent[lsi as usize] = presented,
            None if presented => _ = self.interrupts.waiting.remove(&(source as u16)),
            None => _ = self.interrupts.waiting.insert(source as u16),
        }
    }

    /// The end of an interrupt means nothing to an MSI: its P is the firmware's to clear.
    fn end(&mut self, number: u32) {
        let first = self.first_lsi();
        let lsi = self.source(number).and_then(|source| source.checked_sub(first)).filter(|lsi| *lsi < 8);
        if let Some(lsi) = lsi {
            self.interrupts.sent[lsi as usize] = false;
        }
    }
}

impl InterruptSource for ModelPhb3 {
    fn offers(&self) -> Vec<Offer> {
        let mut state = self.state();
        if state.fenced || state.pbcq.etu_in_reset() {
            return Vec::new();
        }
        let mut offers = state.lsi_offers();
        offers.extend(state.msi_offers());
        offers
    }

    fn taken(&self, number: u32) {
        self.state().set_presented(number, true);
    }

    fn given_back(&self, number: u32) {
        self.state().set_presented(number, false);
    }

    fn end(&self, number: u32) {
        self.state().end(number);
    }
}
