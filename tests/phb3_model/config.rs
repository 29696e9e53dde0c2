//! Config cycles, the root port and the link (reference 2 rule 1, 3.4, 10; platform 4.11).

use super::*;

const PRESENT: u64 = 0x0000_1000_0000_0000;
const UP: u64 = 0x0000_1100_0000_0000;
const CORE_IN_RESET: u64 = 0x0000_0200_0000_0000;

fn with_device(device: &PciDevice) -> Bench {
    let bench = bench();
    bench.phb.attach(0, device.clone());
    bench.phb.finish_training();
    bench
}

fn nic() -> PciDevice {
    PciDevice::endpoint(0x8086, 0x10d3).bar32(0, 0x1_0000).express(PortType::Endpoint, 0)
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
fn the_root_port_answers_config_cycles_for_bus_0() {
    let bench = bench();
    assert_eq!(read32(&bench, 0, 0), 0x03dc_1014);
    cycle(&bench, 0, 0x18);
    assert_eq!(bench.regs.read8(CONFIG_DATA + 1), 1);
    // Nothing else is on that bus.
    assert_eq!(read32(&bench, 0x0008, 0), u32::MAX);
    assert_eq!(bench.regs.read64(CONFIG_ADDRESS) >> 60, 9);
}

#[test]
fn its_windows_are_ordinary_and_closed() {
    let bench = bench();
    assert_eq!([0x20, 0x24].map(|register| read32(&bench, 0, register)), [0x0000_fff0, 0x0001_fff1]);
    write32(&bench, 0, 0x20, 0x8ff0_8000);
    write32(&bench, 0, 0x28, 0x0003_d000);
    assert_eq!((read32(&bench, 0, 0x20), read32(&bench, 0, 0x28)), (0x8ff0_8000, 0x0003_d000));
}

#[test]
fn a_bar_is_sized_through_config_data() {
    let bench = with_device(&nic());
    // Golden vector of 19.4.
    bench.regs.write64(CONFIG_ADDRESS, 0x8010_0010_0005_0000);
    bench.regs.write32(CONFIG_DATA, u32::MAX);
    assert_eq!(bench.regs.read32(CONFIG_DATA), 0x0000_ffff);
    cycle(&bench, RID, 0);
    assert_eq!(bench.regs.read16(CONFIG_DATA + 2).swap_bytes(), 0x10d3);
}

#[test]
fn a_frozen_pe_reads_all_ones_and_loses_stores() {
    let device = nic();
    let bench = with_device(&device);
    bench.put(7, PE.into(), ENABLE);
    write32(&bench, RID, 0x10, 0x1234_0000);
    assert_eq!((read32(&bench, RID, 0), device.register(0x10)), (u32::MAX, 0));
}

#[test]
#[should_panic(expected = "config cycle for 0x0100 carries PE 0, the RTT says 5")]
fn a_cycle_with_a_wrong_pe_fails_the_test() {
    let bench = with_device(&nic());
    bench.regs.write64(CONFIG_ADDRESS, 0x8010_0000_0000_0000);
    bench.regs.read32(CONFIG_DATA);
}

#[test]
#[should_panic(expected = "root port config access while its core is in reset")]
fn root_config_before_pgreset_is_gone_fails_the_test() {
    let bench = bench();
    bench.phb.stuck_core_reset(true);
    read32(&bench, 0, 0);
}

#[test]
fn the_link_trains_once_perst_is_released() {
    let device = nic();
    let bench = with_device(&device);
    assert_eq!(bench.regs.read64(TRAIN_CTL), UP);
    bench.regs.write64(RESET, 0xd000_0000_0000_0000);
    assert_eq!((device.resets(), bench.regs.read64(TRAIN_CTL)), (1, 0));
    assert_eq!(read32(&bench, RID, 0), u32::MAX);
    bench.regs.write64(RESET, 0xf000_0000_0000_0000);
    assert_eq!([(); 4].map(|()| bench.regs.read64(TRAIN_CTL)), [PRESENT, PRESENT, PRESENT, UP]);
    assert_eq!(read32(&bench, RID, 0), 0x10d3_8086);
    // Active, width 8, speed 3.
    assert_eq!(read32(&bench, 0, 0x58) >> 16, 0x2083);
    assert_eq!(bench.regs.read64(0x630), 0x0080_0000_0000_0000);
}

#[test]
fn speed_is_the_lowest_of_device_port_and_target() {
    let bench = with_device(&nic());
    let speed = || read32(&bench, 0, 0x58) >> 16 & 0xf;
    bench.regs.write64(0x600, 0x4410_00fc_2000_0000);
    bench.regs.read64(TRAIN_CTL);
    assert_eq!(speed(), 2);
    write32(&bench, 0, 0x78, 1);
    assert_eq!(speed(), 1);
}

#[test]
fn the_core_comes_out_of_reset_while_it_is_polled() {
    let bench = bench();
    assert!(bench.phb.scom_write(PbcqArea::Pci, 0xa, ENABLE) && bench.phb.scom_write(PbcqArea::Pci, 0xa, 0));
    assert_eq!([(); 3].map(|()| bench.regs.read64(TRAIN_CTL)), [CORE_IN_RESET, CORE_IN_RESET, 0]);
}

#[test]
fn an_empty_slot_shows_both_presence_bits_and_never_trains() {
    let Bench { phb, regs, .. } = bench();
    assert_eq!(regs.read64(0xfb0), 0x0030_0000_0000_0000);
    assert!((0..10).all(|_| regs.read64(TRAIN_CTL) == 0));
    phb.attach(0, nic());
    assert_eq!(regs.read64(0xfb0), 0);
    phb.finish_training();
    assert_eq!(regs.read64(0xfb0), 0x0008_0000_0000_0000);
}

#[test]
fn a_disabled_transmitter_link_or_bus_hides_the_device() {
    let device = nic();
    let bench = with_device(&device);
    let up = || {
        bench.phb.finish_training();
        read32(&bench, RID, 0) != u32::MAX
    };
    bench.regs.write64(TRAIN_CTL, 0x4000_0000_0000_0000);
    assert!(!up());
    bench.regs.write64(TRAIN_CTL, 0);
    assert!(up());
    write32(&bench, 0, 0x58, 0x10);
    assert!(!up());
    write32(&bench, 0, 0x58, 0);
    write32(&bench, 0, 0x3c, 0x0040_0000);
    assert_eq!((up(), device.resets()), (false, 1));
    write32(&bench, 0, 0x3c, 0);
    assert!(up());
}

#[test]
fn a_dead_link_or_a_bus_in_reset_never_trains() {
    let bench = with_device(&nic());
    let trains = || (0..10).any(|_| bench.regs.read64(TRAIN_CTL) == UP);
    write32(&bench, 0, 0x3c, 0x0040_0000);
    assert!(!trains());
    write32(&bench, 0, 0x3c, 0);
    assert!(trains());
    bench.phb.dead_link(true);
    assert!(!trains());
}
