//! Clusters that are read from the disk and stored anew, on all cores.
//!
//! They are worked on in batches that fit into memory; the results of a batch are placed in disk
//! order, so the file is the same for any number of threads.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::ranges::touching;
use crate::sink::work::lock;
use crate::{BlockSource, Error};

/// Bytes of the disk that a batch holds at most: their compressed form waits in memory.
pub(super) const BATCH: u64 = 16 << 20;
/// Bytes of the disk that one thread takes at once, when a cluster is not longer.
pub(super) const RUN: u64 = 256 << 10;
/// Memory of all threads for clusters, in bytes.
const MEMORY: u64 = 32 << 20;

/// Bytes of the disk whose data are asked for at once: the answer takes 8 MiB at most, and the
/// largest disk that a header can claim (2^61 bytes) is passed in seconds when it is empty.
pub(super) fn span(cluster: u64) -> u64 {
    cluster << 19
}

/// How many of `threads` are worth their memory, when each holds four runs of clusters.
pub(super) fn useful_threads(threads: usize, cluster: u64) -> usize {
    threads.clamp(1, (MEMORY / (4 * RUN.max(cluster))).min(12) as usize)
}

/// Does `each` for every item on up to `threads` threads; the results are in the items' order.
/// The first error ends it.
pub(super) fn in_parallel<T: Sync, S, R: Send>(
    threads: usize,
    items: &[T],
    state: impl Fn() -> S + Sync,
    each: impl Fn(&mut S, &T) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let worker = || {
        let mut own = state();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index).filter(|_| !failed.load(Ordering::Relaxed)) else { break };
            let result = each(&mut own, item);
            if result.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            lock(&results).push((index, result));
        }
    };
    if !items.is_empty() {
        std::thread::scope(|scope| {
            for _ in 1..threads.min(items.len()) {
                scope.spawn(worker);
            }
            worker();
        });
    }
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Fills `buf` with the clusters `run` of `disk`, with zeros behind the disk's end.
pub(super) fn read_run(
    disk: &dyn BlockSource,
    cluster: u64,
    run: &Range<u64>,
    buf: &mut Vec<u8>,
) -> Result<(), Error> {
    let start = run.start * cluster;
    buf.clear();
    buf.resize(((run.end - run.start) * cluster) as usize, 0);
    let there = disk.len().saturating_sub(start).min(buf.len() as u64) as usize;
    // Nothing at all may lie behind the end, where even an empty read is an error.
    if there == 0 { Ok(()) } else { disk.read_at(start, &mut buf[..there]) }
}

/// True when `source` holds `bytes` from `start` on, and zeros behind its end. Only `changed` is
/// looked at: pieces of a cluster that the disk above was just read through are still in memory.
pub(super) fn same(
    source: &dyn BlockSource,
    changed: &[Range<u64>],
    start: u64,
    bytes: &[u8],
    buf: &mut Vec<u8>,
) -> Result<bool, Error> {
    let within = start..start + bytes.len() as u64;
    for range in touching(changed, &within) {
        let piece = range.start.max(within.start)..range.end.min(within.end);
        let new = &bytes[(piece.start - start) as usize..(piece.end - start) as usize];
        buf.clear();
        buf.resize(new.len(), 0);
        let there = source.len().saturating_sub(piece.start).min(new.len() as u64) as usize;
        if there > 0 {
            source.read_at(piece.start, &mut buf[..there])?;
        }
        if buf != new {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Clusters in ascending order, collected into runs.
#[derive(Default)]
pub(super) struct Runs(pub(super) Vec<Range<u64>>);

impl Runs {
    pub(super) fn push(&mut self, index: u64, cluster: u64) {
        match self.0.last_mut() {
            Some(last) if last.end == index && (last.end - last.start) * cluster < RUN => last.end += 1,
            _ => self.0.push(index..index + 1),
        }
    }
}

/// The numbers of the clusters that `ranges` (ascending) touch, each once.
pub(super) fn clusters(ranges: Vec<Range<u64>>, cluster: u64) -> Vec<Range<u64>> {
    crate::ranges::merge(
        ranges.into_iter().map(|range| range.start / cluster..range.end.div_ceil(cluster)).collect(),
    )
}
