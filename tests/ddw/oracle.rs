//! Random calls on three PEs of two bridges, beside an account of what each must find: which windows there are, where,
//! and what every call says.

use crate::fixture::*;
use crate::machine::random::{Random, setting};
use crate::machine::{Machine, OUT, SUCCESS};
use opalite::hw::ram::Ram;

/// A PE as its client knows it.
#[derive(Clone, Debug, Default)]
struct Pe {
    bridge: u64,
    number: u64,
    rid: u64,
    default_removed: bool,
    /// By window: PAPR's, with its size; the OS's own.
    created: [Option<(u32, u32)>; 2],
    foreign: [bool; 2],
}

impl Pe {
    fn config(&self) -> u32 {
        (self.rid as u32) << 8
    }
    fn liobn(&self, window: u64) -> u64 {
        liobn(self.number, window) | self.bridge << 16
    }
    /// The slot that the next created window gets, and how many are left.
    fn free(&self) -> (u32, Option<usize>) {
        let low = self.default_removed && self.created[0].is_none() && !self.foreign[0];
        let high = self.created[1].is_none() && !self.foreign[1];
        (u32::from(low) + u32::from(high), if high { Some(1) } else { low.then_some(0) })
    }
    fn has_default(&self) -> bool {
        !self.default_removed && !self.foreign[0]
    }
    /// A created window ended.
    fn ended(&mut self, window: usize) {
        self.created[window] = None;
        if self.created == [None; 2] {
            self.default_removed = false;
        }
    }
}

/// First bus address and bytes of a window, if there is one.
fn place(pe: &Pe, window: usize, limited: bool) -> Option<(u64, u64)> {
    match (window, pe.created[window]) {
        (0, Some((_, size))) => Some((0, 1 << size)),
        (1, Some((_, size))) => Some((if limited { FOUR_GIB } else { HIGH }, 1 << size)),
        (0, None) if pe.has_default() => Some((0, 1 << 30)),
        _ => None,
    }
}

struct World {
    machine: Machine,
    pes: Vec<Pe>,
    limited: [bool; 2],
    free: u64,
}

impl World {
    fn new() -> Self {
        let machine = Machine::new();
        let pe = |bridge, number, rid| Pe { bridge, number, rid, ..Pe::default() };
        let pes = vec![pe(0, 5, 0x100), pe(0, 9, 0x200), pe(1, 5, 0x100)];
        for pe in &pes {
            assert_eq!(machine.call(31, [pe.bridge, pe.number, pe.rid, 7, 1, 1, 1]), SUCCESS);
        }
        let free = machine.free();
        Self { machine, pes, limited: [false; 2], free }
    }

    fn rtas(&self, token: u32, pe: &Pe, more: &[u32], results: usize) -> Vec<u32> {
        let args = [&[pe.config(), 0, pe.bridge as u32], more].concat();
        self.machine.rtas(token, &args, results)
    }

    fn create(&mut self, who: usize, page: u32, size: u32) {
        let pe = &self.pes[who];
        let answer = self.rtas(CREATE, pe, &[page, size], 4);
        let next = pe.free().1;
        let limited = self.limited[pe.bridge as usize];
        let most = if next == Some(0) { 31 } else { 59 - u32::from(limited) };
        let status = if ![12, 16, 21].contains(&page) || size < page || size > most {
            -3
        } else if next.is_none() || size > 40 {
            -1
        } else {
            0
        };
        assert_eq!(answer[0] as i32, status, "{pe:x?} {page} {size}");
        if let (0, Some(window)) = (status, next) {
            self.pes[who].created[window] = Some((page, size));
            let pe = &self.pes[who];
            let (base, _) = place(pe, window, self.limited[pe.bridge as usize]).unwrap();
            assert_eq!(answer[1..], [pe.liobn(window as u64) as u32, (base >> 32) as u32, base as u32]);
        }
    }

    fn remove(&mut self, who: usize, window: usize) {
        let pe = &mut self.pes[who];
        let there = pe.created[window].is_some() || window == 0 && pe.has_default();
        let status = self.machine.remove(pe.liobn(window as u64));
        assert_eq!(status, if there { 0 } else { -3 }, "{pe:x?} {window}");
        if pe.created[window].is_some() {
            pe.ended(window);
        } else if there {
            pe.default_removed = true;
        }
    }

