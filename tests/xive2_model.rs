//! The XIVE2 model judged by hand-computed values: the reference's minimal sequence (6.3), then each behaviour.

#[path = "model/psi.rs"]
mod psi;
#[allow(dead_code)]
#[path = "model/ram.rs"]
mod ram;
#[path = "model/xive2.rs"]
mod xive2;

use opalite::hw::mmio::Mmio;
use opalite::hw::ram::Ram;
use ram::ModelRam;
use std::panic::{AssertUnwindSafe, catch_unwind};
use xive2::{Access, Lost, Place, Xive};

const IC: u64 = 0x0006_0302_0000_0000;
const VC: u64 = IC + 0x1_0000;
const PC: u64 = IC + 0x2_0000;
const TCTXT: u64 = IC + 0x3_0000;
const NOTIFY: u64 = IC + 0x4_0000;
const SYNC_POLL: u64 = IC + 0x6_0000;
const SYNC_INJECT: u64 = IC + 0x7_0000;
const TM: u64 = 0x0006_0302_0318_0000;
const ESB: u64 = 0x0006_0500_0000_0000;
const END_ESB: u64 = 0x0006_0600_0000_0000;

const SBE: u64 = 0x10_0000;
const EAT: u64 = 0x20_0000;
const END: u64 = 0x30_0000;
const NVP: u64 = 0x40_0000;
const QUEUE: u64 = 0x50_0000;
const QUEUE2: u64 = 0x51_0000;
const SYNC: u64 = 0x70_0000;

const PIR: u32 = 0x04;
const LISN: u32 = 0x21;

struct Machine {
    ram: ModelRam,
    xive: Xive<ModelRam>,
}

impl Machine {
    fn bare() -> Self {
        let ram = ModelRam::new(0, 64 << 20);
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
        self.xive.scom_write(0x201_0808, 0xC006_0302_0000_0000);
        self.xive.scom_write(0x201_0809, 0xC006_0302_0318_0000);
        self.xive.scom_write(0x201_080A, 0xC006_0500_0000_000D);
        self.xive.scom_write(0x201_080B, 0xC006_0600_0000_0010);
    }

    fn vsd(&self, page: u64, kind: u64, vsd: u64) {
        self.store(page, kind << 48);
        self.store(page + 8, vsd);
    }

