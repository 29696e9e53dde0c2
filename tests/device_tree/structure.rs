//! What must hold of any device tree, whatever is in it.

use crate::flat::{Flat, cells};
use crate::machine::{self, QEMU8, QEMU9, QEMU9_SMP8, QEMU10, bridge, function};
use opalite::dt::pci::{PciNode, Slot};
use opalite::dt::tree::Tree;
use opalite::error::{Error, why};
use opalite::pci::{Device, Kind};
use opalite::units::{Bdfn, Pir};

const MACHINES: [&[u8]; 4] = [QEMU8, QEMU9, QEMU9_SMP8, QEMU10];

/// Bridges behind bridges, devices at numbers that turn the pins.
fn nested(index: u32) -> Vec<PciNode> {
    if index != 3 {
        return machine::sample_devices(index);
    }
    let device = |bus, number, part, pin| PciNode {
        interrupt_pin: pin,
        ..function((bus, number, part), (0x8086, 0x10d3), 0x02_0000, 0)
    };
    let down =
        |number, bus, pin| bridge((2, number, 0), (0x104c, 0x8233), None, vec![device(bus, 0, 0, pin)]);
    let inner = bridge((5, 3, 0), (0x1b36, 1), None, vec![device(6, 6, 1, 2), device(6, 31, 7, 4)]);
    let mut last = down(7, 5, 3);
    last.children.push(inner);
    vec![bridge((1, 0, 0), (0x104c, 0x8232), None, vec![down(0, 3, 1), down(2, 4, 1), last])]
}

#[test]
fn phandles_are_unique_and_references_resolve() {
    for qemu in MACHINES {
        let flat = Flat::read(&machine::blob(qemu, nested));
        let mut references = 0;
        for (path, properties) in &flat.nodes {
            for name in properties.keys() {
                references += usize::from(flat.show(path, name).contains('&'));
            }
        }
        assert!(references > 10, "{references} references");
        assert_eq!(
            flat.phandles[&0x8000].split('/').next_back().unwrap().split('@').next(),
            match qemu {
                _ if qemu == QEMU8 => Some("isa"),
                _ => Some("lpc"),
            }
        );
    }
}

#[test]
fn what_the_machine_said_is_still_there() {
    for qemu in MACHINES {
        let (theirs, ours) = (Flat::read(qemu), Flat::read(&machine::blob(qemu, nested)));
        for (path, properties) in &theirs.nodes {
            for (name, value) in properties {
                assert_eq!(ours.property(path, name), Some(value.as_slice()), "{path} {name}");
            }
        }
    }
}

#[test]
fn every_specifier_has_the_width_that_its_controller_wants() {
    for qemu in MACHINES {
        let flat = Flat::read(&machine::blob(qemu, nested));
        let mut seen = 0;
        for (path, properties) in &flat.nodes {
            let Some(interrupts) = properties.get("interrupts") else { continue };
            // PCI functions name a pin, which a map above turns into an interrupt.
            let parent = path.rsplit_once('/').unwrap().0;
            let controller = match properties.get("interrupt-parent") {
                Some(value) => flat.phandles[&cells(value)[0]].clone(),
                None => parent.to_owned(),
            };
            let width = flat.cell(&controller, "#interrupt-cells").unwrap() as usize;
            let count = cells(interrupts).len();
            assert!(count > 0 && count.is_multiple_of(width), "{path}: {count} cells for {controller}");
            assert!(
                ["interrupt-controller", "interrupt-map"]
                    .iter()
                    .any(|name| flat.property(&controller, name).is_some()),
                "{path}: {controller} takes no interrupts"
            );
            if let Some(names) = properties.get("interrupt-names") {
                assert_eq!(names.iter().filter(|&&byte| byte == 0).count(), count / width);
            }
            seen += 1;
        }
        assert!(seen > 3);
    }
}

/// The root port's pin to which a function's pin is wired: each bridge turns by the device number of what is behind
/// it, but for the root port, which has a link with one device.
fn wired_pin(path: &str, pin: u32) -> u32 {
    let names: Vec<&str> = path.split('/').skip(1).collect();
    let numbers = names[2..].iter().map(|name| {
        let number = name.rsplit_once('@').unwrap().1.split(',').next().unwrap();
        u32::from_str_radix(number, 16).unwrap()
    });
    (numbers.sum::<u32>() + pin - 1) % 4
}

