//! What belongs to one hardware thread, and the life of a thread that waits in firmware.

use super::cpu::doze;
use crate::firmware::Firmware;
use crate::hw::ram::Ram;
use alloc::{boxed::Box, vec::Vec};
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// What belongs to one hardware thread: its stacks, how deep it is in OPAL, and its state for the OS.
#[repr(C)]
#[derive(Debug)]
pub struct CpuArea {
    /// Top of the stack for calls.
    pub stack: u64,
    /// Top of the stack for a call made while another one is interrupted on this thread.
    pub stack2: u64,
    /// Calls in progress: 0, 1 or 2. Written by `opal_entry.S`, and by a thread that leaves the OS for good.
    pub depth: AtomicU32,
    /// The thread's number.
    pub pir: u32,
    /// Non-zero: where the waiting thread shall start.
    pub start: AtomicU64,
    /// 1 when the thread waits in firmware.
    pub waiting: AtomicU32,
}

/// Table of areas by PIR; it has an entry for each number up to the highest PIR of the machine.
pub static CPU_AREAS: AtomicPtr<*mut CpuArea> = AtomicPtr::new(ptr::null_mut());

impl CpuArea {
    /// Makes the area of one thread; it lives for ever.
    pub fn leak(pir: u32, stack: u64, stack2: u64) -> &'static Self {
        Box::leak(Box::new(Self {
            stack,
            stack2,
            depth: AtomicU32::new(0),
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

/// What calls work on, for `opal_entry.S`.
pub(super) static SERVING: AtomicPtr<Firmware> = AtomicPtr::new(ptr::null_mut());

/// Opens the door: calls work on `firmware`. Before the OS starts.
pub fn serve(firmware: &'static Firmware) {
    SERVING.store(ptr::from_ref(firmware).cast_mut(), Ordering::Release);
}

/// Offset of `secondary_home` in `entry.S`.
const SECONDARY_HOME: u64 = 0x18;

/// Sends the threads that wait in the image's first place to this one. They must have left it before a kernel is
/// copied to address 0.
pub fn release_secondaries() {
    // SAFETY: the low copy of the image is ours until the kernel starts.
    let ram = unsafe { super::PhysicalRam::new() };
    // They find their areas and the copied code there.
    ram.sync();
    ram.write64(SECONDARY_HOME, super::image_start());
    ram.sync();
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
            super::cpu::prepare_cpu();
            area.waiting.store(0, Ordering::Release);
            return StartAt { address, pir: u64::from(area.pir) };
        }
        doze();
    }
}

/// Where a thread goes next.
#[repr(C)]
pub struct StartAt {
    pub(super) address: u64,
    pub(super) pir: u64,
}
