//! Interrupts from a device to the presenter: IVT, IVC, P and Q, FFI, LSIs (reference 3.4, 4; platform 4.11, 6.4).

use super::*;

const SERVER: u16 = 8;
const IVC_INVALIDATE: u64 = 0x2a0;
const IVC_UPDATE: u64 = 0x2a8;
const FFI_REQUEST: u64 = 0x238;
const FFI_LOCK: u64 = 0x240;
/// Source 0x123 by both golden vectors of 19.4.
const MSI: (u64, u32) = (0xffff_1200, 3);
const MSI64: u64 = 0x1000_0000_0000_1200;
const SOURCE: u64 = 0x123;
/// Its entry among those of 16 bytes, and its global number.
const IVE: u64 = IVT + 0x1230;
const NUMBER: u32 = 0x923;
/// Server 8 << 2, priority 5, PE 5.
const ENTRY: u64 = 0x0000_2005_0000_0005;

struct Wired {
    bench: Bench,
    xics: Xics,
    page: model::xics::Window,
}

/// Presenters of threads 8 and 0x10 let everything through; source 0x123 goes to the first.
fn wired() -> Wired {
    let bench = bench();
    let xics = Xics::new(&[SERVER, 0x10]);
    bench.phb.connect(&xics);
    bench.regs.write64(CONFIG, 0x0082_8000_0000_0000);
    bench.ram.write64(IVE, ENTRY);
    let page = xics.page(SERVER);
    page.write8(4, 0xff);
    xics.page(0x10).write8(4, 0xff);
    Wired { bench, xics, page }
}

impl Wired {
    fn fire(&self) -> Option<u64> {
        self.bench.phb.msi(RID, MSI.0, MSI.1)
    }

    /// Accepts what waits and ends it; the number.
    fn handle(&self, server: u16) -> u32 {
        let page = self.xics.page(server);
        let xirr = page.read32(4);
        if xirr & 0xff_ffff != 0 {
            page.write32(4, xirr);
        }
        xirr & 0xff_ffff
    }

    fn entry(&self) -> u64 {
        self.bench.ram.read64(IVE)
    }
}

#[test]
fn an_msi_sets_p_and_reaches_its_server() {
    let wired = wired();
    assert_eq!(wired.fire(), Some(SOURCE));
    assert_eq!(wired.entry(), 0x0000_2005_0100_0005);
    assert_eq!(wired.xics.waiting(SERVER), Some((NUMBER, 5)));
    assert_eq!(wired.page.read32(4), 0xff00_0923);
    // Accepting raised the thread's priority.
    assert_eq!(wired.page.read8(4), 5);
}

#[test]
fn a_64_bit_msi_is_the_same_source() {
    let wired = wired();
    assert_eq!(wired.bench.phb.msi(RID, MSI64, 3), Some(SOURCE));
    assert_eq!(wired.handle(SERVER), NUMBER);
}

#[test]
fn a_second_msi_only_sets_q_and_ending_the_first_at_the_presenter_changes_nothing() {
    let wired = wired();
    wired.fire();
    assert_eq!((wired.handle(SERVER), wired.fire()), (NUMBER, Some(SOURCE)));
    assert_eq!((wired.entry(), wired.xics.waiting(SERVER)), (0x0000_2005_0101_0005, None));
}

#[test]
fn the_documented_end_of_an_msi_resends_what_q_kept() {
    let wired = wired();
    let Bench { ram, regs, phb } = &wired.bench;
    wired.fire();
    wired.handle(SERVER);
    wired.fire();
    // P off and generation 1 in memory, then in the cache if it still has generation 0.
    ram.write8(IVE + 4, 0x02);
    regs.write64(IVC_UPDATE, 0x8c00_0000_4000_0123);
    assert_eq!(phb.cached_ive(0x123), Some(0x0000_2005_0201_0005));
    ram.write8(IVE + 5, 0);
    regs.write64(IVC_UPDATE, 0x4000_0000_0000_0123);
    assert_eq!(regs.read64(FFI_LOCK), 0);
    assert_eq!(regs.read64(FFI_LOCK), ENABLE);
    regs.write64(FFI_REQUEST, 0x1230);
    assert_eq!(regs.read64(FFI_LOCK), 0);
    assert_eq!((wired.entry(), wired.handle(SERVER)), (0x0000_2005_0300_0005, NUMBER));
}

