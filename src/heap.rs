//! The heap of boot time. It is frozen before the kernel starts: nothing that serves a call allocates.
#![allow(unsafe_code)]

use crate::log::stop;
use crate::sync::Lock;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A first-fit heap behind a lock.
pub struct Heap {
    inner: Lock<linked_list_allocator::Heap>,
    frozen: AtomicBool,
    refused: AtomicU64,
}

impl Heap {
    /// An empty heap; every request fails until `give`.
    pub const fn new() -> Self {
        Self {
            inner: Lock::new(linked_list_allocator::Heap::empty()),
            frozen: AtomicBool::new(false),
            refused: AtomicU64::new(0),
        }
    }

    /// Gives the heap its memory.
    ///
    /// # Safety
    /// `length` bytes at `start` are nobody else's, for ever; called once.
    pub unsafe fn give(&self, start: u64, length: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            self.inner.lock().init(core::ptr::with_exposed_provenance_mut(start as usize), length);
        }
    }

    /// Refuses every later request and counts it.
    pub fn freeze(&self) {
        self.frozen.store(true, Ordering::Relaxed);
    }

    /// Requests that came after `freeze`. Anything but 0 is a firmware error.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.inner.lock().used()
    }
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: `linked_list_allocator` keeps the contract of GlobalAlloc, the lock makes it exclusive.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.frozen.load(Ordering::Relaxed) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return null_mut();
        }
        match self.inner.lock().allocate_first_fit(layout) {
            Ok(memory) => memory.as_ptr(),
            Err(()) => stop(format_args!("the heap is full: too many devices")),
        }
    }
    // Boot allocates little and ends soon: giving back is code in many places for memory that nobody needs. Where it
    // does nothing the compiler leaves out most of what drops things.
    #[inline(always)]
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
