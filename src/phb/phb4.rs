//! A PHB4: what it consists of, and how one comes to be.

use super::eeh::SoftwareFreezes;
use super::fault_queue::FaultQueue;
use super::generation::Generation;
use super::ioda::{Shadow, TableId};
use super::port::PortState;
use super::regs4::{Ctrlr, DmaSync, EEH_CAP, IRQ_CAP, VERSION, Word};
use super::reset::SlotState;
use super::stack::{Stack, Windows};
use super::tables::Tables;
use super::{Identity, Phb, PhbInfo, config, dma, windows};
use crate::error::{Error, Result};
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

    pub(super) fn control(self, generation: &Generation) -> Ctrlr {
        let mut control = Ctrlr::from_bits(generation.ctrlr);
        control.set_tve1_at_4_gib(self.select == Select::FourGiB);
        control.set_mmio_eeh_disable(self.mmio_eeh_disable);
        control
    }
}

/// Sizes that follow from the number of PEs (§1.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub mbt: u8,
    pub mrt: usize,
}

/// A bridge of POWER9 or POWER10, with its registers in `I` and memory in `R`.
#[derive(Debug)]
pub struct Phb4<I, R> {
    pub(super) regs: I,
    pub(super) ram: R,
    pub(super) stack: Stack,
    pub(super) generation: &'static Generation,
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
    pub(super) mist: Shadow,
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

impl<I: Mmio, R: Ram> Phb4<I, R> {
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
        let Parts { regs, ram, stack, generation, identity, windows } = parts;
        stack.open(&windows)?;
        if stack.start()? {
            crate::sync::wait_until(SETTLE_US, || false);
        }
        let version = VERSION.read(&regs);
        if version == 0 || version == u64::MAX {
            return Err(Error::Hardware(&"PHB has no version"));
        }
        let big = EEH_CAP.read(&regs) >> 52 >= 512;
        let limits = PeLimits::new(if big { 512 } else { 256 });
        let sizes = if big { Sizes { mbt: 32, mrt: 16 } } else { Sizes { mbt: 16, mrt: 8 } };
        let sources = IRQ_CAP.read(&regs) as u16;
        if sources < 16 {
            return Err(Error::Hardware(&"PHB has no interrupt sources"));
        }
        let interrupts = reserve(sources)?;
        let tables = Tables::allocate(&ram, region, limits);
        let pes = usize::from(limits.count());
        let info =
            PhbInfo::new(identity, version, limits, sources, sizes.mbt, interrupts.base, &windows, &tables);
        let (sync_start, sync_done) = dma::sync_words(false);
        let [fast, slow] = generation.max_link_speed;
        let mut phb = Self {
            regs,
            ram,
            stack,
            generation,
            info,
            limits,
            sources,
            sizes,
            interrupts,
            max_link_speed: if big { fast } else { slow },
            sync_start,
            sync_done,
            m64: windows.m64,
            tables,
            tvt: Shadow::new(TableId::Tvt, (0..2 * pes).map(|_| 0)),
            mist: Shadow::new(TableId::Mist, (0..usize::from(sources) / 4).map(|_| 0)),
            mbt: windows::default_mbt(sizes.mbt.into(), &windows.m32),
            mdt: windows::default_mdt(pes),
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
        };
        phb.initialise()?;
        phb.find_write_sync();
        Ok(phb)
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
            super::regs4::CTRLR.write(&self.regs, options.control(self.generation));
        }
    }
}

/// From the end of reset to the first access.
const SETTLE_US: u64 = 1000;

impl<I: Mmio, R: Ram> Phb for Phb4<I, R> {
    #[inline(always)]
    fn info(&self) -> &PhbInfo {
        &self.info
    }
}
