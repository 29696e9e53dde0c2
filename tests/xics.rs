//! POWER8's interrupt sources, its way to the LPC bus, and calls 19 and 20: the real drivers and handlers on models.

mod model;

use model::firmware::Machine;
use model::lpc::{Eccb as ModelEccb, Lpc as ModelLpc, Routing};
use model::pec::ModelXscom;
use model::psi8::{self, Psi8 as ModelPsi};
use model::xics::{self as model_xics, Write, Xics as ModelXics};
use opalite::board::Unit;
use opalite::error::Result;
use opalite::hw::eccb::Eccb;
use opalite::hw::lpc::Lpc;
use opalite::hw::mmio::Mmio;
use opalite::hw::psi8::{INPUTS, Input, Psi8};
use opalite::hw::ram::Ram;
use opalite::hw::uart::{self, Uart};
use opalite::hw::xscom::{Layout, Window, Xscom};
use opalite::interrupts::xics::{Block, MASKED, Xics, XicsSource, first_isn, presenter, quiet_presenter};
use opalite::services::{Parts, Services, events};
use opalite::units::{ChipId, Isn, Pir};
use std::sync::{Arc, Mutex};

const PARAMETER: i64 = -1;
const UNSUPPORTED: i64 = -7;
const HANDLE_INTERRUPT: u64 = 9;
const SET_XIVE: u64 = 19;
const GET_XIVE: u64 = 20;

/// Threads of two chips.
const THREADS: [Pir; 3] = [Pir(8), Pir(9), Pir(0x88)];
const EXTERNAL: u64 = 0x15;
/// Offset of a presenter's page for accept and end.
const XIRR: u64 = 4;
/// Where the tests' OS wants answers.
const OUT: u64 = 0x8000;

/// Two chips' presenters and PSI bridges, the first one's LPC bus with its devices, and the firmware.
struct Power8 {
    machine: Machine,
    xics: ModelXics,
    psis: [ModelPsi; 2],
    lpc: ModelLpc,
}

impl Power8 {
    fn new() -> Self {
        let lpc = ModelLpc::new(Routing::Cpld);
        let xscom = ModelXscom::power8();
        xscom.attach(lpc.eccb());
        let window: &'static dyn Mmio = Box::leak(Box::new(Eccb::new(scom(xscom))));
        let xics = ModelXics::new(&THREADS.map(|pir| pir.0 as u16));
        let mut controller = Xics::new(&THREADS);
        let psis = [0, 1].map(|chip| {
            let model = ModelPsi::new(chip.into());
            model.connect(&xics);
            let registers = model.window(psi8::MMIO_BASE + (u64::from(chip) << 20));
            let psi = Psi8::connect(registers, first_isn(ChipId(chip), Block::Chip), 8 << 2);
            controller.register(Box::leak(Box::new(psi)));
            model
        });
        psis[0].wire(&lpc);

        let mut machine = Machine::behind(lpc.clone(), window);
        let bus = Lpc::new(window);
        let uart = Uart::probe(bus, uart::COM1).map(|uart| &*Box::leak(Box::new(uart)));
        let sources = events::psi8_sources(Isn(0x10)).collect();
        let parts = Parts { lpc: Some(bus), uart, sources, ..Parts::default() };
        machine.firmware.services = Services::new(parts);
        machine.firmware.services.hand_over();
        machine.firmware.interrupts = Box::leak(Box::new(controller));
        for thread in THREADS {
            xics.page(thread.0 as u16).write8(XIRR, 0xff);
        }
        Self { machine, xics, psis, lpc }
    }

    fn set_xive(&self, isn: u64, server: u64, priority: u64) -> i64 {
        self.machine.call(SET_XIVE, &[isn, server, priority])
    }

    /// Return code, server and priority.
    fn get_xive(&self, isn: u64) -> (i64, u16, u8) {
        self.machine.ram.write64(OUT, u64::MAX);
        let code = self.machine.call(GET_XIVE, &[isn, OUT, OUT + 4]);
        (code, self.machine.ram.read16(OUT), self.machine.ram.read8(OUT + 4))
    }
}

fn scom(xscom: ModelXscom) -> Window<ModelXscom> {
    Window::new(xscom, Layout::Power8, || 0)
}

#[test]
fn numbers_of_each_chip_have_their_blocks() {
    let first = |chip, block| first_isn(ChipId(chip), block).0;
    assert_eq!(first(0, Block::Chip), 0x10);
    assert_eq!([0, 1, 2].map(|index| first(0, Block::Phb(index))), [0x800, 0x1000, 0x1800]);
    assert_eq!((first(1, Block::Chip), first(1, Block::Phb(2))), (0x2010, 0x3800));
    assert_eq!(first(16, Block::Phb(1)), 0x2_1000);
}

