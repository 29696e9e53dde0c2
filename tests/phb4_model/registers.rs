//! The register map: values after reset, forms, widths, what fails the test (reference 2, 3).

use super::*;

#[test]
fn capabilities_follow_size_and_generation() {
    let ram = ModelRam::new(0, 0x1000);
    let big = ModelPhb4::running(&ram, Phb4, Big).regs();
    let caps = [0x250, 0x258, 0x260, 0x268, 0x800].map(|offset| big.read64(offset));
    assert_eq!(
        caps,
        [0xe4b8000000000000, 0x4008440000000400, 0x0800000000001000, 0x2000000000000000, 0xa400000002]
    );
    let small = ModelPhb4::running(&ram, Phb5, Small).regs();
    let caps = [0x250, 0x258, 0x260, 0x268, 0x800].map(|offset| small.read64(offset));
    assert_eq!(
        caps,
        [0xe4b8000000000000, 0x2008440000000200, 0x0800000000000800, 0x1000000000000000, 0xa500000002]
    );
}

#[test]
fn lem_fir_has_and_and_or_forms_and_wof_clears_on_any_store() {
    let Bench { phb, regs, .. } = bench();
    regs.write64(0xc00, 0xf0f0);
    regs.write64(0xc10, 0x0f00);
    assert_eq!(regs.read64(0xc00), 0xfff0);
    regs.write64(0xc08, !0xff00);
    assert_eq!(regs.read64(0xc00), 0x00f0);
    regs.write64(0xc18, ONES);
    regs.write64(0xc20, 0xff);
    regs.write64(0xc28, 0xf000);
    assert_eq!(regs.read64(0xc18), 0xf0ff);
    phb.poke(0xc40, 7);
    regs.write64(0xc40, ONES);
    assert_eq!(regs.read64(0xc40), 0);
}

#[test]
fn error_status_clears_by_ones_and_sums_up() {
    let Bench { phb, regs, .. } = bench();
    for group in [0xc80, 0xd00, 0xd80, 0xe00, 0xe80, 0x1900, 0x1c00] {
        assert_eq!(regs.read64(0x2c8), 0);
        phb.poke(group, 0x6000_0000_0000_0001);
        assert_ne!(regs.read64(0x2c8), 0);
        regs.write64(group, 0x4000_0000_0000_0000);
        assert_eq!(regs.read64(group), 0x2000_0000_0000_0001);
        regs.write64(group, ONES);
    }
}

#[test]
fn records_stores_in_order_with_their_width() {
    let Bench { phb, regs, .. } = bench();
    phb.clear_writes();
    regs.write64(0x1a0, 0x8000_0000);
    regs.write32(0x1018, 0x0001_ff00);
    regs.write64(0x208, ENABLE);
    assert_eq!(phb.writes(), [(0x1a0, 8, 0x8000_0000), (0x1018, 4, 0x0001_ff00), (0x208, 8, ENABLE)]);
}

#[test]
#[should_panic(expected = "8-byte load at 0x170: no such register")]
fn an_unknown_register_fails_the_test() {
    bench().regs.read64(0x170);
}

#[test]
#[should_panic(expected = "0x1b00: no such register")]
fn gen5_equalisation_exists_on_phb5_only() {
    let ram = ModelRam::new(0, 0x1000);
    ModelPhb4::running(&ram, Phb5, Big).regs().write64(0x1b00, 0);
    ModelPhb4::running(&ram, Phb4, Big).regs().write64(0x1b00, 0);
}

#[test]
#[should_panic(expected = "VERSION (0x800), which is read-only")]
fn a_store_to_a_read_only_register_fails_the_test() {
    bench().regs.write64(0x800, 0);
}

#[test]
#[should_panic(expected = "4-byte load at 0x810, which takes 8 bytes")]
fn a_narrow_load_fails_the_test() {
    bench().regs.read32(0x810);
}

#[test]
#[should_panic(expected = "2-byte store at 0x103e, which takes 4 bytes")]
fn a_narrow_root_config_store_fails_the_test() {
    bench().regs.write16(0x103e, 0);
}

#[test]
#[should_panic(expected = "outside its fields")]
fn a_misaligned_rtt_fails_the_test() {
    bench().regs.write64(0x168, (RTT + 0x1000) | ENABLE);
}

#[test]
#[should_panic(expected = "INT_NOTIFY_INDEX 0x800 is not aligned")]
fn a_misaligned_first_source_fails_the_test() {
    bench().regs.write64(0x308, 0x800);
}

#[test]
fn a_fenced_bridge_reads_all_ones_and_loses_stores() {
    let Bench { phb, regs, .. } = bench();
    regs.write64(0x1a0, 0x8000_0000);
    phb.fence();
    regs.write64(0x1a0, 0);
    assert_eq!((regs.read64(0x120), regs.read32(0x1000), regs.read8(CONFIG_DATA)), (ONES, u32::MAX, 0xff));
    assert_eq!(phb.peek(0x1a0), 0x8000_0000);
}

#[test]
fn fences_after_so_many_accesses() {
    let Bench { phb, regs, .. } = bench();
    phb.fence_after(2);
    regs.write64(0x1a0, 1);
    assert_eq!(regs.read64(0x1a0), 1);
    assert_eq!(regs.read64(0x1a0), ONES);
}

#[test]
fn fails_the_chosen_store_and_fences() {
    let Bench { phb, regs, .. } = bench();
    phb.fail_next_write_at(0x1a0);
    regs.write64(0x1f0, 0);
    assert!(!phb.is_fenced());
    regs.write64(0x1a0, 1);
    assert_eq!((phb.is_fenced(), phb.peek(0x1a0)), (true, 0));
}
