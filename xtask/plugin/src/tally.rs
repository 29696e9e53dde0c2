//! What was counted, and the text in which the plugin hands it over. Knows nothing of QEMU.
//!
//! The file is one record a line, the record's name first and `key=value` fields after it; an unknown record or
//! field is for a reader to skip. `call` records are sorted by token.

use std::collections::BTreeMap;
use std::fmt;

/// First line of the output; the number changes when a field changes its meaning.
pub const FORMAT: &str = "opal-count 1";

/// Instructions of all finished calls of one token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Finished calls.
    pub calls: u64,
    /// Instructions in all of them.
    pub sum: u64,
    /// Instructions in the cheapest.
    pub min: u64,
    /// Instructions in the dearest.
    pub max: u64,
}

impl Cost {
    fn add(&mut self, instructions: u64) {
        self.min = if self.calls == 0 { instructions } else { self.min.min(instructions) };
        self.max = self.max.max(instructions);
        self.calls += 1;
        self.sum += instructions;
    }
}

/// Why a thread is inside firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    /// It came through the OPAL entry with this token.
    Call(u64),
    /// It came in elsewhere: a thread that firmware holds, or a return from an interrupt taken inside a call.
    Other,
}

/// Everything counted in one run.
#[derive(Debug, Default)]
pub struct Tally {
    boot: Option<(u64, u64, u64)>,
    calls: BTreeMap<u64, Cost>,
    other: Cost,
    nested: u64,
    open: BTreeMap<u32, (Stay, u64)>,
}

impl Tally {
    /// The kernel's first instruction is about to run: `instructions` were executed before it.
    pub fn kernel_entered(&mut self, instructions: u64, base: u64, entry: u64) {
        self.boot.get_or_insert((instructions, base, entry));
    }

    /// A thread arrives at the OPAL entry. A thread that was inside already calls from within a call, which only an
    /// interrupt handler does: the outer call ends there and is counted as far as it got.
    pub fn call_begins(&mut self, vcpu: u32, token: u64, now: u64) {
        if self.leaves(vcpu, now) {
            self.nested += 1;
        }
        self.open.insert(vcpu, (Stay::Call(token), now));
    }

    /// A thread arrives in firmware, but not at the OPAL entry.
    pub fn enters_elsewhere(&mut self, vcpu: u32, now: u64) {
        self.open.insert(vcpu, (Stay::Other, now));
    }

    /// A thread is outside firmware again; false when it was outside before.
    pub fn leaves(&mut self, vcpu: u32, now: u64) -> bool {
        let Some((stay, since)) = self.open.remove(&vcpu) else { return false };
        match stay {
            Stay::Call(token) => self.calls.entry(token).or_default().add(now - since),
            Stay::Other => self.other.add(now - since),
        }
        true
    }

    /// The text of the run so far; `total` is all instructions of the machine.
    pub fn report(&self, total: u64) -> Report<'_> {
        Report { tally: self, total }
    }
}

/// A [`Tally`] as text.
pub struct Report<'a> {
    tally: &'a Tally,
    total: u64,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = self.tally;
        writeln!(f, "{FORMAT}")?;
        if let Some((instructions, base, entry)) = tally.boot {
            writeln!(f, "boot instructions={instructions} base={base:#x} entry={entry:#x}")?;
        }
        writeln!(f, "total instructions={}", self.total)?;
        for (token, cost) in &tally.calls {
            let Cost { calls, sum, min, max } = cost;
            writeln!(f, "call token={token} calls={calls} sum={sum} min={min} max={max}")?;
        }
        let Cost { calls, sum, min, max } = tally.other;
        writeln!(f, "other calls={calls} sum={sum} min={min} max={max}")?;
        writeln!(f, "nested calls={}", tally.nested)?;
        for (vcpu, (stay, _)) in &tally.open {
            if let Stay::Call(token) = stay {
                writeln!(f, "unfinished vcpu={vcpu} token={token}")?;
            }
        }
        writeln!(f, "end")
    }
}
