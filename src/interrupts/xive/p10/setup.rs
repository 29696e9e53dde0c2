//! Boot: BARs, unit configuration and set translation, in the order that hardware wants
//! (`reference/platform-qemu-powernv.md` §6.3, and §6.5 on what a machine reset leaves behind).

use super::super::Addresses;
use super::super::engine::ESB_PAIR_SHIFT;
use super::super::tables::{QUEUES, SOURCES, VPS, direct};
use super::super::unit::{PagesBar, Reg, Scom, VsdAddress};
use super::regs::*;
use super::{Regions, UNIT};
use crate::hw::mmio::Mmio;

/// Sets of ESBs, ENDs and NVPs: all of them are one block's, so that a region is one table.
const SETS: u8 = 16;
const SET_TABLES: [u8; 3] = [0, 2, 3];
/// The "table" that is the unit itself: other units find its pages through it.
const OWN_TABLE: u8 = 6;
const IC_SIZE: u64 = 32 << 20;

/// Boot, up to where the tables come.
pub fn set_up(scom: &Scom<'_>, ic: &impl Mmio, addresses: &Addresses, regions: &Regions, block: u8) {
    let mut reset = ResetControl(0);
    reset.set_reset_bars(true);
    RESET.write(scom, reset);
    // That may not be enough: a machine reset keeps BARs, and one must not move while it is valid.
    let sets: [(&Reg<SetBar>, u64, u64); 3] = [
        (&NVPG_BAR, regions.nvpg, u64::from(VPS)),
        (&ESB_BAR, regions.esb, u64::from(SOURCES)),
        (&END_BAR, regions.end, u64::from(VPS * QUEUES)),
    ];
    for bar in [&IC_BAR, &TM_BAR] {
        bar.write(scom, PagesBar(0));
    }
    for bar in sets.iter().map(|set| set.0).chain([&NVC_BAR]) {
        bar.write(scom, SetBar(0));
    }
    IC_BAR.write(scom, PagesBar::valid(addresses.ic));
    TM_BAR.write(scom, PagesBar::valid(addresses.tm));
    configure(ic, block);
    for (bar, address, pairs) in sets {
        bar.write(ic, set_bar(address, pairs));
    }
    translate_sets(ic, block);
    let (address, data) = &UNIT.tables.vc;
    address.write(ic, VsdAddress::new(OWN_TABLE, block));
    data.write(ic, direct(addresses.ic, IC_SIZE));
    // The stores have arrived when this load comes back.
    MSGSND.read(ic);
}

/// A region with a pair of 64 KiB pages for each of `pairs` structures.
fn set_bar(address: u64, pairs: u64) -> SetBar {
    let mut bar = SetBar(address);
    bar.set_valid(true);
    bar.set_pages_64k(true);
    bar.set_size((pairs.ilog2() + ESB_PAIR_SHIFT - 24) as u8);
    bar
}

/// How the unit shall work. Fields that aren't named stay zero: 7-bit thread numbers, one priority for users, no
/// compatibility with the first generation.
fn configure(ic: &impl Mmio, block: u8) {
    let mut config = Config(0);
    config.set_vp_priorities(3);
    config.set_block_override(true);
    config.set_block(block);
    config.set_save_restore(true);
    CONFIG.write(ic, config);
    let mut masked = Fir(0);
    masked.set_vc_info(7);
    masked.set_bad_access(true);
    FIR_MASK_OR.write(ic, masked);
    THREAD_CONTEXT.update(ic, |config| config.set_fused_core(false));
    ESB_CACHE_CONFIG.update(ic, |config| config.set_split(false));
}

fn translate_sets(ic: &impl Mmio, block: u8) {
    for table in SET_TABLES {
        let mut select = TableAddress(0);
        select.set_auto_increment(true);
        select.set_table(table);
        TABLE_ADDRESS.write(ic, select);
        for _ in 0..SETS {
            let mut entry = TableData(0);
            entry.set_valid(true);
            entry.set_block(block);
            TABLE_DATA.write(ic, entry);
        }
    }
}

/// XSCOM register in which a core's cache unit has the TIMA's address.
#[doc(alias = "P10_NCU_SPEC_BAR")]
pub const fn core_tima_bar(core: u32) -> u32 {
    (0x20 + (core >> 2)) << 24 | 1 << 16 | 8 >> (core & 3) << 12 | 0x650
}
