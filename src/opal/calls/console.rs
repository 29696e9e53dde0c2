//! Console calls: 1, 2, 25, 117. The only terminal is 0.

use crate::error::{Error, Result, why};
use crate::firmware::Firmware;
use crate::opal::args::Args;
use crate::opal::table::SUCCESS;
use crate::services::console::Flush;

/// 1 CONSOLE_WRITE(terminal, length*, buffer): the length becomes what was taken. Checked in that order; a zero
/// length needs no buffer. BUSY_EVENT when nothing could be taken: the length is as it was.
pub fn write(fw: &Firmware, args: &Args) -> Result<i64> {
    terminal(args)?;
    let length = args.pointer::<u64, 1>(fw)?;
    let wanted = length.read(&fw.ram);
    if wanted > 0 {
        let taken = fw.services.console.write(&fw.ram, args.buffer::<2>(fw, wanted)?)?;
        length.write(&fw.ram, taken);
    }
    Ok(SUCCESS)
}

/// 2 CONSOLE_READ(terminal, length*, buffer): the length becomes what was given. Checked in that order; a zero
/// length needs no buffer.
pub fn read(fw: &Firmware, args: &Args) -> Result<i64> {
    terminal(args)?;
    let length = args.pointer::<u64, 1>(fw)?;
    let room = length.read(&fw.ram);
    if room > 0 {
        let buffer = args.buffer::<2>(fw, room)?;
        let given = fw.services.console.read(&fw.ram, buffer, &fw.services.events)?;
        length.write(&fw.ram, given);
    }
    Ok(SUCCESS)
}

/// 25 CONSOLE_WRITE_BUFFER_SPACE(terminal, space*).
pub fn write_buffer_space(fw: &Firmware, args: &Args) -> Result<i64> {
    terminal(args)?;
    let space = args.pointer::<u64, 1>(fw)?;
    space.write(&fw.ram, fw.services.console.space()?);
    Ok(SUCCESS)
}

/// 117 CONSOLE_FLUSH(terminal): PARTIAL when some went out, BUSY when none could.
pub fn flush(fw: &Firmware, args: &Args) -> Result<i64> {
    terminal(args)?;
    match fw.services.console.flush()? {
        Flush::Empty => Ok(SUCCESS),
        Flush::Some => Err(Error::Partial(why("console output"))),
        Flush::Stuck => Err(Error::Busy),
    }
}

#[inline(always)]
fn terminal(args: &Args) -> Result {
    if args.u64::<0>() == 0 { Ok(()) } else { Err(Error::Parameter(why("terminal"))) }
}
