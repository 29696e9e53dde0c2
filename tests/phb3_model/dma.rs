//! Decode, RTT, TVE and TCEs: the worked examples (reference 6.6) and PHB3's golden vectors (19.1, 19.2).

use super::*;

const BIT_59: u64 = 1 << 59;

#[test]
fn example_1_one_level_of_64k_pages() {
    let bench = bench();
    bench.open_64k();
    bench.ram.write64(0x2000_91a0, 0x7654_0000 | 3);
    bench.phb.dma_write(RID, 0x1234_5678, b"hello").unwrap();
    assert_eq!(bench.ram.bytes(0x7654_5678, 5), b"hello");
    assert_eq!(bench.phb.dma_read(RID, 0x1234_5679, 3).unwrap(), b"ell");
}

#[test]
fn example_2_bypass_of_64_gib_reaches_memory_below_its_end_only() {
    let bench = bench();
    bench.tve(1, 0x0000_0000_1000_1000);
    bench.phb.dma_write(RID, 0x0800_0001_2345_6780, &[1, 2]).unwrap();
    assert_eq!(bench.ram.bytes(0x1_2345_6780, 2), [1, 2]);
    assert_eq!(bench.fault(0x0800_0010_0000_0000), FaultKind::OutsideLimits);
    // Window 0 is another TVE.
    assert_eq!(bench.fault(0x1_2345_6780), FaultKind::Closed);
}

#[test]
fn pages_of_16_mib() {
    let bench = bench();
    // 0x3000_0000 << 4 | 1 << 8 | 13; index 0x1_2345_6789 >> 24 = 0x123.
    bench.tve(0, 0x0000_0003_0000_010d);
    bench.ram.write64(0x3000_0918, 0x4700_0000 | 3);
    bench.phb.dma_write(RID, 0x1_2345_6789, &[1]).unwrap();
    assert_eq!(bench.ram.bytes(0x4745_6789, 1), [1]);
}

#[test]
fn pages_of_256_mib() {
    let bench = bench();
    // Index 0x25_4345_6789 >> 28 = 0x254 of 1024.
    bench.tve(0, 0x0000_0008_0000_0211);
    bench.ram.write64(0x8000_12a0, 0x7000_0000 | 3);
    bench.phb.dma_write(RID, 0x25_4345_6789, &[1]).unwrap();
    assert_eq!(bench.ram.bytes(0x7345_6789, 1), [1]);
}

#[test]
fn translated_windows_are_as_wide_as_their_table() {
    let bench = bench();
    for (tve, bits) in [
        (0x0000_0002_0000_0705, 31),
        (0x0000_0002_0000_0101, 21),
        (0x0000_0000_0001_0101, 21),
        (0x0000_0004_0000_2505, 42),
        (0x0000_0004_0000_2501, 38),
        (0x0000_0010_0000_1005, 40),
        (0x0000_0005_0000_4305, 49),
        (0x0000_0006_0000_6105, 52),
        (0x0000_0001_0000_8101, 57),
        (0x0000_0000_0000_010d, 33),
        (0x0000_0008_0000_0211, 38),
    ] {
        bench.tve(0, tve);
        bench.tve(1, tve);
        for window in [0, BIT_59] {
            assert_eq!(bench.fault(window | ((1 << bits) - 1)), FaultKind::PageFault, "{tve:#x}");
            assert_eq!(bench.fault(window | 1 << bits), FaultKind::BeyondTable, "{tve:#x}");
        }
        bench.regs.write64(TCE_KILL, ENABLE);
    }
}

#[test]
fn shapes_that_this_generation_lacks_are_closed() {
    let bench = bench();
    // 2 MiB and 1 GiB pages, six levels, table size 0; no-translate without bit 51 or with bit 56.
    for tve in [0x7f_0000_0c0a, 0x3_0000_0113, 0x2_0000_a105, 0x2_0000_0005, 0x1000_0000, 0x1000_1080] {
        bench.tve(1, tve);
        assert_eq!(bench.fault(BIT_59 | 0x10_0000), FaultKind::Closed, "{tve:#x}");
    }
}

#[test]
fn no_translate_windows_hold_to_their_limits() {
    let bench = bench();
    for (tve, start, end) in [
        (0x0000_0000_1000_1000, 0, 64 << 30),
        (0x0000_0002_0000_1000, 0, 2 << 40),
        (0x0000_0000_0001_1000, 0, 16 << 20),
        (0x0000_0100_0002_1000, 16 << 20, 32 << 20),
        (0x0001_0000_1000_1000, 4 << 30, 64 << 30),
        (0x0000_0000_0000_1700, 1 << 48, (1 << 48) + (512 << 40)),
        (0x0000_0000_0080_1000, 0, 2 << 30),
        (0x0000_00ff_ffff_1300, 0, (1 << 50) - (16 << 20)),
    ] {
        bench.tve(1, tve);
        let reached = |real: u64| match bench.phb.dma_write(RID, BIT_59 | real, &[0]) {
            Ok(()) => true,
            Err(DmaFault { kind, .. }) => {
                bench.thaw();
                assert!(
                    matches!(kind, FaultKind::NotMemory | FaultKind::OutsideLimits),
                    "{tve:#x}: {kind:?}"
                );
                kind == FaultKind::NotMemory
            }
        };
        assert!(reached(start) && reached(end - 1), "{tve:#x}");
        assert!(!reached(end) && (start == 0 || !reached(start - 1)), "{tve:#x}");
    }
}

