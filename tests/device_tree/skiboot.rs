//! The difference to what stock skiboot hands to Linux on the same machine: each is wanted, with its reason, and any
//! other fails.

use crate::flat::Flat;
use crate::machine::{self, QEMU8, QEMU9, QEMU10};
use opalite::dt::pci::PciNode;
use opalite::dt::tree::Tree;
use opalite::units::Pir;
use std::collections::BTreeSet;

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Only skiboot has it.
    Theirs,
    /// Only we have it.
    Ours,
    /// Both have it, with different values.
    Value,
}
use Kind::{Ours, Theirs, Value};

/// A wanted difference: kind, nodes, property ("" for the node itself with all that is beneath), reason. `*` stands for any
/// text without a slash.
type Wanted = (Kind, &'static str, &'static str, &'static str);

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            let end = rest.find('/').unwrap_or(rest.len());
            (0..=end).any(|at| rest.is_char_boundary(at) && matches(tail, &rest[at..]))
        }),
    }
}

/// Differences between two trees: kind, node, property, and what to show.
fn differences(ours: &Flat, theirs: &Flat) -> Vec<(Kind, String, String, String)> {
    let mut found = Vec::new();
    for (kind, one, other) in [(Ours, ours, theirs), (Theirs, theirs, ours)] {
        for (path, properties) in &one.nodes {
            let parent =
                path.rsplit_once('/').map_or("", |(parent, _)| if parent.is_empty() { "/" } else { parent });
            if !other.nodes.contains_key(path) {
                if other.nodes.contains_key(parent) {
                    found.push((kind, path.clone(), String::new(), String::new()));
                }
                continue;
            }
            for name in properties.keys().filter(|name| *name != "phandle") {
                let here = one.show(path, name);
                match other.property(path, name) {
                    None => found.push((kind, path.clone(), name.clone(), here)),
                    Some(_) if kind == Ours && here != other.show(path, name) => {
                        let both = format!("{here} instead of {}", other.show(path, name));
                        found.push((Value, path.clone(), name.clone(), both));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    found
}

fn compare(ours: &[u8], theirs: &[u8], tables: &[&[Wanted]]) {
    let wanted: Vec<&Wanted> = tables.iter().copied().flatten().collect();
    let mut used = BTreeSet::new();
    let mut unwanted = Vec::new();
    for difference in differences(&Flat::read(ours), &Flat::read(theirs)) {
        let (kind, path, name, _) = &difference;
        let is = |entry: &&Wanted| entry.0 == *kind && matches(entry.1, path) && matches(entry.2, name);
        match wanted.iter().position(is) {
            Some(index) => drop(used.insert(index)),
            None => unwanted.push(difference),
        }
    }
    let text = unwanted.iter().map(|(kind, path, name, value)| format!("{kind:?} {path} {name} {value}\n"));
    let text: String = text.collect();
    assert!(text.is_empty(), "\n{text}");
    let unused: Vec<_> = (0..wanted.len()).filter(|index| !used.contains(index)).map(|i| wanted[i]).collect();
    assert!(unused.is_empty(), "these differences don't occur: {unused:#?}");
}

/// QEMU's tree for the command line with which skiboot's sample was made: 2 GiB, a kernel command line, an initrd.
fn started_like_the_sample(qemu: &[u8]) -> Tree {
    let mut tree = Tree::from_blob(qemu).unwrap();
    tree.make("/memory@0").set_u64s("reg", &[0, 0x8000_0000]);
    let mut chosen = tree.make("/chosen");
    chosen.set_string("bootargs", "console=hvc0 quiet");
    chosen.set_cells("linux,initrd-start", &[0x2800_0000]).set_cells("linux,initrd-end", &[0x2812_22f8]);
    tree
}

fn blob(qemu: &[u8], devices: fn(u32) -> Vec<PciNode>) -> Vec<u8> {
    let mut tree = started_like_the_sample(qemu);
    machine::publish(&mut tree, devices);
    tree.to_blob(Pir(0))
}

#[rustfmt::skip] // One line per difference.
const EVERYWHERE: &[Wanted] = &[
    (Theirs, "/", "system-id", "a placeholder: there is no such number"),
    (Value, "/chosen", "linux,initrd-*", "64 bits instead of 32: a reader may take two cells for granted"),
    (Theirs, "/ibm,opal", "opal-boot-address", "for memory-preserving reboot (MPIPL), which is not offered"),
    (Theirs, "/ibm,opal", "opal-interrupts*", "older form of `interrupts` and `interrupt-names`, read only without those"),
    (Theirs, "/ibm,opal", "ibm,opal-trace*", "skiboot's own trace buffers"),
    (Theirs, "/ibm,opal", "fast-reboot", "tells people about skiboot's own short-cut"),
    (Theirs, "/ibm,opal/diagnostics", "", "the daemon for processor diagnostics needs services that aren't offered"),
    (Value, "/ibm,opal/firmware", "symbol-map", "ours is empty; Linux warns when it is missing"),
    (Theirs, "/ibm,opal/firmware/exports", "symbol_map", "skiboot's own symbol table"),
    (Theirs, "/ibm,opal/firmware/exports", "hdat_map", "there is no HDAT on QEMU"),
    (Theirs, "/ibm,opal/firmware/exports/traces", "", "skiboot's own trace buffers"),
    (Ours, "/ibm,opal/firmware/exports", "dma_windows", "a view of what firmware did"),
    (Value, "/ibm,opal/firmware", "version", "another firmware"),
    (Ours, "/ibm,opal/dma-windows", "", "Opalite's own calls"),
    (Ours, "/rtas", "", "PAPR's calls on DMA windows"),
    (Ours, "/pciex@*", "ibm,dma-window", "PAPR's default window"),
    (Ours, "/pciex@*", "ibm,#dma-*-cells", "PAPR's default window"),
    (Ours, "/pciex@*", "ibm,ddw-*", "PAPR's dynamic windows"),
    (Theirs, "/ibm,opal/flash@0", "", "flash is not offered"),
    (Theirs, "/ibm,opal/ipmi", "", "messages to the BMC are not offered"),
    (Ours, "/ibm,opal/nvram", "", "offered, and said to be volatile"),
    (Ours, "/ibm,opal/fw-features", "", "on QEMU nothing is speculated, so Linux need not flush caches"),
    (Theirs, "/ibm,opal/power-mgt", "domain-runs-at", "nobody reads it"),
    (Theirs, "/ibm,opal/power-mgt", "freq-domain-mask", "nobody reads it"),
    (Theirs, "/pciex@*", "ibm,opal-single-pe", "nobody reads it"),
    (Theirs, "/pciex@*", "clock-frequency", "nobody reads it"),
    (Theirs, "/pciex@*", "ibm,xscom-bases", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0", "ibm,slot-power-*", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0", "ibm,slot-attn-led", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0", "ibm,slot-ca*", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0", "ibm,slot-connector-type", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0", "ibm,slot-wired-lanes", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0", "ibm,power-limit", "nobody reads it"),
    (Value, "/pciex@*", "ibm,opal-*-table", "firmware's own addresses"),
    (Theirs, "/xscom@*", "ibm,occ-functional-state", "the OCC is not offered"),
];

#[rustfmt::skip]
const FROM_POWER9: &[Wanted] = &[
    (Theirs, "/ibm,opal/power-mgt", "ibm,pstate-core-max", "nobody reads it"),
    (Theirs, "/ibm,opal/power-mgt", "ibm,pstate-base", "nobody reads it"),
    (Ours, "/cpus/PowerPC,POWER*", "ibm,processor-radix-AP-encodings", "so that Linux maps with 2 MiB and 1 GiB pages"),
    (Theirs, "/ibm,opal/firmware/exports", "occ_inband_sensors", "sensors are not offered"),
    (Theirs, "/ibm,opal/sensor-groups", "", "sensors are not offered"),
    (Theirs, "/ibm,opal/power-mgt/powercap", "", "power caps are not offered"),
    (Theirs, "/ibm,opal/power-mgt/psr", "", "power shifting is not offered"),
    (Theirs, "/pciex@*", "ibm,opal-m64-segment-splits", "nobody reads it"),
    (Theirs, "/xscom@*/i2cm@*/i2c-bus@*", "ibm,opal-id", "I2C is not offered"),
    (Ours, "/xscom@*/i2cm@*/i2c-bus@*", "status", "I2C is not offered: disabled"),
];

#[rustfmt::skip]
const POWER8: &[Wanted] = &[
    (Value, "/ibm,opal", "ibm,heartbeat-ms", "skiboot's own timers need the polling, and here nothing does"),
    (Theirs, "/ibm,opal/power-mgt", "ibm,pstate-*", "the OCC's table of this generation isn't read"),
    (Value, "/cpus/PowerPC,POWER8@*", "ibm,associativity", "the last level is the PIR on every generation; it only has to be unique"),
    (Theirs, "/ibm,opal/power-mgt", "ibm,cpu-idle-state-pmicr*", "all zero, and nobody reads it"),
    (Theirs, "/ibm,opal/power-mgt", "#*-cells", "for the node of the OCC"),
    (Theirs, "/ibm,opal/power-mgt/occ@*", "", "frequencies are not offered"),
    (Theirs, "/ibm,opal/sensors/*", "", "sensors are not offered"),
    (Ours, "/pciex@*", "ibm,opal-available-m64-ranges", "says what Linux takes for granted without it"),
    (Ours, "/pciex@*", "status", "as on the later generations"),
    (Theirs, "/pciex@*", "ibm,capi-flags", "no CAPI"),
    (Theirs, "/pciex@*", "ibm,capp-timebase-sync", "no CAPI"),
    (Theirs, "/pciex@*", "ibm,msi-eoi-method", "nobody reads it"),
    (Theirs, "/pciex@*", "ibm,opal-ive-stride", "nobody reads it"),
    (Theirs, "/pciex@*", "ibm,opal-ivt-table", "nobody reads it"),
    (Theirs, "/pciex@*", "ibm,opal-rba-table", "nobody reads it"),
    (Theirs, "/pciex@*", "ibm,pbcq", "nobody reads it"),
];

#[rustfmt::skip]
const POWER9: &[Wanted] = &[
    (Theirs, "/cpus/PowerPC,POWER9@*", "interrupt*", "an IPI that nobody looks for there"),
    (Theirs, "/pciex@*", "ibm,capi-flags", "no CAPI"),
    (Theirs, "/pciex@*", "ibm,capp-timebase-sync", "no CAPI"),
    (Theirs, "/pciex@*", "ibm,phb-indications", "no CAPI"),
];

#[rustfmt::skip]
const POWER10: &[Wanted] = &[
    (Theirs, "/cpus/ibm,powerpc-cpu-features/matrix-multiply-accumulate", "", "Linux knows it by another name"),
    (Ours, "/cpus/ibm,powerpc-cpu-features/matrix-multiply-assist", "", "the name that Linux knows"),
    (Theirs, "/xscom@*/pau@*", "", "OpenCAPI units that QEMU doesn't have"),
];

#[rustfmt::skip]
const DEVICES: &[Wanted] = &[
    (Theirs, "/pciex@*/pci@0/pci@0", "ibm,slot-power-*", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0/pci@0", "ibm,slot-attn-led", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0/pci@0", "ibm,slot-ca*", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0/pci@0", "ibm,slot-connector-type", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0/pci@0", "ibm,slot-wired-lanes", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0/pci@0", "ibm,power-limit", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0/pci@0/device@2", "ibm,slot-power-*", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0/pci@0/device@2", "ibm,slot-attn-led", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0/pci@0/device@2", "ibm,slot-ca*", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0/pci@0/device@2", "ibm,slot-connector-type", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0/pci@0/device@2", "ibm,slot-wired-lanes", "nobody reads it"),
    (Theirs, "/pciex@*/pci@0/pci@0/device@2", "ibm,power-limit", "nobody reads it"),
    (Value, "/pciex@*/pci@0/pci@0", "interrupt-map*", "a shorter map with a shorter mask; `pins_reach_the_root_port_turned_by_each_bridge`"),
];

#[test]
fn powernv9_differs_from_skiboot_only_as_wanted() {
    let theirs = include_bytes!("../data/skiboot-powernv9.dtb");
    compare(&blob(QEMU9, |_| Vec::new()), theirs, &[EVERYWHERE, FROM_POWER9, POWER9]);
}

#[test]
fn powernv9_with_devices_differs_from_skiboot_only_as_wanted() {
    let theirs = include_bytes!("../data/skiboot-powernv9-pcidevs.dtb");
    compare(&blob(QEMU9, machine::sample_devices), theirs, &[EVERYWHERE, FROM_POWER9, POWER9, DEVICES]);
}

#[test]
fn powernv8_differs_from_skiboot_only_as_wanted() {
    let theirs = include_bytes!("../data/skiboot-powernv8.dtb");
    compare(&blob(QEMU8, |_| Vec::new()), theirs, &[EVERYWHERE, POWER8]);
}

#[test]
fn powernv10_differs_from_skiboot_only_as_wanted() {
    let theirs = include_bytes!("../data/skiboot-powernv10.dtb");
    compare(&blob(QEMU10, |_| Vec::new()), theirs, &[EVERYWHERE, FROM_POWER9, POWER10]);
}
