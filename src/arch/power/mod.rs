//! POWER in hypervisor real mode: first instructions, the OPAL door, device access, special registers.
#![allow(unsafe_code)]

mod cpu;
mod mmio;

pub use cpu::*;
pub use mmio::{PhysicalRam, Registers};

use core::mem::offset_of;

core::arch::global_asm!(
    include_str!("entry.S"),
    find_home = sym crate::mem::find_home,
    secondary_main = sym cpu::secondary_main,
    cpu_areas = sym cpu::CPU_AREAS,
    cpu_stack = const offset_of!(CpuArea, stack),
);

core::arch::global_asm!(
    include_str!("opal_entry.S"),
    dispatch = sym crate::opal::dispatch::opal_dispatch,
    cpu_areas = sym cpu::CPU_AREAS,
    cpu_stack = const offset_of!(CpuArea, stack),
    cpu_stack2 = const offset_of!(CpuArea, stack2),
    cpu_depth = const offset_of!(CpuArea, depth),
);
