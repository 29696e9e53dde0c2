//! Opalite's calls on DMA faults: `doc/dma-windows/faults.md`. And what a bridge's errors do to the event word.

use crate::error::{Error, Result};
use crate::firmware::Firmware;
use crate::opal::args::Args;
use crate::opal::request::Request;
use crate::opal::table::SUCCESS;
use crate::phb::faults::Answer;
use crate::phb::{self, Locked, Phb};
use crate::services::events::{DMA_FAULT, PCI_ERROR};
use crate::sync::Guard;
use alloc::boxed::Box;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::Ordering;

/// Bytes of a record.
const RECORD: u64 = 80;
/// What a record says where the bridge has nothing to say.
const NONE: u32 = u32::MAX;
/// Permissions that the device lacked.
const READ: u32 = 1;
const WRITE: u32 = 2;

/// Brings the event word in line with what a bridge has for the OS. `phb` is that bridge, locked.
pub fn announce(fw: &Firmware, bridge: &Locked, phb: &dyn Phb) {
    let signals = phb.signals();
    let now = if signals.error { PCI_ERROR } else { 0 } | if signals.fault { DMA_FAULT } else { 0 };
    if bridge.shown.load(Ordering::Relaxed) != now {
        fw.services.events.show(&fw.phbs, &bridge.shown, now);
    }
}

/// A bridge in whose hands is what it has for the OS: the event word follows when this goes.
pub struct Acting<'a> {
    fw: &'a Firmware,
    bridge: &'a Locked,
    phb: Guard<'a, Box<dyn Phb>>,
}

/// The bridge of that id, for an act that may change what it has for the OS.
pub fn act(fw: &Firmware, id: u64) -> Result<Acting<'_>> {
    let bridge = phb::find(&fw.phbs, id)?;
    Ok(Acting { fw, bridge, phb: bridge.lock() })
}

impl Drop for Acting<'_> {
    fn drop(&mut self) {
        announce(self.fw, self.bridge, &**self.phb);
    }
}

impl Deref for Acting<'_> {
    type Target = dyn Phb;
    fn deref(&self) -> &Self::Target {
        &**self.phb
    }
}

impl DerefMut for Acting<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut **self.phb
    }
}

/// The error interrupt of a bridge.
pub fn error_interrupt(fw: &Firmware, id: u64) -> Result {
    act(fw, id)?.error_interrupt();
    Ok(())
}

/// fault-control(phb, pe, on).
pub fn control(fw: &Firmware, args: &Args) -> Result<i64> {
    let id = args.u64::<0>();
    let pe = phb::find(&fw.phbs, id)?.limits.pe(args.u64::<1>())?;
    let on = match args.u64::<2>() {
        0 => false,
        1 => true,
        _ => return Err(Error::Parameter(&"faults on or off")),
    };
    act(fw, id)?.set_faults(pe, on)?;
    Ok(SUCCESS)
}

/// fault-read(phb, record*).
pub fn read(fw: &Firmware, args: &Args) -> Result<i64> {
    let id = args.u64::<0>();
    phb::find(&fw.phbs, id)?;
    let to = Request::check::<1>(fw, args, RECORD, 0)?;
    let record = act(fw, id)?.read_fault()?.ok_or(Error::Empty)?;
    let fault = record.fault;
    for (offset, value) in
        [(8, record.cookie), (16, record.time), (48, fault.address), (56, 0), (64, record.overflow)]
    {
        to.set_u64(offset, value);
    }
    let permission = if fault.write { WRITE } else { READ };
    let words =
        [record.pe.as_u16().into(), fault.requester.into(), NONE, NONE, permission, fault.cause as u32];
    for (offset, value) in (24..).step_by(4).zip(words).chain([(72, record.more), (76, 0)]) {
        to.set_u32(offset, value);
    }
    Ok(SUCCESS)
}

/// fault-respond(phb, cookie, response).
pub fn respond(fw: &Firmware, args: &Args) -> Result<i64> {
    let id = args.u64::<0>();
    phb::find(&fw.phbs, id)?;
    let answer = match args.u64::<2>() {
        0 => Answer::Success,
        1 => Answer::Invalid,
        2 => Answer::Failure,
        _ => return Err(Error::Parameter(&"response")),
    };
    act(fw, id)?.answer_fault(args.u64::<1>(), answer)?;
    Ok(SUCCESS)
}
