//! What a boot must have done, as data, and the judging of it.

use crate::{
    board::Board,
    boot::{Booted, LONG_LINE},
    calls,
    console::{Ending, Outcome},
    excused::excused,
    proof,
    report::Check,
    said::{self, Said},
    traffic::{self, Traffic},
    windows,
};
use anyhow::Result;
use regex::Regex;
use std::time::{SystemTime, UNIX_EPOCH};

/// Something that a boot must have done.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// All of these.
    All(&'static [Expect]),
    /// So many MiB written through NVMe came back, and the host finds them too.
    Nvme(usize),
    /// The network card answered pings and moved bytes both ways.
    Net,
    /// A SCSI or USB disk gave the host's bytes and took the guest's.
    Disk,
    /// A message-signalled interrupt of this name was counted.
    Msi(&'static str),
    /// A level-signalled one was.
    Lsi(&'static str),
    /// The driver of this name limited its device to so many address bits.
    Mask(&'static str, u32),
    /// The kernel printed this (a regular expression).
    Line(&'static str),
    /// The kernel didn't.
    NoLine(&'static str),
    /// The console has so many lines that match this.
    Times(&'static str, usize),
    /// One MiB of numbered lines arrived complete and in order.
    Lines,
    /// What was typed at the console arrived.
    Typed,
    /// The clock tells the host's time.
    Clock,
    /// The clock tells what it was set to.
    ClockSet,
    /// The firmware's text about DMA windows says what the kernel says.
    Windows,
    /// NVRAM keeps what is written.
    Nvram,
    /// The VFIO proof passed, case by case.
    Vfio,
    /// And it left out so many cases for want of huge pages.
    VfioSkips(usize),
    /// The KVM proof passed, case by case.
    Kvm,
    /// These OPAL calls were made, and none failed.
    Calls(&'static [u64]),
    /// So many CPUs work.
    Cpus(usize),
    /// So many CPUs were interrupted by others.
    Ipis(usize),
    /// The kernel maps memory by radix pages of 1 GiB. (6.12 does where each chip has more than one GiB.)
    GibPages,
    /// The guest rebooted, found on its disk what it wrote before, and powered off.
    Reboot,
}

impl Expect {
    /// Is it more than can be expected of QEMU's own firmware? That keeps the time in QEMU's BMC, which gives a time set n
    /// seconds ahead back as n seconds behind; it doesn't announce the pages that radix translation has, so Linux has
    /// neither huge nor large pages under it; it has no text about windows, and no NVRAM without a flash.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::All(all) if all.iter().any(|one| one.is_ours()))
            || matches!(
                self,
                Self::ClockSet | Self::VfioSkips(_) | Self::Windows | Self::Nvram | Self::GibPages
            )
    }
}

/// Judges a boot: how it ended, what the guest reported as failed, and each thing expected.
pub fn judge(booted: &Booted, expected: &[Expect]) -> Vec<Check> {
    let console = &booted.outcome.console;
    let reports = said::said(console);
    let mut checks = Vec::new();
    if booted.outcome.ending != Ending::Ended {
        checks.push(Check::failed("run", booted.outcome.ending.sentence()));
    }
    checks.push(Check::that("kernel starts", said::kernel_lines(console).next().is_some(), ""));
    for report in &reports {
        if let Some(why) = report.text.strip_prefix("failed ") {
            checks.push(Check::failed(&report.about, why));
        }
    }
    for expectation in expected {
        checks.extend(one(booted, &reports, *expectation));
    }
    if booted.outcome.ending == Ending::Ended {
        let done = reports.iter().any(|report| report.about == "done");
        checks.push(Check::that(
            "power-off",
            done,
            if done { "" } else { "QEMU ended before the guest was done" },
        ));
    } else {
        // What the run didn't come to is not a finding of its own.
        let first = checks.remove(0);
        checks.retain(Check::passed);
        checks.push(first);
    }
    checks
}

/// The board's lines that must and must not appear, in a boot with these steps.
pub fn lines(board: &Board, console: &str, steps: &[&str]) -> Result<Vec<Check>> {
    let lines: Vec<_> = by_kernel(console).collect();
    let mut checks = Vec::new();
    for pattern in board.patterns("must-appear.txt")? {
        // After a reboot or a kexec the last kernel must say it once more.
        if !said::last_kernel_lines(console).any(|line| pattern.is_match(line)) {
            checks.push(Check::failed("line that must appear", pattern.as_str()));
        }
    }
    let excused = excused(&lines, steps);
    let judged = lines.iter().zip(&excused).filter(|(_, excused)| !**excused).map(|(line, _)| *line);
    checks.extend(forbidden(board, judged)?);
    if checks.is_empty() {
        let mut text = format!("{} lines", lines.len());
        if excused.contains(&true) {
            text += ", some of the kernel's own excused";
        }
        checks.push(Check::ok("kernel's messages", text));
    }
    Ok(checks)
}

/// The command line is what we said, not what the kernel says.
fn by_kernel(console: &str) -> impl Iterator<Item = &str> + Clone {
    said::kernel_lines(console).filter(|line| !line.starts_with("Kernel command line:"))
}

fn forbidden<'a>(board: &Board, lines: impl Iterator<Item = &'a str> + Clone) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for pattern in board.patterns("must-not-appear.txt")? {
        if let Some(line) = lines.clone().find(|line| pattern.is_match(line)) {
            checks.push(Check::failed("line that must not appear", format!("{line} (pattern: {pattern})")));
        }
    }
    Ok(checks)
}

/// The boot of QEMU's own firmware beside ours: it came to its end, the patterns of what must not appear let it pass, and
/// it found the same devices.
pub fn beside(board: &Board, ours: &str, other: &Outcome) -> Result<Vec<Check>> {
    let theirs = &other.console;
    if other.ending != Ending::Ended {
        return Ok(vec![Check::failed("QEMU's own firmware", other.ending.sentence())]);
    }
    let named = |check: Check| Check { name: format!("QEMU's own firmware: {}", check.name), ..check };
    let mut checks: Vec<_> = forbidden(board, by_kernel(theirs))?.into_iter().map(named).collect();
    checks.push(same_devices(ours, theirs));
    Ok(checks)
}

/// The same devices with the same BARs under both firmwares.
fn same_devices(ours: &str, theirs: &str) -> Check {
    let list = |console: &str| -> Vec<_> {
        said::pci_devices(&said::said(console)).iter().map(said::PciDevice::identity).collect()
    };
    let (ours, theirs) = (list(ours), list(theirs));
    let name = "PCI devices as under QEMU's own firmware";
    let extra =
        ours.iter().find(|device| !theirs.contains(device)).map(|device| format!("only here: {device}"));
    let missing =
        theirs.iter().find(|device| !ours.contains(device)).map(|device| format!("missing here: {device}"));
    match (extra, missing) {
        (None, None) if ours == theirs && !ours.is_empty() => {
            Check::ok(name, format!("{} devices", ours.len()))
        }
        (None, None) => {
            Check::failed(name, format!("{} here, {} there, or another order", ours.len(), theirs.len()))
        }
        (extra, missing) => {
            Check::failed(name, [missing, extra].into_iter().flatten().collect::<Vec<_>>().join("; "))
        }
    }
}

fn one(booted: &Booted, reports: &[Said], expectation: Expect) -> Vec<Check> {
    let console = &booted.outcome.console;
    let count = |name: &str, level: bool| interrupts(reports, name, level);
    vec![match expectation {
        Expect::All(all) => return all.iter().flat_map(|expect| one(booted, reports, *expect)).collect(),
        Expect::Nvme(megabytes) => return nvme(booted, reports, megabytes),
        Expect::Net => return net(booted.traffic.as_ref(), reports),
        Expect::Disk => return disk(booted, reports),
        Expect::Typed => return typed(reports),
        Expect::Vfio => return proof::judge(proof::VFIO, console),
        Expect::VfioSkips(cases) => proof::skips(console, cases),
        Expect::Kvm => return proof::judge(proof::KVM, console),
        Expect::Calls(calls) => return calls::judge(reports, calls),
        Expect::Cpus(wanted) => return cpus(reports, wanted),
        Expect::Clock => clock(reports),
        Expect::ClockSet => clock_set(reports),
        Expect::Lines => numbered_lines(console),
        Expect::Msi(name) => Check::that(
            &format!("interrupts (MSI) of {name}"),
            count(name, false) > 0,
            count(name, false).to_string(),
        ),
        Expect::Lsi(name) => Check::that(
            &format!("interrupts (LSI) of {name}"),
            count(name, true) > 0,
            count(name, true).to_string(),
        ),
        Expect::Mask(driver, bits) => {
            let found = said::pci_devices(reports).into_iter().find(|device| device.driver == driver);
            let mask = found.map_or(0, |device| device.mask);
            Check::that("DMA mask", mask == bits, format!("{driver} addresses {mask} bits, expected {bits}"))
        }
        Expect::Line(pattern) => line(console, pattern, true),
        Expect::NoLine(pattern) => line(console, pattern, false),
        Expect::Times(pattern, wanted) => times(console, pattern, wanted),
        Expect::Windows => match windows::agree(console) {
            Ok(note) => Check::ok("windows as the firmware tells", note),
            Err(error) => Check::failed("windows as the firmware tells", format!("{error:#}")),
        },
        Expect::Nvram => {
            let state = find(reports, "nvram", "written").unwrap_or("no report");
            Check::that("nvram", state == "yes", state)
        }
        Expect::Ipis(wanted) => ipis(reports, wanted),
        Expect::GibPages => line(console, r"radix-mmu: Mapped .* with 1\.00 GiB pages", true),
        Expect::Reboot => reboot(console, reports),
    }]
}

/// The value of `key=` in the first report about something.
pub fn find<'a>(reports: &'a [Said], about: &str, key: &str) -> Option<&'a str> {
    reports.iter().find(|report| report.about == about)?.value(key)
}

fn text<'a>(reports: &'a [Said], about: &str) -> &'a str {
    reports.iter().find(|report| report.about == about).map_or("nothing", |report| &report.text)
}

