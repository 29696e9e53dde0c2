//! `cargo xtask bench`: how many guest instructions firmware takes, beside QEMU's own skiboot.
//!
//! The same kernel and initramfs boot on both with the same arguments; the plugin in `xtask/plugin` counts what runs
//! before the kernel's first instruction and in each OPAL call. `-icount` ties the machine's time to the instructions
//! executed, so waits cost the same on a slow host and the figures hardly move from run to run; the spread is printed.

mod counts;
mod kept;
mod limits;
mod machine;
mod nested;
mod scale;
mod table;
mod tokens;

use crate::{
    board::Board,
    boot::{self, Guest},
    fetch::Kernel,
    paths,
    qemu::{Launch, Qemu},
    report,
};
use anyhow::{Result, bail};
use clap::Parser;
use counts::Counts;
use limits::Verdict;
use machine::{Machine, Outcome};
use std::{path::PathBuf, time::Duration};

pub use kept::run as kept;

/// Count the instructions that firmware executes, beside QEMU's own skiboot.
///
/// Boots the same kernel on both, prints what each OPAL call takes, and fails when ours misses a limit.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Options {
    /// Boot only one of the two
    #[arg(long, value_enum)]
    only: Option<Firmware>,
    /// Boot Linux with iommu=nobypass: every DMA mapping is a TCE, and PCI_TCE_KILL is called often
    #[arg(long)]
    iommu_nobypass: bool,
    /// A KVM guest with passed-through devices instead: how long it takes to its disk, and what the calls take then
    #[arg(long, conflicts_with = "iommu_nobypass")]
    nested: bool,
    /// How often each boots; from two on, the spread is printed
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=20))]
    runs: u32,
    /// QEMU machine; one of the folders in boards/
    #[arg(long, default_value = "powernv9")]
    machine: String,
    /// An image in place of the one that is built now
    #[arg(long)]
    image: Option<String>,
    /// A version like 10, or a path; 9.1 is the oldest that can count
    #[arg(long, default_value = "10")]
    qemu: String,
    /// Only count from reset to the kernel, on machines of more and more threads, chips and bridges
    #[arg(long)]
    scale: bool,
    /// Seconds after which a boot is given up
    #[arg(long, default_value_t = 120)]
    timeout: u64,
}

/// What boots.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq)]
enum Firmware {
    /// Our image.
    Opalite,
    /// The one that QEMU brings.
    Skiboot,
}

impl Firmware {
    fn name(self) -> &'static str {
        match self {
            Self::Opalite => "Opalite",
            Self::Skiboot => "skiboot",
        }
    }
}

/// Boots, counts and prints. An error when our firmware misses a limit or a boot didn't get to its end.
pub fn run(args: Vec<String>) -> Result<()> {
    let options = Options::parse_from(std::iter::once("cargo xtask bench".to_string()).chain(args));
    let board = Board::named(&options.machine)?;
    let qemu = Qemu::select(&options.qemu)?;
    machine::check_version(&qemu.version)?;
    // Ours is built before anything boots: what doesn't build isn't worth waiting for.
    let ours = match options.only {
        Some(Firmware::Skiboot) => None,
        _ => boot::firmware(options.image.as_deref(), &board)?,
    };
    if options.nested {
        return nested::compare(&options.machine, ours, options.only, options.runs);
    }
    let mut machine = Machine {
        launch: quiet_boot(&board, qemu, boot::fetched_guest(Kernel::V6_12)?),
        devices: boot::demo_devices(&board)?,
        plugin: machine::build_plugin(&paths::target())?,
        icount: true,
        limit: Duration::from_secs(options.timeout),
    };
    if options.scale {
        let firmware = if ours.is_some() { Firmware::Opalite } else { Firmware::Skiboot };
        return scale::run(machine, &board, firmware.name(), ours);
    }
    if options.iommu_nobypass {
        machine.launch.append += " iommu=nobypass";
    }
    let mut incomplete = 0;
    let mut boots = |firmware, image: Option<PathBuf>| -> Result<Vec<Counts>> {
        let mut boots = Vec::new();
        if options.only.is_some_and(|only| only != firmware) {
            return Ok(boots);
        }
        for number in 1..=options.runs {
            report::step(&format!(
                "counting {} on {} ({number}/{})",
                firmware.name(),
                options.machine,
                options.runs
            ));
            let Outcome { counts, complaint } = machine.boot(firmware.name(), image.clone())?;
            boots.push(counts);
            if let Some(complaint) = complaint {
                report::warn(&format!("{}: {complaint}", firmware.name()));
                incomplete += 1;
                // Another run would only take the time until it is given up once more.
                break;
            }
        }
        Ok(boots)
    };
    let skiboot = boots(Firmware::Skiboot, None)?;
    let opalite = boots(Firmware::Opalite, ours)?;

    let bypass = if options.iommu_nobypass { ", iommu=nobypass" } else { "" };
    println!(
        "Guest instructions in firmware: {}, 1 CPU, NVMe and e1000e, Linux 6.12{bypass}\n",
        options.machine
    );
    print!("{}", table::markdown(opalite.first(), skiboot.first()));
    for (firmware, runs) in [(Firmware::Opalite, &opalite), (Firmware::Skiboot, &skiboot)] {
        if let Some(spread) = table::spread(runs) {
            println!("\n{}, {} runs: {spread}", firmware.name(), runs.len());
        }
    }
    let verdicts =
        opalite.first().map(|counts| limits::judge(counts, !options.iommu_nobypass)).unwrap_or_default();
    if !verdicts.is_empty() {
        print!("\n{}", table::limits(&verdicts));
    }
    match verdicts.iter().filter(|verdict| !Verdict::passed(verdict)).count() {
        _ if incomplete > 0 => {
            bail!("{incomplete} boots didn't get to their end, so the figures aren't comparable")
        }
        0 => Ok(()),
        missed => bail!("Opalite misses {missed} of {} limits", verdicts.len()),
    }
}

/// The demonstration's guest, quiet, with as little traffic as calls every part: what Linux prints and copies is the
/// same work for any firmware.
fn quiet_boot(board: &Board, qemu: Qemu, guest: Guest) -> Launch {
    let mut launch = Launch::new(board, qemu, guest.kernel);
    launch.initrd = Some(guest.initrd);
    launch.smp = "1".into();
    launch.memory = "2G".into();
    launch.append += " quiet opalite.modules=nvme,e1000e opalite.steps=nvme opalite.megabytes=4";
    launch
}