#[test]
fn a_presenter_s_page_is_found_and_left_quiet() {
    let windows = Unit { base: model_xics::BASE, stride: 1 << 20 };
    assert_eq!(presenter(windows, Pir(8)), 0x3_ffff_8000_8000);
    assert_eq!(presenter(windows, Pir(0x89)), 0x3_ffff_8018_9000);
    let xics = ModelXics::new(&[0x88]);
    xics.page(0x88).write8(0xc, 3);
    quiet_presenter(&xics.window(presenter(windows, Pir(0x88))));
    let write = |offset, value| Write { server: 0x88, offset, width: 1, value };
    assert_eq!(xics.writes()[1..], [write(4, 0), write(0xc, 0xff)]);
}

#[test]
fn each_input_of_the_psi_bridge_gets_its_own_masked_source_before_the_numbers_count() {
    let model = ModelPsi::new(0);
    let psi = Psi8::connect(model.window(psi8::MMIO_BASE), Isn(0x10), 8 << 2);
    let expected = [
        (0x30, 0x0000_20ff_0000_0000),
        (0x60, 0x0000_20ff_2000_0000),
        (0x68, 0x0000_20ff_4000_0000),
        (0x70, 0x0000_20ff_6000_0000),
        (0x78, 0x0000_20ff_8000_0000),
        (0x80, 0x0000_20ff_a000_0000),
        (0x88, 0x0002_0003_ffff_0000),
    ];
    assert_eq!(model.writes(), expected);
    assert_eq!(psi.isns(), Isn(0x10)..Isn(0x10 + INPUTS));
    assert_eq!(psi.route(Isn(0x15)), Ok((8 << 2, MASKED)));
    assert!(psi.route(Isn(0x16)).is_err() && psi.route(Isn(0xf)).is_err());
    assert!(psi.set_route(Isn(0x16), 8 << 2, 5).is_err());
    assert_eq!(model.writes().len(), expected.len());
}

#[test]
fn an_interrupt_goes_where_it_was_sent_once_it_is_unmasked() {
    let machine = Power8::new();
    machine.psis[0].set_input(psi8::Input::External, true);
    assert!(THREADS.iter().all(|thread| !machine.xics.asserted(thread.0 as u16)));
    assert_eq!(machine.set_xive(EXTERNAL, 9 << 2, 5), 0);
    assert_eq!(machine.get_xive(EXTERNAL), (0, 9 << 2, 5));
    assert_eq!(machine.xics.waiting(9), Some((0x15, 5)));
    let page = machine.xics.page(9);
    assert_eq!(page.read32(XIRR), 0xff00_0015);
    // To the other chip from the next time on.
    assert_eq!(machine.set_xive(EXTERNAL, 0x88 << 2, 4), 0);
    page.write32(XIRR, 0xff00_0015);
    assert_eq!((machine.xics.waiting(9), machine.xics.waiting(0x88)), (None, Some((0x15, 4))));
}

#[test]
fn the_second_chip_s_bridge_has_numbers_of_its_own() {
    let machine = Power8::new();
    machine.psis[1].set_input(psi8::Input::LocalError, true);
    assert_eq!(machine.set_xive(0x2014, 8 << 2, 5), 0);
    assert_eq!(machine.xics.waiting(8), Some((0x2014, 5)));
    assert_eq!(machine.get_xive(0x14), (0, 8 << 2, MASKED));
}

#[test]
fn bad_arguments_change_nothing() {
    let machine = Power8::new();
    let before = machine.psis.clone().map(|psi| psi.writes());
    for (isn, server, priority) in [
        (0xf, 8 << 2, 5),
        (0x16, 8 << 2, 5),
        (0x2016, 8 << 2, 5),
        (u64::MAX, 8 << 2, 5),
        (1 << 32 | EXTERNAL, 8 << 2, 5),
        (EXTERNAL, 0, 5),
        (EXTERNAL, 8, 5),
        (EXTERNAL, 8 << 2 | 1, 5),
        (EXTERNAL, 1 << 16 | 8 << 2, 5),
        (EXTERNAL, 8 << 2, 0x105),
        // Masking isn't an excuse: hardware looks at the thread all the same.
        (EXTERNAL, 0x90 << 2, 0xff),
    ] {
        assert_eq!(machine.set_xive(isn, server, priority), PARAMETER, "{isn:#x} {server:#x} {priority:#x}");
    }
    assert_eq!(machine.psis.clone().map(|psi| psi.writes()), before);
    for isn in [0, 0xf, 0x16, 0x800, u64::from(u32::MAX), 1 << 32 | EXTERNAL] {
        assert_eq!(machine.get_xive(isn), (PARAMETER, 0xffff, 0xff), "{isn:#x}");
    }
    for (server, priority) in [(0, OUT), (OUT, 0), (OUT + 1, OUT), (model::firmware::FIRMWARE, OUT)] {
        assert_eq!(machine.machine.call(GET_XIVE, &[EXTERNAL, server, priority]), PARAMETER);
    }
}

#[test]
fn each_kind_of_controller_refuses_the_other_s_calls() {
    let machine = Power8::new();
    assert_eq!(machine.machine.call(128, &[1]), UNSUPPORTED);
    assert_eq!(machine.machine.call(141, &[0, EXTERNAL]), UNSUPPORTED);
    let other = Machine::new();
    assert_eq!(other.call(SET_XIVE, &[EXTERNAL, 8 << 2, 5]), UNSUPPORTED);
    assert_eq!(other.call(GET_XIVE, &[EXTERNAL, OUT, OUT + 4]), UNSUPPORTED);
}

