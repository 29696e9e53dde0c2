//! What the DMA-window engine asks of a bridge: TVEs, kills, freezing; and what OPAL asks about windows.
//!
//! Kills follow `reference/phb-dma-windows.md` §8.2. A page kill can be lost (erratum HW560152), so there is none:
//! the smallest is a PE.

use super::bridge::{Health, HostBridge};
use super::generation::Ioda;
use super::ioda::{self, TableId};
use super::regs4::{CTRLR, DMA_SYNC, DmaSync, FENCED, Q_DMA_R, Reg, TCE_KILL, TceKill, Word};
use crate::error::{Error, Result, why};
use crate::hw::fault::{Fault, Outcome};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::iommu::tve::Tve;
use crate::iommu::{self, Bridge, Kill, PeNumber, Select, Slot, Stopped, WindowIndex};
use crate::sync::wait_until;

/// The longest that one step of a kill may take: above any PCIe completion timeout that is configured here.
const KILL_STEP_US: u64 = 100_000;

/// The longest that a bridge without DMA may take to say so.
const WRITE_SYNC_US: u64 = 100;

/// Settings of a whole bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhbOption {
    /// TVE 1 takes what is at or above 4 GiB instead of what has bit 59.
    Tve1At4GiB,
    /// Loads and stores don't freeze a PE.
    MmioEehDisable,
}

/// What OPAL asks about DMA windows.
pub trait DmaWindows {
    /// Opens a window onto a table, or replaces what it was.
    ///
    /// # Errors
    /// When the bridge doesn't answer, or when the window isn't on its side of 4 GiB; nothing has changed then.
    fn set_table(&mut self, slot: Slot, tve: Tve) -> Outcome;
    /// Opens a window that doesn't translate, or replaces what it was. `bit59`: the OS's bus addresses have that bit.
    ///
    /// # Errors
    /// As for tables.
    fn set_bypass(&mut self, slot: Slot, tve: Tve, bit59: bool) -> Outcome;
    /// Closes a window.
    ///
    /// # Errors
    /// When the bridge doesn't answer; nothing has changed then.
    fn unset_window(&mut self, slot: Slot) -> Outcome;
    /// What a slot holds: the shadow, which a reset replays.
    fn window(&self, slot: Slot) -> Tve;
    /// Drops cached translations.
    ///
    /// # Errors
    /// When the bridge doesn't answer.
    fn kill(&mut self, kill: Kill) -> Outcome;
    /// Changes a setting.
    ///
    /// # Errors
    /// `Unsupported` when the bridge doesn't have it, `WrongState` when a live window would move or lose a part,
    /// `Hardware` when the bridge doesn't answer.
    fn set_option(&mut self, option: PhbOption, on: bool) -> Result;
    /// A setting.
    ///
    /// # Errors
    /// `Unsupported` when the bridge doesn't have it.
    fn option(&self, option: PhbOption) -> Result<bool>;
    /// The first open window whose TVE is at or after that place of the TVT.
    fn next_window(&self, from: usize) -> Option<(Slot, Tve)>;
    /// Whether it can be used.
    fn health(&self) -> Health;
    /// Whether a window, the way of selecting them or the bridge's health may have changed since this was asked last.
    fn take_changed(&mut self) -> bool;
    /// Closes both windows of a slot's PE and chooses where windows 1 begin. `must`: a choice that other PEs' windows
    /// forbid is an error; else it isn't made then.
    ///
    /// # Errors
    /// `WrongState` when a live window of another PE would move or lose a part, `Hardware` when the bridge doesn't answer;
    /// nothing has changed then.
    fn reset_pe(&mut self, slot: Slot, four_gib: bool, must: bool) -> Result;
}

impl<I: Mmio, R: Ram> Bridge for HostBridge<I, R> {
    #[inline(always)]
    fn select(&self) -> Select {
        self.options.select
    }

    #[inline(always)]
    fn tve(&self, slot: Slot) -> Tve {
        Tve::from_bits(self.tvt.get(slot.tve_index()))
    }

    #[inline(always)]
    fn write_tve(&mut self, slot: Slot, tve: Tve) {
        self.tvt.put(&self.regs, slot.tve_index(), tve.bits());
    }

    #[cold]
    fn restore_tve(&mut self, slot: Slot, tve: Tve) {
        self.tvt.set(slot.tve_index(), tve.bits());
        self.tvt.mark_changed();
        ioda::write(&self.regs, TableId::Tvt, slot.tve_index(), tve.bits());
    }

    #[inline(always)]
    fn try_forget(&mut self, pe: PeNumber) -> bool {
        // A fenced bridge answers all ones, which says that the queue is full or that the kill runs.
        self.try_kill(pe) && Q_DMA_R.read(&self.regs).busy() == 0
    }

