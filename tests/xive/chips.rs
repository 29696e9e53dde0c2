//! Two chips: what is on which, and what goes from one to the other.

use super::machine::*;
use super::model::ram::ModelRam;
use super::psi::Psi;
use super::xive::{Place, Xive};
use opalite::hw::mmio::Mmio;
use opalite::hw::ram::Ram;
use opalite::interrupts::xive::Chips;
use opalite::mem::{MemoryMap, Region};
use opalite::services::{Parts, Services};

/// A thread of chip 0 and one of chip 1.
const NEAR: u32 = 0x04;
const FAR: u32 = 0x125;
const QUEUES: [(u32, u64); 2] = [(NEAR, QUEUE), (FAR, QUEUE + 0x1_0000)];

/// Two chips in exploitation mode, each thread with queue 7. [`Machine::xive`] is chip 0's.
struct Pair {
    machine: Machine,
    far: Xive<ModelRam>,
}

impl Pair {
    fn booted() -> Self {
        let ram = ModelRam::new(0, RAM);
        let memory: &'static ModelRam = Box::leak(Box::new(ram.clone()));
        let mut region = Region::new(REGION + 0x1_2345..RAM);
        let models = [Xive::new(ram.clone(), 0, &[NEAR]), Xive::new(ram.clone(), 1, &[FAR])];
        let mut chips: Vec<_> = (0..)
            .zip(&models)
            .map(|(chip, model)| driver(chip, &[NEAR, FAR], model, memory, &mut region))
            .collect();
        let (first, second) = chips.split_at_mut(1);
        first[0].add_neighbour(&second[0]);
        second[0].add_neighbour(&first[0]);
        let [xive, far] = models;
        xive.connect(&[&far]);
        far.connect(&[&xive]);
        for model in [&xive, &far] {
            model.require_pc_vsds(true);
        }
        let firmware = opalite::firmware::Firmware {
            memory: MemoryMap::new(std::iter::once(0..RAM).collect(), REGION..RAM),
            ram: memory,
            interrupts: Box::leak(Box::new(Chips::new(chips))),
            phbs: &[],
            dma: opalite::services::dma::Dma::default(),
            services: Services::new(Parts::default()),
        };
        Self { machine: Machine { ram, xive, psi: Psi::new(), firmware }, far }
    }

    fn exploiting() -> Self {
        let pair = Self::booted();
        pair.machine.ok(RESET, &[1]);
        for (pir, queue) in QUEUES {
            pair.machine.ok(SET_QUEUE_INFO, &[pir.into(), 7, queue, 16, 3]);
        }
        pair.machine.xive.forget_accesses();
        pair.far.forget_accesses();
        pair
    }

    /// A source of chip 1 that is ready.
    fn far_source(&self) -> u32 {
        let irq = self.machine.call(ALLOCATE_IRQ, &[1]);
        assert_eq!(irq, 0x1000_0010);
        self.far.window(ESB + STRIDE + (0x10 << 17) + 0x1_0000).read64(0xc00);
        irq as u32
    }

    /// Triggers a source of chip 1 and ends the interrupt; says how many events went to chip 0.
    fn trigger_far(&self, irq: u32) -> usize {
        self.far.trigger(irq);
        let forwarded = self.far.deliver();
        self.far.esb_load(irq, 0);
        forwarded
    }

    fn entries(&self, queue: u64) -> [u32; 2] {
        [queue, queue + 4].map(|address| self.machine.ram.read32(address))
    }
}

fn syncs(xive: &Xive<ModelRam>) -> usize {
    xive.writes().iter().filter(|write| write.place == Place::Notify).count()
}

