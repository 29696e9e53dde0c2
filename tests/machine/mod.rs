//! A POWER9 machine for tests: six modelled bridges, brought up by the real driver, behind the real OPAL door.
#![allow(dead_code, unused_imports)]

pub mod random;
pub mod tables;
pub mod windows;

use crate::model::pec::{ModelXscom, power9_phbs};
use crate::model::phb4::ModelPhb4;
use crate::model::ram::ModelRam;
use opalite::firmware::Firmware;
use opalite::hw::ram::Ram;
use opalite::hw::xscom::{Layout, Window};
use opalite::interrupts::Controller;
use opalite::mem::{MemoryMap, Region};
use opalite::opal::dispatch;
use opalite::phb::phb4::Interrupts;
use opalite::phb::{self, Addresses, Phb, StackNode};
use opalite::services::dma::Dma;
use opalite::services::{Parts, Services};
use opalite::units::{ChipId, Isn};
use std::sync::Arc;

/// OPAL_SUCCESS and the errors that PCI calls give.
pub const SUCCESS: i64 = 0;
pub const PARAMETER: i64 = -1;
pub const BUSY: i64 = -2;
pub const PARTIAL: i64 = -3;
pub const HARDWARE: i64 = -6;
pub const UNSUPPORTED: i64 = -7;
pub const WRONG_STATE: i64 = -14;

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
    pub models: Vec<ModelPhb4>,
}

/// The six stacks of a POWER9 chip.
pub fn nodes() -> Vec<StackNode> {
    [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
        .into_iter()
        .zip(0..)
        .map(|((pec, stack), phb_index)| StackNode {
            generation: &opalite::phb::generation::PHB4,
            chip: ChipId(0),
            pec,
            nest: 0x401_0c00 + 0x400 * pec,
            pci: 0xd01_0800 + 0x100_0000 * pec,
            stack,
            phb_index,
        })
        .collect()
}

/// First interrupt of each bridge.
pub fn interrupt_base(index: usize) -> u32 {
    0x10_0000 + 0x1000 * index as u32
}

impl Machine {
    /// A machine whose slots `plug` may fill before the links start.
    pub fn with(plug: impl FnOnce(&[ModelPhb4])) -> Self {
        Self::with_memory(std::iter::once(0..1 << 50).collect(), plug)
    }

    /// The same with other RAM than all of 2^50 bytes; firmware's region is the end of it, as always.
    pub fn with_memory(ranges: Vec<std::ops::Range<u64>>, plug: impl FnOnce(&[ModelPhb4])) -> Self {
        let ram: &'static ModelRam = Box::leak(Box::new(ModelRam::new(0, 1 << 50)));
        let xscom = ModelXscom::new();
        let models = power9_phbs(ram, &xscom);
        plug(&models);
        let mut region = Region::new(FIRMWARE);
        let scom = Arc::new(Window::new(xscom.clone(), Layout::Power9, || 0));
        let mut bridges: Vec<Box<dyn Phb>> = Vec::new();
        for (index, node) in nodes().iter().enumerate() {
            let window = models[index].regs();
            let mut reserve =
                |_| Ok(Interrupts { base: Isn(interrupt_base(index)), notify: NOTIFY + 8 * index as u64 });
            let phb =
                phb::bring_up(node, &ADDRESSES, scom.clone(), ram, &mut region, |_| window, &mut reserve);
            bridges.push(phb.expect("bring-up"));
        }
        phb::start_links(&mut bridges);
        let memory = MemoryMap::new(ranges, FIRMWARE);
        let phbs = phb::slots(bridges);
        let fw = Firmware {
            memory,
            ram,
            interrupts: &NoController,
            dma: Dma::new(ram, POOL, &phbs),
            phbs,
            services: Services::new(Parts::default()),
        };
        Self { fw, ram, xscom, models }
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
