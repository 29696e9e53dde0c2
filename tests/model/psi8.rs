//! POWER8's PSI host bridge: six level-sensitive interrupts that go to the XICS presenters.
//!
//! Written from the platform reference (3.5) alone. Unknown registers, bits outside a field and an input that
//! is up while its XIVR is unusable (never written, or the same source as another's) fail the test. What CR and
//! SEMR do isn't documented: they are storage.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opalite::hw::mmio::Mmio;

use super::lpc::Lpc;
use super::pec::ModelScomUnit;
use super::xics::{InterruptSource, Offer, Xics};

/// XSCOM address of the first register.
pub const SCOM_BASE: u64 = 0x201_0900;
/// Where chip 0's registers answer after reset.
pub const MMIO_BASE: u64 = 0x0003_fffe_8000_0000;

const CHIP_STRIDE: u64 = 0x10_0000;
const SCOM_REGISTERS: u64 = 0x20;
const BAR_REGISTER: u64 = 0xa;
const BAR_SIZE: u64 = 0x10_0000;
const ENABLE: u64 = 1;

const CR: u64 = 0x20;
const SEMR: u64 = 0x28;
const SET_CR: u64 = 0x40;
const CLEAR_CR: u64 = 0x48;
const IRQ_STAT: u64 = 0x58;
const IRSN: u64 = 0x88;
/// XIVRs by input.
const XIVRS: [u64; 6] = [0x30, 0x60, 0x68, 0x70, 0x78, 0x80];
/// Their bits in IRQ_STAT; the FSP's isn't documented.
const STATUS: [u64; 6] = [0, 0x10_0000_0000, 0x8_0000_0000, 0x4_0000_0000, 0x2_0000_0000, 0x1_0000_0000];

const SERVER_SHIFT: u32 = 40;
const PRIORITY_SHIFT: u32 = 32;
const SOURCE_SHIFT: u32 = 29;
const XIVR_FIELDS: u64 = 0x00ff_ffff_e000_0000;
const IRSN_SHIFT: u32 = 45;
const MASKED: u8 = 0xff;

/// What can interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The FSP.
    Fsp = 0,
    /// The on-chip controller.
    Occ = 1,
    /// An FSI link.
    Fsi = 2,
    /// LPC host controller or I2C.
    LpcI2c = 3,
    /// A local error.
    LocalError = 4,
    /// The external line: on QEMU all of ISA.
    External = 5,
}

struct State {
    scom_base: u64,
    bar: u64,
    control: u64,
    semr: u64,
    irsn: u64,
    /// `None` until written: they are zero after reset, which names a server that must not be used.
    xivr: [Option<u64>; 6],
    level: [bool; 6],
    /// A presenter has it, or the processor, until its end.
    sent: [bool; 6],
    writes: Vec<(u64, u64)>,
    xics: Option<Xics>,
}

/// The bridge of one chip; clones are handles to the same one.
#[derive(Clone)]
pub struct Psi8(Arc<Mutex<State>>);

/// Real addresses from a base on.
#[derive(Clone)]
pub struct Window {
    psi: Psi8,
    base: u64,
}

