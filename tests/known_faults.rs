//! The faults B1 to B42 of `reference/phb-dma-windows.md` §14, which lists what is wrong in the firmware that exists:
//! for each that this code could share, a test that it doesn't. Those without a test are in the table at the end.

mod machine;
mod model;

use machine::windows::{BYPASS, GIB, PE, RID};
use machine::{
    FIRMWARE, HARDWARE, Machine, OUT, PARAMETER, PARTIAL, SUCCESS, UNSUPPORTED, kind, on_every_bridge,
    on_newer_bridges, tables,
};
use model::pci_device::{PciDevice, PortType};
use model::phb4::FaultKind;
use opalite::hw::ram::Ram;
use opalite::phb;

fn nvme() -> PciDevice {
    PciDevice::endpoint(0x1b36, 0x0010).class(0x01_0802).interrupt_pin(1).express(PortType::Endpoint, 0)
}

/// A call that is refused and makes no store to a register.
#[track_caller]
fn refuses(machine: &Machine, token: u64, args: &[u64]) {
    let mut registers = [0; 7];
    registers[..args.len()].copy_from_slice(args);
    machine.models[0].clear_writes();
    assert_eq!(machine.call(token, registers), PARAMETER, "{args:x?}");
    assert_eq!(machine.models[0].writes(), [], "{args:x?}");
}

fn b01_every_bit_of_a_bypass_reaches_the_tve() {
    let machine = Machine::new();
    for bit in 24..49 {
        let (start, size) = (1_u64 << bit, 1_u64 << 24);
        assert_eq!(machine.real(11, BYPASS | start, size), SUCCESS);
        assert_eq!(machine.tve(0, 11), tables::bypass_tve(start, start + size), "start bit {bit}");
        assert_eq!(machine.real(11, BYPASS, start), SUCCESS);
        assert_eq!(machine.tve(0, 11), tables::bypass_tve(0, start), "end bit {bit}");
    }
}

fn b03_windows_and_options_survive_a_complete_reset() {
    let machine = Machine::owned();
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x1000, 0x1000), SUCCESS);
    assert_eq!(machine.four_gib(1), SUCCESS);
    assert_eq!(machine.call(179, [0, 2, 1]), SUCCESS);
    assert_eq!(machine.real(13, 4 * GIB, 60 * GIB), SUCCESS);
    machine.complete_reset(0);
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

fn b04_four_gib_mode_takes_a_bypass_at_4_gib_and_devices_use_it() {
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

fn b05_a_size_that_wraps_is_refused() {
    let machine = Machine::new();
    refuses(&machine, 45, &[0, 5, 10, 16 << 20, (16_u64 << 20).wrapping_neg()]);
    refuses(&machine, 45, &[0, 5, 11, BYPASS + (16 << 20), (16_u64 << 20).wrapping_neg()]);
    refuses(&machine, 45, &[0, 5, 11, BYPASS, 1 << 63]);
}

fn b06_a_table_that_isn_t_aligned_to_its_level_is_refused() {
    let machine = Machine::new();
    for low in [1, 8, 0x800, 0x1000, 0x2_0000] {
        refuses(&machine, 44, &[0, 5, 10, 1, 0x2000_0000 + low, 0x4_0000, 0x1_0000]);
    }
    refuses(&machine, 44, &[0, 5, 10, 1, 1 << 60 | 0x2000_0000, 0x4_0000, 0x1_0000]);
}

fn b07_a_table_in_firmware_s_memory_or_in_none_is_refused() {
    let machine = Machine::new();
    let info = opalite::phb::find(machine.fw.phbs, 0).unwrap().lock().info().clone();
    for table in [FIRMWARE.start, FIRMWARE.end - 0x1000, info.rtt.0, info.peltv.0, info.pest.0, FIRMWARE.end]
    {
        refuses(&machine, 44, &[0, 5, 10, 1, table, 0x1000, 0x1_0000]);
    }
    // The top level ends inside firmware's memory.
    refuses(&machine, 44, &[0, 5, 10, 1, FIRMWARE.start & !((1 << 30) - 1), 1 << 30, 0x1000]);
}

fn b08_devices_reach_what_the_table_says_and_nothing_after_the_window_is_closed() {
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

fn b08_opening_forgets_that_an_address_had_no_translation() {
    let machine = Machine::owned();
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x1000, 0x1_0000), SUCCESS);
    assert_eq!(machine.models[0].dma_write(RID, 0x1_0000, b"1").unwrap_err().kind, FaultKind::PageFault);
    assert_eq!(machine.call(26, [0, PE, 3]), SUCCESS);
    machine.ram.write64(0x2000_0000 + 8, 0x5000_0000 | 3);
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x1000, 0x1_0000), SUCCESS);
    machine.models[0].dma_write(RID, 0x1_0000, b"1").unwrap();
}

