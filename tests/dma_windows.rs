//! DMA windows through the OPAL calls: encodings, statuses, atomicity, and what a device then reaches.

mod machine;
mod model;

use machine::windows::{BYPASS, GIB, PE, RID};
use machine::{FIRMWARE, HARDWARE, Machine, OUT, PARAMETER, SUCCESS, UNSUPPORTED, WRONG_STATE};
use model::phb4::FaultKind;
use opalite::hw::ram::Ram;

#[test]
fn translated_windows_are_encoded_as_in_the_reference() {
    let machine = Machine::new();
    let cases = [
        (0x2000_0000, 0x4_0000, 1, 0x1_0000, 0x0000_0002_0000_0705),
        (0x2000_0000, 0x1000, 1, 0x1000, 0x0000_0002_0000_0101),
        (0x1000, 0x1000, 1, 0x1000, 0x0000_0000_0001_0101),
        (0x3000_0000, 0x1000, 1, 0x4000_0000, 0x0000_0003_0000_0113),
        (0x4000_0000, 0x1_0000, 2, 0x1_0000, 0x0000_0004_0000_2505),
        (0x4000_0000, 0x1_0000, 2, 0x1000, 0x0000_0004_0000_2501),
        (0x7_f000_0000, 0x80_0000, 1, 0x20_0000, 0x0000_007f_0000_0c0a),
        (0x1_0000_0000, 0x800_0000, 1, 0x1_0000, 0x0000_0010_0000_1005),
        (0x5000_0000, 0x4000, 3, 0x1_0000, 0x0000_0005_0000_4305),
        (0x6000_0000, 0x1000, 4, 0x1_0000, 0x0000_0006_0000_6105),
        (0x1000_0000, 0x1000, 5, 0x1000, 0x0000_0001_0000_8101),
        (0xffff_ffff_0000, 0x1_0000, 2, 0x20_0000, 0x000f_ffff_fff0_250a),
    ];
    for (table, bytes, levels, page, tve) in cases {
        for window in [10, 11] {
            assert_eq!(machine.map(window, levels, table, bytes, page), SUCCESS, "{table:#x}");
            assert_eq!(machine.tve(0, window), tve, "{table:#x} {bytes:#x} {levels} {page:#x}");
        }
    }
}

#[test]
fn bypass_windows_are_encoded_as_in_the_reference() {
    let machine = Machine::new();
    let cases = [
        (11, BYPASS, 64 * GIB, 0x0000_0000_1000_1080),
        (11, BYPASS, 2048 * GIB, 0x0000_0002_0000_1080),
        (11, BYPASS, 16 << 20, 0x0000_0000_0001_1080),
        (11, BYPASS + (16 << 20), 16 << 20, 0x0000_0100_0002_1080),
        (11, BYPASS + 4 * GIB, 60 * GIB, 0x0001_0000_1000_1080),
        (11, BYPASS + (1 << 48), 512 << 40, 0x0000_0000_0000_1780),
        (10, 0, 2 * GIB, 0x0000_0000_0080_1080),
    ];
    for (window, start, size, tve) in cases {
        assert_eq!(machine.real(window, start, size), SUCCESS, "{start:#x}");
        assert_eq!(machine.tve(0, window), tve, "{start:#x} {size:#x}");
    }
    // The reference's last one ends 16 MiB below 2^50, in firmware's memory here: it is cut there.
    assert_eq!(machine.real(10, 0, (1 << 50) - (16 << 20)), SUCCESS);
    assert_eq!(machine.tve(0, 10), 0x0000_00ff_fffc_1380);
}

#[test]
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

