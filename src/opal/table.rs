//! Which calls there are: one line each, sorted by number. What is offered and what CHECK_TOKEN claims can't differ.

use super::args::Args;
use super::calls::{console, system};
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
    nested(10, "POLL_EVENTS", system::poll_events),
    nested(25, "CONSOLE_WRITE_BUFFER_SPACE", console::write_buffer_space),
    nested(80, "CHECK_TOKEN", system::check_token),
    nested(117, "CONSOLE_FLUSH", console::flush),
];

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
