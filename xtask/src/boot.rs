//! Boots: from options or a test case to a running QEMU, and the three ways to use that by hand.

use crate::{
    board::Board,
    checks::{self, Expect},
    cli::BootOptions,
    console::{self, Ending, Limits, Outcome},
    fetch::{self, Kernel},
    image, initramfs, paths,
    qemu::{Launch, Qemu},
    report::{self, seconds},
    said, tools,
    traffic::{self, Traffic},
};
use anyhow::{Context, Result, bail};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tempfile::TempDir;

/// Drivers and steps of the demonstration.
const DEMO_MODULES: &[&str] = &["nvme", "e1000e"];
const DEMO_STEPS: &[&str] = &["nvme", "net", "irq", "pci", "dma"];
const DEMO_MEGABYTES: usize = 64;
const DEMO_EXPECT: &[Expect] =
    &[Expect::Nvme(DEMO_MEGABYTES), Expect::Net, Expect::Msi("nvme0q"), Expect::Msi("eth0"), Expect::Windows];
/// A guest that prints nothing for so long hangs. The longest pause of a good run is the summing of 64 MiB.
const SILENCE: Duration = Duration::from_secs(60);
/// What a USB stick or a second disk holds: read-only data that the guest must see unchanged.
pub const STICK_BYTES: usize = 8 << 20;
/// Typed at the console in one go: longer than any FIFO of a UART.
pub const LONG_LINE: &str = "the quick brown fox jumps over the lazy dog 0123456789 and then it goes on for so long that \
                             every buffer on the way is filled more than once";

/// The kernel and what belongs to it.
#[derive(Clone)]
pub struct Guest {
    /// The kernel.
    pub kernel: PathBuf,
    /// The initial file system.
    pub initrd: PathBuf,
}

/// A boot, before it happens.
pub struct Plan {
    /// Machine, memory, kernel, devices.
    pub launch: Launch,
    /// Drivers that the guest loads.
    pub modules: Vec<String>,
    /// Steps that the guest runs.
    pub steps: Vec<String>,
    /// Devices; those with `drive=disk`, `drive=stick`, `netdev=net` get these.
    pub devices: Vec<String>,
    /// Words for the guest's steps: `name=value`.
    pub words: Vec<String>,
    /// Bounds.
    pub limits: Limits,
}

/// A boot that happened, with what it left on the host.
pub struct Booted {
    /// Console, ending, time.
    pub outcome: Outcome,
    /// The network's other end, if there was a card.
    pub traffic: Option<Traffic>,
    folder: TempDir,
}

impl Booted {
    /// Sum of the first bytes of a disk's file (`disk`, `stick`), as the guest should have written them.
    pub fn sum(&self, disk: &str, bytes: usize) -> Result<String> {
        use std::io::Read;
        let mut content = Vec::new();
        File::open(self.folder.path().join(disk))?.take(bytes as u64).read_to_end(&mut content)?;
        Ok(traffic::sha256(&content))
    }
}

impl Plan {
    /// Runs it, and types where the guest asks for it.
    pub fn run(mut self) -> Result<Booted> {
        let (folder, traffic) = self.plug()?;
        let outcome = console::run(&self.launch, self.limits, &mut type_where_asked)?;
        Ok(Booted { outcome, traffic, folder })
    }

    /// Makes the disks and the network that the devices refer to, and completes the command line.
    pub fn plug(&mut self) -> Result<(TempDir, Option<Traffic>)> {
        let folder = tempfile::Builder::new().prefix("boot-").tempdir_in(paths::out()?)?;
        let wanted =
            |name: &str| self.devices.iter().any(|device| device.split(',').any(|option| option == name));
        if wanted("drive=disk") {
            File::create(folder.path().join("disk"))?.set_len(256 << 20)?;
            self.launch.drive("disk", &folder.path().join("disk"));
        }
        if wanted("drive=stick") {
            fs::write(folder.path().join("stick"), traffic::pattern(STICK_BYTES, 1))?;
            self.launch.drive("stick", &folder.path().join("stick"));
        }
        let traffic = if wanted("netdev=net") {
            self.launch.extra.extend(["-netdev".into(), "user,id=net".into()]);
            Some(Traffic::start()?)
        } else {
            None
        };
        for device in &self.devices {
            self.launch.device(device);
        }
        let append = &mut self.launch.append;
        for (name, list) in [("modules", &self.modules), ("steps", &self.steps)] {
            if !list.is_empty() {
                *append += &format!(" opalite.{name}={}", list.join(","));
            }
        }
        for word in &self.words {
            *append += &format!(" opalite.{word}");
        }
        if let Some(traffic) = &traffic {
            *append += &format!(" opalite.port={}", traffic.port);
        }
        Ok((folder, traffic))
    }
}

