//! Where the parts of a new qcow2 file lie, and its tables while they grow.
//!
//! The facts are those of QEMU's `docs/interop/qcow2.rst`: "Cluster mapping" (L1, L2, compressed
//! descriptors), "Host cluster management" (refcounts).

use std::fs::File;
use std::path::Path;

use super::Method;
use super::header::{Header, OverlayBase, REFCOUNT_BITS};
use crate::sink::write_at;
use crate::{AtomicFile, Error};

/// QEMU's limit for an L1 table in bytes.
const L1_LIMIT: u64 = 32 << 20;
/// The refcount of what an L1 or L2 entry names is exactly one.
const COPIED: u64 = 1 << 63;
const COMPRESSED: u64 = 1 << 62;
/// The L2 entry of a cluster that reads as zeros whatever a backing file holds.
pub(super) const ZERO: u64 = 1;

/// Bytes for a place in the file.
pub(super) type Write = (u64, Vec<u8>);

/// Hands out the file's bytes and keeps count of their users.
struct Allocator {
    bits: u32,
    /// Number of host clusters in use, all from 0 on.
    clusters: u64,
    /// Where the next compressed cluster may start: in a host cluster that has room left, or in
    /// one that is not in use yet.
    packed: u64,
    refcounts: Vec<u16>,
}

impl Allocator {
    fn size(&self) -> u64 {
        1 << self.bits
    }

    fn end(&self) -> u64 {
        self.clusters << self.bits
    }

    fn take(&mut self, count: u64) -> u64 {
        let offset = self.end();
        self.clusters += count;
        self.refcounts.resize(self.clusters as usize, 1);
        offset
    }

    /// Room for `length` bytes at any byte.
    fn pack(&mut self, length: u64) -> u64 {
        let end = self.end();
        let left = self.packed.next_multiple_of(self.size()) - self.packed;
        // Over the border only into the cluster that follows, so only at the end of the file.
        let fits = left >= length || (left > 0 && self.packed + left >= end);
        let offset = if fits { self.packed } else { end };
        let (first, last) = (offset >> self.bits, (offset + length - 1) >> self.bits);
        self.clusters = self.clusters.max(last + 1);
        self.refcounts.resize(self.clusters as usize, 0);
        for cluster in first..=last {
            // Deflate shrinks 1032 times at most and zstd 2 MiB to no less than 74 bytes, so a
            // host cluster has far fewer users than 65535.
            self.refcounts[cluster as usize] = self.refcounts[cluster as usize].saturating_add(1);
        }
        self.packed = offset + length;
        offset
    }

    /// Room for `length` bytes that lie in their host cluster where `origin` lies in its own one.
    fn pack_like(&mut self, length: u64, origin: u64) -> u64 {
        let phase = origin % self.size();
        let end = self.end();
        // At the end of the file already, with nothing to leave out?
        let continues = self.packed.next_multiple_of(self.size()) == end;
        if !continues || self.packed % self.size() != phase {
            self.packed = end + phase;
        }
        self.pack(length)
    }
}

pub(super) fn be64(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// The output, with what went wrong in words.
pub(super) struct Output<'a> {
    pub(super) file: &'a File,
    pub(super) path: &'a Path,
}

impl Output<'_> {
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        write_at(self.file, self.path, offset, bytes)
    }

    /// Writes in ascending order, those that follow each other at once.
    pub(super) fn write_all(&self, writes: Vec<Write>) -> Result<(), Error> {
        let mut joined: Option<Write> = None;
        for (offset, bytes) in writes {
            match &mut joined {
                Some((start, held)) if *start + held.len() as u64 == offset => held.extend_from_slice(&bytes),
                other => {
                    if let Some((start, held)) = other.replace((offset, bytes)) {
                        self.write(start, &held)?;
                    }
                }
            }
        }
        match joined {
            Some((start, held)) => self.write(start, &held),
            None => Ok(()),
        }
    }
}

/// The image's tables while they grow, in disk order.
pub(super) struct Tables {
    allocator: Allocator,
    /// Size of the disk in bytes, in whole sectors.
    pub(super) size: u64,
    l1_offset: u64,
    l1: Vec<u64>,
    /// The L2 table that is being filled, and its place in L1.
    l2: Vec<u64>,
    l2_index: u64,
    l2_used: bool,
    /// Bytes of the disk that have a cluster of their own in the file.
    pub(super) data: u64,
}

impl Tables {
    /// Tables for a disk of `len` bytes in clusters of `cluster` bytes; the header and the L1
    /// table get their place.
    pub(super) fn new(out: &AtomicFile, len: u64, cluster: u64) -> Result<Self, Error> {
        let unsupported =
            |what: String| Error::Unsupported { path: out.path().to_owned(), format: "qcow2", what };
        if !cluster.is_power_of_two() || !(512..=2 << 20).contains(&cluster) {
            return Err(unsupported(format!(
                "clusters of {cluster} bytes, where a power of two from 512 to 2097152 is needed"
            )));
        }
        // A disk is whole sectors to QEMU; what is added reads as zeros.
        let size = len.checked_next_multiple_of(512).unwrap_or(u64::MAX);
        let per_table = cluster / 8;
        let l1_entries = size.div_ceil(cluster * per_table);
        if l1_entries * 8 > L1_LIMIT {
            return Err(unsupported(format!(
                "a disk of {size} bytes is too large for clusters of {cluster} bytes"
            )));
        }
        let bits = cluster.trailing_zeros();
        let mut allocator = Allocator { bits, clusters: 0, packed: 0, refcounts: Vec::new() };
        allocator.take(1);
        let l1_offset = allocator.take((l1_entries * 8).div_ceil(cluster));
        let (l1, l2) = (vec![0; l1_entries as usize], vec![0; per_table as usize]);
        Ok(Self { allocator, size, l1_offset, l1, l2, l2_index: 0, l2_used: false, data: 0 })
    }

