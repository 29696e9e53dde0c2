//! Counts as Markdown: the two firmwares side by side, the limits, and how much runs differ.

use super::{
    counts::Counts,
    limits::{Measure, Verdict},
    tokens,
};
use std::{collections::BTreeSet, fmt::Write};

/// One row a token, one group of columns a firmware that ran; with both, the ratio says how many times more skiboot
/// takes per call.
pub fn markdown(opalite: Option<&Counts>, skiboot: Option<&Counts>) -> String {
    let ran: Vec<(&str, &Counts)> = [("Opalite", opalite), ("skiboot", skiboot)]
        .into_iter()
        .filter_map(|(name, c)| Some((name, c?)))
        .collect();
    let both = ran.len() == 2;
    let mut head = vec!["token".to_string(), "call".to_string()];
    head.extend(ran.iter().flat_map(|(name, _)| [format!("{name} calls"), "mean".into(), "worst".into()]));
    if both {
        head.push("skiboot/Opalite".into());
    }
    let mut rows = vec![head];
    // `value` gives a firmware's calls, mean and worst; the means make the ratio.
    let mut row = |token: String, name: &str, value: &dyn Fn(&Counts) -> [Cell; 3]| {
        let values: Vec<[Cell; 3]> = ran.iter().map(|(_, counts)| value(counts)).collect();
        let mut cells = vec![token, name.to_string()];
        cells.extend(values.iter().flatten().map(|&cell| text(cell)));
        if let [ours, theirs] = values.as_slice() {
            cells.push(ratio(ours[1], theirs[1]));
        }
        rows.push(cells);
    };
    let single = |value: Option<u64>| [Cell::Blank, value.map_or(Cell::None, Cell::Number), Cell::Blank];
    row(String::new(), "reset to kernel entry", &|counts| single(counts.to_kernel));
    let tokens: BTreeSet<u64> = ran.iter().flat_map(|(_, counts)| counts.calls.keys().copied()).collect();
    for token in tokens {
        row(token.to_string(), tokens::name(token), &|counts| match counts.calls.get(&token) {
            Some(cost) => [cost.calls, cost.mean(), cost.worst].map(Cell::Number),
            None => [Cell::None; 3],
        });
    }
    row(String::new(), "all calls", &|counts| [Cell::Number(counts.all_calls().0), Cell::Blank, Cell::Blank]);
    row(String::new(), "instructions in all calls", &|counts| single(Some(counts.all_calls().1)));
    let mut result = aligned(&rows);
    for (name, counts) in ran {
        result += &remarks(name, counts);
    }
    result
}

/// A cell of numbers.
#[derive(Clone, Copy)]
enum Cell {
    /// Has no meaning here.
    Blank,
    /// Never happened.
    None,
    Number(u64),
}

fn text(cell: Cell) -> String {
    match cell {
        Cell::Blank => String::new(),
        Cell::None => "–".into(),
        Cell::Number(value) => grouped(value),
    }
}

fn ratio(ours: Cell, theirs: Cell) -> String {
    match (ours, theirs) {
        (Cell::Number(ours @ 1..), Cell::Number(theirs)) => format!("{:.2}", theirs as f64 / ours as f64),
        _ => String::new(),
    }
}

/// What a reader must know to judge a column.
fn remarks(name: &str, counts: &Counts) -> String {
    let mut text = String::new();
    if counts.elsewhere > 0 {
        let _ = writeln!(
            text,
            "\n{name}: {} instructions not entered through OPAL's entry",
            grouped(counts.elsewhere)
        );
    }
    if counts.nested > 0 {
        let _ = writeln!(text, "\n{name}: {} calls from within a call", counts.nested);
    }
    for &token in &counts.unfinished {
        let _ = writeln!(text, "\n{name}: {token} {} hadn't returned at the end", tokens::name(token));
    }
    text
}

/// The limits and whether they are kept.
pub fn limits(verdicts: &[Verdict]) -> String {
    let cells = |verdict: &Verdict| {
        let result = match (verdict.passed(), verdict.taken) {
            (true, Some(_)) => "pass",
            (true, None) => "not called",
            (false, Some(_)) => "FAIL",
            (false, None) if verdict.measure == Measure::ToKernel => "FAIL: not reached",
            (false, None) => "FAIL: not called",
        };
        vec![
            verdict.measure.name(),
            grouped(verdict.most),
            text(verdict.taken.map_or(Cell::None, Cell::Number)),
            result.into(),
        ]
    };
    let mut rows = vec![["limit", "at most", "Opalite", "result"].map(String::from).to_vec()];
    rows.extend(verdicts.iter().map(cells));
    aligned(&rows)
}

/// How far the runs of one firmware lie apart; none for fewer than two.
pub fn spread(runs: &[Counts]) -> Option<String> {
    let (first, rest) = runs.split_first()?;
    if rest.is_empty() {
        return None;
    }
    let apart = |value: &dyn Fn(&Counts) -> Option<u64>| -> f64 {
        let values: Vec<u64> = runs.iter().filter_map(value).collect();
        let (least, most) = (values.iter().min(), values.iter().max());
        match (least, most) {
            (Some(&least), Some(&most)) if least > 0 => (most - least) as f64 * 100.0 / least as f64,
            _ => 0.0,
        }
    };
    let boot = apart(&|counts| counts.to_kernel);
    let per_call = |token: u64| apart(&|counts| counts.calls.get(&token).map(|cost| cost.mean()));
    let widest = first.calls.keys().map(|&token| (per_call(token), token)).max_by(|a, b| a.0.total_cmp(&b.0));
    let mut text = format!("reset to kernel entry differs by {boot:.3} %");
    if let Some((percent, token)) = widest {
        let moved = first.calls.keys().filter(|&&token| per_call(token) > 0.0).count();
        let _ = write!(text, ", the mean of {moved} of {} tokens differs", first.calls.len());
        if moved > 0 {
            let _ = write!(text, ", most in {token} {} ({percent:.2} %)", tokens::name(token));
        }
    }
    Some(text)
}

