//! Interrupt controllers: what OPAL needs of one, in typed terms, and the drivers behind that.
//!
//! Meaning of the calls: `reference/linux-opal-contract.md` §2.4. On XIVE only exploitation mode is served: the OS
//! drives ESB pages, event queues and the TIMA itself, and calls firmware to set them up. On XICS it drives the
//! presenters, and firmware the sources.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bitmap;
pub mod source;
pub mod xics;
pub mod xive;

use crate::error::{Error, Result, why};
use crate::mem::{MemoryMap, OsBuffer};
use crate::units::{ChipId, Isn};
use xics::Server;

/// What XIVE_RESET leaves the controller in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// XICS emulation: everything masked; no other call is served. The OS asks for it when it leaves.
    Emulation,
    /// Exploitation: the calls below are served.
    Exploitation,
}

impl TryFrom<u64> for Mode {
    type Error = Error;
    fn try_from(argument: u64) -> Result<Self> {
        match argument {
            0 => Ok(Self::Emulation),
            1 => Ok(Self::Exploitation),
            _ => Err(Error::Parameter(why("XIVE mode"))),
        }
    }
}

/// Number of a virtual processor (VP) as the OS names it: a thread's PIR, or a number that firmware gave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vp(pub u32);

impl TryFrom<u64> for Vp {
    type Error = Error;
    fn try_from(argument: u64) -> Result<Self> {
        u32::try_from(argument).map(Self).map_err(|_| Error::Parameter(why("VP")))
    }
}

/// Priority of an event queue: 0, the most favoured, to 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority(u8);

impl Priority {
    /// The least favoured one; the queue that collects all escalations in single-escalation mode.
    pub const LEAST: Self = Self(7);
    /// What the OS passes to mask a source.
    pub const MASKED: u64 = 0xff;

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..=7).map(Self)
    }
    /// The number.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl TryFrom<u64> for Priority {
    type Error = Error;
    fn try_from(argument: u64) -> Result<Self> {
        match u8::try_from(argument) {
            Ok(number @ 0..=7) => Ok(Self(number)),
            _ => Err(Error::Parameter(why("priority"))),
        }
    }
}

/// What GET_IRQ_INFO tells of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceInfo {
    /// `IRQ_*` bits.
    pub flags: u64,
    /// Address of the ESB page for EOI and PQ.
    pub eoi_page: u64,
    /// Address of the page whose stores trigger; 0 when there is none.
    pub trigger_page: u64,
    /// log2 of the distance between the ESB pages of two sources.
    pub page_shift: u32,
    /// The chip that it is on.
    pub chip: ChipId,
}

/// GET_IRQ_INFO: the trigger page is a page of its own.
pub const IRQ_TRIGGER_PAGE: u64 = 1;
/// GET_IRQ_INFO: a store to the ESB page ends the interrupt.
pub const IRQ_STORE_EOI: u64 = 0x40;
/// GET_IRQ_INFO: level-sensitive.
pub const IRQ_LSI: u64 = 4;

/// Where a source's events go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Whose queue.
    pub vp: Vp,
    /// Which queue; `None` when the source is masked.
    pub priority: Option<Priority>,
    /// What is written into the queue, 31 bits.
    pub data: u32,
}

/// Where the END of a queue is: the block and index that hardware knows it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndName {
    /// Its block: the chip.
    pub block: u8,
    /// Its index there.
    pub index: u32,
}

/// The memory of an event queue, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuePage {
    address: u64,
    order: u32,
}

impl QueuePage {
    /// Checks what SET_QUEUE_INFO passes: order 0 is a queue without memory, which only notifies.
    ///
    /// # Errors
    /// `Parameter` when the order isn't one that hardware has, or the page isn't aligned to its size, or isn't RAM
    /// of the OS: hardware writes there.
    pub fn check(map: &MemoryMap, address: u64, order: u64) -> Result<Option<Self>> {
        let order = match order {
            0 if address == 0 => return Ok(None),
            12 => 12,
            16 => 16,
            21 => 21,
            24 => 24,
            _ => return Err(Error::Parameter(why("queue order"))),
        };
        let buffer = OsBuffer::check(map, address, 1 << order)?;
        if !buffer.address.is_multiple_of(1 << order) {
            return Err(Error::Parameter(why("queue page alignment")));
        }
        Ok(Some(Self { address: buffer.address, order }))
    }
    /// Real address.
    pub const fn address(self) -> u64 {
        self.address
    }
    /// log2 of the size in bytes.
    pub const fn order(self) -> u32 {
        self.order
    }
}

