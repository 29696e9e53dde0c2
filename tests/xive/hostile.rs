//! Arguments without sense. The model fails the test when the driver touches a register, page or memory that isn't
//! there; a panic fails it too.

use super::machine::*;
use opalite::hw::ram::Ram;

/// Small reproducible random numbers (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
    fn pick(&mut self, from: &[u64]) -> u64 {
        from[self.below(from.len())]
    }
}

/// Values that are right for some argument of some call.
const PLAUSIBLE: &[u64] = &[
    0,
    1,
    2,
    3,
    5,
    6,
    7,
    8,
    12,
    16,
    0x10,
    0x11,
    0x12,
    0x3ff,
    0xfff0,
    0xfff8,
    0xff,
    0x04,
    0x48,
    0x4000_0000,
    0x4000_0001,
    0x4000_0100,
    0x0800_0000,
    0x0800_0007,
    0x0800_0420,
    0x0800_0427,
    0xffff_ffff,
    QUEUE,
    QUEUE + 0x1_0000,
    OUT,
    OUT + 8,
    OUT + 16,
    REGION,
    0xc000_0000_0010_0000,
    u64::MAX,
];

/// Calls with arguments that can succeed.
const CALLS: [(u64, [u64; 7]); 20] = [
    (RESET, [1, 0, 0, 0, 0, 0, 0]),
    (GET_IRQ_INFO, [0x10, OUT, OUT + 8, OUT + 16, OUT + 24, OUT + 28, 0]),
    (GET_IRQ_INFO, [0xfff8, OUT, OUT + 8, OUT + 16, OUT + 24, OUT + 28, 0]),
    (GET_IRQ_CONFIG, [0x10, OUT, OUT + 8, OUT + 12, 0, 0, 0]),
    (SET_IRQ_CONFIG, [0x10, 4, 7, 0x10, 0, 0, 0]),
    (SET_IRQ_CONFIG, [0x0800_0427, 4, 7, 0x10, 0, 0, 0]),
    (GET_QUEUE_INFO, [4, 7, OUT, OUT + 8, OUT + 16, OUT + 24, OUT + 32]),
    (SET_QUEUE_INFO, [4, 7, QUEUE, 16, 3, 0, 0]),
    (DONATE_PAGE, [0, 0x1000_0000, 0, 0, 0, 0, 0]),
    (ALLOCATE_VP_BLOCK, [1, 0, 0, 0, 0, 0, 0]),
    (FREE_VP_BLOCK, [0x4000_0000, 0, 0, 0, 0, 0, 0]),
    (GET_VP_INFO, [0x4000_0000, OUT, OUT + 8, OUT + 16, OUT + 24, 0, 0]),
    (SET_VP_INFO, [0x4000_0000, 3, 0, 0, 0, 0, 0]),
    (ALLOCATE_IRQ, [0, 0, 0, 0, 0, 0, 0]),
    (FREE_IRQ, [0x10, 0, 0, 0, 0, 0, 0]),
    (SYNC, [3, 0x10, 0, 0, 0, 0, 0]),
    (DUMP, [0, 4, 0, 0, 0, 0, 0]),
    (GET_QUEUE_STATE, [4, 7, OUT, OUT + 4, 0, 0, 0]),
    (SET_QUEUE_STATE, [4, 7, 1, 0x3ff, 0, 0, 0]),
    (GET_VP_STATE, [4, OUT, 0, 0, 0, 0, 0]),
];
const REFUSALS: [i64; 6] = [PARAMETER, UNSUPPORTED, RESOURCE, WRONG_STATE, PROVISIONING, FREE_ACTIVE];

#[test]
fn no_arguments_upset_the_driver() {
    let machine = Machine::exploiting();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut served = [[0u32; 2]; CALLS.len()];
    for round in 0..20_000 {
        let which = random.below(CALLS.len());
        let (token, mut args) = CALLS[which];
        // Resets are rare: else nothing would be set up for long.
        if token == RESET && random.below(50) != 0 {
            continue;
        }
        for _ in 0..random.below(4) {
            let at = random.below(args.len());
            args[at] = if random.below(8) == 0 { random.next() } else { random.pick(PLAUSIBLE) };
        }
        let result = machine.call(token, &args);
        assert!(
            result >= 0 || REFUSALS.contains(&result),
            "round {round}: call {token} {args:x?} gave {result}"
        );
        served[which][usize::from(result < 0)] += 1;
        if token == RESET && result == SUCCESS && args[0] == 0 {
            machine.ok(RESET, &[1]);
        }
    }
    let both = |counts: &[u32; 2]| counts[0] > 0 && counts[1] > 0;
    assert!(served.iter().all(both), "each call succeeded and was refused: {served:?}");
    // Still alive.
    machine.ok(RESET, &[1]);
    machine.ram.write32(QUEUE, 0);
    machine.ok(SET_QUEUE_INFO, &[PIR.into(), 7, QUEUE, 16, 3]);
    let irq = machine.ipi(PIR, 7, 0x55);
    machine.trigger(irq);
    assert_eq!(machine.ram.read32(QUEUE), 0x8000_0055);
}