#[test]
fn a_character_interrupts_and_its_level_drops_when_firmware_has_it() {
    let machine = Power8::new();
    assert_eq!(machine.set_xive(EXTERNAL, 8 << 2, 5), 0);
    machine.lpc.type_in(b"x");
    let page = machine.xics.page(8);
    assert_eq!(page.read32(XIRR), 0xff00_0015);
    assert_eq!(machine.machine.call(HANDLE_INTERRUPT, &[EXTERNAL, OUT]), 0);
    assert_eq!(machine.machine.ram.read64(OUT), events::CONSOLE_INPUT);
    page.write32(XIRR, 0xff00_0015);
    assert!(!machine.xics.asserted(8));
}

#[test]
fn the_other_inputs_are_firmware_s_too() {
    let sources: Vec<_> = events::psi8_sources(Isn(0x10)).collect();
    assert_eq!(sources.len(), INPUTS as usize);
    let devices = sources.iter().filter(|(_, source)| *source == events::Source::IsaDevices);
    assert_eq!(devices.map(|(isn, _)| isn.0).collect::<Vec<_>>(), [0x10 + Input::External as u32]);
}

/// XSCOM with nothing but an ECCB, whose stores are kept.
#[derive(Clone)]
struct Recorder {
    eccb: ModelEccb,
    writes: Arc<Mutex<Vec<(u32, u64)>>>,
}

impl Xscom for Recorder {
    fn read(&self, address: u32) -> Result<u64> {
        Ok(self.eccb.scom_read(address.into()))
    }
    fn write(&self, address: u32, value: u64) -> Result {
        self.writes.lock().unwrap().push((address, value));
        self.eccb.scom_write(address.into(), value);
        Ok(())
    }
}

fn recorded() -> (ModelLpc, Recorder, Eccb<Recorder>) {
    let lpc = ModelLpc::new(Routing::Cpld);
    let recorder = Recorder { eccb: lpc.eccb(), writes: Arc::default() };
    let eccb = Eccb::new(recorder.clone());
    (lpc, recorder, eccb)
}

#[test]
fn the_eccb_gets_the_commands_that_work() {
    let (lpc, recorder, eccb) = recorded();
    eccb.write8(0xd001_03f8, 0x41);
    assert_eq!(eccb.read8(0xd001_03fd), 0x60);
    eccb.write32(0xc001_2034, 0x1234_5678);
    assert_eq!(eccb.read32(0xc001_2034), 0x1234_5678);
    assert_eq!(lpc.output(), b"A");
    let expected = [
        (0xb_0023, 0x4100_0000_0000_0000),
        (0xb_0020, 0xd100_0100_d001_03f8),
        (0xb_0020, 0xd101_0100_d001_03fd),
        (0xb_0023, 0x1234_5678_0000_0000),
        (0xb_0020, 0xd400_0100_c001_2034),
        (0xb_0020, 0xd401_0100_c001_2034),
    ];
    assert_eq!(*recorder.writes.lock().unwrap(), expected);
    // The bus has no others.
    assert_eq!((eccb.read16(0xd001_0000), eccb.read64(0xd001_0000)), (u16::MAX, u64::MAX));
    assert_eq!(recorder.writes.lock().unwrap().len(), expected.len());
}

#[test]
fn the_eccb_is_waited_for_but_not_for_ever() {
    let (_, recorder, eccb) = recorded();
    recorder.eccb.set_polls(20);
    assert_eq!(eccb.read8(0xd001_03fd), 0x60);
    // A port where no device is.
    assert_eq!(eccb.read8(0xd001_0200), 0xff);
    recorder.eccb.set_polls(u32::MAX);
    assert_eq!(eccb.read8(0xd001_03fd), 0xff);
}

/// An ECCB that a second access interrupts in the middle of the first, as a machine check may.
struct Interrupted(Mutex<Option<u8>>);

impl Xscom for &'static Interrupted {
    fn read(&self, _: u32) -> Result<u64> {
        Ok(0x800 | 0x5a_u64 << 50)
    }
    fn write(&self, _: u32, _: u64) -> Result {
        let first = self.0.lock().unwrap().is_none();
        if first {
            *self.0.lock().unwrap() = Some(0);
            let inner = INNER.get().unwrap().read8(0xd001_03fd);
            *self.0.lock().unwrap() = Some(inner);
        }
        Ok(())
    }
}

static UNIT: Interrupted = Interrupted(Mutex::new(None));
static INNER: std::sync::OnceLock<Eccb<&'static Interrupted>> = std::sync::OnceLock::new();

#[test]
fn an_access_inside_another_doesn_t_hang() {
    let eccb = INNER.get_or_init(|| Eccb::new(&UNIT));
    assert_eq!(eccb.read8(0xd001_03f8), 0x5a);
    assert_eq!(*UNIT.0.lock().unwrap(), Some(0x5a));
}
