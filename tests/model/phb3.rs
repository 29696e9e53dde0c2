//! A PHB3 (POWER8) as its registers, its devices and the interrupt presenters see it.
//!
//! Written from the reference on PHBs and DMA windows (cited as "§") and the platform reference (cited as "P").
//! Where they name a behaviour as unverified the model takes the one that forgives a driver least, and says so
//! with "(?)". Not modelled: CAPI, trace and performance counters, what answers an MMIO.

mod config;
mod dma;
mod fault;
mod ioda;
mod msi;
mod outbound;
mod pbcq;
mod registers;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opalite::hw::mmio::Mmio;

use super::pci_device::PciDevice;
use super::phb4::kill::Kill;
use super::phb4::translate::TceCache;
use super::ram::ModelRam;
use super::xics::Xics;

pub use super::phb4::{DmaFault, FaultKind, Outbound, Write};
pub use pbcq::PbcqArea;

/// Number of PEs (§1.1).
pub const PES: usize = 256;
/// Number of interrupt sources, LSIs included.
pub const SOURCES: usize = 2048;

/// Which chip it is on (§1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Venice DD2.0, which QEMU models: no bypass below 4 GiB.
    Venice,
    /// Naples DD1.0, where PHB_CONTROL bit 11 allows it.
    Naples,
}

/// One bridge; clones are handles to the same one.
#[derive(Clone)]
pub struct ModelPhb3(Arc<Mutex<State>>);

/// The bridge's register window, as its PHB register BAR maps it.
#[derive(Clone)]
pub struct PhbRegisters(ModelPhb3);

struct State {
    ram: ModelRam,
    part: Part,
    pbcq: pbcq::Pbcq,
    /// Registers that are storage, by offset; what isn't here has its reset value.
    storage: BTreeMap<u64, u64>,
    ioda: ioda::Ioda,
    /// DMA sync and quiesce; kills take effect at once.
    sync: Kill,
    link: config::Link,
    root_port: PciDevice,
    /// RTT entries that the bridge remembers.
    rtc: HashMap<u16, u16>,
    tce_cache: TceCache,
    interrupts: msi::Interrupts,
    /// PEs whose in-memory PEST entry holds a record that nobody has cleared.
    recorded: Vec<bool>,
    fenced: bool,
    writes: Vec<Write>,
    fail_write: Option<u64>,
    fence_after: Option<u64>,
    freeze_after: Option<(u64, u16)>,
    strict_config_pe: bool,
    xics: Option<Xics>,
}

impl ModelPhb3 {
    /// Bridge `index` of chip 0 as the earlier firmware stage leaves it: BARs set but not enabled, ETU in reset,
    /// tables undefined.
    pub fn new(ram: &ModelRam, part: Part, index: u64) -> Self {
        let mut state = State {
            ram: ram.clone(),
            part,
            pbcq: pbcq::Pbcq::new(index),
            storage: BTreeMap::new(),
            ioda: ioda::Ioda::default(),
            sync: Kill::default(),
            link: config::Link::default(),
            root_port: config::root_port(),
            rtc: HashMap::new(),
            tce_cache: TceCache::default(),
            interrupts: msi::Interrupts::default(),
            recorded: vec![false; PES],
            fenced: false,
            writes: Vec::new(),
            fail_write: None,
            fence_after: None,
            freeze_after: None,
            strict_config_pe: true,
            xics: None,
        };
        state.assert_etu_reset();
        Self(Arc::new(Mutex::new(state)))
    }

    /// A bridge that answers, for tests of parts: BARs and interrupts enabled, out of reset, every table written with
    /// zeros, PERST released, the root port with buses 0, 1, 255 and able to forward DMA, MSIs numbered from 0x800.
    pub fn running(ram: &ModelRam, part: Part) -> Self {
        let phb = Self::new(ram, part, 0);
        {
            let mut state = phb.state();
            state.pbcq.enable_everything();
            state.release_etu_reset();
            state.ioda.zero_all();
            state.start_core();
            state.set(registers::LSI_SOURCE_ID, 0x07f8 << 48);
            state.root_port.write(0x18, 4, 0x00ff_0100);
            state.root_port.write(0x04, 2, 0x0006);
        }
        phb
    }

    /// The register window.
    pub fn regs(&self) -> PhbRegisters {
        PhbRegisters(self.clone())
    }

    /// Which chip it is on.
    pub fn part(&self) -> Part {
        self.state().part
    }

    /// Wires its interrupts to the presenters.
    pub fn connect(&self, xics: &Xics) {
        self.state().xics = Some(xics.clone());
        xics.attach(self.clone());
    }

    /// Puts a device at the other end of the link; more functions of it go to `devfn` 1 to 7.
    pub fn attach(&self, devfn: u8, device: PciDevice) {
        let mut state = self.state();
        state.root_port.attach(devfn, device);
        state.update_link();
    }

    /// Empties the slot.
    pub fn unplug(&self) {
        let mut state = self.state();
        state.root_port.detach_all();
        state.update_link();
    }

