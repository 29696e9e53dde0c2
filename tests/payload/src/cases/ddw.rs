//! PAPR's dynamic DMA windows, by a client that does what Linux's code for pseries does; `edu` moves the bytes. On a
//! firmware that doesn't have them nothing runs.

use super::windows::{PATTERN, PE, join};
use super::{Bench, Failure, Outcome, equal, status};
use crate::ddw_client::{self as client, Calls, Device, Node, Window};
use crate::edu::Edu;
use crate::machine::{load, memory, store, sync};
use crate::opal;
use crate::pci::cells;
use crate::phb_registers;
use core::cell::Cell;
use fdt::Fdt;

const BIT59: u64 = 1 << 59;
const FOUR_GIB: u64 = 1 << 32;
/// CTRLR: windows 1 begin at 4 GiB.
const CTRLR_4_GIB: u64 = 1 << 63 >> 24;
const H_PARAMETER: i64 = -4;
const READ_WRITE: u64 = 3;

/// Where the calls are, and room for what they point to.
struct Kernel {
    rtas: u64,
    /// The same for who calls in 32-bit mode.
    door: u64,
    put: u64,
    put_list: u64,
    stuff: u64,
    get: u64,
    block: u64,
    list: u64,
    /// Page sizes that the client has a use for.
    page_sizes: Cell<u32>,
    calls: Cell<u32>,
}

impl Kernel {
    fn find(tree: &Fdt<'_>) -> Option<Self> {
        let node = tree.find_node("/ibm,opal/dma-windows")?;
        let token = |name| Some(u64::from(cells(node, name)[0])).filter(|&token| token != 0);
        Some(Self {
            rtas: token("rtas-call")?,
            door: cells(tree.find_node("/rtas")?, "linux,rtas-entry")[0].into(),
            put: token("put-tce")?,
            put_list: token("put-tce-indirect")?,
            stuff: token("stuff-tce")?,
            get: token("get-tce")?,
            block: memory(4096, 4096),
            list: memory(4096, 4096),
            page_sizes: Cell::new(u32::MAX),
            calls: Cell::new(0),
        })
    }

    fn put(&self, liobn: u64, address: u64, tce: u64) -> i64 {
        opal::call(self.put, &[liobn, address, tce])
    }

    fn get(&self, liobn: u64, address: u64) -> Result<u64, Failure> {
        status("get-tce", opal::call(self.get, &[liobn, address, self.block]), 0)?;
        Ok(load(self.block))
    }
}

impl Calls for Kernel {
    fn rtas(&self, token: u32, args: &[u32], results: &mut [u32]) -> i32 {
        let count = results.len() + 1;
        let mut cells = [0; 16];
        cells[..3].copy_from_slice(&[token, args.len() as u32, count as u32]);
        cells[3..3 + args.len()].copy_from_slice(args);
        for (pair, at) in cells.chunks(2).zip((self.block..).step_by(8)) {
            store(at, u64::from(pair[0]) << 32 | u64::from(pair[1]));
        }
        // Both ways in turn: what comes of a call doesn't depend on it.
        if self.calls.get().is_multiple_of(2) {
            assert!(opal::call(self.rtas, &[self.block]) == 0, "rtas-call");
        } else {
            opal::rtas(self.door, self.block);
        }
        self.calls.set(self.calls.get() + 1);
        let cell = |index: usize| {
            let word = load(self.block + 8 * (index as u64 / 2));
            if index.is_multiple_of(2) { (word >> 32) as u32 } else { word as u32 }
        };
        let first = 3 + args.len();
        for (index, result) in results.iter_mut().enumerate() {
            *result = cell(first + 1 + index);
        }
        if count == 6 {
            results[3] &= self.page_sizes.get();
        }
        cell(first) as i32
    }