impl Psi8 {
    /// A chip's bridge after reset.
    pub fn new(chip: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            scom_base: SCOM_BASE,
            bar: (MMIO_BASE + chip * CHIP_STRIDE) | ENABLE,
            control: 0,
            semr: 0,
            irsn: 0,
            xivr: [None; 6],
            level: [false; 6],
            sent: [false; 6],
            writes: Vec::new(),
            xics: None,
        })))
    }

    /// Wires it to the presenters.
    pub fn connect(&self, xics: &Xics) {
        self.state().xics = Some(xics.clone());
        xics.attach(self.clone());
    }

    /// Wires the LPC bus's interrupts, all on one line, to the external input.
    pub fn wire(&self, lpc: &Lpc) {
        let psi = self.clone();
        lpc.on_psi_input(move |input, level| {
            assert!(input == Input::External as u8, "PSI: LPC drives input {input} of POWER8's bridge");
            psi.set_input(Input::External, level);
        });
    }

    /// Real addresses from `base` on.
    pub fn window(&self, base: u64) -> Window {
        Window { psi: self.clone(), base }
    }

    /// Raises or lowers an input.
    pub fn set_input(&self, input: Input, level: bool) {
        self.run(|state| state.level[input as usize] = level);
    }

    /// All register stores so far, by MMIO offset; the BAR is offset 0.
    pub fn writes(&self) -> Vec<(u64, u64)> {
        self.state().writes.clone()
    }

    fn run<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let (result, xics) = {
            let mut state = self.state();
            let result = act(&mut state);
            (result, state.xics.clone())
        };
        if let Some(xics) = xics {
            xics.settle();
        }
        result
    }

    fn load(&self, address: u64, width: u32) -> u64 {
        assert!(width == 8, "PSI: {width}-byte load at {address:#x}");
        let state = self.state();
        let offset = state.decode("load", address);
        state.read(offset)
    }

    fn store(&self, address: u64, width: u32, value: u64) {
        assert!(width == 8, "PSI: {width}-byte store at {address:#x}");
        self.run(|state| {
            let offset = state.decode("store", address);
            assert!(offset != 0, "PSI: the BAR can't be written by MMIO");
            state.write(offset, value);
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn decode(&self, what: &str, address: u64) -> u64 {
        assert!(address.is_multiple_of(8), "PSI: misaligned {what} at {address:#x}");
        let offset = address.wrapping_sub(self.bar & !ENABLE);
        let mapped = self.bar & ENABLE != 0 && offset < BAR_SIZE;
        assert!(mapped, "PSI: {what} at {address:#x}, where nothing answers: machine check");
        offset
    }

    fn read(&self, offset: u64) -> u64 {
        match offset {
            0 => self.bar,
            CR => self.control,
            SEMR => self.semr,
            IRQ_STAT => {
                let raised = STATUS.iter().zip(self.level).filter(|(_, level)| *level);
                raised.fold(0, |sum, (bit, _)| sum | bit)
            }
            IRSN => self.irsn,
            _ => match XIVRS.iter().position(|xivr| *xivr == offset) {
                Some(input) => self.xivr[input].unwrap_or(0),
                None => panic!("PSI: load from unknown register {offset:#x}"),
            },
        }
    }

    fn write(&mut self, offset: u64, value: u64) {
        self.writes.push((offset, value));
        match offset {
            0 => {
                let fits = (value & !ENABLE).is_multiple_of(BAR_SIZE);
                assert!(fits, "PSI: BAR {value:#x} is not aligned to its 1 MiB");
                self.bar = value;
            }
            CR => self.control = value,
            SEMR => self.semr = value,
            SET_CR => self.control |= value,
            CLEAR_CR => self.control &= !value,
            IRSN => self.irsn = value,
            _ => match XIVRS.iter().position(|xivr| *xivr == offset) {
                Some(input) => {
                    assert!(
                        value & !XIVR_FIELDS == 0 && value >> SERVER_SHIFT & 3 == 0,
                        "PSI: XIVR {offset:#x} = {value:#018x} has bits outside its fields"
                    );
                    self.xivr[input] = Some(value);
                }
                None => panic!("PSI: store of {value:#x} to unknown register {offset:#x}"),
            },
        }
    }

    fn number(&self, input: usize) -> Option<u32> {
        let source = self.xivr[input]? >> SOURCE_SHIFT & 7;
        Some((self.irsn >> IRSN_SHIFT) as u32 + source as u32)
    }

    fn offer(&self, input: usize) -> Option<Offer> {
        let xivr = self.xivr[input]
            .unwrap_or_else(|| panic!("PSI: input {input} is up and its XIVR was never written"));
        let number = self.number(input)?;
        // An XIVR that nobody wrote names source 0.
        let base = (self.irsn >> IRSN_SHIFT) as u32;
        let taken = |other| other != input && self.number(other).unwrap_or(base) == number;
        let shared = (0..XIVRS.len()).any(taken);
        assert!(!shared, "PSI: input {input} is up and shares source {number:#x} with another");
        let priority = (xivr >> PRIORITY_SHIFT) as u8;
        let server = (xivr >> SERVER_SHIFT >> 2) as u16;
        (priority != MASKED).then_some(Offer { number, server, priority })
    }

    fn set_sent(&mut self, number: u32, sent: bool) {
        if let Some(input) = (0..XIVRS.len()).find(|input| self.number(*input) == Some(number)) {
            self.sent[input] = sent;
        }
    }
}

impl InterruptSource for Psi8 {
    fn offers(&self) -> Vec<Offer> {
        let state = self.state();
        let ready = (0..XIVRS.len()).filter(|input| state.level[*input] && !state.sent[*input]);
        ready.filter_map(|input| state.offer(input)).collect()
    }

    fn taken(&self, number: u32) {
        self.state().set_sent(number, true);
    }

    fn given_back(&self, number: u32) {
        self.state().set_sent(number, false);
    }

    fn end(&self, number: u32) {
        self.state().set_sent(number, false);
    }
}

impl ModelScomUnit for Psi8 {
    fn scom_read(&mut self, pcba: u64) -> Option<u64> {
        let state = self.state();
        let register = pcba.checked_sub(state.scom_base).filter(|register| *register < SCOM_REGISTERS)?;
        Some(state.read(register.checked_sub(BAR_REGISTER)? * 8))
    }

    fn scom_write(&mut self, pcba: u64, value: u64) -> bool {
        let base = self.state().scom_base;
        let register = pcba.checked_sub(base).filter(|register| *register < SCOM_REGISTERS);
        let Some(register) = register.and_then(|register| register.checked_sub(BAR_REGISTER)) else {
            return false;
        };
        self.run(|state| state.write(register * 8, value));
        true
    }
}

impl Mmio for Window {
    fn read8(&self, offset: u64) -> u8 {
        self.psi.load(self.base + offset, 1) as u8
    }
    fn read16(&self, offset: u64) -> u16 {
        self.psi.load(self.base + offset, 2) as u16
    }
    fn read32(&self, offset: u64) -> u32 {
        self.psi.load(self.base + offset, 4) as u32
    }
    fn read64(&self, offset: u64) -> u64 {
        self.psi.load(self.base + offset, 8)
    }
    fn write8(&self, offset: u64, value: u8) {
        self.psi.store(self.base + offset, 1, value.into());
    }
    fn write16(&self, offset: u64, value: u16) {
        self.psi.store(self.base + offset, 2, value.into());
    }
    fn write32(&self, offset: u64, value: u32) {
        self.psi.store(self.base + offset, 4, value.into());
    }
    fn write64(&self, offset: u64, value: u64) {
        self.psi.store(self.base + offset, 8, value);
    }
}
