//! OPAL calls.

use core::sync::atomic::{AtomicU64, Ordering};

pub const CONSOLE_WRITE: u64 = 1;
pub const CEC_POWER_DOWN: u64 = 5;
pub const POLL_EVENTS: u64 = 10;
pub const CONFIG_READ_WORD: u64 = 15;
pub const CONFIG_WRITE_WORD: u64 = 18;
pub const EEH_FREEZE_CLEAR: u64 = 26;
pub const SET_PE: u64 = 31;
pub const MAP_WINDOW: u64 = 44;
pub const MAP_REAL: u64 = 45;
pub const PCI_RESET: u64 = 49;
pub const PCI_POLL: u64 = 62;
pub const CHECK_TOKEN: u64 = 80;
pub const TCE_KILL: u64 = 126;

pub const SET_OPTION: u64 = 179;
pub const GET_OPTION: u64 = 180;

pub const SUCCESS: i64 = 0;
pub const PARAMETER: i64 = -1;
pub const UNSUPPORTED: i64 = -7;
pub const WRONG_STATE: i64 = -14;

/// Instructions of the last call, if they are counted.
static INSTRUCTIONS: AtomicU64 = AtomicU64::new(0);

static BASE: AtomicU64 = AtomicU64::new(0);
static ENTRY: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" {
    fn opal_call(args: *const [u64; 8], token: u64, base: u64, entry: u64, check: *mut [u64; 64]) -> i64;
    fn opal_call_vectors(
        args: *const [u64; 8],
        token: u64,
        base: u64,
        entry: u64,
        all: *mut [u64; 128],
    ) -> i64;
    fn rtas_call(block: u64, entry: u64, check: *mut [u64; 33]);
}

/// Calls RTAS at `entry`, in 32-bit mode.
///
/// # Panics
/// When it comes back in another mode, or a register that it must preserve came back changed.
pub fn rtas(entry: u64, block: u64) {
    let mut check = [0u64; 33];
    // SAFETY: what `/rtas` names, with its calling convention; the block is ours.
    unsafe { rtas_call(block, entry, &mut check) };
    assert!(check[0] >> 63 == 0, "MSR {:#x} after a call of RTAS", check[0]);
    for (register, &value) in check.iter().enumerate().take(32).skip(2).filter(|(n, _)| !(3..13).contains(n))
    {
        assert!(value == 0x5a00 + register as u64, "r{register} is {value:#x} after a call of RTAS");
    }
    assert!(check[32] & 0x00ff_f000 == 0x0a5a_0000 & 0x00ff_f000, "CR {:#x} after a call of RTAS", check[32]);
}

/// Calls OPAL with patterns in all 64 vector-scalar registers. Tells the first that came back changed.
pub fn call_with_vectors(token: u64, args: &[u64]) -> (i64, Option<u64>) {
    let mut all = [0; 8];
    all[..args.len()].copy_from_slice(args);
    let pattern = |n: usize| 0x0102_0304_0506_0708u64.wrapping_mul(n as u64 * 2 + 1);
    let mut registers: [u64; 128] = core::array::from_fn(pattern);
    // SAFETY: as for `call`.
    let result = unsafe {
        opal_call_vectors(
            &all,
            token,
            BASE.load(Ordering::Relaxed),
            ENTRY.load(Ordering::Relaxed),
            &mut registers,
        )
    };
    let changed = registers.iter().enumerate().find(|&(n, &value)| value != pattern(n));
    (result, changed.map(|(n, _)| n as u64 / 2))
}

/// Remembers where the firmware is.
pub fn set_door(base: u64, entry: u64) {
    BASE.store(base, Ordering::Relaxed);
    ENTRY.store(entry, Ordering::Relaxed);
}

/// Has PMC5 count instructions from now on, in every state.
pub fn count_instructions() {
    // SAFETY: nothing else uses the counters.
    unsafe { core::arch::asm!("mtspr 795, {}", "isync", in(reg) 0_u64) };
}

/// Instructions of the last call, 0 if nobody counts.
pub fn instructions() -> u64 {
    INSTRUCTIONS.load(Ordering::Relaxed)
}

/// Where the firmware says that it starts.
pub fn base() -> u64 {
    BASE.load(Ordering::Relaxed)
}

/// Calls OPAL.
///
/// # Panics
/// When a register that a call must preserve came back changed.
pub fn call(token: u64, args: &[u64]) -> i64 {
    let mut all = [0x4741_5242_4147_4500; 8]; // unused registers hold garbage
    all[..args.len()].copy_from_slice(args);
    let mut check = [0u64; 64];
    // SAFETY: the firmware's entry, with its calling convention; no case lets a call write to our own memory other
    // than to the buffers that it passes.
    let result = unsafe {
        opal_call(&all, token, BASE.load(Ordering::Relaxed), ENTRY.load(Ordering::Relaxed), &mut check)
    };
    INSTRUCTIONS.store(check[63] & 0xffff_ffff, Ordering::Relaxed);
    for (register, &value) in check.iter().enumerate().take(32).skip(13) {
        assert!(value == 0x5a00 + register as u64, "token {token}: r{register} is {value:#x} after the call");
    }
    assert!(check[0] & 0x00ff_f000 == 0x0a5a_0000 & 0x00ff_f000, "token {token}: CR {:#x}", check[0]);
    result
}