fn b08_replacing_a_table_leaves_no_stale_translation() {
    let machine = Machine::owned();
    machine.ram.write64(0x2000_0000 + 8, 0x5000_0000 | 3);
    machine.ram.write64(0x2100_0000 + 8, 0x6000_0000 | 3);
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x1000, 0x1_0000), SUCCESS);
    machine.models[0].dma_write(RID, 0x1_0000, b"1").unwrap();
    assert_eq!(machine.map(10, 1, 0x2100_0000, 0x1000, 0x1_0000), SUCCESS);
    machine.models[0].dma_write(RID, 0x1_0000, b"2").unwrap();
    assert_eq!((machine.ram.read8(0x5000_0000), machine.ram.read8(0x6000_0000)), (b'1', b'2'));
}

fn b09_the_reserved_pe_has_no_windows() {
    let machine = Machine::new();
    let reserved = kind().reserved();
    refuses(&machine, 44, &[0, reserved, 2 * reserved, 1, 0x2000_0000, 0x1000, 0x1000]);
    refuses(&machine, 44, &[0, reserved, 2 * reserved + 1, 0, 0, 0, 0]);
    refuses(&machine, 45, &[0, reserved, 2 * reserved + 1, BYPASS, GIB]);
    assert_eq!(machine.call(44, [1, 511, 1022, 1, 0x2000_0000, 0x1000, 0x1000]), PARAMETER);
    assert_eq!(machine.call(44, [1, 255, 510, 1, 0x2000_0000, 0x1000, 0x1000]), PARAMETER);
}

fn b10_a_window_wider_than_the_bus_is_refused() {
    let machine = Machine::new();
    refuses(&machine, 44, &[0, 5, 10, 5, 0x2000_0000, 0x1000, 0x1_0000]);
    refuses(&machine, 44, &[0, 5, 10, 2, 0, 1 << 42, 0x1000]);
    // Bit 59 is the selector: 57 bits are the most that five levels of 4 KiB make.
    assert_eq!(machine.map(10, 5, 0x1000_0000, 0x1000, 0x1000), SUCCESS);
    assert_eq!(machine.map(10, 3, 0x4000_0000, 0x4000, 0x4000_0000), PARAMETER, "63 bits");
}

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

fn b13_a_kill_of_pages_reaches_the_whole_pe_and_costs_what_one_of_the_pe_does() {
    let machine = Machine::new();
    machine.models[0].clear_writes();
    assert_eq!(machine.call(126, [0, 0, PE, 0x1_0000, 0x1234_0000, 7]), SUCCESS);
    assert!(machine.models[0].writes().contains(&(0x210, 8, 0x4000_0000_0000_0005)));
}

fn b14_an_m32_segment_keeps_its_pe_over_a_complete_reset() {
    let machine = Machine::new();
    let segment = kind().m32 + 7 * ((2 << 30) / kind().pes);
    assert_eq!(machine.call(29, [0, 9, 1, 0, 7]), SUCCESS);
    assert_eq!(machine.models[0].outbound(segment).map(|hit| hit.pe), Some(9));
    machine.complete_reset(0);
    assert_eq!(machine.models[0].outbound(segment).map(|hit| hit.pe), Some(9));
}

