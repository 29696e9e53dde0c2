//! The part of QEMU's TCG plugin interface that we call, declared by hand: the interface is in no binary
//! package. Names and layouts are QEMU's and GLib's. Tried with QEMU 10.0.2, which serves versions up to 4.

use std::ffi::{c_char, c_int, c_uint, c_void};

/// The oldest interface version that has all of this file (QEMU 9.1). Version 4 only adds reading guest memory, which
/// we have no use for, and naming it would shut out a QEMU that can serve us.
pub const INTERFACE_VERSION: c_int = 3;

/// `qemu_plugin_id_t`.
pub type Id = u64;

/// `struct qemu_plugin_tb`, opaque: a translated block.
#[repr(C)]
pub struct Tb(u8);

/// `struct qemu_plugin_insn`, opaque: an instruction in a block that is being translated.
#[repr(C)]
pub struct Insn(u8);

/// `struct qemu_plugin_register`, opaque.
#[repr(C)]
pub struct RegisterHandle(u8);

/// `struct qemu_plugin_scoreboard`, opaque: one element per vCPU.
#[repr(C)]
pub struct Scoreboard(u8);

/// `qemu_plugin_u64`: a u64 at `offset` in each element of a scoreboard.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct PerVcpu {
    /// The scoreboard.
    pub score: *mut Scoreboard,
    /// Where in an element.
    pub offset: usize,
}

/// `qemu_plugin_reg_descriptor`.
#[repr(C)]
pub struct RegisterDescriptor {
    /// What `qemu_plugin_read_register` takes.
    pub handle: *mut RegisterHandle,
    /// The gdb stub's name for the register.
    pub name: *const c_char,
    /// The gdb stub's name for the register's group.
    pub feature: *const c_char,
}

/// The public part of GLib's `GArray`.
#[repr(C)]
pub struct GArray {
    /// The elements.
    pub data: *mut c_char,
    /// How many.
    pub len: c_uint,
}

/// The public part of GLib's `GByteArray`.
#[repr(C)]
pub struct GByteArray {
    /// The bytes.
    pub data: *mut u8,
    /// How many.
    pub len: c_uint,
}

/// `QEMU_PLUGIN_CB_NO_REGS`: the callback reads no register.
pub const CB_NO_REGS: c_int = 0;
/// `QEMU_PLUGIN_CB_R_REGS`: the callback reads registers.
pub const CB_R_REGS: c_int = 1;
/// `QEMU_PLUGIN_COND_EQ`.
pub const COND_EQ: c_int = 2;
/// `QEMU_PLUGIN_COND_NE`.
pub const COND_NE: c_int = 3;
/// `QEMU_PLUGIN_INLINE_ADD_U64`.
pub const INLINE_ADD_U64: c_int = 0;

/// Called when a vCPU starts.
pub type VcpuCallback = extern "C" fn(Id, c_uint);
/// Called when a block is translated.
pub type TranslateCallback = extern "C" fn(Id, *mut Tb);
/// Called when a block is executed.
pub type ExecCallback = extern "C" fn(c_uint, *mut c_void);
/// Called at the end.
pub type ExitCallback = extern "C" fn(Id, *mut c_void);

unsafe extern "C" {
    pub fn qemu_plugin_register_vcpu_init_cb(id: Id, callback: VcpuCallback);
    pub fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, callback: TranslateCallback);
    pub fn qemu_plugin_register_atexit_cb(id: Id, callback: ExitCallback, user: *mut c_void);
    pub fn qemu_plugin_tb_n_insns(tb: *const Tb) -> usize;
    pub fn qemu_plugin_tb_vaddr(tb: *const Tb) -> u64;
    pub fn qemu_plugin_tb_get_insn(tb: *const Tb, index: usize) -> *mut Insn;
    pub fn qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(
        insn: *mut Insn,
        operation: c_int,
        entry: PerVcpu,
        immediate: u64,
    );
    pub fn qemu_plugin_register_vcpu_tb_exec_cb(
        tb: *mut Tb,
        callback: ExecCallback,
        flags: c_int,
        user: *mut c_void,
    );
    pub fn qemu_plugin_register_vcpu_tb_exec_cond_cb(
        tb: *mut Tb,
        callback: ExecCallback,
        flags: c_int,
        condition: c_int,
        entry: PerVcpu,
        immediate: u64,
        user: *mut c_void,
    );
    pub fn qemu_plugin_scoreboard_new(element_size: usize) -> *mut Scoreboard;
    pub fn qemu_plugin_u64_get(entry: PerVcpu, vcpu: c_uint) -> u64;
    pub fn qemu_plugin_u64_set(entry: PerVcpu, vcpu: c_uint, value: u64);
    pub fn qemu_plugin_u64_sum(entry: PerVcpu) -> u64;
    pub fn qemu_plugin_get_registers() -> *mut GArray;
    pub fn qemu_plugin_read_register(handle: *mut RegisterHandle, buffer: *mut GByteArray) -> c_int;

    pub fn g_array_free(array: *mut GArray, free_segment: c_int) -> *mut c_char;
    pub fn g_byte_array_new() -> *mut GByteArray;
    pub fn g_byte_array_free(array: *mut GByteArray, free_segment: c_int) -> *mut u8;
}
