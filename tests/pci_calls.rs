//! The PCI calls that are neither about DMA windows nor about config space: MMIO windows, MSIs, errors, resets.

mod machine;
mod model;

use machine::{
    BUSY, FIRMWARE, HARDWARE, Machine, OUT, PARAMETER, PARTIAL, SUCCESS, UNSUPPORTED, kind, on_every_bridge,
    on_newer_bridges,
};
use model::pci_device::{PciDevice, PortType};
use opalite::hw::ram::Ram;
use opalite::{pci, phb};

const MIB: u64 = 1 << 20;

fn nvme() -> PciDevice {
    PciDevice::endpoint(0x1b36, 0x0010).class(0x01_0802).interrupt_pin(1).express(PortType::Endpoint, 0)
}

impl Machine {
    /// A word of a function's config space, read through OPAL.
    fn word(&self, bdfn: u64, register: u64) -> u32 {
        assert_eq!(self.call(15, [0, bdfn, register, OUT]), SUCCESS);
        self.ram.read32(OUT)
    }

    fn pe_of_address(&self, address: u64) -> Option<u16> {
        self.models[0].outbound(address).map(|hit| hit.pe)
    }
}

fn m32_segments_go_to_pes() {
    let machine = Machine::new();
    let (m32, pes) = (kind().m32, kind().pes);
    let segment = (2_u64 << 30) / pes;
    assert_eq!(machine.pe_of_address(m32 + 7 * segment), Some(0));
    assert_eq!(machine.call(29, [0, 9, 1, 0, 7]), SUCCESS);
    assert_eq!(machine.pe_of_address(m32 + 7 * segment), Some(9));
    assert_eq!(machine.pe_of_address(m32 + 8 * segment), Some(0));
    assert_eq!(machine.call(29, [0, pes - 1, 1, 0, 7]), SUCCESS, "Linux releases a segment so");
    for (args, status) in [
        ([0, pes, 1, 0, 7], PARAMETER),
        ([0, 9, 1, 1, 7], PARAMETER),
        ([0, 9, 1, 0, pes], PARAMETER),
        ([0, 9, 1, 1 << 32, 7], PARAMETER),
        ([0, 9, 3, 0, 7], UNSUPPORTED),
        ([0, 9, 4, 0, 7], PARAMETER),
        ([0, 9, 1 << 16 | 1, 0, 7], PARAMETER),
        ([kind().bridges, 9, 1, 0, 7], PARAMETER),
    ] {
        assert_eq!(machine.call(29, args), status, "{args:x?}");
    }
}

fn the_default_m64_window_splits_into_one_segment_for_each_pe() {
    let machine = Machine::new();
    let (m64, size, last, pes) = (kind().m64, kind().m64_size, kind().last_m64, kind().pes);
    assert_eq!(machine.call(28, [0, 2, last, m64, 0, size]), SUCCESS);
    assert_eq!(machine.pe_of_address(m64), None, "placed, not yet on");
    assert_eq!(machine.call(27, [0, 2, last, 1]), SUCCESS);
    for pe in [0, 1, 200, pes - 1] {
        assert_eq!(machine.pe_of_address(m64 + pe * (size / pes) + 0x1000), Some(pe as u16));
    }
    assert_eq!(machine.call(28, [0, 2, last, m64, 0, size]), PARTIAL);
    assert_eq!(machine.call(29, [0, 9, 2, last, 0]), PARTIAL);
    assert_eq!(machine.call(27, [0, 2, last, 2]), PARAMETER, "it isn't a single PE's");
    assert_eq!(machine.call(27, [0, 2, last, 0]), SUCCESS);
    assert_eq!(machine.pe_of_address(m64), None);
    assert_eq!(machine.call(27, [0, 2, last, 1]), PARTIAL, "switching off forgets the place");
}

fn an_m64_window_can_be_one_pe_s() {
    let machine = Machine::new();
    let m64 = kind().m64;
    assert_eq!(machine.call(28, [0, 2, 1, m64 + 32 * MIB, 0, 32 * MIB]), SUCCESS);
    assert_eq!(machine.call(29, [0, 77, 2, 1, 0]), SUCCESS);
    assert_eq!(machine.call(27, [0, 2, 1, 1]), PARAMETER);
    assert_eq!(machine.call(27, [0, 2, 1, 2]), SUCCESS);
    assert_eq!(machine.pe_of_address(m64 + 32 * MIB), Some(77));
    assert_eq!(machine.pe_of_address(m64 + 64 * MIB - 1), Some(77));
    assert_eq!(machine.pe_of_address(m64 + 64 * MIB), None);
}

