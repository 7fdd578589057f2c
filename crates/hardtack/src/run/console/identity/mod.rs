//! Private keys that open sealed parts: `--identity`.
//!
//! Whatever the file's format, a key becomes one of OpenSSH's without a passphrase in memory, and
//! that is what age reads: one way in for every format, and none of age's own parsers ever sees
//! bytes that somebody else wrote. Formats: `PROTOCOL.key` of OpenSSH; RFC 8017 A.1.2 (PKCS#1)
//! with RFC 1421's headers for a passphrase; RFC 5958 (PKCS#8); an age identity file.

mod file;
mod key;
mod pkcs;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::error::CliError;
use crate::keys::Unusable;

pub(super) use key::{Half, Key, Lock, Opener};

/// One `--identity`: where it is, and the keys in it (an age identity file may hold several).
pub(super) struct Identity {
    pub(super) path: PathBuf,
    pub(super) keys: Result<Vec<Key>, Unusable>,
}

impl Identity {
    /// Looks whether a key file can be read and holds a key; of a pipe, whether it is there: it is read once.
    pub(super) fn check(path: &Path) -> Result<(), CliError> {
        let found =
            std::fs::metadata(path).map_err(|error| CliError::io(path, "read the private key", error))?;
        if !found.is_file() && !found.is_dir() {
            return Ok(());
        }
        match Self::read(path)?.keys {
            Ok(_) => Ok(()),
            Err(unusable) => Err(CliError::new(crate::error::NO, format!("{}: {unusable}", path.display()))
                .hint(unusable.advice)),
        }
    }

    /// Reads a key file; a file that cannot be read is an error, one that is no usable key is kept
    /// with the reason, since another `--identity` may do.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let keys = match file::read(path)? {
            Ok(bytes) => key::parse(&bytes, path),
            Err(unusable) => Err(unusable),
        };
        Ok(Self { path: path.to_owned(), keys })
    }
}
