//! The PHB4 model itself: checked against the reference's tables and worked examples, so that a driver which
//! passes on it has met the documented bridge. Expected numbers are worked out by hand or copied from there.

mod model;

#[path = "phb4_model/config.rs"]
mod config;
#[path = "phb4_model/dma.rs"]
mod dma;
#[path = "phb4_model/fault.rs"]
mod fault;
#[path = "phb4_model/kill.rs"]
mod kill;
#[path = "phb4_model/memory.rs"]
mod memory;
#[path = "phb4_model/outbound.rs"]
mod outbound;
#[path = "phb4_model/registers.rs"]
mod registers;
#[path = "phb4_model/sequence.rs"]
mod sequence;
#[path = "phb4_model/stack.rs"]
mod stack;
#[path = "phb4_model/tables.rs"]
mod tables;

use model::pci_device::{PciDevice, PortType};
use model::pec::{ModelXscom, power9_phbs, power10_phbs};
use model::phb4::Generation::{Phb4, Phb5};
use model::phb4::Size::{Big, Small};
use model::phb4::{DmaFault, FaultKind, ModelPhb4, PhbRegisters};
use model::ram::{ModelRam, RamWrite};
use opalite::hw::mmio::Mmio;
use opalite::hw::ram::Ram;

const RTT: u64 = 0x0100_0000;
const PELTV: u64 = 0x0110_0000;
const PEST: u64 = 0x0120_0000;
/// The requester of most tests, bus 1 device 0 function 0, and its PE.
const RID: u16 = 0x0100;
const PE: u16 = 5;

const CONFIG_ADDRESS: u64 = 0x140;
const CONFIG_DATA: u64 = 0x130;
const CONFIG: u64 = 0x160;
const DMA_SYNC: u64 = 0x200;
const RTC_INVALIDATE: u64 = 0x208;
const TCE_KILL: u64 = 0x210;
const IODA_ADDR: u64 = 0x220;
const IODA_DATA0: u64 = 0x228;
const CTRLR: u64 = 0x810;
const Q_DMA_R: u64 = 0x888;
const CRESET: u64 = 0x1a10;
const TRAIN_CTL: u64 = 0x1a40;
const FOUR_GIB_MODE: u64 = 0x0000_0080_0000_0000;
const AUTO: u64 = 0x8000_0000_0000_0000;
const ENABLE: u64 = 0x8000_0000_0000_0000;
const ONES: u64 = u64::MAX;

struct Bench {
    ram: ModelRam,
    phb: ModelPhb4,
    regs: PhbRegisters,
}

/// 80 GiB of memory and a big PHB4 whose RTT gives `RID` to `PE`, everyone else to PE 0.
fn bench() -> Bench {
    let ram = ModelRam::new(0, 80 << 30);
    let phb = ModelPhb4::running(&ram, Phb4, Big);
    let regs = phb.regs();
    ram.write16(RTT + 2 * u64::from(RID), PE);
    regs.write64(0x168, RTT | ENABLE);
    regs.write64(0x188, PELTV | ENABLE);
    regs.write64(0x1a8, PEST | ENABLE);
    Bench { ram, phb, regs }
}

impl Bench {
    fn select(&self, table: u64, index: u64) {
        self.regs.write64(IODA_ADDR, table << 48 | index);
    }

    fn table(&self, table: u64, index: u64) -> u64 {
        self.select(table, index);
        self.regs.read64(IODA_DATA0)
    }

    fn put(&self, table: u64, index: u64, value: u64) {
        self.select(table, index);
        self.regs.write64(IODA_DATA0, value);
    }

    fn tve(&self, window: u64, value: u64) {
        self.put(9, u64::from(PE) * 2 + window, value);
    }

    /// One level of 64 KiB pages at 0x2000_0000: worked example 1.
    fn open_64k(&self) {
        self.tve(0, 0x0000_0002_0000_0705);
    }

    fn tce(&self, index: u64, value: u64) {
        self.ram.write64(0x2000_0000 + 8 * index, value);
    }

    fn kill(&self, value: u64) {
        self.regs.write64(TCE_KILL, value);
        while self.regs.read64(Q_DMA_R) != 0 {}
    }

    fn thaw(&self) {
        self.put(7, PE.into(), 0);
        self.put(8, PE.into(), 0);
    }

    fn fault(&self, address: u64) -> FaultKind {
        let kind = self.phb.dma_write(RID, address, &[0xee]).expect_err("the DMA must fail").kind;
        self.thaw();
        kind
    }
}

fn fault(kind: FaultKind, address: u64) -> DmaFault {
    DmaFault { kind, pe: Some(PE), address }
}
