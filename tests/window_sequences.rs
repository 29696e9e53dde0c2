//! Random sequences of calls on all six bridges, with resets, fences and faults between them. An abstract state says
//! after each step what every status is, what TVT, RTT, PELT-V, freezes and mode hold, and where a device's bytes go.
//!
//! Each sequence starts from clean bridges with a seed of its own: `OPALITE_SEED` and `OPALITE_SEQUENCE` repeat one,
//! `OPALITE_SEQUENCES` is how many there are.

mod machine;
mod model;
#[path = "window_sequences/state.rs"]
mod state;

use machine::random::{Random, setting};
use machine::tables::{GRAIN, READ, Shape, Table, WRITE};
use machine::windows::{BYPASS, GIB};
use machine::{BUSY, FIRMWARE, HARDWARE, Machine, OUT, SUCCESS, UNSUPPORTED};
use opalite::hw::ram::Ram;
use opalite::phb;
use state::{Bridge, Phase, Window};
use std::sync::atomic::{AtomicU64, Ordering};

/// Most of what happens concerns these, so that it meets.
const PES: [u16; 6] = [0, 1, 5, 64, 200, 254];
const RIDS: [u16; 6] = [0x0100, 0x0101, 0x0108, 0x0200, 0x4300, 0xff07];
/// Tables that windows share: shape and place. Their pages are [`FRAMES`] + 64 KiB for each.
const TABLES: [(Shape, u64); 4] = [
    (Shape { page: 12, levels: 1, level: 12 }, 0x2000_0000),
    (Shape { page: 16, levels: 1, level: 18 }, 0x2100_0000),
    (Shape { page: 16, levels: 2, level: 16 }, 0x2200_0000),
    (Shape { page: 21, levels: 3, level: 12 }, 0x2300_0000),
];
const ARENA: u64 = 0x3000_0000;
const FRAMES: u64 = 0x40_0000_0000;
/// Pages that the tables map, where they reach so far: below 4 GiB and above.
const MAPPED: [u64; 4] = [0, 0x1000_0000, 0x1_0000_0000, 0x2_0020_0000];

/// The frame of a table's mapped page.
fn frame(table: usize, page: usize) -> u64 {
    FRAMES + (table * MAPPED.len() + page) as u64 * (4 << 20)
}

/// Pages of a table that exist in it.
fn mapped(shape: Shape) -> impl Iterator<Item = (usize, u64)> {
    MAPPED.into_iter().enumerate().filter(move |(_, offset)| offset >> shape.width() == 0)
}

/// What a page of a table lets pass besides its frame.
fn permission(page: usize) -> u64 {
    if page == 1 { READ } else { READ | WRITE }
}

struct Run {
    machine: Machine,
    bridges: Vec<Bridge>,
    /// What was done, to be told when a step fails.
    log: Vec<String>,
    touched: Vec<bool>,
    /// The bridge as it was before a step in which it may fence.
    before: Option<Bridge>,
}

impl Run {
    fn new() -> Self {
        let machine = Machine::new();
        for (index, (shape, base)) in TABLES.into_iter().enumerate() {
            let table = Table::new(machine.ram, shape, base, ARENA + ((index as u64) << 24));
            for (page, offset) in mapped(shape) {
                table.map(offset, frame(index, page), permission(page));
            }
        }
        let bridges: Vec<_> = machine
            .models
            .iter()
            .zip(0..)
            .map(|(model, id)| {
                let info = phb::find(machine.fw.phbs, id).unwrap().lock().info().clone();
                Bridge::new(model.phb4().size().pes() as u16, info.rtt.0, info.peltv.0)
            })
            .collect();
        let touched = vec![false; bridges.len()];
        Self { machine, bridges, log: Vec::new(), touched, before: None }
    }

