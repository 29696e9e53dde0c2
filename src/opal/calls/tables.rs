//! Opalite's calls on tables that firmware owns, and on the windows that show them: `doc/dma-windows/tables.md`.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crate::error::{Error, Result, why};
use crate::firmware::Firmware;
use crate::iommu::pool::PAGE_SHIFT;
use crate::iommu::registry::{Handle, Held, Place};
use crate::iommu::tve::Meaning;
use crate::mem::{OsBuffer, OsNumber};
use crate::opal::args::Args;
use crate::opal::request::Request;
use crate::opal::table::SUCCESS;
use crate::services::dma::bypass::Mode;
use crate::services::dma::change::{List, MOST_LISTED};
use crate::services::dma::slots::Reach;
use crate::services::dma::{Acts, NewTable};

/// table-create: all levels at once.
const WHOLE: u32 = 1;
/// window-set, bypass-set: an open window may be replaced.
const REPLACE: u32 = 1;
/// table-map: devices may read, devices may write, the memory is a list of segments.
const READ: u32 = 1;
const WRITE: u32 = 2;
const LIST: u32 = 4;

/// table-create(request*): 48 bytes. 8 page shift, 12 levels, 16 window size; out: 24 handle, 32 levels, 36 log2 of a
/// level's bytes, 40 bytes of the pool.
pub fn create(fw: &Firmware, args: &Args) -> Result<i64> {
    let request = Request::check::<0>(fw, args, 48, WHOLE)?;
    let new = NewTable {
        page_shift: request.u32(8).into(),
        levels: request.u32(12).into(),
        window_size: request.u64(16),
        whole: request.flags & WHOLE != 0,
    };
    let mut acts = fw.tables();
    let id = acts.create(new)?;
    if let Some(table) = acts.tables.get(id) {
        let geometry = table.geometry();
        request.set_u64(24, acts.tables.handle(id).as_u64());
        request.set_u32(32, geometry.levels().into());
        request.set_u32(36, geometry.level_shift().into());
        request.set_u64(40, table.pool_pages() << PAGE_SHIFT);
    }
    Ok(SUCCESS)
}

/// table-destroy(handle).
pub fn destroy(fw: &Firmware, args: &Args) -> Result<i64> {
    fw.tables().destroy(Handle::from_u64(args.u64::<0>()))?;
    Ok(SUCCESS)
}

/// The slot that a request names: 8 bridge, 16 PE, 20 window.
fn place(acts: &Acts<'_>, request: &Request<'_>) -> Result<Place> {
    acts.place(request.u64(8), request.u32(16).into(), request.u32(20).into())
}

fn answer(request: &Request<'_>, reach: Reach, at: u64) {
    request.set_u64(at, reach.origin);
    request.set_u64(at.wrapping_add(8), reach.first);
    request.set_u64(at.wrapping_add(16), reach.last);
}

/// window-set(request*): 56 bytes. 8 bridge, 16 PE, 20 window, 24 handle; out: 32 origin, 40 first, 48 last bus address.
pub fn set(fw: &Firmware, args: &Args) -> Result<i64> {
    let request = Request::check::<0>(fw, args, 56, REPLACE)?;
    let mut acts = fw.tables();
    let place = place(&acts, &request)?;
    let table = acts.tables.find(Handle::from_u64(request.u64(24)))?;
    let reach = acts.set(place, table, request.flags & REPLACE != 0)?;
    answer(&request, reach, 32);
    Ok(SUCCESS)
}

/// window-unset(phb, pe, window).
pub fn unset(fw: &Firmware, args: &Args) -> Result<i64> {
    let mut acts = fw.tables();
    let place = acts.place(args.u64::<0>(), args.u64::<1>(), args.u64::<2>())?;
    acts.unset(place)?;
    Ok(SUCCESS)
}

/// window-query(request*): 88 bytes. 8 bridge, 16 PE, 20 window; out: 24 state, 28 owner, 32 handle, 40 page shift,
/// 44 levels, 48 origin, 56 first, 64 last bus address, 72 table's address, 80 slots that have the table, 84 zero.
pub fn query(fw: &Firmware, args: &Args) -> Result<i64> {
    let request = Request::check::<0>(fw, args, 88, 0)?;
    let mut acts = fw.tables();
    let place = place(&acts, &request)?;
    let found = acts.query(place)?;
    let (state, page_shift, levels, address) = match found.meaning {
        Meaning::Closed => (0, 0, 0, 0),
        Meaning::Translated { geometry, table } => {
            (1, geometry.page_shift().into(), geometry.levels().into(), table)
        }
        Meaning::NoTranslate { .. } => (2, 0, 0, 0),
    };
    let (owner, handle, slots) = match found.held {
        Held::Nothing => (0, 0, 0),
        Held::Bypass => (1, 0, 1),
        Held::Table(id) => (1, acts.tables.handle(id).as_u64(), acts.sharers(id)),
    };
    request.set_u32(24, state);
    request.set_u32(28, owner);
    request.set_u64(32, handle);
    request.set_u32(40, page_shift);
    request.set_u32(44, levels);
    answer(&request, found.reach, 48);
    request.set_u64(72, address);
    request.set_u32(80, slots);
    request.set_u32(84, 0);
    Ok(SUCCESS)
}

