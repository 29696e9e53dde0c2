//! A QEMU TCG plugin that counts the guest instructions that firmware executes: from reset to the kernel's first
//! instruction, and in each OPAL call. Loaded with `-plugin libopal_count.so,out=FILE`; the file's form is in `tally`.
//!
//! Every instruction adds one to a counter of its vCPU, inline in the translated code, so a block that is left early
//! (by an interrupt, a fault, or a device access that QEMU repeats) is still counted exactly. Callbacks happen only
//! where a vCPU crosses the border of firmware: each block carries one that is taken only when the vCPU's place and the
//! block's address disagree. So nothing depends on how either firmware is built.
//!
//! Left out: MSR is not looked at, so user code mapped at firmware's own addresses would be taken for it. Such a run
//! shows as `other` entries; user programs here are linked far below.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

mod qemu;
mod tally;

use qemu::{PerVcpu, RegisterHandle, Tb};
use tally::Tally;

/// QEMU reads the interface version from this symbol before it calls anything.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the name is QEMU's")]
pub static qemu_plugin_version: c_int = qemu::INTERFACE_VERSION;

/// Where QEMU's powernv machines put `-kernel`: both firmwares run it in place, and nothing else is there before.
const KERNEL_FILE: std::ops::Range<u64> = 0x2000_0000..0x2800_0000;

/// Addresses from here on are virtual; a real-mode return to the kernel carries such an address too.
const VIRTUAL: u64 = 1 << 48;

/// More than either firmware keeps, counted from `opal-base-address`.
const FIRMWARE_SPAN: u64 = 0x400_0000;

/// Places of a vCPU, the values of [`Plugin::place`]: not known to be in a kernel yet.
const BOOTING: u64 = 0;
/// Outside firmware, after the kernel was entered.
const OUTSIDE: u64 = 1;
/// In firmware, by a call or otherwise.
const INSIDE: u64 = 2;

struct Plugin {
    out: PathBuf,
    instructions: PerVcpu,
    place: PerVcpu,
    tally: Mutex<Tally>,
}

// SAFETY: the raw pointers are scoreboards, which live as long as the plugin and which QEMU guards; each vCPU touches
// its own element only, but for the sum, which needs no exact moment.
unsafe impl Send for Plugin {}
// SAFETY: as above.
unsafe impl Sync for Plugin {}

/// Handles of the registers that we read; all vCPUs of a machine have the same ones.
struct Registers {
    r0: *mut RegisterHandle,
    r8: *mut RegisterHandle,
    r9: *mut RegisterHandle,
}

// SAFETY: the handles are numbers in pointer's clothing; QEMU looks them up on the vCPU that asks.
unsafe impl Send for Registers {}
// SAFETY: as above.
unsafe impl Sync for Registers {}

#[derive(Clone, Copy)]
struct Firmware {
    base: u64,
    entry: u64,
}

impl Firmware {
    fn holds(self, address: u64) -> bool {
        (self.base..self.base + FIRMWARE_SPAN).contains(&address)
    }
}

static PLUGIN: OnceLock<Plugin> = OnceLock::new();
static REGISTERS: OnceLock<Registers> = OnceLock::new();
static FIRMWARE: OnceLock<Firmware> = OnceLock::new();

/// QEMU's entry into the plugin.
///
/// # Safety
///
/// `argv` holds `argc` C strings, as QEMU's interface says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: qemu::Id,
    _info: *const c_void,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    let arguments = (0..usize::try_from(argc).unwrap_or(0)).map(|i| {
        // SAFETY: i < argc, and each entry is a C string that lives as long as the plugin.
        unsafe { CStr::from_ptr(*argv.add(i)) }.to_string_lossy()
    });
    let Some(out) =
        arguments.into_iter().find_map(|argument| argument.strip_prefix("out=").map(PathBuf::from))
    else {
        eprintln!("opal_count: give out=FILE");
        return 1;
    };
    // SAFETY: plain constructors; a scoreboard starts zeroed, and its elements hold the two u64 at 0 and 8.
    let (instructions, place) = unsafe {
        let score = qemu::qemu_plugin_scoreboard_new(16);
        (PerVcpu { score, offset: 0 }, PerVcpu { score, offset: 8 })
    };
    let _ = PLUGIN.set(Plugin { out, instructions, place, tally: Mutex::default() });
    // SAFETY: the callbacks have the types that the interface asks for and never unwind.
    unsafe {
        qemu::qemu_plugin_register_vcpu_init_cb(id, vcpu_starts);
        qemu::qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
        qemu::qemu_plugin_register_atexit_cb(id, machine_ends, std::ptr::null_mut());
    }
    0
}

extern "C" fn vcpu_starts(_id: qemu::Id, _vcpu: c_uint) {
    REGISTERS.get_or_init(|| {
        let mut found =
            Registers { r0: std::ptr::null_mut(), r8: std::ptr::null_mut(), r9: std::ptr::null_mut() };
        // SAFETY: called in a vCPU's init callback, where the interface allows it; the array is ours to free, its
        // elements are descriptors, its names C strings that live as long as QEMU.
        unsafe {
            let array = qemu::qemu_plugin_get_registers();
            let data = (*array).data.cast::<qemu::RegisterDescriptor>();
            for descriptor in (0..(*array).len as usize).map(|i| &*data.add(i)) {
                match CStr::from_ptr(descriptor.name).to_bytes() {
                    b"r0" => found.r0 = descriptor.handle,
                    b"r8" => found.r8 = descriptor.handle,
                    b"r9" => found.r9 = descriptor.handle,
                    _ => {}
                }
            }
            qemu::g_array_free(array, 1);
        }
        found
    });
}

