//! RTAS, as far as PAPR's calls on windows need one: a page that brings a call in 32-bit real mode to `rtas-call`.

use crate::arch::{self, PhysicalRam};
use crate::dt::ddw::Rtas;
use crate::hw::ram::Ram;
use crate::log::needed;
use crate::mem::MemoryMap;
use crate::opal::extension;

/// Its size, and its alignment, by which its code finds it.
const SIZE: u64 = 64 << 10;
/// What 32 bits address.
const REACH: u64 = 4 << 30;

/// Puts the page as high as its callers reach. It is memory of the OS, which calls it and may harm nobody else by
/// changing it: firmware reads nothing there.
pub fn instantiate(memory: &MemoryMap, ram: &PhysicalRam) -> Rtas {
    let low = needed(memory.os_ram().next(), "there is no memory at 0").end;
    let base = (low.min(REACH) - SIZE) & !(SIZE - 1);
    let token = extension::tokens().find(|&(name, _)| name == "rtas-call").map_or(0, |(_, token)| token);
    let (page, code) = arch::rtas_image();
    ram.write_bytes(base, page);
    ram.write64(base, arch::opal_entry_address());
    ram.write64(base + 8, token.into());
    Rtas { page: base..base + SIZE, entry: base + code }
}
