//! Enumeration: gives each bus its number and finds each function. Addresses are the OS's business.
//!
//! Bus numbers are given depth first. While what is behind a bridge is looked at its last bus number is 0xff, so that
//! everything below is reached; then it becomes the highest number that was used.

use crate::phb::Phb;
use crate::phb::config::{Known, Register};
use crate::sync::wait_until;
use crate::units::Bdfn;
use alloc::vec::Vec;

/// What a function's PCI Express capability says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No such capability.
    Conventional,
    /// A device.
    Endpoint,
    /// The bridge's own port.
    RootPort,
    /// A switch, seen from above.
    UpstreamPort,
    /// A switch's port to one device.
    DownstreamPort,
    /// To a conventional bus.
    ToConventional,
    /// From a conventional bus.
    FromConventional,
}

/// A function that was found.
#[derive(Clone, Debug)]
pub struct Device {
    /// Where it answers.
    pub bdfn: Bdfn,
    /// Vendor ID.
    pub vendor: u16,
    /// Device ID.
    pub device: u16,
    /// Class, subclass and programming interface.
    pub class: u32,
    /// Revision ID.
    pub revision: u8,
    /// What it is.
    pub kind: Kind,
    /// Interrupt pin, 1 to 4; 0 for none.
    pub interrupt_pin: u8,
    /// Buses behind it, when it is a bridge: the first and the last.
    pub buses: Option<(u8, u8)>,
    /// What is behind it.
    pub children: Vec<Self>,
}

impl Device {
    /// Whether it has a bus behind it.
    pub const fn is_bridge(&self) -> bool {
        self.buses.is_some()
    }
    /// Whether it has extended config space.
    pub const fn is_pcie(&self) -> bool {
        !matches!(self.kind, Kind::Conventional)
    }
}

const VENDOR: u16 = 0x00;
const CLASS: u16 = 0x08;
const HEADER_TYPE: u16 = 0x0e;
const BUSES: u16 = 0x18;
const STATUS: u16 = 0x06;
const HAS_CAPABILITIES: u32 = 1 << 4;
const CAPABILITIES: u16 = 0x34;
const INTERRUPT_PIN: u16 = 0x3d;
const COMMAND: u16 = 0x04;
/// Base and limit of what a bridge lets through: of a byte each, and of two bytes.
const IO_WINDOW: u16 = 0x1c;
const MEMORY_WINDOW: u16 = 0x20;
const PREFETCHABLE_WINDOW: u16 = 0x24;
/// The highest base, and limit 0.
const CLOSED: u32 = 0xfff0;
const MEMORY_AND_MASTER: u32 = 6;

/// Capability: PCI Express.
const EXPRESS: u32 = 0x10;
/// In that capability.
const EXPRESS_FLAGS: u16 = 2;

/// What a device that isn't ready answers for its vendor, once a root port has been told to pass that on.
const NOT_READY: u32 = 0xffff_0001;
/// The specification's second, for devices that ask for more time.
const READY_US: u64 = 1_000_000;

/// Finds everything behind a bridge and numbers the buses. The root port is the one function that comes back; a bridge
/// whose root port doesn't answer has none.
pub fn scan(phb: &mut dyn Phb) -> Vec<Device> {
    let mut scan = Scan { phb, last_bus: 0, known: Vec::new() };
    let found = scan.function(Bdfn::from_u16(0)).map(|(root, _)| root).into_iter().collect();
    let Scan { phb, known, .. } = scan;
    phb.learn(known);
    found
}

struct Scan<'a> {
    phb: &'a mut dyn Phb,
    last_bus: u8,
    known: Vec<Known>,
}

