//! The LPC and PSI models judged by hand-computed values from the platform reference (3.2, 3.3, 3.5, 8).

#[path = "model/lpc.rs"]
mod lpc;
#[path = "model/psi.rs"]
mod psi;

use lpc::{Chassis, Lpc, Routing, Time};
use opalite::hw::mmio::Mmio;
use psi::{Event, Psi};
use std::panic::{AssertUnwindSafe, catch_unwind};

const OPB: u64 = 0xC001_0000;
const HC: u64 = 0xC001_2000;
const IO: u64 = 0xD001_0000;
const UART: u64 = IO + 0x3F8;
const BT: u64 = IO + 0xE4;

/// The message of the panic that `act` must end in.
fn failure<T>(act: impl FnOnce() -> T) -> String {
    let Err(error) = catch_unwind(AssertUnwindSafe(act)) else { panic!("the model accepted it") };
    match error.downcast_ref::<String>() {
        Some(text) => text.clone(),
        None => (*error.downcast_ref::<&str>().unwrap()).to_string(),
    }
}

fn bus() -> Lpc {
    Lpc::new(Routing::SerIrq)
}

/// The interrupt setup that the reference saw: irq 4 on route 1, irq 10 on route 0.
fn routed() -> Lpc {
    let lpc = bus();
    lpc.write32(OPB + 0x0C, 0x0004_0000);
    lpc.write32(OPB + 0x54, 0x0000_0800);
    lpc.write32(HC + 0x34, 0x0820_04FC);
    lpc.write32(HC + 0x30, 0x8080_0000);
    lpc
}

#[test]
fn hole_reads_zero_and_leaves_no_response() {
    let lpc = bus();
    assert_eq!(lpc.read8(IO + 0x2E), 0);
    assert_eq!(lpc.read32(HC + 0x38), 0x40);
    lpc.write32(HC + 0x38, 0x40);
    assert_eq!(lpc.read32(HC + 0x38), 0);
    assert_eq!(lpc.read32(0xC001_1000), 0, "the arbiter is announced but not there");
    assert_eq!(lpc.read32(HC + 0x38), 0x40);
    lpc.write32(HC + 0x38, 0x40);
    lpc.write8(IO + 0x2E, 0x55);
    assert_eq!(lpc.read32(HC + 0x38), 0x40);
    lpc.write32(HC + 0x38, 0x40);
    lpc.remove_uart();
    assert_eq!(lpc.read8(UART + 5), 0);
    assert_eq!(lpc.read32(HC + 0x38), 0x40);
}

#[test]
fn widths_and_registers_that_do_not_exist_fail() {
    let lpc = bus();
    assert!(failure(|| lpc.read16(UART)).contains("2-byte"));
    assert!(failure(|| lpc.write64(HC + 0x38, 0)).contains("8-byte"));
    assert!(failure(|| lpc.read8(HC + 0x38)).contains("1-byte"));
    assert!(failure(|| lpc.read32(UART)).contains("byte device"));
    assert!(failure(|| lpc.read32(HC + 0x44)).contains("unknown HC register 0x44"));
    assert!(failure(|| lpc.write32(HC + 0x40, 0)).contains("0x40"));
    assert!(failure(|| lpc.write32(OPB + 0x5C, 0)).contains("0x5c"));
    assert!(failure(|| lpc.read32(OPB + 0x10)).contains("0x10"));
    assert!(failure(|| lpc.read32(HC + 0x36)).contains("unaligned"));
}

#[test]
fn flash_answers_in_segment_0_only() {
    let lpc = bus();
    lpc.set_flash(&[0x12, 0x34, 0x56, 0x78]);
    assert_eq!(lpc.read32(HC + 0x28), 0x0200_0000);
    assert_eq!(lpc.read32(0xF000_0000), 0x1234_5678);
    assert_eq!(lpc.read8(0xF000_0004), 0xFF);
    lpc.write32(HC + 0x24, 1);
    assert_eq!(lpc.read32(0xF000_0000), 0);
    assert_eq!(lpc.read32(HC + 0x38), 0x40);
}

