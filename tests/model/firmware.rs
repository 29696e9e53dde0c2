//! A whole firmware on models, and the OS's way to call it.

use super::{lpc, ram::ModelRam};
use opalite::firmware::Firmware;
use opalite::hw::lpc::Lpc;
use opalite::hw::mmio::Mmio;
use opalite::hw::thread::Thread;
use opalite::hw::uart::{self, Uart};
use opalite::interrupts::NoXive;
use opalite::mem::MemoryMap;
use opalite::opal::dispatch;
use opalite::services::{Parts, Services, events};
use opalite::units::{Isn, Pir};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// End of RAM, which starts at 0.
pub const RAM_END: u64 = 0x8000_0000;
/// Where firmware's region starts; it ends with RAM.
pub const FIRMWARE: u64 = 0x7f00_0000;
/// Number of the PSI bridge's first interrupt.
pub const PSI_BASE: u32 = 0xffff0;

/// A second hardware thread as firmware sees it.
#[derive(Debug, Default)]
pub struct ModelThread {
    /// It waits in firmware.
    pub waiting: AtomicBool,
    /// It was sent to that address.
    pub started_at: AtomicU64,
    /// It doesn't leave when told to.
    pub stuck: AtomicBool,
    /// It is inside a call.
    pub in_call: AtomicBool,
}

impl Thread for ModelThread {
    fn waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed)
    }
    fn start(&self, address: u64) {
        assert!(self.waiting(), "started a thread that doesn't wait");
        self.started_at.store(address, Ordering::Relaxed);
        self.waiting.store(self.stuck.load(Ordering::Relaxed), Ordering::Relaxed);
    }
    fn come_back(&self) {
        self.waiting.store(true, Ordering::Relaxed);
    }
    fn in_call(&self) -> bool {
        self.in_call.load(Ordering::Relaxed)
    }
}

/// A machine with 2 GiB, one chip, an LPC bus and threads 0 (boots), 1, 2 and 4 (wait in firmware). A test that needs
/// an interrupt controller or bridges puts them into `firmware`.
pub struct Machine {
    pub firmware: Firmware,
    pub ram: ModelRam,
    pub lpc: lpc::Lpc,
    pub threads: [&'static ModelThread; 3],
}

impl Machine {
    /// The machine as the kernel finds it.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// The same after `change` to its LPC bus.
    pub fn with(change: impl FnOnce(&lpc::Lpc)) -> Self {
        let bus = lpc::Lpc::new(lpc::Routing::SerIrq);
        change(&bus);
        Self::behind(bus.clone(), Box::leak(Box::new(bus)))
    }

    /// The same with something between the driver and the bus.
    pub fn behind(lpc: lpc::Lpc, window: &'static dyn Mmio) -> Self {
        let ram = ModelRam::new(0, RAM_END);
        let bus = Lpc::new(window);
        let uart = Uart::probe(bus, uart::COM1).map(|uart| &*Box::leak(Box::new(uart)));
        bus.init_interrupts();
        let threads = [(); 3].map(|()| {
            let thread: &'static ModelThread = Box::leak(Box::default());
            thread.waiting.store(true, Ordering::Relaxed);
            thread
        });
        let boot: &'static ModelThread = Box::leak(Box::default());
        let [one, two, four] = threads;
        let services = Services::new(Parts {
            lpc: Some(bus),
            uart,
            sources: events::psi_sources(Isn(PSI_BASE)).collect(),
            threads: vec![(Pir(4), four), (Pir(0), boot), (Pir(1), one), (Pir(2), two)],
            boot_thread: Some(Pir(0)),
            ..Parts::default()
        });
        services.hand_over();
        let memory = MemoryMap::new(std::iter::once(0..RAM_END).collect(), FIRMWARE..RAM_END);
        let firmware = Firmware {
            memory,
            ram: Box::leak(Box::new(ram.clone())),
            interrupts: &NoXive,
            phbs: &[],
            dma: opalite::services::dma::Dma::default(),
            services,
        };
        Self { firmware, ram, lpc, threads }
    }

    /// Calls OPAL as the OS does: registers beyond the arguments hold garbage.
    pub fn call(&self, token: u64, arguments: &[u64]) -> i64 {
        let mut registers = [0xdead_beef_0bad_cafe; 7];
        registers[..arguments.len()].copy_from_slice(arguments);
        dispatch::call(&self.firmware, token, &opalite::opal::args::Args(registers), false)
    }
}
