//! Random sequences of all calls on several tables, slots and bridges, between calls 44 and 45, switches of mode, fences and
//! resets, against plain maps. `OPALITE_SEED` and `OPALITE_OWNED_STEPS` choose others.

use crate::client::*;
use crate::machine::random::{Random, setting};
use crate::machine::windows::GIB;
use crate::machine::{HARDWARE, PARAMETER, SUCCESS, WRONG_STATE};
use opalite::hw::ram::Ram;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

const BRIDGES: u64 = 3;
const PES: [u64; 3] = [5, 6, 200];
const BIT59: u64 = 1 << 59;
const FOUR_GIB: u64 = 1 << 32;
const LIOBNS: [u64; 4] = [1, 2, 0x100, 0x7fff_ffff];
const OS_TABLE: u64 = 0x2000_0000;
/// Shapes of tables: log2 of the page, levels, pages.
const SHAPES: [(u64, u64, u64); 6] = [
    (12, 1, 512),
    (12, 2, 2000),
    (16, 2, 70_000),
    (16, 0, 1 << 28),
    (21, 1, 3000),
    (12, 3, (FOUR_GIB >> 12) + 5000),
];

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Closed,
    Table(u64),
    Bypass,
    OsTable,
    OsBypass,
}

/// A table as it should be.
#[derive(Clone, Debug)]
struct Table {
    shape: (u64, u64, u64),
    entries: BTreeMap<u64, u64>,
}

impl Table {
    fn size(&self) -> u64 {
        self.shape.2 << self.shape.0
    }
}

struct World {
    client: Client,
    random: Random,
    tables: BTreeMap<u64, Table>,
    slots: BTreeMap<Place, Slot>,
    liobns: BTreeMap<u64, (u64, u64)>,
    fenced: [bool; BRIDGES as usize],
    four_gib: [bool; BRIDGES as usize],
    log: Vec<String>,
}

/// `NO_MEM` is right only if the pool is nearly empty; then the oracle follows the call.
fn short(status: i64) -> bool {
    status == NO_MEM || status == -16
}

impl World {
    fn new(seed: u64) -> Self {
        let client = Client::new();
        for phb in 0..BRIDGES {
            PES.iter().for_each(|&pe| _ = client.device(phb, pe));
        }
        let places =
            (0..BRIDGES).flat_map(|phb| PES.iter().flat_map(move |&pe| [(phb, pe, 0), (phb, pe, 1)]));
        Self {
            client,
            random: Random::new(seed),
            tables: BTreeMap::new(),
            slots: places.map(|place| (place, Slot::Closed)).collect(),
            liobns: BTreeMap::new(),
            fenced: [false; BRIDGES as usize],
            four_gib: [false; BRIDGES as usize],
            log: Vec::new(),
        }
    }

    fn place(&mut self) -> Place {
        let window = self.random.below(2);
        (self.random.below(BRIDGES), self.random.pick(&PES), window)
    }

    /// A table, mostly one that exists.
    fn handle(&mut self) -> u64 {
        let known: Vec<u64> = self.tables.keys().copied().collect();
        if known.is_empty() || self.random.once_in(20) { 1 << 40 } else { self.random.pick(&known) }
    }

    fn is_set(&self, handle: u64) -> bool {
        self.slots.values().any(|slot| *slot == Slot::Table(handle))
    }

    #[track_caller]
    fn expect(&self, what: &str, got: i64, wanted: i64) {
        assert_eq!(got, wanted, "{what}\n{}", self.log[self.log.len().saturating_sub(30)..].join("\n"));
    }

    fn step(&mut self) {
        match self.random.below(40) {
            0..3 => self.create(),
            3..5 => self.destroy(),
            5..10 => self.set(),
            10..12 => self.unset(),
            12..14 => self.bypass(),
            14..16 => self.by_the_os(),
            16 => self.switch(),
            17 => self.disturb(),
            18..20 => self.bind(),
            20..29 => self.map(),
            29..32 => self.unmap(),
            _ => self.tce(),
        }
    }

