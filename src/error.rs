//! Why a call failed, and the one place where that becomes an OPAL return code.

use core::fmt;

pub use crate::arch::{Reason, why};

/// A failure, with what a person needs to find its cause. Logged once, at dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// An argument is out of its documented range; the text names it.
    Parameter(Reason),
    /// The device or a caller before us is busy: try again.
    Busy,
    /// Try again after OPAL_POLL_EVENTS.
    BusyEvent,
    /// Part of the work is done, or the object is in use; the text says which.
    Partial(Reason),
    /// The object is closed.
    Closed,
    /// The hardware failed or didn't answer in time; the text says where.
    Hardware(Reason),
    /// This machine or this bridge can't do that.
    Unsupported(Reason),
    /// Not allowed.
    Permission(Reason),
    /// No memory left for the request.
    NoMem,
    /// Something countable has run out.
    Resource(Reason),
    /// Firmware is in a state that it should not be in.
    Internal(Reason),
    /// The call doesn't fit the object's present state.
    WrongState(Reason),
    /// Nothing there.
    Empty,
    /// The OS must donate a page first (XIVE VP blocks).
    XiveProvisioning,
    /// The XIVE VP or queue is still enabled.
    XiveFreeActive,
    /// The hardware took too long.
    Timeout(Reason),
}

impl Error {
    /// The OPAL return code (`reference/linux-opal-contract.md` §1.7).
    pub const fn code(self) -> i64 {
        match self {
            Self::Parameter(_) => -1,
            Self::Busy => -2,
            Self::Partial(_) => -3,
            Self::Closed => -5,
            Self::Hardware(_) => -6,
            Self::Unsupported(_) => -7,
            Self::Permission(_) => -8,
            Self::NoMem => -9,
            Self::Resource(_) => -10,
            Self::Internal(_) => -11,
            Self::BusyEvent => -12,
            Self::WrongState(_) => -14,
            Self::Empty => -16,
            Self::XiveProvisioning => -31,
            Self::XiveFreeActive => -32,
            Self::Timeout(_) => -33,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, reason) = match *self {
            Self::Parameter(reason) => ("bad argument", reason.text()),
            Self::Busy => ("busy", ""),
            Self::BusyEvent => ("busy, poll", ""),
            Self::Partial(reason) => ("partial", reason.text()),
            Self::Closed => ("closed", ""),
            Self::Hardware(reason) => ("hardware", reason.text()),
            Self::Unsupported(reason) => ("unsupported", reason.text()),
            Self::Permission(reason) => ("not allowed", reason.text()),
            Self::NoMem => ("no memory", ""),
            Self::Resource(reason) => ("none left", reason.text()),
            Self::Internal(reason) => ("internal", reason.text()),
            Self::WrongState(reason) => ("wrong state", reason.text()),
            Self::Empty => ("nothing there", ""),
            Self::XiveProvisioning => ("a page must be donated", ""),
            Self::XiveFreeActive => ("still enabled", ""),
            Self::Timeout(reason) => ("timeout", reason.text()),
        };
        f.write_str(kind)?;
        if reason.is_empty() { Ok(()) } else { write!(f, ": {reason}") }
    }
}

/// What most of firmware returns.
pub type Result<T = ()> = core::result::Result<T, Error>;
