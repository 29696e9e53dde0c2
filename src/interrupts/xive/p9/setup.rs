//! Boot: BARs, unit configuration, domain tables and table descriptors, in the order that hardware wants
//! (`reference/platform-qemu-powernv.md` §6.2, and §6.5 on what a machine reset leaves behind).

use super::super::Addresses;
use super::super::unit::{PagesBar, Scom};
use super::Regions;
use super::regs::*;
use crate::hw::mmio::Mmio;

/// Sets of the VC region, and how many of them hold ESBs of sources; the others hold those of ENDs.
const VC_SETS: u8 = 64;
const SOURCE_SETS: u8 = 48;
const SOURCE_SET: u8 = 1;
const END_SET: u8 = 2;
const PC_SETS: u8 = 16;
const PC_SIZE_BITS: u64 = 0x0000_003f_fe00_0000;
const VC_SIZE_BITS: u64 = 0x0000_07ff_fc00_0000;

impl Regions {
    /// Offset of the first END's ESB pages in the VC region.
    pub(in super::super) const fn end_esbs(&self) -> u64 {
        self.vc_size / VC_SETS as u64 * SOURCE_SETS as u64
    }
}

/// Boot, up to where the tables come.
pub fn set_up(scom: &Scom<'_>, ic: &impl Mmio, addresses: &Addresses, regions: &Regions, block: u8) {
    bars(scom, addresses.ic, addresses.tm, regions);
    configure(ic, block);
    domains(ic, block);
}

/// Makes the BARs invalid, then valid: a machine reset keeps them, and one must not move while it is valid.
fn bars(scom: &Scom<'_>, ic: u64, tm: u64, regions: &Regions) {
    IC_BAR.write(scom, PagesBar(0));
    TM_BAR.write(scom, PagesBar(0));
    TM2_BAR.write(scom, PagesBar(0));
    PC_BAR.write(scom, RegionBar(0));
    VC_BAR.write(scom, RegionBar(0));
    IC_BAR.write(scom, PagesBar::valid(ic));
    TM_BAR.write(scom, PagesBar::valid(tm));
    PC_BAR_MASK.write(scom, !(regions.pc_size - 1) & PC_SIZE_BITS);
    PC_BAR.write(scom, region_bar(regions.pc));
    VC_BAR_MASK.write(scom, !(regions.vc_size - 1) & VC_SIZE_BITS);
    VC_BAR.write(scom, region_bar(regions.vc));
    let mut control = PbiControl(0);
    control.set_pc_64k(true);
    control.set_vc_64k(true);
    control.set_force_local_tima(true);
    PBI_CONTROL.write(scom, control);
}

fn region_bar(address: u64) -> RegionBar {
    let mut bar = RegionBar(address);
    bar.set_valid(true);
    bar
}

/// How the unit shall work.
fn configure(ic: &impl Mmio, block: u8) {
    VC_GLOBAL.update(ic, |config| config.set_indirect(true));
    PC_GLOBAL.update(ic, |config| {
        config.set_indirect(true);
        config.set_block_override(true);
        config.set_block(block);
    });
    THREAD_CONTEXT.update(ic, |config| {
        config.set_block_group(true);
        config.set_target(true);
        config.set_logical_server(true);
        config.set_store_ack(false);
        config.set_fused_core(false);
        config.set_hard_block(true);
        config.set_block_override(true);
        config.set_block(block);
        config.set_initial_age(2);
    });
    PB_GENERAL.update(ic, |config| config.set_address_option(2));
    SBC_CONFIG.update(ic, |config| config.set_no_update_prefetch(true));
    THREAD_TRACK.update(ic, |track| track.set_enabled(false));
    TX_ORDER.update(ic, |order| order.set_relaxed_triggers(true));
    EQC_CONFIG.update(ic, |config| {
        config.set_silent(true);
        config.set_unconditional(true);
    });
    let mut masked = Fir(0);
    masked.set_vc_info(3);
    masked.set_bad_access(true);
    FIR_MASK_OR.write(ic, masked);
}

/// Which parts of the VC and PC regions are what. All entries of the EDT are written in one go, in order: only
/// then are the windows there.
fn domains(ic: &impl Mmio, block: u8) {
    let mut select = TableAddress(0);
    select.set_auto_increment(true);
    select.set_select_edt(true);
    TABLE_ADDRESS.write(ic, select);
    let sets = (0..SOURCE_SETS).map(|set| (SOURCE_SET, set));
    for (kind, set) in sets.chain((0..VC_SETS - SOURCE_SETS).map(|set| (END_SET, set))) {
        let mut entry = TableData(0);
        entry.set_kind(kind);
        entry.set_block(block);
        entry.set_offset(set);
        TABLE_DATA.write(ic, entry);
    }
    let mut select = TableAddress(0);
    select.set_auto_increment(true);
    select.set_select_vdt(true);
    TABLE_ADDRESS.write(ic, select);
    for set in 0..PC_SETS {
        let mut entry = TableData(0);
        entry.set_valid(true);
        entry.set_block(block);
        entry.set_offset(set);
        TABLE_DATA.write(ic, entry);
    }
    // The stores have arrived when this load comes back.
    MSGSND.read(ic);
}

/// XSCOM register in which a core's cache unit has the TIMA's address.
#[doc(alias = "P9X_EX_NCU_SPEC_BAR")]
pub const fn core_tima_bar(core: u32) -> u32 {
    (0x10 + (core >> 2)) << 24 | (core >> 1 & 1) << 10 | 0x1_1010
}
