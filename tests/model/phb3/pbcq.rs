//! What the PBCQ knows of a bridge: FIR, BARs, interrupt numbers, ETU reset and the back door (§3.5, §10, P4.3).

use super::{ModelPhb3, State};
use crate::model::phb4::bits::{bit, bits, field};

/// The three groups of XSCOM registers of one bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PbcqArea {
    /// Nest side: NFIR, BARs, interrupt numbers.
    Nest,
    /// PCI side: ETU reset, a copy of the register BAR.
    Pci,
    /// The back door to the PHB's registers.
    Spci,
}

const NEST_REGISTERS: usize = 0x46;
const PCI_REGISTERS: usize = 0x15;
const CQ_STATUS: usize = 0xf;
const IRSN_COMPARE: usize = 0x1a;
const IRSN_MASK: usize = 0x1b;
const LSI_ID: usize = 0x1f;
const MMIO_BARS: [usize; 2] = [0x40, 0x41];
const MMIO_MASKS: [usize; 2] = [0x43, 0x44];
const PHB_BAR: usize = 0x42;
const ENABLES: usize = 0x45;
const ETU_RESET: usize = 0xa;
const PHB_BAR_COPY: usize = 0xb;

const BAR_SHIFT: u32 = 14;
const REGISTERS_ENABLED: u64 = bit(2);
const IRSN_ENABLED: u64 = bit(3) | bit(4);
const IRSN_FIELD: u64 = bits(0, 18);
const IRSN_SHIFT: u32 = 45;
/// NFIR bits of the classes "fenced" and "dead" (§11.3).
const FENCING: u64 = 0x7e7d_c700_0000_0000 | 0x0180_00f8_0000_0000;
/// The bit that an error of the bridge sets here; the firmware's own fence has others.
const ERROR_FENCE: u64 = bit(1);
const TRANSACTIONS_PENDING: u64 = bits(0, 1);
/// Reads of CQ_STATUS until the transactions of a reset bridge have drained.
const DRAIN_READS: u32 = 2;

pub struct Pbcq {
    nest: [u64; NEST_REGISTERS],
    pci: [u64; PCI_REGISTERS],
    indirect: u64,
    /// SPCI's status has been read: before that nothing on the PCI side may be (erratum HW275117).
    status_read: bool,
    drain_reads: u32,
    /// Which of 0x1c to 0x1e were read since the reset; nothing drains before (?).
    drain_started: [bool; 3],
    stuck_transactions: bool,
}

impl Pbcq {
    /// BARs as the earlier stage sets them (P3.7), nothing enabled.
    pub fn new(index: u64) -> Self {
        let mut nest = [0; NEST_REGISTERS];
        nest[MMIO_BARS[0]] = (0x0003_d000_0000_0000 + 0x10_0000_0000 * index) << BAR_SHIFT;
        nest[MMIO_MASKS[0]] = (64_u64 << 30).wrapping_neg() << BAR_SHIFT;
        nest[MMIO_BARS[1]] = (0x0003_ff80_0000_0000 + 0x8000_0000 * index) << BAR_SHIFT;
        nest[MMIO_MASKS[1]] = (2_u64 << 30).wrapping_neg() << BAR_SHIFT;
        nest[PHB_BAR] = (0x0003_fffe_4000_0000 + 0x10_0000 * index) << BAR_SHIFT;
        Self {
            nest,
            pci: [0; PCI_REGISTERS],
            indirect: 0,
            status_read: false,
            drain_reads: 0,
            drain_started: [false; 3],
            stuck_transactions: false,
        }
    }

    /// As skiboot leaves PHB 0: all BARs, sources from 0x800 on.
    pub fn enable_everything(&mut self) {
        self.pci[PHB_BAR_COPY] = self.nest[PHB_BAR];
        self.nest[IRSN_COMPARE] = 0x800 << IRSN_SHIFT;
        self.nest[IRSN_MASK] = 0xff << 56;
        self.nest[LSI_ID] = 0xff << 56;
        self.nest[ENABLES] = 0xf8 << 56;
        self.status_read = true;
    }

