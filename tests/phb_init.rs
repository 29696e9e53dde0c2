//! What bring-up leaves alike on bridges of every generation.

mod machine;
mod model;

use machine::{Machine, on_every_bridge};
use opalite::phb;

fn tables_lie_in_firmware_s_region_aligned_to_their_size() {
    let machine = Machine::new();
    let mut all = Vec::new();
    for bridge in phb::all(machine.fw.phbs) {
        let bridge = bridge.lock();
        let info = bridge.info();
        // Only a PHB3 has an IVT.
        for (address, size) in [info.rtt, info.peltv, info.pest].into_iter().chain(info.ivt) {
            assert_eq!(address % size, 0);
            assert!(!machine.fw.memory.is_os_ram(address, size));
            all.push(address..address + size);
        }
    }
    all.sort_by_key(|range| range.start);
    assert!(all.windows(2).all(|pair| pair[0].end <= pair[1].start), "tables overlap");
}

on_every_bridge! {
    tables_lie_in_firmware_s_region_aligned_to_their_size
}
