//! What Linux's code for pseries does, in the situations that it knows: its order of calls, its decisions, its ways back.

use crate::client::{self, Node, Ram, Window};
use crate::fixture::*;
use crate::machine::{FIRMWARE, Machine, SUCCESS};
use opalite::hw::ram::Ram as _;

const LOW: u64 = liobn(PE, 0);
const TOP: u64 = liobn(PE, 1);
const GIB: u64 = 1 << 30;
/// 20 GiB in two pieces.
const RAM: Ram<'static> = &[(0, 12 * GIB), (16 * GIB, 8 * GIB)];
/// A piece of memory in the second one.
const FAR: u64 = 20 * GIB + 0x12_3000;
const ALL: u64 = u64::MAX;
/// A mask of 44 bits.
const NARROW: u64 = (1 << 44) - 1;

fn takes_all(machine: &Machine, leave: u64) {
    let pool = &mut machine.fw.tables().tables.pool;
    while pool.free_pages() > leave {
        pool.allocate(&machine.ram, 0).unwrap();
    }
}

fn option(machine: &Machine) -> u64 {
    assert_eq!(machine.call(180, [0, 1, crate::machine::OUT]), SUCCESS);
    machine.ram.read64(crate::machine::OUT)
}

/// The default window does what a kernel that has nothing else needs.
#[track_caller]
fn default_works(machine: &Machine) {
    assert_eq!(machine.put(LOW, 0x2000_0000, MEMORY | 3), 0);
    assert!(machine.arrives(RID, 0x2000_0108, MEMORY + 0x108));
    assert_eq!(machine.put(LOW, 0x2000_0000, 0), 0);
}

/// Every piece of memory is where a direct window has it, and nothing else is.
#[track_caller]
fn direct_works(machine: &Machine, window: &Window, ram: Ram<'_>) {
    for &(start, bytes) in ram {
        for at in [start + 0x1000, start + bytes / 2 + 8, start + bytes - 8] {
            assert!(machine.arrives(RID, window.base + at, at), "{at:x}");
        }
        let end = (start + bytes).next_multiple_of(1 << window.page_shift);
        if !ram.iter().any(|&(start, bytes)| (start..start + bytes).contains(&end)) {
            assert!(!machine.arrives(RID, window.base + end, end), "{end:x}");
            machine.thaw(PE);
        }
    }
}

#[test]
fn all_of_memory_is_mapped_directly() {
    let machine = machine();
    let (kernel, mut tree) = (Kernel::new(&machine), node(PE));
    let window = client::enable(&kernel, &mut tree, &device(ALL), RAM).unwrap();
    let wanted = Window { liobn: TOP as u32, base: HIGH, page_shift: 21, window_shift: 35, direct: true };
    assert_eq!((window, kernel.refused.get()), (wanted, 0));
    assert_eq!(kernel.log(), [(QUERY, 3, 0), (CREATE, 5, 0)]);
    direct_works(&machine, &window, RAM);
    default_works(&machine);
    // The next function of the device finds the window.
    assert_eq!(client::enable(&kernel, &mut tree, &device(ALL), RAM), Some(window));
    assert_eq!(kernel.log(), []);
    // The device goes.
    let free = machine.free();
    assert_eq!(client::remove(&kernel, &mut tree), 0);
    assert_eq!((kernel.log(), kernel.refused.get()), (vec![(REMOVE, 1, 0)], 0));
    assert!(machine.free() > free + 32, "16 GiB of 2 MiB pages had 32 leaves");
    default_works(&machine);
}

#[test]
fn an_old_kernel_asks_for_five_results() {
    let machine = machine();
    let (kernel, mut tree) = (Kernel::new(&machine), node(PE));
    tree.extensions = [None; 3];
    let window = client::enable(&kernel, &mut tree, &device(ALL), RAM).unwrap();
    assert_eq!((window.window_shift, window.direct), (35, true));
    direct_works(&machine, &window, RAM);
}

