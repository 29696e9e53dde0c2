//! The XIVE model judged by hand-computed values: the reference's minimal sequence (6.2), then each behaviour.

#[path = "model/psi.rs"]
mod psi;
#[path = "model/xive.rs"]
mod xive;

use opalite::hw::mmio::Mmio;
use opalite::hw::ram::Ram;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use xive::{Access, Lost, Place, Xive};

/// 64 MiB from address 0, pages made when touched.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<BTreeMap<u64, u8>>>);

impl Memory {
    fn get(&self, address: u64, size: u64) -> u64 {
        assert!(address.is_multiple_of(size) && address < 64 << 20, "no RAM at {address:#x}");
        let bytes = self.0.lock().unwrap();
        (address..address + size).fold(0, |v, a| v << 8 | u64::from(bytes.get(&a).copied().unwrap_or(0)))
    }
    fn put(&self, address: u64, size: u64, value: u64) {
        assert!(address.is_multiple_of(size) && address < 64 << 20, "no RAM at {address:#x}");
        let mut bytes = self.0.lock().unwrap();
        for n in 0..size {
            bytes.insert(address + n, (value >> (8 * (size - 1 - n))) as u8);
        }
    }
}

impl Ram for Memory {
    fn read8(&self, address: u64) -> u8 {
        self.get(address, 1) as u8
    }
    fn read16(&self, address: u64) -> u16 {
        self.get(address, 2) as u16
    }
    fn read32(&self, address: u64) -> u32 {
        self.get(address, 4) as u32
    }
    fn read64(&self, address: u64) -> u64 {
        self.get(address, 8)
    }
    fn write8(&self, address: u64, value: u8) {
        self.put(address, 1, value.into());
    }
    fn write16(&self, address: u64, value: u16) {
        self.put(address, 2, value.into());
    }
    fn write32(&self, address: u64, value: u32) {
        self.put(address, 4, value.into());
    }
    fn write64(&self, address: u64, value: u64) {
        self.put(address, 8, value);
    }
    fn zero(&self, address: u64, length: u64) {
        (0..length).for_each(|n| self.put(address + n, 1, 0));
    }
    fn read_bytes(&self, address: u64, into: &mut [u8]) {
        into.iter_mut().zip(address..).for_each(|(byte, a)| *byte = self.get(a, 1) as u8);
    }
    fn write_bytes(&self, address: u64, from: &[u8]) {
        from.iter().zip(address..).for_each(|(&byte, a)| self.put(a, 1, byte.into()));
    }
    fn sync(&self) {}
}

const IC: u64 = 0x0006_0302_0310_0000;
const TM: u64 = 0x0006_0302_0318_0000;
const VC: u64 = 0x0006_0100_0000_0000;
/// Sets 0–47 of 8 GiB are IPI.
const END_ESB: u64 = VC + 48 * 0x2_0000_0000;

const EAT: u64 = 0x10_0000;
const SBE: u64 = 0x20_0000;
const END: u64 = 0x30_0000;
const NVT: u64 = 0x40_0000;
const QUEUE: u64 = 0x50_0000;
const QUEUE2: u64 = 0x51_0000;

const PIR: u32 = 0x04;
const LISN: u32 = 0x21;

struct Machine {
    ram: Memory,
    xive: Xive<Memory>,
}

impl Machine {
    fn bare() -> Self {
        let ram = Memory::default();
        Self { xive: Xive::new(ram.clone(), 0, &[0x04, 0x05, 0x48]), ram }
    }

    fn store(&self, address: u64, value: u64) {
        self.xive.window(address).write64(0, value);
    }
    fn load(&self, address: u64) -> u64 {
        self.xive.window(address).read64(0)
    }
    fn hv8(&self, offset: u64, value: u8) {
        self.xive.window(TM + 0x1_0000).write8(offset, value);
    }
    fn ack(&self) -> u16 {
        self.xive.window(TM + 0x1_0000).read16(0x830)
    }

    fn bars(&self) {
        let scom = |register: u64, value| self.xive.scom_write(0x501_3000 + register, value);
        scom(0x10, 0xC006_0302_0310_0000);
        scom(0x12, 0xC006_0302_0318_0000);
        scom(0x17, 0x0000_0030_0000_0000);
        scom(0x16, 0x8006_0180_0000_0000);
        scom(0x19, 0x0000_0780_0000_0000);
        scom(0x18, 0x8006_0100_0000_0000);
        scom(0x20, 0x0600_0200_0000_0000);
    }

    fn edt(&self) {
        self.store(IC + 0xF0, 0x8001_0000_0000_0000);
        for index in 0..64_u64 {
            let kind = if index < 48 { 1 } else { 2 };
            self.store(IC + 0xF8, kind << 62 | index << 32);
        }
    }

    fn vsd(&self, kind: u64, vsd: u64) {
        self.store(IC + 0x808, kind << 48);
        self.store(IC + 0x810, vsd);
    }

