//! Config cycles, the root complex's window and the link (reference 2 rule 1, 3.3, 9.2, 19.4).

use super::*;

const PERST_RELEASED: u64 = 0x1800_0000_0000_0000;
const LINK_ACTIVE: u64 = 0x0000_0100_0000_0000;
const CORE_IN_RESET: u64 = 0x0000_0200_0000_0000;

/// A bench with a device in the slot and the link up.
fn with_device(device: &PciDevice) -> Bench {
    let bench = bench();
    bench.phb.attach(0, device.clone());
    bench.phb.finish_training();
    bench
}

fn nic() -> PciDevice {
    PciDevice::endpoint(0x8086, 0x10d3)
        .bar32(0, 0x1_0000)
        .bar64(2, 0x2_0000_0000)
        .express(PortType::Endpoint, 0)
}

/// CONFIG_ADDRESS with the PE that the RTT has.
fn cycle(bench: &Bench, rid: u16, register: u64) {
    let pe = u64::from(bench.ram.read16(RTT + 2 * u64::from(rid)));
    bench.regs.write64(CONFIG_ADDRESS, ENABLE | u64::from(rid) << 44 | register << 32 | pe << 16);
}

fn read32(bench: &Bench, rid: u16, register: u64) -> u32 {
    cycle(bench, rid, register);
    bench.regs.read32(CONFIG_DATA).swap_bytes()
}

fn write32(bench: &Bench, rid: u16, register: u64, value: u32) {
    cycle(bench, rid, register);
    bench.regs.write32(CONFIG_DATA, value.swap_bytes());
}

#[test]
fn the_root_port_answers_little_endian_in_its_window() {
    let Bench { regs, .. } = bench();
    assert_eq!(regs.read32(0x1000), 0x1410_c104);
    assert_eq!(regs.read32(0x1048), 0x1000_4201);
    let ram = ModelRam::new(0, 0x1000);
    assert_eq!(ModelPhb4::running(&ram, Phb5, Small).regs().read32(0x1000), 0x1410_5206);
}

#[test]
fn a_bar_is_sized_through_config_data() {
    let bench = with_device(&nic());
    bench.regs.write64(CONFIG_ADDRESS, 0x8010_0010_0005_0000);
    bench.regs.write32(CONFIG_DATA, u32::MAX);
    assert_eq!(bench.regs.read32(CONFIG_DATA), 0x0000_ffff);
    write32(&bench, RID, 0x18, u32::MAX);
    write32(&bench, RID, 0x1c, u32::MAX);
    assert_eq!((read32(&bench, RID, 0x18), read32(&bench, RID, 0x1c)), (0x0000_000c, 0xffff_fffe));
}

#[test]
fn narrow_accesses_use_the_lane_of_the_register() {
    let device = nic();
    let bench = with_device(&device);
    cycle(&bench, RID, 0);
    assert_eq!(bench.regs.read16(CONFIG_DATA + 2).swap_bytes(), 0x10d3);
    assert_eq!((bench.regs.read8(CONFIG_DATA), bench.regs.read8(CONFIG_DATA + 1)), (0x86, 0x80));
    cycle(&bench, RID, 0x04);
    bench.regs.write16(CONFIG_DATA, 0x0600);
    assert_eq!(device.register(4) & 0xffff, 6);
}

#[test]
fn an_absent_function_reads_all_ones_and_leaves_a_status() {
    let bench = with_device(&nic());
    assert_eq!(read32(&bench, 0x0101, 0), u32::MAX);
    assert_eq!(bench.regs.read64(CONFIG_ADDRESS) >> 60, 0x9);
    assert_eq!(read32(&bench, RID, 0), 0x10d3_8086);
    assert_eq!(bench.regs.read64(CONFIG_ADDRESS) >> 60, 0x8);
    // The far end of a link has one device, and the root port isn't reached this way.
    assert_eq!((read32(&bench, 0x0108, 0), read32(&bench, 0, 0)), (u32::MAX, u32::MAX));
}

#[test]
fn bus_numbers_decide_what_a_cycle_reaches() {
    let ssd = PciDevice::endpoint(0x1b36, 0x0010);
    let port = PciDevice::bridge(0x104c, 0x8233, PortType::Downstream).child(0, 0, ssd);
    let switch = PciDevice::bridge(0x104c, 0x8232, PortType::Upstream).child(3, 0, port);
    let bench = with_device(&switch);
    assert_eq!(read32(&bench, 0x0300, 0), u32::MAX);
    write32(&bench, RID, 0x18, 0x0003_0201);
    assert_eq!(read32(&bench, 0x0218, 0), 0x8233_104c);
    assert_eq!(read32(&bench, 0x0300, 0), u32::MAX);
    write32(&bench, 0x0218, 0x18, 0x0003_0302);
    assert_eq!(read32(&bench, 0x0300, 0), 0x0010_1b36);
    // A bridge above that doesn't pass the bus on hides it.
    write32(&bench, RID, 0x18, 0x0002_0201);
    assert_eq!(read32(&bench, 0x0300, 0), u32::MAX);
}

