//! The thread context that both XIVE generations have: four rings of 16 bytes.

/// Offset of a ring in the context.
pub type Ring = usize;
pub const OS: Ring = 0x10;
pub const POOL: Ring = 0x20;
pub const PHYS: Ring = 0x30;

const NSR: usize = 0;
pub const CPPR: usize = 1;
pub const IPB: usize = 2;
const PIPR: usize = 7;
pub const WORD2: usize = 8;

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

    pub fn word(&self, offset: usize) -> u32 {
        (0..4).fold(0, |word, byte| word << 8 | u32::from(self.rings[offset + byte]))
    }

    pub fn set_word(&mut self, offset: usize, value: u32) {
        self.rings[offset..offset + 4].copy_from_slice(&value.to_be_bytes());
    }

    /// Adds pending priorities to a ring.
    pub fn pend(&mut self, ring: Ring, ipb: u8) {
        self.rings[ring + IPB] |= ipb;
        self.update();
    }

    pub fn set_cppr(&mut self, ring: Ring, value: u8) {
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
    pub fn acknowledge(&mut self, ring: Ring) -> u64 {
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
    pub fn pull(&mut self, ring: Ring) -> u32 {
        let word = self.word(ring + WORD2);
        self.rings[ring + WORD2] &= !0x80;
        word
    }
}

/// Word 2 as a 4- or 8-byte load gives it.
pub fn widened(word: u32, size: u32) -> u64 {
    if size == 8 { u64::from(word) << 32 } else { u64::from(word) }
}
