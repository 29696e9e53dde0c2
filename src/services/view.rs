//! What the OS reads in `/sys/firmware/opal/exports/dma_windows`: each bridge's mode and state and each PE's open windows,
//! as text in firmware's memory (`doc/dma-windows/look-inside.md`).
//!
//! The OS reads memory and tells nobody. So the text is made anew when the OS polls for events, at most twice a second
//! and only if something has changed: the calls on windows leave no more than a mark, and nobody ever waits for this.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod lines;
mod owner;
mod text;

use super::dma::Dma;
use crate::arch;
use crate::hw::ram::Ram;
use crate::iommu::registry::Registry;
use crate::mem::Region;
use crate::phb::{self, PhbSlot};
use crate::sync::Lock;
use alloc::boxed::Box;
use alloc::vec;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use text::Text;

/// How long the text may be for each bridge: some thirty windows.
const PER_BRIDGE: u64 = 4 << 10;
/// And for what is about all of them.
const FIXED: u64 = 4 << 10;
/// Ticks of the timebase from one look for changes to the next: half a second.
const INTERVAL: u64 = arch::TIMEBASE_HZ / 2;

/// The text and what it was made from.
#[derive(Debug)]
pub struct View {
    memory: Range<u64>,
    /// When somebody last looked for changes.
    looked: AtomicU64,
    state: Lock<State>,
}

#[derive(Debug)]
struct State {
    /// Where the OS reads.
    address: u64,
    /// The text is made here, then copied. As long as what the OS reads.
    draft: Box<[u8]>,
    /// What is there at present.
    shown: Shown,
    /// Something has changed that isn't in the text.
    stale: bool,
    seen: owner::Seen,
}

/// A text: how often there was one, and the ends of its first line, of all before its last line, and of all.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    update: u64,
    head: usize,
    body: usize,
    all: usize,
}

impl View {
    /// Memory for the text of so many bridges.
    pub fn allocate(region: &mut Region, ram: &dyn Ram, bridges: usize) -> Range<u64> {
        let size = FIXED + PER_BRIDGE * bridges as u64;
        let start = region.allocate(ram, size, 4096);
        start..start + size
    }

    /// A view whose text lies there, in zeroed memory. It has a text after the first poll.
    pub fn new(memory: Range<u64>) -> Self {
        let draft = vec![0; memory.end.saturating_sub(memory.start) as usize].into_boxed_slice();
        let state = State {
            address: memory.start,
            draft,
            shown: Shown::default(),
            stale: true,
            seen: owner::Seen::default(),
        };
        let looked = AtomicU64::new(arch::timebase().wrapping_sub(INTERVAL));
        Self { memory, looked, state: Lock::new(state) }
    }

    /// Where the OS finds the text.
    pub fn memory(&self) -> Range<u64> {
        self.memory.clone()
    }

    /// Makes the text anew if it is time to and something has changed. Takes no lock that it would have to wait for.
    #[inline(always)]
    pub fn poll(&self, ram: &arch::Memory, bridges: &[PhbSlot], tables: &Dma) {
        let now = arch::timebase();
        if now.wrapping_sub(self.looked.load(Ordering::Relaxed)) >= INTERVAL {
            self.look(now, ram, bridges, tables);
        }
    }

    #[cold]
    #[inline(never)]
    fn look(&self, now: u64, ram: &arch::Memory, bridges: &[PhbSlot], tables: &Dma) {
        let Some(mut state) = self.state.try_lock() else { return };
        self.looked.store(now, Ordering::Relaxed);
        // Tables before bridges, as everywhere.
        let Some(tables) = tables.try_look() else { return };
        let mut stale = state.stale | state.seen.take_changed(&tables);
        for bridge in phb::all(bridges) {
            // One that somebody is at keeps its mark until the next look.
            stale |= bridge.try_lock().is_some_and(|mut bridge| bridge.take_changed());
        }
        state.stale = stale && !state.renew(ram, bridges, &tables);
    }
}

impl State {
    /// Makes the text anew; `false` if a bridge is in use, and the old text stays.
    fn renew(&mut self, ram: &arch::Memory, bridges: &[PhbSlot], tables: &Registry) -> bool {
        if self.draft.is_empty() {
            return true;
        }
        let update = self.shown.update.wrapping_add(1);
        let mut text = Text::new(&mut self.draft);
        lines::head(&mut text, update);
        let head = text.length();
        lines::pool(&mut text, tables.pool.usage());
        for bridge in phb::all(bridges) {
            let Some(bridge) = bridge.try_lock() else { return false };
            lines::bridge(&mut text, tables, &**bridge);
        }
        let body = text.finish();
        lines::end(&mut text, update);
        let all = text.length();
        self.show(ram, Shown { update, head, body, all });
        true
    }

    /// Copies the draft to where the OS reads, in an order by which a reader that goes from start to end sees that it read
    /// parts of two texts: while anything in between isn't the first line's, the last line isn't its either.
    fn show(&mut self, ram: &arch::Memory, new: Shown) {
        let old = core::mem::replace(&mut self.shown, new);
        let put = |range: Range<usize>, bytes: &[u8]| {
            if let Some(part) = bytes.get(range.clone()) {
                ram.write_bytes(self.address.wrapping_add(range.start as u64), part);
            }
            ram.sync();
        };
        // Where the old last line was there is nothing.
        let gone = [0; text::TAIL];
        let part = gone.get(..old.all.saturating_sub(old.body)).unwrap_or(&[]);
        ram.write_bytes(self.address.wrapping_add(old.body as u64), part);
        ram.sync();
        if let Some(rest) = self.draft.get_mut(new.all..old.all.max(new.all)) {
            rest.fill(0);
        }
        put(new.head..old.all.max(new.all), &self.draft);
        put(0..new.head, &self.draft);
    }
}
