//! The PEC's side: which PHB has which XSCOM registers, BARs, resets, the back door (reference 1.4, 2, 3.5, 10).

use super::*;

fn power9() -> (ModelRam, ModelXscom, Vec<ModelPhb4>) {
    let (ram, xscom) = (ModelRam::new(0, 0x10000), ModelXscom::new());
    let phbs = power9_phbs(&ram, &xscom);
    (ram, xscom, phbs)
}

fn read(xscom: &ModelXscom, pcba: u64) -> u64 {
    xscom.read64(pcba << 3)
}

fn write(xscom: &ModelXscom, pcba: u64, value: u64) {
    xscom.write64(pcba << 3, value);
}

/// PHB 0 of a POWER9 chip: nest 0x4010c40, PCI 0xd010840, ETU 0xd010900.
fn bring_up(xscom: &ModelXscom) {
    let bars = [
        (0x12, 0x0600_c3c0_0000_0000),
        (0x13, 0x0600_c300_0000_0000),
        (0xe, 0x0600_0000_0000_0000),
        (0xf, 0xffff_c000_0000_0000),
        (0x10, 0x0600_c000_0000_0000),
        (0x11, 0xffff_ff80_0000_0000),
        (0x14, 0xf000_0000_0000_0000),
    ];
    for (register, value) in bars {
        write(xscom, 0x401_0c40 + register, value);
        assert_eq!(read(xscom, 0x401_0c40 + register), value);
    }
    write(xscom, 0xd01_0840, 0);
    write(xscom, 0x401_0c40, 0);
    write(xscom, 0xd01_084a, 0);
}

#[test]
fn a_bridge_answers_once_its_bar_is_enabled_and_its_etu_runs() {
    let (_, xscom, phbs) = power9();
    bring_up(&xscom);
    assert_eq!(phbs[0].regs().read64(0x800), 0xa4_0000_0002);
}

#[test]
#[should_panic(expected = "the register BAR is not enabled")]
fn an_access_without_the_bar_fails_the_test() {
    let (_, xscom, phbs) = power9();
    bring_up(&xscom);
    write(&xscom, 0x401_0c54, 0xd000_0000_0000_0000);
    phbs[0].regs().read64(0x800);
}

#[test]
#[should_panic(expected = "while the ETU is in reset")]
fn an_access_in_etu_reset_fails_the_test() {
    let (_, xscom, phbs) = power9();
    bring_up(&xscom);
    write(&xscom, 0xd01_084a, ENABLE);
    phbs[0].regs().read64(0x800);
}

#[test]
#[should_panic(expected = "written while its BAR is enabled")]
fn moving_an_enabled_bar_fails_the_test() {
    let (_, xscom, _) = power9();
    bring_up(&xscom);
    write(&xscom, 0x401_0c52, 0);
}

#[test]
#[should_panic(expected = "PCB address 0x4010c49, which no unit has")]
fn an_unknown_address_fails_the_test() {
    read(&power9().1, 0x401_0c49);
}

#[test]
fn every_phb_of_power9_has_its_place() {
    let (_, xscom, phbs) = power9();
    let etu = [0xd01_0900, 0xe01_0900, 0xe01_0940, 0xf01_0900, 0xf01_0940, 0xf01_0980];
    let reset = [0xd01_084a, 0xe01_084a, 0xe01_088a, 0xf01_084a, 0xf01_088a, 0xf01_08ca];
    let bar = [0x401_0c52, 0x401_1052, 0x401_1092, 0x401_1452, 0x401_1492, 0x401_14d2];
    for index in 0..6 {
        write(&xscom, reset[index], 0);
        write(&xscom, etu[index], 0x8000_0000_0000_0268);
        let pes: u64 = if index % 3 == 0 { 512 } else { 256 };
        assert_eq!(read(&xscom, etu[index] + 1) >> 52, pes);
        write(&xscom, bar[index], 0x0600_c3c0_0000_0000 + ((index as u64) << 28));
        let nest = model::phb4::StackArea::Nest;
        assert_eq!(phbs[index].scom_read(nest, 0x12), Some(0x0600_c3c0_0000_0000 + ((index as u64) << 28)));
    }
    assert_eq!([0xd00_0009, 0xe00_0009, 0xf00_0009].map(|pcba| read(&xscom, pcba) >> 52 & 3), [0, 0, 2]);
}

#[test]
fn every_phb_of_power10_has_its_place() {
    let (ram, xscom) = (ModelRam::new(0, 0x1000), ModelXscom::new());
    let phbs = power10_phbs(&ram, &xscom);
    let reset = [0x801_084a, 0x801_088a, 0x801_08ca, 0x901_084a, 0x901_088a, 0x901_08ca];
    let enable = [0x301_1854, 0x301_1894, 0x301_18d4, 0x201_1854, 0x201_1894, 0x201_18d4];
    for index in 0..6 {
        write(&xscom, reset[index], 0);
        write(&xscom, enable[index], 0x2000_0000_0000_0000);
        assert_eq!(phbs[index].regs().read64(0x800), 0xa5_0000_0002);
    }
    assert_eq!([0x800_0009, 0x900_0009].map(|pcba| read(&xscom, pcba) >> 62), [2, 2]);
}

