//! The system's own apt entries, read so that private ones can be derived from them: which mirror and which key.
//! Both forms are read: deb822 (`.sources`) and one line per entry (`.list`).

use anyhow::{Context, Result};
use std::{fs, path::Path};

/// One entry: where packages come from and who signs them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where, as apt spells it.
    pub uri: String,
    /// The suites that the entry names.
    pub suites: Vec<String>,
    /// The components, like `main`.
    pub components: Vec<String>,
    /// Path of a key, or a key itself with its line breaks, as deb822 writes it.
    pub signed_by: Option<String>,
}

/// Reads every entry below an apt configuration folder (`/etc/apt`).
pub fn read_all(etc: &Path) -> Result<Vec<Entry>> {
    let mut files = vec![etc.join("sources.list")];
    if let Ok(listing) = fs::read_dir(etc.join("sources.list.d")) {
        let mut more: Vec<_> = listing.flatten().map(|file| file.path()).collect();
        more.sort();
        files.extend(more);
    }
    let mut entries = Vec::new();
    for file in files.iter().filter(|file| file.exists()) {
        let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => entries.extend(parse_deb822(&text)),
            Some("list") => entries.extend(parse_lines(&text)),
            _ => {}
        }
    }
    Ok(entries)
}

/// The entry that serves a suite's component `main`.
pub fn serving<'a>(entries: &'a [Entry], suite: &str) -> Option<&'a Entry> {
    entries
        .iter()
        .find(|entry| entry.suites.iter().any(|s| s == suite) && entry.components.iter().any(|c| c == "main"))
}

/// A deb822 stanza with the given suites, as it goes in a private `.sources` file.
pub fn stanza(entry: &Entry, suite: &str) -> String {
    let mut text = format!("Types: deb\nURIs: {}\nSuites: {suite}\nComponents: main\n", entry.uri);
    if let Some(key) = &entry.signed_by {
        text += &format!("Signed-By: {key}\n");
    }
    text + "\n"
}

fn parse_deb822(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let clean: String = text.lines().filter(|l| !l.starts_with('#')).map(|l| format!("{l}\n")).collect();
    for paragraph in clean.split("\n\n") {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in paragraph.lines() {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = fields.last_mut() {
                    *value += &format!("\n{line}");
                }
            } else if let Some((name, value)) = line.split_once(':') {
                fields.push((name.to_ascii_lowercase(), value.trim().to_string()));
            }
        }
        let get = |name: &str| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let words = |name: &str| -> Vec<String> {
            get(name).unwrap_or_default().split_whitespace().map(str::to_string).collect()
        };
        let off = get("enabled").is_some_and(|v| v.eq_ignore_ascii_case("no"));
        if off || !words("types").iter().any(|t| t == "deb") {
            continue;
        }
        entries.extend(words("uris").into_iter().filter(|uri| usable(uri)).map(|uri| Entry {
            uri,
            suites: words("suites"),
            components: words("components"),
            signed_by: get("signed-by"),
        }));
    }
    entries
}

fn parse_lines(text: &str) -> Vec<Entry> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Entry> {
    let line = line.split('#').next()?.trim();
    let mut rest = line.strip_prefix("deb")?;
    if !rest.starts_with([' ', '\t']) {
        return None;
    }
    let mut signed_by = None;
    if let Some(options) = rest.trim_start().strip_prefix('[') {
        let (inside, after) = options.split_once(']')?;
        signed_by = inside
            .split_whitespace()
            .find_map(|option| option.strip_prefix("signed-by="))
            .map(str::to_string);
        rest = after;
    }
    let mut words = rest.split_whitespace().map(str::to_string);
    let uri = words.next().filter(|uri| usable(uri))?;
    let suites = vec![words.next()?];
    Some(Entry { uri, suites, components: words.collect(), signed_by })
}

/// An entry on a disc can't serve another architecture.
fn usable(uri: &str) -> bool {
    !uri.starts_with("cdrom:")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEB822: &str = "# a comment\nTypes: deb deb-src\nURIs: http://mirror.example/debian\n\
        Suites: bookworm bookworm-updates\nComponents: main contrib\nSigned-By: /usr/share/keyrings/k.gpg\n\n\
        Types: deb\nURIs: http://off.example/debian\nSuites: bookworm\nComponents: main\nEnabled: no\n";

    #[test]
    fn reads_deb822_and_leaves_out_what_is_disabled() {
        let entries = parse_deb822(DEB822);
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].uri, "http://mirror.example/debian");
        assert_eq!(entries[0].suites, ["bookworm", "bookworm-updates"]);
        assert_eq!(entries[0].signed_by.as_deref(), Some("/usr/share/keyrings/k.gpg"));
    }

    #[test]
    fn keeps_a_key_that_is_written_in_the_entry() {
        let text = "Types: deb\nURIs: http://m.example/d\nSuites: s\nComponents: main\nSigned-By:\n -----BEGIN\n .\n abc\n";
        let entry = &parse_deb822(text)[0];
        assert_eq!(entry.signed_by.as_deref(), Some("\n -----BEGIN\n .\n abc"));
        assert!(stanza(entry, "s-backports").contains("Signed-By: \n -----BEGIN\n .\n abc\n"));
    }

    #[test]
    fn reads_classic_lines_with_and_without_options() {
        let text = "deb [arch=amd64 signed-by=/k.gpg] http://m.example/debian bookworm main non-free # x\n\
            deb-src http://m.example/debian bookworm main\n#deb http://n.example/d bookworm main\n\
            deb cdrom:[x]/ bookworm main\ndeb http://p.example/debian trixie main\n";
        let entries = parse_lines(text);
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].signed_by.as_deref(), Some("/k.gpg"));
        assert_eq!(entries[0].components, ["main", "non-free"]);
        assert_eq!(entries[1].uri, "http://p.example/debian");
    }

    #[test]
    fn finds_the_entry_of_a_suite_and_no_other() {
        let entries = parse_deb822(DEB822);
        assert!(serving(&entries, "bookworm").is_some());
        assert!(serving(&entries, "bookworm-security").is_none());
    }
}
