//! The lock file: what was taken, so that another build takes the same.

use serde::{Deserialize, Serialize};

use crate::{Catalogue, Error, Request, Solution};

/// A repository that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedRepository {
    /// Its address.
    pub uri: String,
    /// The suite.
    pub suite: String,
    /// `Date`, as in its `Release`.
    pub date: String,
    /// SHA-256 of what was signed.
    pub sha256: String,
}

/// A package that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedPackage {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub architecture: String,
    /// Its version.
    pub version: String,
    /// The address of its repository.
    pub repository: String,
    /// Its path there.
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub sha256: String,
}

/// A lock file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// The format: 1.
    pub version: u32,
    /// Repositories, by address and suite.
    pub repositories: Vec<LockedRepository>,
    /// Packages, by name and architecture.
    pub packages: Vec<LockedPackage>,
    /// Packages that go, by name.
    pub removed: Vec<String>,
}

impl Lock {
    /// What a solution takes.
    #[must_use]
    pub fn of(_catalogue: &Catalogue, _solution: &Solution) -> Self {
        Self { version: 1, repositories: Vec::new(), packages: Vec::new(), removed: Vec::new() }
    }

    /// Reads one; `name` is what messages call it.
    pub fn parse(_text: &str, name: &str) -> Result<Self, Error> {
        Err(Error::Locked { lock: name.to_owned(), what: "not there yet".to_owned() })
    }

    /// Its text: JSON, in an order of its own, with a line end.
    #[must_use]
    pub fn write(&self) -> String {
        String::new()
    }

    /// The request that takes exactly what the lock has, or what of it the catalogue does not offer.
    pub fn request(&self, _name: &str, _catalogue: &Catalogue, wanted: &Request) -> Result<Request, Error> {
        Ok(wanted.clone())
    }
}
