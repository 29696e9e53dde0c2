//! POWER9's XIVE and POWER10's XIVE2: a source's PQ bits → EAS → END (event queue and whom it notifies) → NVT (NVP)
//! → thread context.
//!
//! Registers, structures and order are from `reference/platform-qemu-powernv.md` §6; what the OS asks is in
//! `reference/linux-opal-contract.md` §2.4. What a generation has of its own is in `p9` and `p10`; `unit` is the
//! table of it that all else works by. Each chip has a controller, [`Chips`] is all of them. Left out: XICS emulation,
//! groups.

mod chips;
mod dump;
mod engine;
pub mod p10;
pub mod p9;
mod queues;
mod reset;
mod routes;
mod structures;
mod tables;
mod unit;
mod virtuals;
mod vps;

pub use chips::Chips;
pub use tables::Tables;

use super::bitmap::Bitmap;
use super::source::{NotifyPort, Source, Sources};
use super::{
    Controller, Dump, Mode, Priority, Queue, QueueInfo, QueuePosition, Route, SourceInfo, Vp, VpInfo,
    VpSettings,
};
use crate::error::{Error, Result, why};
use crate::hw::mmio::Mmio;
use crate::hw::ram::Ram;
use crate::mem::OsBuffer;
use crate::sync::{Guard, Lock};
use crate::units::{ChipId, Isn, Pir};
use alloc::vec::Vec;
use engine::Engine;
use structures::Eas;
use tables::{PagedTable, SOURCES};
use unit::{Scom, Unit};
use vps::Vps;

/// Numbers below this one are never given out: an OS takes small ones for ISA interrupts.
const FIRST_SOURCE: u32 = 0x10;

/// Where the unit's regions shall be, chosen by the board.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Registers, notify page, indirect TIMA: 512 KiB, on POWER10 32 MiB.
    pub ic: u64,
    /// TIMA: four pages of 64 KiB, at one address for all chips.
    pub tm: u64,
    /// The others, which also say what generation the unit is of.
    pub regions: Regions,
}

/// What the regions of pages for sources, ENDs and NVTs are.
#[derive(Clone, Copy, Debug)]
pub enum Regions {
    /// XIVE.
    Power9(p9::Regions),
    /// XIVE2.
    Power10(p10::Regions),
}

impl Regions {
    /// ESB pages of sources.
    pub const fn source_esbs(&self) -> u64 {
        match self {
            Self::Power9(regions) => regions.vc,
            Self::Power10(regions) => regions.esb,
        }
    }

    /// From there to those of ENDs.
    const fn end_esbs(&self) -> u64 {
        match self {
            Self::Power9(regions) => regions.end_esbs(),
            Self::Power10(regions) => regions.end - regions.esb,
        }
    }

    /// Where another chip's unit, with its registers at `ic`, reaches this chip's EASs, PQ bits, ENDs and NVTs: address and
    /// size.
    const fn gates(&self, ic: u64) -> [Option<(u64, u64)>; 4] {
        match self {
            Self::Power9(regions) => {
                let notify = Some((ic + p9::NOTIFY, p9::NOTIFY_SIZE));
                [notify, notify, notify, Some((regions.pc, regions.pc_size))]
            }
            Self::Power10(regions) => [
                None,
                Some((regions.esb, p10::ESB_SIZE)),
                Some((regions.end, p10::END_SIZE)),
                Some((regions.nvpg, p10::NVPG_SIZE)),
            ],
        }
    }

    /// Those of a chip whose addresses lie higher.
    const fn moved(self, by: u64) -> Self {
        match self {
            Self::Power9(at) => Self::Power9(p9::Regions { pc: at.pc + by, vc: at.vc + by, ..at }),
            Self::Power10(at) => {
                Self::Power10(p10::Regions { esb: at.esb + by, end: at.end + by, nvpg: at.nvpg + by })
            }
        }
    }

    const fn unit(&self) -> &'static Unit {
        match self {
            Self::Power9(_) => &p9::UNIT,
            Self::Power10(_) => &p10::UNIT,
        }
    }
}

impl Addresses {
    /// Tells the cache unit of a thread's core where the TIMA is: it has one address on all chips, so that its
    /// accesses need a marking of their own on the bus. `xscom` is the XSCOM window of the thread's chip.
    pub fn announce_tima(&self, xscom: &dyn Mmio, thread: Pir) {
        const SIZE_256K: u64 = 1 << 62;
        const ENABLE: u64 = 1 << 63;
        let core = thread.0 >> 2 & 0x1f;
        let register = match self.regions {
            Regions::Power9(_) => p9::core_tima_bar(core),
            Regions::Power10(_) => p10::core_tima_bar(core),
        };
        xscom.write64(u64::from(register) << 3, self.tm | ENABLE | SIZE_256K);
    }
}

