//! What Linux needs: properties with their values, by machine (`reference/linux-opal-contract.md` §3).

use crate::flat::{Flat, cells};
use crate::machine::{self, QEMU8, QEMU9, QEMU9_SMP8, QEMU10};
use opalite::dt::memory::Reserved;
use opalite::dt::tree::Tree;
use opalite::dt::{Generation, chosen, interrupts, opal};
use opalite::units::{ChipId, Pir};

/// A value that must be there.
enum Need {
    /// These cells.
    Cells(&'static [u32]),
    /// These 64-bit numbers.
    Numbers(&'static [u64]),
    /// These strings.
    Text(&'static [&'static str]),
    /// The property, without a value.
    Flag,
    /// The phandle of this node.
    Node(&'static str),
}
use Need::{Cells, Flag, Node, Numbers, Text};

/// Node, property, value.
type Row = (&'static str, &'static str, Need);

fn check(flat: &Flat, rows: &[Row]) {
    for (path, name, need) in rows {
        let value = flat.property(path, name).unwrap_or_else(|| panic!("{path} lacks {name}"));
        let wanted: Vec<u8> = match need {
            Cells(cells) => cells.iter().flat_map(|cell| cell.to_be_bytes()).collect(),
            Numbers(numbers) => numbers.iter().flat_map(|number| number.to_be_bytes()).collect(),
            Text(texts) => texts.iter().flat_map(|text| text.bytes().chain([0])).collect(),
            Flag => Vec::new(),
            Node(controller) => {
                let phandle = flat.phandles.iter().find(|(_, path)| path == controller);
                phandle.unwrap_or_else(|| panic!("{controller} has no phandle")).0.to_be_bytes().to_vec()
            }
        };
        assert_eq!(value, wanted, "{path} {name} is {}", flat.show(path, name));
    }
}

/// On every machine.
const ALL: &[Row] = &[
    ("/", "#address-cells", Cells(&[2])),
    ("/", "#size-cells", Cells(&[2])),
    ("/chosen", "linux,stdout-path", Text(&["/ibm,opal/consoles/serial@0"])),
    ("/memory@0", "device_type", Text(&["memory"])),
    ("/memory@0", "ibm,associativity", Cells(&[4, 0, 0, 0, 0])),
    ("/reserved-memory", "#address-cells", Cells(&[2])),
    ("/reserved-memory", "#size-cells", Cells(&[2])),
    ("/reserved-memory", "ranges", Flag),
    ("/reserved-memory/ibm,firmware-code@30000000", "reg", Numbers(&[0x3000_0000, 0x60_0000])),
    ("/cpus/ibm,powerpc-cpu-features", "compatible", Text(&["ibm,powerpc-cpu-features"])),
    ("/cpus/ibm,powerpc-cpu-features", "device_type", Text(&["cpu-features"])),
    ("/ibm,opal", "opal-base-address", Numbers(&[0x3000_0000])),
    ("/ibm,opal", "opal-entry-address", Numbers(&[0x3000_3770])),
    ("/ibm,opal", "opal-msg-size", Cells(&[0x1_0000])),
    ("/ibm,opal", "opal-msg-async-num", Cells(&[16])),
    ("/ibm,opal", "ibm,opal-memcons", Numbers(&[0x3024_0000])),
    ("/ibm,opal/consoles/serial@0", "compatible", Text(&["ibm,opal-console-raw"])),
    ("/ibm,opal/consoles/serial@0", "device_type", Text(&["serial"])),
    ("/ibm,opal/consoles/serial@0", "reg", Cells(&[0])),
    ("/ibm,opal/event", "compatible", Text(&["ibm,opal-event"])),
    ("/ibm,opal/event", "#interrupt-cells", Cells(&[1])),
    ("/ibm,opal/event", "interrupt-controller", Flag),
    ("/ibm,opal/firmware", "version", Text(&["opalite-test"])),
    ("/ibm,opal/firmware", "symbol-map", Numbers(&[0x3000_0000, 0])),
    ("/ibm,opal/firmware/exports", "dma_windows", Numbers(&[0x3100_0000, 0x1000])),
    ("/ibm,opal/rtc", "compatible", Text(&["ibm,opal-rtc"])),
    ("/ibm,opal/nvram", "compatible", Text(&["ibm,opal-nvram"])),
    ("/ibm,opal/nvram", "#bytes", Cells(&[0x1_0000])),
    ("/ibm,opal/nvram", "opalite,volatile", Flag),
    ("/ibm,opal/sensors", "compatible", Text(&["ibm,opal-sensor"])),
    ("/ibm,opal/fw-features/needs-l1d-flush-msr-pr-0-to-1", "disabled", Flag),
    ("/ibm,opal/fw-features/needs-l1d-flush-msr-hv-1-to-0", "disabled", Flag),
    ("/ibm,opal/fw-features/needs-spec-barrier-for-bound-checks", "disabled", Flag),
    ("/ibm,opal/fw-features/speculation-policy-favor-security", "disabled", Flag),
    ("/ibm,opal/fw-features/no-need-l1d-flush-msr-pr-1-to-0", "enabled", Flag),
    ("/ibm,opal/fw-features/no-need-l1d-flush-kernel-on-user-access", "enabled", Flag),
    ("/ibm,opal/fw-features/no-need-store-drain-on-priv-state-switch", "enabled", Flag),
];

const XIVE: &str = "/interrupt-controller@6030203180000";
const TIMA: u64 = 0x6_0302_0318_0000;

/// On POWER9 and POWER10.
const FROM_POWER9: &[Row] = &[
    ("/ibm,opal", "compatible", Text(&["ibm,opal-v3"])),
    ("/ibm,opal", "ibm,heartbeat-ms", Cells(&[2000])),
    (
        XIVE,
        "reg",
        Numbers(&[
            TIMA,
            0x1_0000,
            TIMA + 0x1_0000,
            0x1_0000,
            TIMA + 0x2_0000,
            0x1_0000,
            TIMA + 0x3_0000,
            0x1_0000,
        ]),
    ),
    (XIVE, "ibm,xive-eq-sizes", Cells(&[12, 16, 21, 24])),
    (XIVE, "ibm,xive-#priorities", Cells(&[8])),
    (XIVE, "single-escalation-support", Flag),
    (XIVE, "ibm,xive-provision-page-size", Cells(&[0x1_0000])),
    (XIVE, "ibm,xive-provision-chips", Cells(&[0])),
    ("/pciex@600c3c0000000", "device_type", Text(&["pciex"])),
    ("/pciex@600c3c0000000", "ibm,opal-phbid", Numbers(&[0])),
    ("/pciex@600c3c0100000", "ibm,opal-phbid", Numbers(&[1])),
    ("/pciex@600c3c0000000", "#address-cells", Cells(&[3])),
    ("/pciex@600c3c0000000", "#size-cells", Cells(&[2])),
    ("/pciex@600c3c0000000", "#interrupt-cells", Cells(&[1])),
    ("/pciex@600c3c0000000", "bus-range", Cells(&[0, 0xff])),
    ("/pciex@600c3c0000000", "ranges", Cells(&[0x200_0000, 0, 0x8000_0000, 0x600c0, 0, 0, 0x7fff_0000])),
    ("/pciex@600c3c0000000", "ibm,opal-m64-window", Numbers(&[6 << 48, 6 << 48, 0x40_0000_0000])),
    ("/pciex@600c3c0000000", "ibm,opal-available-m64-ranges", Cells(&[1, 31])),
    ("/pciex@600c3c0100000", "ibm,opal-available-m64-ranges", Cells(&[1, 15])),
    ("/pciex@600c3c0000000", "ibm,opal-num-pes", Cells(&[0x200])),
    ("/pciex@600c3c0000000", "ibm,opal-reserved-pe", Cells(&[0x1ff])),
    ("/pciex@600c3c0000000", "ibm,opal-msi-ranges", Cells(&[0xfe000, 0xff8])),
    ("/pciex@600c3c0100000", "ibm,opal-msi-ranges", Cells(&[0xfd800, 0x7f8])),
    ("/pciex@600c3c0000000", "ibm,supported-tce-sizes", Cells(&[12, 16, 21, 30])),
    ("/pciex@600c3c0000000", "ibm,phb-diag-data-size", Cells(&[0x2180])),
    ("/pciex@600c3c0000000", "ibm,chip-id", Cells(&[0])),
    ("/pciex@600c3c0000000/pci@0", "class-code", Cells(&[0x6_0400])),
    ("/pciex@600c3c0000000/pci@0", "reg", Cells(&[0, 0, 0, 0, 0])),
    ("/pciex@600c3c0000000/pci@0", "device_type", Text(&["pciex"])),
    ("/pciex@600c3c0000000/pci@0", "ibm,pci-config-space-type", Cells(&[1])),
    ("/pciex@600c3c0000000/pci@0", "ibm,slot-label", Text(&["pcie.0"])),
    ("/pciex@600c3c0000000/pci@0", "ibm,slot-pluggable", Cells(&[1])),
    ("/pciex@600c3c0000000/pci@0", "ibm,reset-by-firmware", Cells(&[1])),
    ("/pciex@600c3c0000000/pci@0/mass-storage@0", "reg", Cells(&[0x1_0000, 0, 0, 0, 0])),
    ("/pciex@600c3c0000000/pci@0/mass-storage@0", "interrupts", Cells(&[1])),
    ("/pciex@600c3c0000000/pci@0/mass-storage@0", "vendor-id", Cells(&[0x1b36])),
    ("/pciex@600c3c0000000/pci@0/mass-storage@0", "device-id", Cells(&[0x10])),
    ("/pciex@600c3c0000000/pci@0/mass-storage@0", "class-code", Cells(&[0x1_0802])),
    ("/pciex@600c3c0000000/pci@0/mass-storage@0", "revision-id", Cells(&[2])),
    ("/pciex@600c3c0200000/pci@0/pci@0/device@2", "reg", Cells(&[0x2_1000, 0, 0, 0, 0])),
    ("/lpcm-opb@6030000000000/lpc@0/isa-serial@i3f8", "status", Text(&["reserved"])),
];

const POWER9: &[Row] = &[
    ("/", "compatible", Text(&["qemu,powernv9", "ibm,powernv"])),
    ("/cpus/ibm,powerpc-cpu-features", "isa", Cells(&[3000])),
    ("/interrupt-controller@0", "compatible", Text(&["ibm,opal-xive-vc", "IBM,opal-xics"])),
    ("/interrupt-controller@0", "#interrupt-cells", Cells(&[2])),
    ("/interrupt-controller@0", "interrupt-controller", Flag),
    (XIVE, "compatible", Text(&["ibm,opal-xive-pe", "ibm,opal-intc"])),
    ("/ibm,opal", "interrupt-parent", Node("/interrupt-controller@0")),
    ("/pciex@600c3c0000000", "interrupt-parent", Node("/interrupt-controller@0")),
    ("/pciex@600c3c0000000", "compatible", Text(&["ibm,power9-pciex", "ibm,ioda3-phb"])),
    ("/ibm,opal/power-mgt", "ibm,pstate-ids", Cells(&[0, 1, 2])),
    ("/ibm,opal/power-mgt", "ibm,pstate-frequencies-mhz", Cells(&[4000, 3000, 2000])),
    ("/ibm,opal/power-mgt", "ibm,pstate-min", Cells(&[2])),
    ("/ibm,opal/power-mgt", "ibm,pstate-max", Cells(&[0])),
    ("/ibm,opal/power-mgt", "ibm,pstate-nominal", Cells(&[1])),
    ("/ibm,opal/power-mgt", "ibm,cpu-idle-state-flags", Cells(&[0x10_0000, 0x10_1000, 0x10_1000])),
    ("/ibm,opal/power-mgt", "ibm,cpu-idle-state-psscr", Numbers(&[0x330, 0x30_0330, 0x30_0331])),
    ("/ibm,opal/power-mgt", "ibm,cpu-idle-state-psscr-mask", Numbers(&[0x30_03ff, 0x30_03ff, 0x30_03ff])),
];

const POWER10: &[Row] = &[
    ("/", "compatible", Text(&["qemu,powernv10", "ibm,powernv"])),
    ("/cpus/ibm,powerpc-cpu-features", "isa", Cells(&[3100])),
    (XIVE, "compatible", Text(&["ibm,opal-xive-pe", "ibm,opal-xive-vc", "ibm,opal-intc"])),
    (XIVE, "#interrupt-cells", Cells(&[2])),
    (XIVE, "interrupt-controller", Flag),
    (XIVE, "store-eoi", Flag),
    (XIVE, "vp-save-restore", Flag),
    ("/ibm,opal", "interrupt-parent", Node(XIVE)),
    ("/pciex@600c3c0000000", "interrupt-parent", Node(XIVE)),
    ("/pciex@600c3c0000000", "compatible", Text(&["ibm,power10-pciex", "ibm,ioda3-phb"])),
    ("/ibm,opal/power-mgt", "ibm,cpu-idle-state-psscr", Numbers(&[0x300, 0x30_0300])),
];

const POWER8: &[Row] = &[
    ("/", "compatible", Text(&["qemu,powernv8", "qemu,powernv", "ibm,powernv"])),
    ("/cpus/ibm,powerpc-cpu-features", "isa", Cells(&[2070])),
    ("/cpus/PowerPC,POWER8@8", "ibm,dec-bits", Cells(&[32])),
    ("/ibm,opal", "compatible", Text(&["ibm,opal-v2", "ibm,opal-v3"])),
    ("/ibm,opal", "ibm,heartbeat-ms", Cells(&[2000])),
    ("/ibm,opal", "interrupt-parent", Node("/interrupt-controller@0")),
    ("/interrupt-controller@0", "compatible", Text(&["IBM,ppc-xics", "IBM,opal-xics"])),
    ("/interrupt-controller@0", "#interrupt-cells", Cells(&[2])),
    ("/interrupt-controller@0", "interrupt-controller", Flag),
    ("/pciex@3fffe40000000", "compatible", Text(&["ibm,power8-pciex", "ibm,ioda2-phb"])),
    ("/pciex@3fffe40000000", "ibm,opal-msi-ranges", Cells(&[0x800, 0x7f8])),
    ("/pciex@3fffe40000000", "ibm,supported-tce-sizes", Cells(&[12, 16, 24, 28])),
    ("/ibm,opal/power-mgt", "ibm,cpu-idle-state-names", Text(&["nap"])),
    ("/ibm,opal/power-mgt", "ibm,cpu-idle-state-flags", Cells(&[0x1_1000])),
    ("/xscom@3fc0000000000/isa@b0020/isa-serial@i3f8", "status", Text(&["reserved"])),
];

fn published(qemu: &[u8]) -> Flat {
    Flat::read(&machine::blob(qemu, machine::sample_devices))
}

#[test]
fn powernv8_has_what_linux_needs() {
    let flat = published(QEMU8);
    [ALL, POWER8].into_iter().for_each(|rows| check(&flat, rows));
}

#[test]
fn powernv9_has_what_linux_needs() {
    for qemu in [QEMU9, QEMU9_SMP8] {
        let flat = published(qemu);
        [ALL, FROM_POWER9, POWER9].into_iter().for_each(|rows| check(&flat, rows));
    }
}

#[test]
fn powernv10_has_what_linux_needs() {
    let flat = published(QEMU10);
    [ALL, FROM_POWER9, POWER10].into_iter().for_each(|rows| check(&flat, rows));
}

#[test]
fn every_core_of_every_chip_is_completed() {
    let flat = published(QEMU9_SMP8);
    let cores = [(0, 0), (4, 0), (0x100, 1), (0x104, 1)];
    for (pir, chip) in cores {
        let path = format!("/cpus/PowerPC,POWER9@{pir:x}");
        let get = |name| cells(flat.property(&path, name).unwrap_or_else(|| panic!("{path} lacks {name}")));
        assert_eq!(get("ibm,associativity"), [5, 0, 0, 0, chip, pir]);
        assert_eq!(get("ibm,processor-storage-keys"), [32, 32]);
        assert_eq!(get("ibm,dec-bits"), [56]);
        assert_eq!(
            get("ibm,processor-radix-AP-encodings"),
            [0x0000_000c, 0xa000_0010, 0x2000_0015, 0x4000_001e]
        );
        assert_eq!(get("ibm,ppc-interrupt-server#s"), [pir, pir + 1]);
    }
    let features = "/cpus/ibm,powerpc-cpu-features";
    assert_eq!(flat.property(features, "ibm,dec-bits"), None, "the features aren't a core");
    assert_eq!(flat.cell("/memory@80000000", "ibm,associativity"), Some(4));
    assert_eq!(cells(flat.property("/memory@80000000", "ibm,associativity").unwrap())[4], 1);
}

/// Linux drops a feature whose properties don't fit its privilege, and waits forever for a dependency that isn't there.
#[test]
fn features_fit_their_privilege() {
    for (qemu, count) in [(QEMU8, 36), (QEMU9, 52), (QEMU10, 53)] {
        let flat = published(qemu);
        let features: Vec<_> = flat.nodes.iter().filter(|(path, _)| path.contains("cpu-features/")).collect();
        assert_eq!(features.len(), count);
        for (path, properties) in features {
            let get = |name| properties.get(name).map(|value| cells(value)[0]);
            let privilege = get("usable-privilege").unwrap();
            assert!(get("isa").is_some() && privilege & !7 == 0, "{path}");
            let only_with = [
                ("hv-support", 4),
                ("hfscr-bit-nr", 4),
                ("os-support", 2),
                ("fscr-bit-nr", 2),
                ("hwcap-bit-nr", 1),
            ];
            for (name, needed) in only_with {
                assert!(get(name).is_none() || privilege & needed != 0, "{path} {name}");
            }
            assert!(get("hv-support") != Some(1) || get("hfscr-bit-nr").is_some(), "{path}");
            assert!(get("os-support") != Some(1) || get("fscr-bit-nr").is_some(), "{path}");
        }
    }
}

#[test]
fn each_interrupt_of_firmware_is_level_and_named() {
    let flat = published(QEMU9);
    let interrupts = cells(flat.property("/ibm,opal", "interrupts").unwrap());
    let names = flat.property("/ibm,opal", "interrupt-names").unwrap();
    assert_eq!(interrupts.len(), 2 * (14 + 12));
    assert_eq!(interrupts[..4], [0xffff0, 1, 0xffff1, 1]);
    assert_eq!(interrupts[50..], [0xfb7ff, 1]);
    assert!(interrupts.chunks(2).all(|pair| pair[1] == 1));
    assert_eq!(names.split(|&byte| byte == 0).count(), 26 + 1);
}

#[test]
fn idle_states_have_as_many_entries_everywhere() {
    for (qemu, count) in [(QEMU8, 1), (QEMU9, 3), (QEMU10, 2)] {
        let flat = published(qemu);
        let length = |name: &str| {
            let value = flat.property("/ibm,opal/power-mgt", &format!("ibm,cpu-idle-state-{name}"));
            value.map(|value| value.len() / if name.starts_with("psscr") { 8 } else { 4 })
        };
        for name in ["flags", "latencies-ns", "residency-ns"] {
            assert_eq!(length(name), Some(count), "{name}");
        }
        for name in ["psscr", "psscr-mask"] {
            assert_eq!(length(name), (qemu != QEMU8).then_some(count), "{name}");
        }
        let names = flat.property("/ibm,opal/power-mgt", "ibm,cpu-idle-state-names").unwrap();
        assert_eq!(names.iter().filter(|&&byte| byte == 0).count(), count);
    }
}

#[test]
fn reservations_agree_in_their_three_forms() {
    let flat = published(QEMU9);
    let ranges = flat.property("/", "reserved-ranges").unwrap();
    let numbers: Vec<u64> =
        ranges.chunks_exact(8).map(|number| u64::from_be_bytes(number.try_into().unwrap())).collect();
    let pairs: Vec<(u64, u64)> = numbers.chunks(2).map(|pair| (pair[0], pair[1])).collect();
    assert_eq!(pairs, flat.reservations);
    assert!(pairs.contains(&(0x203f_fd80_0000, 0x40_0000)) && pairs.contains(&(0x203f_ff80_0000, 0x80_0000)));
    let names = flat.property("/", "reserved-names").unwrap();
    let names: Vec<&str> = std::str::from_utf8(names).unwrap().split_terminator('\0').collect();
    assert_eq!(names.len(), pairs.len());
    for (name, (start, size)) in names.into_iter().zip(pairs) {
        let path = format!("/reserved-memory/{name}");
        let reg = [start.to_be_bytes(), size.to_be_bytes()].concat();
        assert_eq!(flat.property(&path, "reg"), Some(reg.as_slice()), "{path}");
        assert!(name.ends_with(&format!("@{start:x}")));
        assert_eq!(flat.property(&path, "no-map"), None, "Linux reads it through its linear map");
    }
}

#[test]
fn an_initrd_is_handed_on_in_64_bits() {
    let mut tree = Tree::from_blob(QEMU9).unwrap();
    let mut chosen = tree.make("/chosen");
    chosen.set_cells("linux,initrd-start", &[0x2800_0000]).set_cells("linux,initrd-end", &[0xa812_22f8]);
    machine::publish(&mut tree, machine::sample_devices);
    let flat = Flat::read(&tree.to_blob(Pir(0)));
    assert_eq!(cells(flat.property("/chosen", "linux,initrd-start").unwrap()), [0, 0x2800_0000]);
    assert_eq!(cells(flat.property("/chosen", "linux,initrd-end").unwrap()), [0, 0xa812_22f8]);

    // A machine may say it in 64 bits itself.
    tree.make("/chosen").set_u64s("linux,initrd-start", &[0x12_2800_0000]);
    chosen::publish(&mut tree);
    let flat = Flat::read(&tree.to_blob(Pir(0)));
    assert_eq!(cells(flat.property("/chosen", "linux,initrd-start").unwrap()), [0x12, 0x2800_0000]);

    let none = published(QEMU9);
    assert_eq!(none.property("/chosen", "linux,initrd-start"), None);
}

#[test]
fn homers_follow_each_other() {
    assert_eq!(Reserved::homer(0x203f_fd80_0000, ChipId(1)).range, 0x203f_fdc0_0000..0x203f_fe00_0000);
}

/// Saying so about a real processor would leave its users open to attack.
#[test]
fn only_qemu_is_said_not_to_speculate() {
    let mut tree = Tree::new();
    let interrupt_parent = interrupts::publish_xics(&mut tree);
    let node = opal::OpalNode {
        generation: Generation::Power8,
        base: 0,
        entry: 0,
        runtime_size: 0,
        memcons: 0,
        heartbeat_ms: 200,
        interrupts: &[],
        interrupt_parent,
        nvram: None,
        version: "",
        exports: &[],
    };
    opal::publish(&mut tree, &node);
    let flat = Flat::read(&tree.to_blob(Pir(0)));
    assert!(flat.nodes.contains_key("/ibm,opal/event"));
    for absent in ["/ibm,opal/fw-features", "/ibm,opal/nvram"] {
        assert!(!flat.nodes.contains_key(absent), "{absent}");
    }
    assert_eq!(flat.property("/ibm,opal", "interrupts"), None);
}
