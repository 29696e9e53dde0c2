//! Opalite's own calls. Their tokens aren't fixed: `/ibm,opal/dma-windows` names each call and its token, from this
//! table, so what is told and what is served can't differ. `doc/dma-windows.md` specifies them.

use super::calls::{faults, liobn, rtas, tables};
use super::table::{Call, call};

/// The first token: far above OPAL's own.
pub const FIRST: u64 = 0x1_0000;

/// The calls: a token's place from [`FIRST`] on, the name in the device tree, what serves it.
pub static CALLS: &[(&str, Call)] = &[
    call!("table-create", "table-create", tables::create),
    call!("table-destroy", "table-destroy", tables::destroy),
    call!("table-map", "table-map", tables::map),
    call!("table-unmap", "table-unmap", tables::unmap),
    call!("window-set", "window-set", tables::set),
    call!("window-unset", "window-unset", tables::unset),
    call!("window-query", "window-query", tables::query),
    call!("bypass-set", "bypass-set", tables::set_bypass),
    call!("pool-donate", "pool-donate", tables::donate),
    call!("pool-reclaim", "pool-reclaim", tables::reclaim),
    call!("pool-query", "pool-query", tables::pool),
    call!("fault-control", "fault-control", faults::control),
    call!("fault-read", "fault-read", faults::read),
    call!("fault-respond", "fault-respond", faults::respond),
    call!("liobn-bind", "liobn-bind", liobn::bind),
    call!("liobn-unbind", "liobn-unbind", liobn::unbind),
    call!("put-tce", "put-tce", liobn::put),
    call!("put-tce-indirect", "put-tce-indirect", liobn::put_indirect),
    call!("stuff-tce", "stuff-tce", liobn::stuff),
    call!("get-tce", "get-tce", liobn::get),
    call!("rtas-call", "rtas-call", rtas::call),
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
