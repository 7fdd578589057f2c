//! What can go wrong with a disk image, with the numbers that were found.

use std::path::{Path, PathBuf};

/// An error of a disk image or of the file that holds it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A read or write reached beyond the end of the disk.
    #[error("bytes {offset:#x}+{length:#x} lie beyond the disk's end at {size:#x}")]
    OutOfRange {
        /// First byte of the range.
        offset: u64,
        /// Length of the range in bytes.
        length: u64,
        /// Size of the disk in bytes.
        size: u64,
    },
    /// The host's file could not be opened, read or written.
    #[error("{path}: cannot {action}", path = .path.display())]
    Io {
        /// What was tried, as a verb phrase ("read 512 bytes at 0x200").
        action: String,
        /// The host's file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The image contradicts its own format.
    #[error("{path}: damaged {format} image: {what}", path = .path.display())]
    Corrupt {
        /// The host's file.
        path: PathBuf,
        /// The format's name.
        format: &'static str,
        /// Structure, index, offset, value found, limit.
        what: String,
    },
    /// The image is sound but uses something that is not supported.
    #[error("{path}: unsupported {format} image: {what}", path = .path.display())]
    Unsupported {
        /// The host's file.
        path: PathBuf,
        /// The format's name.
        format: &'static str,
        /// Which feature, and what to do about it.
        what: String,
    },
    /// The image is in use by another program.
    #[error("{path}: the image is open for writing in a running QEMU (or qemu-nbd): shut the virtual machine down first", path = .path.display())]
    Locked {
        /// The host's file.
        path: PathBuf,
    },
    /// The output exists and was not to be replaced.
    #[error("{path}: exists already, and is only replaced when that is asked for", path = .path.display())]
    Exists {
        /// The output.
        path: PathBuf,
    },
}

impl Error {
    /// True when the *input* is at fault (damaged, unsupported, in use), false when the
    /// host is (a missing file, a full disk, an existing output).
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::OutOfRange { .. }
            | Self::Corrupt { .. }
            | Self::Unsupported { .. }
            | Self::Locked { .. } => true,
            Self::Io { .. } | Self::Exists { .. } => false,
        }
    }

    pub(crate) fn io(path: &Path, action: impl Into<String>, source: impl Into<std::io::Error>) -> Self {
        Self::Io { action: action.into(), path: path.to_owned(), source: source.into() }
    }
}

/// Refuses a range that does not lie inside a disk of `size` bytes.
pub(crate) fn check_range(offset: u64, length: usize, size: u64) -> Result<(), Error> {
    let length = length as u64;
    match offset.checked_add(length) {
        Some(end) if end <= size => Ok(()),
        _ => Err(Error::OutOfRange { offset, length, size }),
    }
}
