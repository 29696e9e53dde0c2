//! `cargo xtask bench --scale`: what a thread, a chip and a bridge add to the way from reset to the kernel.

use super::machine::Machine;
use crate::{board::Board, report};
use anyhow::Result;
use std::path::PathBuf;

/// Machines of more and more threads and chips, as QEMU spells them. Each chip has all the bridges that it can have.
const CPUS: &[&str] = &["1", "2", "4", "8,sockets=2,cores=4"];

/// Boots each machine as far as the kernel goes without a file system, and prints what came before the kernel.
///
/// With few bridges time is what was executed. With several threads that can't be: waits for other threads last as long as
/// the host lets them.
pub fn run(mut machine: Machine, board: &Board, name: &str, image: Option<PathBuf>) -> Result<()> {
    machine.launch.initrd = None;
    let mut sizes = Vec::new();
    for smp in CPUS {
        let mut larger = Machine { icount: false, ..machine.clone() };
        larger.launch.smp = smp.to_string();
        sizes.push((format!("-smp {smp}"), larger));
    }
    for count in [0, 1, 2, board.pci.buses.len()] {
        let mut smaller = machine.clone();
        smaller.keep_bridges(board, count);
        sizes.push((format!("-smp 1, bridges: {count}, time is what was executed"), smaller));
    }
    let mut lines = String::new();
    for (what, machine) in sizes {
        report::step(&format!("counting {name} with {what}"));
        lines += &format!("  {:>12}  {what}\n", machine.to_kernel("scale", image.clone())?);
    }
    println!("Instructions of the booting thread from reset to the kernel, {name}:\n\n{lines}");
    Ok(())
}