#[test]
fn each_chip_knows_the_other_s_ports() {
    let pair = Pair::booted();
    let far_tables: Vec<(u64, u64)> = {
        let writes = pair.machine.xive.writes();
        let ic: Vec<_> = writes.iter().filter(|write| write.place == Place::Ic).collect();
        let pairs = ic.windows(2).filter(|pair| pair[0].offset == 0x808 && pair[1].offset == 0x810);
        pairs.map(|pair| (pair[0].value, pair[1].value)).filter(|entry| entry.0 as u32 == 0).collect()
    };
    let notify = 3 << 62 | (IC + STRIDE + 0x1_0000);
    let far_block: Vec<_> =
        far_tables.into_iter().filter(|entry| entry.0 >> 32 & 0x1f == 1 && entry.0 >> 48 < 4).collect();
    assert_eq!(
        far_block,
        [
            (1 << 32, notify),
            (1 << 48 | 1 << 32, notify),
            (2 << 48 | 1 << 32, notify),
            // 64 GiB: 2^(24 + 12).
            (3 << 48 | 1 << 32, 3 << 62 | (0x0006_0180_0000_0000 + STRIDE) | 24),
        ]
    );
}

#[test]
fn a_far_source_comes_to_a_near_queue_and_goes_back() {
    let pair = Pair::exploiting();
    let irq = pair.far_source();
    pair.machine.ok(SET_IRQ_CONFIG, &[irq.into(), NEAR.into(), 7, 0x1234]);
    assert_eq!(pair.machine.irq_config(irq), (NEAR.into(), 7, 0x1234));
    assert_eq!(pair.trigger_far(irq), 1);
    assert_eq!((pair.entries(QUEUE), pair.entries(QUEUE + 0x1_0000)), ([0x8000_1234, 0], [0; 2]));
    Mmio::write8(&pair.machine.xive.window_of(NEAR, TM + 0x1_0000), 0x31, 0xff);
    assert!(pair.machine.xive.hv_interrupt(NEAR));

    pair.machine.ok(SET_IRQ_CONFIG, &[irq.into(), FAR.into(), 7, 0x5678]);
    assert_eq!(pair.machine.irq_config(irq), (FAR.into(), 7, 0x5678));
    assert_eq!(pair.trigger_far(irq), 0);
    assert_eq!((pair.entries(QUEUE), pair.entries(QUEUE + 0x1_0000)), ([0x8000_1234, 0], [0x8000_5678, 0]));
    assert_eq!((pair.machine.xive.lost(), pair.far.lost()), (vec![], vec![]));
}

#[test]
fn a_route_away_from_the_other_chip_waits_for_both() {
    let pair = Pair::exploiting();
    let irq = pair.far_source();
    pair.machine.ok(SET_IRQ_CONFIG, &[irq.into(), NEAR.into(), 7, 1]);
    assert_eq!((syncs(&pair.machine.xive), syncs(&pair.far)), (0, 5), "it went nowhere before");
    pair.machine.ok(SET_IRQ_CONFIG, &[irq.into(), FAR.into(), 7, 1]);
    assert_eq!((syncs(&pair.machine.xive), syncs(&pair.far)), (5, 10));
    pair.machine.ok(SET_IRQ_CONFIG, &[irq.into(), FAR.into(), 7, 2]);
    assert_eq!((syncs(&pair.machine.xive), syncs(&pair.far)), (5, 15));
    pair.machine.ok(SET_IRQ_CONFIG, &[irq.into(), NEAR.into(), 7, 2]);
    pair.machine.ok(SYNC, &[1, irq.into()]);
    assert_eq!((syncs(&pair.machine.xive), syncs(&pair.far)), (10, 25));
}

