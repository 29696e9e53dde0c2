//! Handlers: decode the arguments, act through a service or driver, encode the result.

pub mod console;
pub mod pci;
pub mod system;
