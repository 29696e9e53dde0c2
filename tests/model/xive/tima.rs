//! Thread contexts: four rings of 16 bytes, and the operations that exist only at one size and offset.

use super::tables::Cache;
use super::{State, ibm32, set_ibm32};
use opalite::hw::ram::Ram;

/// Offset of a ring in the context.
pub type Ring = usize;
pub const OS: Ring = 0x10;
pub const POOL: Ring = 0x20;
pub const PHYS: Ring = 0x30;

const NSR: usize = 0;
const CPPR: usize = 1;
const IPB: usize = 2;
const PIPR: usize = 7;
const WORD2: usize = 8;

const HV_PAGE: u64 = 1;
const OS_PAGE: u64 = 2;
const USER_PAGE: u64 = 3;

/// The context of one hardware thread.
pub struct Thread {
    pub rings: [u8; 64],
}

impl Default for Thread {
    fn default() -> Self {
        let mut rings = [0; 64];
        for ring in [OS, POOL, PHYS] {
            rings[ring + PIPR] = 0xFF;
        }
        Self { rings }
    }
}

/// Most favoured priority in a set of pending ones, 0xFF when none is.
fn favoured(ipb: u8) -> u8 {
    if ipb == 0 { 0xFF } else { ipb.leading_zeros() as u8 }
}

impl Thread {
    pub fn nsr(&self, ring: Ring) -> u8 {
        self.rings[ring + NSR]
    }

    /// Whether the ring holds a context (VO, VP or VT).
    pub fn valid(&self, ring: Ring) -> bool {
        self.rings[ring + WORD2] & 0x80 != 0
    }

    /// Block and index of the NVT in the ring, as `block << 19 | index`.
    pub fn cam(&self, ring: Ring) -> u32 {
        self.word(ring + WORD2) & 0x7F_FFFF
    }

    fn word(&self, offset: usize) -> u32 {
        (0..4).fold(0, |word, byte| word << 8 | u32::from(self.rings[offset + byte]))
    }

