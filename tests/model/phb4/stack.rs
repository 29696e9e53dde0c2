//! What the PEC knows of one bridge: FIRs, BARs, ETU reset, and the back door (§3.5, §2 rules 2 and 4).

use super::bits::{bit, bits, field};
use super::{ModelPhb4, State};

/// The three groups of XSCOM registers that belong to one stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackArea {
    /// Nest side: NFIR, BARs.
    Nest,
    /// PCI side: PFIR, ETU reset.
    Pci,
    /// The PHB's own, with the back door.
    Etu,
}

const NEST_REGISTERS: usize = 0x18;
const PCI_REGISTERS: usize = 0x10;
const ETU_RESET: usize = 0xa;
const BAR_ENABLE: usize = 0x14;
const REGISTERS_ENABLED: u64 = bit(2);
const NFIR_BITS: u64 = bits(0, 27);
const PFIR_BITS: u64 = bits(0, 5);
/// What the firmware sets to force a fence; an error of the bridge sets it here too.
const FORCED_FENCE: u64 = 0x0000_0020_0000_0000;
const PFIR_ACCESS_IN_RESET: u64 = bit(3);
const TRANSACTIONS_PENDING: u64 = bits(0, 1);
/// Reads of PBCQ_STAT until the transactions of a reset bridge have drained.
const DRAIN_READS: u32 = 2;

const VALID: u64 = bit(0);
const FOUR_BYTES: u64 = bit(1);
const AUTO_INCREMENT: u64 = bit(2);

#[derive(Default)]
pub struct Stack {
    nest: [u64; NEST_REGISTERS],
    pci: [u64; PCI_REGISTERS],
    indirect: u64,
    drain_reads: u32,
    stuck_transactions: bool,
}

impl Stack {
    pub fn registers_mapped(&self) -> bool {
        self.nest[BAR_ENABLE] & REGISTERS_ENABLED != 0
    }

    pub fn etu_in_reset(&self) -> bool {
        self.pci[ETU_RESET] & bit(0) != 0
    }

    pub fn enable_registers(&mut self) {
        self.nest[BAR_ENABLE] |= REGISTERS_ENABLED;
    }

    /// Whether a range lies wholly in one of the two enabled MMIO windows.
    pub fn forwards(&self, start: u64, size: u64) -> bool {
        [(bit(0), 0xe), (bit(1), 0x10)].into_iter().any(|(enable, bar)| {
            let (base, mask) = (self.nest[bar] >> 8, self.nest[bar + 1] >> 8);
            let last = base | !mask & bits(8, 63);
            self.nest[BAR_ENABLE] & enable != 0 && start >= base && start + (size - 1) <= last
        })
    }

    pub fn note_fence(&mut self) {
        self.nest[0] |= FORCED_FENCE;
    }

    fn fir(&mut self, area: StackArea) -> (&mut [u64], u64) {
        match area {
            StackArea::Nest => (&mut self.nest, NFIR_BITS),
            _ => (&mut self.pci, PFIR_BITS),
        }
    }

    /// Registers 0 to 8 of both sides: the FIR and its mask, each with AND and OR forms, two actions, WOF.
    fn write_fir(&mut self, area: StackArea, register: usize, value: u64) {
        let (registers, keep) = self.fir(area);
        match register {
            0 | 3 | 6 | 7 => registers[register] = value & keep,
            1 | 4 => registers[register - 1] &= value,
            2 | 5 => registers[register - 2] |= value & keep,
            _ => registers[register] = 0,
        }
    }

    fn write_bar(&mut self, register: usize, value: u64) {
        let (enable, keep) = match register {
            0xe | 0xf => (bit(0), bits(0, 39)),
            0x10 | 0x11 => (bit(1), bits(0, 39)),
            0x12 => (bit(2), bits(0, 41)),
            _ => (bit(3), bits(0, 27)),
        };
        let enables = self.nest[BAR_ENABLE];
        assert!(
            enables & enable == 0,
            "PEC: stack nest register {register:#x} written while its BAR is enabled"
        );
        self.nest[register] = value & keep;
    }
}

impl ModelPhb4 {
    /// An XSCOM read of one of this stack's registers; `None` when there is no such register.
    pub fn scom_read(&self, area: StackArea, register: u64) -> Option<u64> {
        self.state().scom_read(area, register)
    }

    /// An XSCOM write; `false` when there is no such register.
    pub fn scom_write(&self, area: StackArea, register: u64, value: u64) -> bool {
        self.state().scom_write(area, register, value)
    }

    /// From now on transactions never drain after an ETU reset.
    pub fn stuck_transactions(&self, stuck: bool) {
        self.state().stack.stuck_transactions = stuck;
    }
}

