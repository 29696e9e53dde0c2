//! PE lookup and what a fault leaves behind: PEST, PEEV, the children of PELT-V (§4, §11).

use opalite::hw::ram::Ram;

use super::registers::{ERROR_GROUPS, INB_STATUS, LSI_SOURCE_ID, PELTV_BAR, PEST_BAR, RTT_BAR};
use super::{ModelPhb3, PES, State};
use crate::model::phb4::bits::{bit, bits, field};
use crate::model::phb4::fault::{ACCESS_FAULT, row_of, write_record};

const ENABLE: u64 = bit(0);
/// The last LSI: an error of the bridge.
pub const ERROR_LSI: usize = 7;
const LEM_FIR: u64 = 0xc00;
/// A LEM bit of the class "error of a PE" (§11.3); which one stands for a TCE fault isn't documented (?).
const LEM_PE_ERROR: u64 = 0x0000_0000_4000_0000;

impl ModelPhb3 {
    /// Freezes a PE as an error of that PE does: both directions, and its children in the PELT-V.
    pub fn freeze(&self, pe: u16) {
        self.run(|state| state.freeze(pe, None));
    }

    /// Whether MMIO and DMA of a PE are stopped.
    pub fn frozen(&self, pe: u16) -> (bool, bool) {
        let state = self.state();
        (state.ioda.mmio_frozen(pe.into()), state.ioda.dma_stopped(pe.into()))
    }

    /// Which PEs have MMIO or DMA stopped, in order.
    pub fn all_frozen(&self) -> Vec<(u16, (bool, bool))> {
        let all = (0..PES as u16).map(|pe| (pe, self.frozen(pe)));
        all.filter(|(_, frozen)| *frozen != (false, false)).collect()
    }

    /// From now on no DMA sync completes (or does again).
    pub fn stuck_sync(&self, stuck: bool) {
        self.state().sync.stuck_sync(stuck);
    }

    /// How many loads of its register a sync takes.
    pub fn set_kill_reads(&self, reads: u32) {
        self.state().sync.set_reads(reads);
    }

    /// The source of the error interrupt while some error group that may interrupt has a status.
    pub fn error_interrupt(&self) -> Option<u64> {
        let state = self.state();
        state.error_raised().then(|| state.first_lsi() + ERROR_LSI as u64)
    }
}

impl State {
    /// The entry of a requester in memory; PHB3 doesn't bring it into range.
    pub fn rtt_entry(&self, rid: u16) -> u16 {
        let table = self.stored(RTT_BAR) & bits(14, 46);
        self.ram.read16(table + 2 * u64::from(rid))
    }

    /// The PE of a requester; the bridge remembers it until RTC_INVALIDATE. `None` without a table or when the
    /// entry is no PE (P4.7).
    pub fn pe_of(&mut self, rid: u16) -> Option<u16> {
        if self.stored(RTT_BAR) & ENABLE == 0 {
            return None;
        }
        let pe = match self.rtc.get(&rid) {
            Some(pe) => *pe,
            None => {
                let pe = self.rtt_entry(rid);
                self.rtc.insert(rid, pe);
                pe
            }
        };
        (usize::from(pe) < PES).then_some(pe)
    }

    /// Stops a PE and its children. `record` is the two PEST words of the cause; only the first is kept.
    pub fn freeze(&mut self, pe: u16, record: Option<(u64, u64)>) {
        if let Some(words) = record {
            self.record(pe, words);
        }
        self.ioda.freeze(pe.into());
        let peltv = self.stored(PELTV_BAR);
        if peltv & ENABLE != 0 {
            for child in row_of(&self.ram, peltv & bits(14, 50), PES, pe) {
                self.ioda.freeze(child);
            }
        }
        // Which bit stands for which fault isn't documented; these two freeze by the init values of §3.2 (?).
        let status = match record {
            Some((word, _)) if word & ACCESS_FAULT != 0 => bit(18),
            _ => bit(17),
        };
        self.set(INB_STATUS, self.stored(INB_STATUS) | status);
        if self.stored(INB_STATUS + 8) == 0 {
            self.set(INB_STATUS + 8, status);
        }
        if status & self.stored(INB_STATUS + 0x18) != 0 {
            self.set(LEM_FIR, self.stored(LEM_FIR) | LEM_PE_ERROR);
        }
    }

    /// Whether a group that may interrupt has a status.
    pub fn error_raised(&self) -> bool {
        ERROR_GROUPS.iter().any(|group| self.stored(*group) & self.stored(group + 0x20) != 0)
    }

    /// The source of INTA.
    pub fn first_lsi(&self) -> u64 {
        field(self.stored(LSI_SOURCE_ID), 5, 12) << 3
    }

    fn record(&mut self, pe: u16, words: (u64, u64)) {
        let bar = self.stored(PEST_BAR);
        if bar & ENABLE == 0 || std::mem::replace(&mut self.recorded[usize::from(pe)], true) {
            return;
        }
        write_record(&self.ram, (bar & bits(14, 51)) + 16 * u64::from(pe), words);
    }
}