    fn set_word(&mut self, offset: usize, value: u32) {
        self.rings[offset..offset + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// Adds pending priorities to a ring.
    pub fn pend(&mut self, ring: Ring, ipb: u8) {
        self.rings[ring + IPB] |= ipb;
        self.update();
    }

    fn set_cppr(&mut self, ring: Ring, value: u8) {
        self.rings[ring + CPPR] = if value > 7 { 0xFF } else { value };
        self.update();
    }

    /// Recomputes PIPR and NSR. The pool ring has no CPPR of its own: it interrupts through the physical one.
    fn update(&mut self) {
        for ring in [OS, POOL, PHYS] {
            self.rings[ring + PIPR] = favoured(self.rings[ring + IPB]);
        }
        let (pool, physical) = (self.rings[POOL + PIPR], self.rings[PHYS + PIPR]);
        self.rings[PHYS + NSR] = match pool.min(physical) < self.rings[PHYS + CPPR] {
            false => 0,
            true if physical <= pool => 0x80,
            true => 0x40,
        };
        self.rings[OS + NSR] = if self.rings[OS + PIPR] < self.rings[OS + CPPR] { 0x80 } else { 0 };
    }

    /// Acknowledge: NSR and the new CPPR, which is the priority taken.
    fn acknowledge(&mut self, ring: Ring) -> u64 {
        let nsr = self.nsr(ring);
        if nsr != 0 {
            let source = if ring == PHYS && nsr == 0x40 { POOL } else { ring };
            let priority = self.rings[source + PIPR];
            self.rings[source + IPB] &= !(0x80 >> priority);
            self.set_cppr(ring, priority);
        }
        u64::from(nsr) << 8 | u64::from(self.rings[ring + CPPR])
    }

    /// Takes the context out of a ring; the old word 2.
    fn pull(&mut self, ring: Ring) -> u32 {
        let word = self.word(ring + WORD2);
        self.rings[ring + WORD2] &= !0x80;
        word
    }
}

/// Word 2 as a 4- or 8-byte load gives it.
fn widened(word: u32, size: u32) -> u64 {
    if size == 8 { u64::from(word) << 32 } else { u64::from(word) }
}

impl<R: Ram + Clone + 'static> State<R> {
    fn enabled_thread(&mut self, pir: u32) -> &mut Thread {
        assert!(self.ic.thread_enabled(pir), "XIVE: TIMA of thread {pir:#x}, which is not enabled");
        self.threads.get_mut(&pir).unwrap_or_else(|| panic!("XIVE: TIMA of absent thread {pir:#x}"))
    }

    pub(super) fn tima_load(&mut self, pir: u32, place: u64, size: u32) -> u64 {
        let (page, offset) = (place >> 16, place & 0xFFFF);
        assert!(page < USER_PAGE, "XIVE: load from {offset:#x} of the TIMA's user page");
        let thread = self.enabled_thread(pir);
        match (offset, size) {
            (0x38, 1) if page <= HV_PAGE => u64::from(thread.rings[PHYS + WORD2]),
            (0x830, 2) if page <= HV_PAGE => thread.acknowledge(PHYS),
            (0x818, 4 | 8) if page <= HV_PAGE => widened(thread.pull(OS), size),
            (0x828, 4 | 8) if page <= HV_PAGE => widened(thread.pull(POOL), size),
            (0x838, 1) if page <= HV_PAGE => u64::from(thread.pull(PHYS) >> 24),
            (0x810, 2) if page <= OS_PAGE => thread.acknowledge(OS),
            (0x10..=0x3F, 4 | 8) => {
                let (offset, last) = (offset as usize, if page <= HV_PAGE { 0x40 } else { POOL });
                assert!(offset + size as usize <= last, "XIVE: TIMA page {page} does not show {offset:#x}");
                let word = u64::from(thread.word(offset));
                if size == 8 { word << 32 | u64::from(thread.word(offset + 4)) } else { word }
            }
            _ => panic!("XIVE: {size}-byte load from {offset:#x} of TIMA page {page}"),
        }
    }

    pub(super) fn tima_store(&mut self, pir: u32, place: u64, size: u32, value: u64) {
        let (page, offset) = (place >> 16, place & 0xFFFF);
        assert!(page < USER_PAGE, "XIVE: store to {offset:#x} of the TIMA's user page");
        let thread = self.enabled_thread(pir);
        match (offset, size) {
            (0x31, 1) if page <= HV_PAGE => thread.set_cppr(PHYS, value as u8),
            (0x38, 1) if page <= HV_PAGE => {
                assert_eq!(value & 0x7F, 0, "XIVE: store of {value:#x} to VT");
                thread.rings[PHYS + WORD2] = value as u8;
            }
            (0x18, 4) if page <= HV_PAGE => {
                thread.set_word(OS + WORD2, value as u32);
                if value >> 31 != 0 {
                    self.resend(pir);
                }
            }
            (0x28, 4) if page <= HV_PAGE => thread.set_word(POOL + WORD2, value as u32),
            (0x11, 1) if page <= OS_PAGE => thread.set_cppr(OS, value as u8),
            (0x812, 1) if page <= OS_PAGE => {
                assert!(value < 8, "XIVE: pending priority {value:#x}");
                thread.pend(OS, 0x80 >> value);
            }
            _ => panic!("XIVE: {size}-byte store of {value:#x} to {offset:#x} of TIMA page {page}"),
        }
    }

    /// A pushed OS context takes the pending priorities that its NVT kept meanwhile.
    fn resend(&mut self, pir: u32) {
        let cam = self.thread(pir).cam(OS);
        let (block, index) = ((cam >> 19) as u8, cam & 0x7_FFFF);
        let Some(mut nvt) = self.fetch(Cache::Nvt, block, index).filter(|nvt| ibm32(nvt[0], 0, 0) != 0)
        else {
            panic!("XIVE: OS context {block}/{index:#x} pushed, its NVT is not valid");
        };
        let ipb = ibm32(nvt[4], 16, 23) as u8;
        if ipb != 0 {
            set_ibm32(&mut nvt[4], 16, 23, 0);
            self.update(Cache::Nvt, block, index, &nvt);
            self.enabled_thread(pir).pend(OS, ipb);
        }
    }
}
