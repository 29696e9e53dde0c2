//! The ring in which a bare-metal program of ours runs in the kernel's place (`tests/payload`): it calls OPAL through
//! the real entry and moves bytes with QEMU's `edu` device. It prints one line per case and powers the machine off.

use crate::{
    board::Board,
    boot,
    console::{self, Ending, Limits, Outcome},
    image,
    qemu::{Launch, Qemu},
    report::{self, Check},
};
use anyhow::Result;
use std::time::Duration;

const LIMITS: Limits =
    Limits { total: Duration::from_secs(300), silence: Duration::from_secs(60), show: false };
/// Two devices in PEs of their own. `edu` is conventional PCI, which QEMU's root ports take.
const DEVICES: &[&str] =
    &["edu,bus=pcie.0,dma_mask=0xffffffffffffffff", "edu,bus=pcie.1,dma_mask=0xffffffffffffffff"];

/// QEMU 7.2 ends itself when `edu` moves as many bytes as it holds.
const QEMU: &str = "10";

/// Pseudo-random hostile calls, after which all cases run once more. Skiboot doesn't survive a thousand of them.
const HOSTILE: &str = "hostile=1000000";

/// An instruction takes a microsecond of the machine's time. `edu` waits a tenth of a second for each transfer, and the
/// payload, which polls meanwhile, gets there in 100 000 instructions. Skiboot ends early with it.
const CLOCK: &str = "shift=10";

/// Cases that show a fault of skiboot (B7; B6, B9, B10 and B11; B3 and B4 of the reference): it must fail them and no others,
/// so that what only our firmware passes is known for what it is.
const SKIBOOTS_FAULTS: &[&str] = &[
    "a bypass window ends below firmware",
    "bad windows that skiboot lets through are refused",
    "the 4 GiB mode takes its windows and keeps itself",
];

/// Runs it on our firmware and on QEMU's own, or on the one that is named, and gives its cases.
pub fn run(firmware: Option<&str>) -> Result<Vec<Check>> {
    let mut runs = vec![("powernv8", firmware), ("powernv9", firmware), ("powernv10", firmware)];
    if firmware.is_none() {
        runs.push(("powernv9", Some("skiboot")));
    }
    let mut checks = Vec::new();
    for (machine, firmware) in runs {
        let skiboot = firmware == Some("skiboot");
        let name = format!("payload on {machine}{}", if skiboot { " under skiboot" } else { "" });
        checks.extend(judge(&name, run_on(machine, firmware, &name)?, skiboot));
    }
    Ok(checks)
}

fn run_on(machine: &str, firmware: Option<&str>, name: &str) -> Result<Outcome> {
    let board = Board::named(machine)?;
    let mut launch = Launch::new(&board, Qemu::select(QEMU)?, image::payload()?);
    launch.firmware = boot::firmware(firmware, &board)?;
    launch.append.clear();
    if firmware != Some("skiboot") {
        launch.append.push_str(HOSTILE);
        launch.extra.extend(["-icount".into(), CLOCK.into()]);
    }
    DEVICES.iter().for_each(|device| launch.device(device));
    report::step(&format!("running the {name}"));
    let outcome = console::run(&launch, LIMITS, &mut |_| None)?;
    boot::keep_log(&name.replace(' ', "-"), &outcome.console)?;
    Ok(outcome)
}

fn judge(run: &str, Outcome { console, ending, .. }: Outcome, skiboot: bool) -> Vec<Check> {
    let named = |name: &str| format!("{run}: {name}");
    let mut checks = Vec::new();
    for line in console.lines() {
        if let Some(name) = line.strip_prefix("CASE ok ").map(str::trim) {
            checks.push(if skiboot && SKIBOOTS_FAULTS.contains(&name) {
                Check::failed(&named(name), "skiboot no longer has this fault: mend the list")
            } else {
                Check::ok(&named(name), "")
            });
        } else if let Some(text) = line.strip_prefix("CASE FAIL ") {
            let (name, why) = text.split_once(": ").unwrap_or((text, ""));
            checks.push(if skiboot && SKIBOOTS_FAULTS.contains(&name.trim()) {
                Check::ok(&named(name.trim()), format!("fails, as it is known to: {why}"))
            } else {
                Check::failed(&named(name.trim()), why)
            });
        } else if let Some(text) = line.strip_prefix("CASE skip ") {
            let (name, why) = text.split_once(": ").unwrap_or((text, ""));
            checks.push(if skiboot {
                Check::ok(&named(name), format!("skipped: {why}"))
            } else {
                Check::failed(&named(name), why)
            });
        } else if line.starts_with("PAYLOAD PANIC") {
            checks.push(Check::failed(&named("run"), line));
        }
    }
    let total = console.lines().find(|line| line.starts_with("payload: ") && line.contains(" passed, "));
    match (&ending, total) {
        (Ending::Ended, Some(line)) => checks.push(Check::ok(&named("end"), line)),
        (Ending::Ended, None) => checks.push(Check::failed(&named("end"), "it ended without its totals")),
        (other, _) => checks.push(Check::failed(&named("end"), other.sentence())),
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_counts_and_so_does_a_missing_end() {
        let console = "CASE ok   reads\nCASE FAIL writes: lost (0x1, 0x2)\npayload: 1 passed, 1 failed\n";
        let passed = |console: &str, ending, skiboot| {
            let outcome = Outcome { console: console.into(), ending, time: Duration::ZERO };
            judge("run", outcome, skiboot).iter().map(Check::passed).collect::<Vec<_>>()
        };
        assert_eq!(passed(console, Ending::Ended, false), [true, false, true]);
        assert_eq!(passed("CASE ok   reads\n", Ending::Ended, false), [true, false]);
        let late = Ending::Timeout(Duration::from_secs(1));
        assert_eq!(passed(console, late, false), [true, false, false]);
    }

    #[test]
    fn skiboot_must_fail_what_shows_its_faults_and_nothing_else() {
        let passed = |console: &str| {
            let outcome = Outcome { console: console.into(), ending: Ending::Ended, time: Duration::ZERO };
            judge("run", outcome, true).iter().map(Check::passed).collect::<Vec<_>>()
        };
        let end = "payload: 1 passed, 1 failed\n";
        let fault = SKIBOOTS_FAULTS[0];
        assert_eq!(
            passed(&format!("CASE FAIL {fault}: end (0x1, 0x2)\nCASE ok   reads\n{end}")),
            [true, true, true]
        );
        assert_eq!(
            passed(&format!("CASE ok   {fault}\nCASE FAIL reads: lost (0x1, 0x2)\n{end}")),
            [false, false, true]
        );
    }
}
