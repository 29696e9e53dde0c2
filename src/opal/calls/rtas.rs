//! The gate to PAPR's calls: `doc/dma-windows/ddw.md`.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::error::{Error, Result, why};
use crate::firmware::Firmware;
use crate::mem::{OsBuffer, OsNumber};
use crate::opal::args::Args;
use crate::opal::table::SUCCESS;
use crate::papr::ddw;

/// Arguments and results that a call has at most, together.
const MOST: u32 = 16;
/// Token, number of arguments, number of results.
const HEADER: u64 = 12;

/// rtas-call(args*). The results are written, RTAS's status first; OPAL's says only whether there was a block.
pub fn call(fw: &Firmware, args: &Args) -> Result<i64> {
    let header = args.buffer::<0>(fw, HEADER)?;
    if !header.address.is_multiple_of(4) {
        return Err(Error::Parameter(why("block's alignment")));
    }
    let cell = |index: u64| u32::load(&fw.ram, header.address.wrapping_add(4 * index));
    let (token, count, results) = (cell(0), cell(1), cell(2));
    let both =
        count.checked_add(results).filter(|&both| both <= MOST).ok_or(Error::Parameter(why("cells")))?;
    OsBuffer::check(&fw.memory, header.address, HEADER + 4 * u64::from(both))?;
    // Copied: what is checked is what is used.
    let mut cells = [0; MOST as usize];
    for (copy, index) in cells.iter_mut().zip(3..).take(count as usize) {
        *copy = cell(index);
    }
    let given = cells.get(..count as usize).unwrap_or(&[]);
    let answer = ddw::call(&mut fw.tables(), token, given, results as usize);
    let answer = answer.into_iter().chain(core::iter::repeat(0)).take(results as usize);
    for (value, at) in answer.zip((header.address.wrapping_add(HEADER + 4 * u64::from(count))..).step_by(4)) {
        value.store(&fw.ram, at);
    }
    Ok(SUCCESS)
}
