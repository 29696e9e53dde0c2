//! Memory: whose it is, and which parts of it the OS must leave alone.

use crate::dt::tree::Tree;
use crate::units::ChipId;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

/// Memory that the OS must not use, but may read: it stays in the OS's linear map, because the memory console and
/// exports are read through that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// Name without address, such as `ibm,homer-image`.
    pub name: &'static str,
    /// Real addresses.
    pub range: Range<u64>,
    /// Whether a diagnosis daemon may look for it by its name (`ibm,prd-label`).
    pub labelled: bool,
}

impl Reserved {
    /// Firmware's own region.
    pub const fn firmware(range: Range<u64>) -> Self {
        Self { name: "ibm,firmware", range, labelled: false }
    }

    /// PAPR's door: memory of the OS, which must keep what is there.
    pub const fn rtas(range: Range<u64>) -> Self {
        Self { name: "ibm,rtas", range, labelled: false }
    }

    /// The HOMER of a chip: 4 MiB that the OCC uses. `base` is chip 0's.
    pub const fn homer(base: u64, chip: ChipId) -> Self {
        let start = base + ((chip.0 as u64) << 22);
        Self { name: "ibm,homer-image", range: start..start + (4 << 20), labelled: true }
    }

    /// What the OCCs of all chips share: 8 MiB.
    pub const fn occ_common(base: u64) -> Self {
        Self { name: "ibm,occ-common-area", range: base..base + (8 << 20), labelled: true }
    }
}

/// Publishes what is reserved, in the three forms that exist: `/reserved-memory`, `reserved-ranges` and the
/// reservation block. Linux honours each alone; kexec tools and firmware-assisted dump don't read all of them.
pub fn publish(tree: &mut Tree, reserved: &[Reserved]) {
    for node in tree.select("/", |node| node.is("device_type", "memory")) {
        let chip = tree.get(node).cell("ibm,chip-id").unwrap_or(0);
        tree.at(node).set_cells("ibm,associativity", &[4, 0, 0, 0, chip]);
    }

    let names: Vec<String> =
        reserved.iter().map(|area| format!("{}@{:x}", area.name, area.range.start)).collect();
    let start_and_size = |area: &Reserved| [area.range.start, area.range.end - area.range.start];

    let mut root = tree.make("/");
    root.set_strings("reserved-names", names.iter().map(String::as_str));
    root.set_all(
        "reserved-ranges",
        reserved.iter().flat_map(|area| start_and_size(area).map(u64::to_be_bytes)),
    );

    let mut parent = root.child("reserved-memory");
    parent.set_cells("#address-cells", &[2]).set_cells("#size-cells", &[2]).set_empty("ranges");
    for (area, name) in reserved.iter().zip(&names) {
        let mut node = parent.child(name);
        node.set_u64s("reg", &start_and_size(area));
        if area.labelled {
            node.set_string("ibm,prd-label", area.name);
        }
    }

    for area in reserved {
        tree.reserve(area.range.clone());
    }
}