#[test]
fn clearing_p_in_memory_alone_loses_the_next_interrupt() {
    let wired = wired();
    wired.fire();
    wired.handle(SERVER);
    wired.bench.ram.write8(IVE + 4, 0);
    wired.fire();
    assert_eq!(wired.xics.waiting(SERVER), None);
    wired.bench.regs.write64(IVC_INVALIDATE, SOURCE << 32);
    wired.bench.ram.write8(IVE + 5, 0);
    wired.fire();
    assert_eq!(wired.handle(SERVER), NUMBER);
}

#[test]
fn an_update_of_another_generation_does_nothing() {
    let wired = wired();
    wired.fire();
    wired.handle(SERVER);
    // The entry was dropped and a new MSI fetched it between the store to memory and the update.
    wired.bench.ram.write8(IVE + 4, 0x02);
    wired.bench.phb.evict_ivc(0x123);
    wired.fire();
    wired.bench.regs.write64(IVC_UPDATE, 0x8c00_0000_4000_0123);
    assert_eq!(wired.bench.phb.cached_ive(0x123), Some(0x0000_2005_0300_0005));
    // Without the condition it would have.
    wired.bench.regs.write64(IVC_UPDATE, 0x8800_0000_8000_0123);
    assert_eq!(wired.bench.phb.cached_ive(0x123), Some(0x0000_2005_0400_0005));
}

#[test]
fn a_changed_server_is_seen_after_invalidating_or_updating() {
    let change = |make: fn(&Bench)| {
        let wired = wired();
        wired.fire();
        wired.handle(SERVER);
        wired.bench.ram.write64(IVE, 0x0000_4006_0000_0005);
        wired.bench.regs.write64(IVC_UPDATE, 0x8000_0000_0000_0123);
        make(&wired.bench);
        wired.fire();
        (wired.xics.waiting(SERVER), wired.xics.waiting(0x10))
    };
    let moved = (None, Some((NUMBER, 6)));
    assert_eq!(change(|_| {}), (Some((NUMBER, 5)), None));
    assert_eq!(change(|bench| bench.regs.write64(IVC_INVALIDATE, 0x124 << 32)), (Some((NUMBER, 5)), None));
    assert_eq!(change(|bench| bench.regs.write64(IVC_INVALIDATE, SOURCE << 32)), moved);
    assert_eq!(change(|bench| bench.regs.write64(IVC_INVALIDATE, ENABLE)), moved);
    // Server 0x10 << 2 in bits 8:23, priority 6.
    assert_eq!(change(|bench| bench.regs.write64(IVC_UPDATE, 0x3000_4006_0000_0123)), moved);
}

#[test]
fn a_masked_source_keeps_its_interrupt_in_q() {
    let wired = wired();
    wired.bench.ram.write64(IVE, 0x0000_20ff_0000_0005);
    assert_eq!(wired.fire(), Some(SOURCE));
    assert_eq!((wired.entry(), wired.xics.waiting(SERVER)), (0x0000_20ff_0001_0005, None));
}

#[test]
fn entries_of_128_bytes_when_the_control_register_says_so() {
    let wired = wired();
    wired.bench.regs.write64(CONTROL, 0xf3a8_0edb_0000_0000);
    wired.bench.ram.write64(IVT + 0x123 * 128, ENTRY);
    wired.fire();
    assert_eq!(wired.bench.ram.read64(IVT + 0x9180), 0x0000_2005_0100_0005);
    assert_eq!(wired.entry(), ENTRY);
}

