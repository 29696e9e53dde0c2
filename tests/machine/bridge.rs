//! The modelled bridges of each generation behind one name, and what differs between them as one table: cases that
//! apply to all are written once and run over it. Each test binary uses a part.
#![allow(unused_macros)]

use crate::model::pci_device::PciDevice;
use crate::model::pec::{ModelXscom, naples_phbs, power8_phbs, power9_phbs, power10_phbs};
use crate::model::phb3::ModelPhb3;
use crate::model::phb4::{DmaFault, ModelPhb4, Outbound, Write};
use crate::model::ram::ModelRam;
use opalite::hw::mmio::Mmio;
use opalite::hw::xscom::Layout;
use opalite::interrupts::xics::{Block, first_isn};
use opalite::phb::StackNode;
use opalite::phb::generation::{self, Generation};
use opalite::phb::phb3;
use opalite::units::ChipId;
use std::cell::Cell;

/// A modelled bridge.
#[derive(Clone)]
pub enum Model {
    Phb3(ModelPhb3),
    Phb4(ModelPhb4),
}

/// Methods that both models have.
macro_rules! both {
    ($(fn $name:ident(&self $(, $arg:ident: $type:ty)*) $(-> $result:ty)?;)*) => { impl Model { $(
        pub fn $name(&self $(, $arg: $type)*) $(-> $result)? {
            match self {
                Self::Phb3(model) => model.$name($($arg),*),
                Self::Phb4(model) => model.$name($($arg),*),
            }
        }
    )* } };
}
both! {
    fn attach(&self, devfn: u8, device: PciDevice);
    fn root_port(&self) -> PciDevice;
    fn writes(&self) -> Vec<Write>;
    fn clear_writes(&self);
    fn peek(&self, offset: u64) -> u64;
    fn poke(&self, offset: u64, value: u64);
    fn fail_next_write_at(&self, offset: u64);
    fn fence_after(&self, accesses: u64);
    fn freeze_after(&self, accesses: u64, pe: u16);
    fn fence(&self);
    fn is_fenced(&self) -> bool;
    fn dead_link(&self, dead: bool);
    fn dma_write(&self, rid: u16, address: u64, bytes: &[u8]) -> Result<(), DmaFault>;
    fn dma_read(&self, rid: u16, address: u64, length: usize) -> Result<Vec<u8>, DmaFault>;
    fn msi(&self, rid: u16, address: u64, data: u32) -> Option<u64>;
    fn freeze(&self, pe: u16);
    fn frozen(&self, pe: u16) -> (bool, bool);
    fn outbound(&self, address: u64) -> Option<Outbound>;
    fn stuck_transactions(&self, stuck: bool);
    fn stuck_sync(&self, stuck: bool);
    fn set_kill_reads(&self, reads: u32);
    fn all_frozen(&self) -> Vec<(u16, (bool, bool))>;
    fn error_interrupt(&self) -> Option<u64>;
}

impl Model {
    /// The register window.
    pub fn regs(&self) -> Registers {
        match self {
            Self::Phb3(model) => Registers(Box::new(model.regs())),
            Self::Phb4(model) => Registers(Box::new(model.regs())),
        }
    }

    /// A PHB3's kills are done at once: nothing to be stuck.
    pub fn stuck_kill(&self, stuck: bool) {
        if let Self::Phb4(model) = self {
            model.stuck_kill(stuck);
        }
    }

    pub fn kill_pending(&self) -> bool {
        matches!(self, Self::Phb4(model) if model.kill_pending())
    }

    /// What only PHB4s have.
    #[track_caller]
    pub fn phb4(&self) -> &ModelPhb4 {
        let Self::Phb4(model) = self else { panic!("no PHB4") };
        model
    }

    /// What only PHB3s have.
    #[track_caller]
    pub fn phb3(&self) -> &ModelPhb3 {
        let Self::Phb3(model) = self else { panic!("no PHB3") };
        model
    }
}

/// A register window.
pub struct Registers(Box<dyn Mmio + Send + Sync>);

impl Mmio for Registers {
    fn read8(&self, offset: u64) -> u8 {
        self.0.read8(offset)
    }
    fn read16(&self, offset: u64) -> u16 {
        self.0.read16(offset)
    }
    fn read32(&self, offset: u64) -> u32 {
        self.0.read32(offset)
    }
    fn read64(&self, offset: u64) -> u64 {
        self.0.read64(offset)
    }
    fn write8(&self, offset: u64, value: u8) {
        self.0.write8(offset, value);
    }
    fn write16(&self, offset: u64, value: u16) {
        self.0.write16(offset, value);
    }
    fn write32(&self, offset: u64, value: u32) {
        self.0.write32(offset, value);
    }
    fn write64(&self, offset: u64, value: u64) {
        self.0.write64(offset, value);
    }
}