#[test]
fn smaller_pages_do_when_larger_ones_aren_t_offered() {
    for (sizes, page_shift, ram) in [(3, 16, RAM), (1, 12, &[(0, GIB + 0x5000)][..])] {
        let machine = machine();
        let (mut kernel, mut tree) = (Kernel::new(&machine), node(PE));
        kernel.page_sizes = sizes;
        let window = client::enable(&kernel, &mut tree, &device(ALL), ram).unwrap();
        assert_eq!((window.page_shift, window.direct, kernel.refused.get()), (page_shift, true, 0));
        direct_works(&machine, &window, ram);
    }
    // Only 256 MiB pages, which aren't offered: nothing is asked for.
    let machine = machine();
    let (mut kernel, mut tree) = (Kernel::new(&machine), node(PE));
    kernel.page_sizes = 0x40;
    assert_eq!(client::enable(&kernel, &mut tree, &device(ALL), RAM), None);
    assert_eq!(kernel.log(), [(QUERY, 3, 0)]);
    default_works(&machine);
}

#[test]
fn too_few_tces_make_a_smaller_window_that_is_used_page_by_page() {
    let machine = machine();
    takes_all(&machine, 12);
    let (mut kernel, mut tree) = (Kernel::new(&machine), node(PE));
    kernel.page_sizes = 3;
    let window = client::enable(&kernel, &mut tree, &device(ALL), RAM).unwrap();
    // Of 12 pages 8 are leaves, in both modes.
    let wanted = Window { liobn: TOP as u32, base: HIGH, page_shift: 16, window_shift: 28, direct: false };
    assert_eq!(window, wanted);
    assert_eq!(machine.put(TOP, HIGH + (1 << 28) - 0x1_0000, (FAR & !0xffff) | 3), 0);
    let at = HIGH + (1 << 28) - 0x1_0000 + (FAR & 0xffff);
    assert!(machine.arrives(RID, at, FAR));
    assert_eq!(machine.put(TOP, HIGH + (1 << 28), MEMORY | 3), H_PARAMETER);
}

#[test]
fn an_empty_pool_leaves_the_default_window() {
    let machine = machine();
    // What it has was mapped before.
    machine.put(LOW, 0, MEMORY | 3);
    takes_all(&machine, 0);
    let (kernel, mut tree) = (Kernel::new(&machine), node(PE));
    assert_eq!(client::enable(&kernel, &mut tree, &device(ALL), RAM), None);
    // No TCEs are a window of one byte.
    assert_eq!(kernel.log(), [(QUERY, 3, 0), (CREATE, 5, -3)]);
    assert!(machine.arrives(RID, 8, MEMORY + 8));
    // It isn't tried again.
    assert_eq!(client::enable(&kernel, &mut tree, &device(ALL), RAM), None);
    assert_eq!(kernel.log(), []);
}

/// The bypass of another driver has window 1.
fn crowded() -> Machine {
    let machine = machine();
    assert_eq!(machine.real(2 * PE + 1, HIGH, GIB), SUCCESS);
    machine
}

#[test]
fn the_default_window_makes_room_when_no_other_window_is_free() {
    let machine = crowded();
    let (kernel, mut tree) = (Kernel::new(&machine), node(PE));
    let window = client::enable(&kernel, &mut tree, &device(ALL), RAM).unwrap();
    let wanted = Window { liobn: LOW as u32, base: 0, page_shift: 21, window_shift: 31, direct: false };
    assert_eq!(window, wanted);
    assert_eq!(kernel.log(), [(QUERY, 3, 0), (REMOVE, 1, 0), (QUERY, 3, 0), (CREATE, 5, 0)]);
    // Linux's request to clear it names no entries, and it only warns about the answer.
    assert_eq!((kernel.refused.get(), tree.default), (1, None));
    assert_eq!(machine.put(LOW, 0x4000_0000, (FAR & !0x1f_ffff) | 3), 0);
    assert!(machine.arrives(RID, 0x4000_0000 + (FAR & 0x1f_ffff), FAR));
    // Little memory fits directly.
    let machine = crowded();
    let (kernel, mut tree) = (Kernel::new(&machine), node(PE));
    let little: Ram<'_> = &[(0, 2 * GIB)];
    let window = client::enable(&kernel, &mut tree, &device(ALL), little).unwrap();
    assert_eq!((window.direct, window.base, window.window_shift), (true, 0, 31));
    direct_works(&machine, &window, little);
    // The device goes: the default window is back.
    assert_eq!(client::remove(&kernel, &mut tree), 0);
    default_works(&machine);
}

