//! What boot leaves in the unit.

use super::machine::*;
use super::model::ram::ModelRam;
use super::psi::Write;
use super::xive::{Place, Xive};
use opalite::hw::ram::Ram;
use opalite::mem::Region;
use opalite::units::Pir;

fn stores(machine: &Machine, place: Place) -> Vec<(u64, u64)> {
    let writes = machine.xive.writes();
    writes.iter().filter(|write| write.place == place).map(|write| (write.offset, write.value)).collect()
}

fn last(stores: &[(u64, u64)], offset: u64) -> Option<u64> {
    stores.iter().rev().find(|store| store.0 == offset).map(|store| store.1)
}

/// The tables, as the VSDs of a unit name them: type, block → VSD.
fn descriptors(machine: &Machine, address: u64) -> Vec<(u64, u64)> {
    pairs(&stores(machine, Place::Ic), address)
}

fn pairs(stores: &[(u64, u64)], address: u64) -> Vec<(u64, u64)> {
    let pairs = stores.windows(2).filter(|pair| pair[0].0 == address && pair[1].0 == address + 8);
    pairs.map(|pair| (pair[0].1, pair[1].1)).collect()
}

#[test]
fn bars_are_invalid_before_they_are_valid() {
    let machine = Machine::booted();
    assert_eq!(
        stores(&machine, Place::Scom),
        [
            (0x090, 0x0800_0000_0000_0000),
            (0x040, 0),
            (0x048, 0),
            (0x060, 0),
            (0x050, 0),
            (0x058, 0),
            (0x068, 0),
            (0x040, 0xc006_0302_0000_0000),
            (0x048, 0xc006_0302_0318_0000),
        ]
    );
    let stores = stores(&machine, Place::Ic);
    // 64 Ki sources, a million ENDs, 128 Ki NVPs and NVGs: a pair of 64 KiB pages for each.
    assert_eq!(last(&stores, 0x050), Some(0xc006_0500_0000_0009));
    assert_eq!(last(&stores, 0x058), Some(0xc006_0600_0000_000d));
    assert_eq!(last(&stores, 0x060), Some(0xc006_0400_0000_000a));
}

#[test]
fn unit_is_configured_with_the_reference_s_values() {
    let machine = Machine::booted();
    let stores = stores(&machine, Place::Ic);
    assert_eq!(last(&stores, 0x018), Some(0x0030_8000_0200_0000));
    assert_eq!(last(&stores, 0x1a8), Some(0x0000_1000_0000_0007));
    for queue in 0..7 {
        assert_eq!(last(&stores, 0x1_00b8 + 8 * queue), Some(0x0204_0000), "queue {queue}");
    }
    // Every set of ESBs, ENDs and NVPs is block 0's.
    for table in [0, 2, 3] {
        let select = 1 << 63 | table << 48;
        let at = stores.iter().position(|&store| store == (0x070, select)).unwrap();
        assert_eq!(stores[at + 1..at + 17], [(0x078, 1 << 63); 16]);
    }
}

#[test]
fn tables_are_told_to_the_units_that_use_them() {
    let machine = Machine::booted();
    let vc = descriptors(&machine, 0x1_0000);
    let types: Vec<u64> = vc.iter().map(|entry| entry.0).collect();
    let overflow = (0..7).map(|queue: u64| 8 << 48 | queue << 32);
    let expected: Vec<u64> = [6 << 48, 1 << 48, 0, 2 << 48, 3 << 48].into_iter().chain(overflow).collect();
    assert_eq!(types, expected);
    assert_eq!(vc[0].1, 1 << 63 | IC | 13, "the unit's own 32 MiB");
    // 512 KiB of EASs, 16 KiB of PQ bits, indirect with 64 KiB pages, 64 KiB overflow.
    let shape: Vec<u64> = vc[1..].iter().map(|entry| entry.1 & !0x00ff_ffff_ffff_f000).collect();
    let exclusive = 1 << 63;
    assert_eq!(shape[..4], [exclusive | 7, exclusive | 2, exclusive | 0x84, exclusive | 0x84]);
    assert_eq!(shape[4..], [exclusive | 4; 7]);
    // The PC doesn't look at EASs and overflow.
    assert_eq!(descriptors(&machine, 0x2_0000), vc[2..5]);
    let mut ranges: Vec<(u64, u64)> =
        vc[1..].iter().map(|entry| (entry.1 & 0x00ff_ffff_ffff_f000, 4096 << (entry.1 & 0x1f))).collect();
    ranges.sort_unstable();
    assert!(ranges[0].0 >= REGION && ranges.iter().all(|range| range.0 + range.1 <= RAM));
    assert!(ranges.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "{ranges:x?}");
    let esb = vc[2].1 & 0x00ff_ffff_ffff_f000;
    assert!(machine.ram.bytes(esb, 0x4000).iter().all(|&byte| byte == 0x55), "all sources off");
}

