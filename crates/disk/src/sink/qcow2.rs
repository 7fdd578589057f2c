//! qcow2 images: version 3, raw deflate clusters, 16-bit refcounts.
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

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;

use libdeflater::{CompressionLvl, Compressor};

use super::work::{self, Turns, lock};
use super::{Progress, Written, is_zero};
use crate::{AtomicFile, BlockSource, Error};

/// Bytes that a thread compresses at once, when a cluster is not longer.
const PIECE: u64 = 1 << 20;
/// QEMU's limit for an L1 table in bytes.
const L1_LIMIT: u64 = 32 << 20;
const HEADER_LENGTH: u32 = 104;
/// Refcounts are 2^4 bits wide, as in every image of QEMU's.
const REFCOUNT_ORDER: u32 = 4;
/// The refcount of what an L1 or L2 entry names is exactly one.
const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;

/// How a qcow2 image is written.
#[derive(Clone, Copy, Debug)]
pub struct Qcow2Options {
    /// Size of a cluster in bytes: a power of two from 4 KiB to 2 MiB.
    pub cluster_size: u64,
    /// Compress the clusters with deflate.
    pub compress: bool,
    /// Number of threads; 12 at most are used.
    pub threads: usize,
}

impl Default for Qcow2Options {
    /// Compressed clusters of 64 KiB on one thread.
    fn default() -> Self {
        Self { cluster_size: 64 << 10, compress: true, threads: 1 }
    }
}

/// What is left of a cluster to be placed.
enum Cluster {
    Zero,
    Plain(Vec<u8>),
    Deflated(Vec<u8>),
}

/// Hands out the file's bytes and keeps count of their users.
struct Allocator {
    bits: u32,
    /// Number of host clusters in use, all from 0 on.
    clusters: u64,
    /// Where the next compressed cluster may start, when there is room left before `clusters`.
    packed: u64,
    refcounts: Vec<u16>,
}

impl Allocator {
    fn size(&self) -> u64 {
        1 << self.bits
    }

    fn take(&mut self, count: u64) -> u64 {
        let offset = self.clusters << self.bits;
        self.clusters += count;
        self.refcounts.resize(self.clusters as usize, 1);
        offset
    }

    /// Room for `length` bytes (at most one cluster) at any byte.
    fn pack(&mut self, length: u64) -> u64 {
        let end = self.clusters << self.bits;
        let left = self.packed.next_multiple_of(self.size()) - self.packed;
        // Over the border only into the cluster that follows, so only at the end of the file.
        let fits = left >= length || (left > 0 && self.packed + left == end);
        let offset = if fits { self.packed } else { end };
        let (first, last) = (offset >> self.bits, (offset + length - 1) >> self.bits);
        self.clusters = self.clusters.max(last + 1);
        self.refcounts.resize(self.clusters as usize, 0);
        for cluster in first..=last {
            // Deflate shrinks 1032 times at most, so a host cluster has far fewer users than 65535.
            self.refcounts[cluster as usize] = self.refcounts[cluster as usize].saturating_add(1);
        }
        self.packed = offset + length;
        offset
    }
}

/// The image's tables while they grow, in disk order.
struct Tables {
    allocator: Allocator,
    l1: Vec<u64>,
    /// The L2 table that is being filled, and its place in L1.
    l2: Vec<u64>,
    l2_index: u64,
    l2_used: bool,
    data: u64,
}

/// Bytes for a place in the file.
type Write = (u64, Vec<u8>);

impl Tables {
    fn place(&mut self, index: u64, cluster: Cluster, writes: &mut Vec<Write>) {
        let bits = self.allocator.bits;
        let entry = match cluster {
            Cluster::Zero => return,
            Cluster::Plain(bytes) => {
                let offset = self.allocator.take(1);
                writes.push((offset, bytes));
                offset | COPIED
            }
            Cluster::Deflated(bytes) => {
                let length = bytes.len() as u64;
                let offset = self.allocator.pack(length);
                writes.push((offset, bytes));
                let more_sectors = ((offset + length - 1) >> 9) - (offset >> 9);
                COMPRESSED | more_sectors << (62 - (bits - 8)) | offset
            }
        };
        self.data += self.allocator.size();
        let per_table = self.l2.len() as u64;
        self.l2[(index % per_table) as usize] = entry;
        self.l2_used = true;
    }

