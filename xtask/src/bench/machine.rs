//! One boot under QEMU with the counting plugin.

use super::{counts::Counts, tokens};
use crate::{board::Board, console, paths, qemu::Launch, tools};
use anyhow::{Context, Result, bail};
use std::{
    env::consts::{DLL_PREFIX, DLL_SUFFIX},
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The first QEMU with the plugin interface that we use.
const OLDEST: (u32, u32) = (9, 1);

/// After a polite request to quit.
const GRACE: Duration = Duration::from_secs(10);

/// What all boots of a bench have in common.
#[derive(Clone)]
pub struct Machine {
    /// QEMU, kernel and command line.
    pub launch: Launch,
    /// What is plugged in; a disk is named `disk`.
    pub devices: Vec<String>,
    /// The plugin.
    pub plugin: PathBuf,
    /// Whether time is what was executed. QEMU can't count more than one CPU so.
    pub icount: bool,
    /// How long a boot may take.
    pub limit: Duration,
}

/// How a boot went.
pub struct Outcome {
    /// What was counted, even if the boot didn't get to its end.
    pub counts: Counts,
    /// Why it isn't a complete boot.
    pub complaint: Option<String>,
}

impl Machine {
    /// Boots until the machine powers itself off, or its time is up. Without an image, QEMU's own firmware runs.
    pub fn boot(&self, name: &str, image: Option<PathBuf>) -> Result<Outcome> {
        let place = paths::made(paths::out()?.join(format!("bench-{}", name.to_lowercase())))?;
        let [counts, serial, errors, disk] =
            ["counts.txt", "console.txt", "qemu.txt", "disk"].map(|name| place.join(name));
        for old in [&counts, &serial, &disk] {
            let _ = fs::remove_file(old);
        }
        File::create(&disk)?.set_len(64 << 20)?;

        let mut command = self.command(image, &disk, &serial, &counts);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(File::create(&errors)?);
        let started = Instant::now();
        let child = command.spawn().context("starting QEMU")?;
        let in_time = Running(child).wait(self.limit)?;

        let tail =
            |file: &Path| tools::last_lines(&String::from_utf8_lossy(&fs::read(file).unwrap_or_default()), 6);
        let text = fs::read_to_string(&counts)
            .with_context(|| format!("QEMU wrote no counts; it said: {}", tail(&errors)))?;
        let counts = Counts::parse(&text)?;
        let seconds = started.elapsed().as_secs_f32();
        let complaint = shortcoming(&counts, in_time).map(|what| {
            format!("{what} ({seconds:.0} s). The end of {}: {}", paths::shown(&serial), tail(&serial))
        });
        Ok(Outcome { counts, complaint })
    }

    /// Boots, and gives the instructions from reset to the kernel, whatever comes of the kernel then.
    pub fn to_kernel(&self, name: &str, image: Option<PathBuf>) -> Result<u64> {
        let Outcome { counts, complaint } = self.boot(name, image)?;
        counts.to_kernel.with_context(|| format!("{name}: {}", complaint.unwrap_or_default()))
    }

    /// Takes the bridges away, and what is plugged into them, but for so many of chip 0.
    pub fn keep_bridges(&mut self, board: &Board, count: usize) {
        self.launch.without_bridges();
        self.devices.clear();
        for (index, bus) in board.pci.buses.iter().enumerate().take(count) {
            self.devices.push(format!("pnv-phb,chip-id=0,index={index}"));
            self.devices.push(format!("pnv-phb-root-port,id={bus},bus={}.{index}", board.pci.root));
        }
    }

    fn command(&self, image: Option<PathBuf>, disk: &Path, serial: &Path, counts: &Path) -> Command {
        let mut launch = self.launch.clone();
        launch.firmware = image;
        launch.drive("disk", disk);
        for device in &self.devices {
            // The card answers to nobody: packets from outside come when they like.
            launch.device(&device.replace("netdev=net,", ""));
        }
        // The monitor is there to end a run in order, so that the plugin writes its result.
        launch.extra.extend(["-monitor", "stdio"].map(Into::into));
        // Time is what was executed; by a clock of the host each wait would be as long as the host is fast.
        if self.icount {
            launch.extra.extend(
                ["-icount", "shift=0,sleep=off", "-rtc", "base=2020-01-01T00:00:00,clock=vm"].map(Into::into),
            );
        }
        let plugin = format!("{},out={}", escaped(&self.plugin), escaped(counts));
        launch.extra.extend(["-plugin".into(), plugin.into()]);
        launch.command(&format!("file:{}", escaped(serial)))
    }
}

/// What keeps a boot from being complete.
fn shortcoming(counts: &Counts, in_time: bool) -> Option<&'static str> {
    if counts.to_kernel.is_none() {
        Some("the kernel was never reached")
    } else if !in_time {
        Some("the boot didn't end in time")
    } else if !counts.called(tokens::CEC_POWER_DOWN) {
        Some("the machine stopped, but Linux didn't ask for it")
    } else {
        None
    }
}

