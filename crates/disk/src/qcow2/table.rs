//! The L1 and L2 tables: which bytes of the file hold which bytes of the disk.
//!
//! L1 is held whole (at most 32 MiB, checked against the file's length). L2 tables are read in
//! slices of 4 KiB into a direct-mapped cache of fixed size, so a walk over any image needs
//! the same memory. That every L2 table belongs to one L1 entry only is checked when the image
//! is opened: otherwise a small file could claim endless data and a walk would never end.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::header::Header;
use crate::Error;

/// Bits 9 to 55 of an L1 or L2 entry: an offset in the file.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const COMPRESSED: u64 = 1 << 62;
/// Bits that must be clear in an L1 entry: all but the offset and "refcount is one".
const L1_RESERVED: u64 = !(OFFSET | 1 << 63);
/// Bits that must be clear in a standard L2 entry; bit 0 is judged by version.
const L2_RESERVED: u64 = !(OFFSET | 1 << 63 | 1);

/// Length of a cached piece of an L2 table in bytes.
const SLICE: u64 = 4096;
const SLOTS: usize = 512;

/// Where a range of the disk lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
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

type Slice = Arc<Vec<u8>>;

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
    pub(super) fn read(file: &File, path: &Path, length: u64, header: Header) -> Result<Self, Error> {
        let mut bytes = vec![0; (header.l1_entries * 8) as usize];
        file.read_exact_at(&mut bytes, header.l1_offset).map_err(|source| {
            Error::io(path, format!("read the L1 table at {:#x}", header.l1_offset), source)
        })?;
        let l1 = bytes
            .chunks_exact(8)
            .map(|entry| entry.iter().fold(0, |all, byte| all << 8 | u64::from(*byte)))
            .collect();
        let slices = (0..SLOTS).map(|_| Mutex::new(None)).collect();
        let tables = Self { header, path: path.to_owned(), length, l1, slices };
        tables.check_l1()?;
        Ok(tables)
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
    pub(super) fn l1_span(&self) -> u64 {
        let cluster = 1_u64 << self.header.cluster_bits;
        cluster * (cluster / self.entry_size())
    }

    /// False when no L2 table covers `offset`: then everything up to the next multiple of
    /// [`l1_span`](Self::l1_span) reads as zeros.
    pub(super) fn has_l2(&self, offset: u64) -> bool {
        usize::try_from(offset / self.l1_span())
            .ok()
            .and_then(|index| self.l1.get(index))
            .is_some_and(|entry| entry & OFFSET != 0)
    }

    fn slice(&self, file: &File, offset: u64, length: u64) -> Result<Slice, Error> {
        let slot = &self.slices[(offset / length) as usize % SLOTS];
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, slice)) = &*slot
            && *of == offset
        {
            return Ok(Arc::clone(slice));
        }
        let mut bytes = vec![0; length as usize];
        file.read_exact_at(&mut bytes, offset).map_err(|source| {
            Error::io(&self.path, format!("read {length} bytes of an L2 table at {offset:#x}"), source)
        })?;
        let slice = Arc::new(bytes);
        *slot = Some((offset, Arc::clone(&slice)));
        Ok(slice)
    }

    /// Where the disk's byte `offset` lies, and for how many bytes from there on that holds.
    pub(super) fn place(&self, file: &File, offset: u64) -> Result<(Place, u64), Error> {
        let bits = self.header.cluster_bits;
        let cluster = 1_u64 << bits;
        let span = self.l1_span();
        if !self.has_l2(offset) {
            return Ok((Place::Zero, span - offset % span));
        }
        let l2 = self.l1[(offset / span) as usize] & OFFSET;
        let at = l2 + ((offset % span) >> bits) * self.entry_size();
        let length = SLICE.min(cluster);
        let slice = self.slice(file, at - at % length, length)?;
        let start = (at % length) as usize;
        let word = |index: usize| {
            slice[start + index..start + index + 8].iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
        };
        let entry: u64 = word(0);
        let inside = offset % cluster;
        let index = offset >> bits;

        if entry & COMPRESSED != 0 {
            return Ok((self.compressed(entry, index)?, cluster - inside));
        }
        if entry & L2_RESERVED != 0 {
            return Err(self.corrupt(format!(
                "the L2 entry of cluster {index} is {entry:#018x}, which has reserved bits set"
            )));
        }
        let host = entry & OFFSET;
        if !host.is_multiple_of(cluster) {
            return Err(
                self.corrupt(format!("cluster {index} lies at {host:#x}, which is no multiple of {cluster}"))
            );
        }
        if !self.header.extended_l2 {
            return match (entry & 1 != 0, host) {
                (true, _) if self.header.version < 3 => Err(self.corrupt(format!(
                    "the L2 entry of cluster {index} is {entry:#018x}, but version 2 has no zero clusters"
                ))),
                (true, _) | (false, 0) => Ok((Place::Zero, cluster - inside)),
                (false, _) => Ok((self.data(host, inside, cluster, index)?, cluster - inside)),
            };
        }
        if entry & 1 != 0 {
            return Err(self.corrupt(format!(
                "the L2 entry of cluster {index} is {entry:#018x}, which has reserved bits set"
            )));
        }
        let (bitmap, subcluster) = (word(8), cluster / 32);
        let number = inside / subcluster;
        let place = match (bitmap >> (32 + number) & 1 != 0, bitmap >> number & 1 != 0) {
            (true, true) => {
                return Err(self
                    .corrupt(format!("subcluster {number} of cluster {index} is both zero and allocated")));
            }
            (false, true) if host == 0 => {
                return Err(self.corrupt(format!(
                    "subcluster {number} of cluster {index} is allocated, but its cluster is not"
                )));
            }
            (false, true) => self.data(host, inside, subcluster, index)?,
            (_, false) => Place::Zero,
        };
        Ok((place, subcluster - inside % subcluster))
    }

    /// The byte `inside` of an uncompressed cluster, which is stored in units of `unit` bytes.
    /// Of the unit, what lies behind the virtual disk's end may be missing in the file; any
    /// other missing byte means that the file was cut off.
    fn data(&self, host: u64, inside: u64, unit: u64, index: u64) -> Result<Place, Error> {
        let disk_end = self.header.size - (index << self.header.cluster_bits);
        let needed = (inside - inside % unit + unit).min(disk_end);
        if host + needed > self.length {
            return Err(self.corrupt(format!(
                "cluster {index} lies at {host:#x}, but the file ends at {:#x}: it is truncated",
                self.length
            )));
        }
        Ok(Place::Data(host + inside))
    }

    fn compressed(&self, entry: u64, index: u64) -> Result<Place, Error> {
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
        Ok(Place::Compressed { offset, length: end - offset })
    }
}
