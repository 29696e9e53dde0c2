//! Config cycles, the root complex's own config space, and the link between them (§2 rule 1, §3.3, §9.2).

use super::bits::{bit, bits, field};
use super::registers::{ARB_FENCE_ENABLE, CONFIG_ADDRESS, DLP_TRWCTL, PCIE_SCR, RTT_BAR, TXE_FREEZE_ENABLE};
use super::{ModelPhb4, State, ones};
use crate::model::pci_device::PciDevice;

const CONFIG_CORE_RESET: u64 = bit(0);
const CORES_RESET: u64 = bit(1) | bit(2);
const PERST_RELEASED: u64 = bit(3);
const PIPE_RELEASED: u64 = bit(4);
/// Cores running, slot out of reset.
pub const CRESET_RUNNING: u64 = PERST_RELEASED | PIPE_RELEASED;

const CYCLE_ENABLE: u64 = bit(0);
const CYCLE_STATUS: u64 = bits(1, 3);
const UNSUPPORTED_REQUEST: u64 = bit(3);

const SLOT_EMPTY: u64 = bit(10);
const IN_BAND_PRESENCE: u64 = bit(19);
const TRAINING: u64 = bit(20);
const CORE_IN_RESET: u64 = bit(22);
const LINK_ACTIVE: u64 = bit(23);

/// Loads of DLP_TRAIN_CTL that a core reset and a training take.
const CORE_READS: u32 = 2;
const TRAINING_READS: u32 = 3;
/// Root port registers: bridge control's word, link control, link status, link control 2.
const BRIDGE_CONTROL_WORD: u16 = 0x3c;
const LINK_CONTROL: u16 = 0x58;
const LINK_CONTROL_2: u16 = 0x78;
const LINK_DISABLE: u32 = 1 << 4;
const LINK_WIDTH: u32 = 8;
const DEVICE_SPEED: u32 = 3;

/// The PCIe core's reset and link state.
pub struct Link {
    pub creset: u64,
    pub train_written: u64,
    core_reads: u32,
    training_reads: u32,
    trainable: bool,
    stuck_core: bool,
    dead: bool,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            creset: CONFIG_CORE_RESET | CORES_RESET,
            train_written: 0,
            core_reads: CORE_READS,
            training_reads: TRAINING_READS,
            trainable: false,
            stuck_core: false,
            dead: false,
        }
    }
}

impl ModelPhb4 {
    /// From now on the cores never leave reset (or do again).
    pub fn stuck_core_reset(&self, stuck: bool) {
        self.state().link.stuck_core = stuck;
    }

    /// From now on the link never trains (or does again), though the slot is full.
    pub fn dead_link(&self, dead: bool) {
        let mut state = self.state();
        state.link.dead = dead;
        state.update_link();
    }

    /// Lets the training end without anyone looking.
    pub fn finish_training(&self) {
        let mut state = self.state();
        state.link.training_reads = 0;
        state.update_link_status();
    }

    /// Whether config cycles can reach the other end.
    pub fn link_is_up(&self) -> bool {
        self.state().link_is_up()
    }
}

impl State {
    /// A load from CONFIG_DATA; lanes are little-endian.
    pub fn config_read(&mut self, lane: u64, width: u32) -> u64 {
        let (_, register) = self.cycle(lane, width);
        match self.target() {
            Some(device) => big_endian(device.read(register, width as usize), width),
            None => {
                self.unsupported();
                // Field lesson: with these bits an unanswered read fences the whole bridge.
                if self.stored(ARB_FENCE_ENABLE) & bits(0, 1) != 0 {
                    self.fence();
                }
                ones(width)
            }
        }
    }

    /// A store to CONFIG_DATA.
    pub fn config_write(&mut self, lane: u64, width: u32, value: u64) {
        let (_, register) = self.cycle(lane, width);
        match self.target() {
            Some(device) => device.write(register, width as usize, big_endian(value as u32, width) as u32),
            None => {
                self.unsupported();
                // Field lesson: with this bit a failed write freezes a PE that has nothing to do with it.
                if self.stored(TXE_FREEZE_ENABLE) & bit(17) != 0 {
                    self.ioda.freeze(0);
                }
            }
        }
    }

    /// A load from the root complex's window.
    pub fn root_config_read(&mut self, register: u64) -> u64 {
        self.assert_config_core();
        self.update_link_status();
        big_endian(self.root_port.read(register as u16, 4), 4)
    }

    /// A store to it.
    pub fn root_config_write(&mut self, register: u64, value: u32) {
        self.assert_config_core();
        self.root_port.write(register as u16, 4, value.swap_bytes());
        self.update_link();
    }

    /// A store to PCIE_CRESET; asserting PERST resets what is in the slot.
    pub fn write_creset(&mut self, value: u64) {
        let old = self.link.creset;
        self.link.creset = value & bits(0, 4);
        if old & CORES_RESET != 0 && value & CORES_RESET == 0 {
            self.link.core_reads = CORE_READS;
        }
        if old & PERST_RELEASED != 0 && value & PERST_RELEASED == 0 {
            self.root_port.reset_children();
        }
        self.update_link();
    }

    /// The core's state after an ETU reset; PERST is asserted.
    pub fn reset_link(&mut self) {
        self.link = Link { stuck_core: self.link.stuck_core, dead: self.link.dead, ..Link::default() };
        self.update_link_status();
    }