/// An enabled event queue as SET_QUEUE_INFO wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its memory.
    pub page: Option<QueuePage>,
    /// Every entry notifies the VP, whatever the queue's own PQ bits are.
    pub always_notify: bool,
    /// A VP that isn't running escalates.
    pub escalate: bool,
}

impl Queue {
    const ENABLED: u64 = 1;
    const ALWAYS_NOTIFY: u64 = 2;
    const ESCALATE: u64 = 4;

    /// Decodes the flags of SET_QUEUE_INFO; `None` disables the queue, whatever the other arguments say.
    ///
    /// # Errors
    /// `Parameter` for an unknown flag and what [`QueuePage::check`] rejects.
    pub fn decode(map: &MemoryMap, address: u64, order: u64, flags: u64) -> Result<Option<Self>> {
        if flags & !(Self::ENABLED | Self::ALWAYS_NOTIFY | Self::ESCALATE) != 0 {
            return Err(Error::Parameter(why("queue flags")));
        }
        if flags & Self::ENABLED == 0 {
            return Ok(None);
        }
        Ok(Some(Self {
            page: QueuePage::check(map, address, order)?,
            always_notify: flags & Self::ALWAYS_NOTIFY != 0,
            escalate: flags & Self::ESCALATE != 0,
        }))
    }

    /// The flags of an enabled queue.
    pub const fn flags(always_notify: bool, escalate: bool) -> u64 {
        Self::ENABLED
            | if always_notify { Self::ALWAYS_NOTIFY } else { 0 }
            | if escalate { Self::ESCALATE } else { 0 }
    }
}

/// What GET_QUEUE_INFO tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueInfo {
    /// Real address of its memory, 0 for none.
    pub page: u64,
    /// log2 of its size in bytes, 0 for none.
    pub order: u64,
    /// Address of the ESB page that controls its notifications.
    pub eoi_page: u64,
    /// Source number of its escalation.
    pub escalation: u32,
    /// Flags as in SET_QUEUE_INFO.
    pub flags: u64,
}

/// Where hardware writes the next entry of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuePosition {
    /// Generation bit of the next entry.
    pub generation: bool,
    /// Its index.
    pub index: u32,
}

/// What SET_VP_INFO wants of an enabled VP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VpSettings {
    /// All queues share one escalation, which takes queue 7.
    pub single_escalation: bool,
    /// Real address of the pair of cache lines that the context is reported to, 0 for none.
    pub report: u64,
}

impl VpSettings {
    const ENABLED: u64 = 1;
    const SINGLE_ESCALATION: u64 = 2;

    /// Decodes SET_VP_INFO; `None` disables the VP.
    ///
    /// # Errors
    /// `Parameter` for an unknown flag or a report address that isn't 256 aligned bytes of the OS.
    pub fn decode(map: &MemoryMap, flags: u64, report: u64) -> Result<Option<Self>> {
        if flags & !(Self::ENABLED | Self::SINGLE_ESCALATION) != 0 {
            return Err(Error::Parameter(why("VP flags")));
        }
        if flags & Self::ENABLED == 0 {
            return Ok(None);
        }
        let report = if report == 0 { 0 } else { OsBuffer::check(map, report, 256)?.address };
        if report & 0xff != 0 {
            return Err(Error::Parameter(why("report address")));
        }
        Ok(Some(Self { single_escalation: flags & Self::SINGLE_ESCALATION != 0, report }))
    }
}

/// What GET_VP_INFO tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VpInfo {
    /// Flags as in SET_VP_INFO.
    pub flags: u64,
    /// What the OS writes into a TIMA ring's word 2, without the valid bit.
    pub cam: u64,
    /// The report address.
    pub report: u64,
    /// The chip that it is on.
    pub chip: ChipId,
}

impl VpInfo {
    /// The flags of a VP.
    pub const fn flags(enabled: bool, single_escalation: bool) -> u64 {
        (if enabled { VpSettings::ENABLED } else { 0 })
            | if single_escalation { VpSettings::SINGLE_ESCALATION } else { 0 }
    }
}

/// What XIVE_DUMP shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dump {
    /// The physical ring of a thread's TIMA.
    Physical,
    /// Its pool ring.
    Pool,
    /// Its OS ring.
    Os,
    /// The structure of a VP.
    Vp,
}

impl TryFrom<u64> for Dump {
    type Error = Error;
    fn try_from(argument: u64) -> Result<Self> {
        match argument {
            0 => Ok(Self::Physical),
            1 => Ok(Self::Pool),
            2 => Ok(Self::Os),
            3 => Err(Error::Unsupported(why("user ring"))),
            4 => Ok(Self::Vp),
            5 => Err(Error::Unsupported(why("XICS emulation"))),
            _ => Err(Error::Parameter(why("dump type"))),
        }
    }
}

