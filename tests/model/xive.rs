//! Register model of the P9 XIVE: interrupt controller pages, ESB and END ESB pages, TIMA, and what flows
//! through them.
//!
//! Written from the project's platform reference (6.1, 6.2, 6.5) alone. It is stricter than QEMU where QEMU
//! only logs: an unknown register, an access of a wrong width, a rejected VSD or a page that nothing is mapped
//! at fail the test. Unlike QEMU it has END, NVT and EAS caches, scrubs that take time and watches that can be
//! lost. Events for another block go to the notify page that its END VSD forwards to. Left out: groups, LSI trigger
//! pages, ENDs whose NVT is on another chip.
//!
//! Choices where the reference is silent, so that a driver's author can find them:
//! - scrub and kill registers: b0 is the valid bit and reads back set until done; block and index lie where the
//!   watch of the same unit has them (EQC and IVC b28:31 and b40:63, VPC b27:31 and b45:63); the mask register
//!   says which bits are compared and must have been written;
//! - the conflict bits of a watch are given by the test that injects the conflict;
//! - a TIMA is dead (test fails) while its thread is not enabled;
//! - an END ESB takes loads only, and its EOI of a queued event sends the notification or escalation again;
//! - any sync clears the five done bits of EQC_CONFIG until it completes; which bit is which is not modelled;
//! - BARs must be aligned to their size and must be made invalid before they move;
//! - raw TIMA stores: only word 2 of the pool ring (and the OS ring's push); 8-byte pulls give word 2 first;
//! - an indirect table's first page must exist, its VSD gives the page size of all.

#![allow(dead_code)]

#[path = "xive/acts.rs"]
mod acts;
#[path = "xive/bars.rs"]
mod bars;
#[path = "xive/bits.rs"]
mod bits;
#[path = "xive/conflicts.rs"]
mod conflicts;
#[path = "xive/esb.rs"]
mod esb;
#[path = "xive/ic.rs"]
mod ic;
#[path = "xive/lines.rs"]
mod lines;
#[path = "xive/pq.rs"]
mod pq;
#[path = "xive/queue.rs"]
mod queue;
#[path = "xive/rings.rs"]
mod rings;
#[path = "xive/router.rs"]
mod router;
#[path = "xive/tables.rs"]
mod tables;
#[path = "xive/tima.rs"]
mod tima;
#[path = "xive/vst.rs"]
mod vst;
#[path = "xive/window.rs"]
mod window;

use opalite::hw::ram::Ram;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bits::{ibm, ibm32, set_ibm32};
use conflicts::Conflicts;
pub use router::Lost;
pub use window::{Scom, Window};

/// XSCOM address of the unit's first register.
pub const SCOM_BASE: u64 = 0x501_3000;

/// Which window an access went to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A register, through XSCOM; the offset is that of the register page.
    Scom,
    /// A register, through page 0 of the IC BAR.
    Ic,
    /// The notify page: triggers and syncs.
    Notify,
    /// An ESB page of a source; the offset is that inside the page.
    Esb { index: u32, management: bool },
    /// An ESB page of an END.
    EndEsb { index: u32, escalation: bool },
    /// The TIMA of a thread; the offset has the page in bits 17:16.
    Tima { pir: u32 },
    /// The TIMA of a thread through the IC's indirect pages.
    IndirectTima { pir: u32 },
}

/// One recorded access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub place: Place,
    pub offset: u64,
    pub size: u32,
    pub value: u64,
}

/// The model; clones share one state.
pub struct Xive<R>(Arc<Mutex<State<R>>>);

impl<R> Clone for Xive<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct State<R> {
    ram: R,
    chip: u8,
    current: u32,
    ic: bars::Ic,
    tables: tables::Tables,
    esb: pq::Esbs,
    threads: BTreeMap<u32, rings::Thread>,
    writes: Vec<Access>,
    loads: Vec<Access>,
    accesses: u64,
    lost: Vec<Lost>,
    held: Option<Vec<u32>>,
    /// Events for other chips' ENDs that their notify pages haven't got yet: address and value of the store.
    forwarded: Vec<(u64, u64)>,
    neighbours: Vec<Xive<R>>,
}

