//! Resets of the bridge's slot: state machines that the OS drives with PCI_POLL, so that no call waits.
//! `reference/phb-dma-windows.md` §10.

use super::bridge::{Health, HostBridge, Options};
use super::regs4::{DLP_ERR_COUNTERS, DLP_TRAIN_CTL, Reg, TrainCtl, group};
use super::{ioda, windows};
use crate::arch;
use crate::error::{Error, Result, why};
use crate::hw::fault::Outcome;
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::iommu::{Bridge, Kill};

/// How a slot is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The bridge too; what the OS configured is replayed.
    Complete,
    /// PERST.
    Fundamental,
    /// Through the link.
    Hot,
}

/// What a step says of the rest of its machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Done.
    Done,
    /// Ask again after this many milliseconds, at least 1.
    Wait(u32),
}

/// Where the slot's state machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Step {
    #[default]
    Idle,
    HotAsserted,
    HotReleased,
    PerstAsserted,
    Drain {
        polls: u16,
        firs: (u64, u64),
    },
    ResetReleased,
    /// Something answers?
    Detect {
        polls: u16,
    },
    Train {
        polls: u16,
    },
    Settle,
}

/// The state machine of a slot.
#[derive(Clone, Copy, Debug, Default)]
pub struct SlotState {
    step: Step,
    /// Timebase at which the next step may be made.
    due: u64,
    /// Whether the link is given a second chance.
    retried: bool,
}

const HOT_MS: u32 = 1000;
const PERST_MS: u32 = 250;
const DETECT_MS: u32 = 10;
const DETECT_POLLS: u16 = 100;
const TRAIN_POLLS: u16 = 200;
const DRAIN_MS: u32 = 100;
const DRAIN_POLLS: u16 = 500;
const SETTLE_MS: u32 = 1000;

/// Root port config space.
const AER_CORRECTABLE: u16 = 0x110;
const AER_CORRECTABLE_MASK: u16 = 0x114;
const RECEIVER_ERROR: u32 = 1;
const BRIDGE_CONTROL: u16 = 0x3c;
const SECONDARY_RESET: u32 = 1 << 22;
const LINK_CONTROL: u16 = 0x58;
const LINK_DISABLE: u32 = 1 << 4;
const BUSES: u16 = 0x18;

/// What OPAL asks about resets.
pub trait SlotReset {
    /// Puts all tables back to how they start: every window, PE and MSI of the bridge.
    ///
    /// # Errors
    /// `Hardware` when the bridge is fenced, broken or in reset; nothing has changed then.
    fn reset_tables(&mut self) -> Outcome;
    /// Starts a reset of the bridge's slot.
    ///
    /// # Errors
    /// `Hardware` when the bridge is broken.
    fn start_reset(&mut self, scope: Scope) -> Result<Progress>;
    /// Goes on with it.
    ///
    /// # Errors
    /// `Hardware` when nothing is under way, or when it failed.
    fn poll_reset(&mut self) -> Result<Progress>;
    /// Starts the link for the first time. `patient` is for machines whose links need time; elsewhere one that isn't up
    /// at once has nothing at its other end.
    ///
    /// # Errors
    /// `Hardware` when the bridge is fenced or broken.
    fn start_link(&mut self, patient: bool) -> Result<Progress>;
    /// Whether the slot holds something.
    ///
    /// # Errors
    /// `Hardware` when the bridge is fenced or broken.
    fn is_present(&self) -> Result<bool>;
    /// Whether the link carries data.
    fn is_link_up(&self) -> bool;
}

impl<I: Mmio, R: Ram> SlotReset for HostBridge<I, R> {
    fn reset_tables(&mut self) -> Outcome {
        self.usable()?;
        ioda::alive(&self.regs)?;
        let generation = self.generation;
        let mbt_words = self.mbt.len();
        let default_source = &|_| generation.source_word;
        let default_mbt = &|index| windows::default_mbt_word(generation, index, mbt_words);
        let default_mdt = &|segment| windows::default_mdt_word(generation, segment);
        // Hardware first, with the windows before anything that they may refer to. Until the last kill is done the
        // shadow, RTT and PELT-V are as before, so that a failure can be undone.
        self.tvt.write_open(&self.regs, |_| 0);
        self.mist.write_changed(&self.regs, default_source);
        self.mbt.write_changed(&self.regs, default_mbt);
        self.mdt.write_changed(&self.regs, default_mdt);
        self.write_options(Options::DEFAULT);
        if let Err(fault) = self.invalidate(Kill::All) {
            self.write_options(self.options);
            for table in [&self.mist, &self.mbt, &self.mdt] {
                table.write_changed(&self.regs, &|index| table.get(index));
            }
            self.tvt.write_open(&self.regs, |tve| tve);
            return Err(fault);
        }
        self.tvt.close();
        self.mist.restart(default_source);
        self.mbt.restart(default_mbt);
        self.mdt.restart(default_mdt);
        self.ivt.reset(&self.regs, &self.ram);
        self.set_options(Options::DEFAULT);
        self.tables.reset(&self.ram);
        self.clear_freezes();
        self.faults.reset();
        self.forget_requesters();
        Ok(())
    }