fn nvme(booted: &Booted, reports: &[Said], megabytes: usize) -> Vec<Check> {
    let Some(written) = find(reports, "nvme-write", "sha") else {
        return vec![Check::failed("nvme write", "the guest didn't report it")];
    };
    let size = find(reports, "nvme-write", "bytes").and_then(|text| text.parse().ok()).unwrap_or(0_usize);
    let on_host = booted.sum("disk", size).unwrap_or_else(|error| error.to_string());
    let read = find(reports, "nvme-read", "sha").unwrap_or("nothing");
    vec![
        Check::that(
            "nvme write",
            size == megabytes << 20 && on_host == written,
            format!(
                "{} of {megabytes} MiB; guest wrote {}, host finds {}",
                size >> 20,
                short(written),
                short(&on_host)
            ),
        ),
        Check::that("nvme read", read == written, format!("guest read back {}", short(read))),
    ]
}

fn disk(booted: &Booted, reports: &[Said]) -> Vec<Check> {
    let wanted = traffic::sha256(&traffic::pattern(crate::boot::STICK_BYTES, 1));
    let read = find(reports, "sd-read", "sha").unwrap_or("nothing");
    let written = find(reports, "sd-write", "sha").unwrap_or("nothing");
    let bytes = find(reports, "sd-write", "bytes").and_then(|text| text.parse().ok()).unwrap_or(0);
    let on_host = booted.sum("stick", bytes).unwrap_or_else(|error| error.to_string());
    let again = find(reports, "sd-again", "sha").unwrap_or("nothing");
    vec![
        Check::that(
            "disk read",
            read == wanted,
            format!("8 MiB; guest read {}, host had {}", short(read), short(&wanted)),
        ),
        Check::that(
            "disk write",
            bytes == 4 << 20 && on_host == written && again == written,
            format!(
                "guest wrote {}, read back {}, host finds {}",
                short(written),
                short(again),
                short(&on_host)
            ),
        ),
    ]
}

