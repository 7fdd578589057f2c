//! The L1 and L2 tables: which bytes of the file hold which bytes of the disk.
//!
//! L1 is held whole (at most 32 MiB, checked against the file's length). L2 tables are read in
//! slices of 16 KiB into a direct-mapped cache of fixed size, so a walk over any image needs
//! the same memory. That every L2 table belongs to one L1 entry only is checked when the image
//! is opened: otherwise a small file could claim endless data and a walk would never end.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::header::Header;
use crate::Error;
use crate::sink::is_zero;

/// Bits 9 to 55 of an L1 or L2 entry: an offset in the file.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const COMPRESSED: u64 = 1 << 62;
/// Bits that must be clear in an L1 entry: all but the offset and "refcount is one".
const L1_RESERVED: u64 = !(OFFSET | 1 << 63);
/// Bits that must be clear in a standard L2 entry; bit 0 is judged by version.
const L2_RESERVED: u64 = !(OFFSET | 1 << 63 | 1);

/// Length of a cached piece of an L2 table in bytes, when the table is not shorter.
const SLICE: u64 = 16 << 10;
/// Memory for the slices of the first file of a chain; each file below keeps half as much.
const CACHE: u64 = 2 << 20;
/// Bytes of the L1 table that are read at once.
const L1_PIECE: usize = 64 << 10;

/// How the file stores one cluster of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// Not at all: it reads as the backing file's bytes, or as zeros where there is none.
    Absent,
    /// As a mark that it reads as zeros, whatever a backing file holds.
    Zero,
    /// Uncompressed from `offset` on. The file may end before the cluster does when the rest lies
    /// behind the disk's end.
    Plain {
        /// First byte in the file, a multiple of the cluster size.
        offset: u64,
    },
    /// Compressed by the image's one method.
    Compressed {
        /// First byte in the file.
        offset: u64,
        /// Most bytes that the compressed data can have: the format counts sectors, so bytes of
        /// something else may follow.
        length: u64,
    },
    /// Extended L2 only: subclusters (a 32nd of the cluster each) of more than one kind.
    Subclusters {
        /// First byte of the whole cluster in the file; 0 when none is allocated.
        offset: u64,
        /// Bit n: subcluster n lies uncompressed at its place in the cluster.
        allocated: u32,
        /// Bit n: subcluster n reads as zeros. Neither bit: it is absent.
        zero: u32,
    },
}

/// Where a range of the disk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Not in this file: in the backing file, and without one it reads as zeros.
    Absent,
    /// It reads as zeros.
    Zero,
    /// It lies uncompressed from this byte of the file on.
    Data(u64),
    /// It is part of a cluster that lies compressed in `length` bytes from `offset` on.
    Compressed {
        /// First byte in the file.
        offset: u64,
        /// Most bytes that the compressed data can have.
        length: u64,
    },
}

impl Place {
    /// The place of what lies `bytes` further on, if it lies together with this.
    pub(super) fn after(self, bytes: u64) -> Self {
        match self {
            Self::Data(host) => Self::Data(host + bytes),
            other => other,
        }
    }
}

type Slice = Arc<Vec<u8>>;

fn be64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
}

/// The tables of one image.
#[derive(Debug)]
pub(super) struct Tables {
    header: Header,
    path: PathBuf,
    /// Length of the file in bytes.
    length: u64,
    l1: Vec<u64>,
    slices: Vec<Mutex<Option<(u64, Slice)>>>,
}

impl Tables {
    /// Reads the L1 table of `file`, which is the `depth`th of its chain.
    pub(super) fn read(
        file: &File,
        path: &Path,
        length: u64,
        header: Header,
        depth: usize,
    ) -> Result<Self, Error> {
        let mut l1 = Vec::with_capacity(header.l1_entries as usize);
        let mut bytes = vec![0; L1_PIECE];
        while (l1.len() as u64) < header.l1_entries {
            let left = (header.l1_entries - l1.len() as u64) * 8;
            let piece = &mut bytes[..left.min(L1_PIECE as u64) as usize];
            let at = header.l1_offset + l1.len() as u64 * 8;
            file.read_exact_at(piece, at)
                .map_err(|source| Error::io(path, format!("read the L1 table at {at:#x}"), source))?;
            l1.extend(piece.chunks_exact(8).map(be64));
        }
        let slice = SLICE.min(1 << header.cluster_bits);
        let slots = (CACHE.checked_shr(depth as u32).unwrap_or(0) / slice).clamp(8, 1024);
        let slices = (0..slots).map(|_| Mutex::new(None)).collect();
        let tables = Self { header, path: path.to_owned(), length, l1, slices };
        tables.check_l1()?;
        Ok(tables)
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    fn corrupt(&self, what: String) -> Error {
        Error::Corrupt { path: self.path.clone(), format: "qcow2", what }
    }

    fn check_l1(&self) -> Result<(), Error> {
        let cluster = 1_u64 << self.header.cluster_bits;
        let mut offsets = Vec::new();
        for (index, entry) in self.l1.iter().enumerate() {
            let offset = entry & OFFSET;
            if entry & L1_RESERVED != 0 {
                return Err(
                    self.corrupt(format!("L1 entry {index} is {entry:#018x}, which has reserved bits set"))
                );
            }
            if offset == 0 {
                continue;
            }
            if !offset.is_multiple_of(cluster)
                || offset.checked_add(cluster).is_none_or(|end| end > self.length)
            {
                return Err(self.corrupt(format!(
                    "L1 entry {index} names an L2 table at {offset:#x}, which is no whole cluster inside the file of {} bytes",
                    self.length
                )));
            }
            offsets.push(offset);
        }
        offsets.sort_unstable();
        match offsets.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => {
                Err(self.corrupt(format!("two L1 entries name the same L2 table at {:#x}", pair[0])))
            }
            None => Ok(()),
        }
    }

