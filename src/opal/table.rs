//! Which calls there are: one line each, sorted by number. What is offered and what CHECK_TOKEN claims can't differ.

use super::args::Args;
use super::calls::{console, pci, system};
use crate::error::Result;
use crate::firmware::Firmware;

/// What serves a call; `Ok` carries the return value, mostly [`SUCCESS`].
pub type Handler = fn(&Firmware, &Args<'_>) -> Result<i64>;

/// OPAL_SUCCESS.
pub const SUCCESS: i64 = 0;

/// One call.
#[derive(Clone, Copy)]
pub struct Call {
    /// Its name in OPAL's interface, without the prefix.
    pub name: &'static str,
    /// What serves it.
    pub handler: Handler,
    /// Whether it may interrupt another call on the same thread (machine check, system reset).
    pub nested: bool,
}

const fn call(token: usize, name: &'static str, handler: Handler) -> (usize, Call) {
    (token, Call { name, handler, nested: false })
}

const fn nested(token: usize, name: &'static str, handler: Handler) -> (usize, Call) {
    (token, Call { name, handler, nested: true })
}

const CALLS: &[(usize, Call)] = &[
    call(0, "TEST", system::test),
    nested(1, "CONSOLE_WRITE", console::write),
    nested(2, "CONSOLE_READ", console::read),
    nested(10, "POLL_EVENTS", system::poll_events),
    call(13, "PCI_CONFIG_READ_BYTE", pci::config_read_byte),
    call(14, "PCI_CONFIG_READ_HALF_WORD", pci::config_read_half),
    call(15, "PCI_CONFIG_READ_WORD", pci::config_read_word),
    call(16, "PCI_CONFIG_WRITE_BYTE", pci::config_write_byte),
    call(17, "PCI_CONFIG_WRITE_HALF_WORD", pci::config_write_half),
    call(18, "PCI_CONFIG_WRITE_WORD", pci::config_write_word),
    call(23, "PCI_EEH_FREEZE_STATUS", pci::eeh_freeze_status),
    nested(25, "CONSOLE_WRITE_BUFFER_SPACE", console::write_buffer_space),
    call(26, "PCI_EEH_FREEZE_CLEAR", pci::eeh_freeze_clear),
    call(27, "PCI_PHB_MMIO_ENABLE", pci::phb_mmio_enable),
    call(28, "PCI_SET_PHB_MEM_WINDOW", pci::set_phb_mem_window),
    call(29, "PCI_MAP_PE_MMIO_WINDOW", pci::map_pe_mmio_window),
    call(31, "PCI_SET_PE", pci::set_pe),
    call(32, "PCI_SET_PELTV", pci::set_peltv),
    call(37, "PCI_SET_XIVE_PE", pci::set_xive_pe),
    call(39, "GET_MSI_32", pci::get_msi_32),
    call(40, "GET_MSI_64", pci::get_msi_64),
    call(44, "PCI_MAP_PE_DMA_WINDOW", pci::map_pe_dma_window),
    call(45, "PCI_MAP_PE_DMA_WINDOW_REAL", pci::map_pe_dma_window_real),
    call(49, "PCI_RESET", pci::reset),
    call(60, "PCI_NEXT_ERROR", pci::next_error),
    call(62, "PCI_POLL", pci::poll),
    nested(80, "CHECK_TOKEN", system::check_token),
    call(97, "PCI_EEH_FREEZE_SET", pci::eeh_freeze_set),
    nested(117, "CONSOLE_FLUSH", console::flush),
    call(126, "PCI_TCE_KILL", pci::tce_kill),
    call(179, "PHB_SET_OPTION", pci::set_option),
    call(180, "PHB_GET_OPTION", pci::get_option),
];

/// Numbers end here; the highest one of OPAL that we serve is 180.
const END: usize = 181;

static TABLE: [Option<Call>; END] = build(CALLS);

const fn build(calls: &[(usize, Call)]) -> [Option<Call>; END] {
    let mut table = [None; END];
    let mut i = 0;
    while i < calls.len() {
        let (token, call) = calls[i];
        assert!(table[token].is_none(), "two calls with one token");
        table[token] = Some(call);
        i += 1;
    }
    table
}

/// The call of that token.
#[inline(always)]
pub fn find(token: u64) -> Option<&'static Call> {
    TABLE.get(usize::try_from(token).ok()?)?.as_ref()
}