    /// The reference's "Minimal sequence (verified)" on thread 4, source 0x21 to END 3, priority 7.
    fn up() -> Self {
        let m = Self::bare();
        m.bars();
        m.edt();
        m.vsd(0, 1 << 63 | EAT | 4);
        m.vsd(1, 1 << 63 | SBE | 4);
        m.vsd(2, 1 << 63 | END | 4);
        m.vsd(3, 1 << 63 | NVT | 4);
        m.ram.write32(NVT + 0x84 * 64, 0x8000_0000);
        m.end(3, [0xE004_0000, 0x0040_0000, 0, QUEUE as u32, 0, 0, 0x84, 7 << 16]);
        m.store(IC + 0x448, 0x0800_0000_0000_0000);
        m.hv8(0x38, 0x80);
        m.hv8(0x31, 0xFF);
        m.eas(LISN, 0x8000_0003_0000_1234);
        assert_eq!(m.xive.esb_load(LISN, 0xC00), 1);
        m
    }

    fn end(&self, index: u64, words: [u32; 8]) {
        for (n, word) in words.into_iter().enumerate() {
            self.ram.write32(END + index * 32 + n as u64 * 4, word);
        }
    }
    fn eas(&self, index: u32, eas: u64) {
        self.ram.write64(EAT + u64::from(index) * 8, eas);
    }
    fn eoi(&self, lisn: u32) -> u64 {
        self.xive.esb_load(lisn, 0)
    }
    fn scrub(&self, register: u64, value: u64) -> u32 {
        self.store(IC + register + 8, 0x0000_001F_FFFF_FFFF);
        self.store(IC + register, 1 << 63 | value);
        (0..).find(|_| self.load(IC + register) >> 63 == 0).unwrap()
    }
}

/// The message of the panic that `act` must end in.
fn failure<T>(act: impl FnOnce() -> T) -> String {
    let Err(error) = catch_unwind(AssertUnwindSafe(act)) else { panic!("the model accepted it") };
    match error.downcast_ref::<String>() {
        Some(text) => text.clone(),
        None => (*error.downcast_ref::<&str>().unwrap()).to_string(),
    }
}

#[test]
fn minimal_sequence_delivers_an_interrupt() {
    let m = Machine::up();
    let trigger_page = m.xive.window(VC + (0x21 << 17));
    trigger_page.write64(0, 0);
    assert_eq!(m.xive.pq(LISN), 0b10);
    assert_eq!(
        m.ram.read32(QUEUE),
        0x8000_1234,
        "generation 0x00400000 is 1: its bit is in front of the data"
    );
    assert_eq!(m.xive.end(0, 3).unwrap()[1], 0x0040_0001);
    assert!(m.xive.hv_interrupt(PIR) && !m.xive.hv_interrupt(5));
    assert_eq!(&m.xive.rings(PIR)[0x30..0x39], &[0x80, 0xFF, 0x01, 0, 0, 0, 0, 7, 0x80]);
    assert_eq!(m.ack(), 0x8007);
    assert_eq!(&m.xive.rings(PIR)[0x30..0x38], &[0, 7, 0, 0, 0, 0, 0, 0xFF]);
    assert_eq!(m.ack(), 0x0007, "nothing pending: NSR 0, CPPR as it is");
    assert!(!m.xive.hv_interrupt(PIR));
    // The same through the management page: a second trigger queues, the EOI sends it again.
    let management = m.xive.window(VC + (0x21 << 17) + 0x1_0000);
    m.hv8(0x31, 0xFF);
    trigger_page.write64(0x40, 0);
    assert_eq!(management.read64(0x800), 0b11);
    assert_eq!(management.read64(0), 1);
    assert_eq!(m.ram.read32(QUEUE + 4), 0x8000_1234);
    assert_eq!(m.ack(), 0x8007);
    assert_eq!(management.read64(0), 0);
    assert_eq!(management.read64(0xD00), 0);
    trigger_page.write64(0, 0);
    assert_eq!(m.ram.read32(QUEUE + 8), 0, "off: the trigger vanishes");
    assert_eq!(m.xive.lost(), []);
}

#[test]
fn cppr_holds_a_less_favoured_priority_back() {
    let m = Machine::up();
    m.hv8(0x31, 7);
    m.xive.trigger(LISN);
    assert!(!m.xive.hv_interrupt(PIR), "7 is not more favoured than 7");
    m.hv8(0x31, 0xFF);
    assert!(m.xive.hv_interrupt(PIR));
    assert_eq!(m.ack(), 0x8007);
}

#[test]
fn cppr_above_seven_is_ff() {
    let m = Machine::up();
    m.hv8(0x31, 0x20);
    assert_eq!(m.xive.rings(PIR)[0x31], 0xFF);
}

#[test]
fn thread_without_valid_context_or_enable_gets_nothing() {
    let m = Machine::up();
    m.hv8(0x38, 0);
    m.xive.notify(LISN);
    m.hv8(0x38, 0x80);
    m.store(IC + 0x450, 0x0800_0000_0000_0000);
    m.xive.notify(LISN);
    assert_eq!(m.xive.lost(), [Lost::NotDispatched { block: 0, index: 0x84 }; 2]);
    assert!(!m.xive.hv_interrupt(PIR));
}

#[test]
fn block_override_renames_the_chip() {
    let m = Machine::up();
    // b9, and 2 in b12:15.
    m.store(IC + 0x400, 0x0042_0000_0000_0000);
    assert_eq!(m.xive.pq(0x2000_0021), 0);
    assert!(failure(|| m.xive.pq(0x21)).contains("another block"));
}