fn a_window_of_one_pe_is_in_the_bridge_s_units_whichever_is_said_first() {
    let machine = Machine::new();
    let (m64, [single, split]) = (kind().m64, kind().m64_grain);
    for bad in [single / 2, 3 * single / 2] {
        assert_eq!(machine.call(29, [0, 77, 2, 2, 0]), SUCCESS);
        assert_eq!(machine.call(28, [0, 2, 2, m64 + bad, 0, single / 2]), PARAMETER, "{bad:#x}");
        assert_eq!(machine.call(27, [0, 2, 2, 0]), SUCCESS);
    }
    assert_eq!(machine.call(28, [0, 2, 2, m64 + split, 0, split]), SUCCESS);
    let wanted = if split == single { SUCCESS } else { PARAMETER };
    assert_eq!(machine.call(29, [0, 77, 2, 2, 0]), wanted, "a place that a single PE's window can't have");
    assert_eq!(machine.call(27, [0, 2, 2, if wanted == SUCCESS { 2 } else { 1 }]), SUCCESS);
    assert!(machine.pe_of_address(m64 + split).is_some());
    // The whole range can be one PE's, with the highest number.
    let pe = kind().pes - 1;
    assert_eq!(machine.call(29, [0, pe, 2, 3, 0]), SUCCESS);
    assert_eq!(machine.call(28, [0, 2, 3, m64, 0, kind().m64_size]), SUCCESS);
    assert_eq!(machine.call(27, [0, 2, 2, 0]), SUCCESS);
    assert_eq!(machine.call(27, [0, 2, 3, 2]), SUCCESS);
    for at in [0, kind().m64_size - 1] {
        assert_eq!(machine.pe_of_address(m64 + at).map(u64::from), Some(pe));
    }
}

fn bad_mmio_windows_are_refused() {
    let machine = Machine::new();
    let (m64, [_, page]) = (kind().m64, kind().m64_grain);
    let place = |args: [u64; 6]| machine.call(28, args);
    assert_eq!(place([0, 1, 0, m64, 0, page]), UNSUPPORTED);
    assert_eq!(place([0, 3, 0, m64, 0, page]), UNSUPPORTED);
    for bad in [
        [0, 4, 1, m64, 0, page],
        [0, 2, kind().last_m64 + 1, m64, 0, page],
        [0, 2, 1 << 16 | 1, m64, 0, page],
        [0, 2, 1, m64 + page / 2, 0, page],
        [0, 2, 1, m64, 0, page / 2],
        [0, 2, 1, m64, 0, 0],
        [0, 2, 1, m64, 0, 3 * page],
        [0, 2, 1, m64 + page, 0, 2 * page],
        [0, 2, 1, 1 << 60, 0, page],
        [7, 2, 1, m64, 0, page],
    ] {
        assert_eq!(place(bad), PARAMETER, "{bad:x?}");
    }
    // M32 is a window of its own on a PHB3, else window 0.
    assert_eq!(place([0, 2, 0, m64, 0, page]), if kind().options { PARAMETER } else { SUCCESS });
    assert_eq!(machine.call(28, [1, 2, 16, m64, 0, page]), PARAMETER, "a small bridge has 16 windows");
    assert_eq!(machine.call(27, [0, 1, 0, 1]), UNSUPPORTED);
    assert_eq!(machine.call(27, [0, 3, 0, 1]), UNSUPPORTED);
    assert_eq!(machine.call(27, [0, 5, 1, 1]), PARAMETER);
    assert_eq!(machine.call(27, [0, 2, 1, 3]), PARAMETER);
    assert_eq!(machine.call(27, [0, 2, 1, 1]), PARTIAL, "no place yet");
}

fn mmio_windows_survive_a_complete_reset() {
    let machine = Machine::new();
    let (m64, size, last, pes) = (kind().m64, kind().m64_size, kind().last_m64, kind().pes);
    assert_eq!(machine.call(28, [0, 2, last, m64, 0, size]), SUCCESS);
    assert_eq!(machine.call(27, [0, 2, last, 1]), SUCCESS);
    assert_eq!(machine.call(29, [0, 9, 1, 0, 7]), SUCCESS);
    let wait = machine.call(49, [0, 1, 1]);
    assert_eq!(machine.finish(0, wait).0, 0);
    assert_eq!(machine.pe_of_address(m64 + size - 1).map(u64::from), Some(pes - 1));
    assert_eq!(machine.pe_of_address(kind().m32 + 7 * ((2 << 30) / pes)), Some(9));
}

