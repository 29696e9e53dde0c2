//! DMA windows through the OPAL calls: encodings, statuses, atomicity, and what a device then reaches.

mod machine;
mod model;

use machine::windows::{BYPASS, GIB, PE, RID};
use machine::{
    FIRMWARE, HARDWARE, Machine, OUT, PARAMETER, SUCCESS, UNSUPPORTED, WRONG_STATE, kind, on_every_bridge,
    on_newer_bridges,
};
use model::phb4::FaultKind;
use opalite::hw::ram::Ram;

fn translated_windows_are_encoded_as_in_the_reference() {
    let machine = Machine::new();
    // The last number is the TVE without the page's code; pages are numbered as in the bridge's table.
    let cases = [
        (0x2000_0000, 0x4_0000, 1, 1, 0x0000_0002_0000_0700),
        (0x2000_0000, 0x1000, 1, 0, 0x0000_0002_0000_0100),
        (0x1000, 0x1000, 1, 0, 0x0000_0000_0001_0100),
        (0x3000_0000, 0x1000, 1, 3, 0x0000_0003_0000_0100),
        (0x4000_0000, 0x1_0000, 2, 1, 0x0000_0004_0000_2500),
        (0x4000_0000, 0x1_0000, 2, 0, 0x0000_0004_0000_2500),
        (0x7_f000_0000, 0x80_0000, 1, 2, 0x0000_007f_0000_0c00),
        (0x1_0000_0000, 0x800_0000, 1, 1, 0x0000_0010_0000_1000),
        (0x5000_0000, 0x4000, 3, 1, 0x0000_0005_0000_4300),
        (0x6000_0000, 0x1000, 4, 1, 0x0000_0006_0000_6100),
        (0x1000_0000, 0x1000, 5, 0, 0x0000_0001_0000_8100),
        (0xffff_ffff_0000, 0x1_0000, 2, 2, 0x000f_ffff_fff0_2500),
    ];
    for (table, bytes, levels, page, tve) in cases {
        let shift = kind().pages[page];
        for window in [10, 11] {
            assert_eq!(machine.map(window, levels, table, bytes, 1 << shift), SUCCESS, "{table:#x}");
            let wanted = tve | u64::from(shift - 11);
            assert_eq!(machine.tve(0, window), wanted, "{table:#x} {bytes:#x} {levels} {shift}");
        }
    }
}

fn bypass_windows_are_encoded_as_in_the_reference() {
    let machine = Machine::new();
    let cases = [
        (11, BYPASS, 64 * GIB, 0x0000_0000_1000_0000),
        (11, BYPASS, 2048 * GIB, 0x0000_0002_0000_0000),
        (11, BYPASS, 16 << 20, 0x0000_0000_0001_0000),
        (11, BYPASS + (16 << 20), 16 << 20, 0x0000_0100_0002_0000),
        (11, BYPASS + 4 * GIB, 60 * GIB, 0x0001_0000_1000_0000),
        (11, BYPASS + (1 << 48), 512 << 40, 0x0000_0000_0000_0700),
        (10, 0, 2 * GIB, 0x0000_0000_0080_0000),
    ];
    for (window, start, size, tve) in cases {
        assert_eq!(machine.real(window, start, size), SUCCESS, "{start:#x}");
        assert_eq!(machine.tve(0, window), tve | kind().bypass, "{start:#x} {size:#x}");
    }
    // The reference's last one ends 16 MiB below 2^50, in firmware's memory here: it is cut there.
    assert_eq!(machine.real(10, 0, (1 << 50) - (16 << 20)), SUCCESS);
    assert_eq!(machine.tve(0, 10), 0x0000_00ff_fffc_0300 | kind().bypass);
}

fn a_bypass_never_covers_firmware() {
    let machine = Machine::owned();
    assert_eq!(machine.real(11, BYPASS, 1 << 49), SUCCESS);
    machine.models[0].dma_write(RID, BYPASS | 0x1234, b"ok").unwrap();
    assert_eq!(machine.ram.read16(0x1234), 0x6f6b);
    assert_eq!(machine.real(11, BYPASS, (1 << 50) - (16 << 20)), SUCCESS);
    machine.models[0].dma_write(RID, BYPASS | (FIRMWARE.start - 2), b"in").unwrap();
    let fault = machine.models[0].dma_write(RID, BYPASS | FIRMWARE.start, b"no").unwrap_err();
    assert_eq!(fault.kind, FaultKind::OutsideLimits);
    // Nothing but firmware's memory: refused, and the window stays.
    let before = machine.tve(0, 11);
    assert_eq!(machine.real(11, BYPASS + FIRMWARE.start, 16 << 20), PARAMETER);
    assert_eq!(machine.tve(0, 11), before);
}

