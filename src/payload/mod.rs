//! The kernel: where it is, and the jump into it.

pub mod elf;

pub use elf::{Image, KERNEL_ALIGN, parse};
