//! What the tests must know of POWER9's unit.

use super::model::ram::ModelRam;
use super::psi::Psi;
use super::xive::{Place, Xive};
use opalite::hw::mmio::Mmio;
use opalite::interrupts::xive::{Addresses, Regions, p9};

pub const IC: u64 = 0x0006_0302_0310_0000;
pub const TM: u64 = 0x0006_0302_0318_0000;
/// ESB pages of sources.
pub const ESB: u64 = 0x0006_0100_0000_0000;
/// 48 sets of 8 GiB are for sources.
pub const END_ESB: u64 = ESB + 48 * 0x2_0000_0000;
pub const ADDRESSES: Addresses = Addresses {
    ic: IC,
    tm: TM,
    regions: Regions::Power9(p9::Regions {
        pc: 0x0006_0180_0000_0000,
        pc_size: 0x10_0000_0000,
        vc: ESB,
        vc_size: 0x80_0000_0000,
    }),
};

pub const PSI_ESB: u64 = 0x0006_0302_031c_0000;
pub const PSI_SHIFT: u32 = 12;
pub const PSI_PORT: u64 = IC + 0x1_0230;

pub fn psi() -> Psi {
    Psi::new()
}

/// Flags of a source of the unit's own.
pub const IPI_FLAGS: u64 = 1;
/// What CAMs have besides the number.
pub const CAM: u64 = 0;
/// Pages of the NVT table.
pub const NVT_PAGES: u64 = 128;
/// A VP's state when priority 6 is pending: word 4's IPB.
pub const PENDING_6: u64 = 0x0000_0200_0000_0000;

pub fn nvt(xive: &Xive<ModelRam>, index: u32) -> Option<Vec<u32>> {
    xive.nvt(0, index).map(Vec::from)
}

/// END: valid, enqueue, always notify, backlog; a queue of 4 KiB at generation 1.
pub fn end(queue: u32, nvt: u32, priority: u32) -> [u32; 8] {
    [0xf000_0000, 0x0040_0000, 0, queue, 0, 0, nvt, priority << 16]
}
/// Word 0 of the END that collects escalations: valid, backlog, escalate, silent.
pub const COLLECTOR: u32 = 0x9500_0000;

/// Where syncs are asked for, and in which order.
pub const SYNC_PLACE: Place = Place::Notify;
pub const SYNCS: &[u64] = &[0xd00, 0xd80, 0xe00, 0xc00, 0xc80];
/// Register with the answers, and which bits they are.
pub const SYNC_DONE: u64 = 0x920;
pub const SYNC_ANSWERS: u64 = 0xf800_0000;
/// How often it is read: two busy, done, one to clear.
pub const SYNC_LOADS: usize = 4;
/// What is loaded last.
pub const SYNC_LAST: u64 = 0x800;

/// The register that commits a watch of an END.
pub const END_COMMIT: u64 = 0x930;

/// Scrubs an END's or an NVT's line.
pub fn scrub_end(ic: &impl Mmio, index: u64) {
    scrub(ic, 0x910, index);
}
pub fn scrub_nvt(ic: &impl Mmio, index: u64) {
    scrub(ic, 0x710, index);
}
fn scrub(ic: &impl Mmio, register: u64, index: u64) {
    ic.write64(register + 8, 0x0000_001f_ffff_ffff);
    ic.write64(register, 1 << 63 | index);
    while ic.read64(register) >> 63 != 0 {}
}

/// Stores with which all lines of the block leave the caches of ENDs and NVTs: (the one with the mask, how many
/// later the scrub comes, the scrub).
pub const SCRUB_ALL: [((u64, u64), usize, u64); 2] = [
    ((0x918, 0x0000_000f_0000_0000), 1, 0xa000_0000_0000_0000),
    ((0x718, 0x0000_001f_0000_0000), 1, 0xa000_0000_0000_0000),
];
/// Kills of all of the PC's translations and of all of the END table's.
pub const KILLS: [(u64, u64); 2] = [(0x4b0, 1 << 63), (0x8b0, 0x8003_0000_0000_0000)];
