//! Builds `opalite.lid`. Every flag of the compiler and the linker is here and nowhere else.

use crate::{board::Board, elf, linker, paths, report, toolchain::Toolchain};
use anyhow::{Context, Result, bail};
use std::{
    env, fs,
    ops::Range,
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
    let raw = raw(&built, board)?;
    if raw.len() as u64 > board.size_limit {
        bail!("the image has {} bytes, which is more than the {} it may have", raw.len(), board.size_limit);
    }
    paths::put_bytes(&paths::elf(), &built)?;
    paths::put_bytes(&paths::lid(), &raw)?;
    Ok(Image { lid: paths::lid(), size: raw.len() })
}

/// Where QEMU from version 11 on writes into an image at each reset, as if it were skiboot's, and where `entry.S` finds what
/// was there: see `kept` in it.
const OVERWRITTEN: Range<usize> = 0x1_0300..0x1_0400;
const KEPT: Range<usize> = 0xb00..0xc00;

/// The bytes of the image.
pub fn raw(elf: &[u8], board: &Board) -> Result<Vec<u8>> {
    let mut raw = elf::to_raw(elf, board.load_address)?;
    keep_overwritten(&mut raw)?;
    Ok(raw)
}

fn keep_overwritten(raw: &mut [u8]) -> Result<()> {
    let free = raw.get(KEPT).is_some_and(|place| place.iter().all(|&byte| byte == 0));
    if !free || raw.len() < OVERWRITTEN.end {
        bail!("the image has no place at {:#x} for what QEMU writes over", KEPT.start);
    }
    raw.copy_within(OVERWRITTEN, KEPT.start);
    Ok(())
}

/// Compiles and links the firmware with this target folder; gives the ELF file.
pub fn link(target_folder: &Path) -> Result<Vec<u8>> {
    let program = Program {
        package: "opalite",
        binary: "firmware",
        script: "linker.ld",
        // Relocations in read-only sections are fine: the image relocates itself before anything is read.
        flags: &[
            "-Clink-arg=-pie",
            "-Clink-arg=--no-dynamic-linker",
            "-Clink-arg=-z",
            "-Clink-arg=notext",
            // A table of addresses in a few hundred bytes instead of 20 KB.
            "-Clink-arg=--pack-dyn-relocs=relr",
            // 27 KB of file names and line numbers; a panic prints a backtrace instead.
            "-Zlocation-detail=none",
            // Less than the 50 of `opt-level = "s"`: 3 KB. What calls need inline says so itself.
            "-Cllvm-args=-inline-threshold=12",
            // 12 KB of derived `Debug`. What is shown implements `Display`.
            "-Zfmt-debug=none",
            // 9 KB of messages. A panic traps, and the exception says where; boot says itself what a person must know.
            "-Zunstable-options",
            "-Cpanic=immediate-abort",
            // One body for functions that compile to the same.
            "-Clink-arg=--icf=all",
        ],
    };
    let file = compile(&program, target_folder)?;
    fs::read(&file).with_context(|| format!("reading {}", paths::shown(&file)))
}

/// The program that runs in the kernel's place, as an ELF file at fixed addresses.
pub fn payload() -> Result<PathBuf> {
    let program = Program {
        package: "payload",
        binary: "payload",
        script: "tests/payload/payload.ld",
        flags: &["-Crelocation-model=static"],
    };
    compile(&program, &paths::target().join("payload"))
}

/// Something that is built for the bare machine.
struct Program {
    package: &'static str,
    binary: &'static str,
    script: &'static str,
    flags: &'static [&'static str],
}

fn compile(program: &Program, target_folder: &Path) -> Result<PathBuf> {
    let specification = paths::root().join("boards/powerpc64-opal.json");
    if !specification.is_file() {
        bail!("boards/powerpc64-opal.json is missing: this tree has no firmware to build");
    }
    let toolchain = Toolchain::ready()?;
    report::step(&format!("building {} with {}", program.binary, toolchain.describe()));
    let mut command = toolchain.cargo();
    command
        .current_dir(paths::root())
        .args([
            "build",
            "--release",
            "-Zjson-target-spec",
            "--package",
            program.package,
            "--bin",
            program.binary,
        ])
        .arg("-Zbuild-std=core,alloc,compiler_builtins")
        // 11 KB less: core's small sorts and number formatting. No call sorts or formats.
        .arg("-Zbuild-std-features=compiler-builtins-mem,optimize_for_size")
        .arg("--target")
        .arg(&specification)
        .arg("--target-dir")
        .arg(target_folder)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(program, &toolchain)?.join("\u{1f}"))
        .env(linker::LINKER, &toolchain.linker)
        .stdin(std::process::Stdio::null());
    let status = command.status().context("starting cargo")?;
    if !status.success() {
        bail!("{} doesn't build; the compiler's messages are above", program.binary);
    }
    Ok(target_folder.join("powerpc64-opal/release").join(program.binary))
}

fn flags(program: &Program, toolchain: &Toolchain) -> Result<Vec<String>> {
    let script = paths::root().join(program.script);
    let mut flags = vec![
        // xtask itself: see `linker`.
        format!("-Clinker={}", env::current_exe().context("finding xtask's own file")?.display()),
        format!("-Clink-arg=-T{}", script.display()),
        "-Clink-arg=--build-id=none".into(),
    ];
    flags.extend(program.flags.iter().map(|flag| flag.to_string()));
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
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_qemu_writes_over_is_kept_where_the_first_instructions_look() {
        let mut raw: Vec<u8> = (0..0x2_0000).map(|at: u32| (at ^ (at >> 8)) as u8).collect();
        assert!(keep_overwritten(&mut raw.clone()).is_err(), "code would be lost");
        raw[KEPT].fill(0);
        let before = raw.clone();
        keep_overwritten(&mut raw).unwrap();
        assert_eq!(raw[KEPT], before[0x1_0300..0x1_0400]);
        raw[KEPT].fill(0);
        assert_eq!(raw, before);
        assert!(keep_overwritten(&mut raw[..0x1_0380].to_vec()).is_err());
    }
}