impl Addresses {
    /// Those of a chip, from those of chip 0. The TIMA has one address on all chips: hardware knows who asks.
    pub const fn on_chip(self, chip: ChipId, stride: u64) -> Self {
        let distance = chip.0 as u64 * stride;
        Self { ic: self.ic + distance, tm: self.tm, regions: self.regions.moved(distance) }
    }
}

/// What a chip's controller is made from.
pub struct Setup<'a, I, R> {
    /// The chip; its number is its block, so it is below 16.
    pub chip: ChipId,
    /// Hardware threads that are there; those of other chips are left out.
    pub threads: &'a [Pir],
    /// Where the regions shall be.
    pub addresses: Addresses,
    /// The chip's XSCOM window: offset = address × 8.
    pub xscom: &'a dyn Mmio,
    /// What will answer at `addresses.ic`.
    pub ic: I,
    /// What will answer at the ESB pages of sources, and beyond at those of ENDs.
    pub vc: I,
    /// Memory.
    pub ram: R,
    /// The tables in it.
    pub tables: Tables,
}

/// The controller of one chip.
pub struct Xive<I, R> {
    chip: ChipId,
    addresses: Addresses,
    /// Blocks of sources in devices.
    sources: Vec<Source>,
    state: Lock<State<I, R>>,
}

/// What calls change.
struct State<I, R> {
    mode: Option<Mode>,
    engine: Engine<I, R>,
    vps: Vps,
    /// Sources from here on belong to devices; those below can be allocated.
    devices: u32,
    /// Allocated sources.
    allocated: Bitmap,
    /// Sources whose EAS the OS changed since the last reset.
    routed: Bitmap,
    /// NVTs whose VP or queues the OS changed since the last reset.
    touched: Bitmap,
    /// Pages that the OS donated and no table uses yet.
    donated: Vec<u64>,
}

impl<I: Mmio, R: Ram> Xive<I, R> {
    /// Sets the chip's unit up: everything is masked, the threads can be notified.
    ///
    /// # Errors
    /// `Hardware` when the unit doesn't answer in time; `Unsupported` for a chip number that no block has.
    pub fn new(setup: Setup<'_, I, R>) -> Result<Self> {
        let Setup { chip, threads, addresses, xscom, ic, vc, ram, tables } = setup;
        let block = u8::try_from(chip.0).ok().filter(|&block| block < 16);
        let block = block.ok_or(Error::Unsupported(why("XIVE block of the chip")))?;
        let unit = addresses.regions.unit();
        let scom = Scom { window: xscom, base: unit.scom };
        match &addresses.regions {
            Regions::Power9(regions) => p9::set_up(&scom, &ic, &addresses, regions, block),
            Regions::Power10(regions) => p10::set_up(&scom, &ic, &addresses, regions, block),
        }
        let ends = PagedTable::ends(tables.ends, &ram);
        let nvts = PagedTable::nvts(tables.nvts, &ram, unit);
        let room = ends.room() + nvts.room();
        let end_esbs = addresses.regions.end_esbs();
        let engine = Engine { unit, ic, vc, ram, block, eat: tables.eat, end_esbs, ends, nvts };
        engine.make_ordering_end();
        tables.publish(&engine.ic, &engine.ram, unit, block);
        let mut state = State {
            mode: None,
            engine,
            vps: Vps::new(chip, block, unit.threads, threads),
            devices: SOURCES,
            allocated: Bitmap::new(SOURCES),
            routed: Bitmap::new(SOURCES),
            touched: Bitmap::new(tables::VPS),
            donated: Vec::with_capacity(room),
        };
        state.start_threads()?;
        log::info!("XIVE#{}: {} threads, {SOURCES} sources", chip.0, state.vps.threads().count());
        Ok(Self { chip, addresses, sources: Vec::new(), state: Lock::new(state) })
    }

    /// The state, once the OS has asked for exploitation mode.
    #[inline(never)]
    fn exploited(&self) -> Result<Guard<'_, State<I, R>>> {
        let state = self.state.lock();
        match state.mode {
            Some(Mode::Exploitation) => Ok(state),
            _ => Err(Error::WrongState(why("XIVE isn't in exploitation mode"))),
        }
    }

    /// The device block of a source, and its position there.
    fn device(&self, isn: Isn) -> Option<(&Source, u32)> {
        self.sources.iter().find_map(|source| Some((source, source.position(isn)?)))
    }

    /// Lets events of this chip go to another's queues. At boot only; of two chips each must know the other.
    pub fn add_neighbour(&mut self, other: &Self) {
        let Engine { ic, unit, .. } = &self.state.get_mut().engine;
        let Addresses { ic: other_ic, regions, .. } = other.addresses;
        tables::publish_neighbour(ic, unit, other.chip.0 as u8, regions.gates(other_ic));
    }
}

