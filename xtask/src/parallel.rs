//! Several runs of QEMU at a time.

use crate::console;
use anyhow::{Result, bail};
use std::{
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// QEMUs at a time.
const AT_ONCE: usize = 2;

/// Does the work on each item, beginning in their order, and gives what came of it in their order. An error when a person
/// ended it before all were begun.
pub fn each<T: Sync, R: Send + Sync>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let results: Vec<_> = items.iter().map(|_| OnceLock::new()).collect();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index).filter(|_| !console::interrupted()) else { break };
                    let _ = results[index].set(work(item));
                }
            });
        }
    });
    if console::interrupted() {
        bail!("interrupted");
    }
    Ok(results.into_iter().filter_map(OnceLock::into_inner).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn every_item_is_worked_on_once_and_the_results_keep_their_order() {
        let done = Mutex::new(Vec::new());
        let work = |&item: &i32| {
            // The first takes longest.
            thread::sleep(std::time::Duration::from_millis(if item == 1 { 50 } else { 0 }));
            done.lock().unwrap().push(item);
            item * 10
        };
        assert_eq!(each(&[1, 2, 3, 4, 5], work).unwrap(), [10, 20, 30, 40, 50]);
        let mut done = done.into_inner().unwrap();
        done.sort();
        assert_eq!(done, [1, 2, 3, 4, 5]);
    }
}