    /// Closes the current L2 table when cluster `index` belongs to a later one.
    fn advance(&mut self, index: u64, writes: &mut Vec<Write>) {
        let table = index / self.l2.len() as u64;
        if table != self.l2_index {
            self.flush(writes);
            self.l2_index = table;
        }
    }

    fn flush(&mut self, writes: &mut Vec<Write>) {
        if self.l2_used {
            let offset = self.allocator.take(1);
            writes.push((offset, be64(&self.l2)));
            self.l1[self.l2_index as usize] = offset | COPIED;
            self.l2.fill(0);
            self.l2_used = false;
        }
    }
}

fn be64(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

struct Output<'a> {
    file: &'a File,
    path: &'a Path,
}

impl Output<'_> {
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all_at(bytes, offset).map_err(|source| {
            Error::io(self.path, format!("write {} bytes at {offset:#x}", bytes.len()), source)
        })
    }
}

/// One thread's memory.
struct Worker {
    compressor: Compressor,
    input: Vec<u8>,
    deflated: Vec<u8>,
}

impl Worker {
    fn cluster(&mut self, range: std::ops::Range<usize>, compress: bool) -> Cluster {
        let bytes = &self.input[range];
        if is_zero(bytes) {
            return Cluster::Zero;
        }
        if !compress {
            return Cluster::Plain(bytes.to_vec());
        }
        // Output that does not fit into one byte less than the cluster is an error, which is
        // exactly the answer wanted.
        let room = bytes.len() - 1;
        match self.compressor.deflate_compress(bytes, &mut self.deflated[..room]) {
            Ok(length) => Cluster::Deflated(self.deflated[..length].to_vec()),
            Err(_) => Cluster::Plain(bytes.to_vec()),
        }
    }
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
    let unsupported =
        |what: String| Error::Unsupported { path: out.path().to_owned(), format: "qcow2", what };
    if !cluster.is_power_of_two() || !(4 << 10..=2 << 20).contains(&cluster) {
        return Err(unsupported(format!(
            "clusters of {cluster} bytes, where a power of two from 4096 to 2097152 is needed"
        )));
    }
    let bits = cluster.trailing_zeros();
    // A disk is whole sectors to QEMU; what is added reads as zeros.
    let size = disk.len().checked_next_multiple_of(512).unwrap_or(u64::MAX);
    let per_table = cluster / 8;
    let l1_entries = size.div_ceil(cluster * per_table);
    if l1_entries * 8 > L1_LIMIT {
        return Err(unsupported(format!(
            "a disk of {size} bytes is too large for clusters of {cluster} bytes"
        )));
    }

    let mut allocator = Allocator { bits, clusters: 0, packed: 0, refcounts: Vec::new() };
    allocator.take(1);
    let l1_offset = allocator.take((l1_entries * 8).div_ceil(cluster));
    let l1 = vec![0; l1_entries as usize];
    let l2 = vec![0; per_table as usize];
    let tables = Mutex::new(Tables { allocator, l1, l2, l2_index: 0, l2_used: false, data: 0 });

    let piece = PIECE.max(cluster);
    let worker = || Worker {
        compressor: Compressor::new(CompressionLvl::default()),
        input: vec![0; piece as usize],
        deflated: vec![0; cluster as usize],
    };
    let turns = Turns::default();
    work::run(disk, piece, options.threads, progress, &turns, worker, |worker, index, range| {
        let length = (range.end - range.start) as usize;
        disk.read_at(range.start, &mut worker.input[..length])?;
        let whole = length.next_multiple_of(cluster as usize);
        worker.input[length..whole].fill(0);
        let clusters: Vec<Cluster> = (0..whole)
            .step_by(cluster as usize)
            .map(|start| worker.cluster(start..start + cluster as usize, options.compress))
            .collect();
        let writes = turns.take(index, || {
            let (mut tables, mut writes) = (lock(&tables), Vec::new());
            for (number, cluster) in (range.start >> bits..).zip(clusters) {
                tables.advance(number, &mut writes);
                tables.place(number, cluster, &mut writes);
            }
            writes
        });
        write_all(&output, writes.unwrap_or_default())
    })?;

