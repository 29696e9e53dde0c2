//! A PHB3's interrupts through the OPAL calls and the routes that the interrupt controller sets, up to the presenters.

mod machine;
mod model;

use machine::{HARDWARE, Machine, PARAMETER, PHB3, PHB4, SUCCESS, UNSUPPORTED, set};
use model::phb3::ModelPhb3;
use model::xics::Xics;
use opalite::hw::mmio::Mmio;
use opalite::hw::ram::Ram;
use opalite::interrupts::xics::XicsSource;
use opalite::phb;
use opalite::units::Isn;

const RID: u16 = 0x0100;
const PE: u64 = 5;
/// Source 0x123, its address and data, its global number on bridge 0.
const SOURCE: u64 = 0x123;
const ADDRESS: u64 = 0x1000_0000_0000_1200;
const DATA: u32 = 3;
const NUMBER: u32 = 0x800 + 0x123;
const FIRST_LSI: u32 = 0x800 + 0x7f8;
/// Threads, and what the OS calls them.
const THREADS: [u16; 2] = [8, 0x10];
const SERVERS: [u16; 2] = [8 << 2, 0x10 << 2];

struct Wired {
    machine: Machine,
    xics: Xics,
}

/// One requester in PE 5, to which source 0x123 belongs; everything masked. The presenters let everything through.
fn wired() -> Wired {
    set(&PHB3);
    let machine = Machine::owned();
    let xics = Xics::new(&THREADS);
    machine.models[0].phb3().connect(&xics);
    for thread in THREADS {
        xics.page(thread).write8(4, 0xff);
    }
    assert_eq!(machine.call(37, [0, PE, SOURCE]), SUCCESS);
    Wired { machine, xics }
}

impl Wired {
    fn model(&self) -> &ModelPhb3 {
        self.machine.models[0].phb3()
    }

    fn route(&self, number: u32, server: u16, priority: u8) {
        let bridge = phb::find(self.machine.fw.phbs, 0).unwrap();
        bridge.set_route(Isn(number), server, priority).expect("route");
        assert_eq!(bridge.route(Isn(number)).expect("route"), (server, priority));
    }

    fn fire(&self) {
        assert_eq!(self.model().msi(RID, ADDRESS, DATA), Some(SOURCE));
    }

    /// What waits at a thread: accepted and ended at the presenter, not yet at the bridge.
    fn take(&self, thread: u16) -> Option<u32> {
        let page = self.xics.page(thread);
        let xirr = page.read32(4);
        let number = xirr & 0xff_ffff;
        (number != 0).then(|| {
            page.write32(4, xirr);
            number
        })
    }

    fn end(&self) {
        assert_eq!(self.machine.call(63, [0, SOURCE]), SUCCESS);
    }

    fn entry(&self) -> u64 {
        let info = phb::find(self.machine.fw.phbs, 0).unwrap().lock().info().clone();
        self.machine.ram.read64(info.ivt.unwrap().0 + 16 * SOURCE)
    }
}

#[test]
fn an_msi_reaches_its_server_once_and_again_after_its_end() {
    let wired = wired();
    wired.route(NUMBER, SERVERS[0], 5);
    assert_eq!(wired.entry(), 0x0000_2005_0000_0005);
    for generation in 1..10 {
        wired.fire();
        assert_eq!(wired.take(THREADS[0]), Some(NUMBER));
        assert_eq!(wired.take(THREADS[0]), None);
        wired.end();
        assert_eq!(wired.entry(), 0x0000_2005_0000_0005 | (generation & 3) << 25, "P is gone");
        assert_eq!(wired.take(THREADS[0]), None);
    }
    assert_eq!(wired.model().lost_interrupts(), [0; 0]);
}

#[test]
fn what_comes_before_the_end_is_sent_after_it() {
    let wired = wired();
    wired.route(NUMBER, SERVERS[0], 5);
    wired.fire();
    assert_eq!(wired.take(THREADS[0]), Some(NUMBER));
    wired.fire();
    wired.fire();
    assert_eq!(wired.take(THREADS[0]), None);
    wired.end();
    assert_eq!(wired.take(THREADS[0]), Some(NUMBER));
    wired.end();
    assert_eq!(wired.take(THREADS[0]), None, "two that came together are one");
}

/// The bridge's cache may drop an entry at any time: what it fetches anew has the new generation.
#[test]
fn a_dropped_cache_entry_loses_no_interrupt() {
    let wired = wired();
    wired.route(NUMBER, SERVERS[0], 5);
    for _ in 0..5 {
        wired.fire();
        assert_eq!(wired.take(THREADS[0]), Some(NUMBER));
        wired.model().evict_ivc(SOURCE as u16);
        wired.fire();
        wired.model().evict_ivc(SOURCE as u16);
        wired.end();
        assert_eq!(wired.take(THREADS[0]), Some(NUMBER));
        wired.end();
        assert_eq!(wired.take(THREADS[0]), None);
    }
}

