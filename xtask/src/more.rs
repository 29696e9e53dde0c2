//! What a kernel warns of under our firmware and not under QEMU's own: each such line is a complaint until a table says why
//! it isn't. Numbers differ from boot to boot; only the words are compared.

use crate::{report::Check, said};
use regex::Regex;
use std::{collections::BTreeSet, sync::LazyLock};

/// Lines that only our boots have, and why they may.
const ALLOWED: &[(&str, &str)] = &[
    ("^Hardware name: ", "the firmware's name is in it"),
    ("^Kernel command line: ", "ports of the host are in it"),
    ("^OF: reserved mem: .* ibm,(firmware|rtas)@", "our two regions; skiboot has five of other names"),
    ("^radix-mmu: (Page size|Mapped )", "we tell which pages radix has, so memory is mapped by larger ones"),
    ("^OPAL nvram setup,", "we have NVRAM without a flash"),
    (
        "^powernv-cpufreq: ibm,pstate-min node not found",
        "no frequencies on POWER8; skiboot's can't be read there",
    ),
    (
        "^(hrtimer: interrupt took |perf: interrupt took too long|sched: DL replenish lagged|workqueue: .* hogged CPU)",
        "a busy host lets the guest stand",
    ),
];

static NUMBERS: LazyLock<Regex> = LazyLock::new(|| {
    // A bridge's range of buses too: firmware gives it those that there are, or all. And hexadecimal ones: with a digit in
    // them, or as long as the number of a bus.
    Regex::new(r"\[bus [0-9a-f]+(-[0-9a-f]+)?\]|0x[0-9a-f]+|[0-9a-f]*[0-9][0-9a-f]*|\b[0-9a-f]{2}\b")
        .expect("a pattern")
});

/// Makes a kernel say how bad each line is.
pub const LEVELS: &str = "console_msg_format=syslog";

/// From the levels of `printk`: what is better than a warning may be a matter of who was first. A program's lines have the
/// number of its facility added, so they are above.
const WARNING: u8 = 4;

/// The lines that only `ours` has, of those that matter: warnings and worse, and those that come before the kernel tells
/// levels, from one CPU in one order. None if the other kernel said nothing.
pub fn only<'a>(ours: &'a str, theirs: &str) -> Option<Vec<&'a str>> {
    let known: BTreeSet<_> = said::kernel_messages(theirs).map(|(_, line)| words(line)).collect();
    let allowed: Vec<_> =
        ALLOWED.iter().map(|(pattern, _)| Regex::new(pattern).expect("a pattern")).collect();
    let more = said::kernel_messages(ours)
        .filter(|(level, _)| level.is_none_or(|level| level <= WARNING))
        .map(|(_, line)| line)
        .filter(|line| !known.contains(&words(line)) && !allowed.iter().any(|one| one.is_match(line)));
    (!known.is_empty()).then(|| more.collect())
}

/// Judges what only our boots have. `again` is the same of a second pair of boots, if the first differed: what doesn't come
/// twice comes from a busy host or a race, not from the firmware.
pub fn judge(first: Option<&[&str]>, again: Option<&[&str]>) -> Check {
    let name = "kernel's warnings as under QEMU's own firmware";
    let Some(first) = first else { return Check::failed(name, "that one said nothing") };
    let again: BTreeSet<_> = again.unwrap_or(first).iter().map(|line| words(line)).collect();
    let more: Vec<_> = first.iter().filter(|line| again.contains(&words(line))).collect();
    match more[..] {
        [] if first.is_empty() => Check::ok(name, ""),
        [] => Check::ok(name, format!("once, and not again: {}", first[0])),
        [line] => Check::failed(name, format!("only here: {line}")),
        [line, ..] => Check::failed(name, format!("only here: {line} (and {} more)", more.len() - 1)),
    }
}

fn words(line: &str) -> String {
    NUMBERS.replace_all(line.trim(), "#").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str =
        "[    0.000000] Linux version 6\n<6>[    0.1] pci 0000:00:00.0: PCI bridge to [bus 01]\n";

    fn more(more: &str) -> Vec<String> {
        let ours = format!("{THEIRS}{more}");
        only(&ours, THEIRS).unwrap().into_iter().map(String::from).collect()
    }

    #[test]
    fn numbers_make_no_difference_and_words_do() {
        assert!(more("<4>[    0.3] pci 0004:1f:00.0: PCI bridge to [bus 1f-ff]\n").is_empty());
        assert!(more("[    0.0] radix-mmu: Mapped 0x0-0x1 with 1.00 GiB pages\n").is_empty());
        assert!(more("a program's line\n").is_empty());
        assert_eq!(
            more("<4>[    0.3] opal: no heartbeat\n<3>[    0.4] eeh: odd\n"),
            ["opal: no heartbeat", "eeh: odd"]
        );
    }

    #[test]
    fn what_only_informs_may_differ_once_the_kernel_tells_levels() {
        assert!(more("<6>[    0.3] scsi: waiting for bus probes to complete ...\n").is_empty());
        assert!(more("<5>[    0.3] random: ready\n").is_empty());
        assert_eq!(more("[    0.0] Partition table invalid\n"), ["Partition table invalid"]);
    }

    #[test]
    fn what_does_not_come_twice_is_told_and_what_does_fails() {
        let failed =
            |first: &[&str], again: &[&str]| judge(Some(first), Some(again)).result.err().unwrap_or_default();
        assert!(judge(Some(&[]), None).passed());
        assert!(!judge(Some(&["late by 3 ms"]), None).passed(), "nobody looked twice");
        assert_eq!(failed(&["late by 3 ms"], &["other"]), "");
        assert_eq!(failed(&["late by 3 ms", "odd"], &["late by 7 ms"]), "only here: late by 3 ms");
        assert_eq!(failed(&["odd", "odd 2"], &["odd 3", "odd"]), "only here: odd (and 1 more)");
    }

    #[test]
    fn an_empty_log_compares_with_nothing() {
        assert!(!judge(only(THEIRS, "").as_deref(), None).passed());
    }
}
