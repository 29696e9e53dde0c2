//! `cargo xtask`: the one tool of Opalite's developers and users.

mod apt_sources;
mod bench;
mod board;
mod boot;
mod calls;
mod cases;
mod checks;
mod cli;
mod console;
mod cpio;
mod elf;
mod endings;
mod excused;
mod fetch;
mod image;
mod initramfs;
mod kexec;
mod linker;
mod modules;
mod more;
mod mutants;
mod nested;
mod packages;
mod parallel;
mod paths;
mod payload;
mod proof;
mod qemu;
mod report;
mod said;
mod scan;
mod test;
mod toolchain;
mod tools;
mod traffic;
mod trees;
mod windows;

use anyhow::Result;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = linker::run() {
        return code;
    }
    match run(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The whole chain in one sentence.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: cli::Cli) -> Result<()> {
    console::catch_interrupts()?;
    match cli.command {
        cli::Command::Image { machine } => {
            let image = image::build(&board::Board::named(&machine)?)?;
            println!("{}: {} bytes", paths::shown(&image.lid), image.size);
            Ok(())
        }
        cli::Command::Boot(options) if options.interactive => boot::interactive(&options),
        cli::Command::Boot(options) => boot::demonstrate(&options),
        cli::Command::Debug(options) => boot::debug(&options),
        cli::Command::Test { part, only, firmware } => test::run(part, only.as_deref(), firmware.as_deref()),
        cli::Command::Mutants { only, ring, last } => mutants::run(only.as_deref(), ring, last),
        cli::Command::Bench { args } => bench::run(args),
        cli::Command::Fetch { refresh, with_64k } => fetch::everything(refresh, with_64k),
        cli::Command::Windows { file, output } => windows::draw(&file, output),
        cli::Command::Clean { cache } => clean(cache),
    }
}

fn clean(cache: bool) -> Result<()> {
    for name in ["opalite", "firmware", "firmware-again", "payload", "mutants"] {
        fetch::remove(&paths::target().join(name))?;
    }
    for file in [paths::lid(), paths::elf()] {
        if file.exists() {
            std::fs::remove_file(file)?;
        }
    }
    if cache {
        fetch::remove(&paths::cache()?)?;
    }
    Ok(())
}
