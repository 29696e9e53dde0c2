//! What firmware touches: device registers and memory, each behind one trait, so that a driver never knows
//! whether it talks to silicon, to QEMU or to a model in a host test.

pub mod mmio;
pub mod ram;
pub mod xscom;
