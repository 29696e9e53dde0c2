//! `cargo xtask test nested`: a virtual machine inside the machine. Linux runs on our firmware; in it QEMU starts a
//! pseries guest under KVM, with the disk and the network card passed through; the guest opens its own DMA window and
//! moves data; then both devices go back to the host. What the host's kernel asked of the firmware is traced.

mod judge;
mod trace;
mod tree;

use crate::{
    board::Board,
    boot::{self, Plan},
    checks,
    console::{Ending, Limits},
    cpio::Archive,
    fetch::Kernel,
    proof,
    qemu::{Launch, Qemu},
    report::{self, Check, seconds},
    test::PATIENCE,
};
use anyhow::{Context, Result, bail};
use std::{fs, path::Path, time::Duration};

/// One run.
struct Run {
    name: &'static str,
    kernel: Kernel,
    /// The host's pages.
    page_size: u64,
    /// The guest's interrupt controller: KVM's native XIVE takes only queues of 64 KiB, which need pages of that size.
    controller: &'static str,
    /// CPUs of the host, and of the guest.
    smp: u32,
}

const RUNS: &[Run] = &[
    Run { name: "nested-4k", kernel: Kernel::V6_12, page_size: 0x1000, controller: "xics", smp: 1 },
    Run { name: "nested-64k", kernel: Kernel::V6_12With64K, page_size: 0x1_0000, controller: "xive", smp: 2 },
];
const LIMITS: Limits =
    Limits { total: Duration::from_secs(600), silence: Duration::from_secs(150), show: false };
const DEVICES: &[&str] =
    &["nvme,serial=opalite,drive=disk,bus=pcie.0", "e1000e,netdev=net,romfile=,bus=pcie.1"];
const MODULES: &[&str] = &["nvme", "e1000e", "vfio-pci", "vfio_iommu_spapr_tce", "kvm_hv"];
const STEPS: &[&str] = &["nested", "nvme", "net", "irq", "pci", "dma"];

/// Runs those whose names contain `only`, one after another, and gives the checks of all.
pub fn run(only: Option<&str>, firmware: Option<&str>) -> Result<Vec<Check>> {
    let runs: Vec<_> = RUNS.iter().filter(|run| only.is_none_or(|part| run.name.contains(part))).collect();
    if runs.is_empty() {
        bail!("no run has {} in its name", only.unwrap_or_default());
    }
    let board = Board::named("powernv9")?;
    let firmware = boot::firmware(firmware, &board)?;
    let mut checks = Vec::new();
    for run in runs {
        checks.extend(one(run, &board, firmware.as_deref())?);
    }
    Ok(checks)
}

fn one(run: &Run, board: &Board, firmware: Option<&Path>) -> Result<Vec<Check>> {
    let guest = boot::fetched_guest(run.kernel)?;
    let mut more = Archive::default();
    for folder in ["nested", "nested/lib", "nested/share"] {
        more.folder(folder);
    }
    tree::add_qemu(&mut more)?;
    let read = |file: &Path| fs::read(file).with_context(|| format!("reading {}", file.display()));
    more.file("nested/vmlinux", false, &read(&guest.kernel)?);
    more.file("nested/initrd", false, &read(&guest.initrd)?);
    let mut launch = Launch::new(board, Qemu::select("10")?, guest.kernel.clone());
    launch.initrd = Some(proof::initrd(&guest.initrd, "nested", more)?);
    launch.firmware = firmware.map(Path::to_path_buf);
    launch.memory = "4G".into();
    launch.smp = run.smp.to_string();
    launch.append += &format!(" {PATIENCE}");
    report::step(&format!("{}: Linux in Linux, one to three minutes", run.name));
    let strings = |list: &[&str]| list.iter().map(|text| text.to_string()).collect();
    let plan = Plan {
        launch,
        modules: strings(MODULES),
        steps: strings(STEPS),
        devices: strings(DEVICES),
        words: vec![
            "megabytes=16".into(),
            format!("controller={}", run.controller),
            format!("pages={}", run.page_size),
            format!("cpus={}", run.smp),
        ],
        limits: LIMITS,
    };
    let booted = plan.run()?;
    boot::keep_log(run.name, &booted.outcome.console)?;
    let mut found = judge::judge(board, &booted, run.smp as usize)?;
    if booted.outcome.ending == Ending::Ended {
        found.extend(checks::lines(board, &judge::without_guest(&booted.outcome.console))?);
    }
    println!("{} (kernel {}): {}", run.name, run.kernel.name(), seconds(booted.outcome.time));
    Ok(found
        .into_iter()
        .map(|check| Check { name: format!("{}: {}", run.name, check.name), ..check })
        .collect())
}
