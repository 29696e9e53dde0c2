//! Exceptions while firmware boots. After that the vectors in low memory are the kernel's.

use super::image::image_start;
use crate::arch::relax;
use core::arch::asm;

// Offsets in the low copy of the image, see `entry.S`.
const EXCEPTION_HANDLER: u64 = 0x20;
const EXCEPTION_STACK: u64 = 0x28;
const EXCEPTION_TOC: u64 = 0x30;

/// Makes the vectors in low memory report to this image. They are the kernel's once it has started.
pub fn report_exceptions_here() {
    use crate::hw::ram::Ram;
    let toc: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mr {}, 2", out(reg) toc, options(nomem, nostack, preserves_flags)) };
    // SAFETY: the low copy of the image is ours until the kernel starts.
    let ram = unsafe { super::PhysicalRam::new() };
    ram.write64(EXCEPTION_HANDLER, exception as *const () as u64);
    ram.write64(EXCEPTION_STACK, EXCEPTION_AREA.0.get() as u64 + EXCEPTION_AREA_SIZE as u64 - 256);
    ram.write64(EXCEPTION_TOC, toc);
}

const EXCEPTION_AREA_SIZE: usize = 16 * 1024;
#[repr(C, align(256))]
struct ExceptionArea(core::cell::UnsafeCell<[u8; EXCEPTION_AREA_SIZE]>);
// SAFETY: only the exception path uses it, by address.
unsafe impl Sync for ExceptionArea {}
static EXCEPTION_AREA: ExceptionArea = ExceptionArea(core::cell::UnsafeCell::new([0; EXCEPTION_AREA_SIZE]));

/// An exception during boot: nothing was meant to cause one, so say all that is known and stop.
#[allow(clippy::too_many_arguments)]
extern "C" fn exception(
    vector: u64,
    registers: &[u64; 32],
    srr0: u64,
    srr1: u64,
    hsrr0: u64,
    hsrr1: u64,
    dar: u64,
    lr: u64,
) -> ! {
    let base = image_start();
    crate::log::emergency(format_args!(
        "\nOPALITE PANIC: exception {:#x}\n srr0 {srr0:#x} (image+{:#x}) srr1 {srr1:#x} hsrr0 {hsrr0:#x} hsrr1 {hsrr1:#x} dar {dar:#x} lr {lr:#x} (image+{:#x})\n",
        vector & !0x1f,
        srr0.wrapping_sub(base),
        lr.wrapping_sub(base),
    ));
    for (n, row) in registers.chunks(4).enumerate() {
        crate::log::emergency(format_args!(" r{:<2} {row:016x?}\n", n * 4));
    }
    loop {
        relax();
    }
}
