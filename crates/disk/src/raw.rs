//! Raw images: the file's bytes are the disk's bytes.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::error::check_range;
use crate::{BlockSource, Error};

/// A raw image or a block device, opened read-only.
#[derive(Debug)]
pub struct RawSource {
    file: File,
    path: PathBuf,
    length: u64,
}

/// Opens a regular file or a block device read-only and tells its length in bytes.
///
/// Anything else is refused before it is opened: opening a FIFO would wait for its writer.
pub(crate) fn open_file(path: &Path) -> Result<(File, u64), Error> {
    let kind =
        std::fs::metadata(path).map_err(|source| Error::io(path, "open the image", source))?.file_type();
    if !kind.is_file() && !kind.is_block_device() {
        let what =
            if kind.is_dir() { "it is a directory" } else { "it is neither a file nor a block device" };
        let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, what);
        return Err(Error::io(path, "read an image from it", source));
    }
    let mut file = File::open(path).map_err(|source| Error::io(path, "open the image", source))?;
    // Not the metadata's length, which is 0 for a block device.
    let length =
        file.seek(SeekFrom::End(0)).map_err(|source| Error::io(path, "find the image's length", source))?;
    Ok((file, length))
}

impl RawSource {
    /// Opens `path`. A file that is empty or no whole number of 512-byte sectors is refused:
    /// no disk is, but a download that broke off is.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let (file, length) = open_file(path)?;
        Self::new(file, path, length)
    }

    pub(crate) fn new(file: File, path: &Path, length: u64) -> Result<Self, Error> {
        let corrupt = |what: String| Error::Corrupt { path: path.to_owned(), format: "raw", what };
        if length == 0 {
            return Err(corrupt("the file is empty".to_owned()));
        }
        if !length.is_multiple_of(512) {
            return Err(corrupt(format!(
                "its {length} bytes are no whole number of 512-byte sectors: it is truncated or no disk image"
            )));
        }
        Ok(Self::backing(file, path, length))
    }

    /// The path that it was opened by.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A raw image below another one, of any length: behind its end there are zeros anyway.
    pub(crate) fn backing(file: File, path: &Path, length: u64) -> Self {
        Self { file, path: path.to_owned(), length }
    }
}

impl BlockSource for RawSource {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), Error> {
        check_range(offset, buf.len(), self.length)?;
        let length = buf.len();
        self.file
            .read_exact_at(buf, offset)
            .map_err(|source| Error::io(&self.path, format!("read {length} bytes at {offset:#x}"), source))
    }

    fn data_ranges(&self, within: Range<u64>) -> Result<Vec<Range<u64>>, Error> {
        check_range(within.start, 0, self.length)?;
        let within = within.start..within.end.min(self.length);
        let mut ranges = Vec::new();
        let mut at = within.start;
        while at < within.end {
            // The file's own position moves, but nothing else here depends on it (pread).
            let start = match rustix::fs::seek(&self.file, rustix::fs::SeekFrom::Data(at)) {
                Ok(start) if start < within.end => start.max(at),
                Ok(_) | Err(Errno::NXIO) => break,
                // No hole is known here: a file system without them, or a block device.
                Err(_) => {
                    ranges.push(at..within.end);
                    break;
                }
            };
            let end = match rustix::fs::seek(&self.file, rustix::fs::SeekFrom::Hole(start)) {
                Ok(end) if end > start => end.min(within.end),
                _ => within.end,
            };
            ranges.push(start..end);
            at = end;
        }
        Ok(ranges)
    }
}