#[test]
fn esb_pages_continue_over_sets_of_their_kind() {
    let m = Machine::up();
    // A set of 8 GiB holds 0x10000 pairs of pages.
    assert_eq!(m.load(VC + (0x1_0005 << 17) + 0x1_0C00), 1);
    assert_eq!(m.xive.pq(0x1_0005), 0);
    // Set 0 END, set 1 unused, the rest IPI: source 0x10005 is in set 3.
    m.store(IC + 0xF0, 0x8001_0000_0000_0000);
    for kind in [2, 0].into_iter().chain([1; 62]) {
        m.store(IC + 0xF8, kind << 62);
    }
    assert_eq!(m.load(VC + (0x3_0005 << 17) + 0x1_0800), 0);
    assert_eq!(m.load(VC + (3 << 17) + 0x800), 0, "ESn of END 3");
    assert!(failure(|| m.load(VC + (0x1_0005 << 17) + 0x1_0800)).contains("unused set 1"));
}

#[test]
fn end_queue_wraps_and_flips_its_generation() {
    let m = Machine::up();
    // Last entry (0x3FF) of a 4 KiB queue, generation 1.
    m.end(3, [0xE000_0000, 0x0040_03FF, 0, QUEUE as u32, 0, 0, 0x84, 7 << 16]);
    m.xive.trigger(LISN);
    assert_eq!(m.ram.read32(QUEUE + 0xFFC), 0x8000_1234);
    assert_eq!(m.xive.end(0, 3).unwrap()[1], 0);
    m.eoi(LISN);
    m.xive.trigger(LISN);
    assert_eq!(m.ram.read32(QUEUE), 0x0000_1234);
    assert_eq!(m.xive.end(0, 3).unwrap()[1], 1);
}

#[test]
fn caches_hide_memory_until_scrubbed() {
    let m = Machine::up();
    m.xive.trigger(LISN);
    m.eoi(LISN);
    // EAS: the old data goes on until the IVC scrub completes, two busy reads later.
    m.eas(LISN, 0x8000_0003_0000_0055);
    m.xive.trigger(LISN);
    m.eoi(LISN);
    assert_eq!(m.ram.read32(QUEUE + 4), 0x8000_1234);
    assert_eq!(m.scrub(0x990, 0x21), 2);
    m.xive.trigger(LISN);
    m.eoi(LISN);
    assert_eq!(m.ram.read32(QUEUE + 8), 0x8000_0055);
    // END: index 3 is in the cache only; a scrub of another END leaves it there, its own writes it back.
    assert_eq!(m.ram.read32(END + 3 * 32 + 4), 0x0040_0000);
    m.scrub(0x910, 4);
    assert_eq!(m.ram.read32(END + 3 * 32 + 4), 0x0040_0000);
    m.scrub(0x910, 3);
    assert_eq!(m.ram.read32(END + 3 * 32 + 4), 0x0040_0003);
    m.ram.write32(END + 3 * 32 + 12, QUEUE2 as u32);
    m.xive.trigger(LISN);
    assert_eq!(m.ram.read32(QUEUE2 + 12), 0x8000_0055);
    m.eoi(LISN);
    // NVT: invalid in memory, still valid in the cache.
    m.ram.write32(NVT + 0x84 * 64, 0);
    m.xive.trigger(LISN);
    m.eoi(LISN);
    assert_eq!(m.xive.lost(), []);
    m.scrub(0x710, 0x84);
    m.xive.trigger(LISN);
    assert_eq!(m.xive.lost(), [Lost::NoNvt { block: 0, index: 0x84 }]);
}

#[test]
fn a_dirty_end_overwrites_what_was_stored_behind_its_back() {
    let m = Machine::up();
    m.xive.trigger(LISN);
    m.ram.write32(END + 3 * 32 + 12, QUEUE2 as u32);
    m.scrub(0x910, 3);
    assert_eq!(m.ram.read32(END + 3 * 32 + 12), QUEUE as u32);
}

#[test]
fn without_caches_memory_is_what_counts() {
    let m = Machine::up();
    m.xive.set_caches(false);
    m.xive.trigger(LISN);
    m.eoi(LISN);
    assert_eq!(m.ram.read32(END + 3 * 32 + 4), 0x0040_0001);
    m.eas(LISN, 0x8000_0003_0000_0055);
    m.xive.trigger(LISN);
    assert_eq!(m.ram.read32(QUEUE + 4), 0x8000_0055);
}

#[test]
fn a_scrub_that_nobody_waits_for_does_nothing_yet() {
    let m = Machine::up();
    m.xive.trigger(LISN);
    m.store(IC + 0x918, 0xFFFF_FFFF_FFFF_FFFF);
    m.store(IC + 0x910, 1 << 63 | 3);
    assert_eq!(m.ram.read32(END + 3 * 32 + 4), 0x0040_0000);
    assert!(failure(|| m.store(IC + 0x910, 1 << 63 | 4)).contains("while its last act runs"));
    let fresh = Machine::up();
    assert!(failure(|| fresh.store(IC + 0x910, 1 << 63)).contains("before its mask"));
    fresh.xive.set_polls(0);
    assert_eq!(fresh.scrub(0x910, 3), 0);
}

