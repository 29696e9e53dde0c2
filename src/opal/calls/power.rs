//! Power off and reboot: 5, 6, 87, 116.

use crate::error::{Error, Result, why};
use crate::firmware::Firmware;
use crate::mem::OsPointer;
use crate::opal::args::Args;
use crate::opal::table::SUCCESS;

/// Kinds of reboot that CEC_REBOOT2 knows.
const NORMAL: u32 = 0;
const PLATFORM_ERROR: u32 = 1;
const FULL_IPL: u32 = 2;

/// Longest message of the OS's that is kept.
const MESSAGE: usize = 160;

/// 5 CEC_POWER_DOWN(request): 0 normal, 1 immediate, which are the same here.
pub fn power_down(fw: &Firmware, args: &Args) -> Result<i64> {
    if args.u64::<0>() > 1 {
        return Err(Error::Parameter(why("request")));
    }
    fw.services.console.finish();
    fw.services.power.off()?;
    Ok(SUCCESS)
}

/// 6 CEC_REBOOT.
pub fn reboot(fw: &Firmware, _: &Args) -> Result<i64> {
    fw.services.console.finish();
    fw.services.power.reboot()?;
    Ok(SUCCESS)
}

/// 116 CEC_REBOOT2(type, message* or null): PARAMETER for a wide type or a bad pointer, UNSUPPORTED for a type that
/// isn't served (MPIPL, fast reboot, unknown ones). The message goes to firmware's log.
pub fn reboot2(fw: &Firmware, args: &Args) -> Result<i64> {
    let kind = args.u32::<0>()?;
    let mut text = [0; MESSAGE];
    let text = message(fw, args.u64::<1>(), &mut text)?;
    match kind {
        NORMAL | FULL_IPL => {}
        PLATFORM_ERROR => crate::log::emergency(format_args!("OS: platform error: {text}\n")),
        _ => return Err(Error::Unsupported(why("reboot type"))),
    }
    reboot(fw, args)
}

/// 87 SYNC_HOST_REBOOT: no device of firmware's moves data into memory of the OS.
pub fn sync_host_reboot(_: &Firmware, _: &Args) -> Result<i64> {
    Ok(SUCCESS)
}

/// The printable part of a string of the OS's, up to its end or the buffer's.
fn message<'a>(fw: &Firmware, pointer: u64, into: &'a mut [u8]) -> Result<&'a str> {
    if pointer == 0 {
        return Ok("");
    }
    let mut length = 0;
    for slot in into.iter_mut() {
        let at = pointer.checked_add(length as u64).ok_or(Error::Parameter(why("message")))?;
        let byte = OsPointer::<u8>::check(&fw.memory, at)?.read(&fw.ram);
        if byte == 0 {
            break;
        }
        *slot = if byte.is_ascii_graphic() { byte } else { b' ' };
        length += 1;
    }
    Ok(into.get(..length).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or(""))
}
