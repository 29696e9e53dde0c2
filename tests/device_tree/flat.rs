//! A blob as paths and values that can be compared and printed, read by `dtoolkit`. References are shown as paths,
//! because phandles are arbitrary.

use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::{Node, Property};
use std::collections::BTreeMap;

/// Properties of one node, by name.
pub type Properties = BTreeMap<String, Vec<u8>>;

/// A tree as a map from paths.
pub struct Flat {
    pub nodes: BTreeMap<String, Properties>,
    pub phandles: BTreeMap<u32, String>,
    pub reservations: Vec<(u64, u64)>,
    pub boot_cpu: u32,
}

pub fn cells(value: &[u8]) -> Vec<u32> {
    assert!(value.len().is_multiple_of(4), "{} bytes aren't cells", value.len());
    value.chunks_exact(4).map(|cell| u32::from_be_bytes(cell.try_into().unwrap())).collect()
}

/// Properties whose first cell, or every cell, is a phandle.
const REFERENCES: &[&str] =
    &["interrupt-parent", "ibm,phb-stack", "ibm,pbcq", "dependencies", "interrupts-extended"];

impl Flat {
    pub fn read(blob: &[u8]) -> Self {
        // Its checked constructor refuses node names above 31 characters, which cpu features have.
        let fdt = Fdt::new_unchecked(blob);
        let word = |at: usize| u32::from_be_bytes(blob[at..at + 4].try_into().unwrap());
        assert_eq!(word(4) as usize, blob.len(), "totalsize is exact");
        assert_eq!((word(20), word(24)), (17, 16), "version");
        assert!(word(16).is_multiple_of(8) && word(8).is_multiple_of(4), "blocks are aligned");
        let mut flat = Self {
            nodes: BTreeMap::new(),
            phandles: BTreeMap::new(),
            reservations: fdt.memory_reservations().map(|range| (range.address(), range.size())).collect(),
            boot_cpu: fdt.boot_cpuid_phys(),
        };
        flat.add(fdt.root(), "");
        flat
    }

    fn add(&mut self, node: FdtNode<'_>, parent: &str) {
        let path = match parent {
            "" if node.name().is_empty() => "/".to_owned(),
            "/" => format!("/{}", node.name()),
            _ => format!("{parent}/{}", node.name()),
        };
        let mut properties = Properties::new();
        for property in node.properties() {
            let before = properties.insert(property.name().to_owned(), property.value().to_vec());
            assert!(before.is_none(), "{path} has {} twice", property.name());
        }
        if let Some(value) = properties.get("phandle") {
            let before = self.phandles.insert(cells(value)[0], path.clone());
            assert!(before.is_none(), "phandle {:#x} of {path} belongs to {before:?} too", cells(value)[0]);
        }
        assert!(self.nodes.insert(path.clone(), properties).is_none(), "{path} exists twice");
        for child in node.children() {
            self.add(child, &path);
        }
    }

    pub fn property(&self, path: &str, name: &str) -> Option<&[u8]> {
        self.nodes.get(path)?.get(name).map(Vec::as_slice)
    }

    pub fn cell(&self, path: &str, name: &str) -> Option<u32> {
        self.property(path, name).map(|value| cells(value)[0])
    }

    fn reference(&self, phandle: u32) -> String {
        let path = self.phandles.get(&phandle);
        format!("&{}", path.unwrap_or_else(|| panic!("no node has phandle {phandle:#x}")))
    }

    /// Entries of an `interrupt-map`: child address and pin, controller, specifier there.
    pub fn interrupt_map(&self, path: &str) -> Vec<(Vec<u32>, String, Vec<u32>)> {
        let need = |path: &str, name| self.cell(path, name).unwrap_or_else(|| panic!("{path} lacks {name}"));
        let width = need(path, "#address-cells") + need(path, "#interrupt-cells");
        let mut rest = cells(self.property(path, "interrupt-map").unwrap());
        let mut entries = Vec::new();
        while !rest.is_empty() {
            let child: Vec<u32> = rest.drain(..width as usize).collect();
            let phandle = rest.remove(0);
            let controller = self.phandles.get(&phandle).expect("a controller with this phandle").clone();
            let width = need(&controller, "#address-cells") + need(&controller, "#interrupt-cells");
            entries.push((child, controller, rest.drain(..width as usize).collect()));
        }
        entries
    }

    /// A value as text: references as paths, else strings, else cells, else bytes.
    pub fn show(&self, path: &str, name: &str) -> String {
        let value = self.property(path, name).unwrap();
        if name == "interrupt-map" {
            return format!("{:x?}", self.interrupt_map(path));
        }
        if REFERENCES.contains(&name) {
            return cells(value).into_iter().map(|cell| self.reference(cell)).collect::<Vec<_>>().join(" ");
        }
        let text = std::str::from_utf8(value).ok().and_then(|text| text.strip_suffix('\0'));
        match text {
            Some(text) if text.split('\0').all(|part| part.len() > 1 && !part.contains(char::is_control)) => {
                format!("{:?}", text.split('\0').collect::<Vec<_>>())
            }
            _ if value.len().is_multiple_of(4) => format!("<{:x?}>", cells(value)),
            _ => format!("{value:x?}"),
        }
    }
}