#[test]
fn pins_reach_the_root_port_turned_by_each_bridge() {
    let flat = Flat::read(&machine::blob(QEMU9, nested));
    let mut pins = Vec::new();
    for (path, properties) in &flat.nodes {
        let Some(pin) = properties.get("interrupts").filter(|_| path.starts_with("/pciex@")) else {
            continue;
        };
        let phb = path.split('/').nth(1).unwrap();
        let msi = cells(flat.property(&format!("/{phb}"), "ibm,opal-msi-ranges").unwrap());
        let wanted = msi[0] + msi[1] + wired_pin(path, cells(pin)[0]);

        let bridge = path.rsplit_once('/').unwrap().0;
        let mask = cells(flat.property(bridge, "interrupt-map-mask").unwrap());
        let unit = cells(&properties["reg"])[0];
        let key = [unit & mask[0], 0, 0, cells(pin)[0] & mask[3]];
        let map = flat.interrupt_map(bridge);
        let found: Vec<_> = map.iter().filter(|(child, ..)| *child == key).collect();
        assert_eq!(found.len(), 1, "{path}");
        assert_eq!(found[0].1, "/interrupt-controller@0");
        assert_eq!(found[0].2, [wanted, 1], "{path}");
        pins.push(wanted);
    }
    pins.dedup();
    assert!(pins.len() >= 8, "the sample turns pins: {pins:x?}");
}

#[test]
fn no_function_lacks_what_makes_it_one() {
    let flat = Flat::read(&machine::blob(QEMU9, nested));
    let mut functions = 0;
    for (path, properties) in
        flat.nodes.iter().filter(|(path, _)| path[1..].contains("/pci") || path.contains("@600c3c"))
    {
        if path.matches('/').count() < 2 || !path.starts_with("/pciex@") {
            continue;
        }
        for name in ["class-code", "vendor-id", "device-id", "revision-id", "ibm,pci-config-space-type"] {
            assert_eq!(properties.get(name).map(Vec::len), Some(4), "{path} {name}");
        }
        assert_eq!(properties["reg"].len(), 20, "{path}");
        functions += 1;
    }
    assert_eq!(functions, 6 + 4 + 1 + 3 + 3 + 1 + 2);
}

#[test]
fn a_function_without_a_pin_has_no_interrupt() {
    let silent = |_| vec![PciNode { interrupt_pin: 0, ..function((1, 0, 0), (0x1b36, 0x10), 0x01_0802, 2) }];
    let flat = Flat::read(&machine::blob(QEMU9, silent));
    let path = "/pciex@600c3c0000000/pci@0/mass-storage@0";
    assert!(flat.nodes.contains_key(path));
    assert_eq!(flat.property(path, "interrupts"), None);
}

#[test]
fn a_slot_has_the_phandle_by_which_the_os_names_it() {
    let flat = Flat::read(&machine::blob(QEMU9, nested));
    let slots: Vec<_> =
        flat.nodes.iter().filter(|(_, properties)| properties.contains_key("ibm,slot-pluggable")).collect();
    assert_eq!(slots.len(), 6 + 2);
    assert!(slots.iter().all(|(_, properties)| properties.contains_key("phandle")));
}

#[test]
fn the_first_chip_s_lpc_bus_is_found_in_any_order() {
    let reversed = Tree::from_blob(QEMU9_SMP8).unwrap().to_blob(Pir(0));
    for qemu in [QEMU9_SMP8, &reversed] {
        let flat = Flat::read(&machine::blob(qemu, nested));
        assert_eq!(flat.interrupt_map("/lpcm-opb@6030000000000/lpc@0").len(), 2);
        assert_eq!(flat.property("/lpcm-opb@6070000000000/lpc@0", "interrupt-map"), None);
    }
}

