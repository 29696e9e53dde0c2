//! What is particular to one machine, read from `boards/MACHINE/`.

use crate::paths;
use anyhow::{Context, Result, bail};
use regex::Regex;
use serde::Deserialize;
use std::fs;

/// `boards/MACHINE/board.toml`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Board {
    /// Where the machine loads the image.
    pub load_address: u64,
    /// The board whose lines count where this one has no file of them.
    pub lines_of: Option<String>,
    /// The most bytes that an image may have.
    pub size_limit: u64,
    /// How QEMU is started.
    pub qemu: QemuPart,
    /// How the kernel is started.
    pub kernel: KernelPart,
    /// Where devices go.
    pub pci: PciPart,
    #[serde(skip)]
    name: String,
}

/// Table `[qemu]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QemuPart {
    /// QEMU's `-machine`.
    pub machine: String,
    /// The version that has it, as `--qemu` spells it.
    #[serde(default = "usual_version")]
    pub version: String,
    /// CPUs, if the user doesn't say.
    pub smp: u32,
    /// Memory, if the user doesn't say.
    pub memory: String,
    /// Further arguments.
    pub args: Vec<String>,
}

fn usual_version() -> String {
    "10".into()
}

/// Table `[kernel]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelPart {
    /// The start of the kernel's command line.
    pub append: String,
}

/// Table `[pci]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PciPart {
    /// Buses that take one device each.
    pub buses: Vec<String>,
    /// What QEMU calls the bus between a bridge and its root port, before the number.
    pub root: String,
}

impl Board {
    /// The board of this machine.
    pub fn named(name: &str) -> Result<Self> {
        let file = paths::root().join("boards").join(name).join("board.toml");
        if !file.is_file() {
            bail!(
                "no machine {name}: boards/{name}/board.toml doesn't exist (there are: {})",
                names()?.join(", ")
            );
        }
        let text = fs::read_to_string(&file)?;
        let mut board: Self =
            toml::from_str(&text).with_context(|| format!("in boards/{name}/board.toml"))?;
        board.name = name.into();
        Ok(board)
    }

    /// The patterns of a data file of this board: one regular expression a line, `#` begins a comment.
    pub fn patterns(&self, file: &str) -> Result<Vec<Regex>> {
        let path = paths::root().join("boards").join(&self.name).join(file);
        if let Some(other) = self.lines_of.as_ref().filter(|_| !path.is_file()) {
            return Self::named(other)?.patterns(file);
        }
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", paths::shown(&path)))?;
        text.lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| Regex::new(line).with_context(|| format!("in boards/{}/{file}", self.name)))
            .collect()
    }
}

fn names() -> Result<Vec<String>> {
    let mut names: Vec<_> = fs::read_dir(paths::root().join("boards"))?
        .flatten()
        .filter(|entry| entry.path().join("board.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_can_be_read_with_its_patterns() {
        let names = names().unwrap();
        assert!(names.contains(&"powernv9".to_string()));
        for name in names {
            let board = Board::named(&name).unwrap();
            assert!(board.size_limit >= 0x1000 && !board.pci.buses.is_empty());
            assert!(!board.patterns("must-appear.txt").unwrap().is_empty());
            assert!(!board.patterns("must-not-appear.txt").unwrap().is_empty());
        }
    }

    #[test]
    fn a_machine_without_a_board_is_refused_by_name() {
        let message = Board::named("powernv7").unwrap_err().to_string();
        assert!(message.contains("powernv7") && message.contains("powernv9"), "{message}");
    }
}
