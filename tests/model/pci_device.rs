//! PCI functions: config space, BARs that can be sized, capabilities, bridges with functions behind them.
//!
//! A device takes its bus number from the bridges above it, as in real topologies: an access reaches it only
//! when their secondary and subordinate numbers say so. Numbers are little-endian, as on the bus.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SIZE: usize = 4096;
/// Register numbers of the type 0 and type 1 headers.
const COMMAND: u16 = 0x04;
const BAR0: u16 = 0x10;
const PRIMARY_BUS: u16 = 0x18;
const SECONDARY_BUS: u16 = 0x19;
const SUBORDINATE_BUS: u16 = 0x1a;
const CAPABILITIES: u16 = 0x34;
const INTERRUPT_PIN: u16 = 0x3d;
const BRIDGE_CONTROL: u16 = 0x3e;
const SECONDARY_RESET: u16 = 0x40;

/// What a PCI Express capability says that the function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortType {
    /// An ordinary device.
    Endpoint = 0,
    /// The bridge's own port.
    RootPort = 4,
    /// A switch's port towards the root.
    Upstream = 5,
    /// A switch's port away from the root.
    Downstream = 6,
    /// A bridge to conventional PCI.
    ToConventional = 7,
}

struct State {
    bytes: Vec<u8>,
    /// Bits that a write replaces.
    writable: Vec<u8>,
    /// Bits that a write of one clears.
    clears: Vec<u8>,
    reset: Vec<u8>,
    /// End of the chain: where the next capability's offset goes.
    last_capability: u16,
    free: u16,
    is_bridge: bool,
    /// What the PCI Express capability says, and where it is.
    express: Option<(PortType, u16)>,
    children: Vec<(u8, PciDevice)>,
    config_reads: u64,
    resets: u64,
}

/// One function; clones are handles to the same one, so that a test can look at it after attaching it.
#[derive(Clone)]
pub struct PciDevice(Arc<Mutex<State>>);

impl PciDevice {
    /// A type 0 function.
    pub fn endpoint(vendor: u16, device: u16) -> Self {
        Self::new(vendor, device, false)
    }

    /// A type 1 function with a PCI Express capability; buses 0, windows closed.
    pub fn bridge(vendor: u16, device: u16, port: PortType) -> Self {
        Self::new(vendor, device, true).class(0x06_0400).express(port, 0)
    }

    /// The root port of a PHB4 or PHB5: its PCI Express capability is at 0x48, AER at 0x100, and its windows have
    /// fixed values that let everything through.
    pub fn root_port(device: u16) -> Self {
        let port = Self::new(0x1014, device, true).class(0x06_0400).express_at(0x48, PortType::RootPort, 2);
        port.define(0x1c, 0, 0, 0xf900_0000);
        port.define(0x20, 0xfff0_0000, 0, 0);
        port.define(0x24, 0xfff1_0001, 0, 0);
        port.define(0x28, 0x0000_0001, 0, 0);
        port.define(0x2c, 0xffff_ffff, 0, 0);
        port.define(0x30, 0, 0, 0);
        port.define(0x78, 4, 0x0000_ffff, 0x0fff_0000);
        for status in [0x180, 0x184, 0x188, 0x18c] {
            port.define(status, 0, 0, 0xffff_ffff);
        }
        port.error_reporting()
    }

