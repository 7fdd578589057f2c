//! Accounts for every byte of a qcow2 file: what no structure and no live data explain is zero.
//!
//! An independent little reader (QEMU's `docs/interop/qcow2.rst`), for trusted images only.

use std::path::Path;

use flate2::{Decompress, FlushDecompress, Status};

use crate::common::is_zero;

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn half(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;

/// One cluster of the active disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Live {
    /// The disk's cluster.
    pub(crate) index: u64,
    /// Its bytes in the file: compressed ones exactly.
    pub(crate) stored: std::ops::Range<usize>,
    pub(crate) compressed: bool,
}

/// A file with its tables.
pub(crate) struct Account {
    pub(crate) bytes: Vec<u8>,
    cluster: usize,
    pub(crate) live: Vec<Live>,
    tables: Vec<std::ops::Range<usize>>,
}

impl Account {
    /// Images with 8-byte L2 entries and 16-bit refcounts.
    pub(crate) fn of(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let bits = half(&bytes, 20);
        let cluster = 1 << bits;
        let (l1_entries, l1) = (half(&bytes, 36), word(&bytes, 40) as usize);
        let (refcounts, refcount_clusters) = (word(&bytes, 48) as usize, half(&bytes, 56));
        let header = if half(&bytes, 4) == 3 { half(&bytes, 100) } else { 72 };
        let mut end = header;
        while half(&bytes, end) != 0 {
            end += 8 + half(&bytes, end + 4).next_multiple_of(8);
        }
        end += 8;
        if word(&bytes, 8) != 0 {
            end = word(&bytes, 8) as usize + half(&bytes, 16);
        }
        let mut tables =
            vec![0..end, l1..l1 + l1_entries * 8, refcounts..refcounts + refcount_clusters * cluster];
        for at in (refcounts..refcounts + refcount_clusters * cluster).step_by(8) {
            let block = word(&bytes, at) as usize;
            if block != 0 {
                tables.push(block..block + cluster);
            }
        }
        let zstd = header > 104 && bytes[104] == 1;
        let mut live = Vec::new();
        for table in 0..l1_entries {
            let l2 = (word(&bytes, l1 + table * 8) & OFFSET) as usize;
            if l2 == 0 {
                continue;
            }
            tables.push(l2..l2 + cluster);
            for entry in 0..cluster / 8 {
                let index = (table * (cluster / 8) + entry) as u64;
                let entry = word(&bytes, l2 + entry * 8);
                if entry >> 62 & 1 != 0 {
                    let x = 62 - (bits - 8);
                    let offset = (entry & ((1 << x) - 1)) as usize;
                    let sectors = ((entry & ((1 << 62) - 1)) >> x) as usize + 1;
                    let most = (offset / 512 * 512 + sectors * 512).min(bytes.len());
                    let length = exact(&bytes[offset..most], zstd, cluster);
                    live.push(Live { index, stored: offset..offset + length, compressed: true });
                } else if entry & OFFSET != 0 && entry & 1 == 0 {
                    let offset = (entry & OFFSET) as usize;
                    live.push(Live { index, stored: offset..offset + cluster, compressed: false });
                }
            }
        }
        Self { bytes, cluster, live, tables }
    }

    /// The bytes that `stored` of the file stands for.
    pub(crate) fn inflated(&self, live: &Live) -> Vec<u8> {
        let stored = &self.bytes[live.stored.clone()];
        if !live.compressed {
            return stored.to_vec();
        }
        if half(&self.bytes, 100) > 104 && self.bytes[104] == 1 {
            return zstd::decode_all(stored).unwrap();
        }
        let mut out = vec![0; self.cluster];
        Decompress::new(false).decompress(stored, &mut out, FlushDecompress::Finish).unwrap();
        out
    }

    /// No byte of the file is anything but live data, a table or zero, and no two data overlap.
    pub(crate) fn assert_no_residue(&self, what: &str) {
        let mut used: Vec<_> =
            self.live.iter().map(|live| live.stored.clone()).chain(self.tables.clone()).collect();
        used.sort_unstable_by_key(|range| range.start);
        let mut at = 0;
        for range in used {
            assert!(range.start >= at, "{what}: {range:?} overlaps what ends at {at:#x}");
            assert!(is_zero(&self.bytes[at..range.start]), "{what}: residue in {at:#x}..{:#x}", range.start);
            at = range.end;
        }
        assert!(is_zero(self.bytes.get(at..).unwrap_or(&[])), "{what}: residue behind {at:#x}");
    }

    /// True when `secret` stands anywhere: in the file's bytes, or in a cluster's.
    pub(crate) fn holds(&self, secret: &[u8]) -> bool {
        let find = |bytes: &[u8]| memmem(bytes, secret);
        find(&self.bytes) || self.live.iter().any(|live| find(&self.inflated(live)))
    }
}

fn memmem(bytes: &[u8], needle: &[u8]) -> bool {
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == needle[0]) {
        if bytes[at + found..].starts_with(needle) {
            return true;
        }
        at += found + 1;
    }
    false
}

/// How many bytes of `input` the compressed cluster at its start takes.
fn exact(input: &[u8], zstd: bool, cluster: usize) -> usize {
    if zstd {
        return zstd::zstd_safe::find_frame_compressed_size(input).unwrap();
    }
    let mut out = vec![0; cluster + 1];
    let mut inflate = Decompress::new(false);
    let status = inflate.decompress(input, &mut out, FlushDecompress::Finish).unwrap();
    assert_eq!((status, inflate.total_out() as usize), (Status::StreamEnd, cluster));
    inflate.total_in() as usize
}
