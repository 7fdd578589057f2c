//! Images on this machine: a directory for each, registered without any cloud.
//!
//! `CATALOG/images/ami-…/disk.qcow2` and `image.json`; `CATALOG/buckets/BUCKET/KEY` for bundles.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::pending;

/// An image of the catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// `ami-` and 17 hexadecimal digits.
    pub id: String,
    /// Its name; no two have the same.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// `x86_64`, `arm64`.
    pub architecture: String,
    /// `legacy-bios`, `uefi`, `uefi-preferred`.
    pub boot_mode: Option<String>,
    /// Bytes of the disk.
    pub size: u64,
    /// Seconds since 1970.
    pub created: u64,
    /// Tags.
    pub tags: std::collections::BTreeMap<String, String>,
}

/// The catalog in a directory.
#[derive(Clone, Debug)]
pub struct Catalog {
    directory: PathBuf,
}

impl Catalog {
    /// The catalog in `directory`, which need not be there yet.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// All images, oldest first.
    pub fn images(&self) -> Result<Vec<Entry>, Error> {
        pending()
    }

    /// The image of that id or name.
    pub fn find(&self, id_or_name: &str) -> Result<Option<Entry>, Error> {
        let _ = id_or_name;
        pending()
    }

    /// Where an image's disk is.
    pub fn disk(&self, id: &str) -> PathBuf {
        self.directory.join("images").join(id).join("disk.qcow2")
    }

    /// Adds an image: `write` writes the disk to the path that it is given (in a directory that gets its name when all
    /// of it is there).
    ///
    /// # Errors
    /// An image of that name is there; writing fails.
    pub fn add<E: From<Error>>(
        &self,
        entry: &Entry,
        write: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        let _ = (entry, write);
        Err(E::from(Error::Refused("not written yet".to_owned())))
    }

    /// Removes an image; false where there is none.
    pub fn remove(&self, id: &str) -> Result<bool, Error> {
        let _ = id;
        pending()
    }
}
