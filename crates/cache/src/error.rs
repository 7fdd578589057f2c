//! Why something of a cache did not work.

use std::path::{Path, PathBuf};

use crate::Name;

/// Why something did not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An entry that is not what it says: damaged, cut off, or of another cache.
    #[error("the entry {name} is damaged: {what}")]
    Damaged {
        /// Which.
        name: Name,
        /// What was found.
        what: String,
    },
    /// A place that is no cache, or is not to be used as one.
    #[error("{place}: {what}")]
    Place {
        /// The place.
        place: String,
        /// Why.
        what: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// A file or directory of the cache.
    #[error("{}: cannot {action}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried, as an infinitive.
        action: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The bucket.
    #[error(transparent)]
    Cloud(#[from] hardtack_cloud::Error),
    /// Whoever takes what is read did not.
    #[error("cannot write what is read from the cache: {0}")]
    Taker(std::io::Error),
    /// What is to be stored is not what it was.
    #[error("{what}")]
    Changed {
        /// What has changed.
        what: String,
    },
}

impl Error {
    pub(crate) fn file(path: &Path, action: &'static str, source: impl Into<std::io::Error>) -> Self {
        Self::File { path: path.to_owned(), action, source: source.into() }
    }

    pub(crate) fn no_cache(place: String) -> Self {
        Self::Place {
            place,
            what: "there is no cache".to_owned(),
            hint: "`hardtack build --cache` and `hardtack cache add` make one",
        }
    }

    pub(crate) fn damaged(name: Name, what: impl Into<String>) -> Self {
        Self::Damaged { name, what: what.into() }
    }

    /// True where an entry is there and cannot be used.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }
}
