//! `cargo xtask bench`: how many guest instructions firmware takes, beside QEMU's own skiboot.
//!
//! The same kernel and initramfs boot on both with the same arguments; the plugin in `xtask/plugin` counts what runs
//! before the kernel's first instruction and in each OPAL call. `-icount` ties the machine's time to the instructions
//! executed, so waits cost the same on a slow host and the figures hardly move from run to run; the spread is printed.

mod counts;
mod limits;
mod machine;
mod table;
mod tokens;

use anyhow::{Result, bail};
use counts::Counts;
use limits::Verdict;
use machine::{Machine, Outcome};
use std::{path::PathBuf, time::Duration};

/// What the command line may ask for.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// Boot only one of the two firmwares
    #[arg(long, value_enum)]
    pub only: Option<Firmware>,
    /// Boot Linux with iommu=nobypass, so that every DMA mapping goes through a TCE and PCI_TCE_KILL is called often
    #[arg(long)]
    pub iommu_nobypass: bool,
    /// How often each firmware boots; with two or more, the spread is printed
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub runs: u32,
    /// Seconds after which a boot is given up
    #[arg(long, default_value_t = 120)]
    pub timeout: u64,
    /// QEMU's machine
    #[arg(long, default_value = "powernv9")]
    pub machine: String,
}

/// What boots.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// Our image.
    Opalite,
    /// The one that QEMU brings.
    Skiboot,
}

impl Firmware {
    /// As people write it.
    fn name(self) -> &'static str {
        match self {
            Self::Opalite => "Opalite",
            Self::Skiboot => "skiboot",
        }
    }
}

/// The files that a bench needs; who calls [`run`] fetches or builds them.
#[derive(Clone, Debug)]
pub struct Files {
    /// `qemu-system-ppc64`, 9.1 or later.
    pub qemu: PathBuf,
    /// A folder that QEMU also looks in for its firmware files, when it isn't an installed QEMU.
    pub qemu_data: Option<PathBuf>,
    /// The kernel.
    pub kernel: PathBuf,
    /// Its initramfs, which powers the machine off at its end.
    pub initrd: PathBuf,
    /// Our image; not looked at with `--only skiboot`.
    pub opalite: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
    /// A folder for logs and results.
    pub out: PathBuf,
}

/// Boots, counts and prints. False when our firmware misses a limit or a boot didn't get to its end.
pub fn run(options: &Options, files: &Files) -> Result<bool> {
    machine::check_version(&files.qemu)?;
    let machine = Machine {
        files,
        name: &options.machine,
        append: if options.iommu_nobypass { "iommu=nobypass" } else { "" },
        plugin: machine::build_plugin(&files.target)?,
        limit: Duration::from_secs(options.timeout),
    };
    let mut complete = true;
    let mut boots = |firmware| -> Result<Vec<Counts>> {
        if options.only.is_some_and(|only| only != firmware) {
            return Ok(Vec::new());
        }
        (1..=options.runs)
            .map(|number| {
                eprintln!(
                    "  > booting {} on {} ({number}/{})",
                    options.machine,
                    firmware.name(),
                    options.runs
                );
                let Outcome { counts, complaint } = machine.boot(firmware)?;
                if let Some(complaint) = complaint {
                    eprintln!("  ! {}: {complaint}", firmware.name());
                    complete = false;
                }
                Ok(counts)
            })
            .collect()
    };
    let skiboot = boots(Firmware::Skiboot)?;
    let opalite = boots(Firmware::Opalite)?;
    if opalite.is_empty() && skiboot.is_empty() {
        bail!("nothing was booted");
    }

    println!("Guest instructions in firmware, {}, `-smp 1 -m 2G`, NVMe and e1000e\n", options.machine);
    print!("{}", table::markdown(opalite.first(), skiboot.first()));
    for (firmware, runs) in [(Firmware::Opalite, &opalite), (Firmware::Skiboot, &skiboot)] {
        if let Some(spread) = table::spread(runs) {
            println!("\n{}, {} runs: {spread}", firmware.name(), runs.len());
        }
    }
    let Some(ours) = opalite.first() else { return Ok(complete) };
    let verdicts = limits::judge(ours);
    print!("\n{}", table::limits(&verdicts));
    Ok(complete && verdicts.iter().all(Verdict::passed))
}
