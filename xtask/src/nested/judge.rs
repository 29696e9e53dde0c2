//! What a nested run must have done: in the guest, in the host, and between the host's kernel and the firmware.

use super::trace;
use crate::{
    board::Board,
    boot::Booted,
    cases::MEGABYTES,
    checks::{self, Expect, find, short},
    report::Check,
    said::{self, Said},
};
use anyhow::Result;

/// Judges the host, the guest, and what was traced.
pub fn judge(board: &Board, booted: &Booted, cpus: usize) -> Result<Vec<Check>> {
    let console = &booted.outcome.console;
    let reports = said::said(console);
    let mut found = inside(board, booted, &reports, cpus)?;
    found.extend(trace::judge(&reports, &guest(&reports)));
    let after = checks::judge(
        booted,
        &[Expect::Nvme(MEGABYTES), Expect::Net, Expect::Msi("nvme0q"), Expect::Msi("eth0")],
    );
    found.extend(after.into_iter().map(|check| Check { name: format!("host: {}", check.name), ..check }));
    Ok(found)
}

fn inside(board: &Board, booted: &Booted, reports: &[Said], cpus: usize) -> Result<Vec<Check>> {
    let text = guest(reports);
    let said = said::said(&text);
    let mut found = Vec::new();
    for report in &said {
        if let Some(why) = report.text.strip_prefix("failed ") {
            found.push(Check::failed(&report.about, why));
        }
    }
    let sum = |reports, about| find(reports, about, "sha").unwrap_or("nothing");
    let (written, read) = (sum(&said, "nvme-write"), sum(&said, "nvme-read"));
    let after = sum(reports, "disk-after");
    found.push(Check::that(
        "disk",
        written.len() == 64 && read == written && after == written,
        format!("wrote {}, read {}, host reads {} afterwards", short(written), short(read), short(after)),
    ));
    found.extend(checks::cpus(&said, cpus));
    found.extend(checks::net(booted.traffic.as_ref(), &said));
    for name in ["nvme0q", "eth0"] {
        let count = checks::interrupts(&said, name, false);
        found.push(Check::that(&format!("interrupts of {name}"), count > 0, count.to_string()));
    }
    // What no host may print, no guest may.
    let bad = board.patterns("must-not-appear.txt")?;
    found.push(match said::kernel_lines(&text).find(|line| bad.iter().any(|bad| bad.is_match(line))) {
        Some(line) => Check::failed("kernel's messages", line),
        None => Check::that(
            "kernel's messages",
            text.contains("Linux version"),
            format!("{} lines", said::kernel_lines(&text).count()),
        ),
    });
    let done = said.iter().any(|report| report.about == "done");
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it printed nothing");
    found.push(Check::that("power-off", done, if done { "" } else { last }));
    found.push(Check::ok(
        "time",
        times(&booted.outcome.console).map_or("unknown".into(), |times| {
            format!("disk read after {:.1} s, ended after {:.1} s", times.read, times.end)
        }),
    ));
    Ok(found.into_iter().map(|check| Check { name: format!("guest: {}", check.name), ..check }).collect())
}

/// Seconds by the host's clock from QEMU's start in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// Until the guest has read its disk.
    pub read: f64,
    /// Until QEMU's end.
    pub end: f64,
}

/// None if the guest didn't get so far.
pub fn times(console: &str) -> Option<Times> {
    let at = |mark: &str| {
        let line = console.lines().find(|line| line.contains(&format!("OPALITE-DEMO: {mark}")))?;
        line.strip_prefix('[')?.split_once(']')?.0.trim().parse::<f64>().ok()
    };
    let read =
        console.lines().find(|line| line.contains("OPALITE-DEMO: guest") && line.contains("nvme-read"));
    let read = read.and_then(|line| line.strip_prefix('[')?.split_once(']')?.0.trim().parse::<f64>().ok());
    let start = at("guest-start")?;
    Some(Times { read: read? - start, end: at("guest-end")? - start })
}

/// The console without what the guest printed.
pub fn without_guest(console: &str) -> String {
    let own = |line: &&str| !line.contains("OPALITE-DEMO: guest ");
    console.lines().filter(own).map(|line| format!("{line}\n")).collect()
}

/// What the guest printed.
fn guest(reports: &[Said]) -> String {
    reports
        .iter()
        .filter(|report| report.about == "guest")
        .map(|report| format!("{}\n", report.text))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guests_reports_are_told_from_the_hosts() {
        let console = "[ 9.0] OPALITE-DEMO: guest-start uptime=9\n\
            [10.0] OPALITE-DEMO: guest [    0.0] Linux version 6\n\
            [12.5] OPALITE-DEMO: guest [    2.0] OPALITE-DEMO: nvme-read sha=ab\n\
            [13.0] OPALITE-DEMO: guest-end uptime=13\n[14.0] OPALITE-DEMO: nvme-read sha=cd\n";
        let reports = said::said(console);
        let inner = said::said(&guest(&reports));
        assert_eq!(find(&inner, "nvme-read", "sha"), Some("ab"));
        assert_eq!(find(&reports, "nvme-read", "sha"), Some("cd"));
        assert!(!without_guest(console).contains("Linux version"));
        assert_eq!(times(console), Some(Times { read: 3.5, end: 4.0 }));
        assert_eq!(times("[ 9.0] OPALITE-DEMO: guest-start uptime=9\n"), None);
    }
}
