//! Calls about windows and PEs of bridge 0, as many tests make them, and resets with their polls.

use super::{Machine, SUCCESS};
use opalite::hw::ram::Ram;
use opalite::phb;

/// The PE that [`Machine::owned`] puts a requester into.
pub const PE: u64 = 5;
/// That requester.
pub const RID: u16 = 0x0100;
/// Window 1 in the usual mode.
pub const BYPASS: u64 = 1 << 59;
pub const GIB: u64 = 1 << 30;

impl Machine {
    pub fn map(&self, window: u64, levels: u64, table: u64, bytes: u64, page: u64) -> i64 {
        self.call(44, [0, window >> 1, window, levels, table, bytes, page])
    }
    pub fn real(&self, window: u64, start: u64, size: u64) -> i64 {
        self.call(45, [0, window >> 1, window, start, size])
    }
    pub fn unmap(&self, window: u64) -> i64 {
        self.map(window, 0, 0, 0, 0)
    }
    pub fn four_gib(&self, on: u64) -> i64 {
        self.call(179, [0, 1, on])
    }
    /// One requester in PE 5.
    pub fn owned() -> Self {
        let machine = Self::new();
        assert_eq!(machine.call(31, [0, PE, RID.into(), 7, 1, 1, 1]), SUCCESS);
        machine
    }
    pub fn set_pe(&self, pe: u64, bdfn: u64, compare: [u64; 3], action: u64) -> i64 {
        self.call(31, [0, pe, bdfn, compare[0], compare[1], compare[2], action])
    }
    /// The RTT's entry of a requester.
    pub fn pe_of(&self, rid: u16) -> u16 {
        let rtt = phb::find(self.fw.phbs, 0).unwrap().lock().info().rtt.0;
        self.ram.read16(rtt + 2 * u64::from(rid))
    }
    /// Whether PELT-V says that `child` freezes with `parent`.
    pub fn peltv(&self, parent: u64, child: u64) -> bool {
        let table = phb::find(self.fw.phbs, 0).unwrap().lock().info().peltv.0;
        self.ram.read8(table + self.kind.pes / 8 * parent + child / 8) & 0x80 >> (child & 7) != 0
    }

    /// Polls a slot until it is done or failed; gives the status and the milliseconds that passed.
    pub fn finish(&self, slot: u64, mut wait: i64) -> (i64, i64) {
        let mut passed = 0;
        while wait > 0 {
            passed += wait;
            assert!(passed < 120_000, "the reset doesn't end");
            opalite::arch::advance_timebase(wait as u64 * 512_000);
            wait = self.call(62, [slot]);
        }
        (wait, passed)
    }

    /// A complete reset of a bridge, to its end.
    #[track_caller]
    pub fn complete_reset(&self, phb: u64) {
        let wait = self.call(49, [phb, 1, 1]);
        assert_eq!(self.finish(phb, wait).0, 0, "the complete reset must end well");
    }

    pub fn freeze_status(&self, pe: u64) -> (i64, u8, u16) {
        self.ram.write64(super::OUT, u64::MAX);
        let status = self.call(23, [0, pe, super::OUT, super::OUT + 2, 0]);
        (status, self.ram.read8(super::OUT), self.ram.read16(super::OUT + 2))
    }
    pub fn next_error(&self) -> (i64, u64, u16, u16) {
        let out = super::OUT;
        let status = self.call(60, [0, out, out + 8, out + 10]);
        (status, self.ram.read64(out), self.ram.read16(out + 8), self.ram.read16(out + 10))
    }
}