fn type_where_asked(line: &str) -> Option<String> {
    match line {
        "OPALITE-INPUT long" => Some(format!("{LONG_LINE}\n")),
        "OPALITE-INPUT shell" => Some("echo typed-$((6 * 7)) >/tmp/typed; exit\n".into()),
        _ => None,
    }
}

/// The demonstration, with checks and a summary.
pub fn demonstrate(options: &BootOptions) -> Result<()> {
    let mut plan = plan(options)?;
    // A user's own initial file system knows nothing of our steps.
    let ours = options.initrd.is_none();
    plan.limits.show = !options.quiet;
    report::step(&format!(
        "starting QEMU {}: {}, kernel {}, firmware {}",
        plan.launch.qemu.version,
        options.machine,
        options.kernel,
        options.firmware.as_deref().unwrap_or("opalite")
    ));
    let booted = plan.run()?;
    let log = keep_log("boot", &booted.outcome.console)?;
    let advice = match booted.outcome.ending {
        Ending::Timeout(_) => "; give it longer with --timeout SECONDS",
        _ => "",
    };
    if !ours {
        return match booted.outcome.ending {
            Ending::Ended => Ok(()),
            other => bail!("{}{advice}", other.sentence()),
        };
    }
    let expected: Vec<_> = DEMO_EXPECT
        .iter()
        .filter(|expect| tells_windows(options) || !matches!(expect, Expect::Windows))
        .copied()
        .collect();
    let checks = checks::judge(&booted, &expected);
    println!();
    for line in said::windows(&booted.outcome.console) {
        println!("  {line}");
    }
    for check in &checks {
        println!("{}", check.line());
    }
    println!(
        "  from QEMU's start to power-off: {}; console log: {}",
        seconds(booted.outcome.time),
        paths::shown(&log)
    );
    match checks.iter().find(|check| !check.passed()) {
        None => Ok(()),
        Some(check) => bail!("{}: {}{advice}", check.name, check.result.clone().err().unwrap_or_default()),
    }
}

/// Do the kernel and the firmware both tell of the same windows? QEMU's firmware tells of none; and for PHB3 without
/// bypass Linux has a window 0 of 256 MiB pages that it doesn't print.
fn tells_windows(options: &BootOptions) -> bool {
    let without_bypass = options.append.as_ref().is_some_and(|append| append.contains("iommu=nobypass"));
    options.firmware.as_deref() != Some("skiboot") && !(options.machine == "powernv8" && without_bypass)
}

/// The console is the user's.
pub fn interactive(options: &BootOptions) -> Result<()> {
    let mut plan = plan(options)?;
    plan.steps = vec!["shell".into()];
    let _kept = plan.plug()?;
    report::step("Ctrl-A x ends QEMU");
    let status = plan.launch.command("mon:stdio").status().context("starting QEMU")?;
    if status.success() { Ok(()) } else { bail!("QEMU ended with {status}") }
}

/// QEMU waits for gdb before the first instruction.
pub fn debug(options: &BootOptions) -> Result<()> {
    let mut plan = plan(options)?;
    let _kept = plan.plug()?;
    println!("QEMU waits for gdb. In another terminal:");
    println!(
        "  gdb-multiarch -ex 'set architecture powerpc:common64' -ex 'set endian big' -ex 'target remote :1234' {}",
        paths::shown(&paths::elf())
    );
    if tools::find("gdb-multiarch").is_none() {
        println!("  (gdb-multiarch is missing: sudo apt-get install gdb-multiarch)");
    }
    println!(
        "The ELF file is linked at 0; the firmware soon moves itself to the address in its first line: then"
    );
    println!("  (gdb) add-symbol-file {} -o ADDRESS", paths::shown(&paths::elf()));
    println!("Ctrl-A x ends QEMU.");
    let mut command = plan.launch.command("mon:stdio");
    let status = command.args(["-s", "-S"]).stdin(Stdio::inherit()).status().context("starting QEMU")?;
    if status.success() { Ok(()) } else { bail!("QEMU ended with {status}") }
}

