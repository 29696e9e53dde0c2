//! Which QEMU is used, and the arguments it gets.

use crate::{board::Board, fetch, tools};
use anyhow::{Context, Result, bail};
use regex::Regex;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// A QEMU that can be started.
#[derive(Clone, Debug)]
pub struct Qemu {
    binary: PathBuf,
    /// Its data folders, if it isn't installed where it was built for.
    data: Vec<PathBuf>,
    /// Libraries that came with it.
    libraries: Vec<PathBuf>,
    /// The dynamic linker, if a C library came with it.
    loader: Option<PathBuf>,
    /// As it says itself, like `10.0.2`.
    pub version: String,
}

/// The version that means the newest that the mirror has.
pub const NEWEST: &str = "newest";

impl Qemu {
    /// `7.2`, `10` and so on: the system's own if it is that version, else one from the cache. `newest`: from the cache. Or
    /// a path.
    pub fn select(wanted: &str) -> Result<Self> {
        let installed = || Self::at(tools::find("qemu-system-ppc64")?, None).ok();
        Self::choose(wanted, installed, fetch::qemu)
    }

    fn choose(
        wanted: &str,
        installed: impl FnOnce() -> Option<Self>,
        fetch: impl FnOnce(&str) -> Result<PathBuf>,
    ) -> Result<Self> {
        if wanted.contains('/') {
            tools::must_exist(Path::new(wanted), "--qemu")?;
            return Self::at(wanted.into(), None);
        }
        let fetched = |version: &str| -> Result<Self> {
            let tree = fetch(version)
                .with_context(|| format!("QEMU {wanted} isn't installed and couldn't be fetched"))?;
            Self::at(tree.join("usr/bin/qemu-system-ppc64"), Some(&tree))
        };
        if wanted == NEWEST {
            return fetched(NEWEST);
        }
        if !wanted.chars().all(|c| c.is_ascii_digit() || c == '.') {
            bail!(
                "--qemu takes a version like 7.2 or 10, {NEWEST}, or a path with a slash in it; not {wanted}"
            );
        }
        // "10" and "10.0" both mean 10.0.x; "7.2" means 7.2.x.
        let prefix = if wanted.contains('.') { wanted.to_string() } else { format!("{wanted}.") };
        if let Some(qemu) = installed()
            && qemu.version.starts_with(&prefix)
        {
            return Ok(qemu);
        }
        fetched(if wanted == "10" { "10.0" } else { wanted })
    }

    fn at(binary: PathBuf, tree: Option<&Path>) -> Result<Self> {
        let mut qemu =
            Self { binary, data: Vec::new(), libraries: Vec::new(), loader: None, version: String::new() };
        if let Some(tree) = tree {
            let multiarch = tools::output(Command::new("dpkg-architecture").arg("-qDEB_HOST_MULTIARCH"))
                .unwrap_or_else(|_| format!("{}-linux-gnu", std::env::consts::ARCH));
            qemu.data = ["usr/share/qemu", "usr/lib/ipxe/qemu"].iter().map(|name| tree.join(name)).collect();
            qemu.libraries = ["usr/lib", "lib"].iter().map(|l| tree.join(l).join(multiarch.trim())).collect();
            qemu.loader = qemu.libraries.iter().find_map(|folder| fetch::only_entry(folder, "ld-linux"));
        }
        let text = tools::output(qemu.command().arg("--version"))
            .with_context(|| format!("{} doesn't start", qemu.binary.display()))?;
        let number = Regex::new(r"version (\d+\.\d+(\.\d+)?)")?;
        qemu.version =
            number.captures(&text).map(|c| c[1].to_string()).context("QEMU doesn't say its version")?;
        Ok(qemu)
    }

    /// For a person: version and path.
    pub fn describe(&self) -> String {
        format!("{} ({})", self.binary.display(), self.version)
    }

    /// A command that starts it, without arguments. It dies with xtask, however xtask dies, if `setpriv` is there.
    pub fn command(&self) -> Command {
        let mut libraries = std::env::join_paths(&self.libraries).unwrap_or_default();
        let mut line: Vec<OsString> = Vec::new();
        if let Some(setpriv) = tools::find("setpriv") {
            line.extend([setpriv.into(), "--pdeathsig".into(), "KILL".into(), "--".into()]);
        }
        if let Some(loader) = &self.loader {
            line.extend([loader.into(), "--library-path".into(), libraries.clone()]);
        }
        line.push(self.binary.clone().into());
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]);
        if let Some(library) = self.libraries.first() {
            command.env("QEMU_MODULE_DIR", library.join("qemu"));
        }
        // Another C library is for QEMU alone.
        if !self.libraries.is_empty() && self.loader.is_none() {
            if let Some(own) = std::env::var_os("LD_LIBRARY_PATH").filter(|own| !own.is_empty()) {
                libraries.push(":");
                libraries.push(own);
            }
            command.env("LD_LIBRARY_PATH", libraries);
        }
        for folder in &self.data {
            command.arg("-L").arg(folder);
        }
        command
    }
}

