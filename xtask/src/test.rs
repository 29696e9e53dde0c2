//! `cargo xtask test`: everything that can be checked, in four rings, and one sum at the end.

use crate::{
    bench,
    board::Board,
    boot::{self, Booted, Guest, Plan},
    cases::{CASES, Case, MEGABYTES},
    checks::{self, Expect},
    cli::Part,
    console::{self, Limits},
    elf, endings,
    fetch::Kernel,
    image, kexec, more, nested, parallel, paths, payload,
    proof::{self, Proof},
    qemu::{Launch, Qemu},
    report::{self, Check, seconds},
    scan,
    tools::{self, Run},
    trees,
};
use anyhow::{Context, Result, bail};
use std::{
    collections::{HashMap, hash_map::Entry},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A computer that is busy with two of them is slow, and many threads share what it has.
fn limits(case: &Case) -> Limits {
    let total = if case.threads() < 4 { 300 } else { 600 };
    Limits { total: Duration::from_secs(total), silence: Duration::from_secs(120), show: false }
}

/// Building and running the host tests takes a few minutes on two cores, and a quarter of an hour on a busy machine.
const HOST_LIMIT: Duration = Duration::from_secs(3600);

/// Under QEMU the guest's clock runs on while a busy host lets the guest stand; the kernel's watchdogs would blame the
/// guest. A guest that hangs is found by its silence. (Until Linux trusts the timebase it counts ticks, of which a busy
/// host loses many: the watchdog's own timer is late then.)
pub const PATIENCE: &str = "watchdog_thresh=240 rcupdate.rcu_cpu_stall_timeout=120";

/// The step that reports the device tree.
const TREE: &str = "tree";

/// How many passed and failed so far.
#[derive(Default)]
pub struct Sum {
    passed: AtomicUsize,
    failed: Mutex<Vec<String>>,
}

impl Sum {
    /// Prints and counts.
    pub fn add(&self, check: &Check) {
        println!("{}", check.line());
        match &check.result {
            Ok(_) => _ = self.passed.fetch_add(1, Ordering::Relaxed),
            Err(_) => self.failed.lock().expect("no panic while counting").push(check.name.clone()),
        }
    }
}

/// Runs the parts and fails if anything did.
pub fn run(part: Option<Part>, only: Option<&str>, firmware: Option<&str>) -> Result<()> {
    refuse_what_has_no_effect(part, only, firmware)?;
    let sum = Sum::default();
    let wanted = |one: Part| part.is_none_or(|part| part == one);
    if wanted(Part::Host) {
        host(&sum)?;
        if firmware.is_none() {
            images(&sum);
        }
    }
    if wanted(Part::Qemu) {
        tell("payload", payload::run(firmware), &sum);
        if firmware.is_none() {
            tell("endings", endings::run(), &sum);
            tell("cost", bench::kept(), &sum);
        }
    }
    if wanted(Part::Linux) {
        tell("linux", linux(only, firmware, &sum), &sum);
    }
    if wanted(Part::Nested) {
        tell("nested", nested::run(only, firmware, &sum), &sum);
    }
    let failed = sum.failed.into_inner().expect("no panic while counting");
    println!("{} passed, {} failed", sum.passed.into_inner(), failed.len());
    match failed.is_empty() {
        true => Ok(()),
        false => bail!("failed: {}", failed.join(", ")),
    }
}

fn refuse_what_has_no_effect(part: Option<Part>, only: Option<&str>, firmware: Option<&str>) -> Result<()> {
    if only.is_some() && !matches!(part, Some(Part::Linux | Part::Nested)) {
        bail!("--only chooses cases of one part: test linux --only NAME, or test nested --only NAME");
    }
    if firmware.is_some() && part == Some(Part::Host) {
        bail!("--firmware is what a machine boots, and the host tests boot none");
    }
    Ok(())
}

fn tell(name: &str, result: Result<Vec<Check>>, sum: &Sum) {
    match result {
        Ok(checks) => checks.iter().for_each(|check| sum.add(check)),
        Err(error) => sum.add(&Check::failed(name, format!("{error:#}"))),
    }
}

/// Format, lints, documentation, unit and model tests: plain cargo.
fn host(sum: &Sum) -> Result<()> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let lines: &[(&str, &[&str])] = &[
        ("format", &["fmt", "--all", "--check"]),
        ("lints", &["clippy", "--quiet", "--workspace", "--all-targets", "--", "-Dwarnings"]),
        ("documentation", &["doc", "--quiet", "--workspace", "--no-deps"]),
    ];
    for (name, arguments) in lines {
        report::step(&format!("cargo {}", arguments.join(" ")));
        let mut command = Command::new(&cargo);
        command.args(*arguments).current_dir(paths::root()).env("RUSTDOCFLAGS", "-Dwarnings");
        let status = command.status().context("starting cargo")?;
        sum.add(&Check::that(
            name,
            status.success(),
            if status.success() { "" } else { "its complaints are above" },
        ));
    }
    report::step("cargo test --workspace");
    let mut command = Command::new(&cargo);
    command.args(["test", "--quiet", "--workspace", "--no-fail-fast"]).current_dir(paths::root());
    let run = tools::bounded(&mut command, HOST_LIMIT)?;
    let (passed, failed) = counts(&run.output);
    sum.passed.fetch_add(passed, Ordering::Relaxed);
    if run.succeeded() && failed == 0 {
        println!("  ok      {passed} unit and model tests");
    } else {
        println!("{}{}", run.output, run.errors);
        sum.add(&Check::failed("unit and model tests", trouble(&run, passed, failed, HOST_LIMIT)));
    }
    Ok(())
}

