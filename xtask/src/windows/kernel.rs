//! What the kernel said about its DMA windows, against what the firmware's text says.

use super::text::{self, Window};
use crate::said;
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;

/// What the kernel said about the windows of a PE.
#[derive(Debug, Default, PartialEq, Eq)]
struct Made {
    /// Last address and bytes of a page of window 0.
    small: Option<(u64, u64)>,
    bypass: bool,
}

/// Holds the last text in a console's log against the kernel's messages in it: the same PEs have the same windows, and a
/// bypass ends where the firmware begins. Gives what was compared.
pub fn agree(console: &str) -> Result<String> {
    let view = text::parse(&super::find(console)?)?;
    let made = made(console);
    ensure!(!made.is_empty(), "the kernel didn't say that it made a window");
    let home = home(console).context("the firmware didn't say where it is")?;
    let mut shown = 0;
    for ((phb, pe), made) in &made {
        let bridge = view.bridges.iter().find(|bridge| bridge.id == *phb);
        let bridge = bridge.with_context(|| format!("the text has no bridge {phb}"))?;
        let windows: Vec<_> = bridge.windows.iter().filter(|window| window.pe == *pe).collect();
        compare(made, &windows, home).with_context(|| format!("PE {pe:x} of bridge {phb}"))?;
        shown += windows.len();
    }
    let all: usize = view.bridges.iter().map(|bridge| bridge.windows.len()).sum();
    ensure!(all == shown, "the text has {all} windows, the kernel spoke of {shown}");
    Ok(format!("{shown} windows of {} PEs", made.len()))
}

fn compare(made: &Made, windows: &[&Window], home: u64) -> Result<()> {
    let of = |index| windows.iter().find(|window| window.index == index);
    if let Some((last, page)) = made.small {
        let window = of(0).context("the text has no window 0")?;
        let table = window.table.context("window 0 has no table")?;
        ensure!(table.page == page, "window 0 has pages of {:#x}, the kernel says {page:#x}", table.page);
        ensure!(window.range.0 == 0, "window 0 begins at {:#x}", window.range.0);
        ensure!(window.range.1 >= last, "window 0 ends at {:#x}, the kernel says {last:#x}", window.range.1);
    }
    match (made.bypass, of(1)) {
        (true, None) => anyhow::bail!("the text has no window 1, the kernel says that it made a bypass"),
        (false, Some(_)) => anyhow::bail!("the text has a window 1, of which the kernel says nothing"),
        (true, Some(window)) => {
            ensure!(window.table.is_none(), "window 1 isn't a bypass");
            let wanted = (1 << 59, (1 << 59 | home) - 1);
            ensure!(window.range == wanted, "the bypass is {:#x?}, not {wanted:#x?}", window.range);
        }
        (false, None) => {}
    }
    ensure!(windows.iter().all(|window| window.firmware.is_none()), "a window isn't the OS's");
    Ok(())
}

/// By bridge and PE. Linux's domains are the bridges' numbers.
fn made(console: &str) -> BTreeMap<(u64, u64), Made> {
    let hex = |text: &str| u64::from_str_radix(text.trim(), 16).ok();
    let mut all = BTreeMap::new();
    for line in said::kernel_lines(console) {
        let Some((place, rest)) = line.split_once(": [PE# ") else { continue };
        let Some((pe, what)) = rest.split_once("] ") else { continue };
        let domain = place.trim_start_matches("pci ").split(':').next().and_then(hex);
        let (Some(phb), Some(pe)) = (domain, hex(pe)) else { continue };
        let entry: &mut Made = match what {
            _ if what.contains("Setting up window#0 ") || what.contains("Enabling 64-bit DMA bypass") => {
                all.entry((phb, pe)).or_default()
            }
            _ => continue,
        };
        if let Some((_, range)) = what.split_once("Setting up window#0 0..") {
            entry.small = range.split_once(" pg=").and_then(|(last, page)| Some((hex(last)?, hex(page)?)));
        } else {
            entry.bypass = true;
        }
    }
    all
}