    #[inline(always)]
    fn try_invalidate(&mut self, pe: PeNumber) -> bool {
        self.try_kill(pe) && self.try_sync()
    }

    #[cold]
    fn invalidate(&mut self, kill: Kill) -> Outcome {
        self.wait_longer(self.kill_gate, Fault::KillQueue, |kill| kill.pending() == 0)?;
        self.start_kill(kill);
        DMA_SYNC.write(&self.regs, self.sync_start);
        self.wait_for_kill()
    }

    fn stop_dma(&mut self, pe: PeNumber) -> Outcome<Option<Stopped>> {
        let [mmio_ran, dma_ran] = [TableId::PestA, TableId::PestB]
            .map(|table| ioda::read(&self.regs, table, pe.index()) & FROZEN == 0);
        if dma_ran {
            ioda::write(&self.regs, TableId::PestB, pe.index(), FROZEN);
        }
        ioda::alive(&self.regs).map(|()| dma_ran.then_some(Stopped { mmio_ran }))
    }

    fn resume_dma(&mut self, pe: PeNumber, stopped: Stopped) -> Outcome {
        ioda::write(&self.regs, TableId::PestB, pe.index(), 0);
        // An error freezes both. This way round none slips in between.
        if stopped.mmio_ran && ioda::read(&self.regs, TableId::PestA, pe.index()) & FROZEN != 0 {
            ioda::write(&self.regs, TableId::PestB, pe.index(), FROZEN);
        }
        ioda::alive(&self.regs)
    }
}

/// What starts the wait for DMA that began before a kill, and what says that it ended.
pub(super) fn sync_words(writes: bool) -> (DmaSync, DmaSync) {
    let (mut start, mut done) = (DmaSync::default(), DmaSync::default());
    start.set_start_read(true);
    start.set_start_write(writes);
    done.set_read_done(true);
    done.set_write_done(writes);
    (start, done)
}

/// The one bit of a PESTA or PESTB entry that is on the chip.
pub(super) const FROZEN: u64 = 1 << 63;

impl<I: Mmio, R: Ram> HostBridge<I, R> {
    /// Finds out whether writes can be waited for besides reads: QEMU's PHB5 never says that its writes are done.
    pub(super) fn find_write_sync(&mut self) {
        if !self.generation.write_sync {
            return;
        }
        let (start, done) = sync_words(true);
        DMA_SYNC.write(&self.regs, start);
        if wait_until(WRITE_SYNC_US, || DMA_SYNC.read(&self.regs).bits() & done.bits() == done.bits()) {
            (self.sync_start, self.sync_done) = (start, done);
        }
    }

    /// The queue takes a kill.
    #[inline(always)]
    pub(super) fn start_kill(&self, kill: Kill) {
        let mut value = TceKill::default();
        match kill {
            Kill::All => value.set_all(true),
            Kill::Pe(pe) => {
                value.set_one_pe(true);
                value.set_pe(pe.as_u16());
            }
        }
        TCE_KILL.write(&self.regs, value);
    }

    /// Starts a kill of a PE if the queue takes one. The OS's stores to TCEs come before: every access of a register
    /// orders them.
    #[inline(always)]
    fn try_kill(&self, pe: PeNumber) -> bool {
        let free = self.kill_gate.read(&self.regs).pending() == 0;
        if free {
            self.start_kill(Kill::Pe(pe));
        }
        free
    }

    /// After a kill was started: starts the wait for DMA that uses what is dropped, and tells whether all has ended.
    #[inline(always)]
    fn try_sync(&self) -> bool {
        DMA_SYNC.write(&self.regs, self.sync_start);
        let done = self.sync_done.bits();
        Q_DMA_R.read(&self.regs).busy() == 0 && DMA_SYNC.read(&self.regs).bits() & done == done
    }

    /// The rest of a kill that takes longer.
    #[cold]
    fn wait_for_kill(&self) -> Outcome {
        let done = self.sync_done.bits();
        self.wait_longer(Q_DMA_R, Fault::Kill, |quiesce| !quiesce.kill_running())?;
        self.wait_longer(DMA_SYNC, Fault::DmaSync, |sync| sync.bits() & done == done)
    }

    /// Opens a window on a bridge that isn't in its usual state.
    #[cold]
    #[inline(never)]
    fn set_on_its_side(&mut self, slot: Slot, tve: Tve) -> Outcome {
        self.usable()?;
        if !tve.fits(self.options.select, slot.index()) {
            return Err(Fault::OtherSide);
        }
        iommu::window::set(self, slot, tve)
    }

