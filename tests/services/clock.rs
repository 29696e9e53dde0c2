//! Calls 3, 4, 79.

use super::model::firmware::Machine;
use super::model::lpc::Time;
use super::{BAD_POINTERS, LENGTH, OUT, code::*, token::*};
use opalite::hw::mmio::Mmio;
use opalite::hw::ram::Ram;

const HMS: u64 = OUT;
const YMD: u64 = LENGTH;

impl Machine {
    fn clock(&self) -> (i64, u32, u64) {
        self.ram.write32(YMD, 0x5555);
        self.ram.write64(HMS, 0x6666);
        let code = self.call(RTC_READ, &[YMD, HMS]);
        (code, self.ram.read32(YMD), self.ram.read64(HMS))
    }

    fn set_clock_format(&self, register_b: u8) {
        self.lpc.write8(0xd001_0070, 0x0b);
        self.lpc.write8(0xd001_0071, register_b);
    }
}

const NOON: Time = Time { year: 2026, month: 10, day: 31, hour: 12, minute: 34, second: 56 };

#[test]
fn reads_date_and_time_in_each_format_of_the_clock() {
    let machine = Machine::new();
    for format in [0, 2, 4, 6] {
        machine.set_clock_format(format);
        machine.lpc.set_time(NOON);
        assert_eq!(machine.clock(), (SUCCESS, 0x2026_1031, 0x1234_5600_0000_0000), "{format}");
        machine.lpc.set_time(Time { hour: 0, ..NOON });
        assert_eq!(machine.clock().2, 0x0034_5600_0000_0000, "{format}");
        machine.lpc.set_time(Time { hour: 23, ..NOON });
        assert_eq!(machine.clock().2, 0x2334_5600_0000_0000, "{format}");
    }
}

#[test]
fn waits_for_the_end_of_an_update() {
    let machine = Machine::new();
    machine.lpc.start_clock_update(4);
    assert_eq!(machine.clock(), (SUCCESS, 0x2024_0228, 0x2359_5900_0000_0000));
}

#[test]
fn a_clock_that_ticks_between_two_registers_gives_one_moment() {
    // The last second of the 28th: any mixture of before and after shows.
    for reads in 1..=12 {
        let machine = Machine::new();
        machine.lpc.set_time(Time { second: 59, ..machine.lpc.time() });
        machine.lpc.tick_after(reads);
        let (code, date, time) = machine.clock();
        assert_eq!(code, SUCCESS);
        let before = (0x2024_0228, 0x2359_5900_0000_0000);
        let after = (0x2024_0229, 0);
        assert!((date, time) == before || (date, time) == after, "{reads}: {date:x} {time:x}");
    }
}

#[test]
fn an_endless_update_is_an_error_and_not_a_hang() {
    let machine = Machine::new();
    machine.lpc.start_clock_update(u32::MAX);
    assert_eq!(machine.clock(), (HARDWARE, 0x5555, 0x6666));
}

#[test]
fn reading_checks_both_pointers_first() {
    let machine = Machine::new();
    machine.ram.write32(YMD, 0x5555);
    machine.ram.write64(HMS, 0x6666);
    for pointer in BAD_POINTERS {
        assert_eq!(machine.call(RTC_READ, &[YMD, pointer]), PARAMETER, "{pointer:#x}");
        if pointer.is_multiple_of(8) {
            assert_eq!(machine.call(RTC_READ, &[pointer, HMS]), PARAMETER, "{pointer:#x}");
        }
    }
    assert_eq!(machine.call(RTC_READ, &[YMD + 2, HMS]), PARAMETER);
    assert_eq!((machine.ram.read32(YMD), machine.ram.read64(HMS)), (0x5555, 0x6666));
}

#[test]
fn sets_the_clock_in_each_of_its_formats() {
    let machine = Machine::new();
    for format in [0, 2, 4, 6] {
        machine.set_clock_format(format);
        for hour in 0..24 {
            let bcd = ((hour / 10) << 4) | (hour % 10);
            let time = bcd << 56 | 0x0034_5600_0000_0000;
            assert_eq!(machine.call(RTC_WRITE, &[0x2026_1031, time]), SUCCESS);
            assert_eq!(machine.lpc.time(), Time { hour: hour as u8, ..NOON }, "{format} {hour}");
            assert_eq!(machine.clock(), (SUCCESS, 0x2026_1031, time));
        }
    }
    assert_eq!(machine.call(RTC_WRITE, &[0x2024_0229, 0x0000_0001_2345_6789]), SUCCESS);
    assert_eq!(machine.lpc.time().day, 29);
}

#[test]
fn refuses_what_is_no_moment() {
    let machine = Machine::new();
    let before = machine.lpc.time();
    for date in [
        0x2026_0001, // month
        0x2026_1301,
        0x2026_0100, // day
        0x2026_0132,
        0x2026_0431,
        0x2026_0229,
        0x2026_0a01, // digits
        0x202f_0101,
        0xa026_0101,
        0x2026_010a,
        0x1969_1231, // beyond two digits of year
        0x2070_0101,
        0x9999_0101,
        0x1_2026_0101, // wider than the argument
    ] {
        assert_eq!(machine.call(RTC_WRITE, &[date, 0]), PARAMETER, "{date:#x}");
    }
    for time in [0x24_0000, 0x00_6000, 0x00_0060, 0x1a_0000, 0x00_0a00, 0x00_00f0] {
        assert_eq!(machine.call(RTC_WRITE, &[0x2026_0101, time << 40]), PARAMETER, "{time:#x}");
    }
    assert_eq!(machine.lpc.time(), before);
}

#[test]
fn the_timebase_runs() {
    assert_eq!(Machine::new().call(RESYNC_TIMEBASE, &[]), SUCCESS);
}
