//! What differs between POWER9's unit and POWER10's, as data, and the registers that both have alike.
//!
//! The driver thinks in POWER9's structures; [`Layout`] turns those of the other generation into them.

use super::structures::{End, Nvt, Rows};
use crate::hw::mmio::Mmio;
use bitfield::bitfield;
use core::marker::PhantomData;

/// IBM's bit number in a 64-bit register, as the crate `bitfield` counts.
pub const fn ibm(bit: usize) -> usize {
    63 - bit
}

/// A register of a type.
#[derive(Clone, Copy)]
pub struct Reg<T> {
    offset: u64,
    what: PhantomData<fn() -> T>,
}

impl<T: From<u64> + Into<u64>> Reg<T> {
    pub const fn at(offset: u64) -> Self {
        Self { offset, what: PhantomData }
    }
    pub fn read(&self, page: &impl Mmio) -> T {
        page.read64(self.offset).into()
    }
    pub fn write(&self, page: &impl Mmio, value: T) {
        page.write64(self.offset, value.into());
    }
    pub fn update(&self, page: &impl Mmio, change: impl FnOnce(&mut T)) {
        let mut value = self.read(page);
        change(&mut value);
        self.write(page, value);
    }
}

macro_rules! as_u64 {
    ($($name:ident),+) => {
        $(impl From<u64> for $name {
            fn from(value: u64) -> Self {
                Self(value)
            }
        }
        impl From<$name> for u64 {
            fn from(value: $name) -> Self {
                value.0
            }
        })+
    };
}
pub(super) use as_u64;

/// One generation of the unit. Offsets are from the IC BAR.
pub struct Unit {
    /// XSCOM address of the first register.
    pub scom: u64,
    /// Cache of ENDs.
    pub end_cache: Cache,
    /// Cache of EASs.
    pub eas_cache: Cache,
    /// Cache of NVTs.
    pub nvt_cache: Cache,
    /// A cache tells that a structure is out before memory has it.
    pub early_scrubs: bool,
    /// Watches of ENDs and of NVTs.
    pub watches: [Watch; 2],
    /// How to drop translations of the NVT table and of the END table.
    pub kills: [Kill; 2],
    /// How to wait for events on their way.
    pub syncs: Syncs,
    /// Thread enables: the register itself, and the ones that set and clear bits. Threads 0–63, then the others.
    pub thread_enable: [[Reg<u64>; 3]; 2],
    /// Hardware threads that a chip can have.
    pub threads: u32,
    /// Where firmware reaches a thread's TIMA.
    pub tima: Tima,
    /// Ports for the events of the bridges.
    pub phb_ports: [u64; 6],
    /// Port for the events of the PSI host bridge.
    pub psi_port: u64,
    /// Where tables are described.
    pub tables: TablePorts,
    /// Bits of an NVT's index in its name; the block is above.
    pub nvt_bits: u32,
    /// 64-bit rows of an NVT.
    pub nvt_rows: usize,
    /// What a VP's CAM has besides the name.
    pub cam: u64,
    /// Flags of every source.
    pub source_flags: u64,
    /// How structures look.
    pub layout: Layout,
}

impl Unit {
    /// How ENDs and TIMA rings name an NVT.
    pub const fn nvt_name(&self, block: u8, index: u32) -> u32 {
        (block as u32) << self.nvt_bits | index
    }
    /// Bytes of an NVT.
    pub const fn nvt_size(&self) -> u64 {
        self.nvt_rows as u64 * 8
    }
}

/// The registers of one structure cache.
pub struct Cache {
    /// Where a target is written to be scrubbed.
    pub scrub: Reg<u64>,
    /// Which bits of the target are compared; where there is no such register, the mask is part of the target.
    pub mask: Option<Reg<u64>>,
    /// Bit 0 is set while a scrub runs.
    pub busy: Reg<u64>,
    /// The target of a structure.
    pub target: fn(u8, u32) -> u64,
    /// The mask for exactly one structure.
    pub one: u64,
    /// The mask for all structures of the block.
    pub block: u64,
}

/// Which of [`Unit::watches`].
#[derive(Clone, Copy)]
pub enum Watched {
    /// ENDs.
    End = 0,
    /// NVTs.
    Nvt = 1,
}

/// A cache watch, through which a structure is changed under the hardware's eyes.
pub struct Watch {
    pub spec: Reg<WatchSpec>,
    /// Offset of the first data register.
    pub data: u64,
}

/// How a cache of table descriptors is emptied.
pub struct Kill {
    pub mask: Reg<u64>,
    pub kill: Reg<u64>,
    /// What is written there; bit 0 stays set until it is done.
    pub value: u64,
}

