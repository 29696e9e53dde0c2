//! Register model of the LPC bus: OPB window, OPB master, host controller, and the ISA devices of chip 0.
//!
//! Written from the project's platform reference (3.2, 3.3, 8) alone. Stricter than QEMU: an unknown register,
//! a 2- or 8-byte access, a 4-byte access to a byte device and a step of the BT handshake out of order fail
//! the test. Left out: flash writes, HIOMAP, SEL and sensors, the ADU side door.

#![allow(dead_code)]

#[path = "lpc/bt.rs"]
mod bt;
#[path = "lpc/eccb.rs"]
mod eccb;
#[path = "lpc/rtc.rs"]
mod rtc;
#[path = "lpc/uart.rs"]
mod uart;

use opalite::hw::mmio::Mmio;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use bt::Chassis;
pub use eccb::Eccb;
pub use rtc::Time;

/// Where P9's window of chip 0 lies in real addresses; OPB address = offset.
pub const P9_MMIO_BASE: u64 = 0x0006_0300_0000_0000;

const OPB_MASTER: u64 = 0xC001_0000;
const HOST_CONTROLLER: u64 = 0xC001_2000;
const ISA_IO: u64 = 0xD001_0000;
const FIRMWARE_SPACE: u64 = 0xF000_0000;
const FLASH_BYTES: u64 = 128 << 20;

const ROUTE0: u64 = 0x08;
const ROUTE1: u64 = 0x0C;
const OPB_IRQ_STAT: u64 = 0x50;
const OPB_IRQ_MASK: u64 = 0x54;
const OPB_IRQ_POL: u64 = 0x58;
const OPB_IRQ_INPUT: u64 = 0x5C;
/// The LPC host controller's bit in the OPB master's interrupt registers.
const OPB_LPC: u32 = 0x800;

const FW_SEG_IDSEL: u64 = 0x24;
const FW_RD_ACC_SIZE: u64 = 0x28;
const IRQSER_CTRL: u64 = 0x30;
const IRQMASK: u64 = 0x34;
const IRQSTAT: u64 = 0x38;
const ERROR_ADDRESS: u64 = 0x40;
const IRQSER_ENABLE: u32 = 0x8000_0000;
const IRQSER_AUTO_CLEAR: u32 = 0x0080_0000;
const NO_RESPONSE: u32 = 0x40;
const ERRORS: u32 = 0x7FF;

/// PSI input of the host controller's own errors.
const PSI_LPC: u8 = 3;
/// PSI input of P8's CPLD.
const PSI_EXTERNAL: u8 = 5;
/// PSI input of SerIRQ route 0.
const PSI_ROUTE0: u8 = 7;

/// How ISA interrupts reach the PSI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// P9 and P10: by the route registers to inputs 7–10.
    SerIrq,
    /// P8: all OR-ed to input 5.
    Cpld,
}

/// A recorded store, by OPB address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    pub address: u64,
    pub size: u32,
    pub value: u32,
}

type Sink = Arc<Mutex<dyn FnMut(u8, bool) + Send>>;

/// The model and its window: offset = OPB address. Clones share one state.
#[derive(Clone)]
pub struct Lpc(Arc<Mutex<State>>);

struct State {
    routing: Routing,
    uart: Option<uart::Uart>,
    bt: Option<bt::Bt>,
    rtc: rtc::Rtc,
    other_lines: u16,
    opb: BTreeMap<u64, u32>,
    hc: BTreeMap<u64, u32>,
    flash: Vec<u8>,
    psi: BTreeMap<u8, bool>,
    changes: Vec<(u8, bool)>,
    sink: Option<Sink>,
    writes: Vec<Write>,
    accesses: u64,
}