    fn put_list(&self, liobn: u64, address: u64, tces: &[u64]) -> i64 {
        for (&tce, at) in tces.iter().zip((self.list..).step_by(8)) {
            store(at, tce);
        }
        opal::call(self.put_list, &[liobn, address, self.list, tces.len() as u64])
    }

    fn clear(&self, liobn: u64, address: u64, count: u64) -> i64 {
        opal::call(self.stuff, &[liobn, address, 0, count])
    }
}

/// A device, its bridge's node as the tree has it, and the calls.
struct Fixture<'a> {
    kernel: &'a Kernel,
    node: Node,
    device: Device,
    edu: Edu,
    /// The default window's LIOBN.
    low: u64,
}

impl Fixture<'_> {
    fn top(&self) -> u64 {
        self.low + 1
    }

    fn enable(&mut self, ram: client::Ram<'_>) -> Result<Window, Failure> {
        client::enable(self.kernel, &mut self.node, &self.device, ram).ok_or(Failure("no window", 0, 0))
    }

    /// The device copies eight bytes from one bus address to another.
    fn copy(&self, from: u64, to: u64) {
        self.edu.read_memory(from, 0x40, 8);
        self.edu.write_memory(to, 0x40, 8);
        sync();
    }

    fn moves(&self, what: &'static str, base: u64, from: u64, to: u64, seed: u64) -> Outcome {
        store(from, PATTERN ^ seed);
        store(to, 0);
        sync();
        self.copy(base + from, base + to);
        equal(what, load(to), PATTERN ^ seed)
    }

    /// The default window moves bytes.
    fn default_works(&self) -> Outcome {
        let page = memory(4096, 4096);
        status("put-tce", self.kernel.put(self.low, 0x2000_0000, page | READ_WRITE), 0)?;
        self.moves("default window", 0x2000_0000 - page, page + 8, page + 24, 1)?;
        status("put-tce of nothing", self.kernel.put(self.low, 0x2000_0000, 0), 0)?;
        store(page + 24, 0);
        self.copy(0x2000_0008, 0x2000_0018);
        equal("bytes through an unmapped page", load(page + 24), 0)
    }
}

/// Runs them.
pub fn run(bench: &mut Bench, tree: &Fdt<'_>) {
    let Some(kernel) = Kernel::find(tree) else { return };
    let edu = bench.first;
    let id = edu.device.phb.id;
    let bridge = tree.find_node("/").and_then(|root| {
        root.children().find(|node| {
            node.name.starts_with("pciex@") && u64::from(cells(*node, "ibm,opal-phbid")[1]) == id
        })
    });
    let Some(bridge) = bridge else { return };
    let (default, applicable) = (cells(bridge, "ibm,dma-window"), cells(bridge, "ibm,ddw-applicable"));
    let extensions = cells(bridge, "ibm,ddw-extensions");
    let low = u64::from(default[0]) + 2 * PE;
    let node = Node {
        default: Some([low as u32, default[1], default[2], default[3], default[4]]),
        applicable: Some([applicable[0], applicable[1], applicable[2]]),
        extensions: [1, 2, 3].map(|index| Some(extensions[index]).filter(|_| extensions[0] >= index as u32)),
        window: None,
        failed: false,
    };
    let config_addr = (edu.device.bdfn as u32) << 8;
    let device = Device { config_addr, buid: id, mask: u64::MAX, default_in_use: false };
    let phb = edu.device.phb;
    let mut case = |name: &str, body: fn(Fixture<'_>) -> Outcome| {
        bench.case(format_args!("PAPR: {name}"), |_| {
            join(&edu, PE)?;
            kernel.page_sizes.set(u32::MAX);
            let result = body(Fixture { kernel: &kernel, node, device, edu, low });
            // The next case starts with the default window alone.
            status("reset", client::reset(&kernel, &node, &device).into(), 0)?;
            result
        });
    };
    case("RTAS in 32-bit mode answers as the gate does", both_ways);
    // POWER8's largest page that PAPR names, 256 MiB, would take in firmware's memory at the end, so nothing is mapped.
    if phb.has_pages(21) {
        case("all of memory is mapped directly", direct);
    }
    case("pages of 64 KiB and of 4 KiB do when larger ones aren't offered", smaller_pages);
    case("a window that is smaller than memory is used page by page", dynamic);
    case("the default window is made when first used, removed and given back", default_window);
    case("the default window makes room when window 1 is taken", crowded);
    if phb.has_four_gib_mode() {
        case("limited mode is in the bridge's register and ends with a reset", limited);
    }
    case("a crash kernel goes on with the window that it finds", crash);
    case("windows come and go a hundred times and nothing is lost", again);
}