    fn create(&mut self) {
        if self.tables.len() >= 8 {
            return;
        }
        let shape = self.random.pick(&SHAPES);
        let whole = shape.2 <= 2000 && self.random.once_in(2);
        let made = self.client.try_create(shape.0, shape.1, shape.2 << shape.0, u32::from(whole));
        self.log.push(format!("create {shape:x?}: {made:x?}"));
        match made {
            Ok(made) => {
                let old = self.tables.insert(made.handle, Table { shape, entries: BTreeMap::new() });
                assert!(old.is_none(), "a handle twice");
            }
            Err(status) => assert!(short(status)),
        }
    }

    fn destroy(&mut self) {
        let handle = self.handle();
        let wanted = if !self.tables.contains_key(&handle) {
            PARAMETER
        } else if self.is_set(handle) || self.liobns.values().any(|bound| bound.0 == handle) {
            WRONG_STATE
        } else {
            self.tables.remove(&handle);
            SUCCESS
        };
        self.log.push(format!("destroy {handle:x}"));
        self.expect("destroy", self.client.destroy(handle), wanted);
    }

    fn set(&mut self) {
        let (place, handle, flags) = (self.place(), self.handle(), self.random.below(2) as u32);
        let four_gib = self.four_gib[place.0 as usize];
        let wanted = match self.tables.get(&handle) {
            None => PARAMETER,
            Some(table) if four_gib && place.2 == 1 && table.size() <= FOUR_GIB => PARAMETER,
            _ if self.slots[&place] != Slot::Closed && flags == 0 => WRONG_STATE,
            // One level whose entries span more than 4 GiB.
            Some(table) if four_gib && place.2 == 0 && table.shape.1 == 1 && table.size() > FOUR_GIB => {
                PARAMETER
            }
            _ if self.fenced[place.0 as usize] => HARDWARE,
            Some(_) => SUCCESS,
        };
        self.log.push(format!("set {place:x?} {handle:x} {flags}: {wanted}"));
        let result = self.client.try_set(place, handle, flags);
        self.expect("set", result.map_or_else(|status| status, |_| SUCCESS), wanted);
        if let Ok(reach) = result {
            let end = self.tables[&handle].size();
            let (origin, first, last) = match (place.2, four_gib) {
                (0, false) => (0, 0, end - 1),
                (0, true) => (0, 0, end.min(FOUR_GIB) - 1),
                (_, false) => (BIT59, BIT59, BIT59 + end - 1),
                (_, true) => (0, FOUR_GIB, end - 1),
            };
            assert_eq!(reach, Reach { origin, first, last });
            self.slots.insert(place, Slot::Table(handle));
        }
    }

    fn unset(&mut self) {
        let place = self.place();
        let wanted = match self.slots[&place] {
            Slot::Closed => EMPTY,
            Slot::OsTable | Slot::OsBypass => WRONG_STATE,
            _ if self.fenced[place.0 as usize] => HARDWARE,
            _ => SUCCESS,
        };
        self.log.push(format!("unset {place:x?}: {wanted}"));
        self.expect("unset", self.client.unset(place), wanted);
        if wanted == SUCCESS {
            self.slots.insert(place, Slot::Closed);
        }
    }

    fn bypass(&mut self) {
        let (place, flags) = (self.place(), self.random.below(2) as u32);
        let wanted = if place.2 == 0 {
            PARAMETER
        } else if self.four_gib[place.0 as usize] || self.slots[&place] != Slot::Closed && flags == 0 {
            WRONG_STATE
        } else if self.fenced[place.0 as usize] {
            HARDWARE
        } else {
            self.slots.insert(place, Slot::Bypass);
            SUCCESS
        };
        self.log.push(format!("bypass {place:x?} {flags}: {wanted}"));
        let result = self.client.bypass(place, 0, flags);
        self.expect("bypass", result.map_or_else(|status| status, |_| SUCCESS), wanted);
    }

