//! The PBCQ: which PHB has which XSCOM registers, BARs, resets, the back door (reference 1.4, 3.5, 10; platform 3.1, 3.7, 4.3).

use super::*;

fn power8() -> (ModelXscom, Vec<ModelPhb3>) {
    let (ram, xscom) = (ModelRam::new(0, 0x10000), ModelXscom::power8());
    let phbs = power8_phbs(&ram, &xscom);
    (xscom, phbs)
}

/// Byte offset of a PCB address on POWER8.
fn offset(pcba: u64) -> u64 {
    (pcba & !0xf) << 4 | (pcba & 0xf) << 3
}

fn read(xscom: &ModelXscom, pcba: u64) -> u64 {
    xscom.read64(offset(pcba))
}

fn write(xscom: &ModelXscom, pcba: u64, value: u64) {
    xscom.write64(offset(pcba), value);
}

/// PHB 0 as 9.1 and 9.3 a-b do it.
fn bring_up(xscom: &ModelXscom) {
    assert_eq!(read(xscom, 0x901_3c01), 0);
    write(xscom, 0x901_200b, read(xscom, 0x201_2042));
    write(xscom, 0x201_2045, 0xf8 << 56);
    write(xscom, 0x901_200a, 0);
}

#[test]
fn bars_are_preset_as_address_times_2_to_the_14() {
    let (xscom, _) = power8();
    for (pcba, value) in [
        (0x201_2040, 0x0003_d000_0000_0000 << 14),
        (0x201_2440, 0x0003_d010_0000_0000 << 14),
        (0x201_2841, 0x0003_ff81_0000_0000 << 14),
        (0x201_2042, 0xffff_9000_0000_0000),
        (0x201_2842, 0x0003_fffe_4020_0000 << 14),
        (0x201_2043, 0xfffc_0000_0000_0000),
        (0x201_2044, 0xffff_e000_0000_0000),
        (0x201_2045, 0),
    ] {
        assert_eq!(read(&xscom, pcba), value, "{pcba:#x}");
    }
    // The reference's formula for a BAR's size.
    let size = |mask: u64| (!(mask & 0xffff_ffff_c000_0000) >> 14) + 1;
    assert_eq!([0x201_2043, 0x201_2044].map(|pcba| size(read(&xscom, pcba))), [64 << 30, 2 << 30]);
}

#[test]
fn xscom_offsets_keep_four_bits_apart() {
    let (xscom, _) = power8();
    // 0x9013c01: 0x9013c0 << 8, 1 << 3.
    assert_eq!(xscom.read64(0x9013_c008), 0);
    xscom.clear_writes();
    xscom.write64(0x2012_0428, 0);
    assert_eq!(xscom.writes(), [(0x201_2045, 0)]);
}

#[test]
#[should_panic(expected = "POWER8 has no register at offset 0x80")]
fn an_offset_between_registers_fails_the_test() {
    power8().0.read64(0x80);
}

#[test]
fn a_bridge_answers_once_bars_agree_and_its_etu_runs() {
    let (xscom, phbs) = power8();
    bring_up(&xscom);
    assert_eq!(phbs[0].regs().read64(0x800), 0xa3_0000_0005);
}

#[test]
#[should_panic(expected = "the register BAR is not enabled")]
fn an_access_without_the_bar_fails_the_test() {
    let (xscom, phbs) = power8();
    bring_up(&xscom);
    write(&xscom, 0x201_2045, 0xd8 << 56);
    phbs[0].regs().read64(0x800);
}

#[test]
#[should_panic(expected = "the PCI side's copy of the register BAR is another")]
fn an_access_without_the_bars_copy_fails_the_test() {
    let (xscom, phbs) = power8();
    bring_up(&xscom);
    write(&xscom, 0x901_200b, 0);
    phbs[0].regs().read64(0x800);
}

#[test]
#[should_panic(expected = "while the ETU is in reset")]
fn an_access_in_etu_reset_fails_the_test() {
    let (xscom, phbs) = power8();
    bring_up(&xscom);
    write(&xscom, 0x901_200a, ENABLE);
    phbs[0].regs().read64(0x800);
}

#[test]
#[should_panic(expected = "erratum HW275117")]
fn the_pci_side_before_spci_status_fails_the_test() {
    read(&power8().0, 0x901_200a);
}

#[test]
#[should_panic(expected = "written while its BAR is enabled")]
fn moving_an_enabled_bar_fails_the_test() {
    let (xscom, _) = power8();
    bring_up(&xscom);
    write(&xscom, 0x201_2042, 0);
}

#[test]
#[should_panic(expected = "PCB address 0x2012005, which no unit has")]
fn an_unknown_address_fails_the_test() {
    read(&power8().0, 0x201_2005);
}

#[test]
#[should_panic(expected = "wants ModelXscom::power8()")]
fn power9s_address_map_is_refused() {
    power8_phbs(&ModelRam::new(0, 0x1000), &ModelXscom::new());
}

