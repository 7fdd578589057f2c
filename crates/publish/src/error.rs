//! What can go wrong between a disk and an image.

use std::path::{Path, PathBuf};

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that was asked for makes no sense, or cannot go well.
    #[error("{0}")]
    Usage(String),
    /// The image, or what a file holds, is refused.
    #[error("{0}")]
    Refused(String),
    /// The answer is no: a trial failed.
    #[error("{0}")]
    No(String),
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
    /// A cloud.
    #[error(transparent)]
    Cloud(#[from] hardtack_cloud::Error),
    /// A cloud, about an object of a bucket.
    #[error("{object}: cannot {what}: {source}")]
    Object {
        /// `BUCKET/KEY`.
        object: String,
        /// What was tried, as an infinitive.
        what: &'static str,
        /// Why it failed.
        source: hardtack_cloud::Error,
    },
    /// Images and instances of this machine.
    #[error(transparent)]
    Local(#[from] hardtack_local::Error),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] hardtack_disk::Error),
    /// The bundle.
    #[error(transparent)]
    Bundle(#[from] hardtack_bundle::Error),
}

impl Error {
    /// A file that cannot be used.
    pub fn file(path: &Path, what: &'static str, source: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), what, source }
    }
}
