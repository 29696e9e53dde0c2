//! Opalite's calls on DMA faults: `doc/dma-windows/faults.md`. And what a bridge's errors do to the event word.

use crate::error::{Error, Result, why};
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
/// These bridges know neither PASIDs nor groups of page requests, and don't tell how much was asked for.
const NO_PASID: u64 = 0xffff_ffff;
const NO_GROUP: u64 = 0xffff_ffff;
const UNKNOWN_LENGTH: u64 = 0;
/// Permissions that the device lacked.
const READ: u64 = 1;
const WRITE: u64 = 2;

/// Brings the event word in line with what a bridge has for the OS. `phb` is that bridge, locked.
pub fn announce(fw: &Firmware, bridge: &Locked, phb: &dyn Phb) {
    let signals = phb.signals();
    let now = if signals.error { PCI_ERROR } else { 0 } | if signals.fault { DMA_FAULT } else { 0 };
    if bridge.shown.load(Ordering::Relaxed) != now {
        fw.services.events.show(fw.phbs, &bridge.shown, now);
    }
}

/// A bridge in whose hands is what it has for the OS: the event word follows when this goes.
pub struct Acting<'a> {
    fw: &'a Firmware,
    bridge: &'a Locked,
    phb: Guard<'a, Box<dyn Phb>>,
}

/// The bridge of that id, for an act that may change what it has for the OS.
#[inline(never)]
pub fn act(fw: &Firmware, id: u64) -> Result<Acting<'_>> {
    let bridge = phb::find(fw.phbs, id)?;
    Ok(Acting { fw, bridge, phb: bridge.lock() })
}

impl Drop for Acting<'_> {
    #[inline(never)]
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
    let mut phb = act(fw, args.u64::<0>())?;
    let pe = phb.info().limits.pe(args.u64::<1>())?;
    let on = match args.u64::<2>() {
        0 => false,
        1 => true,
        _ => return Err(Error::Parameter(why("faults on or off"))),
    };
    phb.set_faults(pe, on)?;
    Ok(SUCCESS)
}

/// fault-read(phb, record*).
pub fn read(fw: &Firmware, args: &Args) -> Result<i64> {
    let mut phb = act(fw, args.u64::<0>())?;
    let to = Request::check::<1>(fw, args, RECORD, 0)?;
    let record = phb.read_fault()?.ok_or(Error::Empty)?;
    let fault = record.fault;
    let permission = if fault.write { WRITE } else { READ };
    let rest = [
        record.cookie,
        record.time,
        record.pe() << 32 | u64::from(fault.requester),
        NO_PASID << 32 | NO_GROUP,
        permission << 32 | fault.cause as u64,
        fault.address,
        UNKNOWN_LENGTH,
        record.overflow,
        u64::from(record.more) << 32,
    ];
    for (offset, value) in (8..RECORD).step_by(8).zip(rest) {
        to.set_u64(offset, value);
    }
    Ok(SUCCESS)
}

/// fault-respond(phb, cookie, response).
pub fn respond(fw: &Firmware, args: &Args) -> Result<i64> {
    let mut phb = act(fw, args.u64::<0>())?;
    let answer = match args.u64::<2>() {
        0 => Answer::Success,
        1 => Answer::Invalid,
        2 => Answer::Failure,
        _ => return Err(Error::Parameter(why("response"))),
    };
    phb.answer_fault(args.u64::<1>(), answer)?;
    Ok(SUCCESS)
}
