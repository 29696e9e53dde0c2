//! What bring-up leaves in a PHB4's registers, tables and windows.

mod machine;
mod model;

use machine::{Machine, NOTIFY, interrupt_base};
use opalite::hw::ram::Ram;
use opalite::phb;

const ENABLE: u64 = 1 << 63;

#[test]
fn all_six_bridges_come_up_with_their_sizes() {
    let machine = Machine::new();
    for (index, model) in machine.models.iter().enumerate() {
        let bridge = phb::find(machine.fw.phbs, index as u64).expect("bridge").lock();
        let big = index == 0 || index == 3;
        let info = bridge.info();
        assert_eq!(info.limits.count(), if big { 512 } else { 256 });
        assert_eq!(info.sources, if big { 4096 } else { 2048 });
        assert_eq!(info.m64_windows, 1..if big { 32 } else { 16 });
        assert!(!model.is_fenced());
    }
    assert!(phb::find(machine.fw.phbs, 6).is_err());
    assert!(phb::find(machine.fw.phbs, 1 << 32).is_err());
}

#[test]
fn registers_hold_what_the_init_sequence_says() {
    let machine = Machine::new();
    for (index, model) in machine.models.iter().enumerate() {
        let bridge = phb::find(machine.fw.phbs, index as u64).expect("bridge").lock();
        let info = bridge.info();
        let lsi = u64::from((info.sources - 1) >> 3) << 51;
        let expected = [
            (0x100, lsi),
            (0x160, 0x0082_0000_0000_0000),
            (0x168, info.rtt.0 | ENABLE),
            (0x188, info.peltv.0 | ENABLE),
            (0x1a0, 0x8000_0000),
            (0x1a8, info.pest.0 | ENABLE),
            (0x1c0, 0x0c00_ff00_0000_0001),
            (0x1f0, 0),
            (0x218, 0),
            (0x300, NOTIFY + 8 * index as u64),
            (0x308, interrupt_base(index).into()),
            (0x810, 0x0010_0400_0000_0000),
            (0x868, u64::MAX),
            (0x878, 0x0015_1500_0015_0000),
            (0x880, 0x0000_1515_0000_0000),
            (0xc18, 0),
            (0xc30, u64::MAX),
            (0xc38, u64::MAX),
            (0xd18, 0xffff_ff0f_ffff_ffff),
            (0xd20, 0x2008_400e_0820_0000),
            (0xd28, 0x0000_000a_0000_0000),
            (0xd30, 0xdff7_bd05_f7dd_fff0),
            (0xda0, 0xc400_38fc_0180_4070),
            (0xdd8, 0x0000_0000_0400_0000),
            (0xe30, 0xffff_feff_ff7f_ff57),
            (0xea8, 0x6000_0000_c000_0000),
            (0xca0, 0xca88_80cc_0000_0000),
            (0x1810, 0x2013_0000_0000_0000),
            (0x1920, 0x0000_0000_4d17_80f8),
            (0x1930, 0xffff_ffff_b2f8_7f07),
            (0x1ad0, 0x5454_5454_5454_5454),
            (0x1af8, 0x7777_7777_7777_7777),
            (0x1b30, 0x0000_0600_0000_0000),
            (0x1c20, 0x2130_006e_fca8_bc00),
            (0x1c28, 0x0080_0000_0000_0000),
            (0x1c30, 0xde0f_ff91_0357_43ff),
            (0x1c58, 0x0040_0000_0000_0000),
        ];
        for (offset, value) in expected {
            assert_eq!(model.peek(offset), value, "PHB {index} register {offset:#x}");
        }
    }
}

#[test]
fn stack_windows_are_the_reference_s() {
    let machine = Machine::new();
    let nest = 0x401_0c00 + 0x40;
    let pci = 0xd01_0800 + 0x40;
    let ours: Vec<_> = machine
        .xscom
        .writes()
        .into_iter()
        .filter(|(at, _)| (nest..nest + 0x40).contains(at) || (pci..pci + 0x40).contains(at))
        .collect();
    assert_eq!(
        ours,
        [
            (nest + 0x14, 0),
            (nest + 0x12, 0x0600_c3c0_0000_0000),
            (nest + 0x13, 0x0600_c300_0000_0000),
            (nest + 0xe, 0x0600_0000_0000_0000),
            (nest + 0xf, 0xffff_c000_0000_0000),
            (nest + 0x10, 0x0600_c000_0000_0000),
            (nest + 0x11, 0xffff_ff80_0000_0000),
            (nest + 0x14, 0xf000_0000_0000_0000),
            (pci, 0),
            (nest, 0),
            (pci + 0xa, 0),
        ]
    );
}

