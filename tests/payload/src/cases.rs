//! The cases. Each gives one line; a failed one says what it saw.

mod calls;
mod ddw;
mod hostile;
mod owned;
mod shared;
mod windows;

use crate::edu::Edu;
use crate::machine;
use crate::opal;
use crate::pci::{self, Device};
use crate::println;
use core::fmt;
use fdt::Fdt;

/// Why a case failed: what, and the numbers that tell.
#[derive(Debug)]
pub struct Failure(pub &'static str, pub u64, pub u64);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#x}, {:#x})", self.0, self.1, self.2)
    }
}

pub type Outcome = Result<(), Failure>;

/// Fails unless both are equal.
pub fn equal(what: &'static str, got: u64, wanted: u64) -> Outcome {
    if got == wanted { Ok(()) } else { Err(Failure(what, got, wanted)) }
}

/// Fails unless the OPAL status is the wanted one.
pub fn status(what: &'static str, got: i64, wanted: i64) -> Outcome {
    equal(what, got as u64, wanted as u64)
}

/// What the cases work with.
pub struct Bench {
    pub first: Edu,
    pub second: Edu,
    passed: u32,
    failed: u32,
}

impl Bench {
    /// Runs one case; its memory is given back.
    pub fn case(&mut self, name: fmt::Arguments<'_>, body: impl FnOnce(&Self) -> Outcome) {
        let mark = machine::mark();
        let outcome = body(self);
        machine::release(mark);
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("CASE ok   {name}");
            }
            Err(failure) => {
                self.failed += 1;
                println!("CASE FAIL {name}: {failure}");
            }
        }
    }
}

/// Runs all cases.
pub fn run(tree: &Fdt<'_>) {
    let mut devices: [Option<Device>; 2] = [None; 2];
    pci::each_edu(tree, |device| {
        if let Some(free) = devices.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(device);
        }
    });
    let [Some(first), Some(second)] = devices else {
        println!("PAYLOAD PANIC: two edu devices are needed");
        return;
    };
    let mut bench = Bench { first: Edu::open(first), second: Edu::open(second), passed: 0, failed: 0 };
    println!(
        "payload: OPAL at {:#x}; edu at {}:{:04x} and {}:{:04x}",
        opal::base(),
        first.phb.id,
        first.bdfn,
        second.phb.id,
        second.bdfn
    );
    standard(&mut bench);
    owned::run(&mut bench, tree);
    ddw::run(&mut bench, tree);
    if let Some(count) = number(tree, "hostile=") {
        hostile::run(&mut bench, tree, count);
        // The second stage: once more what needs no tables of firmware's, of which those calls left all kinds behind.
        bench.first = Edu::open(first);
        bench.second = Edu::open(second);
        standard(&mut bench);
    }
    println!("payload: {} passed, {} failed", bench.passed, bench.failed);
}

/// The calls of the standard.
fn standard(bench: &mut Bench) {
    windows::run(bench);
    shared::run(bench);
    calls::run(bench);
}

/// A number from the command line.
fn number(tree: &Fdt<'_>, name: &str) -> Option<u64> {
    let line = tree.find_node("/chosen")?.property("bootargs")?.as_str()?;
    line.split(' ').find_map(|word| word.strip_prefix(name))?.parse().ok()
}