fn b15_peer_to_peer_is_refused_and_changes_nothing() {
    let machine = Machine::new();
    assert_eq!(machine.call(157, [0, 1, 1, 5]), UNSUPPORTED);
    assert_eq!(machine.call(157, [0, 1, 1, 0xffff]), UNSUPPORTED);
    assert_eq!(machine.call(157, [0, kind().bridges, 1, 5]), PARAMETER);
    assert_eq!(machine.call(157, [kind().bridges, 0, 1, 5]), PARAMETER);
    assert_eq!(machine.tve(0, 11), 0);
}

/// What can be mended of it: the tables' reset returns when no DMA with an old translation is under way. That it
/// concerns every PE is what the scope means.
fn b16_an_ioda_reset_waits_for_dma_with_old_translations() {
    let machine = Machine::owned();
    machine.ram.write64(0x2000_0000, 0x5000_0000 | 3);
    assert_eq!(machine.map(10, 1, 0x2000_0000, 0x1000, 0x1000), SUCCESS);
    machine.models[0].dma_write(RID, 0, b"1").unwrap();
    machine.models[0].set_kill_reads(50);
    assert_eq!(machine.call(49, [0, 6, 1]), SUCCESS);
    assert!(!machine.models[0].kill_pending());
    // Nothing of the old translation is left for the PE's next owner.
    assert_eq!(machine.set_pe(PE, RID.into(), [7, 1, 1], 1), SUCCESS);
    assert_eq!(machine.models[0].dma_write(RID, 0, b"2").unwrap_err().kind, FaultKind::Closed);
    assert_eq!(machine.ram.read8(0x5000_0000), b'1');
}

fn b17_an_m64_window_stays_inside_the_bridge_s_range() {
    let machine = Machine::new();
    let (m64, size_of_m64, [_, grain]) = (kind().m64, kind().m64_size, kind().m64_grain);
    for (start, size) in
        [(m64 - (1 << 30), 1 << 30), (m64 + size_of_m64, 1 << 30), (m64, 2 * size_of_m64), (0, 1 << 48)]
    {
        assert_eq!(machine.call(28, [0, 2, 1, start, 0, size]), SUCCESS);
        machine.models[0].clear_writes();
        assert_eq!(machine.call(27, [0, 2, 1, 1]), PARTIAL, "{start:#x} {size:#x}");
        assert_eq!(machine.models[0].writes(), []);
    }
    assert_eq!(machine.call(28, [0, 2, 1, m64 + size_of_m64 - grain, 0, grain]), SUCCESS);
}

fn b19_only_the_entries_that_change_are_touched() {
    let machine = Machine::new();
    let rtt = phb::find(machine.fw.phbs, 0).unwrap().lock().info().rtt.0;
    machine.ram.watch(rtt, 0x2_0000);
    assert_eq!(machine.set_pe(3, 0x0123, [7, 1, 1], 1), SUCCESS);
    assert_eq!(machine.ram.writes().len(), 1, "B19: one requester, one store");
    assert_eq!(machine.set_pe(3, 0x0200, [7, 0, 0], 1), SUCCESS);
    assert_eq!(machine.ram.writes().len(), 65, "B19: a bus, 64 stores");
    for rid in 0x0200..0x0300 {
        // Every entry names a PE that exists at all times: no store may leave half of one behind.
        assert_eq!(machine.pe_of(rid), 3);
    }
}

fn b20_unmapping_leaves_requesters_that_moved_to_another_pe() {
    let machine = Machine::new();
    assert_eq!(machine.set_pe(3, 0x0100, [7, 0, 0], 1), SUCCESS);
    assert_eq!(machine.set_pe(4, 0x0110, [7, 1, 1], 1), SUCCESS);
    assert_eq!(machine.set_pe(3, 0x0100, [7, 0, 0], 0), SUCCESS);
    assert_eq!(machine.pe_of(0x0110), 4);
    assert_eq!(machine.pe_of(0x0111), kind().reserved() as u16);
}

fn b21_bus_compare_1_is_refused() {
    let machine = Machine::new();
    for action in [0, 1] {
        refuses(&machine, 31, &[0, 3, 0x100, 1, 0, 0, action]);
    }
    assert_eq!(machine.pe_of(0x100), kind().reserved() as u16);
}

