//! DMA windows through the OPAL calls: encodings, statuses, atomicity, and what a device then reaches.

mod machine;
mod model;

use machine::{FIRMWARE, HARDWARE, Machine, OUT, PARAMETER, SUCCESS, UNSUPPORTED, WRONG_STATE};
use model::phb4::FaultKind;
use opalite::hw::ram::Ram;

const PE: u64 = 5;
const RID: u16 = 0x0100;
const BYPASS: u64 = 1 << 59;
const GIB: u64 = 1 << 30;

impl Machine {
    fn map(&self, window: u64, levels: u64, table: u64, bytes: u64, page: u64) -> i64 {
        self.call(44, [0, window >> 1, window, levels, table, bytes, page])
    }
    fn real(&self, window: u64, start: u64, size: u64) -> i64 {
        self.call(45, [0, window >> 1, window, start, size])
    }
    fn unmap(&self, window: u64) -> i64 {
        self.map(window, 0, 0, 0, 0)
    }
    fn four_gib(&self, on: u64) -> i64 {
        self.call(179, [0, 1, on])
    }
    /// One requester in PE 5.
    fn owned() -> Self {
        let machine = Self::new();
        assert_eq!(machine.call(31, [0, PE, RID.into(), 7, 1, 1, 1]), SUCCESS);
        machine
    }
}

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
fn b8_devices_reach_what_the_table_says_and_nothing_after_the_window_is_closed() {
    let machine = Machine::owned();
    let (table, page) = (0x2000_0000, 0x1_0000);
    machine.ram.write64(table + 8 * 0x1234, 0x5000_0000 | 3);
    assert_eq!(machine.map(10, 1, table, 0x4_0000, page), SUCCESS);
    machine.models[0].dma_write(RID, 0x1234_5678, b"moved").unwrap();
    let mut bytes = [0; 5];
    machine.ram.read_bytes(0x5000_5678, &mut bytes);
    assert_eq!(&bytes, b"moved");
    // The bridge has cached the translation; closing must reach the cache as well.
    assert_eq!(machine.unmap(10), SUCCESS);
    assert!(machine.models[0].dma_write(RID, 0x1234_5678, b"again").is_err());
    machine.ram.read_bytes(0x5000_5678, &mut bytes);
    assert_eq!(&bytes, b"moved");
}

#[test]
fn b8_replacing_a_table_leaves_no_stale_translation() {
    let machine = Machine::owned();
    machine.ram.write64(0x2000_0000 + 8, 0x5000_0000 | 3);
    machine.ram.write64(0x2100_0000 + 8, 0x6000_0000 | 3);
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x1000, 0x1_0000), SUCCESS);
    machine.models[0].dma_write(RID, 0x1_0000, b"1").unwrap();
    assert_eq!(machine.map(10, 1, 0x2100_0000, 0x1000, 0x1_0000), SUCCESS);
    machine.models[0].dma_write(RID, 0x1_0000, b"2").unwrap();
    assert_eq!((machine.ram.read8(0x5000_0000), machine.ram.read8(0x6000_0000)), (b'1', b'2'));
}

#[test]
fn b8_opening_forgets_that_an_address_had_no_translation() {
    let machine = Machine::owned();
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x1000, 0x1_0000), SUCCESS);
    assert_eq!(machine.models[0].dma_write(RID, 0x1_0000, b"1").unwrap_err().kind, FaultKind::PageFault);
    assert_eq!(machine.call(26, [0, PE, 3]), SUCCESS);
    machine.ram.write64(0x2000_0000 + 8, 0x5000_0000 | 3);
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x1000, 0x1_0000), SUCCESS);
    machine.models[0].dma_write(RID, 0x1_0000, b"1").unwrap();
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
fn b13_a_kill_of_pages_reaches_the_whole_pe_and_costs_what_one_of_the_pe_does() {
    let machine = Machine::new();
    machine.models[0].clear_writes();
    assert_eq!(machine.call(126, [0, 0, PE, 0x1_0000, 0x1234_0000, 7]), SUCCESS);
    assert!(machine.models[0].writes().contains(&(0x210, 8, 0x4000_0000_0000_0005)));
}

#[test]
fn b12_a_kill_that_never_ends_is_an_error_of_hardware() {
    let machine = Machine::new();
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x1000, 0x1000), SUCCESS);
    let before = machine.tve(0, 10);
    machine.models[0].stuck_kill(true);
    assert_eq!(machine.call(126, [0, 1, PE, 0, 0, 0]), HARDWARE);
    assert_eq!(machine.unmap(10), HARDWARE);
    assert_eq!(machine.tve(0, 10), before, "a failed close must leave the window open");
    assert_eq!(machine.real(11, BYPASS, GIB), HARDWARE);
    assert_eq!(machine.tve(0, 11), 0, "a failed open must leave the window closed");
}

