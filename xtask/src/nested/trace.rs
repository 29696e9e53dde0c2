//! What passed between the host's kernel and the firmware, and between the guest and the host's kernel, by probes in the
//! host's kernel: that the guest's window is the hardware's window, and that nothing of it stays.

use crate::{
    report::Check,
    said::{self, Said},
};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};

/// OPAL's numbers of calls.
const PCI_TCE_KILL: u64 = 126;
const XIVE_ALLOCATE_VP_BLOCK: u64 = 135;
const XIVE_FREE_VP_BLOCK: u64 = 136;
const XIVE_ALLOCATE_IRQ: u64 = 139;
const XIVE_FREE_IRQ: u64 = 140;

/// What a slot of a PE was last set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Off,
    Table { levels: u64, address: u64, bytes: u64, page: u64 },
    Bypass,
}

/// A PE: bridge and number.
type Pe = (u64, u64);

/// The calls between the marks `guest` and `host`, in order.
struct Calls {
    set: Vec<(Pe, u64, Slot)>,
    /// Calls that failed, as reported.
    failed: Vec<String>,
    /// Tables attached to a guest's.
    attached: usize,
}

/// The window that the guest made for itself: log2 of its pages and of its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Made {
    page_shift: u32,
    size_shift: u32,
}

pub fn judge(reports: &[Said], guest: &str) -> Vec<Check> {
    let calls = calls(reports);
    let mut found = Vec::new();
    found.push(match (made(guest), calls.failed.as_slice()) {
        (_, [first, ..]) => Check::failed("window calls", format!("{} failed; {first}", calls.failed.len())),
        (None, _) => Check::failed("guest's window", "no ibm,create-pe-dma-window returned 0"),
        (Some(made), []) => windows(&calls, made),
    });
    found.push(Check::that(
        "attached to the guest's tables",
        calls.attached >= 4,
        format!("{} times: two windows of two groups", calls.attached),
    ));
    found.push(back(&calls));
    for (name, what) in [("hcall-indirect", "H_PUT_TCE_INDIRECT"), ("hcall-stuff", "H_STUFF_TCE")] {
        found.push(hypercall(reports, name, what));
    }
    let count = |opcode| hits(reports, "opal", "opcode", opcode);
    let kills = count(PCI_TCE_KILL);
    found.push(Check::that("OPAL_PCI_TCE_KILL", kills >= 10_000, format!("{kills} calls")));
    for (name, take, give) in [
        ("VP blocks", XIVE_ALLOCATE_VP_BLOCK, XIVE_FREE_VP_BLOCK),
        ("interrupt sources", XIVE_ALLOCATE_IRQ, XIVE_FREE_IRQ),
    ] {
        // Asking for a VP block may take several calls, each for a page more.
        let (taken, given) = (count(take), count(give));
        found.push(Check::that(
            name,
            given > 0 && taken >= given,
            format!("{taken} asked, {given} given back"),
        ));
    }
    found.into_iter().map(|check| Check { name: format!("trace: {}", check.name), ..check }).collect()
}

/// In each of two PEs window 1 became one table, of the shape that the guest's window needs.
fn windows(calls: &Calls, made: Made) -> Check {
    let name = "guest's window";
    let tables: Vec<_> = calls
        .set
        .iter()
        .filter(|(_, number, slot)| *number == 1 && matches!(slot, Slot::Table { .. }))
        .map(|&(pe, _, slot)| (pe, slot))
        .collect();
    let pes: BTreeSet<_> = tables.iter().map(|(pe, _)| *pe).collect();
    let Some(&(_, slot @ Slot::Table { levels, bytes, page, .. })) = tables.first() else {
        return Check::failed(name, "no PE's window 1 was set");
    };
    let note = format!(
        "2^{} bytes in pages of 2^{}: {levels} levels of {bytes:#x} bytes, pages of {page:#x}, in {} PEs",
        made.size_shift,
        made.page_shift,
        pes.len()
    );
    let one = tables.iter().all(|(_, other)| *other == slot);
    Check::that(name, one && pes.len() == 2 && fits(made, levels, bytes, page), note)
}

