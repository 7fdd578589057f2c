//! A qcow2 image made of an edited one: what did not change is copied as it is stored.
//!
//! Compressing is what a qcow2 image costs, some 20 times more than copying. So the compressed
//! bytes of clusters without a change move to the new file as they are, in runs as long as the
//! old file has them, by `copy_file_range` (shared and not copied at all where the file system
//! can do that: long runs keep their place inside host clusters for this). Only changed clusters
//! are compressed. All tables are new.
//!
//! Nothing that is not part of the new disk gets into the new file: no superseded cluster, no
//! internal snapshot, and no slack. The format gives the length of compressed data in sectors, so
//! the last sector of one cluster usually holds the beginning of another, maybe of a superseded
//! one. [`lengths`] finds the true length.
//!
//! Work is done in windows of the disk, so that memory does not grow with the disk. Inside a
//! window clusters keep the order that they have in the old file; the result is the same for any
//! number of threads.

mod copy;
mod lengths;
mod plan;

use std::ops::Range;

use self::copy::{Copier, Copy};
use self::lengths::Starts;
use self::plan::{Kept, Planner, Window};
use super::compress::{Cluster, ClusterCompressor};
use super::fresh::{self, in_parallel, read_run, same};
use super::layout::{Output, Tables};
use super::{Compression, Method, Progress, Written};
use crate::qcow2::Stored;
use crate::ranges::merge;
use crate::{AtomicFile, BlockSource, Error, Qcow2Source};

/// Compressed runs of at least this many bytes keep their place inside host clusters: the gap
/// before them is less than one cluster, and takes no room on the disk.
const LONG_RUN: u64 = 1 << 20;

/// How an edited qcow2 image is written. Cluster size and compression method are the source's.
#[derive(Clone, Copy, Debug)]
pub struct RewriteOptions {
    /// Compress the clusters that changed; otherwise they are stored plain.
    pub compress: bool,
    /// Decompress every cluster that is taken over, to know its exact length.
    ///
    /// Without it, clusters that some other program superseded in the source, and that shrank to
    /// less than 512 bytes, can be taken along behind their neighbour. Clusters that `changed`
    /// names never are. It takes as long as it takes to decompress the image. An image with
    /// internal snapshots is always treated like this.
    pub scrub: bool,
    /// Number of threads; 12 at most are used.
    pub threads: usize,
}

impl Default for RewriteOptions {
    /// Compressed, not scrubbed, on one thread.
    fn default() -> Self {
        Self { compress: true, scrub: false, threads: 1 }
    }
}

/// What became of an edited image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// The file.
    pub written: Written,
    /// Clusters that were taken over as they are stored.
    pub kept: u64,
    /// Clusters that were read and stored anew, without those that hold only zeros.
    pub renewed: u64,
    /// Internal snapshots of the source, which the new file does not have.
    pub snapshots_dropped: u32,
}

/// Writes `disk`, an edited form of `source`, as a qcow2 image of its own.
///
/// `changed` names every byte of the disk that may differ from the source's; the ranges may
/// overlap, come in any order and claim too much. The disk may be longer or shorter than the
/// source. What a backing file of the source holds becomes part of the image.
///
/// Memory: about 32 MiB, and 8 bytes for each changed compressed cluster.
pub fn write_qcow2_from(
    source: &Qcow2Source,
    disk: &dyn BlockSource,
    changed: &[Range<u64>],
    out: &mut AtomicFile,
    options: &RewriteOptions,
    progress: Progress<'_>,
) -> Result<Rewritten, Error> {
    let output = Output { file: out.file(), path: out.path() };
    let changed = merge(changed.to_vec());
    let cluster = source.cluster_size();
    let snapshots_dropped = source.snapshots()?;
    let mut rewrite = Rewrite {
        source,
        disk,
        changed: &changed,
        output: &output,
        cluster,
        method: source.header().compression,
        compress: options.compress,
        scrub: options.scrub || snapshots_dropped > 0,
        threads: fresh::useful_threads(options.threads, cluster),
        starts: Starts::of(source, &changed)?,
        tables: Tables::new(out, disk.len(), cluster)?,
        result: Rewritten { snapshots_dropped, ..Rewritten::default() },
    };
    let mut planner = Planner::new(source, disk, &changed);
    while let Some(window) = planner.next()? {
        progress(window.start, disk.len());
        rewrite.window(window)?;
    }
    let file_size = rewrite.tables.finish(&output, rewrite.method, None)?;
    progress(disk.len(), disk.len());
    let written = Written { virtual_size: rewrite.tables.size, file_size, data: rewrite.tables.data };
    Ok(Rewritten { written, ..rewrite.result })
}

struct Rewrite<'a> {
    source: &'a Qcow2Source,
    disk: &'a dyn BlockSource,
    changed: &'a [Range<u64>],
    output: &'a Output<'a>,
    cluster: u64,
    method: Method,
    compress: bool,
    scrub: bool,
    threads: usize,
    starts: Starts,
    tables: Tables,
    result: Rewritten,
}

/// What threads do side by side once the kept clusters have their places.
enum Task {
    Renew(Range<u64>),
    Copy(Copy),
}