fn bad_windows_are_refused_and_change_nothing() {
    let machine = Machine::new();
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x4_0000, 0x1_0000), SUCCESS);
    assert_eq!(machine.real(11, BYPASS, 64 * GIB), SUCCESS);
    machine.models[0].clear_writes();
    let (pes, reserved) = (kind().pes, kind().reserved());
    // Pages that only the other generations have.
    let foreign = if kind().options { 1 << 24 } else { 1 << 21 };
    let translated = [
        [0, pes, 2 * pes, 1, 0x2000_0000, 0x4_0000, 0x1_0000],
        [0, reserved, 2 * reserved, 1, 0x2000_0000, 0x4_0000, 0x1_0000],
        [0, 5, 12, 1, 0x2000_0000, 0x4_0000, 0x1_0000],
        [0, 5, 0x1_000a, 1, 0x2000_0000, 0x4_0000, 0x1_0000],
        [0, 1 << 32 | 5, 10, 1, 0x2000_0000, 0x4_0000, 0x1_0000],
        [0, 5, 10, 0, 0x2000_0000, 0x4_0000, 0x1_0000],
        [0, 5, 10, 6, 0x2000_0000, 0x4_0000, 0x1_0000],
        [0, 5, 10, 0x1_0001, 0x2000_0000, 0x4_0000, 0x1_0000],
        [0, 5, 10, 1, 0x2000_0000, 0x3000, 0x1_0000],
        [0, 5, 10, 1, 0x2000_0000, 0x800, 0x1_0000],
        [0, 5, 10, 1, 0, 1 << 43, 0x1_0000],
        [0, 5, 10, 1, 0x2000_0000, 0x4_0000, foreign],
        [0, 5, 10, 1, 0x2000_0000, 0x4_0000, 0],
        [0, 5, 10, 1, 0x2000_1000, 0x4_0000, 0x1_0000],
        [0, 5, 10, 1, 0x2000_0010, 0x4_0000, 0x1_0000],
        [0, 5, 10, 1, 0xc000_0000_2000_0000, 0x4_0000, 0x1_0000],
        [0, 5, 10, 1, FIRMWARE.start, 0x1000, 0x1_0000],
        [0, 5, 10, 1, 1 << 50, 0x1000, 0x1_0000],
        [0, 5, 10, 5, 0x2000_0000, 0x1000, 0x1_0000],
        [0, 5, 10, 4, 0x2000_0000, 0x1000, 1 << kind().pages[3]],
        [kind().bridges, 5, 10, 1, 0x2000_0000, 0x4_0000, 0x1_0000],
        [1 << 32, 5, 10, 1, 0x2000_0000, 0x4_0000, 0x1_0000],
    ];
    for args in translated {
        assert_eq!(machine.call(44, args), PARAMETER, "{args:x?}");
    }
    let real = [
        [0, pes, 2 * pes + 1, BYPASS, 64 * GIB],
        [0, reserved, 2 * reserved + 1, BYPASS, 64 * GIB],
        [0, 5, 13, BYPASS, 64 * GIB],
        [0, 5, 0x1_000b, BYPASS, 64 * GIB],
        [0, 5, 11, 0, 64 * GIB],
        [0, 5, 10, BYPASS, 64 * GIB],
        [0, 5, 11, 1 << 60, 64 * GIB],
        [0, 5, 11, BYPASS + 0x10_0000, 64 * GIB],
        [0, 5, 11, BYPASS, 64 * GIB + 0x1000],
        [0, 5, 11, BYPASS, 1 << 50],
        [0, 5, 10, 16 << 20, (16_u64 << 20).wrapping_neg()],
        [7, 5, 11, BYPASS, 64 * GIB],
    ];
    for args in real {
        assert_eq!(machine.call(45, args), PARAMETER, "{args:x?}");
    }
    assert_eq!(machine.models[0].writes(), [], "a refused call wrote a register");
    assert_eq!(machine.tve(0, 10), 0x0000_0002_0000_0705);
    assert_eq!(machine.tve(0, 11), 0x0000_0000_1000_0000 | kind().bypass);
}

