//! What the tests hold our firmware to on each machine: the limits of a whole boot, and that what isn't there costs
//! nothing before the kernel.

use super::{
    limits::{self, Verdict},
    machine::{self, Machine, Outcome},
    tokens,
};
use crate::{
    board::Board,
    boot,
    fetch::Kernel,
    image, parallel, paths,
    qemu::{Launch, Qemu},
    report::{self, Check},
};
use anyhow::Result;
use std::{path::Path, time::Duration};

const MACHINES: &[&str] = &["powernv8", "powernv9", "powernv10"];

/// Memory is eight times as large, so what each megabyte took would show.
const MEMORY: [&str; 2] = ["2G", "16G"];

/// Counts on each machine; a limit of `cargo xtask bench` that is missed is a failed check.
pub fn run() -> Result<Vec<Check>> {
    // One image boots all machines.
    let image = image::build(&Board::named(MACHINES[0])?)?.lid;
    let payload = image::payload()?;
    let plugin = machine::build_plugin(&paths::target())?;
    let guest = boot::fetched_guest(Kernel::V6_12)?;
    let qemu = Qemu::select("10")?;
    let counted = parallel::each(MACHINES, |name| {
        report::step(&format!("counting on {name}"));
        let board = Board::named(name)?;
        let machine = Machine {
            launch: super::quiet_boot(&board, qemu.clone(), guest.clone()),
            devices: boot::demo_devices(&board)?,
            plugin: plugin.clone(),
            icount: true,
            limit: Duration::from_secs(300),
        };
        let mut bare = Launch::new(&board, qemu.clone(), payload.clone());
        bare.append.clear();
        bare.smp = "1".into();
        on_one(name, &board, machine, bare, &image)
    })?;
    let checks: Result<Vec<_>> = counted.into_iter().collect();
    Ok(checks?.concat())
}

/// Counts one whole boot of Linux, and boots as far as a kernel that does nothing, with more and less in the machine.
fn on_one(name: &str, board: &Board, mut machine: Machine, bare: Launch, image: &Path) -> Result<Vec<Check>> {
    let Outcome { counts, complaint } = machine.boot(name, Some(image.into()))?;
    let whole = format!("cost on {name}: boot");
    let mut checks = vec![Check::that(&whole, complaint.is_none(), complaint.unwrap_or_default())];
    checks.extend(limits::judge(&counts, true).iter().map(|verdict| told(name, verdict)));
    // For a PHB3 Linux invalidates by a register.
    if name != "powernv8" {
        let kills = counts.called(tokens::PCI_TCE_KILL);
        checks.push(Check::that(&format!("cost on {name}: PCI_TCE_KILL was made"), kills, ""));
    }
    machine.launch = bare;
    let to_kernel = |machine: &Machine| machine.to_kernel(name, Some(image.into()));
    let mut taken = Vec::new();
    let devices = std::mem::take(&mut machine.devices);
    for (memory, devices) in [(MEMORY[0], &devices[..]), (MEMORY[0], &[]), (MEMORY[1], &[])] {
        machine.launch.memory = memory.into();
        machine.devices = devices.to_vec();
        taken.push(to_kernel(&machine)?);
    }
    checks.extend(grows(name, [taken[0], taken[1], taken[2]]));
    machine.launch.memory = MEMORY[0].into();
    let few = |count| -> Result<u64> {
        let mut smaller = machine.clone();
        smaller.keep_bridges(board, count);
        to_kernel(&smaller)
    };
    checks.push(bridges(name, [few(0)?, few(1)?, taken[1]], board.pci.buses.len() as u64));
    Ok(checks)
}

fn told(machine: &str, verdict: &Verdict) -> Check {
    let taken = verdict.taken.map_or("none made".into(), |taken| taken.to_string());
    Check::that(
        &format!("cost on {machine}: {}", verdict.measure.name()),
        verdict.passed(),
        format!("{taken}, at most {}", verdict.most),
    )
}

/// Instructions to the kernel: with devices, without, and without but in much more memory.
fn grows(machine: &str, [devices, bare, memory]: [u64; 3]) -> [Check; 2] {
    [
        Check::that(
            &format!("cost on {machine}: devices that aren't there"),
            bare < devices,
            format!("{bare} to the kernel, with two {devices}"),
        ),
        Check::that(
            &format!("cost on {machine}: memory"),
            memory.abs_diff(bare) <= bare / 500,
            format!("{bare} to the kernel with {}, {memory} with {}", MEMORY[0], MEMORY[1]),
        ),
    ]
}

/// Instructions to the kernel with no bridge, with one and with all `count`: no later bridge may cost more than the first.
fn bridges(machine: &str, [none, one, all]: [u64; 3], count: u64) -> Check {
    let at_most_the_first = none < one && one < all && all - one <= (count - 1) * (one - none);
    Check::that(
        &format!("cost on {machine}: bridges that aren't there"),
        at_most_the_first,
        format!("{none} to the kernel without, {one} with one, {all} with {count}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_with_nothing_is_seen() {
        let passed = |taken| grows("any", taken).map(|check| check.passed());
        assert_eq!(passed([2_000_000, 1_000_000, 1_000_500]), [true, true]);
        assert_eq!(passed([1_000_000, 1_000_000, 1_000_000]), [false, true]);
        assert_eq!(passed([2_000_000, 1_000_000, 1_003_000]), [true, false]);
        assert_eq!(passed([2_000_000, 1_000_000, 997_000]), [true, false]);
    }

    #[test]
    fn a_bridge_that_costs_nothing_or_more_than_the_first_is_seen() {
        let passed = |taken| bridges("any", taken, 6).passed();
        assert!(passed([2_000_000, 2_200_000, 3_200_000]));
        assert!(!passed([2_200_000, 2_200_000, 3_200_000]) && !passed([2_300_000, 2_200_000, 3_200_000]));
        assert!(!passed([2_000_000, 2_200_000, 3_200_001]));
    }
}
