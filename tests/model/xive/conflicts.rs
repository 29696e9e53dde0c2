//! Commits of cache watches that are lost because hardware was at the same structure, the same in both XIVE
//! generations.

/// Which of the next commits are lost.
#[derive(Default)]
pub struct Conflicts {
    /// So many aren't.
    pub after: u32,
    /// So many of those that follow are.
    pub times: u32,
    /// What the spec register then shows.
    pub bits: u64,
}

impl Conflicts {
    /// At a commit: the bits if it is lost.
    pub fn next(&mut self) -> Option<u64> {
        if self.after > 0 {
            self.after -= 1;
            return None;
        }
        self.times = self.times.checked_sub(1)?;
        Some(self.bits)
    }
}
