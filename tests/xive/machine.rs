//! A machine with the XIVE and PSI models, and the calls as an OS makes them.

use super::model::ram::ModelRam;
use super::psi::Psi;
use super::xive::{Window, Xive};
use opalite::firmware::Firmware;
use opalite::hw::mmio::Mmio;
use opalite::hw::psi::Psi as PsiBridge;
use opalite::hw::ram::Ram;
use opalite::interrupts::xive::{Chips, Setup, Tables, Xive as Driver};
use opalite::mem::{MemoryMap, Region};
use opalite::opal::dispatch;
use opalite::services::{Parts, Services};
use opalite::units::{ChipId, Pir};

pub use super::unit::*;

pub const PSI: u64 = 0x0006_0302_0300_0000;

pub const RAM: u64 = 0x1_0000_0000;
/// Firmware's memory: the last 16 MiB.
pub const REGION: u64 = RAM - 0x100_0000;
/// Where the OS has its outputs.
pub const OUT: u64 = 0x10_0000;
/// Where it has event queues.
pub const QUEUE: u64 = 0x200_0000;

/// Threads: two in register 0 of the thread enables, one in register 1.
pub const PIRS: [u32; 3] = [0x04, 0x25, 0x48];
pub const PIR: u32 = PIRS[0];
/// The first PSI source: 16 at the top of the chip's 64 Ki.
pub const PSI_FIRST: u32 = 0xfff0;

pub const SUCCESS: i64 = 0;
pub const PARAMETER: i64 = -1;
pub const HARDWARE: i64 = -6;
pub const UNSUPPORTED: i64 = -7;
pub const RESOURCE: i64 = -10;
pub const WRONG_STATE: i64 = -14;
pub const PROVISIONING: i64 = -31;
pub const FREE_ACTIVE: i64 = -32;

pub const RESET: u64 = 128;
pub const GET_IRQ_INFO: u64 = 129;
pub const GET_IRQ_CONFIG: u64 = 130;
pub const SET_IRQ_CONFIG: u64 = 131;
pub const GET_QUEUE_INFO: u64 = 132;
pub const SET_QUEUE_INFO: u64 = 133;
pub const DONATE_PAGE: u64 = 134;
pub const ALLOCATE_VP_BLOCK: u64 = 135;
pub const FREE_VP_BLOCK: u64 = 136;
pub const GET_VP_INFO: u64 = 137;
pub const SET_VP_INFO: u64 = 138;
pub const ALLOCATE_IRQ: u64 = 139;
pub const FREE_IRQ: u64 = 140;
pub const SYNC: u64 = 141;
pub const DUMP: u64 = 142;
pub const GET_QUEUE_STATE: u64 = 143;
pub const SET_QUEUE_STATE: u64 = 144;
pub const GET_VP_STATE: u64 = 170;

pub const ANY_CHIP: u64 = 0xffff_ffff;
pub const MASKED: u64 = 0xff;

/// GET_IRQ_INFO's outputs.
#[derive(Debug, PartialEq, Eq)]
pub struct IrqInfo {
    pub flags: u64,
    pub eoi: u64,
    pub trigger: u64,
    pub shift: u32,
    pub chip: u32,
}

/// GET_QUEUE_INFO's outputs.
#[derive(Debug, PartialEq, Eq)]
pub struct QueueInfo {
    pub page: u64,
    pub order: u64,
    pub eoi: u64,
    pub escalation: u32,
    pub flags: u64,
}

pub struct Machine {
    pub ram: ModelRam,
    pub xive: Xive<ModelRam>,
    pub psi: Psi,
    pub firmware: Firmware,
}

/// How far apart the same unit of two chips is.
pub const STRIDE: u64 = 1 << 42;

/// Brings the unit of a chip up. `threads`: those of all chips.
pub fn driver(
    chip: u32,
    threads: &[u32],
    xive: &Xive<ModelRam>,
    memory: &'static ModelRam,
    region: &mut Region,
) -> Driver<Window<ModelRam>, &'static ModelRam> {
    let threads: Vec<_> = threads.iter().copied().map(Pir).collect();
    let addresses = ADDRESSES.on_chip(ChipId(chip), STRIDE);
    Driver::new(Setup {
        chip: ChipId(chip),
        threads: &threads,
        addresses,
        xscom: &xive.scom(),
        ic: xive.window(addresses.ic),
        vc: xive.window(addresses.regions.source_esbs()),
        ram: memory,
        tables: Tables::allocate(region, memory),
    })
    .unwrap()
}

impl Machine {
    /// Booted, before the OS's first call.
    pub fn booted() -> Self {
        let ram = ModelRam::new(0, RAM);
        let xive = Xive::new(ram.clone(), 0, &PIRS);
        Self::boot(ram, xive, psi())
    }

    /// In exploitation mode, with what boot did forgotten.
    pub fn exploiting() -> Self {
        let machine = Self::booted();
        assert_eq!(machine.call(RESET, &[1]), SUCCESS);
        machine.xive.forget_accesses();
        machine
    }

    /// Boots firmware on devices in whatever state they are.
    pub fn boot(ram: ModelRam, xive: Xive<ModelRam>, psi: Psi) -> Self {
        xive.require_pc_vsds(true);
        let memory: &'static ModelRam = Box::leak(Box::new(ram.clone()));
        let mut region = Region::new(REGION + 0x1_2345..RAM);
        let mut driver = driver(0, &PIRS, &xive, memory, &mut region);
        let wire = xive.clone();
        psi.on_event(move |event| {
            assert_eq!(event.address, PSI_PORT, "PSI's port");
            wire.notify(event.lisn);
        });
        let pages = Box::new(psi.window(PSI_ESB));
        PsiBridge::connect(&psi.window(PSI), PSI_ESB, PSI_SHIFT, pages, &mut driver).unwrap();
        let all = 0..RAM;
        let map = MemoryMap::new(vec![all], REGION..RAM);
        let services = Services::new(Parts::default());
        let interrupts = Box::leak(Box::new(Chips::new(vec![driver])));
        let firmware = Firmware {
            memory: map,
            ram: memory,
            interrupts,
            phbs: &[],
            dma: opalite::services::dma::Dma::default(),
            services,
        };
        Self { ram, xive, psi, firmware }
    }

