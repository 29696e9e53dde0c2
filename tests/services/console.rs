//! Calls 1, 2, 9, 10, 25, 117.

use super::model::firmware::{FIRMWARE, Machine, PSI_BASE, RAM_END};
use super::model::lpc;
use super::{BAD_POINTERS, BUFFER, LENGTH, OUT, code::*, token::*};
use opalite::hw::mmio::Mmio;
use opalite::hw::ram::Ram;
use opalite::opal::dispatch;
use opalite::services::console::{INPUT, OUTPUT};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

const UART_ISN: u64 = PSI_BASE as u64 + 8;
const UART_INPUT: u8 = 8;
const INPUT_EVENT: u64 = 0x10;

impl Machine {
    fn write(&self, bytes: &[u8]) -> (i64, u64) {
        self.ram.write_bytes(BUFFER, bytes);
        self.ram.write64(LENGTH, bytes.len() as u64);
        let code = self.call(CONSOLE_WRITE, &[0, LENGTH, BUFFER]);
        (code, self.ram.read64(LENGTH))
    }

    fn read(&self, room: u64) -> Vec<u8> {
        self.ram.write64(LENGTH, room);
        assert_eq!(self.call(CONSOLE_READ, &[0, LENGTH, BUFFER]), SUCCESS);
        self.ram.bytes(BUFFER, self.ram.read64(LENGTH) as usize)
    }

    fn space(&self) -> u64 {
        assert_eq!(self.call(WRITE_BUFFER_SPACE, &[0, OUT]), SUCCESS);
        self.ram.read64(OUT)
    }

    fn events(&self) -> u64 {
        assert_eq!(self.call(POLL_EVENTS, &[OUT]), SUCCESS);
        self.ram.read64(OUT)
    }

    fn interrupt(&self, isn: u64) -> u64 {
        assert_eq!(self.call(HANDLE_INTERRUPT, &[isn, OUT]), SUCCESS);
        self.ram.read64(OUT)
    }
}

