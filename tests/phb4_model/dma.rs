//! Decode, RTT, TVE and TCEs: the worked examples (reference 6.6) and golden vectors (19).

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
    assert_eq!(bench.fault(0x8000_0000), FaultKind::BeyondTable);
}

#[test]
fn example_2_bypass_of_64_gib_reaches_memory_below_its_end_only() {
    let bench = bench();
    bench.tve(1, 0x0000_0000_1000_1080);
    bench.phb.dma_write(RID, 0x0800_0001_2345_6780, &[1, 2]).unwrap();
    assert_eq!(bench.ram.bytes(0x1_2345_6780, 2), [1, 2]);
    bench.phb.dma_write(RID, 0x0800_000f_ffff_ffff, &[3]).unwrap();
    assert_eq!(bench.fault(0x0800_0010_0000_0000), FaultKind::OutsideLimits);
    // Window 0 is another TVE.
    assert_eq!(bench.fault(0x1_2345_6780), FaultKind::Closed);
}

#[test]
fn example_3_identity_bypass_in_4_gib_mode_begins_at_4_gib() {
    let bench = bench();
    bench.regs.write64(CTRLR, FOUR_GIB_MODE);
    bench.tve(1, 0x0001_0000_1000_1080);
    bench.phb.dma_write(RID, 0x1_0000_0000, &[7]).unwrap();
    assert_eq!(bench.ram.bytes(0x1_0000_0000, 1), [7]);
    assert_eq!(bench.fault(0xfffe_ffff), FaultKind::Closed);
    assert_eq!(bench.fault(0x10_0000_0000), FaultKind::OutsideLimits);
    // Without the mode the same address belongs to window 0.
    bench.regs.write64(CTRLR, 0);
    assert_eq!(bench.fault(0x1_0000_0000), FaultKind::Closed);
}

#[test]
fn example_4_bypass_with_1_gib_tces_in_4_gib_mode() {
    let bench = bench();
    bench.regs.write64(CTRLR, FOUR_GIB_MODE);
    bench.tve(1, 0x0000_0003_0000_0113);
    bench.ram.write64(0x3000_0000 + 8 * 4, 0x0000_0003);
    bench.ram.write64(0x3000_0000 + 8 * 67, 0xf_c000_0003);
    bench.phb.dma_write(RID, 0x1_1234_5678, &[1]).unwrap();
    assert_eq!(bench.ram.bytes(0x1234_5678, 1), [1]);
    bench.phb.dma_write(RID, 0x10_c000_0001, &[2]).unwrap();
    assert_eq!(bench.ram.bytes(0xf_c000_0001, 1), [2]);
    assert_eq!(bench.fault(68 << 30), FaultKind::PageFault);
}

#[test]
fn example_5_two_levels() {
    let bench = bench();
    bench.tve(0, 0x0000_0004_0000_2505);
    bench.ram.write64(0x4000_0000 + 8 * 0x91, 0x4100_0000 | 3);
    bench.ram.write64(0x4100_0000 + 8 * 0x1456, 0x5678_0000 | 3);
    bench.phb.dma_write(RID, 0x12_3456_0042, &[9]).unwrap();
    assert_eq!(bench.ram.bytes(0x5678_0042, 1), [9]);
    // A missing lower table, and an entry without permission bits, are page faults.
    assert_eq!(bench.fault(0x92 << 29), FaultKind::PageFault);
    bench.ram.write64(0x4000_0000 + 8 * 0x93, 0x4100_0000);
    assert_eq!(bench.fault(0x93 << 29), FaultKind::PageFault);
}

#[test]
fn example_6_five_levels() {
    let bench = bench();
    bench.tve(0, 0x0000_0001_0000_8101);
    let tables = [0x1000_0000, 0x1000_1000, 0x1000_2000, 0x1000_3000, 0x1000_4000, 0x7000_0000];
    // One index per level: 1, 2, 3, 4, 5.
    for (index, pair) in (1..).zip(tables.windows(2)) {
        bench.ram.write64(pair[0] + 8 * index, pair[1] | 3);
    }
    let address = 1 << 48 | 2 << 39 | 3 << 30 | 4 << 21 | 5 << 12 | 0x678;
    bench.phb.dma_write(RID, address, &[6]).unwrap();
    assert_eq!(bench.ram.bytes(0x7000_0678, 1), [6]);
}

#[test]
fn example_7_a_closed_window_lets_nothing_through() {
    let bench = bench();
    bench.open_64k();
    bench.tve(0, 0);
    assert_eq!(bench.phb.dma_read(RID, 0, 1), Err(fault(FaultKind::Closed, 0)));
}

