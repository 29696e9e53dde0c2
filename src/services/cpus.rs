//! The machine's hardware threads: which run the OS and which wait in firmware.

use crate::error::{Error, Result, why};
use crate::hw::thread::Thread;
use crate::sync::wait_until;
use crate::units::Pir;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

/// How long a started thread may take to leave, in microseconds. It takes one; an emulated thread must first get its
/// turn on a host that may be busy.
const LEAVE: u64 = 5_000_000;

/// A thread's state, with OPAL's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It waits in firmware.
    Inactive = 0,
    /// It runs the OS.
    Started = 1,
    /// It never came to firmware.
    Unavailable = 2,
}

struct Entry {
    pir: Pir,
    thread: &'static dyn Thread,
    /// Given to the OS. Whoever sets it has the right to start the thread.
    started: AtomicBool,
}

/// All threads.
pub struct Cpus {
    /// Sorted by number.
    threads: Vec<Entry>,
}

impl Cpus {
    /// The threads; that of `boot` runs the OS.
    pub fn new(threads: Vec<(Pir, &'static dyn Thread)>, boot: Option<Pir>) -> Self {
        let mut threads: Vec<Entry> = threads
            .into_iter()
            .map(|(pir, thread)| Entry { pir, thread, started: AtomicBool::new(Some(pir) == boot) })
            .collect();
        threads.sort_unstable_by_key(|entry| entry.pir);
        Self { threads }
    }

    /// A thread's state.
    ///
    /// # Errors
    /// `Parameter` when the machine has no such thread.
    pub fn status(&self, pir: Pir) -> Result<Status> {
        let entry = self.find(pir)?;
        Ok(match (entry.started.load(Ordering::Acquire), entry.thread.waiting()) {
            (true, _) => Status::Started,
            (false, true) => Status::Inactive,
            (false, false) => Status::Unavailable,
        })
    }

    /// Sends a waiting thread to an address of the OS's.
    ///
    /// # Errors
    /// `Parameter` when the machine has no such thread, `WrongState` when it doesn't wait in firmware, `Hardware`
    /// when it doesn't leave.
    pub fn start(&self, pir: Pir, address: u64) -> Result {
        let entry = self.find(pir)?;
        if entry.started.swap(true, Ordering::AcqRel) {
            return Err(Error::WrongState(why("thread runs the OS")));
        }
        if !entry.thread.waiting() {
            entry.started.store(false, Ordering::Release);
            return Err(Error::WrongState(why("thread isn't in firmware")));
        }
        entry.thread.start(address);
        // If it hangs it stays "started": nobody may start it twice.
        if wait_until(LEAVE, || !entry.thread.waiting()) {
            Ok(())
        } else {
            Err(Error::Hardware(why("thread stuck")))
        }
    }

    /// A thread comes back from the OS. It can be started from now on, though it has yet to reach the place where it waits:
    /// whoever sees it gone from the OS, as a kernel does that another one starts, may start it at once.
    pub fn returned(&self, pir: Pir) {
        if let Ok(entry) = self.find(pir) {
            entry.thread.come_back();
            entry.started.store(false, Ordering::Release);
        }
    }

    /// Whether a thread other than `this` runs the OS.
    pub fn others_started(&self, this: Pir) -> bool {
        self.threads.iter().any(|entry| entry.pir != this && entry.started.load(Ordering::Acquire))
    }

    /// How many threads other than `this`, or whether `target`, are inside an OPAL call.
    pub fn in_call(&self, this: Pir, target: Option<Pir>) -> usize {
        let asked = |pir| target.map_or(pir != this, |target| pir == target);
        self.threads
            .iter()
            .filter(|entry| {
                asked(entry.pir) && entry.started.load(Ordering::Acquire) && entry.thread.in_call()
            })
            .count()
    }

    fn find(&self, pir: Pir) -> Result<&Entry> {
        let at = self.threads.binary_search_by_key(&pir, |entry| entry.pir);
        at.ok().and_then(|at| self.threads.get(at)).ok_or(Error::Parameter(why("CPU")))
    }
}
