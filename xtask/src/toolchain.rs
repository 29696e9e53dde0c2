//! The compiler for the firmware: one whose library sources are there, of the same version. And a linker.

use crate::{paths, report, tools};
use anyhow::{Context, Result};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What builds the image.
pub struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    /// rustup's proxies would choose another compiler, so its variables must not reach cargo.
    outside_rustup: bool,
    /// `rustc --print sysroot`
    pub sysroot: PathBuf,
    /// An `ld.lld`.
    pub linker: PathBuf,
}

impl Toolchain {
    /// The one that this machine has, or gets now.
    pub fn ready() -> Result<Self> {
        let (cargo, rustc, outside_rustup, sysroot) = match compiler()? {
            Some(found) => found,
            None => {
                tools::install(&["rustc-web", "cargo-web", "rust-web-src"], "building the firmware").context(
                    "there is no compiler with its library sources that is new enough: `rustup component add rust-src` \
                     gives one, so do Debian's packages rustc-web, cargo-web and rust-web-src",
                )?;
                compiler()?.with_context(|| {
                    format!(
                        "rustc-web, cargo-web and rust-web-src are installed but are older than {} or don't fit \
                         together; `apt-get update` or Debian's security suite brings newer ones",
                        oldest().unwrap_or_default()
                    )
                })?
            }
        };
        let linker = match linker(&sysroot) {
            Some(linker) => linker,
            None => {
                tools::install(&["lld"], "linking the firmware")?;
                linker(&sysroot).context("the package lld brought no ld.lld")?
            }
        };
        Ok(Self { cargo, rustc, outside_rustup, sysroot, linker })
    }

    /// A cargo command with this compiler.
    pub fn cargo(&self) -> Command {
        let mut command = Command::new(&self.cargo);
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            let of_an_outer_cargo = ["CARGO_PKG_", "CARGO_BIN_", "CARGO_CFG_"]
                .iter()
                .any(|p| text.starts_with(p))
                || ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_TARGET_DIR", "RUSTFLAGS"]
                    .contains(&text.as_ref())
                || ["CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER"]
                    .contains(&text.as_ref());
            let of_rustup =
                ["RUSTUP_TOOLCHAIN", "RUST_RECURSION_COUNT", "RUSTC", "RUSTDOC"].contains(&text.as_ref());
            if of_an_outer_cargo || of_rustup {
                command.env_remove(&name);
            }
        }
        if self.outside_rustup {
            // cargo's build would find rustup's rustc first in PATH.
            command.env("RUSTC", &self.rustc);
        }
        command.env("RUSTC_BOOTSTRAP", "1");
        command
    }

    /// Version of the compiler, for reports.
    pub fn describe(&self) -> String {
        tools::output(Command::new(&self.rustc).arg("--version")).unwrap_or_default().trim().to_string()
    }
}

type Compiler = (PathBuf, PathBuf, bool, PathBuf);

fn compiler() -> Result<Option<Compiler>> {
    // The cargo that runs us belongs to the active toolchain; its rustc lies beside it.
    let own = env::var_os("CARGO").map(PathBuf::from);
    let beside = own.as_ref().and_then(|cargo| Some(cargo.parent()?.join("rustc")));
    if let (Some(cargo), Some(rustc)) = (own, beside.filter(|file| file.is_file()))
        && let Some(sysroot) = with_sources(&rustc)
    {
        return Ok(Some((cargo, rustc, true, sysroot)));
    }
    let (cargo, rustc) = (PathBuf::from("/usr/bin/cargo"), PathBuf::from("/usr/bin/rustc"));
    if cargo.is_file()
        && rustc.is_file()
        && let Some(sysroot) = with_sources(&rustc)
    {
        report::step(
            "the toolchain in use has no library sources; building with the distribution's compiler",
        );
        return Ok(Some((cargo, rustc, true, sysroot)));
    }
    Ok(None)
}

/// The compiler's sysroot, if it is new enough and the library sources are in it. They come with the compiler's own version
/// or not at all.
fn with_sources(rustc: &Path) -> Option<PathBuf> {
    let version = tools::output(Command::new(rustc).arg("--version")).ok()?;
    if release(version.strip_prefix("rustc ")?)? < release(&oldest().ok()?)? {
        return None;
    }
    let sysroot = tools::output(Command::new(rustc).args(["--print", "sysroot"])).ok()?;
    let sysroot = PathBuf::from(sysroot.trim());
    sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs").is_file().then_some(sysroot)
}

/// The oldest compiler that the firmware is for: `rust-version` of its `Cargo.toml`.
fn oldest() -> Result<String> {
    let manifest: toml::Table = fs::read_to_string(paths::root().join("Cargo.toml"))?.parse()?;
    let version = manifest["package"].get("rust-version").and_then(toml::Value::as_str);
    Ok(version.context("Cargo.toml names no rust-version")?.to_string())
}

/// The first two numbers of a version.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split(['.', '-', ' ']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// rustup's linker comes with the pinned toolchain, so everyone who has that links with the same one; else the system's.
fn linker(sysroot: &Path) -> Option<PathBuf> {
    let below = |root: &Path| {
        let host = format!("{}-unknown-linux-gnu", env::consts::ARCH);
        Some(root.join("lib/rustlib").join(host).join("bin/gcc-ld/ld.lld")).filter(|file| file.is_file())
    };
    let active = env::var_os("CARGO")
        .map(PathBuf::from)
        .and_then(|cargo| Some(cargo.parent()?.parent()?.to_path_buf()));
    below(sysroot).or_else(|| below(&active?)).or_else(|| tools::find("ld.lld"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(release("1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"), Some((1, 96)));
        assert_eq!(release("1.100.0-nightly (x)"), Some((1, 100)));
        assert!(release("1.85.0 (4d91de4e4 2025-02-17)") < release("1.100"));
        assert_eq!(release("unknown"), None);
    }

    #[test]
    fn the_manifest_names_the_oldest_compiler() {
        assert!(release(&oldest().unwrap()).is_some());
    }
}
