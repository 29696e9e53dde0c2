//! `cargo xtask windows`: a picture of the DMA windows that the firmware told of.

mod axis;
mod drawing;
mod kernel;
mod svg;
mod text;

pub use kernel::agree;

use crate::{paths, said};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Reads a text of `/sys/firmware/opal/exports/dma_windows`, or a console's log that has one, and draws it.
pub fn draw(file: &Path, out: Option<PathBuf>) -> Result<()> {
    let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let picture = picture(&String::from_utf8_lossy(&bytes)).with_context(|| file.display().to_string())?;
    let out = out.unwrap_or_else(|| file.with_extension("svg"));
    if out == file {
        bail!("{} would be overwritten; -o names another file", out.display());
    }
    fs::write(&out, picture).with_context(|| format!("writing {}", out.display()))?;
    println!("{}", paths::shown(&out));
    Ok(())
}

fn picture(content: &str) -> Result<String> {
    Ok(drawing::draw(&text::parse(&find(content)?)?))
}

/// The last text in a console's log; else all there is.
fn find(content: &str) -> Result<String> {
    let reported: Vec<_> =
        said::said(content).into_iter().filter(|report| report.about == "windows").map(|r| r.text).collect();
    let lines: Vec<&str> = if reported.is_empty() {
        content.trim_end_matches('\0').lines().collect()
    } else {
        reported.iter().map(String::as_str).collect()
    };
    let Some(first) = lines.iter().rposition(|line| line.starts_with(text::NAME)) else {
        bail!(
            "neither a copy of /sys/firmware/opal/exports/dma_windows nor a console's log with one: no line begins with \
             {}",
            text::NAME
        );
    };
    Ok(lines[first..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_found_behind_time_stamps_the_last_one_if_there_are_several() {
        let log = "[ 1.0] OPALITE-DEMO: windows opalite-dma-windows 1 update 3\r\n[ 1.1] OPALITE-DEMO: windows end 3\n\
                   [ 1.2] usb: other\n[ 2.0] OPALITE-DEMO: windows opalite-dma-windows 1 update 4\n\
                   [ 2.1] OPALITE-DEMO: windows end 4\n[ 3.0] OPALITE-DEMO: done\n";
        assert_eq!(find(log).unwrap(), "opalite-dma-windows 1 update 4\nend 4");
        let file = "opalite-dma-windows 1 update 3\nend 3\n\0\0\0\0";
        assert_eq!(find(file).unwrap(), "opalite-dma-windows 1 update 3\nend 3");
    }

    #[test]
    fn another_file_is_told_what_it_isn_t() {
        let error = picture("[    0.0] Linux version 6\n").unwrap_err().to_string();
        assert_eq!(
            error,
            "neither a copy of /sys/firmware/opal/exports/dma_windows nor a console's log with one: no line begins with \
             opalite-dma-windows"
        );
    }
}
