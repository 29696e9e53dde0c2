//! Virtual structure descriptors (VSDs), the same in both XIVE generations but for the address mask.

use super::ibm;
use opalite::hw::ram::Ram;

/// The table is an array of VSDs of pages.
pub const INDIRECT: u64 = 0x80;

/// Bytes of the table or page that a VSD describes.
pub fn table_bytes(vsd: u64) -> u64 {
    4096 << ibm(vsd, 59, 63)
}

/// What the unit demands of a VSD; `key` is its type and block.
pub fn check(key: (u8, u8), value: u64, address_mask: u64, may_be_indirect: bool) {
    let (mode, address) = (value >> 62, value & address_mask);
    assert!(mode == 2 || mode == 3, "XIVE: VSD {value:#x} of type {key:?} has mode {mode}");
    assert!(address != 0, "XIVE: VSD {value:#x} of type {key:?} has no address");
    let known = 3 << 62 | address_mask | INDIRECT | 0x1F;
    assert_eq!(value & !known, 0, "XIVE: VSD {value:#x} of type {key:?} has unknown bits");
    assert!(
        value & INDIRECT == 0 || may_be_indirect,
        "XIVE: VSD {value:#x} of type {key:?} cannot be indirect"
    );
    if mode == 2 {
        let size = table_bytes(value);
        assert_eq!(address % size, 0, "XIVE: table at {address:#x} is not aligned to its size {size:#x}");
    }
}

/// Where entry `index` lies in memory, if the table reaches that far.
pub fn locate<R: Ram>(
    ram: &R,
    key: (u8, u8),
    vsd: u64,
    address_mask: u64,
    entry_bytes: u64,
    index: u32,
) -> Option<u64> {
    assert_eq!(vsd >> 62, 2, "XIVE model: forwarding of block {} is not modelled", key.1);
    let index = u64::from(index);
    if vsd & INDIRECT == 0 {
        let fits = index < table_bytes(vsd) / entry_bytes;
        return fits.then_some((vsd & address_mask) + index * entry_bytes);
    }
    let first = ram.read64(vsd & address_mask);
    if first & address_mask == 0 {
        return None;
    }
    let page_bytes = table_bytes(first);
    let per_page = page_bytes / entry_bytes;
    let page = index / per_page;
    if page >= table_bytes(vsd) / 8 {
        return None;
    }
    let entry = ram.read64((vsd & address_mask) + page * 8);
    if entry & address_mask == 0 {
        return None;
    }
    assert_eq!(entry >> 62, 2, "XIVE: page {page} of indirect table {key:?} has VSD {entry:#x}");
    assert_eq!(table_bytes(entry), page_bytes, "XIVE: pages of indirect table {key:?} differ in size");
    assert!(
        matches!(ibm(entry, 59, 63), 0 | 4 | 9 | 12),
        "XIVE: page {page} of indirect table {key:?} has no page size: {entry:#x}"
    );
    assert_eq!(
        entry & address_mask & (page_bytes - 1),
        0,
        "XIVE: unaligned page {entry:#x} in table {key:?}"
    );
    Some((entry & address_mask) + index % per_page * entry_bytes)
}
