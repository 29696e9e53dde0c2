//! The device tree: what the machine handed us, and what we hand on.

pub mod read;
