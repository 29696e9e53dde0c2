//! `/ibm,opal`: where firmware is and what it offers.

use crate::dt::Generation;
use crate::dt::interrupts::LEVEL;
use crate::dt::tree::{NodeMut, Phandle, Tree};
use crate::units::Isn;
use alloc::borrow::Cow;

/// An interrupt that firmware handles: the OS passes it on with OPAL_HANDLE_INTERRUPT.
#[derive(Clone, Debug)]
pub struct OwnInterrupt {
    /// Its source. All of them are level-sensitive.
    pub source: Isn,
    /// Name that the OS shows behind "opal-"; may be empty.
    pub name: Cow<'static, str>,
}

/// Memory that the OS offers for reading in `/sys/firmware/opal/exports/`.
#[derive(Clone, Debug)]
pub struct Export {
    /// File name there.
    pub name: Cow<'static, str>,
    /// Real address.
    pub address: u64,
    /// Bytes.
    pub size: u64,
}

/// What `/ibm,opal` tells.
#[derive(Clone, Debug)]
pub struct OpalNode<'a> {
    /// Generation of the processor.
    pub generation: Generation,
    /// Start of firmware's region. With the size it only tells the OS whose machine check it is; it reserves nothing.
    pub base: u64,
    /// Address to call.
    pub entry: u64,
    /// Size of firmware's region.
    pub runtime_size: u64,
    /// Descriptor of the memory console.
    pub memcons: u64,
    /// How often the OS polls when nothing interrupts.
    pub heartbeat_ms: u32,
    /// Interrupts that firmware handles.
    pub interrupts: &'a [OwnInterrupt],
    /// Their controller.
    pub interrupt_parent: Phandle,
    /// Bytes of NVRAM, if it is offered.
    pub nvram: Option<u32>,
    /// What the OS shows as firmware's version.
    pub version: &'a str,
    /// Memory to show.
    pub exports: &'a [Export],
}

/// Size of the longest message that firmware may send.
const MESSAGE_SIZE: u32 = 0x1_0000;
/// Tokens for asynchronous calls that the OS may have in use at once.
const ASYNC_TOKENS: u32 = 16;

/// Publishes `/ibm,opal` with all that is beneath. Nodes that stand for a service are only there if it is served.
pub fn publish(tree: &mut Tree, opal: &OpalNode<'_>) {
    let emulated = tree.node("/qemu").is_some();
    let mut node = tree.make("/ibm,opal");
    node.set_cells("#address-cells", &[0]).set_cells("#size-cells", &[0]);
    match opal.generation {
        Generation::Power8 => node.set_strings("compatible", ["ibm,opal-v2", "ibm,opal-v3"]),
        _ => node.set_string("compatible", "ibm,opal-v3"),
    };
    node.set_u64s("opal-base-address", &[opal.base]);
    node.set_u64s("opal-entry-address", &[opal.entry]);
    node.set_u64s("opal-runtime-size", &[opal.runtime_size]);
    node.set_cells("opal-msg-size", &[MESSAGE_SIZE]).set_cells("opal-msg-async-num", &[ASYNC_TOKENS]);
    node.set_u64s("ibm,opal-memcons", &[opal.memcons]);
    node.set_cells("ibm,heartbeat-ms", &[opal.heartbeat_ms]);
    // Which levels of `ibm,associativity` tell distance: the chip, then what chips share.
    node.set_cells("ibm,associativity-reference-points", &[4, 4, 2]);
    if !opal.interrupts.is_empty() {
        node.set_cells("interrupt-parent", &[opal.interrupt_parent.0]);
        let specifiers = opal.interrupts.iter().flat_map(|own| [own.source.0, LEVEL]);
        node.set_all("interrupts", specifiers.map(u32::to_be_bytes));
        node.set_strings("interrupt-names", opal.interrupts.iter().map(|own| &*own.name));
    }
    publish_services(&mut node, opal);
    publish_idle_states(&mut node.child("power-mgt"), opal.generation);
    if emulated {
        publish_no_speculation(&mut node);
    }
}

