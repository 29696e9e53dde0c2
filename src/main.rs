//! The firmware image: the heap, the last words of a panic, and the call into `boot`.
//! On the host this is an empty program, so that `cargo test` builds anywhere.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {}

#[cfg(target_os = "none")]
mod image {
    use core::panic::PanicInfo;

    /// Never called: the image is built so that a panic traps at once. The exception tells where, and what a person
    /// must know about a machine that can't be booted `log::stop` says.
    #[panic_handler]
    fn panic(_: &PanicInfo<'_>) -> ! {
        opalite::arch::halt()
    }

    #[global_allocator]
    static HEAP: opalite::heap::Heap = opalite::heap::Heap::new();

    /// `arch/power/entry.S` jumps here from the image's final place.
    #[allow(unsafe_code)]
    #[unsafe(no_mangle)]
    extern "C" fn boot_main(tree: *const u8, home: u64) -> ! {
        // SAFETY: entry.S passes what the machine passed, and the address of this image.
        unsafe { opalite::boot::boot(tree, home, &HEAP) }
    }
}