#[test]
fn uart_interrupt_reaches_psi_input_8_by_route_1() {
    let lpc = routed();
    lpc.write8(UART + 1, 1);
    lpc.type_in(b"x");
    assert_eq!(lpc.read32(HC + 0x38), 0x0800_0000);
    assert!(lpc.psi_input(8) && !lpc.psi_input(7));
    lpc.write32(HC + 0x38, 0x0800_0000);
    assert!(lpc.psi_input(8), "the line is still up: the bit comes back");
    assert_eq!(lpc.read8(UART + 2), 4);
    assert_eq!(lpc.read8(UART), b'x');
    assert!(!lpc.psi_input(8), "auto-clear");
    assert_eq!(lpc.read32(HC + 0x38), 0);
    // Without auto-clear the bit stays until it is cleared by hand.
    lpc.write32(HC + 0x30, 0x8000_0000);
    lpc.type_in(b"y");
    lpc.read8(UART);
    assert!(lpc.psi_input(8));
    lpc.write32(HC + 0x38, 0x0800_0000);
    assert!(!lpc.psi_input(8));
}

#[test]
fn masked_or_disabled_serirq_reaches_nothing() {
    let lpc = routed();
    lpc.write8(UART + 1, 1);
    lpc.write32(HC + 0x34, 0x0020_04FC);
    lpc.type_in(b"x");
    assert_eq!(lpc.read32(HC + 0x38), 0x0800_0000);
    assert!(!lpc.psi_input(8));
    lpc.write32(HC + 0x34, 0x0820_04FC);
    assert!(lpc.psi_input(8));
    lpc.write32(HC + 0x30, 0);
    assert!(!lpc.psi_input(8));
    // Route 3 of irq 4 is LSB bits 19:18.
    lpc.write32(HC + 0x30, 0x8080_0000);
    lpc.write32(OPB + 0x0C, 0x000C_0000);
    assert!(lpc.psi_input(10) && !lpc.psi_input(8));
}

#[test]
fn route_fields_lie_where_the_reference_has_them() {
    for (irq, register, field) in
        [(0, 0x0C, 26), (4, 0x0C, 18), (10, 0x0C, 6), (13, 0x0C, 0), (14, 0x08, 22), (15, 0x08, 20)]
    {
        let lpc = routed();
        lpc.write32(HC + 0x34, 0xFFFF_0000);
        lpc.write32(OPB + 0x0C, 0);
        lpc.write32(OPB + register, 2 << field);
        lpc.set_line(irq, true);
        assert_eq!([7, 8, 9, 10].map(|input| lpc.psi_input(input)), [false, false, true, false], "irq {irq}");
        lpc.set_line(irq, false);
        assert!(!lpc.psi_input(9));
    }
}

#[test]
fn host_controller_error_latches_in_the_opb_master() {
    let lpc = routed();
    lpc.raise_error(0x400);
    assert_eq!((lpc.read32(OPB + 0x50), lpc.read32(OPB + 0x5C)), (0x800, 0x800));
    assert!(lpc.psi_input(3));
    lpc.write32(OPB + 0x50, 0x800);
    assert!(lpc.psi_input(3), "its input is still up");
    lpc.write32(HC + 0x38, 0x400);
    assert_eq!((lpc.read32(OPB + 0x50), lpc.read32(OPB + 0x5C)), (0x800, 0));
    assert!(lpc.psi_input(3), "latched");
    lpc.write32(OPB + 0x50, 0x800);
    assert!(!lpc.psi_input(3));
    // A masked error stays in the host controller.
    lpc.raise_error(0x100);
    assert_eq!(lpc.read32(OPB + 0x50), 0);
}