/// Every access of an act fails in turn; each time the TVE that a complete reset would replay is the old one.
#[test]
fn a_failure_at_any_step_leaves_the_old_window() {
    type Act = fn(&Machine) -> i64;
    let acts: [(&str, Act, u64); 4] = [
        ("open", |m| m.map(12, 1, 0x2000_0000, 0x1000, 0x1000), 12),
        ("close", |m| m.unmap(10), 10),
        ("replace", |m| m.map(10, 1, 0x2100_0000, 0x1000, 0x1000), 10),
        ("bypass", |m| m.real(13, BYPASS, GIB), 13),
    ];
    for (name, act, window) in acts {
        let mut steps = 0;
        loop {
            let machine = Machine::new();
            assert_eq!(machine.map(10, 1, 0x2000_0000, 0x4_0000, 0x1_0000), SUCCESS);
            let before = machine.tve(0, window);
            machine.models[0].fence_after(steps);
            let status = act(&machine);
            if status == SUCCESS {
                assert!(steps > 4, "{name} makes too few accesses to be what it should be");
                break;
            }
            assert_eq!(status, HARDWARE, "{name} with access {steps} failing");
            complete_reset(&machine);
            assert_eq!(machine.tve(0, window), before, "{name} with access {steps} failing");
            steps += 1;
            assert!(steps < 200, "{name} never succeeds");
        }
    }
}

fn complete_reset(machine: &Machine) {
    let mut wait = machine.call(49, [0, 1, 1]);
    for _ in 0..2000 {
        if wait <= 0 {
            break;
        }
        opalite::arch::advance_timebase(wait as u64 * 512_000);
        wait = machine.call(62, [0]);
    }
    assert_eq!(wait, 0, "the complete reset must end well");
}

#[test]
fn b3_windows_and_options_survive_a_complete_reset() {
    let machine = Machine::owned();
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x1000, 0x1000), SUCCESS);
    assert_eq!(machine.four_gib(1), SUCCESS);
    assert_eq!(machine.call(179, [0, 2, 1]), SUCCESS);
    assert_eq!(machine.real(13, 4 * GIB, 60 * GIB), SUCCESS);
    complete_reset(&machine);
    assert_eq!(machine.tve(0, 10), 0x0000_0002_0000_0101);
    assert_eq!(machine.tve(0, 13), 0x0001_0000_1000_1080);
    assert_eq!(
        machine.models[0].peek(0x810),
        0x0012_0480_0000_0000,
        "B3: the mode is replayed with the windows"
    );
    machine.ram.write64(0x2000_0000, 0x5000_0000 | 3);
    machine.models[0].dma_write(RID, 0x10, b"z").unwrap();
    assert_eq!(machine.ram.read8(0x5000_0010), b'z');
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
fn b4_four_gib_mode_takes_a_bypass_at_4_gib_and_devices_use_it() {
    let machine = Machine::owned();
    assert_eq!(machine.four_gib(1), SUCCESS);
    assert_eq!(machine.real(11, 4 * GIB, 60 * GIB), SUCCESS);
    assert_eq!(machine.tve(0, 11), 0x0001_0000_1000_1080);
    machine.models[0].dma_write(RID, 5 * GIB, b"4g").unwrap();
    assert_eq!(machine.ram.read16(5 * GIB), 0x3467);
    assert_eq!(machine.real(11, BYPASS, 60 * GIB), PARAMETER, "bit 59 means nothing here");
    assert_eq!(machine.real(11, 2 * GIB, 60 * GIB), PARAMETER, "below 4 GiB is window 0's");
    assert_eq!(machine.real(10, 0, 4 * GIB), SUCCESS);
    assert_eq!(machine.real(10, 0, 4 * GIB + (16 << 20)), PARAMETER);
    // 1 GiB pages: device address 4 GiB + physical address, entries 0 to 3 are never reached.
    assert_eq!(machine.unmap(10), SUCCESS);
    machine.ram.write64(0x3000_0000 + 8 * 4, 3);
    assert_eq!(machine.map(11, 1, 0x3000_0000, 0x1000, 0x4000_0000), SUCCESS);
    machine.models[0].dma_write(RID, 4 * GIB + 0x7000, b"lo").unwrap();
    assert_eq!(machine.ram.read16(0x7000), 0x6c6f);
    assert_eq!(machine.map(11, 1, 0x2000_0000, 0x1000, 0x1000), PARAMETER, "2 MiB don't reach 4 GiB");
    assert_eq!(machine.map(10, 1, 0x3000_0000, 0x1000, 0x4000_0000), PARAMETER, "512 GiB in window 0");
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
    complete_reset(&machine);
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
    complete_reset(&machine);
    assert_eq!(machine.tve(0, 10), 0x0000_0002_0000_0705);
    assert_eq!(machine.tve(0, 11), 0);
    assert_eq!(machine.models[0].peek(0x810), 0x0010_0400_0000_0000);
}

