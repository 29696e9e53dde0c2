//! Calls about firmware itself: 0, 10, 80.

use crate::error::Result;
use crate::firmware::Firmware;
use crate::opal::args::Args;
use crate::opal::table::{self, SUCCESS};

/// 0 TEST: does nothing.
pub fn test(_: &Firmware, _: &Args<'_>) -> Result<i64> {
    Ok(SUCCESS)
}

/// 10 POLL_EVENTS(events*).
pub fn poll_events(fw: &Firmware, args: &Args<'_>) -> Result<i64> {
    if let Some(events) = args.optional::<u64, 0>(fw)? {
        events.write(fw.ram, 0);
    }
    Ok(SUCCESS)
}

/// 80 CHECK_TOKEN(token): 1 when that call is served.
pub fn check_token(_: &Firmware, args: &Args<'_>) -> Result<i64> {
    Ok(i64::from(table::find(args.u64::<0>()).is_some()))
}
