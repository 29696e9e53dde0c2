//! The presenters of POWER8 and its PSI bridge judged by hand-computed values (platform reference 3.1, 3.5, 3.6, 6.4).

mod model;

use model::lpc::{Lpc, Routing};
use model::pec::ModelXscom;
use model::psi8::{Input, Psi8};
use model::xics::{InterruptSource, Offer, Window, Write, Xics};
use opalite::hw::mmio::Mmio;
use std::sync::{Arc, Mutex};

const PIR: u16 = 0x8;
const OTHER: u16 = 0x88;
const POLL: u64 = 0x00;
const XIRR: u64 = 0x04;
const MFRR: u64 = 0x0c;

/// A thread of each of two chips, both letting everything through.
fn threads() -> (Xics, Window) {
    let xics = Xics::new(&[PIR, OTHER]);
    for server in [PIR, OTHER] {
        xics.page(server).write8(XIRR, 0xff);
    }
    let page = xics.page(PIR);
    (xics, page)
}

/// A source whose offers a test makes by hand.
#[derive(Clone, Default)]
struct Source(Arc<Mutex<(Vec<Offer>, Vec<String>)>>);

impl Source {
    fn offer(&self, number: u32, priority: u8) {
        self.0.lock().unwrap().0.push(Offer { number, server: PIR, priority });
    }

    fn events(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().1)
    }
}

impl InterruptSource for Source {
    fn offers(&self) -> Vec<Offer> {
        self.0.lock().unwrap().0.clone()
    }
    fn taken(&self, number: u32) {
        let mut inner = self.0.lock().unwrap();
        inner.0.retain(|offer| offer.number != number);
        inner.1.push(format!("taken {number}"));
    }
    fn given_back(&self, number: u32) {
        self.0.lock().unwrap().1.push(format!("back {number}"));
    }
    fn end(&self, number: u32) {
        self.0.lock().unwrap().1.push(format!("end {number}"));
    }
}

fn with_source() -> (Xics, Window, Source) {
    let (xics, page) = threads();
    let source = Source::default();
    xics.attach(source.clone());
    (xics, page, source)
}

#[test]
fn after_reset_nothing_gets_through() {
    let xics = Xics::new(&[PIR]);
    let page = xics.page(PIR);
    assert_eq!((page.read32(POLL), page.read8(POLL), page.read8(MFRR)), (0, 0, 0xff));
    page.write8(MFRR, 0);
    assert!(!xics.asserted(PIR));
    page.write8(XIRR, 1);
    assert!(xics.asserted(PIR));
}

#[test]
fn pages_lie_at_chip_and_pir() {
    let (xics, _) = threads();
    let whole = xics.window(0x0003_ffff_8000_0000);
    whole.write8(0x800c, 7);
    whole.write8(0x18_800c, 6);
    assert_eq!((xics.page(PIR).read8(MFRR), xics.page(OTHER).read8(MFRR)), (7, 6));
}

#[test]
#[should_panic(expected = "where no presenter is")]
fn a_pir_of_chip_2_has_no_page_in_its_window() {
    Xics::new(&[0x108]).page(0x108).read32(POLL);
}

#[test]
fn polling_has_no_side_effect_and_accepting_raises_the_priority() {
    let (xics, page, source) = with_source();
    source.offer(0x801, 5);
    xics.settle();
    assert_eq!([page.read32(POLL), page.read32(POLL)], [0xff00_0801; 2]);
    assert_eq!(page.read32(XIRR), 0xff00_0801);
    assert_eq!((page.read32(POLL), page.read8(XIRR)), (0x0500_0000, 5));
    assert!(!xics.asserted(PIR));
    assert_eq!(xics.in_service(PIR), [0x801]);
    // Nothing waits: number 0, and the priority stays.
    assert_eq!(page.read32(XIRR), 0x0500_0000);
}

#[test]
fn only_a_better_priority_than_the_threads_gets_through() {
    let (xics, page, source) = with_source();
    page.write8(XIRR, 5);
    source.offer(0x801, 5);
    xics.settle();
    assert!(!xics.asserted(PIR));
    page.write8(XIRR, 6);
    assert_eq!(xics.waiting(PIR), Some((0x801, 5)));
}

#[test]
fn a_better_offer_displaces_and_an_equal_one_does_not() {
    let (xics, _, source) = with_source();
    source.offer(0x801, 5);
    xics.settle();
    source.offer(0x802, 5);
    xics.settle();
    assert_eq!(xics.waiting(PIR), Some((0x801, 5)));
    source.offer(0x803, 4);
    xics.settle();
    assert_eq!(xics.waiting(PIR), Some((0x803, 4)));
    assert_eq!(source.events(), ["taken 2049", "taken 2051", "back 2049"]);
}

#[test]
fn lowering_the_priority_gives_back_what_waits() {
    let (xics, page, source) = with_source();
    source.offer(0x801, 5);
    xics.settle();
    page.write8(XIRR, 6);
    assert!(xics.asserted(PIR));
    page.write8(XIRR, 5);
    assert!(!xics.asserted(PIR));
    assert_eq!(source.events(), ["taken 2049", "back 2049"]);
}

