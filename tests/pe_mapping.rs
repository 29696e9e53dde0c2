//! Which requester is in which PE, and which PEs freeze together.

mod machine;
mod model;

use machine::{Machine, PARAMETER, SUCCESS, kind, on_every_bridge};
use opalite::phb;

fn reserved() -> u16 {
    kind().reserved() as u16
}

fn a_bus_pe_takes_the_256_requesters_of_its_bus_and_no_other() {
    let machine = Machine::new();
    assert_eq!(machine.set_pe(0xfd, 0x0700, [7, 0, 0], 1), SUCCESS);
    for rid in 0..=0xffff_u16 {
        assert_eq!(machine.pe_of(rid), if rid >> 8 == 7 { 0xfd } else { reserved() }, "{rid:#x}");
    }
}

fn compares_choose_buses_devices_and_functions() {
    let machine = Machine::new();
    for (bdfn, compare, mask) in [
        (0x4800, [2, 0, 0], 0xe000),
        (0x4800, [5, 0, 0], 0xfc00),
        (0x4823, [7, 1, 1], 0xffff),
        (0x4823, [7, 1, 0], 0xfff8),
        (0x4823, [7, 0, 1], 0xff07),
        (0x4823, [0, 1, 1], 0x00ff),
        (0x4823, [0, 0, 0], 0x0000),
    ] {
        assert_eq!(machine.set_pe(3, bdfn, compare, 1), SUCCESS);
        for rid in 0..=0xffff_u16 {
            let inside = rid & mask == bdfn as u16 & mask;
            assert_eq!(
                machine.pe_of(rid),
                if inside { 3 } else { reserved() },
                "{bdfn:#x} {compare:?} {rid:#x}"
            );
        }
        assert_eq!(machine.set_pe(3, bdfn, compare, 0), SUCCESS);
    }
    assert!((0..=0xffff_u16).all(|rid| machine.pe_of(rid) == reserved()));
}

fn the_bridge_forgets_what_it_knew_of_a_requester() {
    let machine = Machine::new();
    assert_eq!(machine.call(45, [0, 3, 7, 1 << 59, 1 << 30]), SUCCESS);
    assert!(machine.models[0].dma_write(0x0100, 1 << 59, b"x").is_err());
    assert_eq!(machine.set_pe(3, 0x0100, [7, 0, 0], 1), SUCCESS);
    machine.models[0].dma_write(0x0100, 1 << 59, b"x").unwrap();
    assert_eq!(machine.set_pe(3, 0x0100, [7, 0, 0], 0), SUCCESS);
    let fault = machine.models[0].dma_write(0x0100, 1 << 59, b"x").unwrap_err();
    assert_eq!(fault.pe, Some(reserved()));
}

fn bad_maps_are_refused_and_change_nothing() {
    let machine = Machine::new();
    let rtt = phb::find(machine.fw.phbs, 0).unwrap().lock().info().rtt.0;
    machine.ram.watch(rtt, 0x2_0000);
    for args in [
        [0, 3, 0x100, 7, 0, 0, 2],
        [0, 3, 0x100, 7, 0, 0, 0x101],
        [0, kind().pes, 0x100, 7, 0, 0, 1],
        [0, 1 << 32 | 3, 0x100, 7, 0, 0, 1],
        [0, 3, 0x1_0000, 7, 0, 0, 1],
        [0, 3, 1 << 32, 7, 0, 0, 1],
        [0, 3, 0x100, 8, 0, 0, 1],
        [0, 3, 0x100, 0x107, 0, 0, 1],
        [0, 3, 0x100, 7, 2, 0, 1],
        [0, 3, 0x100, 7, 0, 2, 1],
        [kind().bridges, 3, 0x100, 7, 0, 0, 1],
    ] {
        assert_eq!(machine.call(31, args), PARAMETER, "{args:x?}");
    }
    assert_eq!(machine.ram.writes(), []);
    // A PE of a small bridge.
    assert_eq!(machine.call(31, [1, 255, 0x100, 7, 0, 0, 1]), SUCCESS);
    assert_eq!(machine.call(31, [1, 256, 0x100, 7, 0, 0, 1]), PARAMETER);
}

fn dependent_pes_freeze_with_their_parent() {
    let machine = Machine::new();
    assert_eq!(machine.call(32, [0, 3, 10, 1]), SUCCESS);
    assert!(machine.peltv(3, 10) && !machine.peltv(3, 11) && !machine.peltv(10, 3));
    machine.models[0].freeze(3);
    assert_eq!(machine.models[0].frozen(10), (true, true));
    assert_eq!(machine.call(26, [0, 3, 3]), SUCCESS);
    assert_eq!(machine.call(26, [0, 10, 3]), SUCCESS);
    assert_eq!(machine.call(32, [0, 3, 10, 0]), SUCCESS);
    machine.models[0].freeze(3);
    assert_eq!(machine.models[0].frozen(10), (false, false));
    for args in
        [[0, kind().pes, 1, 1], [0, 1, kind().pes, 1], [0, 1 << 32, 1, 1], [0, 1, 1, 256], [8, 1, 1, 1]]
    {
        assert_eq!(machine.call(32, args), PARAMETER, "{args:x?}");
    }
}

fn reset_of_the_tables_puts_everyone_into_the_reserved_pe() {
    let machine = Machine::new();
    assert_eq!(machine.set_pe(3, 0x0100, [7, 0, 0], 1), SUCCESS);
    assert_eq!(machine.set_pe(4, 0xff88, [7, 1, 1], 1), SUCCESS);
    assert_eq!(machine.call(32, [0, 3, 10, 1]), SUCCESS);
    assert_eq!(machine.call(49, [0, 6, 1]), SUCCESS);
    assert!((0..=0xffff_u16).all(|rid| machine.pe_of(rid) == reserved()));
    assert!(!machine.peltv(3, 10));
}

on_every_bridge! {
    a_bus_pe_takes_the_256_requesters_of_its_bus_and_no_other
    compares_choose_buses_devices_and_functions
    the_bridge_forgets_what_it_knew_of_a_requester
    bad_maps_are_refused_and_change_nothing
    dependent_pes_freeze_with_their_parent
    reset_of_the_tables_puts_everyone_into_the_reserved_pe
}
