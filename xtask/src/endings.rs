//! Boots that can't come to anything. Each must end the watch at once, with a sentence that says what is wrong.

use crate::{
    board::Board,
    boot,
    console::{self, Limits},
    fetch::{self, Kernel},
    parallel, paths,
    qemu::{Launch, Qemu},
    report::{self, Check},
};
use anyhow::Result;
use std::{path::PathBuf, time::Duration};

/// Much longer than a good end takes, also the kernel's.
const LIMITS: Limits =
    Limits { total: Duration::from_secs(180), silence: Duration::from_secs(60), show: false };

/// One of them.
struct Case {
    name: &'static str,
    machine: &'static str,
    wrong: Wrong,
    /// What the sentence must say: what ended it, and why.
    words: [&'static str; 2],
}

enum Wrong {
    /// What lies where the kernel should is none.
    Kernel,
    /// Nothing for the kernel to mount.
    Initrd,
    /// Less than the machine must have.
    Memory,
}

const NO_KERNEL: [&str; 2] = ["the firmware panicked (OPALITE PANIC", "no kernel to boot at 0x20000000"];

const CASES: &[Case] = &[
    Case { name: "no kernel on powernv8", machine: "powernv8", wrong: Wrong::Kernel, words: NO_KERNEL },
    Case { name: "no kernel on powernv9", machine: "powernv9", wrong: Wrong::Kernel, words: NO_KERNEL },
    Case { name: "no kernel on powernv10", machine: "powernv10", wrong: Wrong::Kernel, words: NO_KERNEL },
    Case {
        name: "no file system",
        machine: "powernv9",
        wrong: Wrong::Initrd,
        words: ["the kernel panicked (", "Unable to mount root fs"],
    },
    Case {
        name: "too little memory",
        machine: "powernv9",
        wrong: Wrong::Memory,
        words: ["QEMU failed: ", "RAM size"],
    },
];

/// Boots each on our firmware.
pub fn run() -> Result<Vec<Check>> {
    // One image boots all machines.
    let firmware = boot::firmware(None, &Board::named("powernv9")?)?;
    parallel::each(CASES, |case| one(case, firmware.clone()))?.into_iter().collect()
}

fn one(case: &Case, firmware: Option<PathBuf>) -> Result<Check> {
    report::step(&format!("booting with {}", case.name));
    let board = Board::named(case.machine)?;
    let mut launch = Launch::new(&board, Qemu::select("10")?, kernel(case)?);
    launch.firmware = firmware;
    if let Wrong::Memory = case.wrong {
        launch.memory = "512M".into();
    }
    let outcome = console::run(&launch, LIMITS, &mut |_| None)?;
    let name = format!("ends with {}", case.name);
    boot::keep_log(&name.replace(' ', "-"), &outcome.console)?;
    let sentence = outcome.ending.sentence();
    Ok(Check::that(&name, case.words.iter().all(|words| sentence.contains(words)), sentence))
}

fn kernel(case: &Case) -> Result<PathBuf> {
    if !matches!(case.wrong, Wrong::Kernel) {
        return Ok(fetch::kernel(Kernel::V6_12)?.image);
    }
    let file = paths::out()?.join("no-kernel");
    paths::put_bytes(&file, &[0; 1 << 16])?;
    Ok(file)
}
