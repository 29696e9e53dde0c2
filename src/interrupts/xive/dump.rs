//! XIVE_DUMP: for a person at the kernel's debugger.

use super::Xive;
use super::engine::FIRST_THREAD;
use super::unit::tima;
use crate::error::{Error, Result, why};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::interrupts::{Dump, Vp};

impl<I: Mmio, R: Ram> Xive<I, R> {
    /// Writes to the log after the lock is free.
    pub(super) fn show(&self, what: Dump, id: u32) -> Result {
        let (name, ring) = match what {
            Dump::Physical => ("physical", tima::PHYSICAL),
            Dump::Pool => ("pool", tima::POOL),
            Dump::Os => ("OS", tima::OS),
            Dump::Vp => return self.show_vp(Vp(id)),
        };
        let mut state = self.exploited()?;
        let thread = state.vps.nvt(Vp(id))?.checked_sub(FIRST_THREAD).and_then(|n| u8::try_from(n).ok());
        let thread = thread.filter(|&thread| thread < 128).ok_or(Error::Parameter(why("thread")))?;
        let (low, word2) = state.with_tima(thread, |ic, page| {
            // Of the physical ring's word 2 only this byte can be read.
            let word2 = if ring == tima::PHYSICAL {
                u32::from(ic.read8(page + tima::VT)) << 24
            } else {
                ic.read32(page + ring + 8)
            };
            (ic.read64(page + ring), word2)
        });
        drop(state);
        log::info!("XIVE thread {id:#x}: {name} ring {low:016x} {word2:08x}");
        Ok(())
    }

    fn show_vp(&self, vp: Vp) -> Result {
        let mut state = self.exploited()?;
        let index = state.vps.nvt(vp)?;
        let address = state.engine.nvts.address(index).ok_or(Error::Parameter(why("VP")))?;
        state.engine.scrub_nvt(index)?;
        let rows = state.engine.rows(address, 4);
        drop(state);
        log::info!("XIVE VP {:#x}: NVT {index:#x} {:016x?}", vp.0, rows.split_at(4).0);
        Ok(())
    }
}