impl<I: Mmio, R: Ram> Sources for Xive<I, R> {
    fn reserve(&mut self, count: u32, align: u32) -> Result<Isn> {
        let state = self.state.get_mut();
        let first = state.devices.checked_sub(count).map(|first| first & !(align - 1));
        let first = first.filter(|&first| count != 0 && first > FIRST_SOURCE);
        let first = first.ok_or(Error::Resource(why("interrupt sources")))?;
        if state.allocated.next(first).is_some_and(|taken| taken < state.devices) {
            return Err(Error::Resource(why("interrupt sources")));
        }
        state.devices = first;
        let mut eas = state.idle_eas(first);
        for index in first..first + count {
            eas.set_data(state.vps.isn(index).0 & structures::DATA_LIMIT);
            state.engine.put_eas(index, eas);
        }
        Ok(state.vps.isn(first))
    }

    fn register(&mut self, source: Source) {
        self.sources.push(source);
    }

    fn notify_port(&self, port: NotifyPort) -> u64 {
        let unit = self.addresses.regions.unit();
        let bridges = &unit.phb_ports;
        self.addresses.ic
            + match port {
                // A chip has no more bridges than ports.
                NotifyPort::Phb(number) => bridges.get(usize::from(number)).copied().unwrap_or(bridges[0]),
                NotifyPort::Psi => unit.psi_port,
            }
    }

    fn chip(&self) -> ChipId {
        self.chip
    }
}

impl<I: Mmio, R: Ram> State<I, R> {
    /// EAS of a source that nobody has routed: valid, masked, its own number as data.
    fn idle_eas(&self, index: u32) -> Eas {
        let mut eas = Eas::default();
        eas.set_valid(true);
        eas.set_masked(true);
        eas.set_end_block(self.engine.block);
        let thread = engine::FIRST_THREAD | self.vps.threads().next().map_or(0, u32::from);
        eas.set_end_index(vps::end_of(thread, Priority::LEAST));
        eas.set_data(self.vps.isn(index).0 & structures::DATA_LIMIT);
        eas
    }
}

impl<I: Mmio, R: Ram> Controller for Chips<I, R> {
    fn reset(&self, mode: Mode) -> Result {
        self.reset_all(mode)
    }
    fn source(&self, isn: Isn) -> Result<SourceInfo> {
        self.of_source(isn)?.source_info(isn)
    }
    fn route(&self, isn: Isn) -> Result<Route> {
        self.at_source(isn)?.route(isn)
    }
    fn set_route(&self, isn: Isn, route: Route) -> Result {
        self.route_anywhere(isn, route)
    }
    fn queue(&self, vp: Vp, priority: Priority) -> Result<QueueInfo> {
        let chip = self.of_vp(vp)?;
        chip.exploited()?.queue(vp, priority, chip.addresses.regions.source_esbs())
    }
    fn set_queue(&self, vp: Vp, priority: Priority, queue: Option<Queue>) -> Result {
        self.at_vp(vp)?.set_queue(vp, priority, queue)
    }
    fn queue_position(&self, vp: Vp, priority: Priority) -> Result<QueuePosition> {
        self.at_vp(vp)?.queue_position(vp, priority)
    }
    fn set_queue_position(&self, vp: Vp, priority: Priority, position: QueuePosition) -> Result {
        self.at_vp(vp)?.set_queue_position(vp, priority, position)
    }
    fn donate_page(&self, chip: Option<ChipId>, page: OsBuffer) -> Result {
        self.donate(chip, page)
    }
    fn allocate_vps(&self, order: u32) -> Result<Vp> {
        self.allocate_vps_anywhere(order)
    }
    fn free_vps(&self, first: Vp) -> Result {
        self.at_vp(first)?.free_vps(first)
    }
    fn vp(&self, vp: Vp) -> Result<VpInfo> {
        let chip = self.of_vp(vp)?;
        chip.exploited()?.vp(vp, chip.chip)
    }
    fn set_vp(&self, vp: Vp, settings: Option<VpSettings>) -> Result {
        self.at_vp(vp)?.set_vp(vp, settings)
    }
    fn vp_state(&self, vp: Vp) -> Result<u64> {
        self.at_vp(vp)?.vp_state(vp)
    }
    fn allocate_irq(&self, chip: Option<ChipId>) -> Result<Isn> {
        self.allocate_irq_on(chip)
    }
    fn free_irq(&self, isn: Isn) -> Result {
        self.at_source(isn)?.free_irq(isn)
    }
    fn sync(&self, isn: Isn) -> Result {
        self.sync_route(isn)
    }
    fn dump(&self, what: Dump, id: u32) -> Result {
        self.of_vp(Vp(id))?.show(what, id)
    }
}