/// Levels as small as they can be with all of the window covered, and no pages larger than the guest's.
fn fits(made: Made, levels: u64, bytes: u64, page: u64) -> bool {
    let (Ok(levels), true) = (u32::try_from(levels), bytes >= 16 && page.is_power_of_two()) else {
        return false;
    };
    let size = 1_u128 << made.size_shift;
    let covered = |bytes: u64| u128::from(bytes / 8).saturating_pow(levels) * u128::from(page);
    (1..=5).contains(&levels)
        && page <= 1 << made.page_shift
        && covered(bytes) >= size
        && covered(bytes / 2) < size
}

/// In the end each PE has its default window and its bypass.
fn back(calls: &Calls) -> Check {
    let mut last: BTreeMap<Pe, [Option<Slot>; 2]> = BTreeMap::new();
    let mut off: BTreeSet<Pe> = BTreeSet::new();
    for &(pe, number, slot) in &calls.set {
        last.entry(pe).or_default()[usize::from(number == 1)] = Some(slot);
        if number == 1 && slot == Slot::Off {
            off.insert(pe);
        }
    }
    let good = |slots: &[Option<Slot>; 2]| matches!(slots, [Some(Slot::Table { .. }), Some(Slot::Bypass)]);
    let wrong = last.iter().find(|(_, slots)| !good(slots));
    let note = match wrong {
        Some((pe, slots)) => format!("PE {pe:?} was left with {slots:?}"),
        None => format!("{} PEs, {} of them without bypass meanwhile", last.len(), off.len()),
    };
    Check::that(
        "default window and bypass are back",
        wrong.is_none() && last.len() == 2 && off.len() == 2,
        note,
    )
}

/// A hypercall that the host's kernel answered itself, always with success.
fn hypercall(reports: &[Said], name: &str, what: &str) -> Check {
    let all: u64 = reports.iter().filter(|r| r.about == name).filter_map(|r| number(r, "hits")).sum();
    let good = hits(reports, name, "rc", 0);
    Check::that(
        &format!("{what} in the host's kernel"),
        good > 0 && good == all,
        format!("{good} of {all} succeeded"),
    )
}

fn hits(reports: &[Said], about: &str, key: &str, value: u64) -> u64 {
    let fits = |report: &&Said| report.about == about && number(report, key) == Some(value);
    reports.iter().find(fits).and_then(|report| number(report, "hits")).unwrap_or(0)
}

