//! The interrupt presenters of POWER8 (XICS): one page per thread, and what sources and presenters say to each
//! other: offer, take, give back, end of interrupt.
//!
//! Written from the platform reference (3.6, 6.4) alone. A source that names a thread without a presenter fails
//! the test, because QEMU crashes there; so does the end of an interrupt that this thread never accepted. Links
//! are storage.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opalite::hw::mmio::Mmio;

/// Where the presenters of chip 0 lie in real addresses; a chip has 1 MiB, a thread 4 KiB.
pub const BASE: u64 = 0x0003_ffff_8000_0000;
/// The number of an interrupt between processors.
pub const IPI: u32 = 2;

const CHIP_SHIFT: u32 = 20;
const THREAD_SHIFT: u32 = 12;
const XIRR_POLL: u64 = 0x00;
const XIRR: u64 = 0x04;
const MFRR: u64 = 0x0c;
const LEAST_FAVOURED: u8 = 0xff;

/// An interrupt that a source would like to present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The global interrupt number.
    pub number: u32,
    /// The thread, by PIR.
    pub server: u16,
    /// 0 is the most favoured, 0xff never presents.
    pub priority: u8,
}

/// A unit with interrupts. It calls [`Xics::settle`] after whatever may change its offers, without its own lock.
pub trait InterruptSource: Send + Sync {
    /// What it would present now.
    fn offers(&self) -> Vec<Offer>;
    /// A presenter holds this one.
    fn taken(&self, number: u32);
    /// The presenter gave it back for a better one.
    fn given_back(&self, number: u32);
    /// The end of an interrupt; the number may be another unit's.
    fn end(&self, number: u32);
}

/// A store to a page, as the driver made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// The thread whose page it is.
    pub server: u16,
    /// Offset in the page.
    pub offset: u64,
    /// Bytes.
    pub width: u32,
    /// Value.
    pub value: u64,
}

struct Presenter {
    priority: u8,
    /// The most favoured request register.
    request: u8,
    /// Number and priority of what waits to be accepted.
    waiting: Option<(u32, u8)>,
    links: [u32; 3],
    accepted: Vec<u32>,
}

#[derive(Default)]
struct State {
    presenters: BTreeMap<u16, Presenter>,
    sources: Vec<Arc<dyn InterruptSource>>,
    writes: Vec<Write>,
}

/// All presenters of a machine; clones are handles to the same ones.
#[derive(Clone)]
pub struct Xics {
    state: Arc<Mutex<State>>,
    settling: Arc<Mutex<()>>,
}

/// Real addresses from a base on.
#[derive(Clone)]
pub struct Window {
    xics: Xics,
    base: u64,
}

impl Xics {
    /// Presenters of these threads as they are after reset: nothing gets through.
    pub fn new(servers: &[u16]) -> Self {
        let presenter = || Presenter {
            priority: 0,
            request: LEAST_FAVOURED,
            waiting: None,
            links: [0; 3],
            accepted: Vec::new(),
        };
        let presenters = servers.iter().map(|server| (*server, presenter())).collect();
        Self {
            state: Arc::new(Mutex::new(State { presenters, ..State::default() })),
            settling: Arc::default(),
        }
    }

    /// Lets a unit present interrupts.
    pub fn attach(&self, source: impl InterruptSource + 'static) {
        self.state().sources.push(Arc::new(source));
        self.settle();
    }

    /// Real addresses from `base` on.
    pub fn window(&self, base: u64) -> Window {
        Window { xics: self.clone(), base }
    }

    /// One thread's page.
    pub fn page(&self, server: u16) -> Window {
        self.window(BASE + (u64::from(server) >> 7 << CHIP_SHIFT) + (u64::from(server) << THREAD_SHIFT))
    }

    /// Whether the thread's external interrupt is asserted.
    pub fn asserted(&self, server: u16) -> bool {
        self.waiting(server).is_some()
    }

    /// Number and priority of what waits for the thread, without touching anything.
    pub fn waiting(&self, server: u16) -> Option<(u32, u8)> {
        self.state().presenter(server).waiting
    }

    /// The numbers that the thread has accepted and not ended.
    pub fn in_service(&self, server: u16) -> Vec<u32> {
        self.state().presenter(server).accepted.clone()
    }

    /// All stores so far, in order.
    pub fn writes(&self) -> Vec<Write> {
        self.state().writes.clone()
    }

    /// Lets sources present until nothing moves any more. What is refused stays with its source for the next time.
    pub fn settle(&self) {
        let _one_at_a_time = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        let sources = self.state().sources.clone();
        loop {
            let mut given_back = self.state().present_requests();
            let mut moved = !given_back.is_empty();
            for source in &sources {
                for offer in source.offers() {
                    let Some(displaced) = self.state().present(offer) else { continue };
                    source.taken(offer.number);
                    given_back.extend(displaced);
                    moved = true;
                }
            }
            for number in given_back {
                sources.iter().for_each(|source| source.given_back(number));
            }
            if !moved {
                return;
            }
        }
    }

    fn load(&self, address: u64, width: u32) -> u64 {
        let (server, offset) = locate("load", address, width);
        let mut state = self.state();
        let presenter = state.presenter(server);
        match (offset, width) {
            (XIRR_POLL, 4) => presenter.xirr(),
            (XIRR_POLL | XIRR, 1) => presenter.priority.into(),
            (XIRR, 4) => presenter.accept(),
            (MFRR, 1) => presenter.request.into(),
            (0x10 | 0x14 | 0x18, 4) => presenter.links[(offset as usize - 0x10) / 4].into(),
            _ => panic!("XICS: {width}-byte load at {offset:#x} of a presenter's page"),
        }
    }

