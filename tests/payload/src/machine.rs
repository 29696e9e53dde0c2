//! The machine: console, memory of our own, power.

use crate::opal;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU64, Ordering};

/// The console, through OPAL.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for chunk in text.as_bytes().chunks(16) {
            let mut sent = 0;
            while sent < chunk.len() {
                let length = ((chunk.len() - sent) as u64).to_be();
                let status = opal::call(
                    opal::CONSOLE_WRITE,
                    &[0, &raw const length as u64, chunk.as_ptr() as u64 + sent as u64],
                );
                if status == opal::SUCCESS {
                    sent += u64::from_be(length) as usize;
                } else {
                    opal::call(opal::POLL_EVENTS, &[0]);
                }
            }
        }
        Ok(())
    }
}

/// Prints a line.
#[macro_export]
macro_rules! println {
    ($($argument:tt)*) => {{
        use core::fmt::Write;
        let _ = writeln!($crate::machine::Console, $($argument)*);
    }};
}

/// Memory that neither firmware nor we use: between the kernel's place at 0 and QEMU's at 0x20000000.
static NEXT: AtomicU64 = AtomicU64::new(0x1000_0000);

/// `size` zeroed bytes, aligned.
pub fn memory(size: u64, align: u64) -> u64 {
    let start = NEXT.load(Ordering::Relaxed).next_multiple_of(align);
    assert!(start + size <= 0x1f00_0000, "out of memory for cases");
    NEXT.store(start + size, Ordering::Relaxed);
    fill(start, size, 0);
    start
}

/// Gives back all that `memory` gave since `mark` was taken.
pub fn release(mark: u64) {
    NEXT.store(mark, Ordering::Relaxed);
}

/// Where `memory` continues.
pub fn mark() -> u64 {
    NEXT.load(Ordering::Relaxed)
}

/// Sets `size` bytes.
pub fn fill(address: u64, size: u64, byte: u8) {
    // SAFETY: callers pass memory from `memory`.
    unsafe {
        core::ptr::with_exposed_provenance_mut::<u8>(address as usize).write_bytes(byte, size as usize)
    };
}

/// Loads eight bytes.
pub fn load(address: u64) -> u64 {
    // SAFETY: callers pass memory from `memory`.
    unsafe { core::ptr::with_exposed_provenance::<u64>(address as usize).read_volatile() }
}

/// Stores eight bytes.
pub fn store(address: u64, value: u64) {
    // SAFETY: callers pass memory from `memory`.
    unsafe { core::ptr::with_exposed_provenance_mut::<u64>(address as usize).write_volatile(value) };
}

/// Makes stores visible to devices.
pub fn sync() {
    // SAFETY: a barrier.
    unsafe { core::arch::asm!("sync", options(nostack)) };
}

/// Device load, big-endian.
pub fn io_load(address: u64) -> u32 {
    let value: u64;
    // SAFETY: callers pass registers of a device whose BAR they set.
    unsafe {
        core::arch::asm!("sync; lwzcix {}, 0, {}; twi 0, {0}, 0; isync", out(reg) value, in(reg) address)
    };
    value as u32
}

/// Device load of eight bytes, big-endian.
pub fn io_load64(address: u64) -> u64 {
    let value: u64;
    // SAFETY: callers pass registers of a bridge that the device tree names.
    unsafe {
        core::arch::asm!("sync; ldcix {}, 0, {}; twi 0, {0}, 0; isync", out(reg) value, in(reg) address)
    };
    value
}

/// The timebase, 512 MHz.
pub fn timebase() -> u64 {
    let value: u64;
    // SAFETY: reading it has no effect.
    unsafe { core::arch::asm!("mfspr {}, 268", out(reg) value) };
    value
}

/// Waits.
pub fn sleep(milliseconds: u64) {
    let end = timebase() + milliseconds * 512_000;
    while timebase() < end {}
}

/// Device store, big-endian.
pub fn io_store(address: u64, value: u64) {
    // SAFETY: as above.
    unsafe { core::arch::asm!("sync; stdcix {}, 0, {}", in(reg) value, in(reg) address) };
}

/// Powers the machine off.
pub fn power_off() -> ! {
    loop {
        opal::call(opal::CEC_POWER_DOWN, &[0]);
        opal::call(opal::POLL_EVENTS, &[0]);
    }
}
