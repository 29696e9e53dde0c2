//! Ports below the root port: a switch's, or a bridge to a conventional bus. What is behind one is reset through the
//! port's bridge control; such a port has no PERST of its own, so a fundamental reset is the same.
//!
//! One such reset at a time is under way on a bridge; a second one waits, unless nobody asks for the first any more.

use super::bridge::HostBridge;
use super::config::{ConfigAccess, Register};
use super::reset::Progress;
use crate::arch;
use crate::error::{Error, Result, why};
use crate::hw::fault::Outcome;
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::units::Bdfn;

const BRIDGE_CONTROL: u16 = 0x3e;
const SECONDARY_RESET: u32 = 1 << 6;
/// In the PCI Express capability: flags, slot status.
const FLAGS: u16 = 2;
const SLOT_IMPLEMENTED: u32 = 1 << 8;
const SLOT_STATUS: u16 = 0x1a;
const PRESENT: u32 = 1 << 6;

const RESET_MS: u32 = 1000;
/// After which a step is nobody's: the kernel that began it may be gone.
const ABANDONED: u64 = 10 * arch::TIMEBASE_HZ;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Step {
    #[default]
    Idle,
    Asserted(Bdfn),
    Released(Bdfn),
}

/// The state machine of the port that is being reset.
#[derive(Clone, Copy, Debug, Default)]
pub struct PortState {
    step: Step,
    due: u64,
}

/// What OPAL asks about ports below the root port.
pub trait PortReset {
    /// Starts to reset what is behind a port.
    ///
    /// # Errors
    /// `Parameter` when there is no such port, `Busy` while another one is reset, `Hardware` when it isn't reachable.
    fn start_port_reset(&mut self, port: Bdfn) -> Result<Progress>;
    /// Goes on with it.
    ///
    /// # Errors
    /// `Hardware` when nothing is under way, or when the port can't be reached.
    fn poll_port_reset(&mut self, port: Bdfn) -> Result<Progress>;
    /// Whether the port's slot holds something. A port without a slot is wired to something.
    ///
    /// # Errors
    /// As for [`PortReset::start_port_reset`].
    fn is_port_occupied(&mut self, port: Bdfn) -> Result<bool>;
}

impl<I: Mmio, R: Ram> PortReset for HostBridge<I, R> {
    fn start_port_reset(&mut self, port: Bdfn) -> Result<Progress> {
        self.port_of(port)?;
        if let Step::Asserted(at) | Step::Released(at) = self.port.step {
            if (arch::timebase().wrapping_sub(self.port.due) as i64) < ABANDONED as i64 {
                return Err(Error::Busy);
            }
            // A port that can't be reached any more is no reason to leave the others alone.
            let _ = self.change_bridge_control(at, SECONDARY_RESET, 0);
        }
        self.change_bridge_control(port, 0, SECONDARY_RESET)?;
        self.port_next(Step::Asserted(port))
    }

    fn poll_port_reset(&mut self, port: Bdfn) -> Result<Progress> {
        self.port_of(port)?;
        let (Step::Asserted(at) | Step::Released(at)) = self.port.step else {
            return Err(Error::Hardware(why("no reset under way")));
        };
        if at != port {
            return Err(Error::Hardware(why("no reset under way")));
        }
        let left = self.port.due.wrapping_sub(arch::timebase());
        if left as i64 > 0 {
            return Ok(Progress::Wait(super::reset::milliseconds(left)));
        }
        if self.port.step == Step::Released(port) {
            self.port.step = Step::Idle;
            return Ok(Progress::Done);
        }
        let released = self.change_bridge_control(port, SECONDARY_RESET, 0);
        if released.is_err() {
            self.port.step = Step::Idle;
        }
        released?;
        self.port_next(Step::Released(port))
    }

    fn is_port_occupied(&mut self, port: Bdfn) -> Result<bool> {
        let express = self.port_of(port)?;
        if express == 0 || self.config_read(port, Register::half(express + FLAGS))? & SLOT_IMPLEMENTED == 0 {
            return Ok(true);
        }
        Ok(self.config_read(port, Register::half(express + SLOT_STATUS))? & PRESENT != 0)
    }
}

impl<I: Mmio, R: Ram> HostBridge<I, R> {
    /// Where the port's PCI Express capability is, or 0.
    fn port_of(&self, port: Bdfn) -> Result<u16> {
        match self.known(port) {
            Some(known) if known.is_bridge => Ok(known.express),
            _ => Err(Error::Parameter(why("slot"))),
        }
    }

    fn change_bridge_control(&mut self, port: Bdfn, clear: u32, set: u32) -> Outcome {
        let old = self.config_read(port, Register::half(BRIDGE_CONTROL))?;
        self.config_write(port, Register::half(BRIDGE_CONTROL), old & !clear | set)
    }

    fn port_next(&mut self, step: Step) -> Result<Progress> {
        self.port = PortState { step, due: arch::timebase().wrapping_add(arch::TIMEBASE_HZ) };
        Ok(Progress::Wait(RESET_MS))
    }
}
