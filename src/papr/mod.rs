//! PAPR's forms of what firmware does: results of TCE calls, cells of RTAS calls. No logic of their own.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod ddw;
pub mod hcall;
