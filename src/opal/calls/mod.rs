//! Handlers: decode the arguments, act through a service or driver, encode the result.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod console;
pub mod cpus;
pub mod events;
pub mod faults;
pub mod interrupts;
pub mod liobn;
pub mod nvram;
pub mod pci;
pub mod power;
pub mod rtas;
pub mod system;
pub mod tables;
pub mod time;
