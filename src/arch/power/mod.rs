//! POWER in hypervisor real mode: first instructions, the OPAL door, device access, special registers.
#![allow(unsafe_code)]

mod cpu;
mod exceptions;
mod image;
mod mmio;
mod modes;
mod reason;
mod threads;

pub use cpu::*;
pub use exceptions::report_exceptions_here;
pub use image::{backtrace, enter_kernel, halt, image_end, image_start, opal_entry_address, rtas_image};
pub use mmio::{PhysicalRam, Registers};
pub use modes::{park, set_little_endian_interrupts, set_radix, take_hmer};
pub use reason::{Reason, why};
pub use threads::{CpuArea, publish_areas, release_secondaries, serve};

/// Memory that calls share with the OS, as a type of no size, so that an access is one instruction.
pub type Memory = PhysicalRam;

use crate::firmware::Firmware;
use crate::opal::table;
use crate::services::{Services, quiesce::Quiesce};
use core::mem::offset_of;

core::arch::global_asm!(
    include_str!("entry.S"),
    find_home = sym crate::mem::find_home,
    secondary_main = sym threads::secondary_main,
    cpu_areas = sym threads::CPU_AREAS,
    cpu_stack = const offset_of!(CpuArea, stack),
);

core::arch::global_asm!(
    include_str!("opal_entry.S"),
    dispatch = sym crate::opal::dispatch::opal_dispatch,
    cpu_areas = sym threads::CPU_AREAS,
    cpu_stack = const offset_of!(CpuArea, stack),
    cpu_stack2 = const offset_of!(CpuArea, stack2),
    cpu_depth = const offset_of!(CpuArea, depth),
    serving = sym threads::SERVING,
    quiesce = const offset_of!(Firmware, services) + offset_of!(Services, quiesce) + Quiesce::WORD,
    table = sym table::TABLE,
    table_end = const table::END,
);

core::arch::global_asm!(include_str!("rtas.S"));

// What `opal_entry.S` takes for granted of the table.
const _: () = assert!(size_of::<table::Call>() == 16 && offset_of!(table::Call, handler) == 0);
