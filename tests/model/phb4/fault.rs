//! PE lookup and what a fault leaves behind: PEST, PEEV, the children of PELT-V (§4, §11).

use opalite::hw::ram::Ram;

use super::bits::{bit, bits, field};
use super::registers::{ERROR_GROUPS, LSI_SOURCE_ID, PELTV_BAR, PEST_BAR, RTT_BAR, RXE_TCE_STATUS};
use super::{ModelPhb4, State};
use crate::model::ram::ModelRam;

const ENABLE: u64 = bit(0);

/// PEST word 0: which transaction failed and why. Words in memory hold everything but bit 0.
pub const DMA_WRITE: u64 = 0;
pub const MSI: u64 = 1 << 56;
pub const DMA_READ: u64 = 2 << 56;
pub const BAD_INTERRUPT: u64 = bit(15);
pub const IODA_ERROR: u64 = bit(16);
pub const PAGE_FAULT: u64 = bit(18);
pub const ACCESS_FAULT: u64 = bit(19);

/// Sources from the first LSI to the error interrupt.
const ERROR_LSI: u64 = 7;

impl ModelPhb4 {
    /// Freezes a PE as an error of that PE does: both directions, and its children in the PELT-V.
    pub fn freeze(&self, pe: u16) {
        self.state().freeze(pe, None);
    }

    /// Whether MMIO and DMA of a PE are stopped.
    pub fn frozen(&self, pe: u16) -> (bool, bool) {
        let state = self.state();
        (state.ioda.mmio_frozen(pe.into()), state.ioda.dma_stopped(pe.into()))
    }

    /// The source of the error interrupt while some error group that may interrupt has a status.
    pub fn error_interrupt(&self) -> Option<u64> {
        let state = self.state();
        let raised = ERROR_GROUPS.iter().any(|group| state.stored(*group) & state.stored(group + 0x20) != 0);
        raised.then(|| (field(state.stored(LSI_SOURCE_ID), 4, 12) << 3) + ERROR_LSI)
    }
}

impl State {
    /// The entry of a requester in memory, brought into range as the bridge does.
    pub fn rtt_entry(&self, rid: u16) -> u16 {
        let table = self.stored(RTT_BAR) & bits(8, 46);
        let entry = self.ram.read16(table + 2 * u64::from(rid));
        entry & (self.size.pes() as u16 - 1)
    }

    /// The PE of a requester; the bridge remembers it until RTC_INVALIDATE. `None` without a table.
    pub fn pe_of(&mut self, rid: u16) -> Option<u16> {
        if self.stored(RTT_BAR) & ENABLE == 0 {
            return None;
        }
        if let Some(pe) = self.rtc.get(&rid) {
            return Some(*pe);
        }
        let pe = self.rtt_entry(rid);
        self.rtc.insert(rid, pe);
        Some(pe)
    }

    /// Stops a PE and its children. `record` is the two PEST words of the cause; only the first is kept.
    pub fn freeze(&mut self, pe: u16, record: Option<(u64, u64)>) {
        if let Some(words) = record {
            self.record(pe, words);
        }
        self.ioda.freeze(pe.into());
        for child in self.children(pe) {
            self.ioda.freeze(child);
        }
        // Which bit stands for which fault isn't documented; these two freeze by the init values of §3.2 (?).
        let status = match record {
            Some((word, _)) if word & ACCESS_FAULT != 0 => bit(2),
            _ => bit(1),
        };
        self.set(RXE_TCE_STATUS, self.stored(RXE_TCE_STATUS) | status);
        if self.stored(RXE_TCE_STATUS + 8) == 0 {
            self.set(RXE_TCE_STATUS + 8, status);
        }
    }

    fn record(&mut self, pe: u16, (word0, word1): (u64, u64)) {
        let bar = self.stored(PEST_BAR);
        if bar & ENABLE == 0 || std::mem::replace(&mut self.recorded[usize::from(pe)], true) {
            return;
        }
        write_record(&self.ram, (bar & bits(8, 51)) + 16 * u64::from(pe), (word0, word1));
    }

    /// The PEs whose bits are set in row `pe` of PELT-V.
    fn children(&self, pe: u16) -> Vec<usize> {
        let bar = self.stored(PELTV_BAR);
        if bar & ENABLE == 0 {
            return Vec::new();
        }
        row_of(&self.ram, bar & bits(8, 50), self.size.pes(), pe)
    }
}

/// Puts a PEST entry into memory: all but the bit of each word that lives on chip.
pub fn write_record(ram: &ModelRam, entry: u64, (word0, word1): (u64, u64)) {
    ram.write64(entry, word0 & !bit(0));
    ram.write64(entry + 8, word1 & bits(3, 63));
}

/// The PEs whose bits are set in the row of `pe` of a PELT-V for `pes` PEs.
pub fn row_of(ram: &ModelRam, table: u64, pes: usize, pe: u16) -> Vec<usize> {
    let row = table + u64::from(pe) * (pes as u64 / 8);
    (0..pes).filter(|child| ram.read8(row + *child as u64 / 8) & 0x80 >> (child & 7) != 0).collect()
}
