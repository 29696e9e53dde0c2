//! Results of PAPR's TCE calls (`reference/phb-dma-windows.md` §17).

use crate::error::{Error, Result};

/// Done.
pub const H_SUCCESS: i64 = 0;
const H_HARDWARE: i64 = -1;
/// Not offered.
pub const H_FUNCTION: i64 = -2;
const H_PARAMETER: i64 = -4;
const H_RESOURCE: i64 = -16;
/// The fourth argument is wrong.
pub const H_P4: i64 = -57;

/// What a call tells.
pub fn result(result: Result) -> i64 {
    match result {
        Ok(()) => H_SUCCESS,
        Err(Error::Parameter(_)) => H_PARAMETER,
        Err(Error::NoMem | Error::Resource(_)) => H_RESOURCE,
        Err(_) => H_HARDWARE,
    }
}
