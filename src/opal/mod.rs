//! The OPAL boundary: registers in, return code out.

pub mod args;
pub mod calls;
pub mod dispatch;
pub mod extension;
pub mod request;
pub mod table;
