//! Register model of the PSI host bridge of P9 and POWER10: its registers, and fourteen level-sensitive sources with an ESB
//! page each.
//!
//! Written from the project's platform reference (3.5, 6.1, 6.5) alone. Stricter than QEMU: unknown registers,
//! an unaligned IVT_OFFSET, a base moved while valid or 64 KiB ESB pages on P9 fail the test.

#![allow(dead_code)]

use opalite::hw::mmio::Mmio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// XSCOM address of P9's first register.
pub const P9_SCOM_BASE: u64 = 0x501_2900;
/// Where P9's registers answer after reset, on chip 0.
pub const P9_MMIO_BASE: u64 = 0x0006_0302_0300_0000;
/// XSCOM address of POWER10's first register.
pub const P10_SCOM_BASE: u64 = 0x301_1D00;
/// Where POWER10's registers answer after reset, on chip 0; chips are `1 << 44` apart.
pub const P10_MMIO_BASE: u64 = 0x0006_0302_0300_0000;
/// Number of interrupt sources.
pub const SOURCES: usize = 14;

const VALID: u64 = 1;
/// b1 of ESB_CI_BASE, POWER10 only.
const ESB_64K: u64 = 1 << 62;
const BAR_SIZE: u64 = 0x10_0000;
const CR: u64 = 0x20;
const SEMR: u64 = 0x28;
const INTERRUPT_CONTROL: u64 = 0x58;
const ESB_CI_BASE: u64 = 0x60;
const ESB_NOTIF_ADDR: u64 = 0x68;
const IVT_OFFSET: u64 = 0x70;
const LEVEL: u64 = 0x78;
const STATUS: u64 = 0x80;

/// An event that goes to the XIVE: where it is stored, and the source's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub address: u64,
    pub lisn: u32,
}

/// A recorded store: to a register (`offset` as by MMIO) or to an ESB page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    Register { offset: u64, value: u64 },
    Esb { source: usize, offset: u64, value: u64 },
}

type Sink = Arc<Mutex<dyn FnMut(Event) + Send>>;

/// The model; clones share one state.
#[derive(Clone)]
pub struct Psi {
    state: Arc<Mutex<State>>,
}

struct State {
    scom_base: u64,
    bar: u64,
    store_eoi: bool,
    interrupt_control: u64,
    esb_base: u64,
    notify: u64,
    ivt_offset: u64,
    pq: [u8; SOURCES],
    level: [bool; SOURCES],
    writes: Vec<Write>,
    events: Vec<Event>,
    lost: Vec<u32>,
    sink: Option<Sink>,
}

/// Real addresses from a base on.
#[derive(Clone)]
pub struct Window {
    psi: Psi,
    base: u64,
}

/// The chip's XSCOM space as far as this unit goes: offset = PCBA × 8.
#[derive(Clone)]
pub struct Scom(Psi);

impl Psi {
    /// P9's bridge on chip 0 after reset.
    pub fn new() -> Self {
        Self::at(P9_SCOM_BASE, P9_MMIO_BASE)
    }

    /// POWER10's bridge on chip 0 after reset: 64 KiB ESB pages when ESB_CI_BASE asks for them.
    pub fn power10() -> Self {
        Self::at(P10_SCOM_BASE, P10_MMIO_BASE)
    }

