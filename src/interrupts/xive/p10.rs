//! POWER10's XIVE2 (`reference/platform-qemu-powernv.md` §6.3). Structures are as on POWER9 but for the places of
//! some fields; NVTs are called NVPs.

mod regs;
mod setup;
mod structures;

pub(super) use setup::{core_tima_bar, set_up};

use super::engine::ESB_PAIR_SHIFT;
use super::tables::{QUEUES, SOURCES, VPS};
use super::unit::{Cache, Kill, Layout, Reg, Syncs, TablePorts, Tima, Unit, Watch};
use crate::interrupts::IRQ_STORE_EOI;
use regs::{PC, TCTXT, VC};

/// Where the unit's regions of pages shall be. Each is aligned to the size that the driver gives it.
#[derive(Clone, Copy, Debug)]
pub struct Regions {
    /// ESB pages of sources: 8 GiB.
    pub esb: u64,
    /// ESB pages of ENDs, above those of sources: 128 GiB.
    pub end: u64,
    /// NVPs and NVGs: 16 GiB.
    pub nvpg: u64,
}

// Their sizes: a pair of 64 KiB pages for each structure.
pub(super) const ESB_SIZE: u64 = (SOURCES as u64) << ESB_PAIR_SHIFT;
pub(super) const END_SIZE: u64 = ((VPS * QUEUES) as u64) << ESB_PAIR_SHIFT;
pub(super) const NVPG_SIZE: u64 = (VPS as u64) << ESB_PAIR_SHIFT;

/// The page of stores that trigger; the upper half is for the chip's own devices.
const NOTIFY: u64 = 0x4_0000;
const HARDWARE: u64 = NOTIFY + 0x800;
/// The page of syncs whose end is polled for.
const SYNC: u64 = 0x6_0000;
/// A thread's TIMA.
const TIMA: u64 = 0x100_0000;

/// ENDs and NVPs are named with the block in b4:7; a mask is alike in the lower half.
fn target(block: u8, index: u32) -> u64 {
    u64::from(block) << 56 | u64::from(index) << 32
}

/// EASs are named as sources are, with the block in b0:3.
fn eas_target(block: u8, index: u32) -> u64 {
    u64::from(block) << 60 | u64::from(index) << 32
}

/// A cache that is flushed by a control register with a poll register behind it.
const fn cache(control: u64, target: fn(u8, u32) -> u64, one: u64, block: u64) -> Cache {
    Cache { scrub: Reg::at(control + 8), mask: None, busy: Reg::at(control), target, one, block }
}

const fn thread_enable(at: u64) -> [Reg<u64>; 3] {
    [Reg::at(at), Reg::at(at + 0x10), Reg::at(at + 0x18)]
}

const fn watch(spec: u64) -> Watch {
    Watch { spec: Reg::at(spec), data: spec + 0x20 }
}

/// What the driver works by.
pub(super) static UNIT: Unit = Unit {
    scom: 0x201_0800,
    // VC_ENDC_FLUSH_CTRL, VC_EASC_FLUSH_CTRL, PC_NXC_FLUSH_CTRL. The last one's mask has b2:3 for the type.
    end_cache: cache(VC + 0x400, target, 0x0fff_ffff, 0x0f00_0000),
    eas_cache: cache(VC + 0x300, eas_target, 0xffff_ffff, 0xf000_0000),
    nvt_cache: cache(PC + 0x400, target, 0x3fff_ffff, 0x0f00_0000),
    early_scrubs: false,
    // VC_ENDC_WATCH0_SPEC, PC_NXC_WATCH0_SPEC; type 0 in the latter is NVP
    watches: [watch(VC + 0x500), watch(PC + 0x500)],
    // PC_AT_KILL; VC_AT_MACRO_KILL with b12:15 = END table
    kills: [
        Kill { mask: Reg::at(PC + 0x18), kill: Reg::at(PC + 0x10), value: 1 << 63 },
        Kill { mask: Reg::at(VC + 0x18), kill: Reg::at(VC + 0x10), value: 1 << 63 | 2 << 48 },
    ],
    syncs: Syncs {
        // IPIs, hardware sources, NVPs, interrupts, OS, pool and hard escalation.
        ports: &[SYNC, SYNC + 0x80, SYNC + 0x100, SYNC + 0x180, SYNC + 0x200, SYNC + 0x280, SYNC + 0x300],
        // VC_ENDC_SYNC_DONE
        done: Reg::at(VC + 0x420),
        all: 0xfe00_0000_0000_0000,
        then: Reg::at(VC + 0x420),
    },
    // TCTXT_EN0, TCTXT_EN1
    thread_enable: [thread_enable(TCTXT), thread_enable(TCTXT + 0x20)],
    threads: 128,
    tima: Tima { select: None, page: TIMA, stride: 0x1_0000 },
    // Different bridges have different 8-byte slots, the first its own cache line.
    phb_ports: [
        HARDWARE,
        HARDWARE + 0x108,
        HARDWARE + 0x110,
        HARDWARE + 0x118,
        HARDWARE + 0x120,
        HARDWARE + 0x128,
    ],
    psi_port: HARDWARE + 0x130,
    tables: TablePorts {
        // VC_VSD_TABLE_ADDR, PC_VSD_TABLE_ADDR
        vc: (Reg::at(VC), Reg::at(VC + 8)),
        pc: (Reg::at(PC), Reg::at(PC + 8)),
        eas: 1,
        esb: 0,
        eas_in_vc_only: true,
        overflow: 8,
        // VC_QUEUES_CFG_REM0: b38 enabled, b42:47 log2 of the size less 12
        queues: VC + 0xb8,
        queue_count: 7,
        queue: 1 << 25 | 4 << 16,
    },
    nvt_bits: 24,
    nvt_rows: 4,
    // The unit saves and restores a VP's context by itself.
    cam: 1 << 30,
    source_flags: IRQ_STORE_EOI,
    layout: Layout {
        end_from: structures::end_from,
        end_into: structures::end_into,
        nvt_from: structures::nvp_from,
        nvt_into: structures::nvp_into,
    },
};