    /// Calls 44 and 45.
    fn by_the_os(&mut self) {
        let place = self.place();
        let (phb, pe, window) = place;
        let index = 2 * pe + window;
        let (status, slot) = match self.random.below(3) {
            0 => (self.client.call(44, [phb, pe, index, 0, 0, 0, 0]), Slot::Closed),
            1 => (self.client.call(44, [phb, pe, index, 2, OS_TABLE, 0x1_0000, 0x1_0000]), Slot::OsTable),
            _ if window == 1 && !self.four_gib[phb as usize] => {
                (self.client.call(45, [phb, pe, index, BIT59, GIB]), Slot::OsBypass)
            }
            _ => return,
        };
        self.log.push(format!("the OS: {place:x?} {slot:?}: {status}"));
        let wanted = if self.fenced[phb as usize] { HARDWARE } else { SUCCESS };
        self.expect("the OS's call", status, wanted);
        if wanted == SUCCESS {
            self.slots.insert(place, slot);
        }
    }

    /// The other mode, when no window hinders it.
    fn switch(&mut self) {
        let phb = self.random.below(BRIDGES);
        let open = self.slots.iter().any(|(place, slot)| place.0 == phb && *slot != Slot::Closed);
        if open || self.fenced[phb as usize] {
            return;
        }
        let on = !self.four_gib[phb as usize];
        self.log.push(format!("mode of {phb}: {on}"));
        self.expect("mode", self.client.call(179, [phb, 1, on.into()]), SUCCESS);
        self.four_gib[phb as usize] = on;
    }

    /// A fence, or a reset of the tables or of all.
    fn disturb(&mut self) {
        let phb = self.random.below(BRIDGES);
        let fenced = &mut self.fenced[phb as usize];
        if *fenced {
            self.client.complete_reset(phb);
            *fenced = false;
            self.log.push(format!("complete reset of {phb}"));
        } else if self.random.once_in(2) {
            self.client.models[phb as usize].fence();
            *fenced = true;
            self.log.push(format!("fence of {phb}"));
        } else {
            self.log.push(format!("reset of the tables of {phb}"));
            self.expect("reset", self.client.call(49, [phb, 6, 1]), SUCCESS);
            for (place, slot) in &mut self.slots {
                if place.0 == phb {
                    *slot = Slot::Closed;
                }
            }
            PES.iter().for_each(|&pe| _ = self.client.device(phb, pe));
            self.client.ram.write64(PREVIOUS, 0);
            let option = self.client.call(180, [phb, 1, PREVIOUS]);
            self.expect("option", option, SUCCESS);
            self.four_gib[phb as usize] = self.client.ram.read64(PREVIOUS) != 0;
        }
    }

    fn bind(&mut self) {
        let (liobn, handle) = (self.random.pick(&LIOBNS), self.handle());
        if self.random.once_in(3) {
            let wanted = if self.liobns.remove(&liobn).is_some() { SUCCESS } else { PARAMETER };
            self.log.push(format!("unbind {liobn:x}: {wanted}"));
            self.expect("unbind", self.client.unbind(liobn), wanted);
            return;
        }
        let base = self.random.pick(&[0, 1 << 30, BIT59]);
        let wanted = if !self.tables.contains_key(&handle) {
            PARAMETER
        } else if let Entry::Vacant(free) = self.liobns.entry(liobn) {
            free.insert((handle, base));
            SUCCESS
        } else {
            WRONG_STATE
        };
        self.log.push(format!("bind {liobn:x} {handle:x} {base:x}: {wanted}"));
        self.expect("bind", self.client.bind(liobn, handle, base), wanted);
    }

    /// Pages of a table: mostly in it, near the same places again and again.
    fn run(&mut self, shape: (u64, u64, u64), most: u64) -> (u64, u64) {
        let near = [0, 510, shape.2 / 2, shape.2.saturating_sub(8), 1023];
        let first = self.random.pick(&near) + self.random.below(8);
        let largest = if self.random.once_in(6) { most } else { 6 };
        (first, 1 + self.random.below(largest))
    }

    fn access(&mut self) -> u64 {
        1 + self.random.below(3)
    }

