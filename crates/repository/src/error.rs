//! What can be wrong with a repository.

use std::path::PathBuf;

/// Why a signature proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Distrust {
    /// There is none.
    #[error("it is not signed")]
    Unsigned,
    /// No key is given to check it with.
    #[error("there is no keyring to check its signature with")]
    NoKeyring,
    /// By keys that no keyring has.
    #[error("it is signed by {}, which no given keyring has", .0.join(", "))]
    UnknownKey(Vec<String>),
    /// The content is not what was signed.
    #[error("the signature by {0} does not fit: the file was changed after it was signed, or damaged")]
    Bad(String),
    /// A digest that can be forged.
    #[error("the signature by {key} uses {digest}, which can be forged")]
    WeakDigest {
        /// The key.
        key: String,
        /// The digest's name.
        digest: String,
    },
    /// A key that can be broken.
    #[error("the key {key} is too weak: {what}")]
    WeakKey {
        /// The key.
        key: String,
        /// Why.
        what: String,
    },
    /// The key was not valid any more, or not yet, when it signed.
    #[error("the key {key} expired at {at}")]
    KeyExpired {
        /// The key.
        key: String,
        /// When.
        at: String,
    },
    /// The key's owner has withdrawn it.
    #[error("the key {0} is revoked")]
    KeyRevoked(String),
    /// The key is not one that may sign.
    #[error("the key {0} may not sign data")]
    NotForSigning(String),
    /// The signature's own end has passed.
    #[error("the signature by {key} expired at {at}")]
    SignatureExpired {
        /// The key.
        key: String,
        /// When.
        at: String,
    },
    /// Made after now.
    #[error("the signature by {key} is of {at}, which is still to come; check the clock")]
    SignatureInFuture {
        /// The key.
        key: String,
        /// When.
        at: String,
    },
    /// No clear-signed message, or one that says more than what is signed.
    #[error("{0}")]
    Malformed(String),
}

/// Why a signed `Release` is not to be used now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stale {
    /// `Valid-Until` has passed.
    #[error("it was valid until {until}; a mirror that stands still, or somebody who hides updates")]
    Expired {
        /// Until when.
        until: String,
    },
    /// `Date` is still to come.
    #[error("it is of {date}, which is still to come; check the clock")]
    Future {
        /// Its date.
        date: String,
    },
    /// Older than what was seen before.
    #[error("it is of {date}, and one of {seen} was seen before: it was rolled back")]
    RolledBack {
        /// Its date.
        date: String,
        /// The date that was seen.
        seen: String,
    },
    /// Of another suite.
    #[error("it is of the suite {found}, and {wanted} was asked for")]
    OtherSuite {
        /// What was asked for.
        wanted: String,
        /// What it says.
        found: String,
    },
}

/// What went wrong. Messages name the file or address, and what to do where there is something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The image's files.
    #[error(transparent)]
    Guest(#[from] hardtack_guest::Error),
    /// A line of a list of sources, or a repository of a recipe.
    #[error("{place}: {what}")]
    Source {
        /// The file and line, or the repository.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// A service did not give what was asked for.
    #[error("{url}: {what}")]
    Network {
        /// The address, without password.
        url: String,
        /// What happened.
        what: String,
    },
    /// A file of this machine.
    #[error("{}: {what}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        what: String,
    },
    /// A signature that proves nothing.
    #[error("{file}: {distrust}")]
    Untrusted {
        /// The file.
        file: String,
        /// Why.
        distrust: Distrust,
    },
    /// A `Release` that is not to be used now.
    #[error("{file}: {stale}")]
    Stale {
        /// The file.
        file: String,
        /// Why.
        stale: Stale,
    },
    /// A file of a repository that is not what the signed index says.
    #[error("{file}: {what}")]
    Mismatch {
        /// The file.
        file: String,
        /// What differs.
        what: String,
    },
    /// A file of a repository that cannot be read.
    #[error("{file}{}: {what}", .line.map(|line| format!(":{line}")).unwrap_or_default())]
    Malformed {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: Option<usize>,
        /// What is wrong.
        what: String,
    },
    /// The repositories offer another thing than the lock file has.
    #[error("{lock}: {what}")]
    Locked {
        /// The lock file, or what stands for it.
        lock: String,
        /// What differs.
        what: String,
    },
    /// Not at hand without a network.
    #[error("{file}: {what}")]
    Offline {
        /// What is missing.
        file: String,
        /// Where it was looked for.
        what: String,
    },
}

impl Error {
    pub(crate) fn file(path: impl Into<PathBuf>, what: impl ToString) -> Self {
        Self::File { path: path.into(), what: what.to_string() }
    }

    pub(crate) fn source(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Source { place: place.into(), what: what.into() }
    }

    pub(crate) fn malformed(file: impl Into<String>, line: Option<usize>, what: impl Into<String>) -> Self {
        Self::Malformed { file: file.into(), line, what: what.into() }
    }

    pub(crate) fn mismatch(file: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Mismatch { file: file.into(), what: what.into() }
    }
}