fn plan(options: &BootOptions) -> Result<Plan> {
    let board = Board::named(&options.machine)?;
    let firmware = firmware(options.firmware.as_deref(), &board)?;
    let qemu = Qemu::select(options.qemu.as_ref().unwrap_or(&board.qemu.version))?;
    let guest = guest(options)?;
    let mut launch = Launch::new(&board, qemu, guest.kernel);
    launch.initrd = Some(guest.initrd);
    launch.firmware = firmware;
    launch.smp = options.smp.clone().unwrap_or(launch.smp);
    launch.memory = options.memory.clone().unwrap_or(launch.memory);
    if let Some(more) = &options.append {
        launch.append += &format!(" {more}");
    }
    let mut devices = demo_devices(&board)?;
    devices.extend(options.device.iter().cloned());
    Ok(Plan {
        launch,
        modules: DEMO_MODULES.iter().map(|name| name.to_string()).collect(),
        steps: DEMO_STEPS.iter().map(|name| name.to_string()).collect(),
        devices,
        words: vec![format!("megabytes={DEMO_MEGABYTES}")],
        limits: Limits { total: Duration::from_secs(options.timeout), silence: SILENCE, show: false },
    })
}

/// NVMe behind the first bridge, a network card behind the second.
pub fn demo_devices(board: &Board) -> Result<Vec<String>> {
    let [first, second, ..] = board.pci.buses.as_slice() else {
        bail!("the demonstration needs two PCI buses")
    };
    Ok(vec![
        format!("nvme,serial=opalite,drive=disk,bus={first}"),
        // romfile: the card's option ROM isn't everywhere, and nothing here runs it.
        format!("e1000e,netdev=net,romfile=,bus={second}"),
    ])
}

/// `None` is QEMU's own firmware.
pub fn firmware(wanted: Option<&str>, board: &Board) -> Result<Option<PathBuf>> {
    match wanted {
        Some("skiboot") => Ok(None),
        Some(path) => {
            tools::must_exist(Path::new(path), "--firmware")?;
            Ok(Some(path.into()))
        }
        None => {
            let image = image::build(board)?;
            report::step(&format!("{}: {} bytes", paths::shown(&image.lid), image.size));
            Ok(Some(image.lid))
        }
    }
}

/// A fetched kernel with our initial file system.
pub fn fetched_guest(kernel: Kernel) -> Result<Guest> {
    let files = fetch::kernel(kernel)?;
    let initrd = initramfs::build(kernel.name(), &fetch::busybox()?, Some(&files.modules))?;
    Ok(Guest { kernel: files.image, initrd })
}

fn guest(options: &BootOptions) -> Result<Guest> {
    if let Some(initrd) = &options.initrd {
        tools::must_exist(initrd, "--initrd")?;
    }
    if let Some(kernel) = Kernel::named(&options.kernel) {
        return match &options.initrd {
            Some(initrd) => Ok(Guest { kernel: fetch::kernel(kernel)?.image, initrd: initrd.clone() }),
            None => fetched_guest(kernel),
        };
    }
    let kernel = PathBuf::from(&options.kernel);
    if !kernel.is_file() {
        bail!("--kernel takes 6.1, 6.12, 6.12-64k or a file; there is no file {}", kernel.display());
    }
    let initrd = match &options.initrd {
        Some(initrd) => initrd.clone(),
        // Without --modules the kernel must have the drivers built in.
        None => initramfs::build("own", &fetch::busybox()?, options.modules.as_deref())?,
    };
    Ok(Guest { kernel, initrd })
}

/// Keeps a console's text for a later look.
pub fn keep_log(name: &str, console: &str) -> Result<PathBuf> {
    let file = paths::made(paths::out()?.join("logs"))?.join(format!("{name}.log"));
    fs::write(&file, console).with_context(|| format!("writing {}", file.display()))?;
    Ok(file)
}
