//! The OPAL calls that a kernel made, by the histogram that a step of the guest takes of its tracepoint `opal_exit`.

use crate::{report::Check, said::Said};
use std::collections::BTreeMap;

/// What may be answered beside success: give memory first, try again.
const PROVISIONING: i64 = -31;
const BUSY: i64 = -2;

/// That each of these calls succeeded and none of them ever failed.
pub fn judge(reports: &[Said], wanted: &[u64]) -> Vec<Check> {
    let mut answers: BTreeMap<u64, Vec<(i64, u64)>> = BTreeMap::new();
    for report in reports.iter().filter(|report| report.about == "call") {
        if let (Some(call), Some(answer), Some(hits)) =
            (number(report, "opcode"), number(report, "retval"), number(report, "hits"))
        {
            answers.entry(call).or_default().push((answer.cast_signed(), hits));
        }
    }
    let mut checks = Vec::new();
    let mut notes = Vec::new();
    for call in wanted {
        let name = format!("OPAL call {call}");
        let of = answers.get(call).map(Vec::as_slice).unwrap_or_default();
        let good: u64 = of.iter().filter(|(answer, _)| *answer >= 0).map(|(_, hits)| hits).sum();
        let bad = of.iter().find(|(answer, _)| *answer < 0 && ![PROVISIONING, BUSY].contains(answer));
        match bad {
            Some((answer, hits)) => checks.push(Check::failed(&name, format!("{hits} times {answer}"))),
            None if good == 0 => checks.push(Check::failed(&name, "it was never made")),
            None => notes.push(format!("{call}: {good}")),
        }
    }
    if checks.is_empty() {
        checks.push(Check::ok("OPAL calls that succeeded", notes.join(", ")));
    }
    checks
}

/// The kernel prints numbers as they are, without sign.
fn number(report: &Said, key: &str) -> Option<u64> {
    report.value(key)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::said;

    fn passed(text: &str) -> Vec<bool> {
        judge(&said::said(text), &[134, 135]).iter().map(Check::passed).collect()
    }

    const DONATED: &str = "OPALITE-DEMO: call opcode=134 retval=0 hits=9\n";

    #[test]
    fn an_allocation_may_ask_for_memory_first() {
        let text = "OPALITE-DEMO: call opcode=135 retval=18446744073709551585 hits=9\n\
                    OPALITE-DEMO: call opcode=135 retval=1073743872 hits=40\n";
        assert_eq!(passed(&format!("{DONATED}{text}")), [true]);
    }

    #[test]
    fn a_call_that_failed_or_was_never_made_is_noticed() {
        assert_eq!(passed(DONATED), [false]);
        assert_eq!(passed(""), [false, false]);
        let text = "OPALITE-DEMO: call opcode=135 retval=18446744073709551615 hits=1\n\
                    OPALITE-DEMO: call opcode=135 retval=1073743872 hits=40\n";
        assert_eq!(passed(&format!("{DONATED}{text}")), [false]);
    }
}