/// bypass-set(request*): 56 bytes. 8 bridge, 16 PE, 20 window, 24 mode; out: 32 origin, 40 first, 48 last bus address.
pub fn set_bypass(fw: &Firmware, args: &Args) -> Result<i64> {
    let request = Request::check::<0>(fw, args, 56, REPLACE)?;
    let mode = match request.u64(24) {
        0 => Mode::Identity,
        1 => Mode::Offset,
        _ => return Err(Error::Parameter(why("bypass mode"))),
    };
    let mut acts = fw.tables();
    let place = place(&acts, &request)?;
    let reach = acts.set_bypass(place, mode, request.flags & REPLACE != 0)?;
    answer(&request, reach, 32);
    Ok(SUCCESS)
}

/// Where the old entries of an act go, if the OS wants them.
fn wanted(fw: &Firmware, pointer: u64, pages: u64) -> Result<Option<OsBuffer>> {
    if pointer == 0 {
        return Ok(None);
    }
    let bytes = pages.checked_mul(8).ok_or(Error::Parameter(why("number of pages")))?;
    let buffer = OsBuffer::check(&fw.memory, pointer, bytes)?;
    if buffer.address.is_multiple_of(8) {
        Ok(Some(buffer))
    } else {
        Err(Error::Parameter(why("old entries")))
    }
}

fn tell_previous(fw: &Firmware, acts: &Acts<'_>, into: Option<OsBuffer>) {
    if let Some(buffer) = into {
        for (old, at) in acts.previous(buffer.length / 8).iter().zip((buffer.address..).step_by(8)) {
            old.store(&fw.ram, at);
        }
    }
}

/// table-map(request*): 56 bytes. 8 handle, 16 offset, 24 pages, 32 memory or list, 40 where old entries go or 0,
/// 48 segments of the list.
pub fn map(fw: &Firmware, args: &Args) -> Result<i64> {
    let request = Request::check::<0>(fw, args, 56, READ | WRITE | LIST)?;
    let access = u64::from(request.flags & (READ | WRITE));
    if access == 0 {
        return Err(Error::Parameter(why("no permission")));
    }
    let (pages, memory, segments) = (request.u64(24), request.u64(32), request.u64(48));
    let list = request.flags & LIST != 0;
    if list != (segments != 0) || segments > MOST_LISTED as u64 / 2 {
        return Err(Error::Parameter(why("number of segments")));
    }
    let mut acts = fw.tables();
    let table = acts.tables.find(Handle::from_u64(request.u64(8)))?;
    let span = acts.span(table, request.u64(16), pages)?;
    let previous = wanted(fw, request.u64(40), pages)?;
    if list {
        let list = OsBuffer::check(&fw.memory, memory, 16 * segments)?;
        if !list.address.is_multiple_of(8) {
            return Err(Error::Parameter(why("list's alignment")));
        }
        acts.map_segments(span, &mut List::copy(&fw.ram, list), access)?;
    } else {
        acts.map_run(span, memory, access)?;
    }
    tell_previous(fw, &acts, previous);
    Ok(SUCCESS)
}

/// table-unmap(request*): 40 bytes. 8 handle, 16 offset, 24 pages, 32 where old entries go or 0.
pub fn unmap(fw: &Firmware, args: &Args) -> Result<i64> {
    let request = Request::check::<0>(fw, args, 40, 0)?;
    let pages = request.u64(24);
    let mut acts = fw.tables();
    let table = acts.tables.find(Handle::from_u64(request.u64(8)))?;
    let span = acts.span(table, request.u64(16), pages)?;
    let previous = wanted(fw, request.u64(32), pages)?;
    acts.unmap(span)?;
    tell_previous(fw, &acts, previous);
    Ok(SUCCESS)
}

/// pool-donate(address, size).
pub fn donate(fw: &Firmware, args: &Args) -> Result<i64> {
    fw.tables().donate(args.u64::<0>(), args.u64::<1>())?;
    Ok(SUCCESS)
}

/// pool-reclaim(address, size).
pub fn reclaim(fw: &Firmware, args: &Args) -> Result<i64> {
    fw.tables().tables.pool.reclaim(args.u64::<0>(), args.u64::<1>())?;
    Ok(SUCCESS)
}

/// pool-query(request*): 40 bytes. Out: 8 bytes for tables, 16 of those free, 24 donated, 32 pieces of memory.
pub fn pool(fw: &Firmware, args: &Args) -> Result<i64> {
    let request = Request::check::<0>(fw, args, 40, 0)?;
    let usage = fw.tables().tables.pool.usage();
    request.set_u64(8, usage.total << PAGE_SHIFT);
    request.set_u64(16, usage.free << PAGE_SHIFT);
    request.set_u64(24, usage.donated << PAGE_SHIFT);
    request.set_u64(32, usage.extents);
    Ok(SUCCESS)
}
