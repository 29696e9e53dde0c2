//! What a kernel does with PAPR's dynamic DMA windows: the order of calls, the decisions and the ways back of Linux's
//! code for pseries (6.14). The payload runs it on QEMU's bridge, `tests/ddw` on our register model.

/// How a kernel reaches the calls.
pub trait Calls {
    /// An RTAS call; gives its status.
    fn rtas(&self, token: u32, args: &[u32], results: &mut [u32]) -> i32;
    /// Stores TCEs one after another: at most 512.
    fn put_list(&self, liobn: u64, address: u64, tces: &[u64]) -> i64;
    /// Takes out so many entries.
    fn clear(&self, liobn: u64, address: u64, count: u64) -> i64;
}

/// A window that the kernel wrote into the tree: what it has of it, and what a kernel after a crash finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub liobn: u32,
    pub base: u64,
    pub page_shift: u32,
    pub window_shift: u32,
    /// All memory is mapped, at the window's base plus its address.
    pub direct: bool,
}

/// A bridge's node in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// `ibm,dma-window`.
    pub default: Option<[u32; 5]>,
    /// `ibm,ddw-applicable`.
    pub applicable: Option<[u32; 3]>,
    /// `ibm,ddw-extensions`, the count left out; those that aren't there are `None`.
    pub extensions: [Option<u32>; 3],
    /// The kernel's own property.
    pub window: Option<Window>,
    /// It failed once and isn't tried again.
    pub failed: bool,
}

/// A device that wants to do DMA.
#[derive(Clone, Copy, Debug)]
pub struct Device {
    pub config_addr: u32,
    pub buid: u64,
    /// Addresses that it can form.
    pub mask: u64,
    /// Something is mapped in the default window.
    pub default_in_use: bool,
}

/// Memory of the kernel: start and bytes.
pub type Ram<'a> = &'a [(u64, u64)];

const READ_WRITE: u64 = 3;
/// log2 of the page sizes that query's bits mean.
const PAGE_SHIFTS: [u32; 9] = [12, 16, 24, 25, 26, 27, 28, 34, 21];

/// What query tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    pub windows: u32,
    pub tces: u64,
    pub page_sizes: u32,
}

/// The steps of one attempt that need a way back.
#[derive(Default)]
struct Done {
    default_removed: bool,
    limited: bool,
}

/// Gives a device a window if it can have one; tells which it has besides the default window.
pub fn enable<C: Calls>(calls: &C, node: &mut Node, device: &Device, ram: Ram<'_>) -> Option<Window> {
    if node.window.is_some() || node.failed {
        return node.window;
    }
    let mut done = Done::default();
    let window = attempt(calls, node, device, ram, &mut done);
    if window.is_none() {
        if done.default_removed || done.limited {
            reset(calls, node, device);
        }
        node.failed = true;
    }
    node.window = window;
    window
}

fn attempt<C: Calls>(
    calls: &C,
    node: &mut Node,
    device: &Device,
    ram: Ram<'_>,
    done: &mut Done,
) -> Option<Window> {
    let [_, create, remove] = node.applicable?;
    let mut offer = query(calls, node, device)?;
    if device.mask != u64::MAX {
        limit(calls, node, device)?;
        done.limited = true;
    }
    if offer.windows == 0 {
        let default = node.default.filter(|_| !device.default_in_use)?;
        node.extensions[0]?;
        remove_default(calls, remove, default);
        done.default_removed = true;
        offer = query(calls, node, device)?;
        if offer.windows == 0 {
            return None;
        }
    }
    let bits = PAGE_SHIFTS.into_iter().zip(0..).filter(|&(_, bit)| offer.page_sizes >> bit & 1 != 0);
    let page_shift = bits.map(|(shift, _)| shift).max()?;
    let all = ceil_log2(ram.iter().map(|&(start, bytes)| start + bytes).max().unwrap_or(0));
    let mask_bits = 64 - device.mask.leading_zeros();
    let most = ceil_log2(offer.tces << page_shift).min(mask_bits);
    let direct = most >= all;
    let window_shift = most.min(all);
    let [high, low] = halves(device.buid);
    let mut made = [0; 3];
    let args = [device.config_addr, high, low, page_shift, window_shift];
    if calls.rtas(create, &args, &mut made) != 0 {
        return None;
    }
    let base = u64::from(made[1]) << 32 | u64::from(made[2]);
    let window = Window { liobn: made[0], base, page_shift, window_shift, direct };
    if direct && ram.iter().any(|&range| map(calls, &window, range) != 0) {
        clear(calls, window.liobn, base, page_shift, 1 << (window_shift - page_shift));
        calls.rtas(remove, &[window.liobn], &mut []);
        return None;
    }
    if done.default_removed {
        node.default = None;
    }
    Some(window)
}