    pub fn hotplug_status(&self) -> u64 {
        if self.root_port.has_children() { 0 } else { SLOT_EMPTY }
    }

    /// A load of DLP_TRAIN_CTL; time passes for core reset and training.
    pub fn train_control(&mut self) -> u64 {
        let mut value = self.link.train_written;
        if self.link.stuck_core || self.link.creset & CORES_RESET != 0 || self.link.core_reads > 0 {
            if self.link.creset & CORES_RESET == 0 {
                self.link.core_reads = self.link.core_reads.saturating_sub(1);
            }
            return value | CORE_IN_RESET;
        }
        let mut ltssm = 1;
        if self.link.trainable {
            value |= IN_BAND_PRESENCE;
            if self.link.training_reads > 0 {
                self.link.training_reads -= 1;
                value |= TRAINING;
                ltssm = 2;
            } else {
                value |= LINK_ACTIVE | u64::from(LINK_WIDTH) << 28 | u64::from(self.speed()) << 24;
                ltssm = 4;
            }
        }
        self.update_link_status();
        // The LTSSM field is valid only while tracing is on.
        if self.stored(DLP_TRWCTL) & bit(0) != 0 { value | ltssm << 36 } else { value }
    }

    /// Decides anew whether the link can train; it starts over when it couldn't before.
    pub fn update_link(&mut self) {
        let running = self.link.creset & (CONFIG_CORE_RESET | CORES_RESET | CRESET_RUNNING) == CRESET_RUNNING;
        let disabled = self.root_port.register(LINK_CONTROL) & LINK_DISABLE != 0;
        let hot_reset = self.root_port.register(BRIDGE_CONTROL_WORD) >> 16 & 0x40 != 0;
        let could = self.link.trainable;
        self.link.trainable =
            running && !disabled && !hot_reset && !self.link.dead && self.root_port.has_children();
        if self.link.trainable && !could {
            self.link.training_reads = TRAINING_READS;
        }
        self.update_link_status();
    }

    fn link_is_up(&self) -> bool {
        self.link.trainable && self.link.training_reads == 0
    }

    fn update_link_status(&mut self) {
        let control = self.root_port.register(LINK_CONTROL) & 0xc000_ffff;
        let status = if self.link_is_up() { 1 << 13 | LINK_WIDTH << 4 | self.speed() } else { 0 };
        self.root_port.poke(LINK_CONTROL, control | status << 16);
    }

    /// The lowest of what the device, the port and the target allow.
    fn speed(&self) -> u32 {
        let allowed = match field(self.stored(PCIE_SCR), 32, 35) as u32 {
            0 => DEVICE_SPEED,
            most => most,
        };
        let target = match self.root_port.register(LINK_CONTROL_2) & 0xf {
            0 => DEVICE_SPEED,
            most => most,
        };
        DEVICE_SPEED.min(allowed).min(target)
    }

    fn assert_config_core(&self) {
        assert!(
            self.link.creset & CONFIG_CORE_RESET == 0,
            "PHB: root complex config access while its core is in reset (PCIE_CRESET bit 0)"
        );
    }

    /// The requester id and register that a config cycle names.
    fn cycle(&self, lane: u64, width: u32) -> (u16, u16) {
        let address = self.stored(CONFIG_ADDRESS);
        assert!(
            address & CYCLE_ENABLE != 0,
            "PHB: CONFIG_DATA access with CONFIG_ADDRESS {address:#018x} disabled"
        );
        let register = field(address, 20, 31);
        assert!(
            register & 3 == 0 || register & 3 == lane,
            "PHB: CONFIG_DATA lane {lane} for register {register:#x}"
        );
        assert!(lane + u64::from(width) <= 4, "PHB: {width}-byte CONFIG_DATA access at lane {lane}");
        (field(address, 4, 19) as u16, (register & !3 | lane) as u16)
    }

    /// The function that answers the cycle in CONFIG_ADDRESS.
    fn target(&mut self) -> Option<PciDevice> {
        let address = self.stored(CONFIG_ADDRESS);
        let rid = field(address, 4, 19) as u16;
        let pe = field(address, 39, 47) as usize;
        self.assert_config_pe(rid, pe);
        self.set(CONFIG_ADDRESS, address & !CYCLE_STATUS);
        if !self.link_is_up() || pe < self.size.pes() && self.ioda.mmio_frozen(pe) {
            return None;
        }
        // Behind the root port only: it answers in its own window and has no bus 0 below it.
        self.root_port.route((rid >> 8) as u8, rid as u8)
    }

    /// §3.1: the PE number in CONFIG_ADDRESS must be the one that the RTT has.
    fn assert_config_pe(&self, rid: u16, pe: usize) {
        let bar = self.stored(RTT_BAR);
        if bar & bit(0) == 0 || !self.strict_config_pe {
            return;
        }
        let wanted = self.rtt_entry(rid);
        assert!(
            pe == wanted.into(),
            "PHB: config cycle for {rid:#06x} carries PE {pe}, the RTT says {wanted}"
        );
    }

    fn unsupported(&mut self) {
        let address = self.stored(CONFIG_ADDRESS);
        self.set(CONFIG_ADDRESS, address & !CYCLE_STATUS | UNSUPPORTED_REQUEST);
    }
}

/// What a big-endian load of `width` bytes makes of a little-endian number, and back.
pub fn big_endian(value: u32, width: u32) -> u64 {
    u64::from(value.swap_bytes() >> (32 - 8 * width))
}
