//! PEs: which requesters are in one (RTT), and which freeze together (PELT-V).

use super::bridge::HostBridge;
use super::ioda;
use super::regs4::{RTC_INVALIDATE, RtcInvalidate};
use crate::error::{Error, Result, why};
use crate::hw::fault::Outcome;
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::iommu::PeNumber;
use crate::units::Bdfn;

/// A set of requester ids: those that agree with one in the leading bits of the bus, and, or not, in device and
/// function. Only `PCI_SET_PE` speaks of such sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RidMatch {
    /// First bus.
    bus: u8,
    /// Buses, less one.
    more_buses: u8,
    /// Bits of device and function that must agree.
    mask: u8,
    function: u8,
}

impl RidMatch {
    /// `bus_compare` 0 is any bus, 2 to 7 compare the first 3 to 8 bits of the bus number.
    ///
    /// # Errors
    /// `Parameter` for anything that isn't defined, 1 among it.
    #[inline(always)]
    pub fn new(rid: u64, bus_compare: u64, device_compare: u64, function_compare: u64) -> Result<Self> {
        let Ok(rid) = u16::try_from(rid) else { return Err(Error::Parameter(why("BDFN"))) };
        let free = match bus_compare {
            0 => 8,
            2..=7 => 7 - bus_compare,
            _ => return Err(Error::Parameter(why("bus compare"))),
        };
        if device_compare > 1 || function_compare > 1 {
            return Err(Error::Parameter(why("device or function compare")));
        }
        let rid = Bdfn::from_u16(rid);
        let more_buses = ((1_u16 << free) - 1) as u8;
        let mask =
            (if device_compare == 1 { 0xf8 } else { 0 }) | if function_compare == 1 { 0x07 } else { 0 };
        Ok(Self { bus: rid.bus() & !more_buses, more_buses, mask, function: rid.as_u16() as u8 & mask })
    }

    /// Buses of the set.
    pub fn buses(self) -> impl Iterator<Item = u8> {
        self.bus..=self.bus | self.more_buses
    }

    /// The bus, if the set is all functions of one.
    #[inline(always)]
    pub const fn whole_bus(self) -> Option<u8> {
        if self.mask == 0 && self.more_buses == 0 { Some(self.bus) } else { None }
    }

    /// Whether every function of its buses is in the set.
    pub const fn whole_buses(self) -> bool {
        self.mask == 0
    }

    /// Device and function numbers of the set, the same on each of its buses.
    pub fn functions(self) -> impl Iterator<Item = u8> {
        let free = !self.mask;
        let mut next = Some(0_u8);
        core::iter::from_fn(move || {
            let bits = next?;
            // The next subset of the free bits: counting with the fixed bits set carries through them.
            next = Some((bits | !free).wrapping_add(1) & free).filter(|&bits| bits != 0);
            Some(self.function | bits)
        })
    }
}

/// What OPAL asks about PEs.
pub trait Pes {
    /// Puts requesters into a PE, or takes them out of it.
    ///
    /// # Errors
    /// When the bridge is fenced, broken or in reset.
    fn set_pe(&mut self, pe: PeNumber, rids: RidMatch, map: bool) -> Outcome;
    /// The PE that a requester was put into; the reserved one when it is in none.
    fn pe_of(&self, requester: Bdfn) -> u16;
    /// Lets `child` freeze with `parent`, or not.
    fn set_dependent(&mut self, parent: PeNumber, child: PeNumber, depends: bool);
}

impl<I: Mmio, R: Ram> Pes for HostBridge<I, R> {
    fn set_pe(&mut self, pe: PeNumber, rids: RidMatch, map: bool) -> Outcome {
        self.usable()?;
        ioda::alive(&self.regs)?;
        match rids.whole_bus() {
            // What Linux asks for nearly always.
            Some(bus) if map => self.tables.map_bus(&self.ram, bus, pe),
            _ => self.set_pe_of_some(pe, rids, map),
        }
        self.forget_requesters();
        Ok(())
    }

    fn pe_of(&self, requester: Bdfn) -> u16 {
        self.tables.pe_of(&self.ram, requester)
    }

    fn set_dependent(&mut self, parent: PeNumber, child: PeNumber, depends: bool) {
        self.tables.set_dependent(&self.ram, parent, child, depends);
    }
}

impl<I: Mmio, R: Ram> HostBridge<I, R> {
    #[inline(never)]
    fn set_pe_of_some(&mut self, pe: PeNumber, rids: RidMatch, map: bool) {
        if map {
            self.tables.map(&self.ram, rids, pe);
        } else {
            self.tables.unmap(&self.ram, rids, pe);
        }
    }

    /// Drops the bridge's memory of which requester is in which PE.
    pub(super) fn forget_requesters(&self) {
        // The access of the register comes after all stores to the table.
        let mut all = RtcInvalidate::default();
        all.set_all(true);
        RTC_INVALIDATE.write(&self.regs, all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn rids(set: RidMatch) -> Vec<u16> {
        set.buses().flat_map(|bus| set.functions().map(move |f| u16::from(bus) << 8 | u16::from(f))).collect()
    }

    #[test]
    fn a_set_is_what_the_mask_says() {
        for (bus_compare, bus_mask) in [(0, 0), (2, 0xe000), (3, 0xf000), (5, 0xfc00), (7, 0xff00)] {
            for (device, function) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let mask: u16 =
                    bus_mask | if device == 1 { 0xf8 } else { 0 } | if function == 1 { 7 } else { 0 };
                let rid = 0xa5b3_u16;
                let want: Vec<u16> = (0..=0xffff).filter(|i| i & mask == rid & mask).collect();
                let set = RidMatch::new(rid.into(), bus_compare, device, function).unwrap();
                assert_eq!(rids(set), want, "{bus_compare} {device} {function}");
            }
        }
    }

    #[test]
    fn undefined_compares_are_refused() {
        for bad in
            [(0x1_0000, 7, 0, 0), (0, 1, 0, 0), (0, 8, 0, 0), (0, 7, 2, 0), (0, 7, 0, 2), (0, 0x107, 0, 0)]
        {
            assert_eq!(RidMatch::new(bad.0, bad.1, bad.2, bad.3).unwrap_err().code(), -1, "{bad:?}");
        }
    }
}
