//! Console, clock, power, events, NVRAM, threads: the real handlers on models of the LPC bus and memory.

#[path = "services/clock.rs"]
mod clock;
#[path = "services/console.rs"]
mod console;
#[path = "services/cpus.rs"]
mod cpus;
#[path = "services/hostile.rs"]
mod hostile;
mod model;
#[path = "services/nvram.rs"]
mod nvram;
#[path = "services/power.rs"]
mod power;

/// Return codes of OPAL.
mod code {
    pub const SUCCESS: i64 = 0;
    pub const PARAMETER: i64 = -1;
    pub const BUSY: i64 = -2;
    pub const PARTIAL: i64 = -3;
    pub const CLOSED: i64 = -5;
    pub const HARDWARE: i64 = -6;
    pub const UNSUPPORTED: i64 = -7;
    pub const RESOURCE: i64 = -10;
    pub const BUSY_EVENT: i64 = -12;
    pub const WRONG_STATE: i64 = -14;
    pub const TIMEOUT: i64 = -33;
}

/// Tokens of OPAL.
mod token {
    pub const TEST: u64 = 0;
    pub const CONSOLE_WRITE: u64 = 1;
    pub const CONSOLE_READ: u64 = 2;
    pub const RTC_READ: u64 = 3;
    pub const RTC_WRITE: u64 = 4;
    pub const CEC_POWER_DOWN: u64 = 5;
    pub const CEC_REBOOT: u64 = 6;
    pub const READ_NVRAM: u64 = 7;
    pub const WRITE_NVRAM: u64 = 8;
    pub const HANDLE_INTERRUPT: u64 = 9;
    pub const POLL_EVENTS: u64 = 10;
    pub const WRITE_BUFFER_SPACE: u64 = 25;
    pub const START_CPU: u64 = 41;
    pub const QUERY_CPU_STATUS: u64 = 42;
    pub const RETURN_CPU: u64 = 69;
    pub const REINIT_CPUS: u64 = 70;
    pub const RESYNC_TIMEBASE: u64 = 79;
    pub const CHECK_TOKEN: u64 = 80;
    pub const GET_MSG: u64 = 85;
    pub const SYNC_HOST_REBOOT: u64 = 87;
    pub const HANDLE_HMI: u64 = 98;
    pub const CEC_REBOOT2: u64 = 116;
    pub const CONSOLE_FLUSH: u64 = 117;
    pub const NMMU_SET_PTCR: u64 = 127;
    pub const SIGNAL_SYSTEM_RESET: u64 = 145;
    pub const QUIESCE: u64 = 158;
    pub const HANDLE_HMI2: u64 = 166;
}

/// Where the tests' OS keeps what it passes.
const BUFFER: u64 = 0x10_0000;
const LENGTH: u64 = 0x8000;
const OUT: u64 = 0x8008;

/// Pointers to eight bytes that no OS may pass.
const BAD_POINTERS: [u64; 8] = [
    0,
    LENGTH + 4,
    0xc000_0000_0000_0000,
    0x7eff_fffc,
    model::firmware::FIRMWARE,
    0xc000_0000_0000_0000 | model::firmware::FIRMWARE,
    model::firmware::RAM_END,
    0x0fff_ffff_ffff_fff8,
];