    /// One sequence; everything it asserts panics with the log.
    fn sequence(&mut self, random: &mut Random) {
        for phb in 0..self.bridges.len() {
            if std::mem::take(&mut self.touched[phb]) {
                self.clean(phb);
            }
        }
        self.log.clear();
        // Few bridges, so that what happens on one meets what happened there before.
        let bridges = [random.below(6) as usize, random.below(6) as usize];
        for _ in 0..6 + random.below(14) {
            let phb = random.pick(&bridges);
            self.touched[phb] = true;
            self.machine.models[phb].set_kill_reads(random.below(4) as u32);
            let doomed = self.bridges[phb].doomed && self.bridges[phb].phase == Phase::Working;
            self.before = doomed.then(|| self.bridges[phb].clone());
            self.step(phb, random);
            if self.fell(phb) {
                self.bridges[phb].phase = Phase::Fenced;
            }
            self.before = None;
            self.compare(phb);
        }
        for phb in bridges {
            self.spare(phb);
            self.probe(phb, random);
            self.compare(phb);
            self.bridges[phb].check_tables(self.machine.ram, phb);
        }
    }

    /// Back to how a bridge starts, by calls alone.
    fn clean(&mut self, phb: usize) {
        self.spare(phb);
        if self.bridges[phb].phase != Phase::Working {
            let mut wait = self.machine.call(49, [phb as u64, 1, 1]);
            if wait == BUSY {
                wait = 1;
            }
            assert_eq!(self.machine.finish(phb as u64, wait).0, SUCCESS);
        }
        assert_eq!(self.machine.call(49, [phb as u64, 6, 1]), SUCCESS);
        self.bridges[phb].reset_tables();
        self.bridges[phb].phase = Phase::Working;
        self.machine.models[phb].clear_writes();
    }

    fn call<const N: usize>(&mut self, phb: usize, token: u64, rest: [u64; N], wanted: i64) {
        let mut args = [0; 7];
        args[0] = phb as u64;
        args[1..=N].copy_from_slice(&rest);
        self.log.push(format!("{token} on {phb}: {rest:x?} -> {wanted}"));
        let status = self.machine.call(token, args);
        if status == HARDWARE && wanted != HARDWARE && self.fell(phb) {
            // Nothing of it may have happened.
            self.log.push("it fenced".into());
            self.bridges[phb].clone_from(self.before.as_ref().unwrap());
            return;
        }
        let fenced = self.machine.models[phb].is_fenced();
        let phase = self.bridges[phb].phase;
        assert_eq!(status, wanted, "{token} on {phb}: {rest:x?} in {phase:?}, fenced: {fenced}");
    }

    /// Whether the bridge has fenced in this step.
    fn fell(&self, phb: usize) -> bool {
        self.before.is_some()
            && self.bridges[phb].phase == Phase::Working
            && self.machine.models[phb].is_fenced()
    }

    fn step(&mut self, phb: usize, random: &mut Random) {
        match random.below(100) {
            0..22 => self.set_table(phb, random),
            22..34 => self.set_bypass(phb, random),
            34..40 => self.unset(phb, random),
            40..52 => self.set_pe(phb, random),
            52..58 => self.set_option(phb, random),
            58..62 => self.kill(phb, random),
            62..66 => self.freeze(phb, random),
            66..68 => self.set_dependent(phb, random),
            68 => self.reset_tables(phb),
            69..71 => self.reset(phb, random),
            71..75 => self.poll(phb, random),
            75 => self.fence(phb),
            76..79 => self.doom(phb, random),
            79..82 => self.errors(phb, random),
            _ => self.probe(phb, random),
        }
    }

    fn slot(&self, phb: usize, random: &mut Random) -> (u64, u64, bool) {
        let pes = u64::from(self.bridges[phb].pes);
        let pe = match random.below(24) {
            0 => random.below(pes),
            1 => random.pick(&[pes - 1, pes, pes + 5, 1 << 32 | 5]),
            _ => u64::from(random.pick(&PES)),
        };
        let mut window = 2 * pe + random.below(2);
        if random.once_in(32) {
            window ^= 1 << random.below(20);
        }
        (pe, window, pe < pes - 1 && window / 2 == pe)
    }