#[test]
fn a_refused_msi_waits_in_the_reject_bits_until_the_thread_lets_it_through() {
    let wired = wired();
    wired.page.write8(4, 5);
    wired.fire();
    assert_eq!(wired.xics.waiting(SERVER), None);
    // Source 0x123 is bit 0x23 of word 4.
    assert_eq!(wired.bench.table(4, 4), 1 << (63 - 0x23));
    wired.page.write8(4, 6);
    assert_eq!(wired.xics.waiting(SERVER), Some((NUMBER, 5)));
    assert_eq!(wired.bench.table(4, 4), 0);
}

#[test]
fn a_better_interrupt_displaces_one_that_waits_and_that_one_comes_back() {
    let wired = wired();
    wired.fire();
    wired.bench.ram.write64(IVT + 0x40, 0x0000_2003_0000_0005);
    assert_eq!(wired.bench.phb.msi(RID, 0xffff_0040, 0), Some(4));
    assert_eq!(wired.xics.waiting(SERVER), Some((0x804, 3)));
    assert_eq!((wired.handle(SERVER), wired.handle(SERVER)), (0x804, NUMBER));
}

#[test]
fn an_msi_of_another_pe_or_past_the_table_or_of_an_lsi_freezes_the_sender() {
    let wired = wired();
    let Bench { ram, regs, phb } = &wired.bench;
    let refused = |address: u64| {
        assert_eq!(phb.msi(RID, address, 0), None);
        let frozen = phb.frozen(PE);
        wired.bench.thaw();
        frozen == (true, true)
    };
    ram.write64(IVT + 0x20, 0x0000_2005_0000_0006);
    assert!(refused(0xffff_0020));
    // MSI, interrupt, requester 0x0100.
    assert_eq!(ram.read64(PEST + 16 * 5), 0x0101_0000_0100_0000);
    ram.write64(IVT + 0x7f80, ENTRY);
    assert!(refused(0xffff_7f80));
    regs.write64(0x150, IVT | ENABLE | 0x100);
    assert!(refused(MSI.0));
    regs.write64(0x150, IVT | 0x800);
    assert!(refused(MSI.0));
}

#[test]
#[should_panic(expected = "erratum HW278969")]
fn an_msi_from_a_requester_that_has_no_pe_fails_the_test() {
    let wired = wired();
    wired.bench.ram.write16(RTT + 2 * u64::from(RID), 0xffff);
    wired.fire();
}

#[test]
#[should_panic(expected = "server 0x9 has no presenter")]
fn a_server_without_presenter_fails_the_test() {
    let wired = wired();
    wired.bench.ram.write64(IVE, 0x0000_2405_0000_0005);
    wired.fire();
}

#[test]
#[should_panic(expected = "a server has two link bits")]
fn a_server_that_was_not_shifted_fails_the_test() {
    let wired = wired();
    wired.bench.ram.write64(IVE, 0x0000_0905_0000_0005);
    wired.fire();
}

#[test]
#[should_panic(expected = "without the lock")]
fn an_ffi_request_without_the_lock_fails_the_test() {
    wired().bench.regs.write64(FFI_REQUEST, 0x1230);
}

#[test]
fn ffi_does_not_look_at_the_owner() {
    let wired = wired();
    wired.bench.ram.write64(IVE, 0x0000_2005_0000_0006);
    wired.bench.regs.read64(FFI_LOCK);
    wired.bench.regs.write64(FFI_REQUEST, 0x1230);
    assert_eq!(wired.handle(SERVER), NUMBER);
}

#[test]
fn an_lsi_comes_again_until_its_line_falls() {
    let wired = wired();
    wired.bench.put(2, 1, 0x0000_2004_0000_0000);
    wired.bench.phb.set_lsi(1, true);
    assert_eq!(wired.xics.waiting(SERVER), Some((0xff9, 4)));
    assert_eq!((wired.handle(SERVER), wired.handle(SERVER)), (0xff9, 0xff9));
    wired.page.read32(4);
    wired.bench.phb.set_lsi(1, false);
    wired.page.write32(4, 0xff00_0ff9);
    assert_eq!(wired.xics.waiting(SERVER), None);
}

