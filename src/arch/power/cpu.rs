//! The processor's special registers, and what belongs to one hardware thread.

use crate::units::Pir;
use core::arch::asm;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// Timebase ticks per second.
pub const TIMEBASE_HZ: u64 = 512_000_000;

/// What belongs to one hardware thread: its stacks, how deep it is in OPAL, and its state for the OS.
#[repr(C)]
#[derive(Debug)]
pub struct CpuArea {
    /// Top of the stack for calls.
    pub stack: u64,
    /// Top of the stack for a call made while another one is interrupted on this thread.
    pub stack2: u64,
    /// Calls in progress: 0, 1 or 2. Written by `opal_entry.S` only.
    pub depth: u32,
    /// The thread's number.
    pub pir: u32,
    /// Non-zero: where the waiting thread shall start.
    pub start: AtomicU64,
    /// 1 when the thread waits in firmware.
    pub waiting: AtomicU32,
}

/// Table of areas by PIR; it has an entry for each number up to the highest PIR of the machine.
pub static CPU_AREAS: AtomicPtr<*mut CpuArea> = AtomicPtr::new(ptr::null_mut());

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

/// The processor's version.
pub fn pvr() -> u32 {
    let value: u64;
    // SAFETY: reading it has no effect.
    unsafe { asm!("mfspr {}, 287", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value as u32
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

/// A secondary thread's life in firmware: wait for a start address. Returns (address, PIR) in r3 and r4.
pub(super) extern "C" fn secondary_main(area: *const CpuArea) -> StartAt {
    // SAFETY: `boot` made the area before it released the thread, and never frees it.
    let area = unsafe { &*area };
    area.waiting.store(1, Ordering::Release);
    loop {
        let address = area.start.load(Ordering::Acquire);
        if address != 0 {
            area.start.store(0, Ordering::Relaxed);
            area.waiting.store(0, Ordering::Release);
            return StartAt { address, pir: u64::from(area.pir) };
        }
        relax();
    }
}

/// Where a thread goes next.
#[repr(C)]
pub struct StartAt {
    address: u64,
    pir: u64,
}
