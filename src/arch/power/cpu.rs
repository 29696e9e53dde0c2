//! The processor's special registers.

use crate::units::Pir;
use core::arch::asm;

/// Timebase ticks per second.
pub const TIMEBASE_HZ: u64 = 512_000_000;

macro_rules! spr {
    ($read:ident, $write:ident, $number:literal, $text:literal) => {
        #[doc = concat!("Reads ", $text, ".")]
        pub fn $read() -> u64 {
            let value;
            // SAFETY: reading this register has no effect.
            unsafe {
                asm!(concat!("mfspr {}, ", $number), out(reg) value, options(nomem, nostack, preserves_flags))
            };
            value
        }
        #[doc = concat!("Writes ", $text, ".\n\n# Safety\nThe value fits what runs next.")]
        pub unsafe fn $write(value: u64) {
            // SAFETY: the caller's promise.
            unsafe { asm!(concat!("mtspr ", $number, ", {}"), "isync", in(reg) value, options(nostack, preserves_flags)) };
        }
    };
}

spr!(hid0, set_hid0, 1008, "HID0");
spr!(lpcr, set_lpcr, 318, "LPCR");
spr!(hmer, set_hmer, 336, "HMER");
spr!(hmeer, set_hmeer, 337, "HMEER");
spr!(dscr, set_dscr, 17, "DSCR");
spr!(lpid, set_lpid, 319, "LPIDR");

/// POWER9, in the upper half of its version.
pub(super) const POWER9: u32 = 0x4e;

/// The processor's version.
pub fn pvr() -> u32 {
    let value: u64;
    // SAFETY: reading it has no effect.
    unsafe { asm!("mfspr {}, 287", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value as u32
}

/// Whether this is POWER8, or anything older than POWER9.
pub(super) fn is_power8() -> bool {
    pvr() >> 16 < POWER9
}

/// The timebase.
pub fn timebase() -> u64 {
    let value;
    // SAFETY: reading it has no effect.
    unsafe { asm!("mfspr {}, 268", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Number of the calling hardware thread.
pub fn pir() -> Pir {
    let value: u64;
    // SAFETY: reading it has no effect.
    unsafe { asm!("mfspr {}, 1023", out(reg) value, options(nomem, nostack, preserves_flags)) };
    Pir(value as u32)
}

/// Lowers the thread's priority for a moment while it spins.
#[inline(always)]
pub fn relax() {
    // SAFETY: `or` of a register with itself only changes the thread's priority.
    unsafe { asm!("or 1,1,1", "or 2,2,2", options(nomem, nostack, preserves_flags)) };
}

/// Sleeps for a few milliseconds: POWER9's lightest `stop`, which loses nothing and which any exception ends, the
/// decrementer's at the latest. Where processors are emulated, one that waits otherwise takes the others' time.
pub fn doze() {
    if is_power8() {
        return relax();
    }
    // SAFETY: no state is lost (ESL and EC are 0), and with interrupts off none is taken: the thread goes on behind.
    unsafe {
        asm!(
            "mtspr 22, {ticks}",
            "mtspr 855, {psscr}",
            ".long 0x4c0002e4", // stop
            "mtspr 22, {later}",
            ticks = in(reg) TIMEBASE_HZ / 256,
            psscr = in(reg) 0x300,
            later = in(reg) i32::MAX,
            options(nostack, preserves_flags)
        );
    }
}

/// State that the kernel inherits and doesn't set itself (`reference/linux-opal-contract.md` §1.3).
pub fn prepare_cpu() {
    /// Default prefetch depth, and nothing else.
    const LPCR: u64 = 0x0040_0000_0000_0000;
    // SAFETY: real mode with interrupts off depends on none of these.
    unsafe {
        set_lpcr(LPCR);
        set_hmer(0);
        set_hmeer(0);
        set_lpid(0);
        set_dscr(if is_power8() { 0 } else { 0x10 });
    }
    super::modes::apply();
}