#[test]
fn cpld_ors_all_interrupts_to_input_5() {
    let lpc = Lpc::new(Routing::Cpld);
    lpc.write8(UART + 1, 1);
    lpc.type_in(b"x");
    assert!(lpc.psi_input(5));
    assert_eq!(lpc.read32(HC + 0x38), 0);
    lpc.read8(UART);
    assert!(!lpc.psi_input(5));
}

#[test]
fn uart_sends_receives_and_remembers_its_settings() {
    let lpc = bus();
    assert_eq!(lpc.read8(UART + 5), 0x60);
    for (register, value) in [(3, 0x80), (0, 0x01), (1, 0x00), (3, 0x03), (4, 0x03), (7, 0xA5)] {
        lpc.write8(UART + register, value);
    }
    assert_eq!(lpc.uart_settings(), (1, 3));
    assert_eq!(lpc.read8(UART + 7), 0xA5);
    for &byte in b"ok\n" {
        lpc.write8(UART, byte);
    }
    assert_eq!(lpc.output(), b"ok\n");
    lpc.type_in(b"ab");
    assert_eq!(lpc.read8(UART + 5), 0x61);
    assert_eq!((lpc.read8(UART), lpc.read8(UART)), (b'a', b'b'));
    assert_eq!(lpc.read8(UART + 5), 0x60);
    assert_eq!(lpc.read8(UART + 2), 0x01);
    lpc.write8(UART + 2, 0x01);
    assert_eq!(lpc.read8(UART + 2), 0xC1);
    let last = *lpc.writes().last().unwrap();
    assert_eq!((last.address, last.size, last.value), (UART + 2, 1, 1));
}

#[test]
fn fifo_reset_drops_at_most_sixteen_typed_bytes() {
    let lpc = bus();
    lpc.write8(UART + 2, 0x01);
    lpc.type_in(b"0123456789abcdefgh");
    lpc.write8(UART + 2, 0x03);
    assert_eq!(lpc.read8(UART), b'g');
}

#[test]
fn slow_transmitter_holds_thre_low_and_loses_bytes_pushed_into_it() {
    let lpc = bus();
    lpc.set_transmit_delay(2);
    lpc.write8(UART, b'a');
    assert!(failure(|| lpc.write8(UART, b'b')).contains("byte 0x62 lost"));
    let status: Vec<u8> = (0..4).map(|_| lpc.read8(UART + 5)).collect();
    assert_eq!(status, [0, 0, 0x60, 0x60]);
    lpc.write8(UART + 2, 0x01);
    (0..16).for_each(|n| lpc.write8(UART, n));
    assert!(failure(|| lpc.write8(UART, 16)).contains("lost"));
    assert_eq!(lpc.output().len(), 17);
}

#[test]
fn transmit_interrupt_is_raised_when_enabled_and_taken_by_iir() {
    let lpc = routed();
    lpc.write8(UART + 1, 2);
    assert!(lpc.psi_input(8));
    assert_eq!(lpc.read8(UART + 2), 2);
    assert!(!lpc.psi_input(8));
    assert_eq!(lpc.read8(UART + 2), 1);
    lpc.set_transmit_delay(1);
    lpc.write8(UART, b'a');
    assert!(!lpc.psi_input(8));
    lpc.read8(UART + 5);
    lpc.read8(UART + 5);
    assert!(lpc.psi_input(8));
}

fn cmos(lpc: &Lpc, register: u8) -> u8 {
    lpc.write8(IO + 0x70, register);
    lpc.read8(IO + 0x71)
}

fn set_cmos(lpc: &Lpc, register: u8, value: u8) {
    lpc.write8(IO + 0x70, register);
    lpc.write8(IO + 0x71, value);
}

const TIME_REGISTERS: [u8; 8] = [0x32, 9, 8, 7, 6, 4, 2, 0];

