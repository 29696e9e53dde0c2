//! Console calls: 1, 2, 25, 117.

use crate::error::{Error, Result};
use crate::firmware::Firmware;
use crate::opal::args::Args;
use crate::opal::table::SUCCESS;

/// 1 CONSOLE_WRITE(terminal, length*, buffer).
pub fn write(fw: &Firmware, args: &Args<'_>) -> Result<i64> {
    terminal(args)?;
    let length = args.pointer::<u64, 1>(fw)?;
    let wanted = length.read(fw.ram);
    let buffer = args.buffer::<2>(fw, wanted)?;
    for at in 0..wanted {
        fw.sink.show(&[fw.ram.read8(buffer.address + at)]);
    }
    Ok(SUCCESS)
}

/// 2 CONSOLE_READ(terminal, length*, buffer).
pub fn read(fw: &Firmware, args: &Args<'_>) -> Result<i64> {
    terminal(args)?;
    args.pointer::<u64, 1>(fw)?.write(fw.ram, 0);
    Ok(SUCCESS)
}

/// 25 CONSOLE_WRITE_BUFFER_SPACE(terminal, space*).
pub fn write_buffer_space(fw: &Firmware, args: &Args<'_>) -> Result<i64> {
    terminal(args)?;
    args.pointer::<u64, 1>(fw)?.write(fw.ram, 4096);
    Ok(SUCCESS)
}

/// 117 CONSOLE_FLUSH(terminal).
pub fn flush(_: &Firmware, args: &Args<'_>) -> Result<i64> {
    terminal(args)?;
    Ok(SUCCESS)
}

fn terminal(args: &Args<'_>) -> Result {
    if args.u64::<0>() == 0 { Ok(()) } else { Err(Error::Parameter("terminal")) }
}
