//! Errors of looking into, and changing, a guest.

use crate::GuestPath;

/// What a guest's tree answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk below failed.
    #[error(transparent)]
    Disk(#[from] hardtack_disk::Error),
    /// A file system refused or is damaged. The text names the file system and the structure.
    #[error("{file_system}: {what}")]
    FileSystem {
        /// Which one, for people ("ext4 on partition 1").
        file_system: String,
        /// What was found.
        what: String,
    },
    /// The path exists but is of another type than the operation needs.
    #[error("{path}: is {found}, not {wanted}")]
    WrongType {
        /// The path.
        path: GuestPath,
        /// What it is ("a directory").
        found: &'static str,
        /// What was needed.
        wanted: &'static str,
    },
    /// The path is missing.
    #[error("{path}: no such file or directory in the image")]
    Missing {
        /// The path.
        path: GuestPath,
    },
    /// Too many symbolic links on the way, or a loop of them (the kernel's limit is 40).
    #[error("{path}: too many levels of symbolic links")]
    LinkLoop {
        /// The path as asked for.
        path: GuestPath,
    },
    /// The file is larger than what is read at once.
    #[error("{path}: {size} bytes; at most {limit} are read into memory")]
    TooLarge {
        /// The path.
        path: GuestPath,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A text file of the guest that must be understood is not what it should be.
    #[error("{path}{}: {what}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
    Content {
        /// The path.
        path: GuestPath,
        /// The line, counted from 1.
        line: Option<usize>,
        /// What is wrong.
        what: String,
    },
    /// The image, as a whole, cannot be worked on.
    #[error("{0}")]
    Refused(String),
}
