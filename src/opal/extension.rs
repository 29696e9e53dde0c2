//! Opalite's own calls. Their tokens aren't fixed: `/ibm,opal/dma-windows` names each call and its token, from this
//! table, so what is told and what is served can't differ. `doc/dma-windows.md` specifies them.

use super::calls::{faults, tables};
use super::table::{Call, call};

/// The first token: far above OPAL's own.
pub const FIRST: u64 = 0x1_0000;

/// The calls: a token's place from [`FIRST`] on, the name in the device tree, what serves it.
pub static CALLS: &[(&str, Call)] = &[
    call!("table-create", "TABLE_CREATE", tables::create),
    call!("fault-control", "FAULT_CONTROL", faults::control),
    call!("fault-read", "FAULT_READ", faults::read),
    call!("fault-respond", "FAULT_RESPOND", faults::respond),
];

/// The call of that token.
pub fn find(token: u64) -> Option<&'static Call> {
    let index = usize::try_from(token.checked_sub(FIRST)?).ok()?;
    CALLS.get(index).map(|(_, call)| call)
}

/// Name and token of each call, for the device tree.
pub fn tokens() -> impl Iterator<Item = (&'static str, u32)> {
    CALLS.iter().zip(FIRST as u32..).map(|(&(name, _), token)| (name, token))
}