#[test]
fn a_frozen_pe_reads_all_ones_and_loses_stores() {
    let device = nic();
    let bench = with_device(&device);
    bench.put(7, PE.into(), ENABLE);
    write32(&bench, RID, 0x10, 0x1234_0000);
    assert_eq!((read32(&bench, RID, 0), device.register(0x10)), (u32::MAX, 0));
    bench.thaw();
    assert_eq!(read32(&bench, RID, 0), 0x10d3_8086);
}

#[test]
#[should_panic(expected = "config cycle for 0x0100 carries PE 0, the RTT says 5")]
fn a_cycle_with_a_wrong_pe_fails_the_test() {
    let bench = with_device(&nic());
    bench.regs.write64(CONFIG_ADDRESS, 0x8010_0000_0000_0000);
    bench.regs.read32(CONFIG_DATA);
}

#[test]
#[should_panic(expected = "with CONFIG_ADDRESS 0x0000000000000000 disabled")]
fn a_cycle_without_an_address_fails_the_test() {
    bench().regs.read32(CONFIG_DATA);
}

#[test]
fn an_unanswered_read_fences_when_the_fence_enable_has_its_top_bits() {
    let bench = with_device(&nic());
    bench.regs.write64(0xdb0, 0x3bff_d703_fa7f_bf8f);
    read32(&bench, 0x0101, 0);
    assert!(!bench.phb.is_fenced());
    bench.regs.write64(0xdb0, 0x4000_0000_0000_0000);
    read32(&bench, 0x0101, 0);
    assert!(bench.phb.is_fenced());
}

#[test]
fn a_failed_write_freezes_pe_zero_when_txe_freeze_has_bit_17() {
    let bench = with_device(&nic());
    write32(&bench, 0x0101, 0, 0);
    assert_eq!(bench.phb.frozen(0), (false, false));
    bench.regs.write64(0xd28, 1 << (63 - 17));
    write32(&bench, 0x0101, 0, 0);
    assert_eq!(bench.phb.frozen(0), (true, true));
}

#[test]
fn the_link_trains_once_cores_and_slot_are_out_of_reset() {
    let device = nic();
    let bench = with_device(&device);
    bench.regs.write64(CRESET, 0xe000_0000_0000_0000);
    assert_eq!(device.resets(), 1);
    assert_eq!(bench.regs.read64(TRAIN_CTL) & (CORE_IN_RESET | LINK_ACTIVE), CORE_IN_RESET);
    bench.regs.write64(CRESET, 0x0800_0000_0000_0000);
    let polls = (0..).find(|_| bench.regs.read64(TRAIN_CTL) & CORE_IN_RESET == 0);
    assert_eq!(polls, Some(2));
    // PERST is still asserted.
    assert_eq!(bench.regs.read64(TRAIN_CTL), 0);
    assert_eq!(read32(&bench, RID, 0), u32::MAX);
    bench.regs.write64(CRESET, PERST_RELEASED);
    assert_eq!(bench.regs.read64(TRAIN_CTL) & LINK_ACTIVE, 0);
    assert_eq!(read32(&bench, RID, 0), u32::MAX);
    while bench.regs.read64(TRAIN_CTL) & LINK_ACTIVE == 0 {}
    // In-band presence, active, width 8, speed 3.
    assert_eq!(bench.regs.read64(TRAIN_CTL), 0x0000_1100_8300_0000);
    assert_eq!(bench.regs.read32(0x1058).swap_bytes() >> 16, 0x2083);
    // The root port's bus numbers survived: the config core wasn't reset by an ETU reset.
    assert_eq!(read32(&bench, RID, 0), 0x10d3_8086);
}

#[test]
fn an_empty_slot_says_so_and_never_trains() {
    let Bench { phb, regs, .. } = bench();
    assert_eq!(regs.read64(0x1a20), 0x0020_0000_0000_0000);
    assert!((0..10).all(|_| regs.read64(TRAIN_CTL) & LINK_ACTIVE == 0));
    phb.attach(0, nic());
    assert_eq!(regs.read64(0x1a20), 0);
}