/// What a device can still have.
pub fn query<C: Calls>(calls: &C, node: &Node, device: &Device) -> Option<Offer> {
    let [query, ..] = node.applicable?;
    let [high, low] = halves(device.buid);
    let args = [device.config_addr, high, low];
    let mut results = [0; 5];
    let wide = node.extensions[1] == Some(1);
    let status = calls.rtas(query, &args, if wide { &mut results } else { &mut results[..4] });
    if status != 0 {
        return None;
    }
    Some(match results {
        [windows, high, low, page_sizes, _] if wide => {
            Offer { windows, tces: u64::from(high) << 32 | u64::from(low), page_sizes }
        }
        [windows, tces, page_sizes, ..] => Offer { windows, tces: tces.into(), page_sizes },
    })
}

/// Gets windows that a device with a narrow mask reaches.
fn limit<C: Calls>(calls: &C, node: &Node, device: &Device) -> Option<()> {
    let reset = node.extensions[0]?;
    node.extensions[2].filter(|&offered| offered != 0)?;
    let [high, low] = halves(device.buid);
    let status = calls.rtas(reset, &[device.config_addr, high, low, 1], &mut []);
    (status == 0).then_some(())
}

/// The way back: the default window alone.
pub fn reset<C: Calls>(calls: &C, node: &Node, device: &Device) -> i32 {
    let Some(reset) = node.extensions[0] else { return 0 };
    let [high, low] = halves(device.buid);
    calls.rtas(reset, &[device.config_addr, high, low], &mut [])
}

/// Linux takes this property for one of its own, so it clears nothing: it asks for no entries at all.
fn remove_default<C: Calls>(calls: &C, token: u32, default: [u32; 5]) {
    calls.clear(default[0].into(), 0, 0);
    calls.rtas(token, &[default[0]], &mut []);
}

/// Takes out a window, its entries first, as for a device that goes.
pub fn remove<C: Calls>(calls: &C, node: &mut Node) -> i32 {
    let (Some(window), Some([_, _, remove])) = (node.window.take(), node.applicable) else { return 0 };
    let pages = 1 << (window.window_shift - window.page_shift);
    clear(calls, window.liobn, window.base, window.page_shift, pages);
    calls.rtas(remove, &[window.liobn], &mut [])
}

/// Maps memory at the window's base plus its address, 512 pages at a time.
pub fn map<C: Calls>(calls: &C, window: &Window, (start, bytes): (u64, u64)) -> i64 {
    let page = 1 << window.page_shift;
    let mut at = start & !(page - 1);
    let mut pages = (start + bytes - at).div_ceil(page);
    let mut list = [0; 512];
    while pages != 0 {
        let count = pages.min(512);
        for (tce, address) in list[..count as usize].iter_mut().zip((at..).step_by(page as usize)) {
            *tce = address | READ_WRITE;
        }
        let status = calls.put_list(window.liobn.into(), window.base + at, &list[..count as usize]);
        if status != 0 {
            return status;
        }
        at += count * page;
        pages -= count;
    }
    0
}

fn clear<C: Calls>(calls: &C, liobn: u32, base: u64, page_shift: u32, mut pages: u64) {
    let mut at = base;
    while pages != 0 {
        let count = pages.min(512);
        if calls.clear(liobn.into(), at, count) != 0 {
            return;
        }
        at += count << page_shift;
        pages -= count;
    }
}

fn ceil_log2(number: u64) -> u32 {
    if number <= 1 { 0 } else { 64 - (number - 1).leading_zeros() }
}

fn halves(number: u64) -> [u32; 2] {
    [(number >> 32) as u32, number as u32]
}
