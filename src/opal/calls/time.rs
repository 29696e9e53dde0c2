//! Time: 3, 4, 79.

use crate::arch;
use crate::error::{Error, Result, why};
use crate::firmware::Firmware;
use crate::opal::args::Args;
use crate::opal::table::SUCCESS;
use crate::services::clock::OpalTime;

/// A running timebase has moved after that many looks.
const LOOKS: usize = 1000;

/// 3 RTC_READ(date*, time*). Checked in that order; both are written or none.
pub fn rtc_read(fw: &Firmware, args: &Args) -> Result<i64> {
    let date = args.pointer::<u32, 0>(fw)?;
    let time = args.pointer::<u64, 1>(fw)?;
    let now = fw.services.clock.read()?;
    date.write(&fw.ram, now.date);
    time.write(&fw.ram, now.time);
    Ok(SUCCESS)
}

/// 4 RTC_WRITE(date, time).
pub fn rtc_write(fw: &Firmware, args: &Args) -> Result<i64> {
    let date = args.u32::<0>()?;
    fw.services.clock.write(OpalTime { date, time: args.u64::<1>() })?;
    Ok(SUCCESS)
}

/// 79 RESYNC_TIMEBASE: no idle state that is offered loses the timebase, so there is nothing to do while it runs.
pub fn resync_timebase(_: &Firmware, _: &Args) -> Result<i64> {
    let before = arch::timebase();
    if (0..LOOKS).any(|_| arch::timebase() != before) {
        return Ok(SUCCESS);
    }
    Err(Error::Hardware(why("timebase stopped")))
}
