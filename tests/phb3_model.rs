//! The PHB3 model itself: checked against the reference's tables and worked examples, so that a driver which
//! passes on it has met the documented bridge. Expected numbers are worked out by hand or copied from there.

mod model;

#[path = "phb3_model/config.rs"]
mod config;
#[path = "phb3_model/dma.rs"]
mod dma;
#[path = "phb3_model/fault.rs"]
mod fault;
#[path = "phb3_model/kill.rs"]
mod kill;
#[path = "phb3_model/msi.rs"]
mod msi;
#[path = "phb3_model/outbound.rs"]
mod outbound;
#[path = "phb3_model/pbcq.rs"]
mod pbcq;
#[path = "phb3_model/registers.rs"]
mod registers;
#[path = "phb3_model/sequence.rs"]
mod sequence;
#[path = "phb3_model/tables.rs"]
mod tables;

use model::pci_device::{PciDevice, PortType};
use model::pec::{ModelXscom, naples_phbs, power8_phbs};
use model::phb3::Part::{Naples, Venice};
use model::phb3::{DmaFault, FaultKind, ModelPhb3, Part, PbcqArea, PhbRegisters};
use model::ram::ModelRam;
use model::xics::Xics;
use opalite::hw::mmio::Mmio;
use opalite::hw::ram::Ram;

const RTT: u64 = 0x0100_0000;
const PELTV: u64 = 0x0110_0000;
const PEST: u64 = 0x0120_0000;
const IVT: u64 = 0x0130_0000;
/// The requester of most tests, bus 1 device 0 function 0, and its PE.
const RID: u16 = 0x0100;
const PE: u16 = 5;

const CONFIG_ADDRESS: u64 = 0x140;
const CONFIG_DATA: u64 = 0x130;
const CONFIG: u64 = 0x160;
const RTC_INVALIDATE: u64 = 0x208;
const TCE_KILL: u64 = 0x210;
const IODA_ADDR: u64 = 0x220;
const IODA_DATA0: u64 = 0x228;
const TRAIN_CTL: u64 = 0x640;
const RESET: u64 = 0x808;
const CONTROL: u64 = 0x810;
const Q_DMA_R: u64 = 0x888;
const AUTO: u64 = 0x8000_0000_0000_0000;
const ENABLE: u64 = 0x8000_0000_0000_0000;
const ONES: u64 = u64::MAX;

struct Bench {
    ram: ModelRam,
    phb: ModelPhb3,
    regs: PhbRegisters,
}

/// 80 GiB of memory and a PHB3 of Venice whose RTT gives `RID` to `PE`, everyone else to PE 0.
fn bench() -> Bench {
    bench_of(Venice)
}

fn bench_of(part: Part) -> Bench {
    let ram = ModelRam::new(0, 80 << 30);
    let phb = ModelPhb3::running(&ram, part);
    let regs = phb.regs();
    ram.write16(RTT + 2 * u64::from(RID), PE);
    regs.write64(0x150, IVT | ENABLE | 0x800);
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