#[test]
fn the_shipped_encoding_of_a_start_at_16_mib_opens_from_zero() {
    let bench = bench();
    // The third column of 19.2, bug B1.
    bench.tve(1, 0x0000_0000_0002_1000);
    assert_eq!(bench.phb.dma_write(RID, BIT_59, &[1]), Ok(()));
}

#[test]
fn only_naples_bypasses_below_4_gib_in_window_0_and_only_with_its_bit() {
    let tve = 0x0000_0000_1000_1000;
    let venice = bench();
    venice.tve(0, tve);
    venice.regs.write64(CONTROL, 0x0010_0000_0000_0000);
    assert_eq!(venice.fault(0x1000_0000), FaultKind::OutsideLimits);
    assert_eq!(venice.phb.dma_write(RID, 0x1_0000_0000, &[1]), Ok(()));
    let naples = bench_of(Naples);
    naples.tve(0, tve);
    assert_eq!(naples.fault(0xffff_f000), FaultKind::OutsideLimits);
    naples.regs.write64(CONTROL, 0x0010_0000_0000_0000);
    assert_eq!(naples.phb.dma_write(RID, 0x1000_0000, &[1]), Ok(()));
}

#[test]
fn addresses_are_decoded_before_the_tve() {
    let bench = bench();
    bench.tve(0, 0x0000_0002_0000_1005);
    // With 32-bit MSIs off the range is ordinary memory.
    assert_eq!(bench.fault(0xffff_0000), FaultKind::PageFault);
    bench.regs.write64(CONFIG, 0x0082_8000_0000_0000);
    assert_eq!(bench.fault(0xffff_0000), FaultKind::MsiRange);
    assert_eq!(bench.fault(1 << 60), FaultKind::MsiRange);
    assert_eq!(bench.fault(1 << 61), FaultKind::BadAddress);
}

#[test]
fn the_pe_of_a_requester_is_remembered_until_invalidated() {
    let bench = bench();
    assert_eq!(bench.fault(0), FaultKind::Closed);
    let pe = || {
        let pe = bench.phb.dma_write(RID, 0, &[1]).unwrap_err().pe.unwrap();
        bench.put(8, pe.into(), 0);
        pe
    };
    bench.ram.write16(RTT + 2 * u64::from(RID), 6);
    bench.regs.write64(RTC_INVALIDATE, 0x0101 << 32);
    assert_eq!(pe(), 5);
    bench.regs.write64(RTC_INVALIDATE, u64::from(RID) << 32);
    assert_eq!(pe(), 6);
    bench.ram.write16(RTT + 2 * u64::from(RID), 7);
    bench.regs.write64(RTC_INVALIDATE, ENABLE);
    assert_eq!(pe(), 7);
}

#[test]
fn a_requester_whose_entry_is_no_pe_moves_nothing() {
    let bench = bench();
    for entry in [0x0100, 0xffff] {
        bench.ram.write16(RTT + 2 * u64::from(RID), entry);
        bench.regs.write64(RTC_INVALIDATE, ENABLE);
        let refused = DmaFault { kind: FaultKind::NoPe, pe: None, address: 0 };
        assert_eq!(bench.phb.dma_write(RID, 0, &[1]), Err(refused));
    }
}

#[test]
fn nothing_moves_without_rtt_or_bus_master_or_while_fenced() {
    let bench = bench();
    bench.tve(1, 0x0000_0000_1000_1000);
    let kind = || bench.phb.dma_write(RID, BIT_59, &[1]).map_err(|fault| fault.kind);
    bench.regs.write64(0x168, RTT);
    assert_eq!(kind(), Err(FaultKind::NoPe));
    bench.regs.write64(0x168, RTT | ENABLE);
    bench.phb.root_port().write(4, 2, 2);
    assert_eq!(kind(), Err(FaultKind::NotMaster));
    bench.phb.root_port().write(4, 2, 6);
    bench.regs.write64(Q_DMA_R, ENABLE);
    assert_eq!((kind(), bench.regs.read64(Q_DMA_R)), (Err(FaultKind::Quiesced), ENABLE));
    bench.regs.write64(Q_DMA_R, 0x4000_0000_0000_0000);
    assert_eq!(kind(), Ok(()));
    bench.phb.fence();
    assert_eq!(kind(), Err(FaultKind::Fenced));
}