fn text(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

#[test]
fn sixteen_bytes_cost_one_look_at_the_status() {
    let machine = Machine::new();
    let before = machine.lpc.accesses();
    assert_eq!(machine.write(b"0123456789abcdef"), (SUCCESS, 16));
    assert_eq!(machine.lpc.output(), b"0123456789abcdef");
    assert_eq!(machine.lpc.accesses() - before, 17);
}

#[test]
fn a_megabyte_arrives_whole_and_in_order() {
    let machine = Machine::new();
    let all = text(1 << 20);
    let mut rest = all.as_slice();
    while !rest.is_empty() {
        let (code, taken) = machine.write(&rest[..rest.len().min(50_000)]);
        assert_eq!(code, SUCCESS);
        rest = &rest[taken as usize..];
    }
    assert!(machine.lpc.output() == all);
}

#[test]
fn a_slow_uart_loses_nothing_and_keeps_the_order() {
    let machine = Machine::with(|lpc| lpc.set_transmit_delay(3));
    let all = text(100_000);
    let mut rest = all.as_slice();
    let mut refused = 0;
    while !rest.is_empty() {
        let step = rest.len().min(777);
        match machine.write(&rest[..step]) {
            (SUCCESS, taken) => rest = &rest[taken as usize..],
            (code, length) => {
                assert_eq!((code, length), (BUSY_EVENT, step as u64));
                refused += 1;
                machine.events();
            }
        }
    }
    while machine.call(CONSOLE_FLUSH, &[0]) != SUCCESS {}
    assert!(refused > 0);
    assert!(machine.lpc.output() == all);
    assert_eq!(machine.space(), OUTPUT as u64);
}

#[test]
fn space_is_what_a_write_takes() {
    let machine = Machine::with(|lpc| lpc.set_transmit_delay(u32::MAX));
    assert_eq!(machine.space(), OUTPUT as u64);
    assert_eq!(machine.write(&text(1000)), (SUCCESS, 1000));
    assert_eq!(machine.space(), OUTPUT as u64 - 1000 + 16);
    let space = machine.space();
    assert_eq!(machine.write(&text(OUTPUT)), (SUCCESS, space));
    assert_eq!(machine.space(), 0);
    assert_eq!(machine.write(b"x"), (BUSY_EVENT, 1));
}

#[test]
fn flush_says_how_far_it_got() {
    let machine = Machine::with(|lpc| lpc.set_transmit_delay(2));
    assert_eq!(machine.call(CONSOLE_FLUSH, &[0]), SUCCESS);
    assert_eq!(machine.write(&text(40)), (SUCCESS, 40));
    let mut codes = Vec::new();
    while codes.last() != Some(&SUCCESS) {
        codes.push(machine.call(CONSOLE_FLUSH, &[0]));
    }
    assert!(codes.contains(&BUSY) && codes.contains(&PARTIAL), "{codes:?}");
    assert_eq!(machine.lpc.output(), text(40));
}

#[test]
fn the_uart_s_interrupt_drains_output_and_then_rests() {
    let machine = Machine::with(|lpc| lpc.set_transmit_delay(1));
    machine.write(&text(100));
    let mut interrupts = 0;
    while machine.lpc.output().len() < 100 {
        machine.interrupt(UART_ISN);
        interrupts += 1;
        assert!(interrupts < 100);
    }
    machine.interrupt(UART_ISN);
    assert!(!machine.lpc.psi_input(UART_INPUT));
    assert_eq!(machine.lpc.output(), text(100));
    assert_eq!(machine.space(), OUTPUT as u64);
}

#[test]
fn a_zero_length_is_a_success_that_touches_nothing() {
    let machine = Machine::new();
    let before = machine.lpc.accesses();
    machine.ram.write64(LENGTH, 0);
    assert_eq!(machine.call(CONSOLE_WRITE, &[0, LENGTH, 0]), SUCCESS);
    assert_eq!(machine.call(CONSOLE_READ, &[0, LENGTH, 0]), SUCCESS);
    assert_eq!(machine.ram.read64(LENGTH), 0);
    assert_eq!(machine.lpc.accesses(), before);
}

#[test]
fn bad_arguments_change_nothing() {
    let machine = Machine::new();
    machine.lpc.type_in(b"input");
    machine.ram.write64(LENGTH, 5);
    machine.ram.write_bytes(BUFFER, b"Hello");
    for token in [CONSOLE_WRITE, CONSOLE_READ] {
        for terminal in [1, u64::MAX, 1 << 32] {
            assert_eq!(machine.call(token, &[terminal, LENGTH, BUFFER]), PARAMETER);
        }
        for pointer in BAD_POINTERS {
            assert_eq!(machine.call(token, &[0, pointer, BUFFER]), PARAMETER, "{pointer:#x}");
        }
        for buffer in [0, FIRMWARE, FIRMWARE - 4, RAM_END - 2, RAM_END, 0x0fff_ffff_ffff_fffe] {
            assert_eq!(machine.call(token, &[0, LENGTH, buffer]), PARAMETER, "{buffer:#x}");
        }
        for length in [u64::MAX, 1 << 63, RAM_END, FIRMWARE - BUFFER + 1] {
            machine.ram.write64(LENGTH, length);
            assert_eq!(machine.call(token, &[0, LENGTH, BUFFER]), PARAMETER, "{length:#x}");
            assert_eq!(machine.ram.read64(LENGTH), length);
        }
        machine.ram.write64(LENGTH, 5);
    }
    for token in [WRITE_BUFFER_SPACE, CONSOLE_FLUSH] {
        assert_eq!(machine.call(token, &[1, OUT]), PARAMETER);
    }
    for pointer in BAD_POINTERS {
        assert_eq!(machine.call(WRITE_BUFFER_SPACE, &[0, pointer]), PARAMETER);
    }
    assert_eq!(machine.lpc.output(), b"");
    assert_eq!(machine.ram.bytes(BUFFER, 5), b"Hello");
    assert_eq!(machine.read(16), b"input");
}

#[test]
fn takes_the_kernel_s_virtual_addresses() {
    let machine = Machine::new();
    let kernel = 0xc000_0000_0000_0000;
    machine.ram.write_bytes(BUFFER + 1, b"kernel");
    machine.ram.write64(LENGTH, 6);
    assert_eq!(machine.call(CONSOLE_WRITE, &[0, kernel | LENGTH, kernel | (BUFFER + 1)]), SUCCESS);
    assert_eq!(machine.lpc.output(), b"kernel");
}

#[test]
fn input_keeps_its_event_until_it_is_read() {
    let machine = Machine::new();
    assert_eq!(machine.events(), 0);
    machine.lpc.type_in(b"root\n");
    assert!(machine.lpc.psi_input(UART_INPUT));
    assert_eq!(machine.interrupt(UART_ISN), INPUT_EVENT);
    assert!(!machine.lpc.psi_input(UART_INPUT));
    assert_eq!(machine.read(2), b"ro");
    assert_eq!(machine.events(), INPUT_EVENT);
    assert_eq!(machine.read(16), b"ot\n");
    assert_eq!(machine.events(), 0);
    assert_eq!(machine.read(16), b"");
}

#[test]
fn polling_finds_input_without_an_interrupt() {
    let machine = Machine::new();
    machine.lpc.type_in(b"x");
    assert_eq!(machine.call(POLL_EVENTS, &[0]), SUCCESS);
    assert_eq!(machine.events(), INPUT_EVENT);
    assert_eq!(machine.read(1), b"x");
}

#[test]
fn more_input_than_fits_waits_in_the_device_with_its_interrupt_off() {
    let machine = Machine::new();
    let typed = text(INPUT * 3);
    machine.lpc.type_in(&typed);
    assert_eq!(machine.interrupt(UART_ISN), INPUT_EVENT);
    assert!(!machine.lpc.psi_input(UART_INPUT), "a level that nobody can lower is a storm");
    let mut got = Vec::new();
    loop {
        let some = machine.read(100);
        if some.is_empty() {
            break;
        }
        got.extend(some);
    }
    assert!(got == typed);
    machine.lpc.type_in(b"again");
    assert!(machine.lpc.psi_input(UART_INPUT));
}

#[test]
fn interrupts_of_others_are_refused() {
    let machine = Machine::new();
    machine.lpc.type_in(b"x");
    machine.ram.write64(OUT, 0x55);
    for isn in [0, u64::from(PSI_BASE) - 1, u64::from(PSI_BASE) + 14, u64::MAX, UART_ISN | 1 << 32] {
        assert_eq!(machine.call(HANDLE_INTERRUPT, &[isn, OUT]), PARAMETER, "{isn:#x}");
    }
    for pointer in BAD_POINTERS {
        assert_eq!(machine.call(HANDLE_INTERRUPT, &[UART_ISN, pointer]), PARAMETER, "{pointer:#x}");
        if pointer != 0 {
            assert_eq!(machine.call(POLL_EVENTS, &[pointer]), PARAMETER, "{pointer:#x}");
        }
    }
    assert_eq!(machine.ram.read64(OUT), 0x55);
    assert!(machine.lpc.psi_input(UART_INPUT));
}

#[test]
fn errors_of_the_host_controller_are_cleared() {
    let machine = Machine::new();
    assert!(!machine.lpc.psi_input(3));
    machine.lpc.raise_error(0x80);
    assert!(machine.lpc.psi_input(3));
    assert_eq!(machine.interrupt(u64::from(PSI_BASE) + 3), 0);
    assert!(!machine.lpc.psi_input(3));
}

#[test]
fn each_input_of_the_psi_bridge_is_owned() {
    let machine = Machine::new();
    for input in 0..14 {
        assert_eq!(machine.interrupt(u64::from(PSI_BASE) + input), 0);
    }
}

#[test]
fn without_a_uart_the_console_is_closed() {
    let machine = Machine::with(lpc::Lpc::remove_uart);
    assert_eq!(machine.write(b"x"), (CLOSED, 1));
    machine.ram.write64(OUT, 0x55);
    assert_eq!(machine.call(WRITE_BUFFER_SPACE, &[0, OUT]), CLOSED);
    assert_eq!(machine.ram.read64(OUT), 0x55);
    assert_eq!(machine.call(CONSOLE_FLUSH, &[0]), CLOSED);
    assert_eq!(machine.call(CONSOLE_READ, &[0, LENGTH, BUFFER]), CLOSED);
    assert_eq!(machine.events(), 0);
    assert!(!machine.lpc.psi_input(3), "probing left an error behind");
}

#[test]
fn the_uart_is_set_to_115200_8n1() {
    let machine = Machine::new();
    assert_eq!(machine.lpc.uart_settings(), (1, 3));
}

/// The bus, and something that happens in the middle of an access: what a machine check does.
struct Interrupted {
    lpc: lpc::Lpc,
    countdown: AtomicU32,
    then: Arc<OnceLock<Box<dyn Fn() + Send + Sync>>>,
}

impl Mmio for Interrupted {
    fn read8(&self, offset: u64) -> u8 {
        self.lpc.read8(offset)
    }
    fn write8(&self, offset: u64, value: u8) {
        self.lpc.write8(offset, value);
        if offset == 0xd001_03f8
            && let Some(then) = self.then.get()
            && self.countdown.fetch_sub(1, Ordering::Relaxed) == 1
        {
            then();
        }
    }
    fn read16(&self, offset: u64) -> u16 {
        self.lpc.read16(offset)
    }
    fn read32(&self, offset: u64) -> u32 {
        self.lpc.read32(offset)
    }
    fn read64(&self, offset: u64) -> u64 {
        self.lpc.read64(offset)
    }
    fn write16(&self, offset: u64, value: u16) {
        self.lpc.write16(offset, value);
    }
    fn write32(&self, offset: u64, value: u32) {
        self.lpc.write32(offset, value);
    }
    fn write64(&self, offset: u64, value: u64) {
        self.lpc.write64(offset, value);
    }
}

#[test]
fn a_machine_check_inside_a_write_can_still_print() {
    const NESTED: u64 = BUFFER + 0x1000;
    let lpc = lpc::Lpc::new(lpc::Routing::SerIrq);
    let then: Arc<OnceLock<Box<dyn Fn() + Send + Sync>>> = Arc::default();
    let window = Interrupted { lpc: lpc.clone(), countdown: AtomicU32::new(3), then: then.clone() };
    let machine: &'static Machine = Box::leak(Box::new(Machine::behind(lpc, Box::leak(Box::new(window)))));
    let nested = |token, arguments: [u64; 3]| {
        let [a, b, c] = arguments;
        dispatch::call(&machine.firmware, token, &opalite::opal::args::Args([a, b, c, 0, 0, 0, 0]), true)
    };
    let act = move || {
        machine.ram.write_bytes(NESTED, b"<MCE>");
        machine.ram.write64(LENGTH + 0x100, 5);
        assert_eq!(nested(WRITE_BUFFER_SPACE, [0, OUT, 0]), SUCCESS);
        assert!(machine.ram.read64(OUT) >= 5);
        assert_eq!(nested(CONSOLE_WRITE, [0, LENGTH + 0x100, NESTED]), SUCCESS);
        assert_eq!(machine.ram.read64(LENGTH + 0x100), 5);
        assert_eq!(nested(CONSOLE_FLUSH, [0, 0, 0]), SUCCESS);
        assert_eq!(nested(POLL_EVENTS, [OUT, 0, 0]), SUCCESS);
        assert_eq!(nested(RTC_READ, [LENGTH, OUT, 0]), -11);
    };
    assert!(then.set(Box::new(act)).is_ok());
    assert_eq!(machine.write(b"abcdef"), (SUCCESS, 6));
    assert_eq!(machine.lpc.output(), b"abc<MCE>def");
}
