//! Boot: BARs, unit configuration, domain tables and table descriptors, in the order that hardware wants
//! (`reference/platform-qemu-powernv.md` §6.2, and §6.5 on what a machine reset leaves behind).

use super::Addresses;
use super::regs::*;
use super::tables::Tables;
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::units::Pir;

/// Sets of the VC region, and how many of them hold ESBs of sources; the others hold those of ENDs.
const VC_SETS: u8 = 64;
const SOURCE_SETS: u8 = 48;
const SOURCE_SET: u8 = 1;
const END_SET: u8 = 2;
const PC_SETS: u8 = 16;
const PC_SIZE_BITS: u64 = 0x0000_003f_fe00_0000;
const VC_SIZE_BITS: u64 = 0x0000_07ff_fc00_0000;

/// Offset of the first END's ESB pages in the VC region.
pub const fn end_esbs(addresses: &Addresses) -> u64 {
    addresses.vc_size / VC_SETS as u64 * SOURCE_SETS as u64
}

/// The unit's registers through XSCOM: the only way while the IC BAR isn't valid.
pub struct Scom<'a>(pub &'a dyn Mmio);

macro_rules! delegate {
    ($($read:ident $write:ident $type:ty),+) => {
        $(fn $read(&self, offset: u64) -> $type {
            self.0.$read((SCOM_BASE << 3) + offset)
        }
        fn $write(&self, offset: u64, value: $type) {
            self.0.$write((SCOM_BASE << 3) + offset, value);
        })+
    };
}

impl Mmio for Scom<'_> {
    delegate!(read8 write8 u8, read16 write16 u16, read32 write32 u32, read64 write64 u64);
}

/// Makes the BARs invalid, then valid: a machine reset keeps them, and one must not move while it is valid.
pub fn bars(scom: &Scom<'_>, addresses: &Addresses) {
    IC_BAR.write(scom, PagesBar(0));
    TM_BAR.write(scom, PagesBar(0));
    TM2_BAR.write(scom, PagesBar(0));
    PC_BAR.write(scom, RegionBar(0));
    VC_BAR.write(scom, RegionBar(0));
    IC_BAR.write(scom, pages_bar(addresses.ic));
    TM_BAR.write(scom, pages_bar(addresses.tm));
    PC_BAR_MASK.write(scom, !(addresses.pc_size - 1) & PC_SIZE_BITS);
    PC_BAR.write(scom, region_bar(addresses.pc));
    VC_BAR_MASK.write(scom, !(addresses.vc_size - 1) & VC_SIZE_BITS);
    VC_BAR.write(scom, region_bar(addresses.vc));
    let mut control = PbiControl(0);
    control.set_pc_64k(true);
    control.set_vc_64k(true);
    control.set_force_local_tima(true);
    PBI_CONTROL.write(scom, control);
}

fn pages_bar(address: u64) -> PagesBar {
    let mut bar = PagesBar(address);
    bar.set_valid(true);
    bar.set_pages_64k(true);
    bar
}

fn region_bar(address: u64) -> RegionBar {
    let mut bar = RegionBar(address);
    bar.set_valid(true);
    bar
}

/// How the unit shall work.
pub fn configure(ic: &impl Mmio, block: u8) {
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
pub fn domains(ic: &impl Mmio, block: u8) {
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

/// Tells the unit where its tables are.
pub fn tables(ic: &impl Mmio, ram: &impl Ram, block: u8, tables: &Tables) {
    tables.clear_sbe(ram);
    ram.sync();
    let descriptors = [tables.eat(), tables.sbe(), tables.ends.vsd(), tables.nvts.vsd()];
    for (table, vsd) in (0..).zip(descriptors) {
        put_vsd(ic, table, block, vsd);
    }
    const OVERFLOW_TABLE: u8 = 4;
    for (queue, register) in (0..).zip(&OVERFLOW) {
        VC_VSD_ADDRESS.write(ic, vsd_address(OVERFLOW_TABLE, queue));
        VC_VSD_DATA.write(ic, super::tables::direct(tables.overflow(queue.into()), super::tables::PAGE));
        register.update(ic, |overflow| {
            overflow.set_enabled(true);
            overflow.set_size((super::tables::PAGE.ilog2() - 12) as u8);
        });
    }
}

/// Tells the unit where another chip's is: events for its ENDs go to its notify page, accesses to its NVTs to its
/// PC region.
pub fn forward(ic: &impl Mmio, block: u8, at: &Addresses) {
    const NVTS: u8 = 3;
    for table in 0..=NVTS {
        let (address, size) =
            if table == NVTS { (at.pc, at.pc_size) } else { (at.ic + notify::PAGE, 1 << 12) };
        put_vsd(ic, table, block, super::tables::forward(address, size));
    }
}

/// To both units that have the table.
fn put_vsd(ic: &impl Mmio, table: u8, block: u8, vsd: Vsd) {
    let value = vsd.0;
    VC_VSD_ADDRESS.write(ic, vsd_address(table, block));
    VC_VSD_DATA.write(ic, vsd);
    PC_VSD_ADDRESS.write(ic, vsd_address(table, block));
    PC_VSD_DATA.write(ic, Vsd(value));
}

fn vsd_address(table: u8, block: u8) -> VsdAddress {
    let mut address = VsdAddress(0);
    address.set_table(table);
    address.set_block(block);
    address
}

/// Tells the cache unit of a core where the TIMA is: it has one address on all chips, so that its accesses need a
/// marking of their own on the bus. `xscom` is the XSCOM window of the thread's chip.
#[doc(alias = "P9X_EX_NCU_SPEC_BAR")]
pub fn core_tima_bar(xscom: &dyn Mmio, thread: Pir, tima: u64) {
    const REGISTER: u64 = 0x1_1010;
    const SIZE_256K: u64 = 1 << 62;
    const ENABLE: u64 = 1 << 63;
    let core = u64::from(thread.0 >> 2 & 0x1f);
    let (quad, half) = (core >> 2, core >> 1 & 1);
    let pcba = (0x10 + quad) << 24 | half << 10 | REGISTER;
    xscom.write64(pcba << 3, tima | ENABLE | SIZE_256K);
}
