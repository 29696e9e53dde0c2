//! Calls that no sane OS makes, on a machine with bridges, XIVE, console and clock: random tokens, random arguments,
//! pointers into firmware, misaligned, wrapping, huge. The models fail the test when a driver touches what isn't there; a panic
//! fails it too. Every store into memory is looked at.
//!
//! `OPALITE_HOSTILE_CALLS` is how many there are, `OPALITE_SEED` where the random numbers begin.

mod machine;
mod model;
#[path = "hostile/owned.rs"]
mod owned;
#[path = "model/psi.rs"]
mod psi;
#[path = "model/xive.rs"]
mod xive;

use machine::random::{Random, setting};
use machine::windows::{BYPASS, GIB};
use machine::{FIRMWARE, Machine, OUT, PARAMETER, PHB3, POOL, SUCCESS, kind, set};
use model::firmware::ModelThread;
use model::lpc;
use model::pci_device::{PciDevice, PortType};
use model::ram::ModelRam;
use opalite::hw::lpc::Lpc;
use opalite::hw::psi::Psi as PsiBridge;
use opalite::hw::ram::Ram;
use opalite::hw::uart::{self, Uart};
use opalite::interrupts::xive::{Addresses, Chips, Regions, Setup, Tables, Xive as Driver, p9};
use opalite::mem::Region;
use opalite::opal::extension;
use opalite::phb;
use opalite::services::{Parts, Services, events};
use opalite::units::{ChipId, Isn, Pir};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::Ordering;
use xive::Xive;

const IC: u64 = 0x0006_0302_0310_0000;
const TM: u64 = 0x0006_0302_0318_0000;
const VC: u64 = 0x0006_0100_0000_0000;
const PSI: u64 = 0x0006_0302_0300_0000;
const PSI_ESB: u64 = 0x0006_0302_031c_0000;
const PSI_SHIFT: u32 = 12;
const PSI_FIRST: u32 = 0xfff0;
const PIRS: [u32; 3] = [0, 4, 8];
/// Firmware's tables for the XIVE; those of the bridges begin at the region's start.
const XIVE_TABLES: Range<u64> = FIRMWARE.end - (32 << 20)..FIRMWARE.end - (16 << 20);
/// Memory for the pool of tables. No other argument means it.
const FOR_POOL: Range<u64> = 0x35_0000_0000..0x35_0200_0000;
/// Where structures are: between other buffers.
const STRUCTURES: u64 = OUT + 0x100;
/// Old entries that one call tells at most.
const PREVIOUS: u64 = 8 * 4096;
/// Donated pages are firmware's from then on.
const DONATED: u64 = 0x1_0000;
/// The longest output that isn't a buffer with a length.
const LONGEST: u64 = 64;
const REAL: u64 = (1 << 60) - 1;
const RID: u16 = 0x0100;

/// Calls whose right effect ends the run or keeps all others out: power down, reboots, RETURN_CPU, QUIESCE.
const LEFT_OUT: [u64; 5] = [5, 6, 69, 116, 158];

