//! NVPs, which hold more than NVTs do.

use super::machine::*;

#[test]
fn an_nvp_belongs_to_the_unit_while_it_is_enabled_and_knows_its_ends() {
    let machine = Machine::exploiting();
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[1]), 0x4000_0000);
    machine.ok(SET_VP_INFO, &[0x4000_0001, 1, 0]);
    let words = nvt(&machine.xive, 1).unwrap();
    assert_eq!(
        words,
        [0x8100_0000, 0, 0xff00_0000, 0, 0, 8, 0, 0],
        "valid, save and restore; CPPR; END base"
    );
    machine.ok(SET_VP_INFO, &[0x4000_0001, 0, 0]);
    assert_eq!(nvt(&machine.xive, 1).unwrap(), [0; 8]);
    let thread = nvt(&machine.xive, 0x80 | PIR).unwrap();
    assert_eq!(thread, [0x8000_0000, 0, 0, 0, 0, (0x80 | PIR) * 8, 0, 0], "no context to save");
}

#[test]
fn a_large_queue_above_4_gib_is_named_in_words_2_and_3() {
    let machine = Machine::exploiting();
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 16, 1]);
    let end = machine.xive.end(0, (0x80 | PIR) * 8 + 7).unwrap();
    assert_eq!(end[..4], [0x8484_0000, 0x0040_0000, 0, QUEUE as u32 | 4], "conditional notification");
}
