//! A device's side: DMA through decode, RTT, TVE and TCEs (§6, §7).

use opalite::hw::ram::Ram;

use super::registers::{CONFIG, CONTROL};
use super::{DmaFault, FaultKind, ModelPhb3, Part, State};
use crate::model::phb4::bits::bit;
use crate::model::phb4::dma::cause;
use crate::model::phb4::fault::{DMA_READ, DMA_WRITE};
use crate::model::phb4::translate::{
    self, Cycle, READ, Request, Shape, Tve, WRITE, parse, permit, route, steps,
};

/// IO page sizes of PHB3; bit 56 of a no-translate TVE must be zero.
const SHAPE: Shape = Shape { page_shifts: &[12, 16, 24, 28], fifty_bits: false };
const BIT_59: u64 = 1 << 59;
const FOUR_GIB: u64 = 1 << 32;
/// PHB_CONTROL of Naples: no-translate windows work below 4 GiB too.
const LOW_BYPASS: u64 = bit(11);

impl ModelPhb3 {
    /// A device stores bytes at a bus address. What lies before the part that failed has been moved.
    pub fn dma_write(&self, rid: u16, address: u64, bytes: &[u8]) -> Result<(), DmaFault> {
        self.run(|state| {
            for (at, from, to) in steps(address, bytes.len()) {
                let real = state.translate(rid, at, (to - from) as u64, WRITE)?;
                state.ram.write_bytes(real, &bytes[from..to]);
            }
            Ok(())
        })
    }

    /// A device loads bytes from a bus address.
    pub fn dma_read(&self, rid: u16, address: u64, length: usize) -> Result<Vec<u8>, DmaFault> {
        self.run(|state| {
            let mut bytes = vec![0; length];
            for (at, from, to) in steps(address, length) {
                let real = state.translate(rid, at, (to - from) as u64, READ)?;
                state.ram.read_bytes(real, &mut bytes[from..to]);
            }
            Ok(bytes)
        })
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
    pub fn admit(&mut self, rid: u16, address: u64) -> Result<u16, DmaFault> {
        let refuse = |kind, pe| Err(DmaFault { kind, pe, address });
        if self.fenced || self.pbcq.etu_in_reset() {
            return refuse(FaultKind::Fenced, None);
        }
        if self.sync.quiesced() {
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

    /// Address 59 chooses the TVE (§6.4). Gives the real address with the TCE's permission bits beside it.
    fn decode(&mut self, pe: u16, address: u64) -> Result<(u64, u64), FaultKind> {
        match route(address, self.stored(CONFIG)) {
            Cycle::Memory => {}
            Cycle::Interrupt(_) => return Err(FaultKind::MsiRange),
            Cycle::Nothing => return Err(FaultKind::BadAddress),
        }
        if let Some(found) = self.tce_cache.get(pe, address) {
            return Ok(found);
        }
        let tve = self.ioda.tve(usize::from(pe) * 2 + usize::from(address & BIT_59 != 0));
        if matches!(parse(tve, &SHAPE), Tve::Direct { .. }) && !self.allows_direct(address) {
            return Err(FaultKind::OutsideLimits);
        }
        let request = Request { pe, address, offset: address & !BIT_59 };
        translate::look_up(&self.ram, &mut self.tce_cache, &SHAPE, request, tve)
    }

    /// §6.3: in window 0, addresses below 4 GiB aren't passed untranslated but on Naples with its bit.
    fn allows_direct(&self, address: u64) -> bool {
        address >= FOUR_GIB || self.part == Part::Naples && self.stored(CONTROL) & LOW_BYPASS != 0
    }
}