/// Calls that can succeed as they are; what is random is changed on top.
const CALLS: &[(u64, [u64; 7])] = &[
    (0, [0, 0, 0, 0, 0, 0, 0]),
    (1, [0, OUT + 8, OUT + 16, 0, 0, 0, 0]),
    (2, [0, OUT + 8, OUT + 16, 0, 0, 0, 0]),
    (3, [OUT, OUT + 8, 0, 0, 0, 0, 0]),
    (4, [0x2024_0101, 0x1200_0000_0000_0000, 0, 0, 0, 0, 0]),
    (7, [OUT, 16, 0, 0, 0, 0, 0]),
    (9, [PSI_FIRST as u64, OUT, 0, 0, 0, 0, 0]),
    (10, [OUT, 0, 0, 0, 0, 0, 0]),
    (13, [0, 0x100, 0, OUT, 0, 0, 0]),
    (14, [0, 0, 0, OUT, 0, 0, 0]),
    (15, [0, 0x100, 0, OUT, 0, 0, 0]),
    (16, [0, 0x100, 0x3c, 7, 0, 0, 0]),
    (17, [0, 0, 4, 6, 0, 0, 0]),
    (18, [0, 0x100, 0x10, 0, 0, 0, 0]),
    (23, [0, 5, OUT, OUT + 2, 0, 0, 0]),
    (25, [0, OUT, 0, 0, 0, 0, 0]),
    (26, [0, 5, 3, 0, 0, 0, 0]),
    (27, [0, 2, 1, 1, 0, 0, 0]),
    (28, [0, 2, 1, 0x0006_0000_0000_0000, 0, 1 << 30, 0]),
    (28, [0, 2, 1, 0x0003_d000_0000_0000, 0, 1 << 30, 0]),
    (29, [0, 5, 1, 0, 7, 0, 0]),
    (31, [0, 5, RID as u64, 7, 1, 1, 1]),
    (32, [0, 5, 6, 1, 0, 0, 0]),
    (37, [0, 5, 0x123, 0, 0, 0, 0]),
    (39, [0, 0, 5, 1, OUT, OUT + 8, 0]),
    (40, [0, 0, 5, 1, OUT, OUT + 8, 0]),
    (42, [4, OUT, 0, 0, 0, 0, 0]),
    (44, [0, 5, 10, 1, 0x2000_0000, 0x1000, 0x1000]),
    (44, [0, 5, 11, 2, 0x2100_0000, 0x1_0000, 0x1_0000]),
    (44, [0, 5, 10, 0, 0, 0, 0]),
    (45, [0, 5, 11, BYPASS, 1 << 40, 0, 0]),
    (49, [0, 6, 1, 0, 0, 0, 0]),
    (49, [0, 1, 1, 0, 0, 0, 0]),
    (49, [0, 4, 1, 0, 0, 0, 0]),
    (53, [0, 1000, 0x100, 0, 0, 0, 0]),
    (60, [0, OUT, OUT + 8, OUT + 16, 0, 0, 0]),
    (62, [0, 0, 0, 0, 0, 0, 0]),
    (63, [0, 5, 0, 0, 0, 0, 0]),
    (64, [0, OUT, 0x4000, 0, 0, 0, 0]),
    (80, [44, 0, 0, 0, 0, 0, 0]),
    (85, [OUT, 0x48, 0, 0, 0, 0, 0]),
    (96, [0, 5, 0, 4, 0, 0, 0]),
    (97, [0, 5, 3, 0, 0, 0, 0]),
    (119, [0, OUT, 0, 0, 0, 0, 0]),
    (120, [0, OUT, 0, 0, 0, 0, 0]),
    (126, [0, 1, 5, 0, 0, 0, 0]),
    (128, [1, 0, 0, 0, 0, 0, 0]),
    (129, [0x10, OUT, OUT + 8, OUT + 16, OUT + 24, OUT + 28, 0]),
    (130, [0x10, OUT, OUT + 8, OUT + 12, 0, 0, 0]),
    (131, [0x10, 4, 7, 0x10, 0, 0, 0]),
    (132, [4, 7, OUT, OUT + 8, OUT + 16, OUT + 24, OUT + 32]),
    (133, [4, 7, 0x200_0000, 16, 3, 0, 0]),
    (134, [0, 0x1000_0000, 0, 0, 0, 0, 0]),
    (135, [1, 0, 0, 0, 0, 0, 0]),
    (136, [0x4000_0000, 0, 0, 0, 0, 0, 0]),
    (137, [0x4000_0000, OUT, OUT + 8, OUT + 16, OUT + 24, 0, 0]),
    (138, [0x4000_0000, 3, 0, 0, 0, 0, 0]),
    (139, [0, 0, 0, 0, 0, 0, 0]),
    (140, [0x10, 0, 0, 0, 0, 0, 0]),
    (141, [3, 0x10, 0, 0, 0, 0, 0]),
    (143, [4, 7, OUT, OUT + 4, 0, 0, 0]),
    (144, [4, 7, 1, 0x3ff, 0, 0, 0]),
    (157, [0, 1, 1, 5, 0, 0, 0]),
    (170, [4, OUT, 0, 0, 0, 0, 0]),
    (179, [0, 1, 1, 0, 0, 0, 0]),
    (179, [0, 1, 0, 0, 0, 0, 0]),
    (180, [0, 1, OUT, 0, 0, 0, 0]),
];

fn nvme() -> PciDevice {
    PciDevice::endpoint(0x1b36, 0x0010).class(0x01_0802).interrupt_pin(1).express(PortType::Endpoint, 0)
}

