//! What a kernel prints under any firmware though it looks like trouble, told from others of its kind by what it says.
//!
//! **hotplug.** Linux 6.12 counts the deadline server of its ordinary tasks among a CPU's runnable tasks while that server is queued
//! (mended upstream by 52d15521eb75, "sched/deadline: Don't count nr_running for dl_server proxy tasks"). If the
//! server's timer fires in the last moments of a CPU that goes, `sched_cpu_dying` counts two tasks, warns, and then
//! lists only the stopper that runs. Seen with QEMU's own firmware as often as with ours: with the server's period
//! set to 10 ms in 139 and 140 of 160 times that a CPU went, with the server off never.
//!
//! **eeh.** The step says that there was an error, and the kernel and the drivers tell what they do about it. The device is
//! "not ready" because the kernel itself blocks its configuration space while it waits.

use regex::Regex;

/// What a recovery says that succeeds.
const RECOVERY: &[&str] = &[
    "^EEH: Recovering PHB#",
    "^EEH: Frozen PHB#[0-9a-f]+-PE#[0-9a-f]+ detected$",
    "^EEH: Call Trace:$",
    r"^EEH: \[[0-9a-f]+\] [a-z_]+\+0x",
    "^EEH: This PCI device has failed [1-4] times in the last hour",
    "^EEH: (Beginning: 'error_detected|Finished:'error_detected.*'need reset'$)",
    r"EEH: Invoking (nvme|e1000e)->(error_detected\(IO frozen\)|slot_reset\(\))$",
    "^nvme nvme0: (frozen state error detected, reset controller|restart after slot reset)$",
    "EEH: nvme driver reports: 'need reset'$",
    "not ready 1023ms after bus reset; giving up$",
];

/// For each line of the kernel whether it is excused in a boot with these steps.
pub fn excused(lines: &[&str], steps: &[&str]) -> Vec<bool> {
    let has = |step| steps.contains(&step);
    let mut all = if has("hotplug") { dying_cpus(lines) } else { vec![false; lines.len()] };
    if has("eeh") {
        let known: Vec<_> = RECOVERY.iter().map(|text| Regex::new(text).expect("a pattern")).collect();
        for (line, excused) in lines.iter().zip(&mut all) {
            *excused |= known.iter().any(|pattern| pattern.is_match(line));
        }
    }
    all
}

/// Which lines are the deadline server's warning. One that lists another task isn't it.
fn dying_cpus(lines: &[&str]) -> Vec<bool> {
    let mut excused = vec![false; lines.len()];
    for (start, line) in lines.iter().enumerate() {
        if !(line.starts_with("WARNING: CPU:") && line.contains(" sched_cpu_dying+")) {
            continue;
        }
        let end = |from: usize, is: fn(&str) -> bool| {
            lines[from..].iter().position(|line| is(line)).map(|length| from + length)
        };
        let Some(list) = end(start, |line| line.contains(" enqueued tasks (2 total):")) else { continue };
        let tasks: Vec<_> = lines[list + 1..]
            .iter()
            .map(|line| line.trim())
            .take_while(|line| line.starts_with("pid: "))
            .collect();
        if !matches!(tasks[..], [task] if task.contains("name: migration/")) {
            continue;
        }
        let trace = end(start, |line| line == "Call Trace:").filter(|&trace| trace < list);
        for part in [Some(start), trace].into_iter().flatten() {
            excused[part] = true;
        }
    }
    excused
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARNING: &[&str] = &[
        "Dying CPU not properly vacated!",
        "WARNING: CPU: 3 PID: 33 at kernel/sched/core.c:8328 sched_cpu_dying+0xe4/0x374",
        "Call Trace:",
        "[c0000000032d7bd0] [c00000000019cd7c] sched_cpu_dying+0xe0/0x374 (unreliable)",
        "---[ end trace 0000000000000000 ]---",
        "CPU3 enqueued tasks (2 total):",
        "\tpid: 33, name: migration/3",
    ];

    #[test]
    fn only_the_servers_warning_is_excused_and_only_where_cpus_go() {
        let lines =
            [&["Call Trace:"], WARNING, &["WARNING: CPU: 1 PID: 0 at kernel/cpu.c:1 f+0x0/0x1"]].concat();
        let found: Vec<_> = (0..lines.len()).filter(|&at| excused(&lines, &["hotplug"])[at]).collect();
        assert_eq!(found, [2, 3]);
        assert!(!excused(&lines, &["cpus", "smp"]).contains(&true));
    }

    #[test]
    fn a_recovery_is_excused_where_one_is_asked_for_and_no_failure_is() {
        let lines = [
            "EEH: Frozen PHB#0-PE#1fd detected",
            "PCI 0000:01:00.0#01fd: EEH: Invoking nvme->error_detected(IO frozen)",
            "EEH: Unable to recover from failure from PHB#0-PE#1fd.",
            "nvme nvme0: I/O tag 5 (1005) QID 1 timeout, aborting",
        ];
        assert_eq!(excused(&lines, &["eeh"]), [true, true, false, false]);
        assert!(!excused(&lines, &["nvme"]).contains(&true));
    }

    #[test]
    fn a_task_that_stayed_behind_is_not_excused() {
        let left = [WARNING, &["\tpid: 7, name: kworker/3:1"]].concat();
        assert!(!excused(&left, &["hotplug"]).contains(&true));
        let more: Vec<_> = WARNING.iter().map(|line| line.replace("2 total", "3 total")).collect();
        assert!(!excused(&more.iter().map(String::as_str).collect::<Vec<_>>(), &["hotplug"]).contains(&true));
        assert!(!excused(&WARNING[..5], &["hotplug"]).contains(&true), "no list of tasks");
    }
}