    pub fn assert_registers_mapped(&self, what: &str, offset: u64) {
        let enabled = self.nest[ENABLES] & REGISTERS_ENABLED != 0;
        assert!(enabled, "PHB: {what} at {offset:#x}, but the register BAR is not enabled");
        assert!(
            self.pci[PHB_BAR_COPY] == self.nest[PHB_BAR],
            "PHB: {what} at {offset:#x}, but the PCI side's copy of the register BAR is another"
        );
    }

    pub fn etu_in_reset(&self) -> bool {
        self.pci[ETU_RESET] & bit(0) != 0
    }

    /// Whether a range lies wholly in one of the two enabled MMIO windows.
    pub fn forwards(&self, start: u64, size: u64) -> bool {
        (0..2).any(|window| {
            let base = self.nest[MMIO_BARS[window]] >> BAR_SHIFT;
            let last = base | !self.nest[MMIO_MASKS[window]] >> BAR_SHIFT;
            self.nest[ENABLES] & bit(window as u32) != 0 && start >= base && start + (size - 1) <= last
        })
    }

    pub fn note_fence(&mut self) {
        self.nest[0] |= ERROR_FENCE;
    }

    /// The first global interrupt number and how many there are, while both directions are enabled.
    pub fn numbers(&self) -> Option<(u64, u64)> {
        let (compare, mask) = (self.nest[IRSN_COMPARE], self.nest[IRSN_MASK] & IRSN_FIELD);
        let count = mask.wrapping_neg() >> IRSN_SHIFT;
        (self.nest[ENABLES] & IRSN_ENABLED == IRSN_ENABLED).then_some(((compare & mask) >> IRSN_SHIFT, count))
    }

    /// The LSI source id that the nest expects.
    pub fn lsi_id(&self) -> u64 {
        field(self.nest[LSI_ID], 0, 7)
    }

    fn write_nest(&mut self, register: usize, value: u64) {
        let enabled_by = match register {
            0x40 | 0x43 => bit(0),
            0x41 | 0x44 => bit(1),
            0x42 => REGISTERS_ENABLED,
            _ => 0,
        };
        assert!(
            self.nest[ENABLES] & enabled_by == 0,
            "PBCQ: nest register {register:#x} written while its BAR is enabled"
        );
        let fields = match register {
            IRSN_COMPARE | IRSN_MASK => IRSN_FIELD,
            LSI_ID => bits(0, 7),
            ENABLES => bits(0, 4),
            0x40..=0x44 => bits(0, 49),
            _ => u64::MAX,
        };
        assert!(value & !fields == 0, "PBCQ: nest register {register:#x} = {value:#018x}: unknown bits");
        match register {
            1 => self.nest[0] &= value,
            2 => self.nest[0] |= value,
            _ => self.nest[register] = value,
        }
    }
}

impl ModelPhb3 {
    /// An XSCOM read of one of this bridge's registers; `None` when there is no such register.
    pub fn scom_read(&self, area: PbcqArea, register: u64) -> Option<u64> {
        self.run(|state| state.scom_read(area, register))
    }

    /// An XSCOM write; `false` when there is no such register.
    pub fn scom_write(&self, area: PbcqArea, register: u64, value: u64) -> bool {
        self.run(|state| state.scom_write(area, register, value))
    }

    /// From now on transactions never drain after an ETU reset.
    pub fn stuck_transactions(&self, stuck: bool) {
        self.state().pbcq.stuck_transactions = stuck;
    }
}

impl State {
    pub fn scom_read(&mut self, area: PbcqArea, register: u64) -> Option<u64> {
        let index = register as usize;
        self.assert_status_read(area, register);
        Some(match (area, index) {
            (PbcqArea::Nest, CQ_STATUS) => self.pending_transactions(),
            (PbcqArea::Nest, 0x1c..=0x1e) => {
                self.pbcq.drain_started[index - 0x1c] = true;
                self.pbcq.nest[index]
            }
            (PbcqArea::Nest, 0 | 3 | 8 | 0xa | 0xb | 0x18..=0x1b | 0x1f | 0x40..=0x45) => {
                self.pbcq.nest[index]
            }
            (PbcqArea::Pci, 0xa | 0xb | 0xf) => self.pbcq.pci[index],
            (PbcqArea::Spci, 0) => self.pbcq.indirect,
            (PbcqArea::Spci, 1) => {
                self.pbcq.status_read = true;
                0
            }
            (PbcqArea::Spci, 2) => self.back_door(None),
            (PbcqArea::Spci, 3) => 0,
            _ => return None,
        })
    }

