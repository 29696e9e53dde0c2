//! What a kernel's driver of the interface would be, written from `doc/dma-windows.md` alone; and what tests look at.

use crate::machine::{Machine, OUT, POOL, SUCCESS};
use opalite::hw::ram::Ram;
use std::collections::BTreeMap;
use std::ops::{Deref, Range};

pub const NO_MEM: i64 = -9;
pub const RESOURCE: i64 = -10;
pub const EMPTY: i64 = -16;

pub const WHOLE: u32 = 1;
pub const REPLACE: u32 = 1;
pub const READ: u32 = 1;
pub const WRITE: u32 = 2;
pub const BOTH: u32 = READ | WRITE;
pub const LIST: u32 = 4;

/// Where old entries go, and where lists lie.
pub const PREVIOUS: u64 = 0x2_0000;
pub const SEGMENTS: u64 = 0x4_0000;
/// Memory for devices.
pub const FRAMES: u64 = 0x40_0000_0000;
/// A page of the pool, and how many there are for tables: the first one is the pool's own.
pub const PAGE: u64 = 4096;
pub const POOL_PAGES: u64 = (POOL.end - POOL.start) / PAGE - 1;
const TCE_KILL: u64 = 0x210;

/// A slot: bridge, PE, window.
pub type Place = (u64, u64, u64);

/// What table-create tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    pub handle: u64,
    pub levels: u32,
    pub level_shift: u32,
    pub memory: u64,
}

/// What window-set and bypass-set tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    pub origin: u64,
    pub first: u64,
    pub last: u64,
}

/// What window-query tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub state: u32,
    pub owner: u32,
    pub handle: u64,
    pub page_shift: u32,
    pub levels: u32,
    pub reach: Reach,
    pub table: u64,
    pub shared: u32,
}

pub const CLOSED: Window = Window {
    state: 0,
    owner: 0,
    handle: 0,
    page_shift: 0,
    levels: 0,
    reach: Reach { origin: 0, first: 0, last: 0 },
    table: 0,
    shared: 0,
};

/// What pool-query tells, in pages but for the pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    pub total: u64,
    pub free: u64,
    pub donated: u64,
    pub pieces: u64,
}

/// The client.
pub struct Client(pub Machine);

impl Deref for Client {
    type Target = Machine;
    fn deref(&self) -> &Machine {
        &self.0
    }
}

/// The token that the device tree would name.
pub fn token(name: &str) -> u64 {
    let found = opalite::opal::extension::tokens().find(|&(other, _)| other == name);
    found.unwrap_or_else(|| panic!("no call {name}")).1.into()
}

impl Client {
    pub fn new() -> Self {
        Self(Machine::new())
    }

    /// With this RAM; firmware's is at the end of it, 64 MiB at 2^50.
    pub fn with_memory(ranges: &[Range<u64>]) -> Self {
        let ranges = ranges.iter().cloned().chain([crate::machine::FIRMWARE]).collect();
        Self(Machine::with_memory(ranges, |_| {}))
    }

    pub fn named<const N: usize>(&self, name: &str, args: [u64; N]) -> i64 {
        self.call(token(name), args)
    }

    /// A call with a structure: what is behind its size and flags.
    pub fn request(&self, name: &str, flags: u32, words: &[u64]) -> i64 {
        let size = 8 * (words.len() as u64 + 1);
        self.ram.write64(OUT, size << 32 | u64::from(flags));
        for (word, at) in words.iter().zip((OUT + 8..).step_by(8)) {
            self.ram.write64(at, *word);
        }
        self.named(name, [OUT])
    }

    fn out(&self, offset: u64) -> u64 {
        self.ram.read64(OUT + offset)
    }
    fn out32(&self, offset: u64) -> u32 {
        self.ram.read32(OUT + offset)
    }

