//! What can go wrong with a bundle: one sentence each, never with a key in it.

use std::path::{Path, PathBuf};

/// An error of bundling, unbundling or checking.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk, or the file that is written.
    #[error(transparent)]
    Disk(#[from] hardtack_disk::Error),
    /// A file of the host cannot be used.
    #[error("{path}: cannot {action}", path = .path.display())]
    Io {
        /// What was tried, as a verb phrase.
        action: String,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// What was asked for cannot be done.
    #[error("{0}")]
    Usage(String),
    /// A certificate or a private key is of no use.
    #[error("{path}: {what}", path = .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The manifest contradicts the format or itself.
    #[error("{path}: damaged manifest: {what}", path = .path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Which element, what was found.
        what: String,
    },
    /// A part is not what the manifest says.
    #[error("{path}: damaged part: {what}", path = .path.display())]
    Part {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// All parts are as they should be, and what they hold is not.
    #[error("{path}: damaged bundle: {what}", path = .path.display())]
    Content {
        /// The manifest.
        path: PathBuf,
        /// What was found, and where.
        what: String,
    },
}

impl Error {
    /// True when the *input* is at fault, false when the host or the command line is.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Disk(error) => error.is_refusal(),
            Self::Io { .. } | Self::Usage(_) | Self::Key { .. } => false,
            Self::Manifest { .. } | Self::Part { .. } | Self::Content { .. } => true,
        }
    }

    /// True when the command line, or a key that it names, is at fault.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Usage(_) | Self::Key { .. })
    }

    pub(crate) fn io(path: &Path, action: impl Into<String>, source: impl Into<std::io::Error>) -> Self {
        Self::Io { action: action.into(), path: path.to_owned(), source: source.into() }
    }
}