extern "C" fn block_translated(_id: qemu::Id, tb: *mut Tb) {
    let Some(plugin) = PLUGIN.get() else { return };
    // SAFETY: tb is valid during this callback.
    let address = unsafe {
        for index in 0..qemu::qemu_plugin_tb_n_insns(tb) {
            let insn = qemu::qemu_plugin_tb_get_insn(tb, index);
            qemu::qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(
                insn,
                qemu::INLINE_ADD_U64,
                plugin.instructions,
                1,
            );
        }
        qemu::qemu_plugin_tb_vaddr(tb)
    };
    let user = std::ptr::without_provenance_mut::<c_void>(address as usize);
    let when = |callback, flags, condition, place| {
        // SAFETY: tb is valid during this callback; `user` is an address that is never dereferenced.
        unsafe {
            qemu::qemu_plugin_register_vcpu_tb_exec_cond_cb(
                tb,
                callback,
                flags,
                condition,
                plugin.place,
                place,
                user,
            );
        }
    };
    match FIRMWARE.get() {
        None if KERNEL_FILE.contains(&address) => {
            when(kernel_entered, qemu::CB_R_REGS, qemu::COND_EQ, BOOTING);
        }
        // Firmware's range isn't known yet, but this block may run again once it is.
        None => when(entered, qemu::CB_NO_REGS, qemu::COND_EQ, OUTSIDE),
        Some(firmware) if firmware.entry == address => {
            // SAFETY: as above.
            unsafe { qemu::qemu_plugin_register_vcpu_tb_exec_cb(tb, called, qemu::CB_R_REGS, user) };
        }
        Some(firmware) if firmware.holds(address) => {
            when(entered, qemu::CB_NO_REGS, qemu::COND_EQ, OUTSIDE);
        }
        Some(_) => when(left, qemu::CB_NO_REGS, qemu::COND_NE, OUTSIDE),
    }
}

/// The first block of the kernel file: `r8` and `r9` tell where OPAL is.
extern "C" fn kernel_entered(vcpu: c_uint, _user: *mut c_void) {
    let (Some(plugin), Some(registers)) = (PLUGIN.get(), REGISTERS.get()) else { return };
    let (Some(base), Some(entry)) = (read(registers.r8), read(registers.r9)) else {
        eprintln!("opal_count: QEMU doesn't let us read r8 and r9");
        return;
    };
    if FIRMWARE.set(Firmware { base, entry }).is_err() {
        return;
    }
    let firmware = Firmware { base, entry };
    if base == 0 || base >= VIRTUAL || !firmware.holds(entry) {
        eprintln!("opal_count: r8 {base:#x} and r9 {entry:#x} at kernel entry name no OPAL");
    }
    // One thread does all the work; how long the others spin meanwhile says nothing.
    plugin.tally().kernel_entered(plugin.now(vcpu), base, entry);
    plugin.moves(vcpu, OUTSIDE);
}

extern "C" fn called(vcpu: c_uint, _user: *mut c_void) {
    let (Some(plugin), Some(registers)) = (PLUGIN.get(), REGISTERS.get()) else { return };
    let token = read(registers.r0).unwrap_or(u64::MAX);
    plugin.tally().call_begins(vcpu, token, plugin.now(vcpu));
    plugin.moves(vcpu, INSIDE);
}

extern "C" fn entered(vcpu: c_uint, user: *mut c_void) {
    let (Some(plugin), Some(firmware)) = (PLUGIN.get(), FIRMWARE.get()) else { return };
    if firmware.holds(user.addr() as u64) {
        plugin.tally().enters_elsewhere(vcpu, plugin.now(vcpu));
        plugin.moves(vcpu, INSIDE);
    }
}

extern "C" fn left(vcpu: c_uint, _user: *mut c_void) {
    let Some(plugin) = PLUGIN.get() else { return };
    plugin.tally().leaves(vcpu, plugin.now(vcpu));
    plugin.moves(vcpu, OUTSIDE);
}

extern "C" fn machine_ends(_id: qemu::Id, _user: *mut c_void) {
    let Some(plugin) = PLUGIN.get() else { return };
    // SAFETY: the scoreboard lives as long as the plugin.
    let total = unsafe { qemu::qemu_plugin_u64_sum(plugin.instructions) };
    let report = plugin.tally().report(total).to_string();
    if let Err(error) = std::fs::write(&plugin.out, report) {
        eprintln!("opal_count: {}: {error}", plugin.out.display());
    }
}

impl Plugin {
    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self, vcpu: c_uint) -> u64 {
        // SAFETY: the scoreboard has an element for each vCPU that runs.
        unsafe { qemu::qemu_plugin_u64_get(self.instructions, vcpu) }
    }

    fn moves(&self, vcpu: c_uint, place: u64) {
        // SAFETY: the scoreboard has an element for each vCPU that runs.
        unsafe { qemu::qemu_plugin_u64_set(self.place, vcpu, place) }
    }
}

/// A general register of the vCPU that called back. The gdb stub gives it in the thread's byte order, and both at
/// kernel entry and at OPAL's entry a thread is big-endian.
fn read(handle: *mut RegisterHandle) -> Option<u64> {
    if handle.is_null() {
        return None;
    }
    // SAFETY: called from a callback with CB_R_REGS; the array is ours, and holds what QEMU put there.
    unsafe {
        let buffer = qemu::g_byte_array_new();
        let size = qemu::qemu_plugin_read_register(handle, buffer);
        let value = (size == 8 && (*buffer).len == 8)
            .then(|| u64::from_be_bytes((*buffer).data.cast::<[u8; 8]>().read_unaligned()));
        qemu::g_byte_array_free(buffer, 1);
        value
    }
}