    pub fn try_create(&self, shift: u64, levels: u64, size: u64, flags: u32) -> Result<Created, i64> {
        match self.request("table-create", flags, &[shift << 32 | levels, size, 0, 0, 0]) {
            SUCCESS => Ok(Created {
                handle: self.out(24),
                levels: self.out32(32),
                level_shift: self.out32(36),
                memory: self.out(40),
            }),
            status => Err(status),
        }
    }
    #[track_caller]
    pub fn create(&self, shift: u64, levels: u64, size: u64) -> u64 {
        self.try_create(shift, levels, size, 0).expect("table-create").handle
    }
    pub fn destroy(&self, handle: u64) -> i64 {
        self.named("table-destroy", [handle])
    }

    fn reach(&self, status: i64, at: u64) -> Result<Reach, i64> {
        match status {
            SUCCESS => Ok(Reach { origin: self.out(at), first: self.out(at + 8), last: self.out(at + 16) }),
            status => Err(status),
        }
    }
    pub fn try_set(&self, (phb, pe, window): Place, handle: u64, flags: u32) -> Result<Reach, i64> {
        let status = self.request("window-set", flags, &[phb, pe << 32 | window, handle, 0, 0, 0]);
        self.reach(status, 32)
    }
    #[track_caller]
    pub fn set(&self, place: Place, handle: u64) -> Reach {
        self.try_set(place, handle, 0).expect("window-set")
    }
    pub fn unset(&self, (phb, pe, window): Place) -> i64 {
        self.named("window-unset", [phb, pe, window])
    }
    pub fn bypass(&self, (phb, pe, window): Place, mode: u64, flags: u32) -> Result<Reach, i64> {
        let status = self.request("bypass-set", flags, &[phb, pe << 32 | window, mode, 0, 0, 0]);
        self.reach(status, 32)
    }
    #[track_caller]
    pub fn query(&self, (phb, pe, window): Place) -> Window {
        let all = u64::MAX;
        let words = [phb, pe << 32 | window, all, all, all, all, all, all, all, all];
        assert_eq!(self.request("window-query", 0, &words), SUCCESS);
        assert_eq!(self.out32(84), 0);
        Window {
            state: self.out32(24),
            owner: self.out32(28),
            handle: self.out(32),
            page_shift: self.out32(40),
            levels: self.out32(44),
            reach: Reach { origin: self.out(48), first: self.out(56), last: self.out(64) },
            table: self.out(72),
            shared: self.out32(80),
        }
    }

    pub fn map_to(&self, handle: u64, offset: u64, pages: u64, memory: u64, access: u32) -> i64 {
        self.request("table-map", access, &[handle, offset, pages, memory, 0, 0])
    }
    /// The same; the old entries too.
    #[track_caller]
    pub fn replace(&self, handle: u64, offset: u64, pages: u64, memory: u64, access: u32) -> Vec<u64> {
        let words = [handle, offset, pages, memory, PREVIOUS, 0];
        assert_eq!(self.request("table-map", access, &words), SUCCESS);
        self.previous(pages)
    }
    pub fn map_list(&self, handle: u64, offset: u64, list: &[(u64, u64)], access: u32) -> i64 {
        for (&(address, pages), at) in list.iter().zip((SEGMENTS..).step_by(16)) {
            self.ram.write64(at, address);
            self.ram.write64(at + 8, pages);
        }
        let pages = list.iter().map(|segment| segment.1).sum();
        let words = [handle, offset, pages, SEGMENTS, PREVIOUS, list.len() as u64];
        self.request("table-map", access | LIST, &words)
    }
    pub fn unmap_pages(&self, handle: u64, offset: u64, pages: u64) -> i64 {
        self.request("table-unmap", 0, &[handle, offset, pages, 0])
    }
    /// The same; the old entries too.
    #[track_caller]
    pub fn take_out(&self, handle: u64, offset: u64, pages: u64) -> Vec<u64> {
        assert_eq!(self.request("table-unmap", 0, &[handle, offset, pages, PREVIOUS]), SUCCESS);
        self.previous(pages)
    }
    pub fn previous(&self, pages: u64) -> Vec<u64> {
        (0..pages).map(|index| self.ram.read64(PREVIOUS + 8 * index)).collect()
    }

