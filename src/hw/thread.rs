//! Another hardware thread, as far as firmware can tell and command it.

/// A hardware thread that waits in firmware, runs the OS, or was never seen.
pub trait Thread: Send + Sync {
    /// Whether it waits in firmware.
    fn waiting(&self) -> bool;
    /// Makes it leave firmware for that real address. It waits in firmware.
    fn start(&self, address: u64);
    /// It comes back from the OS and counts as waiting from now on: it leaves again as soon as it has got there.
    fn come_back(&self);
    /// Whether it is inside an OPAL call.
    fn in_call(&self) -> bool;
}