#[test]
fn a_masked_source_waits_and_is_sent_when_it_is_unmasked() {
    let wired = wired();
    wired.fire();
    assert_eq!((wired.take(THREADS[0]), wired.take(THREADS[1])), (None, None), "masked from the start");
    wired.route(NUMBER, SERVERS[1], 7);
    assert_eq!(wired.take(THREADS[1]), Some(NUMBER));
    wired.end();
    wired.route(NUMBER, SERVERS[1], 0xff);
    wired.fire();
    assert_eq!(wired.take(THREADS[1]), None);
    wired.route(NUMBER, SERVERS[0], 4);
    assert_eq!((wired.take(THREADS[0]), wired.take(THREADS[1])), (Some(NUMBER), None));
}

#[test]
fn masking_forgets_what_was_sent() {
    let wired = wired();
    wired.route(NUMBER, SERVERS[0], 5);
    wired.fire();
    assert_eq!(wired.take(THREADS[0]), Some(NUMBER));
    wired.fire();
    // P and Q are set; nobody ends it.
    wired.route(NUMBER, SERVERS[0], 0xff);
    assert_eq!(wired.entry(), 0x0000_20ff_0000_0005);
    wired.route(NUMBER, SERVERS[0], 5);
    assert_eq!(wired.take(THREADS[0]), None);
    wired.fire();
    assert_eq!(wired.take(THREADS[0]), Some(NUMBER));
}

#[test]
fn a_source_moves_to_another_server_with_its_next_interrupt() {
    let wired = wired();
    for round in 0..4 {
        let to = round % 2;
        wired.route(NUMBER, SERVERS[to], 5);
        wired.fire();
        assert_eq!(wired.take(THREADS[1 - to]), None);
        assert_eq!(wired.take(THREADS[to]), Some(NUMBER));
        wired.end();
    }
}

#[test]
fn an_msi_of_another_pe_freezes_its_sender() {
    let wired = wired();
    wired.route(NUMBER, SERVERS[0], 5);
    assert_eq!(wired.machine.call(37, [0, PE + 1, SOURCE]), SUCCESS);
    assert_eq!(wired.model().msi(RID, ADDRESS, DATA), None);
    assert_eq!(wired.take(THREADS[0]), None);
    assert_eq!(wired.machine.freeze_status(PE), (SUCCESS, 3, 0));
    // Given back, without touching where it goes.
    assert_eq!(wired.machine.call(26, [0, PE, 3]), SUCCESS);
    assert_eq!(wired.machine.call(37, [0, PE, SOURCE]), SUCCESS);
    wired.fire();
    assert_eq!(wired.take(THREADS[0]), Some(NUMBER));
}

#[test]
fn lsis_are_levels_that_start_masked() {
    let wired = wired();
    wired.model().set_lsi(1, true);
    assert_eq!((wired.take(THREADS[0]), wired.take(THREADS[1])), (None, None));
    wired.route(FIRST_LSI + 1, SERVERS[1], 6);
    assert_eq!(wired.machine.table(0, 2, 1), 0x0000_4006_0000_0000);
    assert_eq!(wired.xics.waiting(THREADS[1]), Some((FIRST_LSI + 1, 6)));
    assert_eq!(wired.take(THREADS[1]), Some(FIRST_LSI + 1));
    assert_eq!(wired.take(THREADS[1]), Some(FIRST_LSI + 1), "it is still up");
    wired.route(FIRST_LSI + 1, SERVERS[0], 6);
    wired.model().set_lsi(1, false);
    while wired.take(THREADS[0]).is_some() || wired.take(THREADS[1]).is_some() {}
    wired.model().set_lsi(1, true);
    assert_eq!(wired.take(THREADS[0]), Some(FIRST_LSI + 1));
}

#[test]
fn routes_and_pes_survive_a_complete_reset_but_nothing_under_way_does() {
    let wired = wired();
    wired.route(NUMBER, SERVERS[1], 5);
    wired.route(FIRST_LSI, SERVERS[1], 5);
    wired.fire();
    assert_eq!(wired.take(THREADS[1]), Some(NUMBER));
    wired.fire();
    wired.machine.complete_reset(0);
    assert_eq!(wired.entry(), 0x0000_4005_0000_0005);
    assert_eq!(wired.machine.table(0, 2, 0), 0x0000_4005_0000_0000);
    assert_eq!(wired.take(THREADS[1]), None);
    wired.fire();
    assert_eq!(wired.take(THREADS[1]), Some(NUMBER));
    wired.end();
}

