//! Which calls there are: one line each, sorted by number. What is offered and what CHECK_TOKEN claims can't differ.

use super::args::Args;
use super::calls::{console, cpus, events, nvram, power, system, time};
use crate::error::Result;
use crate::firmware::Firmware;

/// What serves a call; `Ok` carries the return value, mostly [`SUCCESS`].
pub type Handler = fn(&Firmware, &Args<'_>) -> Result<i64>;

/// OPAL_SUCCESS.
pub const SUCCESS: i64 = 0;

/// One call.
#[derive(Clone, Copy)]
pub struct Call {
    /// Its name in OPAL's interface, without the prefix.
    pub name: &'static str,
    /// What serves it.
    pub handler: Handler,
    /// Whether it may interrupt another call on the same thread (machine check, system reset).
    pub nested: bool,
}

const fn call(token: usize, name: &'static str, handler: Handler) -> (usize, Call) {
    (token, Call { name, handler, nested: false })
}

const fn nested(token: usize, name: &'static str, handler: Handler) -> (usize, Call) {
    (token, Call { name, handler, nested: true })
}

const CALLS: &[(usize, Call)] = &[
    call(0, "TEST", system::test),
    nested(1, "CONSOLE_WRITE", console::write),
    nested(2, "CONSOLE_READ", console::read),
    call(3, "RTC_READ", time::rtc_read),
    call(4, "RTC_WRITE", time::rtc_write),
    call(5, "CEC_POWER_DOWN", power::power_down),
    nested(6, "CEC_REBOOT", power::reboot),
    call(7, "READ_NVRAM", nvram::read),
    call(8, "WRITE_NVRAM", nvram::write),
    call(9, "HANDLE_INTERRUPT", events::handle_interrupt),
    nested(10, "POLL_EVENTS", events::poll_events),
    nested(25, "CONSOLE_WRITE_BUFFER_SPACE", console::write_buffer_space),
    call(41, "START_CPU", cpus::start),
    call(42, "QUERY_CPU_STATUS", cpus::query_status),
    call(69, "RETURN_CPU", cpus::return_cpu),
    call(70, "REINIT_CPUS", cpus::reinit),
    call(79, "RESYNC_TIMEBASE", time::resync_timebase),
    nested(80, "CHECK_TOKEN", system::check_token),
    call(85, "GET_MSG", events::get_msg),
    call(87, "SYNC_HOST_REBOOT", power::sync_host_reboot),
    nested(98, "HANDLE_HMI", cpus::handle_hmi),
    nested(116, "CEC_REBOOT2", power::reboot2),
    nested(117, "CONSOLE_FLUSH", console::flush),
    call(127, "NMMU_SET_PTCR", system::nmmu_set_ptcr),
    nested(QUIESCE, "QUIESCE", cpus::quiesce),
    nested(166, "HANDLE_HMI2", cpus::handle_hmi2),
];

/// The call that decides who may call: it is never kept out itself.
pub(super) const QUIESCE: usize = 158;

/// Numbers end here; the highest one of OPAL that we serve is 180.
const END: usize = 181;

static TABLE: [Option<Call>; END] = build(CALLS);

const fn build(calls: &[(usize, Call)]) -> [Option<Call>; END] {
    let mut table = [None; END];
    let mut i = 0;
    while i < calls.len() {
        let (token, call) = calls[i];
        assert!(table[token].is_none(), "two calls with one token");
        table[token] = Some(call);
        i += 1;
    }
    table
}

/// The call of that token.
#[inline(always)]
pub fn find(token: u64) -> Option<&'static Call> {
    TABLE.get(usize::try_from(token).ok()?)?.as_ref()
}
