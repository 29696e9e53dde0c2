//! The plugin's output, read. Its form is described in `xtask/plugin/src/tally.rs`.

use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;

/// Instructions of all finished calls of one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Finished calls; never 0.
    pub calls: u64,
    /// Instructions in all of them.
    pub sum: u64,
    /// Instructions in the dearest.
    pub worst: u64,
}

impl Cost {
    /// Instructions per call, rounded.
    pub fn mean(self) -> u64 {
        (self.sum + self.calls / 2) / self.calls
    }
}

/// What one boot took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Instructions before the kernel's first; none if it wasn't reached.
    pub to_kernel: Option<u64>,
    /// Each token that a call came back from.
    pub calls: BTreeMap<u64, Cost>,
    /// Instructions in firmware after that, by another way than the OPAL entry.
    pub elsewhere: u64,
    /// Calls from within a call.
    pub nested: u64,
    /// Tokens of calls that hadn't come back when the machine stopped.
    pub unfinished: Vec<u64>,
}

impl Counts {
    /// Reads the plugin's file. A file without its last line is refused: QEMU was killed while writing it.
    pub fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines();
        if lines.next() != Some("opal-count 1") {
            bail!("not a result of the counting plugin, or one of another version");
        }
        let mut counts = Self::default();
        for line in lines {
            let (record, fields) = line.split_once(' ').unwrap_or((line, ""));
            let field = |name| number(fields, name).with_context(|| format!("in the plugin's line `{line}`"));
            match record {
                "boot" => counts.to_kernel = Some(field("instructions")?),
                "call" => {
                    let cost = Cost { calls: field("calls")?, sum: field("sum")?, worst: field("max")? };
                    if cost.calls == 0 {
                        bail!("the plugin's line `{line}` is about no call");
                    }
                    counts.calls.insert(field("token")?, cost);
                }
                "other" => counts.elsewhere = field("sum")?,
                "nested" => counts.nested = field("calls")?,
                "unfinished" => counts.unfinished.push(field("token")?),
                "end" => return Ok(counts),
                _ => {}
            }
        }
        bail!("the plugin's result is cut off");
    }

    /// Was this call made, whether or not it came back?
    pub fn called(&self, token: u64) -> bool {
        self.calls.contains_key(&token) || self.unfinished.contains(&token)
    }

    /// Calls and instructions of everything that came back.
    pub fn all_calls(&self) -> (u64, u64) {
        self.calls.values().fold((0, 0), |(calls, sum), cost| (calls + cost.calls, sum + cost.sum))
    }
}

fn number(fields: &str, name: &str) -> Result<u64> {
    fields
        .split(' ')
        .find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        .with_context(|| format!("no field {name}"))?
        .parse()
        .with_context(|| format!("field {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "opal-count 1\n\
        boot instructions=96051006 base=0x30000000 entry=0x30003770\n\
        total instructions=2660159236\n\
        call token=44 calls=2 sum=948 min=470 max=478\n\
        call token=80 calls=12 sum=2052 min=171 max=171\n\
        other calls=1 sum=7 min=7 max=7\n\
        nested calls=3\n\
        unfinished vcpu=0 token=5\n\
        end\n";

    #[test]
    fn reads_every_record() {
        let counts = Counts::parse(TEXT).unwrap();
        assert_eq!(counts.to_kernel, Some(96_051_006));
        assert_eq!(counts.calls[&44], Cost { calls: 2, sum: 948, worst: 478 });
        assert_eq!(counts.calls[&80], Cost { calls: 12, sum: 2052, worst: 171 });
        assert_eq!((counts.elsewhere, counts.nested), (7, 3));
        assert_eq!(counts.unfinished, [5]);
        assert_eq!(counts.all_calls(), (14, 3000));
        assert!(counts.called(5) && counts.called(44) && !counts.called(45));
    }

    #[test]
    fn skips_a_record_that_it_does_not_know() {
        let longer = TEXT.replace("total", "temperature kelvin=4\ntotal");
        assert_eq!(Counts::parse(&longer).unwrap(), Counts::parse(TEXT).unwrap());
    }

    #[test]
    fn refuses_a_result_that_is_cut_off() {
        assert!(Counts::parse(TEXT.strip_suffix("end\n").unwrap()).is_err());
    }

    #[test]
    fn refuses_another_format() {
        assert!(Counts::parse(&TEXT.replace("opal-count 1", "opal-count 2")).is_err());
        assert!(Counts::parse("").is_err());
    }

    #[test]
    fn refuses_a_call_without_its_fields() {
        for (good, bad) in
            [("sum=948 ", ""), ("sum=948", "sum=x"), ("calls=2", "calls=0"), ("max=478", "maxi=478")]
        {
            assert!(Counts::parse(&TEXT.replace(good, bad)).is_err(), "{good} -> {bad}");
        }
    }

    #[test]
    fn a_mean_is_rounded_to_the_nearest() {
        assert_eq!(Cost { calls: 2, sum: 947, worst: 0 }.mean(), 474);
        assert_eq!(Cost { calls: 3, sum: 1000, worst: 0 }.mean(), 333);
    }
}