#[test]
fn clock_reads_in_bcd_binary_and_twelve_hours() {
    let lpc = bus();
    // A Thursday (weekday 5).
    lpc.set_time(Time { year: 2025, month: 12, day: 25, hour: 15, minute: 9, second: 58 });
    assert_eq!(TIME_REGISTERS.map(|r| cmos(&lpc, r)), [0x20, 0x25, 0x12, 0x25, 5, 0x15, 0x09, 0x58]);
    set_cmos(&lpc, 0x0B, 0x06);
    assert_eq!(TIME_REGISTERS.map(|r| cmos(&lpc, r)), [20, 25, 12, 25, 5, 15, 9, 58]);
    set_cmos(&lpc, 0x0B, 0x00);
    assert_eq!(cmos(&lpc, 4), 0x83);
    lpc.set_time(Time { hour: 0, ..lpc.time() });
    assert_eq!(cmos(&lpc, 4), 0x12);
    assert_eq!(cmos(&lpc, 0x0D), 0x80);
    set_cmos(&lpc, 0x40, 0x77);
    assert_eq!(cmos(&lpc, 0xC0), 0x77, "bit 7 of the index is not part of it");
}

#[test]
fn clock_update_spoils_reads_and_a_tick_tears_them() {
    let lpc = bus();
    lpc.start_clock_update(2);
    assert_eq!(cmos(&lpc, 0), 0xFF);
    assert_eq!([cmos(&lpc, 0x0A), cmos(&lpc, 0x0A), cmos(&lpc, 0x0A)], [0xA6, 0xA6, 0x26]);
    assert_eq!(cmos(&lpc, 0), 0x59);
    lpc.tick_after(1);
    assert_eq!([cmos(&lpc, 0), cmos(&lpc, 2), cmos(&lpc, 4), cmos(&lpc, 7)], [0x59, 0, 0, 0x29]);
    assert_eq!(lpc.time(), Time { year: 2024, month: 2, day: 29, hour: 0, minute: 0, second: 0 });
}

#[test]
fn clock_is_set_only_while_it_is_held() {
    let lpc = bus();
    assert!(failure(|| set_cmos(&lpc, 0, 0)).contains("while the clock runs"));
    set_cmos(&lpc, 0x0B, 0x82);
    for (register, value) in [(0x32, 0x19), (9, 0x99), (8, 0x12), (7, 0x31), (4, 0x23), (2, 0x59), (0, 0x59)]
    {
        set_cmos(&lpc, register, value);
    }
    set_cmos(&lpc, 0x0B, 0x02);
    assert_eq!(lpc.time(), Time { year: 1999, month: 12, day: 31, hour: 23, minute: 59, second: 59 });
    lpc.start_clock_update(1);
    cmos(&lpc, 0x0A);
    assert_eq!(lpc.time(), Time { year: 2000, month: 1, day: 1, hour: 0, minute: 0, second: 0 });
    set_cmos(&lpc, 0x0B, 0x82);
    assert!(failure(|| set_cmos(&lpc, 0, 0x5A)).contains("not BCD"));
    set_cmos(&lpc, 8, 0x13);
    assert!(failure(|| set_cmos(&lpc, 0x0B, 0x02)).contains("RTC: set to"));
}

/// The reference's working sequence; the response without its length byte.
fn ipmi(lpc: &Lpc, request: &[u8]) -> Vec<u8> {
    assert_eq!(lpc.read8(BT) & 0x84, 0);
    lpc.write8(BT, 0x01);
    lpc.write8(BT + 1, request.len() as u8);
    request.iter().for_each(|&byte| lpc.write8(BT + 1, byte));
    lpc.write8(BT, 0x04);
    while lpc.read8(BT) & 0x08 == 0 {}
    lpc.write8(BT, 0x40);
    lpc.write8(BT, 0x08);
    lpc.write8(BT, 0x02);
    let length = lpc.read8(BT + 1);
    let response = (0..length).map(|_| lpc.read8(BT + 1)).collect();
    lpc.write8(BT, 0x40);
    response
}

