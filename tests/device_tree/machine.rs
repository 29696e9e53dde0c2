//! The machines as boot would describe them: everything that `publish` functions get, with the addresses that
//! skiboot chose, so that its trees compare.

use opalite::dt::interrupts::Xive;
use opalite::dt::memory::Reserved;
use opalite::dt::opal::{Export, OpalNode, OwnInterrupt};
use opalite::dt::pci::{PciNode, PhbNode, Slot, Stack, Window};
use opalite::dt::platform::{LpcRoute, PsiNode};
use opalite::dt::tree::{Phandle, Tree};
use opalite::dt::{
    Generation, chosen, cpus, ddw, dma_windows, interrupts, memory, opal, pci, platform, power,
};
use opalite::hw::occ::Pstates;
use opalite::units::{Bdfn, ChipId, Isn, Pir};

pub const QEMU8: &[u8] = include_bytes!("../data/qemu-powernv8.dtb");
pub const QEMU9: &[u8] = include_bytes!("../data/qemu-powernv9.dtb");
pub const QEMU9_SMP8: &[u8] = include_bytes!("../data/qemu-powernv9-smp8.dtb");
pub const QEMU10: &[u8] = include_bytes!("../data/qemu-powernv10.dtb");

/// A slot of the kind that root ports have.
fn root_slot(index: u32) -> Slot {
    Slot { label: format!("pcie.{index}").into(), reset_by_firmware: true, pluggable: true, surprise: true }
}

/// A function without anything behind it.
pub fn function(bdfn: (u8, u8, u8), id: (u16, u16), class: u32, revision: u8) -> PciNode {
    PciNode {
        bdfn: Bdfn::new(bdfn.0, bdfn.1, bdfn.2).unwrap(),
        vendor: id.0,
        device: id.1,
        class,
        revision,
        extended: true,
        interrupt_pin: 1,
        is_bridge: false,
        slot: None,
        children: Vec::new(),
    }
}

/// A bridge with what is behind it.
pub fn bridge(bdfn: (u8, u8, u8), id: (u16, u16), slot: Option<Slot>, children: Vec<PciNode>) -> PciNode {
    PciNode { is_bridge: true, slot, children, ..function(bdfn, id, 0x06_0400, 0) }
}

/// What is behind the root port of each PHB in the sample `skiboot-powernv9-pcidevs`.
pub fn sample_devices(index: u32) -> Vec<PciNode> {
    let slot = |label: &'static str| Slot { surprise: false, label: label.into(), ..root_slot(0) };
    match index {
        0 => vec![function((1, 0, 0), (0x1b36, 0x10), 0x01_0802, 2)],
        1 => vec![function((1, 0, 0), (0x8086, 0x10c9), 0x02_0000, 1)],
        2 => {
            let edu = PciNode {
                extended: false,
                slot: Some(slot("sw0_down2")),
                ..function((2, 2, 0), (0x1234, 0x11e8), 0x00_ff00, 0x10)
            };
            vec![bridge((1, 0, 0), (0x1b36, 0x0e), Some(slot("sw0_up")), vec![edu])]
        }
        _ => Vec::new(),
    }
}