    pub fn pool(&self) -> Pool {
        assert_eq!(self.request("pool-query", 0, &[7, 7, 7, 7]), SUCCESS);
        let pages = |offset| {
            assert_eq!(self.out(offset) % PAGE, 0);
            self.out(offset) / PAGE
        };
        Pool { total: pages(8), free: pages(16), donated: pages(24), pieces: self.out(32) }
    }
    pub fn donate(&self, address: u64, size: u64) -> i64 {
        self.named("pool-donate", [address, size])
    }
    pub fn reclaim(&self, address: u64, size: u64) -> i64 {
        self.named("pool-reclaim", [address, size])
    }

    pub fn bind(&self, liobn: u64, handle: u64, base: u64) -> i64 {
        self.named("liobn-bind", [liobn, handle, base])
    }
    pub fn unbind(&self, liobn: u64) -> i64 {
        self.named("liobn-unbind", [liobn])
    }
    pub fn put(&self, liobn: u64, ioba: u64, tce: u64) -> i64 {
        self.named("put-tce", [liobn, ioba, tce])
    }
    pub fn put_list(&self, liobn: u64, ioba: u64, tces: &[u64]) -> i64 {
        for (tce, at) in tces.iter().zip((SEGMENTS..).step_by(8)) {
            self.ram.write64(at, *tce);
        }
        self.named("put-tce-indirect", [liobn, ioba, SEGMENTS, tces.len() as u64])
    }
    pub fn stuff(&self, liobn: u64, ioba: u64, tce: u64, count: u64) -> i64 {
        self.named("stuff-tce", [liobn, ioba, tce, count])
    }
    pub fn get(&self, liobn: u64, ioba: u64) -> Result<u64, i64> {
        match self.named("get-tce", [liobn, ioba, PREVIOUS]) {
            0 => Ok(self.ram.read64(PREVIOUS)),
            result => Err(result),
        }
    }

    /// Fills the pool: what is left are `single` tables of one page, made last and lying one after another.
    pub fn fill_pool(&self, single: u64) -> Vec<u64> {
        let table = |pages: u64| self.try_create(12, 1, (pages * PAGE / 8) << 12, 0).map(|made| made.handle);
        let mut pages = 1 << 10;
        while self.pool().free > single {
            if self.pool().free - single < pages || table(pages).is_err() {
                pages /= 2;
            }
        }
        let singles = (0..single).map(|_| table(1).expect("a page")).collect();
        assert_eq!(self.pool().free, 0);
        singles
    }

    /// Entries of a table that aren't 0, as hardware walks it, by their number; and the levels.
    pub fn walk(&self, place: Place) -> (BTreeMap<u64, u64>, Vec<u64>) {
        let tve = self.models[place.0 as usize].phb4().tvt()[(2 * place.1 + place.2) as usize].unwrap_or(0);
        let (levels, shift) = ((tve >> 13 & 7) as u32 + 1, (tve >> 8 & 31) as u32 + 11);
        let mut found = (BTreeMap::new(), Vec::new());
        if tve & 31 != 0 {
            self.walk_level(tve >> 16 << 12, levels - 1, shift, 0, &mut found);
        }
        found
    }
    fn walk_level(
        &self,
        address: u64,
        above: u32,
        shift: u32,
        first: u64,
        found: &mut (BTreeMap<u64, u64>, Vec<u64>),
    ) {
        found.1.push(address);
        for index in 0..1_u64 << (shift - 3) {
            let entry = self.ram.read64(address + 8 * index);
            let number = first << (shift - 3) | index;
            if entry == 0 {
            } else if above == 0 {
                found.0.insert(number, entry);
            } else {
                assert_eq!(entry & 0xfff, 3, "an upper level's entry has both permissions");
                self.walk_level(entry & !0xfff, above - 1, shift, number, found);
            }
        }
    }