#[test]
fn end_watch_loads_by_data_0_and_commits_by_data_0() {
    let m = Machine::up();
    m.xive.trigger(LISN);
    m.eoi(LISN);
    m.store(IC + 0x928, 3);
    assert!(failure(|| m.load(IC + 0x938)).contains("before data 0"));
    assert_eq!(m.load(IC + 0x930), 0xE004_0000_0040_0001, "the cached index, not memory's");
    assert_eq!(m.load(IC + 0x938), 0x0000_0000_0050_0000);
    assert_eq!(m.load(IC + 0x948), 0x0000_0084_0007_0000);
    m.store(IC + 0x948, 0x0000_0084_0005_0000);
    assert_eq!(m.ram.read32(END + 3 * 32 + 28), 0x0007_0000);
    m.store(IC + 0x930, 0xE004_0000_0040_0001);
    assert_eq!(m.ram.read32(END + 3 * 32 + 28), 0x0005_0000);
    assert_eq!(m.ram.read32(END + 3 * 32 + 4), 0x0040_0001);
    m.xive.trigger(LISN);
    assert_eq!(m.ack(), 0x8005);
    // Without a load all four words must be stored.
    m.store(IC + 0x928, 4);
    m.store(IC + 0x938, 0);
    assert!(failure(|| m.store(IC + 0x930, 0)).contains("data 2 was neither"));
}

#[test]
fn nvt_watch_covers_eight_words_and_a_conflict_loses_it() {
    let m = Machine::up();
    let commit = |value| {
        m.store(IC + 0x738, 0x85);
        for n in (0..8).rev() {
            m.store(IC + 0x740 + n * 8, if n == 0 { value } else { n });
        }
    };
    m.xive.conflict_next_watch(1 << 55);
    commit(0x8000_0000_0000_0000);
    assert_eq!(m.load(IC + 0x738), 1 << 55 | 0x85);
    assert_eq!(m.xive.nvt(0, 0x85).unwrap(), [0; 16]);
    commit(0x8000_0000_0000_0000);
    assert_eq!(m.load(IC + 0x738), 0x85);
    assert_eq!(m.ram.read64(NVT + 0x85 * 64), 1 << 63);
    assert_eq!(m.ram.read64(NVT + 0x85 * 64 + 56), 7);
}

#[test]
fn syncs_take_polls_and_read_done_in_five_bits() {
    let m = Machine::up();
    m.store(IC + 0x920, 0x0180_0000);
    assert_eq!(m.load(IC + 0x920), 0xF980_0000);
    for offset in [0xD00, 0xD80, 0xE00, 0xC00, 0xC80] {
        m.store(IC + 0x1_0000 + offset, 0);
        assert_eq!(m.load(IC + 0x920), 0x0180_0000);
        assert_eq!(m.load(IC + 0x920), 0x0180_0000);
        assert_eq!(m.load(IC + 0x920), 0xF980_0000);
    }
    assert!(failure(|| m.store(IC + 0x1_0800, 0)).contains("notify page"));
}

#[test]
fn held_events_arrive_when_a_sync_completes() {
    let m = Machine::up();
    m.xive.hold_events();
    m.xive.trigger(LISN);
    assert_eq!(m.load(IC + 0x920), 0xF800_0000, "no sync was asked for");
    m.store(IC + 0x1_0C00, 0);
    assert_eq!((m.load(IC + 0x920), m.load(IC + 0x920)), (0, 0));
    assert_eq!(m.ram.read32(QUEUE), 0);
    assert_eq!(m.load(IC + 0x920), 0xF800_0000);
    assert_eq!(m.ram.read32(QUEUE), 0x8000_1234);
    m.eoi(LISN);
    m.xive.trigger(LISN);
    assert_eq!(m.ram.read32(QUEUE + 4), 0x8000_1234, "no longer held");
}

#[test]
fn notify_page_takes_checked_and_unchecked_events() {
    let m = Machine::up();
    m.xive.esb_load(LISN, 0xD00);
    let notify = |value| m.store(IC + 0x1_0230, value);
    notify(0x21);
    assert_eq!(m.ram.read32(QUEUE), 0, "not checked: the IC's own PQ says off");
    notify(1 << 62 | 0x21);
    assert_eq!(m.ram.read32(QUEUE), 0x8000_1234);
    notify(1 << 63 | 3 << 32 | 0x77);
    assert_eq!(m.ram.read32(QUEUE + 4), 0x8000_0077, "an END trigger carries its own data");
    m.xive.notify(0x22);
    assert_eq!(m.xive.lost(), [Lost::EasInvalid { lisn: 0x22 }]);
}

#[test]
fn masks_and_missing_entries_are_told_apart() {
    let m = Machine::up();
    for (index, eas) in [
        (0x30, 0x8000_0003_8000_0001),
        (0x31, 0x8000_0007_0000_0001),
        (0x32, 0x8000_FFFF_0000_0001),
        (0x33, 0x8000_0008_0000_0001),
    ] {
        m.eas(index, eas);
        m.xive.notify(index);
    }
    m.end(9, [0xE000_0000, 0x0040_0000, 0, QUEUE2 as u32, 0, 0, 0x84, 0xFF << 16]);
    m.eas(0x34, 0x8000_0009_0000_0001);
    m.xive.notify(0x34);
    m.xive.notify(0x2000);
    assert_eq!(
        m.xive.lost(),
        [
            Lost::EasMasked { lisn: 0x30 },
            Lost::EndInvalid { block: 0, index: 7 },
            Lost::NoEnd { block: 0, index: 0xFFFF },
            Lost::EndInvalid { block: 0, index: 8 },
            Lost::EndMasked { block: 0, index: 9 },
            Lost::NoEas { lisn: 0x2000 },
        ]
    );
    assert_eq!(m.ram.read32(QUEUE2), 0x8000_0001, "a masked END still queues");
}