    fn set_table(&mut self, phb: usize, random: &mut Random) {
        let (pe, window, right) = self.slot(phb, random);
        let table = random.below(TABLES.len() as u64) as usize;
        let (shape, mut base) = TABLES[table];
        let mut right = right;
        if random.once_in(24) {
            base = random.pick(&[base + 8, FIRMWARE.start, FIRMWARE.end]);
            right = false;
        }
        let [levels, base, bytes, page] = shape.args(base);
        let what = Window::Table { shape, table };
        let status = self.bridges[phb].set(window as usize, right, what, shape.tve(base));
        self.call(phb, 44, [pe, window, levels, base, bytes, page], status);
    }

    fn set_bypass(&mut self, phb: usize, random: &mut Random) {
        let (pe, window, mut right) = self.slot(phb, random);
        let start = random.pick(&[0, GRAIN, 2 * GIB, 4 * GIB, 8 * GIB]);
        let size = random.pick(&[GRAIN, GIB, 4 * GIB, 1 << 42, 1 << 49]);
        let side = if random.once_in(12) { random.below(2) } else { window % 2 };
        let side = if self.bridges[phb].four_gib && !random.once_in(8) { 0 } else { side };
        if start + size > (1 << 50) - GRAIN {
            right = false;
        }
        let end = (start + size).min(FIRMWARE.start);
        let what = Window::Bypass { start, end, asked: start + size, side };
        let status =
            self.bridges[phb].set(window as usize, right, what, machine::tables::bypass_tve(start, end));
        self.call(phb, 45, [pe, window, side * BYPASS + start, size], status);
    }

    fn unset(&mut self, phb: usize, random: &mut Random) {
        let (pe, window, right) = self.slot(phb, random);
        let status = self.bridges[phb].set(window as usize, right, Window::Closed, 0);
        if random.once_in(2) {
            self.call(phb, 44, [pe, window, random.below(8), random.next(), 0, random.next()], status);
        } else {
            self.call(phb, 45, [pe, window, random.next(), 0], status);
        }
    }

    fn set_pe(&mut self, phb: usize, random: &mut Random) {
        let pes = u64::from(self.bridges[phb].pes);
        let pe = if random.once_in(24) { pes } else { u64::from(random.pick(&PES)) };
        let rid = random.pick(&RIDS);
        let [bus, device, function] = random.pick(&[
            [7, 1, 1],
            [7, 1, 1],
            [7, 1, 1],
            [7, 0, 0],
            [7, 1, 0],
            [6, 0, 1],
            [5, 1, 1],
            [1, 0, 0],
        ]);
        let map = !random.once_in(3);
        let mask = match bus {
            7 => 0xff00,
            6 => 0xfe00,
            _ => 0xfc00,
        } | if device == 1 { 0xf8 } else { 0 }
            | if function == 1 { 7 } else { 0 };
        let right = pe < pes && bus != 1;
        let status = self.bridges[phb].set_pe(right, pe as u16, rid, mask, map);
        self.call(phb, 31, [pe, rid.into(), bus, device, function, map.into()], status);
    }

    fn set_option(&mut self, phb: usize, random: &mut Random) {
        let (option, on) = (1 + random.below(2), random.below(2));
        let status = self.bridges[phb].set_option(option == 1, on == 1);
        self.call(phb, 179, [option, on], status);
        assert_eq!(self.machine.call(179, [phb as u64, 3, on]), UNSUPPORTED);
    }

    fn kill(&mut self, phb: usize, random: &mut Random) {
        let kind = random.below(3);
        let status = if self.bridges[phb].answers() { SUCCESS } else { HARDWARE };
        self.call(phb, 126, [kind, random.pick(&PES).into(), 0x1000, 0, 1], status);
    }

    fn freeze(&mut self, phb: usize, random: &mut Random) {
        let (pe, directions) = (random.pick(&PES), 1 + random.below(3));
        let on = !random.once_in(3);
        let status = self.bridges[phb].freeze_by_call(pe, directions, on);
        self.call(phb, if on { 97 } else { 26 }, [pe.into(), directions], status);
    }

