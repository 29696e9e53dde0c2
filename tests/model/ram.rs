//! Memory as devices and firmware see it: real addresses, big-endian numbers, nothing but declared ranges.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opalite::hw::ram::Ram;

const PAGE: u64 = 4096;

/// A store that was made to a watched range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RamWrite {
    /// Where it began.
    pub address: u64,
    /// The bytes as they lie in memory.
    pub bytes: Vec<u8>,
}

#[derive(Default)]
struct State {
    ranges: Vec<Range<u64>>,
    pages: HashMap<u64, Box<[u8; PAGE as usize]>>,
    watched: Vec<Range<u64>>,
    writes: Vec<RamWrite>,
    /// For each of them, how many syncs came before.
    stamps: Vec<u64>,
    syncs: u64,
}

/// Sparse memory; clones are handles to the same bytes. Fresh memory reads zero.
#[derive(Clone, Default)]
pub struct ModelRam(Arc<Mutex<State>>);

impl ModelRam {
    /// Memory with one range of `length` bytes from `start`.
    pub fn new(start: u64, length: u64) -> Self {
        let ram = Self::default();
        ram.add_range(start, length);
        ram
    }

    /// Declares one more range; an access that is not wholly inside declared ranges panics.
    pub fn add_range(&self, start: u64, length: u64) {
        let end = start.checked_add(length).expect("memory range wraps");
        self.state().ranges.push(start..end);
    }

    /// Whether every byte exists.
    pub fn contains(&self, address: u64, length: u64) -> bool {
        self.state().contains(address, length)
    }

    /// Records stores that touch this range from now on.
    pub fn watch(&self, start: u64, length: u64) {
        self.state().watched.push(start..start + length);
    }

    /// Stores into watched ranges so far, in order.
    pub fn writes(&self) -> Vec<RamWrite> {
        self.state().writes.clone()
    }

    /// The same, and forgets them.
    pub fn take_writes(&self) -> Vec<RamWrite> {
        let mut state = self.state();
        state.stamps.clear();
        std::mem::take(&mut state.writes)
    }

    /// For each of [`Self::writes`], how many times `sync` had been called before.
    pub fn write_stamps(&self) -> Vec<u64> {
        self.state().stamps.clone()
    }

    /// How many times `sync` was called.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Copies bytes out, for a test's own eyes.
    pub fn bytes(&self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.load(address, &mut bytes);
        bytes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load(&self, address: u64, into: &mut [u8]) {
        let state = self.state();
        state.check("load", address, into.len() as u64);
        for (page, inside, span) in chunks(address, into.len()) {
            match state.pages.get(&page) {
                Some(page) => into[span].copy_from_slice(&page[inside]),
                None => into[span].fill(0),
            }
        }
    }

    fn store(&self, address: u64, from: &[u8]) {
        let mut state = self.state();
        let length = from.len() as u64;
        state.check("store", address, length);
        for (page, inside, span) in chunks(address, from.len()) {
            let page = state.pages.entry(page).or_insert_with(|| Box::new([0; PAGE as usize]));
            page[inside].copy_from_slice(&from[span]);
        }
        if state.watched.iter().any(|range| address < range.end && address + length > range.start) {
            state.writes.push(RamWrite { address, bytes: from.to_vec() });
            let syncs = state.syncs;
            state.stamps.push(syncs);
        }
    }

    fn load_aligned<const N: usize>(&self, address: u64) -> [u8; N] {
        aligned("load", address, N as u64);
        let mut bytes = [0; N];
        self.load(address, &mut bytes);
        bytes
    }

    fn store_aligned<const N: usize>(&self, address: u64, bytes: [u8; N]) {
        aligned("store", address, N as u64);
        self.store(address, &bytes);
    }
}

impl State {
    /// Ranges that touch each other count as one.
    fn contains(&self, address: u64, length: u64) -> bool {
        let Some(end) = address.checked_add(length) else { return false };
        let mut at = address;
        while at < end {
            let Some(range) = self.ranges.iter().find(|range| range.contains(&at)) else { return false };
            at = range.end;
        }
        true
    }

    fn check(&self, what: &str, address: u64, length: u64) {
        assert!(
            self.contains(address, length),
            "memory: {what} of {length} bytes at {address:#x}, outside the declared ranges {:x?}",
            self.ranges
        );
    }
}

/// Cuts an access at page borders: the page's number, the bytes inside it, the bytes of the access.
fn chunks(address: u64, length: usize) -> impl Iterator<Item = (u64, Range<usize>, Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = address + done as u64;
        let offset = (at % PAGE) as usize;
        let step = (PAGE as usize - offset).min(length - done);
        done += step;
        (step > 0).then(|| (at / PAGE, offset..offset + step, done - step..done))
    })
}

fn aligned(what: &str, address: u64, width: u64) {
    assert!(address.is_multiple_of(width), "memory: misaligned {width}-byte {what} at {address:#x}");
}

impl Ram for ModelRam {
    fn read8(&self, address: u64) -> u8 {
        u8::from_be_bytes(self.load_aligned(address))
    }
    fn read16(&self, address: u64) -> u16 {
        u16::from_be_bytes(self.load_aligned(address))
    }
    fn read32(&self, address: u64) -> u32 {
        u32::from_be_bytes(self.load_aligned(address))
    }
    fn read64(&self, address: u64) -> u64 {
        u64::from_be_bytes(self.load_aligned(address))
    }
    fn write8(&self, address: u64, value: u8) {
        self.store_aligned(address, value.to_be_bytes());
    }
    fn write16(&self, address: u64, value: u16) {
        self.store_aligned(address, value.to_be_bytes());
    }
    fn write32(&self, address: u64, value: u32) {
        self.store_aligned(address, value.to_be_bytes());
    }
    fn write64(&self, address: u64, value: u64) {
        self.store_aligned(address, value.to_be_bytes());
    }
    fn zero(&self, address: u64, length: u64) {
        aligned("zero", address, 8);
        aligned("zero length", length, 8);
        self.store(address, &vec![0; length as usize]);
    }
    fn read_bytes(&self, address: u64, into: &mut [u8]) {
        self.load(address, into);
    }
    fn write_bytes(&self, address: u64, from: &[u8]) {
        self.store(address, from);
    }
    fn sync(&self) {
        self.state().syncs += 1;
    }
}
