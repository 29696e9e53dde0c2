//! Tables that firmware owns, by Opalite's own calls (`doc/dma-windows.md`), proven with moved bytes.

mod costs;
mod random;

use super::windows::{PATTERN, PE, join};
use super::{Bench, Failure, Outcome, equal, status};
use crate::edu::Edu;
use crate::machine::{load, memory, store, sync};
use crate::opal;
use crate::phb_registers;
use crate::println;
use fdt::Fdt;

pub const READ: u64 = 1;
pub const WRITE: u64 = 2;
pub const BOTH: u64 = READ | WRITE;
const LIST: u64 = 4;
const REPLACE: u64 = 1;
const BIT59: u64 = 1 << 59;
const LIOBN: u64 = 0x10;

/// Tokens of the calls, and a page for their structures.
#[derive(Clone, Copy, Debug)]
pub struct Calls<'a> {
    tree: &'a Fdt<'a>,
    page: u64,
}

/// What is returned of a call that must succeed.
type Got<T> = Result<T, Failure>;

impl<'a> Calls<'a> {
    /// Those that the tree names, if it names any.
    pub fn find(tree: &'a Fdt<'a>) -> Option<Self> {
        tree.find_node("/ibm,opal/dma-windows")?;
        Some(Self { tree, page: memory(4096, 4096) })
    }

    /// A call's token.
    pub fn token(&self, name: &str) -> u64 {
        let node = self.tree.find_node("/ibm,opal/dma-windows").expect("it was there");
        let property = node.property(name).expect("a call's token");
        property.as_usize().expect("a number") as u64
    }

    /// A call with numbers.
    pub fn named(&self, name: &str, args: &[u64]) -> i64 {
        opal::call(self.token(name), args)
    }

    /// A call with a structure: what is behind its size and flags.
    pub fn request(&self, name: &str, flags: u64, words: &[u64]) -> i64 {
        store(self.page, (8 * (words.len() as u64 + 1)) << 32 | flags);
        for (word, at) in words.iter().zip((self.page + 8..).step_by(8)) {
            store(at, *word);
        }
        self.named(name, &[self.page])
    }

    pub fn create(&self, shift: u64, levels: u64, size: u64) -> Got<u64> {
        let result = self.request("table-create", 0, &[shift << 32 | levels, size, 0, 0, 0]);
        status("table-create", result, 0)?;
        Ok(load(self.page + 24))
    }
    pub fn destroy(&self, handle: u64) -> Outcome {
        status("table-destroy", self.named("table-destroy", &[handle]), 0)
    }
    /// Sets a window; the bus address of its first byte.
    pub fn set(&self, edu: &Edu, window: u64, handle: u64, flags: u64) -> Got<u64> {
        let words = [edu.device.phb.id, PE << 32 | window, handle, 0, 0, 0];
        status("window-set", self.request("window-set", flags, &words), 0)?;
        Ok(load(self.page + 32))
    }
    pub fn unset(&self, edu: &Edu, window: u64) -> Outcome {
        status("window-unset", self.named("window-unset", &[edu.device.phb.id, PE, window]), 0)
    }
    pub fn map(&self, handle: u64, offset: u64, pages: u64, memory: u64, access: u64, old: u64) -> Outcome {
        let result = self.request("table-map", access, &[handle, offset, pages, memory, old, 0]);
        status("table-map", result, 0)
    }
    pub fn unmap(&self, handle: u64, offset: u64, pages: u64, old: u64) -> Outcome {
        status("table-unmap", self.request("table-unmap", 0, &[handle, offset, pages, old]), 0)
    }
    /// Bytes of the pool that are free.
    pub fn free(&self) -> Got<u64> {
        status("pool-query", self.request("pool-query", 0, &[0; 4]), 0)?;
        Ok(load(self.page + 16))
    }
}

