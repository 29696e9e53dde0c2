//! For a test's own eyes: tables as they are, without an access.

use super::ModelPhb4;

impl ModelPhb4 {
    /// The TVT; `None` is an entry that nobody wrote since reset.
    pub fn tvt(&self) -> Vec<Option<u64>> {
        self.state().ioda.tvt_entries().to_vec()
    }

    /// Which PEs have MMIO or DMA stopped, in order.
    pub fn all_frozen(&self) -> Vec<(u16, (bool, bool))> {
        let state = self.state();
        (0..state.size.pes())
            .map(|pe| (pe as u16, (state.ioda.mmio_frozen(pe), state.ioda.dma_stopped(pe))))
            .filter(|(_, frozen)| *frozen != (false, false))
            .collect()
    }
}
