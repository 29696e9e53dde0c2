//! The device tree that Linux got from our firmware beside the one that it got from QEMU's own: each difference has its
//! reason in `tests/device_tree/wanted.rs`, or is a complaint.

use crate::{report::Check, said};
use base64::{Engine, prelude::BASE64_STANDARD};

#[path = "../../tests/device_tree/flat.rs"]
#[allow(dead_code)] // The host tests use more of it.
mod flat;
#[path = "../../tests/device_tree/wanted.rs"]
mod wanted;

use wanted::Kind::{Ours, Theirs, Value};
use wanted::{DEVICES, EVERYWHERE, FROM_POWER9, POWER8, POWER9, POWER10, Wanted};

/// What differs besides between two machines that booted: what each firmware chooses for itself.
#[rustfmt::skip]
const BOOTED: &[Wanted] = &[
    (Value, "/", "reserved-*", "each firmware's own memory"),
    (Theirs, "/reserved-memory/ibm,firmware-*", "", "each firmware's own memory"),
    (Ours, "/reserved-memory/ibm,firmware@*", "", "each firmware's own memory"),
    (Ours, "/reserved-memory/ibm,rtas@*", "", "PAPR's calls on DMA windows"),
    (Value, "/ibm,opal", "opal-base-address", "each firmware's own memory"),
    (Value, "/ibm,opal", "opal-entry-address", "each firmware's own memory"),
    (Value, "/ibm,opal", "opal-runtime-size", "each firmware's own memory"),
    (Value, "/ibm,opal", "ibm,opal-memcons", "each firmware's own memory"),
    (Theirs, "/ibm,opal/firmware", "name", "the node's name once more"),
    (Value, "/pciex@*/pci@0", "ibm,slot-*pluggable", "slots are not switched off and on"),
];

#[rustfmt::skip]
const BOOTED_FROM_POWER9: &[Wanted] = &[
    (Value, "/ibm,opal", "interrupts", "each firmware's own numbers"),
    (Value, "/ibm,opal", "interrupt-names", "in the order of the numbers; for people"),
    (Value, "/pciex@*", "ibm,opal-msi-ranges", "each firmware's own numbers"),
    (Value, "/pciex@*/pci@0", "interrupt-map", "each firmware's own numbers"),
    (Value, "/psi@*", "interrupt*", "each firmware's own numbers"),
];

#[rustfmt::skip]
const POWER11: &[Wanted] = &[
    (Value, "/cpus/ibm,powerpc-cpu-features", "display-name", "the features are POWER10's, and so is their name"),
];

#[rustfmt::skip]
const RAINIER: &[Wanted] = &[
    (Value, "/ibm,opal", "ibm,heartbeat-ms", "skiboot's own timers need the polling, and here nothing does"),
];

/// What differs from the second chip on.
#[rustfmt::skip]
const MORE_CHIPS: &[Wanted] = &[
    (Value, "/cpus/PowerPC,POWER*@*", "ibm,associativity", "the last level is the PIR, not the thread's number in its chip; it only has to be unique"),
    (Ours, "/pciex@*/pci@0", "ibm,*", "skiboot knows the slots of the first chip only"),
    (Theirs, "/xscom@*/isa@*", "*interrupt-*", "POWER8: nothing is behind the LPC bus of another chip"),
    (Value, "/ibm,opal", "interrupts", "POWER8: as for its successors"),
    (Value, "/ibm,opal", "interrupt-names", "POWER8: as for its successors"),
];

/// What differs because the test isn't the same.
const TESTS: &[Wanted] = &[(Value, "/chosen", "bootargs", "ports of the host are in it")];

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