#[test]
fn numbers_tell_the_chip() {
    let pair = Pair::exploiting();
    let irq = pair.far_source();
    let info = pair.machine.irq_info(irq);
    let esb = ESB + STRIDE + (0x10 << 17);
    assert_eq!((info.chip, info.trigger, info.eoi), (1, esb, esb + 0x1_0000));
    assert_eq!(pair.machine.vp_info(FAR), (1, 0x8_00a5, 0, 1));
    assert_eq!(pair.machine.vp_info(NEAR), (1, 0x84, 0, 0));
    let queue = pair.machine.queue_info(FAR, 7);
    assert_eq!((queue.page, queue.eoi), (QUEUE + 0x1_0000, END_ESB + STRIDE + ((0xa5 * 8 + 7) << 17)));
    assert_eq!(queue.escalation, 0x1000_0000 | 1 << 27 | (0xa5 * 8 + 7));
    assert_eq!(pair.machine.allocate_irq(), 0x10, "any: the caller's chip");
    for (token, args) in [
        (ALLOCATE_IRQ, [2, 0]),
        (GET_VP_STATE, [0x205, OUT]),
        (FREE_IRQ, [0x2000_0010, 0]),
        (FREE_VP_BLOCK, [0x4010_0000, 0]),
        (DONATE_PAGE, [2, 0x1000_0000]),
    ] {
        assert_eq!(pair.machine.call(token, &args), PARAMETER, "{token} {args:x?}");
    }
}

#[test]
fn a_reset_silences_all_chips() {
    let pair = Pair::exploiting();
    let irq = pair.far_source();
    pair.machine.ok(SET_IRQ_CONFIG, &[irq.into(), NEAR.into(), 7, 1]);
    pair.machine.ok(RESET, &[1]);
    assert_eq!(pair.far.pq(irq), 1);
    assert_eq!(pair.far.eas(0x10), Some(0));
    for (xive, nvt) in [(&pair.machine.xive, 0x84), (&pair.far, 0xa5)] {
        assert_eq!(xive.lost(), []);
        assert_eq!(xive.nvt(u8::from(nvt == 0xa5), nvt).unwrap()[0], 0x8000_0000);
    }
    assert_eq!(pair.machine.queue_info(NEAR, 7).flags, 0);
    assert_eq!(pair.machine.queue_info(FAR, 7).flags, 0);
}

#[test]
fn a_reset_clears_no_queue_while_another_chip_sends() {
    const ADDRESS: u64 = 0x0fff_ffff_ffff_f000;
    let pair = Pair::exploiting();
    let irq = pair.far_source();
    pair.machine.ok(SET_IRQ_CONFIG, &[irq.into(), NEAR.into(), 7, 1]);
    let table = |xive: &Xive<ModelRam>, ic: u64, name: u64| {
        xive.window(ic).write64(0x808, name);
        xive.window(ic).read64(0x810) & ADDRESS
    };
    let source = table(&pair.far, IC + STRIDE, 1 << 32) + 0x10 * 8;
    let ends = pair.machine.ram.read64(table(&pair.machine.xive, IC, 2 << 48)) & ADDRESS;
    let queue = ends + (0x84 * 8 + 7) * 32;
    pair.machine.ram.watch(source, 8);
    pair.machine.ram.watch(queue, 32);
    pair.machine.ok(RESET, &[1]);
    let writes: Vec<u64> = pair.machine.ram.writes().iter().map(|write| write.address).collect();
    assert_eq!(writes.first(), Some(&source), "{writes:x?}");
    assert!(writes.contains(&queue), "{writes:x?}");
}

#[test]
fn blocks_of_vps_are_spread_and_pages_belong_to_one_chip() {
    let pair = Pair::exploiting();
    let machine = &pair.machine;
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[3]), 0x4000_0000);
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[3]), 0x4008_0000);
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[3]), 0x4000_0008);
    assert_eq!(machine.vp_info(0x4008_0007), (0, 0x8_0007, 0, 1));
    let page = 0x1000_0000;
    machine.ok(DONATE_PAGE, &[1, page]);
    for chip in [0, 1, ANY_CHIP] {
        assert_eq!(machine.call(DONATE_PAGE, &[chip, page]), PARAMETER);
    }
    // 256 VPs lack a page of ENDs on each chip; chip 1, whose turn it is, has one.
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[8]), 0x4008_0100);
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[8]), PROVISIONING);
    machine.ok(DONATE_PAGE, &[ANY_CHIP, page + 0x1_0000]);
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[8]), 0x4000_0100);
    machine.ok(FREE_VP_BLOCK, &[0x4000_0100]);
    // Chip 1's turn, and it has no page; chip 0 needs none.
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[8]), 0x4000_0100);
}
