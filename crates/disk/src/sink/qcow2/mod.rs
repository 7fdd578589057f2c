//! qcow2 images: version 3, raw deflate or zstd clusters, 16-bit refcounts.
//!
//! Layout: header, L1 table, then in disk order the clusters and behind the last cluster of each
//! L2 table that table, then the refcount blocks and the refcount table. Compressed clusters are
//! packed byte after byte as QEMU does (`qcow2_alloc_bytes`), over the border of host clusters
//! where these follow each other; clusters that do not shrink are stored plain.
//!
//! Threads compress pieces of the disk in any order and place them in disk order, so the output
//! is the same for any number of threads. Written bytes never wait for another thread's.
//!
//! Deflate's window is the usual 32 KiB although QEMU itself compresses with one of 4 KiB: QEMU,
//! like every reader, inflates a whole cluster into one buffer, where any distance is in reach.
//!
//! Three ways to make such a file: [`write_qcow2`] of any disk; [`write_qcow2_from`] of an edited
//! qcow2 image, whose other clusters are taken over as they are stored; [`write_overlay`] with the
//! edits only, above the source as its backing file.

mod compress;
mod fresh;
mod header;
mod layout;
mod overlay;
mod rewrite;

use std::sync::{Mutex, PoisonError};

use self::compress::{Cluster, ClusterCompressor};
use self::layout::{Output, Tables, Write};
use super::work::{self, Turns, lock};
use super::{Progress, Written};
use crate::qcow2::Compression as Method;
use crate::{AtomicFile, BlockSource, Error};

pub use self::header::OverlayBase;
pub use self::overlay::{backing_name, write_overlay};
pub use self::rewrite::{RewriteOptions, Rewritten, write_qcow2_from};

/// Bytes that a thread compresses at once, when a cluster is not longer.
const PIECE: u64 = 1 << 20;

/// How clusters are compressed. One image has one method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// Raw deflate: every program that knows qcow2 reads it.
    #[default]
    Zlib,
    /// zstd, which QEMU reads from version 5.1 on.
    Zstd,
}

impl Compression {
    fn method(self) -> Option<Method> {
        match self {
            Self::None => None,
            Self::Zlib => Some(Method::Zlib),
            Self::Zstd => Some(Method::Zstd),
        }
    }
}

/// How a qcow2 image is written.
#[derive(Clone, Copy, Debug)]
pub struct Qcow2Options {
    /// Size of a cluster in bytes: a power of two from 512 bytes to 2 MiB.
    pub cluster_size: u64,
    /// How the clusters are compressed.
    pub compression: Compression,
    /// Number of threads; 12 at most are used.
    pub threads: usize,
}

impl Default for Qcow2Options {
    /// Clusters of 64 KiB, compressed with deflate, on one thread.
    fn default() -> Self {
        Self { cluster_size: 64 << 10, compression: Compression::Zlib, threads: 1 }
    }
}

impl Tables {
    /// Gives the disk's cluster `index` its place. Zeros have none.
    fn place(&mut self, index: u64, cluster: Cluster, writes: &mut Vec<Write>) {
        let (bytes, plain) = match cluster {
            Cluster::Zero => return,
            Cluster::Plain(bytes) => (bytes, true),
            Cluster::Compressed(bytes) => (bytes, false),
        };
        // A table that is complete lies behind its clusters, not behind this one.
        self.turn_to(index, writes);
        let (offset, entry) = if plain { self.plain() } else { self.packed(bytes.len() as u64) };
        writes.push((offset, bytes));
        self.set(index, entry, writes);
    }
}

/// One thread's memory.
struct Worker {
    compressor: ClusterCompressor,
    input: Vec<u8>,
}

/// Writes `disk` as qcow2 version 3. Memory: about 4 MiB per thread (8 MiB with 2 MiB clusters),
/// and 2 bytes for each cluster of the output.
pub fn write_qcow2(
    disk: &dyn BlockSource,
    out: &mut AtomicFile,
    options: &Qcow2Options,
    progress: Progress<'_>,
) -> Result<Written, Error> {
    let output = Output { file: out.file(), path: out.path() };
    let cluster = options.cluster_size;
    let tables = Mutex::new(Tables::new(out, disk.len(), cluster)?);
    let piece = PIECE.max(cluster);
    let worker = || Worker {
        compressor: ClusterCompressor::new(options.compression, cluster),
        input: vec![0; piece as usize],
    };
    let turns = Turns::default();
    work::run(disk, piece, options.threads, progress, &turns, worker, |worker, index, range| {
        let length = (range.end - range.start) as usize;
        disk.read_at(range.start, &mut worker.input[..length])?;
        let whole = length.next_multiple_of(cluster as usize);
        worker.input[length..whole].fill(0);
        let clusters: Vec<Cluster> = worker.input[..whole]
            .chunks(cluster as usize)
            .map(|bytes| worker.compressor.cluster(bytes))
            .collect();
        let writes = turns.take(index, || {
            let (mut tables, mut writes) = (lock(&tables), Vec::new());
            for (number, cluster) in (range.start / cluster..).zip(clusters) {
                tables.place(number, cluster, &mut writes);
            }
            writes
        });
        output.write_all(writes.unwrap_or_default())
    })?;
    let mut tables = tables.into_inner().unwrap_or_else(PoisonError::into_inner);
    let method = options.compression.method().unwrap_or(Method::Zlib);
    let file_size = tables.finish(&output, method, None)?;
    Ok(Written { virtual_size: tables.size, file_size, data: tables.data })
}