    fn set_dependent(&mut self, phb: usize, random: &mut Random) {
        let (parent, child, on) = (random.pick(&PES), random.pick(&PES), random.below(2));
        self.bridges[phb].depend(parent, child, on == 1);
        self.call(phb, 32, [parent.into(), child.into(), on], SUCCESS);
    }

    fn reset_tables(&mut self, phb: usize) {
        let answers = self.bridges[phb].answers();
        if answers {
            self.bridges[phb].reset_tables();
        }
        self.call(phb, 49, [6, 1], if answers { SUCCESS } else { HARDWARE });
    }

    fn reset(&mut self, phb: usize, random: &mut Random) {
        let scope = random.pick(&[1, 4, 5]);
        if scope == 1 {
            self.spare(phb);
        }
        self.log.push(format!("reset {scope} of {phb}"));
        let status = self.machine.call(49, [phb as u64, scope, 1]);
        let bridge = &mut self.bridges[phb];
        match (scope, bridge.phase) {
            (_, Phase::Resetting) => assert_eq!(status, BUSY),
            (1, _) => {
                assert!(status > 0, "{status}");
                bridge.phase = Phase::Resetting;
            }
            (_, Phase::Fenced) => assert_eq!(status, HARDWARE),
            (_, Phase::Working) => {
                assert!(status > 0 || self.before.is_some() && status == HARDWARE, "{status}")
            }
        }
    }

    fn poll(&mut self, phb: usize, random: &mut Random) {
        if !random.once_in(4) {
            opalite::arch::advance_timebase(2 * opalite::arch::TIMEBASE_HZ);
        }
        let status = self.machine.call(62, [phb as u64]);
        self.log.push(format!("poll of {phb} gave {status}"));
        let bridge = &mut self.bridges[phb];
        assert!(status >= 0 || status == HARDWARE, "{status}");
        // A reset is over for the tables as soon as they are written; the model knows when.
        if bridge.phase == Phase::Resetting
            && self.machine.models[phb].phb4().tvt().iter().all(Option::is_some)
        {
            bridge.phase = Phase::Working;
            bridge.thaw_all();
        }
    }

    fn fence(&mut self, phb: usize) {
        if self.bridges[phb].phase == Phase::Working {
            self.log.push(format!("fence of {phb}"));
            self.machine.models[phb].fence();
            self.bridges[phb].phase = Phase::Fenced;
        }
    }

    /// Lets a bridge fence within one of its next accesses, whatever that is.
    fn doom(&mut self, phb: usize, random: &mut Random) {
        let accesses = random.below(60);
        self.log.push(format!("fence of {phb} after {accesses} accesses"));
        self.machine.models[phb].fence_after(accesses);
        self.bridges[phb].doomed = true;
    }

    fn spare(&mut self, phb: usize) {
        self.machine.models[phb].fence_after(u64::MAX);
        self.bridges[phb].doomed = false;
    }

    /// What the OS is told of freezes.
    fn errors(&mut self, phb: usize, random: &mut Random) {
        let pe = random.pick(&PES);
        self.call(phb, 23, [pe.into(), OUT, OUT + 2, 0], SUCCESS);
        if self.fell(phb) {
            return;
        }
        let told = (self.machine.ram.read8(OUT), self.machine.ram.read16(OUT + 2));
        assert_eq!(told, self.bridges[phb].freeze_status(pe));
        self.call(phb, 60, [OUT, OUT + 8, OUT + 10], SUCCESS);
        if self.fell(phb) {
            return;
        }
        let (pe, kind) = (self.machine.ram.read64(OUT), self.machine.ram.read16(OUT + 8));
        match (self.bridges[phb].phase, kind) {
            (Phase::Fenced, 2) | (Phase::Resetting, 0) => {}
            (Phase::Working, 0) => assert!(self.bridges[phb].frozen.is_empty()),
            (Phase::Working, 3) => assert!(self.bridges[phb].frozen.contains_key(&(pe as u16)), "{pe:#x}"),
            (phase, _) => panic!("NEXT_ERROR's type {kind} in {phase:?}"),
        }
    }