    fn start_reset(&mut self, scope: Scope) -> Result<Progress> {
        if self.health == Health::Broken {
            return Err(Error::Hardware(why("PHB broken")));
        }
        if self.health == Health::Resetting {
            return Err(Error::Busy);
        }
        self.slot.retried = false;
        match scope {
            // It would leave PERST asserted.
            Scope::Hot if self.slot.step != Step::PerstAsserted => {
                ioda::alive(&self.regs)?;
                self.take_link_down();
                self.root_change(BRIDGE_CONTROL, 0, SECONDARY_RESET);
                self.next(Step::HotAsserted, HOT_MS)
            }
            Scope::Hot | Scope::Fundamental => {
                ioda::alive(&self.regs)?;
                self.take_link_down();
                self.root_change(LINK_CONTROL, 0, LINK_DISABLE);
                self.set_perst(true);
                self.next(Step::PerstAsserted, PERST_MS)
            }
            Scope::Complete => {
                let result = self.start_complete();
                self.give_up_on_error(result)
            }
        }
    }

    fn poll_reset(&mut self) -> Result<Progress> {
        if self.slot.step == Step::Idle {
            return Err(Error::Hardware(why("no reset under way")));
        }
        let left = self.slot.due.wrapping_sub(arch::timebase());
        if left as i64 > 0 {
            return Ok(Progress::Wait(milliseconds(left)));
        }
        self.advance()
    }

    fn start_link(&mut self, patient: bool) -> Result<Progress> {
        self.usable()?;
        self.slot.retried = false;
        self.set_perst(false);
        self.root_change(LINK_CONTROL, LINK_DISABLE, 0);
        if self.train_state().link_active() {
            // It was up before: nothing trains, nothing has to settle.
            return self.finish();
        }
        if !patient {
            return self.finish();
        }
        self.next(Step::Detect { polls: 0 }, DETECT_MS)
    }

    fn is_present(&self) -> Result<bool> {
        self.usable()?;
        ioda::alive(&self.regs)?;
        let link = &self.generation.link;
        Ok(link.hotplug.read(&self.regs) & link.empty != link.empty)
    }

    fn is_link_up(&self) -> bool {
        self.answers() && self.train_state().link_active()
    }
}

impl<I: Mmio, R: Ram> HostBridge<I, R> {
    fn next(&mut self, step: Step, ms: u32) -> Result<Progress> {
        self.slot.step = step;
        self.slot.due = arch::timebase().wrapping_add(u64::from(ms) * (arch::TIMEBASE_HZ / 1000));
        Ok(Progress::Wait(ms))
    }

    fn give_up_on_error(&mut self, result: Result<Progress>) -> Result<Progress> {
        if result.is_err() {
            self.set_health(Health::Broken);
            self.slot.step = Step::Idle;
        }
        result
    }

    fn advance(&mut self) -> Result<Progress> {
        match self.slot.step {
            Step::Idle => Err(Error::Hardware(why("no reset under way"))),
            Step::HotAsserted => {
                self.clear_link_errors();
                self.root_change(BRIDGE_CONTROL, SECONDARY_RESET, 0);
                self.next(Step::HotReleased, HOT_MS)
            }
            Step::HotReleased => {
                self.hold_detect(false);
                self.detect(0)
            }
            Step::PerstAsserted => {
                self.clear_link_errors();
                self.set_perst(false);
                self.root_change(LINK_CONTROL, LINK_DISABLE, 0);
                // A hot reset may have been under way.
                self.root_change(BRIDGE_CONTROL, SECONDARY_RESET, 0);
                self.hold_detect(false);
                self.detect(0)
            }
            Step::Drain { polls, firs } => {
                let result = self.drain(polls, firs);
                self.give_up_on_error(result)
            }
            Step::ResetReleased => {
                self.set_health(Health::Blocked);
                let result = self.initialise().and_then(|()| {
                    // `initialise` asserts PERST; it lasts from here.
                    self.take_link_down();
                    self.root_change(LINK_CONTROL, 0, LINK_DISABLE);
                    self.next(Step::PerstAsserted, PERST_MS)
                });
                self.give_up_on_error(result)
            }
            Step::Detect { polls } => self.detect(polls),
            Step::Train { polls } => self.train(polls),
            Step::Settle => self.finish(),
        }
    }

    /// Waits until something answers; an empty slot is a success.
    fn detect(&mut self, polls: u16) -> Result<Progress> {
        let state = self.train_state();
        if state.link_active() || state.present() {
            return self.train(0);
        }
        if polls >= DETECT_POLLS {
            return self.finish();
        }
        self.next(Step::Detect { polls: polls + 1 }, DETECT_MS)
    }

