//! What a person reads of a failure: a test shows it.

/// The text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason(&'static str);

/// A reason.
pub const fn why(text: &'static str) -> Reason {
    Reason(text)
}

impl Reason {
    /// The text; empty in the image.
    pub const fn text(self) -> &'static str {
        self.0
    }
}
