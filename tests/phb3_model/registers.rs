//! The register map: values after reset, forms, widths, what fails the test (reference 2, 3).

use super::*;

#[test]
fn fixed_values_are_those_of_the_part() {
    assert_eq!(bench().regs.read64(0x800), 0xa3_0000_0005);
    assert_eq!(bench_of(Naples).regs.read64(0x800), 0xb3_0000_0001);
    assert_eq!(bench().regs.read64(0x600), 0x4411_00fc_3000_0000);
}

#[test]
fn lem_fir_has_and_and_or_forms_and_wof_clears_on_any_store() {
    let Bench { phb, regs, .. } = bench();
    regs.write64(0xc00, 0xf0f0);
    regs.write64(0xc10, 0x0f00);
    regs.write64(0xc08, !0xff00);
    assert_eq!(regs.read64(0xc00), 0x00f0);
    phb.poke(0xc40, 7);
    regs.write64(0xc40, ONES);
    assert_eq!(regs.read64(0xc40), 0);
}

#[test]
fn statuses_and_logs_clear_by_ones() {
    let Bench { phb, regs, .. } = bench();
    for offset in [0xc80, 0xd00, 0xd80, 0xe00, 0x410, 0x548, 0x560, 0x680, 0x698, 0x6a0, 0x6a8] {
        phb.poke(offset, 0x6000_0000_0000_0001);
        let sums_up = u64::from((0xc80..0xe80).contains(&offset));
        assert_eq!(regs.read64(0x2c8), sums_up, "{offset:#x}");
        regs.write64(offset, 0x4000_0000_0000_0000);
        assert_eq!(regs.read64(offset), 0x2000_0000_0000_0001, "{offset:#x}");
        regs.write64(offset, ONES);
    }
}

#[test]
fn a_dma_sync_completes_after_some_loads() {
    let Bench { regs, .. } = bench();
    regs.write64(0x200, 1 << 63);
    assert_eq!([(); 3].map(|()| regs.read64(0x200)), [1 << 63, 1 << 63, 1 << 62]);
}

#[test]
fn the_upper_bits_of_m64_are_fourteen() {
    let Bench { regs, .. } = bench();
    regs.write64(0x1f0, ONES);
    assert_eq!(regs.read64(0x1f0), 0xfffc_0000_0000_0000);
}

#[test]
fn records_stores_in_order_with_their_width() {
    let Bench { phb, regs, .. } = bench();
    phb.clear_writes();
    regs.write64(0x1a0, 0x8000_0000);
    regs.write64(CONFIG_ADDRESS, ENABLE);
    regs.write16(CONFIG_DATA, 0);
    assert_eq!(phb.writes(), [(0x1a0, 8, 0x8000_0000), (0x140, 8, ENABLE), (0x130, 2, 0)]);
}

#[test]
fn a_fence_reads_all_ones_and_loses_stores() {
    let Bench { phb, regs, .. } = bench();
    phb.fence_after(1);
    regs.write64(0x1a0, 1);
    regs.write64(0x1a0, 2);
    assert_eq!((regs.read64(0x120), regs.read32(CONFIG_DATA), phb.peek(0x1a0)), (ONES, u32::MAX, 1));
    assert!(phb.is_fenced());
}

#[test]
fn a_failed_store_is_lost_and_fences() {
    let Bench { phb, regs, .. } = bench();
    phb.fail_next_write_at(0x1a0);
    regs.write64(0x190, 1);
    regs.write64(0x1a0, 2);
    assert_eq!((phb.peek(0x190), phb.peek(0x1a0), phb.is_fenced()), (1, 0, true));
}

#[test]
#[should_panic(expected = "8-byte load at 0x268: no such register")]
fn a_register_of_phb4_fails_the_test() {
    bench().regs.read64(0x268);
}

#[test]
#[should_panic(expected = "8-byte load at 0x1000: no such register")]
fn there_is_no_root_complex_window() {
    bench().regs.read64(0x1000);
}

#[test]
#[should_panic(expected = "4-byte load at 0x140, which takes 8 bytes")]
fn a_narrow_access_fails_the_test() {
    bench().regs.read32(0x140);
}

#[test]
#[should_panic(expected = "sets bits 0x0004000000000000 outside its fields")]
fn bars_end_at_bit_14() {
    bench().regs.write64(0x168, 0x8004_0000_0000_0000);
}

#[test]
#[should_panic(expected = "VERSION (0x800), which is read-only")]
fn a_store_to_a_read_only_register_fails_the_test() {
    bench().regs.write64(0x800, 0);
}