fn refuses(machine: &Machine, token: u64, args: &[u64]) {
    let mut registers = [0; 7];
    registers[..args.len()].copy_from_slice(args);
    machine.models[0].clear_writes();
    assert_eq!(machine.call(token, registers), PARAMETER, "{args:x?}");
    assert_eq!(machine.models[0].writes(), [], "{args:x?}");
}

#[test]
fn b5_a_bypass_that_wraps_is_refused() {
    let machine = Machine::new();
    refuses(&machine, 45, &[0, 5, 10, 16 << 20, (16_u64 << 20).wrapping_neg()]);
    refuses(&machine, 45, &[0, 5, 11, BYPASS + (16 << 20), (16_u64 << 20).wrapping_neg()]);
    refuses(&machine, 45, &[0, 5, 11, BYPASS, 1 << 63]);
}

#[test]
fn b6_a_table_that_isn_t_aligned_to_its_level_is_refused() {
    let machine = Machine::new();
    for low in [1, 8, 0x800, 0x1000, 0x2_0000] {
        refuses(&machine, 44, &[0, 5, 10, 1, 0x2000_0000 + low, 0x4_0000, 0x1_0000]);
    }
    refuses(&machine, 44, &[0, 5, 10, 1, 1 << 60 | 0x2000_0000, 0x4_0000, 0x1_0000]);
}

#[test]
fn b7_a_table_in_firmware_s_memory_or_in_none_is_refused() {
    let machine = Machine::new();
    let info = opalite::phb::find(&machine.fw.phbs, 0).unwrap().lock().info().clone();
    for table in [FIRMWARE.start, FIRMWARE.end - 0x1000, info.rtt.0, info.peltv.0, info.pest.0, FIRMWARE.end]
    {
        refuses(&machine, 44, &[0, 5, 10, 1, table, 0x1000, 0x1_0000]);
    }
    // The top level ends inside firmware's memory.
    refuses(&machine, 44, &[0, 5, 10, 1, FIRMWARE.start & !((1 << 30) - 1), 1 << 30, 0x1000]);
}

#[test]
fn b9_the_reserved_pe_has_no_windows() {
    let machine = Machine::new();
    refuses(&machine, 44, &[0, 511, 1022, 1, 0x2000_0000, 0x1000, 0x1000]);
    refuses(&machine, 44, &[0, 511, 1023, 0, 0, 0, 0]);
    refuses(&machine, 45, &[0, 511, 1023, BYPASS, GIB]);
    assert_eq!(machine.call(44, [1, 511, 1022, 1, 0x2000_0000, 0x1000, 0x1000]), PARAMETER);
    assert_eq!(machine.call(44, [1, 255, 510, 1, 0x2000_0000, 0x1000, 0x1000]), PARAMETER);
}

#[test]
fn b10_a_window_wider_than_the_bus_is_refused() {
    let machine = Machine::new();
    refuses(&machine, 44, &[0, 5, 10, 5, 0x2000_0000, 0x1000, 0x1_0000]);
    refuses(&machine, 44, &[0, 5, 10, 2, 0, 1 << 42, 0x1000]);
    // Bit 59 is the selector: 57 bits are the most that five levels of 4 KiB make.
    assert_eq!(machine.map(10, 5, 0x1000_0000, 0x1000, 0x1000), SUCCESS);
    assert_eq!(machine.map(10, 3, 0x4000_0000, 0x4000, 0x4000_0000), PARAMETER, "63 bits");
}

#[test]
fn b11_wide_arguments_aren_t_cut() {
    let machine = Machine::new();
    for wide in [1 << 16, 1 << 32, 1 << 63] {
        refuses(&machine, 44, &[0, 5, 10 | wide, 1, 0x2000_0000, 0x1000, 0x1000]);
        refuses(&machine, 44, &[0, 5 | wide, 10, 1, 0x2000_0000, 0x1000, 0x1000]);
        refuses(&machine, 44, &[0, 5, 10, 1 | wide, 0x2000_0000, 0x1000, 0x1000]);
        refuses(&machine, 44, &[wide, 5, 10, 1, 0x2000_0000, 0x1000, 0x1000]);
        refuses(&machine, 45, &[0, 5, 11 | wide, BYPASS, GIB]);
        refuses(&machine, 126, &[0, 1 | wide, 5, 0, 0, 0]);
        refuses(&machine, 126, &[0, 1, 5 | wide, 0, 0, 0]);
    }
}