/// A whole POWER9: six bridges of which 0 has a device, a XIVE, PSI, LPC with its UART and clock, three threads.
fn whole_machine() -> Machine {
    let mut machine = Machine::with(|models| models[0].attach(0, nvme()));
    let mut bridge = phb::find(machine.fw.phbs, 0).unwrap().lock();
    assert_eq!(opalite::pci::scan(&mut **bridge).len(), 1);
    drop(bridge);
    let ram: &'static ModelRam = machine.ram;
    let xive = Xive::new(ram.clone(), 0, &PIRS);
    xive.require_pc_vsds(true);
    let mut region = Region::new(XIVE_TABLES);
    let mut driver = Driver::new(Setup {
        chip: ChipId(0),
        threads: &PIRS.map(Pir),
        addresses: Addresses {
            ic: IC,
            tm: TM,
            regions: Regions::Power9(p9::Regions {
                pc: 0x0006_0180_0000_0000,
                pc_size: 0x10_0000_0000,
                vc: VC,
                vc_size: 0x80_0000_0000,
            }),
        },
        xscom: &xive.scom(),
        ic: xive.window(IC),
        vc: xive.window(VC),
        ram,
        tables: Tables::allocate(&mut region, ram),
    })
    .unwrap();
    let psi = psi::Psi::new();
    let wire = xive.clone();
    psi.on_event(move |event| wire.notify(event.lisn));
    PsiBridge::connect(&psi.window(PSI), PSI_ESB, PSI_SHIFT, Box::new(psi.window(PSI_ESB)), &mut driver)
        .unwrap();
    machine.fw.interrupts = Box::leak(Box::new(Chips::new(vec![driver])));
    let bus: &'static lpc::Lpc = Box::leak(Box::new(lpc::Lpc::new(lpc::Routing::SerIrq)));
    let lpc = Lpc::new(bus);
    let uart = Uart::probe(lpc, uart::COM1).map(|uart| &*Box::leak(Box::new(uart)));
    lpc.init_interrupts();
    let threads = PIRS.map(|pir| {
        let thread: &'static ModelThread = Box::leak(Box::default());
        thread.waiting.store(pir != 0, Ordering::Relaxed);
        (Pir(pir), thread)
    });
    machine.fw.services = Services::new(Parts {
        lpc: Some(lpc),
        uart,
        sources: events::psi_sources(Isn(PSI_FIRST)).collect(),
        threads: threads.into_iter().map(|(pir, thread)| (pir, thread as _)).collect(),
        boot_thread: Some(Pir(0)),
        view: machine.fw.services.view.memory(),
    });
    machine.fw.services.hand_over();
    machine
}

/// The parts of firmware's memory that no call may store to: all but what hardware and the OS read.
fn forbidden(machine: &Machine) -> Vec<Range<u64>> {
    let mut tables: Vec<Range<u64>> = (0..kind().bridges)
        .flat_map(|id| {
            let info = phb::find(machine.fw.phbs, id).unwrap().lock().info().clone();
            let tables = [Some(info.rtt), Some(info.peltv), Some(info.pest), info.ivt];
            tables.into_iter().flatten().map(|(start, size)| start..start + size)
        })
        .chain([XIVE_TABLES, POOL, machine.fw.services.view.memory()])
        .collect();
    tables.sort_by_key(|range| range.start);
    let mut from = FIRMWARE.start;
    let mut rest = Vec::new();
    for table in tables {
        rest.push(from..table.start);
        from = table.end;
    }
    rest.retain(|range| !range.is_empty());
    rest
}

fn argument(random: &mut Random) -> u64 {
    let ours = FIRMWARE.start + random.below(64 << 20);
    let theirs = 0x10_0000 * (1 + random.below(4000));
    match random.below(18) {
        0 => 0,
        1 => u64::MAX - random.below(16),
        2..4 => random.below(8),
        4 => random.below(1024),
        5 => random.below(0x1_0000),
        6 => 1 << random.below(64),
        7 => random.next(),
        8 => ours,
        9 => ours & !7 | 0xc000_0000_0000_0000,
        10 => FIRMWARE.start.wrapping_sub(random.below(16)),
        11 => theirs,
        12 => theirs + random.below(0x1_0000),
        13 => 0xc000_0000_0000_0000 | theirs,
        14 => random.pick(&[FIRMWARE.end - 8, FIRMWARE.end, 1 << 63, !7, 0xc000_0000_0000_0000, BYPASS]),
        15 => random.pick(&[0x1000, 0x1_0000, 0x20_0000, 1 << 30, 1 << 24]),
        16 => random.pick(&[0x4000_0000, 0x4000_0001, 0x0800_0000, 0x0800_0427, 0xfff0, 0x10]),
        _ => random.next() >> random.below(64),
    }
}