fn number(report: &Said, key: &str) -> Option<u64> {
    let text = report.value(key)?;
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn calls(reports: &[Said]) -> Calls {
    let mut calls = Calls { set: Vec::new(), failed: Vec::new(), attached: 0 };
    for report in reports.iter().filter(|report| report.about == "trace") {
        let value = |key| number(report, key).unwrap_or(u64::MAX);
        let place = || ((value("phb"), value("pe")), value("window") & 1);
        match report.text.split_whitespace().next().unwrap_or_default() {
            "window" => {
                let slot = match value("levels") {
                    0 => Slot::Off,
                    levels => Slot::Table {
                        levels,
                        address: value("table"),
                        bytes: value("bytes"),
                        page: value("page"),
                    },
                };
                calls.set.push((place().0, place().1, slot));
            }
            "bypass" => {
                let slot = if value("size") == 0 { Slot::Off } else { Slot::Bypass };
                calls.set.push((place().0, place().1, slot));
            }
            "attach" if value("rc") == 0 => calls.attached += 1,
            "attach" | "window_rc" | "bypass_rc" if value("rc") != 0 => {
                calls.failed.push(report.text.clone())
            }
            _ => {}
        }
    }
    calls
}

/// `ibm,create-pe-dma-window(2027) 0 8000000 20000000 10 1f returned 0 (liobn = 0x80000001 starting addr = 8000000 0)`
fn made(guest: &str) -> Option<Made> {
    let line = Regex::new(
        r"ibm,create-pe-dma-window\([0-9a-f]+\) [0-9a-f]+ [0-9a-f]+ [0-9a-f]+ ([0-9a-f]+) ([0-9a-f]+) returned 0 ",
    );
    said::kernel_lines(guest).find_map(|text| {
        let groups = line.as_ref().ok()?.captures(text)?;
        let shift = |index: usize| u32::from_str_radix(&groups[index], 16).ok().filter(|shift| *shift < 64);
        Some(Made { page_shift: shift(1)?, size_shift: shift(2)? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MADE: Made = Made { page_shift: 16, size_shift: 31 };

    fn report(line: &str) -> Said {
        said::said(&format!("OPALITE-DEMO: {line}\n")).remove(0)
    }

    /// The calls of one PE in a good run.
    fn good(pe: u64) -> Vec<String> {
        let place = |window: u64| format!("phb=0x{pe} pe={pe} window={}", pe * 2 + window);
        let table =
            |window| format!("window {} levels=2 table=0x2ce4000 bytes=0x2000 page=0x1000", place(window));
        let off = |window| format!("window {} levels=0 table=0x0 bytes=0x0 page=0x0", place(window));
        let bypass = |size| format!("bypass {} start=0x800000000000000 size={size}", place(1));
        vec![
            bypass("0x0"),
            off(0),
            "bypass_rc rc=0".into(),
            table(0),
            "attach rc=0".into(),
            table(1),
            "attach rc=0".into(),
            off(0),
            off(1),
            table(0),
            bypass("0x100000000"),
        ]
    }

    fn seen(lines: &[String]) -> Calls {
        calls(&lines.iter().map(|line| report(&format!("trace {line}"))).collect::<Vec<_>>())
    }

    fn both() -> Vec<String> {
        [good(1), good(3)].concat()
    }

    #[test]
    fn a_good_run_is_good() {
        let calls = seen(&both());
        assert!(calls.failed.is_empty());
        assert_eq!(calls.attached, 4);
        assert!(windows(&calls, MADE).passed() && back(&calls).passed());
    }

    #[test]
    fn a_window_of_one_pe_only_or_of_another_table_is_noticed() {
        let one = [good(1), good(3).into_iter().filter(|line| !line.contains("window=7 levels=2")).collect()];
        assert!(!windows(&seen(&one.concat()), MADE).passed());
        let other = [good(1), good(3).iter().map(|line| line.replace("0x2ce4000", "0x2ce6000")).collect()];
        assert!(!windows(&seen(&other.concat()), MADE).passed());
    }

    #[test]
    fn bypass_that_stays_away_or_never_went_is_noticed() {
        let mut lines = both();
        lines.pop();
        assert!(!back(&seen(&lines)).passed());
        let lines: Vec<_> = both()
            .into_iter()
            .filter(|line| !line.contains("size=0x0") && !line.contains("window=7 levels=0"))
            .collect();
        assert!(!back(&seen(&lines)).passed());
    }

    #[test]
    fn a_failed_call_is_named() {
        let calls = seen(&["window_rc rc=-1".into(), "attach rc=-22".into(), "window_rc rc=0".into()]);
        assert_eq!(calls.failed, ["window_rc rc=-1", "attach rc=-22"]);
        assert_eq!(calls.attached, 0);
    }

    #[test]
    fn a_table_has_the_shape_of_its_window() {
        assert!(fits(MADE, 2, 0x2000, 0x1000));
        assert!(fits(MADE, 1, 0x4_0000, 0x1_0000));
        assert!(!fits(MADE, 1, 0x8_0000, 0x1_0000), "twice too large");
        assert!(!fits(MADE, 1, 0x2_0000, 0x1_0000), "half of it");
        assert!(!fits(MADE, 1, 0x2000, 0x20_0000), "pages larger than the guest's");
    }

    #[test]
    fn the_guests_window_is_the_one_that_was_made() {
        let line = |code| {
            format!(
                "[ 0.0] Linux version 6\n[ 1.0] nvme 0000:00:00.0: ibm,create-pe-dma-window(2027) 0 8000000 20000000 \
                 10 1f returned {code} (liobn = 0x80000001 starting addr = 8000000 0)\n"
            )
        };
        assert_eq!(made(&line(0)), Some(MADE));
        assert_eq!(made(&line(-3)), None);
    }

    #[test]
    fn a_hypercall_that_user_space_had_to_answer_is_noticed() {
        let lines = |text: &[&str]| text.iter().map(|line| report(line)).collect::<Vec<_>>();
        let judged = |text| hypercall(&lines(text), "hcall-stuff", "H_STUFF_TCE").passed();
        assert!(judged(&["hcall-stuff rc=0 hits=512"]));
        assert!(!judged(&["hcall-stuff rc=0 hits=512", "hcall-stuff rc=9999 hits=1"]));
        assert!(!judged(&["hcall-indirect rc=0 hits=16"]));
    }
}
