//! The guest's first file system: busybox, our scripts from `xtask/guest`, and the drivers of the devices under test.

use crate::{cpio::Archive, modules::Tree, paths, report};
use anyhow::{Context, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The modules that the demonstration and the tests use. A driver loads only when a boot asks for it.
pub const MODULES: &[&str] = &[
    "nvme",
    "e1000e",
    "igb",
    "8139cp",
    "xhci-pci",
    "ehci-pci",
    "ohci-pci",
    "usb-storage",
    "sd_mod",
    "ahci",
    "sym53c8xx",
    "af_packet",
    "vfio-pci",
    "vfio_iommu_spapr_tce",
    "kvm_hv",
];

/// Builds the archive of one kernel and gives its path. Written anew each time, under a name of its kernel.
pub fn build(name: &str, busybox: &Path, modules: Option<&Path>) -> Result<PathBuf> {
    report::step(&format!("making the initramfs for kernel {name}"));
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "proc", "sys", "tmp", "steps", "modules"] {
        archive.folder(folder);
    }
    archive.device("dev/console", 5, 1);
    archive.device("dev/null", 1, 3);
    archive.file("bin/busybox", true, &fs::read(busybox).context("reading busybox")?);
    for script in scripts()? {
        let file = script.file_name().context("a file name")?.to_string_lossy().into_owned();
        let content = fs::read(&script)?;
        match file.as_str() {
            "init.sh" => archive.file("init", true, &content),
            other => archive.file(&format!("steps/{other}"), false, &content),
        }
    }
    let mut order = String::new();
    let modules = modules.map(|folder| Tree::open(folder)?.closure(MODULES)).transpose()?;
    for module in modules.unwrap_or_default() {
        archive.file(&format!("modules/{}.ko", module.name), false, &module.content);
        order += &format!("{}:{}\n", module.name, module.needs.join(" "));
    }
    archive.file("modules/needs", false, order.as_bytes());
    let file = paths::out()?.join(format!("initramfs-{name}.cpio"));
    paths::put_bytes(&file, &archive.finish())?;
    Ok(file)
}

fn scripts() -> Result<Vec<PathBuf>> {
    let folder = paths::root().join("xtask/guest");
    let mut found: Vec<_> = fs::read_dir(&folder)?.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "sh"));
    found.sort();
    Ok(found)
}
