//! What bring-up leaves in a PHB3's registers, tables and windows.

mod machine;
mod model;

use machine::{Kind, Machine, NAPLES, PHB3, interrupt_base, set};
use opalite::hw::ram::Ram;
use opalite::phb;

const ENABLE: u64 = 1 << 63;
const FIRST_NEST: u64 = 0x201_2000;

fn machine_of(kind: &'static Kind) -> Machine {
    set(kind);
    Machine::new()
}

fn machine() -> Machine {
    machine_of(&PHB3)
}

#[test]
fn all_bridges_come_up() {
    for kind in [&PHB3, &NAPLES] {
        let machine = machine_of(kind);
        for (index, model) in machine.models.iter().enumerate() {
            let bridge = phb::find(machine.fw.phbs, index as u64).expect("bridge").lock();
            let info = bridge.info();
            assert_eq!(info.limits.count(), 256);
            assert_eq!(info.sources, 2048);
            assert_eq!(info.m64_windows, 0..16);
            assert_eq!(info.interrupt_base.0, 0x800 * (index as u32 + 1));
            assert_eq!(info.first_lsi().0, 0x800 * (index as u32 + 1) + 0x7f8);
            assert_eq!(info.msis(), 2040);
            let n = index as u64;
            assert_eq!(info.registers, 0x0003_fffe_4000_0000 + 0x10_0000 * n);
            let m64 = 0x0003_d000_0000_0000 + 0x10_0000_0000 * n;
            assert_eq!(info.m64, m64..m64 + 0x10_0000_0000);
            let m32 = 0x0003_ff80_0000_0000 + 0x8000_0000 * n;
            assert_eq!(info.m32, m32..m32 + 0x8000_0000);
            assert!(!model.is_fenced());
        }
        assert_eq!(machine.models.len() as u64, kind.bridges);
        assert!(phb::find(machine.fw.phbs, kind.bridges).is_err());
    }
}

#[test]
fn registers_hold_what_the_init_sequence_says() {
    let machine = machine();
    for (index, model) in machine.models.iter().enumerate() {
        let bridge = phb::find(machine.fw.phbs, index as u64).expect("bridge").lock();
        let info = bridge.info();
        let ivt = info.ivt.expect("IVT").0;
        let expected = [
            (0x100, 0x07f8_0000_0000_0000),
            (0x150, ivt | ENABLE | 0x800),
            (0x158, 0),
            (0x160, 0x0082_8000_0000_0000),
            (0x168, info.rtt.0 | ENABLE),
            (0x188, info.peltv.0 | ENABLE),
            (0x190, info.m32.start),
            (0x198, 0xffff_ffff_8000_0000),
            (0x1a0, 0x8000_0000),
            (0x1a8, info.pest.0 | ENABLE),
            (0x1f0, 0),
            (0x1f8, 0x0004_0000_0000_0000),
            (0x218, 0xf000_0000_0000_0000),
            (0x418, 0x5000_0000_0000_0000),
            (0x420, 0xfcc0_0000_0000_0000),
            (0x540, 0x8588_0070_0000_0000),
            (0x550, 0x5039_0000_0000_0000),
            (0x558, 0xad52_8000_0000_0000),
            (0x600, 0x4410_00fc_3000_0000),
            (0x668, if index == 2 { 0x9008_1333_3212_0000 } else { 0 }),
            (0x810, 0xf3a8_0e5b_0000_0000),
            (0x818, 0x0f00_0000_0000_0000),
            (0x820, 0x0020_0001_0002_0001),
            (0x828, 0x0020_0020_0001_0001),
            (0x840, 0x0211_2300_0000_0000),
            (0x858, 0xffff_ffff_0000_0000),
            (0x868, 0xffff_ffff_0000_0000),
            (0x878, 0x1715_1520_1620_0000),
            (0x880, 0x2320_d716_0000_0000),
            (0xc18, 0x4249_8e36_7f50_2eae),
            (0xc30, u64::MAX),
            (0xc38, u64::MAX),
            (0xc98, u64::MAX),
            (0xca0, 0x0000_0022_80b8_0000),
            (0xca8, 0x0000_0000_8080_0000),
            (0xcb0, 0xffff_ffdd_0c00_ffc0),
            (0xd18, 0xfdff_ffff_ffbf_ffff),
            (0xd20, 0x600c_42fc_0420_80f0),
            (0xd28, 0x0000_4208_0000_0000),
            (0xd30, 0x9cf3_bc00_f89c_700f),
            (0xd50, 0x0000_0000_0040_0000),
            (0xd58, 0x0000_0000_0040_0000),
            (0xda0, 0xc000_a3a9_0182_6020),
            (0xda8, 0xc000_03a9_0100_6000),
            (0xdb0, 0x3fff_5452_fe01_9fde),
            (0xe20, 0x0000_6000_0080_0070),
            (0xe28, 0x0000_6000_0000_0060),
            (0xe30, 0xfcff_80fb_ff7f_f08c),
        ];
        for (offset, value) in expected {
            assert_eq!(model.peek(offset), value, "PHB {index} register {offset:#x}");
        }
    }
}