/// One start of QEMU, as data.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Which QEMU.
    pub qemu: Qemu,
    /// QEMU's machine and fixed arguments.
    pub machine: Vec<String>,
    /// CPUs, as QEMU spells it.
    pub smp: String,
    /// Memory, as QEMU spells it.
    pub memory: String,
    /// Our image, or `None` for QEMU's own firmware.
    pub firmware: Option<PathBuf>,
    /// The kernel.
    pub kernel: PathBuf,
    /// The initial file system.
    pub initrd: Option<PathBuf>,
    /// The kernel's command line.
    pub append: String,
    /// Disks, cards and what else is plugged in.
    pub extra: Vec<OsString>,
}

impl Launch {
    /// A machine as its board describes it, with nothing plugged in.
    pub fn new(board: &Board, qemu: Qemu, kernel: PathBuf) -> Self {
        let mut machine = vec!["-machine".to_string(), board.qemu.machine.clone()];
        machine.extend(board.qemu.args.iter().cloned());
        Self {
            qemu,
            machine,
            smp: board.qemu.smp.to_string(),
            memory: board.qemu.memory.clone(),
            firmware: None,
            kernel,
            initrd: None,
            append: board.kernel.append.clone(),
            extra: Vec::new(),
        }
    }

    /// Plugs in a device: QEMU's `-device`.
    pub fn device(&mut self, description: &str) {
        self.extra.extend(["-device".into(), description.into()]);
    }

    /// The machine without the bridges that QEMU gives it: those that there shall be are devices. QEMU takes the BMC away with
    /// them, which is put back, for without it nothing powers off.
    pub fn without_bridges(&mut self) {
        self.machine.push("-nodefaults".into());
        self.device("ipmi-bmc-sim,id=bmc");
        self.device("isa-ipmi-bt,bmc=bmc,irq=10");
    }

    /// A disk image under a name that a device refers to.
    pub fn drive(&mut self, name: &str, file: &Path) {
        let mut drive = OsString::from(format!("if=none,format=raw,id={name},file="));
        drive.push(file);
        self.extra.extend(["-drive".into(), drive]);
    }

    /// The command; the console is what `serial` says.
    pub fn command(&self, serial: &str) -> Command {
        let mut command = self.qemu.command();
        command.args(&self.machine).arg("-smp").arg(&self.smp).arg("-m").arg(&self.memory);
        // Guests may have more memory than the host, as long as they leave most of it alone.
        let memory = format!("memory-backend-ram,id=memory,size={},reserve=off", self.memory);
        command.args(["-object", &memory, "-machine", "memory-backend=memory"]);
        command.args(["-serial", serial]);
        if let Some(image) = &self.firmware {
            command.arg("-bios").arg(image);
        }
        command.arg("-kernel").arg(&self.kernel);
        if let Some(initrd) = &self.initrd {
            command.arg("-initrd").arg(initrd);
        }
        command.arg("-append").arg(&self.append).args(&self.extra);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(version: &str) -> Option<Qemu> {
        let binary = "/usr/bin/qemu-system-ppc64".into();
        Some(Qemu { binary, data: Vec::new(), libraries: Vec::new(), loader: None, version: version.into() })
    }

    /// What a person reads whose QEMU can't be had. No test asks the network.
    fn refusal(wanted: &str, version: &str) -> String {
        let mirror = |version: &str| {
            let found = [("1:10.0.2+ds-2".to_string(), "backports".to_string())];
            fetch::suite_of(version, &found).map(PathBuf::from)
        };
        format!("{:#}", Qemu::choose(wanted, || installed(version), mirror).unwrap_err())
    }

    #[test]
    fn a_qemu_that_nobody_has_is_refused_with_a_sentence() {
        let words = refusal("99", "10.0.2");
        for part in
            ["QEMU 99 isn't installed", "no qemu-system-ppc 99", "it has: 1:10.0.2+ds-2", "--qemu PATH"]
        {
            assert!(words.contains(part), "{words}");
        }
        assert!(refusal("1", "10.0.2").contains("QEMU 1 isn't installed"), "1 is no short 10");
        assert!(refusal("latest", "10.0.2").contains("a version like 7.2 or 10"));
        assert!(refusal("newest", "10.0.2").contains("no qemu-system-ppc newest"));
        assert!(refusal("/nowhere/qemu", "10.0.2").contains("there is no file /nowhere/qemu"));
    }

    #[test]
    fn the_installed_one_is_taken_if_it_fits_and_else_one_is_fetched() {
        let never = |_: &str| -> Result<PathBuf> { panic!("fetched") };
        for wanted in ["10", "10.0"] {
            assert_eq!(Qemu::choose(wanted, || installed("10.0.2"), never).unwrap().version, "10.0.2");
        }
        let asked = |version: &str| -> Result<PathBuf> { bail!("asked for {version}") };
        let words = format!("{:#}", Qemu::choose("10", || installed("7.2.22"), asked).unwrap_err());
        assert!(words.contains("asked for 10.0"), "{words}");
    }
}
