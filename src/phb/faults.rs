//! DMA faults that the OS can answer, and the bridge's error interrupts. `doc/dma-windows/faults.md`;
//! `reference/phb-dma-windows.md` §11.3 and §11.4.
//!
//! A PE that froze because a TCE was missing or didn't permit the access becomes a record if the OS asked for that.
//! Every other freeze is EEH's.

use super::bridge::{Health, HostBridge};
use super::dma::FROZEN;
use super::eeh::clear_group;
use super::fault_queue::{Cause, DmaFault, Found, Record};
use super::generation::Ioda;
use super::init::{PBL_ENABLES, REGB_INIT};
use super::ioda::{self, TableId};
use super::regs4::{FENCED, PBL_ERRORS, REGB_ERRORS, group};
use crate::arch;
use crate::error::{Error, Result, why};
use crate::hw::fault::Outcome;
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::iommu::PeNumber;

/// The OS's answer to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The mapping was mended: the PE runs again.
    Success,
    /// The PE stays frozen; what becomes of it is the OS's affair.
    Invalid,
    /// The freeze is EEH's.
    Failure,
}

/// What a bridge has for the OS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signals {
    /// An error that wasn't asked for since.
    pub error: bool,
    /// Records to read.
    pub fault: bool,
}

/// What OPAL asks about DMA faults.
pub trait DmaFaults {
    /// Sets whether a PE's DMA faults become records.
    ///
    /// # Errors
    /// When the bridge doesn't answer; nothing has changed then.
    fn set_faults(&mut self, pe: PeNumber, on: bool) -> Outcome;
    /// Takes the oldest record.
    ///
    /// # Errors
    /// When there is none and the bridge doesn't answer.
    fn read_fault(&mut self) -> Outcome<Option<Record>>;
    /// Answers a record.
    ///
    /// # Errors
    /// `Parameter` for a cookie that waits for no answer, `Hardware` when the bridge doesn't answer; nothing has
    /// changed then.
    fn answer_fault(&mut self, cookie: u64, answer: Answer) -> Result;
    /// Its error interrupt came: finds out why, and sees to it that the interrupt ends.
    fn error_interrupt(&mut self);
    /// What it has for the OS.
    fn signals(&self) -> Signals;
    /// Records that were ever made, and faults that ever found the queue full.
    fn fault_totals(&self) -> (u64, u64);
}

/// Fields of PEST word 0 (§11.4): causes that aren't DMA, the transaction, and what is a record's business.
const NOT_DMA: u64 = 7 << 59;
const TRANSACTION_SHIFT: u32 = 56;
const DMA_WRITE: u64 = 0;
const DMA_READ: u64 = 2;
const PAGE_FAULT: u64 = 1 << 45;
const ACCESS_FAULT: u64 = 1 << 44;
const REQUESTER_SHIFT: u32 = 16;
/// PEST word 1: the address.
const ADDRESS: u64 = u64::MAX >> 3;

impl<I: Mmio, R: Ram> DmaFaults for HostBridge<I, R> {
    fn set_faults(&mut self, pe: PeNumber, on: bool) -> Outcome {
        self.usable()?;
        let frozen = self.is_frozen(pe);
        ioda::alive(&self.regs)?;
        if self.faults.is_enabled(pe) == on {
            return Ok(());
        }
        let ours = self.faults.is_ours(pe);
        // A freeze from before stays EEH's, and one that was a record's becomes it.
        if frozen && ours != on {
            self.faults.leave_to_eeh(pe);
            self.error_pending |= ours;
        }
        self.faults.enable(pe, on);
        if on && core::mem::take(&mut self.masked) {
            self.interrupt_errors();
        }
        self.go_on();
        Ok(())
    }

    fn read_fault(&mut self) -> Outcome<Option<Record>> {
        if !self.faults.is_waiting() && self.faults.is_used() {
            self.usable()?;
            self.look()?;
        }
        let record = self.faults.read();
        self.go_on();
        Ok(record)
    }

    fn answer_fault(&mut self, cookie: u64, answer: Answer) -> Result {
        let pe = self.faults.awaiting(self.limits, cookie).ok_or(Error::Parameter(why("cookie")))?;
        match answer {
            Answer::Success => {
                self.usable()?;
                self.thaw(pe);
                ioda::alive(&self.regs)?;
                self.faults.thawed(pe);
            }
            Answer::Invalid => self.faults.keep(pe),
            Answer::Failure => {
                self.faults.leave_to_eeh(pe);
                self.error_pending = true;
            }
        }
        self.go_on();
        Ok(())
    }