#[test]
fn bmc_answers_what_it_knows_and_refuses_the_rest() {
    let lpc = bus();
    assert_eq!(ipmi(&lpc, &[0x18, 7, 1]), [0x1C, 7, 1, 0, 0x20, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0]);
    assert_eq!(ipmi(&lpc, &[0x18, 8, 0x36]), [0x1C, 8, 0x36, 0, 1, 0xFF, 0xFF, 10, 0]);
    assert_eq!(ipmi(&lpc, &[0xE8, 9, 0x5A, 1, 2]), [0xEC, 9, 0x5A, 0xC1]);
    lpc.set_answer(0x3A, 0x5A, &[0, 0x42]);
    assert_eq!(ipmi(&lpc, &[0xE8, 10, 0x5A, 1, 2]), [0xEC, 10, 0x5A, 0, 0x42]);
    assert_eq!(lpc.bmc_requests()[2], (0x3A, 0x5A, vec![1, 2]));
}

#[test]
fn chassis_control_is_recorded_and_power_cycle_refused() {
    let lpc = bus();
    for (action, code) in [(2, 0xD5), (1, 0xD5), (4, 0xD5), (3, 0), (0, 0), (5, 0)] {
        assert_eq!(ipmi(&lpc, &[0, 1, 2, action]), [4, 1, 2, code]);
    }
    assert_eq!(ipmi(&lpc, &[0, 1, 2]), [4, 1, 2, 0xC7]);
    assert_eq!(lpc.chassis(), [Chassis::HardReset, Chassis::PowerOff, Chassis::SoftShutdown]);
}

#[test]
fn slow_bmc_is_busy_before_it_answers() {
    let lpc = bus();
    lpc.set_bmc_delay(2);
    lpc.write8(BT, 1);
    [3, 0x18, 0, 1].iter().for_each(|&byte| lpc.write8(BT + 1, byte));
    lpc.write8(BT, 4);
    assert_eq!([(); 4].map(|()| lpc.read8(BT)), [0x80, 0x80, 0x08, 0x08]);
    lpc.write8(BT, 0x40);
    assert_eq!(lpc.read8(BT), 0x48);
    lpc.write8(BT, 8);
    assert_eq!(lpc.read8(BT), 0x40);
}

#[test]
fn bt_steps_out_of_order_fail() {
    let begun = |steps: &[u8]| {
        let lpc = bus();
        lpc.write8(BT, 1);
        [3, 0x18, 0, 1].iter().for_each(|&byte| lpc.write8(BT + 1, byte));
        steps.iter().for_each(|&step| lpc.write8(BT, step));
        lpc
    };
    assert!(failure(|| bus().write8(BT + 1, 3)).contains("request byte"));
    assert!(failure(|| bus().write8(BT, 4)).contains("phase Idle"));
    assert!(failure(|| bus().write8(BT, 0x40)).contains("phase Idle"));
    assert!(failure(|| begun(&[4]).write8(BT, 8)).contains("phase Answered"));
    assert!(failure(|| begun(&[4]).write8(BT, 1)).contains("phase Answered"));
    assert!(failure(|| begun(&[4, 0x40]).write8(BT, 2)).contains("phase Taken"));
    assert!(failure(|| begun(&[4, 0x40, 8]).read8(BT + 1)).contains("read out of order"));
    assert!(failure(|| begun(&[4, 0x40, 8, 2]).write8(BT, 0x40)).contains("left unread"));
    assert!(failure(|| begun(&[4, 0x40, 8, 2]).write8(BT, 1)).contains("phase Reading"));
    let short = begun(&[]);
    short.write8(BT + 1, 9);
    assert!(failure(|| short.write8(BT, 4)).contains("length byte of a request of 5"));
}

#[test]
fn bt_interrupt_goes_by_route_0_until_acknowledged() {
    let lpc = routed();
    ipmi(&lpc, &[0x18, 0, 1]);
    assert!(!lpc.psi_input(7), "not enabled");
    lpc.write8(BT + 2, 1);
    ipmi(&lpc, &[0x18, 0, 1]);
    assert!(lpc.psi_input(7));
    assert_eq!(lpc.read8(BT + 2), 3);
    lpc.write8(BT + 2, 0);
    assert!(lpc.psi_input(7), "only a 1 in bit 1 clears it");
    lpc.write8(BT + 2, 3);
    assert!(!lpc.psi_input(7));
    assert_eq!(lpc.read8(BT + 2), 1);
}