impl Scan<'_> {
    fn read(&mut self, function: Bdfn, register: Register) -> u32 {
        self.phb.config_read(function, register).unwrap_or(u32::MAX)
    }

    fn write(&mut self, function: Bdfn, register: Register, value: u32) {
        // A bridge that fences now is found out by whoever uses it.
        let _ = self.phb.config_write(function, register, value);
    }

    /// Looks at one bus; `devices` is how many device numbers can be there.
    fn bus(&mut self, bus: u8, devices: u8) -> Vec<Device> {
        let mut found = Vec::new();
        for device in 0..devices {
            let mut functions = 1;
            let mut function = 0;
            while function < functions {
                let Some(bdfn) = Bdfn::new(bus, device, function) else { break };
                match self.function(bdfn) {
                    Some((device, several)) => {
                        if several {
                            functions = 8;
                        }
                        found.push(device);
                    }
                    None if function == 0 => break,
                    None => {}
                }
                function += 1;
            }
        }
        found
    }

    /// Looks at one function, and behind it; tells whether its device has more functions.
    fn function(&mut self, bdfn: Bdfn) -> Option<(Device, bool)> {
        let mut id = self.read(bdfn, Register::word(VENDOR));
        if id == NOT_READY {
            wait_until(READY_US, || {
                id = self.read(bdfn, Register::word(VENDOR));
                id != NOT_READY
            });
        }
        let (vendor, device) = (id as u16, (id >> 16) as u16);
        if vendor == 0xffff || vendor == 0 || id == NOT_READY {
            return None;
        }
        let class = self.read(bdfn, Register::word(CLASS));
        let header = self.read(bdfn, Register::byte(HEADER_TYPE));
        let is_bridge = header & 0x7f == 1;
        let interrupt_pin = self.read(bdfn, Register::byte(INTERRUPT_PIN)) as u8;
        let (kind, express) = self.express(bdfn);
        let known = Known { bdfn, is_bridge, express };
        // A bridge that fences now is found out by whoever uses it.
        let _ = self.phb.prepare(known);
        self.known.push(known);
        let mut found = Device {
            bdfn,
            vendor,
            device,
            class: class >> 8,
            revision: class as u8,
            kind,
            interrupt_pin: if interrupt_pin > 4 { 0 } else { interrupt_pin },
            buses: None,
            children: Vec::new(),
        };
        if is_bridge {
            self.behind(&mut found);
        }
        Some((found, header & 0x80 != 0))
    }

    /// Finds the PCI Express capability: what the function is, and where the capability lies.
    fn express(&mut self, bdfn: Bdfn) -> (Kind, u16) {
        if self.read(bdfn, Register::half(STATUS)) & HAS_CAPABILITIES == 0 {
            return (Kind::Conventional, 0);
        }
        let mut at = self.read(bdfn, Register::byte(CAPABILITIES)) as u16 & 0xfc;
        // A device's list may have a loop; there is room for 48 entries.
        for _ in 0..48 {
            if at < 0x40 {
                break;
            }
            let capability = self.read(bdfn, Register::word(at));
            if capability & 0xff == EXPRESS {
                let kind = match capability >> (8 * EXPRESS_FLAGS + 4) & 0xf {
                    4 => Kind::RootPort,
                    5 => Kind::UpstreamPort,
                    6 => Kind::DownstreamPort,
                    7 => Kind::ToConventional,
                    8 => Kind::FromConventional,
                    _ => Kind::Endpoint,
                };
                return (kind, at);
            }
            at = (capability >> 8) as u16 & 0xfc;
        }
        (Kind::Conventional, 0)
    }

    /// Numbers the buses behind a bridge and looks at them.
    fn behind(&mut self, bridge: &mut Device) {
        let Some(first) = self.last_bus.checked_add(1) else {
            log::warn!("{}: no bus number is left", bridge.bdfn);
            return;
        };
        self.last_bus = first;
        let numbers = |last: u8| u32::from(last) << 16 | u32::from(first) << 8 | u32::from(bridge.bdfn.bus());
        self.write(bridge.bdfn, Register::word(BUSES), numbers(0xff));
        // Out of reset they are open at the bottom of the bus, where devices' DMA goes. The root port's are set up already.
        if bridge.bdfn.bus() != 0 {
            self.write(bridge.bdfn, Register::half(IO_WINDOW), CLOSED & 0xff);
            self.write(bridge.bdfn, Register::word(MEMORY_WINDOW), CLOSED);
            self.write(bridge.bdfn, Register::word(PREFETCHABLE_WINDOW), CLOSED);
        }
        let command = self.read(bridge.bdfn, Register::half(COMMAND));
        self.write(bridge.bdfn, Register::half(COMMAND), command | MEMORY_AND_MASTER);
        // A link has one device at its other end.
        let devices = match bridge.kind {
            Kind::RootPort | Kind::DownstreamPort => 1,
            _ => 32,
        };
        bridge.children = self.bus(first, devices);
        // What lies behind the root port may grow: it keeps all numbers.
        let last = if bridge.bdfn.bus() == 0 { 0xff } else { self.last_bus };
        if last != 0xff {
            self.write(bridge.bdfn, Register::word(BUSES), numbers(last));
        }
        bridge.buses = Some((first, last));
    }
}