const NONE: Error = Error::Unsupported(why("no such interrupt controller"));

/// What the calls ask of the machine's interrupt controller. The defaults are those of the other kind.
///
/// All of XIVE's but `reset` fail with `WrongState` before the controller is in exploitation mode, with `Parameter` for a
/// source, VP or queue that doesn't exist, with `Busy` when hardware was at the same structure, and with `Hardware`
/// when it doesn't answer in time.
#[allow(clippy::missing_errors_doc)]
pub trait Controller: Send + Sync {
    /// XIVE_RESET: forgets everything that the OS set up and masks all sources.
    fn reset(&self, _mode: Mode) -> Result {
        Err(NONE)
    }
    /// GET_IRQ_INFO.
    fn source(&self, _isn: Isn) -> Result<SourceInfo> {
        Err(NONE)
    }
    /// GET_IRQ_CONFIG.
    fn route(&self, _isn: Isn) -> Result<Route> {
        Err(NONE)
    }
    /// SET_IRQ_CONFIG. Events on their way to the old queue have arrived when it returns.
    fn set_route(&self, _isn: Isn, _route: Route) -> Result {
        Err(NONE)
    }
    /// GET_QUEUE_INFO.
    fn queue(&self, _vp: Vp, _priority: Priority) -> Result<QueueInfo> {
        Err(NONE)
    }
    /// SET_QUEUE_INFO: an enabled queue starts at generation 1, index 0.
    fn set_queue(&self, _vp: Vp, _priority: Priority, _queue: Option<Queue>) -> Result {
        Err(NONE)
    }
    /// GET_QUEUE_STATE of an enabled queue (else `WrongState`).
    fn queue_position(&self, _vp: Vp, _priority: Priority) -> Result<QueuePosition> {
        Err(NONE)
    }
    /// SET_QUEUE_STATE of an enabled queue (else `WrongState`).
    fn set_queue_position(&self, _vp: Vp, _priority: Priority, _position: QueuePosition) -> Result {
        Err(NONE)
    }
    /// DONATE_PAGE: 64 KiB for END and NVT tables, until the next reset.
    fn donate_page(&self, _chip: Option<ChipId>, _page: OsBuffer) -> Result {
        Err(NONE)
    }
    /// ALLOCATE_VP_BLOCK: 2^`order` VPs; `XiveProvisioning` when a page must be donated first.
    fn allocate_vps(&self, _order: u32) -> Result<Vp> {
        Err(NONE)
    }
    /// FREE_VP_BLOCK, by its first VP; `XiveFreeActive` when a VP or a queue of it is still enabled.
    fn free_vps(&self, _first: Vp) -> Result {
        Err(NONE)
    }
    /// GET_VP_INFO.
    fn vp(&self, _vp: Vp) -> Result<VpInfo> {
        Err(NONE)
    }
    /// SET_VP_INFO; `None` disables the VP and its queues.
    fn set_vp(&self, _vp: Vp, _settings: Option<VpSettings>) -> Result {
        Err(NONE)
    }
    /// GET_VP_STATE of an enabled VP (else `WrongState`): what hardware saved when its context was last pulled.
    fn vp_state(&self, _vp: Vp) -> Result<u64> {
        Err(NONE)
    }
    /// ALLOCATE_IRQ: a source without a device, which software triggers; `Resource` when there are no more.
    fn allocate_irq(&self, _chip: Option<ChipId>) -> Result<Isn> {
        Err(NONE)
    }
    /// FREE_IRQ.
    fn free_irq(&self, _isn: Isn) -> Result {
        Err(NONE)
    }
    /// XIVE_SYNC: earlier events and changes of this source have taken effect when it returns.
    fn sync(&self, _isn: Isn) -> Result {
        Err(NONE)
    }
    /// XIVE_DUMP: writes state to the log.
    fn dump(&self, _what: Dump, _id: u32) -> Result {
        Err(NONE)
    }
    /// GET_XIVE, a XICS call for all its name: the thread that a source interrupts, and its priority.
    fn server(&self, _isn: Isn) -> Result<(Server, u8)> {
        Err(NONE)
    }
    /// SET_XIVE: priority 0xff masks.
    fn set_server(&self, _isn: Isn, _server: Server, _priority: u8) -> Result {
        Err(NONE)
    }
}

/// The controller of a machine without XIVE.
#[derive(Clone, Copy, Debug)]
pub struct NoXive;

impl Controller for NoXive {}
