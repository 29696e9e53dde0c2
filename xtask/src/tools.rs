//! Other programs: finding them, running them, and installing the distribution's packages where that is possible.

use crate::{console, report::step};
use anyhow::{Context, Result, bail};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    env,
    io::Read,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A program in PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Runs to the end and gives what it printed; a failure carries the last lines of its complaint.
pub fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let result = command.stdin(Stdio::null()).output().with_context(|| format!("starting {name}"))?;
    if !result.status.success() {
        let complaint = String::from_utf8_lossy(&result.stderr);
        bail!("{name} failed ({}): {}", result.status, last_lines(&complaint, 6));
    }
    Ok(String::from_utf8_lossy(&result.stdout).into_owned())
}

/// What a program left that had a deadline.
pub struct Run {
    /// None: its time was up.
    pub status: Option<ExitStatus>,
    /// What it printed.
    pub output: String,
    /// What it complained of.
    pub errors: String,
}

impl Run {
    /// Did it end in time and with success?
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

/// Runs until the program and all that it started have ended. At the deadline, and when a person wants it to stop, all of
/// them are killed: a test that hangs is a grandchild of cargo.
pub fn bounded(command: &mut Command, limit: Duration) -> Result<Run> {
    let end = Instant::now() + limit;
    let name = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let child = command.spawn().with_context(|| format!("starting {name}"))?;
    let mut group = Group { child, waited_for: false };
    let output = all_of(group.child.stdout.take());
    let errors = all_of(group.child.stderr.take());
    let status = loop {
        // The pipes end with the last who holds them.
        if output.is_finished()
            && errors.is_finished()
            && let Some(status) = group.ended()?
        {
            break Some(status);
        }
        if console::interrupted() {
            bail!("interrupted");
        }
        if Instant::now() > end {
            group.kill();
            break None;
        }
        thread::sleep(Duration::from_millis(20));
    };
    let text =
        |pipe: JoinHandle<Vec<u8>>| String::from_utf8_lossy(&pipe.join().unwrap_or_default()).into_owned();
    Ok(Run { status, output: text(output), errors: text(errors) })
}

/// A process and its group, which don't outlive the watch.
struct Group {
    child: Child,
    /// From then on the number may be another's.
    waited_for: bool,
}

impl Group {
    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        self.waited_for |= status.is_some();
        Ok(status)
    }

    fn kill(&mut self) {
        if !self.waited_for
            && let Ok(id) = i32::try_from(self.child.id())
        {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
            let _ = self.child.wait();
            self.waited_for = true;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

fn all_of(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// The last lines of a text, in one line.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join(" | ")
}

/// Installs packages of the distribution, or says which command does it.
pub fn install(packages: &[&str], why: &str) -> Result<()> {
    let list = packages.join(" ");
    let by_hand = format!("sudo apt-get install --no-install-recommends {list}");
    if find("apt-get").is_none() {
        bail!(
            "{why} needs the packages {list} (Debian's names); install them with your system's package manager"
        );
    }
    let prefix: &[&str] = match (is_root(), sudo_works()) {
        (true, _) => &[],
        (false, true) => &["sudo", "-n"],
        (false, false) => bail!("{why} needs the packages {list}; install them with: {by_hand}"),
    };
    step(&format!("installing {list} ({why})"));
    let apt = |arguments: &[&str]| {
        let line: Vec<_> = prefix.iter().chain(&["apt-get"]).chain(arguments).copied().collect();
        output(Command::new(line[0]).args(&line[1..]).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    // Lists from the day of the system's installation name versions that are gone, or lack newer ones. An index that fails
    // may not be the one needed, and without a network the lists at hand may do.
    let _ = apt(&["update", "-q"]);
    let mut install = vec!["install", "-y", "-q", "--no-install-recommends"];
    install.extend(packages);
    apt(&install).with_context(|| format!("installing {list}; try by hand: {by_hand}"))?;
    Ok(())
}

fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn sudo_works() -> bool {
    find("sudo").is_some() && output(Command::new("sudo").args(["-n", "true"])).is_ok()
}

/// Is there a file of that name; for messages about options.
pub fn must_exist(path: &Path, what: &str) -> Result<()> {
    if !path.is_file() {
        bail!("{what}: there is no file {}", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: u64) -> (Run, Duration) {
        let start = Instant::now();
        let run = bounded(Command::new("sh").args(["-c", script]), Duration::from_millis(limit)).unwrap();
        (run, start.elapsed())
    }

    #[test]
    fn what_ends_in_time_gives_all_that_it_said() {
        let (run, _) = shell("echo out; echo err >&2; exit 3", 60_000);
        assert_eq!((run.output.as_str(), run.errors.as_str()), ("out\n", "err\n"));
        assert_eq!(run.status.and_then(|status| status.code()), Some(3));
        assert!(!run.succeeded() && shell("true", 60_000).0.succeeded());
    }

    #[test]
    fn at_the_deadline_grandchildren_go_too() {
        // As long as one of them lived, the pipe would stay open.
        for script in ["sleep 60", "sleep 60 & wait", "sleep 60 & exit 0"] {
            let (run, time) = shell(script, 1000);
            assert!(run.status.is_none(), "{script}");
            assert!(time < Duration::from_secs(30), "{script}: {time:?}");
        }
    }
}
