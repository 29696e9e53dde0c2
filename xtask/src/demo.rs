//! Reads what the guest reported on the console and judges it.

use crate::{boot::Booted, console::Ending, report::Check};
use std::collections::BTreeMap;

const MARK: &str = "OPALITE-DEMO: ";

/// One line that the guest reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The first word: what it is about.
    pub about: String,
    /// Everything after it.
    pub text: String,
}

impl Said {
    /// The value of `key=` in the text.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.text.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }
}

/// Everything that the guest reported.
pub fn said(console: &str) -> Vec<Said> {
    console
        .lines()
        .filter_map(|line| line.split_once(MARK))
        .map(|(_, rest)| {
            let (about, text) = rest.split_once(' ').unwrap_or((rest, ""));
            Said { about: about.into(), text: text.trim().into() }
        })
        .collect()
}

/// The kernel's messages, without their time stamps.
pub fn kernel_lines(console: &str) -> impl Iterator<Item = &str> {
    console.lines().map(|line| match line.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((_, message)) => message,
        None => line,
    })
}

/// What the kernel said about each PE's devices and DMA windows, one line each.
pub fn windows(console: &str) -> Vec<String> {
    let mut of_pe: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in kernel_lines(console) {
        if let Some((device, text)) = line.split_once(": [PE# ") {
            let (pe, what) = text.split_once("] ").unwrap_or((text, ""));
            of_pe.entry(format!("{device} PE {pe}")).or_default().push(what.into());
        }
    }
    let mut lines: Vec<_> = of_pe.iter().map(|(pe, what)| format!("{pe}: {}", what.join("; "))).collect();
    lines.extend(said(console).into_iter().filter(|s| s.about == "windows").map(|s| s.text));
    lines
}

/// The checks of the named steps, and that the run ended as it should.
pub fn checks(booted: &Booted, steps: &[&str]) -> Vec<Check> {
    let console = &booted.outcome.console;
    let reports = said(console);
    let mut checks = Vec::new();
    if console.contains("Linux version") {
        checks.push(Check::ok("kernel starts", ""));
    } else {
        checks.push(Check::failed("kernel starts", "the kernel printed nothing"));
    }
    for report in &reports {
        if let Some(why) = report.text.strip_prefix("failed ") {
            checks.push(Check::failed(&report.about, why));
        }
    }
    for step in steps {
        checks.extend(match *step {
            "nvme" => nvme(booted, &reports),
            "net" => net(booted, &reports),
            "irq" => interrupts(&reports),
            _ => Vec::new(),
        });
    }
    checks.push(end(&booted.outcome.ending, &reports));
    // A run that ended badly explains what is missing, so it comes first.
    if booted.outcome.ending != Ending::Ended {
        checks.rotate_right(1);
    }
    checks
}

/// The run ended by power-off after the last step.
fn end(ending: &Ending, reports: &[Said]) -> Check {
    match ending {
        Ending::Ended if reports.iter().any(|report| report.about == "done") => Check::ok("power-off", ""),
        Ending::Ended => Check::failed("power-off", "the guest went away before its last step was done"),
        other => Check::failed("run", other.sentence()),
    }
}

fn find<'a>(reports: &'a [Said], about: &str, key: &str) -> Option<&'a str> {
    reports.iter().find(|report| report.about == about)?.value(key)
}

fn nvme(booted: &Booted, reports: &[Said]) -> Vec<Check> {
    let Some(written) = find(reports, "nvme-write", "sha") else {
        return vec![Check::failed("nvme write", "the guest didn't report it")];
    };
    let size = find(reports, "nvme-write", "bytes").and_then(|text| text.parse().ok()).unwrap_or(0_usize);
    let on_host = booted.disk_sum(size).unwrap_or_else(|error| error.to_string());
    let read = find(reports, "nvme-read", "sha").unwrap_or("nothing");
    vec![
        Check::that(
            "nvme write",
            size >= 1 << 20 && on_host == written,
            format!("{} MiB; guest wrote {}, host finds {}", size >> 20, short(written), short(&on_host)),
        ),
        Check::that("nvme read", read == written, format!("guest read back {}", short(read))),
    ]
}

fn net(booted: &Booted, reports: &[Said]) -> Vec<Check> {
    let Some(traffic) = &booted.traffic else { return vec![Check::failed("net", "no card was plugged in")] };
    let answers = find(reports, "net-ping", "answers").unwrap_or("0");
    let received = find(reports, "net-receive", "sha").unwrap_or("nothing");
    let sent = find(reports, "net-send", "sha").unwrap_or("nothing");
    let bytes = find(reports, "net-send", "bytes").unwrap_or("no");
    let count = |key| find(reports, "net-count", key).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let (rx, tx) = (count("rx"), count("tx"));
    vec![
        Check::that("net ping", answers == "3", format!("{answers} of 3 answered")),
        Check::that(
            "net receive",
            received == traffic.sent_sha,
            format!("4 MiB over TCP, {}", short(received)),
        ),
        Check::that(
            "net send",
            bytes == "4194304" && traffic.received(sent),
            format!("{bytes} bytes over TCP, {}", short(sent)),
        ),
        Check::that("net packets", rx > 0 && tx > 0, format!("{rx} received, {tx} sent")),
    ]
}

/// Every device that the guest uses has a line with a count above zero.
fn interrupts(reports: &[Said]) -> Vec<Check> {
    let lines: Vec<_> = reports.iter().filter(|r| r.about == "irq").map(|r| r.text.as_str()).collect();
    let counted =
        |name: &str| lines.iter().filter(|line| line.contains(name)).map(|line| total(line)).sum::<u64>();
    let drivers = [("nvme", "nvme0q"), ("network card", "eth0")];
    drivers
        .iter()
        .map(|(what, name)| {
            let count = counted(name);
            Check::that(&format!("interrupts of {what}"), count > 0, format!("{count}"))
        })
        .collect()
}

/// `24: 100 7 XIVE-MSI …`: the counts of all CPUs.
pub fn total(line: &str) -> u64 {
    line.split_whitespace().skip(1).map_while(|word| word.parse::<u64>().ok()).sum()
}

fn short(sum: &str) -> &str {
    sum.get(..12).unwrap_or(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_found_behind_the_time_stamp() {
        let console = "x\n[    3.1] OPALITE-DEMO: nvme-write sha=ab bytes=64\n[ 4.0] other\n";
        let reports = said(console);
        assert_eq!(reports.len(), 1);
        assert_eq!(find(&reports, "nvme-write", "sha"), Some("ab"));
        assert_eq!(find(&reports, "nvme-write", "byte"), None);
    }

    #[test]
    fn counts_of_all_cpus_are_added_and_nothing_else() {
        assert_eq!(total("24: 100 7 XIVE-MSI 5 Edge nvme0q0"), 107);
        assert_eq!(total("24: 0 XIVE-MSI 5 Edge nvme0q0"), 0);
    }

    #[test]
    fn an_end_without_the_last_report_is_a_failure() {
        assert!(!end(&Ending::Ended, &[]).passed());
        assert!(end(&Ending::Ended, &said("OPALITE-DEMO: done\n")).passed());
    }

    #[test]
    fn windows_are_listed_by_pe() {
        let console = "[ 0.1] pci 0000:01     : [PE# fd] A\n[ 0.2] pci 0000:01     : [PE# fd] B\n";
        assert_eq!(windows(console), ["pci 0000:01      PE fd: A; B"]);
    }
}
