//! The processor's special registers, and what belongs to one hardware thread.

use crate::units::Pir;
use alloc::{boxed::Box, vec::Vec};
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

unsafe extern "C" {
    static _image_start: u8;
    static _image_end: u8;
    static _boot_stack_top: u8;
}

/// End of the image, its bss and boot stack.
pub fn image_end() -> u64 {
    &raw const _image_end as u64
}

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
    // SAFETY: address of a symbol only.
    let base = &raw const _image_start as u64;
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

unsafe extern "C" {
    fn opal_entry();
}

/// Address that the OS calls.
pub fn opal_entry_address() -> u64 {
    opal_entry as *const () as u64
}

impl CpuArea {
    /// Makes the area of one thread; it lives for ever.
    pub fn leak(pir: u32, stack: u64, stack2: u64) -> &'static Self {
        Box::leak(Box::new(Self {
            stack,
            stack2,
            depth: 0,
            pir,
            start: AtomicU64::new(0),
            waiting: AtomicU32::new(0),
        }))
    }
}

/// Makes the areas findable by PIR, for `opal_entry.S` and for waiting threads.
pub fn publish_areas(areas: Vec<&'static CpuArea>) {
    let highest = areas.iter().map(|area| area.pir).max().unwrap_or(0) as usize;
    let mut table = alloc::vec![ptr::null_mut::<CpuArea>(); highest + 1];
    for area in areas {
        table[area.pir as usize] = ptr::from_ref(area).cast_mut();
    }
    CPU_AREAS.store(Vec::leak(table).as_mut_ptr(), Ordering::Release);
}

/// State that the kernel inherits and doesn't set itself (`reference/linux-opal-contract.md` §1.3).
pub fn prepare_boot_cpu() {
    /// Default prefetch depth, and nothing else.
    const LPCR: u64 = 0x0040_0000_0000_0000;
    /// Bit 8: radix translation.
    const HID0_RADIX: u64 = 1 << (63 - 8);
    // SAFETY: real mode with interrupts off depends on none of these.
    unsafe {
        set_lpcr(LPCR);
        set_hid0(HID0_RADIX);
        set_hmer(0);
        set_hmeer(0);
        set_lpid(0);
        set_dscr(0x10);
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