fn both_ways(fixture: Fixture<'_>) -> Outcome {
    let Kernel { rtas: gate, door, block, .. } = *fixture.kernel;
    let [query, ..] = fixture.node.applicable.ok_or(Failure("no tokens", 0, 0))?;
    let Device { config_addr, buid, .. } = fixture.device;
    let (first, second) = (u64::from(query) << 32 | 3, u64::from(config_addr));
    // A query, one of a bridge that isn't there, an unknown token, and a query without the BUID's second half.
    let requests = [
        [first, 6 << 32 | second, buid],
        [first, 6 << 32 | second, 0x77],
        [0x9999 << 32 | 3, 6 << 32 | second, buid],
        [first - 1, 6 << 32 | second, buid],
    ];
    for (wanted, request) in [0, -3, -3, -3].into_iter().zip(requests) {
        let ask = |call: &dyn Fn()| -> [u64; 6] {
            let words = request.into_iter().chain([0xeeee_eeee_eeee_eeee; 3]);
            words.zip((block..).step_by(8)).for_each(|(word, at)| store(at, word));
            call();
            core::array::from_fn(|index| load(block + 8 * index as u64))
        };
        let by_gate = ask(&|| _ = opal::call(gate, &[block]));
        // What the upper half of a register holds, 32-bit mode doesn't say.
        let by_door = ask(&|| opal::rtas(door, 0xdead_beef << 32 | block));
        for (a, b) in by_gate.into_iter().zip(by_door) {
            equal("a word of the block", b, a)?;
        }
        let results = if request[0] == first - 1 { by_door[2] as u32 } else { (by_door[3] >> 32) as u32 };
        equal("status", (results as i32) as u64, i64::from(wanted) as u64)?;
    }
    // Where there is no block, nobody is told, and nothing is written.
    let before = load(opal::base());
    opal::rtas(door, opal::base() & 0xffff_ffff);
    opal::rtas(door, 2);
    equal("firmware's memory", load(opal::base()), before)
}

/// All memory below firmware.
fn all() -> [(u64, u64); 1] {
    [(0, opal::base())]
}

fn direct(mut fixture: Fixture<'_>) -> Outcome {
    let window = fixture.enable(&all())?;
    equal("direct", window.direct.into(), 1)?;
    equal("base", window.base, BIT59)?;
    equal("page", window.page_shift.into(), 21)?;
    let (from, to) = (memory(4096, 4096), memory(4096, 4096));
    fixture.moves("bytes", window.base, from + 16, to + 32, 2)?;
    // As far as memory goes, and no farther.
    let last = opal::base() - 8;
    let before = load(last);
    fixture.copy(window.base + from + 16, window.base + last);
    equal("last word of memory", load(last), PATTERN ^ 2)?;
    store(last, before);
    let firmware = fixture.kernel.put(fixture.top(), window.base, opal::base() | READ_WRITE);
    status("firmware's memory", firmware, H_PARAMETER)?;
    fixture.default_works()?;
    let calls = fixture.kernel.calls.get();
    fixture.enable(&all())?;
    equal("calls for the next function", fixture.kernel.calls.get().into(), calls.into())?;
    status("remove", client::remove(fixture.kernel, &mut fixture.node).into(), 0)?;
    equal("TVE", phb_registers::tve(fixture.edu.device.phb, 2 * PE + 1), 0)?;
    store(to + 32, 0);
    fixture.copy(window.base + from + 16, window.base + to + 32);
    equal("bytes through a removed window", load(to + 32), 0)
}