#[test]
fn translated_windows_are_as_wide_as_their_table() {
    let bench = bench();
    for (tve, bits) in [
        (0x0000_0002_0000_0705, 31),
        (0x0000_0002_0000_0101, 21),
        (0x0000_0000_0001_0101, 21),
        (0x0000_0003_0000_0113, 39),
        (0x0000_0004_0000_2505, 42),
        (0x0000_0004_0000_2501, 38),
        (0x0000_007f_0000_0c0a, 41),
        (0x0000_0010_0000_1005, 40),
        (0x0000_0005_0000_4305, 49),
        (0x0000_0006_0000_6105, 52),
        (0x0000_0001_0000_8101, 57),
    ] {
        bench.tve(0, tve);
        bench.tve(1, tve);
        for window in [0, BIT_59] {
            assert_eq!(bench.fault(window | ((1 << bits) - 1)), FaultKind::PageFault, "{tve:#x}");
            assert_eq!(bench.fault(window | 1 << bits), FaultKind::BeyondTable, "{tve:#x}");
        }
        bench.kill(1 << 63);
    }
    // 47 bits with the table far outside memory.
    bench.tve(0, 0x000f_ffff_fff0_250a);
    assert_eq!(bench.fault((1 << 47) - 1), FaultKind::NotMemory);
    assert_eq!(bench.fault(1 << 47), FaultKind::BeyondTable);
}

#[test]
fn shapes_that_this_generation_lacks_are_closed() {
    let bench = bench();
    // 16 MiB and 256 MiB pages, six levels, table size 0, no-translate without bit 51 or without bit 56.
    for tve in [0x10d, 0x8_0000_0211, 0x2_0000_a105, 0x2_0000_0005, 0x1000_0080, 0x1000_1000] {
        bench.tve(0, tve);
        assert_eq!(bench.fault(0x10_0000), FaultKind::Closed, "{tve:#x}");
    }
}

