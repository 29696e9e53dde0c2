//! Locks, and the order in which they are taken: tables → PHB → chip → interrupts → console → log.

pub use spin::Once;
use spin::relax::RelaxStrategy;

/// Waits with the thread's priority lowered, so that its siblings run.
#[derive(Debug)]
pub struct LowPriority;

impl RelaxStrategy for LowPriority {
    #[inline(always)]
    fn relax() {
        crate::arch::relax();
    }
}

/// A spin lock.
pub type Lock<T> = spin::mutex::SpinMutex<T, LowPriority>;

/// What a locked [`Lock`] gives.
pub type Guard<'a, T> = spin::mutex::SpinMutexGuard<'a, T, LowPriority>;

/// Polls `done` until it says so or `microseconds` of timebase have passed; tells whether it did.
pub fn wait_until(microseconds: u64, mut done: impl FnMut() -> bool) -> bool {
    let ticks = microseconds.saturating_mul(crate::arch::TIMEBASE_HZ / 1_000_000);
    let start = crate::arch::timebase();
    loop {
        if done() {
            return true;
        }
        if crate::arch::timebase().wrapping_sub(start) > ticks {
            return done();
        }
        crate::arch::relax();
    }
}
