//! One qcow2 file of a chain: its tables and its clusters, without what lies below it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::header::{self, Header};
use super::inflate;
use super::table::{Place, Stored, Tables};
use crate::Error;

/// A qcow2 file, opened read-only.
#[derive(Debug)]
pub(super) struct Layer {
    file: File,
    path: PathBuf,
    tables: Tables,
}

impl Layer {
    /// Reads and checks the header and the L1 table of `file`, which has `length` bytes and is
    /// the `depth`th of its chain.
    pub(super) fn open(file: File, path: &Path, length: u64, depth: usize) -> Result<Self, Error> {
        let header = header::read(&file, path, length)?;
        let tables = Tables::read(&file, path, length, header, depth)?;
        Ok(Self { file, path: path.to_owned(), tables })
    }

    pub(super) fn header(&self) -> &Header {
        self.tables.header()
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The size of the disk in bytes.
    pub(super) fn size(&self) -> u64 {
        self.header().size
    }

    /// The size of a cluster in bytes.
    pub(super) fn cluster(&self) -> u64 {
        1 << self.header().cluster_bits
    }

    /// How the file stores the cluster `index`.
    pub(super) fn stored(&self, index: u64) -> Result<Stored, Error> {
        self.tables.stored(&self.file, index)
    }

    /// Where the disk's bytes from `offset` on lie, and how many of them, `limit` at most.
    /// What follows may be of the same kind.
    pub(super) fn place(&self, offset: u64, limit: u64) -> Result<(Place, u64), Error> {
        let (place, valid) = self.tables.place(&self.file, offset)?;
        Ok((place, valid.min(limit)))
    }

    /// Fills `buf` from the file, not from the disk.
    pub(super) fn read_file(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        let length = buf.len();
        self.file
            .read_exact_at(buf, offset)
            .map_err(|source| Error::io(&self.path, format!("read {length} bytes at {offset:#x}"), source))
    }

    /// Inflates the whole cluster `index`, which lies in `length` bytes from `offset` on.
    pub(super) fn inflate(&self, index: u64, offset: u64, length: u64, out: &mut [u8]) -> Result<(), Error> {
        // `length` is less than two clusters: the format has no more bits for it.
        inflate::with_input(length as usize, |input| {
            self.read_file(offset, input)?;
            inflate::inflate(self.header().compression, input, out).map_err(|reason| Error::Corrupt {
                path: self.path.clone(),
                format: "qcow2",
                what: format!("compressed cluster {index} at {offset:#x}: {reason}"),
            })
        })
    }
}