    /// The same for a bypass window. In the 4 GiB mode no bus address has bit 59.
    #[cold]
    #[inline(never)]
    fn set_bypass_without_bit59(&mut self, slot: Slot, tve: Tve, bit59: bool) -> Outcome {
        self.usable()?;
        if bit59 { Err(Fault::OtherSide) } else { self.set_on_its_side(slot, tve) }
    }

    /// Whether windows 1 may begin elsewhere, whatever the windows of `except` are.
    fn may_select(&self, to: Select, except: Option<PeNumber>) -> Result {
        let windows = self.tvt.words().enumerate().map(|(index, word)| {
            let side = if index.is_multiple_of(2) { WindowIndex::Zero } else { WindowIndex::One };
            let left_out = except.is_some_and(|pe| pe.index() == index / 2);
            (side, if left_out { Tve::CLOSED } else { Tve::from_bits(word) })
        });
        iommu::window::may_select(to, windows)
    }

    #[cold]
    fn wait_longer<T: Word>(&self, register: Reg<T>, what: Fault, done: impl Fn(T) -> bool) -> Outcome {
        let mut value = FENCED;
        let in_time = wait_until(KILL_STEP_US, || {
            value = register.read(&self.regs).bits();
            value == FENCED || done(T::from_bits(value))
        });
        match value {
            FENCED => Err(Fault::Fenced),
            _ if in_time => Ok(()),
            _ => Err(what),
        }
    }
}

impl<I: Mmio, R: Ram> DmaWindows for HostBridge<I, R> {
    fn set_table(&mut self, slot: Slot, tve: Tve) -> Outcome {
        if !self.plain {
            return self.set_on_its_side(slot, tve);
        }
        iommu::window::set(self, slot, tve)
    }

    fn set_bypass(&mut self, slot: Slot, tve: Tve, bit59: bool) -> Outcome {
        if !self.plain {
            return self.set_bypass_without_bit59(slot, tve, bit59);
        }
        if bit59 != (slot.index() == WindowIndex::One) {
            return Err(Fault::OtherSide);
        }
        iommu::window::set(self, slot, tve)
    }

    fn unset_window(&mut self, slot: Slot) -> Outcome {
        self.usable()?;
        iommu::window::unset(self, slot)
    }

    fn window(&self, slot: Slot) -> Tve {
        self.tve(slot)
    }

    fn kill(&mut self, kill: Kill) -> Outcome {
        self.usable()?;
        match kill {
            Kill::Pe(pe) if self.try_kill(pe) => {
                if self.try_sync() {
                    return Ok(());
                }
                self.wait_for_kill()
            }
            kill => self.invalidate(kill),
        }
    }

    fn set_option(&mut self, option: PhbOption, on: bool) -> Result {
        if self.option(option)? == on {
            return Ok(());
        }
        self.usable()?;
        let mut new = self.options;
        match option {
            PhbOption::Tve1At4GiB => {
                new.select = if on { Select::FourGiB } else { Select::Bit59 };
                self.may_select(new.select, None)?;
            }
            PhbOption::MmioEehDisable => new.mmio_eeh_disable = on,
        }
        CTRLR.write(&self.regs, new.control(self.control));
        ioda::alive(&self.regs)?;
        self.set_options(new);
        Ok(())
    }

    fn option(&self, option: PhbOption) -> Result<bool> {
        match option {
            _ if self.ioda == Ioda::Two => Err(Error::Unsupported(why("PHB option"))),
            PhbOption::Tve1At4GiB => Ok(self.options.select == Select::FourGiB),
            PhbOption::MmioEehDisable => Ok(self.options.mmio_eeh_disable),
        }
    }

    fn next_window(&self, from: usize) -> Option<(Slot, Tve)> {
        let (index, word) = self.tvt.next_open(from)?;
        Some((Slot::of_tve(self.limits, index)?, Tve::from_bits(word)))
    }

    fn health(&self) -> Health {
        self.health
    }

    fn take_changed(&mut self) -> bool {
        self.tvt.take_changed()
    }

    fn reset_pe(&mut self, slot: Slot, four_gib: bool, must: bool) -> Result {
        self.usable()?;
        let slots = [slot, slot.sibling()];
        let old = slots.map(|slot| self.tve(slot));
        let select = if four_gib { Select::FourGiB } else { Select::Bit59 };
        // Looked at before anything is closed.
        let may = match select == self.options.select {
            true => Ok(()),
            false => {
                self.option(PhbOption::Tve1At4GiB).and_then(|_| self.may_select(select, Some(slot.pe())))
            }
        };
        if must {
            may?;
        }
        iommu::window::unset_both(self, slots)?;
        if may.is_ok()
            && select != self.options.select
            && let Err(error) = self.set_option(PhbOption::Tve1At4GiB, four_gib)
        {
            iommu::window::reopen(self, slots, old);
            return Err(error);
        }
        Ok(())
    }
}
