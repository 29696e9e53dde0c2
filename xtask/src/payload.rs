//! The ring in which a bare-metal program of ours runs in the kernel's place (`tests/payload`): it calls OPAL through
//! the real entry and moves bytes with QEMU's `edu` device. It prints one line per case and powers the machine off.

use crate::{
    board::Board,
    boot,
    console::{self, Ending, Limits, Outcome},
    image, parallel,
    qemu::{Launch, Qemu},
    report::{self, Check},
};
use anyhow::Result;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

const LIMITS: Limits =
    Limits { total: Duration::from_secs(300), silence: Duration::from_secs(120), show: false };
/// Two devices in PEs of their own. `edu` is conventional PCI, which QEMU's root ports take. (QEMU 7.2 ends itself when one moves
/// as many bytes as it holds.)
const DEVICES: &[&str] =
    &["edu,bus=pcie.0,dma_mask=0xffffffffffffffff", "edu,bus=pcie.1,dma_mask=0xffffffffffffffff"];

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

/// Machines that it runs on.
const MACHINES: [&str; 4] = ["powernv8", "powernv9", "powernv10", "powernv11"];

/// Runs it on our firmware and on QEMU's own, or on the one that is named, and gives its cases.
pub fn run(firmware: Option<&str>) -> Result<Vec<Check>> {
    let payload = image::payload()?;
    // One image boots all machines.
    let image = boot::firmware(firmware, &Board::named(MACHINES[0])?)?;
    let mut runs: Vec<_> = MACHINES.iter().map(|machine| (*machine, image.clone())).collect();
    if firmware.is_none() {
        runs.push(("powernv9", None));
    }
    // Whatever isn't there is fetched before two look for it at once.
    for machine in MACHINES {
        Qemu::select(&Board::named(machine)?.qemu.version)?;
    }
    let results = parallel::each(&runs, |(machine, image)| one(machine, image.clone(), &payload))?;
    let checks: Result<Vec<_>> = results.into_iter().collect();
    Ok(checks?.concat())
}

fn one(machine: &str, firmware: Option<PathBuf>, payload: &Path) -> Result<Vec<Check>> {
    let skiboot = firmware.is_none();
    let name = format!("payload on {machine}{}", if skiboot { " under skiboot" } else { "" });
    let board = Board::named(machine)?;
    let mut launch = Launch::new(&board, Qemu::select(&board.qemu.version)?, payload.into());
    launch.firmware = firmware;
    launch.append.clear();
    if !skiboot {
        launch.append.push_str(HOSTILE);
        launch.extra.extend(["-icount".into(), CLOCK.into()]);
    }
    DEVICES.iter().for_each(|device| launch.device(device));
    report::step(&format!("running the {name}"));
    let outcome = console::run(&launch, LIMITS, &mut |_| None)?;
    boot::keep_log(&name.replace(' ', "-"), &outcome.console)?;
    Ok(judge(&name, machine, outcome, skiboot))
}