/// Runs them, or says why not.
pub fn run(bench: &mut Bench, tree: &Fdt<'_>) {
    let mark = crate::machine::mark();
    let Some(calls) = Calls::find(tree) else {
        println!("CASE skip tables of firmware's own: the tree has no /ibm,opal/dma-windows");
        return;
    };
    let shifts = bench.first.device.phb.page_shifts;
    for shift in shifts.into_iter().filter(|&shift| shift != 0).map(u64::from) {
        for levels in (1..=5).filter(|levels| levels * 9 + shift <= 57) {
            bench.case(
                format_args!("owned tables, {levels} levels of {} KiB pages", 1u64 << (shift - 10)),
                |bench| round_trip(&calls, &bench.first, levels & 1, levels, shift),
            );
        }
    }
    bench.case(format_args!("owned tables, runs, lists and old entries"), |bench| runs(&calls, &bench.first));
    bench.case(format_args!("owned tables, a window of 16 TiB"), |bench| wide(&calls, &bench.first));
    bench.case(format_args!("owned tables, LIOBNs"), |bench| liobns(&calls, &bench.first));
    bench.case(format_args!("owned tables, two bridges share one table, and one leaves"), |bench| {
        shared(&calls, &bench.first, &bench.second)
    });
    bench.case(format_args!("owned tables, bypass by identity"), |bench| identity(&calls, &bench.first));
    if bench.first.device.phb.has_four_gib_mode() {
        bench.case(format_args!("owned tables, bypass in the 4 GiB mode"), |bench| {
            offset(&calls, &bench.first)
        });
    }
    bench.case(format_args!("owned tables, memory that the OS gives"), |_| donated(&calls));
    bench.case(format_args!("owned tables, 4096 random acts on a table of two bridges"), |bench| {
        random::run(&calls, &bench.first, &bench.second)
    });
    costs::run(bench, &calls);
    crate::machine::release(mark);
}

/// The device takes eight bytes from `from` and puts them to `to`.
fn carry(edu: &Edu, from: u64, to: u64) {
    edu.read_memory(from, 0, 8);
    edu.write_memory(to, 0, 8);
    sync();
}

fn round_trip(calls: &Calls<'_>, edu: &Edu, window: u64, levels: u64, shift: u64) -> Outcome {
    join(edu, PE)?;
    let free = calls.free()?;
    let page = 1u64 << shift;
    let size = page << (9 * levels);
    let handle = calls.create(shift, levels, size)?;
    equal("levels", load(calls.page + 32) >> 32, levels)?;
    let origin = calls.set(edu, window, handle, 0)?;
    equal("origin", origin, window * BIT59)?;
    // Pages of 1 GiB begin at 0; the words are where nobody else is.
    let words = memory(4096, 4096);
    let within = |at: u64| at & (page - 1);
    let frame = words & !(page - 1);
    calls.map(handle, 0, 1, frame, READ, 0)?;
    calls.map(handle, size - page, 1, frame, WRITE, 0)?;
    let last = origin + size - page;
    store(words, PATTERN ^ shift);
    carry(edu, origin + within(words), last + within(words + 16));
    equal("bytes that arrived", load(words + 16), PATTERN ^ shift)?;
    equal("word before", load(words + 8), 0)?;
    equal("word behind", load(words + 24), 0)?;
    calls.unmap(handle, size - page, 1, 0)?;
    edu.write_memory(last + within(words + 32), 0, 8);
    sync();
    equal("bytes through an unmapped page", load(words + 32), 0)?;
    calls.unset(edu, window)?;
    equal("TVE", phb_registers::tve(edu.device.phb, 2 * PE + window), 0)?;
    calls.destroy(handle)?;
    equal("pool", calls.free()?, free)
}

fn runs(calls: &Calls<'_>, edu: &Edu) -> Outcome {
    join(edu, PE)?;
    let handle = calls.create(12, 2, 8 << 20)?;
    calls.set(edu, 0, handle, 0)?;
    let frames = memory(4 << 12, 4096);
    let (old, list) = (memory(4096, 4096), memory(4096, 4096));
    // Across the border of two leaves.
    calls.map(handle, 510 << 12, 4, frames, BOTH, old)?;
    store(frames, PATTERN);
    carry(edu, 510 << 12, (513 << 12) + 8);
    equal("last of a run", load(frames + (3 << 12) + 8), PATTERN)?;
    // The same backwards, as a list.
    for segment in 0..4 {
        store(list + 16 * segment, frames + ((3 - segment) << 12));
        store(list + 16 * segment + 8, 1);
    }
    let words = [handle, 510 << 12, 4, list, old, 4];
    status("table-map of a list", calls.request("table-map", BOTH | LIST, &words), 0)?;
    for page in 0..4 {
        equal("old entry", load(old + 8 * page), frames + (page << 12) | 3)?;
    }
    carry(edu, 513 << 12, (510 << 12) + 16);
    equal("first of a list", load(frames + (3 << 12) + 16), PATTERN)?;
    calls.unmap(handle, 509 << 12, 6, old)?;
    equal("nothing was before it", load(old), 0)?;
    equal("the list's first", load(old + 8), frames + (3 << 12) | 3)?;
    let bad = calls.request("table-map", BOTH, &[handle, 0, 1, opal::base(), 0, 0]);
    status("firmware's memory", bad, opal::PARAMETER)?;
    calls.unset(edu, 0)?;
    calls.destroy(handle)
}

