//! TCE invalidation, DMA quiesce and DMA sync (§8): requests that take some loads to complete.
//!
//! Time passes only when the driver looks: a kill that nobody waits for stays pending.

use std::collections::VecDeque;

use super::bits::{bit, bits, field};
use super::{Generation, ModelPhb4, State};

const ALL: u64 = bit(0);
const PE: u64 = bit(1);
const PAGE: u64 = bit(2);
/// The page size is in bits 50 and 51; without it the page is one of 4 KiB.
const PAGE_SIZE_GIVEN: u64 = bit(3);
const KIND: u64 = ALL | PE | PAGE;
const PE_NUMBER: u64 = bits(55, 63);
const ADDRESS: u64 = bits(4, 51);

const READ_START: u64 = bit(0);
const READ_COMPLETE: u64 = bit(1);
const WRITE_START: u64 = bit(2);
const WRITE_COMPLETE: u64 = bit(3);

const QUIESCE: u64 = bit(0);
const AUTO_RESET: u64 = bit(1);
const KILL_RUNNING: u64 = bit(7);

/// Loads of a status register until what it reports is done.
const DEFAULT_READS: u32 = 2;

/// What one kill drops from the TCE cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    All,
    Pe(u16),
    /// The page of this size that has this bus address.
    Page {
        pe: u16,
        address: u64,
        shift: u32,
    },
    /// The page that has this bus address, whatever its size: PHB3 doesn't ask for it.
    AnyPage {
        pe: u16,
        address: u64,
    },
}

/// The kill queue and the two syncs.
pub struct Kill {
    /// What the slot register shows while it is busy.
    slot: u64,
    slot_reads: u32,
    queue: VecDeque<Target>,
    queue_reads: u32,
    sync: u64,
    sync_reads: u32,
    quiesce: bool,
    reads: u32,
    stuck: bool,
    stuck_sync: bool,
}

impl Default for Kill {
    fn default() -> Self {
        Self {
            slot: 0,
            slot_reads: 0,
            queue: VecDeque::new(),
            queue_reads: 0,
            sync: 0,
            sync_reads: 0,
            quiesce: false,
            reads: DEFAULT_READS,
            stuck: false,
            stuck_sync: false,
        }
    }
}

impl ModelPhb4 {
    /// From now on no kill completes (or does again).
    pub fn stuck_kill(&self, stuck: bool) {
        self.state().kill.stuck = stuck;
    }

    /// From now on no DMA sync completes (or does again).
    pub fn stuck_sync(&self, stuck: bool) {
        self.state().kill.stuck_sync(stuck);
    }

    /// How many loads of a status register a kill or a sync takes.
    pub fn set_kill_reads(&self, reads: u32) {
        self.state().kill.set_reads(reads);
    }

    /// Whether a kill was written and hasn't been seen to complete.
    pub fn kill_pending(&self) -> bool {
        !self.state().kill.queue.is_empty()
    }
}

impl Kill {
    /// Forgets everything in flight, keeps the test's settings.
    pub fn reset(&mut self) {
        *self = Self { reads: self.reads, stuck: self.stuck, stuck_sync: self.stuck_sync, ..Self::default() };
    }

    /// From now on no sync completes (or does again).
    pub fn stuck_sync(&mut self, stuck: bool) {
        self.stuck_sync = stuck;
    }

    /// How many loads of a status register a kill or a sync takes.
    pub fn set_reads(&mut self, reads: u32) {
        self.reads = reads;
    }

    pub fn quiesced(&self) -> bool {
        self.quiesce
    }

    /// A load of TCE_KILL: bits 0 to 2 stay while the queue's slot is taken.
    pub fn read_slot(&mut self) -> u64 {
        let busy = self.slot_reads > 0;
        if busy && !self.stuck {
            self.slot_reads -= 1;
        }
        if busy { self.slot & KIND } else { 0 }
    }

    /// A store to TCE_KILL.
    pub fn write_slot(&mut self, value: u64) {
        assert!(
            self.slot_reads == 0,
            "PHB: TCE_KILL {value:#018x} while the slot is busy: the kill would be lost"
        );
        let pe = (value & PE_NUMBER) as u16;
        let target = match value & KIND {
            ALL => Target::All,
            PE => {
                assert!(
                    value & !(PE | PE_NUMBER) == 0,
                    "PHB: TCE_KILL {value:#018x}: unknown bits in a PE kill"
                );
                Target::Pe(pe)
            }
            PAGE => {
                let shift = match (value & PAGE_SIZE_GIVEN != 0).then_some(field(value, 50, 51)) {
                    None => 12,
                    Some(1) => 16,
                    Some(2) => 21,
                    Some(3) => 30,
                    Some(_) => panic!("PHB: TCE_KILL {value:#018x} has no page size code"),
                };
                Target::Page { pe, address: value & ADDRESS & (u64::MAX << shift), shift }
            }
            _ => panic!("PHB: TCE_KILL {value:#018x} asks for none or several kinds"),
        };
        self.slot = value;
        self.slot_reads = 1;
        // Erratum HW560152: a page kill can be lost when the queue is backed up. Here it always is.
        if self.queue.is_empty() {
            self.queue_reads = self.reads;
        } else if matches!(target, Target::Page { .. }) {
            return;
        }
        self.queue.push_back(target);
    }

    /// A load of DMA_READ_WRITE_SYNC.
    pub fn read_sync(&mut self) -> u64 {
        if self.sync & (READ_START | WRITE_START) != 0 && !self.stuck_sync {
            if self.sync_reads == 0 {
                let started = self.sync & (READ_START | WRITE_START);
                self.sync = self.sync & !started | started >> 1;
            } else {
                self.sync_reads -= 1;
            }
        }
        self.sync
    }

    /// A store to DMA_READ_WRITE_SYNC: a start drops its own complete bit; the other one survives only when the
    /// store keeps it, which is why the reference asks for a read-modify-write (?).
    pub fn write_sync(&mut self, value: u64, generation: Generation) {
        let known = match generation {
            Generation::Phb4 => READ_START | READ_COMPLETE,
            Generation::Phb5 => READ_START | READ_COMPLETE | WRITE_START | WRITE_COMPLETE,
        };
        assert!(value & !known == 0, "PHB: DMA sync {value:#018x}: bits that {generation:?} doesn't have");
        let starts = value & (READ_START | WRITE_START);
        self.sync = self.sync & value & !(starts >> 1) | starts;
        self.sync_reads = self.reads;
    }

    /// A store to Q_DMA_R: auto-reset takes effect at once and isn't kept.
    pub fn write_quiesce(&mut self, value: u64) {
        assert!(
            value & !(QUIESCE | AUTO_RESET) == 0,
            "PHB: Q_DMA_R {value:#018x}: only bits 0 and 1 can be written"
        );
        self.quiesce = value & QUIESCE != 0 && value & AUTO_RESET == 0;
    }
}

impl State {
    /// A load of Q_DMA_R; kills at the head of the queue get done.
    pub fn read_quiesce(&mut self) -> u64 {
        let kill = &mut self.kill;
        let mut value = if kill.quiesce { QUIESCE } else { 0 };
        if kill.queue.is_empty() {
            return value;
        }
        if kill.stuck || kill.queue_reads > 0 {
            value |= KILL_RUNNING;
            kill.queue_reads = kill.queue_reads.saturating_sub(1);
            return value;
        }
        // The slot is free once its kill has left the queue.
        kill.slot_reads = 0;
        let targets: Vec<_> = kill.queue.drain(..).collect();
        for target in targets {
            self.tce_cache.kill(target);
        }
        value
    }
}
