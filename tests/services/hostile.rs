//! What is offered, and an OS that passes anything.

use super::model::firmware::{FIRMWARE, Machine, PSI_BASE, RAM_END};
use super::{BUFFER, LENGTH, code::*, token::*};
use opalite::hw::ram::Ram;

const SERVED: [u64; 26] = [
    TEST,
    CONSOLE_WRITE,
    CONSOLE_READ,
    RTC_READ,
    RTC_WRITE,
    CEC_POWER_DOWN,
    CEC_REBOOT,
    READ_NVRAM,
    WRITE_NVRAM,
    HANDLE_INTERRUPT,
    POLL_EVENTS,
    WRITE_BUFFER_SPACE,
    START_CPU,
    QUERY_CPU_STATUS,
    RETURN_CPU,
    REINIT_CPUS,
    RESYNC_TIMEBASE,
    CHECK_TOKEN,
    GET_MSG,
    SYNC_HOST_REBOOT,
    HANDLE_HMI,
    CEC_REBOOT2,
    CONSOLE_FLUSH,
    NMMU_SET_PTCR,
    QUIESCE,
    HANDLE_HMI2,
];

#[test]
fn offers_what_it_serves() {
    let machine = Machine::new();
    for token in SERVED {
        assert_eq!(machine.call(CHECK_TOKEN, &[token]), 1, "{token}");
    }
    for token in [SIGNAL_SYSTEM_RESET, 86, 99, 100, 101, 181, 1 << 32 | 1, u64::MAX] {
        assert_eq!(machine.call(CHECK_TOKEN, &[token]), 0, "{token:#x}");
        assert_eq!(machine.call(token, &[]), PARAMETER, "{token:#x}");
    }
    assert_eq!(machine.call(NMMU_SET_PTCR, &[u64::MAX, 0x1000]), UNSUPPORTED);
}

/// Marsaglia's xorshift: the same numbers each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[(self.next() % from.len() as u64) as usize]
    }
}

#[test]
fn no_argument_makes_it_panic_or_touch_firmware() {
    let likely = [
        0,
        1,
        2,
        4,
        16,
        72,
        0xfff,
        BUFFER,
        BUFFER + 1,
        LENGTH,
        0xc000_0000_0000_0000 | BUFFER,
        FIRMWARE - 8,
        FIRMWARE - 1,
        FIRMWARE,
        RAM_END - 8,
        RAM_END,
        0x2026_1031,
        0x1234_5600_0000_0000,
        u64::from(PSI_BASE) + 7,
        u64::from(PSI_BASE) + 8,
        u64::from(u32::MAX),
        1 << 32,
        1 << 63,
        u64::MAX,
        0x0fff_ffff_ffff_ffff,
        u64::MAX - 7,
    ];
    let machine = Machine::new();
    machine.ram.watch(FIRMWARE, RAM_END - FIRMWARE);
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for round in 0..30_000 {
        let token = numbers.pick(&SERVED);
        if token == QUIESCE {
            continue; // holds calls for seconds; `cpus` has it
        }
        machine.ram.write64(LENGTH, numbers.pick(&likely));
        machine.ram.write64(BUFFER, numbers.pick(&likely));
        let arguments: [u64; 7] = std::array::from_fn(|_| {
            if numbers.next().is_multiple_of(8) { numbers.next() } else { numbers.pick(&likely) }
        });
        let code = machine.call(token, &arguments);
        assert!((-33..=1).contains(&code), "round {round}: {token} {arguments:x?} gave {code}");
    }
    assert_eq!(machine.ram.writes(), []);
}
