//! The QEMU that runs inside: of a whole distribution's tree only the program, the libraries that it is linked to, and
//! the guest's firmware, because the host's first file system lies in memory.

use crate::{cpio::Archive, fetch};
use anyhow::{Context, Result};
use object::read::elf::{Dyn, FileHeader, SectionHeader};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const LIBRARIES: &[&str] = &["lib/powerpc64le-linux-gnu", "usr/lib/powerpc64le-linux-gnu"];
/// The dynamic linker. The script in the guest names it, so that no path need be where it was linked for.
const LINKER: &str = "ld64.so.2";

/// Adds `nested/qemu-system-ppc64`, `nested/lib` and `nested/share`.
pub fn add_qemu(archive: &mut Archive) -> Result<()> {
    let tree = fetch::guest_qemu()?;
    let program = read(&tree.join("usr/bin/qemu-system-ppc64"))?;
    let mut libraries = BTreeMap::new();
    add_needed(&tree, &program, &mut libraries)?;
    add_library(&tree, LINKER, &mut libraries)?;
    archive.file("nested/qemu-system-ppc64", true, &program);
    for (name, content) in libraries {
        archive.file(&format!("nested/lib/{name}"), true, &content);
    }
    archive.file("nested/share/slof.bin", false, &read(&tree.join("usr/share/qemu/slof.bin"))?);
    Ok(())
}

fn add_needed(tree: &Path, content: &[u8], libraries: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    needed(content)?.iter().try_for_each(|name| add_library(tree, name, libraries))
}

fn add_library(tree: &Path, name: &str, libraries: &mut BTreeMap<String, Vec<u8>>) -> Result<()> {
    if libraries.contains_key(name) {
        return Ok(());
    }
    let file = LIBRARIES
        .iter()
        .flat_map(|folder| [tree.join(folder), tree.join(folder).join("systemd")])
        .map(|folder| folder.join(name))
        .find(|file: &PathBuf| file.is_file())
        .with_context(|| format!("the fetched packages hold no {name}"))?;
    let content = read(&file)?;
    libraries.insert(name.into(), content.clone());
    add_needed(tree, &content, libraries).with_context(|| format!("needed by {name}"))
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("reading {}", file.display()))
}

/// The names of the libraries that an ELF file is linked to.
fn needed(content: &[u8]) -> Result<Vec<String>> {
    let header = object::elf::FileHeader64::<object::Endianness>::parse(content)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, content)?;
    let mut names = Vec::new();
    for section in sections.iter() {
        let Some((entries, strings)) = section.dynamic(endian, content)? else { continue };
        let strings = sections.strings(endian, content, strings)?;
        for entry in entries.iter().filter(|entry| entry.tag(endian) == object::elf::DT_NEEDED) {
            names.push(String::from_utf8(entry.string(endian, strings)?.to_vec())?);
        }
    }
    Ok(names)
}