    fn frame(&mut self) -> u64 {
        FRAMES + (self.random.below(64) << 34)
    }

    fn map(&mut self) {
        let handle = self.handle();
        let shape = self.tables.get(&handle).map_or(SHAPES[0], |table| table.shape);
        let ((first, count), frame, access) = (self.run(shape, 600), self.frame(), self.access());
        let offset = first << shape.0;
        let in_window = first + count <= shape.2;
        // As a list: the second half first.
        let list = (count > 1 && self.random.once_in(3)).then(|| {
            let half = count / 2;
            [(frame + (half << shape.0), count - half), (frame, half)]
        });
        let value = |index: u64| match list {
            Some([(second, length), _]) if index < length => (second + (index << shape.0)) | access,
            Some([(_, length), _]) => (frame + ((index - length) << shape.0)) | access,
            None => (frame + (index << shape.0)) | access,
        };
        let status = match &list {
            Some(list) => self.client.map_list(handle, offset, list, access as u32),
            None => {
                let words = [handle, offset, count, frame, PREVIOUS, 0];
                self.client.request("table-map", access as u32, &words)
            }
        };
        self.log.push(format!("map {handle:x} {first:x} {count:x} {list:x?}: {status}"));
        let wanted = if self.tables.contains_key(&handle) && in_window { SUCCESS } else { PARAMETER };
        if wanted == SUCCESS && short(status) {
            return;
        }
        self.expect("map", status, wanted);
        if status == SUCCESS {
            let previous = self.client.previous(count);
            self.replace(handle, first, count, value, Some(previous));
        }
    }

    fn replace(
        &mut self,
        handle: u64,
        first: u64,
        count: u64,
        value: impl Fn(u64) -> u64,
        previous: Option<Vec<u64>>,
    ) {
        let table = self.tables.get_mut(&handle).expect("a table");
        for index in 0..count {
            let old = match value(index) {
                0 => table.entries.remove(&(first + index)),
                tce => table.entries.insert(first + index, tce),
            };
            if let Some(previous) = &previous {
                assert_eq!(previous[index as usize], old.unwrap_or(0), "old entry of {:#x}", first + index);
            }
        }
    }

    fn unmap(&mut self) {
        let handle = self.handle();
        let shape = self.tables.get(&handle).map_or(SHAPES[0], |table| table.shape);
        let (first, count) = self.run(shape, 4096);
        let status = self.client.request("table-unmap", 0, &[handle, first << shape.0, count, PREVIOUS]);
        self.log.push(format!("unmap {handle:x} {first:x} {count:x}: {status}"));
        let there = self.tables.contains_key(&handle) && first + count <= shape.2;
        self.expect("unmap", status, if there { SUCCESS } else { PARAMETER });
        if there {
            let previous = self.client.previous(count);
            self.replace(handle, first, count, |_| 0, Some(previous));
        }
    }

    fn tce(&mut self) {
        let liobn = self.random.pick(&LIOBNS);
        let (handle, base) = self.liobns.get(&liobn).copied().unwrap_or((0, 0));
        let shape = self.tables.get(&handle).map_or(SHAPES[0], |table| table.shape);
        let (first, count) = self.run(shape, 512);
        let in_window = |count: u64| handle != 0 && first + count <= shape.2;
        let ioba = base + (first << shape.0) + self.random.below(1 << shape.0);
        let tce = match self.random.below(4) {
            0 => 0,
            _ => self.frame() | self.access(),
        };
        let (status, count, list) = match self.random.below(4) {
            0 => (self.client.put(liobn, ioba, tce), 1, None),
            1 => (self.client.stuff(liobn, ioba, tce, count), count, None),
            2 => {
                let list: Vec<u64> = (0..count).map(|index| if index % 3 == 2 { 0 } else { tce }).collect();
                (self.client.put_list(liobn, ioba, &list), count, Some(list))
            }
            _ => {
                let wanted = match in_window(1) {
                    true => Ok(self.tables[&handle].entries.get(&first).copied().unwrap_or(0)),
                    false => Err(-4),
                };
                assert_eq!(self.client.get(liobn, ioba), wanted);
                return;
            }
        };
        self.log.push(format!("LIOBN {liobn:x} {first:x} {count:x} {tce:x} {}: {status}", list.is_some()));
        if in_window(count) && short(status) {
            return;
        }
        self.expect("TCE call", status, if in_window(count) { 0 } else { -4 });
        if status == 0 {
            let value = |index: u64| list.as_ref().map_or(tce, |list| list[index as usize]);
            self.replace(handle, first, count, value, None);
        }
    }

