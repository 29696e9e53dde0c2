//! The TCE cache, kills, DMA syncs (reference 8, 19.4).

use super::*;

/// Window 0 with 64 KiB pages; bus page 0x1234 cached as real page 0x7000_0000 and then moved to 0x6000_0000.
fn stale() -> Bench {
    let bench = bench();
    bench.open_64k();
    bench.tce(0x1234, 0x7000_0000 | 3);
    assert_eq!(target(&bench), 0x7000_0000);
    bench.tce(0x1234, 0x6000_0000 | 3);
    bench
}

/// Which of the two pages a write to the bus page ends up in.
fn target(bench: &Bench) -> u64 {
    bench.ram.write8(0x7000_0000, 0);
    bench.ram.write8(0x6000_0000, 0);
    bench.phb.dma_write(RID, 0x1234_0000, &[1]).unwrap();
    if bench.ram.read8(0x6000_0000) == 1 { 0x6000_0000 } else { 0x7000_0000 }
}

#[test]
fn a_changed_tce_is_seen_after_a_kill_only() {
    for kill in [0x8000_0000_0000_0000, 0x4000_0000_0000_0005, 0x3000_0000_1234_1005] {
        let bench = stale();
        assert_eq!(target(&bench), 0x7000_0000);
        bench.kill(kill);
        assert_eq!(target(&bench), 0x6000_0000, "{kill:#x}");
    }
}

#[test]
fn kills_of_another_pe_page_or_page_size_leave_the_entry() {
    for kill in [0x4000_0000_0000_0006, 0x3000_0000_1235_1005, 0x3000_0000_1234_1006, 0x2000_0000_0123_4005] {
        let bench = stale();
        bench.kill(kill);
        assert_eq!(target(&bench), 0x7000_0000, "{kill:#x}");
    }
}

#[test]
fn a_kill_is_done_when_its_status_says_so() {
    let bench = stale();
    bench.regs.write64(TCE_KILL, 0x4000_0000_0000_0005);
    assert_eq!(bench.regs.read64(TCE_KILL), 0x4000_0000_0000_0000);
    assert_eq!(bench.regs.read64(TCE_KILL), 0);
    let running = 0x0100_0000_0000_0000;
    assert_eq!([(); 2].map(|()| bench.regs.read64(Q_DMA_R)), [running; 2]);
    assert_eq!(target(&bench), 0x7000_0000);
    assert!(bench.phb.kill_pending());
    assert_eq!(bench.regs.read64(Q_DMA_R), 0);
    assert_eq!(target(&bench), 0x6000_0000);
    assert!(!bench.phb.kill_pending());
}

#[test]
#[should_panic(expected = "while the slot is busy")]
fn a_kill_into_a_busy_slot_fails_the_test() {
    let bench = bench();
    bench.regs.write64(TCE_KILL, ENABLE);
    bench.regs.write64(TCE_KILL, ENABLE);
}

#[test]
fn a_page_kill_behind_another_kill_is_lost() {
    let bench = stale();
    bench.regs.write64(TCE_KILL, 0x4000_0000_0000_0006);
    while bench.regs.read64(TCE_KILL) != 0 {}
    bench.kill(0x3000_0000_1234_1005);
    assert_eq!(target(&bench), 0x7000_0000);
}

#[test]
fn a_stuck_kill_never_completes() {
    let bench = stale();
    bench.phb.stuck_kill(true);
    bench.regs.write64(TCE_KILL, ENABLE);
    assert!((0..20).all(|_| bench.regs.read64(TCE_KILL) == ENABLE));
    assert!((0..20).all(|_| bench.regs.read64(Q_DMA_R) == 0x0100_0000_0000_0000));
    assert_eq!(target(&bench), 0x7000_0000);
}

#[test]
fn a_miss_is_remembered_too() {
    let bench = bench();
    bench.open_64k();
    assert_eq!(bench.fault(0), FaultKind::PageFault);
    bench.tce(0, 0x7000_0000 | 3);
    assert_eq!(bench.fault(0), FaultKind::PageFault);
    bench.kill(0x4000_0000_0000_0005);
    assert_eq!(bench.phb.dma_write(RID, 0, &[1]), Ok(()));
}

#[test]
fn a_closed_windows_translations_live_until_killed() {
    let bench = stale();
    bench.tve(0, 0);
    assert_eq!(target(&bench), 0x7000_0000);
    bench.kill(0x4000_0000_0000_0005);
    assert_eq!(bench.fault(0x1234_0000), FaultKind::Closed);
}

#[test]
fn no_translation_survives_an_etu_reset() {
    let bench = stale();
    let pci = model::phb4::StackArea::Pci;
    assert!(bench.phb.scom_write(pci, 0xa, ENABLE) && bench.phb.scom_write(pci, 0xa, 0));
    bench.regs.write64(CRESET, 0);
    bench.regs.write32(0x1004, 0x0600_0000);
    bench.regs.write64(0x168, RTT | ENABLE);
    bench.tve(0, 0);
    assert_eq!(bench.phb.dma_write(RID, 0x1234_0000, &[1]), Err(fault(FaultKind::Closed, 0x1234_0000)));
}

#[test]
fn a_read_sync_completes_after_some_loads() {
    let bench = bench();
    bench.regs.write64(DMA_SYNC, 1 << 63);
    assert_eq!([(); 3].map(|()| bench.regs.read64(DMA_SYNC)), [1 << 63, 1 << 63, 1 << 62]);
    bench.regs.write64(DMA_SYNC, 1 << 63);
    assert_eq!(bench.regs.read64(DMA_SYNC), 1 << 63);
    bench.phb.stuck_sync(true);
    assert!((0..20).all(|_| bench.regs.read64(DMA_SYNC) == 1 << 63));
}

#[test]
fn phb5_has_a_write_sync_whose_completion_a_store_must_keep() {
    let ram = ModelRam::new(0, 0x1000);
    let regs = ModelPhb4::running(&ram, Phb5, Big).regs();
    let done = |start: u64| {
        regs.write64(DMA_SYNC, start);
        [(); 3].map(|()| regs.read64(DMA_SYNC))[2]
    };
    assert_eq!(done(0xa000_0000_0000_0000), 0x5000_0000_0000_0000);
    assert_eq!(done(0xd000_0000_0000_0000), 0x5000_0000_0000_0000);
    assert_eq!(done(0x8000_0000_0000_0000), 0x4000_0000_0000_0000);
}

#[test]
#[should_panic(expected = "bits that Phb4 doesn't have")]
fn phb4_has_no_write_sync() {
    bench().regs.write64(DMA_SYNC, 1 << 61);
}