#[test]
fn firs_have_direct_and_and_or_forms() {
    let (_, xscom, phbs) = power9();
    bring_up(&xscom);
    write(&xscom, 0xd01_0842, 0x8400_0000_0000_0000);
    write(&xscom, 0xd01_0841, 0x7fff_ffff_ffff_ffff);
    assert_eq!(read(&xscom, 0xd01_0840), 0x0400_0000_0000_0000);
    write(&xscom, 0x401_0c43, 0xffff_ffff_ffff_ffff);
    assert_eq!(read(&xscom, 0x401_0c43), 0xffff_fff0_0000_0000);
    assert!(!phbs[0].is_fenced());
}

#[test]
fn the_back_door_reaches_registers_before_any_bar() {
    let (_, xscom, phbs) = power9();
    write(&xscom, 0xd01_084a, 0);
    // TCE_SPEC_CTL, then with auto-increment IODA_ADDR.
    write(&xscom, 0xd01_0900, 0xa000_0000_0000_0218);
    write(&xscom, 0xd01_0901, 0xf000_0000_0000_0000);
    write(&xscom, 0xd01_0901, 0x0009_0000_0000_0001);
    assert_eq!(read(&xscom, 0xd01_0900), 0xa000_0000_0000_0228);
    assert_eq!(phbs[0].writes(), [(0x218, 8, 0xf << 60), (0x220, 8, 0x0009_0000_0000_0001)]);
    // The LEM mask has its own address too.
    write(&xscom, 0xd01_090b, 0x1234);
    assert_eq!(phbs[0].peek(0xc18), 0x1234);
}

#[test]
fn the_back_door_works_through_a_fence_and_reads_root_config_in_four_bytes() {
    let (_, xscom, phbs) = power9();
    bring_up(&xscom);
    phbs[0].regs().write64(CRESET, 0x0800_0000_0000_0000);
    phbs[0].fence();
    assert_eq!(phbs[0].regs().read64(0x120), ONES);
    write(&xscom, 0xd01_0900, 0x8000_0000_0000_0120);
    assert_eq!(read(&xscom, 0xd01_0901), 0);
    write(&xscom, 0xd01_0900, 0xc000_0000_0000_1000);
    assert_eq!(read(&xscom, 0xd01_0901), 0x1410_c104);
}

#[test]
#[should_panic(expected = "8-byte load at 0x1000, which takes 4 bytes")]
fn root_config_through_the_back_door_needs_the_four_byte_flag() {
    let (_, xscom, _) = power9();
    bring_up(&xscom);
    write(&xscom, 0xd01_0900, 0x8000_0000_0000_1000);
    read(&xscom, 0xd01_0901);
}

#[test]
fn an_access_during_etu_reset_is_lost_and_sets_pfir_bit_3() {
    let (_, xscom, phbs) = power9();
    write(&xscom, 0xd01_0900, 0x8000_0000_0000_01a0);
    assert_eq!(read(&xscom, 0xd01_0840), 0);
    write(&xscom, 0xd01_0901, 1);
    assert_eq!(read(&xscom, 0xd01_0840), 0x1000_0000_0000_0000);
    assert_eq!((phbs[0].peek(0x1a0), read(&xscom, 0xd01_0901)), (0, ONES));
}

#[test]
fn a_complete_reset_loses_registers_and_tables_and_lifts_the_fence_when_its_cause_is_gone() {
    let (_, xscom, phbs) = power9();
    bring_up(&xscom);
    let regs = phbs[0].regs();
    regs.write64(0x1a0, 0x8000_0000);
    regs.write64(CTRLR, FOUR_GIB_MODE);
    write(&xscom, 0x401_0c42, 0x0000_0020_0000_0000);
    assert!(phbs[0].is_fenced());
    write(&xscom, 0xd01_084a, ENABLE);
    let polls = (0..).find(|_| read(&xscom, 0x401_0c4c) & 0xc000_0000_0000_0000 == 0);
    assert_eq!(polls, Some(2));
    // The cause is still there: fenced again.
    write(&xscom, 0xd01_084a, 0);
    assert_eq!(regs.read64(0x120), ONES);
    write(&xscom, 0xd01_084a, ENABLE);
    write(&xscom, 0x401_0c41, !read(&xscom, 0x401_0c40));
    write(&xscom, 0xd01_084a, 0);
    assert_eq!((regs.read64(0x120), regs.read64(0x1a0), regs.read64(CTRLR)), (0, 0, 0));
    assert_eq!(read(&xscom, 0x401_0c52), 0x0600_c3c0_0000_0000);
}

#[test]
fn transactions_that_are_stuck_never_drain() {
    let (_, xscom, phbs) = power9();
    bring_up(&xscom);
    phbs[0].stuck_transactions(true);
    write(&xscom, 0xd01_084a, ENABLE);
    assert!((0..20).all(|_| read(&xscom, 0x401_0c4c) != 0));
}

#[test]
fn constants_and_ignored_addresses_answer_without_a_unit() {
    let xscom = ModelXscom::new();
    xscom.constant(0xf000f, 0x220d_1049_0000_8000);
    xscom.ignore(0x18002);
    write(&xscom, 0x18002, 1);
    assert_eq!((read(&xscom, 0xf000f), read(&xscom, 0x18002)), (0x220d_1049_0000_8000, 0));
    assert_eq!(xscom.writes(), [(0x18002, 1)]);
}