#[test]
fn conditional_end_coalesces_in_esn_until_its_esb_is_read() {
    let m = Machine::up();
    // No unconditional notify (b2); ESn starts at 00.
    m.end(3, [0xC000_0000, 0x0040_0000, 0, QUEUE as u32, 0, 0, 0x84, 7 << 16]);
    m.xive.trigger(LISN);
    assert_eq!(m.xive.end(0, 3).unwrap()[1], 0x8040_0001);
    assert_eq!(m.ack(), 0x8007);
    m.hv8(0x31, 0xFF);
    m.eoi(LISN);
    m.xive.trigger(LISN);
    assert_eq!(m.xive.end(0, 3).unwrap()[1], 0xC040_0002);
    assert_eq!(m.xive.lost(), [Lost::EndCoalesced { block: 0, index: 3 }]);
    assert!(!m.xive.hv_interrupt(PIR));
    let esn = m.xive.window(END_ESB + (3 << 17));
    assert_eq!(esn.read64(0x800), 3);
    assert_eq!(esn.read64(0), 1, "EOI sends the queued notification");
    assert_eq!(m.ack(), 0x8007);
    assert_eq!(esn.read64(0xC00), 2);
    assert_eq!(m.xive.end(0, 3).unwrap()[1], 0x0040_0002);
    assert!(failure(|| esn.write64(0, 0)).contains("END ESB"));
}

/// END 5 targets NVT 0x500, which no thread holds, with END 3 as its escalation (data 0x99).
fn escalating(w0: u32, w1: u32) -> Machine {
    let m = Machine::up();
    m.ram.write32(NVT + 0x100 * 64, 0x8000_0000);
    m.end(5, [w0, w1, 0, QUEUE2 as u32, 3, 0x99, 0x100, 6 << 16]);
    m.eas(0x40, 0x8000_0005_0000_0042);
    m
}

#[test]
fn undispatched_event_escalates_through_ese() {
    // Valid, enqueue, unconditional notify, escalate; ESe 00.
    let m = escalating(0xE400_0000, 0x0040_0000);
    m.xive.notify(0x40);
    assert_eq!(m.ram.read32(QUEUE2), 0x8000_0042);
    assert_eq!(m.ram.read32(QUEUE), 0x8000_0099);
    assert_eq!(m.ack(), 0x8007);
    assert_eq!(m.xive.end(0, 5).unwrap()[1], 0x2040_0001);
    m.xive.notify(0x40);
    assert_eq!(m.xive.end(0, 5).unwrap()[1], 0x3040_0002);
    assert_eq!(m.xive.lost(), [Lost::EscalationCoalesced { block: 0, index: 5 }]);
    let ese = m.xive.window(END_ESB + (5 << 17) + 0x1_0000);
    assert_eq!(ese.read64(0), 1);
    assert_eq!(m.ram.read32(QUEUE + 4), 0x8000_0099);
    assert_eq!(m.xive.end(0, 5).unwrap()[1], 0x2040_0002);
}

#[test]
fn silent_and_unconditional_escalations_skip_their_checks() {
    // Silent (b7), escalate unconditionally (b6): ESe 01 would stop it otherwise.
    let m = escalating(0xC300_0000, 0x1040_0000);
    m.xive.notify(0x40);
    m.xive.notify(0x40);
    assert_eq!(m.ram.read32(QUEUE + 4), 0x8000_0099);
    let off = escalating(0xC500_0000, 0x1040_0000);
    off.xive.notify(0x40);
    assert_eq!(off.ram.read32(QUEUE), 0);
    assert_eq!(off.xive.lost(), [Lost::EscalationCoalesced { block: 0, index: 5 }]);
    let nowhere = escalating(0xE000_0000, 0x0040_0000);
    nowhere.xive.notify(0x40);
    assert_eq!(nowhere.xive.lost(), [Lost::NotDispatched { block: 0, index: 0x100 }]);
}

#[test]
fn os_context_takes_its_backlog_when_pushed() {
    // Valid, enqueue, unconditional notify, backlog.
    let m = escalating(0xF000_0000, 0x0040_0000);
    m.xive.notify(0x40);
    assert_eq!(m.xive.nvt(0, 0x100).unwrap()[4], 0x0000_0200, "priority 6 is 0x02 of b16:23");
    let hv = m.xive.window(TM + 0x1_0000);
    let os = m.xive.window(TM + 0x2_0000);
    os.write8(0x11, 0xFF);
    assert!(!m.xive.os_interrupt(PIR));
    hv.write32(0x18, 0x8000_0100);
    assert!(m.xive.os_interrupt(PIR));
    assert_eq!(m.xive.nvt(0, 0x100).unwrap()[4], 0);
    assert_eq!(os.read16(0x810), 0x8006);
    os.write8(0x11, 0xFF);
    m.xive.notify(0x40);
    assert!(m.xive.os_interrupt(PIR) && !m.xive.hv_interrupt(PIR));
    assert_eq!(os.read16(0x810), 0x8006);
    os.write8(0x812, 2);
    assert_eq!(os.read16(0x810), 0x8002);
    assert_eq!(hv.read64(0x818), 0x8000_0100_0000_0000);
    assert_eq!(hv.read32(0x818), 0x0000_0100);
    assert!(m.xive.lost().is_empty());
}