    fn new(vendor: u16, device: u16, is_bridge: bool) -> Self {
        let function = Self(Arc::new(Mutex::new(State {
            bytes: vec![0; SIZE],
            writable: vec![0; SIZE],
            clears: vec![0; SIZE],
            reset: Vec::new(),
            last_capability: CAPABILITIES,
            free: 0x40,
            is_bridge,
            express: None,
            children: Vec::new(),
            config_reads: 0,
            resets: 0,
        })));
        {
            let mut state = function.state();
            state.define(0x00, u32::from(vendor) | u32::from(device) << 16, 0, 0);
            // Status: the five error bits and the master's parity bit are write-one-to-clear.
            state.define(COMMAND, 0, 0x0547, 0xf900_0000);
            state.define(0x0c, if is_bridge { 0x0001_0000 } else { 0 }, 0x0000_00ff, 0);
            state.define(0x3c, 0, 0x0000_00ff, 0);
            if is_bridge {
                state.define(PRIMARY_BUS, 0, 0xffff_ffff, 0);
                state.define(0x1c, 0, 0x0000_f0f0, 0xf900_0000);
                state.define(0x20, 0x0000_fff0, 0xfff0_fff0, 0);
                state.define(0x24, 0x0001_fff1, 0xfff0_fff0, 0);
                state.define(0x28, 0, 0xffff_ffff, 0);
                state.define(0x2c, 0, 0xffff_ffff, 0);
                state.define(0x30, 0, 0xffff_ffff, 0);
                state.define(0x3c, 0, 0x0fff_00ff, 0);
            }
        }
        function
    }

    /// Sets the class code, 24 bits.
    pub fn class(self, class: u32) -> Self {
        self.define(0x08, class << 8 | 1, 0, 0);
        self
    }

    /// Sets the interrupt pin: 1 to 4 for INTA to INTD.
    pub fn interrupt_pin(self, pin: u8) -> Self {
        self.state().set(INTERRUPT_PIN, pin);
        self
    }

    /// A 32-bit memory BAR of `size` bytes.
    pub fn bar32(self, index: u16, size: u32) -> Self {
        assert!(size.is_power_of_two() && size >= 16, "a BAR is a power of two");
        self.define(BAR0 + 4 * index, 0, !(size - 1), 0);
        self
    }

    /// A 64-bit prefetchable memory BAR of `size` bytes, in slots `index` and `index + 1`.
    pub fn bar64(self, index: u16, size: u64) -> Self {
        assert!(size.is_power_of_two() && size >= 16, "a BAR is a power of two");
        let mask = !(size - 1);
        self.define(BAR0 + 4 * index, 0xc, mask as u32 & !0xf, 0);
        self.define(BAR0 + 4 * index + 4, 0, (mask >> 32) as u32, 0);
        self
    }

    /// A PCI Express capability (version 2) that can do payloads of `128 << payload` bytes.
    pub fn express(self, port: PortType, payload: u32) -> Self {
        let at = self.add_capability(0x10, 0x3c);
        self.define_express(at, port, payload);
        self
    }

    /// The same at a fixed place, for ports whose layout is known.
    pub fn express_at(self, at: u16, port: PortType, payload: u32) -> Self {
        self.state().link_capability(at, 0x10);
        self.define_express(at, port, payload);
        self
    }

    fn define_express(&self, at: u16, port: PortType, payload: u32) {
        let mut state = self.state();
        state.express = Some((port, at));
        let slot = if matches!(port, PortType::RootPort | PortType::Downstream) { 1 << 8 } else { 0 };
        let header = state.register(at);
        state.define(at, header | (2 | (port as u32) << 4 | slot) << 16, 0, 0);
        // An endpoint's device capabilities say that it can be reset alone.
        let function_reset = if port == PortType::Endpoint { 1 << 28 } else { 0 };
        state.define(at + 0x04, payload | 0x8000 | function_reset, 0, 0);
        state.define(at + 0x08, 0x2810, 0x0000_7fff, 0x000f_0000);
        state.define(at + 0x0c, 0x0000_0104, 0, 0);
        state.define(at + 0x10, 0x1014_0000, 0x0000_0ffb, 0xc000_0000);
        state.define(at + 0x18, 0, 0x0000_1fff, 0x011f_0000);
        state.define(at + 0x1c, 0, 0x0000_001f, 0);
        state.define(at + 0x20, 0, 0, 0x0001_0000);
        state.define(at + 0x24, 0x0000_001f, 0, 0);
        state.define(at + 0x28, 0, 0x0000_ffff, 0);
        state.define(at + 0x2c, 0x0000_001e, 0, 0);
        state.define(at + 0x30, 4, 0x0000_ffff, 0);
    }