fn msis_are_composed_and_belong_to_a_pe() {
    let machine = Machine::new();
    assert_eq!(machine.call(37, [0, 5, 0x123]), SUCCESS);
    assert_eq!(machine.call(37, [0, 6, 0x121]), SUCCESS);
    if kind().options {
        // Source 0x123 is the last lane of word 0x48.
        assert_eq!(machine.table(0, 2, 0x48) & 0x0fff_0fff_0fff_0fff, 0x0000_0006_0000_0005);
    }
    assert_eq!(machine.call(39, [0, 0, 0x123, 1, OUT, OUT + 8]), SUCCESS);
    assert_eq!((machine.ram.read32(OUT), machine.ram.read32(OUT + 8)), (0xffff_1200, 3));
    assert_eq!(machine.call(40, [0, 0, 0x123, 1, OUT, OUT + 8]), SUCCESS);
    assert_eq!((machine.ram.read64(OUT), machine.ram.read32(OUT + 8)), (0x1000_0000_0000_1200, 3));
    assert_eq!(machine.call(31, [0, 5, 0x100, 7, 0, 0, 1]), SUCCESS);
    assert_eq!(machine.models[0].msi(0x100, 0x1000_0000_0000_1200, 3), Some(0x123));
    assert_eq!(machine.models[0].msi(0x100, 0xffff_1200, 3), Some(0x123));
}

fn bad_msis_are_refused_and_write_nothing() {
    let machine = Machine::new();
    for bad in [[0, kind().pes, 1], [0, 1, kind().msis], [0, 1, 1 << 32], [kind().bridges, 1, 1]] {
        assert_eq!(machine.call(37, bad), PARAMETER, "{bad:x?}");
    }
    machine.ram.write64(OUT, 0x1111_1111_1111_1111);
    machine.ram.write64(OUT + 8, 0x2222_2222_2222_2222);
    for bad in [
        [0, kind().pes, 1, 1, OUT, OUT + 8],
        [0, 0, kind().msis, 1, OUT, OUT + 8],
        [0, 0, 1, 2, OUT, OUT + 8],
        [0, 0, 1, 0x101, OUT, OUT + 8],
        [0, 0, 1, 1, 0, OUT + 8],
        [0, 0, 1, 1, OUT, 0],
        [0, 0, 1, 1, FIRMWARE.start, OUT + 8],
        [0, 0, 1, 1, OUT, OUT + 9],
        [9, 0, 1, 1, OUT, OUT + 8],
    ] {
        assert_eq!(machine.call(39, bad), PARAMETER, "{bad:x?}");
        assert_eq!(machine.call(40, bad), PARAMETER, "{bad:x?}");
    }
    assert_eq!(machine.ram.read64(OUT), 0x1111_1111_1111_1111, "B22");
    assert_eq!(machine.ram.read64(OUT + 8), 0x2222_2222_2222_2222, "B22");
}

fn a_freeze_is_seen_and_cleared_by_direction() {
    let machine = Machine::new();
    assert_eq!(machine.freeze_status(5), (SUCCESS, 0, 0));
    machine.models[0].freeze(5);
    assert_eq!(machine.freeze_status(5), (SUCCESS, 3, 0));
    assert_eq!(machine.freeze_status(6), (SUCCESS, 0, 0));
    assert_eq!(machine.next_error(), (SUCCESS, 5, 3, 4));
    assert_eq!(machine.call(26, [0, 5, 1]), SUCCESS);
    assert_eq!(machine.freeze_status(5), (SUCCESS, 2, 0));
    assert_eq!(machine.models[0].frozen(5), (false, true));
    assert_eq!(machine.call(26, [0, 5, 2]), SUCCESS);
    assert_eq!(machine.freeze_status(5), (SUCCESS, 0, 0));
    assert_eq!(machine.next_error(), (SUCCESS, u64::MAX, 0, 0));
}

fn the_os_can_freeze_a_pe() {
    let machine = Machine::new();
    for (action, frozen) in [(1, (true, false)), (2, (false, true)), (3, (true, true))] {
        assert_eq!(machine.call(97, [0, 9, action]), SUCCESS);
        assert_eq!(machine.models[0].frozen(9), frozen);
        assert_eq!(machine.freeze_status(9), (SUCCESS, action as u8, 0));
        assert_eq!(machine.next_error(), (SUCCESS, 9, 3, 4));
        assert_eq!(machine.call(26, [0, 9, 3]), SUCCESS);
        assert_eq!(machine.freeze_status(9), (SUCCESS, 0, 0));
        assert_eq!(machine.next_error(), (SUCCESS, u64::MAX, 0, 0));
    }
}