    /// The reference's "Minimal sequence (verified)" on thread 4, source 0x21 to END 3, priority 7.
    fn up() -> Self {
        let m = Self::bare();
        m.bars();
        m.vsd(VC, 0, 1 << 63 | SBE | 4);
        m.vsd(VC, 1, 1 << 63 | EAT | 4);
        m.vsd(VC, 2, 1 << 63 | END | 4);
        m.vsd(PC, 3, 1 << 63 | NVP | 4);
        m.ram.write32(NVP + 0x84 * 32, 0x8000_0000);
        m.end(3, [0x8600_0000, 0x0040_0000, 0, QUEUE as u32 | 4, 0, 0, 0x84, 7 << 16]);
        m.store(TCTXT + 0x10, 0x0800_0000_0000_0000);
        m.hv8(0x38, 0x80);
        m.hv8(0x31, 0xFF);
        m.eas(LISN, 0x8000_0003_0000_1234);
        assert_eq!(m.load(ESB + (0x21 << 17) + 0x1_0C00), 1);
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
    /// A polled flush of one name; how many reads showed it busy.
    fn flush(&self, control: u64, name: u64) -> u32 {
        self.store(control + 8, name << 32 | 0xFFFF_FFFF);
        (0..).find(|_| self.load(control) >> 63 == 0).unwrap()
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
    let trigger_page = m.xive.window(ESB + (0x21 << 17));
    trigger_page.write64(0, 0);
    assert_eq!(m.xive.pq(LISN), 0b10);
    assert_eq!(m.ram.read32(QUEUE), 0x8000_1234, "generation 1: its bit is in front of the data");
    assert_eq!(m.xive.end(0, 3).unwrap()[1], 0x0040_0001);
    assert!(m.xive.hv_interrupt(PIR) && !m.xive.hv_interrupt(5));
    assert_eq!(&m.xive.rings(PIR)[0x30..0x39], &[0x80, 0xFF, 0x01, 0, 0, 0, 0, 7, 0x80]);
    assert_eq!(m.ack(), 0x8007);
    assert_eq!(&m.xive.rings(PIR)[0x30..0x38], &[0, 7, 0, 0, 0, 0, 0, 0xFF]);
    assert_eq!(m.ack(), 0x0007, "nothing pending: NSR 0, CPPR as it is");
    // The same through the management page: a second trigger queues, the EOI sends it again.
    let management = m.xive.window(ESB + (0x21 << 17) + 0x1_0000);
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
fn xscom_numbers_are_pages_and_offsets() {
    let m = Machine::bare();
    m.bars();
    m.xive.scom_write(0x201_0900, 3 << 48 | 2 << 32);
    m.xive.scom_write(0x201_0A00, 3 << 48);
    m.xive.scom_write(0x201_0B02, 1 << 63);
    assert_eq!(m.load(VC), 3 << 48 | 2 << 32);
    assert_eq!(m.load(PC), 3 << 48);
    assert_eq!(m.load(TCTXT), 1 << 63);
    assert_eq!(m.load(IC + 0x50), 0xC006_0500_0000_000D);
    assert_eq!(m.xive.scom().read64(0x201_0984 << 3), 0xFE00_0000_0000_0000, "VC 0x420");
    assert!(failure(|| m.xive.scom_read(0x201_0C00)).contains("not of this unit"));
    assert!(failure(|| m.xive.scom().read32(0x201_0802 << 3)).contains("machine check"));
}

#[test]
fn constant_and_ignored_registers_read_as_documented() {
    let m = Machine::bare();
    m.bars();
    assert_eq!(m.load(IC + 0x010), 0x2000_1200_76F0_00FC);
    assert_eq!(m.load(IC + 0x018), 0x0030_0000_3300_0000);
    assert_eq!(m.load(IC + 0x080), 0xFFFF_FFFF_0000_0000);
    assert_eq!(m.load(IC + 0x0A0), 0x0000_0000_0004_0000);
    assert_eq!(m.load(VC + 0x420), 0xFE00_0000_0000_0000);
    m.store(IC + 0x090, 1 << 63);
    m.store(IC + 0x1A8, u64::MAX);
    for register in [VC + 0xB8, VC + 0xE8, VC + 0x240, VC + 0x440, PC + 0x450, TCTXT + 0x140] {
        m.store(register, register | 5);
        assert_eq!(m.load(register), register | 5);
    }
    let other = Xive::new(ModelRam::new(0, 4096), 2, &[0]);
    assert_eq!(other.scom_read(0x201_0803), 0x0030_0200_3300_0000, "chip 2 in b17:23");
}

#[test]
fn cppr_holds_a_less_favoured_priority_back() {
    let m = Machine::up();
    m.hv8(0x31, 7);
    m.xive.trigger(LISN);
    assert!(!m.xive.hv_interrupt(PIR), "7 is not more favoured than 7");
    m.hv8(0x31, 0x20);
    assert_eq!(m.xive.rings(PIR)[0x31], 0xFF, "above 7 is FF");
    assert_eq!(m.ack(), 0x8007);
}

#[test]
fn thread_without_valid_context_or_enable_gets_nothing() {
    let m = Machine::up();
    m.hv8(0x38, 0);
    m.xive.notify(LISN);
    m.hv8(0x38, 0x80);
    m.store(TCTXT + 0x18, 0x0800_0000_0000_0000);
    m.xive.notify(LISN);
    assert_eq!(m.xive.lost(), [Lost::NotDispatched { block: 0, index: 0x84 }; 2]);
    assert!(!m.xive.hv_interrupt(PIR));
}

#[test]
fn config_gives_block_and_thread_width() {
    let m = Machine::up();
    // b15: 8-bit thread ids, so the thread's NVP is 0x100 | 4.
    m.store(IC + 0x18, 0x0031_0000_0200_0000);
    m.xive.notify(LISN);
    assert_eq!(m.xive.lost(), [Lost::NotDispatched { block: 0, index: 0x84 }]);
    m.ram.write32(NVP + 0x104 * 32, 0x8000_0000);
    m.end(4, [0x8600_0000, 0x0040_0000, 0, QUEUE2 as u32, 0, 0, 0x104, 5 << 16]);
    m.eas(0x22, 0x8000_0004_0000_0001);
    m.xive.notify(0x22);
    assert_eq!(m.ack(), 0x8005);
    // b16 and 2 in b17:23.
    m.store(IC + 0x18, 0x0030_8200_0200_0000);
    assert_eq!(m.xive.pq(0x2000_0021), 0);
    assert!(failure(|| m.xive.pq(0x21)).contains("another block"));
    assert!(failure(|| m.store(IC + 0x18, 0x0030_0080_0000_0000)).contains("gen1"));
    assert!(failure(|| m.store(IC + 0x18, 0x0032_0000_0000_0000)).contains("thread-id width"));
}

#[test]
fn physical_nvp_is_the_low_bits_of_the_pir_in_the_own_block() {
    let m = Machine::up();
    let xive = Xive::new(m.ram.clone(), 0, &[0x184]);
    let m = Machine { ram: m.ram, xive };
    m.bars();
    m.vsd(VC, 1, 1 << 63 | EAT | 4);
    m.vsd(VC, 2, 1 << 63 | END | 4);
    m.vsd(PC, 3, 1 << 63 | NVP | 4);
    m.store(PC, 3 << 48 | 1 << 32);
    m.store(PC + 8, 1 << 63 | NVP | 4);
    m.store(TCTXT + 0x10, 0x0800_0000_0000_0000);
    m.hv8(0x38, 0x80);
    m.hv8(0x31, 0xFF);
    m.xive.notify(LISN);
    assert_eq!(m.ack(), 0x8007, "7 bits: 0x80 | 4");
    // The same index in block 1 is not this thread.
    m.end(4, [0x8200_0000, 0, 0, 0, 0, 0, 0x0100_0084, 5 << 16]);
    m.eas(0x22, 0x8000_0004_0000_0001);
    m.xive.notify(0x22);
    assert_eq!(m.xive.lost(), [Lost::NotDispatched { block: 1, index: 0x84 }]);
    m.ram.write32(NVP + 0x184 * 32, 0x8000_0000);
    m.end(5, [0x8200_0000, 0, 0, 0, 0, 0, 0x184, 5 << 16]);
    m.eas(0x23, 0x8000_0005_0000_0001);
    m.store(IC + 0x18, 0x0031_0000_0200_0000);
    m.xive.notify(0x23);
    assert_eq!(m.ack(), 0x8005, "8 bits: 0x100 | 0x84");
}

#[test]
fn end_queue_wraps_and_flips_its_generation() {
    let m = Machine::up();
    // Last entry (0x3FF) of a 4 KiB queue (QSIZE 0), generation 1.
    m.end(3, [0x8600_0000, 0x0040_03FF, 0, QUEUE as u32, 0, 0, 0x84, 7 << 16]);
    m.xive.trigger(LISN);
    assert_eq!(m.ram.read32(QUEUE + 0xFFC), 0x8000_1234);
    assert_eq!(m.xive.end(0, 3).unwrap()[1], 0);
    m.eoi(LISN);
    m.xive.trigger(LISN);
    assert_eq!(m.ram.read32(QUEUE), 0x0000_1234);
    // QSIZE 4 is 64 KiB: 0x3FFF wraps, and the queue must be aligned to it.
    m.end(4, [0x8600_0000, 0x0000_3FFF, 0, QUEUE2 as u32 | 4, 0, 0, 0x84, 7 << 16]);
    m.eas(0x22, 0x8000_0004_0000_0001);
    m.xive.notify(0x22);
    assert_eq!(m.ram.read32(QUEUE2 + 0xFFFC), 1);
    assert_eq!(m.xive.end(0, 4).unwrap()[1], 0x0040_0000);
    m.end(5, [0x8600_0000, 0, 0, QUEUE2 as u32 | 5, 0, 0, 0x84, 7 << 16]);
    m.eas(0x23, 0x8000_0005_0000_0001);
    assert!(failure(|| m.xive.notify(0x23)).contains("not aligned"));
}

#[test]
fn queue_above_4_gib_takes_word_2() {
    let m = Machine::up();
    m.ram.add_range(0x0000_0012_3456_0000, 0x1000);
    m.end(3, [0x8600_0000, 0, 0x0500_0012, 0x3456_0000, 0, 0, 0x84, 7 << 16]);
    m.xive.trigger(LISN);
    assert_eq!(m.ram.read32(0x0000_0012_3456_0000), 0x1234);
}

#[test]
fn caches_hide_memory_until_flushed() {
    let m = Machine::up();
    m.xive.trigger(LISN);
    m.eoi(LISN);
    // EAS: the old data goes on until the flush completes, two busy reads later.
    m.eas(LISN, 0x8000_0003_0000_0055);
    m.xive.trigger(LISN);
    m.eoi(LISN);
    assert_eq!(m.ram.read32(QUEUE + 4), 0x8000_1234);
    assert_eq!(m.flush(VC + 0x300, 0x21), 2);
    m.xive.trigger(LISN);
    m.eoi(LISN);
    assert_eq!(m.ram.read32(QUEUE + 8), 0x8000_0055);
    // END: index 3 is in the cache only; a flush of another END leaves it there, its own writes it back.
    for other in [4, 1 << 24 | 3] {
        m.flush(VC + 0x400, other);
        assert_eq!(m.ram.read32(END + 3 * 32 + 4), 0x0040_0000);
    }
    m.flush(VC + 0x400, 3);
    assert_eq!(m.ram.read32(END + 3 * 32 + 4), 0x0040_0003);
    m.ram.write32(END + 3 * 32 + 12, QUEUE2 as u32 | 4);
    m.xive.trigger(LISN);
    assert_eq!(m.ram.read32(QUEUE2 + 12), 0x8000_0055);
    m.eoi(LISN);
    // NVP: invalid in memory, still valid in the cache; a flush of NVG 0x84 doesn't touch it.
    m.ram.write32(NVP + 0x84 * 32, 0);
    m.flush(PC + 0x400, 0x2000_0084);
    m.xive.trigger(LISN);
    m.eoi(LISN);
    assert_eq!(m.xive.lost(), []);
    m.flush(PC + 0x400, 0x84);
    m.xive.trigger(LISN);
    assert_eq!(m.xive.lost(), [Lost::NoNvp { block: 0, index: 0x84 }]);
    assert_eq!(m.flush(VC + 0x200, 0x21), 2, "the ESB cache holds nothing that a test can see");
}

#[test]
fn a_dirty_end_overwrites_what_was_stored_behind_its_back() {
    let m = Machine::up();
    m.xive.trigger(LISN);
    m.ram.write32(END + 3 * 32 + 12, QUEUE2 as u32);
    m.flush(VC + 0x400, 3);
    assert_eq!(m.ram.read32(END + 3 * 32 + 12), QUEUE as u32 | 4);
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
fn a_flush_that_nobody_waits_for_does_nothing_yet() {
    let m = Machine::up();
    m.xive.trigger(LISN);
    m.store(VC + 0x408, 0x0000_0003_0FFF_FFFF);
    assert_eq!(m.ram.read32(END + 3 * 32 + 4), 0x0040_0000);
    assert!(failure(|| m.store(VC + 0x408, 4 << 32)).contains("while its last act runs"));
    let fresh = Machine::up();
    fresh.xive.set_polls(0);
    fresh.xive.trigger(LISN);
    fresh.store(VC + 0x400, 1 << 61);
    fresh.store(VC + 0x408, 0);
    assert_eq!(fresh.load(VC + 0x400), 1 << 61, "done, the other bits as stored");
    assert_eq!(fresh.ram.read32(END + 3 * 32 + 4), 0x0040_0001, "an empty mask names every END");
    assert!(failure(|| fresh.store(VC + 0x408, 1 << 63)).contains("unknown bits"));
    assert!(failure(|| fresh.store(VC + 0x400, 1 << 63)).contains("flush control"));
    assert!(failure(|| fresh.store(PC + 0x408, 0x1000_0000_3000_0000)).contains("NXC type 1"));
}

#[test]
fn injected_flush_writes_its_byte_in_the_threads_block() {
    let ram = ModelRam::new(0, 64 << 20);
    let xive = Xive::new(ram.clone(), 2, &[0x204, 0x205]);
    let m = Machine { ram, xive };
    m.bars();
    assert!(failure(|| m.store(VC + 0x410, 0)).contains("SYNC VSD"));
    for (page, table) in [(VC, SYNC), (PC, SYNC + 0x1_0000)] {
        m.store(page, 7 << 48 | 2 << 32);
        m.store(page + 8, 1 << 63 | table | 4);
    }
    m.ram.watch(SYNC, 0x2_0000);
    m.store(VC + 0x410, 0x0200_0003_0FFF_FFFF);
    m.store(VC + 0x210, 0);
    m.xive.run_on(0x205);
    m.store(VC + 0x310, 0);
    m.xive.window_of(0x204, PC + 0x410).write64(0, 0);
    m.store(SYNC_INJECT + 0x300, 0);
    let seen: Vec<_> = m.ram.writes().into_iter().map(|w| (w.address - SYNC, w.bytes)).collect();
    let byte = |thread: u64, number: u64| (thread * 512 + 2 * 32 + number, vec![0xFF_u8]);
    assert_eq!(
        seen,
        [byte(4, 8), byte(4, 9), byte(5, 10), byte(128 + 4, 24), byte(5, 6)],
        "the PC has a table of its own"
    );
}

#[test]
fn injected_flush_writes_back_at_once_unless_stalled() {
    let m = Machine::up();
    m.vsd(VC, 7, 1 << 63 | SYNC | 4);
    m.xive.trigger(LISN);
    m.xive.stall_injects(true);
    m.store(VC + 0x410, 0x0000_0003_0FFF_FFFF);
    assert_eq!(m.ram.read32(END + 3 * 32 + 4), 0x0040_0000);
    assert_eq!(m.ram.read8(SYNC + 4 * 512 + 8), 0);
    m.xive.stall_injects(false);
    m.store(VC + 0x410, 0x0000_0003_0FFF_FFFF);
    assert_eq!(m.ram.read32(END + 3 * 32 + 4), 0x0040_0001);
    assert_eq!(m.ram.read8(SYNC + 4 * 512 + 8), 0xFF);
    // 4 KiB of SYNC is eight threads.
    let small = Machine::up();
    small.vsd(VC, 7, 1 << 63 | SYNC);
    assert!(
        failure(|| small.xive.window_of(0x48, SYNC_INJECT).write64(0, 0)).contains("SYNC table too small")
    );
}

#[test]
fn syncs_take_polls_and_read_done_in_seven_bits() {
    let m = Machine::up();
    for offset in [0, 0x80, 0x100, 0x180, 0x200, 0x280, 0x300] {
        m.store(SYNC_POLL + offset, 0);
        assert_eq!(m.load(VC + 0x420), 0);
        assert_eq!(m.load(VC + 0x420), 0);
        assert_eq!(m.load(VC + 0x420), 0xFE00_0000_0000_0000);
        // Firmware may clear them: the next sync does that anyway.
        m.store(VC + 0x420, 0);
    }
    assert!(failure(|| m.store(SYNC_POLL + 0x380, 0)).contains("seven syncs"));
    assert!(failure(|| m.load(SYNC_POLL)).contains("SyncPoll page"));
}

#[test]
fn held_events_arrive_when_a_sync_completes() {
    let m = Machine::up();
    m.vsd(VC, 7, 1 << 63 | SYNC | 4);
    m.xive.hold_events();
    m.xive.trigger(LISN);
    assert_eq!(m.load(VC + 0x420), 0xFE00_0000_0000_0000, "no sync was asked for");
    m.store(SYNC_POLL, 0);
    assert_eq!((m.load(VC + 0x420), m.load(VC + 0x420)), (0, 0));
    assert_eq!(m.ram.read32(QUEUE), 0);
    m.load(VC + 0x420);
    assert_eq!(m.ram.read32(QUEUE), 0x8000_1234);
    m.eoi(LISN);
    m.xive.hold_events();
    m.xive.trigger(LISN);
    m.store(SYNC_INJECT, 0);
    assert_eq!(m.ram.read32(QUEUE + 4), 0x8000_1234);
}

#[test]
fn end_watch_loads_by_data_0_and_commits_by_data_0() {
    let m = Machine::up();
    m.xive.trigger(LISN);
    m.eoi(LISN);
    let engine = VC + 0x580;
    m.store(engine, 1 << 55 | 3);
    assert!(failure(|| m.load(engine + 0x28)).contains("before data 0"));
    assert_eq!(m.load(engine + 0x20), 0x8600_0000_0040_0001, "the cached index, not memory's");
    assert_eq!(m.load(engine + 0x28), 0x0000_0000_0050_0004);
    assert_eq!(m.load(engine + 0x38), 0x0000_0084_0007_0000);
    m.store(engine + 0x38, 0x0000_0084_0005_0000);
    assert_eq!(m.ram.read32(END + 3 * 32 + 28), 0x0007_0000);
    m.store(engine + 0x20, 0x8600_0000_0040_0001);
    assert_eq!(m.ram.read32(END + 3 * 32 + 28), 0x0005_0000);
    assert_eq!(m.ram.read32(END + 3 * 32 + 4), 0x0040_0001);
    m.xive.trigger(LISN);
    assert_eq!(m.ack(), 0x8005);
    m.store(engine, 4);
    assert!(failure(|| m.load(engine + 0x28)).contains("before data 0"), "a new spec forgets the data");
    // Another engine knows nothing of it; without a load all four words must be stored.
    m.store(VC + 0x500, 4);
    m.store(VC + 0x528, 0);
    assert!(failure(|| m.store(VC + 0x520, 0)).contains("data 2 was neither"));
    assert!(failure(|| m.store(VC + 0x500, 1 << 36)).contains("unknown bits"));
    assert!(failure(|| m.load(VC + 0x508)).contains("unknown register"));
    assert!(failure(|| m.store(VC + 0x600, 0)).contains("unknown register"));
}

#[test]
fn watch_engines_are_taken_by_assign_and_given_back_by_spec() {
    let m = Machine::up();
    for (assign, first) in [(VC + 0x430, VC + 0x500), (PC + 0x430, PC + 0x500)] {
        let taken: Vec<u64> = (0..5).map(|_| m.load(assign)).collect();
        assert_eq!(taken, [0, 1, 2, 3, 0xFF]);
        m.store(first + 0x80, 5);
        assert_eq!(m.load(assign), 0xFF);
        assert_eq!(m.load(first + 0x80), 5);
        assert_eq!(m.load(assign), 2);
    }
}

#[test]
fn nxc_watch_covers_three_types_and_a_conflict_loses_it() {
    let m = Machine::up();
    m.vsd(PC, 4, 1 << 63 | 0x60_0000 | 4);
    let commit = |spec, value| {
        m.store(PC + 0x500, spec);
        for n in (0..4).rev() {
            m.store(PC + 0x520 + n * 8, if n == 0 { value } else { n });
        }
    };
    m.xive.conflict_next_watch(1 << 63);
    commit(0x85, 0x8100_0000_0000_0000);
    assert_eq!(m.load(PC + 0x500), 1 << 63 | 0x85);
    assert_eq!(m.xive.nvp(0, 0x85).unwrap(), [0; 8]);
    commit(0x85, 0x8100_0000_0000_0000);
    assert_eq!(m.load(PC + 0x500), 0x85);
    assert_eq!(m.ram.read64(NVP + 0x85 * 32), 0x8100_0000_0000_0000);
    assert_eq!(m.ram.read64(NVP + 0x85 * 32 + 24), 3);
    commit(2 << 36 | 7, 0x8000_0000_0000_0001);
    assert_eq!(m.ram.read64(0x60_0000 + 7 * 32), 0x8000_0000_0000_0001);
    assert!(failure(|| m.store(PC + 0x500, 1 << 36)).contains("type 1"));
    m.store(PC + 0x540, 3 << 36 | 7);
    assert!(failure(|| m.load(PC + 0x560)).contains("absent Nvc"));
}

#[test]
fn notify_page_takes_checked_and_unchecked_events() {
    let m = Machine::up();
    m.xive.esb_load(LISN, 0xD00);
    m.store(NOTIFY, 0x21);
    assert_eq!(m.ram.read32(QUEUE), 0, "not checked: the IC's own PQ says off");
    m.store(NOTIFY + 0x930, 1 << 62 | 0x21);
    assert_eq!(m.ram.read32(QUEUE), 0x8000_1234);
    m.store(NOTIFY + 0x800, 1 << 62 | 0x22);
    assert_eq!(m.xive.lost(), [Lost::EasInvalid { lisn: 0x22 }]);
    assert!(failure(|| m.store(NOTIFY, 1 << 63 | 3 << 32)).contains("END trigger"));
    assert!(failure(|| m.store(NOTIFY + 0x1000, 0)).contains("notify page"));
    assert!(failure(|| m.xive.window(NOTIFY).write32(0, 0x21)).contains("4-byte store"));
}

#[test]
fn abt_stores_reach_the_sources_management_page() {
    let m = Machine::up();
    // A PHB5 stores to base + (source << 17) + 0x10000: 0x800 when it has checked PQ, 0 when the IC shall.
    let management = m.xive.window(ESB + (0x21 << 17) + 0x1_0000);
    assert_eq!(management.read64(0xD00), 0);
    management.write64(0, 0);
    assert_eq!(m.ram.read32(QUEUE), 0, "off in the IC");
    management.write64(0x800, 0);
    assert_eq!(m.ram.read32(QUEUE), 0x8000_1234);
    assert_eq!(m.xive.pq(LISN), 1, "an injected event leaves PQ alone");
    management.write64(0xC00, 0);
    management.write64(0, 0);
    assert_eq!((m.xive.pq(LISN), m.ram.read32(QUEUE + 4)), (0b10, 0x8000_1234));
}

#[test]
fn store_eoi_always_works_for_sources_of_the_ic() {
    let m = Machine::up();
    m.xive.trigger(LISN);
    m.xive.trigger(LISN);
    assert_eq!(m.xive.pq(LISN), 0b11);
    m.xive.esb_store(LISN, 0x400, 0);
    assert_eq!(m.xive.pq(LISN), 0b10);
    assert_eq!(m.ram.read32(QUEUE + 4), 0x8000_1234);
    m.xive.esb_store(LISN, 0x400, 0);
    assert_eq!(m.xive.pq(LISN), 0b00);
    m.xive.esb_store(LISN, 0xF00, 0);
    assert_eq!(m.xive.pq(LISN), 0b11);
    assert!(failure(|| m.load(ESB + (0x21 << 17))).contains("trigger page"));
    assert!(failure(|| m.xive.window(ESB + (0x21 << 17) + 0x1_0800).read32(0)).contains("4-byte"));
    assert!(failure(|| m.load(ESB + (0x21 << 17) + 0x1_0900)).contains("0x900 of an ESB page"));
}

#[test]
fn masks_and_missing_entries_are_told_apart() {
    let m = Machine::up();
    m.end(9, [0x8600_0000, 0x0040_0000, 0, QUEUE2 as u32, 0, 0, 0x84, 0xFF << 16]);
    for (index, eas) in [
        (0x30, 0x8000_0003_8000_0001),
        (0x31, 0x8000_0007_0000_0001),
        (0x32, 0x8000_FFFF_0000_0001),
        (0x33, 0x8100_0003_0000_0001),
        (0x34, 0x8000_0009_0000_0001),
    ] {
        m.eas(index, eas);
        m.xive.notify(index);
    }
    m.xive.notify(0x2000);
    assert_eq!(
        m.xive.lost(),
        [
            Lost::EasMasked { lisn: 0x30 },
            Lost::EndInvalid { block: 0, index: 7 },
            Lost::NoEnd { block: 0, index: 0xFFFF },
            Lost::NoEnd { block: 1, index: 3 },
            Lost::EndMasked { block: 0, index: 9 },
            Lost::NoEas { lisn: 0x2000 },
        ]
    );
    assert_eq!(m.ram.read32(QUEUE2), 0x8000_0001, "a masked END still queues");
    assert_eq!(m.xive.eas(0x34), Some(0x8000_0009_0000_0001));
}

#[test]
fn conditional_end_coalesces_in_esn_until_its_esb_is_read() {
    let m = Machine::up();
    // Valid, enqueue; no unconditional notify (b6); ESn starts at 00.
    m.end(3, [0x8400_0000, 0x0040_0000, 0, QUEUE as u32, 0, 0, 0x84, 7 << 16]);
    m.xive.notify(LISN);
    assert_eq!(m.xive.end(0, 3).unwrap()[1], 0x8040_0001);
    assert_eq!(m.ack(), 0x8007);
    m.hv8(0x31, 0xFF);
    m.xive.notify(LISN);
    assert_eq!(m.xive.end(0, 3).unwrap()[1], 0xC040_0002);
    assert_eq!(m.xive.lost(), [Lost::EndCoalesced { block: 0, index: 3 }]);
    let esn = m.xive.window(END_ESB + (3 << 17));
    assert_eq!(esn.read64(0x800), 3);
    assert_eq!(esn.read64(0), 1, "EOI sends the queued notification");
    assert_eq!(m.ack(), 0x8007);
    assert_eq!(esn.read64(0xC00), 2);
    assert_eq!(m.xive.end(0, 3).unwrap()[1], 0x0040_0002);
    assert!(failure(|| esn.write64(0, 0)).contains("END ESB"));
}

/// END 5 targets NVP 0x100, which no thread holds, with `w4` as its escalation (data 0x99).
fn escalating(w0: u32, w1: u32, w4: u32) -> Machine {
    let m = Machine::up();
    m.ram.write32(NVP + 0x100 * 32, 0x8000_0000);
    m.end(5, [w0, w1, 0, QUEUE2 as u32, w4, 0x99, 0x100, 6 << 16]);
    m.eas(0x40, 0x8000_0005_0000_0042);
    m
}

#[test]
fn undispatched_event_escalates_through_ese_to_an_end() {
    // Valid, enqueue, unconditional notify, escalate (b11), by END (b13); ESe 00.
    let m = escalating(0x8614_0000, 0x0040_0000, 3);
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
fn escalation_without_b13_triggers_a_source() {
    let m = escalating(0x8610_0000, 0x0040_0000, LISN);
    m.xive.notify(0x40);
    assert_eq!(m.ram.read32(QUEUE), 0x8000_1234, "the source's own data");
    assert_eq!(m.xive.pq(LISN), 0b10);
}

#[test]
fn silent_and_unconditional_escalations_skip_their_checks() {
    // Silent (b7), escalate unconditionally (b10), by END: ESe 01 would stop it otherwise.
    let m = escalating(0x8524_0000, 0x1040_0000, 3);
    m.xive.notify(0x40);
    m.xive.notify(0x40);
    assert_eq!(m.ram.read32(QUEUE + 4), 0x8000_0099);
    let off = escalating(0x8514_0000, 0x1040_0000, 3);
    off.xive.notify(0x40);
    assert_eq!(off.ram.read32(QUEUE), 0);
    assert_eq!(off.xive.lost(), [Lost::EscalationCoalesced { block: 0, index: 5 }]);
    let nowhere = escalating(0x8600_0000, 0x0040_0000, 0);
    nowhere.xive.notify(0x40);
    assert_eq!(nowhere.xive.lost(), [Lost::NotDispatched { block: 0, index: 0x100 }]);
    let round = escalating(0x8534_0000, 0x0040_0000, 5);
    assert!(failure(|| round.xive.notify(0x40)).contains("loop"));
}

#[test]
fn groups_crowds_and_format_1_are_refused() {
    for (w6, text) in [(1 << 31, "format 1"), (1 << 30, "group or crowd"), (1 << 29, "group or crowd")] {
        let m = Machine::up();
        m.end(3, [0x8200_0000, 0, 0, 0, 0, 0, w6 | 0x84, 7 << 16]);
        assert!(failure(|| m.xive.notify(LISN)).contains(text));
    }
}

#[test]
fn os_context_takes_its_backlog_when_pushed() {
    // Valid, enqueue, unconditional notify, backlog (b8).
    let m = escalating(0x8680_0000, 0x0040_0000, 0);
    m.xive.notify(0x40);
    assert_eq!(m.xive.nvp(0, 0x100).unwrap()[2], 0x0002_0000, "priority 6 is 0x02 of b8:15");
    let hv = m.xive.window(TM + 0x1_0000);
    let os = m.xive.window(TM + 0x2_0000);
    os.write8(0x11, 0xFF);
    assert!(!m.xive.os_interrupt(PIR));
    hv.write32(0x18, 0x8000_0100);
    assert!(m.xive.os_interrupt(PIR));
    assert_eq!(m.xive.nvp(0, 0x100).unwrap()[2], 0);
    assert_eq!(os.read16(0x810), 0x8006);
    os.write8(0x11, 0xFF);
    m.xive.notify(0x40);
    assert!(m.xive.os_interrupt(PIR) && !m.xive.hv_interrupt(PIR));
    assert_eq!(os.read16(0x810), 0x8006);
    os.write8(0x812, 2);
    assert_eq!(os.read16(0x810), 0x8002);
    assert_eq!(hv.read64(0x818), 0x8000_0100_0000_0000);
    assert_eq!(hv.read32(0x818), 0x0000_0100);
    assert_eq!(m.xive.nvp(0, 0x100).unwrap()[2], 0, "no save without b1 of word 2");
    assert!(failure(|| hv.write32(0x18, 0x8000_0101)).contains("NVP is not valid"));
    assert!(m.xive.lost().is_empty());
}

#[test]
fn saved_context_comes_back_with_its_cppr() {
    let m = escalating(0x8680_0000, 0x0040_0000, 0);
    // NVP: valid, hardware save and restore (b7); CPPR 5, IPB 0x40 (priority 1).
    m.ram.write32(NVP + 0x100 * 32, 0x8100_0000);
    m.ram.write32(NVP + 0x100 * 32 + 8, 0x0540_0000);
    let hv = m.xive.window(TM + 0x1_0000);
    hv.write64(0x18, 0xC000_0100_1122_3344);
    assert_eq!(
        m.xive.rings(PIR)[0x10..0x20],
        [0x80, 5, 0x40, 0, 0, 0, 0, 1, 0xC0, 0, 1, 0, 0x11, 0x22, 0x33, 0x44]
    );
    assert_eq!(m.xive.nvp(0, 0x100).unwrap()[2], 0x0500_0000);
    m.xive.notify(0x40);
    assert_eq!(m.xive.rings(PIR)[0x12], 0x42);
    m.xive.window(TM + 0x2_0000).write8(0x11, 3);
    assert_eq!(hv.read32(0x810), 0xC000_0100, "gen2 pull");
    assert_eq!(hv.read32(0x810), 0x4000_0100, "nothing to pull, nothing to save");
    assert_eq!(m.xive.nvp(0, 0x100).unwrap()[2], 0x0342_0000);
    assert!(!m.xive.os_interrupt(PIR));
    // b38 of CFG off: CPPR stays with the thread, the pending priorities still come.
    m.store(IC + 0x18, 0x0030_8000_0000_0000);
    hv.write32(0x18, 0xC000_0100);
    assert_eq!(m.xive.rings(PIR)[0x11..0x13], [0, 0x42]);
    hv.read32(0x810);
    assert_eq!(m.xive.nvp(0, 0x100).unwrap()[2], 0x0300_0000);
    // An NVP that does not allow it.
    m.store(IC + 0x18, 0x0030_8000_0200_0000);
    assert!(failure(|| hv.write32(0x18, 0xC000_0084)).contains("forbids"));
}

#[test]
fn pool_event_interrupts_through_the_physical_ring() {
    let m = escalating(0x8600_0000, 0x0040_0000, 0);
    let hv = m.xive.window(TM + 0x1_0000);
    hv.write32(0x28, 0x8000_0100);
    m.xive.notify(0x40);
    m.xive.trigger(LISN);
    assert_eq!(m.ack(), 0x4006, "NSR 01: pool; CPPR becomes its priority");
    assert_eq!(m.ack(), 0x0006, "7 waits behind 6");
    m.hv8(0x31, 0xFF);
    assert_eq!(m.ack(), 0x8007);
    assert_eq!(hv.read32(0x820), 0x8000_0100);
    hv.write32(0x28, 0x8000_0100);
    assert_eq!(hv.read64(0x828), 0x8000_0100_0000_0000);
    assert_eq!(hv.read32(0x828), 0x0000_0100);
}

#[test]
fn physical_context_is_pulled_three_ways() {
    let m = Machine::up();
    let hv = m.xive.window(TM + 0x1_0000);
    assert_eq!(hv.read32(0x830), 0x8000_0000);
    assert_eq!(hv.read8(0x38), 0);
    m.hv8(0x38, 0x80);
    assert_eq!(hv.read8(0x838), 0x80);
    m.hv8(0x38, 0x80);
    m.hv8(0xC38, 0);
    assert_eq!(hv.read8(0x38), 0);
    hv.write32(0x18, 0x8000_0084);
    m.hv8(0xC18, 0);
    assert_eq!(hv.read32(0x18), 0x84);
    m.ram.write32(NVP + 0x90 * 32, 0x8000_0000);
    m.ram.write32(NVP + 0x90 * 32 + 28, 0x1000);
    hv.write32(0x18, 0x8000_0090);
    assert!(failure(|| m.hv8(0xC18, 0)).contains("report line"));
}

#[test]
fn tima_knows_only_its_operations() {
    let m = Machine::up();
    let hv = m.xive.window(TM + 0x1_0000);
    let os = m.xive.window(TM + 0x2_0000);
    m.hv8(0x36, 5);
    os.write8(0x15, 9);
    assert_eq!(hv.read64(0x30), 0x00FF_0000_0000_05FF);
    assert_eq!(os.read32(0x14), 0x0009_00FF);
    assert_eq!(m.xive.window(TM).read8(0x38), 0x80, "an HV operation through the HW page");
    let refused: [Box<dyn Fn()>; 11] = [
        Box::new(|| os.write8(0xC18, 0)),
        Box::new(|| os.write8(0xC38, 0)),
        Box::new(|| hv.write16(0x30, 0)),
        Box::new(|| {
            hv.read64(0x830);
        }),
        Box::new(|| {
            hv.read64(0x810);
        }),
        Box::new(|| {
            hv.read32(0x00);
        }),
        Box::new(|| {
            os.read16(0x830);
        }),
        Box::new(|| {
            os.read32(0x810);
        }),
        Box::new(|| os.write8(0x36, 0)),
        Box::new(|| {
            os.read32(0x30);
        }),
        Box::new(|| {
            m.xive.window(TM + 0x3_0000).read32(0x10);
        }),
    ];
    for act in refused {
        assert!(failure(act).contains("TIMA"));
    }
    assert!(failure(|| m.xive.window_of(5, TM + 0x1_0000).read8(0x38)).contains("not enabled"));
}

#[test]
fn indirect_tima_has_one_page_per_thread() {
    let m = Machine::up();
    let page = m.xive.window(IC + ((256 + 0x48) << 16));
    assert!(failure(|| page.write8(0x38, 0x80)).contains("not enabled"));
    m.store(TCTXT + 0x30, 0x0080_0000_0000_0000);
    assert!(m.xive.thread_enabled(0x48) && !m.xive.thread_enabled(0x08));
    page.write8(0x38, 0x80);
    assert_eq!(m.xive.rings(0x48)[0x38], 0x80);
    assert_eq!(
        *m.xive.writes().last().unwrap(),
        Access { place: Place::IndirectTima { pir: 0x48 }, offset: 0x38, size: 1, value: 0x80 }
    );
    assert_eq!(m.load(TCTXT + 0x20), 0x0080_0000_0000_0000);
    m.store(TCTXT + 0x30, 1);
    m.store(TCTXT + 0x38, 0x0080_0000_0000_0000);
    assert_eq!(m.load(TCTXT + 0x20), 1, "set and clear leave the other bits");
    m.store(TCTXT + 0x20, 6);
    assert_eq!(m.load(TCTXT + 0x20), 6);
    m.store(TCTXT + 0x30, 8);
    assert_eq!(m.load(TCTXT + 0x20), 14);
    assert!(failure(|| m.xive.window(IC + (257 << 16)).read8(0x38)).contains("absent thread"));
}

#[test]
fn windows_exist_only_when_everything_was_programmed() {
    let m = Machine::bare();
    assert!(failure(|| m.load(IC + 0x10)).contains("machine check"));
    m.bars();
    let esb = ESB + (0x21 << 17) + 0x1_0800;
    assert!(failure(|| m.load(esb)).contains("the ESB VSD is missing"));
    m.vsd(PC, 0, 1 << 63 | SBE);
    assert!(failure(|| m.load(esb)).contains("the ESB VSD is missing"), "the PC's does not count");
    // 4 KiB of SBE: 16384 sources; 4 KiB of ENDs: 128.
    m.vsd(VC, 0, 1 << 63 | SBE);
    assert_eq!(m.load(esb), 1, "reset state: off");
    assert_eq!(m.load(ESB + (0x3FFF << 17) + 0x1_0800), 1);
    assert!(failure(|| m.load(ESB + (0x4000 << 17) + 0x1_0800)).contains("its table holds 0x4000"));
    assert!(failure(|| m.load(END_ESB + 0x800)).contains("the END VSD is missing"));
    m.vsd(VC, 2, 1 << 63 | END);
    assert!(failure(|| m.load(END_ESB + (128 << 17) + 0x800)).contains("its table holds 0x80"));
    assert!(failure(|| m.load(END_ESB + 0x800)).contains("not valid"));
    // 2^37 bytes.
    assert!(failure(|| m.load(ESB + (1 << 37))).contains("machine check"));
    assert!(failure(|| m.load(IC + 0x5_0000)).contains("IC page 5"));
    m.xive.scom_write(0x201_080C, 0xC006_0400_0000_000D);
    assert!(failure(|| m.load(0x0006_0400_0000_0000)).contains("not modelled"));
    m.xive.scom_write(0x201_080D, 0xC006_0302_0800_0003);
    assert!(failure(|| m.load(0x0006_0302_0800_0000)).contains("not modelled"));
}

#[test]
fn page_size_is_the_bars() {
    let m = Machine::up();
    m.store(IC + 0x50, 0);
    m.store(IC + 0x50, 0x8006_0500_0000_000D);
    assert_eq!(m.load(ESB + (0x21 << 13) + 0x1800), 0);
    assert_eq!(m.load(ESB + (0x20 << 13) + 0x1800), 1);
    m.xive.scom_write(0x201_0808, 0);
    m.xive.scom_write(0x201_0808, 0x8006_0302_0000_0000);
    assert_eq!(m.load(IC + 0x3000), 0x0800_0000_0000_0000, "TCTXT is the fourth page of 4 KiB");
}

#[test]
fn bars_want_alignment_and_no_moves() {
    let m = Machine::bare();
    m.bars();
    m.xive.scom_write(0x201_0808, 0xC006_0302_0000_0000);
    assert!(failure(|| m.xive.scom_write(0x201_0808, 0xC006_0302_0200_0000)).contains("moved"));
    m.xive.scom_write(0x201_0808, 0);
    assert!(failure(|| m.xive.scom_write(0x201_0808, 0xC006_0302_0100_0000)).contains("not aligned"));
    m.xive.scom_write(0x201_0808, 0xC006_0302_0200_0000);
    assert_eq!(m.load(0x0006_0302_0200_0010), 0x2000_1200_76F0_00FC);
    m.xive.scom_write(0x201_080A, 0);
    assert!(failure(|| m.xive.scom_write(0x201_080A, 0xC006_0510_0000_000D)).contains("not aligned"));
    assert!(failure(|| m.xive.scom_write(0x201_080A, 0xC006_0500_0000_004D)).contains("unknown bits"));
    assert!(failure(|| m.xive.scom_write(0x201_080A, 0xE006_0500_0000_000D)).contains("unknown bits"));
}

#[test]
fn vsds_are_checked_for_type_mode_and_alignment() {
    let m = Machine::bare();
    m.bars();
    assert!(failure(|| m.vsd(VC, 1, 1 << 62 | EAT)).contains("mode 1"));
    assert!(failure(|| m.vsd(PC, 3, 0)).contains("mode 0"));
    assert!(failure(|| m.vsd(VC, 1, 1 << 63 | 0x11_0000 | 5)).contains("not aligned to its size 0x20000"));
    assert!(failure(|| m.vsd(VC, 1, 1 << 63 | 1 << 56 | EAT)).contains("unknown bits"));
    assert!(failure(|| m.vsd(VC, 7, 1 << 63 | SYNC | 0x84)).contains("cannot be indirect"));
    assert!(failure(|| m.vsd(VC, 9, 1 << 63 | EAT)).contains("type 9"));
    assert!(failure(|| m.store(VC, 8 << 48 | 7 << 32)).contains("ERQ 7"));
    assert!(failure(|| m.store(VC, 1 << 63)).contains("unknown bits"));
    m.store(VC, 8 << 48 | 6 << 32);
    m.store(VC + 8, 1 << 63 | SYNC | 4);
    assert_eq!(m.load(VC + 8), 1 << 63 | SYNC | 4);
    m.vsd(VC, 6, 1 << 63 | IC | 13);
    m.store(PC, 3 << 48 | 1 << 32);
    m.store(PC + 8, 3 << 62 | NVP);
    assert_eq!(m.load(PC + 8), 3 << 62 | NVP);
    m.store(VC, 3 << 48 | 1 << 32);
    assert_eq!(m.load(VC + 8), 0, "VC and PC have VSDs of their own");
}

#[test]
fn indirect_tables_are_walked_by_page() {
    let m = Machine::up();
    // Two levels: 512 VSDs of 64 KiB pages, 2048 ENDs each; page 1 holds END 0x803.
    m.vsd(VC, 2, 1 << 63 | 0x60_0000 | 0x80);
    m.ram.write64(0x60_0000, 1 << 63 | 0x61_0000 | 4);
    m.ram.write64(0x60_0008, 1 << 63 | 0x62_0000 | 4);
    for (n, word) in [0x8600_0000, 0x0040_0000, 0, QUEUE2 as u32, 0, 0, 0x84, 4 << 16].into_iter().enumerate()
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
    assert_eq!(m.load(END_ESB + (0x803 << 17) + 0x800), 0, "an indirect table limits no ESB");
}

#[test]
fn both_units_vsds_count_when_asked_for() {
    let m = Machine::up();
    m.xive.require_pc_vsds(true);
    assert!(failure(|| m.xive.trigger(LISN)).contains("PC and VC"));
    m.xive.esb_load(LISN, 0xC00);
    m.vsd(PC, 2, 1 << 63 | END | 4);
    m.vsd(VC, 3, 1 << 63 | NVP | 4);
    m.xive.trigger(LISN);
    assert_eq!(m.ack(), 0x8007);
}

#[test]
fn translation_tables_are_stored_by_tar_and_tdr() {
    let m = Machine::bare();
    m.bars();
    m.store(IC + 0x70, 1 << 63 | 2 << 48);
    for entry in 0..16 {
        m.store(IC + 0x78, 1 << 63 | entry);
    }
    m.store(IC + 0x70, 2 << 48 | 5 << 32);
    assert_eq!((m.load(IC + 0x78), m.load(IC + 0x78)), (1 << 63 | 5, 1 << 63 | 5));
    m.store(IC + 0x70, 3 << 48 | 5 << 32);
    assert_eq!(m.load(IC + 0x78), 0);
    assert!(failure(|| m.store(IC + 0x70, 1 << 48)).contains("no table"));
}

#[test]
fn kill_reads_back_its_valid_bit_until_done() {
    let m = Machine::up();
    for page in [VC, PC] {
        m.store(page + 0x18, 0xFF << 32);
        m.store(page + 0x10, 1 << 63 | 3 << 48);
        let reads: Vec<u64> = (0..3).map(|_| m.load(page + 0x10)).collect();
        assert_eq!(reads, [1 << 63 | 3 << 48, 1 << 63 | 3 << 48, 3 << 48]);
        assert_eq!(m.load(page + 0x18), 0xFF << 32);
    }
}

#[test]
fn unknown_registers_and_widths_fail() {
    let m = Machine::up();
    for address in [IC + 0x20, VC + 0xF0, VC + 0x800, PC + 0x20, PC + 0x240, TCTXT + 0x10] {
        assert!(failure(|| m.load(address)).contains("unknown register"), "{address:#x}");
    }
    for address in [IC + 0x10, IC + 0x80, VC + 0x430, PC + 0x20, TCTXT + 0x40] {
        assert!(failure(|| m.store(address, 0)).contains("unknown register"), "{address:#x}");
    }
    assert!(failure(|| m.xive.window(VC + 0x240).write32(0, 0)).contains("4-byte store"));
    assert!(failure(|| m.xive.window(VC + 0x240).read8(0)).contains("1-byte load"));
    assert!(failure(|| m.xive.window(VC + 0x244).read64(0)).contains("unaligned"));
}

#[test]
fn machine_reset_keeps_bars_and_tables_but_no_windows() {
    let m = Machine::up();
    m.xive.trigger(LISN);
    m.load(VC + 0x430);
    m.store(VC + 0x408, 3 << 32);
    m.store(SYNC_POLL, 0);
    m.xive.machine_reset();
    assert_eq!(m.load(VC + 0x400), 0, "no flush is under way");
    assert_eq!(m.load(VC + 0x420), 0xFE00_0000_0000_0000, "and no sync");
    assert_eq!(m.xive.pq(LISN), 1);
    assert!(!m.xive.hv_interrupt(PIR));
    assert_eq!(m.load(IC + 0x40), 0xC006_0302_0000_0000);
    assert_eq!(m.load(TCTXT), 0x0800_0000_0000_0000);
    assert_eq!(m.load(VC + 0x430), 0, "watch engines are free again");
    assert!(failure(|| m.load(ESB + (0x21 << 17) + 0x1_0800)).contains("ESB VSD"));
    m.vsd(VC, 0, 1 << 63 | SBE | 4);
    assert_eq!(m.load(ESB + (0x21 << 17) + 0x1_0800), 1);
    m.hv8(0x38, 0x80);
    m.hv8(0x31, 0xFF);
    m.xive.notify(LISN);
    assert_eq!(m.ack(), 0x8007, "EAS, END and NVP VSDs stayed");
}

#[test]
fn every_store_is_recorded_in_order() {
    let m = Machine::up();
    m.xive.forget_accesses();
    m.store(VC + 0x240, 5);
    m.xive.scom_write(0x201_0948, 0x0080_008E);
    m.hv8(0x31, 0xFF);
    m.store(SYNC_POLL + 0x80, 2);
    m.xive.window(ESB + (0x21 << 17)).write64(8, 9);
    m.load(VC + 0x240);
    let access = |place, offset, size, value| Access { place, offset, size, value };
    assert_eq!(
        m.xive.writes(),
        [
            access(Place::Ic, 0x1_0240, 8, 5),
            access(Place::Scom, 0x1_0240, 8, 0x0080_008E),
            access(Place::Tima { pir: 4 }, 0x1_0031, 1, 0xFF),
            access(Place::SyncPoll, 0x80, 8, 2),
            access(Place::Esb { index: 0x21, management: false }, 8, 8, 9),
        ]
    );
    assert_eq!(m.xive.loads(), [access(Place::Ic, 0x1_0240, 8, 0x0080_008E)]);
    assert_eq!(m.xive.accesses(), 6);
}

#[test]
fn psi_of_power10_has_64_kib_pages_and_notifies_the_ic() {
    let m = Machine::up();
    let psi = psi::Psi::power10();
    psi.scom_write(0x301_1D18, 0x20 << 32);
    assert_eq!(psi.window(psi::P10_MMIO_BASE).read64(0x70), 0x20 << 32);
    psi.scom_write(0x301_1D17, NOTIFY + 0x930 + 1);
    psi.scom_write(0x301_1D16, 0x4006_0302_0200_0001);
    let xive = m.xive.clone();
    psi.on_event(move |event| xive.window(event.address).write64(0, 1 << 62 | u64::from(event.lisn)));
    m.eas(0x2D, 0x8000_0003_0000_002D);
    psi.set_input(13, true);
    assert_eq!(m.ram.read32(QUEUE), 0x8000_002D);
    assert_eq!(m.ack(), 0x8007);
    let pages = psi.window(0x0006_0302_0200_0000);
    assert_eq!(pages.read64((13 << 16) + 0x800), 0b10);
    assert!(failure(|| pages.read64(14 << 16)).contains("machine check"));
    let old = psi::Psi::new();
    assert!(failure(|| old.scom_write(0x501_2916, 0x4006_0302_0200_0001)).contains("64 KiB"));
}
