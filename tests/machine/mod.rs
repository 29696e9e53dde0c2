//! A machine for tests: a chip's modelled bridges, POWER9's unless a case says otherwise, brought up by the real driver,
//! behind the real OPAL door.
#![allow(dead_code, unused_imports)]

mod bridge;
pub mod random;
pub mod tables;
pub mod windows;

pub use bridge::{Kind, Model, NAPLES, PHB3, PHB4, PHB5, interrupt_base, kind, nodes, on, set};
pub(crate) use bridge::{on_every_bridge, on_newer_bridges};

use crate::model::pec::ModelXscom;
use crate::model::ram::ModelRam;
use opalite::error::Result;
use opalite::firmware::Firmware;
use opalite::hw::ram::Ram;
use opalite::hw::xscom::Window;
use opalite::interrupts::Controller;
use opalite::mem::{MemoryMap, Region};
use opalite::opal::dispatch;
use opalite::phb::bridge::Interrupts;
use opalite::phb::{self, Addresses, Phb};
use opalite::services::dma::Dma;
use opalite::services::view::View;
use opalite::services::{self, Services, events};
use opalite::units::Isn;
use std::sync::Arc;

/// OPAL_SUCCESS and the errors that PCI calls give.
pub const SUCCESS: i64 = 0;
pub const PARAMETER: i64 = -1;
pub const BUSY: i64 = -2;
pub const PARTIAL: i64 = -3;
pub const HARDWARE: i64 = -6;
pub const UNSUPPORTED: i64 = -7;
pub const WRONG_STATE: i64 = -14;
pub const EMPTY: i64 = -16;

/// Firmware's region: the last 64 MiB of the memory that one TVE can name.
pub const FIRMWARE: std::ops::Range<u64> = (1 << 50) - (64 << 20)..1 << 50;

/// The piece of it that is for the tables of DMA windows.
pub const POOL: std::ops::Range<u64> = (1 << 50) - (16 << 20)..(1 << 50) - (8 << 20);

/// Where tests let calls write their outputs.
pub const OUT: u64 = 0x1_0000;

/// What QEMU's powernv9 has room for.
pub const ADDRESSES: Addresses = Addresses {
    chip_stride: 1 << 42,
    mmio64: [0x6_0000_0000_0000, 0x6_0200_0000_0000],
    mmio32: 0x6_00c0_0000_0000,
    esb: 0x6_00c3_0000_0000,
    registers: 0x6_00c3_c000_0000,
};

/// Notify port of bridge 0; the next one's is 8 bytes on.
pub const NOTIFY: u64 = 0x6_0302_0311_0100;

struct NoController;
impl Controller for NoController {}

/// The machine; clones of its models are handles.
pub struct Machine {
    pub fw: Firmware,
    pub ram: &'static ModelRam,
    pub xscom: ModelXscom,
    pub models: Vec<Model>,
    pub kind: &'static Kind,
}

/// The hardware of a machine.
struct Parts {
    ram: &'static ModelRam,
    xscom: ModelXscom,
    models: Vec<Model>,
    kind: &'static Kind,
}

impl Parts {
    fn new() -> Self {
        let ram: &'static ModelRam = Box::leak(Box::new(ModelRam::new(0, 1 << 50)));
        let kind = kind();
        let (xscom, models) = bridge::chip(kind, ram);
        Self { ram, xscom, models, kind }
    }

    fn bring_up(&self, index: usize, region: &mut Region) -> Result<Box<dyn Phb>> {
        let scom = Arc::new(Window::new(self.xscom.clone(), self.kind.layout, || 0));
        let window = self.models[index].regs();
        let mut reserve =
            |_| Ok(Interrupts { base: Isn(interrupt_base(index)), notify: NOTIFY + 8 * index as u64 });
        let node = &nodes(self.kind)[index];
        phb::bring_up(node, &ADDRESSES, scom, self.ram, region, |_| window, &mut reserve)
    }
}

impl Machine {
    /// A machine whose slots `plug` may fill before the links start.
    pub fn with(plug: impl FnOnce(&[Model])) -> Self {
        Self::with_memory(std::iter::once(0..1 << 50).collect(), plug)
    }

    /// The same with other RAM than all of 2^50 bytes; firmware's region is the end of it, as always.
    pub fn with_memory(ranges: Vec<std::ops::Range<u64>>, plug: impl FnOnce(&[Model])) -> Self {
        let parts = Parts::new();
        plug(&parts.models);
        let mut region = Region::new(FIRMWARE);
        let bridges: Vec<_> = (0..parts.models.len())
            .map(|index| parts.bring_up(index, &mut region).expect("bring-up"))
            .collect();
        let Parts { ram, xscom, models, kind } = parts;
        let mut bridges = bridges;
        phb::start_links(&mut bridges, true);
        let memory = MemoryMap::new(ranges, FIRMWARE);
        let view = View::allocate(&mut region, ram, bridges.len());
        let mut sources = Vec::new();
        events::add_bridges(&mut sources, &bridges);
        let phbs: &'static [_] = Vec::leak(phb::slots(bridges));
        let fw = Firmware {
            memory,
            ram,
            interrupts: &NoController,
            dma: Dma::new(ram, POOL, phbs),
            phbs,
            services: Services::new(services::Parts { view, sources, ..services::Parts::default() }),
        };
        Self { fw, ram, xscom, models, kind }
    }

    /// What becomes of each bridge of a machine that `harm` may have harmed.
    pub fn try_with(harm: impl FnOnce(&[Model])) -> Vec<Result<Box<dyn Phb>>> {
        let parts = Parts::new();
        harm(&parts.models);
        let mut region = Region::new(FIRMWARE);
        (0..parts.models.len()).map(|index| parts.bring_up(index, &mut region)).collect()
    }

    /// A machine with empty slots.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// An OPAL call.
    pub fn call<const N: usize>(&self, token: u64, args: [u64; N]) -> i64 {
        // Registers beyond the call's arguments hold garbage.
        let mut registers = [0xdead_beef_dead_beef; 7];
        registers[..N].copy_from_slice(&args);
        dispatch::call(&self.fw, token, &opalite::opal::args::Args(registers), false)
    }

    /// One entry of an on-chip table of a bridge, read as firmware would.
    pub fn table(&self, phb: usize, table: u64, index: u64) -> u64 {
        use opalite::hw::mmio::Mmio;
        let regs = self.models[phb].regs();
        regs.write64(0x220, table << 48 | index);
        regs.read64(0x228)
    }

    /// A TVE of a bridge.
    pub fn tve(&self, phb: usize, index: u64) -> u64 {
        self.table(phb, 9, index)
    }

    /// A config read by OPAL: status and value.
    pub fn config_read(&self, phb: u64, bdfn: u64, offset: u64, width: u32) -> (i64, u32) {
        self.ram.write64(OUT, 0x5555_5555_5555_5555);
        let token = match width {
            1 => 13,
            2 => 14,
            _ => 15,
        };
        let status = self.call(token, [phb, bdfn, offset, OUT]);
        let value = match width {
            1 => self.ram.read8(OUT).into(),
            2 => self.ram.read16(OUT).into(),
            _ => self.ram.read32(OUT),
        };
        (status, value)
    }

    /// A config write by OPAL.
    pub fn config_write(&self, phb: u64, bdfn: u64, offset: u64, width: u32, value: u64) -> i64 {
        let token = match width {
            1 => 16,
            2 => 17,
            _ => 18,
        };
        self.call(token, [phb, bdfn, offset, value])
    }
}