#[test]
fn the_default_window_comes_back_when_nothing_can_take_its_place() {
    let machine = crowded();
    takes_all(&machine, 0);
    let (kernel, mut tree) = (Kernel::new(&machine), node(PE));
    assert_eq!(client::enable(&kernel, &mut tree, &device(ALL), RAM), None);
    let calls = [(QUERY, 3, 0), (REMOVE, 1, 0), (QUERY, 3, 0), (CREATE, 5, -3), (RESET, 3, 0)];
    assert_eq!(kernel.log(), calls);
    assert_eq!(tree.default, node(PE).default);
    assert_eq!(machine.offer(CONFIG).0, 1, "the bypass is closed, the default window is there");
    assert_eq!(machine.call(token("pool-donate"), [1 << 40, 1 << 20]), SUCCESS);
    default_works(&machine);
    // In use, or without a way back, it isn't removed at all.
    let machine = crowded();
    let kernel = Kernel::new(&machine);
    let used = client::Device { default_in_use: true, ..device(ALL) };
    assert_eq!(client::enable(&kernel, &mut node(PE), &used, RAM), None);
    let mut tree = node(PE);
    tree.extensions[0] = None;
    assert_eq!(client::enable(&kernel, &mut tree, &device(ALL), RAM), None);
    assert_eq!(kernel.log(), [(QUERY, 3, 0); 2]);
    default_works(&machine);
}

#[test]
fn memory_that_a_device_mustn_t_reach_undoes_a_direct_window() {
    // The kernel donated a piece and forgot about it.
    let machine = machine();
    assert_eq!(machine.call(token("pool-donate"), [18 * GIB, 4 << 20]), SUCCESS);
    let free = machine.free();
    let (kernel, mut tree) = (Kernel::new(&machine), node(PE));
    assert_eq!(client::enable(&kernel, &mut tree, &device(ALL), RAM), None);
    // A batch was refused, the window cleared and removed.
    assert_eq!(kernel.log(), [(QUERY, 3, 0), (CREATE, 5, 0), (REMOVE, 1, 0)]);
    assert_eq!((kernel.refused.get(), machine.free()), (1, free));
    assert!(!machine.arrives(RID, HIGH + 0x1000, 0x1000));
    machine.thaw(PE);
    default_works(&machine);
    // Firmware's memory is refused the same way. What was mapped before stays.
    let little: Ram<'_> = &[(0, 12 * GIB)];
    let window = client::enable(&kernel, &mut node(PE), &device(ALL), little).unwrap();
    let shifted = Window { base: window.base - FIRMWARE.start, ..window };
    assert_eq!(client::map(&kernel, &shifted, (FIRMWARE.start, 0x20_0000)), H_PARAMETER);
    assert_eq!(machine.get(TOP, window.base), (0, 3));
    direct_works(&machine, &window, little);
}

#[test]
fn a_device_with_a_narrow_mask_gets_its_window_at_4_gib() {
    let machine = machine();
    let (kernel, mut tree) = (Kernel::new(&machine), node(PE));
    let window = client::enable(&kernel, &mut tree, &device(NARROW), RAM).unwrap();
    let wanted = Window { liobn: TOP as u32, base: FOUR_GIB, page_shift: 21, window_shift: 35, direct: true };
    assert_eq!(window, wanted);
    assert_eq!(kernel.log(), [(QUERY, 3, 0), (RESET, 4, 0), (CREATE, 5, 0)]);
    assert_eq!(option(&machine), 1);
    direct_works(&machine, &window, RAM);
    default_works(&machine);
    // What was asked before the switch holds after it, however little there is.
    for pages in 1..40 {
        let machine = crate::fixture::machine();
        takes_all(&machine, pages);
        let (mut kernel, mut tree) = (Kernel::new(&machine), node(PE));
        kernel.page_sizes = 1;
        let window = client::enable(&kernel, &mut tree, &device(NARROW), RAM);
        // Three levels are needed for one page at 4 GiB.
        assert_eq!(window.is_some(), pages >= 3, "{pages} pages: {:x?}", kernel.log());
        assert_eq!(option(&machine), u64::from(pages >= 3));
    }
}

