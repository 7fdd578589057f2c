//! Memory that ends: an allocation by what a hostile header claims may never be touched, and then the
//! resident size tells nothing. Memory of C libraries is not counted here; the resident size has it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that may be allocated at one time.
pub const LIMIT: usize = 256 << 20;

static LIVE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// What this thread holds more than when [`bounded`] began.
    static HERE: Cell<isize> = const { Cell::new(0) };
    /// What it may hold.
    static CEILING: Cell<isize> = const { Cell::new(isize::MAX) };
}

/// Ends the process when `work` holds more than `bytes` at one time, in this thread.
pub(crate) fn bounded<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    HERE.set(0);
    CEILING.set(bytes as isize);
    let made = work();
    CEILING.set(isize::MAX);
    made
}

/// The system's allocator, which ends the process at [`LIMIT`].
pub struct Capped;

fn take(size: usize) {
    HERE.set(HERE.get().saturating_add(size as isize));
    if HERE.get() > CEILING.get() {
        let _ = std::io::stderr().write_all(b"more memory than the input may take\n");
        std::process::abort();
    }
    let live = LIVE.fetch_add(size, Ordering::Relaxed);
    if live.saturating_add(size) > LIMIT {
        // Text that is made without memory.
        let _ = std::io::stderr().write_all(b"more than 256 MiB are allocated\n");
        std::process::abort();
    }
}

fn give(size: usize) {
    HERE.set(HERE.get().saturating_sub(size as isize));
    LIVE.fetch_sub(size, Ordering::Relaxed);
}

// SAFETY: everything is the system allocator's; only sizes are counted.
unsafe impl GlobalAlloc for Capped {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        give(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        give(layout.size());
        take(size);
        unsafe { System.realloc(pointer, layout, size) }
    }
}
