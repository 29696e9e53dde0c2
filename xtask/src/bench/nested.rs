//! `cargo xtask bench --nested`: a KVM guest with a disk and a card passed through, on both firmwares in turn. Once on each
//! the instructions are counted; the other runs give the time until the guest has read its disk.

use super::{
    Firmware,
    counts::Counts,
    limits::{self, Measure, Verdict},
    machine, table, tokens,
};
use crate::{
    nested::{self, Times},
    paths, report,
};
use anyhow::{Context, Result, bail};
use std::{fs, path::PathBuf};

/// How much slower a guest may seem: runs by the host's clock differ by more than firmware's share in them.
const NOISE: f64 = 1.1;

/// What the runs on one firmware gave.
struct Ran {
    firmware: Firmware,
    counts: Counts,
    times: Vec<Times>,
}

/// Runs, and prints both. An error when ours is slower or PCI_TCE_KILL misses its limit.
pub fn compare(machine: &str, ours: Option<PathBuf>, only: Option<Firmware>, runs: u32) -> Result<()> {
    let plugin = machine::build_plugin(&paths::target())?;
    let mut ran: Vec<Ran> = Vec::new();
    for firmware in [Firmware::Opalite, Firmware::Skiboot] {
        if only.is_none_or(|only| only == firmware) {
            report::step(&format!("counting {}", firmware.name()));
            let file = paths::out()?.join(format!("nested-{}.txt", firmware.name().to_lowercase()));
            let option = format!("{},out={}", machine::escaped(&plugin), machine::escaped(&file));
            nested::timed(machine, image(firmware, &ours), vec!["-plugin".into(), option.into()])?;
            let counts = Counts::parse(&fs::read_to_string(&file).context("QEMU wrote no counts")?)?;
            ran.push(Ran { firmware, counts, times: Vec::new() });
        }
    }
    // In turn: what else the host does meets both.
    for number in 1..=runs {
        for one in &mut ran {
            report::step(&format!("timing {} ({number}/{runs})", one.firmware.name()));
            one.times.push(nested::timed(machine, image(one.firmware, &ours), Vec::new())?);
        }
    }
    let of = |firmware| ran.iter().find(|one| one.firmware == firmware);
    let (opalite, skiboot) = (of(Firmware::Opalite), of(Firmware::Skiboot));
    println!("A KVM guest on {machine}, 1 CPU, 4K pages, NVMe and e1000e passed through\n");
    print!("{}", table::markdown(opalite.map(|one| &one.counts), skiboot.map(|one| &one.counts)));
    println!();
    for one in &ran {
        println!("{}: {}", one.firmware.name(), sentence(&one.times));
    }
    let Some(opalite) = opalite else { return Ok(()) };
    let kills = |verdict: &Verdict| verdict.measure == Measure::Call(tokens::PCI_TCE_KILL);
    let verdicts: Vec<_> = limits::judge(&opalite.counts, true).into_iter().filter(kills).collect();
    print!("\n{}", table::limits(&verdicts));
    if verdicts.iter().any(|verdict| verdict.taken.is_none() || !verdict.passed()) {
        bail!("Opalite misses the limit of {}", tokens::name(tokens::PCI_TCE_KILL));
    }
    match skiboot {
        Some(skiboot) if best(&opalite.times) > best(&skiboot.times) * NOISE => bail!(
            "a guest reads its disk after {:.1} s, on skiboot after {:.1} s",
            best(&opalite.times),
            best(&skiboot.times)
        ),
        _ => Ok(()),
    }
}

fn image(firmware: Firmware, ours: &Option<PathBuf>) -> Option<PathBuf> {
    match firmware {
        Firmware::Opalite => ours.clone(),
        Firmware::Skiboot => None,
    }
}

/// The shortest time until the disk was read: what disturbs a run makes it longer.
fn best(times: &[Times]) -> f64 {
    times.iter().map(|times| times.read).fold(f64::INFINITY, f64::min)
}

fn sentence(times: &[Times]) -> String {
    let list = |of: fn(&Times) -> f64| {
        times.iter().map(|times| format!("{:.1}", of(times))).collect::<Vec<_>>().join(", ")
    };
    format!("disk read after {} s, guest's end after {} s", list(|times| times.read), list(|times| times.end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_undisturbed_run_counts() {
        let times = [Times { read: 12.0, end: 15.5 }, Times { read: 9.5, end: 11.0 }];
        assert_eq!(best(&times), 9.5);
        assert_eq!(sentence(&times), "disk read after 12.0, 9.5 s, guest's end after 15.5, 11.0 s");
    }
}