impl Lpc {
    /// The bus out of reset with UART, RTC and BMC.
    pub fn new(routing: Routing) -> Self {
        Self(Arc::new(Mutex::new(State {
            routing,
            uart: Some(uart::Uart::default()),
            bt: Some(bt::Bt::default()),
            rtc: rtc::Rtc::default(),
            other_lines: 0,
            opb: BTreeMap::new(),
            hc: BTreeMap::from([(FW_RD_ACC_SIZE, 0x0200_0000)]),
            flash: Vec::new(),
            psi: BTreeMap::new(),
            changes: Vec::new(),
            sink: None,
            writes: Vec::new(),
            accesses: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `act`, then tells the closure which PSI inputs changed, outside the lock.
    fn run<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let (result, changes, sink) = {
            let mut state = self.state();
            let result = act(&mut state);
            state.route();
            (result, std::mem::take(&mut state.changes), state.sink.clone())
        };
        if let Some(sink) = sink {
            for (input, level) in changes {
                sink.lock().unwrap_or_else(PoisonError::into_inner)(input, level);
            }
        }
        result
    }

    /// What happens when a PSI input changes its level.
    pub fn on_psi_input(&self, sink: impl FnMut(u8, bool) + Send + 'static) {
        self.state().sink = Some(Arc::new(Mutex::new(sink)));
    }

    /// Level of a PSI input.
    pub fn psi_input(&self, input: u8) -> bool {
        self.state().psi.get(&input).copied().unwrap_or(false)
    }

    /// Takes the UART away, as QEMU does with `-nodefaults`.
    pub fn remove_uart(&self) {
        self.run(|state| state.uart = None);
    }

    /// Takes BMC and BT interface away.
    pub fn remove_bmc(&self) {
        self.run(|state| state.bt = None);
    }

    /// What lies at the start of the flash; the rest reads 0xFF.
    pub fn set_flash(&self, bytes: &[u8]) {
        self.state().flash = bytes.to_vec();
    }

    /// Reports an error as the host controller's own (a bit of 0x7FF in IRQSTAT).
    pub fn raise_error(&self, bit: u32) {
        assert!(bit & !ERRORS == 0);
        self.run(|state| *state.hc.entry(IRQSTAT).or_default() |= bit);
    }

    /// Raises or lowers an ISA interrupt that none of the modelled devices drives.
    pub fn set_line(&self, irq: u32, level: bool) {
        self.run(|state| {
            let bit = 1 << irq;
            state.other_lines = state.other_lines & !bit | if level { bit } else { 0 };
        });
    }

    /// All stores so far, in order.
    pub fn writes(&self) -> Vec<Write> {
        self.state().writes.clone()
    }

    /// Number of accesses so far.
    pub fn accesses(&self) -> u64 {
        self.state().accesses
    }

    /// Types on the console.
    pub fn type_in(&self, bytes: &[u8]) {
        self.run(|state| state.with_uart(|uart| uart.receive(bytes)));
    }

    /// What the UART sent.
    pub fn output(&self) -> Vec<u8> {
        self.run(|state| state.with_uart(|uart| uart.output.clone()))
    }

    /// After a byte, THRE stays low for this many reads of LSR (0 at first).
    pub fn set_transmit_delay(&self, reads: u32) {
        self.run(|state| state.with_uart(|uart| uart.delay = reads));
    }

    /// Divisor latch and line control register.
    pub fn uart_settings(&self) -> (u16, u8) {
        self.run(|state| state.with_uart(|uart| (uart.divisor(), uart.lcr)))
    }

    /// Sets the clock.
    pub fn set_time(&self, time: Time) {
        self.state().rtc.time = time;
    }

    /// Reads the clock without touching it.
    pub fn time(&self) -> Time {
        self.state().rtc.time
    }

    /// Register A shows an update in progress for the next `reads` reads; the second is over afterwards.
    pub fn start_clock_update(&self, reads: u32) {
        self.state().rtc.updating = reads;
    }

    /// The clock moves on by a second after `reads` more reads of time registers.
    pub fn tick_after(&self, reads: u32) {
        self.state().rtc.tick_after = Some(reads);
    }

    /// The BMC needs this many reads of the control register to answer (0 at first).
    pub fn set_bmc_delay(&self, reads: u32) {
        self.run(|state| state.with_bt(|bt| bt.delay = reads));
    }

    /// The BMC answers this command with these bytes: completion code, data.
    pub fn set_answer(&self, netfn: u8, command: u8, answer: &[u8]) {
        self.run(|state| state.with_bt(|bt| bt.bmc.answers.insert((netfn, command), answer.to_vec())));
    }

    /// The BMC reports an event of 16 bytes and raises SMS_ATN.
    pub fn post_event(&self, event: [u8; 16]) {
        self.run(|state| state.with_bt(|bt| bt.post_event(event)));
    }

    /// The BMC asks for a soft power-off, as QEMU's `system_powerdown` makes it.
    pub fn ask_soft_power_off(&self) {
        self.post_event([1, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0x3A, 0x04, 0x00, 0xFF, 0xFF, 0xFF]);
    }

    /// What the chassis was told to do.
    pub fn chassis(&self) -> Vec<Chassis> {
        self.run(|state| state.with_bt(|bt| bt.bmc.chassis.clone()))
    }

    /// Requests that the BMC got: netfn, command, data.
    pub fn bmc_requests(&self) -> Vec<(u8, u8, Vec<u8>)> {
        self.run(|state| state.with_bt(|bt| bt.bmc.requests.clone()))
    }

    /// P8's way to the bus: the ECCB's XSCOM registers.
    pub fn eccb(&self) -> Eccb {
        Eccb::new(self.clone())
    }

    fn load(&self, address: u64, size: u32) -> u32 {
        assert!(size == 1 || size == 4, "LPC: {size}-byte load at {address:#x}");
        self.run(|state| state.load(address, size)).unwrap_or(0)
    }

    fn store(&self, address: u64, size: u32, value: u32) {
        assert!(size == 1 || size == 4, "LPC: {size}-byte store at {address:#x}");
        self.run(|state| state.store(address, size, value));
    }
}

/// What lies at an OPB address.
enum Target {
    Opb(u64),
    Hc(u64),
    Uart(u64),
    Rtc(u64),
    Bt(u64),
    Flash(u64),
    Hole,
}

impl State {
    fn with_uart<T>(&mut self, act: impl FnOnce(&mut uart::Uart) -> T) -> T {
        act(self.uart.as_mut().expect("LPC: no UART"))
    }

    fn with_bt<T>(&mut self, act: impl FnOnce(&mut bt::Bt) -> T) -> T {
        act(self.bt.as_mut().expect("LPC: no BMC"))
    }

    fn reg(&self, hc: bool, offset: u64) -> u32 {
        if hc { &self.hc } else { &self.opb }.get(&offset).copied().unwrap_or(0)
    }

    fn decode(&self, address: u64, size: u32) -> Target {
        assert!(address.is_multiple_of(size.into()), "LPC: unaligned {size}-byte access at {address:#x}");
        let target = match address {
            0xC001_0000..=0xC001_005F => Target::Opb(address - OPB_MASTER),
            0xC001_2000..=0xC001_20FF => Target::Hc(address - HOST_CONTROLLER),
            0xD001_0000..=0xD001_FFFF => match address - ISA_IO {
                port @ 0x3F8..=0x3FF if self.uart.is_some() => Target::Uart(port - 0x3F8),
                port @ 0x70..=0x71 => Target::Rtc(port - 0x70),
                port @ 0xE4..=0xE6 if self.bt.is_some() => Target::Bt(port - 0xE4),
                _ => Target::Hole,
            },
            FIRMWARE_SPACE..=0xFFFF_FFFF => {
                let flash = address - FIRMWARE_SPACE;
                let here = self.reg(true, FW_SEG_IDSEL) & 0xF == 0 && flash < FLASH_BYTES;
                if here { Target::Flash(flash) } else { Target::Hole }
            }
            _ => Target::Hole,
        };
        match target {
            Target::Opb(_) | Target::Hc(_) => assert_eq!(size, 4, "LPC: {size}-byte access at {address:#x}"),
            Target::Uart(_) | Target::Rtc(_) | Target::Bt(_) => {
                assert_eq!(size, 1, "LPC: {size}-byte access to the byte device at {address:#x}");
            }
            Target::Flash(_) | Target::Hole => {}
        }
        target
    }

    /// None for a hole, which leaves its error bit.
    fn load(&mut self, address: u64, size: u32) -> Option<u32> {
        self.accesses += 1;
        Some(match self.decode(address, size) {
            Target::Opb(offset) => match offset {
                ROUTE0 | ROUTE1 | OPB_IRQ_STAT | OPB_IRQ_MASK | OPB_IRQ_POL => self.reg(false, offset),
                OPB_IRQ_INPUT => self.opb_input(),
                _ => panic!("LPC: load from unknown OPB master register {offset:#x}"),
            },
            Target::Hc(offset) => match offset {
                FW_SEG_IDSEL | FW_RD_ACC_SIZE | IRQSER_CTRL | IRQMASK | IRQSTAT => self.reg(true, offset),
                ERROR_ADDRESS => 0,
                _ => panic!("LPC: load from unknown HC register {offset:#x}"),
            },
            Target::Uart(register) => self.with_uart(|uart| uart.load(register)).into(),
            Target::Rtc(port) => self.rtc.load(port).into(),
            Target::Bt(port) => self.with_bt(|bt| bt.load(port)).into(),
            Target::Flash(offset) => (0..u64::from(size)).fold(0, |value, n| {
                value << 8 | u32::from(self.flash.get((offset + n) as usize).copied().unwrap_or(0xFF))
            }),
            Target::Hole => {
                *self.hc.entry(IRQSTAT).or_default() |= NO_RESPONSE;
                return None;
            }
        })
    }

    /// False for a hole.
    fn store(&mut self, address: u64, size: u32, value: u32) -> bool {
        self.accesses += 1;
        self.writes.push(Write { address, size, value });
        match self.decode(address, size) {
            Target::Opb(offset) => match offset {
                ROUTE0 | ROUTE1 | OPB_IRQ_MASK | OPB_IRQ_POL => drop(self.opb.insert(offset, value)),
                OPB_IRQ_STAT => *self.opb.entry(offset).or_default() &= !value,
                _ => panic!("LPC: store of {value:#x} to OPB master register {offset:#x}"),
            },
            Target::Hc(offset) => match offset {
                FW_SEG_IDSEL | FW_RD_ACC_SIZE | IRQSER_CTRL | IRQMASK => drop(self.hc.insert(offset, value)),
                IRQSTAT => *self.hc.entry(offset).or_default() &= !value,
                _ => panic!("LPC: store of {value:#x} to HC register {offset:#x}"),
            },
            Target::Uart(register) => self.with_uart(|uart| uart.store(register, value as u8)),
            Target::Rtc(port) => self.rtc.store(port, value as u8),
            Target::Bt(port) => self.with_bt(|bt| bt.store(port, value as u8)),
            Target::Flash(offset) => panic!("LPC model: store to the flash at {offset:#x}"),
            Target::Hole => {
                *self.hc.entry(IRQSTAT).or_default() |= NO_RESPONSE;
                return false;
            }
        }
        true
    }

    /// Interrupt lines of the ISA devices: bit n = IRQ n.
    fn lines(&self) -> u16 {
        let uart = self.uart.as_ref().is_some_and(uart::Uart::interrupt);
        let bt = self.bt.as_ref().is_some_and(bt::Bt::interrupt);
        self.other_lines | u16::from(uart) << 4 | u16::from(bt) << 10
    }

    fn opb_input(&self) -> u32 {
        let errors = self.reg(true, IRQSTAT) & self.reg(true, IRQMASK) & ERRORS;
        if errors != 0 { OPB_LPC } else { 0 }
    }

    /// Brings status registers and PSI inputs up to date with the lines.
    fn route(&mut self) {
        let lines = self.lines();
        let mut wanted = BTreeMap::new();
        if self.routing == Routing::Cpld {
            wanted.insert(PSI_EXTERNAL, lines != 0);
        } else {
            let control = self.reg(true, IRQSER_CTRL);
            let mut status = self.reg(true, IRQSTAT);
            if control & IRQSER_ENABLE != 0 {
                let up =
                    (0..16).filter(|n| lines >> n & 1 != 0).fold(0, |bits, n| bits | 0x8000_0000_u32 >> n);
                status = up | if control & IRQSER_AUTO_CLEAR != 0 { status & 0xFFFF } else { status };
            }
            self.hc.insert(IRQSTAT, status);
            let active = if control & IRQSER_ENABLE != 0 { status & self.reg(true, IRQMASK) } else { 0 };
            for n in 0..16 {
                let level = active & (0x8000_0000 >> n) != 0;
                *wanted.entry(PSI_ROUTE0 + self.route_of(n)).or_insert(false) |= level;
            }
            for input in PSI_ROUTE0..PSI_ROUTE0 + 4 {
                wanted.entry(input).or_insert(false);
            }
        }
        let latched = self.reg(false, OPB_IRQ_STAT) | self.opb_input();
        self.opb.insert(OPB_IRQ_STAT, latched);
        wanted.insert(PSI_LPC, latched & self.reg(false, OPB_IRQ_MASK) != 0);
        for (input, level) in wanted {
            if self.psi.insert(input, level).unwrap_or(false) != level {
                self.changes.push((input, level));
            }
        }
    }

    fn route_of(&self, irq: u32) -> u8 {
        let route = match irq {
            0..=13 => self.reg(false, ROUTE1) >> (26 - 2 * irq),
            14 => self.reg(false, ROUTE0) >> 22,
            _ => self.reg(false, ROUTE0) >> 20,
        };
        (route & 3) as u8
    }
}

impl Mmio for Lpc {
    fn read8(&self, offset: u64) -> u8 {
        self.load(offset, 1) as u8
    }
    fn read16(&self, offset: u64) -> u16 {
        self.load(offset, 2) as u16
    }
    fn read32(&self, offset: u64) -> u32 {
        self.load(offset, 4)
    }
    fn read64(&self, offset: u64) -> u64 {
        self.load(offset, 8).into()
    }
    fn write8(&self, offset: u64, value: u8) {
        self.store(offset, 1, value.into());
    }
    fn write16(&self, offset: u64, value: u16) {
        self.store(offset, 2, value.into());
    }
    fn write32(&self, offset: u64, value: u32) {
        self.store(offset, 4, value);
    }
    fn write64(&self, offset: u64, value: u64) {
        self.store(offset, 8, value as u32);
    }
}
