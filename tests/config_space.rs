//! Config space through the OPAL calls, and enumeration.

mod machine;
mod model;

use machine::{HARDWARE, Machine, PARAMETER, SUCCESS, kind, on_every_bridge};
use model::pci_device::{PciDevice, PortType};
use opalite::pci::{self, Device, Kind};
use opalite::phb;

fn nvme() -> PciDevice {
    PciDevice::endpoint(0x1b36, 0x0010).class(0x01_0802).interrupt_pin(1).express(PortType::Endpoint, 0)
}

fn scan(machine: &Machine, id: u64) -> Vec<Device> {
    let mut bridge = phb::find(machine.fw.phbs, id).unwrap().lock();
    pci::scan(&mut **bridge)
}

fn with_nvme() -> Machine {
    let machine = Machine::with(|models| models[0].attach(0, nvme()));
    scan(&machine, 0);
    machine
}

fn every_width_reads_the_same_bytes() {
    let machine = with_nvme();
    assert_eq!(machine.config_read(0, 0x100, 0, 4), (SUCCESS, 0x0010_1b36));
    assert_eq!(machine.config_read(0, 0x100, 0, 2), (SUCCESS, 0x1b36));
    assert_eq!(machine.config_read(0, 0x100, 2, 2), (SUCCESS, 0x0010));
    for (at, byte) in [0x36, 0x1b, 0x10, 0x00].into_iter().enumerate() {
        assert_eq!(machine.config_read(0, 0x100, at as u64, 1), (SUCCESS, byte));
    }
    // The root port has four-byte registers only.
    assert_eq!(machine.config_read(0, 0, 0, 4), (SUCCESS, kind().root_port));
    assert_eq!(machine.config_read(0, 0, 2, 2), (SUCCESS, kind().root_port >> 16));
    assert_eq!(machine.config_read(0, 0, 1, 1), (SUCCESS, 0x10));
}

fn every_width_writes_its_bytes_only() {
    let machine = with_nvme();
    for (bdfn, at) in [(0x100, 0x3c), (0, 0x18)] {
        let before = machine.config_read(0, bdfn, at, 4).1;
        assert_eq!(machine.config_write(0, bdfn, at, 1, 0xffff_ff5a), SUCCESS);
        assert_eq!(machine.config_read(0, bdfn, at, 4).1, before & !0xff | 0x5a);
        assert_eq!(machine.config_write(0, bdfn, at, 4, before.into()), SUCCESS);
        assert_eq!(machine.config_read(0, bdfn, at, 4).1, before);
    }
    assert_eq!(machine.config_write(0, 0x100, 4, 2, 0x0007), SUCCESS);
    assert_eq!(machine.config_read(0, 0x100, 4, 2).1, 7 & 0x0547);
    assert_eq!(machine.config_write(0, 0, 0x1a, 1, 0x7f), SUCCESS);
    assert_eq!(machine.config_read(0, 0, 0x18, 4).1, 0x007f_0100);
}

fn a_narrow_write_to_the_root_port_clears_no_status_beside_it() {
    let machine = with_nvme();
    let port = machine.models[0].root_port();
    port.poke(0x04, 0xf900_0006);
    assert_eq!(machine.config_write(0, 0, 4, 2, 6), SUCCESS);
    assert_eq!(port.register(4), 0xf900_0006, "the error bits must still be there");
    assert_eq!(machine.config_write(0, 0, 6, 2, 0xffff), SUCCESS);
    assert_eq!(port.register(4) >> 27, 0);
    port.poke(0x50, 0x000f_000f);
    assert_eq!(machine.config_write(0, 0, 0x50, 1, 7), SUCCESS);
    assert_eq!(port.register(0x50) >> 16, 0xf);
}

fn bridge_windows_of_the_root_port_are_kept_for_the_os() {
    let machine = with_nvme();
    let port = machine.models[0].root_port();
    let hardware = port.register(0x20);
    assert_eq!(machine.config_write(0, 0, 0x20, 4, 0x8ff0_8000), SUCCESS);
    assert_eq!(machine.config_read(0, 0, 0x20, 4).1, 0x8ff0_8000);
    assert_eq!(machine.config_write(0, 0, 0x24, 2, 0x1234), SUCCESS);
    assert_eq!(machine.config_read(0, 0, 0x24, 2).1, 0x1231);
    assert_eq!(machine.config_write(0, 0, 0x2c, 4, 0x0006_0000), SUCCESS);
    assert_eq!(machine.config_read(0, 0, 0x2c, 4).1, 0x0006_0000);
    assert_eq!(machine.config_read(0, 0, 0x30, 4).1, 0);
    assert_eq!(machine.config_read(0, 0, 0x1c, 2).1 & 0x1ff, 0x1f1 & 0x1ff);
    // A PHB3's windows are real.
    let wanted = if kind().options { hardware } else { 0x8ff0_8000 };
    assert_eq!(port.register(0x20), wanted);
}