    fn entry_size(&self) -> u64 {
        if self.header.extended_l2 { 16 } else { 8 }
    }

    /// Bytes of the disk that one L1 entry covers.
    fn l1_span(&self) -> u64 {
        let cluster = 1_u64 << self.header.cluster_bits;
        cluster * (cluster / self.entry_size())
    }

    /// The offset of the L2 table that the L1 entry `index` names.
    fn l2_of(&self, index: u64) -> Option<u64> {
        let entry = self.l1.get(usize::try_from(index).ok()?)?;
        Some(entry & OFFSET).filter(|offset| *offset != 0)
    }

    fn slice(&self, file: &File, offset: u64, length: u64) -> Result<Slice, Error> {
        let slot = &self.slices[(offset / length) as usize % self.slices.len()];
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, slice)) = &*slot
            && *of == offset
        {
            return Ok(Arc::clone(slice));
        }
        // The memory of the slice that was there before, when nobody looks at it any more.
        let before = slot.take().and_then(|(_, slice)| Arc::try_unwrap(slice).ok());
        let mut bytes = before.unwrap_or_default();
        bytes.resize(length as usize, 0);
        file.read_exact_at(&mut bytes, offset).map_err(|source| {
            Error::io(&self.path, format!("read {length} bytes of an L2 table at {offset:#x}"), source)
        })?;
        let slice = Arc::new(bytes);
        *slot = Some((offset, Arc::clone(&slice)));
        Ok(slice)
    }

    /// The slice that holds the L2 entry of the cluster `index`, and where in it that starts;
    /// nothing when there is no L2 table.
    fn entry(&self, file: &File, index: u64) -> Result<Option<(Slice, usize)>, Error> {
        let cluster = 1_u64 << self.header.cluster_bits;
        let per_table = cluster / self.entry_size();
        let Some(l2) = self.l2_of(index / per_table) else {
            return Ok(None);
        };
        let at = l2 + index % per_table * self.entry_size();
        let length = SLICE.min(cluster);
        let slice = self.slice(file, at - at % length, length)?;
        Ok(Some((slice, (at % length) as usize)))
    }

    /// How the cluster `index` is stored; every offset is checked against the file.
    pub(super) fn stored(&self, file: &File, index: u64) -> Result<Stored, Error> {
        let bits = self.header.cluster_bits;
        let cluster = 1_u64 << bits;
        let Some((slice, start)) = self.entry(file, index)? else {
            return Ok(Stored::Absent);
        };
        let word = |at: usize| slice.get(at..at + 8).map_or(0, be64);
        let entry = word(start);
        if entry & COMPRESSED != 0 {
            return self.compressed(entry, index);
        }
        if entry & L2_RESERVED != 0 {
            return Err(self.corrupt(format!(
                "the L2 entry of cluster {index} is {entry:#018x}, which has reserved bits set"
            )));
        }
        let offset = entry & OFFSET;
        if !offset.is_multiple_of(cluster) {
            return Err(self
                .corrupt(format!("cluster {index} lies at {offset:#x}, which is no multiple of {cluster}")));
        }
        if self.header.extended_l2 {
            return self.subclusters(entry, word(start + 8), index);
        }
        match (entry & 1 != 0, offset) {
            (true, _) if self.header.version < 3 => Err(self.corrupt(format!(
                "the L2 entry of cluster {index} is {entry:#018x}, but version 2 has no zero clusters"
            ))),
            (true, _) => Ok(Stored::Zero),
            (false, 0) => Ok(Stored::Absent),
            (false, _) => {
                self.check_data(offset, cluster, index)?;
                Ok(Stored::Plain { offset })
            }
        }
    }

    /// The cluster `index`, whose extended L2 entry is `entry` and the subclusters' `bitmap`.
    fn subclusters(&self, entry: u64, bitmap: u64, index: u64) -> Result<Stored, Error> {
        if entry & 1 != 0 {
            return Err(self.corrupt(format!(
                "the L2 entry of cluster {index} is {entry:#018x}, which has reserved bits set"
            )));
        }
        let (allocated, zero) = (bitmap as u32, (bitmap >> 32) as u32);
        if allocated & zero != 0 {
            let number = (allocated & zero).trailing_zeros();
            return Err(
                self.corrupt(format!("subcluster {number} of cluster {index} is both zero and allocated"))
            );
        }
        let offset = entry & OFFSET;
        if allocated == 0 {
            return Ok(match zero {
                0 => Stored::Absent,
                u32::MAX => Stored::Zero,
                _ => Stored::Subclusters { offset, allocated, zero },
            });
        }
        if offset == 0 {
            let number = allocated.trailing_zeros();
            return Err(self.corrupt(format!(
                "subcluster {number} of cluster {index} is allocated, but its cluster is not"
            )));
        }
        let used = u64::from(32 - allocated.leading_zeros());
        self.check_data(offset, used << (self.header.cluster_bits - 5), index)?;
        Ok(match allocated {
            u32::MAX => Stored::Plain { offset },
            _ => Stored::Subclusters { offset, allocated, zero },
        })
    }

    /// Where the disk's byte `offset` lies, and for how many bytes from there on that holds at
    /// least: what one slice of the tables says about clusters that lie together is one answer.
    pub(super) fn place(&self, file: &File, offset: u64) -> Result<(Place, u64), Error> {
        let cluster = 1_u64 << self.header.cluster_bits;
        let span = self.l1_span();
        if self.l2_of(offset / span).is_none() {
            return Ok((Place::Absent, span - offset % span));
        }
        let inside = offset % cluster;
        let rest = cluster - inside;
        let index = offset >> self.header.cluster_bits;
        Ok(match self.stored(file, index)? {
            Stored::Absent => (Place::Absent, rest + cluster * self.alike(file, index, None)?),
            Stored::Zero => (Place::Zero, rest),
            Stored::Plain { offset: host } => {
                let alike = self.alike(file, index, Some(host))?;
                (Place::Data(host + inside), rest + cluster * alike)
            }
            Stored::Compressed { offset, length } => (Place::Compressed { offset, length }, rest),
            Stored::Subclusters { offset, allocated, zero } => {
                let subcluster = cluster / 32;
                let number = inside / subcluster;
                let place = match (allocated >> number & 1, zero >> number & 1) {
                    (1, _) => Place::Data(offset + inside),
                    (_, 1) => Place::Zero,
                    _ => Place::Absent,
                };
                (place, subcluster - inside % subcluster)
            }
        })
    }

    /// How many clusters after `index` continue it in the same slice: when it is absent, those
    /// that are absent too; when it lies at `host`, those that follow it in the file.
    fn alike(&self, file: &File, index: u64, host: Option<u64>) -> Result<u64, Error> {
        let Some((slice, start)) = self.entry(file, index)? else {
            return Ok(0);
        };
        let cluster = 1_u64 << self.header.cluster_bits;
        let size = self.entry_size() as usize;
        let (own, rest) = slice[start..].split_at(size);
        Ok(match host {
            None if is_zero(rest) => rest.len() / size,
            None => rest.chunks_exact(size).take_while(|entry| is_zero(entry)).count(),
            Some(host) => {
                // Only clusters that lie in the file whole, so that nothing is left to check.
                let whole = (self.length - host) / cluster;
                rest.chunks_exact(size)
                    .zip(1..whole)
                    .take_while(|(entry, number)| {
                        be64(&entry[..8]) == be64(&own[..8]) + number * cluster && entry[8..] == own[8..]
                    })
                    .count()
            }
        } as u64)
    }

    /// Refuses a cluster at `host` of which the first `used` bytes are stored, when the file ends
    /// before them. What lies behind the virtual disk's end may be missing.
    fn check_data(&self, host: u64, used: u64, index: u64) -> Result<(), Error> {
        let disk_end = self.header.size.saturating_sub(index << self.header.cluster_bits);
        if host + used.min(disk_end) > self.length {
            return Err(self.corrupt(format!(
                "cluster {index} lies at {host:#x}, but the file ends at {:#x}: it is truncated",
                self.length
            )));
        }
        Ok(())
    }

    fn compressed(&self, entry: u64, index: u64) -> Result<Stored, Error> {
        if entry >> 63 != 0 {
            return Err(self.corrupt(format!(
                "the L2 entry of compressed cluster {index} is {entry:#018x}, which has bit 63 set"
            )));
        }
        let bits = 62 - (self.header.cluster_bits - 8);
        let offset = entry & ((1 << bits) - 1);
        let sectors = ((entry & (COMPRESSED - 1)) >> bits) + 1;
        // The last sector may end behind the file's end, which need not be a whole sector.
        let end = (offset - offset % 512 + sectors * 512).min(self.length);
        if offset == 0 || offset >= end {
            return Err(self.corrupt(format!(
                "compressed cluster {index} lies at {offset:#x}, but the file ends at {:#x}: it is truncated",
                self.length
            )));
        }
        Ok(Stored::Compressed { offset, length: end - offset })
    }
}
