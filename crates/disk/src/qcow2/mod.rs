//! qcow2 images, version 2 and 3, read-only.
//!
//! Why this reader exists although the crate `qcow2-rs` does (0.1.6, measured on a 2250 MiB image
//! with zlib clusters, two cores): of 3000 malformed images 65 made it panic, 33 crash (it allocates
//! by what the header claims) and 23 hang; a sound image with 512-byte clusters hangs as well; LUKS
//! images read as ciphertext without an error; images with internal snapshots are damaged by a
//! write; zstd is not known; it keeps its state in `RefCell`s, so one thread reads, and needs
//! 4.4 s where `qemu-img convert` needs 4.0 s and one pass over the clusters on both cores 1.3 s.
//! It stays a development dependency: what we write must read the same through it.
//!
//! The format: QEMU's `docs/interop/qcow2.rst`. Refcounts and snapshots are not looked at, since
//! a reader of the active disk needs neither.

mod header;
mod inflate;
mod table;

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use self::table::{Place, Tables};
use crate::error::check_range;
use crate::raw::open_file;
use crate::{BlockSource, Error};

pub(crate) use self::header::{Compression, Header, MAGIC};
pub(crate) use self::table::Stored;

/// Memory for inflated clusters in bytes. Reads of whole clusters do not use it.
const CACHE: u64 = 16 << 20;

/// The number and the bytes of a cluster that was inflated.
type Slot = Mutex<Option<(u64, Vec<u8>)>>;

/// A qcow2 image, opened read-only. All memory it takes is bounded: the L1 table (at most
/// 32 MiB and never longer than the file), 2 MiB of L2 slices, 16 MiB of inflated clusters.
pub struct Qcow2Source {
    file: File,
    path: PathBuf,
    size: u64,
    cluster: u64,
    compression: Compression,
    tables: Tables,
    inflated: Vec<Slot>,
}

impl Qcow2Source {
    /// Opens `path`. What cannot be read without a doubt is refused: see [`Error::is_refusal`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (file, length) = open_file(path)?;
        Self::new(file, path, length)
    }

    pub(crate) fn new(file: File, path: &Path, length: u64) -> Result<Self, Error> {
        let header = header::read(&file, path, length)?;
        let (size, compression) = (header.size, header.compression);
        let cluster = 1_u64 << header.cluster_bits;
        let tables = Tables::read(&file, path, length, header)?;
        let slots = (CACHE / cluster).clamp(8, 1024);
        let inflated = (0..slots).map(|_| Mutex::new(None)).collect();
        Ok(Self { file, path: path.to_owned(), size, cluster, compression, tables, inflated })
    }

    /// The size of the image's clusters in bytes.
    pub fn cluster_size(&self) -> u64 {
        self.cluster
    }

    /// How the file stores the cluster `index` of the disk.
    pub(crate) fn cluster_at(&self, index: u64) -> Result<Stored, Error> {
        self.tables.stored(&self.file, index)
    }

    /// What the image's header says.
    pub(crate) fn header(&self) -> &Header {
        self.tables.header()
    }

    /// The image's own file, without its backing file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The path that the image was opened by.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn read_file(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        let length = buf.len();
        self.file
            .read_exact_at(buf, offset)
            .map_err(|source| Error::io(&self.path, format!("read {length} bytes at {offset:#x}"), source))
    }

    /// Inflates the whole cluster `index` into `out`.
    fn inflate(&self, index: u64, offset: u64, length: u64, out: &mut [u8]) -> Result<(), Error> {
        // `length` is less than two clusters: the format has no more bits for it.
        inflate::with_input(length as usize, |input| {
            self.read_file(offset, input)?;
            inflate::inflate(self.compression, input, out).map_err(|reason| Error::Corrupt {
                path: self.path.clone(),
                format: "qcow2",
                what: format!("compressed cluster {index} at {offset:#x}: {reason}"),
            })
        })
    }

    /// Fills `buf` with the bytes from `inside` on of the compressed cluster `index`.
    fn read_inflated(&self, index: u64, inside: u64, place: (u64, u64), buf: &mut [u8]) -> Result<(), Error> {
        if buf.len() as u64 == self.cluster {
            return self.inflate(index, place.0, place.1, buf);
        }
        // The lock is held while inflating, so that threads after the same cluster wait for the
        // first one instead of doing the work again.
        let slot = &self.inflated[(index % self.inflated.len() as u64) as usize];
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.as_ref().is_none_or(|(of, _)| *of != index) {
            let mut bytes = slot.take().map_or_else(|| vec![0; self.cluster as usize], |(_, bytes)| bytes);
            self.inflate(index, place.0, place.1, &mut bytes)?;
            *slot = Some((index, bytes));
        }
        if let Some((_, bytes)) = &*slot {
            let inside = inside as usize;
            buf.copy_from_slice(&bytes[inside..inside + buf.len()]);
        }
        Ok(())
    }
}

impl BlockSource for Qcow2Source {
    fn len(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        check_range(offset, buf.len(), self.size)?;
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done as u64;
            let left = buf.len() - done;
            let (place, valid) = self.tables.place(&self.file, at)?;
            let mut length = usize::try_from(valid).unwrap_or(usize::MAX).min(left);
            match place {
                Place::Zero | Place::Absent => buf[done..done + length].fill(0),
                Place::Data(host) => {
                    // Clusters that follow each other in the file are read together.
                    while length < left {
                        let (next, valid) = self.tables.place(&self.file, at + length as u64)?;
                        if next != Place::Data(host + length as u64) {
                            break;
                        }
                        length += usize::try_from(valid).unwrap_or(usize::MAX).min(left - length);
                    }
                    self.read_file(host, &mut buf[done..done + length])?;
                }
                Place::Compressed { offset, length: stored } => {
                    let (index, inside) = (at / self.cluster, at % self.cluster);
                    self.read_inflated(index, inside, (offset, stored), &mut buf[done..done + length])?;
                }
            }
            done += length;
        }
        Ok(())
    }

    fn data_ranges(&self, within: Range<u64>) -> Result<Vec<Range<u64>>, Error> {
        let end = within.end.min(self.size);
        let mut ranges: Vec<Range<u64>> = Vec::new();
        let mut at = within.start;
        while at < end {
            let (place, valid) = self.tables.place(&self.file, at)?;
            let next = at.saturating_add(valid).min(end);
            if !matches!(place, Place::Zero | Place::Absent) {
                match ranges.last_mut() {
                    Some(last) if last.end == at => last.end = next,
                    _ => ranges.push(at..next),
                }
            }
            at = next;
        }
        Ok(ranges)
    }
}
