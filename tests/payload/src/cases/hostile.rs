//! Calls with arguments that no sane OS passes. None may crash the firmware, write where it mustn't, or spoil what
//! comes after.

use super::{Bench, Outcome, equal};
use crate::machine::{fill, load, store};
use crate::opal;
use crate::println;
use fdt::Fdt;

/// Memory that the calls may name: outside of what the other cases use.
const SCRATCH: u64 = 0x0e00_0000;
const SCRATCH_SIZE: u64 = 0x100_0000;
/// Memory to donate.
const DONATIONS: u64 = 0x0c00_0000;
const DONATIONS_SIZE: u64 = 0x100_0000;
/// What lies on both sides of it.
const GUARD: u64 = 0x1_0000;

/// A small generator (xorshift64*): the same sequence on every run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 32) * limit >> 32
    }

    /// log2 of an IO page.
    fn pick_shift(&mut self) -> u64 {
        [12, 16, 21, 30][self.below(4) as usize]
    }
}

/// Calls whose right effect ends the run or takes the calling thread away.
const LEFT_OUT: &[u64] = &[5, 6, 69, 116, 145, 158];
/// Config writes: with right arguments they unplug the bridges that the run needs.
const CONFIG_WRITES: core::ops::RangeInclusive<u64> = 16..=18;

/// Makes `count` calls; then everything else must still work.
pub fn run(bench: &mut Bench, tree: &Fdt<'_>, count: u64) {
    let extension = extension(tree);
    bench.case(format_args!("{count} calls with random arguments"), |bench| storm(bench, &extension, count));
    for edu in [bench.first, bench.second] {
        bench.case(format_args!("bridge {} comes back by a complete reset", edu.device.phb.id), |_| {
            super::windows::reset(&edu, 1)
        });
    }
}

/// Tokens of the calls on tables that firmware owns.
#[derive(Default)]
struct Extension {
    first: u64,
    count: u64,
    donate: u64,
}

fn extension(tree: &Fdt<'_>) -> Extension {
    let Some(node) = tree.find_node("/ibm,opal/dma-windows") else { return Extension::default() };
    let token = |name| node.property(name).and_then(|value| value.as_usize()).unwrap_or(0) as u64;
    let (first, last) = (token("table-create"), token("get-tce"));
    Extension { first, count: last + 1 - first, donate: token("pool-donate") }
}

/// Something like a structure: a right size or nearly, few flags, fields that may mean something.
fn structure(random: &mut Random, at: u64) {
    store(at, (32 + 8 * random.below(9)) << 32 | random.below(8));
    for word in 1..11 {
        let value = match random.below(4) {
            0 => random.below(8),
            1 => random.below(8) << 32 | random.below(3),
            2 => random.pick_shift() << 32,
            _ => argument_of(random),
        };
        store(at + 8 * word, value);
    }
}

fn storm(bench: &Bench, extension: &Extension, count: u64) -> Outcome {
    fill(SCRATCH - GUARD, SCRATCH_SIZE + 2 * GUARD, 0);
    fill(SCRATCH - GUARD, GUARD, 0xa5);
    fill(SCRATCH + SCRATCH_SIZE, GUARD, 0xa5);
    let mut random = Random(0x0005_eed0_f0a1_17e5);
    let ours = [bench.first.device.phb.id, bench.second.device.phb.id];
    for _ in 0..count {
        let owned = extension.count != 0 && random.below(4) == 0;
        let token = match random.below(64) {
            _ if owned => extension.first + random.below(extension.count),
            0 => random.next(),
            _ => random.below(200),
        };
        if LEFT_OUT.contains(&token) {
            continue;
        }
        let mut args = [0; 8];
        for argument in &mut args {
            *argument = argument_of(&mut random);
        }
        if owned && random.below(2) == 0 {
            args[0] = SCRATCH + random.below(16) * 256;
            structure(&mut random, args[0]);
        }
        if token == extension.donate {
            // What is firmware's then is nobody else's buffer.
            args[0] = DONATIONS + (random.below(DONATIONS_SIZE >> 17) << 17);
            args[1] = (random.below(4) << 18).min(DONATIONS + DONATIONS_SIZE - args[0]);
        }
        if CONFIG_WRITES.contains(&token) && ours.contains(&args[0]) {
            args[0] += 2;
        }
        opal::call(token, &args);
    }
    // Calls may have written to the console.
    println!();
    for at in (0..GUARD).step_by(8) {
        equal("memory below the buffers", load(SCRATCH - GUARD + at), 0xa5a5_a5a5_a5a5_a5a5)?;
        equal("memory above the buffers", load(SCRATCH + SCRATCH_SIZE + at), 0xa5a5_a5a5_a5a5_a5a5)?;
    }
    Ok(())
}

fn argument_of(random: &mut Random) -> u64 {
    let page = random.below(SCRATCH_SIZE >> 16) << 16;
    match random.below(14) {
        0 => 0,
        1 => u64::MAX,
        2 | 3 => random.below(8),
        4 => random.below(1024),
        5 => random.below(0x1_0000),
        6 => 1 << random.below(64),
        7 => random.next(),
        8 => opal::base() + random.below(16 << 20),
        9 => 0xc000_0000_0000_0000 | opal::base() + random.below(16 << 20),
        10 => SCRATCH + page,
        11 => SCRATCH + random.below(SCRATCH_SIZE - 64) / 8 * 8,
        12 => 0xc000_0000_0000_0000 | SCRATCH + random.below(SCRATCH_SIZE - 64),
        _ => random.next() >> random.below(64),
    }
}
