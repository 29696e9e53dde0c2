//! Opalite's calls on LIOBNs, and PAPR's TCE calls: `doc/dma-windows/liobn.md`.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::error::{Error, Result, why};
use crate::firmware::Firmware;
use crate::iommu::registry::Handle;
use crate::iommu::tce::ACCESS;
use crate::mem::OsBuffer;
use crate::opal::args::Args;
use crate::opal::table::SUCCESS;
use crate::papr::hcall::{self, H_FUNCTION, H_P4};
use crate::services::dma::Acts;
use crate::services::dma::change::{List, MOST_LISTED, Span};

/// A list lies in one page.
const LIST_ALIGN: u64 = 4096;

/// liobn-bind(liobn, handle, base).
pub fn bind(fw: &Firmware, args: &Args) -> Result<i64> {
    let mut acts = fw.tables();
    acts.bind(args.u64::<0>(), Handle::from_u64(args.u64::<1>()), args.u64::<2>())?;
    Ok(SUCCESS)
}

/// liobn-unbind(liobn).
pub fn unbind(fw: &Firmware, args: &Args) -> Result<i64> {
    fw.tables().unbind(args.u64::<0>())?;
    Ok(SUCCESS)
}

/// The entries that a TCE call means. `maps`: they shall be mapped.
fn span(acts: &mut Acts<'_>, args: &Args, count: u64, maps: bool) -> Result<Option<Span>> {
    acts.liobn_span(args.u64::<0>(), args.u64::<1>(), count, maps)
}

/// Stores one TCE into each entry.
fn fill(fw: &Firmware, args: &Args, count: u64) -> i64 {
    let mut acts = fw.tables();
    let done = fill_span(&mut acts, args, count);
    hcall::result(acts.finish(done))
}

#[inline(always)]
fn fill_span(acts: &mut Acts<'_>, args: &Args, count: u64) -> Result {
    let tce = args.u64::<2>();
    let found = span(acts, args, count, false)?;
    acts.check_tce(tce, acts.page_bytes(found)?)?;
    // Only now a default window may get a table.
    let found = if found.is_none() && tce & ACCESS != 0 { span(acts, args, count, true)? } else { found };
    found.map_or(Ok(()), |span| acts.fill(span, tce))
}

/// put-tce(liobn, ioba, tce).
pub fn put(fw: &Firmware, args: &Args) -> Result<i64> {
    Ok(fill(fw, args, 1))
}

/// put-tce-indirect(liobn, ioba, list, count).
pub fn put_indirect(fw: &Firmware, args: &Args) -> Result<i64> {
    // −n would mean the first n entries of the list, each a LIOBN.
    if args.u64::<0>() >> 63 != 0 {
        return Ok(H_FUNCTION);
    }
    Ok(hcall::result(put_list(fw, args)))
}

fn put_list(fw: &Firmware, args: &Args) -> Result {
    let count = args.u64::<3>();
    if !(1..=MOST_LISTED as u64).contains(&count) {
        return Err(Error::Parameter(why("count")));
    }
    let list = OsBuffer::check(&fw.memory, args.u64::<2>(), 8 * count)?;
    if !list.address.is_multiple_of(LIST_ALIGN) {
        return Err(Error::Parameter(why("list's alignment")));
    }
    let mut acts = fw.tables();
    let found = span(&mut acts, args, count, false)?;
    let mut list = List::copy(&fw.ram, list);
    let maps = acts.check_list(&mut list, acts.page_bytes(found)?)?;
    let found = if found.is_none() && maps { span(&mut acts, args, count, true)? } else { found };
    let done = found.map_or(Ok(()), |span| acts.map_list(span, &mut list, maps));
    acts.finish(done)
}

/// stuff-tce(liobn, ioba, tce, count).
pub fn stuff(fw: &Firmware, args: &Args) -> Result<i64> {
    let count = args.u64::<3>();
    if count > MOST_LISTED as u64 {
        return Ok(H_P4);
    }
    Ok(fill(fw, args, count))
}

/// get-tce(liobn, ioba, tce*).
pub fn get(fw: &Firmware, args: &Args) -> Result<i64> {
    let read = || {
        let output = args.pointer::<u64, 2>(fw)?;
        let mut acts = fw.tables();
        let span = span(&mut acts, args, 1, false)?;
        output.write(&fw.ram, acts.entry(span));
        Ok(())
    };
    Ok(hcall::result(read()))
}
