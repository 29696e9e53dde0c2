//! What a fault leaves behind: PEST, PEEV, PELT-V, LEM, the error interrupt (reference 4, 11).

use super::*;

#[test]
fn a_page_fault_freezes_the_pe_and_leaves_a_record() {
    let bench = bench();
    bench.open_64k();
    assert_eq!(bench.phb.dma_write(RID, 0x1234_5678, &[1]), Err(fault(FaultKind::PageFault, 0x1234_5678)));
    assert_eq!((bench.table(7, 5), bench.table(8, 5)), (ENABLE, ENABLE));
    assert_eq!(bench.table(20, 0), 0x0400_0000_0000_0000);
    // DMA write, TCE page fault, requester 0x0100; bit 0 is on chip only.
    assert_eq!(bench.ram.read64(PEST + 16 * 5), 0x0000_2000_0100_0000);
    assert_eq!(bench.ram.read64(PEST + 16 * 5 + 8), 0x1234_5678);
    assert_eq!(bench.phb.dma_read(RID, 0, 1), Err(fault(FaultKind::Frozen, 0)));
}

#[test]
fn a_read_of_a_write_only_page_in_window_1_is_recorded_with_bit_59() {
    let bench = bench();
    bench.tve(1, 0x0000_0002_0000_0705);
    bench.tce(0, 0x7000_0000 | 2);
    bench.phb.dma_read(RID, 0x0800_0000_0000_0040, 1).unwrap_err();
    assert_eq!(bench.ram.read64(PEST + 16 * 5), 0x0200_1000_0100_0000);
    assert_eq!(bench.ram.read64(PEST + 16 * 5 + 8), 0x0800_0000_0000_0040);
}

#[test]
fn a_second_fault_before_both_bits_are_cleared_is_lost() {
    let bench = bench();
    bench.open_64k();
    let failing = |address| {
        bench.phb.dma_write(RID, address, &[1]).unwrap_err();
        bench.ram.read64(PEST + 16 * 5 + 8)
    };
    assert_eq!(failing(0x1_0000), 0x1_0000);
    bench.put(8, 5, 0);
    assert_eq!(failing(0x2_0000), 0x1_0000);
    bench.thaw();
    assert_eq!(failing(0x3_0000), 0x3_0000);
}

#[test]
fn children_in_the_parents_pelt_v_row_freeze_with_it() {
    let bench = bench();
    // Parent 5, child 10: rows of 32 bytes, byte 1, mask 0x20.
    bench.ram.write8(PELTV + 5 * 32 + 1, 0x20);
    bench.fault(0);
    assert_eq!(bench.phb.frozen(10), (true, true));
    assert_eq!((bench.phb.frozen(9), bench.phb.frozen(11)), ((false, false), (false, false)));
}

#[test]
fn an_enabled_error_sets_the_lem_and_raises_the_error_interrupt_until_cleared() {
    let bench = bench();
    bench.fault(0);
    assert_eq!((bench.phb.error_interrupt(), bench.regs.read64(0xc00)), (None, 0));
    assert_eq!(bench.regs.read64(0x2c8), 1);
    // Init values of INB: LEM enable, interrupt enable.
    bench.regs.write64(0xe18, ONES);
    bench.regs.write64(0xe20, 0x0000_6000_0080_0070);
    assert_eq!(bench.phb.error_interrupt(), Some(0x7ff));
    bench.fault(0);
    // A bit of the ER class of 11.3.
    assert_ne!(bench.regs.read64(0xc00) & 0x0008_0010_7f50_0a2c, 0);
    bench.regs.write64(0xe00, bench.regs.read64(0xe00));
    assert_eq!(bench.phb.error_interrupt(), None);
}

#[test]
fn the_first_error_is_kept_beside_later_ones() {
    let bench = bench();
    bench.open_64k();
    bench.tce(0, 0x7000_0000 | 1);
    // An access fault, then a page fault.
    assert_eq!(bench.fault(0), FaultKind::AccessFault);
    let first = bench.regs.read64(0xe00);
    assert_eq!(bench.fault(0x1_0000), FaultKind::PageFault);
    assert_ne!(bench.regs.read64(0xe00), first);
    assert_eq!(bench.regs.read64(0xe08), first);
}
