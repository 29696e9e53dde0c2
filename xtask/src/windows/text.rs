//! The firmware's text about DMA windows (`doc/dma-windows/look-inside.md`), read.

use anyhow::{Context, Result, bail, ensure};

/// How it begins.
pub const NAME: &str = "opalite-dma-windows";

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// How often the firmware had renewed it.
    pub update: u64,
    /// Memory for tables.
    pub pool: Option<Pool>,
    /// The bridges.
    pub bridges: Vec<Bridge>,
    /// Lines are missing at the end.
    pub truncated: bool,
}

/// Memory for tables, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// All of it.
    pub total: u64,
    /// Unused.
    pub free: u64,
}

/// A bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// Its OPAL id.
    pub id: u64,
    /// Its chip.
    pub chip: u64,
    /// Window 1 begins at 4 GiB.
    pub four_gib: bool,
    /// DMA faults.
    pub faults: u64,
    /// In a word.
    pub state: String,
    /// Open windows.
    pub windows: Vec<Window>,
}

/// An open window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Whose.
    pub pe: u64,
    /// 0 or 1.
    pub index: u64,
    /// First and last bus address.
    pub range: (u64, u64),
    /// What it goes through; none if it is a bypass.
    pub table: Option<Table>,
    /// Firmware's, with its handle and in how many slots it is; none if it is the OS's.
    pub firmware: Option<(Option<u64>, u64)>,
}

/// A table of TCEs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// Bytes of an IO page.
    pub page: u64,
    /// Levels.
    pub levels: u64,
    /// Bytes of a level.
    pub level_bytes: u64,
    /// Real address.
    pub address: u64,
}

/// Reads a text.
pub fn parse(text: &str) -> Result<View> {
    let mut lines = text.lines().map(str::trim).zip(1..);
    let (first, _) = lines.next().context("the text is empty")?;
    let head = Fields(first);
    let version = head.number(NAME)?;
    ensure!(version == 1, "version {version} of the text isn't known, only 1");
    let mut view = View { update: head.number("update")?, pool: None, bridges: Vec::new(), truncated: false };
    for (line, number) in lines {
        let fields = Fields(line);
        let context = || format!("line {number} ({line})");
        match fields.first() {
            "pool" => view.pool = Some(pool(&fields).with_context(context)?),
            "phb" => view.bridges.push(bridge(&fields).with_context(context)?),
            "window" => window(&fields, &mut view.bridges).with_context(context)?,
            "truncated" => view.truncated = true,
            "end" => {
                let end = fields.number("end").with_context(context)?;
                ensure!(
                    end == view.update,
                    "the text was renewed while it was read (update {}, end {end}): read it again",
                    view.update
                );
                return Ok(view);
            }
            // Later versions may tell more.
            _ => {}
        }
    }
    bail!("the text stops before its last line, end {}", view.update)
}

fn pool(fields: &Fields<'_>) -> Result<Pool> {
    Ok(Pool { total: fields.number("total")?, free: fields.number("free")? })
}

fn bridge(fields: &Fields<'_>) -> Result<Bridge> {
    let four_gib = match fields.word("mode")? {
        "bit59" => false,
        "4gib" => true,
        other => bail!("mode {other} is neither bit59 nor 4gib"),
    };
    Ok(Bridge {
        id: fields.number("phb")?,
        chip: fields.number("chip")?,
        four_gib,
        faults: fields.number("faults")?,
        state: fields.word("state")?.into(),
        windows: Vec::new(),
    })
}

fn window(fields: &Fields<'_>, bridges: &mut [Bridge]) -> Result<()> {
    let id = fields.number("phb")?;
    let bridge = bridges.iter_mut().find(|bridge| bridge.id == id);
    let bridge = bridge.with_context(|| format!("no line before it is about bridge {id}"))?;
    let index = fields.number("index")?;
    ensure!(index < 2, "a PE has windows 0 and 1, not {index}");
    let range = fields.word("range")?;
    let (first, last) = range.split_once('-').context("a range is FIRST-LAST")?;
    let range = (number(first)?, number(last)?);
    ensure!(range.0 <= range.1, "the range ends before it begins");
    let table = if fields.has("bypass") {
        None
    } else {
        Some(Table {
            page: fields.number("page")?,
            levels: fields.number("levels")?,
            level_bytes: fields.number("level-bytes")?,
            address: fields.number("table")?,
        })
    };
    let firmware = match fields.word("owner")? {
        "os" => None,
        "firmware" => Some((
            if fields.has("handle") { Some(fields.number("handle")?) } else { None },
            if fields.has("shared") { fields.number("shared")? } else { 1 },
        )),
        other => bail!("owner {other} is neither os nor firmware"),
    };
    bridge.windows.push(Window { pe: fields.number("pe")?, index, range, table, firmware });
    Ok(())
}

/// A line of words; most are names with a value after them.
struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    fn first(&self) -> &'a str {
        self.0.split(' ').next().unwrap_or("")
    }

    fn has(&self, name: &str) -> bool {
        self.0.split(' ').any(|word| word == name)
    }

    fn word(&self, name: &str) -> Result<&'a str> {
        let mut words = self.0.split(' ').skip_while(|word| *word != name).skip(1);
        words.next().with_context(|| format!("{name} and its value are missing"))
    }

    fn number(&self, name: &str) -> Result<u64> {
        number(self.word(name)?).with_context(|| name.to_string())
    }
}