#[test]
fn the_end_restores_the_priority_and_reaches_the_source() {
    let (xics, page, source) = with_source();
    source.offer(0x801, 5);
    xics.settle();
    page.read32(XIRR);
    page.write32(XIRR, 0xff00_0801);
    assert_eq!((page.read8(XIRR), xics.in_service(PIR).len()), (0xff, 0));
    assert_eq!(source.events(), ["taken 2049", "end 2049"]);
}

#[test]
#[should_panic(expected = "server 0x8 ends interrupt 0x801, which it has not accepted")]
fn ending_what_was_not_accepted_fails_the_test() {
    threads().1.write32(XIRR, 0xff00_0801);
}

#[test]
fn an_ipi_is_number_2_at_the_requests_priority() {
    let (xics, page) = threads();
    xics.page(PIR).write8(MFRR, 4);
    assert_eq!(page.read32(XIRR), 0xff00_0002);
    assert_eq!(page.read8(XIRR), 4);
    // It comes again until the request is taken back.
    page.write32(XIRR, 0xff00_0002);
    assert_eq!(page.read32(XIRR), 0xff00_0002);
    page.write8(MFRR, 0xff);
    page.write32(XIRR, 0xff00_0002);
    assert_eq!((page.read32(XIRR), xics.asserted(OTHER)), (0xff00_0000, false));
}

#[test]
fn an_ipi_and_a_source_displace_each_other_by_priority() {
    let (xics, page, source) = with_source();
    source.offer(0x801, 5);
    xics.settle();
    page.write8(MFRR, 4);
    assert_eq!(xics.waiting(PIR), Some((2, 4)));
    source.offer(0x802, 3);
    xics.settle();
    assert_eq!(xics.waiting(PIR), Some((0x802, 3)));
    assert_eq!(source.events(), ["taken 2049", "back 2049", "taken 2050"]);
    let xirr = page.read32(XIRR);
    page.write32(XIRR, xirr);
    assert_eq!(xics.waiting(PIR), Some((2, 4)));
}

#[test]
fn an_ipi_may_be_ended_without_having_come() {
    let (_, page) = threads();
    page.write32(XIRR, 0x0000_0002);
    assert_eq!(page.read8(XIRR), 0);
}

#[test]
fn links_are_storage_and_stores_are_recorded() {
    let (xics, page) = threads();
    page.write32(0x10, 1);
    page.write32(0x18, 3);
    assert_eq!([0x10, 0x14, 0x18].map(|link| page.read32(link)), [1, 0, 3]);
    assert_eq!(xics.writes()[2], Write { server: PIR, offset: 0x10, width: 4, value: 1 });
}

#[test]
#[should_panic(expected = "4-byte store of 0x0 at 0xc")]
fn an_mfrr_of_four_bytes_fails_the_test() {
    threads().1.write32(MFRR, 0);
}

const PSI: u64 = 0x0003_fffe_8000_0000;
const IRSN: u64 = 0x88;
const XIVRS: [u64; 6] = [0x30, 0x60, 0x68, 0x70, 0x78, 0x80];

/// The bridge as the reference says to set it up: sources 0x10 to 0x15, all masked.
fn psi() -> (Xics, Window, Psi8, model::psi8::Window) {
    let (xics, page) = threads();
    let psi = Psi8::new(0);
    psi.connect(&xics);
    let regs = psi.window(PSI);
    regs.write64(IRSN, 0x0002_0003_0000_0000);
    for (source, xivr) in (0..).zip(XIVRS) {
        regs.write64(xivr, 0x0000_00ff_0000_0000 | source << 29);
    }
    (xics, page, psi, regs)
}

#[test]
fn an_external_interrupt_is_source_5_and_comes_again_while_its_line_is_up() {
    let (xics, page, psi, regs) = psi();
    psi.set_input(Input::External, true);
    assert!(!xics.asserted(PIR));
    // Server 8 << 2, priority 7, source 5.
    regs.write64(0x80, 0x0000_2007_a000_0000);
    assert_eq!(page.read32(XIRR), 0xff00_0015);
    assert!(!xics.asserted(PIR));
    page.write32(XIRR, 0xff00_0015);
    assert_eq!(xics.waiting(PIR), Some((0x15, 7)));
    page.read32(XIRR);
    psi.set_input(Input::External, false);
    page.write32(XIRR, 0xff00_0015);
    assert!(!xics.asserted(PIR));
}

#[test]
fn every_input_has_its_register_and_status_bit() {
    for (input, xivr, source, status) in [
        (Input::Fsp, 0x30, 0, 0),
        (Input::Occ, 0x60, 1, 0x10_0000_0000),
        (Input::Fsi, 0x68, 2, 0x8_0000_0000),
        (Input::LpcI2c, 0x70, 3, 0x4_0000_0000),
        (Input::LocalError, 0x78, 4, 0x2_0000_0000),
        (Input::External, 0x80, 5, 0x1_0000_0000),
    ] {
        let (xics, _, psi, regs) = psi();
        psi.set_input(input, true);
        assert_eq!(regs.read64(0x58), status, "{input:?}");
        regs.write64(xivr, 0x0000_2007_0000_0000 | source << 29);
        assert_eq!(xics.waiting(PIR), Some((0x10 + source as u32, 7)), "{input:?}");
    }
}

