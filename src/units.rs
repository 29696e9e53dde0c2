//! The numbers that firmware handles, as types that don't mix.

use core::fmt;

/// Bus, device and function of a PCI function: bus in bits 15:8, device in 7:3, function in 2:0.
/// It is also the requester id (RID) that a bridge sees in a DMA or MSI.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bdfn(u16);

impl Bdfn {
    /// Builds one from its parts; a device above 31 or a function above 7 gives `None`.
    pub const fn new(bus: u8, device: u8, function: u8) -> Option<Self> {
        if device > 31 || function > 7 {
            return None;
        }
        Some(Self((bus as u16) << 8 | (device as u16) << 3 | function as u16))
    }
    /// From the 16-bit form.
    pub const fn from_u16(value: u16) -> Self {
        Self(value)
    }
    /// The 16-bit form.
    pub const fn as_u16(self) -> u16 {
        self.0
    }
    /// Bus number.
    pub const fn bus(self) -> u8 {
        (self.0 >> 8) as u8
    }
    /// Device number, 0 to 31.
    pub const fn device(self) -> u8 {
        (self.0 >> 3) as u8 & 0x1f
    }
    /// Function number, 0 to 7.
    pub const fn function(self) -> u8 {
        self.0 as u8 & 7
    }
}

impl fmt::Debug for Bdfn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Bdfn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}:{:02x}.{}", self.bus(), self.device(), self.function())
    }
}

/// Number of a chip (processor socket), as in `ibm,chip-id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChipId(pub u32);

/// Processor identification register of a hardware thread: the number that names it in every OPAL call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pir(pub u32);

impl Pir {
    /// The thread's chip, on POWER9 and later.
    pub const fn chip(self) -> ChipId {
        ChipId(self.0 >> 8)
    }
}

/// Global interrupt source number, as in the device tree and in the XIVE calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Isn(pub u32);
