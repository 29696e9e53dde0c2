//! Reads the console: what the guest's scripts reported, and what the kernel said about PEs and DMA windows.

use std::collections::BTreeMap;

const MARK: &str = "OPALITE-DEMO: ";

/// One line that the guest reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The first word: what it is about.
    pub about: String,
    /// Everything after it.
    pub text: String,
}

impl Said {
    /// The value of `key=` in the text.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.text.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }
}

/// Everything that the guest reported.
pub fn said(console: &str) -> Vec<Said> {
    console
        .lines()
        .filter_map(|line| line.split_once(MARK))
        .map(|(_, rest)| {
            let (about, text) = rest.split_once(' ').unwrap_or((rest, ""));
            Said { about: about.into(), text: text.trim().into() }
        })
        .collect()
}

/// The lines from the kernel's first on, without their time stamps.
pub fn kernel_lines(console: &str) -> impl Iterator<Item = &str> + Clone {
    from(console, console.find(VERSION)).lines().map(|line| message(line).unwrap_or(line))
}

/// The lines of the last kernel, where one followed another by kexec or reboot.
pub fn last_kernel_lines(console: &str) -> impl Iterator<Item = &str> {
    from(console, console.rfind(VERSION)).lines().map(|line| message(line).unwrap_or(line))
}

/// Only what a kernel logged: lines that begin with a time stamp, each with its level if it has one.
pub fn kernel_messages(console: &str) -> impl Iterator<Item = (Option<u8>, &str)> {
    from(console, console.find(VERSION)).lines().filter_map(|line| Some((leveled(line).0, message(line)?)))
}

const VERSION: &str = "] Linux version";

/// From the kernel's first line on. It says its version when it has said something about its CPUs and its MMU, all at time 0;
/// the firmware's last lines are later than that.
fn from(console: &str, version: Option<usize>) -> &str {
    let Some(version) = version else { return "" };
    let mut start = console[..version].rfind('\n').map_or(0, |end| end + 1);
    while let Some(before) = console[..start].strip_suffix('\n') {
        let line = before.rfind('\n').map_or(0, |end| end + 1);
        if !before[line..].starts_with("[    0.000000] ") {
            break;
        }
        start = line;
    }
    &console[start..]
}

/// A line without its level and its time stamp, if it has one.
fn message(line: &str) -> Option<&str> {
    Some(leveled(line).1.strip_prefix('[')?.split_once("] ")?.1)
}

/// With `console_msg_format=syslog` a kernel says `<6>` and so on before each line, from when it has read its command line.
fn leveled(line: &str) -> (Option<u8>, &str) {
    let split = || {
        let (level, rest) = line.strip_prefix('<')?.split_once('>')?;
        Some((Some(level.parse().ok()?), rest))
    };
    split().unwrap_or((None, line))
}

/// A PCI device that the kernel found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PciDevice {
    /// `domain:bus:device.function`
    pub address: String,
    /// `vendor:device class`
    pub ids: String,
    /// Empty if none took it.
    pub driver: String,
    /// Bits that the driver said its device can address.
    pub mask: u32,
    /// `number:size/kind` of each BAR that has an address.
    pub bars: Vec<String>,
}

impl PciDevice {
    /// What must be the same under every firmware.
    pub fn identity(&self) -> String {
        format!("{} {} {}", self.address, self.ids, self.bars.join(" "))
    }
}

/// The devices that the step `pci` reported.
pub fn pci_devices(reports: &[Said]) -> Vec<PciDevice> {
    reports.iter().filter(|report| report.about == "pci").filter_map(pci_device).collect()
}

fn pci_device(report: &Said) -> Option<PciDevice> {
    let words: Vec<_> = report.text.split_whitespace().collect();
    let [address, ids, class, _, _, bars @ ..] = words.as_slice() else { return None };
    Some(PciDevice {
        address: address.to_string(),
        ids: format!("{} {class}", ids.replace("0x", "")),
        driver: report.value("driver")?.into(),
        mask: report.value("mask")?.parse().ok()?,
        bars: bars.iter().filter_map(|bar| bar_size(bar)).collect(),
    })
}

/// `0:0xSTART-0xEND/0xFLAGS` to `0:SIZE/KIND`; the address itself is the kernel's choice.
fn bar_size(text: &str) -> Option<String> {
    let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    let (index, rest) = text.split_once(':')?;
    let (range, flags) = rest.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let size = number(end)?.checked_sub(number(start)?)?.checked_add(1)?;
    // I/O, memory, prefetchable, 64-bit: the bits of Linux's resource flags that come from the BAR itself.
    Some(format!("{index}:{size:#x}/{:#x}", number(flags)? & 0x10_2300))
}

