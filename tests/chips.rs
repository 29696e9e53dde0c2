//! What boot finds of several chips in the machine's tree, and whether their tables fit into firmware's region.

#[path = "model/ram.rs"]
#[allow(dead_code)]
mod ram;

use opalite::board::{self, Generation, Interrupts};
use opalite::hw::ram::Ram;
use opalite::interrupts::xive::Tables;
use opalite::mem::{self, Region};
use opalite::phb;
use opalite::units::ChipId;

/// QEMU's powernv9 with 4 GiB and two chips of two cores with two threads.
const TREE: &[u8] = include_bytes!("data/qemu-powernv9-smp8.dtb");
const TOP: u64 = 4 << 30;

#[test]
fn each_chip_and_each_of_its_bridges_is_found() {
    let tree = fdt::Fdt::new(TREE).unwrap();
    let mut chips: Vec<_> = opalite::dt::read::chips(&tree).map(|(chip, _)| chip).collect();
    chips.sort_unstable();
    assert_eq!(chips, [ChipId(0), ChipId(1)]);
    let stacks = phb::stacks(&tree);
    let ids: Vec<u64> = stacks.iter().map(phb::StackNode::opal_id).collect();
    assert_eq!(ids, (0..12).collect::<Vec<_>>());
    assert!(stacks[..6].iter().all(|stack| stack.chip == ChipId(0)));
    assert!(stacks[6..].iter().all(|stack| stack.chip == ChipId(1)));
    assert_eq!((stacks[9].pec, stacks[9].stack, stacks[9].phb_index), (2, 0, 3));
}

#[test]
fn a_bridge_of_the_second_chip_has_its_windows_in_that_chip_s_part() {
    let addresses = phb::Addresses {
        chip_stride: 1 << 42,
        mmio64: [0x6_0000_0000_0000, 0x6_0200_0000_0000],
        mmio32: 0x6_00c0_0000_0000,
        esb: 0x6_00c3_0000_0000,
        registers: 0x6_00c3_c000_0000,
    };
    let tree = fdt::Fdt::new(TREE).unwrap();
    let windows = phb::stacks(&tree)[7].windows(&addresses);
    assert_eq!(windows.registers, 0x6_04c3_c010_0000);
    assert_eq!(windows.interrupts, 0x6_04c3_2000_0000);
    assert_eq!(windows.m32, 0x6_04c0_8000_0000..0x6_04c1_0000_0000);
    assert_eq!(windows.m64, 0x6_0440_0000_0000..0x6_0480_0000_0000);
}

#[test]
fn two_chips_fit_into_sixteen_mebibytes_at_the_top_of_memory() {
    let tree = fdt::Fdt::new(TREE).unwrap();
    let home = mem::home(&tree);
    assert_eq!(home, TOP - (16 << 20));
    // Image, log, heap and the OS's tree.
    let model = ram::ModelRam::new(home, TOP - home);
    let mut region = Region::new(home + (1 << 20)..TOP);
    region.allocate_unset(3 << 20, 4096);
    for _thread in 0..8 {
        region.allocate_unset(48 << 10, 4096);
    }
    for _chip in 0..2 {
        Tables::allocate(&mut region, &model as &dyn Ram);
        for pes in [512, 256, 256, 512, 256, 256] {
            // Requesters, lattice, states.
            region.allocate_unset(0x2_0000, 0x2_0000);
            region.allocate_unset(pes * pes / 8, pes * pes / 8);
            region.allocate_unset(pes * 16, 0x2000);
        }
    }
    assert!(region.free() > 2 << 20, "{:#x}", region.free());
}

#[test]
fn each_machine_is_known_by_its_tree() {
    for (blob, generation) in [
        (&include_bytes!("data/qemu-powernv8.dtb")[..], Generation::Power8),
        (TREE, Generation::Power9),
        (&include_bytes!("data/qemu-powernv10.dtb")[..], Generation::Power10),
    ] {
        let board = board::detect(&fdt::Fdt::new(blob).unwrap()).unwrap();
        assert_eq!(board.generation, generation, "{}", board.compatible);
    }
}

#[test]
fn units_of_power8_s_second_chip_lie_at_distances_of_their_own() {
    let tree = fdt::Fdt::new(include_bytes!("data/qemu-powernv8.dtb")).unwrap();
    let board = board::detect(&tree).unwrap();
    assert_eq!(board.xscom.on(ChipId(1)), 0x3_fc08_0000_0000);
    assert_eq!(board.psi.on(ChipId(1)), 0x3_fffe_8010_0000);
    let Interrupts::Xics { presenters } = board.interrupts else { panic!("POWER8 has XICS") };
    assert_eq!(presenters.on(ChipId(1)), 0x3_ffff_8010_0000);
}
