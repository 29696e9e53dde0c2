//! A bridge: what it consists of, and how a PHB4 comes to be. A PHB3 is made in [`super::phb3`].

use super::eeh::SoftwareFreezes;
use super::fault_queue::FaultQueue;
use super::generation::{Generation, Ioda};
use super::ioda::{Shadow, TableId};
use super::phb3::ivt::Ivt;
use super::port::PortState;
use super::regs4::{Ctrlr, DmaSync, EEH_CAP, IRQ_CAP, Reg, TceKill, VERSION, Word};
use super::reset::SlotState;
use super::stack::{Stack, Windows};
use super::tables::Tables;
use super::{Identity, Phb, PhbInfo, config, dma, tables, windows};
use crate::error::{Error, Result, why};
use crate::hw::fault::{Fault, Outcome};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::iommu::{PeLimits, Select};
use crate::mem::Region;
use crate::units::Isn;
use alloc::vec::Vec;
use core::ops::Range;

/// Whether a bridge can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// All of it.
    Working,
    /// Its registers and the root port: the link is down on purpose.
    Blocked,
    /// Nothing: the bridge is in reset, and a touch would be an error.
    Resetting,
    /// Nothing: a reset failed.
    Broken,
}

/// Where a bridge sends its interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupts {
    /// Number of its first source; a multiple of the number of its sources.
    pub base: Isn,
    /// INT_NOTIFY_ADDR: the interrupt controller's notify port.
    pub notify: u64,
}

/// Settings that a reset of the bridge must not lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub select: Select,
    pub mmio_eeh_disable: bool,
}

impl Options {
    pub(super) const DEFAULT: Self = Self { select: Select::Bit59, mmio_eeh_disable: false };

    /// CTRLR, from the bits of it that are always set.
    pub(super) fn control(self, always: u64) -> Ctrlr {
        let mut control = Ctrlr::from_bits(always);
        control.set_tve1_at_4_gib(self.select == Select::FourGiB);
        control.set_mmio_eeh_disable(self.mmio_eeh_disable);
        control
    }
}

/// Sizes that follow from the number of PEs (§1.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub pes: u16,
    pub mbt: u8,
    pub mrt: usize,
}

/// A bridge of POWER8, POWER9 or POWER10, with its registers in `I` and memory in `R`.
#[derive(Debug)]
pub struct HostBridge<I, R> {
    pub(super) regs: I,
    pub(super) ram: R,
    pub(super) stack: Stack,
    pub(super) generation: &'static Generation,
    /// The generation's, near at hand.
    pub(super) ioda: Ioda,
    /// CTRLR's bits that are always set.
    pub(super) control: u64,
    pub(super) kill_gate: Reg<TceKill>,
    pub(super) info: PhbInfo,
    pub(super) limits: PeLimits,
    pub(super) sources: u16,
    pub(super) sizes: Sizes,
    pub(super) interrupts: Interrupts,
    pub(super) max_link_speed: u8,
    pub(super) sync_start: DmaSync,
    pub(super) sync_done: DmaSync,
    pub(super) m64: Range<u64>,
    pub(super) tables: Tables,
    pub(super) tvt: Shadow,
    /// MIST; a PHB3's LXIVT.
    pub(super) mist: Shadow,
    /// A PHB3's message interrupts; nothing on others.
    pub(super) ivt: Ivt,
    pub(super) mbt: Shadow,
    pub(super) mdt: Shadow,
    pub(super) options: Options,
    pub(super) frozen: SoftwareFreezes,
    pub(super) faults: FaultQueue,
    /// Where the next look for faults begins.
    pub(super) next_fault: usize,
    /// An error interrupt came, or a fault was handed to EEH, and NEXT_ERROR wasn't asked since.
    pub(super) error_pending: bool,
    /// Some errors are kept from interrupting.
    pub(super) masked: bool,
    pub(super) bridge_windows: config::BridgeWindows,
    pub(super) health: Health,
    /// It works and selects TVEs by bit 59: the usual case, in which the calls on windows ask nothing more.
    pub(super) plain: bool,
    pub(super) slot: SlotState,
    pub(super) port: PortState,
    pub(super) known: Vec<config::Known>,
}

/// What a bridge's registers told.
pub(super) struct Facts {
    pub version: u64,
    pub sizes: Sizes,
    pub sources: u16,
    pub interrupts: Interrupts,
    pub m64_windows: Range<u8>,
    pub max_link_speed: u8,
    pub control: u64,
}

/// The tables whose form depends on the generation.
pub(super) struct Shadows {
    pub mist: Shadow,
    pub mbt: Shadow,
    pub ivt: Ivt,
}

/// VERSION, through the window or the back door.
///
/// # Errors
/// `Hardware` when the bridge has none: it is guarded out.
pub(super) fn version(window: &(impl Mmio + ?Sized)) -> Result<u64> {
    match VERSION.read(window) {
        0 | u64::MAX => Err(Error::Hardware(why("PHB has no version"))),
        version => Ok(version),
    }
}

/// What a bridge is made from.
pub struct Parts<I, R> {
    /// Its registers.
    pub regs: I,
    /// Memory.
    pub ram: R,
    /// Its registers at the PEC.
    pub stack: Stack,
    /// What its generation is like.
    pub generation: &'static Generation,
    /// Who it is.
    pub identity: Identity,
    /// Where its windows are.
    pub windows: Windows,
}