fn b22_a_refused_call_leaves_its_outputs_alone() {
    let machine = Machine::new();
    let before = 0x5a5a_5a5a_5a5a_5a5a;
    for words in 0..4 {
        machine.ram.write64(OUT + 8 * words, before);
    }
    assert_eq!(machine.call(39, [0, 0, kind().msis, 1, OUT, OUT + 8]), PARAMETER);
    assert_eq!(machine.call(40, [0, 0, kind().msis, 1, OUT, OUT + 8]), PARAMETER);
    assert_eq!(machine.call(40, [0, 0, 0, 2, OUT, OUT + 8]), PARAMETER);
    assert_eq!(machine.call(60, [kind().bridges, OUT, OUT + 8, OUT + 16]), PARAMETER);
    assert_eq!(machine.call(23, [0, kind().pes, OUT, OUT + 8, 0]), PARAMETER);
    assert_eq!(machine.call(23, [kind().bridges, 0, OUT, OUT + 8, 0]), PARAMETER);
    assert_eq!(machine.call(180, [0, 9, OUT]), UNSUPPORTED);
    assert_eq!(machine.call(119, [kind().bridges, OUT]), PARAMETER);
    for words in 0..4 {
        assert_eq!(machine.ram.read64(OUT + 8 * words), before);
    }
    // With success all of each is written, to its last byte.
    assert_eq!(machine.call(60, [0, OUT, OUT + 8, OUT + 16]), SUCCESS);
    assert_eq!(
        (machine.ram.read64(OUT), machine.ram.read16(OUT + 8), machine.ram.read16(OUT + 16)),
        (!0, 0, 0)
    );
    assert_eq!(machine.ram.read64(OUT + 8), before & ((1 << 48) - 1), "and nothing behind");
}

fn b23_tables_are_as_large_as_the_bridge_has_pes() {
    let machine = Machine::new();
    for (id, pes) in [(0, kind().pes), (1, 256)] {
        let info = phb::find(machine.fw.phbs, id).unwrap().lock().info().clone();
        assert_eq!((info.peltv.1, info.pest.1), (pes * pes / 8, 16 * pes));
    }
}

fn b24_freeze_status_needs_no_severity() {
    let machine = Machine::new();
    for act in [|_: &Machine| (), |m: &Machine| m.models[0].freeze(5), |m: &Machine| m.models[0].fence()] {
        act(&machine);
        assert_eq!(machine.call(23, [0, 5, OUT, OUT + 2, 0]), SUCCESS);
        machine.ram.write64(OUT + 8, 0x77);
        assert_eq!(machine.call(23, [0, 5, OUT, OUT + 2, OUT + 8]), SUCCESS);
        assert_eq!(machine.ram.read64(OUT + 8), 0x77);
        refuses(&machine, 23, &[0, 5, OUT, OUT + 2, FIRMWARE.start]);
    }
}

fn b25_pes_of_eeh_calls_are_checked() {
    let machine = Machine::new();
    for (phb, pe) in [(0, kind().pes), (0, 0xffff), (0, 0x1_0005), (0, 1 << 32 | 5), (0, u64::MAX), (1, 256)]
    {
        assert_eq!(machine.call(23, [phb, pe, OUT, OUT + 2, 0]), PARAMETER, "{phb} {pe:#x}");
        assert_eq!(machine.call(26, [phb, pe, 3]), PARAMETER, "{phb} {pe:#x}");
        assert_eq!(machine.call(97, [phb, pe, 3]), PARAMETER, "{phb} {pe:#x}");
    }
    assert_eq!(machine.call(26, [1, 255, 3]), SUCCESS);
}

fn b26_a_fenced_bridge_is_an_error_of_the_bridge() {
    let machine = Machine::new();
    machine.models[0].fence();
    assert_eq!(machine.freeze_status(5), (SUCCESS, 3, 2));
    assert_eq!(machine.next_error(), (SUCCESS, u64::MAX, 2, 3));
    assert_eq!(machine.call(26, [0, 5, 3]), HARDWARE);
    assert_eq!(machine.call(97, [0, 5, 3]), HARDWARE);
    let wait = machine.call(49, [0, 1, 1]);
    assert!(wait > 0);
    assert_eq!(machine.finish(0, wait).0, 0);
    assert_eq!(machine.next_error(), (SUCCESS, u64::MAX, 0, 0));
    assert_eq!(machine.freeze_status(5), (SUCCESS, 0, 0));
}

