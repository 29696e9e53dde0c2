//! A device's side: DMA and MSI through decode, RTT, TVE and TCEs (§6, §7).
//!
//! The TCE cache keeps what a walk found, present or not, and answers from it whatever became of the TCE or
//! the TVE until a kill is done. Hardware may forget earlier; a driver can't count on it.

use std::collections::HashMap;

use opalite::hw::ram::Ram;

use super::bits::{bit, bits, field};
use super::fault::{ACCESS_FAULT, BAD_INTERRUPT, DMA_READ, DMA_WRITE, IODA_ERROR, MSI, PAGE_FAULT};
use super::kill::Target;
use super::registers::{CONFIG, CTRLR};
use super::{ModelPhb4, State};

const MSI32_ENABLE: u64 = bit(8);
const MSI64_ENABLE: u64 = bit(14);
const MSI32: std::ops::RangeInclusive<u64> = 0xffff_0000..=0xffff_ffff;
const BIT_59: u64 = 1 << 59;
const FOUR_GIB: u64 = 1 << 32;
/// CTRLR: window 1 begins at 4 GiB; how many TVEs a PE has.
const SECOND_AT_FOUR_GIB: u64 = bit(24);
const TVES_PER_PE: u64 = bits(17, 19);
const LIMIT_SHIFT: u32 = 24;
const READ: u64 = 1;
const WRITE: u64 = 2;
/// The bridge never moves more than this at once.
const STEP: u64 = 4096;

/// Why a DMA or an MSI was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The bridge is fenced or in reset: nothing moves.
    Fenced,
    /// Q_DMA_R stopped DMA.
    Quiesced,
    /// The root port's command register has no bus master bit.
    NotMaster,
    /// There is no RTT, so no PE.
    NoPe,
    /// The PE is frozen since an earlier fault.
    Frozen,
    /// The top nibble is neither DMA nor an enabled kind of MSI.
    BadAddress,
    /// The address is one of MSIs: a store there interrupts, it doesn't reach memory.
    MsiRange,
    /// The TVE is zero or means nothing.
    Closed,
    /// Outside a no-translate window's limits.
    OutsideLimits,
    /// Above what a translated window's table covers.
    BeyondTable,
    /// No TCE.
    PageFault,
    /// A TCE without the permission.
    AccessFault,
    /// A table or a page isn't memory.
    NotMemory,
}

/// A refused DMA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DmaFault {
    /// Why.
    pub kind: FaultKind,
    /// Whose, when the bridge knew.
    pub pe: Option<u16>,
    /// The bus address of the part that failed.
    pub address: u64,
}

/// Final TCEs by PE, page size and bus page; zero is a remembered miss.
#[derive(Default)]
pub struct TceCache(HashMap<(u16, u32, u64), u64>);

impl TceCache {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn kill(&mut self, target: Target) {
        self.0.retain(|(pe, shift, page), _| match target {
            Target::All => false,
            Target::Pe(killed) => *pe != killed,
            Target::Page { pe: killed, address, shift: size } => {
                (*pe, *shift, *page) != (killed, size, address >> size)
            }
        });
    }

    fn get(&self, pe: u16, address: u64) -> Option<(u32, u64)> {
        PAGE_SHIFTS
            .iter()
            .find_map(|shift| self.0.get(&(pe, *shift, address >> shift)).map(|tce| (*shift, *tce)))
    }
}

/// IO page sizes of PHB4 and PHB5; the code is the shift less 11.
const PAGE_SHIFTS: [u32; 4] = [12, 16, 21, 30];

/// A TVE taken apart.
enum Tve {
    Closed,
    /// Limits in units of 16 MiB.
    Direct {
        start: u64,
        end: u64,
    },
    Table {
        base: u64,
        levels: u32,
        level_bits: u32,
        page_shift: u32,
    },
}

impl ModelPhb4 {
    /// A device stores bytes at a bus address. What lies before the part that failed has been moved.
    pub fn dma_write(&self, rid: u16, address: u64, bytes: &[u8]) -> Result<(), DmaFault> {
        let mut state = self.state();
        for (at, from, to) in steps(address, bytes.len()) {
            let real = state.translate(rid, at, (to - from) as u64, WRITE)?;
            state.ram.write_bytes(real, &bytes[from..to]);
        }
        Ok(())
    }

