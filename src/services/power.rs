//! Power off, reboot, and the BMC's wish to do so: IPMI over BT.

use super::events::Events;
use super::messages::{Message, Messages};
use super::patient;
use crate::error::{Error, Result, why};
use crate::hw::bt::{Answer, Bt};
use crate::sync::Lock;

/// Network functions and commands of IPMI 2.0.
const CHASSIS: u8 = 0x00;
const CHASSIS_CONTROL: u8 = 0x02;
const APP: u8 = 0x06;
const SET_GLOBAL_ENABLES: u8 = 0x2e;
const READ_EVENT_BUFFER: u8 = 0x35;

/// Event message buffer, its interrupt, and the log.
const ENABLES: u8 = 0x0e;

/// The BMC's own kind of event: record type, network function and command of its power notification.
const OEM_RECORD: u8 = 0xc0;
const OEM_NETFN: u8 = 0x3a;
const OEM_POWER: u8 = 0x04;

/// How long another thread's request may take, in microseconds.
const PATIENCE: u64 = 3_000_000;
/// Events that one interrupt takes at most.
const EVENTS: usize = 8;

/// What chassis control can do (IPMI 2.0 §28.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chassis {
    /// Power off.
    Off = 0,
    /// Power off, wait, power on.
    Cycle = 2,
    /// Reset.
    HardReset = 3,
}

/// Power control.
#[derive(Debug)]
pub struct Power {
    bt: Option<Bt>,
    lock: Lock<()>,
}

impl Power {
    /// Power control through that interface.
    pub const fn new(bt: Option<Bt>) -> Self {
        Self { bt, lock: Lock::new(()) }
    }

    /// The OS is about to start: the BMC may send events and interrupt.
    pub fn hand_over(&self) {
        let Some(bt) = &self.bt else { return };
        if let Err(error) = self.request(APP, SET_GLOBAL_ENABLES, &[ENABLES]) {
            log::warn!("BMC: no events: {error}");
        }
        bt.acknowledge();
        bt.enable_interrupt();
    }

    /// Powers off. The machine may take a moment.
    ///
    /// # Errors
    /// `Unsupported` without a BMC, `Timeout` or `Hardware` when it doesn't answer or refuses.
    pub fn off(&self) -> Result {
        self.control(Chassis::Off)
    }

    /// Restarts the machine: a power cycle, or a hard reset where the BMC knows none.
    ///
    /// # Errors
    /// As [`Self::off`].
    pub fn reboot(&self) -> Result {
        match self.control(Chassis::Cycle) {
            Err(Error::Hardware(_)) => self.control(Chassis::HardReset),
            other => other,
        }
    }

    /// Looks for an event of the BMC's. Does nothing while somebody else talks to it.
    #[inline]
    pub fn poll(&self, messages: &Messages, events: &Events) {
        if let Some(bt) = &self.bt
            && bt.attention()
        {
            self.take_events(bt, messages, events);
        }
    }

    #[cold]
    fn take_events(&self, bt: &Bt, messages: &Messages, events: &Events) {
        let Some(_guard) = self.lock.try_lock() else { return };
        for _ in 0..EVENTS {
            if !bt.attention() {
                return;
            }
            bt.clear_attention();
            match bt.request(APP, READ_EVENT_BUFFER, &[]) {
                Ok(answer) => take_event(&answer, messages, events),
                Err(error) => log::warn!("BMC: event lost: {error}"),
            }
            // The answer raised the interrupt, as the event did. Withdrawn before the next look no event is lost.
            bt.acknowledge();
        }
    }

    /// The BT interface interrupts.
    pub fn interrupt(&self, messages: &Messages, events: &Events) {
        if let Some(bt) = &self.bt {
            bt.acknowledge();
        }
        self.poll(messages, events);
    }

    fn control(&self, what: Chassis) -> Result {
        let answer = self.request(CHASSIS, CHASSIS_CONTROL, &[what as u8])?;
        if answer.completion == 0 {
            Ok(())
        } else {
            Err(Error::Hardware(why("BMC: chassis control refused")))
        }
    }

    /// A holder of the lock that doesn't let go was interrupted on this thread, by a machine check whose handler
    /// reboots: its request is lost either way, so ours goes ahead.
    fn request(&self, netfn: u8, command: u8, data: &[u8]) -> Result<Answer> {
        let bt = self.bt.as_ref().ok_or(Error::Unsupported(why("no BMC")))?;
        let _guard = patient(&self.lock, PATIENCE);
        let answer = bt.request(netfn, command, data);
        bt.acknowledge();
        answer
    }
}

/// A system event record: type in byte 2; network function, command and data of an OEM one from byte 10.
fn take_event(answer: &Answer, messages: &Messages, events: &Events) {
    if answer.completion != 0 {
        return;
    }
    let &[_, _, OEM_RECORD, _, _, _, _, _, _, _, OEM_NETFN, OEM_POWER, what, ..] = answer.data() else {
        return;
    };
    let reboot = match what {
        0 => false,
        1 => true,
        _ => return,
    };
    if messages.send(&Message::shutdown(reboot), events).is_err() {
        log::warn!("BMC: shutdown request lost, the queue is full");
    }
}
