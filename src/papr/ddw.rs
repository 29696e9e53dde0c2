//! RTAS calls on dynamic DMA windows: cells in and out (`doc/dma-windows/ddw.md`).

use crate::error::{Error, Result, why};
use crate::services::dma::Acts;

/// Tokens of the calls: query, create, remove, reset.
pub const TOKENS: [u32; 4] = [QUERY, CREATE, REMOVE, RESET];
/// Their names in the tree.
pub const NAMES: [&str; 4] = [
    "ibm,query-pe-dma-window",
    "ibm,create-pe-dma-window",
    "ibm,remove-pe-dma-window",
    "ibm,reset-pe-dma-windows",
];
const QUERY: u32 = 0x2026;
const CREATE: u32 = 0x2027;
const REMOVE: u32 = 0x2028;
const RESET: u32 = 0x2029;

/// The most results of a call.
pub const MOST_RESULTS: usize = 6;

/// Performs a call; gives its results, the status first.
pub fn call(acts: &mut Acts<'_>, token: u32, args: &[u32], results: usize) -> [u32; MOST_RESULTS] {
    match serve(acts, token, args, results) {
        Ok([a, b, c, d, e]) => [0, a, b, c, d, e],
        Err(error) => [status(error) as u32, 0, 0, 0, 0, 0],
    }
}

const fn status(error: Error) -> i32 {
    match error {
        Error::Parameter(_) => -3,
        _ => -1,
    }
}

fn serve(acts: &mut Acts<'_>, token: u32, args: &[u32], results: usize) -> Result<[u32; 5]> {
    match (token, args, results) {
        (QUERY, &[config_addr, high, low], 5 | 6) => {
            let pe = acts.requester(config_addr, wide(high, low))?;
            let offer = acts.offer(pe)?;
            Ok(if results == 5 {
                let tces = u32::try_from(offer.tces).unwrap_or(1 << 31);
                [offer.windows, tces, offer.page_sizes, 0, 0]
            } else {
                let [high, low] = halves(offer.tces);
                [offer.windows, high, low, offer.page_sizes, 0]
            })
        }
        (CREATE, &[config_addr, high, low, page_shift, window_shift], 4) => {
            let pe = acts.requester(config_addr, wide(high, low))?;
            let (liobn, address) = acts.create_window(pe, page_shift, window_shift)?;
            let [high, low] = halves(address);
            Ok([liobn, high, low, 0, 0])
        }
        (REMOVE, &[liobn], 1) => acts.remove_window(liobn.into()).map(|()| [0; 5]),
        (RESET, &[config_addr, high, low, ref mode @ ..], 1) => {
            let (four_gib, must) = match mode {
                [] => (false, false),
                [0] => (false, true),
                [1] => (true, true),
                _ => return Err(Error::Parameter(why("arguments"))),
            };
            let pe = acts.requester(config_addr, wide(high, low))?;
            acts.reset_windows(pe, four_gib, must).map(|()| [0; 5])
        }
        _ => Err(Error::Parameter(why("arguments"))),
    }
}

fn wide(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

const fn halves(number: u64) -> [u32; 2] {
    [(number >> 32) as u32, number as u32]
}