#[test]
fn a_refused_input_comes_when_the_thread_lets_it_through() {
    let (xics, page, psi, regs) = psi();
    page.write8(XIRR, 0);
    regs.write64(0x60, 0x0000_2007_2000_0000);
    psi.set_input(Input::Occ, true);
    assert!(!xics.asserted(PIR));
    page.write8(XIRR, 0xff);
    assert_eq!(xics.waiting(PIR), Some((0x11, 7)));
    // Given back to the bridge it isn't lost.
    page.write8(XIRR, 3);
    assert!(!xics.asserted(PIR));
    page.write8(XIRR, 0xff);
    assert!(xics.asserted(PIR));
}

#[test]
#[should_panic(expected = "XIVR was never written")]
fn an_input_before_its_xivr_was_written_fails_the_test() {
    let psi = Psi8::new(0);
    psi.connect(&threads().0);
    psi.set_input(Input::External, true);
}

#[test]
#[should_panic(expected = "shares source 0x15 with another")]
fn two_inputs_on_one_source_fail_the_test() {
    let (_, _, psi, regs) = psi();
    regs.write64(0x78, 0x0000_00ff_a000_0000);
    regs.write64(0x80, 0x0000_2007_a000_0000);
    psi.set_input(Input::External, true);
}

#[test]
#[should_panic(expected = "input 0 is up and shares source 0x10 with another")]
fn an_xivr_that_nobody_wrote_takes_source_0() {
    let psi = Psi8::new(0);
    psi.connect(&threads().0);
    let regs = psi.window(PSI);
    regs.write64(IRSN, 0x0002_0000_0000_0000);
    regs.write64(0x30, 0x0000_2007_0000_0000);
    psi.set_input(Input::Fsp, true);
}

#[test]
#[should_panic(expected = "server 0x9 has no presenter")]
fn an_input_for_a_server_that_does_not_exist_fails_the_test() {
    let (_, _, psi, regs) = psi();
    regs.write64(0x80, 0x0000_2407_a000_0000);
    psi.set_input(Input::External, true);
}

#[test]
fn registers_answer_by_xscom_too_and_the_bar_moves_them() {
    let (xics, _) = threads();
    let (psi, xscom) = (Psi8::new(1), ModelXscom::power8());
    psi.connect(&xics);
    xscom.attach(psi.clone());
    // 0x201090a: BAR; 0x201091b: IRSN.
    assert_eq!(xscom.read64(0x2010_9050), 0x0003_fffe_8010_0001);
    xscom.write64(0x2010_9158, 0x0002_0000_0000_0000);
    assert_eq!(psi.window(PSI).read64(0x10_0088), 0x0002_0000_0000_0000);
    xscom.write64(0x2010_9050, 0x0003_fffe_8020_0001);
    assert_eq!(psi.window(PSI).read64(0x20_0088), 0x0002_0000_0000_0000);
    assert_eq!(psi.writes(), [(0x88, 0x0002_0000_0000_0000), (0, 0x0003_fffe_8020_0001)]);
}

#[test]
fn control_has_set_and_clear_forms() {
    let (_, _, _, regs) = psi();
    regs.write64(0x20, 0xf0);
    regs.write64(0x40, 0x0f);
    regs.write64(0x48, 0x81);
    assert_eq!(regs.read64(0x20), 0x7e);
}

#[test]
#[should_panic(expected = "nothing answers")]
fn a_disabled_bar_fails_the_test() {
    let psi = Psi8::new(0);
    let xscom = ModelXscom::power8();
    xscom.attach(psi.clone());
    xscom.write64(0x2010_9050, PSI);
    psi.window(PSI).read64(0x88);
}

#[test]
#[should_panic(expected = "unknown register 0x38")]
fn an_unknown_register_fails_the_test() {
    psi().3.read64(0x38);
}

#[test]
#[should_panic(expected = "store of 0x0 to unknown register 0x58")]
fn the_status_is_read_only() {
    psi().3.write64(0x58, 0);
}

#[test]
fn an_isa_interrupt_comes_through_the_external_input_and_the_eccb_answers_by_xscom() {
    let (xics, _, psi, regs) = psi();
    let (lpc, xscom) = (Lpc::new(Routing::Cpld), ModelXscom::power8());
    psi.wire(&lpc);
    xscom.attach(lpc.eccb());
    regs.write64(0x80, 0x0000_2007_a000_0000);
    lpc.set_line(4, true);
    assert_eq!(xics.waiting(PIR), Some((0x15, 7)));
    // A byte load of the UART's line status: registers 0xb0020 and 0xb0022.
    xscom.write64(0xb0_0200, 0xd101_0100_d001_03fd);
    assert_eq!(xscom.read64(0xb0_0210), 0x800 | 0x6000_0000 << 26);
}
