//! Random acts on one table that two bridges have set, against a plain list of what each page should be.

use super::{BOTH, Calls, READ, WRITE};
use crate::cases::hostile::Random;
use crate::cases::windows::{PE, join};
use crate::cases::{Outcome, equal, status};
use crate::edu::Edu;
use crate::machine::{load, memory, store, sync};
use crate::opal;

const ACTS: u64 = 4096;
/// Pages of the window that acts concern: from the end of one leaf into the next; and frames to map.
const PAGES: usize = 48;
const FIRST: u64 = 512 - 20;
const FRAMES: u64 = 32;
const PAGE: u64 = 4096;

struct Run<'a> {
    calls: &'a Calls<'a>,
    handle: u64,
    frames: u64,
    /// What frames should hold.
    mirror: u64,
    /// Old entries.
    old: u64,
    /// TCEs as they should be.
    wanted: [u64; PAGES],
    random: Random,
}

pub fn run(calls: &Calls<'_>, first: &Edu, second: &Edu) -> Outcome {
    let handle = calls.create(12, 2, 4 << 20)?;
    let mut run = Run {
        calls,
        handle,
        frames: memory(FRAMES * PAGE, PAGE),
        mirror: memory(FRAMES * PAGE, PAGE),
        old: memory(PAGE, PAGE),
        wanted: [0; PAGES],
        random: Random(0x7ab1_e500_4096_0001),
    };
    let bus = [first, second].map(|edu| -> Result<u64, crate::cases::Failure> {
        join(edu, PE)?;
        calls.set(edu, edu.device.phb.id & 1, handle, 0)
    });
    let [one, two] = bus;
    let bus = [one?, two?];
    for act in 0..ACTS {
        run.act()?;
        // Both devices look by turns: they share the table.
        run.transfer(if act & 1 == 0 { (first, bus[0]) } else { (second, bus[1]) })?;
    }
    for edu in [first, second] {
        calls.unset(edu, edu.device.phb.id & 1)?;
    }
    calls.destroy(handle)
}

impl Run<'_> {
    /// One act, and the old entries that it tells.
    fn act(&mut self) -> Outcome {
        let from = self.random.below(PAGES as u64);
        let count = 1 + self.random.below((PAGES as u64 - from).min(12));
        let offset = (FIRST + from) * PAGE;
        let maps = self.random.below(3) != 0;
        let frame = self.random.below(FRAMES - count + 1);
        let access = [READ, WRITE, BOTH, BOTH][self.random.below(4) as usize];
        if maps {
            self.calls.map(self.handle, offset, count, self.frames + frame * PAGE, access, self.old)?;
        } else {
            self.calls.unmap(self.handle, offset, count, self.old)?;
        }
        for index in 0..count {
            let wanted = &mut self.wanted[(from + index) as usize];
            equal("old entry", load(self.old + 8 * index), *wanted)?;
            *wanted = if maps { self.frames + (frame + index) * PAGE | access } else { 0 };
        }
        Ok(())
    }

    /// A device reads bytes from one place and writes them to another, each of which may lie in two pages. Then all frames
    /// are what they should be.
    fn transfer(&mut self, (edu, bus): (&Edu, u64)) -> Outcome {
        for at in (0..FRAMES * PAGE).step_by(8) {
            let value = self.random.next();
            store(self.frames + at, value);
            store(self.mirror + at, value);
        }
        sync();
        let count = 2048;
        let place = |random: &mut Random| random.below(PAGES as u64 - 1) * PAGE + random.below(PAGE / 8) * 8;
        let (from, to) = (place(&mut self.random), place(&mut self.random));
        let readable = (0..count).step_by(8).all(|at| self.real(from + at, READ).is_some());
        if readable {
            edu.read_memory(bus + FIRST * PAGE + from, 0, count);
            edu.write_memory(bus + FIRST * PAGE + to, 0, count);
            sync();
            // Sources are read whole before anything is written.
            let mut bytes = [0; 2048 / 8];
            for (index, word) in (0..).zip(&mut bytes) {
                *word = load(self.mirror + self.real(from + 8 * index, READ).unwrap_or(0));
            }
            for (index, word) in (0..).zip(bytes) {
                if let Some(at) = self.real(to + 8 * index, WRITE) {
                    store(self.mirror + at, word);
                }
            }
        } else {
            edu.write_memory(bus + FIRST * PAGE + to, 2048, 8);
            sync();
            if let Some(at) = self.real(to, WRITE) {
                store(self.mirror + at, load(self.frames + at));
            }
        }
        for at in (0..FRAMES * PAGE).step_by(8) {
            equal("bytes of the frames", load(self.frames + at), load(self.mirror + at))?;
        }
        let clear = opal::call(opal::EEH_FREEZE_CLEAR, &[edu.device.phb.id, PE, 3]);
        status("FREEZE_CLEAR", clear, 0)
    }

    /// Where in the frames a byte of the window lies, if a device has that permission.
    fn real(&self, at: u64, access: u64) -> Option<u64> {
        let tce = self.wanted[(at / PAGE) as usize];
        (tce & access != 0).then(|| (tce & !0xfff) - self.frames + at % PAGE)
    }
}