#[test]
fn pool_event_interrupts_through_the_physical_ring() {
    let m = escalating(0xE000_0000, 0x0040_0000);
    let hv = m.xive.window(TM + 0x1_0000);
    hv.write32(0x28, 0x8000_0100);
    m.xive.notify(0x40);
    assert_eq!(m.ack(), 0x4006, "NSR 01: pool; CPPR becomes its priority");
    m.hv8(0x31, 0xFF);
    m.xive.notify(0x40);
    m.xive.trigger(LISN);
    assert_eq!(m.ack(), 0x4006);
    assert_eq!(m.ack(), 0x0006, "7 waits behind 6");
    m.hv8(0x31, 0xFF);
    assert_eq!(m.ack(), 0x8007);
    m.hv8(0x31, 0xFF);
    m.scrub(0x910, 3);
    m.end(3, [0xE000_0000, 0x0040_0000, 0, QUEUE as u32, 0, 0, 0x84, 6 << 16]);
    m.xive.notify(0x40);
    m.xive.notify(LISN);
    assert_eq!((m.ack(), m.xive.rings(PIR)[0x22]), (0x8006, 0x02), "physical before pool at one priority");
    assert_eq!(hv.read32(0x828), 0x8000_0100);
    assert_eq!(hv.read8(0x838), 0x80);
    assert_eq!(hv.read8(0x38), 0);
}

#[test]
fn tima_knows_only_its_operations() {
    let m = Machine::up();
    let hv = m.xive.window(TM + 0x1_0000);
    assert_eq!(hv.read64(0x30), 0x00FF_0000_0000_00FF);
    assert_eq!(m.xive.window(TM).read8(0x38), 0x80, "an HV operation through the HW page");
    let os = m.xive.window(TM + 0x2_0000);
    for act in [
        Box::new(|| hv.write16(0x31 & !1, 0)) as Box<dyn Fn()>,
        Box::new(|| {
            hv.read32(0x830);
        }),
        Box::new(|| {
            hv.read32(0x00);
        }),
        Box::new(|| {
            os.read16(0x830);
        }),
        Box::new(|| os.write8(0x31, 0)),
        Box::new(|| {
            os.read32(0x30);
        }),
        Box::new(|| {
            m.xive.window(TM + 0x3_0000).read32(0x10);
        }),
        Box::new(|| {
            m.xive.window_of(5, TM + 0x1_0000).read8(0x38);
        }),
    ] {
        failure(act);
    }
}

#[test]
fn indirect_tima_reaches_an_enabled_thread() {
    let m = Machine::up();
    let page = m.xive.window(IC + 0x5_0000);
    assert!(failure(|| page.write8(0x38, 0x80)).contains("TCTXT_INDIR0"));
    m.store(IC + 0x420, 0x8048_0000_0000_0000);
    assert!(failure(|| page.write8(0x38, 0x80)).contains("not enabled"));
    m.store(IC + 0x468, 0x0080_0000_0000_0000);
    assert!(m.xive.thread_enabled(0x48) && !m.xive.thread_enabled(0x08));
    page.write8(0x38, 0x80);
    assert_eq!(m.xive.rings(0x48)[0x38], 0x80);
    assert_eq!(m.xive.rings(PIR)[0x38], 0x80);
    assert_eq!(m.load(IC + 0x460), 0x0080_0000_0000_0000);
    m.store(IC + 0x470, 0x0080_0000_0000_0000);
    assert_eq!(m.load(IC + 0x460), 0);
    let last = *m.xive.writes().iter().rev().nth(1).unwrap();
    assert_eq!(
        last,
        Access { place: Place::IndirectTima { pir: 0x48 }, offset: 0x1_0038, size: 1, value: 0x80 }
    );
}

#[test]
fn windows_exist_only_when_everything_was_programmed() {
    let m = Machine::bare();
    assert!(failure(|| m.load(IC + 0x800)).contains("machine check"));
    m.bars();
    let esb = VC + (0x21 << 17) + 0x1_0800;
    assert!(failure(|| m.load(esb)).contains("EDT"));
    m.store(IC + 0xF0, 0x8001_0000_0000_0000);
    for _ in 0..63 {
        m.store(IC + 0xF8, 1 << 62);
    }
    assert!(failure(|| m.load(esb)).contains("EDT"));
    m.store(IC + 0xF8, 2 << 62);
    assert!(failure(|| m.store(IC + 0xF8, 2 << 62)).contains("beyond entry 63"));
    assert!(failure(|| m.load(esb)).contains("SBE VSD is missing"));
    // 4 KiB of SBE: 16384 sources.
    m.vsd(1, 1 << 63 | SBE);
    assert_eq!(m.load(esb), 1, "reset state: off");
    assert_eq!(m.load(VC + (0x3FFF << 17) + 0x1_0800), 1);
    assert!(failure(|| m.load(VC + (0x4000 << 17) + 0x1_0800)).contains("its table holds 0x4000"));
    assert!(failure(|| m.load(VC + 63 * 0x2_0000_0000 + 0x800)).contains("END VSD is missing"));
    assert!(failure(|| m.load(VC + 0x80_0000_0000)).contains("machine check"));
    assert!(failure(|| m.load(IC + 0x2_0000)).contains("IC page 2"));
}

