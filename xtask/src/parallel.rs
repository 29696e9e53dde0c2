//! Several runs of QEMU at a time.

use crate::console;
use anyhow::{Result, bail};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// QEMUs at a time.
const AT_ONCE: usize = 2;

/// Does the work on each item, beginning in their order. An error when a person ended it before all were begun.
pub fn each<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if console::interrupted() {
                        break;
                    }
                    work(item);
                }
            });
        }
    });
    if console::interrupted() {
        bail!("interrupted");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn every_item_is_worked_on_once() {
        let done = Mutex::new(Vec::new());
        each(&[1, 2, 3, 4, 5], |&item| done.lock().unwrap().push(item)).unwrap();
        let mut done = done.into_inner().unwrap();
        done.sort();
        assert_eq!(done, [1, 2, 3, 4, 5]);
    }
}