fn bad_eeh_arguments_are_refused() {
    let machine = Machine::new();
    assert_eq!(machine.freeze_status(kind().pes), (PARAMETER, 0xff, 0xffff), "B25");
    for (pe, action) in [(kind().pes, 3), (1 << 32, 3), (5, 0), (5, 4), (5, 1 << 32 | 3)] {
        assert_eq!(machine.call(26, [0, pe, action]), PARAMETER);
        assert_eq!(machine.call(97, [0, pe, action]), PARAMETER);
    }
    for bad in
        [[0, 5, 0, OUT, 0], [0, 5, OUT, 0, 0], [0, 5, OUT, OUT + 1, 0], [kind().bridges, 5, OUT, OUT + 2, 0]]
    {
        assert_eq!(machine.call(23, bad), PARAMETER, "{bad:x?}");
    }
    assert_eq!(machine.call(23, [0, 5, OUT, OUT + 2, FIRMWARE.start]), PARAMETER);
    for bad in [[0, 0, OUT, OUT + 2], [0, OUT, 0, OUT + 2], [0, OUT, OUT + 8, 1], [7, OUT, OUT + 8, OUT + 10]]
    {
        assert_eq!(machine.call(60, bad), PARAMETER, "{bad:x?}");
    }
}

fn hot_and_fundamental_resets_reach_the_device_and_end_with_the_link_up() {
    for (scope, least) in [(4, 2000), (5, 250)] {
        let device = nvme();
        let seen = device.clone();
        let machine = Machine::with(|models| models[0].attach(0, device));
        let resets = seen.resets();
        for slot in [0, 1 << 63] {
            if slot != 0 {
                pci::scan(&mut **phb::find(machine.fw.phbs, 0).unwrap().lock());
            }
            let before = seen.resets();
            let wait = machine.call(49, [slot, scope, 1]);
            assert!(wait > 0, "scope {scope}: {wait}");
            assert_eq!(machine.config_read(0, 0x100, 0, 4), (HARDWARE, u32::MAX), "blocked meanwhile");
            assert_eq!(machine.config_read(0, 0, 0, 4), (SUCCESS, kind().root_port), "the root port isn't");
            let (loud, wanted) = kind().loud;
            let quiet = kind().quiet.iter().all(|at| machine.models[0].peek(*at) == 0);
            assert!(quiet, "a link that goes down on purpose is no error");
            assert_ne!(machine.models[0].peek(loud), wanted);
            // Status of the root port that the OS hasn't looked at yet, and bus numbers that were lost.
            let port = machine.models[0].root_port();
            port.poke(0x04, 0x2000_0006);
            port.poke(0x18, 0);
            let (result, passed) = machine.finish(slot, wait);
            assert_eq!(result, 0);
            assert!(passed >= least, "scope {scope} took {passed} ms");
            assert!(seen.resets() > before, "scope {scope} didn't reset the device");
            assert_eq!(machine.config_read(0, 0x100, 0, 4), (SUCCESS, 0x0010_1b36));
            assert_eq!(machine.call(49, [slot, scope, 0]), SUCCESS);
            assert_eq!(port.register(0x18), 0x00ff_0100);
            assert_eq!(port.register(0x04), 0x2000_0006);
            assert_eq!(machine.models[0].peek(loud), wanted, "errors are reported again");
        }
        assert!(seen.resets() >= resets + 2);
    }
}

fn windows_survive_hot_and_fundamental_resets() {
    let machine = Machine::with(|models| models[0].attach(0, nvme()));
    assert_eq!(machine.call(44, [0, 5, 10, 1, 0x2000_0000, 0x1000, 0x1000]), SUCCESS);
    for scope in [4, 5] {
        let wait = machine.call(49, [0, scope, 1]);
        assert_eq!(machine.finish(0, wait).0, 0);
        assert_eq!(machine.tve(0, 10), 0x0000_0002_0000_0101);
    }
}

fn resets_of_an_empty_slot_succeed() {
    let machine = Machine::new();
    for scope in [4, 5, 1] {
        let wait = machine.call(49, [0, scope, 1]);
        assert_eq!(machine.finish(0, wait).0, 0, "scope {scope}");
    }
}

fn a_dead_link_ends_the_reset_and_the_next_one_brings_it_back() {
    let machine = Machine::with(|models| models[0].attach(0, nvme()));
    machine.models[0].dead_link(true);
    let wait = machine.call(49, [0, 5, 1]);
    assert_eq!(machine.finish(0, wait).0, 0, "nothing answers, as in an empty slot");
    assert_eq!(machine.config_read(0, 0x100, 0, 4), (SUCCESS, u32::MAX));
    machine.models[0].dead_link(false);
    let wait = machine.call(49, [0, 5, 1]);
    assert_eq!(machine.finish(0, wait).0, 0, "the next reset brings it back");
    assert_eq!(machine.config_read(0, 0x100, 0, 4), (SUCCESS, 0x0010_1b36));
}