#[test]
fn the_ltssm_shows_only_while_tracing() {
    let bench = with_device(&nic());
    while bench.regs.read64(TRAIN_CTL) & LINK_ACTIVE == 0 {}
    bench.regs.write64(0x1a80, ENABLE);
    assert_eq!(bench.regs.read64(TRAIN_CTL), 0x0000_1140_8300_0000);
}

#[test]
fn speed_is_the_lowest_of_device_port_and_target() {
    let bench = with_device(&nic());
    let speed = || {
        bench.regs.read64(TRAIN_CTL);
        bench.regs.read64(TRAIN_CTL);
        bench.regs.read64(TRAIN_CTL) >> 24 & 0xf
    };
    assert_eq!(speed(), 3);
    bench.regs.write64(0x1a00, 0x0000_0000_2000_0000);
    assert_eq!(speed(), 2);
    bench.regs.write32(0x1078, 0x07fe_0001u32.swap_bytes());
    assert_eq!(speed(), 1);
}

#[test]
fn a_hot_reset_or_a_disabled_link_hides_the_device_and_the_first_resets_it() {
    let device = nic();
    let bench = with_device(&device);
    write32(&bench, RID, 0x10, 0x8000_0000);
    bench.regs.write32(0x103c, 0x0040_0000u32.swap_bytes());
    assert_eq!((read32(&bench, RID, 0), device.register(0x10), device.resets()), (u32::MAX, 0, 1));
    bench.regs.write32(0x103c, 0);
    assert_eq!(read32(&bench, RID, 0), u32::MAX);
    while bench.regs.read64(TRAIN_CTL) & LINK_ACTIVE == 0 {}
    assert_eq!(read32(&bench, RID, 0), 0x10d3_8086);
    bench.regs.write32(0x1058, 0x0000_0010u32.swap_bytes());
    assert_eq!((read32(&bench, RID, 0), device.resets()), (u32::MAX, 1));
}

#[test]
fn a_core_that_is_stuck_stays_in_reset() {
    let Bench { phb, regs, .. } = bench();
    phb.stuck_core_reset(true);
    assert!((0..10).all(|_| regs.read64(TRAIN_CTL) & CORE_IN_RESET != 0));
}

#[test]
#[should_panic(expected = "its core is in reset")]
fn root_config_before_its_core_runs_fails_the_test() {
    let Bench { regs, .. } = bench();
    regs.write64(CRESET, ENABLE);
    regs.read32(0x1000);
}

#[test]
fn root_status_bits_clear_by_ones() {
    let Bench { phb, regs, .. } = bench();
    for (register, all) in [(0x1c, 0xf900_0000u32), (0x50, 0x000f_0000), (0x104, 0x07ff_f030), (0x130, 0x7f)]
    {
        let other = phb.root_port().register(register) & !all;
        phb.root_port().poke(register, all | other);
        let lowest = all & all.wrapping_neg();
        regs.write32(0x1000 + u64::from(register), (lowest | other).swap_bytes());
        let left = regs.read32(0x1000 + u64::from(register)).swap_bytes();
        assert_eq!(left, all & !lowest | other, "register {register:#x}");
    }
}

#[test]
fn root_windows_have_fixed_values() {
    let Bench { regs, .. } = bench();
    let windows = [0x1020, 0x1024, 0x1028, 0x102c];
    for register in windows {
        regs.write32(register, 0x1234_5678);
    }
    let values = windows.map(|register| regs.read32(register).swap_bytes());
    assert_eq!(values, [0xfff0_0000, 0xfff1_0001, 1, 0xffff_ffff]);
}

#[test]
fn capabilities_form_a_chain() {
    let device = nic().msi(3).msix(9, 4, 0x2000, 0x3000);
    assert_eq!(device.register(0x34) & 0xff, 0x40);
    assert_eq!(device.register(0x40) & 0xffff, 0x7c10);
    assert_eq!(device.register(0x7c), 0x0086_8c05);
    assert_eq!([0x8c, 0x90, 0x94].map(|at| device.register(at)), [0x0008_0011, 0x2004, 0x3004]);
    assert_ne!(device.register(4) & 0x0010_0000, 0);
}

#[test]
fn a_function_level_reset_reaches_one_function() {
    let device = nic();
    let bench = with_device(&device);
    write32(&bench, RID, 0x10, 0x8000_0000);
    write32(&bench, RID, 0x48, 0x0000_a810);
    assert_eq!((device.resets(), read32(&bench, RID, 0x10)), (1, 0));
    assert_eq!(read32(&bench, RID, 0x48) & 0x8000, 0);
}