    fn reset(&mut self, who: usize, mode: Option<u32>) {
        let pe = self.pes[who].clone();
        let bridge = pe.bridge as usize;
        let high = |other: &Pe| other.created[1].is_some() || other.foreign[1];
        // The levels of a window 0 may have room for what is beyond 4 GiB.
        let wide = |other: &Pe| {
            other.created[0].is_some_and(|(page, size)| page + 9 * (size - page).div_ceil(9).max(1) > 32)
        };
        let others = self.pes.iter().filter(|other| other.bridge == pe.bridge && other.number != pe.number);
        let wanted = mode == Some(1);
        let in_the_way = others.clone().any(|other| high(other) || wanted && wide(other));
        let switches = wanted != self.limited[bridge];
        let refused = switches && in_the_way && mode.is_some();
        let status = self.rtas(RESET, &pe, mode.as_slice(), 1)[0] as i32;
        assert_eq!(status, if refused { -1 } else { 0 }, "{pe:x?} {mode:?}");
        if !refused {
            self.pes[who] = Pe { bridge: pe.bridge, number: pe.number, rid: pe.rid, ..Pe::default() };
            if !in_the_way {
                self.limited[bridge] = wanted;
            }
        }
    }

    /// The OS opens or closes a window of its own.
    fn foreign(&mut self, who: usize, window: usize, open: bool) {
        let pe = &mut self.pes[who];
        let slot = 2 * pe.number + window as u64;
        // 8 GiB are on either side of 4 GiB; 1 GiB may be a window 0 in both modes.
        let bytes = if window == 0 { 0x1000 } else { 0x8000 };
        let [levels, table, bytes, page] = if open { [1, 0x2000_0000, bytes, 0x20_0000] } else { [0; 4] };
        let status = self.machine.call(44, [pe.bridge, pe.number, slot, levels, table, bytes, page]);
        assert_eq!(status, SUCCESS, "{pe:x?} {window}");
        if pe.created[window].is_some() {
            pe.ended(window);
        }
        pe.foreign[window] = open;
    }

    /// What is there is what should be there.
    fn check(&self, random: &mut Random) {
        let machine = &self.machine;
        for (bridge, &limited) in self.limited.iter().enumerate() {
            assert_eq!(machine.call(180, [bridge as u64, 1, OUT]), SUCCESS);
            assert_eq!(machine.ram.read64(OUT), u64::from(limited));
        }
        for pe in &self.pes {
            let answer = self.rtas(QUERY, pe, &[], 6);
            let (windows, next) = pe.free();
            assert_eq!((answer[0], answer[1], answer[4]), (0, windows, 0x103), "{pe:x?}");
            assert_eq!(answer[2] == 0 && answer[3] == 0, next.is_none(), "{pe:x?}");
            for window in 0..2 {
                let number = pe.liobn(window as u64);
                let Some((base, size)) = place(pe, window, self.limited[pe.bridge as usize]) else {
                    assert_eq!(machine.get(number, 0).0, H_PARAMETER, "{pe:x?} {window}");
                    assert_eq!(machine.get(number, FOUR_GIB).0, H_PARAMETER, "{pe:x?} {window}");
                    assert_eq!(machine.put(number, HIGH, MEMORY | 3), H_PARAMETER, "{pe:x?} {window}");
                    continue;
                };
                let page = pe.created[window].map_or(12, |(page, _)| page);
                let at = base + (random.below(size >> page) << page);
                let memory = 0x4000_0000 + (random.below(64) << 21);
                assert_eq!(machine.put(number, at, memory | 3), 0, "{pe:x?} {window} {at:x}");
                let offset = random.below((1 << page) - 8) & !7;
                let model = &machine.models[pe.bridge as usize];
                let bytes = (at ^ memory).to_be_bytes();
                model.dma_write(pe.rid as u16, at + offset, &bytes).unwrap();
                assert_eq!(machine.ram.bytes(memory + offset, 8), bytes);
                assert_eq!(machine.put(number, base + size, memory | 3), H_PARAMETER);
                assert_eq!(machine.put(number, at, 0), 0);
            }
        }
    }
}

#[test]
fn random_calls_find_what_the_account_says() {
    let mut random = Random::new(setting("OPALITE_SEED", 1) + 77);
    let mut world = World::new();
    for _ in 0..setting("OPALITE_DDW_CALLS", 1200) {
        let who = random.below(3) as usize;
        let window = random.below(2) as usize;
        match random.below(12) {
            0..4 => {
                let page = random.pick(&[12, 12, 16, 21, 21, 30, 0]);
                let size = random.pick(&[page, page + 3, 22, 24, 31, 11, 59, 45]);
                // The pool has room for what isn't huge.
                if !(31..=40).contains(&size) || page > 12 {
                    world.create(who, page, size);
                }
            }
            4..7 => world.remove(who, window),
            7 => world.reset(who, None),
            8 => world.reset(who, Some(random.below(2) as u32)),
            9 => {
                let open = random.once_in(2);
                world.foreign(who, window, open);
            }
            _ => {}
        }
        world.check(&mut random);
    }
    for who in 0..3 {
        world.reset(who, None);
    }
    assert_eq!(world.machine.free(), world.free, "all memory is back");
}
