//! What firmware touches: device registers and memory, each behind one trait, so that a driver never knows
//! whether it talks to silicon, to QEMU or to a model in a host test.

pub mod bt;
pub mod eccb;
pub mod fault;
pub mod lpc;
pub mod mmio;
pub mod occ;
pub mod psi;
pub mod psi8;
pub mod ram;
pub mod rtc;
pub mod thread;
pub mod uart;
pub mod xscom;