impl<I: Mmio, R: Ram> HostBridge<I, R> {
    /// Opens the bridge's windows, lets it out of reset, takes memory for its tables and sets it up. The link stays
    /// down: [`super::reset::SlotReset::start_link`] is next.
    ///
    /// `reserve` gets the number of interrupt sources and gives where they go.
    ///
    /// # Errors
    /// `Hardware` when the bridge is guarded out or doesn't work; `reserve`'s errors.
    pub fn new(
        parts: Parts<I, R>,
        region: &mut Region,
        reserve: &mut dyn FnMut(u16) -> Result<Interrupts>,
    ) -> Result<Self> {
        parts.stack.open(&parts.windows)?;
        if parts.stack.start()? {
            crate::sync::wait_until(SETTLE_US, || false);
        }
        let regs = &parts.regs;
        let version = version(regs)?;
        let big = EEH_CAP.read(regs) >> 52 >= 512;
        let sizes =
            if big { Sizes { pes: 512, mbt: 32, mrt: 16 } } else { Sizes { pes: 256, mbt: 16, mrt: 8 } };
        let sources = IRQ_CAP.read(regs) as u16;
        if sources < 16 {
            return Err(Error::Hardware(why("PHB has no interrupt sources")));
        }
        let [fast, slow] = parts.generation.max_link_speed;
        let shadows = Shadows {
            mist: Shadow::new(TableId::Mist, (0..sources / 4).map(|_| 0)),
            mbt: windows::default_mbt(sizes.mbt.into(), &parts.windows.m32),
            ivt: Ivt::NONE,
        };
        let facts = Facts {
            version,
            sizes,
            sources,
            interrupts: reserve(sources)?,
            m64_windows: 1..sizes.mbt,
            max_link_speed: if big { fast } else { slow },
            control: parts.generation.ctrlr,
        };
        let mut phb = Self::assemble(parts, facts, shadows, region);
        phb.initialise()?;
        phb.find_write_sync();
        Ok(phb)
    }

    /// Puts a bridge together, with memory for its tables, that [`HostBridge::initialise`] is to set up.
    pub(super) fn assemble(parts: Parts<I, R>, facts: Facts, shadows: Shadows, region: &mut Region) -> Self {
        let Parts { regs, ram, stack, generation, identity, windows } = parts;
        let limits = PeLimits::new(facts.sizes.pes);
        let tables = Tables::allocate(&ram, region, limits);
        let info = PhbInfo {
            identity,
            version: facts.version,
            limits,
            sources: facts.sources,
            interrupt_base: facts.interrupts.base,
            registers: windows.registers,
            interrupt_pages: windows.interrupts,
            m32: windows.m32,
            m64: windows.m64.clone(),
            m64_windows: facts.m64_windows,
            rtt: (tables.rtt, tables::RTT_SIZE),
            peltv: (tables.peltv, tables.peltv_size()),
            pest: (tables.pest, tables.pest_size()),
            ivt: shadows.ivt.range(),
            diag_size: generation.diag.size as u32,
        };
        let (sync_start, sync_done) = dma::sync_words(false);
        let pes = usize::from(limits.count());
        Self {
            regs,
            ram,
            stack,
            generation,
            ioda: generation.ioda,
            control: facts.control,
            kill_gate: generation.kill_gate,
            info,
            limits,
            sources: facts.sources,
            sizes: facts.sizes,
            interrupts: facts.interrupts,
            max_link_speed: facts.max_link_speed,
            sync_start,
            sync_done,
            m64: windows.m64,
            tables,
            tvt: Shadow::new(TableId::Tvt, (0..2 * pes).map(|_| 0)),
            mist: shadows.mist,
            ivt: shadows.ivt,
            mbt: shadows.mbt,
            mdt: windows::default_mdt(generation, pes),
            options: Options::DEFAULT,
            frozen: SoftwareFreezes::default(),
            faults: FaultQueue::new(limits),
            next_fault: 0,
            error_pending: false,
            masked: false,
            bridge_windows: config::BridgeWindows::CLOSED,
            health: Health::Blocked,
            plain: true,
            slot: SlotState::default(),
            port: PortState::default(),
            known: Vec::new(),
        }
    }

    /// Whether the bridge's registers may be touched.
    #[inline(always)]
    pub(super) fn answers(&self) -> bool {
        matches!(self.health, Health::Working | Health::Blocked)
    }

    /// # Errors
    /// When they may not.
    #[inline(always)]
    pub(super) fn usable(&self) -> Outcome {
        match self.health {
            Health::Working | Health::Blocked => Ok(()),
            Health::Resetting => Err(Fault::InReset),
            Health::Broken => Err(Fault::Broken),
        }
    }

    pub(super) fn set_health(&mut self, health: Health) {
        self.health = health;
        self.plain = self.is_plain();
        self.tvt.mark_changed();
    }

    pub(super) fn set_options(&mut self, options: Options) {
        self.options = options;
        self.plain = self.is_plain();
        self.tvt.mark_changed();
    }

    fn is_plain(&self) -> bool {
        self.usable().is_ok() && self.options.select == Select::Bit59
    }

    /// Gives the bridge other options, what is wanted stays: for a reset of the tables. Where the default ones are in
    /// force it has nothing to do.
    pub(super) fn write_options(&self, options: Options) {
        if self.options != Options::DEFAULT {
            super::regs4::CTRLR.write(&self.regs, options.control(self.control));
        }
    }
}

/// From the end of reset to the first access.
const SETTLE_US: u64 = 1000;

impl<I: Mmio, R: Ram> Phb for HostBridge<I, R> {
    #[inline(always)]
    fn info(&self) -> &PhbInfo {
        &self.info
    }
}
