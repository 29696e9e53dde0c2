//! The names of `arch/power`, harmless, so that host tests link the same library.

mod modes;

pub use modes::*;

use core::sync::atomic::{AtomicU64, Ordering};

/// Memory that calls share with the OS: a test's model.
pub type Memory = &'static dyn crate::hw::ram::Ram;

static TIMEBASE: AtomicU64 = AtomicU64::new(0);

/// Timebase ticks per second: the 512 MHz of every supported machine.
pub const TIMEBASE_HZ: u64 = 512_000_000;

/// The settable timebase. It advances by a microsecond at each reading, so that bounded waits end.
pub fn timebase() -> u64 {
    TIMEBASE.fetch_add(TIMEBASE_HZ / 1_000_000, Ordering::Relaxed)
}

/// Moves the timebase on by `ticks`.
pub fn advance_timebase(ticks: u64) {
    TIMEBASE.fetch_add(ticks, Ordering::Relaxed);
}

/// Lowers the thread's priority while it spins.
pub fn relax() {
    core::hint::spin_loop();
}

/// Number of the calling hardware thread; one thread exists on the host.
pub fn pir() -> crate::units::Pir {
    crate::units::Pir(0)
}