#[test]
fn a_narrow_device_goes_without_while_another_pe_has_a_window() {
    let machine = machine();
    let kernel = Kernel::new(&machine);
    let other = client::Device { config_addr: OTHER_CONFIG, ..device(ALL) };
    let theirs = client::enable(&kernel, &mut node(OTHER_PE), &other, RAM).unwrap();
    kernel.log();
    let mut tree = node(PE);
    assert_eq!(client::enable(&kernel, &mut tree, &device(NARROW), RAM), None);
    // It has nothing to undo.
    assert_eq!(kernel.log(), [(QUERY, 3, 0), (RESET, 4, -1)]);
    assert!(machine.arrives(OTHER_RID, theirs.base + FAR, FAR));
    default_works(&machine);
    // The other way round a device with all bits takes what is there.
    let machine = crate::fixture::machine();
    let kernel = Kernel::new(&machine);
    client::enable(&kernel, &mut node(PE), &device(NARROW), RAM).unwrap();
    let theirs = client::enable(&kernel, &mut node(OTHER_PE), &other, RAM).unwrap();
    assert_eq!((theirs.base, theirs.direct), (FOUR_GIB, true));
    assert!(machine.arrives(OTHER_RID, theirs.base + FAR, FAR));
    assert!(machine.arrives(RID, FOUR_GIB + FAR, FAR));
}

#[test]
fn limited_mode_ends_when_the_window_can_t_be_made() {
    let machine = machine();
    takes_all(&machine, 0);
    let (kernel, mut tree) = (Kernel::new(&machine), node(PE));
    assert_eq!(client::enable(&kernel, &mut tree, &device(NARROW), RAM), None);
    let calls = [(QUERY, 3, 0), (RESET, 4, 0), (CREATE, 5, -3), (RESET, 3, 0)];
    assert_eq!((kernel.log(), option(&machine)), (calls.to_vec(), 0));
    // Firmware that hasn't that mode isn't asked.
    for extensions in [[Some(RESET), Some(1), None], [Some(RESET), Some(1), Some(0)], [None; 3]] {
        let mut tree = Node { extensions, ..node(PE) };
        assert_eq!(client::enable(&kernel, &mut tree, &device(NARROW), RAM), None);
        assert_eq!(kernel.log(), [(QUERY, 3, 0)]);
    }
}

/// A kernel after a crash finds the window in the tree, what is mapped in it, and maps more.
#[test]
fn a_crash_kernel_goes_on_with_the_window_that_it_finds() {
    for mask in [ALL, NARROW] {
        let machine = machine();
        let (mut kernel, mut tree) = (Kernel::new(&machine), node(PE));
        takes_all(&machine, 20);
        kernel.page_sizes = 3;
        let window = client::enable(&kernel, &mut tree, &device(mask), RAM).unwrap();
        assert!(!window.direct);
        let (number, base) = (u64::from(window.liobn), window.base);
        assert_eq!(machine.put(number, base + 0x7_0000, MEMORY | 3), 0);

        let crashed = tree;
        let after = Kernel::new(&machine);
        let mut tree = crashed;
        let found = client::enable(&after, &mut tree, &device(mask), RAM).unwrap();
        assert_eq!((found, after.log()), (window, vec![]));
        let pages = 1_u64 << (found.window_shift - found.page_shift);
        let used: Vec<u64> =
            (0..pages).filter(|page| machine.get(number, base + (page << 16)).1 != 0).collect();
        assert_eq!(used, [7], "the old kernel's entry");
        assert_eq!(machine.put(number, base + 0x8_0000, (MEMORY + 0x1_0000) | 3), 0);
        assert!(machine.arrives(RID, base + 0x7_0010, MEMORY + 0x10));
        assert!(machine.arrives(RID, base + 0x8_0010, MEMORY + 0x1_0010));
    }
}

/// VFIO takes a device over: no window is left; then each end gets what it asks for.
#[test]
fn a_device_that_is_handed_over_loses_all_windows_and_gets_them_back() {
    let machine = machine();
    let free = machine.free();
    let (kernel, mut tree) = (Kernel::new(&machine), node(PE));
    client::enable(&kernel, &mut tree, &device(ALL), RAM).unwrap();
    assert_eq!(client::remove(&kernel, &mut tree), 0);
    assert_eq!(machine.remove(LOW), 0);
    assert_eq!((machine.free(), machine.offer(CONFIG).0), (free, 2));
    // The user's windows.
    assert_eq!(machine.create(CONFIG, 16, 34), Ok((TOP, HIGH)));
    assert_eq!(machine.create(CONFIG, 12, 30), Ok((LOW, 0)));
    // Release: in whatever order, then the default window.
    assert_eq!((machine.remove(LOW), machine.remove(TOP)), (0, 0));
    assert_eq!(client::reset(&kernel, &tree, &device(ALL)), 0);
    assert_eq!(machine.free(), free);
    default_works(&machine);
}