fn wide(calls: &Calls<'_>, edu: &Edu) -> Outcome {
    join(edu, PE)?;
    let handle = calls.create(16, 0, 1 << 44)?;
    equal("memory", load(calls.page + 40), 0x2000)?;
    let origin = calls.set(edu, 1, handle, 0)?;
    let frame = memory(1 << 16, 1 << 16);
    let far = 0xabc_dead_0000;
    calls.map(handle, far, 1, frame, BOTH, 0)?;
    store(frame, PATTERN);
    carry(edu, origin + far, origin + far + 0xfff8);
    equal("bytes at 10 TiB", load(frame + 0xfff8), PATTERN)?;
    calls.unset(edu, 1)?;
    calls.destroy(handle)
}

fn liobns(calls: &Calls<'_>, edu: &Edu) -> Outcome {
    join(edu, PE)?;
    let handle = calls.create(12, 2, 4 << 20)?;
    calls.set(edu, 0, handle, 0)?;
    let base = 0x1000_0000;
    status("liobn-bind", calls.named("liobn-bind", &[LIOBN, handle, base]), 0)?;
    status("table-destroy", calls.named("table-destroy", &[handle]), opal::WRONG_STATE)?;
    let frames = memory(2 << 12, 4096);
    let (list, out) = (memory(4096, 4096), memory(4096, 4096));
    store(frames, PATTERN);
    status("put-tce", calls.named("put-tce", &[LIOBN, base + 0x5000, frames | 3]), 0)?;
    for entry in 0..512 {
        store(list + 8 * entry, if entry == 511 { frames + 4096 | 2 } else { frames | 1 });
    }
    status("put-tce-indirect", calls.named("put-tce-indirect", &[LIOBN, base + 0x10_0000, list, 512]), 0)?;
    carry(edu, 0x10_0000 + (510 << 12), 0x10_0000 + (511 << 12) + 8);
    equal("through a list", load(frames + 4096 + 8), PATTERN)?;
    status("get-tce", calls.named("get-tce", &[LIOBN, base + 0x2f_f123, out]), 0)?;
    equal("entry", load(out), frames + 4096 | 2)?;
    status("stuff-tce", calls.named("stuff-tce", &[LIOBN, base + 0x10_0000, 0, 512]), 0)?;
    edu.write_memory(0x10_0000 + (511 << 12) + 16, 0, 8);
    edu.write_memory(0x5010, 0, 8);
    sync();
    equal("taken out", load(frames + 4096 + 16), 0)?;
    equal("left in", load(frames + 16), PATTERN)?;
    store(list + 8 * 300, opal::base() | 3);
    status("a bad list", calls.named("put-tce-indirect", &[LIOBN, base, list, 512]), -4)?;
    status("get-tce", calls.named("get-tce", &[LIOBN, base + 0x5000, out]), 0)?;
    equal("entry", load(out), frames | 3)?;
    status("liobn-unbind", calls.named("liobn-unbind", &[LIOBN]), 0)?;
    calls.unset(edu, 0)?;
    calls.destroy(handle)
}

fn shared(calls: &Calls<'_>, first: &Edu, second: &Edu) -> Outcome {
    let handle = calls.create(16, 1, 1 << 24)?;
    let frames = memory(2 << 16, 1 << 16);
    for edu in [first, second] {
        join(edu, PE)?;
        calls.set(edu, 0, handle, 0)?;
    }
    calls.map(handle, 0x1_0000, 1, frames, BOTH, 0)?;
    store(frames, PATTERN);
    carry(first, 0x1_0000, 0x1_0008);
    carry(second, 0x1_0008, 0x1_0010);
    equal("from the first to the second", load(frames + 16), PATTERN)?;
    // Moved for both at once.
    calls.map(handle, 0x1_0000, 1, frames + 0x1_0000, BOTH, 0)?;
    first.write_memory(0x1_0018, 0, 8);
    second.write_memory(0x1_0020, 0, 8);
    sync();
    equal("by the first", load(frames + 0x1_0018), PATTERN)?;
    equal("by the second", load(frames + 0x1_0020), PATTERN)?;
    calls.unset(first, 0)?;
    first.write_memory(0x1_0028, 0, 8);
    second.write_memory(0x1_0030, 0, 8);
    sync();
    equal("by the one that left", load(frames + 0x1_0028), 0)?;
    equal("by the one that stayed", load(frames + 0x1_0030), PATTERN)?;
    status("table-destroy", calls.named("table-destroy", &[handle]), opal::WRONG_STATE)?;
    calls.unset(second, 0)?;
    calls.destroy(handle)
}

