//! Reading the tree that the machine passed, before there is a heap (crate `fdt`).

use crate::units::ChipId;
use core::ops::Range;
use fdt::node::FdtNode;

/// Big-endian 32-bit cells of a property.
pub fn cells(value: &[u8]) -> impl Iterator<Item = u32> + '_ {
    value.chunks_exact(4).map(|cell| cell.iter().fold(0, |sum, &byte| sum << 8 | u32::from(byte)))
}

/// Big-endian 64-bit numbers of a property.
pub fn numbers(value: &[u8]) -> impl Iterator<Item = u64> + '_ {
    value.chunks_exact(8).map(|cell| cell.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)))
}

/// RAM of a memory node: address and size are two cells each on every supported machine.
pub fn memory_ranges<'a>(node: FdtNode<'_, 'a>) -> impl Iterator<Item = Range<u64>> + 'a {
    let value: &'a [u8] = node.property("reg").map_or(&[], |p| p.value);
    value.chunks_exact(16).map(|entry| {
        let (address, size) = entry.split_at(8);
        let start = numbers(address).next().unwrap_or(0);
        start..start + numbers(size).next().unwrap_or(0)
    })
}

/// The XSCOM node of each chip, with the chip's number.
pub fn chips<'a>(tree: &'a fdt::Fdt<'a>) -> impl Iterator<Item = (ChipId, FdtNode<'a, 'a>)> {
    tree.all_nodes().filter(|node| node.name.starts_with("xscom@")).map(|node| {
        let number = node.property("ibm,chip-id").and_then(|property| cells(property.value).next());
        (ChipId(number.unwrap_or(0)), node)
    })
}
