//! POWER8's interrupts: numbers, and the devices that hold where each goes.

use crate::error::Result;
use crate::units::Isn;
use core::ops::Range;

/// A device that raises interrupts through XICS and holds where each goes.
pub trait XicsSource: Sync {
    /// Its interrupts.
    fn isns(&self) -> Range<Isn>;
    /// Sends an interrupt to a server, as hardware numbers it; priority 0xff masks it.
    ///
    /// # Errors
    /// `Parameter` when it isn't one of [`XicsSource::isns`], `Hardware` when the device doesn't answer.
    fn set_route(&self, isn: Isn, server: u16, priority: u8) -> Result;
    /// Where an interrupt goes: server and priority.
    ///
    /// # Errors
    /// As for [`XicsSource::set_route`].
    fn route(&self, isn: Isn) -> Result<(u16, u8)>;
}
