//! LIOBNs and PAPR's TCE calls.

use crate::client::*;
use crate::machine::{FIRMWARE, SUCCESS};

const H_PARAMETER: i64 = -4;

#[test]
fn several_numbers_with_several_bases_are_one_table() {
    let client = Client::new();
    let handle = client.create(16, 2, 1 << 33);
    for (pe, phb) in [(5, 0), (6, 0), (5, 1)] {
        client.set((phb, pe, 1), handle);
    }
    let bases = [(1, 0), (0x7fff_ffff, 1 << 59), (77, 0x1234_0000), (78, (1_u64 << 33).wrapping_neg())];
    for (liobn, base) in bases {
        assert_eq!(client.bind(liobn, handle, base), SUCCESS);
    }
    for (number, (liobn, base)) in (0..).zip(bases) {
        let (page, frame) = ((8 + number) << 16, FRAMES + (number << 16));
        assert_eq!(client.put(liobn, base + page, frame | 3), 0);
        for (other, base) in bases {
            assert_eq!(client.get(other, base + page), Ok(frame | 3));
            // Rounded down to the page.
            assert_eq!(client.get(other, base + page + 0xffff), Ok(frame | 3));
            assert_eq!(client.get(other, base + ((1 << 33) - 1)), Ok(0));
        }
        for (pe, phb) in [(5, 0), (6, 0), (5, 1)] {
            assert!(client.device(phb, pe).writes(1 << 59 | page | 0x88, frame | 0x88));
        }
    }
    // Taking one away leaves the others.
    assert_eq!(client.unbind(77), SUCCESS);
    assert_eq!(client.put(77, 0x1234_0000, FRAMES | 3), H_PARAMETER);
    assert_eq!(client.get(1, 10 << 16), Ok((FRAMES + 0x2_0000) | 3));
    // The number names another table from now on.
    let second = client.create(12, 1, 1 << 20);
    assert_eq!(client.bind(77, second, 0x1000), SUCCESS);
    assert_eq!((client.get(77, 0x1000), client.get(77, 0xfff)), (Ok(0), Err(H_PARAMETER)));
    assert_eq!((client.get(77, 0x10_0fff), client.get(77, 0x10_1000)), (Ok(0), Err(H_PARAMETER)));
}

#[test]
fn entries_are_stored_as_given() {
    let client = Client::new();
    let handle = client.create(12, 2, 1 << 24);
    client.set((0, 5, 0), handle);
    assert_eq!(client.bind(7, handle, 0), SUCCESS);
    for (tce, kept) in [
        (FRAMES | 1, FRAMES | 1),
        (FRAMES | 2, FRAMES | 2),
        (FRAMES | 3, FRAMES | 3),
        (3, 3),
        (0, 0),
        // Without a permission the address means nothing, wherever it is.
        (FRAMES, 0),
        (FIRMWARE.start, 0),
        (!0xfff, 0),
    ] {
        for ioba in [0x5000, 0x5fff, 0x50_0123] {
            assert_eq!(client.put(7, ioba, FRAMES | 3), 0);
            assert_eq!(client.put(7, ioba, tce), 0, "{tce:#x}");
            assert_eq!(client.get(7, ioba), Ok(kept));
        }
        assert_eq!(client.put_list(7, 0x6000, &[tce, FRAMES | 1]), 0);
        assert_eq!((client.get(7, 0x6000), client.get(7, 0x7000)), (Ok(kept), Ok(FRAMES | 1)));
        assert_eq!(client.stuff(7, 0x9000, tce, 3), 0);
        assert_eq!(
            [0x8000, 0x9000, 0xb000, 0xc000].map(|at| client.get(7, at)),
            [Ok(0), Ok(kept), Ok(kept), Ok(0)]
        );
    }
}

