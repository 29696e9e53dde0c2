//! The tree that the OS gets, made from the trees that QEMU 10.0.2 hands over and read back by another crate.
//!
//! `tests/data/qemu-*.dtb` are QEMU's; `skiboot-*.dtb` are what stock skiboot made of them.

use dtoolkit::fdt::Fdt;
use dtoolkit::{Node, Property};
use opalite::dt::interrupts::Xive;
use opalite::dt::memory::Reserved;
use opalite::dt::opal::{Export, OpalNode, OwnInterrupt};
use opalite::dt::platform::{LpcRoute, PsiNode};
use opalite::dt::tree::Tree;
use opalite::dt::{Generation, chosen, cpus, interrupts, memory, opal, platform};
use opalite::units::{ChipId, Isn, Pir};

const QEMU9: &[u8] = include_bytes!("data/qemu-powernv9.dtb");

fn publish(blob: &[u8]) -> Vec<u8> {
    let mut tree = Tree::from_blob(blob).unwrap();
    let generation = opalite::board::detect(&fdt::Fdt::new(blob).unwrap()).unwrap().generation;
    let xive = Xive { tima: 0x6_0302_0318_0000, page: 0x1_0000, chips: &[ChipId(0)] };
    let parent = interrupts::publish_xive1(&mut tree, &xive);
    let psi = PsiNode {
        chip: ChipId(0),
        base: 0x6_0302_0300_0000,
        size: 1 << 32,
        first: Isn(0xffff0),
        sources: 14,
        parent,
        compatible: "ibm,power9-psi",
    };
    let psi = platform::publish_psi(&mut tree, &psi);
    platform::publish_lpc(&mut tree, psi, &[LpcRoute { irq: 4, source: 8 }, LpcRoute { irq: 10, source: 7 }]);
    cpus::publish(&mut tree, generation);
    memory::publish(
        &mut tree,
        &[
            Reserved::firmware(0x3f00_0000..0x4000_0000),
            Reserved::homer(0x203f_fd80_0000, ChipId(0)),
            Reserved::occ_common(0x203f_ff80_0000),
        ],
    );
    chosen::publish(&mut tree);
    let own = [OwnInterrupt { source: Isn(0xffff0), name: "psi#0:fsp".into() }];
    let exports = [Export { name: "windows".into(), address: 0x3f10_0000, size: 0x1000 }];
    let node = OpalNode {
        generation,
        base: 0x3f00_0000,
        entry: 0x3f00_0100,
        runtime_size: 0x100_0000,
        memcons: 0x3f20_0000,
        heartbeat_ms: 2000,
        interrupts: &own,
        interrupt_parent: parent,
        nvram: Some(0x1000),
        version: "opalite-test",
        exports: &exports,
    };
    opal::publish(&mut tree, &node);
    tree.to_blob(Pir(4))
}

#[test]
fn another_crate_reads_the_blob() {
    let blob = publish(QEMU9);
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/out.dtb"), &blob).unwrap();
    let tree = Fdt::new_unchecked(&blob);
    assert_eq!(tree.boot_cpuid_phys(), 4);
    let opal = tree.find_node("/ibm,opal").unwrap();
    assert_eq!(opal.property("opal-base-address").unwrap().value(), 0x3f00_0000u64.to_be_bytes());
}
