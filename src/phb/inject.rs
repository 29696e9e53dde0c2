//! Error injection: makes the next access of one kind fail for one PE, so that recovery can be tested.
//! `reference/phb-dma-windows.md` §3.1 and §12.6.

use super::bridge::HostBridge;
use super::ioda;
use super::regs4::{ERR_INJECT_ADDR, ERR_INJECT_CTL, ERR_INJECT_MASK};
use crate::error::{Error, Result, why};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::iommu::tve::{Meaning, Tve};
use crate::iommu::{BIT_59, PeNumber, Select};
use crate::units::Bdfn;
use core::ops::Range;

/// Which access shall fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A read.
    Load,
    /// A write.
    Store,
}

/// Access of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The config space of the PE's function, or of any function of its bus when all are the PE's.
    Config,
    /// The PE's part of M32, or of the M64 windows if `wide`, by the processor.
    Memory(Place),
    /// Memory, by a device, through window 0, or window 1 if `wide`.
    Dma(Place),
}

/// Where, inside what is the PE's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which of the PE's ranges.
    pub wide: bool,
    /// An address; one that isn't the PE's stands for its whole first range.
    pub address: u64,
    /// Address bits that must be equal; 0 stands for those that tell the range from others.
    pub mask: u64,
}

const INBOUND: u64 = 1 << 63;
const OUTBOUND: u64 = 1 << 62;
const CONFIG: u64 = 1 << 60;
const READ: u64 = 1 << 59;
const WRITE: u64 = 1 << 58;
const BDFN_SHIFT: u32 = 44;
const BUS_MASK: u64 = 0xff00 << BDFN_SHIFT;
const BDFN_MASK: u64 = 0xffff << BDFN_SHIFT;
/// What the registers hold of an address.
const ADDRESS_BITS: u64 = (1 << 48) - 1;

/// What OPAL asks about error injection.
pub trait Inject {
    /// Arms an error.
    ///
    /// # Errors
    /// `Parameter` when the PE has no function, or no memory of that kind; `Unsupported` when its DMA window is closed;
    /// `Hardware` when the bridge is fenced or broken. Nothing is armed then.
    fn inject(&mut self, pe: PeNumber, target: Target, access: Access) -> Result;
    /// Disarms.
    ///
    /// # Errors
    /// `Hardware` when the bridge is fenced or broken.
    fn clear_injection(&mut self) -> Result;
}

impl<I: Mmio, R: Ram> Inject for HostBridge<I, R> {
    fn inject(&mut self, pe: PeNumber, target: Target, access: Access) -> Result {
        self.clear_injection()?;
        let (source, (address, mask)) = match target {
            Target::Config => (CONFIG, self.functions_of(pe)?),
            Target::Memory(place) => {
                let range = self.memory_of(pe, place.wide, place.address);
                (OUTBOUND, place.narrow(&range.ok_or(Error::Parameter(why("PE without such memory")))?))
            }
            Target::Dma(place) => {
                let range = self.dma_of(pe, place.wide).ok_or(Error::Unsupported(why("window is closed")))?;
                (INBOUND, place.narrow(&range))
            }
        };
        ERR_INJECT_ADDR.write(&self.regs, address);
        ERR_INJECT_MASK.write(&self.regs, mask);
        let direction = if access == Access::Load { READ } else { WRITE };
        ERR_INJECT_CTL.write(&self.regs, source | direction);
        Ok(ioda::alive(&self.regs)?)
    }

    fn clear_injection(&mut self) -> Result {
        self.usable()?;
        ERR_INJECT_CTL.write(&self.regs, 0);
        Ok(ioda::alive(&self.regs)?)
    }
}

impl Place {
    /// Address and mask for the registers.
    fn narrow(&self, range: &Range<u64>) -> (u64, u64) {
        let inside = range.contains(&self.address);
        let address = if inside { self.address } else { range.start };
        let mask = if inside && self.mask != 0 { self.mask } else { whole(range) };
        (address & ADDRESS_BITS, mask & ADDRESS_BITS)
    }
}

/// The address bits that are the same in the largest aligned piece at the start of a range.
fn whole(range: &Range<u64>) -> u64 {
    let length = range.end.wrapping_sub(range.start);
    let power = 1_u64 << length.checked_ilog2().unwrap_or(0).min(range.start.trailing_zeros()).min(63);
    power.wrapping_neg()
}

impl<I: Mmio, R: Ram> HostBridge<I, R> {
    fn functions_of(&self, pe: PeNumber) -> Result<(u64, u64)> {
        let function =
            self.tables.requester_in(&self.ram, pe).ok_or(Error::Parameter(why("PE without a function")))?;
        let last = Bdfn::from_u16(function.as_u16() | 0xff);
        let whole_bus = function.as_u16() & 0xff == 0 && self.tables.pe_of(&self.ram, last) == pe.as_u16();
        let mask = if whole_bus { BUS_MASK } else { BDFN_MASK };
        Ok((u64::from(function.as_u16()) << BDFN_SHIFT & mask, mask))
    }

    /// The bus addresses of a window.
    fn dma_of(&self, pe: PeNumber, one: bool) -> Option<Range<u64>> {
        let base = match (one, self.options.select) {
            (true, Select::Bit59) => BIT_59,
            _ => 0,
        };
        let range = match Tve::from_bits(self.tvt.get(2 * pe.index() + usize::from(one))).meaning() {
            Meaning::Closed => return None,
            Meaning::Translated { geometry, .. } => 0..1 << geometry.width(),
            Meaning::NoTranslate { start, end } => start..end,
        };
        // In the 4 GiB mode window 1 doesn't see what lies below.
        let first = if one && base == 0 { range.start.max(crate::iommu::FOUR_GIB) } else { range.start };
        Some((base | first)..(base | range.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_covers_an_aligned_piece() {
        assert_eq!(whole(&(0x1000..0x2000)), !0xfff);
        assert_eq!(whole(&(0x1000..0x4000)), !0xfff);
        assert_eq!(whole(&(0..0x3000)), !0x1fff);
        assert_eq!(whole(&(0..0)), !0);
        assert_eq!(whole(&(0..u64::MAX)), 1 << 63);
    }
}
