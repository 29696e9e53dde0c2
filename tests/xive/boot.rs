//! What boot leaves in the unit.

use super::machine::*;
use super::model::ram::ModelRam;
use super::psi::Write;
use super::xive::{Access, Place, Xive};
use opalite::hw::ram::Ram;
use opalite::interrupts::source::{NotifyPort, Sources};
use opalite::units::Pir;

fn stores(machine: &Machine, place: Place) -> Vec<(u64, u64)> {
    let writes = machine.xive.writes();
    writes.iter().filter(|write| write.place == place).map(|write| (write.offset, write.value)).collect()
}

fn last(stores: &[(u64, u64)], offset: u64) -> Option<u64> {
    stores.iter().rev().find(|store| store.0 == offset).map(|store| store.1)
}

/// The tables, as the VSDs name them: type, block → VSD.
fn descriptors(machine: &Machine, address: u64) -> Vec<(u64, u64)> {
    let stores = stores(machine, Place::Ic);
    let pairs = stores.windows(2).filter(|pair| pair[0].0 == address && pair[1].0 == address + 8);
    pairs.map(|pair| (pair[0].1, pair[1].1)).collect()
}

#[test]
fn bars_are_invalid_before_they_are_valid() {
    let machine = Machine::booted();
    let stores = stores(&machine, Place::Scom);
    assert_eq!(
        stores,
        [
            (0x080, 0),
            (0x090, 0),
            (0x0a0, 0),
            (0x0b0, 0),
            (0x0c0, 0),
            (0x080, 0xc006_0302_0310_0000),
            (0x090, 0xc006_0302_0318_0000),
            (0x0b8, 0x0000_0030_0000_0000),
            (0x0b0, 0x8006_0180_0000_0000),
            (0x0c8, 0x0000_0780_0000_0000),
            (0x0c0, 0x8006_0100_0000_0000),
            (0x100, 0x0600_0200_0000_0000),
        ]
    );
}

#[test]
fn unit_is_configured_with_the_reference_s_values() {
    let machine = Machine::booted();
    let stores = stores(&machine, Place::Ic);
    for (offset, value) in [
        (0x050, 0x0002_0000_0000_0000),
        (0x1a8, 0x0000_1000_0000_0003),
        (0x400, 0xe0c0_0002_0000_0000),
        (0x408, 0),
        (0x480, 0x0000_0000_8080_0000),
        (0x800, 0x0000_0000_8000_0000),
        (0x890, 0x0000_0800_0000_0000),
        (0xa20, 0x10),
        (0x840, 0x0000_0000_0004_4000),
        (0x868, 0x0000_0000_0004_4000),
    ] {
        assert_eq!(last(&stores, offset), Some(value), "register {offset:#x}");
    }
    let equeue: Vec<_> = stores.iter().filter(|store| store.0 == 0x920).collect();
    assert_eq!(*equeue[0], (0x920, 0xf980_0000), "b39 and b40; b32:36 say that syncs are done");
}

#[test]
fn domain_tables_split_the_regions() {
    let machine = Machine::booted();
    let stores = stores(&machine, Place::Ic);
    let edt = stores.iter().position(|&store| store == (0x0f0, 0x8001_0000_0000_0000)).unwrap();
    let entries: Vec<u64> = stores[edt + 1..edt + 65].iter().map(|store| store.1).collect();
    assert!(stores[edt + 1..edt + 65].iter().all(|store| store.0 == 0x0f8));
    assert_eq!((entries[0], entries[47]), (1 << 62, 1 << 62 | 47 << 32));
    assert_eq!((entries[48], entries[63]), (2 << 62, 2 << 62 | 15 << 32));
    let vdt = stores.iter().position(|&store| store == (0x0f0, 0x8002_0000_0000_0000)).unwrap();
    assert_eq!(stores[vdt + 1], (0x0f8, 1 << 63));
    assert_eq!(stores[vdt + 16], (0x0f8, 1 << 63 | 15 << 32));
}

#[test]
fn tables_are_told_to_both_units_and_lie_in_firmware_s_memory() {
    let machine = Machine::booted();
    let vc = descriptors(&machine, 0x808);
    let types: Vec<u64> = vc.iter().map(|entry| entry.0).collect();
    assert_eq!(types[..4], [0, 1 << 48, 2 << 48, 3 << 48]);
    assert_eq!(types[4..], [0, 1, 2, 3, 4, 5].map(|queue: u64| 4 << 48 | queue << 32));
    // 512 KiB EAT, 16 KiB SBE, indirect with 64 KiB pages, 64 KiB overflow.
    let shape: Vec<u64> = vc.iter().map(|entry| entry.1 & !0x0fff_ffff_ffff_f000).collect();
    let exclusive = 1 << 63;
    assert_eq!(shape[..4], [exclusive | 7, exclusive | 2, exclusive | 0x84, exclusive | 0x84]);
    assert_eq!(shape[4..], [exclusive | 4; 6]);
    let mut ranges: Vec<(u64, u64)> =
        vc.iter().map(|entry| (entry.1 & 0x0fff_ffff_ffff_f000, 4096 << (entry.1 & 0x1f))).collect();
    // The indirect tables' first pages.
    for entry in [vc[2].1, vc[3].1] {
        let first = machine.ram.read64(entry & 0x0fff_ffff_ffff_f000);
        assert_eq!(first & !0x0fff_ffff_ffff_f000, exclusive | 4);
        assert_eq!(machine.ram.read64((entry & 0x0fff_ffff_ffff_f000) + 8), 0, "no second page");
        ranges.push((first & 0x0fff_ffff_ffff_f000, 0x1_0000));
    }
    ranges.sort_unstable();
    assert!(ranges[0].0 >= REGION && ranges.iter().all(|range| range.0 + range.1 <= RAM));
    assert!(ranges.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0), "{ranges:x?}");
    assert_eq!(descriptors(&machine, 0x488), vc[..4]);
    let sbe = vc[1].1 & 0x0fff_ffff_ffff_f000;
    assert!(machine.ram.bytes(sbe, 0x4000).iter().all(|&byte| byte == 0x55), "all sources off");
}

