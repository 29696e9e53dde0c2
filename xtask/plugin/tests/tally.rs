//! The plugin's bookkeeping, without QEMU.

#[path = "../src/tally.rs"]
mod tally;

use tally::{FORMAT, Tally};

fn lines(tally: &Tally) -> Vec<String> {
    tally.report(9000).to_string().lines().map(String::from).collect()
}

#[test]
fn a_call_costs_what_ran_between_its_entry_and_the_next_block_outside() {
    let mut tally = Tally::default();
    tally.kernel_entered(500, 0x3000_0000, 0x3000_3770);
    tally.call_begins(0, 44, 1000);
    assert!(tally.leaves(0, 1471));
    tally.call_begins(0, 44, 2000);
    assert!(tally.leaves(0, 2100));
    assert_eq!(
        lines(&tally),
        [
            FORMAT,
            "boot instructions=500 base=0x30000000 entry=0x30003770",
            "total instructions=9000",
            "call token=44 calls=2 sum=571 min=100 max=471",
            "other calls=0 sum=0 min=0 max=0",
            "nested calls=0",
            "end",
        ]
    );
}

#[test]
fn vcpus_do_not_see_each_others_calls() {
    let mut tally = Tally::default();
    tally.call_begins(0, 10, 100);
    tally.call_begins(1, 80, 5);
    tally.leaves(1, 35);
    tally.leaves(0, 300);
    let lines = lines(&tally);
    assert!(lines.contains(&"call token=10 calls=1 sum=200 min=200 max=200".into()), "{lines:?}");
    assert!(lines.contains(&"call token=80 calls=1 sum=30 min=30 max=30".into()), "{lines:?}");
    assert!(lines.contains(&"nested calls=0".into()), "{lines:?}");
}

#[test]
fn a_call_from_within_a_call_ends_the_outer_one_and_is_told() {
    let mut tally = Tally::default();
    tally.call_begins(0, 1, 100);
    tally.call_begins(0, 10, 150);
    tally.leaves(0, 170);
    let lines = lines(&tally);
    assert!(lines.contains(&"call token=1 calls=1 sum=50 min=50 max=50".into()), "{lines:?}");
    assert!(lines.contains(&"call token=10 calls=1 sum=20 min=20 max=20".into()), "{lines:?}");
    assert!(lines.contains(&"nested calls=1".into()), "{lines:?}");
}

#[test]
fn a_stay_by_another_way_is_no_call() {
    let mut tally = Tally::default();
    tally.enters_elsewhere(0, 10);
    assert!(tally.leaves(0, 17));
    assert!(!tally.leaves(0, 18));
    let lines = lines(&tally);
    assert!(lines.contains(&"other calls=1 sum=7 min=7 max=7".into()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("call ")), "{lines:?}");
}

#[test]
fn a_call_that_never_returns_is_named() {
    let mut tally = Tally::default();
    tally.call_begins(0, 5, 100);
    let lines = lines(&tally);
    assert!(lines.contains(&"unfinished vcpu=0 token=5".into()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("call ")), "{lines:?}");
}

#[test]
fn only_the_first_kernel_entry_counts() {
    let mut tally = Tally::default();
    tally.kernel_entered(500, 1, 2);
    tally.kernel_entered(900, 3, 4);
    assert_eq!(lines(&tally)[1], "boot instructions=500 base=0x1 entry=0x2");
}