fn bad_resets_are_refused() {
    let machine = Machine::with(|models| models[0].attach(0, nvme()));
    pci::scan(&mut **phb::find(machine.fw.phbs, 0).unwrap().lock());
    for (args, status) in [
        ([kind().bridges, 1, 1], PARAMETER),
        ([1 << 62, 1, 1], PARAMETER),
        ([0, 1, 2], PARAMETER),
        ([0, 1, 0x101], PARAMETER),
        ([0, 2, 1], UNSUPPORTED),
        ([0, 7, 1], UNSUPPORTED),
        ([0, 0, 1], UNSUPPORTED),
        ([0, 1 << 32 | 6, 1], UNSUPPORTED),
        ([1 << 63, 1, 1], UNSUPPORTED),
        ([1 << 63, 6, 1], UNSUPPORTED),
        ([1 << 63 | 0x100 << 16, 4, 1], PARAMETER),
        ([1 << 63 | 1 << 32, 4, 1], PARAMETER),
        ([0, 1, 0], SUCCESS),
        ([0, 6, 0], SUCCESS),
        ([0, 3, 1], SUCCESS),
    ] {
        assert_eq!(machine.call(49, args), status, "{args:x?}");
    }
    assert_eq!(machine.call(62, [0]), HARDWARE, "nothing is under way");
    assert_eq!(machine.call(62, [kind().bridges]), PARAMETER);
    assert_eq!(machine.call(62, [1 << 63 | 0x100 << 16]), PARAMETER);
}

fn a_reset_that_overtakes_another_leaves_nothing_asserted() {
    let machine = Machine::with(|models| models[0].attach(0, nvme()));
    pci::scan(&mut **phb::find(machine.fw.phbs, 0).unwrap().lock());
    for (first, second) in [(5, 4), (4, 5)] {
        assert!(machine.call(49, [0, first, 1]) > 0);
        let wait = machine.call(49, [0, second, 1]);
        assert!(wait > 0);
        assert_eq!(machine.finish(0, wait).0, 0);
        assert_eq!(machine.word(0, 0x3c) >> 22 & 1, 0, "secondary bus reset");
        assert_eq!(machine.word(0x100, 0), 0x0010_1b36, "the device is there");
    }
}

fn reset_of_the_tables_switches_mmio_windows_off_and_lets_frozen_pes_run() {
    let machine = Machine::new();
    let (m64, size, last, words) = (kind().m64, kind().m64_size, kind().last_m64, kind().m64_words);
    assert_eq!(machine.call(28, [0, 2, last, m64, 0, size]), SUCCESS);
    assert_eq!(machine.call(27, [0, 2, last, 1]), SUCCESS);
    assert_eq!(machine.call(29, [0, 9, 1, 0, 7]), SUCCESS);
    assert_eq!(machine.call(37, [0, 5, 0x123]), SUCCESS);
    assert_eq!(machine.call(97, [0, 9, 3]), SUCCESS);
    machine.models[0].freeze(200);
    assert_eq!(machine.call(49, [0, 6, 1]), SUCCESS);
    assert_eq!(machine.pe_of_address(m64), None);
    assert_eq!(machine.table(0, 16, words * last), kind().last_m64_off);
    assert_eq!(machine.table(0, 17, 7), kind().segment_7);
    if kind().options {
        assert_eq!(machine.table(0, 2, 0x48), 0);
    }
    assert_eq!(machine.pe_of_address(kind().m32), Some(0), "M32 stays on");
    for pe in [9, 200] {
        assert_eq!(machine.models[0].frozen(pe), (false, false));
        assert_eq!(machine.freeze_status(pe.into()), (SUCCESS, 0, 0));
    }
    assert_eq!(machine.call(28, [0, 2, last, m64, 0, size]), SUCCESS, "and can be set up again");
}

