//! Each call with one bad argument at a time: PARAMETER, no register touched, no memory written.

use super::machine::*;

/// A token, good arguments, and for each position lists of bad ones.
type Call = (u64, Vec<u64>, &'static [&'static [&'static [u64]]]);

/// Not a thread's, not given out, too large.
const NO_VP: &[u64] = &[6, 0x84, 0x104, 0x4000_0002, 0x4000_0084, 0x8000_0000, 1 << 32 | THREAD, u64::MAX];
const NO_PRIORITY: &[u64] = &[8, 0xff, 1 << 32, u64::MAX];
const NO_IRQ: &[u64] = &[0, 0xf, 0x11, 0xffef, 0x1000_0010, 0x0800_0010, 1 << 32 | 0x10, u64::MAX];
/// Firmware's, behind RAM, crossing into either, unaligned.
const NO_MEMORY: &[u64] = &[REGION, RAM, RAM - 4, 0xc000_0000_0000_0000 | REGION, OUT + 1, u64::MAX];
/// The same for numbers of 32 bits.
const NO_MEMORY_32: &[u64] = &[REGION, RAM, RAM - 2, OUT + 2, u64::MAX];
/// Where null isn't allowed.
const NULL: &[u64] = &[0];
const VP: u64 = 0x4000_0000;
const THREAD: u64 = PIR as u64;

#[test]
fn each_call_rejects_each_bad_argument() {
    let machine = Machine::exploiting();
    assert_eq!(machine.call(ALLOCATE_VP_BLOCK, &[1]), 0x4000_0000);
    machine.ok(SET_VP_INFO, &[VP, 1, 0]);
    machine.ok(SET_QUEUE_INFO, &[VP, 6, QUEUE, 16, 7]);
    let irq: u64 = machine.allocate_irq().into();
    let out = |index: u64| OUT + index * 8;
    let calls: &[Call] = &[
        (RESET, vec![1], &[&[&[2, 3, 1 << 32 | 1, u64::MAX]]]),
        (
            GET_IRQ_INFO,
            vec![irq, out(0), out(1), out(2), out(3), out(4)],
            &[
                &[NO_IRQ],
                &[NULL, NO_MEMORY],
                &[NULL, NO_MEMORY],
                &[NULL, NO_MEMORY],
                &[NULL, NO_MEMORY_32],
                &[NULL, NO_MEMORY_32],
            ],
        ),
        (
            GET_IRQ_CONFIG,
            vec![irq, out(0), out(1), out(2)],
            &[&[NO_IRQ], &[NULL, NO_MEMORY], &[NULL, &[REGION, RAM]], &[NULL, NO_MEMORY_32]],
        ),
        (
            SET_IRQ_CONFIG,
            vec![irq, VP, 6, 0x10],
            &[
                &[NO_IRQ],
                &[NO_VP],
                &[&[8, 0xfe, 0x100, 1 << 32, u64::MAX]],
                &[&[0x8000_0000, 1 << 32, u64::MAX]],
            ],
        ),
        (
            GET_QUEUE_INFO,
            vec![VP, 6, out(0), out(1), out(2), out(3), out(4)],
            &[
                &[NO_VP],
                &[NO_PRIORITY],
                &[NO_MEMORY],
                &[NO_MEMORY],
                &[NO_MEMORY],
                &[NO_MEMORY_32],
                &[NO_MEMORY],
            ],
        ),
        (
            SET_QUEUE_INFO,
            vec![VP, 5, QUEUE, 16, 7],
            &[
                &[NO_VP],
                &[NO_PRIORITY],
                &[&[0, QUEUE + 0x1000, REGION, RAM, IC]],
                &[&[0, 1, 11, 13, 32, 64, 1 << 32 | 16, u64::MAX]],
                &[&[8 | 1, 1 << 32 | 1, u64::MAX]],
            ],
        ),
        (
            DONATE_PAGE,
            vec![0, 0x1000_0000],
            &[&[&[1, 255, 1 << 32]], &[&[0, 0x1000_1000, REGION, RAM - 0x1000, RAM, IC, u64::MAX]]],
        ),
        (ALLOCATE_VP_BLOCK, vec![0], &[&[&[17, 32, 64, 1 << 32, u64::MAX]]]),
        (FREE_VP_BLOCK, vec![VP], &[&[NO_VP, &[0x4000_0001, THREAD]]]),
        (
            GET_VP_INFO,
            vec![VP, out(0), out(1), out(2), out(3)],
            &[&[NO_VP], &[NO_MEMORY], &[NO_MEMORY], &[NO_MEMORY], &[NO_MEMORY_32]],
        ),
        (
            SET_VP_INFO,
            vec![VP, 1, 0],
            &[
                &[NO_VP],
                &[&[4 | 1, 8 | 1, 1 << 32 | 1, u64::MAX]],
                &[&[0x123_4580, REGION, RAM, IC, u64::MAX]],
            ],
        ),
        (ALLOCATE_IRQ, vec![0], &[&[&[1, 0xffff_fffe, 1 << 32]]]),
        (FREE_IRQ, vec![irq], &[&[NO_IRQ, &[PSI_FIRST as u64, 0x0800_0006]]]),
        (SYNC, vec![3, irq], &[&[&[4, 7, 1 << 32, u64::MAX]], &[NO_IRQ]]),
        (DUMP, vec![4, VP], &[&[&[6, 1 << 32, u64::MAX]], &[NO_VP]]),
        (DUMP, vec![0, THREAD], &[&[], &[NO_VP, &[VP]]]),
        (
            GET_QUEUE_STATE,
            vec![VP, 6, out(0), out(1)],
            &[&[NO_VP], &[NO_PRIORITY], &[NULL, NO_MEMORY_32], &[NULL, NO_MEMORY_32]],
        ),
        (
            SET_QUEUE_STATE,
            vec![VP, 6, 1, 0],
            &[&[NO_VP], &[NO_PRIORITY], &[&[2, 1 << 32, u64::MAX]], &[&[0x4000, 1 << 22, 1 << 32, u64::MAX]]],
        ),
        (GET_VP_STATE, vec![VP, out(0)], &[&[NO_VP], &[NULL, NO_MEMORY]]),
    ];
    machine.ram.watch(0, RAM);
    machine.xive.forget_accesses();
    for (token, good, bad) in calls {
        for (position, values) in bad.iter().enumerate() {
            for value in values.iter().copied().flatten() {
                let mut args = good.clone();
                args[position] = *value;
                assert_eq!(machine.call(*token, &args), PARAMETER, "call {token} {args:x?}");
                assert_eq!(machine.xive.accesses(), 0, "call {token} {args:x?} touched a register");
            }
        }
    }
    assert_eq!(machine.ram.writes(), []);
    // Each is well but for that argument; those that would end what others need come last.
    let ending = [RESET, FREE_VP_BLOCK, FREE_IRQ];
    for (token, good, _) in calls.iter().filter(|call| !ending.contains(&call.0)) {
        assert!(machine.call(*token, good) >= 0, "call {token} {good:x?}");
    }
    machine.ok(FREE_IRQ, &[irq]);
}
