//! Config cycles, which reach the root port too, and the link behind it (§2 rule 1, §3.4, §10, P4.11).

use super::registers::{CONFIG_ADDRESS, RTT_BAR, SYSTEM_CONFIG};
use super::{ModelPhb3, State, ones};
use crate::model::pci_device::PciDevice;
use crate::model::phb4::bits::{bit, bits, field};
use crate::model::phb4::config::big_endian;

const CYCLE_ENABLE: u64 = bit(0);
const CYCLE_STATUS: u64 = bits(1, 3);
const UNSUPPORTED_REQUEST: u64 = bit(3);

/// Of RESET; zero is asserted.
const PERST_RELEASED: u64 = bit(2);
/// RESET as the core comes up: everything but PERST (?).
const RESET_INITIAL: u64 = 0xd000_0000_0000_0000;

const TX_DISABLE: u64 = bit(1);
const PRESENCE: u64 = bit(19);
const CORE_IN_RESET: u64 = bit(22);
const LINK_ACTIVE: u64 = bit(23);
/// Of LINK_MANAGEMENT and of HOTPLUG_OVERRIDE.
const MANAGED_LINK_ACTIVE: u64 = bit(8);
const SLOT_EMPTY: u64 = bit(10) | bit(11);
const SLOT_LINK_ACTIVE: u64 = bit(12);

/// Loads of DLP_TRAIN_CTL that a core reset and a training take.
const CORE_READS: u32 = 2;
const TRAINING_READS: u32 = 3;
/// Root port registers: bridge control's word, link control, link control 2.
const BRIDGE_CONTROL_WORD: u16 = 0x3c;
const LINK_CONTROL: u16 = 0x58;
const LINK_CONTROL_2: u16 = 0x78;
const LINK_DISABLE: u32 = 1 << 4;
const LINK_WIDTH: u32 = 8;
const DEVICE_SPEED: u32 = 3;

/// The PCIe core's reset and link state.
pub struct Link {
    pub reset: u64,
    tx_disabled: bool,
    core_reads: u32,
    training_reads: u32,
    trainable: bool,
    stuck_core: bool,
    dead: bool,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            reset: RESET_INITIAL,
            tx_disabled: false,
            core_reads: CORE_READS,
            training_reads: TRAINING_READS,
            trainable: false,
            stuck_core: false,
            dead: false,
        }
    }
}

/// A root port whose windows are ordinary ones, closed at first (P4.6).
pub fn root_port() -> PciDevice {
    let port = PciDevice::root_port(0x03dc);
    port.define(0x1c, 0, 0x0000_f0f0, 0xf900_0000);
    port.define(0x20, 0x0000_fff0, 0xfff0_fff0, 0);
    port.define(0x24, 0x0001_fff1, 0xfff0_fff0, 0);
    for upper in [0x28, 0x2c, 0x30] {
        port.define(upper, 0, 0xffff_ffff, 0);
    }
    port
}