    /// Room for an uncompressed cluster: its offset and its L2 entry.
    pub(super) fn plain(&mut self) -> (u64, u64) {
        let offset = self.allocator.take(1);
        (offset, offset | COPIED)
    }

    /// Room for a compressed cluster of `length` bytes: its offset and its L2 entry.
    pub(super) fn packed(&mut self, length: u64) -> (u64, u64) {
        let offset = self.allocator.pack(length);
        (offset, self.descriptor(offset, length))
    }

    /// Like [`packed`](Self::packed), at that place of a host cluster where `origin` lies in its
    /// own: a file system that can share blocks between files needs both at the same place.
    pub(super) fn packed_like(&mut self, length: u64, origin: u64) -> (u64, u64) {
        let offset = self.allocator.pack_like(length, origin);
        (offset, self.descriptor(offset, length))
    }

    fn descriptor(&self, offset: u64, length: u64) -> u64 {
        let more_sectors = ((offset + length - 1) >> 9) - (offset >> 9);
        COMPRESSED | more_sectors << (62 - (self.allocator.bits - 8)) | offset
    }

    /// Makes the L2 table of the disk's cluster `index` the one that is filled. Indices must
    /// ascend: when it is a later table than the last one, that one is complete and added to
    /// `writes`.
    pub(super) fn turn_to(&mut self, index: u64, writes: &mut Vec<Write>) {
        let table = index / self.l2.len() as u64;
        if table != self.l2_index {
            self.flush(writes);
            self.l2_index = table;
        }
    }

    /// Gives the disk's cluster `index` its L2 entry, and [turns to](Self::turn_to) its table.
    pub(super) fn set(&mut self, index: u64, entry: u64, writes: &mut Vec<Write>) {
        self.turn_to(index, writes);
        let per_table = self.l2.len() as u64;
        self.l2[(index % per_table) as usize] = entry;
        self.l2_used = true;
        if entry != ZERO {
            self.data += self.allocator.size();
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

    /// Writes all that is not written yet, the header last. Answers the file's length.
    pub(super) fn finish(
        &mut self,
        output: &Output<'_>,
        method: Method,
        backing: Option<&OverlayBase>,
    ) -> Result<u64, Error> {
        let mut writes = Vec::new();
        self.flush(&mut writes);
        output.write_all(writes)?;
        output.write(self.l1_offset, &be64(&self.l1))?;
        let (table_offset, table_clusters) = self.write_refcounts(output)?;
        let header = Header {
            bits: self.allocator.bits,
            size: self.size,
            l1_entries: self.l1.len() as u64,
            l1_offset: self.l1_offset,
            table_offset,
            table_clusters,
            method,
            backing,
        };
        output.write(0, &header.bytes(output.path)?)?;
        let length = self.allocator.end();
        // The last cluster is whole, as QEMU leaves it.
        output
            .file
            .set_len(length)
            .map_err(|source| Error::io(output.path, format!("make it {length} bytes long"), source))?;
        Ok(length)
    }

    /// Writes the refcount blocks and the table behind everything else; both count themselves.
    /// Answers the table's offset and length in clusters.
    fn write_refcounts(&mut self, output: &Output<'_>) -> Result<(u64, u64), Error> {
        let allocator = &mut self.allocator;
        let cluster = allocator.size();
        let per_block = cluster * 8 / REFCOUNT_BITS;
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_bytes_never_meet_and_every_user_counts() {
        let mut allocator = Allocator { bits: 9, clusters: 0, packed: 0, refcounts: Vec::new() };
        assert_eq!(allocator.take(2), 0);
        // Over the border, then a plain cluster, then what still fits before it, then what does not.
        assert_eq!((allocator.pack(400), allocator.pack(400)), (1024, 1424));
        assert_eq!(allocator.take(1), 2048);
        assert_eq!((allocator.pack(224), allocator.pack(1)), (1824, 2560));
        assert_eq!(allocator.refcounts, [1, 1, 2, 2, 1, 1]);
        // At the place of something else, always in a cluster of its own when it is another place.
        assert_eq!(allocator.pack_like(300, 513), 2561);
        assert_eq!(allocator.pack_like(100, 2861), 2861);
        assert_eq!(allocator.pack_like(1200, 7), 3079);
        assert_eq!((allocator.pack_like(1, 100 << 9), allocator.clusters), (4608, 10));
        assert_eq!(allocator.refcounts, [1, 1, 2, 2, 1, 3, 1, 1, 1, 1]);
    }
}
