//! What the OS gets besides PCI and interrupts: console, clock, power, NVRAM, messages, threads, events.
//!
//! A service knows typed values and its device, nothing of tokens and registers: `opal/calls` decodes.
//! Nothing here allocates after `boot` or waits without a bound.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod clock;
pub mod console;
pub mod cpus;
pub mod dma;
pub mod events;
pub mod messages;
pub mod nvram;
pub mod power;
pub mod quiesce;
pub mod view;

use crate::error::{Error, Result, why};
use crate::hw::lpc::{Lpc, SerIrq};
use crate::hw::{bt::Bt, thread::Thread, uart::Uart};
use crate::sync::{Guard, Lock, wait_until};
use crate::units::{Isn, Pir};
use alloc::vec::Vec;
use core::ops::Range;
use events::{Events, Source};

/// What a machine has for the services.
#[derive(Default)]
pub struct Parts {
    /// The LPC bus with the clock and the BMC.
    pub lpc: Option<Lpc>,
    /// The console's UART: boot found it early, to be heard.
    pub uart: Option<&'static Uart>,
    /// Interrupts that firmware owns and the OS brings to HANDLE_INTERRUPT.
    pub sources: Vec<(Isn, Source)>,
    /// Each hardware thread of the machine.
    pub threads: Vec<(Pir, &'static dyn Thread)>,
    /// The thread that boots.
    pub boot_thread: Option<Pir>,
    /// Memory for the text about DMA windows; [`view::View::allocate`] takes it.
    pub view: Range<u64>,
}

/// The services; one set per machine.
pub struct Services {
    /// The event word.
    pub events: Events,
    /// OPAL console 0.
    pub console: console::Console,
    /// Time of day.
    pub clock: clock::Clock,
    /// Power and the BMC.
    pub power: power::Power,
    /// Non-volatile memory, as far as it goes.
    pub nvram: nvram::Nvram,
    /// Messages to the OS.
    pub messages: messages::Messages,
    /// The hardware threads.
    pub cpus: cpus::Cpus,
    /// Who may call.
    pub quiesce: quiesce::Quiesce,
    /// The text about DMA windows.
    pub view: view::View,
    lpc: Option<Lpc>,
}

impl Services {
    /// Finds the devices and makes what they need. At boot, once.
    pub fn new(parts: Parts) -> Self {
        let Parts { lpc, uart, sources, threads, boot_thread, view } = parts;
        Self {
            events: Events::new(sources),
            console: console::Console::new(uart),
            clock: clock::Clock::new(lpc),
            power: power::Power::new(lpc.and_then(Bt::probe)),
            nvram: nvram::Nvram::new(),
            messages: messages::Messages::new(),
            cpus: cpus::Cpus::new(threads, boot_thread),
            quiesce: quiesce::Quiesce::new(),
            view: view::View::new(view),
            lpc,
        }
    }

    /// The last step of boot: from now on devices may interrupt.
    pub fn hand_over(&self) {
        self.console.hand_over();
        self.power.hand_over();
        // Probing for a device that isn't there is an error of the bus, and nobody's news.
        self.lpc.map(Lpc::take_errors);
    }

    /// Looks at each device that may have something for the OS. Takes no lock that it would have to wait for.
    pub fn poll(&self) {
        self.console.poll(&self.events);
        self.power.poll(&self.messages, &self.events);
    }

    /// Serves the device behind an interrupt, so that its level drops. A bridge isn't served here: its id is given.
    ///
    /// # Errors
    /// `Parameter` when firmware doesn't own that interrupt.
    pub fn handle_interrupt(&self, isn: Isn) -> Result<Option<u64>> {
        match self.events.source(isn).ok_or(Error::Parameter(why("ISN")))? {
            Source::Uart => {
                self.console.interrupt(&self.events);
                self.acknowledge(SerIrq::UART);
            }
            Source::Bt => {
                self.power.interrupt(&self.messages, &self.events);
                self.acknowledge(SerIrq::BT);
            }
            Source::IsaDevices => {
                self.console.interrupt(&self.events);
                self.power.interrupt(&self.messages, &self.events);
            }
            Source::LpcErrors => {
                if let Some(errors) = self.lpc.map(Lpc::take_errors) {
                    log::warn!("LPC: host controller errors {errors:#x}");
                }
            }
            Source::PciError(bridge) => return Ok(Some(bridge)),
            Source::Nothing => {}
        }
        Ok(None)
    }

    fn acknowledge(&self, irq: SerIrq) {
        if let Some(lpc) = self.lpc {
            lpc.acknowledge(irq);
        }
    }
}

/// Takes a lock that another thread holds for a moment only. `None` after that long: then its holder was interrupted
/// on this very thread (machine check in a call) and will not go on before we return.
fn patient<T>(lock: &Lock<T>, microseconds: u64) -> Option<Guard<'_, T>> {
    let mut guard = lock.try_lock();
    if guard.is_none() {
        wait_until(microseconds, || {
            guard = lock.try_lock();
            guard.is_some()
        });
    }
    guard
}
