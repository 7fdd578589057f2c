//! What can go wrong with a disk image, with the numbers that were found.

use std::path::PathBuf;

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
    #[error("{path}: the image is in use by another program (a running virtual machine?)", path = .path.display())]
    Locked {
        /// The host's file.
        path: PathBuf,
    },
}
