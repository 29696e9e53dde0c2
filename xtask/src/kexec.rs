//! Starting the kernel from itself: Debian's kexec, and the kernel's file, are brought into the guest for that.

use crate::{cpio::Archive, fetch, proof};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The initial file system with kexec and the kernel added: Linux unpacks archives that follow each other as one.
pub fn initrd(base: &Path, kernel: &Path) -> Result<PathBuf> {
    let tools = fetch::kexec()?;
    let mut archive = Archive::default();
    for folder in ["lib", "lib64", "sbin"] {
        archive.folder(folder);
    }
    let libraries = "lib/powerpc64le-linux-gnu";
    archive.folder(libraries);
    for (name, file) in [
        ("sbin/kexec", "sbin/kexec"),
        ("lib64/ld64.so.2", &format!("{libraries}/ld64.so.2")),
        (&format!("{libraries}/libc.so.6"), &format!("{libraries}/libc.so.6")),
    ] {
        let places = [tools.join(file), tools.join("usr").join(file)];
        let place = places.iter().find(|place| place.is_file());
        let place = place.with_context(|| format!("the packages of kexec hold no {file}"))?;
        archive.file(name, true, &fs::read(place)?);
    }
    archive.file("vmlinux", false, &fs::read(kernel).context("reading the kernel")?);
    proof::initrd(base, "kexec", archive)
}