    pub fn scom_write(&mut self, area: PbcqArea, register: u64, value: u64) -> bool {
        let index = register as usize;
        self.assert_status_read(area, register);
        match (area, index) {
            (PbcqArea::Nest, 0..=3 | 0xa | 0xb | 0x18..=0x1b | 0x1f | 0x40..=0x45) => {
                self.pbcq.write_nest(index, value);
                if index <= 2 && self.pbcq.nest[0] & FENCING != 0 {
                    self.fenced = true;
                }
            }
            (PbcqArea::Nest, 8) => self.pbcq.nest[8] = 0,
            (PbcqArea::Pci, ETU_RESET) => self.write_etu_reset(value),
            (PbcqArea::Pci, 0xb | 0xf) => self.pbcq.pci[index] = value,
            (PbcqArea::Spci, 0) => {
                assert!(value & !0xfff == 0, "PBCQ: back door address {value:#x} has more than 12 bits");
                self.pbcq.indirect = value;
            }
            (PbcqArea::Spci, 2) => _ = self.back_door(Some(value)),
            _ => return false,
        }
        true
    }

    /// Everything in the PHB goes back to its reset value; the PBCQ, which holds the BARs, does not.
    pub fn assert_etu_reset(&mut self) {
        self.pbcq.pci[ETU_RESET] = bit(0);
        self.pbcq.drain_reads = DRAIN_READS;
        self.pbcq.drain_started = [false; 3];
        self.storage.clear();
        self.ioda = super::ioda::Ioda::default();
        self.sync.reset();
        self.rtc.clear();
        self.tce_cache.clear();
        self.interrupts.reset();
        self.recorded.fill(false);
        self.root_port.reset();
        self.reset_link();
    }

    /// The fence lifts when the cause is gone by the time the reset ends.
    pub fn release_etu_reset(&mut self) {
        self.pbcq.pci[ETU_RESET] = 0;
        self.fenced = self.pbcq.nest[0] & FENCING != 0;
    }

    fn write_etu_reset(&mut self, value: u64) {
        match (self.pbcq.etu_in_reset(), value & bit(0) != 0) {
            (false, true) => self.assert_etu_reset(),
            (true, false) => self.release_etu_reset(),
            _ => {}
        }
    }

    fn assert_status_read(&self, area: PbcqArea, register: u64) {
        assert!(
            area != PbcqArea::Pci || self.pbcq.status_read,
            "PBCQ: PCI register {register:#x} before SPCI's status was read (erratum HW275117)"
        );
    }

    fn pending_transactions(&mut self) -> u64 {
        let started = self.pbcq.drain_started.iter().all(|read| *read);
        if self.pbcq.stuck_transactions || !started && self.pbcq.drain_reads > 0 {
            return TRANSACTIONS_PENDING;
        }
        match self.pbcq.drain_reads.checked_sub(1) {
            Some(left) => {
                self.pbcq.drain_reads = left;
                TRANSACTIONS_PENDING
            }
            None => 0,
        }
    }

    /// The data register of the back door: 8 bytes, through a fence too, lost while the ETU is in reset.
    fn back_door(&mut self, store: Option<u64>) -> u64 {
        let offset = self.pbcq.indirect;
        assert!(offset.is_multiple_of(8), "PHB back door: misaligned offset {offset:#x}");
        if self.pbcq.etu_in_reset() {
            return u64::MAX;
        }
        match store {
            None => self.read(offset, 8),
            Some(value) => {
                self.writes.push((offset, 8, value));
                self.write(offset, 8, value);
                0
            }
        }
    }
}
