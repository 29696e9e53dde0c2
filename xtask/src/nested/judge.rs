//! What a nested run must have done.

use crate::{
    boot::Booted,
    checks::{self, Expect},
    report::Check,
    said::{self, Said},
};

/// Judges the host, the guest, and what was traced.
pub fn judge(booted: &Booted) -> Vec<Check> {
    let _ = said::said(&booted.outcome.console);
    checks::judge(booted, &[Expect::Nvme, Expect::Net])
}

/// The console without what the guest printed.
pub fn without_guest(console: &str) -> String {
    console
        .lines()
        .filter(|line| !line.contains("OPALITE-DEMO: guest "))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// What the guest printed.
pub fn guest(reports: &[Said]) -> String {
    reports
        .iter()
        .filter(|report| report.about == "guest")
        .map(|report| format!("{}\n", report.text))
        .collect()
}
