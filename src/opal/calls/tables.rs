//! Opalite's calls on tables that firmware owns: `doc/dma-windows/tables.md`.

use crate::error::{Error, Result};
use crate::firmware::Firmware;
use crate::opal::args::Args;
use crate::opal::request::Request;

/// table-create(request*).
pub fn create(fw: &Firmware, args: &Args) -> Result<i64> {
    Request::check::<0>(fw, args, 48, 0)?;
    Err(Error::Unsupported(&"not yet"))
}