    /// Puts a requester into a PE of a bridge; what it can do.
    pub fn device(&self, phb: u64, pe: u64) -> Device<'_> {
        let rid = (pe % 256) << 8 | (pe / 256) << 3;
        assert_eq!(self.call(31, [phb, pe, rid, 7, 1, 1, 1]), SUCCESS);
        Device { client: self, phb, pe, rid: rid as u16 }
    }

    /// The kills that a bridge was asked for since the last look.
    pub fn kills(&self, phb: u64) -> Vec<u64> {
        let model = &self.models[phb as usize];
        let kills = model.writes().into_iter().filter(|write| write.0 == TCE_KILL).map(|write| write.2);
        let kills = kills.collect();
        model.clear_writes();
        kills
    }

    /// Fails when the call stores anything: into memory, or into a register of a bridge.
    #[track_caller]
    pub fn untouched(&self, what: &str, call: impl FnOnce() -> i64) -> i64 {
        self.models.iter().for_each(|model| model.clear_writes());
        self.ram.take_writes();
        let status = call();
        assert_eq!(self.ram.take_writes(), [], "{what}: stores into memory");
        for (id, model) in self.models.iter().enumerate() {
            assert_eq!(model.writes(), [], "{what}: stores into registers of bridge {id}");
        }
        status
    }
}

/// A device that moves bytes.
#[derive(Clone, Copy)]
pub struct Device<'a> {
    client: &'a Client,
    phb: u64,
    pe: u64,
    rid: u16,
}

impl Device<'_> {
    /// Whether a write arrives at real address `real`, and nowhere else if it is refused. A freeze is lifted.
    pub fn writes(&self, bus: u64, real: u64) -> bool {
        let (ram, model) = (self.client.ram, &self.client.models[self.phb as usize]);
        let mark = [0xa5, self.pe as u8, bus as u8, 0x5a];
        ram.write_bytes(real, &[0; 4]);
        let result = model.dma_write(self.rid, bus, &mark);
        let arrived = ram.bytes(real, 4) == mark;
        self.thaw();
        assert_eq!(result.is_ok(), arrived, "write at {bus:#x}: {result:x?}, at {real:#x}");
        arrived
    }
    /// Whether a read gives what is at real address `real`; no other read succeeds. A freeze is lifted.
    pub fn reads(&self, bus: u64, real: u64) -> bool {
        let secret = [0x11, self.pe as u8, bus as u8, (real >> 12) as u8];
        self.client.ram.write_bytes(real, &secret);
        match self.load(bus) {
            Some(bytes) => {
                assert_eq!(bytes, secret, "read at {bus:#x}");
                true
            }
            None => false,
        }
    }
    /// What four bytes a read gives. A freeze is lifted.
    pub fn load(&self, bus: u64) -> Option<[u8; 4]> {
        let model = &self.client.models[self.phb as usize];
        let result = model.dma_read(self.rid, bus, 4);
        self.thaw();
        result.ok().and_then(|bytes| bytes.try_into().ok())
    }
    fn thaw(&self) {
        assert_eq!(self.client.call(26, [self.phb, self.pe, 3]), SUCCESS);
    }
}

/// All that a refused call must leave as it was, as far as it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    tvts: Vec<Vec<Option<u64>>>,
    pool: Pool,
    windows: Vec<Window>,
    entries: Vec<BTreeMap<u64, u64>>,
    liobns: Vec<Result<u64, i64>>,
}

impl Snapshot {
    /// Of these slots, and of these LIOBNs' entries.
    pub fn of(client: &Client, places: &[Place], liobns: &[(u64, u64)]) -> Self {
        Self {
            tvts: client.models.iter().map(|model| model.phb4().tvt()).collect(),
            pool: client.pool(),
            windows: places.iter().map(|&place| client.query(place)).collect(),
            entries: places.iter().map(|&place| client.walk(place).0).collect(),
            liobns: liobns.iter().map(|&(liobn, ioba)| client.get(liobn, ioba)).collect(),
        }
    }
}
