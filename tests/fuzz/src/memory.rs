//! Memory that ends: an allocation by what a hostile header claims may never be touched, and then the
//! resident size tells nothing. Memory of C libraries is not counted here; the resident size has it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that may be allocated at one time.
pub const LIMIT: usize = 256 << 20;

static LIVE: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which ends the process at [`LIMIT`].
pub struct Capped;

fn take(size: usize) {
    let live = LIVE.fetch_add(size, Ordering::Relaxed);
    if live.saturating_add(size) > LIMIT {
        // Text that is made without memory.
        let _ = std::io::stderr().write_all(b"more than 256 MiB are allocated\n");
        std::process::abort();
    }
}

fn give(size: usize) {
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
        take(size);
        give(layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }
}
