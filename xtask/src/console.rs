//! Runs QEMU and watches its console until it ends: by itself, by a panic, by silence, by time, by Ctrl-C. QEMU never
//! outlives the watch.

use crate::{qemu::Launch, tools};
use anyhow::{Context, Result};
use std::{
    io::{Read, Write},
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

/// How long a run may take, and whether a person looks on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// In all.
    pub total: Duration,
    /// Without any output.
    pub silence: Duration,
    /// Show the console while it runs.
    pub show: bool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// QEMU ended with status 0: power-off, or a reboot under `-no-reboot`.
    Ended,
    /// The kernel panicked; its line.
    KernelPanic(String),
    /// Our firmware panicked; its line.
    FirmwarePanic(String),
    /// Nothing was printed for so long.
    Silence(Duration),
    /// It took longer than allowed.
    Timeout(Duration),
    /// Ctrl-C.
    Interrupted,
    /// QEMU ended with an error; its last words.
    QemuFailed(String),
}

impl Ending {
    /// One sentence that says what happened and what to do about it.
    pub fn sentence(&self) -> String {
        match self {
            Self::Ended => "QEMU ended by itself".into(),
            Self::KernelPanic(line) => format!("the kernel panicked ({line}); the console log shows why"),
            Self::FirmwarePanic(line) => format!(
                "the firmware panicked ({line}); `cargo xtask debug` stops in it with symbols, `--firmware skiboot` compares"
            ),
            Self::Silence(time) => format!(
                "nothing was printed for {} s, so the guest hangs; the console log shows how far it came, \
                 `cargo xtask debug` where it stands",
                time.as_secs()
            ),
            Self::Timeout(time) => {
                format!(
                    "the guest wasn't done after {} s; the console log shows how far it came",
                    time.as_secs()
                )
            }
            Self::Interrupted => "interrupted".into(),
            Self::QemuFailed(words) => format!("QEMU failed: {words}"),
        }
    }
}

/// What a run left.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Everything that was printed, line ends as `\n`.
    pub console: String,
    /// How it ended.
    pub ending: Ending,
    /// From QEMU's start to its end.
    pub time: Duration,
}

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C ends a watch instead of xtask, so that QEMU and temporary files go first.
pub fn catch_interrupts() -> Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)).context("installing the Ctrl-C handler")
}

/// Did a person ask to stop?
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Kills QEMU when it goes out of scope, whatever the reason.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs and watches. `answer` sees each complete line and may return what shall be typed.
pub fn run(
    launch: &Launch,
    limits: Limits,
    answer: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<Outcome> {
    watch(&mut launch.command("stdio"), limits, answer)
}

fn watch(
    command: &mut Command,
    limits: Limits,
    answer: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<Outcome> {
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {}", command.get_program().to_string_lossy()))?;
    let mut keyboard = child.stdin.take();
    let output = chunks(child.stdout.take().context("QEMU's output")?);
    let errors = chunks(child.stderr.take().context("QEMU's errors")?);
    let mut guard = Guard(child);

    let mut log = Log::default();
    let mut last = Instant::now();
    let mut panic: Option<(Ending, Instant)> = None;
    let ending = loop {
        match output.recv_timeout(Duration::from_millis(100)) {
            Ok(bytes) => {
                last = Instant::now();
                if limits.show {
                    let _ = std::io::stdout().write_all(&bytes).and_then(|()| std::io::stdout().flush());
                }
                for line in log.add(&bytes) {
                    if panic.is_none() {
                        panic = panic_in(&line).map(|ending| (ending, Instant::now()));
                    }
                    if let (Some(text), Some(keyboard)) = (answer(&line), &mut keyboard) {
                        let _ = keyboard.write_all(text.as_bytes()).and_then(|()| keyboard.flush());
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let status = guard.0.wait()?;
                let words =
                    String::from_utf8_lossy(&errors.iter().flatten().collect::<Vec<_>>()).into_owned();
                break match status.success() {
                    true => panic.map_or(Ending::Ended, |(ending, _)| ending),
                    false => Ending::QemuFailed(format!("{status}: {}", tools::last_lines(&words, 3))),
                };
            }
        }
        if let Some((ending, when)) = &panic
            && when.elapsed() > Duration::from_secs(2)
        {
            break ending.clone();
        }
        if interrupted() {
            break Ending::Interrupted;
        }
        if last.elapsed() > limits.silence {
            break Ending::Silence(limits.silence);
        }
        if start.elapsed() > limits.total {
            break Ending::Timeout(limits.total);
        }
    };
    Ok(Outcome { console: log.finish(), ending, time: start.elapsed() })
}

/// Reads in a thread of its own, so that the watch can look at the clock.
fn chunks(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 16384];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

fn panic_in(line: &str) -> Option<Ending> {
    if line.starts_with("OPALITE PANIC") {
        Some(Ending::FirmwarePanic(line.trim().into()))
    } else if line.contains("Kernel panic - not syncing") {
        Some(Ending::KernelPanic(line.trim().into()))
    } else {
        None
    }
}

/// The console so far, and lines as they become complete.
#[derive(Default)]
struct Log {
    text: String,
    partial: Vec<u8>,
}

impl Log {
    fn add(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' => {
                    let line = String::from_utf8_lossy(&self.partial).trim_end_matches('\r').to_string();
                    self.partial.clear();
                    self.text.push_str(&line);
                    self.text.push('\n');
                    lines.push(line);
                }
                other => self.partial.push(other),
            }
        }
        lines
    }

    fn finish(mut self) -> String {
        self.text.push_str(&String::from_utf8_lossy(&self.partial));
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Limits =
        Limits { total: Duration::from_secs(10), silence: Duration::from_secs(10), show: false };

    fn shell(script: &str, limits: Limits) -> Outcome {
        watch(Command::new("sh").args(["-c", script]), limits, &mut |line| {
            (line == "ask").then(|| "answer\n".to_string())
        })
        .unwrap()
    }

    #[test]
    fn a_quiet_end_is_told_from_a_failure() {
        assert_eq!(shell("printf 'one\\r\\ntwo'", QUICK).console, "one\ntwo");
        assert_eq!(shell("true", QUICK).ending, Ending::Ended);
        let Ending::QemuFailed(words) = shell("echo no such device >&2; exit 1", QUICK).ending else {
            panic!()
        };
        assert!(words.contains("no such device"), "{words}");
    }

    #[test]
    fn silence_and_time_end_a_run_that_would_not() {
        let limits = Limits { silence: Duration::from_millis(300), ..QUICK };
        assert_eq!(shell("exec sleep 60", limits).ending, Ending::Silence(limits.silence));
        let limits = Limits { total: Duration::from_millis(500), ..QUICK };
        let chatter = "while :; do echo x; sleep 0.1; done";
        assert_eq!(shell(chatter, limits).ending, Ending::Timeout(limits.total));
    }

    #[test]
    fn panics_are_seen_in_the_firmware_and_in_the_kernel() {
        let ending = shell("echo OPALITE PANIC: no memory node; exec sleep 60", QUICK).ending;
        assert_eq!(ending, Ending::FirmwarePanic("OPALITE PANIC: no memory node".into()));
        let ending = shell("echo '[ 1.0] Kernel panic - not syncing: x'", QUICK).ending;
        assert!(matches!(ending, Ending::KernelPanic(_)));
    }

    #[test]
    fn a_line_can_be_answered_at_the_keyboard() {
        assert_eq!(shell("echo ask; read x; echo got $x", QUICK).console, "ask\ngot answer\n");
    }
}
