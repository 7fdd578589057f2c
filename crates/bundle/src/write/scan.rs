//! Where a disk is not zero.
//!
//! A sparse header lists all data before the first byte of it, so the disk is read twice: once for this
//! list, once to be packed. What counts is the disk's bytes and not how its file stores them; so a disk
//! gives the same bundle as raw and as qcow2.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use hardtack_disk::BlockSource;

use super::lock;
use crate::Error;
use crate::layout::{HOLE, MOST_RANGES};

/// Bytes of the disk that a thread looks at in one go.
const WINDOW: u64 = 64 << 20;
/// Bytes that are read at once.
const READ: usize = 1 << 20;

/// The ranges of `disk` that are not zero, in whole blocks of 4096 bytes, ascending. Where there are too
/// many, the shortest holes count as data.
pub(super) fn data(
    disk: &dyn BlockSource,
    threads: usize,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Vec<Range<u64>>, Error> {
    let size = disk.len();
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let found: Mutex<BTreeMap<u64, Vec<Range<u64>>>> = Mutex::default();
    let first: Mutex<Option<hardtack_disk::Error>> = Mutex::default();
    let worker = || {
        let mut buffer = vec![0; READ];
        while !failed.load(Ordering::Relaxed) {
            let start = next.fetch_add(WINDOW, Ordering::Relaxed);
            // The counter stops far below the end of its numbers: a thread adds one window at the end.
            if start >= size {
                return;
            }
            progress(start, size);
            match window(disk, start..start.saturating_add(WINDOW).min(size), &mut buffer) {
                Ok(ranges) if ranges.is_empty() => {}
                Ok(ranges) => {
                    lock(&found).insert(start, ranges);
                }
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    lock(&first).get_or_insert(error);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(worker);
        }
        worker();
    });
    if let Some(error) = lock(&first).take() {
        return Err(error.into());
    }
    let found = std::mem::take(&mut *lock(&found));
    Ok(join(found.into_values().flatten(), MOST_RANGES))
}

/// The data in one window.
fn window(
    disk: &dyn BlockSource,
    window: Range<u64>,
    buffer: &mut [u8],
) -> Result<Vec<Range<u64>>, hardtack_disk::Error> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    let mut done = window.start;
    for data in disk.data_ranges(window.clone())? {
        // In whole blocks, none of them twice; windows begin with a block.
        let mut at = (data.start - data.start % HOLE).max(done);
        let end = data.end.checked_next_multiple_of(HOLE).unwrap_or(u64::MAX).min(window.end);
        while at < end {
            let length = (end - at).min(buffer.len() as u64);
            let bytes = &mut buffer[..length as usize];
            disk.read_at(at, bytes)?;
            for (block, start) in bytes.chunks(HOLE as usize).zip((at..).step_by(HOLE as usize)) {
                if is_zero(block) {
                    continue;
                }
                let stop = start + block.len() as u64;
                match runs.last_mut() {
                    Some(last) if last.end == start => last.end = stop,
                    _ => runs.push(start..stop),
                }
            }
            at += length;
        }
        done = done.max(end);
    }
    Ok(runs)
}

/// Joins what touches, and beyond `most` ranges what lies close to each other.
fn join(ranges: impl Iterator<Item = Range<u64>>, most: usize) -> Vec<Range<u64>> {
    let mut hole = 0;
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start - last.end <= hole => last.end = range.end,
            _ => joined.push(range),
        }
        while joined.len() > most {
            hole = (hole * 2).max(HOLE);
            joined.dedup_by(|next, last| {
                let close = next.start - last.end <= hole;
                if close {
                    last.end = next.end;
                }
                close
            });
        }
    }
    joined
}

fn is_zero(bytes: &[u8]) -> bool {
    static ZEROS: [u8; HOLE as usize] = [0; HOLE as usize];
    bytes == &ZEROS[..bytes.len()]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

    use super::*;

    #[test]
    fn blocks_that_are_not_zero_are_found_at_any_number_of_threads() {
        let mut disk = vec![0_u8; (200 << 20) + 512];
        for at in [0, 4095, 4096 * 5, 64 << 20, (64 << 20) + 4096 * 3 - 1, 200 << 20] {
            disk[at] = 1;
        }
        let expected = [
            0..4096,
            4096 * 5..4096 * 6,
            64 << 20..(64 << 20) + 4096,
            (64 << 20) + 8192..(64 << 20) + 12288,
            200 << 20..(200 << 20) + 512,
        ];
        for threads in [1, 2, 5] {
            assert_eq!(data(&disk, threads, &|_, _| {}).unwrap(), expected);
        }
        assert!(data(&Vec::new(), 2, &|_, _| {}).unwrap().is_empty());
    }

    #[test]
    fn short_holes_are_closed_when_there_are_too_many() {
        let ranges = [0..4096, 8192..12288, 16384..20480, 1 << 20..1_100_000];
        assert_eq!(join(ranges.clone().into_iter(), 4), ranges);
        assert_eq!(join(ranges.clone().into_iter(), 3), [0..20480, 1 << 20..1_100_000]);
        assert_eq!(join(ranges.into_iter(), 1), [0..1_100_000]);
    }
}
