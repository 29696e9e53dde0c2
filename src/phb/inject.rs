//! Error injection: makes the next config access of one PE fail, so that recovery can be tested.
//! `reference/phb-dma-windows.md` §3.1 and §12.6.

use super::ioda;
use super::phb4::Phb4;
use super::regs4::{ERR_INJECT_ADDR, ERR_INJECT_CTL, ERR_INJECT_MASK};
use crate::error::{Error, Result};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::iommu::PeNumber;
use crate::units::Bdfn;

/// Which access shall fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A config read.
    Load,
    /// A config write.
    Store,
}

const CONFIG: u64 = 1 << 60;
const READ: u64 = 1 << 59;
const WRITE: u64 = 1 << 58;
const BDFN_SHIFT: u32 = 44;
const BUS_MASK: u64 = 0xff00 << BDFN_SHIFT;
const BDFN_MASK: u64 = 0xffff << BDFN_SHIFT;

/// What OPAL asks about error injection.
pub trait Inject {
    /// Arms an error for config accesses to a PE's function, or to any function of its bus when all are the PE's.
    ///
    /// # Errors
    /// `Parameter` when the PE has no function, `Hardware` when the bridge is fenced or broken.
    fn inject_config(&mut self, pe: PeNumber, access: Access) -> Result;
    /// Disarms.
    ///
    /// # Errors
    /// `Hardware` when the bridge is fenced or broken.
    fn clear_injection(&mut self) -> Result;
}

impl<I: Mmio, R: Ram> Inject for Phb4<I, R> {
    fn inject_config(&mut self, pe: PeNumber, access: Access) -> Result {
        self.clear_injection()?;
        let function =
            self.tables.requester_in(&self.ram, pe).ok_or(Error::Parameter(&"PE without a function"))?;
        let last = Bdfn::from_u16(function.as_u16() | 0xff);
        let whole_bus = function.as_u16() & 0xff == 0 && self.tables.pe_of(&self.ram, last) == pe.as_u16();
        let mask = if whole_bus { BUS_MASK } else { BDFN_MASK };
        ERR_INJECT_ADDR.write(&self.regs, u64::from(function.as_u16()) << BDFN_SHIFT & mask);
        ERR_INJECT_MASK.write(&self.regs, mask);
        let direction = if access == Access::Load { READ } else { WRITE };
        ERR_INJECT_CTL.write(&self.regs, CONFIG | direction);
        Ok(ioda::alive(&self.regs)?)
    }

    fn clear_injection(&mut self) -> Result {
        self.usable()?;
        ERR_INJECT_CTL.write(&self.regs, 0);
        Ok(ioda::alive(&self.regs)?)
    }
}