#[test]
fn naples_has_four_bridges() {
    let (ram, xscom) = (ModelRam::new(0, 0x1000), ModelXscom::power8());
    let phbs = naples_phbs(&ram, &xscom);
    read(&xscom, 0x901_3cc1);
    write(&xscom, 0x901_2c0a, 0);
    write(&xscom, 0x901_3cc0, 0x800);
    assert_eq!((phbs.len(), read(&xscom, 0x901_3cc2)), (4, 0xb3_0000_0001));
}

#[test]
fn the_back_door_reaches_registers_without_bars_and_through_a_fence() {
    let (xscom, phbs) = power8();
    write(&xscom, 0x901_3c00, 0x218);
    write(&xscom, 0x901_3c02, 7);
    // In reset it is lost.
    assert_eq!(read(&xscom, 0x901_3c02), ONES);
    read(&xscom, 0x901_3c01);
    write(&xscom, 0x901_200a, 0);
    assert_eq!(read(&xscom, 0x901_3c02), 0);
    phbs[0].fence();
    write(&xscom, 0x901_3c02, 7);
    assert_eq!((read(&xscom, 0x901_3c02), phbs[0].writes()), (7, vec![(0x218, 8, 7)]));
}

#[test]
#[should_panic(expected = "has more than 12 bits")]
fn the_back_doors_address_has_12_bits() {
    write(&power8().0, 0x901_3c00, 0x1000);
}

#[test]
fn nfir_has_direct_and_and_or_forms_and_fences() {
    let (xscom, phbs) = power8();
    bring_up(&xscom);
    // Outside the classes "fenced" and "dead".
    write(&xscom, 0x201_2002, 1);
    assert!(!phbs[0].is_fenced());
    write(&xscom, 0x201_2002, 0x0000_00f0_0000_0000);
    assert!(phbs[0].is_fenced());
    write(&xscom, 0x201_2001, !0x0000_00f0_0000_0000);
    assert_eq!(read(&xscom, 0x201_2000), 1);
    // The fence stays until a reset ends.
    assert_eq!(phbs[0].regs().read64(0x120), ONES);
    write(&xscom, 0x901_200a, ENABLE);
    write(&xscom, 0x901_200a, 0);
    assert!(!phbs[0].is_fenced());
}

#[test]
fn transactions_drain_after_a_reset_once_three_registers_were_read() {
    let (xscom, phbs) = power8();
    bring_up(&xscom);
    write(&xscom, 0x901_200a, ENABLE);
    let status = || read(&xscom, 0x201_200f) >> 62;
    assert!((0..10).all(|_| status() == 3));
    (0x1c..=0x1e).for_each(|register| _ = read(&xscom, 0x201_2000 + register));
    assert_eq!([(); 3].map(|()| status()), [3, 3, 0]);
    phbs[0].stuck_transactions(true);
    assert_eq!(status(), 3);
}

#[test]
fn a_second_reset_wants_the_three_registers_read_again() {
    let (xscom, _) = power8();
    bring_up(&xscom);
    (0x1c..=0x1e).for_each(|register| _ = read(&xscom, 0x201_2000 + register));
    write(&xscom, 0x901_200a, ENABLE);
    assert!((0..10).all(|_| read(&xscom, 0x201_200f) >> 62 == 3));
}

#[test]
#[should_panic(expected = "nest register 0x1a = 0x0002000000000001: unknown bits")]
fn an_interrupt_number_has_19_bits() {
    write(&power8().0, 0x201_201a, 0x0002_0000_0000_0001);
}

#[test]
fn a_reset_loses_registers_requesters_and_translations_but_not_bars() {
    let bench = bench();
    bench.open_64k();
    bench.tce(0, 0x7000_0000 | 3);
    bench.phb.dma_write(RID, 0, &[1]).unwrap();
    bench.regs.write64(0x218, 7);
    bench.ram.write16(RTT + 2 * u64::from(RID), 6);
    assert!(bench.phb.scom_write(PbcqArea::Pci, 0xa, ENABLE) && bench.phb.scom_write(PbcqArea::Pci, 0xa, 0));
    assert_eq!(bench.regs.read64(0x218), 0);
    bench.phb.root_port().write(4, 2, 6);
    bench.regs.write64(0x168, RTT | ENABLE);
    bench.put(9, 12, 0);
    assert_eq!(
        bench.phb.dma_write(RID, 0, &[1]),
        Err(DmaFault { kind: FaultKind::Closed, pe: Some(6), address: 0 })
    );
    // PE 5's translation is gone as well.
    bench.ram.write16(RTT + 2 * u64::from(RID), 5);
    bench.regs.write64(RTC_INVALIDATE, ENABLE);
    bench.tve(0, 0);
    assert_eq!(bench.fault(0), FaultKind::Closed);
    assert_eq!(bench.phb.scom_read(PbcqArea::Nest, 0x1a), Some(0x800 << 45));
}
