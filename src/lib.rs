//! Opalite: OPAL firmware for IBM POWER. `doc/` has the interface, the README the way in.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod error;
pub mod hw;
pub mod units;