/// For each PE that got a window: its devices and what the kernel said about its windows. Then our firmware's own view.
pub fn windows(console: &str) -> Vec<String> {
    let reports = said(console);
    let devices = pci_devices(&reports);
    let mut of_pe: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for line in kernel_lines(console) {
        if let Some((place, text)) = line.split_once(": [PE# ")
            && let Some((pe, what)) = text.split_once("] ")
            && ["window", "TCE table", "bypass"].iter().any(|word| what.contains(word))
        {
            let place = place.trim_start_matches("pci ").trim();
            of_pe.entry((place.into(), pe.trim().into())).or_default().push(what.trim().into());
        }
    }
    let mut lines = Vec::new();
    for ((place, pe), what) in of_pe {
        let names: Vec<_> = devices
            .iter()
            .filter(|device| device.address.starts_with(&place))
            .map(|device| format!("{} {} ({})", device.address, device.driver, device.ids))
            .collect();
        lines.push(format!("PE {pe} of {place}: {}", names.join(", ")));
        lines.extend(what.iter().map(|window| format!("    {window}")));
    }
    lines.extend(
        reports.into_iter().filter(|s| s.about == "windows").map(|s| format!("firmware: {}", s.text)),
    );
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_found_behind_the_time_stamp() {
        let reports = said("x\n[    3.1] OPALITE-DEMO: nvme-write sha=ab bytes=64\n[ 4.0] other\n");
        assert_eq!(reports.len(), 1);
        assert_eq!((reports[0].about.as_str(), reports[0].value("sha")), ("nvme-write", Some("ab")));
        assert_eq!(reports[0].value("byte"), None);
    }

    #[test]
    fn kernel_lines_begin_at_the_kernel_and_lose_their_time() {
        let console = "[ 9.9,5] firmware: error\n[    0.000000] radix\n[    0.000000] Linux version 6\n<4>[    0.1] next\n<raw>\n";
        assert_eq!(kernel_lines(console).collect::<Vec<_>>(), ["radix", "Linux version 6", "next", "<raw>"]);
        assert_eq!(
            kernel_messages(console).collect::<Vec<_>>(),
            [(None, "radix"), (None, "Linux version 6"), (Some(4), "next")]
        );
        assert_eq!(kernel_lines("nothing\n").count(), 0);
    }

    #[test]
    fn the_last_kernel_is_told_from_those_before() {
        let console = "[    0.000000] Linux version 6\n[ 9.0] reboot\n[    0.1] firmware\n\
                       [    0.000000] radix\n[    0.000000] Linux version 6\n[ 1.0] done\n";
        assert_eq!(last_kernel_lines(console).collect::<Vec<_>>(), ["radix", "Linux version 6", "done"]);
        assert_eq!(kernel_lines(console).count(), 6);
    }

    #[test]
    fn a_device_is_the_same_wherever_the_kernel_put_its_bars() {
        let report = |address: &str| {
            said(&format!(
                "OPALITE-DEMO: pci 0000:01:00.0 0x1b36:0x0010 0x010802 driver=nvme mask=64 0:{address}/0x140204\n"
            ))
        };
        let device = &pci_devices(&report("0x600c000000000-0x600c000003fff"))[0];
        assert_eq!(device.identity(), "0000:01:00.0 1b36:0010 0x010802 0:0x4000/0x100200");
        assert_eq!((device.driver.as_str(), device.mask), ("nvme", 64));
        assert_eq!(device.identity(), pci_devices(&report("0x10000-0x13fff"))[0].identity());
        assert_ne!(device.identity(), pci_devices(&report("0x10000-0x14fff"))[0].identity());
    }

    #[test]
    fn windows_are_listed_by_pe_with_the_devices_in_it() {
        let console = "[ 0.0] Linux version\n[ 0.1] pci 0000:01     : [PE# fd] Setting up window#0 0..7f\n\
            [ 0.2] pci 0000:01     : [PE# fd] Enabling 64-bit DMA bypass\n[ 0.2] pci 0000:00     : [PE# fe] Secondary bus\n\
            [ 3.0] OPALITE-DEMO: pci 0000:01:00.0 0x1:0x2 0x3 driver=nvme mask=64\n";
        assert_eq!(
            windows(console),
            [
                "PE fd of 0000:01: 0000:01:00.0 nvme (1:2 0x3)",
                "    Setting up window#0 0..7f",
                "    Enabling 64-bit DMA bypass"
            ]
        );
    }
}