fn publish_phb9(tree: &mut Tree, generation: Generation, index: u32, parent: Phandle, behind: Vec<PciNode>) {
    let pecs: &[(u32, u32)] = if generation == Generation::Power9 {
        &[(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]
    } else {
        &[(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    };
    let (pec, stack) = pecs[index as usize];
    let nest = match generation {
        Generation::Power9 => 0x401_0c00 + 0x400 * pec,
        _ => [0x301_1800, 0x201_1800][pec as usize],
    };
    let path = format!("/xscom@603fc00000000/pbcq@{nest:x}/stack@{stack}");
    let node = tree.node(&path).unwrap_or_else(|| panic!("{path}")).id();
    let big = index.is_multiple_of(3);
    let sources: u32 = if big { 0x1000 } else { 0x800 };
    let first = [0xfe000, 0xfd800, 0xfd000, 0xfc000, 0xfb800, 0xfb000][index as usize];
    let number = u64::from(index);
    let m64 = [
        0x6_0000_0000_0000,
        0x6_0040_0000_0000,
        0x6_0080_0000_0000,
        0x6_0200_0000_0000,
        0x6_0240_0000_0000,
        0x6_0280_0000_0000,
    ];
    let phb = PhbNode {
        generation,
        id: number,
        chip: ChipId(0),
        index,
        stack: Some(Stack { pec, stack, node }),
        registers: Window { base: 0x6_00c3_c000_0000 + (number << 20), size: 0x1000 },
        esb: Some(Window { base: 0x6_00c3_0000_0000 + (number << 29), size: 0x1000_0000 }),
        m64: Window { base: m64[index as usize], size: 0x40_0000_0000 },
        m32: Window { base: 0x6_00c0_0000_0000 + (number << 31), size: 0x8000_0000 },
        m64_ranges: (1, if big { 31 } else { 15 }),
        pe_count: if big { 512 } else { 256 },
        msis: (Isn(first), sources - 8),
        lsis: Isn(first + sources - 8),
        page_sizes: 1 << 12 | 1 << 16 | 1 << 21 | 1 << 30,
        tables: [
            Window { base: 0x31d0_0000 + (number << 20), size: 0x2_0000 },
            Window { base: 0x31d4_0000 + (number << 20), size: 0x2_0000 },
            Window { base: 0x31d8_0000 + (number << 20), size: if big { 0x2000 } else { 0x1000 } },
        ],
        diag_size: 0x2180,
        interrupt_parent: parent,
    };
    let id = if generation == Generation::Power9 { 0x4c1 } else { 0x652 };
    let mut port = bridge((0, 0, 0), (0x1014, id), Some(root_slot(index)), behind);
    port.interrupt_pin = 0;
    let node = pci::publish_phb(tree, &phb, &[port]);
    ddw::publish_bridge(tree, node, number, true);
}

fn publish_phb8(tree: &mut Tree, index: u32, parent: Phandle) {
    let number = u64::from(index);
    let phb = PhbNode {
        generation: Generation::Power8,
        id: number,
        chip: ChipId(0),
        index,
        stack: None,
        registers: Window { base: 0x3_fffe_4000_0000 + (number << 20), size: 0x1000 },
        esb: None,
        m64: Window { base: 0x3_d000_0000_0000 + (number << 36), size: 0x10_0000_0000 },
        m32: Window { base: 0x3_ff80_0000_0000 + (number << 31), size: 0x8000_0000 },
        m64_ranges: (0, 16),
        pe_count: 256,
        msis: (Isn(0x800 * (index + 1)), 0x7f8),
        lsis: Isn(0x800 * (index + 1) + 0x7f8),
        page_sizes: 1 << 12 | 1 << 16 | 1 << 24 | 1 << 28,
        tables: [
            Window { base: 0x31d8_0000 + (number << 20), size: 0x2_0000 },
            Window { base: 0x31da_2000 + (number << 20), size: 0x2000 },
            Window { base: 0x31da_5000 + (number << 20), size: 0x1000 },
        ],
        diag_size: 0x1128,
        interrupt_parent: parent,
    };
    let mut port = bridge((0, 0, 0), (0x1014, 0x3dc), Some(root_slot(index)), Vec::new());
    port.interrupt_pin = 0;
    let node = pci::publish_phb(tree, &phb, &[port]);
    ddw::publish_bridge(tree, node, number, false);
}

fn reserved(generation: Generation) -> Vec<Reserved> {
    let area = |name, range| Reserved { name, range, labelled: false };
    let homer = match generation {
        Generation::Power8 => 0x7f_fd80_0000,
        Generation::Power9 => 0x203f_fd80_0000,
        Generation::Power10 => 0x300f_fd80_0000,
    };
    let allocations = match generation {
        Generation::Power8 => 0x31c5_8000..0x31f8_0000,
        Generation::Power9 => 0x31c1_8000..0x32c0_2000,
        Generation::Power10 => 0x31c1_8000..0x3338_2000,
    };
    vec![
        area("ibm,firmware-code", 0x3000_0000..0x3060_0000),
        area("ibm,firmware-heap", 0x3060_0000..0x3100_0000),
        area("ibm,firmware-data", 0x3100_0000..0x31c1_0000),
        area("ibm,firmware-stacks", 0x31c1_0000..allocations.start),
        area("ibm,firmware-allocs-memory", allocations),
        Reserved::homer(homer, ChipId(0)),
        Reserved::occ_common(homer + 0x200_0000),
    ]
}

fn own_interrupts(generation: Generation) -> Vec<OwnInterrupt> {
    let named = |first: u32, names: &[&str]| -> Vec<OwnInterrupt> {
        let own = |(index, name): (u32, &&str)| OwnInterrupt {
            source: Isn(first + index),
            name: format!("psi#0:{name}").into(),
        };
        (0..).zip(names).map(own).collect()
    };
    if generation == Generation::Power8 {
        let mut all = named(0x10, &["fsp", "occ", "fsi", "lpchc", "local_err", "external"]);
        let errors = [0xffe, 0xfff, 0x17fe, 0x17ff, 0x1ffe, 0x1fff];
        all.extend(errors.map(|source| OwnInterrupt { source: Isn(source), name: "".into() }));
        return all;
    }
    let mut all = named(
        0xffff0,
        &[
            "fsp",
            "occ",
            "fsi",
            "lpc-hc",
            "local_err",
            "global_err",
            "external",
            "lpc-bt",
            "lpc-uart",
            "lpc-mux2-unused",
            "lpc-mux3-unused",
            "i2c",
            "dio",
            "psu(sbe)",
        ],
    );
    for (phb, end) in (0..).zip([0xff000, 0xfe000, 0xfd800, 0xfd000, 0xfc000, 0xfb800]) {
        for (source, kind) in [(end - 2, "inf"), (end - 1, "err")] {
            let name = format!("phb#{phb:04x}-{kind}").into();
            all.push(OwnInterrupt { source: Isn(source), name });
        }
    }
    all
}

/// Publishes everything for the machine that `tree` comes from. `devices` gives what is behind each root port.
pub fn publish(tree: &mut Tree, devices: fn(u32) -> Vec<PciNode>) {
    let chips = [
        (Generation::Power8, "ibm,power8-xscom"),
        (Generation::Power9, "ibm,power9-xscom"),
        (Generation::Power10, "ibm,power10-xscom"),
    ];
    let is = |name: &str| tree.node("/").unwrap().children().any(|node| node.is_compatible(name));
    let generation = chips.into_iter().find(|(_, name)| is(name)).unwrap().0;
    let xive = Xive { tima: 0x6_0302_0318_0000, page: 0x1_0000, chips: &[ChipId(0)] };
    let parent = match generation {
        Generation::Power8 => interrupts::publish_xics(tree),
        Generation::Power9 => interrupts::publish_xive1(tree, &xive),
        Generation::Power10 => interrupts::publish_xive2(tree, &xive),
    };
    let (base, first, sources, compatible) = match generation {
        Generation::Power8 => (0x3_fffe_8000_0000, 0x10, 0, "ibm,power8-psi"),
        Generation::Power9 => (0x6_0302_0300_0000, 0xffff0, 14, "ibm,power9-psi"),
        Generation::Power10 => (0x6_0302_0300_0000, 0xffff0, 14, "ibm,power9-psi"),
    };
    let psi =
        PsiNode { chip: ChipId(0), base, size: 1 << 32, first: Isn(first), sources, parent, compatible };
    let psi = platform::publish_psi(tree, &psi);
    if generation == Generation::Power8 {
        platform::publish_lpc8(tree);
        (0..3).for_each(|index| publish_phb8(tree, index, parent));
    } else {
        let routes = [LpcRoute { irq: 4, source: 8 }, LpcRoute { irq: 10, source: 7 }];
        platform::publish_lpc(tree, psi, &routes);
        (0..6).for_each(|index| publish_phb9(tree, generation, index, parent, devices(index)));
    }
    platform::hide_i2c(tree);
    let steps: &[(u8, u32)] = match generation {
        Generation::Power8 => &[],
        Generation::Power9 => &[(0, 4_000_000), (1, 3_000_000), (2, 2_000_000)],
        Generation::Power10 => {
            &[(0, 4_200_000), (1, 4_000_000), (2, 3_800_000), (3, 3_000_000), (4, 2_000_000)]
        }
    };
    if let [.., (nominal, _), (min, _)] = *steps {
        let turbo = if generation == Generation::Power9 { 1 } else { 2 };
        let pstates = Pstates { min, nominal, turbo, ultra_turbo: 0, steps: steps.to_vec() };
        power::publish_pstates(tree, &pstates);
    }
    cpus::publish(tree, generation);
    memory::publish(tree, &reserved(generation));
    chosen::publish(tree);
    let node = OpalNode {
        generation,
        base: 0x3000_0000,
        entry: 0x3000_3770,
        runtime_size: if generation == Generation::Power8 { 0x1c5_8000 } else { 0x1c1_8000 },
        memcons: 0x3024_0000,
        heartbeat_ms: 2000,
        interrupts: &own_interrupts(generation),
        interrupt_parent: parent,
        nvram: Some(0x1_0000),
        version: "opalite-test",
        exports: &[Export { name: "dma_windows".into(), address: 0x3100_0000, size: 0x1000 }],
    };
    opal::publish(tree, &node);
    dma_windows::publish(tree, 1 << 12 | 1 << 16);
    ddw::publish_rtas(tree, &ddw::Rtas { page: 0x7eff_0000..0x7f00_0000, entry: 0x7eff_0020 });
}

/// The blob that the OS gets.
pub fn blob(qemu: &[u8], devices: fn(u32) -> Vec<PciNode>) -> Vec<u8> {
    let mut tree = Tree::from_blob(qemu).unwrap();
    publish(&mut tree, devices);
    tree.to_blob(Pir(4))
}
