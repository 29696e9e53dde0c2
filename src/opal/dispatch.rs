//! From a token and registers to a return code.

use super::args::Args;
use super::table::{self, QUIESCE};
use crate::error::{Error, why};
use crate::firmware::{FIRMWARE, Firmware};

/// Called by `opal_entry.S` for what it doesn't do itself: unknown tokens, calls while the OS keeps threads out, and
/// calls that interrupt another one. `depth` is 2 when this call interrupts another one on the same thread.
pub extern "C" fn opal_dispatch(token: u64, args: &Args, depth: u64) -> i64 {
    match FIRMWARE.get() {
        Some(firmware) => call(firmware, token, args, depth > 1),
        None => Error::Internal(why("not ready")).code(),
    }
}

/// Performs one call: what the door does, and what host tests use.
///
/// `nested` means that it interrupts another call on the same thread: only calls that take no lock which the outer
/// one may hold are then possible.
pub fn call(firmware: &Firmware, token: u64, args: &Args, nested: bool) -> i64 {
    let Some(call) = table::find(token) else {
        return Error::Parameter(why("token")).code();
    };
    if nested && !call.nested {
        return Error::Internal(why("nested call")).code();
    }
    if firmware.services.quiesce.is_on()
        && !nested
        && token != QUIESCE as u64
        && let Err(error) = firmware.services.quiesce.admit(crate::arch::pir())
    {
        return error.code();
    }
    let [a, b, c, d, e, f, g] = args.0;
    (call.handler)(a, b, c, d, e, f, g, firmware)
}