fn smaller_pages(fixture: Fixture<'_>) -> Outcome {
    for (sizes, page_shift, bytes) in [(3, 16, opal::base()), (1, 12, 0x2000_0000)] {
        let mut fixture = Fixture { node: fixture.node, ..fixture };
        fixture.kernel.page_sizes.set(sizes);
        let window = fixture.enable(&[(0, bytes)])?;
        equal("page", window.page_shift.into(), page_shift)?;
        equal("direct", window.direct.into(), 1)?;
        let (from, to) = (memory(4096, 4096), memory(4096, 4096));
        fixture.moves("bytes", window.base, from, to, page_shift)?;
        status("remove", client::remove(fixture.kernel, &mut fixture.node).into(), 0)?;
    }
    Ok(())
}

fn dynamic(mut fixture: Fixture<'_>) -> Outcome {
    fixture.kernel.page_sizes.set(1);
    let offer = client::query(fixture.kernel, &fixture.node, &fixture.device);
    let tces = offer.map_or(0, |offer| offer.tces);
    let window = fixture.enable(&[(0, 1 << 50)])?;
    equal("direct", window.direct.into(), 0)?;
    equal("entries", 1 << (window.window_shift - window.page_shift), tces)?;
    let (from, to) = (memory(4096, 4096), memory(4096, 4096));
    let end = window.base + (1 << window.window_shift);
    let number = window.liobn.into();
    status("first page", fixture.kernel.put(number, window.base, from | READ_WRITE), 0)?;
    status("last page", fixture.kernel.put(number, end - 4096, to | READ_WRITE), 0)?;
    status("behind it", fixture.kernel.put(number, end, to | READ_WRITE), H_PARAMETER)?;
    store(from + 8, PATTERN ^ 3);
    sync();
    fixture.copy(window.base + 8, end - 4096 + 40);
    equal("bytes", load(to + 40), PATTERN ^ 3)
}

fn default_window(fixture: Fixture<'_>) -> Outcome {
    let Fixture { kernel, low, .. } = fixture;
    let tve = || phb_registers::tve(fixture.edu.device.phb, 2 * PE);
    equal("an entry of the untouched window", kernel.get(low, 0x1000)?, 0)?;
    equal("TVE of the untouched window", tve(), 0)?;
    fixture.default_works()?;
    if tve() == 0 {
        return equal("TVE", 0, 1);
    }
    let remove = fixture.node.applicable.map_or(0, |tokens| tokens[2]);
    status("remove", kernel.rtas(remove, &[low as u32], &mut []).into(), 0)?;
    equal("TVE of the removed window", tve(), 0)?;
    status("once more", kernel.rtas(remove, &[low as u32], &mut []).into(), -3)?;
    status("put-tce", kernel.put(low, 0x1000, 0), H_PARAMETER)?;
    let offer = client::query(kernel, &fixture.node, &fixture.device);
    equal("windows", offer.map_or(9, |offer| offer.windows).into(), 2)?;
    status("reset", client::reset(kernel, &fixture.node, &fixture.device).into(), 0)?;
    fixture.default_works()
}