/// What differs between the generations, as far as cases must know it. Sizes are bridge 0's.
pub struct Kind {
    pub generation: &'static Generation,
    /// Bridges of a chip.
    pub bridges: u64,
    pub pes: u64,
    /// Message interrupts.
    pub msis: u64,
    /// log2 of the IO pages.
    pub pages: [u32; 4],
    /// A no-translate TVE without limits.
    pub bypass: u64,
    /// Whether windows that don't translate work below 4 GiB.
    pub low_bypass: bool,
    /// Whether there are the options of calls 179 and 180, and the 4 GiB mode.
    pub options: bool,
    /// CTRLR after bring-up.
    pub control: u64,
    pub m64: u64,
    pub m64_size: u64,
    pub m32: u64,
    /// Number of the last M64 window.
    pub last_m64: u64,
    /// What an M64 window of a single PE must be a multiple of, and a split one.
    pub m64_grain: [u64; 2],
    /// Words of its entry, and what the last window's first word is while it is off.
    pub m64_words: u64,
    pub last_m64_off: u64,
    /// The MDT's entry 7 after bring-up.
    pub segment_7: u64,
    /// Vendor and device of the root port.
    pub root_port: u32,
    /// Diagnostic data: kind, bytes, where the root port's command is, where the OUT (TXE) group is, where the PEST is.
    pub diag: [u64; 5],
    /// Where NFIR is in it.
    pub diag_nfir: u64,
    /// Error groups, and errors that stay masked.
    pub groups: &'static [u64],
    pub lem_mask: u64,
    /// Registers that are 0 while the link is down on purpose, and one with its value while it is up.
    pub quiet: &'static [u64],
    pub loud: (u64, u64),
    /// Milliseconds of a fundamental reset's PERST.
    pub perst_ms: i64,
    pub layout: Layout,
}

impl Kind {
    pub const fn reserved(&self) -> u64 {
        self.pes - 1
    }
}

pub static PHB3: Kind = Kind {
    generation: &phb3::PHB3,
    bridges: 3,
    pes: 256,
    msis: 2040,
    pages: [12, 16, 24, 28],
    bypass: 0x1000,
    low_bypass: false,
    options: false,
    control: 0xf3a8_0e5b_0000_0000,
    m64: 0x0003_d000_0000_0000,
    m64_size: 64 << 30,
    m32: 0x0003_ff80_0000_0000,
    last_m64: 15,
    m64_grain: [32 << 20, 1 << 20],
    m64_words: 1,
    last_m64_off: 0,
    segment_7: 0,
    root_port: 0x03dc_1014,
    diag: [2, 0x1128, 0x28, 0xc8, 0x128],
    diag_nfir: 0x68,
    groups: &[0xc80, 0xd00, 0xd80, 0xe00],
    lem_mask: 0x4249_8e36_7f50_2eae,
    quiet: &[],
    loud: (0x558, 0xad52_8000_0000_0000),
    perst_ms: 250,
    layout: Layout::Power8,
};

/// POWER8 with NVLink.
pub static NAPLES: Kind = Kind { bridges: 4, low_bypass: true, control: 0xf3b8_0e5b_0000_0000, ..PHB3 };

pub static PHB4: Kind = Kind {
    generation: &generation::PHB4,
    bridges: 6,
    pes: 512,
    msis: 4088,
    pages: [12, 16, 21, 30],
    bypass: 0x1080,
    low_bypass: true,
    options: true,
    control: 0x0010_0400_0000_0000,
    m64: 0x0006_0000_0000_0000,
    m64_size: 256 << 30,
    m32: 0x0006_00c0_0000_0000,
    last_m64: 31,
    m64_grain: [4096, 4096],
    m64_words: 2,
    last_m64_off: 0x1c00_0000_0000_0000,
    segment_7: 7 * 0x0001_0001_0001,
    root_port: 0x04c1_1014,
    diag: [3, 0x2180, 0x1c, 0xa8, 0x180],
    diag_nfir: 0x48,
    groups: &[0xc80, 0xd00, 0xd80, 0xe00, 0xe80, 0x1900, 0x1c00],
    lem_mask: 0,
    quiet: &[0x1c20, 0x1c28, 0x1c30, 0x1b30],
    loud: (0x1c20, 0x2130_006e_fca8_bc00),
    perst_ms: 250,
    layout: Layout::Power9,
};

