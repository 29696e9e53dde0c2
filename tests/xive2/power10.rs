//! What the tests must know of POWER10's unit.

use super::model::ram::ModelRam;
use super::psi::Psi;
use super::xive::{Place, Xive};
use opalite::hw::mmio::Mmio;
use opalite::interrupts::xive::{Addresses, Regions, p10};

pub const IC: u64 = 0x0006_0302_0000_0000;
pub const TM: u64 = 0x0006_0302_0318_0000;
/// ESB pages of sources.
pub const ESB: u64 = 0x0006_0500_0000_0000;
pub const END_ESB: u64 = 0x0006_0600_0000_0000;
pub const ADDRESSES: Addresses = Addresses {
    ic: IC,
    tm: TM,
    regions: Regions::Power10(p10::Regions { esb: ESB, end: END_ESB, nvpg: 0x0006_0400_0000_0000 }),
};

pub const PSI_ESB: u64 = 0x0006_0302_0200_0000;
pub const PSI_SHIFT: u32 = 16;
pub const PSI_PORT: u64 = IC + 0x4_0930;

pub fn psi() -> Psi {
    Psi::power10()
}

/// Flags of a source of the unit's own: a trigger page, store-EOI.
pub const IPI_FLAGS: u64 = 0x41;
/// What CAMs have besides the number: the unit saves and restores the context.
pub const CAM: u64 = 0x4000_0000;
/// Pages of the NVP table.
pub const NVT_PAGES: u64 = 64;
/// A VP's state when priority 6 is pending, as words 0 and 1 of a ring: CPPR, IPB.
pub const PENDING_6: u64 = 0x00ff_0200_0000_0000;

pub fn nvt(xive: &Xive<ModelRam>, index: u32) -> Option<Vec<u32>> {
    xive.nvp(0, index).map(Vec::from)
}

/// END: valid, enqueue, always notify, backlog, escalation to an END; a queue of 4 KiB at generation 1.
pub fn end(queue: u32, nvp: u32, priority: u32) -> [u32; 8] {
    [0x8684_0000, 0x0040_0000, 0, queue, 0, 0, nvp, priority << 16]
}
/// Word 0 of the END that collects escalations: valid, silent, backlog, escalate, escalation to an END.
pub const COLLECTOR: u32 = 0x8194_0000;

/// Where syncs are asked for, and in which order.
pub const SYNC_PLACE: Place = Place::SyncPoll;
pub const SYNCS: &[u64] = &[0, 0x80, 0x100, 0x180, 0x200, 0x280, 0x300];
/// Register with the answers, and which bits they are.
pub const SYNC_DONE: u64 = 0x1_0420;
pub const SYNC_ANSWERS: u64 = 0xfe00_0000_0000_0000;
/// How often it is read: two busy, done, one to clear, one after that.
pub const SYNC_LOADS: usize = 5;
/// What is loaded last.
pub const SYNC_LAST: u64 = SYNC_DONE;

/// The register that commits a watch of an END.
pub const END_COMMIT: u64 = 0x1_0520;

/// Flushes an END's or an NVP's line.
pub fn scrub_end(ic: &impl Mmio, index: u64) {
    flush(ic, 0x1_0400, index);
}
pub fn scrub_nvt(ic: &impl Mmio, index: u64) {
    flush(ic, 0x2_0400, index);
}
fn flush(ic: &impl Mmio, control: u64, index: u64) {
    ic.write64(control + 8, index << 32 | 0x0fff_ffff);
    while ic.read64(control) >> 63 != 0 {}
}

/// Stores with which all lines of the block leave the caches of ENDs and NVPs.
pub const SCRUB_ALL: [((u64, u64), usize, u64); 2] =
    [((0x1_0408, 0x0f00_0000), 0, 0x0f00_0000), ((0x2_0408, 0x0f00_0000), 0, 0x0f00_0000)];
/// Kills of all of the PC's translations and of all of the END table's.
pub const KILLS: [(u64, u64); 2] = [(0x2_0010, 1 << 63), (0x1_0010, 0x8002_0000_0000_0000)];
