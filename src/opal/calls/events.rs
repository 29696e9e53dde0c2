//! Events, interrupts and messages for the OS: 9, 10, 85.

use crate::error::{Error, Result, why};
use crate::firmware::Firmware;
use crate::opal::args::Args;
use crate::opal::calls::faults;
use crate::opal::table::SUCCESS;
use crate::services::messages;
use crate::units::Isn;

/// 9 HANDLE_INTERRUPT(isn, events*): serves the device so that its level drops, and tells the events. Checked in
/// that order, then whether firmware owns the interrupt.
pub fn handle_interrupt(fw: &Firmware, args: &Args) -> Result<i64> {
    let isn = Isn(args.u32::<0>()?);
    let events = args.pointer::<u64, 1>(fw)?;
    if let Some(bridge) = fw.services.handle_interrupt(isn)? {
        faults::error_interrupt(fw, bridge)?;
    }
    events.write(&fw.ram, fw.services.events.pending());
    Ok(SUCCESS)
}

/// 10 POLL_EVENTS(events* or null): does what firmware has to do and tells the events.
pub fn poll_events(fw: &Firmware, args: &Args) -> Result<i64> {
    let events = args.optional::<u64, 0>(fw)?;
    fw.services.poll();
    fw.services.view.poll(&fw.ram, fw.phbs, &fw.dma);
    if let Some(events) = events {
        events.write(&fw.ram, fw.services.events.pending());
    }
    Ok(SUCCESS)
}

/// 85 GET_MSG(buffer, size): PARAMETER when the buffer is bad or too small for a message, RESOURCE when none waits.
pub fn get_msg(fw: &Firmware, args: &Args) -> Result<i64> {
    let buffer = args.buffer::<0>(fw, args.u64::<1>())?;
    if buffer.length < messages::SIZE as u64 {
        return Err(Error::Parameter(why("message size")));
    }
    let message = fw.services.messages.take(&fw.services.events).ok_or(Error::Resource(why("no message")))?;
    buffer.write(&fw.ram, &message.bytes());
    Ok(SUCCESS)
}