fn publish_services(node: &mut NodeMut<'_>, opal: &OpalNode<'_>) {
    let mut consoles = node.child("consoles");
    consoles.set_cells("#address-cells", &[1]).set_cells("#size-cells", &[0]);
    let mut serial = consoles.child("serial@0");
    serial.set_string("compatible", "ibm,opal-console-raw").set_string("device_type", "serial");
    serial.set_cells("reg", &[0]).set_cells("#write-buffer-size", &[0x1000]);

    let mut event = node.child("event");
    event.set_string("compatible", "ibm,opal-event").set_cells("#interrupt-cells", &[1]);
    event.set_empty("interrupt-controller");

    let mut firmware = node.child("firmware");
    firmware.set_string("compatible", "ibm,opal-firmware").set_string("version", opal.version);
    // An empty table of symbols: without the property Linux warns (it takes every failure but ENOENT for an error,
    // and gets EINVAL).
    firmware.set_u64s("symbol-map", &[opal.base, 0]);
    let mut exports = firmware.child("exports");
    for export in opal.exports {
        exports.set_u64s(&export.name, &[export.address, export.size]);
    }

    node.child("rtc").set_string("compatible", "ibm,opal-rtc");

    if let Some(size) = opal.nvram {
        let mut nvram = node.child("nvram");
        nvram.set_string("compatible", "ibm,opal-nvram").set_cells("#bytes", &[size]);
        // It lives in firmware's memory and doesn't survive power-off; who stores something should know.
        nvram.set_empty("opalite,volatile");
    }

    // Linux prints an error when this node is missing, and asks for nothing when it has no children.
    let mut sensors = node.child("sensors");
    sensors.set_string("compatible", "ibm,opal-sensor");
    sensors.set_cells("#address-cells", &[1]).set_cells("#size-cells", &[0]);
}

/// A state in which a thread waits.
struct IdleState {
    name: &'static str,
    flags: u32,
    latency_ns: u32,
    residency_ns: u32,
    /// What goes into PSSCR; POWER8 has no such register.
    psscr: Option<u64>,
}

/// Fields of PSSCR that the states above set.
const PSSCR_MASK: u64 = 0x30_03ff;

const fn stop(name: &'static str, flags: u32, latency_ns: u32, residency_ns: u32, psscr: u64) -> IdleState {
    IdleState { name, flags, latency_ns, residency_ns, psscr: Some(psscr) }
}

const POWER8_IDLE: &[IdleState] =
    &[IdleState { name: "nap", flags: 0x1_1000, latency_ns: 4_000, residency_ns: 100_000, psscr: None }];

const POWER9_IDLE: &[IdleState] = &[
    stop("stop0_lite", 0x10_0000, 1_000, 10_000, 0x330),
    stop("stop0", 0x10_1000, 2_000, 20_000, 0x30_0330),
    stop("stop1", 0x10_1000, 5_000, 50_000, 0x30_0331),
];

const POWER10_IDLE: &[IdleState] = &[
    stop("stop0_lite", 0x10_0000, 1_000, 10_000, 0x300),
    stop("stop0", 0x10_1000, 10_000, 100_000, 0x30_0300),
];

fn publish_idle_states(node: &mut NodeMut<'_>, generation: Generation) {
    let states = match generation {
        Generation::Power8 => POWER8_IDLE,
        Generation::Power9 => POWER9_IDLE,
        Generation::Power10 => POWER10_IDLE,
    };
    node.set_strings("ibm,cpu-idle-state-names", states.iter().map(|state| state.name));
    node.set_all("ibm,cpu-idle-state-flags", states.iter().map(|state| state.flags.to_be_bytes()));
    node.set_all(
        "ibm,cpu-idle-state-latencies-ns",
        states.iter().map(|state| state.latency_ns.to_be_bytes()),
    );
    node.set_all(
        "ibm,cpu-idle-state-residency-ns",
        states.iter().map(|state| state.residency_ns.to_be_bytes()),
    );
    let psscr = states.iter().filter_map(|state| state.psscr);
    if psscr.clone().next().is_some() {
        node.set_all("ibm,cpu-idle-state-psscr-mask", psscr.clone().map(|_| PSSCR_MASK.to_be_bytes()));
        node.set_all("ibm,cpu-idle-state-psscr", psscr.map(u64::to_be_bytes));
    }
}

/// Speculation as the OS may assume it on QEMU, which has none. Without this node Linux flushes the L1 cache on
/// every entry to the kernel. On real hardware the node must come from what the chip says, so it isn't made there.
fn publish_no_speculation(node: &mut NodeMut<'_>) {
    let mut features = node.child("fw-features");
    for name in [
        "speculation-policy-favor-security",
        "needs-l1d-flush-msr-pr-0-to-1",
        "needs-l1d-flush-msr-hv-1-to-0",
        "needs-spec-barrier-for-bound-checks",
    ] {
        features.child(name).set_empty("disabled");
    }
    for name in [
        "no-need-l1d-flush-msr-pr-1-to-0",
        "no-need-l1d-flush-kernel-on-user-access",
        "no-need-store-drain-on-priv-state-switch",
    ] {
        features.child(name).set_empty("enabled");
    }
}