/// Decimal, or hexadecimal after 0x.
fn number(text: &str) -> Result<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
    .with_context(|| format!("{text} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "opalite-dma-windows 1 update 17\n\
        pool total 7340032 free 7200768 donated 0 extents 1\n\
        phb 0 chip 0 mode bit59 pes 256 faults 2 lost 0 state working\n\
        window phb 0 pe 1 index 0 range 0x0-0x7fffffff page 0x10000 levels 1 level-bytes 0x40000 table 0x3c000000 owner os\n\
        window phb 0 pe 1 index 1 range 0x800000000000000-0x80000003effffff bypass owner os\n\
        phb 3 chip 1 mode 4gib pes 256 faults 0 lost 0 state reset\n\
        window phb 3 pe 2 index 1 range 0x100000000-0xfffffffffffff page 0x10000 levels 3 level-bytes 0x2000 \
        table 0x3f200000 owner firmware handle 0x100000001 shared 2\n\
        window phb 3 pe 4 index 0 range 0x0-0x3fffffff bypass owner firmware\n\
        end 17";

    #[test]
    fn everything_of_a_text_is_understood() {
        let table = |page, levels, level_bytes, address| Some(Table { page, levels, level_bytes, address });
        let wanted = View {
            update: 17,
            pool: Some(Pool { total: 7_340_032, free: 7_200_768 }),
            bridges: vec![
                Bridge {
                    id: 0,
                    chip: 0,
                    four_gib: false,
                    faults: 2,
                    state: "working".into(),
                    windows: vec![
                        Window {
                            pe: 1,
                            index: 0,
                            range: (0, 0x7fff_ffff),
                            table: table(0x1_0000, 1, 0x4_0000, 0x3c00_0000),
                            firmware: None,
                        },
                        Window {
                            pe: 1,
                            index: 1,
                            range: (1 << 59, (1 << 59) | 0x3eff_ffff),
                            table: None,
                            firmware: None,
                        },
                    ],
                },
                Bridge {
                    id: 3,
                    chip: 1,
                    four_gib: true,
                    faults: 0,
                    state: "reset".into(),
                    windows: vec![
                        Window {
                            pe: 2,
                            index: 1,
                            range: (1 << 32, 0xf_ffff_ffff_ffff),
                            table: table(0x1_0000, 3, 0x2000, 0x3f20_0000),
                            firmware: Some((Some(0x1_0000_0001), 2)),
                        },
                        Window {
                            pe: 4,
                            index: 0,
                            range: (0, 0x3fff_ffff),
                            table: None,
                            firmware: Some((None, 1)),
                        },
                    ],
                },
            ],
            truncated: false,
        };
        assert_eq!(parse(TEXT).unwrap(), wanted);
    }

    #[test]
    fn a_cut_text_says_so_and_a_later_version_s_lines_are_passed_over() {
        let text = TEXT.replace("end 17", "weather fine\ntruncated\nend 17");
        let view = parse(&text).unwrap();
        assert!(view.truncated);
        assert_eq!(view.bridges, parse(TEXT).unwrap().bridges);
    }

    #[test]
    fn a_bad_text_is_told_what_is_wrong() {
        let cases = [
            ("", "", "the text is empty"),
            ("windows 1", "windows 2", "version 2 of the text isn't known, only 1"),
            ("end 17", "end 18", "the text was renewed while it was read (update 17, end 18): read it again"),
            ("\nend 17", "", "the text stops before its last line, end 17"),
            ("mode bit59", "mode bit60", "mode bit60 is neither bit59 nor 4gib"),
            ("phb 0 pe 1 index 0", "phb 7 pe 1 index 0", "no line before it is about bridge 7"),
            ("index 0 range 0x0-0x7", "index 2 range 0x0-0x7", "a PE has windows 0 and 1, not 2"),
            ("0x0-0x7fffffff", "0x80000000-0x7fffffff", "the range ends before it begins"),
            ("0x0-0x7fffffff", "0x0", "a range is FIRST-LAST"),
            ("page 0x10000 levels 1", "page 0x1000g levels 1", "page: 0x1000g is no number"),
            ("page 0x10000 levels 1", "levels 1", "page and its value are missing"),
            ("owner os", "owner me", "owner me is neither os nor firmware"),
            (" state working", "", "state and its value are missing"),
        ];
        for (from, to, wanted) in cases {
            let text = if from.is_empty() { String::new() } else { TEXT.replacen(from, to, 1) };
            let error = format!("{:#}", parse(&text).unwrap_err());
            assert!(error.contains(wanted), "{error:?} doesn't say {wanted:?}");
        }
        let error = format!("{:#}", parse(&TEXT.replacen("index 0", "index x", 1)).unwrap_err());
        assert!(error.starts_with("line 4 (window phb 0 pe 1 index x "), "{error}");
    }
}