fn b27_bridge_numbers_beyond_the_last_are_refused() {
    let machine = Machine::new();
    for id in [kind().bridges, 7, 63, 64, 65, 1 << 16, 1 << 32, 1 << 62] {
        assert_eq!(machine.call(60, [id, OUT, OUT + 8, OUT + 16]), PARAMETER, "{id:#x}");
        assert_eq!(machine.call(49, [id, 1, 1]), PARAMETER, "{id:#x}");
        assert_eq!(machine.call(62, [id]), PARAMETER, "{id:#x}");
    }
    // Asking one bridge hides no error of another one.
    machine.models[2].freeze(7);
    machine.models[1].freeze(9);
    for (id, pe) in [(0, u64::MAX), (2, 7), (1, 9), (2, 7)] {
        assert_eq!(machine.call(60, [id, OUT, OUT + 8, OUT + 16]), SUCCESS);
        assert_eq!(machine.ram.read64(OUT), pe, "bridge {id}");
    }
}

/// CTL, ADDR and MASK of error injection.
fn injected(machine: &Machine) -> [u64; 3] {
    [0x2b0, 0x2b8, 0x2c0].map(|at| machine.models[0].peek(at))
}

fn b28_errors_of_memory_accesses_and_dma_can_be_injected() {
    const OUTBOUND: u64 = 0x4000_0000_0000_0000;
    const INBOUND: u64 = 0x8000_0000_0000_0000;
    const READ: u64 = 0x0800_0000_0000_0000;
    const WRITE: u64 = 0x0400_0000_0000_0000;
    let machine = Machine::new();
    let inject =
        |wide: u64, function: u64, address, mask| machine.call(96, [0, PE, wide, function, address, mask]);
    for (wide, function, status) in
        [(0, 0, PARAMETER), (1, 6, PARAMETER), (0, 12, UNSUPPORTED), (1, 19, UNSUPPORTED)]
    {
        assert_eq!(inject(wide, function, 0, 0), status, "nothing is the PE's yet: {wide} {function}");
        assert_eq!(injected(&machine)[0], 0);
    }
    // Segments 7 and 9 of M32. The registers hold 48 bits of an address.
    let (m32, m64, last, pes) = (kind().m32, kind().m64, kind().last_m64, kind().pes);
    let low = 0xffff_ffff_ffff;
    let size = (2 << 30) / pes;
    let segment = |number: u64| m32 + number * size;
    let whole = size.wrapping_neg() & low;
    for number in [7, 9] {
        assert_eq!(machine.call(29, [0, PE, 1, 0, number]), SUCCESS);
    }
    assert_eq!(inject(0, 0, 0, 0), SUCCESS);
    assert_eq!(injected(&machine), [OUTBOUND | READ, segment(7) & low, whole]);
    assert_eq!(inject(0, 7, segment(9) + 0x1234, 0xffff_ffff_fff0), SUCCESS);
    assert_eq!(injected(&machine), [OUTBOUND | WRITE, (segment(9) + 0x1234) & low, 0xffff_ffff_fff0]);
    assert_eq!(inject(0, 1, segment(8), 0xff), SUCCESS, "another PE's address");
    assert_eq!(injected(&machine), [OUTBOUND | READ, segment(7) & low, whole]);
    // M64, split into a segment for each PE.
    let size = kind().m64_size / pes;
    assert_eq!(machine.call(28, [0, 2, last, m64, 0, kind().m64_size]), SUCCESS);
    assert_eq!(machine.call(27, [0, 2, last, 1]), SUCCESS);
    assert_eq!(inject(1, 6, 0, 0), SUCCESS);
    assert_eq!(injected(&machine), [OUTBOUND | WRITE, (m64 + PE * size) & low, size.wrapping_neg() & low]);
    // DMA: a bypass window, with what is outside it taken for the whole.
    assert_eq!(machine.real(2 * PE + 1, BYPASS, GIB), SUCCESS);
    assert_eq!(inject(1, 15, 0, 0), SUCCESS);
    assert_eq!(injected(&machine), [INBOUND | READ, 0, 0xffff_c000_0000]);
    assert_eq!(inject(1, 16, BYPASS | 0x5000, 0xffff_ffff_f000), SUCCESS);
    assert_eq!(injected(&machine), [INBOUND | WRITE, 0x5000, 0xffff_ffff_f000]);
    assert_eq!(inject(0, 16, 0, 0), UNSUPPORTED, "window 0 is closed");
    assert_eq!(injected(&machine)[0], 0);
}

