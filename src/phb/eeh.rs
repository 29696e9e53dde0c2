//! EEH: frozen PEs, fenced bridges, what the OS learns of them. `reference/phb-dma-windows.md` §11 and §12.6.
//!
//! Freezes that the OS sets are remembered here too: QEMU's bridge doesn't derive PEEV from PESTA and PESTB.

use super::bridge::{Health, HostBridge};
use super::dma::FROZEN;
use super::generation::Ioda;
use super::ioda::{self, TableId};
use super::phb3::regs as regs3;
use super::regs4::{self, ETU_ERR_SUMMARY, FENCED, PBL_ERRORS, REGB_ERRORS};
use super::touched::Touched;
use crate::error::{Error, Result, why};
use crate::hw::fault::Outcome;
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::iommu::PeNumber;

/// Which directions of a PE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directions {
    /// The processor's loads and stores.
    pub mmio: bool,
    /// The device's accesses to memory.
    pub dma: bool,
}

impl Directions {
    /// Both.
    pub const BOTH: Self = Self { mmio: true, dma: true };

    /// From OPAL's number: 1 MMIO, 2 DMA, 3 both.
    ///
    /// # Errors
    /// `Parameter` for another one.
    pub fn new(code: u64) -> Result<Self> {
        match code {
            1..=3 => Ok(Self { mmio: code & 1 != 0, dma: code & 2 != 0 }),
            _ => Err(Error::Parameter(why("freeze action"))),
        }
    }
}

/// What is wrong with a whole bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is cut off from the bus; a complete reset helps.
    Fenced,
    /// Firmware gave it up.
    Dead,
}

/// The state of a PE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freeze {
    /// It runs.
    None,
    /// Its MMIO is frozen.
    Mmio,
    /// Its DMA is stopped.
    Dma,
    /// Both.
    Both,
    /// The whole bridge is fenced.
    Fenced,
    /// Firmware gave the bridge up.
    Dead,
}

/// An error that the OS hasn't handled yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextError {
    /// None.
    Nothing,
    /// This PE is frozen.
    Pe(PeNumber),
    /// The whole bridge is in trouble.
    Phb(Trouble),
}

/// Which PEs the OS froze.
#[derive(Clone, Debug, Default)]
pub struct SoftwareFreezes {
    mmio: Touched,
    dma: Touched,
}

/// What OPAL asks about errors.
pub trait Eeh {
    /// The state of a PE.
    fn freeze_status(&mut self, pe: PeNumber) -> Freeze;
    /// Lets a PE run again, and clears what errors the bridge shows.
    ///
    /// # Errors
    /// When the bridge is fenced or broken.
    fn freeze_clear(&mut self, pe: PeNumber, directions: Directions) -> Outcome;
    /// Freezes a PE.
    ///
    /// # Errors
    /// When the bridge is fenced or broken.
    fn freeze_set(&mut self, pe: PeNumber, directions: Directions) -> Outcome;
    /// The error to handle next.
    fn next_error(&mut self) -> NextError;
}

impl<I: Mmio, R: Ram> Eeh for HostBridge<I, R> {
    fn freeze_status(&mut self, pe: PeNumber) -> Freeze {
        match self.health {
            Health::Working | Health::Blocked => {}
            Health::Broken => return Freeze::Dead,
            Health::Resetting => return Freeze::Fenced,
        }
        let word = ioda::read(&self.regs, TableId::Peev, pe.index() / 64);
        if word == FENCED && ioda::alive(&self.regs).is_err() {
            return Freeze::Fenced;
        }
        if word >> (63 - pe.index() % 64) & 1 == 0 && !self.is_software_frozen(pe) {
            return Freeze::None;
        }
        self.directions(pe)
    }

    fn freeze_clear(&mut self, pe: PeNumber, directions: Directions) -> Outcome {
        self.usable()?;
        let summary = ETU_ERR_SUMMARY.read(&self.regs);
        if summary == FENCED {
            ioda::alive(&self.regs)?;
        }
        if summary != 0 {
            self.clear_errors(&self.regs, true);
        }
        let runs = |table| ioda::read(&self.regs, table, pe.index()) & FROZEN == 0;
        let all = (directions.mmio || runs(TableId::PestA)) && (directions.dma || runs(TableId::PestB));
        if all {
            // First: from the last store on the bridge may write another one.
            self.tables.clear_record(&self.ram, pe);
        }
        if directions.mmio {
            ioda::write(&self.regs, TableId::PestA, pe.index(), 0);
            self.frozen.mmio.clear(pe.index());
        }
        if directions.dma {
            ioda::write(&self.regs, TableId::PestB, pe.index(), 0);
            self.frozen.dma.clear(pe.index());
        }
        ioda::alive(&self.regs)?;
        if all {
            self.faults.thawed(pe);
        } else if directions.dma {
            self.faults.leave_to_eeh(pe);
        }
        self.go_on();
        Ok(())
    }

    fn freeze_set(&mut self, pe: PeNumber, directions: Directions) -> Outcome {
        self.usable()?;
        if directions.mmio {
            ioda::write(&self.regs, TableId::PestA, pe.index(), FROZEN);
        }
        if directions.dma {
            ioda::write(&self.regs, TableId::PestB, pe.index(), FROZEN);
        }
        ioda::alive(&self.regs)?;
        if directions.mmio {
            self.frozen.mmio.mark(pe.index());
        }
        if directions.dma {
            self.frozen.dma.mark(pe.index());
        }
        self.faults.leave_to_eeh(pe);
        self.go_on();
        Ok(())
    }

