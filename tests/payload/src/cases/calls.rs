//! Calls that must be refused, what a call must preserve, and calls in bulk.

use super::{Bench, Outcome, equal, status};
use crate::edu::Edu;
use crate::machine::{memory, sync};
use crate::opal;
use crate::phb_registers;

const PE: u64 = 9;
const BIT59: u64 = 1 << 59;

/// Runs them.
pub fn run(bench: &mut Bench) {
    bench.case(format_args!("an unknown token is refused"), |_| {
        status("token 46", opal::call(46, &[]), opal::PARAMETER)?;
        status("token 2^63", opal::call(1 << 63, &[]), opal::PARAMETER)?;
        status("CHECK_TOKEN 46", opal::call(opal::CHECK_TOKEN, &[46]), 0)?;
        status("CHECK_TOKEN 44", opal::call(opal::CHECK_TOKEN, &[44]), 1)
    });
    bench.case(format_args!("bad windows are refused and change nothing"), |bench| {
        refused(&bench.first, REFUSED_BY_ALL)
    });
    bench.case(format_args!("bad windows that skiboot lets through are refused"), |bench| {
        refused(&bench.first, REFUSED_BY_US)
    });
    bench.case(format_args!("bad bypass windows are refused and change nothing"), |bench| {
        bad_bypass(&bench.first)
    });
    bench.case(format_args!("calls leave the FP and vector registers alone"), |bench| {
        let id = bench.first.device.phb.id;
        let out = memory(4096, 4096);
        let calls: [(u64, [u64; 7]); 6] = [
            (opal::CHECK_TOKEN, [44, 0, 0, 0, 0, 0, 0]),
            (opal::CONFIG_READ_WORD, [id, bench.first.device.bdfn, 0, out, 0, 0, 0]),
            (opal::SET_PE, [id, PE, bench.first.device.bdfn, 7, 1, 1, 1]),
            (opal::MAP_WINDOW, [id, PE, PE * 2, 1, out, 4096, 4096]),
            (opal::MAP_WINDOW, [id, PE, PE * 2, 0, 0, 0, 0]),
            (opal::TCE_KILL, [id, 1, PE, 0, 0, 0, 0]),
        ];
        for (token, args) in calls {
            let (result, changed) = opal::call_with_vectors(token, &args);
            status("call", result, i64::from(token == opal::CHECK_TOKEN))?;
            equal("vector register changed, token", changed.unwrap_or(64), 64)?;
        }
        Ok(())
    });
}

/// (levels, table address, bytes of a level, page size) of PE 9's window 0.
type Shape = (u64, u64, u64, u64);

const REFUSED_BY_ALL: &[Shape] = &[
    (0, 0x1000_0000, 4096, 4096),
    (6, 0x1000_0000, 4096, 4096),
    (1, 0x1000_0000, 0x3000, 4096),
    (1, 0x1000_0000, 0x800, 4096),
    (1, 0x1000_0000, 4096, 0x2000),
    (1, 0x1000_0000, 4096, 0x80_0000),
    (1, 0x1000_0000, 4096, 0),
    (1, 0x1000_0000, 4096, u64::MAX),
    (1, 0x1000_0000, 1 << 63, 4096),
];

/// Faults B6, B7, B10, B11 of skiboot.
const REFUSED_BY_US: &[Shape] = &[
    (1, 0x1000_1000, 0x4_0000, 0x1_0000),   // table not aligned to its size
    (1, 0x1000_0800, 4096, 4096),           // low bits of the address
    (1, 0x1000_0000_0000, 4096, 4096),      // not RAM
    (1, 0xffff_ffff_ffff_f000, 4096, 4096), // not an address
    (5, 0x1000_0000, 0x1_0000, 4096),       // 5 × 13 + 12 address bits
    (0x1_0001, 0x1000_0000, 4096, 4096),    // 65537 levels aren't one
];

fn refused(edu: &Edu, shapes: &[Shape]) -> Outcome {
    let id = edu.device.phb.id;
    let table = memory(4096, 4096);
    let call = |pe: u64, window: u64, (levels, address, bytes, page): Shape| {
        opal::call(opal::MAP_WINDOW, &[id, pe, window, levels, address, bytes, page])
    };
    let good = (1, table, 4096, 4096);
    status("a good window", call(PE, PE * 2, good), 0)?;
    let before = phb_registers::tve(edu.device.phb, PE * 2);
    for &shape in shapes {
        status("a bad shape", call(PE, PE * 2, shape), opal::PARAMETER)?;
        equal("TVE", phb_registers::tve(edu.device.phb, PE * 2), before)?;
    }
    let pes = edu.device.phb.num_pes;
    if shapes.as_ptr() == REFUSED_BY_ALL.as_ptr() {
        status("PE out of range", call(pes, pes * 2, good), opal::PARAMETER)?;
        status("another PE's window", call(PE, PE * 2 + 2, good), opal::PARAMETER)?;
    } else {
        status("PE as 64 bits", call(PE | 1 << 32, PE * 2, good), opal::PARAMETER)?;
        status("window as 64 bits", call(PE, PE * 2 | 1 << 16, good), opal::PARAMETER)?;
        let reserved = edu.device.phb.reserved_pe;
        status("reserved PE", call(reserved, reserved * 2, good), opal::PARAMETER)?;
        let inside = opal::base() + 0x10_0000;
        status("a table in firmware", call(PE, PE * 2, (1, inside, 4096, 4096)), opal::PARAMETER)?;
    }
    equal("TVE at the end", phb_registers::tve(edu.device.phb, PE * 2), before)?;
    status("close", call(PE, PE * 2, (99, 1, 0, 3)), 0)?;
    sync();
    equal("TVE after close", phb_registers::tve(edu.device.phb, PE * 2), 0)
}

fn bad_bypass(edu: &Edu) -> Outcome {
    let id = edu.device.phb.id;
    let call =
        |window: u64, start: u64, size: u64| opal::call(opal::MAP_REAL, &[id, PE, window, start, size]);
    let window = PE * 2 + 1;
    for (number, start, size) in [
        (window, 0, 1 << 30),                 // bit 59 missing
        (PE * 2, BIT59, 1 << 30),             // bit 59 with window 0
        (window, BIT59 + 0x10_0000, 1 << 30), // start not in 16 MiB
        (window, BIT59, (1 << 30) + 0x1000),  // size not in 16 MiB
        (window, BIT59, 1 << 50),             // end beyond the TVE
        (window + 2, BIT59, 1 << 30),         // another PE's window
    ] {
        status("a bad bypass", call(number, start, size), opal::PARAMETER)?;
        equal("TVE", phb_registers::tve(edu.device.phb, window), 0)?;
    }
    Ok(())
}