#[test]
fn a_list_of_512_is_stored_whole_or_not_at_all() {
    let client = Client::new();
    let handle = client.create(12, 2, 1 << 24);
    client.set((0, 5, 0), handle);
    client.set((1, 5, 0), handle);
    assert_eq!(client.bind(7, handle, 0x10_0000), SUCCESS);
    let list: Vec<u64> = (0..512).map(|index| (FRAMES + 0x3000 * index) | (1 + index % 3)).collect();
    // Over the border of two leaves.
    let at = 0x10_0000 + (300 << 12);
    for bad in [0, 1, 255, 510, 511] {
        for wrong in [FIRMWARE.start | 3, FRAMES | 0x803, 1 << 50 | 1] {
            let mut list = list.clone();
            list[bad] = wrong;
            assert_eq!(client.put_list(7, at, &list), H_PARAMETER);
            assert_eq!(client.walk((0, 5, 0)).0.len(), 0);
        }
    }
    client.models.iter().for_each(|model| model.clear_writes());
    assert_eq!(client.put_list(7, at, &list), 0);
    assert_eq!((client.kills(0), client.kills(1)), (vec![1 << 62 | 5], vec![1 << 62 | 5]));
    let wanted = (0..512).map(|index| (300 + index, list[index as usize])).collect();
    assert_eq!(client.walk((0, 5, 0)).0, wanted);
    let (first, second) = (client.device(0, 5), client.device(1, 5));
    for index in [0, 1, 2, 211, 212, 511] {
        let (bus, real, access) = ((300 + index) << 12 | 0x40, FRAMES + 0x3000 * index + 0x40, 1 + index % 3);
        assert_eq!((first.reads(bus, real), first.writes(bus, real)), (access & 1 != 0, access & 2 != 0));
        assert_eq!((second.reads(bus, real), second.writes(bus, real)), (access & 1 != 0, access & 2 != 0));
    }
    assert_eq!(client.put_list(7, at + (1 << 12), &[0; 510]), 0);
    assert_eq!(client.walk((0, 5, 0)).0.into_iter().collect::<Vec<_>>(), [(300, list[0]), (811, list[511])]);
}

/// What the OS does to its list meanwhile can't be shown on one thread; but the list may lie where the table maps.
#[test]
fn the_list_is_read_once() {
    let client = Client::new();
    let handle = client.create(12, 1, 1 << 20);
    client.set((0, 5, 0), handle);
    assert_eq!(client.bind(7, handle, 0), SUCCESS);
    client.ram.watch(0, FIRMWARE.start);
    assert_eq!(client.put_list(7, 0, &[FRAMES | 3, SEGMENTS | 1]), 0);
    client.ram.take_writes();
    assert_eq!(client.named("put-tce-indirect", [7, 0x2000, SEGMENTS, 2]), 0);
    assert_eq!(client.ram.take_writes(), [], "the caller's memory is only read");
    assert_eq!(client.get(7, 0x3000), Ok(SEGMENTS | 1));
}

#[test]
fn stuffing_maps_and_takes_out() {
    let client = Client::new();
    let handle = client.create(21, 2, 1 << 36);
    client.set((0, 5, 1), handle);
    assert_eq!(client.bind(7, handle, 1 << 59), SUCCESS);
    let base = 1 << 59;
    assert_eq!(client.stuff(7, base + (500 << 21), FRAMES | 3, 512), 0);
    let device = client.device(0, 5);
    for index in [500, 511, 512, 1011] {
        assert!(device.writes(base + (index << 21) + 0x12_3458, FRAMES + 0x12_3458));
    }
    assert!(!device.writes(base + (499 << 21), FRAMES) && !device.writes(base + (1012 << 21), FRAMES));
    assert_eq!(client.stuff(7, base + (501 << 21), 0, 510), 0);
    assert_eq!(
        client.walk((0, 5, 1)).0.into_iter().collect::<Vec<_>>(),
        [(500, FRAMES | 3), (1011, FRAMES | 3)]
    );
}

/// The guest unplugs one of its devices: the device's PE goes back to the host, the guest's table stays as it is.
#[test]
fn a_device_leaves_a_guest() {
    let client = Client::new();
    let guest = client.create(12, 2, 1 << 30);
    assert_eq!(client.bind(0x100, guest, 0), SUCCESS);
    let places = [(0, 5, 0), (0, 6, 0), (3, 7, 0)];
    for place in places {
        client.set(place, guest);
    }
    assert_eq!(client.put(0x100, 0x8000, FRAMES | 3), 0);
    let devices = places.map(|(phb, pe, _)| client.device(phb, pe));
    assert!(devices.iter().all(|device| device.writes(0x8000, FRAMES)));
    // To the host's own bypass, with nothing in window 0.
    assert_eq!(client.unset(places[1]), SUCCESS);
    assert!(client.bypass((0, 6, 1), 0, 0).is_ok());
    assert_eq!(devices.map(|device| device.writes(0x8000, FRAMES)), [true, false, true]);
    assert!(devices[1].writes(1 << 59 | FRAMES, FRAMES));
    // The guest goes on.
    assert_eq!(client.put(0x100, 0x8000, (FRAMES + 0x10_0000) | 3), 0);
    assert_eq!(client.put(0x100, 0x9000, (FRAMES + 0x11_0000) | 3), 0);
    assert_eq!(devices.map(|device| device.writes(0x8000, FRAMES + 0x10_0000)), [true, false, true]);
    assert_eq!(devices.map(|device| device.writes(0x9000, FRAMES + 0x11_0000)), [true, false, true]);
    // And takes another device in.
    client.set((1, 9, 0), guest);
    assert!(client.device(1, 9).writes(0x9000, FRAMES + 0x11_0000));
    assert_eq!(client.query((1, 9, 0)).shared, 3);
}
