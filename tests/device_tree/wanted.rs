//! What differs between our tree and that of stock skiboot on the same machine: every difference is in one of these
//! tables, with its reason, or is a complaint. The host tests compare what `dt` makes of QEMU's trees with samples; xtask
//! compares what two boots handed to Linux, in which more differs.

use super::flat::Flat;
use std::collections::BTreeSet;

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
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
pub type Wanted = (Kind, &'static str, &'static str, &'static str);

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

/// What a comparison found.
pub struct Comparison {
    /// Differences that no table has, a line each.
    pub unwanted: Vec<String>,
    /// Entries of the tables that fit no difference.
    pub unused: Vec<Wanted>,
}

/// Compares two trees, with the differences of these tables allowed.
pub fn compare(ours: &[u8], theirs: &[u8], tables: &[&[Wanted]]) -> Comparison {
    let wanted: Vec<&Wanted> = tables.iter().copied().flatten().collect();
    let mut used = BTreeSet::new();
    let mut unwanted = Vec::new();
    for (kind, path, name, value) in differences(&Flat::read(ours), &Flat::read(theirs)) {
        let is = |entry: &&Wanted| entry.0 == kind && matches(entry.1, &path) && matches(entry.2, &name);
        match wanted.iter().position(is) {
            Some(index) => drop(used.insert(index)),
            None => unwanted.push(format!("{kind:?} {path} {name} {value}")),
        }
    }
    let unused =
        (0..wanted.len()).filter(|index| !used.contains(index)).map(|index| *wanted[index]).collect();
    Comparison { unwanted, unused }
}

#[rustfmt::skip] // One line per difference.
pub const EVERYWHERE: &[Wanted] = &[
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
pub const FROM_POWER9: &[Wanted] = &[
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
pub const POWER8: &[Wanted] = &[
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
pub const POWER9: &[Wanted] = &[
    (Theirs, "/cpus/PowerPC,POWER9@*", "interrupt*", "an IPI that nobody looks for there"),
    (Theirs, "/pciex@*", "ibm,capi-flags", "no CAPI"),
    (Theirs, "/pciex@*", "ibm,capp-timebase-sync", "no CAPI"),
    (Theirs, "/pciex@*", "ibm,phb-indications", "no CAPI"),
];

#[rustfmt::skip]
pub const POWER10: &[Wanted] = &[
    (Theirs, "/cpus/ibm,powerpc-cpu-features/matrix-multiply-accumulate", "", "Linux knows it by another name"),
    (Ours, "/cpus/ibm,powerpc-cpu-features/matrix-multiply-assist", "", "the name that Linux knows"),
    (Theirs, "/xscom@*/pau@*", "", "OpenCAPI units that QEMU doesn't have"),
];

#[rustfmt::skip]
pub const DEVICES: &[Wanted] = &[
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
