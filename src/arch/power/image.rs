//! The image itself: its ends, the door in it, and the jump out of it into the kernel.

use core::arch::asm;

unsafe extern "C" {
    static _image_start: u8;
    static _image_end: u8;
    static rtas_page: u8;
    static rtas_page_code: u8;
    static rtas_page_end: u8;
    fn opal_entry();
}

/// Start of the image.
pub fn image_start() -> u64 {
    &raw const _image_start as u64
}

/// End of the image, its bss and boot stack.
pub fn image_end() -> u64 {
    &raw const _image_end as u64
}

/// Address that the OS calls.
pub fn opal_entry_address() -> u64 {
    opal_entry as *const () as u64
}

/// What the page of `rtas.S` begins with, and where in it the code is.
pub fn rtas_image() -> (&'static [u8], u64) {
    let offset = |symbol: *const u8| symbol.addr() - (&raw const rtas_page).addr();
    // SAFETY: the image's bytes between two symbols of one section.
    let bytes =
        unsafe { core::slice::from_raw_parts(&raw const rtas_page, offset(&raw const rtas_page_end)) };
    (bytes, offset(&raw const rtas_page_code) as u64)
}

/// Return addresses of the functions that are being executed, innermost first, as offsets in the image.
pub fn backtrace() -> impl Iterator<Item = u64> {
    let mut frame: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mr {}, 1", out(reg) frame, options(nomem, nostack, preserves_flags)) };
    let mut left = 32;
    core::iter::from_fn(move || {
        // SAFETY: in firmware's stacks each frame begins with the address of the next; the outermost holds 0.
        frame = unsafe { *core::ptr::with_exposed_provenance::<u64>(frame as usize) };
        left -= 1;
        if frame == 0 || left == 0 {
            return None;
        }
        // SAFETY: the caller's frame, whose third doubleword is the saved LR.
        let lr = unsafe { *core::ptr::with_exposed_provenance::<u64>(frame as usize + 16) };
        Some(lr.wrapping_sub(image_start()))
    })
}

/// The end of everything.
pub fn halt() -> ! {
    loop {
        super::relax();
    }
}

/// Jumps into the kernel, in the state of `reference/linux-opal-contract.md` §1.2.
///
/// # Safety
/// A kernel starts at `entry`, and nothing that firmware still needs lies outside of its region.
pub unsafe fn enter_kernel(entry: u64, tree: u64, base: u64, door: u64, top: u64) -> ! {
    /// SF and HV.
    const MSR: u64 = 0x9000_0000_0000_0000;
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "sync",
            "icbi 0, {entry}",
            "isync",
            "mtspr 26, {entry}", // SRR0
            "mtspr 27, {msr}",   // SRR1
            "li 4, 0",
            "li 5, 0",
            "rfid",
            entry = in(reg) entry,
            msr = in(reg) MSR,
            in("r3") tree,
            in("r6") 0x6550_4150u64, // the ePAPR magic
            in("r7") top,
            in("r8") base,
            in("r9") door,
            options(noreturn)
        );
    }
}
