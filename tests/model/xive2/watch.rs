//! Cache watches: four engines for ENDs and four for NVPs, NVGs and NVCs.

use super::ic::ENDC_WATCH;
use super::tables::{Cache, nxc, words};
use super::{State, ibm};
use opalite::hw::ram::Ram;

const ENGINES: u64 = 4;
const STRIDE: u64 = 0x40;
const DATA: u64 = 0x20;

/// An engine: what it watches, and the data registers that were loaded or stored since.
#[derive(Default)]
pub struct Watch {
    assigned: bool,
    spec: u64,
    data: [Option<u64>; 4],
}

/// The spec register of the engine that a register belongs to, and the data register if it is one.
fn engine(offset: u64) -> (u64, Option<usize>) {
    let (spec, inside) = (offset & !(STRIDE - 1), offset & (STRIDE - 1));
    match inside {
        0 => (spec, None),
        DATA.. if inside < DATA + 32 => (spec, Some(((inside - DATA) / 8) as usize)),
        _ => panic!("XIVE: unknown register {offset:#x} of a watch"),
    }
}

/// What a spec register names.
fn target(register: u64, spec: u64) -> (Cache, u8, u32) {
    let (block, index) = (ibm(spec, 28, 31) as u8, ibm(spec, 40, 63) as u32);
    let cache = match register & !0xFFF {
        page if page == ENDC_WATCH & !0xFFF => Cache::End,
        _ => nxc(ibm(spec, 26, 27)),
    };
    (cache, block, index)
}

impl<R: Ram + Clone + 'static> State<R> {
    fn watch(&mut self, register: u64) -> &mut Watch {
        self.ic.watches.entry(register).or_default()
    }

    /// A read of an assign register takes a free engine.
    pub(super) fn assign_watch(&mut self, first: u64) -> u64 {
        let free = (0..ENGINES).find(|engine| !self.watch(first + engine * STRIDE).assigned);
        let Some(engine) = free else { return 0xFF };
        self.watch(first + engine * STRIDE).assigned = true;
        engine
    }

    pub(super) fn watch_load(&mut self, offset: u64) -> u64 {
        let (register, data) = engine(offset);
        let Some(number) = data else {
            let watch = self.watch(register);
            watch.assigned = false;
            return watch.spec;
        };
        if number == 0 {
            let (cache, block, index) = target(register, self.watch(register).spec);
            let words = self.fetch(cache, block, index);
            let words = words.unwrap_or_else(|| panic!("XIVE: watch of absent {cache:?} {block}/{index:#x}"));
            for (slot, pair) in self.watch(register).data.iter_mut().zip(words.chunks(2)) {
                *slot = Some(u64::from(pair[0]) << 32 | u64::from(pair[1]));
            }
        }
        self.watch(register).data[number].unwrap_or_else(|| {
            panic!("XIVE: watch data {number} at {offset:#x} read before data 0 loaded it")
        })
    }

    pub(super) fn watch_store(&mut self, offset: u64, value: u64) {
        let (register, data) = engine(offset);
        let Some(number) = data else {
            let (cache, block, index) = target(register, value);
            let kind = if cache == Cache::End { 0 } else { ibm(value, 26, 27) };
            // QEMU takes b8: the watch looks for conflicts, as on POWER9.
            let full = value & 1 << 55;
            let known = full | kind << 36 | u64::from(block) << 32 | u64::from(index);
            assert_eq!(value, known, "XIVE: watch spec {value:#x} at {offset:#x} has unknown bits");
            let watch = self.watch(register);
            watch.spec = value;
            watch.data = [None; 4];
            return;
        };
        self.watch(register).data[number] = Some(value);
        if number != 0 {
            return;
        }
        if let Some(bits) = self.ic.conflicts.next() {
            self.watch(register).spec |= bits;
            return;
        }
        let (cache, block, index) = target(register, self.watch(register).spec);
        let mut structure = Vec::new();
        for number in 0..words(cache) / 2 {
            let value = self.watch(register).data[number].unwrap_or_else(|| {
                panic!("XIVE: {cache:?} watch committed while data {number} was neither loaded nor stored")
            });
            structure.extend([(value >> 32) as u32, value as u32]);
        }
        self.commit(cache, block, index, &structure);
    }
}
