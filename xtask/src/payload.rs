//! The ring in which a bare-metal program of ours runs in the kernel's place (`tests/payload`): it calls OPAL through
//! the real entry and moves bytes with QEMU's `edu` device. It prints one line per case and powers the machine off.

use crate::{
    board::Board,
    boot,
    console::{self, Ending, Limits},
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
const VERSIONS: &[&str] = &["10"];

/// Runs it and gives its cases.
pub fn run(firmware: Option<&str>) -> Result<Vec<Check>> {
    let board = Board::named("powernv9")?;
    let program = image::payload()?;
    let firmware = boot::firmware(firmware, &board)?;
    let mut checks = Vec::new();
    for version in VERSIONS {
        let mut launch = Launch::new(&board, Qemu::select(version)?, program.clone());
        launch.firmware.clone_from(&firmware);
        launch.append.clear();
        DEVICES.iter().for_each(|device| launch.device(device));
        report::step(&format!("running the payload on QEMU {version}"));
        let outcome = console::run(&launch, LIMITS, &mut |_| None)?;
        boot::keep_log(&format!("payload-qemu{version}"), &outcome.console)?;
        checks.extend(judge(version, &outcome.console, &outcome.ending));
    }
    Ok(checks)
}

fn judge(version: &str, console: &str, ending: &Ending) -> Vec<Check> {
    let named = |name: &str| format!("payload on QEMU {version}: {name}");
    let mut checks = Vec::new();
    for line in console.lines() {
        if let Some(name) = line.strip_prefix("CASE ok ") {
            checks.push(Check::ok(&named(name.trim()), ""));
        } else if let Some(text) = line.strip_prefix("CASE FAIL ") {
            let (name, why) = text.split_once(": ").unwrap_or((text, ""));
            checks.push(Check::failed(&named(name.trim()), why));
        } else if line.starts_with("PAYLOAD PANIC") {
            checks.push(Check::failed(&named("run"), line));
        }
    }
    let total = console.lines().find(|line| line.starts_with("payload: ") && line.contains(" passed, "));
    match (ending, total) {
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
        let passed = |checks: &[Check]| checks.iter().map(Check::passed).collect::<Vec<_>>();
        assert_eq!(passed(&judge("10", console, &Ending::Ended)), [true, false, true]);
        assert_eq!(passed(&judge("10", "CASE ok   reads\n", &Ending::Ended)), [true, false]);
        let late = Ending::Timeout(Duration::from_secs(1));
        assert_eq!(passed(&judge("10", console, &late)), [true, false, false]);
    }
}
