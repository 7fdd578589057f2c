//! Containers: images that are compressed, packed into archives, or wrapped in the formats of
//! other virtual machines.
//!
//! A format is told by the bytes, never by a name. What can be read in place is (a member of a
//! plain tar file, a VHD, a VMDK); what comes as a stream only is unpacked once, into a temporary
//! file without a name, with holes where it is zero. Names inside archives are never used to write.
//!
//! | module | what it knows |
//! |---|---|
//! | `explore` | which way leads from the file to the disk |
//! | `choice` | which member of an archive is the disk |
//! | `codec` | gzip, xz, zstd, bzip2 |
//! | `tar`, `cpio`, `rpm` | archives |
//! | `vmdk`, `vhd` | disks of other programs |
//! | `input`, `scratch` | bytes in a file or a stream, and from one to the other |

mod choice;
mod codec;
mod cpio;
mod explore;
mod input;
mod rpm;
mod scratch;
mod tar;
mod vhd;
mod vmdk;

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::lock::refuse_locked;
use crate::raw::open_file;
use crate::{Backing, BlockSource, Error, Qcow2Source, RawSource, Window};

pub(crate) use self::codec::Codec;
pub(crate) use self::tar::is_tar_header;
pub use self::vhd::VhdSource;
pub use self::vmdk::VmdkSource;

/// How a source may be opened. The default opens what can be read in place.
#[derive(Clone, Default)]
pub struct SourceOptions<'a> {
    /// Whether the file may be an image with a backing file. One inside a container never may.
    pub backing: Backing,
    /// The directory for the temporary file into which a source is unpacked. Without it, a source
    /// that has to be unpacked is refused.
    pub scratch: Option<PathBuf>,
    /// The archive's member that is the disk, by its path or its last component. Without it, an
    /// archive must hold one disk only.
    pub member: Option<String>,
    /// The largest unpacked size in bytes, zeros included; else what is free in the scratch
    /// directory. Nothing fills that directory: [`MARGIN`] bytes stay free in it.
    pub limit: Option<u64>,
    /// Called with (bytes of the file read, all bytes of the file) while it is unpacked, often.
    pub progress: Option<&'a (dyn Fn(u64, u64) + Sync)>,
}

/// Bytes that unpacking leaves free in the scratch directory; on small file systems a twentieth.
pub const MARGIN: u64 = 64 << 20;

/// A disk in one of the formats that are read.
#[non_exhaustive]
pub enum Source {
    /// The file's bytes are the disk's bytes.
    Raw(RawSource),
    /// A part of a file is the disk: a member of a tar archive.
    Part(Window<RawSource>),
    /// qcow2.
    Qcow2(Box<Qcow2Source>),
    /// VMDK, stream-optimised or sparse.
    Vmdk(VmdkSource),
    /// VHD, fixed or dynamic.
    Vhd(VhdSource),
}

impl Source {
    /// The qcow2 image, if it is one: its clusters can be taken over as they are.
    pub fn as_qcow2(&self) -> Option<&Qcow2Source> {
        match self {
            Self::Qcow2(source) => Some(source),
            _ => None,
        }
    }

    /// The number of internal snapshots, which nothing here reads.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read.
    pub fn snapshots(&self) -> Result<u32, Error> {
        self.as_qcow2().map_or(Ok(0), Qcow2Source::snapshots)
    }

    fn disk(&self) -> &dyn BlockSource {
        match self {
            Self::Raw(disk) => disk,
            Self::Part(disk) => disk,
            Self::Qcow2(disk) => disk,
            Self::Vmdk(disk) => disk,
            Self::Vhd(disk) => disk,
        }
    }
}

impl BlockSource for Source {
    fn len(&self) -> u64 {
        self.disk().len()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        self.disk().read_at(offset, buf)
    }

    fn data_ranges(&self, within: Range<u64>) -> Result<Vec<Range<u64>>, Error> {
        self.disk().data_ranges(within)
    }
}

/// A source, and what it was wrapped in.
pub struct Opened {
    /// The disk.
    pub source: Source,
    /// The disk's format, then those around it from the inside out: qcow2, tar, gzip.
    pub formats: Vec<&'static str>,
    /// The names of the archives' members on the way to the disk, from the outside in.
    pub members: Vec<String>,
}

impl Opened {
    /// True when the file itself is the disk, without a container around it.
    pub fn is_direct(&self) -> bool {
        self.formats.len() == 1
    }

    /// The chain of formats in words: "qcow2 in tar in gzip".
    pub fn describe(&self) -> String {
        self.formats.join(" in ")
    }
}

/// Takes all of `stream`, and at most `most` bytes, into a file without a name in `directory`, with holes where it is
/// zero; the file and its length. `name` is what messages call the stream. Memory is bounded.
///
/// # Errors
/// [`Error::Io`] when the stream cannot be read, or the directory is full ([`MARGIN`] bytes stay free in it).
pub fn spool(stream: &mut dyn Read, name: &Path, directory: &Path, most: u64) -> Result<(File, u64), Error> {
    let budget = codec::Budget::new(name, most, false);
    let mut stream = scratch::Stream::Plain(Box::new(stream.take(most)));
    let landed = scratch::land(&mut stream, directory, name, "stream", &budget)?;
    let file = landed.file.try_clone().map_err(|source| Error::io(name, "hold on to it", source))?;
    Ok((file, landed.len()))
}

/// The same as [`open_source_with`] of a file that is open, `length` bytes long; `name` is what messages call it.
///
/// # Errors
/// As of [`open_source_with`].
pub fn open_spooled_with(
    file: File,
    length: u64,
    name: &Path,
    options: &SourceOptions<'_>,
) -> Result<Opened, Error> {
    explore::open(file, name, length, options)
}

/// Opens an image read-only, whatever it is wrapped in.
///
/// Refused ([`Error::is_refusal`]): a format that is not read; a damaged or truncated image or
/// container; an archive without a disk, or with several and no [`SourceOptions::member`]; more
/// than four containers in each other; an image that a running QEMU has open for writing.
pub fn open_source_with(path: &Path, options: &SourceOptions<'_>) -> Result<Opened, Error> {
    let (file, length) = open_file(path)?;
    refuse_locked(&file, path)?;
    explore::open(file, path, length, options)
}
