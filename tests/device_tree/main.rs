//! The tree that the OS gets, made from the trees that QEMU 10.0.2 hands over and read back by another crate.
//!
//! `tests/data/qemu-*.dtb` are QEMU's; `skiboot-*.dtb` are what stock skiboot made of them.

mod flat;
mod linux;
mod machine;
mod skiboot;
mod structure;
mod wanted;
