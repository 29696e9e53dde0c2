//! What a kernel says under our firmware and not under QEMU's own: each such line is a complaint until a table says why it
//! isn't. Numbers differ from boot to boot; only the words are compared.

use crate::{report::Check, said};
use regex::Regex;
use std::{collections::BTreeSet, sync::LazyLock};

/// Lines that only our boots have, and why they may.
const ALLOWED: &[(&str, &str)] = &[
    ("^Hardware name: ", "the firmware's name is in it"),
    ("^Kernel command line: ", "ports of the host are in it"),
    ("^OPALITE-DEMO: ", "what our steps report is judged elsewhere"),
    ("^OF: reserved mem: .* ibm,firmware@", "our one region; skiboot has five of other names"),
    ("^radix-mmu: (Page size|Mapped )", "we tell which pages radix has, so memory is mapped by larger ones"),
    ("^HugeTLB: ", "and can be had by programs"),
    ("^(Non-volatile memory driver|OPAL nvram setup,)", "we have NVRAM without a flash"),
    (
        "^powernv-cpufreq: ibm,pstate-min node not found",
        "no frequencies on POWER8; skiboot's can't be read there",
    ),
    (
        "^(hrtimer: interrupt took |perf: interrupt took too long|sched: DL replenish lagged|workqueue: .* hogged CPU)",
        "a busy host lets the guest stand",
    ),
    ("^random: crng init done", "some boots are over before"),
];

static NUMBERS: LazyLock<Regex> = LazyLock::new(|| {
    // A bridge's range of buses too: firmware gives it those that there are, or all. And hexadecimal ones: with a digit in
    // them, or as long as the number of a bus.
    Regex::new(r"\[bus [0-9a-f]+(-[0-9a-f]+)?\]|0x[0-9a-f]+|[0-9a-f]*[0-9][0-9a-f]*|\b[0-9a-f]{2}\b")
        .expect("a pattern")
});

/// The lines that only ours has.
pub fn judge(ours: &str, theirs: &str) -> Check {
    let name = "kernel's messages as under QEMU's own firmware";
    let words = |line: &str| NUMBERS.replace_all(line.trim(), "#").into_owned();
    let known: BTreeSet<_> = said::kernel_messages(theirs).map(words).collect();
    if known.is_empty() {
        return Check::failed(name, "it said nothing");
    }
    let allowed: Vec<_> =
        ALLOWED.iter().map(|(pattern, _)| Regex::new(pattern).expect("a pattern")).collect();
    let more: Vec<_> = said::kernel_messages(ours)
        .filter(|line| !known.contains(&words(line)) && !allowed.iter().any(|one| one.is_match(line)))
        .collect();
    match more[..] {
        [] => Check::ok(name, format!("{} kinds of lines there", known.len())),
        [first] => Check::failed(name, format!("only here: {first}")),
        [first, ..] => Check::failed(name, format!("only here: {first} (and {} more)", more.len() - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str =
        "[    0.000000] Linux version 6\n[    0.1] pci 0000:00:00.0: PCI bridge to [bus 01]\n";

    fn why(more: &str) -> Option<String> {
        judge(&format!("{THEIRS}{more}"), THEIRS).result.err()
    }

    #[test]
    fn numbers_make_no_difference_and_words_do() {
        assert_eq!(why("[    0.3] pci 0004:1f:00.0: PCI bridge to [bus 1f-ff]\n"), None);
        assert_eq!(why("[    0.3] HugeTLB: registered 1.00 GiB page size\n"), None);
        assert_eq!(why("a program's line\n"), None);
        assert_eq!(
            why("[    0.3] opal: no heartbeat\n[    0.4] eeh: odd\n").as_deref(),
            Some("only here: opal: no heartbeat (and 1 more)")
        );
    }

    #[test]
    fn an_empty_log_compares_with_nothing() {
        assert!(!judge(THEIRS, "").passed());
    }
}
