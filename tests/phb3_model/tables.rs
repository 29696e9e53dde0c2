//! The on-chip tables behind IODA_ADDR and IODA_DATA0 (reference 5).

use super::*;

#[test]
fn tables_have_the_sizes_of_the_reference_and_wrap_there() {
    let bench = bench();
    for (table, entries) in
        [(1, 8), (2, 8), (4, 32), (5, 64), (6, 8), (7, 256), (8, 256), (9, 512), (16, 16), (17, 256), (20, 4)]
    {
        bench.select(table, AUTO | (entries - 1));
        bench.regs.read64(IODA_DATA0);
        assert_eq!(bench.regs.read64(IODA_ADDR), AUTO | table << 48, "table {table}");
    }
}

#[test]
fn stays_in_place_without_auto_increment() {
    let bench = bench();
    bench.regs.write64(IODA_ADDR, 0x0009_0000_0000_0024);
    bench.regs.write64(IODA_DATA0, 1);
    bench.regs.write64(IODA_DATA0, 2);
    assert_eq!((bench.table(9, 0x24), bench.table(9, 0x25)), (2, 0));
}

#[test]
#[should_panic(expected = "selects entry 256 of table 7 with 256")]
fn an_index_past_the_table_fails_the_test() {
    bench().select(7, 256);
}

#[test]
#[should_panic(expected = "bits outside its fields")]
fn an_index_has_nine_bits() {
    bench().select(9, 512);
}

#[test]
#[should_panic(expected = "selects table 3")]
fn a_table_of_unknown_size_fails_the_test() {
    bench().select(3, 0);
}

#[test]
#[should_panic(expected = "TVT entry 3 used before it was written")]
fn an_entry_is_undefined_until_written() {
    let bench = bench();
    assert!(bench.phb.scom_write(PbcqArea::Pci, 0xa, ENABLE) && bench.phb.scom_write(PbcqArea::Pci, 0xa, 0));
    bench.table(9, 3);
}

#[test]
fn pest_keeps_one_bit_and_peev_sums_both_up() {
    let bench = bench();
    bench.put(7, 192, ONES);
    bench.put(8, 193, ONES);
    assert_eq!((bench.table(7, 192), bench.table(8, 193)), (ENABLE, ENABLE));
    assert_eq!((bench.table(20, 3), bench.table(20, 0)), (0xc000_0000_0000_0000, 0));
    let status = 0x0000_0004_0000_0000;
    assert_eq!((bench.regs.read64(0x110), bench.regs.read64(0x120)), (status, status));
}

#[test]
#[should_panic(expected = "LXIVT entry 0x0000200540000000 has bits outside")]
fn an_lxivt_entry_keeps_to_its_fields() {
    let bench = bench();
    bench.put(2, 7, 0x0000_2005_0000_0001);
    assert_eq!(bench.table(2, 7), 0x0000_2005_0000_0001);
    bench.put(2, 7, 0x0000_2005_4000_0000);
}

#[test]
#[should_panic(expected = "M32DT entry")]
fn an_m32dt_entry_is_a_pe_number_in_bits_8_to_15() {
    let bench = bench();
    bench.put(17, 255, 0x00ff_0000_0000_0000);
    bench.put(17, 255, 0x0100_0000_0000_0000);
}
