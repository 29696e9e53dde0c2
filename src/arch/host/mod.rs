//! The names of `arch/power`, harmless, so that host tests link the same library.

mod modes;
mod reason;

pub use modes::*;
pub use reason::{Reason, why};

extern crate std;

use core::cell::Cell;

std::thread_local! {
    /// One for each thread: tests run in parallel, and one that lets time pass must not end the waits of another.
    static TIMEBASE: Cell<u64> = const { Cell::new(0) };
}

/// Memory that calls share with the OS: a test's model.
pub type Memory = &'static dyn crate::hw::ram::Ram;

/// Timebase ticks per second: the 512 MHz of every supported machine.
pub const TIMEBASE_HZ: u64 = 512_000_000;

/// The settable timebase. It advances by a microsecond at each reading, so that bounded waits end.
pub fn timebase() -> u64 {
    let now = TIMEBASE.get();
    advance_timebase(TIMEBASE_HZ / 1_000_000);
    now
}

/// Moves the timebase on by `ticks`.
pub fn advance_timebase(ticks: u64) {
    TIMEBASE.set(TIMEBASE.get().wrapping_add(ticks));
}

/// Lowers the thread's priority while it spins.
pub fn relax() {
    core::hint::spin_loop();
}

/// Return addresses in the image; there is no image.
pub fn backtrace() -> impl Iterator<Item = u64> {
    core::iter::empty()
}

/// The end of everything.
pub fn halt() -> ! {
    panic!("firmware stops")
}

/// Number of the calling hardware thread; one thread exists on the host.
pub fn pir() -> crate::units::Pir {
    crate::units::Pir(0)
}