impl<R: Ram + Clone + 'static> Xive<R> {
    /// A unit out of reset on chip `chip` with these threads; the first one is the one that runs.
    pub fn new(ram: R, chip: u8, pirs: &[u32]) -> Self {
        Self(Arc::new(Mutex::new(State {
            ram,
            chip,
            current: pirs[0],
            ic: bars::Ic::default(),
            tables: tables::Tables::default(),
            esb: pq::Esbs::default(),
            threads: pirs.iter().map(|&pir| (pir, rings::Thread::default())).collect(),
            writes: Vec::new(),
            loads: Vec::new(),
            accesses: 0,
            lost: Vec::new(),
            held: None,
            forwarded: Vec::new(),
            neighbours: Vec::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State<R>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the unit of other chips, to which it can forward events.
    pub fn connect(&self, neighbours: &[&Self]) {
        self.state().neighbours = neighbours.iter().map(|&other| other.clone()).collect();
    }

    /// Brings forwarded events to the chips whose notify pages they were stored to, and says how many there were. Each
    /// access does so; after an event from outside a test does.
    pub fn deliver(&self) -> usize {
        let (forwarded, neighbours) = {
            let mut state = self.state();
            (std::mem::take(&mut state.forwarded), state.neighbours.clone())
        };
        for &(address, value) in &forwarded {
            let store = |other: &Self| {
                let mut state = other.state();
                let page = state.ic.ic_page(address);
                page.map(|(page, offset)| {
                    assert_eq!(page, 1, "XIVE: event forwarded to page {page} of an IC");
                    state.notify_store(offset, value);
                })
            };
            let taken = neighbours.iter().filter_map(store).count();
            assert_eq!(
                taken, 1,
                "XIVE: {taken} chips answer at {address:#x}, where an event is forwarded to"
            );
        }
        forwarded.len()
    }

    /// Loads an XSCOM register; `pcba` is the whole XSCOM address.
    pub fn scom_read(&self, pcba: u64) -> u64 {
        let mut state = self.state();
        let offset = scom_offset(pcba);
        let value = state.ic_load(offset);
        state.note_load(Place::Scom, offset, 8, value);
        value
    }

    /// Stores to an XSCOM register.
    pub fn scom_write(&self, pcba: u64, value: u64) {
        let mut state = self.state();
        let offset = scom_offset(pcba);
        state.note_store(Place::Scom, offset, 8, value);
        state.ic_store(offset, value);
    }

    /// The chip's XSCOM space as a window: offset = PCBA × 8.
    pub fn scom(&self) -> Scom<R> {
        Scom(self.clone())
    }

    /// Real addresses from `base` on; a TIMA access is the current thread's.
    pub fn window(&self, base: u64) -> Window<R> {
        Window { xive: self.clone(), base, thread: None }
    }

    /// The same as seen by thread `pir`.
    pub fn window_of(&self, pir: u32, base: u64) -> Window<R> {
        Window { xive: self.clone(), base, thread: Some(pir) }
    }

    /// Makes `pir` the thread that runs.
    pub fn run_on(&self, pir: u32) {
        self.state().current = pir;
    }

    /// All stores so far, in order.
    pub fn writes(&self) -> Vec<Access> {
        self.state().writes.clone()
    }

    /// All loads so far, in order (an ESB load changes state, so tests look at them too).
    pub fn loads(&self) -> Vec<Access> {
        self.state().loads.clone()
    }

    /// Number of accesses since the start or the last [`Self::forget_accesses`].
    pub fn accesses(&self) -> u64 {
        self.state().accesses
    }

    /// Empties the records of accesses and of lost events.
    pub fn forget_accesses(&self) {
        let mut state = self.state();
        state.writes.clear();
        state.loads.clear();
        state.accesses = 0;
        state.lost.clear();
    }

    /// Events that went nowhere, and where they stopped.
    pub fn lost(&self) -> Vec<Lost> {
        self.state().lost.clone()
    }

    /// Number of reads for which a scrub, a kill or a sync stays busy (2 at first).
    pub fn set_polls(&self, polls: u32) {
        self.state().ic.polls = polls;
    }

    /// Whether the END, NVT and EAS caches exist (they do at first).
    pub fn set_caches(&self, on: bool) {
        self.state().tables.lines.set_cached(on);
    }

    /// Whether a delivery needs the END and NVT VSDs in the PC too, as hardware does and QEMU does not.
    pub fn require_pc_vsds(&self, on: bool) {
        self.state().tables.require_pc = on;
    }

    /// The next commit of an END or NVT watch is lost and its spec register then shows `bits`.
    pub fn conflict_next_watch(&self, bits: u64) {
        self.conflict_watches(1, bits);
    }

    /// So many commits in a row are lost.
    pub fn conflict_watches(&self, times: u32, bits: u64) {
        self.state().ic.conflicts = Conflicts { after: 0, times, bits };
    }

    /// All commits are lost, but so many that come first.
    pub fn lose_watches_after(&self, after: u32) {
        self.state().ic.conflicts = Conflicts { after, times: u32::MAX, bits: 1 << 63 };
    }

    /// Keeps events that passed their PQ bits in flight until a sync completes, then lets all go.
    pub fn hold_events(&self) {
        self.state().held.get_or_insert_default();
    }

    /// A trigger at the source's own ESB.
    pub fn trigger(&self, lisn: u32) {
        self.state().trigger(lisn);
    }

    /// An event whose PQ bits were checked elsewhere (PSI, PHB).
    pub fn notify(&self, lisn: u32) {
        self.state().route(lisn);
    }

    /// Loads from the management page of a source, as the OS does for EOI, get and set PQ.
    pub fn esb_load(&self, lisn: u32, offset: u64) -> u64 {
        let mut state = self.state();
        let index = state.own_index(lisn);
        state.esb_page_load(index, true, offset, 8)
    }

    /// Stores to the management page of a source.
    pub fn esb_store(&self, lisn: u32, offset: u64, value: u64) {
        let mut state = self.state();
        let index = state.own_index(lisn);
        state.esb_page_store(index, true, offset, 8, value);
    }

    /// The PQ bits of a source, without touching anything.
    pub fn pq(&self, lisn: u32) -> u8 {
        let state = self.state();
        let index = state.own_index(lisn);
        state.esb.pq(index)
    }

    /// Whether the thread sees a hypervisor virtualization interrupt.
    pub fn hv_interrupt(&self, pir: u32) -> bool {
        self.state().thread(pir).nsr(rings::PHYS) != 0
    }

    /// Whether the thread sees an external interrupt from its OS ring.
    pub fn os_interrupt(&self, pir: u32) -> bool {
        self.state().thread(pir).nsr(rings::OS) != 0
    }

    /// The bytes of a thread's rings: user 0x00, OS 0x10, pool 0x20, physical 0x30.
    pub fn rings(&self, pir: u32) -> [u8; 64] {
        self.state().thread(pir).rings
    }

    /// Whether the thread is enabled in the IC.
    pub fn thread_enabled(&self, pir: u32) -> bool {
        self.state().ic.thread_enabled(pir)
    }

    /// END as the hardware sees it: the cache's, else memory's.
    pub fn end(&self, block: u8, index: u32) -> Option<[u32; 8]> {
        self.state().peek_end(block, index)
    }

    /// NVT as the hardware sees it.
    pub fn nvt(&self, block: u8, index: u32) -> Option<[u32; 16]> {
        self.state().peek_nvt(block, index)
    }

    /// EAS as the hardware sees it.
    pub fn eas(&self, index: u32) -> Option<u64> {
        self.state().peek_eas(index)
    }

    /// Machine reset: thread contexts, PQ bits, caches and the ESB mapping go; BARs, VSDs, domain tables and
    /// all other registers stay (reference 6.5).
    pub fn machine_reset(&self) {
        let mut state = self.state();
        state.esb = pq::Esbs::default();
        state.tables.machine_reset();
        state.ic.machine_reset();
        for thread in state.threads.values_mut() {
            *thread = rings::Thread::default();
        }
    }
}

fn scom_offset(pcba: u64) -> u64 {
    let register = pcba.wrapping_sub(SCOM_BASE);
    assert!(
        register < 0x80,
        "XIVE: SCOM {pcba:#x} is not of the CQ block: PC and VC registers are reached by MMIO"
    );
    register * 8
}

impl<R: Ram + Clone + 'static> State<R> {
    fn note_store(&mut self, place: Place, offset: u64, size: u32, value: u64) {
        self.accesses += 1;
        self.writes.push(Access { place, offset, size, value });
    }

    fn note_load(&mut self, place: Place, offset: u64, size: u32, value: u64) {
        self.accesses += 1;
        self.loads.push(Access { place, offset, size, value });
    }

    /// Block that this chip's structures carry.
    fn block(&self) -> u8 {
        self.ic.block_override().unwrap_or(self.chip)
    }

    fn own_index(&self, lisn: u32) -> u32 {
        assert_eq!(lisn >> 28, u32::from(self.block()), "XIVE: source {lisn:#x} is of another block");
        lisn & 0x0FFF_FFFF
    }

    fn thread(&self, pir: u32) -> &rings::Thread {
        self.threads.get(&pir).unwrap_or_else(|| panic!("XIVE: no thread with PIR {pir:#x}"))
    }

    /// What answers at a real address, and the offset inside it.
    fn decode(&self, address: u64, thread: u32) -> (Place, u64) {
        if let Some((page, offset)) = self.ic.ic_page(address) {
            return match page {
                0 => (Place::Ic, offset),
                1 => (Place::Notify, offset),
                4..=7 => {
                    let low = self.ic.indirect_thread();
                    let pir = self.threads.keys().copied().find(|pir| pir & 0x7F == low);
                    let pir = pir.unwrap_or_else(|| panic!("XIVE: indirect TIMA of absent thread {low:#x}"));
                    (Place::IndirectTima { pir }, u64::from(page - 4) << 16 | offset)
                }
                _ => panic!("XIVE: IC page {page} does not answer ({address:#x})"),
            };
        }
        if let Some((page, offset)) = self.ic.tm_page(address) {
            return (Place::Tima { pir: thread }, u64::from(page) << 16 | offset);
        }
        if let Some(offset) = self.ic.vc_offset(address) {
            return self.decode_vc(offset);
        }
        panic!("XIVE: nothing answers at {address:#x}: machine check");
    }

    fn load(&mut self, address: u64, size: u32, thread: Option<u32>) -> u64 {
        let (place, offset) = self.decode(address, thread.unwrap_or(self.current));
        let value = match place {
            Place::Scom => unreachable!(),
            Place::Ic => {
                assert_eq!(size, 8, "XIVE: {size}-byte load of register {offset:#x}");
                self.ic_load(offset)
            }
            Place::Notify => panic!("XIVE: load from the notify page at {offset:#x}"),
            Place::Esb { index, management } => self.esb_page_load(index, management, offset, size),
            Place::EndEsb { index, escalation } => self.end_esb_load(index, escalation, offset, size),
            Place::Tima { pir } | Place::IndirectTima { pir } => self.tima_load(pir, offset, size),
        };
        self.note_load(place, offset, size, value);
        value
    }

    fn store(&mut self, address: u64, size: u32, thread: Option<u32>, value: u64) {
        let (place, offset) = self.decode(address, thread.unwrap_or(self.current));
        self.note_store(place, offset, size, value);
        match place {
            Place::Scom => unreachable!(),
            Place::Ic => {
                assert_eq!(size, 8, "XIVE: {size}-byte store to register {offset:#x}");
                self.ic_store(offset, value);
            }
            Place::Notify => {
                assert_eq!(size, 8, "XIVE: {size}-byte store to the notify page at {offset:#x}");
                self.notify_store(offset, value);
            }
            Place::Esb { index, management } => self.esb_page_store(index, management, offset, size, value),
            Place::EndEsb { .. } => panic!("XIVE: store to an END ESB at {offset:#x}"),
            Place::Tima { pir } | Place::IndirectTima { pir } => self.tima_store(pir, offset, size, value),
        }
    }
}
