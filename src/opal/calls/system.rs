//! Calls about firmware itself: 0, 80, 127.

use crate::error::{Error, Result, why};
use crate::firmware::Firmware;
use crate::opal::args::Args;
use crate::opal::table::{self, SUCCESS};

/// 0 TEST: does nothing.
pub fn test(_: &Firmware, _: &Args) -> Result<i64> {
    Ok(SUCCESS)
}

/// 80 CHECK_TOKEN(token): 1 when that call is served.
pub fn check_token(_: &Firmware, args: &Args) -> Result<i64> {
    Ok(i64::from(table::find(args.u64::<0>()).is_some()))
}

/// 127 NMMU_SET_PTCR(chip, ptcr): no machine here has a nest MMU. The OS asks without looking first.
pub fn nmmu_set_ptcr(_: &Firmware, _: &Args) -> Result<i64> {
    Err(Error::Unsupported(why("nest MMU")))
}