#[test]
fn another_chip_is_reached_through_its_regions_of_pages() {
    let ram = ModelRam::new(0, RAM);
    let memory: &'static ModelRam = Box::leak(Box::new(ram.clone()));
    let mut region = Region::new(REGION..RAM);
    let models = [Xive::new(ram.clone(), 0, &[0x04]), Xive::new(ram.clone(), 1, &[0x104])];
    let mut chips: Vec<_> = (0..)
        .zip(&models)
        .map(|(chip, model)| driver(chip, &[0x04, 0x104], model, memory, &mut region))
        .collect();
    models[0].forget_accesses();
    let (first, second) = chips.split_at_mut(1);
    first[0].add_neighbour(&second[0]);
    // PQ bits, ENDs, NVPs, each in block 1: forwarded to where chip 1's BARs are, of their size. Other EASs are never read.
    let forward = |address: u64, log2: u64| 3 << 62 | (address + STRIDE) | (log2 - 12);
    let expected = [
        (1 << 32, forward(0x6_0500_0000_0000, 33)),
        (2 << 48 | 1 << 32, forward(0x6_0600_0000_0000, 37)),
        (3 << 48 | 1 << 32, forward(0x6_0400_0000_0000, 34)),
    ];
    let stores: Vec<_> = models[0].writes().iter().map(|write| (write.offset, write.value)).collect();
    for unit in [0x1_0000, 0x2_0000] {
        assert_eq!(pairs(&stores, unit), expected, "{unit:#x}");
    }
    assert_eq!(stores.len(), 12);
}

#[test]
fn threads_can_be_notified_and_no_source_can() {
    let machine = Machine::booted();
    for pir in PIRS {
        assert!(machine.xive.thread_enabled(pir));
        assert_eq!(machine.xive.rings(pir)[0x38], 0x80);
    }
    assert!(!machine.xive.thread_enabled(6));
    assert_eq!(nvt(&machine.xive, 0x86).unwrap(), [0; 8]);
    for irq in PSI_FIRST..PSI_FIRST + 16 {
        let eas = machine.xive.eas(irq).unwrap();
        assert_eq!(eas & 0x8000_0000_ffff_ffff, 1 << 63 | 1 << 31 | u64::from(irq));
    }
    assert_eq!(machine.xive.eas(0x10), Some(0));
}

#[test]
fn psi_has_64_kib_pages_and_is_off_until_it_can_notify() {
    let machine = Machine::booted();
    assert_eq!(
        machine.psi.writes(),
        [
            (0x60, 0),
            (0x60, PSI_ESB | 1 << 62 | 1),
            (0x70, 0xfff0 << 32),
            (0x68, PSI_PORT | 1),
            (0x58, 1 << 62),
            (0x58, 0)
        ]
        .map(|(offset, value)| Write::Register { offset, value })
    );
    for source in 0..14 {
        assert_eq!(machine.psi.pq(source), 1);
        machine.psi.set_input(source, true);
    }
    assert_eq!(machine.psi.events(), []);
}

#[test]
fn boots_again_on_what_a_machine_reset_leaves() {
    let first = Machine::exploiting();
    let irq = first.ipi(PIR, 7, 1);
    first.xive.machine_reset();
    first.psi.machine_reset();
    let machine = Machine::boot(first.ram.clone(), first.xive.clone(), first.psi.clone());
    machine.ok(RESET, &[1]);
    assert_eq!(machine.call(GET_IRQ_CONFIG, &[irq.into(), OUT, OUT + 8, OUT + 12]), PARAMETER);
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 16, 3]);
    let irq = machine.ipi(PIR, 7, 0x55);
    machine.trigger(irq);
    assert_eq!(machine.ram.read32(QUEUE), 0x8000_0055);
}

#[test]
fn each_core_is_told_where_the_tima_is() {
    let machine = Machine::booted();
    // Cores 0, 1, 2, 31: of four in a quad, a bit each.
    let scom = Recorder::default();
    for pir in [0x00, 0x04, 0x08, 0x7c] {
        ADDRESSES.announce_tima(&scom, Pir(pir));
    }
    let value = 0xc006_0302_0318_0000;
    assert_eq!(
        *scom.0.lock().unwrap(),
        [(0x2001_8650, value), (0x2001_4650, value), (0x2001_2650, value), (0x2701_1650, value)]
    );
    assert!(machine.xive.lost().is_empty());
}
