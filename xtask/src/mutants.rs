//! `cargo xtask mutants`: plants one fault at a time into a copy of the source and shows which test notices. A test ring
//! that lets one live has a hole. A test that isn't done in time noticed its fault: without the fault it was.

use crate::{
    console, paths, report,
    tools::{self, Run},
};
use anyhow::{Context, Result, bail};
use regex::Regex;
use std::{
    env, fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// A fault: in `file`, the one occurrence of `find` becomes `replace`.
struct Mutant {
    name: &'static str,
    file: &'static str,
    find: &'static str,
    replace: &'static str,
    /// Where it is looked for, cheapest first; after these in the rings that the next field names.
    tests: &'static [&'static str],
    /// Linux cases that meet the fault.
    linux: &'static str,
}

const WINDOWS: &[&str] = &["dma_windows", "window_properties"];
const XIVE: &[&str] = &["xive"];

const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "setting window 1 does nothing",
        file: "src/phb/dma.rs",
        find: "    fn set_table(&mut self, slot: Slot, tve: Tve) -> Outcome {\n",
        replace: "    fn set_table(&mut self, slot: Slot, tve: Tve) -> Outcome {\n        \
                  if slot.index() == WindowIndex::One {\n            return Ok(());\n        }\n",
        tests: WINDOWS,
        linux: "vfio-6.12",
    },
    Mutant {
        name: "one level too many",
        file: "src/iommu/tve.rs",
        find: "u64::from(geometry.levels()) << LEVELS",
        replace: "(u64::from(geometry.levels()) + 1) << LEVELS",
        tests: WINDOWS,
        linux: "vfio-6.12",
    },
    Mutant {
        name: "tables twice their size",
        file: "src/iommu/tve.rs",
        find: "u64::from(geometry.level_shift()) << SIZE",
        replace: "(u64::from(geometry.level_shift()) + 1) << SIZE",
        tests: WINDOWS,
        linux: "vfio-6.12",
    },
    Mutant {
        name: "pages of 64 KiB encoded as 4 KiB",
        file: "src/iommu/tve.rs",
        find: "u64::from(geometry.page_shift()))",
        replace: "if geometry.page_shift() == 16 { 12 } else { u64::from(geometry.page_shift()) })",
        tests: WINDOWS,
        linux: "vfio-6.12-64k",
    },
    Mutant {
        name: "window 1 written to window 0",
        file: "src/phb/dma.rs",
        find: "self.tvt.put(&self.regs, slot.tve_index(), tve.bits());",
        replace: "self.tvt.put(&self.regs, slot.tve_index() & !1, tve.bits());",
        tests: WINDOWS,
        linux: "vfio-6.12",
    },
    Mutant {
        name: "closing leaves the TVE",
        file: "src/iommu/window.rs",
        find: "    let old = bridge.tve(slot);\n    put(bridge, slot, old, Tve::CLOSED)\n",
        replace: "    let old = bridge.tve(slot);\n    put(bridge, slot, old, old)\n",
        tests: WINDOWS,
        linux: "vfio-6.12",
    },
    Mutant {
        name: "closing leaves cached TCEs",
        file: "src/iommu/window.rs",
        find: "    let old = bridge.tve(slot);\n    put(bridge, slot, old, Tve::CLOSED)\n",
        replace: "    bridge.write_tve(slot, Tve::CLOSED);\n    Ok(())\n",
        tests: WINDOWS,
        linux: "",
    },
    Mutant {
        name: "bypass stays on",
        file: "src/opal/calls/pci.rs",
        find: "    if args.u64::<4>() == 0 {\n        bridge.lock().unset_window(slot)?;\n        return Ok(SUCCESS);",
        replace: "    if args.u64::<4>() == 0 {\n        let _ = slot;\n        return Ok(SUCCESS);",
        tests: WINDOWS,
        linux: "vfio-6.12",
    },
    Mutant {
        name: "bypass covers firmware",
        file: "src/iommu/bypass.rs",
        find: ".min(memory.bypass_end());",
        replace: ";",
        tests: WINDOWS,
        linux: "",
    },
    Mutant {
        name: "an escalation queue isn't enabled",
        file: "src/interrupts/xive/queues.rs",
        find: "end.control.set_silent(true);\n                end.control.set_escalate(true);\n",
        replace: "end.control.set_silent(true);\n",
        tests: XIVE,
        linux: "kvm-6.12",
    },
    Mutant {
        name: "a queue doesn't escalate",
        file: "src/interrupts/xive/queues.rs",
        find: "    control.set_escalate(queue.escalate);\n",
        replace: "",
        tests: XIVE,
        linux: "kvm-6.12",
    },
    Mutant {
        name: "a new queue begins in generation 0",
        file: "src/interrupts/xive/queues.rs",
        find: "    control.set_generation(true);\n",
        replace: "",
        tests: XIVE,
        linux: "kvm-6.12",
    },
    Mutant {
        name: "VP blocks don't come back",
        file: "src/interrupts/xive/vps.rs",
        find: "        self.used.set_run(first, count, false);\n",
        replace: "        let _ = count;\n",
        tests: XIVE,
        linux: "",
    },
];