    /// An MSI capability for `1 << log2` vectors with 64-bit addresses.
    pub fn msi(self, log2: u32) -> Self {
        let at = self.add_capability(0x05, 0x10);
        let header = self.register(at);
        self.define(at, header | (1 << 7 | log2 << 1) << 16, 0x0071_0000, 0);
        self.define(at + 4, 0, 0xffff_fffc, 0);
        self.define(at + 8, 0, 0xffff_ffff, 0);
        self.define(at + 12, 0, 0x0000_ffff, 0);
        self
    }

    /// An MSI-X capability with its table and pending bits in the same BAR.
    pub fn msix(self, vectors: u32, bar: u32, table: u32, pending: u32) -> Self {
        let at = self.add_capability(0x11, 0x0c);
        let header = self.register(at);
        self.define(at, header | (vectors - 1) << 16, 0xc000_0000, 0);
        self.define(at + 4, table | bar, 0, 0);
        self.define(at + 8, pending | bar, 0, 0);
        self
    }

    /// An Advanced Error Reporting capability at 0x100.
    pub fn error_reporting(self) -> Self {
        self.define(0x100, 0x0001 | 2 << 16, 0, 0);
        self.define(0x104, 0, 0, 0x07ff_f030);
        self.define(0x108, 0, 0x07ff_f030, 0);
        self.define(0x10c, 0x0046_2030, 0x07ff_f030, 0);
        self.define(0x110, 0, 0, 0x0000_f1c1);
        self.define(0x114, 0x0000_2000, 0x0000_f1c1, 0);
        self.define(0x118, 0x0000_00a0, 0x0000_0140, 0);
        self.define(0x12c, 0, 0x0000_0007, 0);
        self.define(0x130, 0, 0, 0x0000_007f);
        self
    }

    /// Puts a function behind this bridge.
    pub fn child(self, device: u8, function: u8, behind: PciDevice) -> Self {
        assert!(self.state().is_bridge, "only a bridge has children");
        self.attach(device << 3 | function, behind);
        self
    }

    /// Puts a function behind this bridge; `devfn` as in a requester id.
    pub fn attach(&self, devfn: u8, behind: PciDevice) {
        if devfn & 7 != 0 {
            // A guest finds the others only when function 0 says that there are some.
            let first =
                self.state().children.iter().find(|(at, _)| *at == devfn & !7).map(|(_, f)| f.clone());
            if let Some(first) = first {
                let mut first = first.state();
                let header = first.bytes[0x0e] | 0x80;
                first.set(0x0e, header);
            }
        }
        self.state().children.push((devfn, behind));
    }

    /// Takes everything away that is behind this bridge.
    pub fn detach_all(&self) {
        self.state().children.clear();
    }

    /// Whether a function is right behind this bridge.
    pub fn has_children(&self) -> bool {
        !self.state().children.is_empty()
    }

    /// Defines one register freely: value after reset, writable bits, write-one-to-clear bits.
    pub fn define(&self, register: u16, value: u32, writable: u32, clears: u32) {
        self.state().define(register, value, writable, clears);
    }

    /// Looks at a register without being a bus access.
    pub fn register(&self, register: u16) -> u32 {
        self.state().register(register)
    }

    /// Changes a register as the device itself would, e.g. an error status.
    pub fn poke(&self, register: u16, value: u32) {
        self.state().bytes[usize::from(register)..][..4].copy_from_slice(&value.to_le_bytes());
    }

    /// How many config reads reached the function.
    pub fn config_reads(&self) -> u64 {
        self.state().config_reads
    }

    /// How often a reset reached the function.
    pub fn resets(&self) -> u64 {
        self.state().resets
    }

    /// A config read that has arrived here.
    pub fn read(&self, register: u16, width: usize) -> u32 {
        let mut state = self.state();
        state.config_reads += 1;
        let mut value = [0; 4];
        value[..width].copy_from_slice(&state.bytes[usize::from(register)..][..width]);
        u32::from_le_bytes(value)
    }