/// What went wrong with `cargo test`, in one sentence.
fn trouble(run: &Run, passed: usize, failed: usize, limit: Duration) -> String {
    if run.status.is_none() {
        return format!("not done after {} s, so a test hangs; how far it came is above", limit.as_secs());
    }
    if run.errors.contains("could not compile") {
        return "they don't build; the compiler's messages are above".into();
    }
    let mut all = Vec::new();
    if failed > 0 {
        all.push(format!("{failed} of {} failed", passed + failed));
    }
    for line in run.errors.lines().filter(|line| line.contains("process didn't exit successfully")) {
        all.push(format!("a test program crashed: {}", line.trim()));
    }
    match all.is_empty() {
        true => format!("cargo test failed: {}", tools::last_lines(&run.errors, 3)),
        false => all.join("; "),
    }
}

/// Sums cargo's `test result: ok. 3 passed; 0 failed; …` lines.
fn counts(text: &str) -> (usize, usize) {
    let number = |line: &str, word: &str| -> usize {
        let words: Vec<_> = line.split_whitespace().collect();
        words
            .windows(2)
            .find(|pair| pair[1].starts_with(word))
            .and_then(|pair| pair[0].parse().ok())
            .unwrap_or(0)
    };
    text.lines().filter(|line| line.starts_with("test result:")).fold((0, 0), |(passed, failed), line| {
        (passed + number(line, "passed"), failed + number(line, "failed"))
    })
}

/// The image itself: its size, its instructions, its relocations, and that two builds give the same bytes.
fn images(sum: &Sum) {
    tell("image", image_checks(), sum);
}

fn image_checks() -> Result<Vec<Check>> {
    let board = Board::named("powernv9")?;
    let image = image::build(&board)?;
    let mut checks =
        vec![Check::ok("image size", format!("{} of at most {} bytes", image.size, board.size_limit))];
    let file = fs::read(paths::elf())?;
    let findings = scan::scan(&file)?;
    checks.push(match findings.offences.as_slice() {
        [] => {
            Check::ok("no floating-point or vector instruction", format!("{} words of code", findings.words))
        }
        [first, ..] => Check::failed(
            "no floating-point or vector instruction",
            format!("{} found; the first: {first}", findings.offences.len()),
        ),
    });
    checks.push(match elf::relative_relocations(&file) {
        Ok(count) => Check::ok("relocations", format!("{count}, all relative")),
        Err(error) => Check::failed("relocations", error.to_string()),
    });
    let again = image::link(&paths::target().join("firmware-again"))?;
    let same = image::raw(&again, &board)? == fs::read(&image.lid)?;
    checks.push(Check::that(
        "reproducible",
        same,
        if same { "two builds, the same bytes" } else { "two builds differ" },
    ));
    Ok(checks)
}

/// What the Linux cases share: everything that is fetched or built once.
struct Ready {
    boards: HashMap<&'static str, Board>,
    firmware: Option<PathBuf>,
    guests: HashMap<Kernel, Guest>,
    qemus: HashMap<&'static str, Qemu>,
}