#[test]
fn threads_can_be_notified_and_no_source_can() {
    let machine = Machine::booted();
    for pir in PIRS {
        assert!(machine.xive.thread_enabled(pir));
        assert_eq!(machine.xive.rings(pir)[0x38], 0x80);
        assert_eq!(machine.xive.nvt(0, 0x80 | pir).unwrap()[0], 0x8000_0000);
    }
    assert!(!machine.xive.thread_enabled(6));
    assert_eq!(machine.xive.nvt(0, 0x86).unwrap(), [0; 16]);
    for irq in PSI_FIRST..PSI_FIRST + 16 {
        assert_eq!(
            machine.xive.eas(irq).unwrap() & 0x8000_0000_ffff_ffff,
            1 << 63 | 1 << 31 | u64::from(irq)
        );
    }
    assert_eq!(machine.xive.eas(PSI_FIRST - 1), Some(0));
    assert_eq!(machine.xive.eas(0x10), Some(0));
}

#[test]
fn psi_is_off_until_it_can_notify() {
    let machine = Machine::booted();
    let registers: Vec<Write> = machine.psi.writes();
    assert_eq!(
        registers,
        [
            (0x60, 0),
            (0x60, PSI_ESB | 1),
            (0x70, 0xfff0 << 32),
            (0x68, (IC + 0x1_0230) | 1),
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
fn bridges_get_aligned_numbers_downward_and_ports_of_their_own() {
    let (ram, xive) = bare();
    let mut driver = driver(&ram, &xive);
    let mut first =
        |count, align| driver.reserve(count, align).map(|isn| isn.0).map_err(|error| error.code());
    assert_eq!(first(16, 16), Ok(0xfff0));
    assert_eq!(first(0x1000, 0x1000), Ok(0xe000));
    assert_eq!(first(0x800, 0x800), Ok(0xd800));
    assert_eq!(first(0x1000, 0x1000), Ok(0xc000));
    assert_eq!(first(0xc000, 0x1000), Err(RESOURCE));
    assert_eq!(first(0, 16), Err(RESOURCE));
    assert_eq!(first(u32::MAX, 1 << 31), Err(RESOURCE));
    assert_eq!(first(0x800, 0x800), Ok(0xb800));
    let mut ports: Vec<u64> = (0..6).map(|number| driver.notify_port(NotifyPort::Phb(number))).collect();
    ports.push(driver.notify_port(NotifyPort::Psi));
    assert_eq!((ports[0], ports[6]), (IC + 0x1_0100, IC + 0x1_0230));
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 7);
    // Reserved numbers aren't given out.
    assert_eq!(xive.eas(0xb800).unwrap() >> 63, 1);
    assert_eq!(xive.eas(0xb7ff), Some(0));
}

fn bare() -> (ModelRam, Xive<ModelRam>) {
    let ram = ModelRam::new(0, RAM);
    (ram.clone(), Xive::new(ram, 0, &PIRS))
}

fn driver(ram: &ModelRam, xive: &Xive<ModelRam>) -> impl Sources {
    use opalite::interrupts::xive::{Setup, Tables, Xive as Driver};
    use opalite::mem::Region;
    use opalite::units::ChipId;
    Driver::new(Setup {
        chip: ChipId(0),
        threads: &[Pir(0x04), Pir(0x104)],
        addresses: ADDRESSES,
        xscom: &xive.scom(),
        ic: xive.window(IC),
        vc: xive.window(ESB),
        ram: ram.clone(),
        tables: Tables::allocate(&mut Region::new(REGION..RAM), ram),
    })
    .unwrap()
}

#[test]
fn a_thread_of_another_chip_is_left_alone() {
    let (ram, xive) = bare();
    let _driver = driver(&ram, &xive);
    let set: Vec<Access> = xive.writes().into_iter().filter(|write| write.offset == 0x448).collect();
    assert_eq!(set.len(), 1);
    assert_eq!(set[0].value, 0x0800_0000_0000_0000);
}

#[test]
fn each_core_is_told_where_the_tima_is() {
    let scom = Recorder::default();
    // Cores 0, 1, 2, 23.
    for pir in [0x00, 0x04, 0x08, 0x5c] {
        ADDRESSES.announce_tima(&scom, Pir(pir));
    }
    let value = 0xc006_0302_0318_0000;
    assert_eq!(
        *scom.0.lock().unwrap(),
        [(0x1001_1010, value), (0x1001_1010, value), (0x1001_1410, value), (0x1501_1410, value)]
    );
}
