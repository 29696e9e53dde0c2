//! Bridges from the device tree, and the devices behind them.

use crate::opal;
use fdt::Fdt;
use fdt::node::FdtNode;

/// One PCI host bridge.
#[derive(Clone, Copy, Debug)]
pub struct Phb {
    pub id: u64,
    pub num_pes: u64,
    pub reserved_pe: u64,
    /// CPU address of its registers.
    pub registers: u64,
    /// CPU address of PCI address 0x80000000.
    pub mmio32: u64,
    /// Supported TCE page shifts.
    pub page_shifts: [u32; 8],
}

impl Phb {
    /// Whether its TCEs can have pages of that size.
    pub fn has_pages(&self, shift: u64) -> bool {
        self.page_shifts.iter().any(|&has| u64::from(has) == shift)
    }

    /// Whether its window 1 can begin at 4 GiB. POWER8's PHB3, which alone has pages of 16 MiB, can't.
    pub fn has_four_gib_mode(&self) -> bool {
        !self.has_pages(24)
    }
}

/// An `edu` device.
#[derive(Clone, Copy, Debug)]
pub struct Device {
    pub phb: Phb,
    pub bdfn: u64,
}

/// Cells of a property; 0 where there are none.
pub fn cells(node: FdtNode<'_, '_>, name: &str) -> [u32; 16] {
    let mut all = [0; 16];
    if let Some(property) = node.property(name) {
        for (into, cell) in all.iter_mut().zip(property.value.chunks_exact(4)) {
            *into = u32::from_be_bytes([cell[0], cell[1], cell[2], cell[3]]);
        }
    }
    all
}

/// Calls `each` for every edu device (1234:11e8) of the tree.
pub fn each_edu(tree: &Fdt<'_>, mut each: impl FnMut(Device)) {
    let Some(root) = tree.find_node("/") else { return };
    for node in root.children().filter(|node| node.name.starts_with("pciex@")) {
        let ranges = cells(node, "ranges");
        let sizes = cells(node, "ibm,supported-tce-sizes");
        let reg = cells(node, "reg");
        let mut page_shifts = [0; 8];
        page_shifts.copy_from_slice(&sizes[..8]);
        let phb = Phb {
            id: u64::from(cells(node, "ibm,opal-phbid")[1]),
            num_pes: u64::from(cells(node, "ibm,opal-num-pes")[0]),
            reserved_pe: u64::from(cells(node, "ibm,opal-reserved-pe")[0]),
            registers: u64::from(reg[0]) << 32 | u64::from(reg[1]),
            mmio32: u64::from(ranges[3]) << 32 | u64::from(ranges[4]),
            page_shifts,
        };
        walk(node, phb, &mut each);
    }
}

fn walk(node: FdtNode<'_, '_>, phb: Phb, each: &mut impl FnMut(Device)) {
    for child in node.children() {
        if cells(child, "vendor-id")[0] == 0x1234 && cells(child, "device-id")[0] == 0x11e8 {
            each(Device { phb, bdfn: u64::from(cells(child, "reg")[0] >> 8) });
        }
        walk(child, phb, each);
    }
}

/// Reads 32 bits of config space.
pub fn config_read(phb: u64, bdfn: u64, offset: u64) -> u32 {
    let value = 0u32;
    let status = opal::call(opal::CONFIG_READ_WORD, &[phb, bdfn, offset, &raw const value as u64]);
    assert!(status == 0, "config read: {status}");
    // SAFETY: the call wrote it.
    u32::from_be(unsafe { (&raw const value).read_volatile() })
}

/// Writes 32 bits of config space.
pub fn config_write(phb: u64, bdfn: u64, offset: u64, value: u32) {
    let status = opal::call(opal::CONFIG_WRITE_WORD, &[phb, bdfn, offset, u64::from(value)]);
    assert!(status == 0, "config write: {status}");
}

/// PCI address that BAR 0 of each device gets: the start of the 32-bit window.
const BAR: u32 = 0x8000_0000;

/// Opens the way to the device: bridge windows, BAR 0, memory and bus master. Returns BAR 0's CPU address.
pub fn open(device: Device) -> u64 {
    let Device { phb, bdfn } = device;
    let target = (bdfn >> 8) as u32;
    // Every bridge whose secondary..subordinate range holds the device's bus.
    let mut bus = 0;
    while bus != target {
        let mut next = None;
        for devfn in 0..256 {
            let bridge = u64::from(bus) << 8 | devfn;
            if bus == 0 && devfn != 0 {
                break;
            }
            if config_read(phb.id, bridge, 0) == u32::MAX
                || config_read(phb.id, bridge, 0xc) >> 16 & 0x7f != 1
            {
                continue;
            }
            let numbers = config_read(phb.id, bridge, 0x18);
            let (secondary, subordinate) = (numbers >> 8 & 0xff, numbers >> 16 & 0xff);
            if (secondary..=subordinate).contains(&target) {
                config_write(phb.id, bridge, 0x20, (BAR | BAR >> 16) & 0xfff0_fff0);
                let command = config_read(phb.id, bridge, 4) & 0xffff;
                config_write(phb.id, bridge, 4, command | 6);
                next = Some(secondary);
                break;
            }
        }
        bus = next.expect("no bridge leads to the device");
    }
    config_write(phb.id, bdfn, 0x10, BAR);
    config_write(phb.id, bdfn, 4, 6);
    phb.mmio32 + u64::from(BAR - 0x8000_0000)
}
