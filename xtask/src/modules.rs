//! Kernel modules: where they are, what they need, and their content without compression.

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read,
    path::{Path, PathBuf},
};

/// A module, ready for the guest.
pub struct Module {
    /// File name without `.ko`, underscores for dashes, as the kernel calls it.
    pub name: String,
    /// The ELF file.
    pub content: Vec<u8>,
    /// What must be loaded before it.
    pub needs: Vec<String>,
}

/// The modules of one kernel (`lib/modules/VERSION`).
pub struct Tree {
    files: BTreeMap<String, PathBuf>,
    /// None if nobody says: then what has no file is built in.
    builtin: Option<BTreeSet<String>>,
}

impl Tree {
    /// Looks at what there is.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        collect(&folder.join("kernel"), &mut files)?;
        let list = fs::read_to_string(folder.join("modules.builtin")).ok();
        let builtin = list.map(|list| list.lines().filter_map(|line| module_name(Path::new(line))).collect());
        Ok(Self { files, builtin })
    }

    fn is_builtin(&self, name: &str) -> bool {
        self.builtin.as_ref().map_or_else(|| !self.files.contains_key(name), |builtin| builtin.contains(name))
    }

    /// These modules and all that they need, each after what it needs. What is built into the kernel is left out.
    pub fn closure(&self, names: &[&str]) -> Result<Vec<Module>> {
        let mut done = Vec::new();
        for name in names {
            self.add(&name.replace('-', "_"), &mut done)?;
        }
        Ok(done)
    }

    fn add(&self, name: &str, done: &mut Vec<Module>) -> Result<()> {
        if self.is_builtin(name) || done.iter().any(|module| module.name == name) {
            return Ok(());
        }
        let Some(file) = self.files.get(name) else {
            bail!("the kernel has no module {name}");
        };
        let content = read(file).with_context(|| format!("reading {}", file.display()))?;
        let needs: Vec<_> = needs_of(&content)?.into_iter().filter(|need| !self.is_builtin(need)).collect();
        for need in &needs {
            self.add(need, done).with_context(|| format!("needed by {name}"))?;
        }
        done.push(Module { name: name.into(), content, needs });
        Ok(())
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if let Some(name) = module_name(&path) {
            files.insert(name, path);
        }
    }
    Ok(())
}

fn module_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let stem = name.strip_suffix(".xz").unwrap_or(name).strip_suffix(".ko")?;
    Some(stem.replace('-', "_"))
}

fn read(file: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(file)?;
    if file.extension().is_none_or(|extension| extension != "xz") {
        return Ok(bytes);
    }
    let mut content = Vec::new();
    lzma_rust2::XzReader::new(bytes.as_slice(), true).read_to_end(&mut content)?;
    Ok(content)
}

/// The names in `depends=` of the section `.modinfo`.
fn needs_of(content: &[u8]) -> Result<Vec<String>> {
    let file = object::File::parse(content).context("not an ELF file")?;
    let section = file.section_by_name(".modinfo").context("no .modinfo")?;
    Ok(parse_modinfo(section.data()?))
}

fn parse_modinfo(data: &[u8]) -> Vec<String> {
    data.split(|&byte| byte == 0)
        .filter_map(|entry| std::str::from_utf8(entry).ok()?.strip_prefix("depends="))
        .flat_map(|list| list.split(','))
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('-', "_"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_dependencies_and_takes_an_empty_list_for_none() {
        assert_eq!(parse_modinfo(b"license=GPL\0depends=nvme-core,t10_pi\0x=y\0"), ["nvme_core", "t10_pi"]);
        assert!(parse_modinfo(b"depends=\0license=GPL\0").is_empty());
    }

    #[test]
    fn what_has_no_file_is_built_in_unless_a_list_says_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("kernel")).unwrap();
        assert!(Tree::open(folder.path()).unwrap().closure(&["af_packet"]).unwrap().is_empty());
        fs::write(folder.path().join("modules.builtin"), "kernel/net/packet/af-packet.ko\n").unwrap();
        let tree = Tree::open(folder.path()).unwrap();
        assert!(tree.closure(&["af-packet"]).unwrap().is_empty());
        assert!(tree.closure(&["nvme"]).is_err());
    }

    #[test]
    fn a_module_is_known_by_its_kernel_name() {
        assert_eq!(module_name(Path::new("kernel/a/nvme-core.ko.xz")).as_deref(), Some("nvme_core"));
        assert_eq!(module_name(Path::new("usb-storage.ko")).as_deref(), Some("usb_storage"));
        assert_eq!(module_name(Path::new("modules.order")), None);
    }
}
