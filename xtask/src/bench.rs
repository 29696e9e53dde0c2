//! Instruction counts beside skiboot. This file is a stand-in.

/// Says that the bench isn't built yet.
pub fn run(_args: Vec<String>) -> anyhow::Result<()> {
    anyhow::bail!("the bench isn't built yet")
}