fn size_zero_closes_and_ignores_the_rest() {
    let machine = Machine::new();
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x4_0000, 0x1_0000), SUCCESS);
    assert_eq!(machine.map(10, 99, 0x123, 0, 7), SUCCESS);
    assert_eq!(machine.tve(0, 10), 0);
    assert_eq!(machine.unmap(10), SUCCESS);
    assert_eq!(machine.real(11, BYPASS, 64 * GIB), SUCCESS);
    assert_eq!(machine.real(11, 77, 0), SUCCESS);
    assert_eq!(machine.tve(0, 11), 0);
}

fn tce_kill_makes_changed_tces_count() {
    let machine = Machine::owned();
    machine.ram.write64(0x2000_0000 + 8, 0x5000_0000 | 3);
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x1000, 0x1_0000), SUCCESS);
    for (round, args) in
        [[0, 0, PE, 0x1_0000, 0x1_0000, 1], [0, 1, PE, 0, 0, 0], [0, 2, 0, 0, 0, 0]].into_iter().enumerate()
    {
        let page = 0x6000_0000 + 0x10_0000 * round as u64;
        machine.models[0].dma_write(RID, 0x1_0000, b"x").unwrap();
        machine.ram.write64(0x2000_0000 + 8, page | 3);
        assert_eq!(machine.call(126, args), SUCCESS);
        assert!(!machine.models[0].kill_pending());
        machine.models[0].dma_write(RID, 0x1_0000, b"y").unwrap();
        assert_eq!(machine.ram.read8(page), b'y');
    }
    // Linux asks for a kill of no pages after a failed mapping.
    assert_eq!(machine.call(126, [0, 0, PE, 0x1_0000, 0, 0]), SUCCESS);
    assert_eq!(machine.call(126, [0, 3, PE, 0, 0, 0]), PARAMETER);
    assert_eq!(machine.call(126, [0, 1 << 32, PE, 0, 0, 0]), PARAMETER);
    assert_eq!(machine.call(126, [0, 1, kind().pes, 0, 0, 0]), PARAMETER);
    assert_eq!(machine.call(126, [9, 1, PE, 0, 0, 0]), PARAMETER);
}

fn four_gib_mode_is_read_back() {
    let machine = Machine::new();
    for option in [1, 2] {
        assert_eq!(machine.call(180, [0, option, OUT]), SUCCESS);
        assert_eq!(machine.ram.read64(OUT), 0);
        assert_eq!(machine.call(179, [0, option, 1]), SUCCESS);
        assert_eq!(machine.call(180, [0, option, OUT]), SUCCESS);
        assert_eq!(machine.ram.read64(OUT), 1);
    }
    assert_eq!(machine.models[0].peek(0x810), 0x0012_0480_0000_0000);
    assert_eq!(machine.call(180, [1, 1, OUT]), SUCCESS);
    assert_eq!(machine.ram.read64(OUT), 0, "an option is one bridge's");
    assert_eq!(machine.call(179, [0, 1, 2]), PARAMETER);
    assert_eq!(machine.call(179, [0, 3, 2]), PARAMETER);
    assert_eq!(machine.call(179, [0, 3, 1]), UNSUPPORTED);
    assert_eq!(machine.call(179, [0, 1 << 32 | 1, 1]), UNSUPPORTED);
    assert_eq!(machine.call(179, [kind().bridges, 1, 1]), PARAMETER);
    assert_eq!(machine.call(180, [0, 1, 0]), PARAMETER);
    assert_eq!(machine.call(180, [0, 1, FIRMWARE.start]), PARAMETER);
    assert_eq!(machine.call(180, [0, 3, OUT]), UNSUPPORTED);
}

