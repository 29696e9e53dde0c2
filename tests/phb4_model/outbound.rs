//! CPU to device: MBT, MDT, M32 and M64 (reference 5, 19.4).

use super::*;
use model::phb4::{Outbound, StackArea};

/// A bench whose nest forwards PHB 0's 64-bit and 32-bit ranges.
fn forwarding() -> Bench {
    let bench = bench();
    for (register, value) in [
        (0xe, 0x0600_0000_0000_0000),
        (0xf, 0xffff_c000_0000_0000),
        (0x10, 0x0600_c000_0000_0000),
        (0x11, 0xffff_ff80_0000_0000),
        (0x14, 0xf000_0000_0000_0000),
    ] {
        assert!(bench.phb.scom_write(StackArea::Nest, register, value));
    }
    bench.regs.write64(0x1a0, 0x8000_0000);
    bench
}

fn pe(bench: &Bench, address: u64) -> Option<u16> {
    bench.phb.outbound(address).map(|found| found.pe)
}

#[test]
fn the_m32_window_finds_its_pe_in_the_mdt() {
    let bench = forwarding();
    bench.put(16, 0, 0x5006_00c0_0000_0000);
    bench.put(16, 1, 0x80ff_ffff_8000_0000);
    // 2 GiB in 512 segments of 4 MiB; column A is the top quarter.
    bench.put(17, 3, 0x0009_0001_0002_0003);
    let found = bench.phb.outbound(0x0006_00c0_00c0_1234);
    assert_eq!(found, Some(Outbound { entry: 0, pe: 9, pci: 0x80c0_1234, frozen: false }));
    assert_eq!(pe(&bench, 0x0006_00c0_8000_0000), None);
    bench.phb.freeze(9);
    assert!(bench.phb.outbound(0x0006_00c0_00c0_0000).unwrap().frozen);
}

#[test]
fn m64_windows_are_segmented_or_belong_to_one_pe_or_go_through_a_column() {
    let bench = forwarding();
    // Entry 1: 1 GiB, eight segments from PE 16 on.
    bench.put(16, 2, 0x0c06_0000_0000_0000);
    bench.put(16, 3, 0x80ff_ffff_c000_0010);
    assert_eq!(pe(&bench, 0x0006_0000_0fff_ffff), Some(17));
    assert_eq!(pe(&bench, 0x0006_0000_3fff_ffff), Some(23));
    // Entry 2: 256 MiB for PE 7.
    bench.put(16, 4, 0x2006_0000_4000_0000);
    bench.put(16, 5, 0x80ff_ffff_f000_0007);
    assert_eq!(pe(&bench, 0x0006_0000_4fff_ffff), Some(7));
    // Entry 3: 512 MiB, 1 MiB segments, column C.
    bench.put(16, 6, 0x1806_0000_6000_0000);
    bench.put(16, 7, 0x80ff_ffff_e000_0000);
    bench.put(17, 1, 0x0001_0002_0033_0004);
    assert_eq!(pe(&bench, 0x0006_0000_6010_0000), Some(0x33));
}

#[test]
fn a_window_outside_the_nests_ranges_or_disabled_forwards_nothing() {
    let bench = forwarding();
    bench.put(16, 2, 0x2006_0040_0000_0000);
    bench.put(16, 3, 0x80ff_ffff_f000_0007);
    assert_eq!(pe(&bench, 0x0006_0040_0000_0000), None);
    bench.put(16, 4, 0x2006_0000_4000_0000);
    bench.put(16, 5, 0x00ff_ffff_f000_0007);
    assert_eq!(pe(&bench, 0x0006_0000_4000_0000), None);
}
