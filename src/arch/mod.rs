//! What only the machine can do, behind the same names for POWER and for host tests.

#[cfg(not(all(target_arch = "powerpc64", target_os = "none")))]
mod host;
#[cfg(all(target_arch = "powerpc64", target_os = "none"))]
mod power;

#[cfg(not(all(target_arch = "powerpc64", target_os = "none")))]
pub use host::*;
#[cfg(all(target_arch = "powerpc64", target_os = "none"))]
pub use power::*;