/// A QEMU that doesn't outlive us.
struct Running(Child);

impl Running {
    /// False when it had to be stopped.
    fn wait(mut self, limit: Duration) -> Result<bool> {
        if self.ended_within(limit)? {
            return Ok(true);
        }
        if let Some(monitor) = &mut self.0.stdin {
            let _ = monitor.write_all(b"quit\n");
        }
        self.ended_within(GRACE)?;
        Ok(false)
    }

    fn ended_within(&mut self, limit: Duration) -> Result<bool> {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            // `try_wait` and not `wait`, which would close the monitor.
            if self.0.try_wait()?.is_some() {
                return Ok(true);
            }
            if console::interrupted() {
                bail!("interrupted");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(false)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Builds the plugin for this host.
pub fn build_plugin(target: &Path) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--package", "opal_count", "--target-dir"])
        .arg(target)
        .current_dir(paths::root())
        .status()
        .context("starting cargo")?;
    if !status.success() {
        bail!("the counting plugin didn't build");
    }
    Ok(target.join("release").join(format!("{DLL_PREFIX}opal_count{DLL_SUFFIX}")))
}

/// Says so when QEMU is too old to count.
pub fn check_version(version: &str) -> Result<()> {
    match numbers(version) {
        Some(found) if found >= OLDEST => Ok(()),
        _ => bail!(
            "counting needs QEMU {}.{} or later for its plugin interface, and this is {version}; boots and tests don't",
            OLDEST.0,
            OLDEST.1
        ),
    }
}

/// Major and minor number of `10.0.2`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// In QEMU's option lists a comma ends a value unless it is doubled.
pub fn escaped(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_and_not_by_digit() {
        for version in ["9.1", "9.1.0", "9.2.4", "10.0.2", "11.0"] {
            assert!(check_version(version).is_ok(), "{version}");
        }
        for version in ["9.0.4", "7.2.22", "8.10", "", "unknown"] {
            assert!(check_version(version).is_err(), "{version}");
        }
    }

    #[test]
    fn an_old_qemu_is_told_by_its_number() {
        let message = check_version("7.2.22").unwrap_err().to_string();
        assert!(message.contains("9.1") && message.contains("7.2.22"), "{message}");
    }

    #[test]
    fn a_comma_in_a_path_does_not_end_an_option() {
        assert_eq!(escaped(Path::new("/a,b/c")), "/a,,b/c");
    }

    #[test]
    fn a_boot_is_complete_when_linux_powered_off() {
        let mut counts =
            Counts { to_kernel: Some(1), unfinished: vec![tokens::CEC_POWER_DOWN], ..Counts::default() };
        assert_eq!(shortcoming(&counts, true), None);
        assert!(shortcoming(&counts, false).unwrap().contains("in time"));
        counts.unfinished.clear();
        assert!(shortcoming(&counts, true).unwrap().contains("didn't ask"));
        counts.to_kernel = None;
        assert!(shortcoming(&counts, true).unwrap().contains("never reached"));
    }
}