fn bypass(calls: &Calls<'_>, edu: &Edu, mode: u64, flags: u64) -> i64 {
    calls.request("bypass-set", flags, &[edu.device.phb.id, PE << 32 | 1, mode, 0, 0, 0])
}

fn identity(calls: &Calls<'_>, edu: &Edu) -> Outcome {
    join(edu, PE)?;
    let frames = memory(2 << 12, 4096);
    store(frames, PATTERN);
    status("bypass-set", bypass(calls, edu, 0, 0), 0)?;
    equal("end", load(calls.page + 48), BIT59 + (opal::base() & !0xff_ffff) - 1)?;
    carry(edu, BIT59 | frames, BIT59 | frames + 8);
    equal("bytes", load(frames + 8), PATTERN)?;
    let handle = calls.create(12, 1, 1 << 20)?;
    calls.map(handle, 0x3000, 1, frames + 4096, BOTH, 0)?;
    calls.set(edu, 1, handle, REPLACE)?;
    edu.write_memory(BIT59 | 0x3008, 0, 8);
    sync();
    equal("through the table in its place", load(frames + 4096 + 8), PATTERN)?;
    status("bypass-set", bypass(calls, edu, 0, 0), opal::WRONG_STATE)?;
    status("bypass-set with REPLACE", bypass(calls, edu, 0, REPLACE), 0)?;
    calls.destroy(handle)?;
    calls.unset(edu, 1)?;
    edu.write_memory(BIT59 | frames + 24, 0, 8);
    sync();
    equal("through a closed bypass", load(frames + 24), 0)
}

/// QEMU's DMA doesn't know the mode, so the entries are looked at, and the bytes go by bit 59.
fn offset(calls: &Calls<'_>, edu: &Edu) -> Outcome {
    const FOUR_GIB: u64 = 1 << 32;
    join(edu, PE)?;
    let free = calls.free()?;
    let option = |on: u64| opal::call(opal::SET_OPTION, &[edu.device.phb.id, 1, on]);
    status("offset in the usual mode", bypass(calls, edu, 1, 0), opal::WRONG_STATE)?;
    status("PHB_SET_OPTION", option(1), 0)?;
    status("identity in the 4 GiB mode", bypass(calls, edu, 0, 0), opal::WRONG_STATE)?;
    status("bypass-set", bypass(calls, edu, 1, 0), 0)?;
    equal("origin", load(calls.page + 32), FOUR_GIB)?;
    equal("first", load(calls.page + 40), FOUR_GIB)?;
    let frames = memory(4096, 4096);
    store(frames, PATTERN);
    carry(edu, BIT59 | FOUR_GIB + frames, BIT59 | FOUR_GIB + frames + 8);
    equal("bytes", load(frames + 8), PATTERN)?;
    calls.unset(edu, 1)?;
    equal("pool", calls.free()?, free)?;
    status("PHB_SET_OPTION", option(0), 0)
}

fn donated(calls: &Calls<'_>) -> Outcome {
    const PIECE: u64 = 1 << 18;
    let (free, piece) = (calls.free()?, memory(PIECE, PIECE));
    status("pool-donate", calls.named("pool-donate", &[piece, PIECE]), 0)?;
    equal("pool", calls.free()?, free + PIECE - 4096)?;
    let handle = calls.create(12, 1, 1 << 20)?;
    let into = calls.request("table-map", BOTH, &[handle, 0, 1, piece + 4096, 0, 0]);
    status("table-map of donated memory", into, opal::PARAMETER)?;
    calls.destroy(handle)?;
    status("pool-reclaim", calls.named("pool-reclaim", &[piece, PIECE]), 0)?;
    equal("pool", calls.free()?, free)
}
