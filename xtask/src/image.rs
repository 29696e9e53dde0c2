//! Builds `opalite.lid`. Every flag of the compiler and the linker is here and nowhere else.

use crate::{board::Board, elf, paths, report, toolchain::Toolchain, tools};
use anyhow::{Context, Result, bail};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// A built image.
pub struct Image {
    /// The raw image.
    pub lid: PathBuf,
    /// Its bytes.
    pub size: usize,
}

/// Builds the image, writes it and its ELF file below `target`, and checks its size.
pub fn build(board: &Board) -> Result<Image> {
    let built = link(&paths::target().join("firmware"))?;
    let raw = elf::to_raw(&built, board.load_address)?;
    if raw.len() as u64 > board.size_limit {
        bail!("the image has {} bytes, which is more than the {} it may have", raw.len(), board.size_limit);
    }
    fs::write(paths::elf(), &built)?;
    fs::write(paths::lid(), &raw)?;
    Ok(Image { lid: paths::lid(), size: raw.len() })
}

/// Compiles and links with this target folder; gives the ELF file.
pub fn link(target_folder: &Path) -> Result<Vec<u8>> {
    let specification = paths::root().join("boards/powerpc64-opal.json");
    if !specification.is_file() {
        bail!("boards/powerpc64-opal.json is missing: this tree has no firmware to build");
    }
    let toolchain = Toolchain::ready()?;
    report::step(&format!("building the firmware with {}", toolchain.describe()));
    let mut command = toolchain.cargo();
    command
        .current_dir(paths::root())
        .args(["build", "--release", "--bin", "firmware", "-Zjson-target-spec"])
        .args(["-Zbuild-std=core,alloc,compiler_builtins", "-Zbuild-std-features=compiler-builtins-mem"])
        .arg("--target")
        .arg(&specification)
        .arg("--target-dir")
        .arg(target_folder)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(&toolchain).join("\u{1f}"))
        .stdin(std::process::Stdio::null());
    let status = command.status().context("starting cargo")?;
    if !status.success() {
        bail!("the firmware doesn't build; the compiler's messages are above");
    }
    let file = target_folder.join("powerpc64-opal/release/firmware");
    fs::read(&file).with_context(|| format!("reading {}", paths::shown(&file)))
}

fn flags(toolchain: &Toolchain) -> Vec<String> {
    let link = |argument: &str| format!("-Clink-arg={argument}");
    let script = paths::root().join("linker.ld");
    let mut flags = vec![
        format!("-Clinker={}", toolchain.linker.display()),
        link(&format!("-T{}", script.display())),
        link("-pie"),
        link("--no-dynamic-linker"),
        // Relocations in read-only sections are fine: the image relocates itself before anything is read.
        link("-z"),
        link("notext"),
        link("--build-id=none"),
    ];
    // The later of two prefixes that fit wins, so the general one comes first.
    let home = env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let cargo_home = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
    for (folder, name) in [
        (cargo_home.as_path(), "/cargo"),
        (toolchain.sysroot.as_path(), "/rust"),
        (paths::root(), "/opalite"),
    ] {
        flags.push(format!("--remap-path-prefix={}={name}", folder.display()));
    }
    flags
}

/// The gdb that can read the firmware's symbols, for a hint to a person.
pub fn debugger() -> &'static str {
    if tools::find("gdb-multiarch").is_some() { "gdb-multiarch" } else { "gdb" }
}
