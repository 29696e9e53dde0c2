//! The TCE cache and kills (reference 8.1, 3.4).

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
    // All, PE 5, and the page by any of its addresses.
    for kill in [ENABLE, 0x4000_0000_0000_0005, 0x2000_0000_1234_0005, 0x2000_0000_1234_f005] {
        let bench = stale();
        assert_eq!(target(&bench), 0x7000_0000);
        bench.regs.write64(TCE_KILL, kill);
        assert_eq!(target(&bench), 0x6000_0000, "{kill:#x}");
    }
}

#[test]
fn kills_of_another_pe_page_or_window_leave_the_entry() {
    for kill in [0x4000_0000_0000_0006, 0x2000_0000_1235_0005, 0x2000_0000_1234_0006, 0x2800_0000_1234_0005] {
        let bench = stale();
        bench.regs.write64(TCE_KILL, kill);
        assert_eq!(target(&bench), 0x7000_0000, "{kill:#x}");
    }
}

#[test]
fn setting_the_fetch_bit_of_config_flushes() {
    let bench = stale();
    bench.regs.write64(CONFIG, 0x0082_8000_0000_0000);
    assert_eq!(target(&bench), 0x7000_0000);
    bench.regs.write64(CONFIG, 0x2000_0000_0000_0000);
    assert_eq!(target(&bench), 0x6000_0000);
}

#[test]
fn misses_and_closed_windows_are_remembered_too() {
    let bench = stale();
    assert_eq!(bench.fault(0), FaultKind::PageFault);
    bench.tce(0, 0x7000_0000 | 3);
    assert_eq!(bench.fault(0), FaultKind::PageFault);
    bench.tve(0, 0);
    assert_eq!(target(&bench), 0x7000_0000);
    bench.regs.write64(TCE_KILL, 0x4000_0000_0000_0005);
    assert_eq!(bench.fault(0x1234_0000), FaultKind::Closed);
}

#[test]
#[should_panic(expected = "unknown bits 0x100")]
fn a_pe_beyond_255_fails_the_test() {
    bench().regs.write64(TCE_KILL, 0x4000_0000_0000_0105);
}

#[test]
#[should_panic(expected = "asks for none or several kinds")]
fn a_kill_of_no_kind_fails_the_test() {
    bench().regs.write64(TCE_KILL, 5);
}