/// Where the firmware says that it is: `Opalite VERSION on MACHINE at ADDRESS`.
fn home(console: &str) -> Option<u64> {
    let line = console.lines().find(|line| line.contains("] Opalite "))?;
    let (_, address) = line.trim_end().rsplit_once(" at 0x")?;
    u64::from_str_radix(address, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "[    0.1] Opalite 0.1.0 on qemu,powernv9 at 0x7f000000\n[    0.0] Linux version 6\n\
        [    1.0] pci 0000:01     : [PE# 1fd] Setting up 32-bit TCE table at 0..80000000\n\
        [    1.0] pci 0000:01     : [PE# 1fd] Setting up window#0 0..7fffffff pg=10000\n\
        [    1.1] pci 0000:01     : [PE# 1fd] Enabling 64-bit DMA bypass\n\
        [    1.2] pci 0001:01     : [PE# fd] Setting up window#0 0..7fffffff pg=10000\n\
        [    2.0] OPALITE-DEMO: windows opalite-dma-windows 1 update 2\n\
        [    2.0] OPALITE-DEMO: windows phb 0 chip 0 mode bit59 pes 512 faults 0 lost 0 state working\n\
        [    2.0] OPALITE-DEMO: windows window phb 0 pe 509 index 0 range 0x0-0xffffffff page 0x10000 levels 2 level-bytes 0x800 \
        table 0x376c000 owner os\n\
        [    2.0] OPALITE-DEMO: windows window phb 0 pe 509 index 1 range 0x800000000000000-0x80000007effffff bypass owner os\n\
        [    2.0] OPALITE-DEMO: windows phb 1 chip 0 mode bit59 pes 256 faults 0 lost 0 state working\n\
        [    2.0] OPALITE-DEMO: windows window phb 1 pe 253 index 0 range 0x0-0x7fffffff page 0x10000 levels 1 level-bytes 0x40000 \
        table 0x376e000 owner os\n\
        [    2.0] OPALITE-DEMO: windows end 2\n";

    #[test]
    fn a_text_that_says_what_the_kernel_says_passes() {
        assert_eq!(agree(LOG).unwrap(), "3 windows of 2 PEs");
    }

    #[test]
    fn each_difference_is_found() {
        let window0 = "windows window phb 1 pe 253 index 0";
        let cases = [
            (
                "[PE# fd] Setting up window#0 0..7fffffff",
                "[PE# fc] Setting up window#0 0..7fffffff",
                "PE fc of bridge 1: the text has no window 0",
            ),
            (
                "[PE# fd] Setting up window#0",
                "[PE# fd] Other",
                "the text has 3 windows, the kernel spoke of 2",
            ),
            (
                "pg=10000\n[    1.1]",
                "pg=1000\n[    1.1]",
                "window 0 has pages of 0x10000, the kernel says 0x1000",
            ),
            ("pci 0001:01", "pci 0007:01", "the text has no bridge 7"),
            ("0x7f000000", "0x7e000000", "PE 1fd of bridge 0: the bypass is"),
            (
                "0x0-0x7fffffff page",
                "0x0-0x3fffffff page",
                "window 0 ends at 0x3fffffff, the kernel says 0x7fffffff",
            ),
            (
                "Enabling 64-bit DMA bypass",
                "Other",
                "the text has a window 1, of which the kernel says nothing",
            ),
            (window0, "windows window phb 1 pe 253 index 1", "the text has no window 0"),
            (
                "table 0x376e000 owner os",
                "table 0x376e000 owner firmware handle 0x1 shared 1",
                "a window isn't the OS's",
            ),
            ("windows end 2", "windows end 3", "the text was renewed while it was read"),
        ];
        for (from, to, wanted) in cases {
            let error = format!("{:#}", agree(&LOG.replacen(from, to, 1)).unwrap_err());
            assert!(error.contains(wanted), "{error:?} doesn't say {wanted:?}");
        }
    }
}
