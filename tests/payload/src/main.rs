//! A program that a firmware starts in the kernel's place. It calls OPAL through the real entry and moves bytes
//! with QEMU's `edu` device, so that what is proven is the bridge's doing and not a model's.
//!
//! It runs on Opalite and on QEMU's skiboot alike: a case that only one of them passes is known for what it is.
//! One line per case, then totals; then it powers the machine off.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(not(target_os = "none"))]
fn main() {}

#[cfg(target_os = "none")]
mod cases;
#[cfg(target_os = "none")]
mod ddw_client;
#[cfg(target_os = "none")]
mod edu;
#[cfg(target_os = "none")]
mod machine;
#[cfg(target_os = "none")]
mod opal;
#[cfg(target_os = "none")]
mod pci;
#[cfg(target_os = "none")]
mod phb_registers;
#[cfg(target_os = "none")]
mod shared_cases;
#[cfg(target_os = "none")]
mod tce;

#[cfg(target_os = "none")]
mod start {
    use crate::{cases, machine, opal};

    core::arch::global_asm!(include_str!("entry.S"));
    core::arch::global_asm!(include_str!("vectors.S"));

    /// First Rust code: r3, r8 and r9 of the hand-over.
    #[unsafe(no_mangle)]
    extern "C" fn payload_main(tree: *const u8, base: u64, entry: u64) -> ! {
        opal::set_door(base, entry);
        // SAFETY: the firmware passed it.
        let tree = unsafe { fdt::Fdt::from_ptr(tree) }.expect("no device tree");
        cases::run(&tree);
        machine::power_off()
    }

    #[panic_handler]
    fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
        crate::println!("PAYLOAD PANIC: {info}");
        machine::power_off()
    }
}
