//! Who may call: the OS can keep its other threads out of OPAL while it resets them or panics.

use crate::error::{Error, Result};
use crate::sync::wait_until;
use crate::units::Pir;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How long a held call waits for the end of the quiescence before it is refused, in microseconds.
const HOLD: u64 = 3_000_000;

const ON: u64 = 1 << 63;
const REJECT: u64 = 1 << 62;
/// All threads but the one that asked; else only the target.
const ALL: u64 = 1 << 61;

/// What happens to a call of a thread that is kept out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It waits.
    Hold,
    /// It returns `Busy`.
    Reject,
}

/// The state.
#[derive(Debug, Default)]
pub struct Quiesce {
    /// Flags, and the thread that it is about in the low half.
    word: AtomicU64,
    /// Calls that wait.
    held: AtomicUsize,
}

impl Quiesce {
    /// Offset of the word that is 0 while everyone may call, for `opal_entry.S`.
    pub const WORD: usize = core::mem::offset_of!(Self, word);

    /// Everyone may call.
    pub const fn new() -> Self {
        Self { word: AtomicU64::new(0), held: AtomicUsize::new(0) }
    }

    /// Keeps `target` out, or, without one, everyone but `owner`. A later wish replaces an earlier one.
    pub fn start(&self, mode: Mode, owner: Pir, target: Option<Pir>) {
        let reject = if mode == Mode::Reject { REJECT } else { 0 };
        let who = match target {
            Some(pir) => u64::from(pir.0),
            None => ALL | u64::from(owner.0),
        };
        self.word.store(ON | reject | who, Ordering::SeqCst);
    }

    /// Everyone may call again.
    pub fn end(&self) {
        self.word.store(0, Ordering::SeqCst);
    }

    /// Whether anybody is kept out: the only question on the way of an ordinary call.
    #[inline(always)]
    pub fn is_on(&self) -> bool {
        self.word.load(Ordering::Relaxed) != 0
    }

    /// Lets a call of that thread pass, now or when the quiescence ends.
    ///
    /// # Errors
    /// `Busy` when it is rejected, or was held too long.
    pub fn admit(&self, caller: Pir) -> Result {
        match self.verdict(caller) {
            None => Ok(()),
            Some(Mode::Reject) => Err(Error::Busy),
            Some(Mode::Hold) => {
                self.held.fetch_add(1, Ordering::SeqCst);
                wait_until(HOLD, || self.verdict(caller) != Some(Mode::Hold));
                self.held.fetch_sub(1, Ordering::SeqCst);
                self.verdict(caller).map_or(Ok(()), |_| Err(Error::Busy))
            }
        }
    }

    /// How many calls wait.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    fn verdict(&self, caller: Pir) -> Option<Mode> {
        let state = self.word.load(Ordering::SeqCst);
        let named = state & 0xffff_ffff == u64::from(caller.0);
        if state & ON == 0 || named == (state & ALL != 0) {
            return None;
        }
        Some(if state & REJECT != 0 { Mode::Reject } else { Mode::Hold })
    }
}
