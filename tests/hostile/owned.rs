//! Opalite's own calls among the hostile ones: structures that are nearly right, handles that exist or did.

use crate::machine::random::Random;
use crate::machine::{FIRMWARE, Machine, OUT, SUCCESS};
use crate::{FOR_POOL, PREVIOUS, REAL, STRUCTURES, argument};
use opalite::hw::ram::Ram;
use opalite::opal::extension;
use std::ops::Range;

const PIECE: u64 = 1 << 18;
const LIOBNS: u64 = 8;

/// How many calls there are.
pub fn count() -> usize {
    extension::tokens().count()
}

/// A token's place behind OPAL's own.
pub fn place(token: u64) -> usize {
    200 + token.wrapping_sub(extension::FIRST) as usize
}

fn name(token: u64) -> &'static str {
    extension::tokens().find(|known| u64::from(known.1) == token).map_or("", |known| known.0)
}

/// Tables that exist, and LIOBNs that are bound.
#[derive(Default)]
pub struct Handles(Vec<u64>, Vec<u64>);

impl Handles {
    fn pick(&self, random: &mut Random) -> u64 {
        match self.0.len() as u64 {
            0 => random.below(4),
            _ if random.once_in(16) => argument(random),
            count => self.0[random.below(count) as usize],
        }
    }

    /// Follows what a call did.
    pub fn note(&mut self, token: u64, args: &[u64; 7], status: i64, ram: &dyn Ram) {
        if status == SUCCESS {
            match name(token) {
                "table-create" => self.0.push(ram.read64((args[0] & REAL) + 24)),
                "table-destroy" => self.0.retain(|handle| *handle != args[0]),
                "liobn-bind" => self.1.push(args[0]),
                "liobn-unbind" => self.1.retain(|liobn| *liobn != args[0]),
                _ => {}
            }
        }
    }

    /// At the end, with all windows closed: LIOBNs and tables go, and every page of the pool is free.
    pub fn all_go(&self, machine: &Machine) {
        let token = |name| extension::tokens().find(|known| known.0 == name).unwrap().1.into();
        for phb in 0..machine.models.len() as u64 {
            assert_eq!(machine.call(49, [phb, 6, 1]), SUCCESS);
        }
        for liobn in &self.1 {
            assert_eq!(machine.call(token("liobn-unbind"), [*liobn]), SUCCESS, "{liobn:#x}");
        }
        for handle in &self.0 {
            assert_eq!(machine.call(token("table-destroy"), [*handle]), SUCCESS, "{handle:#x}");
        }
        machine.ram.write64(OUT, 40 << 32);
        assert_eq!(machine.call(token("pool-query"), [OUT]), SUCCESS);
        assert_eq!(machine.ram.read64(OUT + 8), machine.ram.read64(OUT + 16), "all of the pool is free");
    }
}

/// Where a call may put old entries.
pub fn previous(token: u64, args: &[u64; 7], ram: &dyn Ram) -> Option<Range<u64>> {
    let offset = match name(token) {
        "table-map" => 40,
        "table-unmap" => 32,
        _ => return None,
    };
    let structure = args[0] & REAL;
    let readable = structure.is_multiple_of(8) && structure < FIRMWARE.start - 256;
    let at = if readable { ram.read64(structure + offset) & REAL } else { 0 };
    (at != 0).then(|| at..at.saturating_add(PREVIOUS))
}

/// One of the calls.
pub fn call(random: &mut Random, machine: &Machine, handles: &Handles) -> (u64, [u64; 7]) {
    let tokens: Vec<_> = extension::tokens().collect();
    let (name, token) = random.pick(&tokens);
    let mut args = [0; 7];
    for value in &mut args {
        *value = argument(random);
    }
    let page = random.pick(&[12, 12, 16, 21, 30]);
    let handle = handles.pick(random);
    let offset = random.below(600) << page;
    let memory = (0x10_0000 * (1 + random.below(4000))) & (u64::MAX << page);
    let place = random.pick(&[5, 5, 6, 0, 1000]) << 32 | random.below(2);
    let phb = if random.once_in(32) { argument(random) } else { random.below(6) };
    let buffer = random.pick(&[0, 0, OUT + 0x2_0000, OUT + 0x2_0004, memory]);
    // Words behind the first, and the flags that mean something.
    let (words, flags): (Vec<u64>, u64) = match name {
        "table-create" => {
            (vec![page << 32 | random.below(6), (1 + random.below(3000)) << page, 0, 0, 0], random.below(2))
        }
        "table-map" => {
            let list = random.below(2);
            (
                vec![handle, offset, 1 + random.below(40), memory, buffer, list],
                (1 + random.below(3)) | (list << 2),
            )
        }
        "table-unmap" => (vec![handle, offset, 1 + random.below(4096), buffer], 0),
        "window-set" => (vec![phb, place, handle, 0, 0, 0], random.below(2)),
        "bypass-set" => (vec![phb, place, random.below(2), 0, 0, 0], random.below(2)),
        "window-query" => (vec![phb, place, 0, 0, 0, 0, 0, 0, 0, 0], 0),
        "pool-query" => (vec![0; 4], 0),
        "pool-donate" | "pool-reclaim" => {
            // Only here: what is donated must not be another call's buffer.
            args[0] = FOR_POOL.start + PIECE * random.below(16) + if random.once_in(8) { 4096 } else { 0 };
            args[1] = PIECE * random.below(9);
            (vec![], 0)
        }
        _ => {
            let liobn = random.below(LIOBNS);
            let at = 0x1000 * random.below(600);
            let good = match name {
                "table-destroy" => [handle, 0, 0, 0],
                "window-unset" => [phb, place >> 32, place & 1, 0],
                "liobn-bind" => [liobn, handle, 0, 0],
                "liobn-unbind" => [liobn, 0, 0, 0],
                "put-tce" => [liobn, at, memory | random.below(4), 0],
                "put-tce-indirect" => {
                    [liobn, at, 0x10_0000 * (1 + random.below(4000)), 1 + random.below(512)]
                }
                "stuff-tce" => [liobn, at, memory | random.below(4), 1 + random.below(512)],
                _ => [liobn, at, OUT, 0],
            };
            for (value, good) in args.iter_mut().zip(good) {
                if !random.once_in(12) {
                    *value = good;
                }
            }
            (vec![], 0)
        }
    };
    if !words.is_empty() {
        let at = STRUCTURES + 8 * random.below(64);
        let size = 8 * (words.len() as u64 + 1);
        let size = if random.once_in(10) { random.pick(&[0, 8, size - 8, size + 8, 256, 264]) } else { size };
        let flags = if random.once_in(10) { argument(random) & 0xffff_ffff } else { flags };
        machine.ram.write64(at, size << 32 | flags);
        for (word, offset) in words.iter().zip((8..).step_by(8)) {
            let word = if random.once_in(24) { argument(random) } else { *word };
            machine.ram.write64(at + offset, word);
        }
        // Segments of a list, where a list may be.
        if memory < 1 << 40 {
            machine.ram.write64(memory, memory);
            machine.ram.write64(memory + 8, 1 + random.below(8));
        }
        args[0] = if random.once_in(16) { argument(random) } else { at | random.pick(&[0, 0, 0xc << 60]) };
    }
    (token.into(), args)
}