#[test]
fn tables_start_closed_and_every_requester_is_reserved() {
    let machine = Machine::new();
    for index in [0, 1] {
        let bridge = phb::find(machine.fw.phbs, index as u64).expect("bridge").lock();
        let info = bridge.info().clone();
        drop(bridge);
        let pes = u64::from(info.limits.count());
        for rid in (0..0x1_0000).step_by(4) {
            let reserved = (pes - 1) * 0x0001_0001_0001_0001;
            assert_eq!(machine.ram.read64(info.rtt.0 + 2 * rid), reserved);
        }
        for at in (0..info.peltv.1).step_by(8) {
            assert_eq!(machine.ram.read64(info.peltv.0 + at), 0);
        }
        for tve in 0..2 * pes {
            assert_eq!(machine.tve(index, tve), 0);
        }
        for pe in 0..pes {
            assert_eq!(machine.table(index, 17, pe), pe * 0x0001_0001_0001, "MDT {pe}");
            assert_eq!(machine.table(index, 7, pe) | machine.table(index, 8, pe), 0);
        }
        for word in 0..u64::from(info.sources) / 4 {
            assert_eq!(machine.table(index, 2, word), 0);
        }
        for word in 0..pes / 64 {
            assert_eq!(machine.table(index, 20, word), 0);
        }
    }
}

#[test]
fn m32_is_the_only_mmio_window_that_is_on() {
    let machine = Machine::new();
    // The model mirrors the enable bit into both words.
    assert_eq!(machine.table(0, 16, 0) & !ENABLE, 0x5006_00c0_0000_0000);
    assert_eq!(machine.table(0, 16, 1), 0x80ff_ffff_8000_0000);
    for window in 1..32 {
        let want = match window {
            29 => 0x1400_0000_0000_0000,
            30 => 0x1800_0000_0000_0000,
            31 => 0x1c00_0000_0000_0000,
            _ => 0,
        };
        assert_eq!(machine.table(0, 16, 2 * window), want);
        assert_eq!(machine.table(0, 16, 2 * window + 1), 0);
    }
}

#[test]
fn the_root_port_passes_buses_1_to_255_on() {
    let machine = Machine::new();
    assert_eq!(machine.config_read(2, 0, 0x18, 4), (0, 0x00ff_0100));
    assert_eq!(machine.config_read(2, 0, 0x04, 2), (0, 6));
    assert_eq!(machine.config_read(2, 0, 0x1c, 2).1 & 0x01f1, 0x01f1);
}

#[test]
fn old_errors_are_cleared_on_the_way() {
    let machine = Machine::new();
    let writes = machine.models[0].writes();
    for register in [0x1aa0, 0x1aa8, 0x1ab0, 0x1900, 0x1c00, 0xc80, 0xd00, 0xd80, 0xe00, 0xe80] {
        assert!(writes.contains(&(register, 8, u64::MAX)), "{register:#x}");
    }
    for register in [0x1ab8, 0xc00, 0xc40] {
        assert!(writes.contains(&(register, 8, 0)), "{register:#x}");
    }
    let port = machine.models[0].root_port();
    assert_eq!(port.register(0x50) & 0xef, 0xf, "errors are reported, payloads have 128 bytes");
    assert_eq!(port.register(0x70) & 0x2f, 0x25);
    assert_eq!(port.register(0x108), 0xd000);
    assert_eq!(port.register(0x118) & 0x140, 0x140);
}

#[test]
fn the_first_pesta_entry_is_written_before_any_other_table() {
    let machine = Machine::new();
    let selects = machine.models[0].writes().into_iter().filter(|(offset, ..)| *offset == 0x220);
    let tables: Vec<u64> = selects.map(|(_, _, address)| address >> 48 & 0x1f).collect();
    assert_eq!(tables, [7, 2, 6, 9, 16, 17, 7, 8, 20]);
}

#[test]
fn errors_are_masked_until_the_end() {
    let machine = Machine::new();
    let mask: Vec<_> = machine.models[0].writes().into_iter().filter(|(at, ..)| *at == 0xc18).collect();
    assert_eq!(mask, [(0xc18, 8, u64::MAX), (0xc18, 8, 0)]);
}
