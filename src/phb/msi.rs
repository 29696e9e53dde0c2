//! Message interrupts: which PE a source belongs to, and where a device writes to raise it.

use super::ioda;
use super::phb4::Phb4;
use crate::error::{Error, Result};
use crate::hw::fault::Outcome;
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::iommu::PeNumber;

/// The last eight sources of a bridge are its LSIs.
pub const LSIS: u16 = 8;
/// Which of them tells of errors that stop nothing.
pub const INF: u32 = 6;
/// And of those that do.
pub const ER: u32 = 7;

/// A source that a device may use as MSI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source(u16);

impl Source {
    /// Checks a number against the bridge's count of sources, LSIs included.
    ///
    /// # Errors
    /// `Parameter` when the bridge has no such MSI source.
    pub fn new(number: u64, sources: u16) -> Result<Self> {
        if number < u64::from(sources - LSIS) {
            Ok(Self(number as u16))
        } else {
            Err(Error::Parameter(&"MSI source"))
        }
    }

    /// What a device stores to raise it.
    pub const fn data(self) -> u32 {
        (self.0 & 0x1f) as u32
    }

    /// Where a device with 32-bit MSIs stores it.
    pub const fn address32(self) -> u32 {
        0xffff_0000 | (self.0 as u32) << 4 & 0xfe0f
    }

    /// Where a device with 64-bit MSIs stores it.
    pub const fn address64(self) -> u64 {
        1 << 60 | (self.0 as u64) << 4 & !0x1f0
    }
}

/// What OPAL asks about MSIs.
pub trait Msi {
    /// Gives a source to a PE; its P and Q are cleared, so it must be masked.
    ///
    /// # Errors
    /// When the bridge is fenced, broken or in reset.
    fn set_source_pe(&mut self, source: Source, pe: PeNumber) -> Outcome;
}

impl<I: Mmio, R: Ram> Msi for Phb4<I, R> {
    fn set_source_pe(&mut self, source: Source, pe: PeNumber) -> Outcome {
        self.usable()?;
        let (index, lane) = (usize::from(source.0 / 4), (source.0 % 4) as u8);
        let shift = 48 - 16 * u32::from(lane);
        let value = u64::from(pe.as_u16()) << shift;
        let word = self.mist.get(index) & !(0xffff << shift) | value;
        let update = self.mist.update(index, word)?;
        ioda::write_lane(&self.regs, index, lane, value);
        ioda::alive(&self.regs)?;
        update.commit();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn addresses_are_the_reference_s() {
        let source = Source::new(0x123, 4096).unwrap();
        assert_eq!(source.address32(), 0xffff_1200);
        assert_eq!(source.address64(), 0x1000_0000_0000_1200);
        assert_eq!(source.data(), 3);
        assert!(Source::new(4088, 4096).is_err());
        assert_eq!(Source::new(4087, 4096).unwrap().address32(), 0xffff_fe00);
    }
}
