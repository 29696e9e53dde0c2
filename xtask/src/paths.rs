//! Where things are: the project, what is built, and the cache of fetched packages, which outlives a `cargo clean`.

use anyhow::{Context, Result};
use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// A name beside a file that nobody else writes to, not even another thread: to be renamed to it when it is complete.
pub fn unshared(file: &Path) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}-{count}", std::process::id()));
    name.into()
}

/// Names another root folder: a copy of the project that xtask shall work on.
pub const ROOT: &str = "OPALITE_ROOT";

/// The project's root folder.
pub fn root() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| match env::var_os(ROOT) {
        Some(folder) => PathBuf::from(folder),
        None => {
            let own = Path::new(env!("CARGO_MANIFEST_DIR"));
            own.parent().expect("xtask lies inside the project").to_path_buf()
        }
    })
}

/// Cargo's target folder of the project.
pub fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// What xtask itself writes: logs, initramfs images, disks of a boot.
pub fn out() -> Result<PathBuf> {
    made(target().join("opalite"))
}

/// The firmware image.
pub fn lid() -> PathBuf {
    target().join("opalite.lid")
}

/// The same with symbols, for a debugger.
pub fn elf() -> PathBuf {
    target().join("opalite.elf")
}

/// Fetched packages. `OPALITE_CACHE` names another place.
pub fn cache() -> Result<PathBuf> {
    if let Some(folder) = env::var_os("OPALITE_CACHE") {
        return Ok(PathBuf::from(folder));
    }
    let base = match env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env::var_os("HOME").context("neither HOME nor OPALITE_CACHE is set")?)
            .join(".cache"),
    };
    Ok(base.join("opalite"))
}

/// The folder, made if it wasn't there.
pub fn made(folder: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&folder).with_context(|| format!("making the folder {}", folder.display()))?;
    Ok(folder)
}

/// A path as it is best read: relative to the project when it lies inside.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