    /// A device moves eight bytes, or doesn't.
    fn probe(&mut self, phb: usize, random: &mut Random) {
        let bridge = &mut self.bridges[phb];
        if bridge.phase != Phase::Working {
            assert!(self.machine.models[phb].dma_read(RIDS[0], 0, 8).is_err());
            return;
        }
        let rid = random.pick(&RIDS);
        let offset = random.pick(&MAPPED) + if random.once_in(4) { 8 << random.below(47) } else { 0 };
        let bus = offset + 8 * random.below(512) + random.below(2) * BYPASS;
        let write = random.once_in(2);
        let wanted = bridge.dma(rid, bus, write);
        self.log.push(format!(
            "{rid:#x} on {phb} {} {bus:#x}: {wanted:x?}",
            if write { "writes" } else { "reads" }
        ));
        let value = random.next();
        let model = &self.machine.models[phb];
        match (wanted, write) {
            (Ok(real), true) => {
                let before = self.machine.ram.read64(real);
                model.dma_write(rid, bus, &value.to_be_bytes()).expect("a write that must pass");
                assert_eq!(self.machine.ram.read64(real), value, "{real:#x}");
                // It may be part of a table.
                self.machine.ram.write64(real, before);
            }
            (Ok(real), false) => {
                let bytes = model.dma_read(rid, bus, 8).expect("a read that must pass");
                assert_eq!(bytes, self.machine.ram.read64(real).to_be_bytes(), "{real:#x}");
            }
            (Err(kind), true) => {
                let fault =
                    model.dma_write(rid, bus, &value.to_be_bytes()).expect_err("a write that must not pass");
                assert_eq!((fault.kind, fault.pe), (kind, Some(bridge.rtt[usize::from(rid)])));
            }
            (Err(kind), false) => {
                let fault = model.dma_read(rid, bus, 8).expect_err("a read that must not pass");
                assert_eq!((fault.kind, fault.pe), (kind, Some(bridge.rtt[usize::from(rid)])));
            }
        }
    }

    /// The bridge against its abstract state. What a fenced one holds can't be seen and is lost anyway.
    fn compare(&self, phb: usize) {
        let (bridge, model) = (&self.bridges[phb], &self.machine.models[phb]);
        let Phase::Working = bridge.phase else { return };
        assert!(!model.kill_pending(), "a call returned before its invalidation was done");
        for (index, (tve, wanted)) in model.phb4().tvt().into_iter().zip(&bridge.tvt).enumerate() {
            assert_eq!(tve, Some(*wanted), "TVE {index} of bridge {phb}");
        }
        assert_eq!(model.peek(0x810), bridge.control(), "CTRLR of bridge {phb}");
        assert!(
            bridge.frozen.iter().map(|(pe, halves)| (*pe, *halves)).eq(model.all_frozen()),
            "freezes of {phb}"
        );
    }
}

#[test]
fn any_sequence_leaves_the_tables_as_the_os_asked() {
    let seed = setting("OPALITE_SEED", 1);
    let only = setting("OPALITE_SEQUENCE", u64::MAX);
    let sequences = setting("OPALITE_SEQUENCES", 20_000);
    let next = AtomicU64::new(0);
    let started = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from).min(4) {
            scope.spawn(|| {
                let mut run = Run::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= sequences {
                        break;
                    }
                    if only != u64::MAX && number != only {
                        continue;
                    }
                    let mut random = Random::new(seed << 32 ^ number);
                    let outcome =
                        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run.sequence(&mut random)));
                    if let Err(cause) = outcome {
                        eprintln!(
                            "OPALITE_SEED={seed} OPALITE_SEQUENCE={number} repeats this; its steps were:"
                        );
                        eprintln!("  {}", run.log.join("\n  "));
                        next.store(u64::MAX / 2, Ordering::Relaxed);
                        std::panic::resume_unwind(cause);
                    }
                }
            });
        }
    });
    println!("{sequences} sequences in {:.1?}", started.elapsed());
}