impl ModelPhb3 {
    /// From now on the core never leaves reset (or does again).
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
        let register = self.cycle(lane, width);
        match self.target() {
            Some(device) => big_endian(device.read(register, width as usize), width),
            None => {
                self.unsupported();
                ones(width)
            }
        }
    }

    /// A store to CONFIG_DATA.
    pub fn config_write(&mut self, lane: u64, width: u32, value: u64) {
        let register = self.cycle(lane, width);
        match self.target() {
            Some(device) => device.write(register, width as usize, big_endian(value as u32, width) as u32),
            None => self.unsupported(),
        }
        self.update_link();
    }

    /// A store to RESET; asserting PERST resets what is in the slot.
    pub fn write_reset(&mut self, value: u64) {
        assert!(value & !bits(0, 3) == 0, "PHB: RESET {value:#018x}: unknown bits");
        if self.link.reset & !value & PERST_RELEASED != 0 {
            self.root_port.reset_children();
        }
        self.link.reset = value;
        self.update_link();
    }

    /// Of DLP_TRAIN_CTL only the transmitter's bit is said to be anything but status.
    pub fn write_train_control(&mut self, value: u64) {
        self.link.tx_disabled = value & TX_DISABLE != 0;
        self.update_link();
    }

    /// The core's state after an ETU reset; PERST is asserted.
    pub fn reset_link(&mut self) {
        self.link = Link { stuck_core: self.link.stuck_core, dead: self.link.dead, ..Link::default() };
        self.update_link_status();
    }

    /// The core out of reset and PERST released.
    pub fn start_core(&mut self) {
        self.link.core_reads = 0;
        self.write_reset(RESET_INITIAL | PERST_RELEASED);
    }

    pub fn hotplug(&self) -> u64 {
        let slot = if self.root_port.has_children() { 0 } else { SLOT_EMPTY };
        slot | if self.link_is_up() { SLOT_LINK_ACTIVE } else { 0 }
    }

    pub fn link_management(&self) -> u64 {
        let stored = self.stored(0x630) & !MANAGED_LINK_ACTIVE;
        stored | if self.link_is_up() { MANAGED_LINK_ACTIVE } else { 0 }
    }

    /// A load of DLP_TRAIN_CTL; time passes for core reset and training. QEMU leaves bit 21 clear when the link is
    /// up, so nobody may wait for it.
    pub fn train_control(&mut self) -> u64 {
        let mut value = if self.link.tx_disabled { TX_DISABLE } else { 0 };
        if self.core_in_reset() {
            self.link.core_reads = self.link.core_reads.saturating_sub(1);
            self.update_link();
            return value | CORE_IN_RESET;
        }
        if self.link.trainable {
            value |= PRESENCE;
            if self.link.training_reads > 0 {
                self.link.training_reads -= 1;
            } else {
                value |= LINK_ACTIVE;
            }
        }
        self.update_link_status();
        value
    }

    /// Decides anew whether the link can train; it starts over when it couldn't before.
    pub fn update_link(&mut self) {
        let released = self.link.reset & PERST_RELEASED != 0 && !self.link.tx_disabled;
        let disabled = self.root_port.register(LINK_CONTROL) & LINK_DISABLE != 0;
        let hot_reset = self.root_port.register(BRIDGE_CONTROL_WORD) >> 16 & 0x40 != 0;
        let could = self.link.trainable;
        self.link.trainable = released
            && !self.core_in_reset()
            && !disabled
            && !hot_reset
            && !self.link.dead
            && self.root_port.has_children();
        if self.link.trainable && !could {
            self.link.training_reads = TRAINING_READS;
        }
        self.update_link_status();
    }

    fn core_in_reset(&self) -> bool {
        self.link.stuck_core || self.link.core_reads > 0
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
        let most = |field: u32| if field == 0 { DEVICE_SPEED } else { field };
        let allowed = most(field(self.stored(SYSTEM_CONFIG), 32, 35) as u32);
        let target = most(self.root_port.register(LINK_CONTROL_2) & 0xf);
        DEVICE_SPEED.min(allowed).min(target)
    }

    /// The register that a config cycle names.
    fn cycle(&self, lane: u64, width: u32) -> u16 {
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
        (register & !3 | lane) as u16
    }

    /// The function that answers the cycle in CONFIG_ADDRESS.
    fn target(&mut self) -> Option<PciDevice> {
        let address = self.stored(CONFIG_ADDRESS);
        let rid = field(address, 4, 19) as u16;
        let pe = field(address, 40, 47) as usize;
        self.assert_config_pe(rid, pe);
        self.set(CONFIG_ADDRESS, address & !CYCLE_STATUS);
        if rid == 0 {
            assert!(
                !self.core_in_reset(),
                "PHB: root port config access while its core is in reset (PGRESET)"
            );
            return Some(self.root_port.clone());
        }
        if !self.link_is_up() || self.ioda.mmio_frozen(pe) {
            return None;
        }
        self.root_port.route((rid >> 8) as u8, rid as u8)
    }

    /// §3.1: the PE number in CONFIG_ADDRESS must be the one that the RTT has.
    fn assert_config_pe(&self, rid: u16, pe: usize) {
        if self.stored(RTT_BAR) & bit(0) == 0 || !self.strict_config_pe {
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
