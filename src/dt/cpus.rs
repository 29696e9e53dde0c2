//! `/cpus`: what QEMU leaves out about each core, and the features of the processor.

use crate::dt::Generation;
use crate::dt::features::{self, Feature, Needs};
use crate::dt::tree::{NodeMut, Tree};
use alloc::vec::Vec;

/// What Linux can map with the radix MMU: the AP field of a PTE in bits 31:29, the page shift below.
/// Absent, Linux knows 4 KiB and 64 KiB only and maps its own memory with them.
const RADIX_PAGES: [u32; 4] = [0x0000_000c, 0xa000_0010, 0x2000_0015, 0x4000_001e];

/// Adds to every core's node, and publishes the features.
pub fn publish(tree: &mut Tree, generation: Generation) {
    for core in tree.select("/cpus", |node| node.is("device_type", "cpu")) {
        let node = tree.get(core);
        let chip = node.cell("ibm,chip-id").unwrap_or(0);
        let pir = node.cell("ibm,pir").or(node.cell("reg")).unwrap_or(0);
        let mut node = tree.at(core);
        node.set_cells("ibm,processor-storage-keys", &[32, 32]);
        node.set_cells("ibm,associativity", &[5, 0, 0, 0, chip, pir]);
        node.set_cells("ibm,dec-bits", &[if generation == Generation::Power8 { 32 } else { 56 }]);
        if generation != Generation::Power8 {
            node.set_cells("ibm,processor-radix-AP-encodings", &RADIX_PAGES);
        }
    }
    publish_features(tree, generation);
}

fn publish_features(tree: &mut Tree, generation: Generation) {
    let (isa, name) = match generation {
        Generation::Power8 => (2070, "POWER8"),
        Generation::Power9 => (3000, "POWER9"),
        Generation::Power10 => (3100, "POWER10"),
    };
    let mut parent = tree.make("/cpus/ibm,powerpc-cpu-features");
    parent.set_string("compatible", "ibm,powerpc-cpu-features");
    parent.set_string("device_type", "cpu-features");
    parent.set_string("display-name", name);
    parent.set_cells("isa", &[isa]);
    for feature in features::of(generation) {
        // What it depends on stands above it in the table, so those nodes exist.
        let after: Vec<u32> = feature.after().map(|needed| parent.child(needed.name()).phandle().0).collect();
        let mut node = parent.child(feature.name());
        publish_feature(&mut node, feature);
        if !after.is_empty() {
            node.set_cells("dependencies", &after);
        }
    }
}

fn publish_feature(node: &mut NodeMut<'_>, feature: &Feature) {
    node.set_cells("isa", &[feature.isa.into()]);
    node.set_cells("usable-privilege", &[feature.privilege.into()]);
    let support = |needs: Needs| match needs {
        Needs::Nothing => (None, None),
        Needs::Recipe => (Some(0), None),
        Needs::RecipeAndBit(bit) => (Some(0), Some(bit)),
        Needs::Bit(bit) => (Some(1), Some(bit)),
    };
    let (hv_support, hfscr) = support(feature.hypervisor);
    let (os_support, fscr) = support(feature.os);
    let optional = [
        ("hv-support", hv_support),
        ("hfscr-bit-nr", hfscr),
        ("os-support", os_support),
        ("fscr-bit-nr", fscr),
        ("hwcap-bit-nr", feature.hwcap),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            node.set_cells(name, &[value.into()]);
        }
    }
}
