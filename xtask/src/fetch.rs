//! What a boot needs from Debian, each in a folder of the cache that is complete or absent: kernels, busybox, QEMU.

use crate::{packages::Apt, paths, proof, qemu::NEWEST, report, toolchain::Toolchain, tools};
use anyhow::{Context, Result, bail};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// A Debian kernel for PowerNV.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// Debian 12's own, 64 KiB pages.
    V6_1,
    /// Debian 12's backport, 4 KiB pages.
    V6_12,
    /// The same with 64 KiB pages.
    V6_12With64K,
}

impl Kernel {
    /// As the command line names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
            Self::V6_12With64K => "6.12-64k",
        }
    }

    /// The kernel that a name on the command line means.
    pub fn named(name: &str) -> Option<Self> {
        [Self::V6_1, Self::V6_12, Self::V6_12With64K].into_iter().find(|kernel| kernel.name() == name)
    }

    fn package(self) -> &'static str {
        match self {
            Self::V6_1 => r"^linux-image-6\.1\.[0-9].*-powerpc64le$",
            Self::V6_12 => r"^linux-image-6\.12\.[0-9].*-powerpc64le$",
            Self::V6_12With64K => r"^linux-image-6\.12\.[0-9].*-powerpc64le-64k$",
        }
    }
}

/// Where a fetched kernel lies: `boot/vmlinux-*` and its modules.
pub struct KernelFiles {
    /// The kernel itself.
    pub image: PathBuf,
    /// `lib/modules/VERSION`
    pub modules: PathBuf,
}

/// A kernel from the cache, fetched if it isn't there.
pub fn kernel(kernel: Kernel) -> Result<KernelFiles> {
    let place = paths::cache()?.join("kernel").join(kernel.name());
    ensure(&place, || {
        let mut apt = foreign()?;
        let name = apt.newest(kernel.package())?;
        apt.unpack(&[name], &place)
    })?;
    let modules = ["lib/modules", "usr/lib/modules"]
        .iter()
        .find_map(|folder| only_entry(&place.join(folder), ""))
        .context("the kernel package holds no modules")?;
    let image =
        only_entry(&place.join("boot"), "vmlinux").context("the kernel package holds no boot/vmlinux-*")?;
    Ok(KernelFiles { image, modules })
}

/// A static busybox for the guest, fetched if it isn't there.
pub fn busybox() -> Result<PathBuf> {
    let place = paths::cache()?.join("busybox");
    ensure(&place, || foreign()?.unpack(&["busybox-static".into()], &place))?;
    ["bin/busybox", "usr/bin/busybox"]
        .iter()
        .map(|name| place.join(name))
        .find(|file| file.is_file())
        .context("the package busybox-static holds no busybox")
}

/// The tree of kexec and the library that it needs, fetched if it isn't there.
pub fn kexec() -> Result<PathBuf> {
    let place = paths::cache()?.join("kexec");
    ensure(&place, || foreign()?.unpack(&["kexec-tools".into(), "libc6".into()], &place))?;
    Ok(place)
}

/// The packages of a QEMU.
const QEMU: &[&str] = &["qemu-system-ppc", "qemu-system-data", "qemu-system-common", "ipxe-qemu"];

/// The tree of an unpacked QEMU of this version (`7.2`, `10.`: how the version begins; `newest`), fetched if it isn't
/// there. The newest comes with all its libraries, the C library among them.
pub fn qemu(version: &str) -> Result<PathBuf> {
    let place = paths::cache()?.join("qemu").join(version.trim_end_matches('.'));
    ensure(&place, || {
        let host = tools::output(Command::new("dpkg").arg("--print-architecture"))?;
        if version == NEWEST {
            let mut apt = Apt::newer(host.trim())?;
            apt.update()?;
            let versions = apt.versions("qemu-system-ppc")?;
            let (_, suite) = versions.first().context("the mirror has no newer qemu-system-ppc")?;
            let names = apt.closure(suite, QEMU)?;
            return apt.unpack(&names, &place);
        }
        let status = fs::read_to_string("/var/lib/dpkg/status").context("reading what is installed")?;
        let mut apt = Apt::new(host.trim(), &without_qemu(&status))?;
        apt.update()?;
        let versions = apt.versions("qemu-system-ppc")?;
        let suite = suite_of(version, &versions)?;
        let names = apt.closure(suite, QEMU)?;
        apt.unpack(&names, &place)
    })?;
    Ok(place)
}

/// The suite with a QEMU of this version, of those that the mirror has with their suites.
pub fn suite_of<'a>(version: &str, versions: &'a [(String, String)]) -> Result<&'a str> {
    let wanted = |found: &str| {
        let number = found.split(':').next_back().and_then(|found| found.strip_prefix(version));
        number.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
    };
    match versions.iter().find(|(found, _)| wanted(found)) {
        Some((_, suite)) => Ok(suite),
        None => {
            let seen: Vec<_> = versions.iter().map(|(found, _)| found.as_str()).collect();
            bail!(
                "the mirror has no qemu-system-ppc {version} (it has: {}); give --qemu PATH",
                seen.join(", ")
            )
        }
    }
}