fn judge(run: &str, machine: &str, Outcome { console, ending, .. }: Outcome, skiboot: bool) -> Vec<Check> {
    let named = |name: &str| format!("{run}: {name}");
    let (mut ok, mut failed) = (Vec::new(), Vec::new());
    let mut checks = Vec::new();
    for line in console.lines() {
        if let Some(name) = line.strip_prefix("CASE ok ").map(str::trim) {
            ok.push(name);
            checks.push(if skiboot && SKIBOOTS_FAULTS.contains(&name) {
                Check::failed(&named(name), "skiboot no longer has this fault: mend the list")
            } else {
                Check::ok(&named(name), "")
            });
        } else if let Some(text) = line.strip_prefix("CASE FAIL ") {
            let (name, why) = text.split_once(": ").unwrap_or((text, ""));
            failed.push(name.trim());
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
    // A page size that firmware no longer offers, or a case that isn't there, would be missed by nobody else.
    for size in page_sizes(machine) {
        let name = format!("1 levels of {size} KiB pages in window 0");
        if !ok.contains(&name.as_str()) {
            checks.push(Check::failed(&named(&name), "it didn't run"));
        }
    }
    for name in SKIBOOTS_FAULTS.iter().filter(|name| skiboot && !failed.contains(name)) {
        checks.push(Check::failed(&named(name), "skiboot no longer fails it, or it didn't run"));
    }
    let total = format!("payload: {} passed, {} failed", ok.len(), failed.len());
    let said = console.lines().find(|line| line.starts_with("payload: ") && line.contains(" passed, "));
    match (&ending, said) {
        (Ending::Ended, Some(line)) if line == total => checks.push(Check::ok(&named("end"), line)),
        (Ending::Ended, Some(line)) => {
            checks.push(Check::failed(&named("end"), format!("{line}; but the lines say {total}")));
        }
        (Ending::Ended, None) => checks.push(Check::failed(&named("end"), "it ended without its totals")),
        (other, _) => checks.push(Check::failed(&named("end"), other.sentence())),
    }
    checks
}

/// In KiB: what the machine's bridges translate.
fn page_sizes(machine: &str) -> [u32; 4] {
    match machine {
        "powernv8" => [4, 64, 16 << 10, 256 << 10],
        _ => [4, 64, 2 << 10, 1 << 20],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What passed of a run on powernv9 that printed this, after the lines of its page sizes.
    fn failed(console: &str, ending: Ending, skiboot: bool) -> Vec<String> {
        let sizes: String = page_sizes("powernv9")
            .iter()
            .map(|size| format!("CASE ok   1 levels of {size} KiB pages in window 0\n"))
            .collect();
        let outcome = Outcome { console: sizes + console, ending, time: Duration::ZERO };
        let checks = judge("run", "powernv9", outcome, skiboot);
        checks.into_iter().filter(|check| !check.passed()).map(|check| check.name).collect()
    }

    #[test]
    fn each_case_counts_and_so_does_a_missing_end() {
        let case = "CASE ok   reads\nCASE FAIL writes: lost (0x1, 0x2)\n";
        let end = format!("{case}payload: 5 passed, 1 failed\n");
        assert_eq!(failed(&end, Ending::Ended, false), ["run: writes"]);
        assert_eq!(failed(case, Ending::Ended, false), ["run: writes", "run: end"]);
        let late = Ending::Timeout(Duration::from_secs(1));
        assert_eq!(failed(&end, late, false), ["run: writes", "run: end"]);
    }

    #[test]
    fn a_line_that_came_garbled_or_not_at_all_is_missed() {
        let garbled = "CASE ok   reads\nCA[ 1.0] SE FAIL writes\npayload: 5 passed, 1 failed\n";
        assert_eq!(failed(garbled, Ending::Ended, false), ["run: end"]);
        let outcome = Outcome {
            console: "payload: 0 passed, 0 failed\n".into(),
            ending: Ending::Ended,
            time: Duration::ZERO,
        };
        assert_eq!(
            judge("run", "powernv8", outcome, false).iter().filter(|check| !check.passed()).count(),
            4
        );
    }

    #[test]
    fn skiboot_must_fail_what_shows_its_faults_and_nothing_else() {
        let fails = |names: &[&str]| {
            let lines: String =
                names.iter().map(|name| format!("CASE FAIL {name}: end (0x1, 0x2)\n")).collect();
            format!("{lines}payload: 4 passed, {} failed\n", names.len())
        };
        assert!(failed(&fails(SKIBOOTS_FAULTS), Ending::Ended, true).is_empty());
        assert_eq!(failed(&fails(&SKIBOOTS_FAULTS[1..]), Ending::Ended, true).len(), 1);
        let [first, others @ ..] = SKIBOOTS_FAULTS else { panic!() };
        let mended = format!("CASE ok   {first}\n{}", fails(others)).replace("4 passed", "5 passed");
        assert_eq!(failed(&mended, Ending::Ended, true).len(), 2);
    }
}