    fn next_error(&mut self) -> NextError {
        let found = self.find_error();
        // What is there has been told now.
        self.error_pending = false;
        found
    }
}

impl<I: Mmio, R: Ram> HostBridge<I, R> {
    fn find_error(&mut self) -> NextError {
        match self.health {
            Health::Broken => return NextError::Phb(Trouble::Dead),
            // The OS reset it and polls.
            Health::Resetting => return NextError::Nothing,
            Health::Working | Health::Blocked => {}
        }
        if ioda::alive(&self.regs).is_err() {
            return NextError::Phb(Trouble::Fenced);
        }
        // A fault that nobody saw yet may be a record's.
        if self.faults.is_used() && self.look().is_err() {
            return NextError::Phb(Trouble::Fenced);
        }
        for word_at in (0..usize::from(self.limits.count()) / 64).rev() {
            let word = ioda::read(&self.regs, TableId::Peev, word_at) & !self.faults.ours(word_at);
            if word != 0 {
                let pe = word_at as u64 * 64 + u64::from(word.leading_zeros());
                return self.limits.pe(pe).map_or(NextError::Nothing, NextError::Pe);
            }
        }
        match self.frozen.mmio.first().or(self.frozen.dma.first()) {
            Some(pe) => self.limits.pe(pe as u64).map_or(NextError::Nothing, NextError::Pe),
            None => {
                self.unmask();
                NextError::Nothing
            }
        }
    }

    #[cold]
    fn directions(&self, pe: PeNumber) -> Freeze {
        let mmio = ioda::read(&self.regs, TableId::PestA, pe.index()) & FROZEN != 0;
        let dma = ioda::read(&self.regs, TableId::PestB, pe.index()) & FROZEN != 0;
        match (mmio, dma) {
            (false, false) => Freeze::None,
            (true, false) => Freeze::Mmio,
            (false, true) => Freeze::Dma,
            (true, true) => Freeze::Both,
        }
    }

    #[inline(always)]
    fn is_software_frozen(&self, pe: PeNumber) -> bool {
        self.frozen.mmio.has(pe.index()) || self.frozen.dma.has(pe.index())
    }

    /// Lets every PE run that is frozen.
    pub(super) fn clear_freezes(&mut self) {
        for word_at in 0..usize::from(self.limits.count()) / 64 {
            let mut word = ioda::read(&self.regs, TableId::Peev, word_at);
            while word != 0 {
                let bit = word.leading_zeros() as usize;
                word &= !(1 << (63 - bit));
                self.clear_pest(word_at * 64 + bit);
            }
            ioda::write(&self.regs, TableId::Peev, word_at, 0);
        }
        for pe in self.frozen.mmio.take().chain(self.frozen.dma.take()) {
            self.clear_pest(pe);
        }
    }

    /// Clears what errors a bridge shows (§11.3), through the window or through the back door. `root`: in the root
    /// port too, which a PHB3's back door doesn't reach.
    #[inline(never)]
    pub(super) fn clear_errors(&self, window: &dyn Mmio, root: bool) {
        let fir = regs4::LEM_FIR.read(window);
        match self.ioda {
            Ioda::Three => {
                clear_root_port(
                    |at| regs4::root_get(window, at),
                    |at, value| regs4::root_set(window, at, value),
                );
                clear_group(window, regs4::PBL_ERRORS);
                clear_group(window, regs4::REGB_ERRORS);
            }
            Ioda::Two => {
                if root {
                    clear_root_port(|at| self.root_get(at), |at, value| self.root_set(at, value));
                }
                for status in [regs3::AGENT_STATUS, regs3::PORT_STATUS, regs3::ROOT_STATUS] {
                    status.write(window, status.read(window));
                }
            }
        }
        for group in self.generation.errors {
            clear_group(window, group.base);
        }
        regs4::LEM_FIR_AND.write(window, !fir);
        regs4::LEM_WOF.write(window, 0);
        regs4::LEM_ERROR_MASK.write(window, self.generation.lem_mask);
    }

    /// Where its error groups begin.
    pub(super) fn error_groups(&self) -> impl Iterator<Item = u64> {
        let core: &[u64] = if self.ioda == Ioda::Three { &[PBL_ERRORS, REGB_ERRORS] } else { &[] };
        core.iter().copied().chain(self.generation.errors.iter().map(|group| group.base))
    }

    fn clear_pest(&self, pe: usize) {
        if let Ok(pe) = self.limits.pe(pe as u64) {
            self.thaw(pe);
        }
    }
}

/// Clears what one error group shows.
pub(super) fn clear_group(window: &dyn Mmio, base: u64) {
    let status = window.read64(base + regs4::group::STATUS);
    window.write64(base + regs4::group::STATUS, status);
    for at in [regs4::group::FIRST, regs4::group::LOG0, regs4::group::LOG1] {
        window.write64(base + at, 0);
    }
}

/// Root port: status of the secondary side, of the device, AER.
fn clear_root_port(read: impl Fn(u16) -> u32, write: impl Fn(u16, u32)) {
    for (at, keep, ones) in [
        (0x1c, 0x00ff_ffff, 0xff00_0000),
        (0x50, 0xfff0_ffff, 0x000f_0000),
        (0x104, 0, u32::MAX),
        (0x110, 0, u32::MAX),
        (0x130, 0, u32::MAX),
    ] {
        let old = if keep == 0 { 0 } else { read(at) };
        write(at, old & keep | ones);
    }
}