fn ports_of_a_switch_have_slots_of_their_own() {
    let device = nvme();
    let seen = device.clone();
    let down = PciDevice::bridge(0x104c, 1, PortType::Downstream).child(0, 0, device);
    let empty = PciDevice::bridge(0x104c, 2, PortType::Downstream);
    let up = PciDevice::bridge(0x104c, 0x8232, PortType::Upstream).child(0, 0, down).child(1, 0, empty);
    let machine = Machine::with(|models| models[0].attach(0, up));
    pci::scan(&mut **phb::find(machine.fw.phbs, 0).unwrap().lock());
    let (slot, other) = (1 << 63 | 0x200 << 16, 1 << 63 | 0x208 << 16);
    let before = seen.resets();
    let wait = machine.call(49, [slot, 4, 1]);
    assert_eq!(wait, 1000);
    assert_eq!(machine.call(49, [other, 4, 1]), BUSY);
    assert_eq!(machine.call(62, [other]), HARDWARE);
    assert_eq!(machine.finish(slot, wait), (0, 2000));
    assert!(seen.resets() > before);
    assert_eq!(machine.call(49, [slot, 4, 1]), 1000);
    opalite::arch::advance_timebase(10 * 512_000_000);
    assert_eq!(machine.call(49, [other, 4, 1]), BUSY);
    opalite::arch::advance_timebase(512_000_000);
    assert_eq!(machine.call(49, [other, 4, 1]), 1000, "whoever began the other one isn't there any more");
    assert_eq!(machine.word(0x200, 0x3c) >> 22 & 1, 0, "but what is behind that port runs");
    assert_eq!(machine.finish(other, 1000), (0, 2000));
    assert_eq!(machine.call(62, [slot]), HARDWARE);
    assert_eq!(machine.call(119, [slot, OUT]), SUCCESS);
    assert_eq!(machine.call(120, [slot, OUT + 1]), SUCCESS);
    assert_eq!(machine.ram.read8(OUT + 1), 1);
}

fn presence_is_the_slot_s() {
    let machine = Machine::with(|models| models[0].attach(0, nvme()));
    for (phb, present) in [(0, 1), (1, 0)] {
        assert_eq!(machine.call(119, [phb, OUT]), SUCCESS);
        assert_eq!(machine.ram.read8(OUT), present);
        assert_eq!(machine.call(120, [phb, OUT]), SUCCESS);
        assert_eq!(machine.ram.read8(OUT), 1);
    }
    assert_eq!(machine.call(119, [0, 0]), PARAMETER);
    assert_eq!(machine.call(119, [kind().bridges, OUT]), PARAMETER);
    assert_eq!(machine.call(120, [0, FIRMWARE.start]), PARAMETER);
    assert_eq!(machine.call(120, [kind().bridges, OUT]), PARAMETER);
}

fn reinit_knows_the_devices_that_were_found_even_while_they_are_frozen() {
    let machine = Machine::with(|models| models[0].attach(0, nvme()));
    assert_eq!(machine.call(53, [0, 1000, 0x100]), PARAMETER, "nothing was found yet");
    pci::scan(&mut **phb::find(machine.fw.phbs, 0).unwrap().lock());
    assert_eq!(machine.call(31, [0, 5, 0x100, 7, 0, 0, 1]), SUCCESS);
    machine.models[0].freeze(5);
    assert_eq!(machine.call(53, [0, 1000, 0x100]), SUCCESS);
    assert_eq!(machine.call(26, [0, 5, 3]), SUCCESS);
    assert_eq!(machine.call(53, [0, 1000, 0x100]), SUCCESS);
    assert_eq!(machine.call(53, [0, 1000, 0]), SUCCESS);
    for bad in [[0, 999, 0x100], [0, 1000, 0x108], [0, 1000, 1 << 16 | 0x100], [kind().bridges, 1000, 0x100]]
    {
        assert_eq!(machine.call(53, bad), PARAMETER, "{bad:x?}");
    }
}

fn reinit_of_the_root_port_keeps_what_the_os_wrote() {
    let machine = Machine::with(|models| models[0].attach(0, nvme()));
    pci::scan(&mut **phb::find(machine.fw.phbs, 0).unwrap().lock());
    // Command, memory window, prefetchable window with its upper halves, bridge control without its reset.
    let written = [
        (0x04, 0x0000_0546),
        (0x20, 0x8ff0_8000),
        (0x24, 0x7ff1_7001),
        (0x28, 5),
        (0x2c, 5),
        (0x3c, 0x0003_0000),
    ];
    for (register, value) in written {
        assert_eq!(machine.call(18, [0, 0, register, value]), SUCCESS);
    }
    let before = written.map(|(register, _)| machine.word(0, register));
    assert_eq!(before[1], 0x8ff0_8000);
    assert_eq!(machine.call(53, [0, 1000, 0]), SUCCESS);
    assert_eq!(written.map(|(register, _)| machine.word(0, register)), before);
}

