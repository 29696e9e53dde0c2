//! The difference to what stock skiboot hands to Linux on the same machine: each is wanted, with its reason, and any
//! other fails.

use crate::machine::{self, QEMU8, QEMU9, QEMU10};
use crate::wanted::{self, DEVICES, EVERYWHERE, FROM_POWER9, POWER8, POWER9, POWER10, Wanted};
use opalite::dt::pci::PciNode;
use opalite::dt::tree::Tree;
use opalite::units::Pir;

fn compare(ours: &[u8], theirs: &[u8], tables: &[&[Wanted]]) {
    let found = wanted::compare(ours, theirs, tables);
    assert!(found.unwanted.is_empty(), "\n{}", found.unwanted.join("\n"));
    assert!(found.unused.is_empty(), "these differences don't occur: {:#?}", found.unused);
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
