//! Message interrupts: which PE a source belongs to, and where a device writes to raise it. On a PHB3, where its sources
//! go.

use super::bridge::HostBridge;
use super::generation::Ioda;
use super::ioda;
use crate::error::{Error, Result, why};
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
            Err(Error::Parameter(why("MSI source")))
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

/// What OPAL asks about interrupts that the bridge keeps.
pub trait Msi {
    /// Gives a source to a PE; its P and Q are cleared, so it must be masked.
    ///
    /// # Errors
    /// When the bridge is fenced, broken or in reset.
    fn set_source_pe(&mut self, source: Source, pe: PeNumber) -> Outcome;
    /// Ends a message interrupt of a PHB3. One that doesn't answer has none.
    ///
    /// # Errors
    /// `Unsupported` on other bridges.
    fn end_of_interrupt(&mut self, source: Source) -> Result;
    /// Sends a source of a PHB3, LSIs included, to a server as hardware numbers it; priority 0xff masks it.
    ///
    /// # Errors
    /// `Unsupported` on other bridges; `Parameter` when there is no such source; `Hardware` when the bridge is fenced,
    /// broken or in reset.
    fn set_route(&mut self, source: u16, server: u16, priority: u8) -> Result;
    /// Where a source of a PHB3 goes.
    ///
    /// # Errors
    /// `Unsupported` on other bridges; `Parameter` when there is no such source.
    fn route(&self, source: u16) -> Result<(u16, u8)>;
}

impl<I: Mmio, R: Ram> Msi for HostBridge<I, R> {
    fn set_source_pe(&mut self, source: Source, pe: PeNumber) -> Outcome {
        self.usable()?;
        if self.ioda == Ioda::Two {
            return self.ivt.set_pe(&self.regs, &self.ram, source.0, pe);
        }
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

    fn end_of_interrupt(&mut self, source: Source) -> Result {
        self.has_ivt()?;
        if self.answers() {
            self.ivt.end(&self.regs, &self.ram, source.0);
        }
        Ok(())
    }

    fn set_route(&mut self, source: u16, server: u16, priority: u8) -> Result {
        let lsi = self.lsi(source)?;
        self.usable()?;
        Ok(match lsi {
            Some(lsi) => self.mist.write(&self.regs, lsi, lxive(server, priority)),
            None => self.ivt.set_route(&self.regs, &self.ram, source, (server, priority)),
        }?)
    }

    fn route(&self, source: u16) -> Result<(u16, u8)> {
        Ok(match self.lsi(source)? {
            Some(lsi) => {
                let word = self.mist.get(lsi);
                ((word >> 40) as u16, (word >> 32) as u8)
            }
            None => self.ivt.route(&self.ram, source),
        })
    }
}

/// An entry of the LXIVT.
const fn lxive(server: u16, priority: u8) -> u64 {
    (server as u64) << 40 | (priority as u64) << 32
}

impl<I: Mmio, R: Ram> HostBridge<I, R> {
    fn has_ivt(&self) -> Result {
        match self.ioda {
            Ioda::Two => Ok(()),
            Ioda::Three => Err(Error::Unsupported(why("its interrupts aren't kept in the bridge"))),
        }
    }

    /// Which LSI a source is, if it is one.
    fn lsi(&self, source: u16) -> Result<Option<usize>> {
        self.has_ivt()?;
        if source >= self.sources {
            return Err(Error::Parameter(why("interrupt source")));
        }
        Ok(source.checked_sub(self.sources - LSIS).map(usize::from))
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
