//! One boot under QEMU with the counting plugin.

use super::{Files, Firmware, counts::Counts, tokens};
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
pub struct Machine<'a> {
    /// Where everything is.
    pub files: &'a Files,
    /// QEMU's name of the machine.
    pub name: &'a str,
    /// More for the kernel's command line.
    pub append: &'a str,
    /// The plugin.
    pub plugin: PathBuf,
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

impl Machine<'_> {
    /// Boots until the machine powers itself off, or its time is up.
    pub fn boot(&self, firmware: Firmware) -> Result<Outcome> {
        let place = self.files.out.join(format!("bench-{}", firmware.name().to_lowercase()));
        fs::create_dir_all(&place).with_context(|| format!("making {}", place.display()))?;
        let counts = place.join("counts.txt");
        let console = place.join("console.txt");
        let complaints = place.join("qemu.txt");
        let _ = fs::remove_file(&counts);
        let _ = fs::remove_file(&console);
        let disk = place.join("disk.raw");
        File::create(&disk)?.set_len(64 << 20)?;

        let mut command = self.command(firmware, &disk, &console, &counts);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(File::create(&complaints)?);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("starting {}", self.files.qemu.display()))?;
        let in_time = Running(child).wait(self.limit)?;

        let tail = |file: &Path| last_lines(&fs::read(file).unwrap_or_default(), 6);
        let text = fs::read_to_string(&counts)
            .with_context(|| format!("QEMU wrote no counts; it said: {}", tail(&complaints)))?;
        let counts = Counts::parse(&text)?;
        let complaint = if counts.to_kernel.is_none() {
            Some("the kernel was never reached")
        } else if !in_time {
            Some("the boot didn't end in time")
        } else if !counts.called(tokens::CEC_POWER_DOWN) {
            Some("the machine stopped, but Linux didn't ask for it")
        } else {
            None
        };
        let seconds = started.elapsed().as_secs_f32();
        let complaint = complaint.map(|what| {
            format!("{what} ({seconds:.0} s). Last of {}: {}", console.display(), tail(&console))
        });
        Ok(Outcome { counts, complaint })
    }

    fn command(&self, firmware: Firmware, disk: &Path, console: &Path, counts: &Path) -> Command {
        let mut command = Command::new(&self.files.qemu);
        if let Some(folder) = &self.files.qemu_data {
            command.arg("-L").arg(folder);
        }
        command.args(["-machine", self.name, "-smp", "1", "-m", "2G", "-no-reboot", "-display", "none"]);
        if firmware == Firmware::Opalite {
            command.arg("-bios").arg(&self.files.opalite);
        }
        command.arg("-kernel").arg(&self.files.kernel).arg("-initrd").arg(&self.files.initrd);
        command.arg("-append").arg(format!("console=hvc0 quiet panic=1 {}", self.append).trim_end());
        // Time is what was executed; a clock of the host would make each wait as long as the host is fast.
        command.args(["-icount", "shift=0,sleep=off", "-rtc", "base=2020-01-01T00:00:00,clock=vm"]);
        command.arg("-blockdev").arg(format!(
            "driver=raw,node-name=disk,file.driver=file,file.filename={},cache.no-flush=on",
            escaped(disk)
        ));
        command.args(["-device", "nvme,drive=disk,serial=bench,bus=pcie.0"]);
        // No option ROM: Debian keeps it in a package that the bench needs for nothing else.
        command.args(["-nic", "none", "-device", "e1000e,bus=pcie.1,romfile="]);
        command.arg("-serial").arg(format!("file:{}", console.display())).args(["-monitor", "stdio"]);
        command.arg("-plugin").arg(format!("{},out={}", escaped(&self.plugin), escaped(counts)));
        command
    }
}

/// A QEMU that doesn't outlive us.
struct Running(Child);

impl Running {
    /// False when it had to be stopped. It is asked first: the plugin writes its result when QEMU quits in order.
    fn wait(mut self, limit: Duration) -> Result<bool> {
        if self.ended_within(limit)? {
            return Ok(true);
        }
        if let Some(mut monitor) = self.0.stdin.take() {
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
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .context("starting cargo")?;
    if !status.success() {
        bail!("the counting plugin didn't build");
    }
    Ok(target.join("release").join(format!("{DLL_PREFIX}opal_count{DLL_SUFFIX}")))
}

/// Says so when QEMU is too old to count.
pub fn check_version(qemu: &Path) -> Result<()> {
    let output = Command::new(qemu)
        .arg("--version")
        .output()
        .with_context(|| format!("starting {}", qemu.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(version) = version(&text) else { bail!("{} tells no version: {text}", qemu.display()) };
    if version < OLDEST {
        bail!(
            "the bench needs QEMU {}.{} or later for its plugin interface; {} is {}.{}",
            OLDEST.0,
            OLDEST.1,
            qemu.display(),
            version.0,
            version.1
        );
    }
    Ok(())
}

/// Major and minor number in what `--version` prints.
fn version(text: &str) -> Option<(u32, u32)> {
    let numbers = text.split_once("version ")?.1;
    let mut parts = numbers.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// In QEMU's option lists a comma ends a value unless it is doubled.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

fn last_lines(bytes: &[u8], count: usize) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_version_among_what_a_distribution_adds() {
        assert_eq!(version("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright"), Some((10, 0)));
        assert_eq!(version("QEMU emulator version 9.1.0\n"), Some((9, 1)));
        assert_eq!(version("QEMU emulator version 7.2.22 (Debian 1:7.2)"), Some((7, 2)));
        assert_eq!(version("something else"), None);
    }

    #[test]
    fn versions_compare_by_number_and_not_by_digit() {
        assert!(version("version 10.0.2") >= Some(OLDEST));
        assert!(version("version 9.1.0") >= Some(OLDEST));
        assert!(version("version 9.0.4") < Some(OLDEST));
    }

    #[test]
    fn a_comma_in_a_path_does_not_end_an_option() {
        assert_eq!(escaped(Path::new("/a,b/c")), "/a,,b/c");
    }

    #[test]
    fn the_tail_of_a_log_leaves_out_empty_lines() {
        assert_eq!(last_lines(b"one\r\n\r\ntwo\r\nthree\n\n", 2), "two | three");
        assert_eq!(last_lines(b"", 2), "");
    }
}
