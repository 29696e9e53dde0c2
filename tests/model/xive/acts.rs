//! Registers that act: scrubs and kills that take time, cache watches, the notify page's triggers and syncs.

use super::ic::{EQC_SCRUB, IVC_SCRUB, VALID, VPC_SCRUB};
use super::tables::{self, Cache};
use super::{State, ibm};
use opalite::hw::ram::Ram;

/// A cache watch: what is watched, and the data registers that were loaded or stored since.
#[derive(Default)]
pub struct Watch {
    pub spec: u64,
    pub data: [Option<u64>; 8],
}

/// An act that takes some reads of its register to complete; b0 reads back set meanwhile.
#[derive(Default)]
pub struct Slow {
    pub value: u64,
    pub polls: u32,
    pub mask: Option<u64>,
}

impl<R: Ram + Clone + 'static> State<R> {
    pub(super) fn slow_store(&mut self, offset: u64, value: u64) {
        let polls = self.ic.polls;
        let slow = self.ic.slow.entry(offset).or_default();
        assert!(slow.value & VALID == 0, "XIVE: register {offset:#x} written while its last act runs");
        assert!(
            value & VALID == 0 || slow.mask.is_some() || scrubbed(offset).is_none(),
            "XIVE: scrub at {offset:#x} before its mask register was ever written"
        );
        slow.value = value;
        slow.polls = polls;
        if polls == 0 {
            self.slow_done(offset);
        }
    }

    pub(super) fn slow_load(&mut self, offset: u64) -> u64 {
        let slow = self.ic.slow.entry(offset).or_default();
        if slow.value & VALID != 0 {
            if slow.polls > 0 {
                slow.polls -= 1;
                return slow.value;
            }
            self.slow_done(offset);
        }
        self.ic.slow[&offset].value
    }

    pub(super) fn slow_done(&mut self, offset: u64) {
        let Some(slow) = self.ic.slow.get_mut(&offset) else { return };
        let (value, mask) = (slow.value, slow.mask.unwrap_or(0));
        slow.value &= !VALID;
        if let Some(cache) = scrubbed(offset).filter(|_| value & VALID != 0) {
            let ((block, index), (block_mask, index_mask)) = (target(cache, value), target(cache, mask));
            self.scrub(cache, |b, i| (b ^ block) & block_mask == 0 && (i ^ index) & index_mask == 0);
        }
    }

    fn watch(&mut self, cache: Cache) -> &mut Watch {
        if cache == Cache::End { &mut self.ic.end_watch } else { &mut self.ic.nvt_watch }
    }

    pub(super) fn watch_load(&mut self, cache: Cache, register: u64) -> u64 {
        if register == 0 {
            let (block, index) = target(cache, self.watch(cache).spec);
            let words = self.fetch(cache, block, index);
            let words = words.unwrap_or_else(|| panic!("XIVE: watch of absent {cache:?} {block}/{index:#x}"));
            for (slot, pair) in self.watch(cache).data.iter_mut().zip(words.chunks(2)) {
                *slot = Some(u64::from(pair[0]) << 32 | u64::from(pair[1]));
            }
        }
        self.watch(cache).data[register as usize]
            .unwrap_or_else(|| panic!("XIVE: {cache:?} watch data {register} read before data 0 loaded it"))
    }

    pub(super) fn watch_store(&mut self, cache: Cache, register: u64, value: u64) {
        self.watch(cache).data[register as usize] = Some(value);
        if register != 0 {
            return;
        }
        if let Some(bits) = self.ic.conflicts.next() {
            self.watch(cache).spec |= bits;
            return;
        }
        let (block, index) = target(cache, self.watch(cache).spec);
        let mut words = Vec::new();
        for number in 0..tables::words(cache) / 2 {
            let value = self.watch(cache).data[number].unwrap_or_else(|| {
                panic!("XIVE: {cache:?} watch committed while data {number} was neither loaded nor stored")
            });
            words.extend([(value >> 32) as u32, value as u32]);
        }
        self.commit(cache, block, index, &words);
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
                for lisn in self.held.take().unwrap_or_default() {
                    self.route(lisn);
                }
                true
            }
            None => true,
        }
    }

    /// The notify page's stores: triggers and syncs.
    pub(super) fn notify_store(&mut self, offset: u64, value: u64) {
        match offset {
            0x000..=0x7FF if ibm(value, 0, 0) != 0 => {
                assert_eq!(ibm(value, 4, 7) as u8, self.block(), "XIVE: END trigger of another block");
                self.route_to_end(ibm(value, 4, 7) as u8, ibm(value, 8, 31) as u32, ibm(value, 33, 63) as u32)
            }
            0x000..=0x7FF if ibm(value, 1, 1) != 0 => self.route(value as u32),
            0x000..=0x7FF => self.trigger(value as u32),
            0xC00..=0xF80 if offset.is_multiple_of(0x80) => self.ic.sync_polls = Some(self.ic.polls),
            _ => panic!("XIVE: store to {offset:#x} of the notify page"),
        }
    }
}

/// The cache that a scrub register works on.
fn scrubbed(offset: u64) -> Option<Cache> {
    match offset {
        VPC_SCRUB => Some(Cache::Nvt),
        EQC_SCRUB => Some(Cache::End),
        IVC_SCRUB => Some(Cache::Eas),
        _ => None,
    }
}

/// Block and index in a watch spec or a scrub register.
fn target(cache: Cache, value: u64) -> (u8, u32) {
    match cache {
        Cache::Nvt => (ibm(value, 27, 31) as u8, ibm(value, 45, 63) as u32),
        Cache::End | Cache::Eas => (ibm(value, 28, 31) as u8, ibm(value, 40, 63) as u32),
    }
}
