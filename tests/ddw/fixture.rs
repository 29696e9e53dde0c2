//! Calls as a client makes them, and a machine whose bridge 0 has two requesters in PEs of their own.

use crate::client::{Calls, Device, Node};
use crate::machine::{Machine, OUT, SUCCESS};
use opalite::hw::ram::Ram;
use std::cell::{Cell, RefCell};

pub const QUERY: u32 = 0x2026;
pub const CREATE: u32 = 0x2027;
pub const REMOVE: u32 = 0x2028;
pub const RESET: u32 = 0x2029;

pub const H_PARAMETER: i64 = -4;
pub const H_HARDWARE: i64 = -1;
pub const H_RESOURCE: i64 = -16;

/// First bus addresses of windows 1.
pub const HIGH: u64 = 1 << 59;
pub const FOUR_GIB: u64 = 1 << 32;

/// PE 5 has the requester 01:00.0, PE 9 has 02:00.0; nobody has 03:00.0.
pub const PE: u64 = 5;
pub const RID: u16 = 0x0100;
pub const CONFIG: u32 = 0x1_0000;
pub const OTHER_PE: u64 = 9;
pub const OTHER_RID: u16 = 0x0200;
pub const OTHER_CONFIG: u32 = 0x2_0000;
pub const NOBODY: u32 = 0x3_0000;

/// The LIOBN of a window of bridge 0.
pub const fn liobn(pe: u64, window: u64) -> u64 {
    0x8000_0000 | (2 * pe) | window
}

/// Lists and memory for devices.
const LIST: u64 = 0x20_0000;
pub const MEMORY: u64 = 0x40_0000;

/// What results hold before a call.
const UNTOUCHED: u32 = 0x5555_5555;

pub fn token(name: &str) -> u64 {
    let (_, token) = opalite::opal::extension::tokens().find(|&(other, _)| other == name).unwrap();
    token.into()
}

pub fn machine() -> Machine {
    let machine = Machine::new();
    assert_eq!(machine.set_pe(PE, RID.into(), [7, 1, 1], 1), SUCCESS);
    assert_eq!(machine.set_pe(OTHER_PE, OTHER_RID.into(), [7, 1, 1], 1), SUCCESS);
    machine
}

impl Machine {
    /// An RTAS call; gives all its results, the status first.
    #[track_caller]
    pub fn rtas(&self, token: u32, args: &[u32], results: usize) -> Vec<u32> {
        let at = OUT;
        let mut cells = vec![token, args.len() as u32, results as u32];
        cells.extend(args);
        cells.extend(vec![UNTOUCHED; results + 1]);
        for (cell, at) in cells.iter().zip((at..).step_by(4)) {
            self.ram.write32(at, *cell);
        }
        assert_eq!(self.call(self::token("rtas-call"), [at]), SUCCESS, "OPAL's status");
        let first = at + 12 + 4 * args.len() as u64;
        for (cell, at) in cells.iter().zip((at..first).step_by(4)) {
            assert_eq!(self.ram.read32(at), *cell, "an argument was changed");
        }
        assert_eq!(self.ram.read32(first + 4 * results as u64), UNTOUCHED, "written behind the results");
        (0..results as u64).map(|index| self.ram.read32(first + 4 * index)).collect()
    }

    pub fn create(&self, config: u32, page_shift: u32, window_shift: u32) -> Result<(u64, u64), i32> {
        match self.rtas(CREATE, &[config, 0, 0, page_shift, window_shift], 4)[..] {
            [0, liobn, high, low] => Ok((liobn.into(), u64::from(high) << 32 | u64::from(low))),
            [status, 0, 0, 0] => Err(status as i32),
            ref other => panic!("{other:x?}"),
        }
    }

    pub fn remove(&self, liobn: u64) -> i32 {
        self.rtas(REMOVE, &[liobn as u32], 1)[0] as i32
    }

    pub fn reset_pe(&self, config: u32, mode: &[u32]) -> i32 {
        let args = [&[config, 0, 0], mode].concat();
        self.rtas(RESET, &args, 1)[0] as i32
    }

