//! POWER9's XIVE.

mod regs;
mod setup;

pub(super) use setup::{core_tima_bar, set_up};

use super::structures::{End, Nvt};
use super::unit::{Cache, Kill, Layout, Reg, Select, Syncs, TablePorts, Tima, Unit, Watch};
use regs::{IndirectThread, Scrub};

/// Where the unit's regions of pages shall be. Sizes are powers of two.
#[derive(Clone, Copy, Debug)]
pub struct Regions {
    /// NVTs.
    pub pc: u64,
    /// Size of that.
    pub pc_size: u64,
    /// ESB pages of sources and of ENDs.
    pub vc: u64,
    /// Size of that.
    pub vc_size: u64,
}

/// The page of stores that trigger and stores that ask for a sync.
pub(super) const NOTIFY: u64 = 0x1_0000;
/// What of it another unit takes for one of its tables.
pub(super) const NOTIFY_SIZE: u64 = 1 << 12;

/// The target of a scrub.
fn target(block: u8, index: u32) -> u64 {
    let mut scrub = Scrub(0);
    scrub.set_valid(true);
    // Without it, lines could stay that were written back before the store reached memory. The EAS cache
    // always invalidates.
    scrub.set_invalidate(true);
    scrub.set_block(block);
    scrub.set_index(index);
    scrub.0
}

fn indirect_thread(number: u8) -> u64 {
    let mut thread = IndirectThread(0);
    thread.set_valid(true);
    thread.set_thread(number);
    thread.0
}

const fn cache(scrub: u64, one: u64, block: u64) -> Cache {
    Cache { scrub: Reg::at(scrub), mask: Some(Reg::at(scrub + 8)), busy: Reg::at(scrub), target, one, block }
}

const fn thread_enable(at: u64) -> [Reg<u64>; 3] {
    [Reg::at(at), Reg::at(at + 8), Reg::at(at + 16)]
}

/// What the driver works by.
pub(super) static UNIT: Unit = Unit {
    scom: 0x501_3000,
    // VC_EQC_SCRUB_TRIG, VC_IVC_SCRUB_TRIG, PC_VPC_SCRUB_TRIG
    end_cache: cache(0x910, 0x0000_000f_00ff_ffff, 0x0000_000f_0000_0000),
    eas_cache: cache(0x990, 0x0000_000f_00ff_ffff, 0x0000_000f_0000_0000),
    nvt_cache: cache(0x710, 0x0000_001f_0007_ffff, 0x0000_001f_0000_0000),
    early_scrubs: true,
    // VC_EQC_CWATCH_SPEC, PC_VPC_CWATCH_SPEC
    watches: [Watch { spec: Reg::at(0x928), data: 0x930 }, Watch { spec: Reg::at(0x738), data: 0x740 }],
    // PC_AT_KILL; VC_AT_MACRO_KILL with b14:15 = END table
    kills: [
        Kill { mask: Reg::at(0x4b8), kill: Reg::at(0x4b0), value: 1 << 63 },
        Kill { mask: Reg::at(0x8b8), kill: Reg::at(0x8b0), value: 1 << 63 | 3 << 48 },
    ],
    syncs: Syncs {
        // OS escalation, hypervisor escalation, redistribution, IPIs, hardware sources.
        ports: &[NOTIFY + 0xd00, NOTIFY + 0xd80, NOTIFY + 0xe00, NOTIFY + 0xc00, NOTIFY + 0xc80],
        done: Reg::at(0x920),
        all: 0xf800_0000,
        then: Reg::at(0x800),
    },
    // PC_THREAD_EN_REG0, PC_THREAD_EN_REG1
    thread_enable: [thread_enable(0x440), thread_enable(0x460)],
    // 24 cores with four threads.
    threads: 96,
    // PC_TCTXT_INDIR0
    tima: Tima {
        select: Some(Select { register: Reg::at(0x420), thread: indirect_thread }),
        page: 0x4_0000,
        stride: 0,
    },
    // Different bridges have different 8-byte slots, the first its own cache line.
    phb_ports: [
        NOTIFY + 0x100,
        NOTIFY + 0x208,
        NOTIFY + 0x210,
        NOTIFY + 0x218,
        NOTIFY + 0x220,
        NOTIFY + 0x228,
    ],
    psi_port: NOTIFY + 0x230,
    tables: TablePorts {
        // VC_VSD_TABLE_ADDR, PC_VSD_TABLE_ADDR
        vc: (Reg::at(0x808), Reg::at(0x810)),
        pc: (Reg::at(0x488), Reg::at(0x490)),
        eas: 0,
        esb: 1,
        eas_in_vc_only: false,
        overflow: 4,
        // VC_IRQ_CONFIG_IPI: b45 enabled, b46:51 log2 of the size less 12
        queues: 0x840,
        queue_count: 6,
        queue: 0x4_4000,
    },
    nvt_bits: 19,
    nvt_rows: 8,
    cam: 0,
    source_flags: 0,
    layout: Layout {
        end_from: End::from_rows,
        end_into: End::put_rows,
        nvt_from: Nvt::from_rows,
        nvt_into: Nvt::put_rows,
    },
};