    /// A device loads bytes from a bus address.
    pub fn dma_read(&self, rid: u16, address: u64, length: usize) -> Result<Vec<u8>, DmaFault> {
        let mut state = self.state();
        let mut bytes = vec![0; length];
        for (at, from, to) in steps(address, length) {
            let real = state.translate(rid, at, (to - from) as u64, READ)?;
            state.ram.read_bytes(real, &mut bytes[from..to]);
        }
        Ok(bytes)
    }

    /// A device signals an MSI; gives the source that the bridge raises. P and Q are not looked at.
    pub fn msi(&self, rid: u16, address: u64, data: u32) -> Option<u64> {
        self.state().msi(rid, address, data)
    }
}

impl State {
    fn translate(&mut self, rid: u16, address: u64, length: u64, access: u64) -> Result<u64, DmaFault> {
        let pe = self.admit(rid, address)?;
        let found = self.decode(pe, address).and_then(|real| self.permit(real, access));
        let found = found.and_then(|real| match self.ram.contains(real, length) {
            true => Ok(real),
            false => Err(FaultKind::NotMemory),
        });
        found.map_err(|kind| {
            if kind != FaultKind::MsiRange {
                let transaction = if access == WRITE { DMA_WRITE } else { DMA_READ };
                let word0 = transaction | cause(kind) | u64::from(rid) << 16;
                self.freeze(pe, Some((word0, address)));
            }
            DmaFault { kind, pe: Some(pe), address }
        })
    }

    /// Everything that can stop a request before its address matters.
    fn admit(&mut self, rid: u16, address: u64) -> Result<u16, DmaFault> {
        let refuse = |kind, pe| Err(DmaFault { kind, pe, address });
        if self.fenced || self.stack.etu_in_reset() {
            return refuse(FaultKind::Fenced, None);
        }
        if self.kill.quiesced() {
            return refuse(FaultKind::Quiesced, None);
        }
        if self.root_port.register(4) & 4 == 0 {
            return refuse(FaultKind::NotMaster, None);
        }
        let Some(pe) = self.pe_of(rid) else { return refuse(FaultKind::NoPe, None) };
        if self.ioda.dma_stopped(pe.into()) {
            return refuse(FaultKind::Frozen, Some(pe));
        }
        Ok(pe)
    }

    /// §6.5, then the TVE. Gives the real address with the TCE's permission bits beside it.
    fn decode(&mut self, pe: u16, address: u64) -> Result<(u64, u64), FaultKind> {
        let config = self.stored(CONFIG);
        match address >> 60 {
            0 if MSI32.contains(&address) && config & MSI32_ENABLE != 0 => return Err(FaultKind::MsiRange),
            0 => {}
            1 if config & MSI64_ENABLE != 0 => return Err(FaultKind::MsiRange),
            _ => return Err(FaultKind::BadAddress),
        }
        if let Some((shift, tce)) = self.tce_cache.get(pe, address) {
            return Ok(apply(tce, shift, address));
        }
        let (window, offset) = self.select_window(address);
        match self.parse(self.ioda.tve(usize::from(pe) * 2 + window)) {
            Tve::Closed => Err(FaultKind::Closed),
            Tve::Direct { start, end } => {
                // Identity with the high bits stripped (§6.3).
                let real = address & ((1 << 50) - 1);
                let inside = (start..end).contains(&(real >> LIMIT_SHIFT));
                if inside { Ok((real, READ | WRITE)) } else { Err(FaultKind::OutsideLimits) }
            }
            Tve::Table { base, levels, level_bits, page_shift } => {
                let width = levels * level_bits + page_shift;
                if width < 64 && offset >> width != 0 {
                    return Err(FaultKind::BeyondTable);
                }
                let tce = match self.walk(base, levels, level_bits, page_shift, offset) {
                    Err(FaultKind::PageFault) => 0,
                    found => found?,
                };
                self.tce_cache.0.insert((pe, page_shift, address >> page_shift), tce);
                Ok(apply(tce, page_shift, address))
            }
        }
    }

    /// §6.4: which of the PE's two TVEs, and the address inside its window.
    fn select_window(&self, address: u64) -> (usize, u64) {
        let control = self.stored(CTRLR);
        assert!(control & TVES_PER_PE == 0, "PHB: more than two TVEs per PE are not documented");
        if control & SECOND_AT_FOUR_GIB != 0 {
            (usize::from(address >= FOUR_GIB), address)
        } else {
            (usize::from(address & BIT_59 != 0), address & !BIT_59)
        }
    }