    /// Windows, TCEs, page sizes.
    pub fn offer(&self, config: u32) -> (u32, u64, u32) {
        match self.rtas(QUERY, &[config, 0, 0], 6)[..] {
            [0, windows, high, low, sizes, 0] => (windows, u64::from(high) << 32 | u64::from(low), sizes),
            ref other => panic!("{other:x?}"),
        }
    }

    pub fn put(&self, liobn: u64, address: u64, tce: u64) -> i64 {
        self.call(token("put-tce"), [liobn, address, tce])
    }

    pub fn get(&self, liobn: u64, address: u64) -> (i64, u64) {
        self.ram.write64(OUT, u64::MAX);
        let status = self.call(token("get-tce"), [liobn, address, OUT]);
        (status, self.ram.read64(OUT))
    }

    /// Pages of the pool that are free.
    pub fn free(&self) -> u64 {
        self.fw.tables().tables.pool.free_pages()
    }

    /// Whether a device's bytes arrive at memory.
    pub fn arrives(&self, rid: u16, address: u64, memory: u64) -> bool {
        let bytes = (address ^ 0x0123_4567_89ab_cdef).to_be_bytes();
        self.ram.write64(memory, 0);
        self.models[0].dma_write(rid, address, &bytes).is_ok() && self.ram.bytes(memory, 8) == bytes
    }

    /// Lets frozen PEs run again.
    pub fn thaw(&self, pe: u64) {
        assert_eq!(self.call(26, [0, pe, 3]), SUCCESS);
    }
}

/// A kernel on a machine.
pub struct Kernel<'a> {
    pub machine: &'a Machine,
    /// Page sizes that it has a use for.
    pub page_sizes: u32,
    /// Each RTAS call with its status.
    pub log: RefCell<Vec<(u32, usize, i32)>>,
    /// Calls about entries that were refused.
    pub refused: Cell<u32>,
}

impl<'a> Kernel<'a> {
    pub fn new(machine: &'a Machine) -> Self {
        Self { machine, page_sizes: u32::MAX, log: RefCell::default(), refused: Cell::new(0) }
    }

    /// The calls made: token, arguments, status.
    pub fn log(&self) -> Vec<(u32, usize, i32)> {
        self.log.take()
    }

    fn count(&self, status: i64) -> i64 {
        self.refused.set(self.refused.get() + u32::from(status != 0));
        status
    }
}

impl Calls for Kernel<'_> {
    fn rtas(&self, token: u32, args: &[u32], results: &mut [u32]) -> i32 {
        let all = self.machine.rtas(token, args, results.len() + 1);
        results.copy_from_slice(&all[1..]);
        if let (QUERY, Some(at)) = (token, results.len().checked_sub(2)) {
            results[at] &= self.page_sizes;
        }
        self.log.borrow_mut().push((token, args.len(), all[0] as i32));
        all[0] as i32
    }

    fn put_list(&self, liobn: u64, address: u64, tces: &[u64]) -> i64 {
        for (tce, at) in tces.iter().zip((LIST..).step_by(8)) {
            self.machine.ram.write64(at, *tce);
        }
        self.count(self.machine.call(token("put-tce-indirect"), [liobn, address, LIST, tces.len() as u64]))
    }

    fn clear(&self, liobn: u64, address: u64, count: u64) -> i64 {
        self.count(self.machine.call(token("stuff-tce"), [liobn, address, 0, count]))
    }
}

/// Bridge 0's node for a PE.
pub fn node(pe: u64) -> Node {
    Node {
        default: Some([liobn(pe, 0) as u32, 0, 0, 0, 1 << 30]),
        applicable: Some([QUERY, CREATE, REMOVE]),
        extensions: [Some(RESET), Some(1), Some(1)],
        window: None,
        failed: false,
    }
}

pub fn device(mask: u64) -> Device {
    Device { config_addr: CONFIG, buid: 0, mask, default_in_use: false }
}
