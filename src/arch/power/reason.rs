//! What a person reads of a failure. The image leaves the texts out: they took 10 KB of it, and the OS gets a number. The
//! source has them at the place that gives the number.

/// No text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason;

/// A reason, which is dropped.
#[inline(always)]
pub const fn why(_: &'static str) -> Reason {
    Reason
}

impl Reason {
    /// The text; empty in the image.
    pub const fn text(self) -> &'static str {
        ""
    }
}