    /// §6.1. Anything that the formulas there don't give is closed (?).
    fn parse(&self, tve: u64) -> Tve {
        let page_code = field(tve, 59, 63) as u32;
        if page_code == 0 {
            // Bit 56 says that the limits have 50 bits; both generations modelled here need it.
            let direct = tve & bit(51) != 0 && tve & bit(56) != 0;
            let start = field(tve, 52, 53) << 24 | field(tve, 0, 23);
            let end = field(tve, 54, 55) << 24 | field(tve, 24, 47);
            return if direct { Tve::Direct { start, end } } else { Tve::Closed };
        }
        let levels = field(tve, 48, 50) as u32 + 1;
        let table_code = field(tve, 51, 55) as u32;
        let page_shift = page_code + 11;
        if levels > 5 || table_code == 0 || !PAGE_SHIFTS.contains(&page_shift) {
            return Tve::Closed;
        }
        Tve::Table { base: field(tve, 0, 47) << 12, levels, level_bits: table_code + 8, page_shift }
    }

    /// §7: the index is ORed into the base, so a table that isn't aligned to its size is walked wrongly.
    fn walk(
        &self,
        base: u64,
        levels: u32,
        level_bits: u32,
        page_shift: u32,
        offset: u64,
    ) -> Result<u64, FaultKind> {
        let mut base = base;
        for level in (0..levels).rev() {
            let shift = level * level_bits + page_shift;
            let index = offset.checked_shr(shift).unwrap_or(0) & ((1 << level_bits) - 1);
            let entry = base | index << 3;
            if !self.ram.contains(entry, 8) {
                return Err(FaultKind::NotMemory);
            }
            let tce = self.ram.read64(entry);
            if level == 0 {
                return Ok(tce);
            }
            if tce & (READ | WRITE) == 0 {
                return Err(FaultKind::PageFault);
            }
            base = tce & !0xfff;
        }
        unreachable!("a TVE has at least one level")
    }

    fn permit(&self, (real, permission): (u64, u64), access: u64) -> Result<u64, FaultKind> {
        match permission {
            0 => Err(FaultKind::PageFault),
            granted if granted & access == 0 => Err(FaultKind::AccessFault),
            _ => Ok(real),
        }
    }

    fn msi(&mut self, rid: u16, address: u64, data: u32) -> Option<u64> {
        let pe = self.admit(rid, address).ok()?;
        let config = self.stored(CONFIG);
        // The source counts from the window's start, 64 KiB below 4 GiB or address 1 << 60.
        let offset = match address >> 60 {
            0 if MSI32.contains(&address) && config & MSI32_ENABLE != 0 => address - MSI32.start(),
            1 if config & MSI64_ENABLE != 0 => address & !(1 << 60),
            _ => return None,
        };
        let source = offset >> 4 | u64::from(data & 0x1f);
        // The last eight are LSIs.
        let exists = source < self.size.interrupts() as u64 - 8;
        if exists && self.ioda.source_pe(source as usize) == pe {
            return Some(source);
        }
        let word0 = MSI | BAD_INTERRUPT | u64::from(rid) << 16 | u64::from(data & 0xffff);
        self.freeze(pe, Some((word0, address)));
        None
    }
}

/// The bit of PEST word 0; page and access fault are documented, the rest is one error class (?).
fn cause(kind: FaultKind) -> u64 {
    match kind {
        FaultKind::PageFault | FaultKind::BeyondTable => PAGE_FAULT,
        FaultKind::AccessFault => ACCESS_FAULT,
        _ => IODA_ERROR,
    }
}

/// The real address a TCE gives, and its permission bits.
fn apply(tce: u64, shift: u32, address: u64) -> (u64, u64) {
    let frame = tce & !0xfff & (u64::MAX << shift);
    (frame | address & !(u64::MAX << shift), tce & (READ | WRITE))
}

/// Cuts a transfer where pages may end: bus address, and from where to where in the buffer.
fn steps(address: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = address.wrapping_add(done as u64);
        let from = done;
        done += ((STEP - at % STEP) as usize).min(length - done);
        (done > from).then_some((at, from, done))
    })
}
