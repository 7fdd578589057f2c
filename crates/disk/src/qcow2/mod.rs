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
//! a reader of the active disk needs neither. Backing files are read when the caller allows it.

mod backing;
mod header;
mod inflate;
mod layer;
mod table;

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use self::backing::Chain;
use self::layer::Layer;
use self::table::Place;
use crate::error::check_range;
use crate::lock::refuse_locked;
use crate::raw::open_file;
use crate::{BlockSource, Error, RawSource, ranges};

pub use self::backing::Backing;
pub(crate) use self::header::{Compression, Header, MAGIC};
pub(crate) use self::inflate::WINDOW_LOG_MAX;
pub(crate) use self::table::Stored;

/// Memory for inflated clusters in bytes. Reads of whole clusters do not use it.
const CACHE: u64 = 16 << 20;

/// Inflated clusters whose numbers share a remainder. A file system keeps what belongs together at
/// round distances: with one cluster for each remainder, an inode table and a directory drove
/// each other out thousands of times.
const WAYS: usize = 4;

/// A cluster that was inflated: its file in the chain, its number, its bytes.
type Inflated = (usize, u64, Vec<u8>);

/// The last [`WAYS`] clusters with one remainder, the latest first.
type Slot = Mutex<Vec<Inflated>>;

/// A qcow2 image, opened read-only. All memory it takes is bounded, however many backing files
/// it has: L1 tables (at most 32 MiB, and never longer than the files), 8 MiB of L2 slices,
/// 16 MiB of inflated clusters.
pub struct Qcow2Source {
    /// The image itself and its backing files, each behind the one that names it.
    layers: Vec<Layer>,
    /// The raw image at the end of the chain.
    raw: Option<RawSource>,
    inflated: Vec<Slot>,
}