#[test]
fn what_the_scan_found_is_published() {
    let found = |bdfn, class, kind, buses, children| Device {
        bdfn,
        vendor: 0x1b36,
        device: 0x10,
        class,
        revision: 2,
        kind,
        interrupt_pin: 1,
        buses,
        children,
    };
    let at = |bus, device| Bdfn::new(bus, device, 0).unwrap();
    let inner = found(at(2, 5), 0x01_0802, Kind::Conventional, None, Vec::new());
    let outer = found(at(1, 0), 0x06_0400, Kind::ToConventional, Some((2, 2)), vec![inner]);
    let slot = Slot { label: "riser".into(), reset_by_firmware: true, pluggable: false, surprise: false };
    let node = PciNode::from_scan(&outer, Some(slot.clone()));
    assert_eq!((node.slot.as_ref(), node.extended, node.is_bridge), (Some(&slot), true, true));
    let inner = &node.children[0];
    assert_eq!((inner.slot.as_ref(), inner.extended, inner.is_bridge), (None, false, false));
    assert_eq!((inner.bdfn, inner.vendor, inner.device), (at(2, 5), 0x1b36, 0x10));
    assert_eq!((inner.class, inner.revision, inner.interrupt_pin), (0x01_0802, 2, 1));
}

#[test]
fn functions_are_named_by_class_and_place() {
    let flat = Flat::read(&machine::blob(QEMU9, nested));
    for path in [
        "/pciex@600c3c0000000/pci@0/mass-storage@0",
        "/pciex@600c3c0100000/pci@0/ethernet@0",
        "/pciex@600c3c0200000/pci@0/pci@0/device@2",
        "/pciex@600c3c0300000/pci@0/pci@0/pci@7/pci@3/ethernet@1f,7",
    ] {
        assert!(flat.nodes.contains_key(path), "{path}");
    }
    let last = "/pciex@600c3c0300000/pci@0/pci@0/pci@7/pci@3/ethernet@1f,7";
    assert_eq!(flat.cell(last, "reg"), Some(0x06_ff00));
}

#[test]
fn cores_keep_the_order_of_their_threads() {
    let blob = machine::blob(QEMU9_SMP8, nested);
    let tree = Tree::from_blob(&blob).unwrap();
    // Reading turns the order round, as it does with QEMU's.
    let mut names: Vec<&str> = tree.node("/cpus").unwrap().children().map(|node| node.name()).collect();
    names.reverse();
    assert_eq!(
        names[..4],
        ["PowerPC,POWER9@0", "PowerPC,POWER9@4", "PowerPC,POWER9@100", "PowerPC,POWER9@104"]
    );
}

#[test]
fn a_phandle_is_given_once() {
    let mut tree = Tree::from_blob(QEMU9).unwrap();
    assert_eq!(tree.phandle("/lpcm-opb@6030000000000/lpc@0").0, 0x8000);
    let memory = tree.phandle("/memory@0");
    assert_eq!(memory.0, 0x8001);
    assert_eq!(tree.phandle("/memory@0"), memory);
    assert_eq!(tree.phandle("/chosen").0, 0x8002);
}

#[test]
fn setting_a_property_again_replaces_it() {
    let mut tree = Tree::new();
    tree.make("/a/b").set_cells("x", &[1, 2]).set_string("y", "text").set_cells("x", &[3]);
    let blob = tree.to_blob(Pir(0x104));
    let flat = Flat::read(&blob);
    assert_eq!(flat.boot_cpu, 0x104);
    assert_eq!(flat.property("/a/b", "x"), Some(&[0, 0, 0, 3][..]));
    assert_eq!(flat.property("/a/b", "y"), Some(&b"text\0"[..]));
    assert_eq!(flat.nodes.keys().collect::<Vec<_>>(), ["/", "/a", "/a/b"]);
}

#[test]
fn reservations_end_with_a_zero_entry() {
    let mut tree = Tree::new();
    tree.reserve(0x3f00_0000..0x4000_0000);
    let blob = tree.to_blob(Pir(0));
    assert_eq!(Flat::read(&blob).reservations, [(0x3f00_0000, 0x100_0000)]);
    assert_eq!(blob[40 + 16..40 + 32], [0; 16]);
}

#[test]
fn a_broken_blob_is_refused_wherever_it_is_cut() {
    assert!(Tree::from_blob(QEMU9).is_ok());
    for length in (0..QEMU9.len()).step_by(7) {
        assert_eq!(
            Tree::from_blob(&QEMU9[..length]).err(),
            Some(Error::Parameter(why("device tree blob"))),
            "{length}"
        );
    }
    // The magic number, the version, the last version that it is compatible with.
    for (at, value) in [(3, 0xec), (23, 15), (27, 18)] {
        let mut wrong = QEMU9.to_vec();
        wrong[at] = value;
        assert!(Tree::from_blob(&wrong).is_err(), "byte {at}");
    }
}
