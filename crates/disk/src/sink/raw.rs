//! Raw images: written with `pwrite` where the disk is not zero, and nothing elsewhere.
//!
//! A file system lets one thread at a time write to a file (ext4 takes the inode's lock for the
//! whole of a `pwrite`), so threads that each write what they have read wait for each other, and
//! for whoever was interrupted with the lock. Here one thread writes at a time what all have
//! read, and the others read on: [`Queue`].

use std::collections::VecDeque;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use super::direct::{AlignedBytes, Direct};
use super::work::{self, Turns, lock};
use super::{Progress, Written, is_zero, write_at};
use crate::{AtomicFile, BlockSource, Error};

/// Bytes that a thread reads at once: a whole cluster of any image, so that none is inflated twice.
const PIECE: u64 = 2 << 20;
/// Threads beyond this number only take memory, two clusters each, and one writes at a time.
const THREADS: usize = 9;
/// Length of a hole: a block of nearly every file system.
const BLOCK: usize = 4096;
/// Pieces that may wait to be written.
const WAITING: usize = 6;

/// A part of the disk that was read.
#[derive(Default)]
struct Piece {
    offset: u64,
    bytes: AlignedBytes,
    /// Those of the bytes that are not zero, in whole blocks.
    runs: Vec<Range<usize>>,
}

impl Piece {
    /// Reads what may be data in `range` of the disk, in place of what was there.
    fn read(&mut self, disk: &dyn BlockSource, range: &Range<u64>) -> Result<(), Error> {
        self.offset = range.start;
        self.bytes.resize((range.end - range.start) as usize);
        self.runs.clear();
        let mut done = 0;
        for data in disk.data_ranges(range.clone())? {
            // In whole blocks, none of them twice.
            let start = (data.start.saturating_sub(range.start) as usize / BLOCK * BLOCK).max(done);
            let end = (data.end.saturating_sub(range.start) as usize).next_multiple_of(BLOCK);
            done = end.min(self.bytes.len());
            if start < done {
                disk.read_at(range.start + start as u64, &mut self.bytes[start..done])?;
                self.find_runs(start..done);
            }
        }
        Ok(())
    }

    fn find_runs(&mut self, within: Range<usize>) {
        let blocks = within.clone().step_by(BLOCK).zip(self.bytes[within].chunks(BLOCK));
        for (start, block) in blocks.filter(|(_, block)| !is_zero(block)) {
            match self.runs.last_mut() {
                Some(last) if last.end == start => last.end = start + block.len(),
                _ => self.runs.push(start..start + block.len()),
            }
        }
    }

    fn write(&self, file: &File, direct: &Direct, path: &Path) -> Result<(), Error> {
        for run in &self.runs {
            let (at, bytes) = (self.offset + run.start as u64, &self.bytes[run.clone()]);
            if !direct.write(at, bytes) {
                write_at(file, path, at, bytes)?;
            }
        }
        Ok(())
    }
}

/// Pieces that were read and are not written yet, and others to be used again.
#[derive(Default)]
struct Queue {
    state: Mutex<State>,
    /// There is room again, or nobody writes any more.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Piece>,
    free: Vec<Piece>,
    /// Some thread is writing.
    writing: bool,
}

/// Lets others go on when the thread that writes fails.
struct Failed<'a>(&'a Queue);

impl Drop for Failed<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).writing = false;
        self.0.changed.notify_all();
    }
}

impl Queue {
    fn take(&self) -> Piece {
        lock(&self.state).free.pop().unwrap_or_default()
    }

    /// Leaves `piece` to the thread that writes, or becomes that thread for all that waits.
    fn put(&self, piece: Piece, write: impl Fn(&Piece) -> Result<(), Error>) -> Result<(), Error> {
        let mut state = lock(&self.state);
        while state.writing && state.waiting.len() >= WAITING {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting.push_back(piece);
        if state.writing {
            return Ok(());
        }
        state.writing = true;
        let failed = Failed(self);
        while let Some(piece) = state.waiting.pop_front() {
            drop(state);
            self.changed.notify_one();
            write(&piece)?;
            state = lock(&self.state);
            state.free.push(piece);
        }
        // Under the lock that showed the queue empty: who comes next finds nobody writing.
        state.writing = false;
        std::mem::forget(failed);
        Ok(())
    }
}

/// Writes `disk` as a sparse raw image on `threads` threads and one more, since one of them is
/// mostly in the file system. Memory: 2 MiB for each thread (9 at most) and 12 MiB.
pub fn write_raw(
    disk: &dyn BlockSource,
    out: &mut AtomicFile,
    threads: usize,
    progress: Progress<'_>,
) -> Result<Written, Error> {
    let (file, path) = (out.file(), out.path());
    let size = disk.len();
    file.set_len(size).map_err(|source| Error::io(path, format!("make it {size} bytes long"), source))?;
    let data = AtomicU64::new(0);
    let (queue, direct) = (Queue::default(), Direct::to(out));
    work::run(
        disk,
        PIECE,
        threads.saturating_add(1).min(THREADS),
        progress,
        &Turns::default(),
        || (),
        |(), _, range| {
            let mut piece = queue.take();
            piece.read(disk, &range)?;
            data.fetch_add(piece.runs.iter().map(|run| run.len() as u64).sum(), Ordering::Relaxed);
            queue.put(piece, |piece| piece.write(file, &direct, path))
        },
    )?;
    Ok(Written { virtual_size: size, file_size: size, data: data.into_inner() })
}