fn hostile_call(random: &mut Random) -> (u64, [u64; 7]) {
    if random.once_in(2) {
        let (token, mut args) = random.pick(CALLS);
        for _ in 0..random.below(4) {
            let at = random.below(7) as usize;
            args[at] = if at == 0 && !random.once_in(4) { random.below(7) } else { argument(random) };
        }
        return (token, args);
    }
    let token = if random.once_in(32) { random.next() >> random.below(64) } else { random.below(200) };
    let mut args = [0; 7];
    for value in &mut args {
        *value = argument(random);
    }
    (token, args)
}

/// How much a call may store at each of its arguments.
fn room(token: u64, args: &[u64; 7], ram: &ModelRam) -> u64 {
    let behind = |at: u64| {
        let at = at & REAL;
        if at.is_multiple_of(8) && at < FIRMWARE.start { ram.read64(at) } else { 0 }
    };
    match token {
        // Buffers with a length: CONSOLE_READ's is in memory.
        2 => behind(args[1]).max(LONGEST),
        7 | 85 => args[1].max(LONGEST),
        64 => args[2].max(LONGEST),
        134 => DONATED,
        // window-query has the longest structure.
        extension::FIRST.. => 88,
        _ => LONGEST,
    }
}

#[test]
fn no_call_upsets_firmware_or_writes_where_it_was_not_told_to() {
    let machine = whole_machine();
    attack(&machine, setting("OPALITE_HOSTILE_CALLS", 240_000), |_| true);
    assert_eq!(machine.call(128, [0]), SUCCESS);
    assert_eq!(machine.call(128, [1]), SUCCESS);
}

/// POWER8's bridges; its interrupt controller and services are others.
#[test]
fn no_call_upsets_a_phb3() {
    set(&PHB3);
    let machine = Machine::with(|models| models[0].attach(0, nvme()));
    opalite::pci::scan(&mut **phb::find(machine.fw.phbs, 0).unwrap().lock());
    let pci =
        |token: u64| matches!(token, 13..=18 | 23 | 26..=40 | 44..=64 | 96..=97 | 119..=126) && token != 42;
    attack(&machine, setting("OPALITE_HOSTILE_CALLS", 240_000) / 2, pci);
}