#[test]
fn page_shift_follows_pbi_ctl() {
    let m = Machine::up();
    m.store(IC + 0x100, 0x0000_0200_0000_0000);
    assert_eq!(m.load(VC + (0x21 << 13) + 0x1800), 0);
    assert_eq!(m.load(VC + (0x20 << 13) + 0x1800), 1);
}

#[test]
fn bars_want_masks_alignment_and_no_moves() {
    let m = Machine::bare();
    assert!(
        failure(|| m.xive.scom_write(0x501_3018, 0x8006_0100_0000_0000)).contains("before its size mask")
    );
    m.bars();
    m.xive.scom_write(0x501_3010, 0xC006_0302_0310_0000);
    assert!(failure(|| m.xive.scom_write(0x501_3010, 0xC006_0302_0320_0000)).contains("moved"));
    m.xive.scom_write(0x501_3010, 0);
    assert!(failure(|| m.xive.scom_write(0x501_3010, 0xC006_0302_0311_0000)).contains("not aligned"));
    m.xive.scom_write(0x501_3010, 0xC006_0302_0320_0000);
    assert_eq!(m.load(0x0006_0302_0320_0058), 0xFFFF_FF00_0000_0000);
    assert!(failure(|| m.xive.scom_write(0x501_3014, 1 << 63)).contains("TM2_BAR"));
    assert!(failure(|| m.xive.scom_read(0x501_3100)).contains("CQ block"));
    assert_eq!(m.xive.scom().read64(0x501_3018 << 3), 0x8006_0100_0000_0000);
    assert!(failure(|| m.xive.scom().read32(0x501_3018 << 3)).contains("machine check"));
}

#[test]
fn vsds_are_checked_for_mode_alignment_and_permission() {
    let m = Machine::bare();
    m.bars();
    assert!(failure(|| m.vsd(0, 1 << 62 | EAT)).contains("mode 1"));
    assert!(failure(|| m.vsd(0, 0)).contains("mode 0"));
    assert!(failure(|| m.vsd(0, 1 << 63 | 0x11_0000 | 5)).contains("not aligned to its size 0x20000"));
    assert!(failure(|| m.vsd(2, 1 << 63 | END | 0x80 | 4)).contains("VC_GLOBAL_CONFIG"));
    assert!(failure(|| m.vsd(0, 1 << 63 | EAT | 0x20)).contains("unknown bits"));
    assert!(failure(|| m.vsd(5, 1 << 63 | EAT)).contains("type 5"));
    m.vsd(0, 1 << 63 | EAT | 4);
    assert_eq!(m.load(IC + 0x810), 1 << 63 | EAT | 4);
    m.store(IC + 0x488, 3 << 48 | 1 << 32);
    m.store(IC + 0x490, 3 << 62 | NVT);
    assert_eq!(m.load(IC + 0x490), 3 << 62 | NVT);
}

#[test]
fn indirect_tables_are_walked_by_page() {
    let m = Machine::up();
    m.store(IC + 0x800, 0x8000_0000);
    // Two levels: 512 VSDs of 64 KiB pages, 2048 ENDs each; page 1 holds END 0x803.
    m.vsd(2, 1 << 63 | 0x60_0000 | 0x80);
    m.ram.write64(0x60_0000, 1 << 63 | 0x61_0000 | 4);
    m.ram.write64(0x60_0008, 1 << 63 | 0x62_0000 | 4);
    for (n, word) in [0xE004_0000, 0x0040_0000, 0, QUEUE2 as u32, 0, 0, 0x84, 4 << 16].into_iter().enumerate()
    {
        m.ram.write32(0x62_0060 + n as u64 * 4, word);
    }
    m.eas(0x50, 0x8000_0803_0000_0007);
    m.xive.notify(0x50);
    assert_eq!(m.ram.read32(QUEUE2), 0x8000_0007);
    assert_eq!(m.ack(), 0x8004);
    m.eas(0x51, 0x8000_1000_0000_0007);
    m.xive.notify(0x51);
    assert_eq!(m.xive.lost(), [Lost::NoEnd { block: 0, index: 0x1000 }]);
    // 512 pages hold ENDs up to 0xFFFFF; what lies behind the table is no page of it.
    m.ram.write64(0x60_1000, 1 << 63 | 0x62_0000 | 4);
    m.eas(0x52, 0x8010_0003_0000_0007);
    m.xive.notify(0x52);
    assert_eq!(m.xive.lost().last(), Some(&Lost::NoEnd { block: 0, index: 0x10_0003 }));
    m.ram.write64(0x60_0010, 1 << 63 | 0x63_0000);
    assert!(failure(|| m.xive.notify(0x51)).contains("differ in size"));
}