/// How long the host tests of the copy may take to build.
const BUILDING: Duration = Duration::from_secs(1800);

/// Where a mutant meets its first test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Ring {
    /// Unit tests, then tests on models
    Host,
    /// The payload under QEMU
    Qemu,
    /// Debian's kernels under QEMU
    Linux,
}

/// One look at the copy.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// The crate's own unit tests.
    Unit,
    /// One file of tests.
    Tests(&'static str),
    /// Every host test.
    Host,
    /// The payload.
    Qemu,
    /// Linux cases with this in their name.
    Linux(&'static str),
}

/// Plants each fault whose name contains `only` and looks for it from `first` to `last`.
pub fn run(only: Option<&str>, first: Ring, last: Ring) -> Result<()> {
    let chosen: Vec<_> =
        MUTANTS.iter().filter(|mutant| only.is_none_or(|part| mutant.name.contains(part))).collect();
    if chosen.is_empty() {
        bail!("no mutant has {} in its name", only.unwrap_or_default());
    }
    let copy = Copy::make()?;
    let mut sound: Vec<Stage> = Vec::new();
    let mut survivors = Vec::new();
    for mutant in chosen {
        let start = Instant::now();
        let mut notice = None;
        for stage in stages(mutant, first..=last) {
            // What fails without a fault would catch anything.
            if !sound.contains(&stage) {
                if let Some(failure) = copy.look(&stage)? {
                    bail!("without any fault {} fails: {failure}", stage.name());
                }
                sound.push(stage.clone());
            }
            let original = copy.plant(mutant)?;
            let result = copy.look(&stage);
            copy.restore(mutant, &original)?;
            if console::interrupted() {
                bail!("interrupted");
            }
            if let Some(failure) = result? {
                notice = Some(format!("{}: {failure}", stage.name()));
                break;
            }
        }
        match notice {
            Some(notice) => println!("  caught  {}: {notice} ({} s)", mutant.name, start.elapsed().as_secs()),
            None => {
                println!("  LIVES   {}", mutant.name);
                survivors.push(mutant.name);
            }
        }
    }
    if survivors.is_empty() { Ok(()) } else { bail!("no test noticed: {}", survivors.join(", ")) }
}

fn stages(mutant: &Mutant, rings: RangeInclusive<Ring>) -> Vec<Stage> {
    let mut stages = Vec::new();
    if rings.contains(&Ring::Host) {
        stages.push(Stage::Unit);
        stages.extend(mutant.tests.iter().map(|name| Stage::Tests(name)));
        stages.push(Stage::Host);
    }
    if rings.contains(&Ring::Qemu) {
        stages.push(Stage::Qemu);
    }
    if rings.contains(&Ring::Linux) && !mutant.linux.is_empty() {
        stages.push(Stage::Linux(mutant.linux));
    }
    stages
}

impl Stage {
    fn name(&self) -> String {
        match self {
            Self::Unit => "unit tests".into(),
            Self::Tests(name) => format!("tests/{name}"),
            Self::Host => "host tests".into(),
            Self::Qemu => "payload".into(),
            Self::Linux(case) => format!("linux {case}"),
        }
    }

    /// Several times what it takes. Each QEMU has a shorter limit of its own.
    fn limit(&self) -> Duration {
        match self {
            Self::Unit | Self::Tests(_) | Self::Host => Duration::from_secs(1800),
            Self::Qemu | Self::Linux(_) => Duration::from_secs(2400),
        }
    }
}

/// A copy of the project with a target folder of its own, both kept between runs.
struct Copy {
    root: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn make() -> Result<Self> {
        let base = paths::made(paths::target().join("mutants"))?;
        let copy = Self { root: base.join("source"), target: base.join("target") };
        report::step("copying the source");
        copy_tree(paths::root(), &copy.root)?;
        Ok(copy)
    }

    /// Plants a fault and gives the file as it was.
    fn plant(&self, mutant: &Mutant) -> Result<String> {
        let file = self.root.join(mutant.file);
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", mutant.file))?;
        fs::write(&file, planted(mutant, &text)?)?;
        Ok(text)
    }

    fn restore(&self, mutant: &Mutant, original: &str) -> Result<()> {
        fs::write(self.root.join(mutant.file), original).with_context(|| format!("restoring {}", mutant.file))
    }

    /// The first failure of a stage.
    fn look(&self, stage: &Stage) -> Result<Option<String>> {
        report::step(&stage.name());
        let chosen: &[&str] = match stage {
            Stage::Unit => &["--lib"],
            Stage::Tests(name) => &["--test", name],
            _ => &[],
        };
        let mut command = match stage {
            Stage::Unit | Stage::Tests(_) | Stage::Host => {
                // Apart: a build that is slow notices nothing.
                let built = tools::bounded(self.cargo(chosen).arg("--no-run"), BUILDING)?;
                if !built.succeeded() {
                    bail!("the copy doesn't build, or not in {} s:\n{}", BUILDING.as_secs(), built.errors);
                }
                self.cargo(chosen)
            }
            Stage::Qemu => self.xtask(&["test", "qemu"])?,
            Stage::Linux(case) => self.xtask(&["test", "linux", "--only", case])?,
        };
        let limit = stage.limit();
        let run = tools::bounded(&mut command, limit)?;
        if run.errors.contains("doesn't build") {
            bail!("the copy doesn't build:\n{}", run.errors);
        }
        Ok(noticed(&run, limit))
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(["test", "--package", "opalite"]).args(arguments).current_dir(&self.root);
        command.env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// This program, at work on the copy.
    fn xtask(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(env::current_exe()?);
        command.args(arguments).current_dir(&self.root);
        command.env("CARGO_TARGET_DIR", &self.target).env(paths::ROOT, &self.root);
        Ok(command)
    }
}

fn planted(mutant: &Mutant, text: &str) -> Result<String> {
    match text.matches(mutant.find).count() {
        1 => Ok(text.replacen(mutant.find, mutant.replace, 1)),
        count => bail!(
            "the mutant '{}' no longer fits: what it replaces is {count} times in {}",
            mutant.name,
            mutant.file
        ),
    }
}

/// What a run of tests complained of. A fault that makes a test hang is noticed too: without it the test ends in time.
fn noticed(run: &Run, limit: Duration) -> Option<String> {
    match run.status {
        None => Some(format!("not done after {} s", limit.as_secs())),
        Some(status) if status.success() => None,
        Some(_) => Some(first_failure(&run.output).unwrap_or_else(|| run.errors.trim().to_string())),
    }
}

/// `test name ... FAILED` of cargo, or `  FAILED  name: why` of ours.
fn first_failure(text: &str) -> Option<String> {
    let line = Regex::new(r"(?m)^(?:test (\S+) \.\.\. FAILED|  FAILED  (.*))$").expect("a pattern of ours");
    let groups = line.captures(text)?;
    groups.get(1).or(groups.get(2)).map(|found| found.as_str().to_string())
}

/// Makes `to` like `from`, touching only files that differ, so that cargo builds only what must be.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    paths::made(to.into())?;
    let skipped = |name: &str| name == "target" || name == ".git";
    let names = |folder: &Path| -> Result<Vec<String>> {
        let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
        Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    };
    let wanted = names(from)?;
    for name in names(to)?.iter().filter(|name| !wanted.contains(name)) {
        let old = to.join(name);
        if old.is_dir() { fs::remove_dir_all(&old) } else { fs::remove_file(&old) }?;
    }
    for name in wanted.iter().filter(|name| !skipped(name)) {
        let (source, copy) = (from.join(name), to.join(name));
        if source.is_dir() {
            copy_tree(&source, &copy)?;
        } else {
            let content = fs::read(&source)?;
            if fs::read(&copy).ok().as_deref() != Some(content.as_slice()) {
                fs::write(&copy, content)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_fits_the_source_and_changes_it() {
        for mutant in MUTANTS {
            let text = fs::read_to_string(paths::root().join(mutant.file)).unwrap();
            assert_ne!(planted(mutant, &text).unwrap(), text, "{}", mutant.name);
        }
    }

    #[test]
    fn a_fault_is_looked_for_in_the_rings_that_are_wanted() {
        let mutant = MUTANTS.iter().find(|mutant| !mutant.linux.is_empty()).unwrap();
        let linux = Stage::Linux(mutant.linux);
        assert_eq!(stages(mutant, Ring::Linux..=Ring::Linux), std::slice::from_ref(&linux));
        assert_eq!(stages(mutant, Ring::Qemu..=Ring::Linux), [Stage::Qemu, linux]);
        let host = stages(mutant, Ring::Host..=Ring::Host);
        assert_eq!((host.first(), host.last()), (Some(&Stage::Unit), Some(&Stage::Host)));
    }

    #[test]
    fn a_failure_is_found_in_both_kinds_of_output() {
        assert_eq!(first_failure("test a ... ok\ntest b::c ... FAILED\n").as_deref(), Some("b::c"));
        assert_eq!(first_failure("  ok      x\n  FAILED  xics: hangs\n").as_deref(), Some("xics: hangs"));
        assert_eq!(first_failure("test a ... ok\n"), None);
    }

    #[test]
    fn a_test_that_hangs_has_noticed_its_fault() {
        let run = |script: &str, seconds| {
            let limit = Duration::from_secs(seconds);
            noticed(&tools::bounded(Command::new("sh").args(["-c", script]), limit).unwrap(), limit)
        };
        assert_eq!(run("true", 60), None);
        assert_eq!(run("echo test b::c ... FAILED; exit 101", 60).as_deref(), Some("b::c"));
        assert_eq!(run("sleep 60", 1).as_deref(), Some("not done after 1 s"));
    }

    #[test]
    fn a_copy_loses_what_the_source_lost_and_leaves_what_is_equal_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("src/target")).unwrap();
        fs::write(from.join("src/a.rs"), "a").unwrap();
        fs::create_dir_all(to.join("src")).unwrap();
        fs::write(to.join("src/old.rs"), "old").unwrap();
        copy_tree(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("src/a.rs")).unwrap(), "a");
        assert!(!to.join("src/old.rs").exists() && !to.join("src/target").exists());
        let before = fs::metadata(to.join("src/a.rs")).unwrap().modified().unwrap();
        copy_tree(&from, &to).unwrap();
        assert_eq!(fs::metadata(to.join("src/a.rs")).unwrap().modified().unwrap(), before);
    }
}