fn the_mode_doesn_t_change_under_a_window_that_would_move() {
    let machine = Machine::new();
    let control = machine.models[0].peek(0x810);
    assert_eq!(machine.real(11, BYPASS, 64 * GIB), SUCCESS);
    assert_eq!(machine.four_gib(1), WRONG_STATE);
    assert_eq!(machine.unmap(11), SUCCESS);
    assert_eq!(machine.map(10, 1, 0x3000_0000, 0x1000, 0x4000_0000), SUCCESS);
    assert_eq!(machine.four_gib(1), WRONG_STATE, "a window 0 of 512 GiB");
    assert_eq!(machine.models[0].peek(0x810), control);
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x4_0000, 0x1_0000), SUCCESS);
    assert_eq!(machine.four_gib(1), SUCCESS, "a window 0 of 2 GiB stays where it is");
    assert_eq!(machine.real(11, 4 * GIB, 60 * GIB), SUCCESS);
    assert_eq!(machine.four_gib(1), SUCCESS, "nothing to change");
    assert_eq!(machine.four_gib(0), WRONG_STATE);
    assert_eq!(machine.unmap(11), SUCCESS);
    assert_eq!(machine.four_gib(0), SUCCESS);
    assert_eq!(machine.models[0].peek(0x810), control);
}

fn reset_of_the_tables_closes_every_window_and_returns_to_bit_59() {
    let machine = Machine::owned();
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x4_0000, 0x1_0000), SUCCESS);
    let start = if kind().options { 4 * GIB } else { BYPASS + 4 * GIB };
    if kind().options {
        assert_eq!(machine.four_gib(1), SUCCESS);
    }
    assert_eq!(machine.real(401, start, 60 * GIB), SUCCESS);
    assert_eq!(machine.call(49, [0, 6, 1]), SUCCESS);
    assert_eq!((machine.tve(0, 10), machine.tve(0, 401)), (0, 0));
    assert_eq!(machine.models[0].peek(0x810), kind().control);
    let fault = machine.models[0].dma_write(RID, 0, b"x").unwrap_err();
    assert_eq!(fault.pe.map(u64::from), Some(kind().reserved()));
    machine.complete_reset(0);
    assert_eq!((machine.tve(0, 10), machine.tve(0, 401)), (0, 0), "nothing of it is replayed");
}

fn a_fenced_bridge_answers_hardware_and_keeps_its_windows() {
    let machine = Machine::new();
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x4_0000, 0x1_0000), SUCCESS);
    machine.models[0].fence();
    assert_eq!(machine.unmap(10), HARDWARE);
    assert_eq!(machine.real(11, BYPASS, GIB), HARDWARE);
    assert_eq!(machine.call(126, [0, 1, PE, 0, 0, 0]), HARDWARE);
    assert_eq!(machine.four_gib(1), if kind().options { HARDWARE } else { UNSUPPORTED });
    machine.complete_reset(0);
    assert_eq!(machine.tve(0, 10), 0x0000_0002_0000_0705);
    assert_eq!(machine.tve(0, 11), 0);
    assert_eq!(machine.models[0].peek(0x810), kind().control);
}

#[test]
fn phb3_has_no_options() {
    machine::set(&machine::PHB3);
    let machine = Machine::new();
    machine.ram.write64(OUT, 0x55);
    for option in [1, 2] {
        assert_eq!(machine.call(179, [0, option, 1]), UNSUPPORTED);
        assert_eq!(machine.call(179, [0, option, 0]), UNSUPPORTED);
        assert_eq!(machine.call(180, [0, option, OUT]), UNSUPPORTED);
    }
    assert_eq!(machine.call(179, [0, 1, 2]), PARAMETER);
    assert_eq!(machine.call(180, [0, 1, 0]), PARAMETER);
    assert_eq!(machine.ram.read64(OUT), 0x55);
    assert_eq!(machine.models[0].peek(0x810), kind().control);
}

on_every_bridge! {
    translated_windows_are_encoded_as_in_the_reference
    bypass_windows_are_encoded_as_in_the_reference
    a_bypass_never_covers_firmware
    bad_windows_are_refused_and_change_nothing
    size_zero_closes_and_ignores_the_rest
    tce_kill_makes_changed_tces_count
    reset_of_the_tables_closes_every_window_and_returns_to_bit_59
    a_fenced_bridge_answers_hardware_and_keeps_its_windows
}

on_newer_bridges! {
    four_gib_mode_is_read_back
    the_mode_doesn_t_change_under_a_window_that_would_move
}