#[test]
fn a_masked_lsi_comes_when_it_is_unmasked() {
    let wired = wired();
    wired.bench.put(2, 0, 0x0000_20ff_0000_0000);
    wired.bench.phb.set_lsi(0, true);
    assert_eq!(wired.xics.waiting(SERVER), None);
    wired.bench.put(2, 0, 0x0000_2007_0000_0000);
    assert_eq!(wired.xics.waiting(SERVER), Some((0xff8, 7)));
}

#[test]
fn an_error_group_with_its_enable_is_lsi_7() {
    let wired = wired();
    wired.bench.put(2, 7, 0x0000_2005_0000_0000);
    wired.bench.regs.write64(0xe20, 0x0000_6000_0080_0070);
    wired.bench.fault(0);
    assert_eq!(wired.xics.waiting(SERVER), Some((0xfff, 5)));
    wired.bench.regs.write64(0xe00, ONES);
    assert_eq!((wired.handle(SERVER), wired.handle(SERVER)), (0xfff, 0));
}

#[test]
fn numbers_need_both_enables_and_the_lsi_id_of_the_phb() {
    let wired = wired();
    let Bench { phb, regs, .. } = &wired.bench;
    assert!(phb.scom_write(PbcqArea::Nest, 0x45, 0xf0 << 56));
    wired.fire();
    assert_eq!((phb.lost_interrupts(), wired.xics.waiting(SERVER)), (vec![SOURCE], None));
    assert!(phb.scom_write(PbcqArea::Nest, 0x45, 0xf8 << 56));
    wired.bench.put(2, 0, 0x0000_2004_0000_0000);
    regs.write64(0x100, 0x07f0 << 48);
    phb.set_lsi(0, true);
    assert_eq!(wired.xics.waiting(SERVER), None);
    // INTA is now the first of the last but one eight.
    assert!(phb.scom_write(PbcqArea::Nest, 0x1f, 0xfe << 56));
    assert_eq!(wired.xics.waiting(SERVER), Some((0xff0, 4)));
}

#[test]
fn a_changed_owner_is_seen_after_invalidating() {
    let wired = wired();
    wired.bench.ram.write64(IVE, 0x0000_2005_0000_0006);
    assert_eq!(wired.fire(), None);
    wired.bench.thaw();
    wired.bench.ram.write64(IVE, ENTRY);
    assert_eq!(wired.fire(), None);
    wired.bench.thaw();
    wired.bench.regs.write64(IVC_INVALIDATE, ENABLE);
    assert_eq!(wired.fire(), Some(SOURCE));
}

#[test]
fn an_msi_that_waits_and_is_masked_goes_to_q() {
    let wired = wired();
    wired.page.write8(4, 5);
    wired.fire();
    wired.bench.regs.write64(IVC_UPDATE, 0x1000_00ff_0000_0123);
    assert_eq!((wired.bench.table(4, 4), wired.entry()), (0, 0x0000_2005_0101_0005));
}

#[test]
fn clearing_the_reject_bits_or_a_reset_forgets_what_waits_and_a_fence_keeps_it_back() {
    let waiting_then = |act: fn(&Bench)| {
        let wired = wired();
        wired.page.write8(4, 5);
        wired.fire();
        act(&wired.bench);
        wired.page.write8(4, 0xff);
        wired.xics.asserted(SERVER)
    };
    assert!(waiting_then(|_| {}));
    assert!(!waiting_then(|bench| bench.put(4, 4, 0)));
    assert!(!waiting_then(|bench| bench.phb.fence()));
    assert!(!waiting_then(|bench| {
        assert!(bench.phb.scom_write(PbcqArea::Pci, 0xa, ENABLE));
        assert!(bench.phb.scom_write(PbcqArea::Pci, 0xa, 0));
        bench.regs.write64(0x150, IVT | ENABLE | 0x800);
        bench.regs.write64(0x100, 0x07f8 << 48);
        (0..8).for_each(|lsi| bench.put(2, lsi, 0x0000_20ff_0000_0000));
    }));
}
