//! Fetches Debian packages with a private apt configuration and state in the cache: foreign architecture, no root, and
//! nothing of the system's configuration changes. The mirror and its key are those of the system's own entries.

use crate::{apt_sources, paths, report, tools};
use anyhow::{Context, Result, anyhow, bail};
use regex::Regex;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The suites where the kernels and QEMU versions that we test live, beside those of the running system.
const KNOWN: &str = "bookworm";

/// Where newer versions than the known ones come first.
const NEWER: &str = "trixie";

/// apt for one architecture, with everything it writes in a folder of the cache.
pub struct Apt {
    folder: PathBuf,
    architecture: String,
    complaints: Vec<String>,
}

impl Apt {
    /// The suites of the running system and those that we test with. `status` is what apt shall believe to be installed.
    pub fn new(architecture: &str, status: &str) -> Result<Self> {
        let codename = codename().unwrap_or_else(|| KNOWN.into());
        let mut suites = vec![codename.clone()];
        if codename != KNOWN {
            suites.push(KNOWN.into());
        }
        Self::with_suites(architecture, architecture, status, &suites)
    }

    /// The suites with newer versions, and nothing installed: all that a package needs comes with it.
    pub fn newer(architecture: &str) -> Result<Self> {
        Self::with_suites(&format!("{architecture}-{NEWER}"), architecture, "", &[NEWER.into()])
    }

    /// Makes the private configuration in a folder of this name. Each suite comes with its backports.
    fn with_suites(name: &str, architecture: &str, status: &str, suites: &[String]) -> Result<Self> {
        if tools::find("apt-get").is_none() || tools::find("dpkg-deb").is_none() {
            bail!(
                "fetching needs apt-get and dpkg-deb, which this system lacks; give --kernel, --initrd and --qemu \
                 with files of your own"
            );
        }
        let folder = paths::cache()?.join("apt").join(name);
        for name in ["lists/partial", "archives/partial", "sources.d"] {
            paths::made(folder.join(name))?;
        }
        let apt = Self { folder, architecture: architecture.into(), complaints: Vec::new() };
        fs::write(apt.folder.join("status"), status)?;
        fs::write(apt.folder.join("apt.conf"), apt.configuration())?;
        fs::write(apt.folder.join("sources.d/opalite.sources"), sources(suites)?)?;
        Ok(apt)
    }

    fn configuration(&self) -> String {
        let at = |name: &str| self.folder.join(name).display().to_string();
        format!(
            "#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n#clear DPkg::Post-Invoke;\n\
             #clear APT::Architectures;\n\
             APT::Architecture \"{arch}\";\nAPT::Architectures {{ \"{arch}\"; }};\nAPT::Sandbox::User \"root\";\n\
             APT::Default-Release \"\";\n\
             Acquire::Languages \"none\";\nAcquire::Retries \"2\";\nAcquire::http::Timeout \"30\";\n\
             Acquire::IndexTargets::deb::DEP-11::DefaultEnabled \"false\";\n\
             Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled \"false\";\n\
             Dir::Etc::sourcelist \"/dev/null\";\nDir::Etc::sourceparts \"{parts}\";\n\
             Dir::Etc::preferences \"/dev/null\";\nDir::Etc::preferencesparts \"/dev/null\";\n\
             Dir::State \"{state}\";\nDir::State::lists \"{lists}\";\nDir::State::status \"{status}\";\n\
             Dir::Cache \"{state}\";\nDir::Cache::archives \"{archives}\";\n",
            arch = self.architecture,
            parts = at("sources.d"),
            state = self.folder.display(),
            lists = at("lists"),
            status = at("status"),
            archives = at("archives"),
        )
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(self.folder.join("apt.conf")).env("LC_ALL", "C");
        command
    }

    /// Brings the indexes up to date. One that fails is remembered and doesn't stop the others.
    pub fn update(&mut self) -> Result<()> {
        report::step(&format!("updating the package lists for {}", self.architecture));
        let result = self.command("apt-get").args(["-q", "update"]).output().context("starting apt-get")?;
        let text = String::from_utf8_lossy(&result.stderr).into_owned();
        self.complaints =
            text.lines().filter(|l| l.starts_with("E:") || l.starts_with("W:")).map(str::to_string).collect();
        Ok(())
    }

    /// The newest package whose name matches.
    pub fn newest(&self, pattern: &str) -> Result<String> {
        let pattern = Regex::new(pattern)?;
        let names = tools::output(self.command("apt-cache").arg("pkgnames"))?;
        let mut found: Vec<_> = names.lines().filter(|name| pattern.is_match(name)).collect();
        found.sort_by_key(|name| numbers(name));
        found.last().map(|name| name.to_string()).ok_or_else(|| self.missing(pattern.as_str()))
    }

    /// Versions of a package and the suite each is in, newest first.
    pub fn versions(&self, name: &str) -> Result<Vec<(String, String)>> {
        let table = tools::output(self.command("apt-cache").args(["madison", name]))?;
        Ok(parse_madison(&table))
    }

    /// What installing these would fetch, as `name=version`, if `suite` is preferred.
    pub fn closure(&self, suite: &str, names: &[&str]) -> Result<Vec<String>> {
        let text = tools::output(
            self.command("apt-get")
                .args(["-s", "-q", "-y", "--no-install-recommends", "-t", suite, "install"])
                .args(names),
        )?;
        Ok(parse_simulation(&text))
    }