fn absent_functions_read_as_ones() {
    let machine = with_nvme();
    assert_eq!(machine.config_read(0, 0x108, 0, 4), (SUCCESS, u32::MAX));
    assert_eq!(machine.config_read(1, 0x100, 0, 2), (SUCCESS, 0xffff));
    assert_eq!(machine.config_read(0, 0x4200, 0x3d, 1), (SUCCESS, 0xff));
    assert_eq!(machine.config_write(0, 0x108, 4, 2, 7), SUCCESS);
    assert!(!machine.models[0].is_fenced());
}

fn bad_accesses_are_refused_with_ones() {
    let machine = with_nvme();
    for (phb, bdfn, offset, width, status) in [
        (0, 0x100, 0x1000, 4, PARAMETER),
        (0, 0x100, 1 << 32, 4, PARAMETER),
        (0, 0x1_0000, 0, 4, PARAMETER),
        (0, 1 << 32 | 0x100, 0, 4, PARAMETER),
        (0, 0x100, 2, 4, PARAMETER),
        (0, 0x100, 1, 2, PARAMETER),
        (0, 0x100, 0xfff, 2, PARAMETER),
        (0, 0x08, 0, 4, HARDWARE),
        (0, 0x01, 0, 1, HARDWARE),
    ] {
        let ones = u32::MAX >> (32 - 8 * width);
        assert_eq!(machine.config_read(phb, bdfn, offset, width), (status, ones), "{bdfn:#x} {offset:#x}");
        assert_eq!(machine.config_write(phb, bdfn, offset, width, 0), status, "{bdfn:#x} {offset:#x}");
    }
    assert_eq!(machine.config_read(kind().bridges, 0x100, 0, 4), (PARAMETER, 0x5555_5555));
}

fn a_fenced_bridge_is_told_apart_from_an_absent_device() {
    let machine = with_nvme();
    machine.models[0].fence();
    assert_eq!(machine.config_read(0, 0x100, 0, 4), (HARDWARE, u32::MAX));
    assert_eq!(machine.config_write(0, 0x100, 4, 2, 6), HARDWARE);
    assert_eq!(machine.config_read(0, 0, 0, 4), (HARDWARE, u32::MAX));
}

fn an_access_carries_the_pe_of_its_function() {
    let machine = with_nvme();
    assert_eq!(machine.call(31, [0, 5, 0x100, 7, 0, 0, 1]), SUCCESS);
    machine.models[0].clear_writes();
    machine.config_read(0, 0x100, 0x10, 4);
    assert!(machine.models[0].writes().contains(&(0x140, 8, 0x8010_0010_0005_0000)));
}

fn a_frozen_pe_s_config_space_reads_as_ones() {
    let machine = with_nvme();
    assert_eq!(machine.call(31, [0, 5, 0x100, 7, 0, 0, 1]), SUCCESS);
    machine.models[0].freeze(5);
    assert_eq!(machine.config_read(0, 0x100, 0, 4), (SUCCESS, u32::MAX));
    assert_eq!(machine.call(26, [0, 5, 1]), SUCCESS);
    assert_eq!(machine.config_read(0, 0x100, 0, 4), (SUCCESS, 0x0010_1b36));
}

fn an_empty_bridge_has_its_root_port_only() {
    let machine = Machine::new();
    let found = scan(&machine, 2);
    assert_eq!(found.len(), 1);
    let root = &found[0];
    assert_eq!(
        (root.vendor, root.device, root.kind),
        (0x1014, (kind().root_port >> 16) as u16, Kind::RootPort)
    );
    assert_eq!(root.buses, Some((1, 0xff)));
    assert!(root.children.is_empty());
}

fn scan_finds_what_a_device_is() {
    let seen = nvme();
    let attached = seen.clone();
    let machine = Machine::with(|models| models[0].attach(0, attached));
    let found = scan(&machine, 0);
    let device = &found[0].children[0];
    assert_eq!(device.bdfn.as_u16(), 0x100);
    assert_eq!((device.vendor, device.device), (0x1b36, 0x0010));
    assert_eq!((device.class, device.revision), (0x01_0802, 1));
    assert_eq!((device.kind, device.interrupt_pin), (Kind::Endpoint, 1));
    assert!(device.is_pcie() && !device.is_bridge());
    // It was told to report errors; its capability is the first one.
    let express = (seen.register(0x34) & 0xff) as u16;
    assert_eq!(seen.register(express) & 0xff, 0x10);
    assert_eq!(seen.register(express + 8) & 0xf, 0xf);
}

fn scan_finds_all_functions_of_a_device_and_stops_at_single_ones() {
    let (zero, three) = (nvme(), nvme());
    let machine = Machine::with(|models| {
        models[0].attach(0, zero);
        models[0].attach(3, three);
    });
    let found = scan(&machine, 0);
    let functions: Vec<u16> = found[0].children.iter().map(|device| device.bdfn.as_u16()).collect();
    assert_eq!(functions, [0x100, 0x103]);
}