fn diagnostic_data_has_the_structure_and_the_freeze() {
    let machine = Machine::new();
    let [version, size, command, out, pest] = kind().diag;
    assert_eq!(machine.call(31, [0, 5, 0x100, 7, 0, 0, 1]), SUCCESS);
    assert!(machine.models[0].dma_write(0x100, 0x1234_5678, b"x").is_err());
    machine.models[0].poke(0xd08, 0x1122);
    let buffer = 0x10_0000;
    machine.ram.write64(buffer + size - 8, 0x77);
    machine.ram.write64(buffer + size, 0x77);
    assert_eq!(machine.call(64, [0, buffer, size]), SUCCESS);
    let header: Vec<u32> = [0, 4, 8].map(|at| machine.ram.read32(buffer + at)).to_vec();
    assert_eq!(header, [1, version as u32, size as u32]);
    assert_eq!(machine.ram.read32(buffer + command) & 6, 6, "the root port's command");
    assert_eq!(machine.ram.read64(buffer + out + 8), 0x1122);
    // Room for the first words of all PEs, then for the second ones.
    let second = pest + (size - pest) / 2;
    let pest_a = machine.ram.read64(buffer + pest + 8 * 5);
    let pest_b = machine.ram.read64(buffer + second + 8 * 5);
    assert_eq!(pest_a >> 63, 1);
    assert_eq!(pest_a >> 16 & 0xffff, 0x100, "the requester");
    assert_eq!(pest_b, 1 << 63 | 0x1234_5678, "the address");
    assert_eq!(machine.ram.read64(buffer + pest + 8 * 6), 0);
    assert_eq!((machine.ram.read64(buffer + size - 8), machine.ram.read64(buffer + size)), (0, 0x77));
    for bad in [
        [0, buffer, size - 1],
        [0, buffer, 0],
        [0, 0, size],
        [0, buffer + 4, size],
        [0, FIRMWARE.start - 0x1000, size],
        [0, buffer, u64::MAX],
        [kind().bridges, buffer, size],
    ] {
        assert_eq!(machine.call(64, bad), PARAMETER, "{bad:x?}");
    }
}

fn diagnostic_data_of_a_fenced_bridge_comes_through_the_back_door() {
    let machine = Machine::new();
    let [_, size, _, out, _] = kind().diag;
    machine.models[0].poke(0xd00, 0x8000);
    machine.models[0].fence();
    let buffer = 0x10_0000;
    assert_eq!(machine.call(64, [0, buffer, size]), SUCCESS);
    assert_eq!(machine.ram.read64(buffer + out), 0x8000);
    assert_ne!(machine.ram.read64(buffer + kind().diag_nfir), 0, "NFIR");
}

fn config_errors_can_be_injected() {
    let machine = Machine::new();
    assert_eq!(machine.call(31, [0, 5, 0x0100, 7, 0, 0, 1]), SUCCESS);
    assert_eq!(machine.call(31, [0, 6, 0x0203, 7, 1, 1, 1]), SUCCESS);
    assert_eq!(machine.call(96, [0, 5, 0, 4, 0, 0]), SUCCESS);
    let model = &machine.models[0];
    assert_eq!(
        [0x2b0, 0x2b8, 0x2c0].map(|at| model.peek(at)),
        [0x1800_0000_0000_0000, 0x0010_0000_0000_0000, 0x0ff0_0000_0000_0000]
    );
    assert_eq!(machine.call(96, [0, 6, 1, 11, 0, 0]), SUCCESS);
    assert_eq!(
        [0x2b0, 0x2b8, 0x2c0].map(|at| model.peek(at)),
        [0x1400_0000_0000_0000, 0x0020_3000_0000_0000, 0x0fff_f000_0000_0000]
    );
    assert_eq!(machine.call(49, [0, 3, 1]), SUCCESS);
    assert_eq!(model.peek(0x2b0), 0);
    for (args, status) in [
        ([0, 5, 2, 4, 0, 0], PARAMETER),
        ([0, kind().reserved(), 0, 4, 0, 0], PARAMETER),
        ([0, kind().pes, 0, 4, 0, 0], PARAMETER),
        ([0, 7, 0, 4, 0, 0], PARAMETER),
        ([0, 5, 0, 20, 0, 0], PARAMETER),
        ([0, 5, 0, 2, 0, 0], PARAMETER),
        ([0, 5, 0, 9, 0, 0], PARAMETER),
        ([0, 5, 1 << 32, 4, 0, 0], PARAMETER),
        ([0, 5, 0, 1 << 32 | 4, 0, 0], PARAMETER),
        ([kind().bridges, 5, 0, 4, 0, 0], PARAMETER),
    ] {
        assert_eq!(machine.call(96, args), status, "{args:x?}");
    }
}

fn power_of_a_slot_stays() {
    let machine = Machine::new();
    let state = |value: u8| {
        machine.ram.write8(OUT, value);
        machine.call(121, [0xdead, 0, OUT])
    };
    for value in 0..=3 {
        assert_eq!(state(value), UNSUPPORTED, "{value}");
    }
    assert_eq!(state(4), PARAMETER);
    assert_eq!(state(0xff), PARAMETER);
    for bad in [[0, kind().bridges, OUT], [0, 1 << 32, OUT], [0, 0, 0], [0, 0, FIRMWARE.start]] {
        assert_eq!(machine.call(121, bad), PARAMETER, "{bad:x?}");
    }
}