impl Ready {
    fn board(&self, case: &Case) -> Result<&Board> {
        self.boards.get(case.machine).context("a board")
    }
}

/// Runs the cases, two at a time; each prints its checks when it is done.
fn linux(only: Option<&str>, firmware: Option<&str>, sum: &Sum) -> Result<Vec<Check>> {
    let chosen = |case: &&Case| only.map_or(!case.by_name, |part| case.name.contains(part));
    let cases: Vec<_> = CASES.iter().filter(chosen).collect();
    if cases.is_empty() {
        bail!("no case has {} in its name", only.unwrap_or_default());
    }
    // One image boots all machines.
    let firmware = boot::firmware(firmware, &Board::named("powernv9")?)?;
    let mut ready = Ready { boards: HashMap::new(), firmware, guests: HashMap::new(), qemus: HashMap::new() };
    for case in &cases {
        if let Entry::Vacant(place) = ready.guests.entry(case.kernel) {
            place.insert(boot::fetched_guest(case.kernel)?);
        }
        if let Entry::Vacant(place) = ready.boards.entry(case.machine) {
            place.insert(Board::named(case.machine)?);
        }
        if let Entry::Vacant(place) = ready.qemus.entry(case.qemu) {
            place.insert(Qemu::select(case.qemu)?);
        }
    }
    let printing = Mutex::new(());
    parallel::each(&cases, |case| {
        let result = one(case, &ready);
        let _alone = printing.lock();
        print_case(case, result, sum);
    })?;
    Ok(Vec::new())
}

fn print_case(case: &Case, result: Result<(Vec<Check>, Duration)>, sum: &Sum) {
    match result {
        Ok((checks, time)) => {
            let Case { name, machine, qemu, kernel, .. } = case;
            println!("{name} ({machine}, QEMU {qemu}, kernel {}): {}", kernel.name(), seconds(time));
            for check in checks {
                let name = format!("{}: {}", case.name, check.name);
                sum.add(&Check { name, ..check });
            }
        }
        Err(error) => sum.add(&Check::failed(case.name, format!("{error:#}"))),
    }
}

fn one(case: &Case, ready: &Ready) -> Result<(Vec<Check>, Duration)> {
    let booted = start(case, ready, ready.firmware.as_deref())?;
    boot::keep_log(case.name, &booted.outcome.console)?;
    let fair = |expect: &&Expect| ready.firmware.is_some() || !expect.is_ours();
    let expected: Vec<_> = case.expect.iter().filter(fair).copied().collect();
    let mut found = checks::judge(&booted, &expected);
    if booted.outcome.ending == console::Ending::Ended {
        found.extend(checks::lines(ready.board(case)?, &booted.outcome.console, case.steps)?);
        if (case.compare || case.steps.contains(&TREE)) && ready.firmware.is_some() {
            found.extend(beside(case, ready, &booted)?);
        }
    }
    Ok((found, booted.outcome.time))
}

/// Compares a boot with one of QEMU's own firmware.
fn beside(case: &Case, ready: &Ready, ours: &Booted) -> Result<Vec<Check>> {
    let mut theirs = start(case, ready, None)?;
    // On a busy machine one of its boots sometimes stands still, and it isn't what is tested.
    if theirs.outcome.ending != console::Ending::Ended {
        theirs = start(case, ready, None)?;
    }
    boot::keep_log(&format!("{}-skiboot", case.name), &theirs.outcome.console)?;
    let mut found = Vec::new();
    if case.compare {
        found.extend(behaviour(case, ready, ours, &theirs)?);
    }
    if case.steps.contains(&TREE) {
        found.push(trees::beside(case.machine, &ours.outcome.console, &theirs.outcome.console));
    }
    Ok(found)
}

