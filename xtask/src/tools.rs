//! Other programs: finding them, running them, and installing the distribution's packages where that is possible.

use crate::report::step;
use anyhow::{Context, Result, bail};
use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
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
    let mut install = vec!["install", "-y", "-q", "--no-install-recommends"];
    install.extend(packages);
    if apt(&install).is_err() {
        // Often the lists are merely missing or old; an index that fails may not be the one needed.
        let _ = apt(&["update", "-q"]);
        apt(&install).with_context(|| format!("installing {list}; try by hand: {by_hand}"))?;
    }
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