#[test]
fn pc_vsds_count_when_asked_for() {
    let m = Machine::up();
    m.xive.require_pc_vsds(true);
    assert!(failure(|| m.xive.trigger(LISN)).contains("PC and VC"));
    m.xive.esb_load(LISN, 0xC00);
    for (kind, table) in [(2, END), (3, NVT)] {
        m.store(IC + 0x488, kind << 48);
        m.store(IC + 0x490, 1 << 63 | table | 4);
    }
    m.xive.trigger(LISN);
    assert_eq!(m.ack(), 0x8007);
}

#[test]
fn store_eoi_needs_its_switch() {
    let m = Machine::up();
    m.xive.trigger(LISN);
    assert!(failure(|| m.xive.esb_store(LISN, 0x400, 0)).contains("SBC_CONFIG"));
    m.store(IC + 0xA20, 0x0004_0000);
    m.xive.trigger(LISN);
    assert_eq!(m.xive.pq(LISN), 0b11);
    m.xive.esb_store(LISN, 0x400, 0);
    assert_eq!(m.xive.pq(LISN), 0b10);
    assert_eq!(m.ram.read32(QUEUE + 4), 0x8000_1234);
    m.xive.esb_store(LISN, 0xD00, 0);
    assert_eq!(m.xive.pq(LISN), 0b01);
    assert!(failure(|| m.load(VC + (0x21 << 17))).contains("trigger page"));
    assert!(failure(|| m.xive.window(VC + (0x21 << 17) + 0x1_0800).read32(0)).contains("4-byte"));
}

#[test]
fn kills_read_back_their_valid_bit_until_done() {
    let m = Machine::up();
    for register in [0x4B0, 0x8B0] {
        m.store(IC + register + 8, 0xFF << 32);
        m.store(IC + register, 1 << 63 | 3 << 48);
        let reads: Vec<u64> = (0..3).map(|_| m.load(IC + register)).collect();
        assert_eq!(reads, [1 << 63 | 3 << 48, 1 << 63 | 3 << 48, 3 << 48]);
        assert_eq!(m.load(IC + register + 8), 0xFF << 32);
    }
}

#[test]
fn unknown_registers_and_widths_fail() {
    let m = Machine::up();
    assert!(failure(|| m.load(IC + 0x800 + 0x30)).contains("unknown register 0x830"));
    assert!(failure(|| m.store(IC + 0x700, 0)).contains("unknown register 0x700"));
    assert!(failure(|| m.xive.window(IC + 0x800).write32(0, 0)).contains("4-byte store"));
    assert!(failure(|| m.xive.window(IC + 0x1_0000).read64(0)).contains("notify page"));
    assert!(failure(|| m.xive.window(IC + 0x804).read64(0)).contains("unaligned"));
    assert!(failure(|| m.store(IC + 0xF0, 0x8003_0000_0000_0000)).contains("TAR"));
}

#[test]
fn machine_reset_keeps_bars_and_tables_but_no_windows() {
    let m = Machine::up();
    m.xive.trigger(LISN);
    m.xive.machine_reset();
    assert_eq!(m.xive.pq(LISN), 1);
    assert!(!m.xive.hv_interrupt(PIR));
    assert_eq!(m.load(IC + 0x80), 0xC006_0302_0310_0000);
    assert_eq!(m.load(IC + 0x440), 0x0800_0000_0000_0000);
    assert!(failure(|| m.load(VC + (0x21 << 17) + 0x1_0800)).contains("EDT"));
    m.store(IC + 0x100, 0x0600_0200_0000_0000);
    m.edt();
    assert!(failure(|| m.load(VC + (0x21 << 17) + 0x1_0800)).contains("SBE VSD"));
    m.vsd(1, 1 << 63 | SBE | 4);
    assert_eq!(m.load(VC + (0x21 << 17) + 0x1_0800), 1);
}

#[test]
fn every_store_is_recorded_in_order() {
    let m = Machine::up();
    m.xive.forget_accesses();
    m.store(IC + 0x408, 5);
    m.xive.scom_write(0x501_3020, 0x0600_0200_0000_0000);
    m.hv8(0x31, 0xFF);
    m.xive.window(VC + (0x21 << 17)).write64(8, 9);
    m.load(IC + 0x408);
    let access = |place, offset, size, value| Access { place, offset, size, value };
    assert_eq!(
        m.xive.writes(),
        [
            access(Place::Ic, 0x408, 8, 5),
            access(Place::Scom, 0x100, 8, 0x0600_0200_0000_0000),
            access(Place::Tima { pir: 4 }, 0x1_0031, 1, 0xFF),
            access(Place::Esb { index: 0x21, management: false }, 8, 8, 9),
        ]
    );
    assert_eq!(m.xive.loads(), [access(Place::Ic, 0x408, 8, 5)]);
    assert_eq!(m.xive.accesses(), 5);
}

#[test]
fn psi_event_reaches_a_thread_through_the_notify_page() {
    let m = Machine::up();
    let psi = psi::Psi::new();
    let registers = psi.window(psi::P9_MMIO_BASE);
    registers.write64(0x70, 0x20 << 32);
    registers.write64(0x68, IC + 0x1_0230 + 1);
    let xive = m.xive.clone();
    psi.on_event(move |event| xive.window(event.address).write64(0, 1 << 62 | u64::from(event.lisn)));
    m.eas(0x28, 0x8000_0003_0000_0028);
    psi.set_input(8, true);
    assert_eq!(m.ram.read32(QUEUE), 0x8000_0028);
    assert_eq!(m.ack(), 0x8007);
}