    fn error_interrupt(&mut self) {
        if !self.answers() {
            return;
        }
        if ioda::alive(&self.regs).is_err() {
            self.error_pending = true;
            return;
        }
        if self.faults.is_used() && self.look() == Ok(true) {
            for base in self.error_groups() {
                clear_group(&self.regs, base);
            }
            // What came between has no interrupt of its own; what comes now has.
            let _ = self.look();
            return;
        }
        // Nothing that ends by itself: no more of it until NEXT_ERROR says that there is none.
        for base in self.error_groups() {
            let enable = base + group::INTERRUPT;
            let active = self.regs.read64(base + group::STATUS);
            self.regs.write64(enable, self.regs.read64(enable) & !active);
        }
        self.masked = true;
        self.error_pending = true;
    }

    fn signals(&self) -> Signals {
        Signals { error: self.error_pending, fault: self.faults.is_waiting() }
    }

    fn fault_totals(&self) -> (u64, u64) {
        self.faults.totals()
    }
}

impl<I: Mmio, R: Ram> HostBridge<I, R> {
    fn is_frozen(&self, pe: PeNumber) -> bool {
        (ioda::read(&self.regs, TableId::PestA, pe.index())
            | ioda::read(&self.regs, TableId::PestB, pe.index()))
            & FROZEN
            != 0
    }

    /// Lets a PE run. The record goes first: from the last store on the bridge may write another one.
    pub(super) fn thaw(&self, pe: PeNumber) {
        self.tables.clear_record(&self.ram, pe);
        ioda::write(&self.regs, TableId::PestA, pe.index(), 0);
        ioda::write(&self.regs, TableId::PestB, pe.index(), 0);
    }

    /// Looks for PEs that froze since the last look, and tells whether there are any.
    pub(super) fn look(&mut self) -> Outcome<bool> {
        ioda::alive(&self.regs)?;
        let words = usize::from(self.limits.count()) / 64;
        let mut news = false;
        // From the PE after the one that got a place last time, so that none waits for ever.
        let (start, mut part) = (self.next_fault / 64, u64::MAX >> (self.next_fault % 64));
        for step in 0..=words {
            // A power of two.
            let at = (start + step) & words.wrapping_sub(1);
            let frozen = ioda::read(&self.regs, TableId::Peev, at);
            if frozen == FENCED {
                ioda::alive(&self.regs)?;
            }
            let mut new = frozen & part & !self.faults.seen(at);
            part = u64::MAX;
            while new != 0 {
                let bit = new.leading_zeros() as usize;
                new &= !((1 << 63) >> bit);
                if let Ok(pe) = self.limits.pe((at << 6 | bit) as u64) {
                    news |= self.found_frozen(pe);
                }
            }
        }
        Ok(news)
    }

    fn found_frozen(&mut self, pe: PeNumber) -> bool {
        // The bridge stored the record before it set the bit.
        self.ram.sync();
        let fault = if self.faults.is_enabled(pe) { self.dma_fault(pe) } else { None };
        let Some(fault) = fault else {
            self.faults.leave_to_eeh(pe);
            self.error_pending = true;
            return true;
        };
        let found = self.faults.found(pe, fault, arch::timebase());
        // For who looks at the text of windows and faults.
        self.tvt.mark_changed();
        if found == Found::Record {
            self.next_fault = (pe.index() + 1) & usize::from(self.limits.reserved().as_u16());
        }
        found != Found::Nothing
    }

    /// Why a PE froze, if that is a record's business.
    fn dma_fault(&self, pe: PeNumber) -> Option<DmaFault> {
        let (why, address) = self.tables.record(&self.ram, pe);
        let write = match why >> TRANSACTION_SHIFT & 7 {
            DMA_WRITE => true,
            DMA_READ => false,
            _ => return None,
        };
        if why & NOT_DMA != 0 {
            return None;
        }
        let cause = if why & PAGE_FAULT != 0 {
            Cause::Page
        } else if why & ACCESS_FAULT != 0 {
            Cause::Access
        } else {
            return None;
        };
        Some(DmaFault {
            requester: (why >> REQUESTER_SHIFT) as u16,
            write,
            cause,
            address: address & ADDRESS,
        })
    }

    /// If a PE waited for a place in the queue, and there is one: it gets it.
    pub(super) fn go_on(&mut self) {
        if self.faults.can_go_on() && self.answers() {
            // A bridge that is fenced tells of that at the next call.
            let _ = self.look();
        }
    }

    /// NEXT_ERROR found nothing: errors interrupt again. Those that froze nothing end here.
    pub(super) fn unmask(&mut self) {
        if core::mem::take(&mut self.masked) {
            self.clear_errors(&self.regs, true);
            self.interrupt_errors();
        }
    }

    /// Lets errors interrupt again.
    fn interrupt_errors(&self) {
        if self.ioda == Ioda::Three {
            self.regs.write64(PBL_ERRORS + group::INTERRUPT, PBL_ENABLES[0]);
            // While the link is down on purpose none of its errors is news.
            if self.health == Health::Working {
                self.regs.write64(REGB_ERRORS + group::INTERRUPT, REGB_INIT[0]);
            }
        }
        self.enable_errors();
    }
}
