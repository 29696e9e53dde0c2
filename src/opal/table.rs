//! Which calls there are: one line each, sorted by number. What is offered and what CHECK_TOKEN claims can't differ.

use super::calls::{console, cpus, events, interrupts, nvram, pci, power, system, time};
use super::extension;
use crate::error::{Error, Result, why};
use crate::firmware::Firmware;

/// What serves a call: seven arguments, in the registers in which the OS put them, and what they work on. No call has
/// more arguments.
pub type Handler = extern "C" fn(u64, u64, u64, u64, u64, u64, u64, &Firmware) -> i64;

/// OPAL_SUCCESS.
pub const SUCCESS: i64 = 0;

/// One call. `opal_entry.S` knows this layout: it calls ordinary handlers itself.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Call {
    /// What serves it. Where there is no call, what refuses it.
    pub handler: Handler,
    /// Whether it may interrupt another call on the same thread (machine check, system reset).
    pub nested: bool,
    /// Whether there is such a call.
    pub served: bool,
}

/// Refuses a token that no call has.
extern "C" fn unknown(_: u64, _: u64, _: u64, _: u64, _: u64, _: u64, _: u64, _: &Firmware) -> i64 {
    Error::Parameter(why("token")).code()
}

/// One line of a table. The handler becomes part of a function that takes the OS's registers as they are: neither its
/// arguments nor its `Result` go through memory.
macro_rules! call {
    ($key:expr, $name:literal, $handler:path) => {
        call!($key, $name, $handler, false)
    };
    ($key:expr, $name:literal, $handler:path, $nested:literal) => {{
        extern "C" fn door(
            a: u64,
            b: u64,
            c: u64,
            d: u64,
            e: u64,
            f: u64,
            g: u64,
            fw: &$crate::firmware::Firmware,
        ) -> i64 {
            $crate::opal::table::finish($name, $handler(fw, &$crate::opal::args::Args([a, b, c, d, e, f, g])))
        }
        ($key, $crate::opal::table::Call { handler: door, nested: $nested, served: true })
    }};
}
pub(super) use call;

/// The same for a call that may interrupt another one on the same thread.
macro_rules! nested {
    ($token:expr, $name:literal, $handler:path) => {
        call!($token, $name, $handler, true)
    };
}

#[inline(always)]
pub(super) fn finish(name: &'static str, result: Result<i64>) -> i64 {
    match result {
        Ok(value) => value,
        Err(error) => refused(name, error),
    }
}

#[cold]
fn refused(name: &'static str, error: Error) -> i64 {
    log::debug!("OPAL {name}: {error}");
    error.code()
}