#[test]
fn soft_power_off_request_is_read_from_the_event_buffer() {
    let lpc = routed();
    lpc.write8(BT + 2, 1);
    lpc.ask_soft_power_off();
    assert_eq!(lpc.read8(BT), 0x10);
    assert!(lpc.psi_input(7));
    let event = ipmi(&lpc, &[0x18, 1, 0x35]);
    assert_eq!((event[3], event[6], &event[14..17]), (0, 0xC0, &[0x3A, 0x04, 0x00][..]));
    assert_eq!(lpc.read8(BT), 0);
    assert_eq!(ipmi(&lpc, &[0x18, 2, 0x35])[3], 0x80);
}

#[test]
fn eccb_moves_bytes_and_words() {
    let lpc = Lpc::new(Routing::Cpld);
    let eccb = lpc.eccb();
    eccb.scom_write(0xB_0023, 0x4100_0000_0000_0000);
    eccb.scom_write(0xB_0020, 0xD100_0100_0000_0000 | UART);
    assert_eq!(eccb.scom_read(0xB_0022), 0x800);
    assert_eq!(eccb.scom_read(0xB_0022), 0, "reading clears it");
    assert_eq!(lpc.output(), b"A");
    eccb.scom_write(0xB_0020, 0xD101_0100_0000_0000 | (UART + 5));
    // 0x60 in the top byte of b6:37.
    assert_eq!(eccb.scom_read(0xB_0022), 0x0180_0000_0000_0800);
    eccb.set_polls(1);
    eccb.scom_write(0xB_0020, 0xD401_0100_0000_0000 | (HC + 0x28));
    assert_eq!(eccb.scom_read(0xB_0022), 0);
    assert_eq!(eccb.scom_read(0xB_0022) >> 26 & 0xFFFF_FFFF, 0x0200_0000);
    eccb.scom_write(0xB_0020, 0xD101_0100_0000_0000 | (IO + 0x2E));
    eccb.scom_read(0xB_0022);
    assert_eq!(eccb.scom_read(0xB_0022), 0x03FF_FFFF_FC00_0800);
    assert!(failure(|| eccb.scom_write(0xB_0020, 0xD201_0100_0000_0000 | UART)).contains("four that work"));
}

const ESB: u64 = 0x0006_0302_031C_0000;

/// Base 0xFFFF0, notify address and ESB pages as the reference saw them.
fn bridge() -> Psi {
    let psi = Psi::new();
    let registers = psi.window(psi::P9_MMIO_BASE);
    registers.write64(0x70, 0x000F_FFF0_0000_0000);
    registers.write64(0x68, 0x0006_0302_0311_0230 | 1);
    registers.write64(0x60, ESB | 1);
    psi
}

fn event(lisn: u32) -> Event {
    Event { address: 0x0006_0302_0311_0230, lisn }
}

#[test]
fn psi_level_sends_one_event_until_eoi() {
    let psi = bridge();
    let page = psi.window(ESB + 8 * 0x1000);
    psi.set_input(8, true);
    psi.set_input(8, true);
    assert_eq!(psi.events(), [event(0xF_FFF8)]);
    assert_eq!(page.read64(0x800), 0b10);
    assert_eq!(page.read64(0), 1, "still up: sent again");
    assert_eq!(psi.events().len(), 2);
    psi.set_input(8, false);
    assert_eq!(page.read64(0), 0);
    assert_eq!(psi.pq(8), 0b00);
    assert_eq!(psi.events().len(), 2);
}