/// How firmware waits for events on their way.
pub struct Syncs {
    /// Stores to these ask.
    pub ports: &'static [u64],
    /// Answers.
    pub done: Reg<u64>,
    /// All the bits of it that answer.
    pub all: u64,
    /// Hardware wants a load of this before the next sync is asked for.
    pub then: Reg<u64>,
}

/// Where firmware reaches a thread's TIMA: its most privileged page.
pub struct Tima {
    /// The register that names the thread, where there is only one page.
    pub select: Option<Select>,
    /// The first thread's page.
    pub page: u64,
    /// From one thread's to the next.
    pub stride: u64,
}

/// The register that names the thread whose TIMA is seen.
pub struct Select {
    pub register: Reg<u64>,
    /// What names a thread there; 0 names none.
    pub thread: fn(u8) -> u64,
}

/// Offsets in a page of the TIMA.
pub mod tima {
    /// OS ring.
    pub const OS: u64 = 0x10;
    /// Pool ring.
    pub const POOL: u64 = 0x20;
    /// Physical ring.
    pub const PHYSICAL: u64 = 0x30;
    /// Byte with VT, the valid bit of the physical ring.
    pub const VT: u64 = 0x38;
    /// VT set.
    pub const VALID: u8 = 0x80;
}

/// Where tables are described.
pub struct TablePorts {
    /// The VC's address register and data register, then the PC's.
    pub vc: (Reg<VsdAddress>, Reg<Vsd>),
    pub pc: (Reg<VsdAddress>, Reg<Vsd>),
    /// Numbers of the tables of EASs and of PQ bits; those of ENDs and NVTs are 2 and 3.
    pub eas: u8,
    pub esb: u8,
    /// The PC isn't told of the EASs.
    pub eas_in_vc_only: bool,
    /// Number of the table of overflow pages.
    pub overflow: u8,
    /// Registers that let the internal queues overflow to memory, 8 bytes apart, and how many.
    pub queues: u64,
    pub queue_count: u8,
    /// What to set in one for a page of 64 KiB.
    pub queue: u64,
}

/// How structures look.
pub struct Layout {
    pub end_from: fn(&Rows) -> End,
    pub end_into: fn(&End, &mut Rows),
    pub nvt_from: fn(&Rows) -> Nvt,
    /// The NVT of that name; `true` for that of a hardware thread.
    pub nvt_into: fn(&Nvt, &mut Rows, u32, bool),
}

bitfield! {
    /// BAR of a few pages: its address in place, and how large pages are.
    pub struct PagesBar(pub u64);
    pub _, set_valid: ibm(0);
    pub _, set_pages_64k: ibm(1);
}

impl PagesBar {
    /// 64 KiB pages from `address` on.
    pub fn valid(address: u64) -> Self {
        let mut bar = Self(address);
        bar.set_valid(true);
        bar.set_pages_64k(true);
        bar
    }
}

bitfield! {
    pub struct VsdAddress(pub u64);
    pub u8, _, set_table: ibm(12), ibm(15);
    pub u8, _, set_block: ibm(28), ibm(31);
}

impl VsdAddress {
    /// Names a table.
    pub fn new(table: u8, block: u8) -> Self {
        let mut address = Self(0);
        address.set_table(table);
        address.set_block(block);
        address
    }
}

bitfield! {
    /// Virtual structure descriptor: where a table, or a page of an indirect one, lies. The address is in place.
    #[derive(Clone, Copy)]
    pub struct Vsd(pub u64);
    /// 2 = exclusive, ours.
    pub u8, _, set_mode: ibm(0), ibm(1);
    pub _, set_indirect: ibm(56);
    /// log2 of the size, less 12.
    pub u8, _, set_size: ibm(59), ibm(63);
}

bitfield! {
    pub struct WatchSpec(pub u64);
    /// The structure changed under the watch: nothing was written.
    pub conflict, _: ibm(0);
    /// The watch looks for conflicts.
    pub full, set_full: ibm(8);
    pub u8, _, set_block: ibm(28), ibm(31);
    pub u32, _, set_index: ibm(40), ibm(63);
}

as_u64!(PagesBar, VsdAddress, Vsd, WatchSpec);

/// The unit's registers through XSCOM: the only way while the IC BAR isn't valid.
pub struct Scom<'a> {
    pub window: &'a dyn Mmio,
    /// XSCOM address of the unit.
    pub base: u64,
}

macro_rules! delegate {
    ($($read:ident $write:ident $type:ty),+) => {
        $(fn $read(&self, offset: u64) -> $type {
            self.window.$read((self.base << 3) + offset)
        }
        fn $write(&self, offset: u64, value: $type) {
            self.window.$write((self.base << 3) + offset, value);
        })+
    };
}

impl Mmio for Scom<'_> {
    delegate!(read8 write8 u8, read16 write16 u16, read32 write32 u32, read64 write64 u64);
}