impl Rewrite<'_> {
    fn window(&mut self, mut window: Window) -> Result<(), Error> {
        window.kept.sort_unstable_by_key(|kept| (kept.offset, kept.index));
        self.measure(&mut window.kept)?;
        let (mut entries, copies) = self.lay_out(&window.kept);
        self.result.kept += window.kept.len() as u64;

        let copier = Copier { source: self.source, output: self.output };
        let Self { source, disk, changed, cluster, .. } = *self;
        let renewal = Renewal { source, disk, changed, cluster };
        let compression = match (self.compress, self.method) {
            (false, _) => Compression::None,
            (true, Method::Zlib) => Compression::Zlib,
            (true, Method::Zstd) => Compression::Zstd,
        };
        let renew = window.renewed.iter().cloned().map(Task::Renew);
        let tasks: Vec<Task> = renew.chain(copies.into_iter().map(Task::Copy)).collect();
        let worker = || Worker {
            compressor: ClusterCompressor::new(compression, self.cluster),
            new: Vec::new(),
            old: Vec::new(),
            stored: Vec::new(),
            measure: lengths::Measure::new(self.method, self.cluster),
        };
        let clusters = in_parallel(self.threads, &tasks, worker, |worker, task| match task {
            Task::Renew(run) => renewal.run(worker, run),
            Task::Copy(copy) => copier.copy(copy).map(|()| Vec::new()),
        })?;

        let mut writes = Vec::new();
        for (index, cluster) in window.renewed.into_iter().flatten().zip(clusters.into_iter().flatten()) {
            let (bytes, (offset, entry)) = match cluster {
                Cluster::Zero => continue,
                Cluster::Plain(bytes) => (bytes, self.tables.plain()),
                Cluster::Compressed(bytes) => {
                    let place = self.tables.packed(bytes.len() as u64);
                    (bytes, place)
                }
            };
            writes.push((offset, bytes));
            entries.push((index, entry));
            self.result.renewed += 1;
        }
        entries.sort_unstable();
        for (index, entry) in entries {
            self.tables.set(index, entry, &mut writes);
        }
        self.output.write_all(writes)
    }

    /// Finds the true lengths of the compressed clusters among `kept`, which ascend in the file.
    fn measure(&self, kept: &mut [Kept]) -> Result<(), Error> {
        let unknown = self.starts.prove(kept, self.scrub);
        let copy: &[Kept] = kept;
        let worker = || (lengths::Measure::new(self.method, self.cluster), Vec::new());
        let lengths = in_parallel(self.threads, &unknown, worker, |(measure, stored), (number, likely)| {
            let Some(kept) = copy.get(*number) else { return Ok(0) };
            measure.likely(self.source, kept, *likely, stored)
        })?;
        for ((number, _), length) in unknown.into_iter().zip(lengths) {
            if let Some(kept) = kept.get_mut(number) {
                kept.length = length;
            }
        }
        Ok(())
    }

    /// Gives kept clusters their places in the order of the old file: their L2 entries by the
    /// disk's clusters, and what is to be copied.
    fn lay_out(&mut self, kept: &[Kept]) -> (Vec<(u64, u64)>, Vec<Copy>) {
        let (mut entries, mut copies) = (Vec::with_capacity(kept.len()), copy::Copies::default());
        let follows = |pair: &[Kept]| matches!(pair, [a, b] if !b.plain && a.offset + a.length == b.offset);
        let mut at = 0;
        while let Some(first) = kept.get(at) {
            let run = 1 + kept[at..].windows(2).take_while(|pair| !first.plain && follows(pair)).count();
            let bytes: u64 = kept[at..at + run].iter().map(|kept| kept.length).sum();
            for (number, kept) in kept[at..at + run].iter().enumerate() {
                let (offset, entry) = match (kept.plain, number) {
                    (true, _) => self.tables.plain(),
                    (false, 0) if bytes >= LONG_RUN => self.tables.packed_like(kept.length, kept.offset),
                    (false, _) => self.tables.packed(kept.length),
                };
                copies.push(Copy { from: kept.offset, to: offset, length: kept.length });
                entries.push((kept.index, entry));
            }
            at += run;
        }
        (entries, copies.finish())
    }
}

/// One thread's memory.
struct Worker {
    compressor: ClusterCompressor,
    new: Vec<u8>,
    old: Vec<u8>,
    stored: Vec<u8>,
    measure: lengths::Measure,
}

/// What reads clusters that may have changed.
struct Renewal<'a> {
    source: &'a Qcow2Source,
    disk: &'a dyn BlockSource,
    changed: &'a [Range<u64>],
    cluster: u64,
}

impl Renewal<'_> {
    fn run(&self, worker: &mut Worker, run: &Range<u64>) -> Result<Vec<Cluster>, Error> {
        let mut new = std::mem::take(&mut worker.new);
        read_run(self.disk, self.cluster, run, &mut new)?;
        let mut clusters = Vec::new();
        for (index, bytes) in run.clone().zip(new.chunks(self.cluster as usize)) {
            clusters.push(match self.unchanged(worker, index, bytes)? {
                Some(cluster) => cluster,
                None => worker.compressor.cluster(bytes),
            });
        }
        worker.new = new;
        Ok(clusters)
    }

    /// The cluster as the source stores it, when that is the same bytes after all: to compress
    /// it again would take longer than to look.
    fn unchanged(&self, worker: &mut Worker, index: u64, bytes: &[u8]) -> Result<Option<Cluster>, Error> {
        // What lies behind the disk's end may be anything in the source.
        if (index + 1) * self.cluster > self.source.len() || crate::sink::is_zero(bytes) {
            return Ok(None);
        }
        let stored = self.source.cluster_at(index)?;
        if !matches!(stored, Stored::Plain { .. } | Stored::Compressed { .. }) {
            return Ok(None);
        }
        if !same(self.source, self.changed, index * self.cluster, bytes, &mut worker.old)? {
            return Ok(None);
        }
        Ok(Some(match stored {
            Stored::Compressed { offset, length } => {
                let length = worker.measure.stored(self.source, index, offset, length, &mut worker.stored)?;
                worker.stored.truncate(length as usize);
                Cluster::Compressed(worker.stored.clone())
            }
            _ => Cluster::Plain(bytes.to_vec()),
        }))
    }
}