/// A device and all behind it.
fn all(device: &Device) -> Vec<&Device> {
    std::iter::once(device).chain(device.children.iter().flat_map(all)).collect()
}

fn a_switch_s_buses_are_numbered_depth_first() {
    let down = |device| PciDevice::bridge(0x104c, device, PortType::Downstream);
    let (behind_first, behind_second) = (nvme(), nvme());
    let first = down(1).child(0, 0, behind_first);
    let second = down(2).child(0, 0, behind_second);
    let third = down(3);
    let up = PciDevice::bridge(0x104c, 0x8232, PortType::Upstream)
        .child(0, 0, first.clone())
        .child(1, 0, second.clone())
        .child(17, 0, third.clone());
    let upstream = up.clone();
    let machine = Machine::with(move |models| models[1].attach(0, upstream));
    machine.models[1].clear_writes();
    let found = scan(&machine, 1);
    let asked: std::collections::BTreeSet<u64> = machine.models[1]
        .writes()
        .iter()
        .filter(|(offset, ..)| *offset == 0x140)
        .map(|(_, _, address)| address >> 44 & 0xffff)
        .collect();
    assert!(asked.contains(&0x2f8), "a switch's own bus has 32 devices");
    assert!(!asked.contains(&0x308) && !asked.contains(&0x508), "below a port there is one");
    let all: Vec<_> = all(&found[0]).iter().map(|d| (d.bdfn.as_u16(), d.buses)).collect();
    assert_eq!(
        all,
        [
            (0x0000, Some((1, 0xff))),
            (0x0100, Some((2, 5))),
            (0x0200, Some((3, 3))),
            (0x0300, None),
            (0x0208, Some((4, 4))),
            (0x0400, None),
            (0x0288, Some((5, 5))),
        ]
    );
    assert_eq!(up.register(0x18) & 0xff_ffff, 0x05_0201);
    assert_eq!(first.register(0x18) & 0xff_ffff, 0x03_0302);
    assert_eq!(third.register(0x18) & 0xff_ffff, 0x05_0502);
    for bridge in [&up, &first, &second, &third] {
        let windows = [0x1c, 0x20, 0x24].map(|register| bridge.register(register));
        assert_eq!(
            [windows[0] & 0xf0f0, windows[1], windows[2] & 0xfff0_fff0],
            [0xf0, 0xfff0, 0xfff0],
            "nothing passes"
        );
        assert_eq!(bridge.register(0x04) & 6, 6);
    }
    assert_eq!(machine.config_read(1, 0x400, 0, 4), (SUCCESS, 0x0010_1b36));
}

fn below_a_link_only_device_0_is_looked_for() {
    let device = nvme();
    let seen = device.clone();
    let machine = Machine::with(|models| models[0].attach(0, device));
    machine.models[0].clear_writes();
    scan(&machine, 0);
    let asked: std::collections::BTreeSet<u64> = machine.models[0]
        .writes()
        .iter()
        .filter(|(offset, ..)| *offset == 0x140)
        .map(|(_, _, address)| address >> 44 & 0xffff)
        // A PHB3's root port is asked so as well.
        .filter(|rid| *rid != 0)
        .collect();
    assert_eq!(asked.into_iter().collect::<Vec<_>>(), [0x100]);
    assert!(seen.config_reads() < 20, "{} reads for one device", seen.config_reads());
}

fn a_conventional_bus_is_scanned_whole() {
    let card = PciDevice::endpoint(0x1234, 0x11e8).interrupt_pin(1);
    let bridge = PciDevice::bridge(0x1b36, 0x0e, PortType::ToConventional).child(31, 0, card);
    let machine = Machine::with(|models| models[2].attach(0, bridge));
    let found = scan(&machine, 2);
    let bridge = &found[0].children[0];
    assert_eq!(bridge.kind, Kind::ToConventional);
    assert_eq!(bridge.children[0].bdfn.as_u16(), 0x2f8);
    assert_eq!(bridge.children[0].kind, Kind::Conventional);
}

on_every_bridge! {
    every_width_reads_the_same_bytes
    every_width_writes_its_bytes_only
    a_narrow_write_to_the_root_port_clears_no_status_beside_it
    bridge_windows_of_the_root_port_are_kept_for_the_os
    absent_functions_read_as_ones
    bad_accesses_are_refused_with_ones
    a_fenced_bridge_is_told_apart_from_an_absent_device
    an_access_carries_the_pe_of_its_function
    a_frozen_pe_s_config_space_reads_as_ones
    an_empty_bridge_has_its_root_port_only
    scan_finds_what_a_device_is
    scan_finds_all_functions_of_a_device_and_stops_at_single_ones
    a_switch_s_buses_are_numbered_depth_first
    below_a_link_only_device_0_is_looked_for
    a_conventional_bus_is_scanned_whole
}
