//! The on-chip tables behind IODA_ADDR and IODA_DATA0 (reference 5, 19.4).

use super::*;

#[test]
fn address_words_of_the_reference_select_the_entries_they_name() {
    let bench = bench();
    bench.regs.write64(IODA_ADDR, 0x0009_0000_0000_000a);
    bench.regs.write64(IODA_DATA0, 0x0000_0002_0000_0705);
    assert_eq!(bench.table(9, 10), 0x0000_0002_0000_0705);
    assert_eq!((bench.table(9, 9), bench.table(9, 11)), (0, 0));
}

#[test]
fn auto_increment_moves_on_loads_and_stores_and_wraps_at_the_tables_size() {
    let bench = bench();
    bench.regs.write64(IODA_ADDR, AUTO | 17 << 48 | 510);
    for value in [1, 2, 3] {
        bench.regs.write64(IODA_DATA0, value);
    }
    assert_eq!(bench.regs.read64(IODA_ADDR), AUTO | 17 << 48 | 1);
    bench.regs.write64(IODA_ADDR, AUTO | 17 << 48 | 511);
    assert_eq!((bench.regs.read64(IODA_DATA0), bench.regs.read64(IODA_DATA0)), (2, 3));
}

#[test]
fn stays_in_place_without_auto_increment() {
    let bench = bench();
    bench.put(9, 7, 1);
    bench.regs.write64(IODA_DATA0, 2);
    assert_eq!((bench.table(9, 7), bench.table(9, 8)), (2, 0));
}

#[test]
fn tables_have_the_sizes_of_the_reference() {
    let ram = ModelRam::new(0, 0x1000);
    for (size, sizes) in [
        (
            Big,
            [
                (1, 8),
                (2, 1024),
                (5, 128),
                (6, 16),
                (7, 512),
                (8, 512),
                (9, 1024),
                (16, 64),
                (17, 512),
                (20, 8),
            ],
        ),
        (
            Small,
            [(1, 8), (2, 512), (5, 64), (6, 8), (7, 256), (8, 256), (9, 512), (16, 32), (17, 256), (20, 4)],
        ),
    ] {
        let regs = ModelPhb4::running(&ram, Phb4, size).regs();
        for (table, entries) in sizes {
            regs.write64(IODA_ADDR, AUTO | table << 48 | (entries - 1));
            regs.read64(IODA_DATA0);
            assert_eq!(regs.read64(IODA_ADDR) & 0x3ff, 0, "{size:?} table {table}");
        }
    }
}

#[test]
#[should_panic(expected = "selects entry 256 of table 7 with 256")]
fn an_index_past_the_table_fails_the_test() {
    let ram = ModelRam::new(0, 0x1000);
    ModelPhb4::running(&ram, Phb4, Small).regs().write64(IODA_ADDR, 7 << 48 | 256);
}

#[test]
#[should_panic(expected = "selects table 4")]
fn a_table_of_another_generation_fails_the_test() {
    bench().select(4, 0);
}

#[test]
#[should_panic(expected = "TVT entry 3 used before it was written")]
fn an_entry_is_undefined_until_written() {
    let ram = ModelRam::new(0, 0x1000);
    let phb = ModelPhb4::running(&ram, Phb4, Big);
    let (nest, pci) = (model::phb4::StackArea::Nest, model::phb4::StackArea::Pci);
    assert!(phb.scom_write(pci, 0xa, ENABLE) && phb.scom_write(pci, 0xa, 0));
    assert_eq!(phb.scom_read(nest, 0), Some(0));
    phb.regs().write64(IODA_ADDR, 9 << 48 | 3);
    phb.regs().read64(IODA_DATA0);
}

#[test]
fn mist_stores_touch_the_lanes_of_the_mask_and_drop_two_bits() {
    let bench = bench();
    bench.put(2, 3, ONES);
    assert_eq!(bench.table(2, 3), 0xcfff_cfff_cfff_cfff);
    // Source 14 is lane 2 of word 3; its address word is a golden vector.
    bench.regs.write64(IODA_ADDR, 0x0002_0002_0000_0003);
    bench.regs.write64(IODA_DATA0, 0x1111_2222_4005_3333);
    assert_eq!(bench.table(2, 3), 0xcfff_cfff_4005_cfff);
}

#[test]
fn the_second_mbt_word_written_decides_whether_both_are_enabled() {
    let bench = bench();
    bench.put(16, 0, 0x5006_00c0_0000_0000);
    bench.put(16, 1, 0x80ff_ffff_8000_0000);
    assert_eq!((bench.table(16, 0), bench.table(16, 1)), (0xd006_00c0_0000_0000, 0x80ff_ffff_8000_0000));
    bench.put(16, 0, 0x5006_00c0_0000_0000);
    assert_eq!(bench.table(16, 1), 0x00ff_ffff_8000_0000);
}

#[test]
fn pest_keeps_one_bit_and_peev_sums_both_up() {
    let bench = bench();
    bench.put(7, 448, ONES);
    bench.put(8, 449, ONES);
    assert_eq!((bench.table(7, 448), bench.table(8, 449)), (ENABLE, ENABLE));
    assert_eq!((bench.table(20, 7), bench.table(20, 0)), (0xc000_0000_0000_0000, 0));
    // Any freeze is bit 29 of the two status words.
    let status = 0x0000_0004_0000_0000;
    assert_eq!((bench.regs.read64(0x110), bench.regs.read64(0x120)), (status, status));
    bench.put(7, 448, 0);
    bench.put(8, 449, 0);
    assert_eq!(bench.table(20, 7), 0);
}