    fn store(&self, address: u64, width: u32, value: u64) {
        let (server, offset) = locate("store", address, width);
        let given_back = {
            let mut state = self.state();
            state.writes.push(Write { server, offset, width, value });
            let presenter = state.presenter(server);
            match (offset, width) {
                (XIRR, 4) => {
                    presenter.end(server, value as u32 & 0xff_ffff);
                    presenter.set_priority((value >> 24) as u8)
                }
                (XIRR, 1) => presenter.set_priority(value as u8),
                (MFRR, 1) => {
                    presenter.request = value as u8;
                    None
                }
                (0x10 | 0x14 | 0x18, 4) => {
                    presenter.links[(offset as usize - 0x10) / 4] = value as u32;
                    None
                }
                _ => panic!("XICS: {width}-byte store of {value:#x} at {offset:#x} of a presenter's page"),
            }
        };
        let sources = self.state().sources.clone();
        for source in sources {
            given_back.iter().for_each(|number| source.given_back(*number));
            if (offset, width) == (XIRR, 4) {
                source.end(value as u32 & 0xff_ffff);
            }
        }
        self.settle();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread and the offset in its page. Chips from 2 on have PIRs that don't fit their window.
fn locate(what: &str, address: u64, width: u32) -> (u16, u64) {
    assert!(address.is_multiple_of(width.into()), "XICS: misaligned {width}-byte {what} at {address:#x}");
    let inside = address.checked_sub(BASE).unwrap_or_else(|| panic!("XICS: {what} at {address:#x}"));
    let (chip, server) = (inside >> CHIP_SHIFT, (inside & 0xf_ffff) >> THREAD_SHIFT);
    assert!(server >> 7 == chip, "XICS: {what} at {address:#x}, where no presenter is");
    (server as u16, inside & 0xfff)
}

impl State {
    fn presenter(&mut self, server: u16) -> &mut Presenter {
        self.presenters
            .get_mut(&server)
            .unwrap_or_else(|| panic!("XICS: server {server:#x} has no presenter, QEMU crashes here"))
    }

    /// Takes an offer if it is better than what is there: what it displaced, or `None` when it is refused.
    fn present(&mut self, offer: Offer) -> Option<Option<u32>> {
        let presenter = self.presenter(offer.server);
        presenter.beats(offer.priority).then(|| presenter.put(offer.number, offer.priority))
    }

    /// Interrupts between processors; gives what they displaced.
    fn present_requests(&mut self) -> Vec<u32> {
        let asking = self.presenters.values_mut().filter(|presenter| presenter.beats(presenter.request));
        asking.filter_map(|presenter| presenter.put(IPI, presenter.request)).collect()
    }
}

impl Presenter {
    fn xirr(&self) -> u64 {
        let number = self.waiting.map_or(0, |(number, _)| number);
        u64::from(self.priority) << 24 | u64::from(number)
    }

    /// Takes what waits. Without anything the priority stays (?).
    fn accept(&mut self) -> u64 {
        let xirr = self.xirr();
        if let Some((number, priority)) = self.waiting.take() {
            self.priority = priority;
            self.accepted.push(number);
        }
        xirr
    }

    fn beats(&self, priority: u8) -> bool {
        priority < self.priority && self.waiting.is_none_or(|(_, waiting)| priority < waiting)
    }

    /// Gives the source's interrupt that waited before; the request register keeps an IPI.
    fn put(&mut self, number: u32, priority: u8) -> Option<u32> {
        let old = self.waiting.replace((number, priority))?.0;
        (old != IPI).then_some(old)
    }

    /// Gives back what waits when it no longer gets through.
    fn set_priority(&mut self, priority: u8) -> Option<u32> {
        self.priority = priority;
        let (number, _) = self.waiting.take_if(|(_, waiting)| *waiting >= priority)?;
        (number != IPI).then_some(number)
    }

    /// An IPI may be ended without having come: firmware does so to start clean.
    fn end(&mut self, server: u16, number: u32) {
        let at = self.accepted.iter().position(|accepted| *accepted == number);
        assert!(
            at.is_some() || number == IPI,
            "XICS: server {server:#x} ends interrupt {number:#x}, which it has not accepted"
        );
        if let Some(at) = at {
            self.accepted.remove(at);
        }
    }
}

impl Mmio for Window {
    fn read8(&self, offset: u64) -> u8 {
        self.xics.load(self.base + offset, 1) as u8
    }
    fn read16(&self, offset: u64) -> u16 {
        self.xics.load(self.base + offset, 2) as u16
    }
    fn read32(&self, offset: u64) -> u32 {
        self.xics.load(self.base + offset, 4) as u32
    }
    fn read64(&self, offset: u64) -> u64 {
        self.xics.load(self.base + offset, 8)
    }
    fn write8(&self, offset: u64, value: u8) {
        self.xics.store(self.base + offset, 1, value.into());
    }
    fn write16(&self, offset: u64, value: u16) {
        self.xics.store(self.base + offset, 2, value.into());
    }
    fn write32(&self, offset: u64, value: u32) {
        self.xics.store(self.base + offset, 4, value.into());
    }
    fn write64(&self, offset: u64, value: u64) {
        self.xics.store(self.base + offset, 8, value);
    }
}