#[test]
fn naples_lets_windows_without_translation_reach_below_4_gib_after_a_complete_reset_too() {
    let machine = machine_of(&NAPLES);
    for (index, model) in machine.models.iter().enumerate() {
        assert_eq!(model.peek(0x810), 0xf3b8_0e5b_0000_0000, "B2");
        assert_eq!(model.peek(0x1f8), 0x0014_0000_0000_0000);
        assert_eq!(model.peek(0x668), 0, "that erratum isn't Naples'");
        machine.complete_reset(index as u64);
        assert_eq!(model.peek(0x810), 0xf3b8_0e5b_0000_0000, "B2");
    }
    assert_eq!(machine.call(31, [0, 5, 0x100, 7, 1, 1, 1]), 0);
    assert_eq!(machine.real(10, 0, 1 << 30), 0);
    machine.models[0].dma_write(0x100, 0x1234, b"low").unwrap();
    assert_eq!(machine.ram.read16(0x1234), 0x6c6f);
}

#[test]
fn the_nest_side_is_opened_as_the_reference_says() {
    let machine = machine();
    let (nest, pci) = (FIRST_NEST + 0x400, 0x901_2400);
    let ours: Vec<_> = machine
        .xscom
        .writes()
        .into_iter()
        .filter(|(at, _)| (nest..nest + 0x46).contains(at) || (pci..pci + 0x15).contains(at))
        .collect();
    assert_eq!(
        ours,
        [
            (nest + 0x45, 0),
            // The copy of the register BAR.
            (pci + 0xb, 0x0003_fffe_4010_0000 << 14),
            (nest + 0x1a, 0x1000 << 45),
            (nest + 0x1b, 0xff << 56),
            (nest + 0x1f, 0xff << 56),
            (nest + 0x45, 0xf8 << 56),
            (nest, 0),
            (pci + 0xa, 0),
            (nest + 0x18, 0x1010_0000_0000_0000),
        ]
    );
}

#[test]
fn tables_start_closed_masked_and_every_requester_is_reserved() {
    let machine = machine();
    let info = phb::find(machine.fw.phbs, 1).expect("bridge").lock().info().clone();
    for rid in (0..0x1_0000).step_by(4) {
        assert_eq!(machine.ram.read64(info.rtt.0 + 2 * rid), 255 * 0x0001_0001_0001_0001);
    }
    for at in (0..info.peltv.1).step_by(8) {
        assert_eq!(machine.ram.read64(info.peltv.0 + at), 0);
    }
    let (ivt, size) = info.ivt.expect("IVT");
    assert_eq!(size, 16 * 2048);
    for source in 0..2048 {
        assert_eq!(machine.ram.read64(ivt + 16 * source), 0xff << 32, "source {source:#x}");
    }
    for tve in 0..512 {
        assert_eq!(machine.table(1, 9, tve), 0);
    }
    for pe in 0..256 {
        assert_eq!(machine.table(1, 17, pe), 0, "M32DT {pe}");
        assert_eq!(machine.table(1, 7, pe) | machine.table(1, 8, pe), 0);
    }
    for window in 0..16 {
        assert_eq!(machine.table(1, 16, window), 0, "M64BT {window}");
    }
    for lsi in 0..8 {
        assert_eq!(machine.table(1, 2, lsi), 0xff << 32, "LSI {lsi}");
        assert_eq!(machine.table(1, 6, lsi), 0);
    }
    for word in 0..4 {
        assert_eq!(machine.table(1, 20, word), 0);
    }
}