const CALLS: &[(usize, Call)] = &[
    call!(0, "TEST", system::test),
    nested!(1, "CONSOLE_WRITE", console::write),
    nested!(2, "CONSOLE_READ", console::read),
    call!(3, "RTC_READ", time::rtc_read),
    call!(4, "RTC_WRITE", time::rtc_write),
    call!(5, "CEC_POWER_DOWN", power::power_down),
    nested!(6, "CEC_REBOOT", power::reboot),
    call!(7, "READ_NVRAM", nvram::read),
    call!(8, "WRITE_NVRAM", nvram::write),
    call!(9, "HANDLE_INTERRUPT", events::handle_interrupt),
    nested!(10, "POLL_EVENTS", events::poll_events),
    call!(13, "PCI_CONFIG_READ_BYTE", pci::config_read_byte),
    call!(14, "PCI_CONFIG_READ_HALF_WORD", pci::config_read_half),
    call!(15, "PCI_CONFIG_READ_WORD", pci::config_read_word),
    call!(16, "PCI_CONFIG_WRITE_BYTE", pci::config_write_byte),
    call!(17, "PCI_CONFIG_WRITE_HALF_WORD", pci::config_write_half),
    call!(18, "PCI_CONFIG_WRITE_WORD", pci::config_write_word),
    call!(19, "SET_XIVE", interrupts::set_xive),
    call!(20, "GET_XIVE", interrupts::get_xive),
    call!(23, "PCI_EEH_FREEZE_STATUS", pci::eeh_freeze_status),
    nested!(25, "CONSOLE_WRITE_BUFFER_SPACE", console::write_buffer_space),
    call!(26, "PCI_EEH_FREEZE_CLEAR", pci::eeh_freeze_clear),
    call!(27, "PCI_PHB_MMIO_ENABLE", pci::phb_mmio_enable),
    call!(28, "PCI_SET_PHB_MEM_WINDOW", pci::set_phb_mem_window),
    call!(29, "PCI_MAP_PE_MMIO_WINDOW", pci::map_pe_mmio_window),
    call!(31, "PCI_SET_PE", pci::set_pe),
    call!(32, "PCI_SET_PELTV", pci::set_peltv),
    call!(37, "PCI_SET_XIVE_PE", pci::set_xive_pe),
    call!(39, "GET_MSI_32", pci::get_msi_32),
    call!(40, "GET_MSI_64", pci::get_msi_64),
    call!(41, "START_CPU", cpus::start),
    call!(42, "QUERY_CPU_STATUS", cpus::query_status),
    call!(44, "PCI_MAP_PE_DMA_WINDOW", pci::map_pe_dma_window),
    call!(45, "PCI_MAP_PE_DMA_WINDOW_REAL", pci::map_pe_dma_window_real),
    call!(49, "PCI_RESET", pci::reset),
    call!(53, "PCI_REINIT", pci::reinit),
    call!(60, "PCI_NEXT_ERROR", pci::next_error),
    call!(62, "PCI_POLL", pci::poll),
    call!(63, "PCI_MSI_EOI", pci::msi_eoi),
    call!(64, "PCI_GET_PHB_DIAG_DATA2", pci::get_phb_diag_data2),
    call!(69, "RETURN_CPU", cpus::return_cpu),
    call!(70, "REINIT_CPUS", cpus::reinit),
    call!(79, "RESYNC_TIMEBASE", time::resync_timebase),
    nested!(80, "CHECK_TOKEN", system::check_token),
    call!(85, "GET_MSG", events::get_msg),
    call!(87, "SYNC_HOST_REBOOT", power::sync_host_reboot),
    call!(96, "PCI_ERR_INJECT", pci::err_inject),
    call!(97, "PCI_EEH_FREEZE_SET", pci::eeh_freeze_set),
    nested!(98, "HANDLE_HMI", cpus::handle_hmi),
    nested!(116, "CEC_REBOOT2", power::reboot2),
    nested!(117, "CONSOLE_FLUSH", console::flush),
    call!(119, "PCI_GET_PRESENCE_STATE", pci::get_presence_state),
    call!(120, "PCI_GET_POWER_STATE", pci::get_power_state),
    call!(121, "PCI_SET_POWER_STATE", pci::set_power_state),
    call!(126, "PCI_TCE_KILL", pci::tce_kill),
    call!(127, "NMMU_SET_PTCR", system::nmmu_set_ptcr),
    call!(128, "XIVE_RESET", interrupts::reset),
    call!(129, "XIVE_GET_IRQ_INFO", interrupts::get_irq_info),
    call!(130, "XIVE_GET_IRQ_CONFIG", interrupts::get_irq_config),
    call!(131, "XIVE_SET_IRQ_CONFIG", interrupts::set_irq_config),
    call!(132, "XIVE_GET_QUEUE_INFO", interrupts::get_queue_info),
    call!(133, "XIVE_SET_QUEUE_INFO", interrupts::set_queue_info),
    call!(134, "XIVE_DONATE_PAGE", interrupts::donate_page),
    call!(135, "XIVE_ALLOCATE_VP_BLOCK", interrupts::allocate_vp_block),
    call!(136, "XIVE_FREE_VP_BLOCK", interrupts::free_vp_block),
    call!(137, "XIVE_GET_VP_INFO", interrupts::get_vp_info),
    call!(138, "XIVE_SET_VP_INFO", interrupts::set_vp_info),
    call!(139, "XIVE_ALLOCATE_IRQ", interrupts::allocate_irq),
    call!(140, "XIVE_FREE_IRQ", interrupts::free_irq),
    call!(141, "XIVE_SYNC", interrupts::sync),
    call!(142, "XIVE_DUMP", interrupts::dump),
    call!(143, "XIVE_GET_QUEUE_STATE", interrupts::get_queue_state),
    call!(144, "XIVE_SET_QUEUE_STATE", interrupts::set_queue_state),
    nested!(QUIESCE, "QUIESCE", cpus::quiesce),
    call!(157, "PCI_SET_P2P", pci::set_p2p),
    nested!(166, "HANDLE_HMI2", cpus::handle_hmi2),
    call!(170, "XIVE_GET_VP_STATE", interrupts::get_vp_state),
    call!(179, "PHB_SET_OPTION", pci::set_option),
    call!(180, "PHB_GET_OPTION", pci::get_option),
];

/// The call that decides who may call: it is never kept out itself.
pub(super) const QUIESCE: usize = 158;

/// Numbers end here; the highest one of OPAL that we serve is 180.
pub const END: usize = 181;

/// The calls by token.
pub static TABLE: [Call; END] = build(CALLS);

const fn build(calls: &[(usize, Call)]) -> [Call; END] {
    let mut table = [Call { handler: unknown, nested: false, served: false }; END];
    let mut i = 0;
    while i < calls.len() {
        let (token, call) = calls[i];
        assert!(!table[token].served, "two calls with one token");
        table[token] = call;
        i += 1;
    }
    table
}

/// The call of that token.
#[inline(always)]
pub fn find(token: u64) -> Option<&'static Call> {
    match TABLE.get(usize::try_from(token).ok()?) {
        Some(call) => Some(call).filter(|call| call.served),
        None => extension::find(token),
    }
}
