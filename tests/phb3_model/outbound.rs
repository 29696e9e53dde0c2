//! CPU to device: M64BT, M32 and M32DT (reference 5).

use super::*;
use model::phb3::Outbound;

/// PHB 0's ranges: 64 GiB at 0x3d00000000000, 2 GiB at 0x3ff8000000000.
fn forwarding() -> Bench {
    let bench = bench();
    bench.regs.write64(0x190, 0x0003_ff80_0000_0000);
    bench.regs.write64(0x198, 0xffff_ffff_8000_0000);
    bench.regs.write64(0x1a0, 0x8000_0000);
    bench
}

#[test]
fn the_m32_window_finds_its_pe_in_segments_of_a_256th() {
    let bench = forwarding();
    bench.put(17, 3, 0x0009_0000_0000_0000);
    assert_eq!(bench.phb.outbound(0x0003_ff80_0180_1234), None);
    bench.regs.write64(CONFIG, 0x0000_8000_0000_0000);
    let found = Outbound { entry: 16, pe: 9, pci: 0x8180_1234, frozen: false };
    assert_eq!(bench.phb.outbound(0x0003_ff80_0180_1234), Some(found));
    bench.phb.freeze(9);
    assert!(bench.phb.outbound(0x0003_ff80_0180_0000).unwrap().frozen);
}

#[test]
fn a_shared_m64_window_has_256_segments() {
    let bench = forwarding();
    // Base 0x3d000000 MiB in bits 2:31, mask 0x40000000 - 64 Ki; 256 MiB per PE.
    bench.put(16, 0, 0xbd00_0000_3fff_0000);
    let found = |address| bench.phb.outbound(address).map(|found| (found.entry, found.pe, found.pci));
    assert_eq!(found(0x0003_d000_1234_5678), Some((0, 1, 0x0003_d000_1234_5678)));
    assert_eq!(found(0x0003_d00f_ffff_ffff), Some((0, 255, 0x0003_d00f_ffff_ffff)));
    assert_eq!(found(0x0003_d010_0000_0000), None);
}

#[test]
fn a_single_pe_window_splits_its_pe_number_over_two_fields() {
    let bench = forwarding();
    // 256 MiB at 0x3d00040000000 for PE 43 = 1 << 5 | 11: mask (2^25 - 8) << 5.
    bench.put(16, 15, 0xfd00_0401_3fff_ff0b);
    let found = |address| bench.phb.outbound(address).map(|found| (found.entry, found.pe));
    assert_eq!(found(0x0003_d000_4fff_ffff), Some((15, 43)));
    assert_eq!((found(0x0003_d000_3fff_ffff), found(0x0003_d000_5000_0000)), (None, None));
    bench.put(16, 15, 0x7d00_0401_3fff_ff0b);
    assert_eq!(found(0x0003_d000_4fff_ffff), None);
}

#[test]
fn a_window_outside_the_nests_ranges_forwards_nothing() {
    let bench = forwarding();
    // 32 MiB at 0x3d01000000000, PHB 1's range.
    bench.put(16, 0, 0xfd01_0000_3fff_ffe0);
    assert_eq!(bench.phb.outbound(0x0003_d010_0000_0000), None);
}

#[test]
#[should_panic(expected = "no power of two, or not aligned")]
fn a_window_that_is_not_aligned_to_its_size_fails_the_test() {
    let bench = forwarding();
    bench.put(16, 0, 0xbd00_0001_3fff_ffc0);
    bench.phb.outbound(0x0003_d000_0000_0000);
}

#[test]
fn m64_cycles_get_the_upper_bits() {
    let bench = forwarding();
    bench.regs.write64(0x1f0, 0x8000_0000_0000_0000);
    bench.put(16, 0, 0xbd00_0000_3fff_0000);
    assert_eq!(bench.phb.outbound(0x0003_d000_0000_0010).unwrap().pci, 0x8003_d000_0000_0010);
}
