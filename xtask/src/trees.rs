//! The device tree that Linux got from our firmware beside the one that it got from QEMU's own: each difference has its
//! reason in `tests/device_tree/wanted.rs`, or is a complaint.

use crate::{report::Check, said};
use base64::{Engine, prelude::BASE64_STANDARD};

#[path = "../../tests/device_tree/flat.rs"]
#[allow(dead_code)] // The host tests use more of it.
mod flat;
#[path = "../../tests/device_tree/wanted.rs"]
mod wanted;

use wanted::{
    BOOTED, BOOTED_FROM_POWER9, DEVICES, EVERYWHERE, FROM_POWER9, Kind, MORE_CHIPS, POWER8, POWER9, POWER10,
    POWER11, RAINIER, Wanted,
};

/// What differs because the test isn't the same.
const TESTS: &[Wanted] = &[(Kind::Value, "/chosen", "bootargs", "ports of the host are in it")];

/// Compares what the step `tree` reported of two boots of a machine.
pub fn beside(machine: &str, ours: &str, theirs: &str) -> Check {
    let name = "device tree as under QEMU's own firmware";
    let (ours, theirs) = match (blob(ours), blob(theirs)) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Err(why), _) | (_, Err(why)) => return Check::failed(name, why),
    };
    let generation: &[&[Wanted]] = match machine {
        "powernv8" => &[POWER8],
        "powernv9" => &[FROM_POWER9, BOOTED_FROM_POWER9, POWER9],
        "powernv10-rainier" => &[FROM_POWER9, BOOTED_FROM_POWER9, POWER10, RAINIER],
        "powernv11" => &[FROM_POWER9, BOOTED_FROM_POWER9, POWER10, POWER11],
        _ => &[FROM_POWER9, BOOTED_FROM_POWER9, POWER10],
    };
    let tables = [generation, &[EVERYWHERE, DEVICES, MORE_CHIPS, BOOTED, TESTS]].concat();
    let found = wanted::compare(&ours, &theirs, &tables);
    let booted = [BOOTED, if machine == "powernv8" { &[] } else { BOOTED_FROM_POWER9 }].concat();
    // What only some machines have is in the other tables.
    let stale = found.unused.iter().find(|entry| booted.contains(entry));
    match (&found.unwanted[..], stale) {
        ([], None) => Check::ok(name, format!("{} and {} bytes", ours.len(), theirs.len())),
        ([], Some(entry)) => Check::failed(name, format!("this difference doesn't occur: {entry:?}")),
        ([one], _) => Check::failed(name, one),
        ([first, ..], _) => Check::failed(name, format!("{first} (and {} more)", found.unwanted.len() - 1)),
    }
}

/// The tree's pieces put together again.
fn blob(console: &str) -> Result<Vec<u8>, String> {
    let pieces: String =
        said::said(console).into_iter().filter(|said| said.about == "tree").map(|said| said.text).collect();
    let blob = BASE64_STANDARD.decode(&pieces).map_err(|error| format!("not whole: {error}"))?;
    match blob.get(4..8).map(|size| u32::from_be_bytes(size.try_into().expect("four bytes"))) {
        Some(size) if size as usize == blob.len() => Ok(blob),
        _ => Err(format!("{} bytes are no whole tree", blob.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &[u8] = include_bytes!("../../tests/data/skiboot-powernv9.dtb");

    fn console(tree: &[u8]) -> String {
        let text = BASE64_STANDARD.encode(tree);
        let pieces = text.as_bytes().chunks(800).map(|piece| String::from_utf8_lossy(piece).into_owned());
        pieces.map(|piece| format!("[    1.0] OPALITE-DEMO: tree {piece}\n")).collect()
    }

    #[test]
    fn a_tree_comes_whole_or_not_at_all() {
        let text = console(TREE);
        assert_eq!(blob(&text).unwrap(), TREE);
        let cut: String = text.lines().skip(1).map(|line| format!("{line}\n")).collect();
        assert!(blob(&cut).is_err());
        assert!(blob("").is_err());
    }

    #[test]
    fn a_property_that_no_table_has_is_told() {
        let place = TREE.windows(12).position(|text| text == b"ibm,heartbea").expect("a name");
        let mut other = TREE.to_vec();
        other[place] = b'x';
        let check = beside("powernv9", &console(&other), &console(TREE));
        assert!(check.result.unwrap_err().contains("xbm,heartbeat-ms"));
    }
}