#[test]
fn psi_pq_stores_do_not_look_at_the_level_but_an_eoi_does() {
    let psi = bridge();
    let page = psi.window(ESB + 3 * 0x1000);
    assert_eq!(page.read64(0xD00), 0);
    psi.set_input(3, true);
    assert_eq!(page.read64(0xC00), 1);
    assert_eq!(psi.events(), []);
    assert_eq!(page.read64(0), 1);
    assert_eq!(psi.events(), [event(0xF_FFF3)]);
    page.write64(0, 0);
    assert_eq!(page.read64(0xF00), 0b11);
}

#[test]
fn psi_control_and_validity_decide_what_an_input_does() {
    let psi = bridge();
    let registers = psi.window(psi::P9_MMIO_BASE);
    registers.write64(0x58, 1 << 63);
    psi.set_input(1, true);
    registers.write64(0x58, 0);
    assert_eq!(psi.events(), []);
    registers.write64(0x68, 0);
    psi.set_input(1, true);
    assert_eq!((psi.events(), psi.lost()), (vec![], vec![0xF_FFF1]));
    let page = psi.window(ESB + 0x1000);
    assert!(failure(|| page.write64(0x400, 0)).contains("store-EOI"));
    registers.write64(0x68, 0x0006_0302_0311_0231);
    registers.write64(0x20, 1 << 51);
    assert_eq!(registers.read64(0x20), 0);
    page.write64(0x400, 0);
    assert_eq!(psi.events(), [event(0xF_FFF1)]);
}

#[test]
fn psi_windows_and_registers_follow_their_bases() {
    let psi = Psi::new();
    let registers = psi.window(psi::P9_MMIO_BASE);
    assert!(failure(|| psi.window(ESB).read64(0x800)).contains("machine check"));
    registers.write64(0x60, ESB | 1);
    assert_eq!(psi.window(ESB + 13 * 0x1000).read64(0x800), 0);
    assert!(failure(|| psi.window(ESB + 14 * 0x1000).read64(0x800)).contains("machine check"));
    assert!(failure(|| registers.write64(0x60, 0x0006_0302_031D_0001)).contains("moved"));
    assert!(failure(|| registers.write64(0x70, 0x0008_0000_0000)).contains("multiple of 16"));
    assert!(failure(|| registers.read64(0x50)).contains("unknown register"));
    assert!(failure(|| registers.read32(0x60)).contains("4-byte"));
    assert_eq!(registers.read64(0x78), u64::MAX);
    assert_eq!(psi.scom_read(0x501_290A), 0x0006_0302_0300_0001);
    assert_eq!(psi.scom().read64(0x501_2916 << 3), ESB | 1);
    psi.scom_write(0x501_290A, 0);
    assert!(failure(|| registers.read64(0x60)).contains("machine check"));
    psi.scom_write(0x501_290A, 0x0006_0302_0300_0001);
    psi.machine_reset();
    assert_eq!(registers.read64(0x60), 0);
    // Pages of 64 KiB exist on POWER10 only.
    assert!(failure(|| registers.write64(0x60, 1 << 62 | 0x0006_0302_0200_0001)).contains("64 KiB"));
    let psi = Psi::power10();
    let registers = psi.window(psi::P10_MMIO_BASE);
    registers.write64(0x60, 1 << 62 | 0x0006_0302_0200_0001);
    assert_eq!(psi.window(0x0006_0302_020D_0000).read64(0xD00), 0);
    assert_eq!(psi.pq(13), 1);
}

#[test]
fn typed_byte_travels_from_uart_to_an_event() {
    let lpc = routed();
    let psi = bridge();
    let inputs = psi.clone();
    lpc.on_psi_input(move |input, level| inputs.set_input(input.into(), level));
    let (sender, receiver) = std::sync::mpsc::channel();
    psi.on_event(move |event| sender.send(event.lisn).unwrap());
    lpc.write8(UART + 1, 1);
    lpc.type_in(b"q");
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [0xF_FFF8]);
    assert_eq!(lpc.read8(UART), b'q');
    assert_eq!(psi.window(ESB + 8 * 0x1000).read64(0), 0);
    assert_eq!(receiver.try_iter().count(), 0);
}
