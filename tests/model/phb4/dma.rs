//! A device's side: DMA and MSI through decode, RTT, TVE and TCEs (§6, §7).

use opalite::hw::ram::Ram;

use super::bits::{bit, bits};
use super::fault::{ACCESS_FAULT, BAD_INTERRUPT, DMA_READ, DMA_WRITE, IODA_ERROR, MSI, PAGE_FAULT};
use super::registers::{CONFIG, CTRLR};
use super::translate::{self, Cycle, READ, Request, Shape, WRITE, permit, route, steps};
use super::{ModelPhb4, State};

const BIT_59: u64 = 1 << 59;
const FOUR_GIB: u64 = 1 << 32;
/// CTRLR: window 1 begins at 4 GiB; how many TVEs a PE has.
const SECOND_AT_FOUR_GIB: u64 = bit(24);
const TVES_PER_PE: u64 = bits(17, 19);

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

/// IO page sizes of PHB4 and PHB5; limits of a no-translate TVE have 50 bits.
const SHAPE: Shape = Shape { page_shifts: &[12, 16, 21, 30], fifty_bits: true };

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
        let found = self.decode(pe, address).and_then(|real| permit(real, access));
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
        match route(address, self.stored(CONFIG)) {
            Cycle::Memory => {}
            Cycle::Interrupt(_) => return Err(FaultKind::MsiRange),
            Cycle::Nothing => return Err(FaultKind::BadAddress),
        }
        if let Some(found) = self.tce_cache.get(pe, address) {
            return Ok(found);
        }
        let (window, offset) = self.select_window(address);
        let tve = self.ioda.tve(usize::from(pe) * 2 + window);
        translate::look_up(&self.ram, &mut self.tce_cache, &SHAPE, Request { pe, address, offset }, tve)
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

    fn msi(&mut self, rid: u16, address: u64, data: u32) -> Option<u64> {
        let pe = self.admit(rid, address).ok()?;
        let Cycle::Interrupt(offset) = route(address, self.stored(CONFIG)) else { return None };
        let source = translate::source(offset, data);
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
pub fn cause(kind: FaultKind) -> u64 {
    match kind {
        FaultKind::PageFault | FaultKind::BeyondTable => PAGE_FAULT,
        FaultKind::AccessFault => ACCESS_FAULT,
        _ => IODA_ERROR,
    }
}