#[test]
fn no_translate_windows_hold_to_their_limits() {
    let bench = bench();
    for (tve, start, end) in [
        (0x0000_0000_1000_1080, 0, 64 << 30),
        (0x0000_0002_0000_1080, 0, 2 << 40),
        (0x0000_0000_0001_1080, 0, 16 << 20),
        (0x0000_0100_0002_1080, 16 << 20, 32 << 20),
        (0x0001_0000_1000_1080, 4 << 30, 64 << 30),
        (0x0000_0000_0000_1780, 1 << 48, (1 << 48) + (512 << 40)),
        (0x0000_0000_0080_1080, 0, 2 << 30),
        (0x0000_00ff_ffff_1380, 0, (1 << 50) - (16 << 20)),
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
fn permissions_are_those_of_the_last_tce() {
    let bench = bench();
    bench.open_64k();
    bench.tce(1, 0x7000_0000 | 1);
    bench.tce(2, 0x7001_0000 | 2);
    assert_eq!(bench.phb.dma_write(RID, 0x1_0000, &[1]), Err(fault(FaultKind::AccessFault, 0x1_0000)));
    bench.thaw();
    assert_eq!(bench.phb.dma_read(RID, 0x1_0000, 1), Ok(vec![0]));
    assert_eq!(bench.phb.dma_write(RID, 0x2_0000, &[1]), Ok(()));
    assert_eq!(bench.phb.dma_read(RID, 0x2_0000, 1), Err(fault(FaultKind::AccessFault, 0x2_0000)));
}

#[test]
fn a_transfer_is_translated_page_by_page() {
    let bench = bench();
    bench.open_64k();
    bench.tce(0, 0x7000_0000 | 3);
    bench.tce(1, 0x6000_0000 | 3);
    bench.phb.dma_write(RID, 0xfffe, &[1, 2, 3, 4]).unwrap();
    assert_eq!((bench.ram.bytes(0x7000_fffe, 2), bench.ram.bytes(0x6000_0000, 2)), (vec![1, 2], vec![3, 4]));
    // What lies before the page that is missing has moved.
    assert_eq!(bench.phb.dma_write(RID, 0x1_ffff, &[5, 6]), Err(fault(FaultKind::PageFault, 0x2_0000)));
    assert_eq!(bench.ram.bytes(0x6000_ffff, 1), [5]);
}

#[test]
fn a_frame_keeps_only_the_bits_above_its_page_size() {
    let bench = bench();
    bench.open_64k();
    bench.tce(0, 0x7000_5000 | 3);
    bench.phb.dma_write(RID, 0x10, &[1]).unwrap();
    assert_eq!(bench.ram.bytes(0x7000_0010, 1), [1]);
}

#[test]
fn a_misaligned_table_is_walked_with_the_index_ored_in() {
    let bench = bench();
    bench.tve(0, 0x0000_0002_0001_0705);
    bench.ram.write64(0x2000_1000, 0x7000_0000 | 3);
    // Index 0x200 falls on the same entry as index 0.
    bench.phb.dma_write(RID, 0x200_0000, &[1]).unwrap();
    assert_eq!(bench.ram.bytes(0x7000_0000, 1), [1]);
}

#[test]
fn a_page_outside_memory_is_a_fault() {
    let bench = bench();
    bench.open_64k();
    bench.tce(0, 1 << 50 | 3);
    assert_eq!(bench.fault(0), FaultKind::NotMemory);
}

#[test]
fn addresses_are_decoded_before_the_tve() {
    let bench = bench();
    bench.tve(0, 0x0000_0000_1000_1080);
    // With 32-bit MSIs off the range is ordinary memory.
    assert_eq!(bench.phb.dma_write(RID, 0xffff_0000, &[1]), Ok(()));
    bench.regs.write64(CONFIG, 0x0082_0000_0000_0000);
    assert_eq!(bench.fault(0xffff_0000), FaultKind::MsiRange);
    assert_eq!(bench.phb.dma_write(RID, 0xfffe_ffff, &[1]), Ok(()));
    assert_eq!(bench.fault(1 << 60), FaultKind::MsiRange);
    assert_eq!(bench.fault(1 << 61), FaultKind::BadAddress);
    bench.regs.write64(CONFIG, 0);
    assert_eq!(bench.fault(1 << 60), FaultKind::BadAddress);
}

#[test]
fn the_pe_of_a_requester_is_remembered_until_invalidated() {
    let bench = bench();
    bench.tve(0, 0x0000_0000_1000_1080);
    bench.phb.dma_write(RID, 0, &[1]).unwrap();
    bench.ram.write16(RTT + 2 * u64::from(RID), 6);
    bench.phb.dma_write(RID, 0, &[1]).unwrap();
    // Another requester's entry doesn't matter.
    bench.regs.write64(RTC_INVALIDATE, 0x0101 << 32);
    bench.phb.dma_write(RID, 0, &[1]).unwrap();
    bench.regs.write64(RTC_INVALIDATE, u64::from(RID) << 32);
    assert_eq!(bench.phb.dma_write(RID, 0, &[1]).unwrap_err().pe, Some(6));
    bench.ram.write16(RTT + 2 * u64::from(RID), 7);
    bench.regs.write64(RTC_INVALIDATE, ENABLE);
    assert_eq!(bench.phb.dma_write(RID, 0, &[1]).unwrap_err().pe, Some(7));
}

#[test]
fn an_rtt_entry_is_brought_into_range() {
    let bench = bench();
    bench.ram.write16(RTT + 2, 0xffff);
    assert_eq!(bench.phb.dma_read(1, 0, 1).unwrap_err().pe, Some(511));
}

#[test]
fn nothing_moves_without_rtt_or_bus_master_or_while_fenced() {
    let bench = bench();
    bench.tve(0, 0x0000_0000_1000_1080);
    let kind = |bench: &Bench| bench.phb.dma_write(RID, 0, &[1]).map_err(|fault| fault.kind);
    bench.regs.write64(0x168, RTT);
    assert_eq!(kind(&bench), Err(FaultKind::NoPe));
    bench.regs.write64(0x168, RTT | ENABLE);
    bench.regs.write32(0x1004, 0x0200_0000);
    assert_eq!(kind(&bench), Err(FaultKind::NotMaster));
    bench.regs.write32(0x1004, 0x0600_0000);
    bench.regs.write64(Q_DMA_R, ENABLE);
    assert_eq!(kind(&bench), Err(FaultKind::Quiesced));
    bench.regs.write64(Q_DMA_R, 0x4000_0000_0000_0000);
    assert_eq!(kind(&bench), Ok(()));
    bench.phb.fence();
    assert_eq!(kind(&bench), Err(FaultKind::Fenced));
}

#[test]
fn msis_decode_by_both_golden_vectors() {
    let bench = bench();
    bench.put(2, 0x123 / 4, 0x0005);
    assert_eq!(bench.phb.msi(RID, 0xffff_1200, 3), None);
    bench.regs.write64(CONFIG, 0x0082_0000_0000_0000);
    assert_eq!(bench.phb.msi(RID, 0xffff_1200, 3), Some(0x123));
    assert_eq!(bench.phb.msi(RID, 0x1000_0000_0000_1200, 3), Some(0x123));
    assert_eq!(bench.phb.msi(RID, 0x1200, 3), None);
    assert_eq!(bench.phb.frozen(PE), (false, false));
}

#[test]
fn an_msi_of_another_pe_or_past_the_last_source_freezes_the_sender() {
    let bench = bench();
    bench.regs.write64(CONFIG, 0x0082_0000_0000_0000);
    bench.put(2, 0, 0x0006_0000_0000_0000);
    assert_eq!(bench.phb.msi(RID, 0xffff_0000, 0), None);
    assert_eq!(bench.phb.frozen(PE), (true, true));
    // Transaction 1, interrupt, requester 0x0100.
    assert_eq!(bench.ram.read64(PEST + 16 * 5), 0x0101_0000_0100_0000);
    bench.thaw();
    bench.put(2, 0xff8 / 4, 0x0005_0005_0005_0005);
    assert_eq!(bench.phb.msi(RID, 0x1000_0000_0000_ff80, 0), None);
    assert_eq!(bench.phb.frozen(PE), (true, true));
}
