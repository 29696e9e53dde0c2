//! Names of PCI functions' nodes by class (PCI Bus Binding to Open Firmware 2.1, section 2.5, and its successors'
//! additions). No OS needs them; people who read the tree do.

/// Class and subclass with the name of that kind of device.
const NAMES: &[(u32, &str)] = &[
    (0x0100, "scsi"),
    (0x0101, "ide"),
    (0x0104, "raid"),
    (0x0105, "ata"),
    (0x0106, "sata"),
    (0x0107, "sas"),
    (0x0200, "ethernet"),
    (0x0201, "token-ring"),
    (0x0202, "fddi"),
    (0x0203, "atm"),
    (0x0300, "vga"),
    (0x0302, "3d-controller"),
    (0x0400, "video"),
    (0x0401, "sound"),
    (0x0600, "host"),
    (0x0601, "isa"),
    (0x0604, "pci"),
    (0x0607, "cardbus"),
    (0x0609, "semi-transparent-pci"),
    (0x060a, "infiniband"),
    (0x0700, "serial"),
    (0x0701, "parallel"),
    (0x0703, "modem"),
    (0x0800, "interrupt-controller"),
    (0x0801, "dma-controller"),
    (0x0802, "timer"),
    (0x0803, "rtc"),
    (0x0900, "keyboard"),
    (0x0902, "mouse"),
    (0x0c00, "firewire"),
    (0x0c04, "fibre-channel"),
    (0x0c05, "smb"),
    (0x0c06, "infiniband"),
    (0x0c07, "ipmi"),
];

/// Name of a class as a whole, for subclasses without one of their own.
const CLASSES: [&str; 18] = [
    "device",
    "mass-storage",
    "network",
    "display",
    "multimedia-device",
    "memory-controller",
    "unknown-bridge",
    "communication-controller",
    "system-peripheral",
    "input-controller",
    "docking-station",
    "cpu",
    "serial-bus",
    "wireless-controller",
    "intelligent-io",
    "satellite-communications",
    "encryption",
    "data-processing-controller",
];

/// Name for a 24-bit class code.
pub fn name(class: u32) -> &'static str {
    match class {
        0x0c_0300 => return "usb-uhci",
        0x0c_0310 => return "usb-ohci",
        0x0c_0320 => return "usb-ehci",
        0x0c_0330 => return "usb-xhci",
        _ => {}
    }
    let of_subclass = NAMES.iter().find(|(key, _)| *key == class >> 8).map(|(_, name)| *name);
    of_subclass.or(CLASSES.get(class as usize >> 16).copied()).unwrap_or("device")
}