    /// Downloads packages (`name` or `name=version`) and unpacks all of them in `place`, which is complete or absent.
    pub fn unpack(&mut self, names: &[String], place: &Path) -> Result<()> {
        let parent = place.parent().context("a place in the cache")?;
        let work = tempfile::Builder::new().prefix(".fetch-").tempdir_in(paths::made(parent.into())?)?;
        let debs = paths::made(work.path().join("debs"))?;
        let tree = paths::made(work.path().join("tree"))?;
        report::step(&format!("downloading {}", summary(names)));
        let download = |apt: &Self| {
            tools::output(apt.command("apt-get").args(["-q", "download"]).args(names).current_dir(&debs))
        };
        if let Err(first) = download(self) {
            // A list from yesterday may name a version that the mirror has replaced.
            self.update()?;
            download(self).map_err(|second| anyhow!("{second}; before that: {first}; {}", self.advice()))?;
        }
        unpack_all(&debs, &tree, place)
    }

    fn missing(&self, what: &str) -> anyhow::Error {
        anyhow!("no package matching {what} for {} in the lists; {}", self.architecture, self.advice())
    }

    fn advice(&self) -> String {
        if self.complaints.is_empty() {
            "the package lists were updated without complaint".into()
        } else {
            format!(
                "apt complained: {}; check the network and the mirror, then run `cargo xtask fetch` again",
                self.complaints.join(" | ")
            )
        }
    }
}

/// Unpacks every package of a folder into `tree`, which becomes `place` when it is complete.
fn unpack_all(debs: &Path, tree: &Path, place: &Path) -> Result<()> {
    for deb in fs::read_dir(debs)?.flatten() {
        tools::output(Command::new("dpkg-deb").arg("-x").arg(deb.path()).arg(tree))
            .context("a downloaded package can't be unpacked: run the fetch again")?;
    }
    // Another run may have been quicker; its result is as good.
    if let Err(error) = fs::rename(tree, place)
        && !place.is_dir()
    {
        return Err(error).with_context(|| format!("moving to {}", place.display()));
    }
    Ok(())
}

/// The private entries: the system's own mirror with these suites and their backports.
fn sources(suites: &[String]) -> Result<String> {
    let entries = apt_sources::read_all(Path::new("/etc/apt"))?;
    let codename = codename().unwrap_or_else(|| KNOWN.into());
    let base = apt_sources::serving(&entries, &codename).with_context(|| {
        format!(
            "/etc/apt has no entry with the suite {codename} and the component main to take the mirror from"
        )
    })?;
    Ok(suites
        .iter()
        .flat_map(|suite| [suite.clone(), format!("{suite}-backports")])
        .map(|suite| apt_sources::stanza(apt_sources::serving(&entries, &suite).unwrap_or(base), &suite))
        .collect())
}

fn codename() -> Option<String> {
    let text = fs::read_to_string("/etc/os-release").ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(value.trim_matches('"').to_string())
}

/// `6.12.9` before `6.12.10`: compares the numbers in a name as numbers.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

fn parse_madison(table: &str) -> Vec<(String, String)> {
    table
        .lines()
        .filter_map(|line| {
            let mut columns = line.split('|').map(str::trim).skip(1);
            let version = columns.next()?.to_string();
            let suite = columns.next()?.split_whitespace().nth(1)?.split('/').next()?.to_string();
            Some((version, suite))
        })
        .collect()
}

fn parse_simulation(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            let rest = line.strip_prefix("Inst ")?;
            let name = rest.split_whitespace().next()?;
            let version = rest.split_once('(')?.1.split_whitespace().next()?;
            Some(format!("{name}={version}"))
        })
        .collect()
}

fn summary(names: &[String]) -> String {
    match names {
        [first, rest @ ..] if rest.len() > 2 => format!("{first} and {} more", rest.len()),
        few => few.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_kernel_is_found_by_number_and_not_by_letter() {
        let mut names = ["linux-image-6.12.100+deb12-x", "linux-image-6.12.95+deb12-x"];
        names.sort_by_key(|name| numbers(name));
        assert_eq!(names.last(), Some(&"linux-image-6.12.100+deb12-x"));
    }

    #[test]
    fn reads_versions_with_their_suites() {
        let table = "qemu-system-ppc | 1:10.0.2+ds-2 | http://m.example/debian bookworm-backports/main amd64 Packages\n\
                     qemu-system-ppc | 1:7.2+dfsg-7 | http://m.example/debian bookworm/main amd64 Packages\n";
        let rows = parse_madison(table);
        assert_eq!(rows[0], ("1:10.0.2+ds-2".into(), "bookworm-backports".into()));
        assert_eq!(rows[1], ("1:7.2+dfsg-7".into(), "bookworm".into()));
    }

    #[test]
    fn reads_what_a_simulated_installation_would_fetch() {
        let text = "Remv x [1]\nInst libfoo (1.2-3 Debian:12/oldstable [amd64]) []\n\
                    Inst bar [0.9] (1.0 Debian:12 [all])\nConf bar (1.0 Debian:12 [all])\n";
        assert_eq!(parse_simulation(text), ["libfoo=1.2-3", "bar=1.0"]);
    }

    #[test]
    fn a_package_that_was_cut_off_ends_with_a_sentence_and_leaves_nothing_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let [debs, tree, place] = ["debs", "tree", "place"].map(|name| folder.path().join(name));
        fs::create_dir(&debs).unwrap();
        fs::create_dir(&tree).unwrap();
        // A .deb is an archive of ar; of this one the second member's content is missing.
        let member =
            |name: &str, size: usize| format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 644);
        let head = format!("!<arch>\n{}2.0\n{}", member("debian-binary", 4), member("control.tar.xz", 1000));
        fs::write(debs.join("x.deb"), head).unwrap();
        let words = format!("{:#}", unpack_all(&debs, &tree, &place).unwrap_err());
        assert!(words.contains("can't be unpacked: run the fetch again"), "{words}");
        assert!(!place.exists());
    }
}