#[test]
fn reset_of_the_tables_masks_everything() {
    let wired = wired();
    wired.route(NUMBER, SERVERS[1], 5);
    wired.route(FIRST_LSI + 3, SERVERS[1], 5);
    wired.fire();
    assert_eq!(wired.take(THREADS[1]), Some(NUMBER));
    assert_eq!(wired.machine.call(49, [0, 6, 1]), SUCCESS);
    assert_eq!(wired.entry(), 0xff << 32);
    assert_eq!(wired.machine.table(0, 2, 3), 0xff << 32);
    let bridge = phb::find(wired.machine.fw.phbs, 0).unwrap();
    assert_eq!(bridge.route(Isn(NUMBER)), Ok((0, 0xff)));
    assert_eq!(bridge.route(Isn(FIRST_LSI + 3)), Ok((0, 0xff)));
    assert_eq!(wired.model().cached_ive(SOURCE as u16), None);
}

#[test]
fn ends_of_what_can_t_be_are_refused() {
    let wired = wired();
    for (phb, source) in
        [(0, 2040), (0, 0xff8), (0, 0x1000), (0, 1 << 32 | SOURCE), (3, SOURCE), (1, u64::from(NUMBER))]
    {
        assert_eq!(wired.machine.call(63, [phb, source]), PARAMETER, "{phb} {source:#x}");
    }
    // As a global number, too; of a source that nobody raised.
    wired.route(NUMBER, SERVERS[0], 5);
    wired.fire();
    assert_eq!(wired.take(THREADS[0]), Some(NUMBER));
    assert_eq!(wired.machine.call(63, [0, NUMBER.into()]), SUCCESS);
    assert_eq!(wired.entry() & 1 << 24, 0);
    assert_eq!(wired.machine.call(63, [0, 7]), SUCCESS);
    for bad in [2040, 2047, 2048] {
        assert_eq!(wired.machine.call(37, [0, PE, bad]), PARAMETER, "an LSI has no PE");
    }
    set(&PHB4);
    assert_eq!(Machine::new().call(63, [0, SOURCE]), UNSUPPORTED);
}

#[test]
fn routes_of_other_numbers_are_refused() {
    let wired = wired();
    let bridge = phb::find(wired.machine.fw.phbs, 0).unwrap();
    assert_eq!(bridge.isns(), Isn(0x800)..Isn(0x1000));
    for number in [0, 0x7ff, 0x1000, 0x1_0800, u32::MAX] {
        assert_eq!(bridge.set_route(Isn(number), SERVERS[0], 5).unwrap_err().code(), PARAMETER);
        assert_eq!(bridge.route(Isn(number)).unwrap_err().code(), PARAMETER);
    }
    set(&PHB4);
    let other = Machine::new();
    let bridge = phb::find(other.fw.phbs, 0).unwrap();
    let isn = bridge.isns().start;
    assert_eq!(bridge.set_route(isn, SERVERS[0], 5).unwrap_err().code(), UNSUPPORTED);
    assert_eq!(bridge.route(isn).unwrap_err().code(), UNSUPPORTED);
}

/// A fence at each access in turn: the route is the old one or the new one, and the status says which.
#[test]
fn a_fence_on_the_way_leaves_the_old_route_or_the_new_one() {
    for number in [NUMBER, FIRST_LSI] {
        for accesses in 0.. {
            let wired = wired();
            wired.route(number, SERVERS[0], 0xff);
            wired.model().fence_after(accesses);
            let bridge = phb::find(wired.machine.fw.phbs, 0).unwrap();
            let result = bridge.set_route(Isn(number), SERVERS[1], 5);
            let fenced = wired.model().is_fenced();
            wired.model().fence_after(u64::MAX);
            let wanted = if result.is_ok() { (SERVERS[1], 5) } else { (SERVERS[0], 0xff) };
            assert_eq!(bridge.route(Isn(number)), Ok(wanted), "{number:#x}, access {accesses}");
            if !fenced {
                assert!(result.is_ok());
                assert!(accesses >= 2);
                break;
            }
            assert!(result.is_ok() || result.unwrap_err().code() == HARDWARE);
            wired.machine.complete_reset(0);
            assert_eq!(
                bridge.route(Isn(number)),
                Ok(wanted),
                "{number:#x}, access {accesses}, after a reset"
            );
        }
    }
}

/// The OS ends interrupts where it can't do anything about a status, and a reset forgets them anyway.
#[test]
fn the_end_of_an_interrupt_of_a_fenced_bridge_is_no_error() {
    let wired = wired();
    wired.route(NUMBER, SERVERS[0], 5);
    wired.fire();
    assert_eq!(wired.take(THREADS[0]), Some(NUMBER));
    wired.model().fence();
    wired.end();
    wired.machine.complete_reset(0);
    wired.fire();
    assert_eq!(wired.take(THREADS[0]), Some(NUMBER));
}
