//! A PHB4 (POWER9) or PHB5 (POWER10) as its registers and its devices see it.
//!
//! Written from the reference on PHBs and DMA windows; sections are cited as "§". Where the reference names a
//! behaviour as unverified the model takes the one that forgives a driver least, and says so with "(?)".
//! Not modelled: CAPI, trace and performance counters, the P and Q bits of interrupts, what answers an MMIO.

pub(super) mod bits;
pub(super) mod config;
pub(super) mod dma;
pub(super) mod fault;
pub(super) mod ioda;
pub(super) mod kill;
mod look;
mod outbound;
pub(super) mod registers;
mod stack;
pub(super) mod translate;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opalite::hw::mmio::Mmio;

use super::pci_device::PciDevice;
use super::ram::ModelRam;

pub use dma::{DmaFault, FaultKind};
pub use outbound::Outbound;
pub use stack::StackArea;

/// Which bridge it is; they differ in data only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// POWER9.
    Phb4,
    /// POWER10.
    Phb5,
}

/// How many resources the bridge has (§1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 512 PEs, 4096 interrupts: PHB 0 and 3 of a chip.
    Big,
    /// 256 PEs, 2048 interrupts.
    Small,
}

impl Size {
    /// Number of PEs.
    pub fn pes(self) -> usize {
        match self {
            Size::Big => 512,
            Size::Small => 256,
        }
    }

    /// Number of interrupt sources, LSIs included.
    pub fn interrupts(self) -> usize {
        self.pes() * 8
    }
}

/// A register store as the driver made it: offset, bytes, value.
pub type Write = (u64, u32, u64);

/// One bridge; clones are handles to the same one.
#[derive(Clone)]
pub struct ModelPhb4(Arc<Mutex<State>>);

/// The bridge's register window, as its PHB register BAR maps it.
#[derive(Clone)]
pub struct PhbRegisters(ModelPhb4);

struct State {
    ram: ModelRam,
    generation: Generation,
    size: Size,
    stack: stack::Stack,
    /// Registers that are storage, by offset; what isn't here has its reset value.
    storage: BTreeMap<u64, u64>,
    ioda: ioda::Ioda,
    kill: kill::Kill,
    link: config::Link,
    root_port: PciDevice,
    /// RTT entries that the bridge remembers.
    rtc: HashMap<u16, u16>,
    tce_cache: translate::TceCache,
    /// PEs whose in-memory PEST entry holds a record that nobody has cleared.
    recorded: Vec<bool>,
    fenced: bool,
    writes: Vec<Write>,
    fail_write: Option<u64>,
    fence_after: Option<u64>,
    freeze_after: Option<(u64, u16)>,
    strict_config_pe: bool,
}

impl ModelPhb4 {
    /// A bridge as the earlier firmware stage leaves it: no BAR enabled, ETU in reset, tables undefined.
    pub fn new(ram: &ModelRam, generation: Generation, size: Size) -> Self {
        let mut state = State {
            ram: ram.clone(),
            generation,
            size,
            stack: stack::Stack::default(),
            storage: BTreeMap::new(),
            ioda: ioda::Ioda::new(size),
            kill: kill::Kill::default(),
            link: config::Link::default(),
            root_port: PciDevice::root_port(match generation {
                Generation::Phb4 => 0x04c1,
                Generation::Phb5 => 0x0652,
            }),
            rtc: HashMap::new(),
            tce_cache: translate::TceCache::default(),
            recorded: vec![false; size.pes()],
            fenced: false,
            writes: Vec::new(),
            fail_write: None,
            fence_after: None,
            freeze_after: None,
            strict_config_pe: true,
        };
        state.assert_etu_reset();
        Self(Arc::new(Mutex::new(state)))
    }

    /// A bridge that answers, for tests of parts: register BAR enabled, out of reset, every table written with zeros, the
    /// cores running with PERST released, the root port with buses 0, 1, 255 and able to forward DMA.
    pub fn running(ram: &ModelRam, generation: Generation, size: Size) -> Self {
        let phb = Self::new(ram, generation, size);
        {
            let mut state = phb.state();
            state.stack.enable_registers();
            state.release_etu_reset();
            state.ioda.zero_all();
            state.write_creset(config::CRESET_RUNNING);
            state.root_port.write(0x18, 4, 0x00ff_0100);
            state.root_port.write(0x04, 2, 0x0006);
        }
        phb
    }

    /// The register window.
    pub fn regs(&self) -> PhbRegisters {
        PhbRegisters(self.clone())
    }

    /// Which generation it is.
    pub fn generation(&self) -> Generation {
        self.state().generation
    }

    /// Which size it has.
    pub fn size(&self) -> Size {
        self.state().size
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
        self.state().storage.insert(offset, value);
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

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fence(&mut self) {
        self.fenced = true;
        self.stack.note_fence();
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
        assert!(
            self.stack.registers_mapped(),
            "PHB: {width}-byte {what} at {offset:#x}, but the register BAR is not enabled"
        );
        assert!(
            !self.stack.etu_in_reset(),
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
        self.0.state().mmio_read(offset, 1) as u8
    }
    fn read16(&self, offset: u64) -> u16 {
        self.0.state().mmio_read(offset, 2) as u16
    }
    fn read32(&self, offset: u64) -> u32 {
        self.0.state().mmio_read(offset, 4) as u32
    }
    fn read64(&self, offset: u64) -> u64 {
        self.0.state().mmio_read(offset, 8)
    }
    fn write8(&self, offset: u64, value: u8) {
        self.0.state().mmio_write(offset, 1, value.into());
    }
    fn write16(&self, offset: u64, value: u16) {
        self.0.state().mmio_write(offset, 2, value.into());
    }
    fn write32(&self, offset: u64, value: u32) {
        self.0.state().mmio_write(offset, 4, value.into());
    }
    fn write64(&self, offset: u64, value: u64) {
        self.0.state().mmio_write(offset, 8, value);
    }
}