fn crowded(mut fixture: Fixture<'_>) -> Outcome {
    let id = fixture.edu.device.phb.id;
    let bypass = opal::call(opal::MAP_REAL, &[id, PE, 2 * PE + 1, BIT59, 1 << 30]);
    status("MAP_PE_DMA_WINDOW_REAL", bypass, 0)?;
    let window = fixture.enable(&[(0, 0x4000_0000)])?;
    equal("LIOBN", window.liobn.into(), fixture.low)?;
    equal("base", window.base, 0)?;
    equal("direct", window.direct.into(), 1)?;
    equal("default window", fixture.node.default.is_some().into(), 0)?;
    let (from, to) = (memory(4096, 4096), memory(4096, 4096));
    fixture.moves("bytes through window 0", 0, from, to, 4)?;
    fixture.moves("bytes through the bypass", BIT59, from, to, 5)?;
    status("reset", client::reset(fixture.kernel, &fixture.node, &fixture.device).into(), 0)?;
    equal("TVE of the bypass", phb_registers::tve(fixture.edu.device.phb, 2 * PE + 1), 0)?;
    fixture.default_works()
}

/// QEMU's bridge has the bit but not the mode, so no bytes move at 4 GiB.
fn limited(mut fixture: Fixture<'_>) -> Outcome {
    let phb = fixture.edu.device.phb;
    let before = phb_registers::control(phb);
    fixture.device.mask = (1 << 44) - 1;
    let window = fixture.enable(&all())?;
    equal("base", window.base, FOUR_GIB)?;
    equal("direct", window.direct.into(), 1)?;
    equal("CTRLR", phb_registers::control(phb), before | CTRLR_4_GIB)?;
    let number = fixture.top();
    status("below 4 GiB", fixture.kernel.put(number, FOUR_GIB - 1, 0), H_PARAMETER)?;
    equal("first entry", fixture.kernel.get(number, FOUR_GIB)?, READ_WRITE)?;
    status("reset", client::reset(fixture.kernel, &fixture.node, &fixture.device).into(), 0)?;
    equal("CTRLR afterwards", phb_registers::control(phb), before)?;
    fixture.default_works()
}

fn crash(mut fixture: Fixture<'_>) -> Outcome {
    fixture.kernel.page_sizes.set(1);
    let window = fixture.enable(&[(0, 1 << 50)])?;
    let (from, to) = (memory(4096, 4096), memory(4096, 4096));
    let number = window.liobn.into();
    status("put-tce", fixture.kernel.put(number, window.base + 0x5000, from | READ_WRITE), 0)?;
    // All that the next kernel has is the tree.
    let mut next = Fixture { node: fixture.node, ..fixture };
    let calls = next.kernel.calls.get();
    let found = next.enable(&[(0, 1 << 50)])?;
    equal("calls", next.kernel.calls.get().into(), calls.into())?;
    equal("the old kernel's entry", next.kernel.get(number, found.base + 0x5000)?, from | READ_WRITE)?;
    equal("an entry beside it", next.kernel.get(number, found.base + 0x6000)?, 0)?;
    status("put-tce", next.kernel.put(number, found.base + 0x6000, to | READ_WRITE), 0)?;
    store(from, PATTERN ^ 6);
    sync();
    next.copy(found.base + 0x5000, found.base + 0x6008);
    equal("bytes", load(to + 8), PATTERN ^ 6)
}

fn again(fixture: Fixture<'_>) -> Outcome {
    let offer = client::query(fixture.kernel, &fixture.node, &fixture.device);
    let page = memory(4096, 4096);
    for round in 0..100 {
        let mut fixture = Fixture { node: fixture.node, ..fixture };
        fixture.kernel.page_sizes.set(if round % 2 == 0 { 1 } else { 2 });
        let window = fixture.enable(&[(0, 0x2000_0000)])?;
        fixture.moves("bytes", window.base, page + 8, page + 16, round)?;
        if round % 3 == 0 {
            status("reset", client::reset(fixture.kernel, &fixture.node, &fixture.device).into(), 0)?;
        } else {
            status("remove", client::remove(fixture.kernel, &mut fixture.node).into(), 0)?;
        }
    }
    let now = client::query(fixture.kernel, &fixture.node, &fixture.device);
    let tces = |offer: Option<client::Offer>| offer.map_or(0, |offer| offer.tces);
    equal("TCEs that are left", tces(now), tces(offer))
}
