//! What can go wrong with images and instances of this machine.

use std::path::{Path, PathBuf};

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that was asked for makes no sense, or cannot go well.
    #[error("{0}")]
    Usage(String),
    /// What a file holds is refused, or something does not work here.
    #[error("{0}")]
    Refused(String),
    /// A file of this machine.
    #[error("{}: cannot {what}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried, as an infinitive.
        what: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The disk.
    #[error(transparent)]
    Disk(#[from] hardtack_disk::Error),
}

impl Error {
    /// A file that cannot be used.
    pub fn file(path: &Path, what: &'static str, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), what, source }
    }
}