/// Devices and messages; if the kernel warned of more than under the other firmware, both boot once more.
fn behaviour(case: &Case, ready: &Ready, ours: &Booted, theirs: &Booted) -> Result<Vec<Check>> {
    let mut found = checks::beside(ready.board(case)?, &ours.outcome.console, &theirs.outcome)?;
    let first = more::only(&ours.outcome.console, &theirs.outcome.console);
    let check = match first.as_deref() {
        Some([_, ..]) => {
            let (ours, theirs) =
                (start(case, ready, ready.firmware.as_deref())?.outcome, start(case, ready, None)?.outcome);
            // A boot that broke off said less, so it excuses nothing.
            let whole = [&ours, &theirs].iter().all(|boot| boot.ending == console::Ending::Ended);
            let again = if whole { more::only(&ours.console, &theirs.console) } else { None };
            more::judge(first.as_deref(), again.as_deref())
        }
        _ => more::judge(first.as_deref(), None),
    };
    found.push(check);
    Ok(found)
}

fn start(case: &Case, ready: &Ready, firmware: Option<&Path>) -> Result<Booted> {
    let guest = ready.guests.get(&case.kernel).context("a kernel")?;
    let qemu = ready.qemus.get(case.qemu).context("a QEMU")?;
    let mut launch = Launch::new(ready.board(case)?, qemu.clone(), guest.kernel.clone());
    launch.initrd = Some(match case.expect.iter().find_map(proof_of) {
        Some(proof) => proof.initrd(&guest.initrd)?,
        None if case.steps.contains(&"kexec") => kexec::initrd(&guest.initrd, &guest.kernel)?,
        None => guest.initrd.clone(),
    });
    launch.firmware = firmware.map(Path::to_path_buf);
    launch.smp = case.smp.map_or(launch.smp, str::to_string);
    launch.memory = case.memory.map_or(launch.memory, str::to_string);
    if case.own_bridges {
        launch.without_bridges();
    }
    // The boards end a run at a reboot.
    if case.expect.iter().any(|expect| matches!(expect, Expect::Reboot)) {
        launch.machine.retain(|argument| argument != "-no-reboot");
    }
    launch.append += &format!(" {PATIENCE}");
    if case.compare {
        launch.append += &format!(" {}", more::LEVELS);
    }
    if !case.append.is_empty() {
        launch.append += &format!(" {}", case.append);
    }
    let strings = |list: &[&str]| list.iter().map(|text| text.to_string()).collect();
    Plan {
        launch,
        modules: strings(case.modules),
        steps: strings(case.steps),
        devices: strings(case.devices),
        words: vec![format!("megabytes={MEGABYTES}")],
        limits: limits(case),
    }
    .run()
}

fn proof_of(expect: &Expect) -> Option<Proof> {
    match expect {
        Expect::Vfio => Some(proof::VFIO),
        Expect::Kvm => Some(proof::KVM),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_results_are_added_up() {
        let text = "running 2 tests\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n\
                    test result: FAILED. 5 passed; 1 failed; 0 ignored\n";
        assert_eq!(counts(text), (7, 1));
    }

    #[test]
    fn an_option_without_effect_is_refused() {
        let taken = |part, only, firmware| refuse_what_has_no_effect(part, only, firmware).is_ok();
        assert!(taken(Some(Part::Linux), Some("x"), Some("y")) && taken(Some(Part::Nested), Some("x"), None));
        assert!(taken(None, None, Some("skiboot")) && taken(Some(Part::Qemu), None, Some("skiboot")));
        assert!(!taken(None, Some("x"), None) && !taken(Some(Part::Host), Some("x"), None));
        assert!(!taken(Some(Part::Qemu), Some("x"), None) && !taken(Some(Part::Host), None, Some("skiboot")));
    }

    #[test]
    fn what_is_wrong_with_the_host_tests_is_told_apart() {
        let trouble = |script: &str, failed| {
            let limit = Duration::from_secs(if script.starts_with("sleep") { 1 } else { 60 });
            let run = tools::bounded(Command::new("sh").args(["-c", script]), limit).unwrap();
            super::trouble(&run, 7, failed, limit)
        };
        assert!(trouble("sleep 60", 0).contains("hangs"));
        assert!(trouble("echo 'error: could not compile `x`' >&2; exit 101", 0).contains("don't build"));
        assert_eq!(trouble("exit 101", 1), "1 of 8 failed");
        let crash = "echo '  process didn'\\''t exit successfully: `x` (signal: 6, SIGABRT)' >&2; exit 101";
        let crash = trouble(crash, 0);
        assert!(crash.contains("crashed") && crash.contains("SIGABRT"), "{crash}");
        assert!(trouble("echo 'error: no network' >&2; exit 101", 0).contains("no network"));
    }
}
