//! `cargo xtask bench --scale`: what a thread, a chip and a bridge add to the way from reset to the kernel.

use super::machine::{Machine, Outcome};
use crate::{board::Board, report};
use anyhow::{Result, bail};
use std::path::PathBuf;

/// Machines of more and more threads and chips, as QEMU spells them. Each chip has all the bridges that it can have.
const CPUS: &[&str] = &["1", "2", "4", "8,sockets=2,cores=4"];

/// Boots each machine as far as the kernel goes without a file system, and prints what came before the kernel.
///
/// The bridges are counted with `-icount`. With several threads that can't be: waits last as long as the host lets them.
pub fn run(mut machine: Machine, board: &Board, name: &str, image: Option<PathBuf>) -> Result<()> {
    machine.launch.initrd = None;
    let mut rows = Vec::new();
    for &smp in CPUS {
        let mut larger = Machine { icount: false, ..machine.clone() };
        larger.launch.smp = smp.into();
        rows.push((format!("-smp {smp}"), to_kernel(&larger, name, &format!("-smp {smp}"), &image)?));
    }
    for count in bridges(board.pci.buses.len()) {
        let mut fewer = machine.clone();
        with_bridges(&mut fewer, board, count);
        let what = format!("-smp 1, bridges: {count}, time is what was executed");
        rows.push((what.clone(), to_kernel(&fewer, name, &what, &image)?));
    }
    println!("Instructions of the booting thread from reset to the kernel, {name}:\n");
    for (what, count) in rows {
        println!("  {count:>12}  {what}");
    }
    Ok(())
}

fn to_kernel(machine: &Machine, name: &str, what: &str, image: &Option<PathBuf>) -> Result<u64> {
    report::step(&format!("counting {name} with {what}"));
    let Outcome { counts, complaint } = machine.boot("scale", image.clone())?;
    match counts.to_kernel {
        Some(count) => Ok(count),
        None => bail!("{what}: {}", complaint.unwrap_or_default()),
    }
}

/// None, one, two and all.
fn bridges(all: usize) -> [usize; 4] {
    [0, 1, 2, all]
}

/// Nothing plugged in, and so many bridges on the chip; whatever else QEMU gives a machine is there as before.
pub fn with_bridges(machine: &mut Machine, board: &Board, count: usize) {
    machine.launch.machine.push("-nodefaults".into());
    machine.devices = vec!["ipmi-bmc-sim,id=bmc0".into(), "isa-ipmi-bt,bmc=bmc0,irq=10".into()];
    for (index, bus) in board.pci.buses.iter().enumerate().take(count) {
        machine.devices.push(format!("pnv-phb,chip-id=0,index={index}"));
        machine.devices.push(format!("pnv-phb-root-port,id={bus},bus={}.{index}", board.pci.root));
    }
}
