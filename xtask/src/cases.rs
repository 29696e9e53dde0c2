//! The boots of Linux that `cargo xtask test linux` runs, as data.

use crate::{checks::Expect, fetch::Kernel, qemu::NEWEST};

/// One boot.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What a person calls it; also the name of its log.
    pub name: &'static str,
    /// QEMU's machine: one of the folders in `boards/`.
    pub machine: &'static str,
    /// QEMU's version.
    pub qemu: &'static str,
    /// Which kernel.
    pub kernel: Kernel,
    /// CPUs, as QEMU spells it, if not the board's number.
    pub smp: Option<&'static str>,
    /// Memory, if not the board's.
    pub memory: Option<&'static str>,
    /// The bridges are among the devices; there are none of QEMU's own choice.
    pub own_bridges: bool,
    /// Added to the command line of the kernel.
    pub append: &'static str,
    /// QEMU's `-device`s; `drive=disk`, `drive=stick` and `netdev=net` are provided.
    pub devices: &'static [&'static str],
    /// Drivers to load.
    pub modules: &'static [&'static str],
    /// What the guest does.
    pub steps: &'static [&'static str],
    /// What must come of it.
    pub expect: &'static [Expect],
    /// Compare the PCI devices and the kernel's messages with a boot of QEMU's own firmware. (The device tree is compared
    /// where the step `tree` reports it.)
    pub compare: bool,
    /// Only for whoever names it: it needs more of the computer than two busy cores have.
    pub by_name: bool,
}

impl Case {
    /// The machine's threads: the number with which QEMU's spelling begins.
    pub fn threads(&self) -> usize {
        self.smp.and_then(|smp| smp.split(',').next()?.parse().ok()).unwrap_or(1)
    }
}

/// What the guest writes to an NVMe disk.
pub const MEGABYTES: usize = 16;
const NVME: &str = "nvme,serial=opalite,drive=disk,bus=pcie.0";
/// Bridge `index` of chip c is bus `pcie.(6 * c + index)`.
const NVME_ON_CHIP_1: &str = "nvme,serial=opalite,drive=disk,bus=pcie.6";
const E1000E: &str = "e1000e,netdev=net,romfile=,bus=pcie.1";

/// NVMe and a network card, each moving data; the others are said as differences from it.
const USUAL: Case = Case {
    name: "",
    machine: "powernv9",
    qemu: "10",
    kernel: Kernel::V6_12,
    smp: None,
    memory: None,
    own_bridges: false,
    append: "",
    devices: &[NVME, E1000E],
    modules: &["nvme", "e1000e"],
    steps: &["nvme", "net", "irq", "pci", "dma"],
    expect: &[BOTH_MOVE, BYPASS, Expect::Windows, Expect::GibPages],
    compare: false,
    by_name: false,
};
const USUAL_AND_TREE: &[&str] = &["nvme", "net", "irq", "pci", "dma", "tree"];
/// The usual without what holds for radix and more than one GiB only.
const ANY_PAGES: &[Expect] = &[BOTH_MOVE, BYPASS, Expect::Windows];
const BOTH_MOVE: Expect = Expect::All(&[DISK_MOVES, CARD_MOVES]);
const DISK_MOVES: Expect = Expect::All(&[Expect::Nvme(MEGABYTES), Expect::Msi("nvme0q")]);
const CARD_MOVES: Expect = Expect::All(&[Expect::Net, Expect::Msi("eth0")]);
const BYPASS: Expect = Expect::Line(r"PE# ?[0-9a-f]+\] Enabling 64-bit DMA bypass");
const NO_BYPASS: Expect = Expect::All(&[
    Expect::Line(r"PE# ?[0-9a-f]+\] Setting up window#0"),
    Expect::NoLine("Enabling 64-bit DMA bypass"),
]);
const USUAL_WITHOUT_BYPASS: &[Expect] = &[BOTH_MOVE, NO_BYPASS, Expect::Windows];
/// Without the windows as firmware tells them: for PHB3 Linux has a window 0 of 256 MiB pages that it doesn't print.
const POWER8_WITHOUT_BYPASS: &[Expect] = &[BOTH_MOVE, NO_BYPASS];
/// Windows made, filled and closed from user space: two devices that copy, one disk, each on its own bridge.
const VFIO: Case = Case {
    memory: Some("4G"),
    append: "hugepagesz=1G hugepages=1",
    devices: &[
        NVME,
        "edu,bus=pcie.1,dma_mask=0xffffffffffffffff",
        "edu,bus=pcie.2,dma_mask=0xffffffffffffffff",
    ],
    modules: &["nvme", "vfio-pci", "vfio_iommu_spapr_tce"],
    steps: &["vfio"],
    expect: &[Expect::Vfio, Expect::VfioSkips(0)],
    ..USUAL
};
/// Virtual machines of a few instructions: KVM's calls without the weight of a guest's kernel.
const KVM: Case = Case {
    append: "default_hugepagesz=2M hugepagesz=2M hugepages=8",
    modules: &["kvm_hv"],
    steps: &["kvm"],
    expect: &[Expect::Kvm, Expect::Calls(KVM_CALLS)],
    ..BARE
};
/// The usual on POWER10, and a disk on a USB controller.
const POWER10: Case = Case {
    machine: "powernv10",
    devices: &[NVME, E1000E, "nec-usb-xhci,id=usb,bus=pcie.3", "usb-storage,drive=stick,bus=usb.0"],
    modules: &["nvme", "e1000e", "xhci-pci", "usb-storage", "sd_mod"],
    steps: &["nvme", "net", "sd", "irq", "pci", "dma"],
    expect: &[BOTH_MOVE, Expect::Disk, Expect::Msi("xhci_hcd"), BYPASS, Expect::Windows, Expect::GibPages],
    ..USUAL
};
const POWER10_WITHOUT_BYPASS: &[Expect] =
    &[BOTH_MOVE, Expect::Disk, Expect::Msi("xhci_hcd"), NO_BYPASS, Expect::Windows];