/// What the step `net` reported, beside what the other end of the network saw.
pub fn net(traffic: Option<&Traffic>, reports: &[Said]) -> Vec<Check> {
    let Some(traffic) = traffic else { return vec![Check::failed("net", "no card was plugged in")] };
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

fn typed(reports: &[Said]) -> Vec<Check> {
    let long = text(reports, "input-long");
    let shell = text(reports, "input-shell");
    vec![
        Check::that(
            "long line typed",
            long == LONG_LINE,
            format!("{} of {} characters", long.len(), LONG_LINE.len()),
        ),
        Check::that("command typed", shell == "typed-42", shell),
    ]
}

fn clock(reports: &[Said]) -> Check {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let told = find(reports, "rtc-read", "epoch").and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let report = text(reports, "rtc-read");
    // The boot itself took a while since the clock was read.
    Check::that("clock read", report.contains("opal") && now.abs_diff(told) < 600, report)
}

fn clock_set(reports: &[Said]) -> Check {
    let (date, time) = (find(reports, "rtc-set", "date"), find(reports, "rtc-set", "time"));
    let set = date == Some("2031-02-03") && time.is_some_and(|time| time.starts_with("04:05:"));
    Check::that("clock set", set, text(reports, "rtc-set"))
}

/// Every CPU is there and worked.
pub fn cpus(reports: &[Said], wanted: usize) -> Vec<Check> {
    let count = find(reports, "cpus", "count").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut sums: Vec<_> =
        reports.iter().filter(|r| r.about == "cpu").filter_map(|r| r.value("sum")).collect();
    let worked = sums.len();
    sums.dedup();
    vec![
        Check::that("cpus up", count == wanted, format!("{count} of {wanted}")),
        Check::that("cpus work", worked == wanted && sums.len() == 1, format!("{worked} of {wanted}")),
    ]
}

/// What `guest/smp.sh` counts on each CPU.
fn ipis(reports: &[Said], wanted: usize) -> Check {
    let counts: Vec<u64> =
        text(reports, "ipis").split_whitespace().map_while(|count| count.parse().ok()).collect();
    let met = counts.len() == wanted && counts.iter().all(|count| *count > 0);
    Check::that("interrupts between CPUs", met, format!("{counts:?} on {wanted}"))
}

/// What `guest/reboot.sh` did, in this order.
fn reboot(console: &str, reports: &[Said]) -> Check {
    let mut lines = said::kernel_lines(console);
    for step in [
        "Linux version ",
        "reboot first mark=none",
        "reboot: Restarting system",
        "Linux version ",
        "reboot second",
    ] {
        if !lines.any(|line| line.contains(step)) {
            return Check::failed("reboot", format!("it didn't come to {step:?}"));
        }
    }
    let told = |which| reports.iter().find(|r| r.about == "reboot" && r.text.starts_with(which));
    let mark = |which, key| told(which).and_then(|report| report.value(key));
    let (written, read) = (mark("first", "wrote"), mark("second", "mark"));
    let once = lines.all(|line| !line.starts_with("Linux version "));
    let down = said::kernel_lines(console).any(|line| line.contains("reboot: Power down"));
    Check::that(
        "reboot",
        once && down && written.is_some() && written == read,
        format!("wrote mark {}, read {}", written.unwrap_or("none"), read.unwrap_or("none")),
    )
}

fn line(console: &str, pattern: &str, wanted: bool) -> Check {
    let regex = match Regex::new(pattern) {
        Ok(regex) => regex,
        Err(error) => return Check::failed("pattern", error.to_string()),
    };
    let found = said::kernel_lines(console).find(|line| regex.is_match(line));
    match (wanted, found) {
        (true, Some(line)) => Check::ok("kernel says", line),
        (true, None) => Check::failed("kernel says", format!("no line matches {pattern}")),
        (false, Some(line)) => Check::failed("kernel doesn't say", line),
        (false, None) => Check::ok("kernel doesn't say", pattern),
    }
}

fn times(console: &str, pattern: &str, wanted: usize) -> Check {
    let found = Regex::new(pattern)
        .map(|regex| console.lines().filter(|line| regex.is_match(line.trim_end())).count())
        .map_err(|error| error.to_string());
    let name = "lines on the console";
    match found {
        Ok(count) => Check::that(name, count == wanted, format!("{count} of {wanted} match {pattern}")),
        Err(error) => Check::failed(name, error),
    }
}

/// `24: 100 7 XIVE-IRQ 5 Level eth0`: the counts of all CPUs, over all lines of this kind that name it.
pub fn interrupts(reports: &[Said], name: &str, level: bool) -> u64 {
    reports
        .iter()
        .filter(|report| report.about == "irq" && report.text.contains(name))
        .filter(|report| {
            report.text.split_whitespace().any(|word| word == if level { "Level" } else { "Edge" })
        })
        .map(|report| total(&report.text))
        .sum()
}

fn total(line: &str) -> u64 {
    line.split_whitespace().skip(1).map_while(|word| word.parse::<u64>().ok()).sum()
}

/// What `guest/console.sh` prints between its marks.
fn numbered_lines(console: &str) -> Check {
    let name = "1 MiB on the console";
    let mut lines = console.lines().skip_while(|line| *line != "OPALITE-LINES begin").skip(1);
    for number in 1..=16384 {
        let wanted = format!("{number:08} abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWX");
        match lines.next() {
            Some(line) if line == wanted => {}
            Some(line) => return Check::failed(name, format!("line {number} reads {line:?}")),
            None => return Check::failed(name, format!("it stops before line {number}")),
        }
    }
    Check::that(name, lines.next() == Some("OPALITE-LINES end"), "16384 numbered lines")
}

/// A sum as a person compares it.
pub fn short(sum: &str) -> &str {
    sum.get(..12).unwrap_or(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_all_cpus_are_added_and_kinds_are_told_apart() {
        let reports = said::said(
            "OPALITE-DEMO: irq 48: 100 7 PNV-PCI-MSI 5 Edge nvme0q0\nOPALITE-DEMO: irq 49: 3 PNV-PCI-MSI 6 Edge nvme0q1\n\
             OPALITE-DEMO: irq 44: 9 XIVE-IRQ 7 Level eth0\nOPALITE-DEMO: irq 45: 0 XIVE-IRQ 7 Level ahci\n",
        );
        assert_eq!(interrupts(&reports, "nvme0q", false), 110);
        assert_eq!(interrupts(&reports, "nvme0q", true), 0);
        assert_eq!(interrupts(&reports, "eth0", true), 9);
        assert_eq!(interrupts(&reports, "ahci", true), 0);
    }

    #[test]
    fn a_missing_or_broken_line_is_named() {
        let mut text = String::from("x\nOPALITE-LINES begin\n");
        for number in 1..=16384 {
            text += &format!("{number:08} abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWX\n");
        }
        text += "OPALITE-LINES end\n";
        assert!(numbered_lines(&text).passed());
        let hole = text.replace("\n00000077 ", "\n0000077 ");
        assert!(numbered_lines(&hole).result.unwrap_err().contains("line 77 "));
        assert!(!numbered_lines("OPALITE-LINES begin\n").passed());
    }

    #[test]
    fn device_lists_differ_by_a_device_or_by_a_size() {
        let device = |size: &str| {
            format!("OPALITE-DEMO: pci 0000:01:00.0 0x1:0x2 0x3 driver= mask=32 0:0x10000-{size}/0x200\n")
        };
        let (small, big) = (device("0x10fff"), device("0x11fff"));
        assert!(same_devices(&small, &small).passed());
        assert!(!same_devices(&small, &big).passed());
        assert!(!same_devices("", &small).passed());
        assert!(!same_devices("", "").passed());
    }

    #[test]
    fn a_cpu_that_nobody_interrupted_is_noticed() {
        let judged = |line: &str| ipis(&said::said(&format!("OPALITE-DEMO: ipis {line}\n")), 2).passed();
        assert!(judged("15 3 "));
        assert!(!judged("15 0 ") && !judged("15 ") && !judged("15 3 4 ") && !judged(""));
    }

    #[test]
    fn a_reboot_is_two_kernels_and_a_mark_that_both_know() {
        let good = "[ 0.0] Linux version 6\n[ 1.0] OPALITE-DEMO: reboot first mark=none wrote=ab\n\
                    [ 1.1] reboot: Restarting system\n[ 0.0] Linux version 6\n\
                    [ 1.0] OPALITE-DEMO: reboot second mark=ab\n[ 2.0] reboot: Power down\n";
        let passed = |console: &str| reboot(console, &said::said(console)).passed();
        assert!(passed(good));
        assert!(!passed(&good.replace("second mark=ab", "second mark=cd")));
        assert!(!passed(&good.replace("Power down", "System halted")));
        assert!(!passed(&format!("{good}[ 0.0] Linux version 6\n")));
        // QEMU ended at the first kernel's request.
        assert!(!passed(&good[..good.find("Restarting").unwrap()]));
    }

    #[test]
    fn lines_of_the_board_are_looked_for_in_the_kernel_only() {
        let board = Board::named("powernv9").unwrap();
        let failed = |console: &str| -> Vec<String> {
            lines(&board, console, &[]).unwrap().into_iter().filter_map(|check| check.result.err()).collect()
        };
        let good = "[ 0.1,3] BUG: of the firmware\n[ 0.0] Linux version 6.12\n";
        assert!(!failed(good).iter().any(|why| why.contains("BUG") || why.contains("Linux version")));
        assert!(
            failed(&format!("{good}[ 1.0] BUG: Bad page\n")).iter().any(|why| why.contains("BUG: Bad page"))
        );
        let clock = "Marking clocksource 'timebase' as unstable because the skew is too large";
        assert!(
            failed(&format!("{good}[ 1.0] {clock}\n")).iter().any(|why| why.contains(clock)),
            "CPUs whose timebases don't agree"
        );
    }
}