impl Qcow2Source {
    /// Opens `path`, which must need no backing file. What cannot be read without a doubt is
    /// refused: see [`Error::is_refusal`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_with(path, &Backing::Refuse)
    }

    /// Opens `path`, and its backing files as `backing` allows.
    pub fn open_with(path: &Path, backing: &Backing) -> Result<Self, Error> {
        let (file, length) = open_file(path)?;
        refuse_locked(&file, path)?;
        Self::new_with(file, path, length, backing)
    }

    pub(crate) fn new(file: File, path: &Path, length: u64) -> Result<Self, Error> {
        Self::new_with(file, path, length, &Backing::Refuse)
    }

    pub(crate) fn new_with(file: File, path: &Path, length: u64, backing: &Backing) -> Result<Self, Error> {
        let Chain { layers, raw } = backing::open_chain(file, path, length, backing)?;
        let largest = layers.iter().map(Layer::cluster).max().unwrap_or(CACHE);
        let slots = (CACHE / largest).clamp(8, 1024) / WAYS as u64;
        let inflated = (0..slots).map(|_| Mutex::new(Vec::new())).collect();
        Ok(Self { layers, raw, inflated })
    }

    /// The image's own file, the first of the chain.
    fn top(&self) -> &Layer {
        // A chain starts with the image itself.
        &self.layers[0]
    }

    /// The number of internal snapshots (`nb_snapshots`, bytes 60 to 63 of the header), which nothing
    /// here reads.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read.
    pub fn snapshots(&self) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        self.file()
            .read_exact_at(&mut bytes, 60)
            .map_err(|error| Error::io(self.path(), "read the number of snapshots at 0x3c", error))?;
        Ok(u32::from_be_bytes(bytes))
    }

    /// The size of the image's clusters in bytes.
    pub fn cluster_size(&self) -> u64 {
        self.top().cluster()
    }

    /// True when parts of the disk lie in backing files.
    pub fn has_backing(&self) -> bool {
        self.layers.len() > 1 || self.raw.is_some()
    }

    /// The files below the image's own, each behind the one that names it.
    pub fn backing_files(&self) -> Vec<&Path> {
        let layers = self.layers.iter().skip(1).map(Layer::path);
        layers.chain(self.raw.as_ref().map(RawSource::path)).collect()
    }

    /// How the image's own file stores the cluster `index` of the disk.
    pub(crate) fn cluster_at(&self, index: u64) -> Result<Stored, Error> {
        self.top().stored(index)
    }

    /// What the image's header says.
    pub(crate) fn header(&self) -> &Header {
        self.top().header()
    }

    /// The image's own file, without its backing file.
    pub(crate) fn file(&self) -> &File {
        self.top().file()
    }

    /// The path that the image was opened by.
    pub(crate) fn path(&self) -> &Path {
        self.top().path()
    }

    /// Fills `buf` with a part of the compressed cluster that holds the byte `at` of the layer.
    fn read_inflated(&self, depth: usize, at: u64, stored: (u64, u64), buf: &mut [u8]) -> Result<(), Error> {
        let layer = &self.layers[depth];
        let (index, inside) = (at / layer.cluster(), (at % layer.cluster()) as usize);
        if buf.len() as u64 == layer.cluster() {
            return layer.inflate(index, stored.0, stored.1, buf);
        }
        // The lock is held while inflating, so that threads after the same cluster wait for the
        // first one instead of doing the work again.
        let slot = &self.inflated[(index % self.inflated.len() as u64) as usize];
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.iter().position(|(of, number, _)| (*of, *number) == (depth, index)) {
            Some(found) => slot[..=found].rotate_right(1),
            None => {
                let oldest = if slot.len() < WAYS { None } else { slot.pop() };
                let mut bytes = oldest.map_or_else(Vec::new, |(_, _, bytes)| bytes);
                bytes.resize(layer.cluster() as usize, 0);
                layer.inflate(index, stored.0, stored.1, &mut bytes)?;
                slot.insert(0, (depth, index, bytes));
            }
        }
        if let Some((_, _, bytes)) = slot.first() {
            buf.copy_from_slice(&bytes[inside..inside + buf.len()]);
        }
        Ok(())
    }

    /// Fills `buf` with what the layer `depth` and those below it hold from `offset` on; behind
    /// the end of a backing file there are zeros.
    fn read_layer(&self, depth: usize, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        let Some(layer) = self.layers.get(depth) else {
            let size = self.raw.as_ref().map_or(0, BlockSource::len);
            let (held, behind) = split_at_end(offset, size, buf);
            behind.fill(0);
            return match &self.raw {
                Some(raw) if !held.is_empty() => raw.read_at(offset, held),
                _ => Ok(()),
            };
        };
        let (buf, behind) = split_at_end(offset, layer.size(), buf);
        behind.fill(0);
        let mut done = 0;
        while done < buf.len() {
            let at = offset + done as u64;
            let left = (buf.len() - done) as u64;
            let (place, mut length) = layer.place(at, left)?;
            // What lies together is read together, whatever tables describe it.
            while length < left && !matches!(place, Place::Compressed { .. }) {
                let (next, more) = layer.place(at + length, left - length)?;
                if next != place.after(length) {
                    break;
                }
                length += more;
            }
            let part = &mut buf[done..done + length as usize];
            match place {
                Place::Zero => part.fill(0),
                Place::Absent => self.read_layer(depth + 1, at, part)?,
                Place::Data(host) => layer.read_file(host, part)?,
                Place::Compressed { offset, length } => {
                    self.read_inflated(depth, at, (offset, length), part)?;
                }
            }
            done += length as usize;
        }
        Ok(())
    }

    /// Appends what may be data in `within`, as the layer `depth` and those below it say.
    fn layer_ranges(
        &self,
        depth: usize,
        within: Range<u64>,
        found: &mut Vec<Range<u64>>,
    ) -> Result<(), Error> {
        let Some(layer) = self.layers.get(depth) else {
            if let Some(raw) = &self.raw {
                let end = within.end.min(raw.len());
                if within.start < end {
                    found.extend(raw.data_ranges(within.start..end)?);
                }
            }
            return Ok(());
        };
        let end = within.end.min(layer.size());
        let mut at = within.start;
        while at < end {
            let (place, length) = layer.place(at, end - at)?;
            let range = at..at + length;
            at = range.end;
            match place {
                Place::Zero => {}
                Place::Absent => self.layer_ranges(depth + 1, range, found)?,
                Place::Data(_) | Place::Compressed { .. } => match found.last_mut() {
                    Some(last) if last.end == range.start => last.end = range.end,
                    _ => found.push(range),
                },
            }
        }
        Ok(())
    }
}

/// The parts of a read from `offset` on before and behind a disk's end.
fn split_at_end(offset: u64, size: u64, buf: &mut [u8]) -> (&mut [u8], &mut [u8]) {
    let held = size.saturating_sub(offset).min(buf.len() as u64);
    buf.split_at_mut(held as usize)
}

impl BlockSource for Qcow2Source {
    fn len(&self) -> u64 {
        self.top().size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        check_range(offset, buf.len(), self.len())?;
        self.read_layer(0, offset, buf)
    }

    fn data_ranges(&self, within: Range<u64>) -> Result<Vec<Range<u64>>, Error> {
        let mut found = Vec::new();
        self.layer_ranges(0, within, &mut found)?;
        Ok(ranges::merge(found))
    }
}
