//! Programs that prove something from Linux's user space (`tests/vfio`, `tests/kvm`): how one is compiled and brought
//! into the guest, and how its lines are read. They are C because they are unmodified users of Linux's interface, and
//! static because the guest has no libraries.

use crate::{cpio::Archive, paths, report::Check, tools};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const COMPILER: &str = "powerpc64le-linux-gnu-gcc";
/// What brings the compiler, the C library and the kernel's headers.
const PACKAGES: &[&str] = &["gcc-powerpc64le-linux-gnu", "libc6-dev-ppc64el-cross"];

/// A program of `tests`.
#[derive(Clone, Copy, Debug)]
pub struct Proof {
    /// Its folder there; `-proof` after it is its name in the guest.
    folder: &'static str,
    /// Its lines begin with this.
    mark: &'static str,
}

/// DMA windows through VFIO.
pub const VFIO: Proof = Proof { folder: "vfio", mark: "VFIO " };
/// Virtual machines through KVM.
pub const KVM: Proof = Proof { folder: "kvm", mark: "KVM " };

impl Proof {
    /// The initial file system with the program added.
    pub fn initrd(self, base: &Path) -> Result<PathBuf> {
        let mut archive = Archive::default();
        archive.file(&format!("bin/{}-proof", self.folder), true, &fs::read(compile(self.folder)?)?);
        initrd(base, self.folder, archive)
    }
}

/// An initial file system with more added: Linux unpacks archives that follow each other as one.
pub fn initrd(base: &Path, name: &str, more: Archive) -> Result<PathBuf> {
    let mut bytes = fs::read(base).with_context(|| format!("reading {}", base.display()))?;
    bytes.extend(more.finish());
    let stem = base.file_stem().context("a file name")?.to_string_lossy();
    let file = base.with_file_name(format!("{stem}-{name}.cpio"));
    paths::put_bytes(&file, &bytes)?;
    Ok(file)
}

/// Installs the compiler if it isn't there, and says where it is.
pub fn compiler() -> Result<PathBuf> {
    let headers = Path::new("/usr/powerpc64le-linux-gnu/include/linux/vfio.h");
    if tools::find(COMPILER).is_none() || !headers.is_file() {
        tools::install(PACKAGES, "compiling tests/vfio and tests/kvm")?;
    }
    tools::find(COMPILER).with_context(|| format!("the packages brought no {COMPILER}"))
}

fn compile(folder: &str) -> Result<PathBuf> {
    let compiler = compiler()?;
    let mut sources: Vec<_> =
        fs::read_dir(paths::root().join("tests").join(folder))?.flatten().map(|entry| entry.path()).collect();
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "c" || extension == "S"));
    sources.sort();
    let file = paths::out()?.join(format!("{folder}-proof"));
    paths::put(&file, |own| {
        let mut command = Command::new(&compiler);
        command.args([
            "-std=gnu11",
            "-D_GNU_SOURCE",
            "-O2",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-static",
            "-s",
            "-o",
        ]);
        tools::output(command.arg(own).args(&sources))
            .map(drop)
            .with_context(|| format!("compiling tests/{folder}"))
    })?;
    Ok(file)
}

/// One check per line of the program. Without its last line, or with another number of lines than that says, it failed.
pub fn judge(proof: Proof, console: &str) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut skipped = 0;
    let mut total = None;
    for line in console.lines().filter_map(|line| line.split_once(proof.mark).map(|(_, rest)| rest)) {
        let Some((verdict, (name, text))) = line
            .split_once(' ')
            .and_then(|(verdict, rest)| Some((verdict, rest.split_once(": ").or(rest.split_once(':'))?)))
        else {
            continue;
        };
        if !["ok", "FAIL", "skip"].contains(&verdict) || name.contains(' ') {
            continue;
        }
        if name == "total" {
            total = Some(text.to_string());
        } else if verdict == "FAIL" {
            checks.push(Check::failed(name, text));
        } else if verdict == "skip" {
            skipped += 1;
            checks.push(Check::ok(name, format!("SKIPPED: {text}")));
        } else {
            checks.push(Check::ok(name, text));
        }
    }
    let failed = checks.iter().filter(|check| !check.passed()).count();
    let ok = checks.len() - failed - skipped;
    let counted = format!("{ok} ok, {failed} failed, {skipped} skipped");
    checks.push(match total {
        Some(said) if said == counted && ok > 0 => Check::ok("total", counted),
        Some(said) => Check::failed("total", format!("the program says {said}; its lines say {counted}")),
        None => Check::failed("total", format!("the program didn't come to its end; so far {counted}")),
    });
    checks
}

/// That as many cases were skipped as the machine is known for. A firmware that stops announcing page sizes would otherwise
/// go unnoticed.
pub fn skips(console: &str, cases: usize) -> Check {
    let skipped = console.lines().filter(|line| line.contains("VFIO skip ")).count();
    Check::that("cases skipped", skipped == cases, format!("{skipped} of {cases} that may be"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_of_failures(console: &str) -> Vec<String> {
        judge(VFIO, console).into_iter().filter(|check| !check.passed()).map(|check| check.name).collect()
    }

    #[test]
    fn lines_become_checks_behind_the_time_stamp() {
        let console = "VFIO - User Level meta-driver version: 0.3\n[ 1.0] VFIO ok window0-4K-1: moved\n\
                       [ 2.0] VFIO skip window0-2M-1: no huge pages\n[ 3.0] VFIO ok total: 1 ok, 0 failed, 1 skipped\n";
        let checks = judge(VFIO, console);
        assert_eq!(checks.len(), 3);
        assert!(checks.iter().all(Check::passed));
        assert_eq!(checks[1].result.as_deref(), Ok("SKIPPED: no huge pages"));
        assert!(!skips(console, 0).passed() && skips(console, 1).passed());
    }

    #[test]
    fn a_failed_case_and_a_missing_end_are_failures() {
        let failed = "VFIO FAIL isolation: arrived\nVFIO FAIL total: 0 ok, 1 failed, 0 skipped\n";
        assert_eq!(names_of_failures(failed), ["isolation", "total"]);
        assert_eq!(names_of_failures("VFIO ok bind: x\n"), ["total"]);
        assert_eq!(names_of_failures("VFIO ok total: 0 ok, 0 failed, 0 skipped\n"), ["total"]);
    }

    #[test]
    fn a_lost_line_is_noticed() {
        assert_eq!(
            names_of_failures("VFIO ok bind: x\nVFIO ok total: 2 ok, 0 failed, 0 skipped\n"),
            ["total"]
        );
    }
}