    /// The root port, to look at its config space.
    pub fn root_port(&self) -> PciDevice {
        self.state().root_port.clone()
    }

    /// All stores to the bridge's registers so far, in order, through the BAR or the back door.
    pub fn writes(&self) -> Vec<Write> {
        self.state().writes.clone()
    }

    /// Forgets the stores so far.
    pub fn clear_writes(&self) {
        self.state().writes.clear();
    }

    /// Looks at a register's value without being an access.
    pub fn peek(&self, offset: u64) -> u64 {
        self.state().stored(offset)
    }

    /// Changes a register's value as the hardware would, e.g. an error status.
    pub fn poke(&self, offset: u64, value: u64) {
        self.run(|state| state.set(offset, value));
    }

    /// The next store at `offset` is lost and the bridge fences.
    pub fn fail_next_write_at(&self, offset: u64) {
        self.state().fail_write = Some(offset);
    }

    /// `accesses` more loads and stores through the BAR succeed, then the bridge fences.
    pub fn fence_after(&self, accesses: u64) {
        self.state().fence_after = Some(accesses);
    }

    /// `accesses` more loads and stores through the BAR, then an error freezes a PE.
    pub fn freeze_after(&self, accesses: u64, pe: u16) {
        self.state().freeze_after = Some((accesses, pe));
    }

    /// Fences the bridge now, as an error would.
    pub fn fence(&self) {
        self.state().fence();
    }

    /// Whether the bridge is fenced.
    pub fn is_fenced(&self) -> bool {
        self.state().fenced
    }

    /// Whether a config access must carry the PE number that the RTT has for its function (the default).
    pub fn check_config_pe(&self, check: bool) {
        self.state().strict_config_pe = check;
    }

    /// Acts on the state, then lets interrupts settle, outside the lock.
    fn run<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let (result, xics) = {
            let mut state = self.state();
            let result = act(&mut state);
            (result, state.xics.clone())
        };
        if let Some(xics) = xics {
            xics.settle();
        }
        result
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fence(&mut self) {
        self.fenced = true;
        self.pbcq.note_fence();
    }

    fn mmio_read(&mut self, offset: u64, width: u32) -> u64 {
        self.assert_reachable("load", offset, width);
        self.count_access();
        if self.fenced { ones(width) } else { self.read(offset, width) }
    }

    fn mmio_write(&mut self, offset: u64, width: u32, value: u64) {
        self.assert_reachable("store", offset, width);
        self.writes.push((offset, width, value));
        self.count_access();
        if self.fail_write == Some(offset) {
            self.fail_write = None;
            self.fence();
        }
        if !self.fenced {
            self.write(offset, width, value);
        }
    }

    /// Rule 4 of §2: nothing may touch the window while it isn't mapped or the ETU is in reset.
    fn assert_reachable(&self, what: &str, offset: u64, width: u32) {
        self.pbcq.assert_registers_mapped(what, offset);
        assert!(
            !self.pbcq.etu_in_reset(),
            "PHB: {width}-byte {what} at {offset:#x} while the ETU is in reset"
        );
        assert!(offset.is_multiple_of(width.into()), "PHB: misaligned {width}-byte {what} at {offset:#x}");
    }

    fn count_access(&mut self) {
        match self.freeze_after {
            Some((0, pe)) => {
                self.freeze_after = None;
                self.freeze(pe, None);
            }
            Some((left, pe)) => self.freeze_after = Some((left - 1, pe)),
            None => {}
        }
        match self.fence_after {
            Some(0) => {
                self.fence_after = None;
                self.fence();
            }
            Some(left) => self.fence_after = Some(left - 1),
            None => {}
        }
    }
}

/// What a load of `width` bytes gives when nothing answers.
fn ones(width: u32) -> u64 {
    u64::MAX >> (64 - 8 * width)
}

impl Mmio for PhbRegisters {
    fn read8(&self, offset: u64) -> u8 {
        self.0.run(|state| state.mmio_read(offset, 1)) as u8
    }
    fn read16(&self, offset: u64) -> u16 {
        self.0.run(|state| state.mmio_read(offset, 2)) as u16
    }
    fn read32(&self, offset: u64) -> u32 {
        self.0.run(|state| state.mmio_read(offset, 4)) as u32
    }
    fn read64(&self, offset: u64) -> u64 {
        self.0.run(|state| state.mmio_read(offset, 8))
    }
    fn write8(&self, offset: u64, value: u8) {
        self.0.run(|state| state.mmio_write(offset, 1, value.into()));
    }
    fn write16(&self, offset: u64, value: u16) {
        self.0.run(|state| state.mmio_write(offset, 2, value.into()));
    }
    fn write32(&self, offset: u64, value: u32) {
        self.0.run(|state| state.mmio_write(offset, 4, value.into()));
    }
    fn write64(&self, offset: u64, value: u64) {
        self.0.run(|state| state.mmio_write(offset, 8, value));
    }
}
