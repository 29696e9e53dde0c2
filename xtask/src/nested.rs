//! `cargo xtask test nested`: a virtual machine inside the machine. Linux runs on our firmware; in it QEMU starts a
//! pseries guest under KVM, with the disk and the network card passed through; the guest opens its own DMA window and
//! moves data; then both devices go back to the host. What the host's kernel asked of the firmware is traced.

mod judge;
mod trace;
mod tree;

pub use judge::Times;

use crate::{
    board::Board,
    boot::{self, Guest, Plan},
    cases::MEGABYTES,
    checks,
    console::{Ending, Limits},
    cpio::Archive,
    fetch::Kernel,
    parallel, proof,
    qemu::{Launch, Qemu},
    report::{self, Check, seconds},
    test::{PATIENCE, Sum},
};
use anyhow::{Context, Result, anyhow, bail};
use std::{
    collections::{HashMap, hash_map::Entry},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

/// One run.
struct Run {
    name: &'static str,
    machine: &'static str,
    kernel: Kernel,
    /// The host's pages.
    page_size: u64,
    /// The guest's interrupt controller: KVM's native XIVE takes only queues of 64 KiB, which need pages of that size.
    controller: &'static str,
    /// CPUs of the host, and of the guest.
    smp: u32,
}

const WITH_4K: Run = Run {
    name: "nested-4k",
    machine: "powernv9",
    kernel: Kernel::V6_12,
    page_size: 0x1000,
    controller: "xics",
    smp: 1,
};
const WITH_64K: Run = Run {
    name: "nested-64k",
    kernel: Kernel::V6_12With64K,
    page_size: 0x1_0000,
    controller: "xive",
    smp: 2,
    ..WITH_4K
};
const RUNS: &[Run] = &[
    WITH_4K,
    WITH_64K,
    Run { name: "nested-power10-4k", machine: "powernv10", ..WITH_4K },
    Run { name: "nested-power10-64k", machine: "powernv10", ..WITH_64K },
];
const LIMITS: Limits =
    Limits { total: Duration::from_secs(600), silence: Duration::from_secs(150), show: false };
const DEVICES: &[&str] =
    &["nvme,serial=opalite,drive=disk,bus=pcie.0", "e1000e,netdev=net,romfile=,bus=pcie.1"];
const MODULES: &[&str] = &["nvme", "e1000e", "vfio-pci", "vfio_iommu_spapr_tce", "kvm_hv"];
const STEPS: &[&str] = &["nested", "nvme", "net", "irq", "pci", "dma"];

/// Runs those whose names contain `only`, two at a time; each prints its checks when it is done.
pub fn run(only: Option<&str>, firmware: Option<&str>, sum: &Sum) -> Result<Vec<Check>> {
    let runs: Vec<_> = RUNS.iter().filter(|run| only.is_none_or(|part| run.name.contains(part))).collect();
    if runs.is_empty() {
        bail!("no run has {} in its name", only.unwrap_or_default());
    }
    // One image boots all machines.
    let firmware = boot::firmware(firmware, &Board::named(WITH_4K.machine)?)?;
    let mut guests = HashMap::new();
    for run in &runs {
        if let Entry::Vacant(place) = guests.entry(run.kernel) {
            place.insert(guest(run.kernel)?);
        }
    }
    report::step(&format!("Linux in Linux: {} runs, two at a time", runs.len()));
    let printing = Mutex::new(());
    parallel::each(&runs, |run| {
        let result = match guests.get(&run.kernel) {
            Some(guest) => one(run, guest, firmware.clone()),
            None => Err(anyhow!("no guest")),
        };
        let _alone = printing.lock();
        match result {
            Ok((checks, time)) => {
                println!("{} ({}, kernel {}): {}", run.name, run.machine, run.kernel.name(), seconds(time));
                for check in checks {
                    sum.add(&Check { name: format!("{}: {}", run.name, check.name), ..check });
                }
            }
            Err(error) => sum.add(&Check::failed(run.name, format!("{error:#}"))),
        }
    })?;
    Ok(Vec::new())
}

/// The kernel and its first file system, to which QEMU and both of them are added for the guest inside.
fn guest(kernel: Kernel) -> Result<Guest> {
    let guest = boot::fetched_guest(kernel)?;
    let mut more = Archive::default();
    for folder in ["nested", "nested/lib", "nested/share"] {
        more.folder(folder);
    }
    tree::add_qemu(&mut more)?;
    let read = |file: &Path| fs::read(file).with_context(|| format!("reading {}", file.display()));
    more.file("nested/vmlinux", false, &read(&guest.kernel)?);
    more.file("nested/initrd", false, &read(&guest.initrd)?);
    Ok(Guest { initrd: proof::initrd(&guest.initrd, "nested", more)?, kernel: guest.kernel })
}

fn one(run: &Run, guest: &Guest, firmware: Option<PathBuf>) -> Result<(Vec<Check>, Duration)> {
    let board = Board::named(run.machine)?;
    let booted = plan(run, &board, guest, firmware)?.run()?;
    boot::keep_log(run.name, &booted.outcome.console)?;
    let mut found = judge::judge(&board, &booted, run.smp as usize)?;
    if booted.outcome.ending == Ending::Ended {
        found.extend(checks::lines(&board, &judge::without_guest(&booted.outcome.console), &[])?);
    }
    Ok((found, booted.outcome.time))
}

/// One run on this machine with further arguments for QEMU, for a comparison of firmwares. It must do all that a test's
/// must.
pub fn timed(machine: &str, firmware: Option<PathBuf>, arguments: Vec<OsString>) -> Result<Times> {
    let run = RUNS.iter().find(|run| run.machine == machine);
    let run = run.with_context(|| format!("no nested run on {machine}"))?;
    let board = Board::named(machine)?;
    let mut plan = plan(run, &board, &guest(run.kernel)?, firmware)?;
    plan.launch.extra.extend(arguments);
    let booted = plan.run()?;
    boot::keep_log("nested-timed", &booted.outcome.console)?;
    let found = judge::judge(&board, &booted, run.smp as usize)?;
    if let Some(failed) = found.iter().find(|check| !check.passed()) {
        bail!("{}", failed.line().trim());
    }
    judge::times(&booted.outcome.console).context("the guest didn't say when it read its disk")
}

fn plan(run: &Run, board: &Board, guest: &Guest, firmware: Option<PathBuf>) -> Result<Plan> {
    let mut launch = Launch::new(board, Qemu::select("10")?, guest.kernel.clone());
    launch.initrd = Some(guest.initrd.clone());
    launch.firmware = firmware;
    launch.memory = "4G".into();
    launch.smp = run.smp.to_string();
    launch.append += &format!(" {PATIENCE}");
    let strings = |list: &[&str]| list.iter().map(|text| text.to_string()).collect();
    Ok(Plan {
        launch,
        modules: strings(MODULES),
        steps: strings(STEPS),
        devices: strings(DEVICES),
        words: vec![
            format!("megabytes={MEGABYTES}"),
            format!("controller={}", run.controller),
            format!("pages={}", run.page_size),
            format!("cpus={}", run.smp),
        ],
        limits: LIMITS,
    })
}