    /// A bridge with other addresses; which generation it is, its XSCOM address says.
    pub fn at(scom_base: u64, mmio_base: u64) -> Self {
        let state = State {
            scom_base,
            bar: mmio_base | VALID,
            store_eoi: false,
            interrupt_control: 0,
            esb_base: 0,
            notify: 0,
            ivt_offset: 0,
            pq: [0; SOURCES],
            level: [false; SOURCES],
            writes: Vec::new(),
            events: Vec::new(),
            lost: Vec::new(),
            sink: None,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `act` with the state, then hands the events it made to the closure, outside the lock.
    fn run<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let (result, events, sink) = {
            let mut state = self.state();
            let before = state.events.len();
            let result = act(&mut state);
            (result, state.events[before..].to_vec(), state.sink.clone())
        };
        if let Some(sink) = sink {
            for event in events {
                sink.lock().unwrap_or_else(PoisonError::into_inner)(event);
            }
        }
        result
    }

    /// What happens with an event; a test gives it to the XIVE model's notify page.
    pub fn on_event(&self, sink: impl FnMut(Event) + Send + 'static) {
        self.state().sink = Some(Arc::new(Mutex::new(sink)));
    }

    /// Real addresses from `base` on.
    pub fn window(&self, base: u64) -> Window {
        Window { psi: self.clone(), base }
    }

    /// The registers by XSCOM, as a window with offset = PCBA × 8.
    pub fn scom(&self) -> Scom {
        Scom(self.clone())
    }

    /// Loads an XSCOM register.
    pub fn scom_read(&self, pcba: u64) -> u64 {
        let state = self.state();
        match pcba.wrapping_sub(state.scom_base) {
            0xA => state.bar,
            register => state.register(scom_offset(pcba, register)),
        }
    }

    /// Stores to an XSCOM register.
    pub fn scom_write(&self, pcba: u64, value: u64) {
        self.run(|state| match pcba.wrapping_sub(state.scom_base) {
            0xA => {
                state.writes.push(Write::Register { offset: 0, value });
                assert_eq!((value & !VALID) % BAR_SIZE, 0, "PSI: BAR {value:#x} is not aligned to its 1 MiB");
                state.bar = value;
            }
            register => state.set_register(scom_offset(pcba, register), value),
        });
    }

    /// Raises or lowers the line of a source.
    pub fn set_input(&self, source: usize, level: bool) {
        self.run(|state| {
            // b0 of INTERRUPT_CONTROL: not in ESB mode, inputs are ignored.
            if state.interrupt_control >> 63 != 0 {
                return;
            }
            state.level[source] = level;
            if level {
                state.assert_line(source);
            }
        });
    }

    /// PQ bits of a source, without touching anything.
    pub fn pq(&self, source: usize) -> u8 {
        self.state().pq[source]
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Event> {
        self.state().events.clone()
    }

    /// Sources whose event had nowhere to go: the notify address was not valid.
    pub fn lost(&self) -> Vec<u32> {
        self.state().lost.clone()
    }

    /// All stores so far, in order; the BAR's register is offset 0.
    pub fn writes(&self) -> Vec<Write> {
        self.state().writes.clone()
    }

    /// Machine reset: registers cleared, ESB window gone, PQ bits 00; the BAR and the lines stay.
    pub fn machine_reset(&self) {
        let mut state = self.state();
        state.store_eoi = false;
        state.interrupt_control = 0;
        state.esb_base = 0;
        state.notify = 0;
        state.ivt_offset = 0;
        state.pq = [0; SOURCES];
    }

    fn load(&self, address: u64, size: u32) -> u64 {
        assert_eq!(size, 8, "PSI: {size}-byte load at {address:#x}");
        self.run(|state| match state.decode(address) {
            Target::Register(offset) => state.register(offset),
            Target::Esb(source, offset) => state.esb_load(source, offset),
        })
    }

    fn store(&self, address: u64, size: u32, value: u64) {
        assert_eq!(size, 8, "PSI: {size}-byte store at {address:#x}");
        self.run(|state| match state.decode(address) {
            Target::Register(offset) => state.set_register(offset, value),
            Target::Esb(source, offset) => state.esb_store(source, offset, value),
        });
    }
}

impl Default for Psi {
    fn default() -> Self {
        Self::new()
    }
}

fn scom_offset(pcba: u64, register: u64) -> u64 {
    assert!((0xB..0x100).contains(&register), "PSI: unknown SCOM register {pcba:#x}");
    (register - 0xA) * 8
}

enum Target {
    Register(u64),
    Esb(usize, u64),
}

impl State {
    /// log2 of an ESB page.
    fn esb_shift(&self) -> u32 {
        if self.esb_base & ESB_64K != 0 { 16 } else { 12 }
    }

    fn decode(&self, address: u64) -> Target {
        assert_eq!(address % 8, 0, "PSI: unaligned access at {address:#x}");
        let in_bar = address.checked_sub(self.bar & !VALID).filter(|&offset| offset < BAR_SIZE);
        if let Some(offset) = in_bar.filter(|_| self.bar & VALID != 0) {
            return Target::Register(offset);
        }
        let base = self.esb_base & !(VALID | ESB_64K);
        if self.esb_base & VALID != 0 && address >= base {
            let (offset, shift) = (address - base, self.esb_shift());
            if offset >> shift < SOURCES as u64 {
                return Target::Esb((offset >> shift) as usize, offset & ((1 << shift) - 1));
            }
        }
        panic!("PSI: nothing answers at {address:#x}: machine check");
    }

    fn register(&self, offset: u64) -> u64 {
        match offset {
            CR => 0,
            INTERRUPT_CONTROL => self.interrupt_control,
            ESB_CI_BASE => self.esb_base,
            ESB_NOTIF_ADDR => self.notify,
            IVT_OFFSET => self.ivt_offset,
            LEVEL | STATUS => u64::MAX,
            _ => panic!("PSI: load from unknown register {offset:#x}"),
        }
    }

    fn set_register(&mut self, offset: u64, value: u64) {
        self.writes.push(Write::Register { offset, value });
        match offset {
            CR => self.store_eoi = value >> 51 & 1 != 0,
            SEMR => {}
            INTERRUPT_CONTROL => self.interrupt_control = value,
            ESB_CI_BASE => {
                assert!(
                    self.esb_base & value & VALID == 0 || self.esb_base == value,
                    "PSI: ESB_CI_BASE moved to {value:#x} while valid: only 0 to 1 of the valid bit maps it"
                );
                assert!(
                    value & ESB_64K == 0 || self.scom_base == P10_SCOM_BASE,
                    "PSI: ESB_CI_BASE {value:#x} asks P9 for 64 KiB pages"
                );
                self.esb_base = value;
                let base = value & !(VALID | ESB_64K);
                let page = 1_u64 << self.esb_shift();
                assert!(
                    base.is_multiple_of(page) && base >> 56 == 0,
                    "PSI: ESB_CI_BASE {value:#x} is not the address of a page"
                );
            }
            ESB_NOTIF_ADDR => self.notify = value,
            IVT_OFFSET => {
                assert_eq!(
                    value & 0xF_FFFF_FFFF,
                    0,
                    "PSI: IVT_OFFSET {value:#x} is not a multiple of 16 in b0:31"
                );
                self.ivt_offset = value;
            }
            _ => panic!("PSI: store of {value:#x} to unknown register {offset:#x}"),
        }
    }

    fn notify(&mut self, source: usize) {
        let lisn = (self.ivt_offset >> 32) as u32 | source as u32;
        if self.notify & VALID == 0 {
            return self.lost.push(lisn);
        }
        self.events.push(Event { address: self.notify & !VALID, lisn });
    }

    /// A line that is up sends an event when its PQ bits are ready, and none while one is pending.
    fn assert_line(&mut self, source: usize) {
        if self.pq[source] == 0b00 {
            self.pq[source] = 0b10;
            self.notify(source);
        }
    }

    /// Returns 1 if a new event was sent: one was queued, or the line is still up.
    fn eoi(&mut self, source: usize) -> u64 {
        match self.pq[source] {
            0b11 => {
                self.pq[source] = 0b10;
                self.notify(source);
                1
            }
            0b01 => 0,
            _ => {
                self.pq[source] = 0b00;
                if self.level[source] {
                    self.assert_line(source);
                }
                u64::from(self.level[source])
            }
        }
    }

    fn esb_load(&mut self, source: usize, offset: u64) -> u64 {
        let old = u64::from(self.pq[source]);
        match offset {
            0x000..=0x7FF => return self.eoi(source),
            0x800 => {}
            0xC00 | 0xD00 | 0xE00 | 0xF00 => self.pq[source] = (offset >> 8 & 3) as u8,
            _ => panic!("PSI: load from {offset:#x} of source {source}'s ESB page"),
        }
        old
    }

    fn esb_store(&mut self, source: usize, offset: u64, value: u64) {
        self.writes.push(Write::Esb { source, offset, value });
        match offset {
            0x000..=0x3FF => match self.pq[source] {
                0b00 => self.assert_line(source),
                0b10 => self.pq[source] = 0b11,
                _ => {}
            },
            0x400..=0x7FF => {
                assert!(self.store_eoi, "PSI: store-EOI of source {source} while CR has it off");
                self.eoi(source);
            }
            0x800 => self.notify(source),
            0xC00 | 0xD00 | 0xE00 | 0xF00 => self.pq[source] = (offset >> 8 & 3) as u8,
            _ => panic!("PSI: store to {offset:#x} of source {source}'s ESB page"),
        }
    }
}

macro_rules! accesses {
    ($self:ident, $offset:ident, $load:expr, $store:expr) => {
        fn read8(&$self, $offset: u64) -> u8 { $load(1) as u8 }
        fn read16(&$self, $offset: u64) -> u16 { $load(2) as u16 }
        fn read32(&$self, $offset: u64) -> u32 { $load(4) as u32 }
        fn read64(&$self, $offset: u64) -> u64 { $load(8) }
        fn write8(&$self, $offset: u64, value: u8) { $store(1, u64::from(value)) }
        fn write16(&$self, $offset: u64, value: u16) { $store(2, u64::from(value)) }
        fn write32(&$self, $offset: u64, value: u32) { $store(4, u64::from(value)) }
        fn write64(&$self, $offset: u64, value: u64) { $store(8, value) }
    };
}

impl Mmio for Window {
    accesses!(self, offset, |size| self.psi.load(self.base + offset, size), |size, value| self.psi.store(
        self.base + offset,
        size,
        value
    ));
}

impl Mmio for Scom {
    accesses!(
        self,
        offset,
        |size| {
            assert!(size == 8 && offset.is_multiple_of(8), "XSCOM: {size}-byte load: machine check");
            self.0.scom_read(offset >> 3)
        },
        |size, value| {
            assert!(size == 8 && offset.is_multiple_of(8), "XSCOM: {size}-byte store: machine check");
            self.0.scom_write(offset >> 3, value)
        }
    );
}