    let mut tables = tables.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut writes = Vec::new();
    tables.flush(&mut writes);
    write_all(&output, writes)?;
    output.write(l1_offset, &be64(&tables.l1))?;
    let (table_offset, table_clusters) = write_refcounts(&output, &mut tables.allocator)?;
    output.write(0, &header(bits, size, l1_entries, l1_offset, table_offset, table_clusters))?;
    let file_size = tables.allocator.clusters << bits;
    // The last cluster is whole, as QEMU leaves it.
    output
        .file
        .set_len(file_size)
        .map_err(|source| Error::io(out.path(), format!("make it {file_size} bytes long"), source))?;
    Ok(Written { virtual_size: size, file_size, data: tables.data })
}

/// Writes in ascending order, those that follow each other at once.
fn write_all(output: &Output<'_>, writes: Vec<Write>) -> Result<(), Error> {
    let mut joined: Option<Write> = None;
    for (offset, bytes) in writes {
        match &mut joined {
            Some((start, held)) if *start + held.len() as u64 == offset => held.extend_from_slice(&bytes),
            other => {
                if let Some((start, held)) = other.replace((offset, bytes)) {
                    output.write(start, &held)?;
                }
            }
        }
    }
    match joined {
        Some((start, held)) => output.write(start, &held),
        None => Ok(()),
    }
}

/// Writes the refcount blocks and the table behind everything else; both count themselves.
/// Answers the table's offset and length in clusters.
fn write_refcounts(output: &Output<'_>, allocator: &mut Allocator) -> Result<(u64, u64), Error> {
    let cluster = allocator.size();
    let per_block = cluster / 2;
    let (mut blocks, mut table_clusters) = (0, 0);
    loop {
        let all = allocator.clusters + blocks + table_clusters;
        let needed = all.div_ceil(per_block);
        let table_needed = (needed * 8).div_ceil(cluster);
        if (needed, table_needed) == (blocks, table_clusters) {
            break;
        }
        (blocks, table_clusters) = (needed, table_needed);
    }
    let first = allocator.take(blocks);
    let table_offset = allocator.take(table_clusters);
    for (block, counts) in (0..blocks).zip(allocator.refcounts.chunks(per_block as usize)) {
        let bytes: Vec<u8> = counts.iter().flat_map(|count| count.to_be_bytes()).collect();
        output.write(first + block * cluster, &bytes)?;
    }
    let table: Vec<u64> = (0..blocks).map(|block| first + block * cluster).collect();
    output.write(table_offset, &be64(&table))?;
    Ok((table_offset, table_clusters))
}

fn header(
    bits: u32,
    size: u64,
    l1_entries: u64,
    l1_offset: u64,
    table_offset: u64,
    table_clusters: u64,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let word = |bytes: &mut Vec<u8>, value: u32| bytes.extend_from_slice(&value.to_be_bytes());
    let long = |bytes: &mut Vec<u8>, value: u64| bytes.extend_from_slice(&value.to_be_bytes());
    bytes.extend_from_slice(&crate::qcow2::MAGIC);
    word(&mut bytes, 3);
    // No backing file: offset and length of its name.
    long(&mut bytes, 0);
    word(&mut bytes, 0);
    word(&mut bytes, bits);
    long(&mut bytes, size);
    // Not encrypted.
    word(&mut bytes, 0);
    // Both fit: an L1 table has at most 32 MiB.
    word(&mut bytes, l1_entries as u32);
    long(&mut bytes, l1_offset);
    long(&mut bytes, table_offset);
    word(&mut bytes, table_clusters as u32);
    // No snapshots: their number, the offset of their table.
    word(&mut bytes, 0);
    long(&mut bytes, 0);
    // No incompatible, compatible or autoclear features.
    long(&mut bytes, 0);
    long(&mut bytes, 0);
    long(&mut bytes, 0);
    word(&mut bytes, REFCOUNT_ORDER);
    word(&mut bytes, HEADER_LENGTH);
    // The end of the header extensions.
    long(&mut bytes, 0);
    bytes
}