    fn train(&mut self, polls: u16) -> Result<Progress> {
        if self.train_state().link_active() {
            return self.next(Step::Settle, SETTLE_MS);
        }
        if polls < TRAIN_POLLS {
            return self.next(Step::Train { polls: polls + 1 }, DETECT_MS);
        }
        if self.slot.retried {
            self.finish()?;
            return Err(Error::Hardware(why("link doesn't train")));
        }
        self.slot.retried = true;
        self.set_perst(true);
        self.next(Step::PerstAsserted, PERST_MS)
    }

    fn finish(&mut self) -> Result<Progress> {
        self.slot.step = Step::Idle;
        ioda::alive(&self.regs)?;
        self.bring_link_up();
        self.set_health(Health::Working);
        Ok(Progress::Done)
    }

    fn start_complete(&mut self) -> Result<Progress> {
        if ioda::alive(&self.regs).is_ok() {
            self.take_link_down();
            self.stack.fence()?;
        }
        self.set_health(Health::Resetting);
        // The tables that say who is frozen are lost; what the bridge wrote of it must not outlive them.
        self.faults.all_thawed();
        self.error_pending = false;
        self.ram.zero(self.tables.pest, self.tables.pest_size());
        let door = self.stack.back_door();
        self.write_perst(&door, true);
        self.clear_errors(&door, false);
        self.stack.assert_reset()?;
        let firs = self.stack.firs()?;
        self.next(Step::Drain { polls: 0, firs }, DETECT_MS)
    }

    fn drain(&mut self, polls: u16, firs: (u64, u64)) -> Result<Progress> {
        if !self.stack.is_drained()? {
            if polls >= DRAIN_POLLS {
                return Err(Error::Hardware(why("PHB transactions don't end")));
            }
            return self.next(Step::Drain { polls: polls + 1, firs }, DRAIN_MS);
        }
        self.stack.clear_firs(firs)?;
        self.stack.release_reset()?;
        let again = self.stack.firs()?;
        self.stack.clear_firs(again)?;
        self.next(Step::ResetReleased, self.generation.link.settle_ms)
    }

    fn set_perst(&self, asserted: bool) {
        self.write_perst(&self.regs, asserted);
    }

    fn write_perst(&self, window: &(impl Mmio + ?Sized), asserted: bool) {
        let link = &self.generation.link;
        let others = link.reset.read(window) & !link.perst_n;
        link.reset.write(window, if asserted { others } else { others | link.perst_n });
    }

    fn train_state(&self) -> TrainCtl {
        self.generation.link.train.read(&self.regs)
    }

    fn hold_detect(&self, on: bool) {
        if self.generation.hold_detect {
            let mut control = DLP_TRAIN_CTL.read(&self.regs);
            control.set_hold_detect(on);
            DLP_TRAIN_CTL.write(&self.regs, control);
        }
    }

    /// Keeps errors of a link that goes down on purpose from being reported.
    fn take_link_down(&mut self) {
        self.set_health(Health::Blocked);
        self.hold_detect(true);
        self.root_change(AER_CORRECTABLE_MASK, 0, RECEIVER_ERROR);
        let [_, down] = self.generation.link.up_down;
        self.write_all(down);
    }

    fn bring_link_up(&mut self) {
        self.root_set(AER_CORRECTABLE, RECEIVER_ERROR);
        self.root_change(AER_CORRECTABLE_MASK, RECEIVER_ERROR, 0);
        let [up, _] = self.generation.link.up_down;
        self.write_all(up);
        // A reset of the link loses the numbers.
        self.root_set(BUSES, 0x00ff_0100);
    }

    /// Writes registers in turn.
    pub(super) fn write_all(&self, registers: &[(u64, u64)]) {
        for &(offset, value) in registers {
            self.regs.write64(offset, value);
        }
    }

    fn clear_link_errors(&self) {
        let Some(base) = self.generation.link.errors else { return };
        let status: Reg<u64> = Reg::at(base + group::STATUS);
        let seen = status.read(&self.regs);
        status.write(&self.regs, seen);
        self.regs.write64(base + group::FIRST, 0);
        DLP_ERR_COUNTERS.write(&self.regs, 0);
    }
}

/// Timebase ticks in milliseconds, rounded up: a wait is never told as over before it is.
pub(super) fn milliseconds(ticks: u64) -> u32 {
    let per = arch::TIMEBASE_HZ / 1000;
    u32::try_from(ticks.div_ceil(per)).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn the_rest_of_a_millisecond_is_told_as_a_whole_one() {
        assert_eq!([0, 1, 511_999, 512_000, 512_001].map(milliseconds), [1, 1, 1, 1, 2]);
    }
}