    /// A call; registers behind its arguments hold garbage.
    pub fn call(&self, token: u64, args: &[u64]) -> i64 {
        let mut registers = [0xdead_beef_dead_beef; 7];
        registers[..args.len()].copy_from_slice(args);
        dispatch::call(&self.firmware, token, &opalite::opal::args::Args(registers), false)
    }

    /// A call that must succeed.
    #[track_caller]
    pub fn ok(&self, token: u64, args: &[u64]) {
        assert_eq!(self.call(token, args), SUCCESS, "call {token} {args:x?}");
    }

    pub fn load(&self, address: u64) -> u64 {
        self.xive.window(address).read64(0)
    }

    #[track_caller]
    pub fn irq_info(&self, irq: u32) -> IrqInfo {
        self.ok(GET_IRQ_INFO, &[irq.into(), OUT, OUT + 8, OUT + 16, OUT + 24, OUT + 28]);
        IrqInfo {
            flags: self.ram.read64(OUT),
            eoi: self.ram.read64(OUT + 8),
            trigger: self.ram.read64(OUT + 16),
            shift: self.ram.read32(OUT + 24),
            chip: self.ram.read32(OUT + 28),
        }
    }

    /// VP, priority, data.
    #[track_caller]
    pub fn irq_config(&self, irq: u32) -> (u64, u8, u32) {
        self.ok(GET_IRQ_CONFIG, &[irq.into(), OUT, OUT + 8, OUT + 12]);
        (self.ram.read64(OUT), self.ram.read8(OUT + 8), self.ram.read32(OUT + 12))
    }

    #[track_caller]
    pub fn queue_info(&self, vp: u32, priority: u64) -> QueueInfo {
        // As the kernel has it: linear-map addresses.
        let out = 0xc000_0000_0000_0000 | OUT;
        self.ok(GET_QUEUE_INFO, &[vp.into(), priority, out, out + 8, out + 16, out + 24, out + 32]);
        QueueInfo {
            page: self.ram.read64(OUT),
            order: self.ram.read64(OUT + 8),
            eoi: self.ram.read64(OUT + 16),
            escalation: self.ram.read32(OUT + 24),
            flags: self.ram.read64(OUT + 32),
        }
    }

    /// Generation and index.
    #[track_caller]
    pub fn queue_state(&self, vp: u32, priority: u64) -> (u32, u32) {
        self.ok(GET_QUEUE_STATE, &[vp.into(), priority, OUT, OUT + 4]);
        (self.ram.read32(OUT), self.ram.read32(OUT + 4))
    }

    /// Flags, CAM, report address, chip.
    #[track_caller]
    pub fn vp_info(&self, vp: u32) -> (u64, u64, u64, u32) {
        self.ok(GET_VP_INFO, &[vp.into(), OUT, OUT + 8, OUT + 16, OUT + 24]);
        (self.ram.read64(OUT), self.ram.read64(OUT + 8), self.ram.read64(OUT + 16), self.ram.read32(OUT + 24))
    }

    #[track_caller]
    pub fn allocate_irq(&self) -> u32 {
        let irq = self.call(ALLOCATE_IRQ, &[ANY_CHIP]);
        assert!(irq >= 0, "{irq}");
        irq as u32
    }

    /// An IPI with a route, made ready as Linux does it.
    #[track_caller]
    pub fn ipi(&self, vp: u32, priority: u64, data: u64) -> u32 {
        let irq = self.allocate_irq();
        self.ok(SET_IRQ_CONFIG, &[irq.into(), vp.into(), priority, data]);
        self.load(self.irq_info(irq).eoi + 0xc00);
        irq
    }

    /// Triggers an IPI by its trigger page.
    pub fn trigger(&self, irq: u32) {
        self.xive.window(self.irq_info(irq).trigger).write64(0, 0);
    }

    /// Donates pages until an allocation succeeds: the VP and how many pages it took. Pages are taken from `next`.
    #[track_caller]
    pub fn allocate_vps(&self, order: u64, next: &mut u64) -> (u32, u32) {
        for pages in 0..10_000 {
            match self.call(ALLOCATE_VP_BLOCK, &[order]) {
                PROVISIONING => {
                    self.ok(DONATE_PAGE, &[0, *next]);
                    *next += 0x1_0000;
                }
                vp => {
                    assert!(vp >= 0, "{vp}");
                    return (vp as u32, pages);
                }
            }
        }
        panic!("no end of donations");
    }
}

/// XSCOM that takes 64-bit stores only: register and value.
#[derive(Default)]
pub struct Recorder(pub std::sync::Mutex<Vec<(u64, u64)>>);

macro_rules! unreachable_accesses {
    ($($read:ident $write:ident $type:ty),+) => {
        $(fn $read(&self, _: u64) -> $type {
            unreachable!()
        }
        fn $write(&self, _: u64, _: $type) {
            unreachable!()
        })+
    };
}

impl Mmio for Recorder {
    unreachable_accesses!(read8 write8 u8, read16 write16 u16, read32 write32 u32);
    fn read64(&self, _: u64) -> u64 {
        unreachable!()
    }
    fn write64(&self, offset: u64, value: u64) {
        self.0.lock().unwrap().push((offset >> 3, value));
    }
}