impl State {
    pub fn scom_read(&mut self, area: StackArea, register: u64) -> Option<u64> {
        let index = register as usize;
        Some(match (area, index) {
            (StackArea::Nest, 0 | 3 | 6..=8 | 0xa | 0xb | 0xd..=0x17) => self.stack.nest[index],
            (StackArea::Nest, 0xc) => self.pending_transactions(),
            (StackArea::Pci, 0 | 3 | 6..=8 | 0xa | 0xb | 0xd | 0xe) => self.stack.pci[index],
            (StackArea::Etu, 0) => self.stack.indirect,
            (StackArea::Etu, 1) => self.back_door(None),
            (StackArea::Etu, _) => match mirrored(register)? {
                _ if self.refuses_back_door() => u64::MAX,
                offset => self.read(offset, 8),
            },
            _ => return None,
        })
    }

    pub fn scom_write(&mut self, area: StackArea, register: u64, value: u64) -> bool {
        let index = register as usize;
        match (area, index) {
            (StackArea::Nest | StackArea::Pci, 0..=8) => {
                self.stack.write_fir(area, index, value);
                if area == StackArea::Nest && index <= 2 && self.stack.nest[0] != 0 {
                    self.fenced = true;
                }
            }
            // Reports and status: a store is ignored.
            (StackArea::Nest, 0xa..=0xc) | (StackArea::Pci, 0xb) => {}
            (StackArea::Nest, 0xd) => self.stack.nest[index] = value & bits(0, 7),
            (StackArea::Nest, 0xe..=0x13) => self.stack.write_bar(index, value),
            (StackArea::Nest, BAR_ENABLE) => self.stack.nest[index] = value & bits(0, 3),
            (StackArea::Nest, 0x15..=0x17) | (StackArea::Pci, 0xd | 0xe) => {
                let (registers, _) = self.stack.fir(area);
                registers[index] = value;
            }
            (StackArea::Pci, ETU_RESET) => self.write_etu_reset(value),
            (StackArea::Etu, 0) => self.stack.indirect = value,
            (StackArea::Etu, 1) => _ = self.back_door(Some(value)),
            (StackArea::Etu, _) => match mirrored(register) {
                None => return false,
                Some(_) if self.refuses_back_door() => {}
                Some(offset) => {
                    self.writes.push((offset, 8, value));
                    self.write(offset, 8, value);
                }
            },
            _ => return false,
        }
        true
    }

    /// Everything in the PHB goes back to its reset value; the nest side, which holds the BARs, does not.
    pub fn assert_etu_reset(&mut self) {
        self.stack.pci[ETU_RESET] = bit(0);
        self.stack.drain_reads = DRAIN_READS;
        self.storage.clear();
        self.ioda = super::ioda::Ioda::new(self.size);
        self.kill.reset();
        self.rtc.clear();
        self.tce_cache.clear();
        self.recorded.fill(false);
        self.root_port.reset();
        self.reset_link();
    }

    /// The fence lifts when the cause is gone by the time the reset ends.
    pub fn release_etu_reset(&mut self) {
        self.stack.pci[ETU_RESET] = 0;
        self.fenced = self.stack.nest[0] != 0;
    }

    fn write_etu_reset(&mut self, value: u64) {
        match (self.stack.etu_in_reset(), value & bit(0) != 0) {
            (false, true) => self.assert_etu_reset(),
            (true, false) => self.release_etu_reset(),
            _ => {}
        }
    }

    fn pending_transactions(&mut self) -> u64 {
        if self.stack.stuck_transactions {
            return TRANSACTIONS_PENDING;
        }
        match self.stack.drain_reads.checked_sub(1) {
            Some(left) => {
                self.stack.drain_reads = left;
                TRANSACTIONS_PENDING
            }
            None => 0,
        }
    }

    /// Rule 4 of §2: an access during reset is lost and leaves a mark.
    fn refuses_back_door(&mut self) -> bool {
        let refuses = self.stack.etu_in_reset();
        if refuses {
            self.stack.pci[0] |= PFIR_ACCESS_IN_RESET;
        }
        refuses
    }

    /// The data register of the back door. Four-byte values are in the low half.
    fn back_door(&mut self, store: Option<u64>) -> u64 {
        let indirect = self.stack.indirect;
        assert!(
            indirect & VALID != 0,
            "PHB back door: data access without a valid address ({indirect:#018x})"
        );
        if self.refuses_back_door() {
            return u64::MAX;
        }
        let (offset, width) = (field(indirect, 51, 63), if indirect & FOUR_BYTES != 0 { 4 } else { 8 });
        assert!(offset.is_multiple_of(width.into()), "PHB back door: misaligned offset {offset:#x}");
        if indirect & AUTO_INCREMENT != 0 {
            self.stack.indirect = indirect & !bits(51, 63) | (offset + u64::from(width)) & bits(51, 63);
        }
        match store {
            None => self.read(offset, width),
            Some(_) if offset == 0x130 => {
                panic!("PHB back door: config writes to devices aren't possible this way")
            }
            Some(value) => {
                self.writes.push((offset, width, value));
                self.write(offset, width, value);
                0
            }
        }
    }
}

/// ETU registers that are PHB registers under another name: LEM and performance counters.
fn mirrored(register: u64) -> Option<u64> {
    Some(match register {
        0x08..=0x10 => 0xc00 + (register - 0x08) * 8,
        0x17..=0x1b => 0xf88 + (register - 0x17) * 8,
        _ => return None,
    })
}
