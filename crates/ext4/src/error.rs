//! What can go wrong on an ext4 file system.

use crate::Kind;

/// An error of reading or changing an ext4 file system. Paths are absolute inside it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk below failed.
    #[error(transparent)]
    Disk(#[from] hardtack_disk::Error),
    /// There is no ext2, ext3 or ext4 superblock.
    #[error("no ext4 file system: the superblock's magic number is {found:#06x}, not 0xef53")]
    NotExt4 {
        /// What stands at byte 0x438.
        found: u16,
    },
    /// A structure contradicts itself or the disk.
    #[error("damaged: {0}")]
    Damaged(String),
    /// The file system cannot even be read.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// The file system can be read but must not be changed.
    #[error("cannot be changed: {0}")]
    ReadOnly(String),
    /// The path, or a directory above it, does not exist.
    #[error("{path}: no such file or directory")]
    Missing {
        /// The path.
        path: String,
    },
    /// The path is of another type than the operation needs.
    #[error("{path}: is {}, not {wanted}", .found.describe())]
    WrongType {
        /// The path.
        path: String,
        /// What it is.
        found: Kind,
        /// What was needed ("a directory").
        wanted: &'static str,
    },
    /// Something of that name exists already.
    #[error("{path}: exists already")]
    Exists {
        /// The path.
        path: String,
    },
    /// A directory to be removed or replaced still has entries.
    #[error("{path}: the directory is not empty")]
    NotEmpty {
        /// The path.
        path: String,
    },
    /// The file system is full.
    #[error("{path}: {needed} bytes are needed, but the file system has {free} bytes free")]
    NoSpace {
        /// What was being written.
        path: String,
        /// Bytes needed, in whole blocks.
        needed: u64,
        /// Bytes free, reserved blocks included.
        free: u64,
    },
    /// The inode table is full.
    #[error("{path}: the file system has no free inode left (it holds {inodes})")]
    NoInodes {
        /// What was being created.
        path: String,
        /// Number of inodes of the file system.
        inodes: u32,
    },
    /// The operation failed for another reason, on a structure or limit that the text names.
    #[error("{path}: cannot {action}: {what}")]
    Operation {
        /// The path.
        path: String,
        /// What was tried, as a verb phrase ("replace its content").
        action: &'static str,
        /// The reason.
        what: String,
    },
}

impl Error {
    /// Names the file that an operation was about, where the code below did not know it.
    pub(crate) fn at(mut self, named: &str) -> Self {
        match &mut self {
            Self::Missing { path }
            | Self::WrongType { path, .. }
            | Self::Exists { path }
            | Self::NotEmpty { path }
            | Self::NoSpace { path, .. }
            | Self::NoInodes { path, .. }
            | Self::Operation { path, .. } => {
                if path.is_empty() {
                    named.clone_into(path);
                }
            }
            Self::Damaged(what) | Self::ReadOnly(what) => {
                let text = format!("{named}: {what}");
                *what = text;
            }
            Self::Disk(_) | Self::NotExt4 { .. } | Self::Unsupported(_) => {}
        }
        self
    }
}