/// Interrupts go to each CPU, calls come from all at once, and CPUs go and come again.
const CPUS_4: Case = Case {
    smp: Some("4,cores=2,threads=2"),
    steps: &["cpus", "nvme", "net", "smp", "parallel", "hotplug", "irq", "pci"],
    expect: &[
        Expect::Cpus(4),
        Expect::Nvme(MEGABYTES),
        Expect::Net,
        Expect::Line("smp cpus=4 interrupts=3"),
        Expect::Ipis(4),
        Expect::Line("clocks cpus=4 readings=12"),
        Expect::Line("parallel cpus=4 reads=8 different=1"),
        Expect::Times("^OPALITE-PARALLEL [0-9]+ [12] 0123456789abcdefghijklmnopqrstuvwxyz$", 8),
        HOTPLUG_4,
    ],
    ..USUAL
};
const HOTPLUG_4: Expect = Expect::Line("hotplug cpus=4 rounds=20 online=0-3");
/// The disk on the second chip, the card on the first: data, interrupts and wake-ups go both ways.
const CHIPS_2: Case = Case {
    smp: Some("8,sockets=2,cores=2,threads=2"),
    devices: &[NVME_ON_CHIP_1, E1000E],
    steps: &["cpus", "numa", "nvme", "net", "smp", "parallel", "irq", "pci"],
    expect: &[
        Expect::Cpus(8),
        Expect::Nvme(MEGABYTES),
        Expect::Net,
        Expect::Line("node 0 cpus=0-3 distance=10,40 mib=(9[0-9]{2}|10[0-9]{2})$"),
        Expect::Line("node 1 cpus=4-7 distance=40,10 mib=(9[0-9]{2}|10[0-9]{2})$"),
        Expect::Line("device 0000:.* node=0"),
        // Each chip has 4 numbers for bridges on POWER8, 6 on POWER9, 18 on POWER10.
        Expect::Line("device 00(04|06|12):01:00.0 node=1"),
        Expect::Line("far nodes=2 near=2 equal=4 of=4"),
        Expect::Line("smp cpus=8 interrupts=3"),
        Expect::Ipis(8),
        Expect::Line("clocks cpus=8 readings=24"),
        Expect::Line("parallel cpus=8 reads=16 different=1"),
    ],
    ..USUAL
};
/// CPUs go and come on several chips. With many more threads than the computer has cores, Linux 6.1 sometimes stands still in
/// this for minutes or for good, under any firmware: all CPUs queue for the lock of the one `rcu_node`, each to report a
/// quiescent state of a grace period that is over, and none notices the new one, because for that it only tries the lock
/// (`note_gp_changes`), which is never free. (The spinlocks of 6.12 let who tries go first.)
const HOTPLUG_8: Case = Case {
    smp: CHIPS_2.smp,
    steps: &["cpus", "hotplug"],
    expect: &[Expect::Cpus(8), Expect::Line("hotplug cpus=8 rounds=20 online=0-7")],
    by_name: true,
    ..BARE
};
/// The same with sixteen.
const HOTPLUG_16: Case = Case {
    smp: CHIPS_4.smp,
    memory: CHIPS_4.memory,
    expect: &[Expect::Cpus(16), Expect::Line("hotplug cpus=16 rounds=20 online=0-15")],
    ..HOTPLUG_8
};
/// Sixteen threads; the disk on the last of four chips.
const CHIPS_4: Case = Case {
    smp: Some("16,sockets=4,cores=2,threads=2"),
    memory: Some("4G"),
    devices: &["nvme,serial=opalite,drive=disk,bus=pcie.23"],
    modules: &["nvme"],
    steps: &["cpus", "numa", "nvme", "smp", "parallel"],
    expect: &[
        Expect::Cpus(16),
        Expect::Nvme(MEGABYTES),
        Expect::Line("node 0 cpus=0-3 distance=10,40,40,40 mib="),
        Expect::Line("node 3 cpus=12-15 distance=40,40,40,10 mib="),
        Expect::Line("device 00(17|3b):01:00.0 node=3"),
        Expect::Line("far nodes=4 near=4 equal=16 of=16"),
        Expect::Line("smp cpus=16 interrupts=2"),
        Expect::Ipis(16),
        Expect::Line("clocks cpus=16 readings=48"),
        Expect::Line("parallel cpus=16 reads=32 different=1"),
    ],
    ..USUAL
};
/// The kernel starts itself once more.
const KEXEC: Case = Case {
    smp: Some("4,sockets=2,cores=1,threads=2"),
    steps: &["kexec", "cpus", "nvme", "net", "irq"],
    expect: &[
        Expect::Line("kexec first cpus=0-3 loaded=1"),
        Expect::Line("kexec second=yes cpus=0-3"),
        Expect::Cpus(4),
        BOTH_MOVE,
    ],
    ..USUAL
};
/// The kernel recovers both devices, and they work as before. It asks for a PE's state, freezes it, has it reset, has the root
/// port set up, and lets the PE run again.
const EEH: Case = Case {
    steps: &["eeh", "nvme", "net", "irq", "pci", "dma"],
    expect: &[RECOVER, Expect::Calls(&[23, 26, 49, 53, 64, 97])],
    ..USUAL
};
const RECOVER: Expect = Expect::All(&[
    Expect::Times("OPALITE-DEMO: eeh 0000:01:00.0 round=[12] recovered=1$", 2),
    Expect::Times("OPALITE-DEMO: eeh 0001:01:00.0 round=[12] recovered=1$", 2),
    Expect::Times(r"nvme->slot_reset\(\)", 2),
    Expect::Times(r"e1000e->slot_reset\(\)", 2),
    Expect::Line("eeh-disk same=yes"),
    BOTH_MOVE,
    BYPASS,
    Expect::Windows,
]);
/// Every XIVE call but XIVE_RESET, which comes before, and XIVE_DUMP, which only a debugger makes.
const KVM_CALLS: &[u64] = &[129, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 143, 144, 170];
/// Nothing plugged in.
const BARE: Case = Case { devices: &[], modules: &[], steps: &[], expect: &[], ..USUAL };
/// A disk on a USB controller.
const XHCI: Case = Case {
    devices: &["nec-usb-xhci,id=usb,bus=pcie.2", "usb-storage,drive=stick,bus=usb.0"],
    modules: &["xhci-pci", "usb-storage", "sd_mod"],
    steps: &["sd", "irq", "pci", "dma"],
    expect: &[Expect::Disk, Expect::Msi("xhci_hcd"), Expect::Mask("xhci_hcd", 64)],
    ..BARE
};
/// A bridge each for an LSI and for 32-bit DMA through window 0.
const LSI_AND_DMA32: Case = Case {
    devices: &[
        "rtl8139,netdev=net,romfile=,bus=pcie.1",
        "usb-ehci,id=usb,bus=pcie.2",
        "usb-storage,drive=stick,bus=usb.0",
    ],
    modules: &["8139cp", "ehci-pci", "usb-storage", "sd_mod"],
    steps: &["net", "sd", "irq", "pci", "dma"],
    expect: &[
        Expect::Net,
        Expect::Disk,
        Expect::Lsi("eth0"),
        Expect::Lsi("ehci_hcd"),
        Expect::Mask("ehci-pci", 32),
    ],
    ..BARE
};
/// The machine starts once more, in memory that was used, from units that were used, with all CPUs running.
const REBOOT: Case = Case {
    smp: Some("4"),
    steps: &["reboot", "cpus", "nvme", "net", "irq"],
    expect: &[Expect::Reboot, Expect::Line("reboot second mark=.* cpus=0-3"), Expect::Cpus(4), BOTH_MOVE],
    ..USUAL
};

