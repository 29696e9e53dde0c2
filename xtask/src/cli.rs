//! The command line.

use crate::mutants::Ring;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Opalite's tool: builds the firmware, boots it, tests it.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Subcommand)]
pub enum Command {
    /// Build target/opalite.lid
    Image {
        /// Machine whose limits the image must keep
        #[arg(long, default_value = "powernv9")]
        machine: String,
    },
    /// Boot Linux under the firmware and show that NVMe, network, interrupts and power-off work
    Boot(BootOptions),
    /// Start QEMU stopped, with a gdb stub on port 1234
    Debug(BootOptions),
    /// Run the tests: everything, or one part
    Test {
        /// host: no QEMU. qemu: our payload in the kernel's place. linux: Debian's kernels. nested: a KVM guest in one
        part: Option<Part>,
        /// Of linux or nested: only cases whose name contains this
        #[arg(long)]
        only: Option<String>,
        /// Boot this firmware in place of ours: skiboot, or an image
        #[arg(long)]
        firmware: Option<String>,
    },
    /// Plant faults into a copy of the source, one at a time, and show which test notices each
    Mutants {
        /// Only faults whose name contains this
        #[arg(long)]
        only: Option<String>,
        /// Where to begin looking; what is dearer follows
        #[arg(long, default_value = "host")]
        ring: Ring,
        /// Where to stop looking
        #[arg(long, default_value = "linux")]
        last: Ring,
    },
    /// Count the instructions that firmware executes, beside skiboot
    #[command(disable_help_flag = true)]
    Bench {
        /// See `cargo xtask bench --help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Fetch what boots and tests need, so that they need no network: kernels, busybox, QEMU, compilers
    Fetch {
        /// Fetch anew what is there already
        #[arg(long)]
        refresh: bool,
        /// The 6.12 kernel with 64 KiB pages too, which the tests need and boots don't
        #[arg(long)]
        with_64k: bool,
    },
    /// Draw the DMA windows of a copy of /sys/firmware/opal/exports/dma_windows, or of a console's log that has it, as SVG
    Windows {
        /// The copy or the log
        file: PathBuf,
        /// The picture; without it, FILE with svg in place of its extension
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
    /// Remove what xtask built
    Clean {
        /// And what it fetched
        #[arg(long)]
        cache: bool,
    },
}

/// A part of the tests.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Format, lints, documentation, unit and model tests, the image itself
    Host,
    /// The payload under QEMU, and what a boot and its calls cost
    Qemu,
    /// Debian's kernels under QEMU
    Linux,
    /// KVM guests with passed-through devices, each in a Debian kernel under QEMU
    Nested,
}

/// What is booted and how.
#[derive(Args, Clone)]
pub struct BootOptions {
    /// QEMU machine; one of the folders in boards/
    #[arg(long, default_value = "powernv9")]
    pub machine: String,
    /// CPUs, as QEMU spells it: 4, or 8,sockets=2,cores=2,threads=2
    #[arg(long)]
    pub smp: Option<String>,
    /// Memory, as QEMU spells it
    #[arg(long)]
    pub memory: Option<String>,
    /// 6.1, 6.12, 6.12-64k, or a file
    #[arg(long, default_value = "6.12")]
    pub kernel: String,
    /// lib/modules/VERSION of a kernel given as a file
    #[arg(long)]
    pub modules: Option<PathBuf>,
    /// Initial file system in place of the demonstration's
    #[arg(long)]
    pub initrd: Option<PathBuf>,
    /// Added to the kernel's command line
    #[arg(long)]
    pub append: Option<String>,
    /// A further device, as QEMU's -device takes it (may be repeated)
    #[arg(long)]
    pub device: Vec<String>,
    /// skiboot (QEMU's own), or an image; without it ours is built
    #[arg(long)]
    pub firmware: Option<String>,
    /// 7.2, 10, newest, or a path; without it the version that the board names
    #[arg(long)]
    pub qemu: Option<String>,
    /// Seconds until a run that isn't done is ended
    #[arg(long, default_value_t = 180)]
    pub timeout: u64,
    /// The console is yours; nothing is checked
    #[arg(long, short)]
    pub interactive: bool,
    /// Don't show the console
    #[arg(long, short)]
    pub quiet: bool,
}