fn b29_an_error_of_dma_covers_all_levels_of_a_window() {
    let machine = Machine::new();
    // Two levels of 64 KiB and pages of 64 KiB: 42 bits.
    let window = 2 * PE;
    assert_eq!(machine.call(44, [0, PE, window, 2, 0x100_0000, 0x1_0000, 0x1_0000]), SUCCESS);
    assert_eq!(machine.call(96, [0, PE, 0, 12, 0, 0]), SUCCESS);
    assert_eq!(injected(&machine), [0x8800_0000_0000_0000, 0, 0xfc00_0000_0000]);
}

fn b31_a_bridge_whose_reset_fails_is_dead() {
    let machine = Machine::new();
    machine.models[0].stuck_transactions(true);
    let wait = machine.call(49, [0, 1, 1]);
    assert_eq!(machine.finish(0, wait).0, HARDWARE);
    assert_eq!(machine.next_error(), (SUCCESS, u64::MAX, 2, 2));
    assert_eq!(machine.freeze_status(5), (HARDWARE, 3, 2));
    assert_eq!(machine.call(49, [0, 1, 1]), HARDWARE);
    assert_eq!(machine.call(44, [0, 5, 10, 1, 0x2000_0000, 0x1000, 0x1000]), HARDWARE);
    assert_eq!(machine.call(126, [0, 1, 5, 0, 0, 0]), HARDWARE);
    assert_eq!(machine.config_read(0, 0, 0, 4), (HARDWARE, u32::MAX));
}

fn b33_the_output_of_config_reads_is_checked_for_each_width() {
    let machine = Machine::with(|models| models[0].attach(0, nvme()));
    for (token, bad) in [(14, OUT + 1), (15, OUT + 2), (15, OUT + 1)] {
        assert_eq!(machine.call(token, [0, 0x100, 0, bad]), PARAMETER, "{token} {bad:#x}");
    }
    for token in [13, 14, 15] {
        for bad in [0, FIRMWARE.start, FIRMWARE.end, FIRMWARE.end - 4, 1 << 51, u64::MAX] {
            assert_eq!(machine.call(token, [0, 0x100, 0, bad]), PARAMETER, "{token} {bad:#x}");
        }
    }
}

fn b34_the_output_of_get_option_is_checked() {
    let machine = Machine::new();
    for bad in [0, 4, FIRMWARE.start, FIRMWARE.end, !7] {
        assert_eq!(machine.call(180, [0, 1, bad]), PARAMETER, "{bad:#x}");
    }
}

fn b35_set_power_state_reads_no_null_pointer() {
    let machine = Machine::new();
    assert_eq!(machine.call(121, [1, 0, OUT]), UNSUPPORTED, "slots here can't be switched");
    for pointer in [0, FIRMWARE.start] {
        refuses(&machine, 121, &[1, 0, pointer]);
    }
}

fn b36_offsets_beyond_the_root_port_s_space_reach_no_register() {
    let machine = Machine::with(|models| models[0].attach(0, nvme()));
    machine.models[0].clear_writes();
    for offset in [0x800, 0x810, 0xffc] {
        assert_eq!(machine.config_write(0, 0, offset, 4, u64::MAX), SUCCESS);
        assert_eq!(machine.config_read(0, 0, offset, 4), (SUCCESS, u32::MAX));
    }
    assert_eq!(machine.models[0].writes(), []);
}

fn b39_the_first_reset_after_boot_works() {
    let machine = Machine::with(|models| models[0].attach(0, nvme()));
    for scope in [4, 5, 4, 1, 5] {
        let wait = machine.call(49, [0, scope, 1]);
        assert!(wait > 0, "scope {scope}: {wait}");
        assert_eq!(machine.finish(0, wait).0, 0, "scope {scope}");
    }
}

