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

/// Makes a file beside its place and moves it there when it is whole: another xtask, or another thread, may make the same
/// one meanwhile, or have QEMU read it.
pub fn put(file: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut own = file.as_os_str().to_owned();
    own.push(format!(".{}-{count}", std::process::id()));
    let own = PathBuf::from(own);
    let made = make(&own)
        .and_then(|()| fs::rename(&own, file).with_context(|| format!("moving to {}", file.display())));
    if made.is_err() {
        let _ = fs::remove_file(&own);
    }
    made
}

/// The same with content that is at hand.
pub fn put_bytes(file: &Path, bytes: &[u8]) -> Result<()> {
    put(file, |own| fs::write(own, bytes).with_context(|| format!("writing {}", own.display())))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs::File, io::Read};

    #[test]
    fn who_reads_a_file_that_is_put_anew_reads_the_old_one_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("image");
        put_bytes(&file, b"old image").unwrap();
        let mut reader = File::open(&file).unwrap();
        put_bytes(&file, b"new").unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), fs::read_to_string(&file).unwrap().as_str()), ("old image", "new"));
    }

    #[test]
    fn what_was_made_by_half_is_never_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("image");
        put_bytes(&file, b"old image").unwrap();
        let failed = put(&file, |own| {
            fs::write(own, b"ne")?;
            anyhow::bail!("the disk is full")
        });
        assert!(failed.is_err());
        assert_eq!(fs::read_to_string(&file).unwrap(), "old image");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