/// Makes hostile calls; `whole` says which must be served and be refused.
fn attack(machine: &Machine, calls: u64, whole: impl Fn(u64) -> bool) {
    let seed = setting("OPALITE_SEED", 1);
    let mut random = Random::new(seed ^ 0x4057_11e0);
    let forbidden = forbidden(machine);
    for range in &forbidden {
        machine.ram.watch(range.start, range.end - range.start);
    }
    machine.ram.watch(0, FIRMWARE.start);
    let mut donated = HashSet::new();
    let mut served = vec![(0_u64, 0_u64); 200 + owned::count()];
    let mut handles = owned::Handles::default();
    for number in 0..calls {
        let (token, args) = match random.below(3) {
            0 => owned::call(&mut random, machine, &handles),
            _ => hostile_call(&mut random),
        };
        // A reset of everything is rare: else nothing would be set up for long.
        let rare = token == 128 && args[0] <= 1 || token == 49 && matches!(args[1], 1 | 6);
        if LEFT_OUT.contains(&token) || rare && !random.once_in(20) {
            continue;
        }
        let room = room(token, &args, machine.ram);
        let previous = owned::previous(token, &args, machine.ram);
        machine.ram.take_writes();
        let status = machine.call(token, args);
        let what = || format!("OPALITE_SEED={seed}, call {number}: {token} {args:x?} gave {status}");
        handles.note(token, &args, status, machine.ram);
        if token == 134 && status == SUCCESS {
            donated.insert((args[1] & REAL) / DONATED);
        }
        for write in machine.ram.take_writes() {
            let (start, end) = (write.address, write.address + write.bytes.len() as u64);
            assert!(end <= FIRMWARE.start, "{}: store into firmware at {start:#x}", what());
            let named =
                args.iter().map(|at| at & REAL).any(|at| start >= at && end <= at.saturating_add(room));
            let named = named
                || FOR_POOL.start <= start && end <= FOR_POOL.end
                || previous.as_ref().is_some_and(|range| range.start <= start && end <= range.end);
            assert!(named || donated.contains(&(start / DONATED)), "{}: store at {start:#x}", what());
        }
        let place = if token < 200 { token as usize } else { owned::place(token) };
        if let Some(counts) = served.get_mut(place) {
            *(if status >= 0 { &mut counts.0 } else { &mut counts.1 }) += 1;
        }
        if opalite::opal::table::find(token).is_none() && extension::find(token).is_none() {
            assert_eq!(status, PARAMETER, "{}", what());
        }
        // Time passes, resets end, registers' histories aren't kept.
        if number % 64 == 0 {
            opalite::arch::advance_timebase(opalite::arch::TIMEBASE_HZ);
            for (id, model) in (0..).zip(&machine.models) {
                machine.call(62, [id]);
                model.clear_writes();
            }
            machine.xscom.clear_writes();
        }
    }
    let both = |token: u64| served[token as usize].0 > 0 && served[token as usize].1 > 0;
    // TEST, POLL_EVENTS and CHECK_TOKEN refuse little, P2P serves nothing, no message waits for GET_MSG, PCI_MSI_EOI is
    // PHB3's.
    let single: &[u64] = if kind().options { &[0, 10, 63, 80, 85, 157] } else { &[157] };
    let odd: Vec<_> = CALLS
        .iter()
        .map(|call| call.0)
        .filter(|token| whole(*token) && !single.contains(token) && !both(*token))
        .collect();
    assert_eq!(odd, [0; 0], "each call must be served and be refused");
    // No device faults here: `tests/dma_faults.rs` has those calls served.
    let odd: Vec<_> = extension::tokens()
        .filter(|(name, _)| !name.starts_with("fault-"))
        .filter(|(_, token)| matches!(served[owned::place((*token).into())], (0, _) | (_, 0)))
        .collect();
    assert_eq!(odd, [], "each call must be served and be refused");
    println!("{calls} calls, {} of them served", served.iter().map(|counts| counts.0).sum::<u64>());
    still_works(machine);
    handles.all_go(machine);
}

/// Every bridge comes back, and its windows move bytes.
fn still_works(machine: &Machine) {
    for (id, model) in (0..).zip(&machine.models) {
        let mut status = machine.call(49, [id, 1, 1]);
        if status == machine::BUSY {
            status = 1;
        }
        assert_eq!(machine.finish(id, status).0, SUCCESS, "bridge {id}");
        assert_eq!(machine.call(49, [id, 6, 1]), SUCCESS);
        let info = phb::find(machine.fw.phbs, id).unwrap().lock().info().clone();
        let reserved = info.limits.reserved().as_u16();
        assert!((0..=0xffff).all(|rid| machine.ram.read16(info.rtt.0 + 2 * rid) == reserved), "bridge {id}");
        assert_eq!(machine.call(31, [id, 5, RID.into(), 7, 1, 1, 1]), SUCCESS);
        let (table, frame) = (0x7000_0000 + 0x1_0000 * id, 0x7100_0000 + 0x1_0000 * id);
        machine.ram.write64(table + 8 * 3, frame | 3);
        assert_eq!(machine.call(44, [id, 5, 10, 1, table, 0x1000, 0x1000]), SUCCESS);
        assert_eq!(machine.call(45, [id, 5, 11, BYPASS, 4 * GIB]), SUCCESS);
        model.dma_write(RID, 0x3008, b"windowed").unwrap();
        assert_eq!(machine.ram.bytes(frame + 8, 8), b"windowed");
        assert_eq!(model.dma_read(RID, BYPASS | frame, 16).unwrap()[8..], *b"windowed");
        assert!(model.dma_write(RID, 0x4000, b"x").is_err());
    }
}
