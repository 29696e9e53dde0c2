//! The processor's modes as plain words that a test can look at.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static LITTLE_ENDIAN: AtomicBool = AtomicBool::new(false);
static RADIX: AtomicBool = AtomicBool::new(false);
static HMER: AtomicU64 = AtomicU64::new(0);

/// Chooses the byte order in which interrupts are taken.
pub fn set_little_endian_interrupts(little: bool) {
    LITTLE_ENDIAN.store(little, Ordering::Relaxed);
}

/// What was chosen.
pub fn little_endian_interrupts() -> bool {
    LITTLE_ENDIAN.load(Ordering::Relaxed)
}

/// Chooses radix or hash translation. `false` when this processor can't.
pub fn set_radix(radix: bool) -> bool {
    RADIX.store(radix, Ordering::Relaxed);
    true
}

/// What was chosen.
pub fn radix() -> bool {
    RADIX.load(Ordering::Relaxed)
}

/// Makes causes of a maintenance interrupt pending.
pub fn set_hmer(causes: u64) {
    HMER.store(causes, Ordering::Relaxed);
}

/// Reads and clears causes of a hypervisor maintenance interrupt, those in `mask`.
pub fn take_hmer(mask: u64) -> u64 {
    HMER.fetch_and(!mask, Ordering::Relaxed) & mask
}

/// Where a thread would wait in firmware.
pub fn park() {}