fn every_pci_call_is_claimed_by_check_token() {
    let machine = Machine::new();
    let served = [
        13, 14, 15, 16, 17, 18, 23, 26, 27, 28, 29, 31, 32, 37, 39, 40, 44, 45, 49, 53, 60, 62, 63, 64, 96,
        97, 119, 120, 121, 126, 157, 179, 180,
    ];
    for token in served {
        assert_eq!(machine.call(80, [token]), 1, "{token}");
    }
    for token in [11, 12, 24, 30, 33, 34, 35, 36, 38, 43, 50, 51, 52, 54, 61] {
        assert_eq!(machine.call(80, [token]), 0, "{token}");
    }
}

fn clearing_a_freeze_clears_what_the_bridge_reported() {
    let machine = Machine::new();
    let model = &machine.models[0];
    model.freeze(5);
    let groups = kind().groups;
    for group in groups {
        for at in [0, 8, 0x40, 0x48] {
            model.poke(group + at, 0x1234_5678_9abc_def0);
        }
    }
    model.poke(0xc00, 0xf0);
    model.poke(0xc18, 0xff);
    let port = model.root_port();
    port.poke(0x104, 0x10_0000);
    port.poke(0x1c, 0x2000_0000);
    assert_eq!(machine.call(26, [0, 5, 3]), SUCCESS);
    for group in groups {
        assert_eq!([0, 8, 0x40, 0x48].map(|at| model.peek(group + at)), [0; 4], "{group:#x}");
    }
    assert_eq!((model.peek(0xc00), model.peek(0xc18)), (0, kind().lem_mask));
    assert_eq!((port.register(0x104), port.register(0x1c) >> 24), (0, 0));
}

fn changing_the_link_clears_no_status_of_it() {
    let machine = Machine::new();
    let port = machine.models[0].root_port();
    port.poke(0x58, 0xc000_0000);
    assert!(machine.call(49, [0, 5, 1]) > 0);
    // PHB3's model shows the link's status in the upper half as it is.
    let seen = if kind().options { u32::MAX } else { 0xffff };
    assert_eq!(port.register(0x58) & seen, 0xc000_0010 & seen, "disabled, status as before");
}

fn all_msis_of_a_word_survive_a_complete_reset() {
    let machine = Machine::new();
    assert_eq!(machine.call(37, [0, 5, 0x123]), SUCCESS);
    assert_eq!(machine.call(37, [0, 6, 0x121]), SUCCESS);
    let wait = machine.call(49, [0, 1, 1]);
    assert_eq!(machine.finish(0, wait).0, 0);
    assert_eq!(machine.table(0, 2, 0x48), 0x0000_0006_0000_0005);
}

on_every_bridge! {
    m32_segments_go_to_pes
    the_default_m64_window_splits_into_one_segment_for_each_pe
    an_m64_window_can_be_one_pe_s
    a_window_of_one_pe_is_in_the_bridge_s_units_whichever_is_said_first
    bad_mmio_windows_are_refused
    mmio_windows_survive_a_complete_reset
    msis_are_composed_and_belong_to_a_pe
    bad_msis_are_refused_and_write_nothing
    a_freeze_is_seen_and_cleared_by_direction
    the_os_can_freeze_a_pe
    bad_eeh_arguments_are_refused
    hot_and_fundamental_resets_reach_the_device_and_end_with_the_link_up
    windows_survive_hot_and_fundamental_resets
    resets_of_an_empty_slot_succeed
    a_dead_link_ends_the_reset_and_the_next_one_brings_it_back
    bad_resets_are_refused
    reset_of_the_tables_switches_mmio_windows_off_and_lets_frozen_pes_run
    a_reset_that_overtakes_another_leaves_nothing_asserted
    ports_of_a_switch_have_slots_of_their_own
    presence_is_the_slot_s
    reinit_knows_the_devices_that_were_found_even_while_they_are_frozen
    reinit_of_the_root_port_keeps_what_the_os_wrote
    diagnostic_data_has_the_structure_and_the_freeze
    diagnostic_data_of_a_fenced_bridge_comes_through_the_back_door
    config_errors_can_be_injected
    power_of_a_slot_stays
    every_pci_call_is_claimed_by_check_token
    clearing_a_freeze_clears_what_the_bridge_reported
    changing_the_link_clears_no_status_of_it
}

on_newer_bridges! {
    all_msis_of_a_word_survive_a_complete_reset
}
