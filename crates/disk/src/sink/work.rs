//! The work of a pass over a disk: pieces in disk order, handed out to threads.
//!
//! Only pieces that may hold data are handed out. The disk is asked for its data in windows, so
//! that memory does not grow with the disk and a huge empty one is passed quickly.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Progress;
use crate::{BlockSource, Error};

/// Bytes of the disk that are asked about at once.
const WINDOW: u64 = 1 << 30;
/// Threads beyond this number only take memory: the file system takes no more.
const THREADS: usize = 12;

struct Cursor {
    /// Start of the next window.
    next: u64,
    /// Number of the next piece.
    index: u64,
    pieces: VecDeque<Range<u64>>,
}

/// Pieces of `piece` bytes (a power of two), numbered in disk order.
struct Work<'a> {
    disk: &'a dyn BlockSource,
    piece: u64,
    cursor: Mutex<Cursor>,
    stopped: AtomicBool,
    progress: Progress<'a>,
}

impl Work<'_> {
    fn next(&self) -> Result<Option<(u64, Range<u64>)>, Error> {
        let mut cursor = lock(&self.cursor);
        let size = self.disk.len();
        while cursor.pieces.is_empty() {
            if cursor.next >= size || self.stopped.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let window = cursor.next..cursor.next.saturating_add(WINDOW).min(size);
            cursor.next = window.end;
            let mut end = window.start;
            for range in self.disk.data_ranges(window)? {
                let mut start = (range.start - range.start % self.piece).max(end);
                while start < range.end {
                    end = start.saturating_add(self.piece).min(size);
                    cursor.pieces.push_back(start..end);
                    start = end;
                }
            }
        }
        let Some(piece) = cursor.pieces.pop_front() else {
            return Ok(None);
        };
        let index = cursor.index;
        cursor.index += 1;
        // Before the piece is done, but never going backwards.
        (self.progress)(piece.start, size);
        Ok(Some((index, piece)))
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands out turns in the order of the pieces, for what must happen in disk order.
#[derive(Default)]
pub(super) struct Turns {
    state: Mutex<(u64, bool)>,
    changed: Condvar,
}

impl Turns {
    /// Waits until every piece before `index` has had its turn, and takes it; none after a failure.
    pub(super) fn take<T>(&self, index: u64, turn: impl FnOnce() -> T) -> Option<T> {
        let mut state = lock(&self.state);
        while state.0 != index && !state.1 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.1 {
            return None;
        }
        let result = turn();
        state.0 += 1;
        drop(state);
        self.changed.notify_all();
        Some(result)
    }

    fn stop(&self) {
        lock(&self.state).1 = true;
        self.changed.notify_all();
    }
}

/// Ends the pass for all threads when one of them fails, also by a panic: nobody may wait for
/// the turn of a thread that is gone.
struct StopOnDrop<'a>(&'a Work<'a>, &'a Turns, bool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        if self.2 {
            self.0.stopped.store(true, Ordering::Relaxed);
            lock(&self.0.cursor).pieces.clear();
            self.1.stop();
        }
    }
}

/// Runs `each` on every piece of `disk` that may hold data, on up to `threads` threads.
///
/// `each` gets its thread's state made by `state`, the piece's number and its range. The first
/// error ends the pass.
pub(super) fn run<T>(
    disk: &dyn BlockSource,
    piece: u64,
    threads: usize,
    progress: Progress<'_>,
    turns: &Turns,
    state: impl Fn() -> T + Sync,
    each: impl Fn(&mut T, u64, Range<u64>) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let cursor = Mutex::new(Cursor { next: 0, index: 0, pieces: VecDeque::new() });
    let work = Work { disk, piece, cursor, stopped: AtomicBool::new(false), progress };
    let first = Mutex::new(None);
    let worker = || {
        let mut guard = StopOnDrop(&work, turns, true);
        let mut own = state();
        let result = (|| {
            while let Some((index, range)) = work.next()? {
                each(&mut own, index, range)?;
            }
            Ok(())
        })();
        match result {
            Ok(()) => guard.2 = false,
            Err(error) => {
                lock(&first).get_or_insert(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.clamp(1, THREADS) {
            scope.spawn(worker);
        }
        worker();
    });
    match first.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => {
            progress(disk.len(), disk.len());
            Ok(())
        }
    }
}