#[test]
fn the_root_port_is_set_up_through_config_cycles() {
    let machine = machine();
    let port = machine.models[2].root_port();
    for (register, value) in [(0x18, 0x00ff_0100), (0x108, 0x0008_d000), (0x10c, 0x0007_2030)] {
        assert_eq!(port.register(register), value, "{register:#x}");
    }
    assert_eq!(port.register(0x04) & 0xffff, 0x0146);
    assert_eq!(port.register(0x3c) >> 16 & 2, 2);
    assert_eq!(port.register(0x50) & 0xef, 0xf, "errors are reported, payloads have 128 bytes");
    assert_eq!(port.register(0x70) & 0x2f, 0x2f);
    assert_eq!(port.register(0x118) & 0x140, 0x140);
    for (base, limit) in [(0x20, 0x22), (0x24, 0x26)] {
        let (base, limit) =
            (machine.config_read(2, 0, base, 2).1 & 0xfff0, machine.config_read(2, 0, limit, 2).1 & 0xfff0);
        assert!(base > limit, "windows are closed: {base:#x} {limit:#x}");
    }
    assert_eq!(machine.config_read(2, 0, 0x1c, 2).1 & 0x01f1, 0x01f1);
}

#[test]
fn windows_of_the_root_port_are_the_os_s_and_reach_hardware() {
    let machine = machine();
    let port = machine.models[0].root_port();
    assert_eq!(machine.config_write(0, 0, 0x20, 4, 0x8ff0_8000), 0);
    assert_eq!(machine.config_write(0, 0, 0x24, 4, 0xfff0_0000), 0);
    assert_eq!(machine.config_write(0, 0, 0x28, 4, 0x0003_d000), 0);
    assert_eq!(machine.config_write(0, 0, 0x2c, 4, 0x0003_d00f), 0);
    let seen = [0x20, 0x24, 0x28, 0x2c].map(|at| machine.config_read(0, 0, at, 4).1);
    assert_eq!(seen, [0x8ff0_8000, 0xfff1_0001, 0x0003_d000, 0x0003_d00f]);
    assert_eq!(port.register(0x20), 0x8ff0_8000);
    assert_eq!(port.register(0x24) & 0xfff0_fff0, 0xfff0_0000);
    assert_eq!((port.register(0x28), port.register(0x2c)), (0x0003_d000, 0x0003_d00f));
}

#[test]
fn old_errors_are_cleared_on_the_way() {
    let machine = machine();
    let writes = machine.models[0].writes();
    for register in [0x410, 0x548, 0x560, 0x680, 0x698, 0x6a0, 0x6a8, 0xc80, 0xd00, 0xd80, 0xe00] {
        assert!(writes.contains(&(register, 8, u64::MAX)), "{register:#x}");
    }
    for register in [0xc00, 0xc40] {
        assert!(writes.contains(&(register, 8, 0)), "{register:#x}");
    }
}

/// Order matters where hardware says so.
#[test]
fn the_sequence_is_the_reference_s() {
    let machine = machine();
    let writes = machine.models[0].writes();
    let first = |offset: u64| writes.iter().position(|write| write.0 == offset).expect("written");
    let last = |offset: u64| writes.iter().rposition(|write| write.0 == offset).expect("written");
    let config: Vec<_> = writes.iter().filter(|write| write.0 == 0x160).map(|write| write.2).collect();
    assert_eq!(config, [1 << 61, 0x0082_8000_0000_0000], "the TCE cache is flushed before decoding starts");
    let order =
        [first(0x868), first(0x808), first(0x100), first(0x168), first(0x1a8), first(0x160), first(0x220)];
    assert!(order.is_sorted(), "{order:?}");
    assert!(first(0x140) > last(0x208), "no config cycle before the tables are there");
    let mask: Vec<_> = writes.iter().filter(|write| write.0 == 0xc18).map(|write| write.2).collect();
    assert_eq!(mask, [u64::MAX, 0x4249_8e36_7f50_2eae], "errors are masked until the end");
    assert!(first(0xca0) > last(0xcb0) && first(0xe20) < last(0xc18));
    let selects = writes.iter().filter(|write| write.0 == 0x220);
    let tables: Vec<u64> = selects.map(|write| write.2 >> 48 & 0x1f).collect();
    assert_eq!(tables, [7, 2, 6, 9, 16, 17, 7, 8, 20, 4]);
}

#[test]
fn interrupt_numbers_are_chip_block_and_source() {
    set(&PHB3);
    assert_eq!([0, 1, 2].map(interrupt_base), [0x800, 0x1000, 0x1800]);
}

#[test]
fn a_core_that_stays_in_reset_is_told_and_the_others_work() {
    set(&PHB3);
    let stuck = Machine::try_with(|models| models[1].phb3().stuck_core_reset(true));
    let failures: Vec<_> = stuck.iter().map(|result| result.as_ref().map_err(|error| error.code())).collect();
    assert_eq!(failures.len(), 3);
    assert!(failures[0].is_ok() && failures[2].is_ok());
    assert_eq!(failures[1].as_ref().err(), Some(&-6));
}
