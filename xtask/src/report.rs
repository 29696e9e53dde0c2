//! How xtask talks: one line per step while it works, one line per check, and a sum at the end.

use std::time::Duration;

/// Says what is being done now.
pub fn step(text: &str) {
    eprintln!("  > {text}");
}

/// Says something that a person should know though work goes on.
pub fn warn(text: &str) {
    eprintln!("  ! {text}");
}

/// One check and what came of it.
#[derive(Clone, Debug)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// `Err` holds why it failed.
    pub result: Result<String, String>,
}

impl Check {
    /// A check that was met; `note` says what was seen.
    pub fn ok(name: &str, note: impl Into<String>) -> Self {
        Self { name: name.into(), result: Ok(note.into()) }
    }

    /// A check that wasn't met.
    pub fn failed(name: &str, why: impl Into<String>) -> Self {
        Self { name: name.into(), result: Err(why.into()) }
    }

    /// From a condition: `note` is printed either way.
    pub fn that(name: &str, met: bool, note: impl Into<String>) -> Self {
        if met { Self::ok(name, note) } else { Self::failed(name, note) }
    }

    /// Was it met?
    pub fn passed(&self) -> bool {
        self.result.is_ok()
    }

    /// One line for the terminal.
    pub fn line(&self) -> String {
        match &self.result {
            Ok(note) if note.is_empty() => format!("  ok      {}", self.name),
            Ok(note) => format!("  ok      {}: {note}", self.name),
            Err(why) => format!("  FAILED  {}: {why}", self.name),
        }
    }
}

/// `12.3 s`
pub fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
