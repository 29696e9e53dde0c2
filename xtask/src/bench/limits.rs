//! The most that our firmware may take, and whether it keeps to it.

use super::{counts::Counts, tokens};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Instructions from reset to the kernel's first.
    ToKernel,
    /// Mean instructions of the calls of a token.
    Call(u64),
}

impl Measure {
    /// For a reader.
    pub fn name(self) -> String {
        match self {
            Self::ToKernel => "reset to kernel entry".into(),
            Self::Call(token) => format!("{token} {}", tokens::name(token)),
        }
    }
}

struct Limit {
    measure: Measure,
    most: u64,
    needed: Needed,
}

/// When a boot that never got there is a failure and not a saving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needed {
    /// Linux can't set up PCI without it.
    Always,
    /// It is how Linux makes a bypass window, if it is to make one.
    ForBypass,
    /// Depends on devices and drivers.
    No,
}

const fn limit(measure: Measure, most: u64, needed: Needed) -> Limit {
    Limit { measure, most, needed }
}

/// A boot in a twentieth of skiboot's instructions, a call in less than half.
const LIMITS: &[Limit] = &[
    limit(Measure::ToKernel, 5_000_000, Needed::Always),
    limit(Measure::Call(tokens::PCI_MAP_PE_DMA_WINDOW), 200, Needed::Always),
    limit(Measure::Call(tokens::PCI_MAP_PE_DMA_WINDOW_REAL), 200, Needed::ForBypass),
    limit(Measure::Call(tokens::PCI_TCE_KILL), 180, Needed::No),
    limit(Measure::Call(tokens::PCI_SET_PE), 300, Needed::Always),
    limit(Measure::Call(tokens::PCI_EEH_FREEZE_STATUS), 180, Needed::Always),
    limit(Measure::Call(tokens::PCI_RESET), 20_000, Needed::Always),
    limit(Measure::Call(tokens::PCI_CONFIG_READ_BYTE), 180, Needed::No),
    limit(Measure::Call(tokens::PCI_CONFIG_READ_HALF_WORD), 180, Needed::No),
    limit(Measure::Call(tokens::PCI_CONFIG_READ_WORD), 180, Needed::Always),
    limit(Measure::Call(tokens::PCI_CONFIG_WRITE_BYTE), 180, Needed::No),
    limit(Measure::Call(tokens::PCI_CONFIG_WRITE_HALF_WORD), 180, Needed::No),
    limit(Measure::Call(tokens::PCI_CONFIG_WRITE_WORD), 180, Needed::No),
];

/// A limit and what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Of what.
    pub measure: Measure,
    /// The limit.
    pub most: u64,
    /// What it took; none if it never happened.
    pub taken: Option<u64>,
    needed: bool,
}

impl Verdict {
    /// A limit on something that never happened is kept, unless Linux can't do without.
    pub fn passed(&self) -> bool {
        self.taken.map_or(!self.needed, |taken| taken <= self.most)
    }
}

/// Every limit against one boot, with bypass windows or without.
pub fn judge(counts: &Counts, bypass: bool) -> Vec<Verdict> {
    LIMITS
        .iter()
        .map(|&Limit { measure, most, needed }| {
            let taken = match measure {
                Measure::ToKernel => counts.to_kernel,
                Measure::Call(token) => counts.calls.get(&token).map(|cost| cost.mean()),
            };
            let needed = match needed {
                Needed::Always => true,
                Needed::ForBypass => bypass,
                Needed::No => false,
            };
            Verdict { measure, most, taken, needed }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::counts::Cost;

    fn boot(to_kernel: u64, calls: &[(u64, u64)]) -> Counts {
        let cost = |mean| Cost { calls: 2, sum: 2 * mean, worst: 10 * mean };
        Counts {
            to_kernel: Some(to_kernel),
            calls: calls.iter().map(|&(token, mean)| (token, cost(mean))).collect(),
            ..Counts::default()
        }
    }

    fn missed(counts: &Counts) -> Vec<Measure> {
        judge(counts, true).into_iter().filter(|v| !v.passed()).map(|v| v.measure).collect()
    }

    #[test]
    fn a_boot_at_the_limits_passes() {
        let at_limits = [
            (44, 200),
            (45, 200),
            (126, 180),
            (31, 300),
            (23, 180),
            (49, 20_000),
            (13, 180),
            (15, 180),
            (18, 180),
        ];
        assert_eq!(missed(&boot(5_000_000, &at_limits)), []);
    }

    #[test]
    fn one_instruction_more_is_a_miss_of_that_limit() {
        let calls = [(44, 200), (45, 201), (126, 180), (31, 300), (23, 180), (49, 20_000), (15, 180)];
        assert_eq!(missed(&boot(5_000_001, &calls)), [Measure::ToKernel, Measure::Call(45)]);
    }

    #[test]
    fn a_call_that_linux_needs_must_have_been_made() {
        let without_44 = [(45, 1), (31, 1), (23, 1), (49, 1), (15, 1)];
        assert_eq!(missed(&boot(1, &without_44)), [Measure::Call(44)]);
    }

    #[test]
    fn only_a_boot_with_bypass_must_make_bypass_windows() {
        let without_45 = boot(1, &[(44, 1), (31, 1), (23, 1), (49, 1), (15, 1)]);
        assert_eq!(missed(&without_45), [Measure::Call(45)]);
        assert!(judge(&without_45, false).iter().all(Verdict::passed));
    }

    #[test]
    fn a_call_that_linux_may_leave_out_is_no_miss() {
        assert_eq!(missed(&boot(1, &[(44, 1), (45, 1), (31, 1), (23, 1), (49, 1), (15, 1)])), []);
    }

    #[test]
    fn a_boot_that_never_reached_the_kernel_misses() {
        assert!(missed(&Counts::default()).contains(&Measure::ToKernel));
    }
}