#[test]
fn bad_windows_are_refused_and_change_nothing() {
    let machine = Machine::new();
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x4_0000, 0x1_0000), SUCCESS);
    assert_eq!(machine.real(11, BYPASS, 64 * GIB), SUCCESS);
    machine.models[0].clear_writes();
    let translated = [
        [0, 512, 1024, 1, 0x2000_0000, 0x4_0000, 0x1_0000],
        [0, 511, 1022, 1, 0x2000_0000, 0x4_0000, 0x1_0000],
        [0, 5, 12, 1, 0x2000_0000, 0x4_0000, 0x1_0000],
        [0, 5, 0x1_000a, 1, 0x2000_0000, 0x4_0000, 0x1_0000],
        [0, 1 << 32 | 5, 10, 1, 0x2000_0000, 0x4_0000, 0x1_0000],
        [0, 5, 10, 0, 0x2000_0000, 0x4_0000, 0x1_0000],
        [0, 5, 10, 6, 0x2000_0000, 0x4_0000, 0x1_0000],
        [0, 5, 10, 0x1_0001, 0x2000_0000, 0x4_0000, 0x1_0000],
        [0, 5, 10, 1, 0x2000_0000, 0x3000, 0x1_0000],
        [0, 5, 10, 1, 0x2000_0000, 0x800, 0x1_0000],
        [0, 5, 10, 1, 0, 1 << 43, 0x1_0000],
        [0, 5, 10, 1, 0x2000_0000, 0x4_0000, 0x100_0000],
        [0, 5, 10, 1, 0x2000_0000, 0x4_0000, 0],
        [0, 5, 10, 1, 0x2000_1000, 0x4_0000, 0x1_0000],
        [0, 5, 10, 1, 0x2000_0010, 0x4_0000, 0x1_0000],
        [0, 5, 10, 1, 0xc000_0000_2000_0000, 0x4_0000, 0x1_0000],
        [0, 5, 10, 1, FIRMWARE.start, 0x1000, 0x1_0000],
        [0, 5, 10, 1, 1 << 50, 0x1000, 0x1_0000],
        [0, 5, 10, 5, 0x2000_0000, 0x1000, 0x1_0000],
        [0, 5, 10, 4, 0x2000_0000, 0x1000, 0x4000_0000],
        [6, 5, 10, 1, 0x2000_0000, 0x4_0000, 0x1_0000],
        [1 << 32, 5, 10, 1, 0x2000_0000, 0x4_0000, 0x1_0000],
    ];
    for args in translated {
        assert_eq!(machine.call(44, args), PARAMETER, "{args:x?}");
    }
    let real = [
        [0, 512, 1025, BYPASS, 64 * GIB],
        [0, 511, 1023, BYPASS, 64 * GIB],
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
    assert_eq!(machine.tve(0, 11), 0x0000_0000_1000_1080);
}

#[test]
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

#[test]
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
    assert_eq!(machine.call(126, [0, 1, 512, 0, 0, 0]), PARAMETER);
    assert_eq!(machine.call(126, [9, 1, PE, 0, 0, 0]), PARAMETER);
}

#[test]
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
    assert_eq!(machine.call(179, [6, 1, 1]), PARAMETER);
    assert_eq!(machine.call(180, [0, 1, 0]), PARAMETER);
    assert_eq!(machine.call(180, [0, 1, FIRMWARE.start]), PARAMETER);
    assert_eq!(machine.call(180, [0, 3, OUT]), UNSUPPORTED);
}

#[test]
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

#[test]
fn reset_of_the_tables_closes_every_window_and_returns_to_bit_59() {
    let machine = Machine::owned();
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x4_0000, 0x1_0000), SUCCESS);
    assert_eq!(machine.four_gib(1), SUCCESS);
    assert_eq!(machine.real(601, 4 * GIB, 60 * GIB), SUCCESS);
    assert_eq!(machine.call(49, [0, 6, 1]), SUCCESS);
    assert_eq!((machine.tve(0, 10), machine.tve(0, 601)), (0, 0));
    assert_eq!(machine.models[0].peek(0x810), 0x0010_0400_0000_0000);
    assert_eq!(machine.models[0].dma_write(RID, 0, b"x").unwrap_err().pe, Some(511));
    machine.complete_reset(0);
    assert_eq!((machine.tve(0, 10), machine.tve(0, 601)), (0, 0), "nothing of it is replayed");
}

#[test]
fn a_fenced_bridge_answers_hardware_and_keeps_its_windows() {
    let machine = Machine::new();
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x4_0000, 0x1_0000), SUCCESS);
    machine.models[0].fence();
    assert_eq!(machine.unmap(10), HARDWARE);
    assert_eq!(machine.real(11, BYPASS, GIB), HARDWARE);
    assert_eq!(machine.call(126, [0, 1, PE, 0, 0, 0]), HARDWARE);
    assert_eq!(machine.four_gib(1), HARDWARE);
    machine.complete_reset(0);
    assert_eq!(machine.tve(0, 10), 0x0000_0002_0000_0705);
    assert_eq!(machine.tve(0, 11), 0);
    assert_eq!(machine.models[0].peek(0x810), 0x0010_0400_0000_0000);
}