/// Nothing but the tree, of two chips.
const TREE: Case = Case { smp: CHIPS_2.smp, steps: &["tree"], ..BARE };

/// The usual on POWER8.
const POWER8: Case = Case { machine: "powernv8", expect: ANY_PAGES, ..USUAL };
/// POWER8 with nothing plugged in.
const POWER8_BARE: Case = Case { machine: "powernv8", ..BARE };

/// Every case.
pub const CASES: &[Case] = &[
    Case { name: "qemu10-6.12", steps: USUAL_AND_TREE, compare: true, ..USUAL },
    Case { name: "qemu10-6.1", kernel: Kernel::V6_1, ..USUAL },
    Case { name: "qemu7-6.12", qemu: "7.2", ..USUAL },
    Case { name: "qemu7-6.1", qemu: "7.2", kernel: Kernel::V6_1, ..USUAL },
    Case { name: "memory-1g", memory: Some("1G"), expect: ANY_PAGES, ..USUAL },
    Case { name: "memory-64g", memory: Some("64G"), ..USUAL },
    Case { name: "cpus-4", ..CPUS_4 },
    // This QEMU's cores have one thread each.
    Case { name: "qemu7-cpus-4", qemu: "7.2", smp: Some("4"), ..CPUS_4 },
    Case { name: "chips-2", ..CHIPS_2 },
    Case { name: "chips-2-tree", ..TREE },
    // Not all bridges, in another order, one without a port (the first: the board's lines tell of first and last); the disk on
    // the second chip.
    Case {
        name: "some-bridges",
        smp: Some("2,sockets=2"),
        own_bridges: true,
        devices: &[
            "pnv-phb,chip-id=1,index=1",
            "pnv-phb-root-port,id=far,bus=pnv-phb4-root.0",
            "pnv-phb,chip-id=0,index=0",
            "pnv-phb,chip-id=0,index=5",
            "pnv-phb-root-port,id=near,bus=pnv-phb4-root.2",
            "nvme,serial=opalite,drive=disk,bus=far",
            "e1000e,netdev=net,romfile=,bus=near",
        ],
        expect: &[
            BOTH_MOVE,
            BYPASS,
            Expect::Windows,
            Expect::Line("pci 0005:01:00.0 .* driver=e1000e"),
            Expect::Line("pci 0007:01:00.0 .* driver=nvme"),
        ],
        ..USUAL
    },
    Case { name: "power10-chips-2", machine: "powernv10", kernel: Kernel::V6_1, ..CHIPS_2 },
    Case { name: "chips-4", kernel: Kernel::V6_1, ..CHIPS_4 },
    Case { name: "power10-chips-4", machine: "powernv10", ..CHIPS_4 },
    Case { name: "kexec", ..KEXEC },
    // Without bypass each page goes through a TCE of window 0: 4 KiB pages in one kernel, 64 KiB in the other.
    Case { name: "nobypass-6.12", append: "iommu=nobypass", expect: USUAL_WITHOUT_BYPASS, ..USUAL },
    Case {
        name: "nobypass-6.1",
        append: "iommu=nobypass",
        kernel: Kernel::V6_1,
        expect: USUAL_WITHOUT_BYPASS,
        ..USUAL
    },
    // EHCI and OHCI address 32 bits, have no I/O BAR, and interrupt by INTA: window 0 and an LSI at once.
    Case {
        name: "dma32-ehci",
        devices: &["usb-ehci,id=usb,bus=pcie.0", "usb-storage,drive=stick,bus=usb.0"],
        modules: &["ehci-pci", "usb-storage", "sd_mod"],
        steps: &["sd", "irq", "pci", "dma"],
        expect: &[Expect::Disk, Expect::Lsi("ehci_hcd"), Expect::Mask("ehci-pci", 32), Expect::Windows],
        ..BARE
    },
    Case {
        name: "dma32-ehci-behind-a-pci-bridge",
        devices: &[
            "pcie-pci-bridge,id=bridge,bus=pcie.2",
            "usb-ehci,id=usb,bus=bridge,addr=1",
            "usb-storage,drive=stick,bus=usb.0",
        ],
        modules: &["ehci-pci", "usb-storage", "sd_mod"],
        steps: &["sd", "irq", "pci", "dma"],
        expect: &[Expect::Disk, Expect::Lsi("ehci_hcd"), Expect::Mask("ehci-pci", 32)],
        compare: true,
        ..BARE
    },
    Case { name: "xhci", ..XHCI },
    Case { name: "xhci-nobypass", kernel: Kernel::V6_1, append: "iommu=nobypass", ..XHCI },
    Case {
        name: "sata-ahci",
        devices: &["ich9-ahci,id=ahci,bus=pcie.4", "ide-hd,drive=stick,bus=ahci.0"],
        modules: &["ahci", "sd_mod"],
        steps: &["sd", "irq", "pci", "dma"],
        expect: &[Expect::Disk, Expect::Msi("ahci")],
        ..BARE
    },
    Case {
        name: "switch",
        devices: &[
            "x3130-upstream,id=up,bus=pcie.0",
            "xio3130-downstream,id=left,bus=up,chassis=1,slot=0",
            "xio3130-downstream,id=right,bus=up,chassis=1,slot=1",
            "nvme,serial=opalite,drive=disk,bus=left",
            "e1000e,netdev=net,romfile=,bus=right",
        ],
        compare: true,
        ..USUAL
    },
    Case {
        name: "six-bridges",
        devices: &[
            NVME,
            E1000E,
            "usb-ehci,id=usb,bus=pcie.2",
            "usb-storage,drive=stick,bus=usb.0",
            "igb,romfile=,bus=pcie.3",
            "ich9-ahci,id=ahci,bus=pcie.4",
            "ide-cd,bus=ahci.0",
            "nec-usb-xhci,id=xhci,bus=pcie.5",
            "usb-kbd,bus=xhci.0",
        ],
        modules: &["nvme", "e1000e", "ehci-pci", "usb-storage", "sd_mod", "igb", "ahci", "xhci-pci"],
        steps: &["nvme", "net", "sd", "irq", "pci", "dma"],
        expect: &[
            BOTH_MOVE,
            Expect::Disk,
            Expect::Lsi("ehci_hcd"),
            Expect::Msi("ahci"),
            Expect::Msi("xhci_hcd"),
            Expect::Mask("igb", 64),
            Expect::Mask("ahci", 64),
            Expect::Windows,
            Expect::GibPages,
        ],
        compare: true,
        ..USUAL
    },
    // Functions with PEs that the kernel makes long after boot, their BARs in a range that is shared out to PEs.
    Case {
        name: "sriov",
        devices: &["igb,romfile=,bus=pcie.0"],
        modules: &["igb"],
        steps: &["sriov", "pci", "dma"],
        expect: &[
            Expect::Line("sriov wanted=2 found=2 answer=2"),
            Expect::Line("sriov wanted=0 found=0 answer=0"),
            Expect::Line("sriov wanted=3 found=3 answer=3"),
            Expect::Line(r"VF 0000:01:16\.0 associated with PE#"),
            Expect::Line(r"VF 0000:01:16\.4 associated with PE#"),
            Expect::Windows,
        ],
        compare: true,
        ..BARE
    },
    // A card that has no MSI, and one that is forbidden its own. (QEMU's NVMe keeps its LSI raised: the kernel gives up
    // on it under any firmware.)
    Case {
        name: "lsi-rtl8139",
        devices: &["rtl8139,netdev=net,romfile=,bus=pcie.0"],
        modules: &["8139cp"],
        steps: &["net", "irq", "pci"],
        expect: &[Expect::Net, Expect::Lsi("eth0")],
        ..BARE
    },
    Case {
        name: "lsi-e1000e",
        append: "pci=nomsi",
        devices: &[E1000E],
        modules: &["e1000e"],
        steps: &["net", "irq", "pci"],
        expect: &[Expect::Net, Expect::Lsi("eth0")],
        ..BARE
    },
    Case { name: "console-output", steps: &["console"], expect: &[Expect::Lines], ..BARE },
    Case { name: "console-input", steps: &["input"], expect: &[Expect::Typed], ..BARE },
    Case { name: "reboot", ..REBOOT },
    Case {
        name: "clock-nvram-log",
        steps: &["rtc", "nvram", "msglog"],
        expect: &[
            Expect::Clock,
            Expect::ClockSet,
            Expect::Nvram,
            Expect::Line(r"OPALITE-DEMO: msglog .*PHB#0*5"),
            // Skiboot doesn't say that radix has these pages.
            Expect::Line(r"HugeTLB: registered 1\.00 GiB page size"),
            Expect::Line(r"HugeTLB: registered 2\.00 MiB page size"),
        ],
        ..BARE
    },
    Case { name: "eeh", ..EEH },
    Case { name: "vfio-6.12", ..VFIO },
    Case { name: "vfio-6.12-64k", kernel: Kernel::V6_12With64K, ..VFIO },
    Case { name: "kvm-6.12", ..KVM },
    Case { name: "kvm-6.12-64k", kernel: Kernel::V6_12With64K, ..KVM },
    Case { name: "power10-kvm", machine: "powernv10", ..KVM },
    Case { name: "power8-6.12", steps: USUAL_AND_TREE, compare: true, ..POWER8 },
    Case {
        name: "power8-6.1-nobypass",
        kernel: Kernel::V6_1,
        append: "iommu=nobypass",
        expect: POWER8_WITHOUT_BYPASS,
        ..POWER8
    },
    Case { name: "power8-6.1", kernel: Kernel::V6_1, ..POWER8 },
    Case { name: "power8-6.12-nobypass", append: "iommu=nobypass", expect: POWER8_WITHOUT_BYPASS, ..POWER8 },
    Case { name: "power8-qemu7-6.1", qemu: "7.2", kernel: Kernel::V6_1, ..POWER8 },
    Case { name: "power8-xhci", machine: "powernv8", ..XHCI },
    Case {
        name: "power8-xhci-nobypass",
        machine: "powernv8",
        kernel: Kernel::V6_1,
        append: "iommu=nobypass",
        ..XHCI
    },
    Case { name: "power8-lsi-and-dma32", machine: "powernv8", ..LSI_AND_DMA32 },
    Case { name: "power8-console-output", steps: &["console"], expect: &[Expect::Lines], ..POWER8_BARE },
    Case { name: "power8-console-input", steps: &["input"], expect: &[Expect::Typed], ..POWER8_BARE },
    Case { name: "power8-memory-64g", memory: Some("64G"), ..POWER8 },
    Case { name: "power8-cpus-4", machine: "powernv8", ..CPUS_4 },
    Case {
        name: "power8-6.1-hotplug",
        kernel: Kernel::V6_1,
        smp: Some("4,cores=2,threads=2"),
        steps: &["cpus", "hotplug"],
        expect: &[Expect::Cpus(4), HOTPLUG_4],
        ..POWER8_BARE
    },
    // A whole core: Linux sets up its subcores and naps its threads.
    Case {
        name: "power8-threads-8",
        smp: Some("8,cores=1,threads=8"),
        memory: Some("1G"),
        steps: &["cpus", "parallel"],
        expect: &[
            Expect::Cpus(8),
            Expect::Line("parallel cpus=8 reads=16 different=1"),
            Expect::Line("CPU maps initialized for 8 threads per core"),
        ],
        ..POWER8_BARE
    },
    // QEMU has presenters for two chips only.
    Case {
        name: "power8-chips-2",
        machine: "powernv8",
        devices: &["nvme,serial=opalite,drive=disk,bus=pcie.3", E1000E],
        ..CHIPS_2
    },
    // QEMU's PHB3 forgets that a PE was frozen, so there is nothing to let run again.
    Case {
        name: "power8-eeh",
        machine: "powernv8",
        expect: &[RECOVER, Expect::Calls(&[23, 49, 53, 97])],
        ..EEH
    },
    // On this machine functions have an extended configuration space only below ports that are made by hand.
    Case {
        name: "power8-some-bridges",
        own_bridges: true,
        devices: &[
            "pnv-phb,chip-id=0,index=2",
            "pnv-phb-root-port,id=first,bus=pnv-phb3-root.0",
            "pnv-phb,chip-id=0,index=1",
            "pnv-phb-root-port,id=second,bus=pnv-phb3-root.1",
            "nvme,serial=opalite,drive=disk,bus=first",
            "e1000e,netdev=net,romfile=,bus=second",
        ],
        compare: true,
        ..POWER8
    },
    Case { name: "power8-chips-2-tree", machine: "powernv8", ..TREE },
    Case { name: "power8-kexec", machine: "powernv8", ..KEXEC },
    Case { name: "power8-reboot", machine: "powernv8", ..REBOOT },
    Case {
        name: "power8-vfio",
        machine: "powernv8",
        kernel: Kernel::V6_12With64K,
        append: "hugepagesz=16M hugepages=4",
        // Three shapes of 256 MiB pages, for which hash has no huge pages, and a case in which the kernel would hang.
        expect: &[Expect::Vfio, Expect::VfioSkips(4)],
        ..VFIO
    },
    Case { name: "power10-eeh", machine: "powernv10", ..EEH },
    Case { name: "power10-kvm-64k", machine: "powernv10", kernel: Kernel::V6_12With64K, ..KVM },
    Case { name: "power10-vfio", machine: "powernv10", ..VFIO },
    Case {
        name: "power10-6.12",
        steps: &["nvme", "net", "sd", "irq", "pci", "dma", "tree"],
        compare: true,
        ..POWER10
    },
    Case {
        name: "power10-6.1-nobypass",
        kernel: Kernel::V6_1,
        append: "iommu=nobypass",
        expect: POWER10_WITHOUT_BYPASS,
        ..POWER10
    },
    Case {
        name: "power10-6.12-nobypass",
        append: "iommu=nobypass",
        expect: POWER10_WITHOUT_BYPASS,
        ..POWER10
    },
    Case { name: "power10-rainier-6.1", machine: "powernv10-rainier", kernel: Kernel::V6_1, ..POWER10 },
    Case { name: "power10-rainier-chips-2-tree", machine: "powernv10-rainier", ..TREE },
    Case { name: "power10-memory-64g", memory: Some("64G"), kernel: Kernel::V6_1, ..POWER10 },
    Case { name: "power10-6.1-kexec", machine: "powernv10", kernel: Kernel::V6_1, ..KEXEC },
    Case { name: "power10-rainier-kexec", machine: "powernv10-rainier", append: "iommu=nobypass", ..KEXEC },
    Case { name: "power10-reboot", machine: "powernv10", ..REBOOT },
    Case { name: "power10-cpus-4", machine: "powernv10", ..CPUS_4 },
    Case { name: "hotplug-8", ..HOTPLUG_8 },
    Case { name: "hotplug-16", ..HOTPLUG_16 },
    Case { name: "power8-hotplug-8", machine: "powernv8", ..HOTPLUG_8 },
    Case { name: "power10-hotplug-8", machine: "powernv10", ..HOTPLUG_8 },
    Case { name: "power10-hotplug-16", machine: "powernv10", ..HOTPLUG_16 },
    // The machine that QEMU 10 doesn't have, and what the newest QEMU makes of the others. Neither kernel has a driver
    // that stops a POWER11 that idles (`pnv_arch300_idle_init`), so each of its threads takes all that the computer gives.
    Case {
        name: "power11",
        machine: "powernv11",
        qemu: NEWEST,
        steps: &["nvme", "net", "sd", "irq", "pci", "dma", "tree"],
        compare: true,
        ..POWER10
    },
    Case {
        name: "power11-6.1-nobypass",
        machine: "powernv11",
        qemu: NEWEST,
        kernel: Kernel::V6_1,
        append: "iommu=nobypass",
        expect: POWER10_WITHOUT_BYPASS,
        ..POWER10
    },
    Case {
        name: "power11-cpus-2",
        machine: "powernv11",
        qemu: NEWEST,
        smp: Some("2,sockets=2"),
        steps: &["cpus", "numa", "nvme", "net", "smp", "parallel", "hotplug", "irq", "pci"],
        expect: &[
            Expect::Cpus(2),
            Expect::Nvme(MEGABYTES),
            Expect::Net,
            Expect::Line("node 0 cpus=0 distance=10,40 mib="),
            Expect::Line("node 1 cpus=1 distance=40,10 mib="),
            Expect::Line("device 0012:01:00.0 node=1"),
            Expect::Line("far nodes=2 near=2 equal=4 of=4"),
            Expect::Line("smp cpus=2 interrupts=3"),
            Expect::Ipis(2),
            Expect::Line("clocks cpus=2 readings=6"),
            Expect::Line("parallel cpus=2 reads=4 different=1"),
            Expect::Line("hotplug cpus=2 rounds=20 online=0-1"),
        ],
        ..CHIPS_2
    },
    Case { name: "power11-chips-2-tree", machine: "powernv11", qemu: NEWEST, ..TREE },
    Case { name: "power11-chips-2", machine: "powernv11", qemu: NEWEST, by_name: true, ..CHIPS_2 },
    Case { name: "power11-cpus-4", machine: "powernv11", qemu: NEWEST, by_name: true, ..CPUS_4 },
    Case { name: "power11-kexec", machine: "powernv11", qemu: NEWEST, ..KEXEC },
    Case { name: "newest-qemu", qemu: NEWEST, ..USUAL },
    Case { name: "newest-qemu-power8", qemu: NEWEST, ..POWER8 },
    Case { name: "newest-qemu-power10", qemu: NEWEST, kernel: Kernel::V6_1, ..POWER10 },
    // On other bridges.
    Case {
        name: "power10-lsi-and-dma32",
        machine: "powernv10",
        devices: &[
            "rtl8139,netdev=net,romfile=,bus=pcie.3",
            "usb-ehci,id=usb,bus=pcie.5",
            "usb-storage,drive=stick,bus=usb.0",
        ],
        ..LSI_AND_DMA32
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::Board, initramfs, paths};

    #[test]
    fn threads_are_counted() {
        assert_eq!([USUAL, REBOOT, CPUS_4, CHIPS_2, CHIPS_4].map(|case| case.threads()), [1, 4, 4, 8, 16]);
    }

    #[test]
    fn every_case_has_its_own_name_and_steps_that_exist() {
        for (index, case) in CASES.iter().enumerate() {
            assert!(CASES[..index].iter().all(|other| other.name != case.name), "{}", case.name);
            for step in case.steps {
                let script = paths::root().join(format!("xtask/guest/{step}.sh"));
                assert!(script.is_file(), "{}: no step {step}", case.name);
            }
            for module in case.modules {
                assert!(
                    initramfs::MODULES.contains(module),
                    "{}: {module} isn't in the initramfs",
                    case.name
                );
            }
            assert!(Board::named(case.machine).is_ok(), "{}: no machine {}", case.name, case.machine);
            assert!(!case.compare || case.steps.contains(&"pci"), "{}: nothing to compare", case.name);
        }
    }
}