    /// What each slot says, what hardware holds there, and where some bytes go.
    fn check(&mut self) {
        let slots: Vec<_> = self.slots.iter().map(|(place, slot)| (*place, *slot)).collect();
        let story = || self.log[self.log.len().saturating_sub(30)..].join("\n");
        for &(place, slot) in &slots {
            let window = self.client.query(place);
            let (state, owner, handle) = match slot {
                Slot::Closed => (0, 0, 0),
                Slot::Table(handle) => (1, 1, handle),
                Slot::Bypass => (2, 1, 0),
                Slot::OsTable => (1, 0, 0),
                Slot::OsBypass => (2, 0, 0),
            };
            assert_eq!(
                (window.state, window.owner, window.handle),
                (state, owner, handle),
                "{place:?}\n{}",
                story()
            );
            if let Slot::Table(handle) = slot {
                let sharers = slots.iter().filter(|other| other.1 == slot).count();
                assert_eq!(window.shared, sharers as u32, "{place:?}\n{}", story());
                if !self.fenced[place.0 as usize] {
                    assert_eq!(
                        self.client.walk(place).0,
                        self.tables[&handle].entries,
                        "{place:?}\n{}",
                        story()
                    );
                }
            }
        }
        for _ in 0..8 {
            let (place, slot) = slots[self.random.below(slots.len() as u64) as usize];
            let Slot::Table(handle) = slot else { continue };
            if self.fenced[place.0 as usize] {
                continue;
            }
            let (table, reach) = (&self.tables[&handle], self.client.query(place).reach);
            let near = table.entries.keys().nth(self.random.below(1 + table.entries.len() as u64) as usize);
            let index = near.copied().unwrap_or(self.random.below(table.shape.2));
            let offset = (index << table.shape.0) + (self.random.below(1 << table.shape.0) & !7);
            let bus = reach.origin + offset;
            if bus < reach.first || bus > reach.last {
                continue;
            }
            let device = self.client.device(place.0, place.1);
            let tce = table.entries.get(&index).copied().unwrap_or(0);
            let real = (tce & !0xfff) + (offset & ((1 << table.shape.0) - 1));
            if tce == 0 {
                assert_eq!(device.load(bus), None, "{place:?} {bus:#x}\n{}", story());
            } else {
                let moved = (device.reads(bus, real), device.writes(bus, real));
                assert_eq!(moved, (tce & 1 != 0, tce & 2 != 0), "{place:?} {bus:#x}\n{}", story());
            }
        }
    }
}

#[test]
fn random_sequences_agree_with_plain_maps() {
    let (seed, steps) = (setting("OPALITE_SEED", 1), setting("OPALITE_OWNED_STEPS", 1500));
    for round in 0..4 {
        println!("OPALITE_SEED={seed}, round {round}");
        let mut world = World::new(seed ^ round << 40);
        for step in 0..steps {
            world.step();
            if step % 4 == 0 {
                world.check();
            }
        }
        // All goes, and all memory comes back.
        for phb in 0..BRIDGES {
            if world.fenced[phb as usize] {
                world.client.complete_reset(phb);
            }
            assert_eq!(world.client.call(49, [phb, 6, 1]), SUCCESS);
        }
        world.liobns.keys().for_each(|&liobn| assert_eq!(world.client.unbind(liobn), SUCCESS));
        world.tables.keys().for_each(|&handle| assert_eq!(world.client.destroy(handle), SUCCESS));
        assert_eq!(world.client.pool().free, POOL_PAGES);
    }
}