/// A Markdown table that also reads well in a terminal. The first row is the head; cells that begin with a digit, and
/// empty ones, stand to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let to_right = |column: usize| {
        rows.iter()
            .skip(1)
            .all(|row| row[column].chars().next().is_none_or(|c| c.is_ascii_digit() || c == '–'))
    };
    let right: Vec<bool> = (0..columns).map(to_right).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for ((cell, &width), &right) in row.iter().zip(&widths).zip(&right) {
            let _ = if right { write!(text, "| {cell:>width$} ") } else { write!(text, "| {cell:<width$} ") };
        }
        text += "|\n";
        if number == 0 {
            for (&width, &right) in widths.iter().zip(&right) {
                let _ = write!(text, "|{}{}", "-".repeat(width + 1), if right { ":" } else { "-" });
            }
            text += "|\n";
        }
    }
    text
}

/// `12 345 678`
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{counts::Cost, limits};

    fn boot(to_kernel: u64, calls: &[(u64, u64, u64, u64)]) -> Counts {
        Counts {
            to_kernel: Some(to_kernel),
            calls: calls
                .iter()
                .map(|&(token, calls, sum, worst)| (token, Cost { calls, sum, worst }))
                .collect(),
            ..Counts::default()
        }
    }

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1 000");
        assert_eq!(grouped(96_051_006), "96 051 006");
    }

    #[test]
    fn firmwares_stand_side_by_side_with_their_ratio() {
        let ours = boot(10_000_000, &[(44, 2, 400, 210)]);
        let theirs = boot(96_000_000, &[(44, 2, 948, 480), (128, 1, 45_931_022, 45_931_022)]);
        let text = markdown(Some(&ours), Some(&theirs));
        let cells = |start: &str| -> Vec<String> {
            let line = text.lines().find(|line| line.contains(start)).unwrap();
            line.split('|').map(|cell| cell.trim().to_string()).collect()
        };
        assert_eq!(
            cells("reset to"),
            ["", "", "reset to kernel entry", "", "10 000 000", "", "", "96 000 000", "", "9.60", ""]
        );
        assert_eq!(
            cells("DMA_WINDOW"),
            ["", "44", "PCI_MAP_PE_DMA_WINDOW", "2", "200", "210", "2", "474", "480", "2.37", ""]
        );
        assert_eq!(
            cells("XIVE_RESET"),
            ["", "128", "XIVE_RESET", "–", "–", "–", "1", "45 931 022", "45 931 022", "", ""]
        );
        assert_eq!(cells("instructions in")[4], "400");
    }

    #[test]
    fn a_firmware_that_did_not_run_has_no_columns() {
        let text = markdown(None, Some(&boot(1, &[(44, 2, 400, 210)])));
        let head = text.lines().next().unwrap();
        assert!(head.contains("skiboot calls") && !head.contains("Opalite"), "{head}");
        assert!(text.contains("| 44 |") || text.contains("|    44 |"), "{text}");
    }

    #[test]
    fn every_line_of_a_table_has_the_same_width() {
        let text = markdown(Some(&boot(1, &[(44, 2, 400, 210)])), None);
        let widths: BTreeSet<_> = text.lines().map(|line| line.chars().count()).collect();
        assert_eq!(widths.len(), 1, "{text}");
    }

    #[test]
    fn what_did_not_come_through_the_entry_is_told() {
        let odd = Counts { elsewhere: 1234, nested: 2, unfinished: vec![5], ..boot(1, &[]) };
        let text = markdown(Some(&odd), None);
        assert!(text.contains("Opalite: 1 234 instructions not entered"), "{text}");
        assert!(text.contains("Opalite: 2 calls from within"), "{text}");
        assert!(text.contains("Opalite: 5 CEC_POWER_DOWN hadn't returned"), "{text}");
    }

    #[test]
    fn a_missed_limit_shows_as_fail() {
        let counts = boot(5_000_001, &[(44, 1, 200, 200), (45, 1, 10, 10), (15, 1, 10, 10)]);
        let text = limits(&limits::judge(&counts, true));
        let result = |start: &str| {
            text.lines().find(|l| l.contains(start)).unwrap().rsplit('|').nth(1).unwrap().trim()
        };
        assert_eq!(result("reset to"), "FAIL");
        assert_eq!(result("PCI_MAP_PE_DMA_WINDOW "), "pass");
        assert_eq!(result("PCI_SET_PE"), "FAIL: not called");
        assert_eq!(result("PCI_TCE_KILL"), "not called");
    }

    #[test]
    fn spread_names_what_moved_most() {
        let runs = [
            boot(1000, &[(10, 1, 100, 100), (44, 1, 50, 50)]),
            boot(1001, &[(10, 1, 110, 110), (44, 1, 50, 50)]),
        ];
        let text = spread(&runs).unwrap();
        assert_eq!(
            text,
            "reset to kernel entry differs by 0.100 %, the mean of 1 of 2 tokens differs, most in 10 POLL_EVENTS (10.00 %)"
        );
        assert_eq!(spread(&runs[..1]), None);
    }
}