    /// A config write that has arrived here.
    pub fn write(&self, register: u16, width: usize, value: u32) {
        let (hot_reset, function_reset) = {
            let mut state = self.state();
            for (at, new) in (usize::from(register)..).zip(value.to_le_bytes()).take(width) {
                let (writable, clears) = (state.writable[at], state.clears[at]);
                let old = state.bytes[at];
                state.bytes[at] = (old & !writable | new & writable) & !(new & clears);
            }
            (state.in_hot_reset(), state.starts_function_reset(register, width, value))
        };
        if hot_reset {
            self.reset_children();
        }
        if function_reset {
            self.reset();
        }
    }

    /// Finds the function behind this bridge that a config access for `bus` and `devfn` reaches.
    pub fn route(&self, bus: u8, devfn: u8) -> Option<PciDevice> {
        let state = self.state();
        let (secondary, subordinate) = state.buses();
        if secondary == 0 || bus < secondary || bus > subordinate || state.in_hot_reset() {
            return None;
        }
        if bus > secondary {
            return state.children.iter().find_map(|(_, child)| child.route(bus, devfn));
        }
        // A link has one device at its other end; only a switch's own bus and a conventional one have more.
        let one_device = matches!(state.express, Some((PortType::RootPort | PortType::Downstream, _)));
        if one_device && devfn >= 8 {
            return None;
        }
        state.children.iter().find(|(at, _)| *at == devfn).map(|(_, child)| child.clone())
    }

    /// Resets this function and everything behind it.
    pub fn reset(&self) {
        {
            let mut state = self.state();
            state.resets += 1;
            state.bytes = state.reset.clone();
        }
        self.reset_children();
    }

    /// Resets what is behind this bridge.
    pub fn reset_children(&self) {
        let children: Vec<_> = self.state().children.iter().map(|(_, child)| child.clone()).collect();
        for child in children {
            child.reset();
        }
    }

    fn add_capability(&self, id: u8, length: u16) -> u16 {
        let mut state = self.state();
        let at = state.free;
        state.free += length.next_multiple_of(4);
        state.link_capability(at, id);
        at
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn define(&mut self, register: u16, value: u32, writable: u32, clears: u32) {
        let at = usize::from(register);
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        self.writable[at..at + 4].copy_from_slice(&writable.to_le_bytes());
        self.clears[at..at + 4].copy_from_slice(&clears.to_le_bytes());
        self.reset.clone_from(&self.bytes);
    }

    fn link_capability(&mut self, at: u16, id: u8) {
        let last = usize::from(self.last_capability);
        self.bytes[last] = at as u8;
        self.bytes[6] |= 0x10;
        self.bytes[usize::from(at)] = id;
        self.last_capability = at + 1;
        self.reset.clone_from(&self.bytes);
    }

    fn register(&self, register: u16) -> u32 {
        let at = usize::from(register);
        u32::from_le_bytes([self.bytes[at], self.bytes[at + 1], self.bytes[at + 2], self.bytes[at + 3]])
    }

    fn half(&self, register: u16) -> u16 {
        let at = usize::from(register);
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    fn buses(&self) -> (u8, u8) {
        if !self.is_bridge {
            return (0, 0);
        }
        (self.bytes[usize::from(SECONDARY_BUS)], self.bytes[usize::from(SUBORDINATE_BUS)])
    }

    fn in_hot_reset(&self) -> bool {
        self.is_bridge && self.half(BRIDGE_CONTROL) & SECONDARY_RESET != 0
    }

    /// Bit 15 of an endpoint's device control starts a function-level reset and reads as zero.
    fn starts_function_reset(&self, register: u16, width: usize, value: u32) -> bool {
        let Some((PortType::Endpoint, at)) = self.express else { return false };
        let control_high = usize::from(at) + 9;
        let Some(lane) = control_high.checked_sub(usize::from(register)) else { return false };
        lane < width && value.to_le_bytes()[lane] & 0x80 != 0
    }

    fn set(&mut self, at: u16, value: u8) {
        self.bytes[usize::from(at)] = value;
        self.reset[usize::from(at)] = value;
    }
}