pub static PHB5: Kind = Kind { generation: &generation::PHB5, root_port: 0x0652_1014, ..PHB4 };

thread_local! {
    static KIND: Cell<&'static Kind> = const { Cell::new(&PHB4) };
}

/// What the machines of this thread have: a PHB4 unless [`on`] says otherwise.
pub fn kind() -> &'static Kind {
    KIND.get()
}

/// From now on the machines of this thread have bridges of one kind.
pub fn set(kind: &'static Kind) {
    KIND.set(kind);
}

/// Runs a case on machines of one kind.
pub fn on(kind: &'static Kind, case: fn()) {
    set(kind);
    case();
}

/// Makes tests of cases: each on every generation, in a module of its name.
macro_rules! on_every_bridge {
    ($($case:ident)*) => {
        mod phb3 { $(#[test] fn $case() { crate::machine::on(&crate::machine::PHB3, super::$case); })* }
        mod phb4 { $(#[test] fn $case() { crate::machine::on(&crate::machine::PHB4, super::$case); })* }
        mod phb5 { $(#[test] fn $case() { crate::machine::on(&crate::machine::PHB5, super::$case); })* }
    };
}
pub(crate) use on_every_bridge;

/// The same for what PHB3 doesn't have.
macro_rules! on_newer_bridges {
    ($($case:ident)*) => {
        mod newer_phb4 { $(#[test] fn $case() { crate::machine::on(&crate::machine::PHB4, super::$case); })* }
        mod newer_phb5 { $(#[test] fn $case() { crate::machine::on(&crate::machine::PHB5, super::$case); })* }
    };
}
pub(crate) use on_newer_bridges;

/// The models of a chip.
pub fn chip(kind: &Kind, ram: &ModelRam) -> (ModelXscom, Vec<Model>) {
    let xscom = if kind.layout == Layout::Power8 { ModelXscom::power8() } else { ModelXscom::new() };
    let models = if std::ptr::eq(kind.generation, &phb3::PHB3) {
        let phbs = if kind.bridges == 3 { power8_phbs } else { naples_phbs };
        phbs(ram, &xscom).into_iter().map(Model::Phb3).collect()
    } else if std::ptr::eq(kind.generation, &generation::PHB4) {
        power9_phbs(ram, &xscom).into_iter().map(Model::Phb4).collect()
    } else {
        power10_phbs(ram, &xscom).into_iter().map(Model::Phb4).collect()
    };
    (xscom, models)
}

/// Where the bridges of chip 0 are.
pub fn nodes(kind: &Kind) -> Vec<StackNode> {
    let generation = kind.generation;
    let stacks: &[(u32, u32)] = if std::ptr::eq(generation, &phb3::PHB3) {
        &[(0, 0), (1, 0), (2, 0), (3, 0)]
    } else if std::ptr::eq(generation, &generation::PHB4) {
        &[(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
    } else {
        &[(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    };
    let place = |pec: u32| {
        if std::ptr::eq(generation, &phb3::PHB3) {
            (0x201_2000 + 0x400 * pec, 0x901_2000 + 0x400 * pec, 0x901_3c00 + 0x40 * pec)
        } else if std::ptr::eq(generation, &generation::PHB4) {
            (0x401_0c00 + 0x400 * pec, 0xd01_0800 + 0x100_0000 * pec, 0)
        } else {
            (0x301_1800 - 0x100_0000 * pec, 0x801_0800 + 0x100_0000 * pec, 0)
        }
    };
    let node = |((pec, stack), phb_index): (&(u32, u32), u32)| {
        let (nest, pci, door) = place(*pec);
        StackNode { generation, chip: ChipId(0), pec: *pec, nest, pci, door, stack: *stack, phb_index }
    };
    stacks.iter().zip(0..kind.bridges as u32).map(node).collect()
}

/// First interrupt of each bridge.
pub fn interrupt_base(index: usize) -> u32 {
    match kind().options {
        true => 0x10_0000 + 0x1000 * index as u32,
        false => first_isn(ChipId(0), Block::Phb(index as u32)).0,
    }
}