fn b40_a_reset_that_runs_never_says_that_it_is_done() {
    let machine = Machine::with(|models| models[0].attach(0, nvme()));
    assert_eq!(machine.call(49, [0, 5, 1]), 250);
    // However far the clock went meanwhile, PERST's end, training and settling are polls of their own.
    for _ in 0..2 {
        opalite::arch::advance_timebase(249 * 512_000);
        assert!(machine.call(62, [0]) > 0);
    }
}

#[test]
fn b42_nothing_is_left_to_be_done_later() {
    fn visit(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                visit(&entry.path(), found);
                continue;
            }
            let Ok(text) = std::fs::read_to_string(entry.path()) else { continue };
            for (line, words) in (1..).zip(text.lines()) {
                if ["TODO", "FIXME", "XXX"].iter().any(|mark| words.contains(mark)) {
                    found.push(format!("{}:{line}", entry.path().display()));
                }
            }
        }
    }
    let mut found = Vec::new();
    visit(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut found);
    assert_eq!(found, [""; 0]);
}

on_every_bridge! {
    b01_every_bit_of_a_bypass_reaches_the_tve
    b05_a_size_that_wraps_is_refused
    b06_a_table_that_isn_t_aligned_to_its_level_is_refused
    b07_a_table_in_firmware_s_memory_or_in_none_is_refused
    b08_devices_reach_what_the_table_says_and_nothing_after_the_window_is_closed
    b08_opening_forgets_that_an_address_had_no_translation
    b08_replacing_a_table_leaves_no_stale_translation
    b09_the_reserved_pe_has_no_windows
    b10_a_window_wider_than_the_bus_is_refused
    b11_wide_arguments_aren_t_cut
    b13_a_kill_of_pages_reaches_the_whole_pe_and_costs_what_one_of_the_pe_does
    b14_an_m32_segment_keeps_its_pe_over_a_complete_reset
    b15_peer_to_peer_is_refused_and_changes_nothing
    b16_an_ioda_reset_waits_for_dma_with_old_translations
    b17_an_m64_window_stays_inside_the_bridge_s_range
    b19_only_the_entries_that_change_are_touched
    b20_unmapping_leaves_requesters_that_moved_to_another_pe
    b21_bus_compare_1_is_refused
    b22_a_refused_call_leaves_its_outputs_alone
    b23_tables_are_as_large_as_the_bridge_has_pes
    b24_freeze_status_needs_no_severity
    b25_pes_of_eeh_calls_are_checked
    b26_a_fenced_bridge_is_an_error_of_the_bridge
    b27_bridge_numbers_beyond_the_last_are_refused
    b28_errors_of_memory_accesses_and_dma_can_be_injected
    b29_an_error_of_dma_covers_all_levels_of_a_window
    b31_a_bridge_whose_reset_fails_is_dead
    b33_the_output_of_config_reads_is_checked_for_each_width
    b35_set_power_state_reads_no_null_pointer
    b39_the_first_reset_after_boot_works
    b40_a_reset_that_runs_never_says_that_it_is_done
}

on_newer_bridges! {
    b03_windows_and_options_survive_a_complete_reset
    b04_four_gib_mode_takes_a_bypass_at_4_gib_and_devices_use_it
    b12_a_kill_that_never_ends_is_an_error_of_hardware
    b34_the_output_of_get_option_is_checked
    b36_offsets_beyond_the_root_port_s_space_reach_no_register
}

// Without a test:
//
// | fault | why |
// |---|---|
// | B2 | tests/phb3_init.rs |
// | B18 | shared: two windows for each PE; the modes with 4, 8 and 16 aren't documented |
// | B30 | no verbose mode: what freezes a PE is told when the OS asks (64) |
// | B32 | shared: one record for each PE, as the bridge keeps it, with no history |
// | B37 | CAPI isn't served |
// | B38 | bridges are never unregistered |
// | B41 | about documents; ours say what is checked in which order (`opal/calls/pci.rs`), and tests hold them to it |
