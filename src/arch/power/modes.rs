//! Modes of the processor that the OS chooses through OPAL, and a thread's way back into firmware.

use super::cpu::{POWER9, hid0, hmer, is_power8, pvr, set_hid0, set_hmer};
use super::threads::{CPU_AREAS, CpuArea, secondary_main};
use crate::hw::thread::Thread;
use core::arch::asm;
use core::sync::atomic::{AtomicBool, Ordering};

/// What the OS last asked for: threads that start later begin with it.
static LITTLE_ENDIAN: AtomicBool = AtomicBool::new(false);
static RADIX: AtomicBool = AtomicBool::new(true);

const fn ibm(bit: u32) -> u64 {
    1 << (63 - bit)
}

/// Chooses the byte order in which this thread's core takes interrupts, and that of threads that start later.
pub fn set_little_endian_interrupts(little: bool) {
    LITTLE_ENDIAN.store(little, Ordering::Relaxed);
    apply();
}

/// Chooses radix or hash translation. `false` when this processor can't.
pub fn set_radix(radix: bool) -> bool {
    if radix && is_power8() {
        return false;
    }
    RADIX.store(radix, Ordering::Relaxed);
    apply();
    true
}

/// Brings the HID0 of this thread's core to what the OS wants. Other threads of the core may run the OS: they must
/// never see another value, so there is one store, and none when nothing changes.
pub(super) fn apply() {
    // POWER10's bit 5 is on: no recovery of the core.
    let (hile, radix, on) = match pvr() >> 16 {
        POWER9 => (ibm(4), ibm(8), 0),
        _ if is_power8() => (ibm(19), 0, 0),
        _ => (ibm(4), 0, ibm(5)),
    };
    let old = hid0();
    let mut value = old & !(hile | radix) | on;
    if LITTLE_ENDIAN.load(Ordering::Relaxed) {
        value |= hile;
    }
    if RADIX.load(Ordering::Relaxed) {
        value |= radix;
    }
    if value == old {
        return;
    }
    // SAFETY: firmware runs in real mode and takes no interrupt; what the OS takes later is as it asked.
    unsafe {
        asm!("sync", options(nostack, preserves_flags));
        set_hid0(value);
    }
}

/// Reads and clears causes of a hypervisor maintenance interrupt, those in `mask`.
pub fn take_hmer(mask: u64) -> u64 {
    let causes = hmer() & mask;
    // SAFETY: a write to HMER clears the bits that are zero in it and has no other effect.
    unsafe { set_hmer(!causes) };
    causes
}

/// Leaves the OS: this thread waits in firmware until it is started again, from scratch. Doesn't return.
pub fn park() {
    let pir = super::cpu::pir().0 as usize;
    // SAFETY: this thread is in a call, so it has an entry in the table.
    let area: &'static CpuArea = unsafe { &**CPU_AREAS.load(Ordering::Acquire).add(pir) };
    area.depth.store(0, Ordering::Relaxed);
    let next = secondary_main(area);
    // SAFETY: the OS's own start address, entered as START_CPU promises: real mode, big-endian, PIR in r3.
    unsafe { asm!("mtctr {a}", "bctr", a = in(reg) next.address, in("r3") next.pir, options(noreturn)) };
}

impl Thread for CpuArea {
    fn waiting(&self) -> bool {
        self.waiting.load(Ordering::Acquire) != 0
    }
    fn start(&self, address: u64) {
        self.start.store(address, Ordering::Release);
    }
    fn come_back(&self) {
        self.waiting.store(1, Ordering::Release);
    }
    fn in_call(&self) -> bool {
        self.depth.load(Ordering::Acquire) != 0
    }
}