/// The tree of an unpacked QEMU for the guest's architecture with all its libraries, fetched if it isn't there.
pub fn guest_qemu() -> Result<PathBuf> {
    let place = paths::cache()?.join("qemu-ppc64el");
    ensure(&place, || {
        let mut apt = foreign()?;
        let versions = apt.versions("qemu-system-ppc")?;
        let (_, suite) = versions.first().context("the mirror has no qemu-system-ppc for ppc64el")?;
        let names = apt.closure(suite, &["qemu-system-ppc"])?;
        apt.unpack(&names, &place)
    })?;
    Ok(place)
}

/// Fetches and installs everything that the tests use: after it they need no network. The kernel with 64 KiB pages is
/// large, and a boot by hand doesn't need it.
pub fn everything(refresh: bool, with_64k: bool) -> Result<()> {
    if refresh {
        for name in ["kernel", "busybox", "kexec", "qemu", "qemu-ppc64el"] {
            remove(&paths::cache()?.join(name))?;
        }
    }
    let mut kernels = vec![Kernel::V6_1, Kernel::V6_12];
    if with_64k {
        kernels.push(Kernel::V6_12With64K);
    }
    for wanted in kernels {
        println!("kernel {}: {}", wanted.name(), kernel(wanted)?.image.display());
    }
    println!("busybox: {}", busybox()?.display());
    println!("kexec: {}", kexec()?.display());
    for version in ["7.2", "10.0", NEWEST] {
        println!("QEMU {version}: {}", crate::qemu::Qemu::select(version)?.describe());
    }
    println!("QEMU for the guest: {}", guest_qemu()?.display());
    println!("C compiler: {}", proof::compiler()?.display());
    println!("Rust compiler of the image: {}", Toolchain::ready()?.describe());
    crates()
}

/// What the host tests, the payload and the image are made of beside this tool.
fn crates() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    tools::output(Command::new(cargo).args(["fetch", "--locked"]).current_dir(paths::root()))?;
    println!("crates: those of Cargo.lock");
    Ok(())
}

/// Removes a folder if it is there.
pub fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}

/// apt for the guest's architecture, lists up to date.
fn foreign() -> Result<Apt> {
    let mut apt = Apt::new("ppc64el", "")?;
    apt.update()?;
    Ok(apt)
}

/// Runs `make` unless the place is there. One xtask at a time fetches; another waits and finds the place filled.
fn ensure(place: &Path, make: impl FnOnce() -> Result<()>) -> Result<()> {
    if place.is_dir() {
        return Ok(());
    }
    let cache = paths::made(paths::cache()?)?;
    let lock = File::create(cache.join("lock"))?;
    if lock.try_lock().is_err() {
        report::step("waiting for another xtask that is fetching");
        lock.lock()?;
    }
    if place.is_dir() { Ok(()) } else { make() }
}

/// The installed packages without any QEMU, so that a second version of it conflicts with nothing.
fn without_qemu(status: &str) -> String {
    status
        .split_inclusive("\n\n")
        .filter(|stanza| !stanza.starts_with("Package: qemu-") && !stanza.starts_with("Package: ipxe-qemu"))
        .collect()
}

/// The last entry of a folder whose name begins so.
pub fn only_entry(folder: &Path, prefix: &str) -> Option<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .ok()?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_loses_its_qemu_and_nothing_else() {
        let status =
            "Package: libc6\nVersion: 1\n\nPackage: qemu-utils\nVersion: 2\n\nPackage: zsh\nVersion: 3\n\n";
        assert_eq!(without_qemu(status), "Package: libc6\nVersion: 1\n\nPackage: zsh\nVersion: 3\n\n");
    }

    #[test]
    fn kernel_patterns_take_signed_images_and_no_debug_packages() {
        let matches =
            |kernel: Kernel, name: &str| regex::Regex::new(kernel.package()).unwrap().is_match(name);
        assert!(matches(Kernel::V6_1, "linux-image-6.1.0-50-powerpc64le"));
        assert!(!matches(Kernel::V6_1, "linux-image-6.12.95+deb12-powerpc64le"));
        assert!(!matches(Kernel::V6_1, "linux-image-6.1.0-50-powerpc64le-dbg"));
        assert!(!matches(Kernel::V6_12, "linux-image-6.12.95+deb12-powerpc64le-64k"));
        assert!(matches(Kernel::V6_12With64K, "linux-image-6.12.95+deb12-powerpc64le-64k"));
    }

    #[test]
    fn every_kernel_is_found_by_its_name() {
        for kernel in [Kernel::V6_1, Kernel::V6_12, Kernel::V6_12With64K] {
            assert_eq!(Kernel::named(kernel.name()), Some(kernel));
        }
        assert_eq!(Kernel::named("6.13"), None);
    }
}
