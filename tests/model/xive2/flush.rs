//! What takes time: cache flushes and kills that are polled for, syncs, and the byte that an injected one
//! writes when it is done.

use super::ic::{EASC_FLUSH, ENDC_FLUSH, ESBC_FLUSH, NXC_FLUSH, VALID};
use super::tables::{Cache, Unit, nxc};
use super::{State, ibm, ibm32};
use opalite::hw::ram::Ram;

/// An act that takes some reads to complete.
#[derive(Default)]
pub struct Slow {
    value: u64,
    busy: bool,
    polls: u32,
}

impl<R: Ram + Clone + 'static> State<R> {
    /// A kill: its b0 starts it.
    pub(super) fn slow_store(&mut self, offset: u64, value: u64) {
        let polls = self.ic.polls;
        let slow = self.ic.slow.entry(offset).or_default();
        assert!(!slow.busy, "XIVE: register {offset:#x} written while its last act runs");
        *slow = Slow { value: value & !VALID, busy: value & VALID != 0, polls };
    }

    /// b0 reads set while the act runs.
    pub(super) fn slow_load(&mut self, offset: u64) -> u64 {
        let slow = self.ic.slow.entry(offset).or_default();
        let value = slow.value;
        if !slow.busy {
            return value;
        }
        if slow.polls > 0 {
            slow.polls -= 1;
            return value | VALID;
        }
        slow.busy = false;
        if let Some(control) = flush_control(offset) {
            self.flush(control, value);
            return 0;
        }
        value
    }

    /// A flush that its control register shows the end of.
    pub(super) fn flush_poll(&mut self, offset: u64, value: u64) {
        flush_hits(offset - 8, value);
        let polls = self.ic.polls;
        let slow = self.ic.slow.entry(offset).or_default();
        assert!(!slow.busy, "XIVE: register {offset:#x} written while its last act runs");
        *slow = Slow { value, busy: true, polls };
    }

    /// A flush that ends with a byte in memory.
    pub(super) fn flush_inject(&mut self, pir: u32, control: u64, value: u64) {
        flush_hits(control, value);
        if self.ic.stalled {
            return;
        }
        self.flush(control, value);
        let (unit, number) = match control {
            ENDC_FLUSH => (Unit::Vc, 8),
            ESBC_FLUSH => (Unit::Vc, 9),
            EASC_FLUSH => (Unit::Vc, 10),
            _ => (Unit::Pc, 24),
        };
        self.inject(unit, pir, number);
    }

    fn flush(&mut self, control: u64, value: u64) {
        let hits = flush_hits(control, value);
        for &cache in &hits.caches {
            self.scrub(cache, |block, index| hits.block.hits(block.into()) && hits.index.hits(index));
        }
    }

    fn inject(&mut self, unit: Unit, pir: u32, number: u64) {
        let offset = u64::from(pir & 0x7F) * 512 + u64::from(self.chip) * 32 + number;
        let address = self.tables.sync_byte(unit, self.block(), offset);
        self.ram.write8(address, 0xFF);
    }

    pub(super) fn sync_poll(&mut self, offset: u64) {
        sync_number(offset);
        self.ic.sync_polls = Some(self.ic.polls);
    }

    pub(super) fn sync_inject(&mut self, pir: u32, offset: u64) {
        let number = sync_number(offset);
        if self.ic.stalled {
            return;
        }
        self.release_held();
        self.inject(Unit::Vc, pir, number);
    }

    fn release_held(&mut self) {
        for lisn in self.held.take().unwrap_or_default() {
            self.route(lisn);
        }
    }

    /// Asks once whether all syncs are done; the end of the last one lets held events through.
    pub(super) fn sync_done(&mut self) -> bool {
        match self.ic.sync_polls {
            Some(polls @ 1..) => {
                self.ic.sync_polls = Some(polls - 1);
                false
            }
            Some(0) => {
                self.ic.sync_polls = None;
                self.release_held();
                true
            }
            None => true,
        }
    }

    /// The notify page's stores, for software (0x000) and hardware (0x800) sources alike.
    pub(super) fn notify_store(&mut self, offset: u64, value: u64) {
        assert!(offset < 0x1000, "XIVE: store to {offset:#x} of the notify page");
        assert_eq!(ibm(value, 0, 0), 0, "XIVE: END trigger {value:#x} on the notify page");
        assert_eq!(ibm(value, 2, 31), 0, "XIVE: trigger {value:#x} has unknown bits");
        if ibm(value, 1, 1) != 0 {
            self.route(value as u32);
        } else {
            self.trigger(value as u32);
        }
    }
}

fn sync_number(offset: u64) -> u64 {
    assert!(
        offset <= 0x300 && offset.is_multiple_of(0x80),
        "XIVE: store to {offset:#x} of a sync page: there are seven syncs, 0x80 apart"
    );
    offset / 0x80
}

/// The flush control register that a poll register belongs to.
fn flush_control(poll: u64) -> Option<u64> {
    [ESBC_FLUSH, EASC_FLUSH, ENDC_FLUSH, NXC_FLUSH].into_iter().find(|&control| poll == control + 8)
}

/// What a number is compared with, and which of its bits.
struct Compared {
    value: u32,
    mask: u32,
}

impl Compared {
    fn hits(&self, value: u32) -> bool {
        (value ^ self.value) & self.mask == 0
    }
}

/// What a flush reaches.
struct Hits {
    caches: Vec<Cache>,
    block: Compared,
    index: Compared,
}

fn flush_hits(control: u64, value: u64) -> Hits {
    let (name, mask) = ((value >> 32) as u32, value as u32);
    let field = |first, last| Compared { value: ibm32(name, first, last), mask: ibm32(mask, first, last) };
    // ESBs and EASs are named as sources are, ENDs and NXs as they are in an EAS and in an END.
    let narrow = matches!(control, ENDC_FLUSH | NXC_FLUSH);
    let (block, index) = if narrow { (field(4, 7), field(8, 31)) } else { (field(0, 3), field(4, 31)) };
    let spare = match control {
        ENDC_FLUSH => ibm32(name, 0, 3),
        NXC_FLUSH => ibm32(name, 0, 1),
        _ => 0,
    };
    assert_eq!(spare, 0, "XIVE: flush {value:#x} at {control:#x} has unknown bits");
    let caches = match control {
        ESBC_FLUSH => vec![],
        EASC_FLUSH => vec![Cache::Eas],
        ENDC_FLUSH => vec![Cache::End],
        _ => {
            let kind = field(2, 3);
            let only_1 = kind.hits(1) && kind.mask == 3;
            assert!(!only_1, "XIVE: flush {value:#x} of NXC type 1, which does not exist");
            [0, 2, 3].into_iter().filter(|&other| kind.hits(other)).map(|kind| nxc(kind.into())).collect()
        }
    };
    Hits { caches, block, index }
}
