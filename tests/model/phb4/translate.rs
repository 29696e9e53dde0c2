//! What the generations have in common between a device's address and memory: decode (§6.5), TVE (§6.1),
//! TCEs (§7) and the cache that remembers them.
//!
//! The cache keeps what a walk found, present or not, and answers from it whatever became of the TCE or the TVE
//! until a kill is done. Hardware may forget earlier; a driver can't count on it.

use std::collections::HashMap;

use opalite::hw::ram::Ram;

use super::bits::{bit, field};
use super::dma::FaultKind;
use super::kill::Target;
use crate::model::ram::ModelRam;

const MSI32_ENABLE: u64 = bit(8);
const MSI64_ENABLE: u64 = bit(14);
const MSI32: std::ops::RangeInclusive<u64> = 0xffff_0000..=0xffff_ffff;
const LIMIT_SHIFT: u32 = 24;
pub const READ: u64 = 1;
pub const WRITE: u64 = 2;
/// A bridge never moves more than this at once.
const STEP: u64 = 4096;
/// IO page sizes of any generation; the code is the shift less 11.
const PAGE_SHIFTS: [u32; 6] = [12, 16, 21, 24, 28, 30];

/// What a bus address is before any TVE is looked at.
pub enum Cycle {
    Memory,
    /// An MSI, with the offset in its range.
    Interrupt(u64),
    Nothing,
}

/// §6.5, by the CONFIG register.
pub fn route(address: u64, config: u64) -> Cycle {
    match address >> 60 {
        0 if MSI32.contains(&address) && config & MSI32_ENABLE != 0 => {
            Cycle::Interrupt(address - MSI32.start())
        }
        0 => Cycle::Memory,
        1 if config & MSI64_ENABLE != 0 => Cycle::Interrupt(address & !(1 << 60)),
        _ => Cycle::Nothing,
    }
}

/// The source that an MSI names: it counts from the range's start.
pub fn source(offset: u64, data: u32) -> u64 {
    offset >> 4 | u64::from(data & 0x1f)
}

/// What differs between generations in a TVE.
pub struct Shape {
    /// The page sizes it translates.
    pub page_shifts: &'static [u32],
    /// Bit 56, which says that a no-translate TVE's limits have 50 bits, must be as here.
    pub fifty_bits: bool,
}

/// A TVE taken apart.
pub enum Tve {
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

/// §6.1. Anything that the formulas there don't give is closed (?).
pub fn parse(tve: u64, shape: &Shape) -> Tve {
    let page_code = field(tve, 59, 63) as u32;
    if page_code == 0 {
        let direct = tve & bit(51) != 0 && (tve & bit(56) != 0) == shape.fifty_bits;
        let start = field(tve, 52, 53) << 24 | field(tve, 0, 23);
        let end = field(tve, 54, 55) << 24 | field(tve, 24, 47);
        return if direct { Tve::Direct { start, end } } else { Tve::Closed };
    }
    let levels = field(tve, 48, 50) as u32 + 1;
    let table_code = field(tve, 51, 55) as u32;
    let page_shift = page_code + 11;
    if levels > 5 || table_code == 0 || !shape.page_shifts.contains(&page_shift) {
        return Tve::Closed;
    }
    Tve::Table { base: field(tve, 0, 47) << 12, levels, level_bits: table_code + 8, page_shift }
}

/// Whose access, to which bus address, and where that is inside its window.
pub struct Request {
    pub pe: u16,
    pub address: u64,
    pub offset: u64,
}

/// Sends a request through its TVE. Gives the real address with the TCE's permission bits beside it.
pub fn look_up(
    ram: &ModelRam,
    cache: &mut TceCache,
    shape: &Shape,
    request: Request,
    tve: u64,
) -> Result<(u64, u64), FaultKind> {
    let Request { pe, address, offset } = request;
    match parse(tve, shape) {
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
            let tce = match walk(ram, base, levels, level_bits, page_shift, offset) {
                Err(FaultKind::PageFault) => 0,
                found => found?,
            };
            cache.0.insert((pe, page_shift, address >> page_shift), tce);
            Ok(apply(tce, page_shift, address))
        }
    }
}

/// §7: the index is ORed into the base, so a table that isn't aligned to its size is walked wrongly.
fn walk(
    ram: &ModelRam,
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
        if !ram.contains(entry, 8) {
            return Err(FaultKind::NotMemory);
        }
        let tce = ram.read64(entry);
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

/// The real address a TCE gives, and its permission bits.
fn apply(tce: u64, shift: u32, address: u64) -> (u64, u64) {
    let frame = tce & !0xfff & (u64::MAX << shift);
    (frame | address & !(u64::MAX << shift), tce & (READ | WRITE))
}

/// Whether permission bits allow an access.
pub fn permit((real, permission): (u64, u64), access: u64) -> Result<u64, FaultKind> {
    match permission {
        0 => Err(FaultKind::PageFault),
        granted if granted & access == 0 => Err(FaultKind::AccessFault),
        _ => Ok(real),
    }
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
            Target::AnyPage { pe: killed, address } => (*pe, *page) != (killed, address >> shift),
        });
    }

    /// What an earlier walk for this page found.
    pub fn get(&self, pe: u16, address: u64) -> Option<(u64, u64)> {
        PAGE_SHIFTS.iter().find_map(|shift| {
            self.0.get(&(pe, *shift, address >> shift)).map(|tce| apply(*tce, *shift, address))
        })
    }
}

/// Cuts a transfer where pages may end: bus address, and from where to where in the buffer.
pub fn steps(address: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = address.wrapping_add(done as u64);
        let from = done;
        done += ((STEP - at % STEP) as usize).min(length - done);
        (done > from).then_some((at, from, done))
    })
}
