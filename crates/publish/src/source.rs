//! An image or a snapshot of a cloud as a disk that is read block by block.

use hardtack_cloud::Client;
use hardtack_disk::BlockSource;

use crate::error::pending;
use crate::journal::Journal;
use crate::{Error, Teller};

/// What a source is called by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// `ami-…`.
    Image(String),
    /// `snap-…`.
    Snapshot(String),
    /// `ssm:/aws/service/…`: a parameter with an image's id.
    Parameter(String),
    /// `owner=…,name=…` (`*` and `?` in names; other filters too): the newest of them.
    Newest {
        /// Owners.
        owners: Vec<String>,
        /// Filters: name, values.
        filters: Vec<(String, Vec<String>)>,
    },
}

impl Name {
    /// What `text` means; `None` where it is a path.
    ///
    /// # Errors
    /// It begins like one of these and is none.
    pub fn parse(text: &str) -> Result<Option<Self>, Error> {
        let _ = text;
        pending()
    }
}

/// What a name came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The name as it was given.
    pub given: String,
    /// The region.
    pub region: String,
    /// The image, unless a snapshot was named.
    pub image: Option<hardtack_cloud::ec2::Image>,
    /// The snapshot of its root.
    pub snapshot: String,
    /// GiB.
    pub size: u64,
    /// It is the account's own, so that it can be a parent.
    pub own: bool,
}

/// Asks the cloud what is meant. An image without an EBS root, or with product codes, is refused.
pub fn resolve(client: &Client, name: &Name, given: &str) -> Result<Resolved, Error> {
    let _ = (client, name, given);
    pending()
}

/// A snapshot as a disk. Blocks are fetched when somebody reads them, neighbours ahead, all in parallel; a bounded
/// number is kept.
#[derive(Debug)]
pub struct SnapshotSource(());

impl SnapshotSource {
    /// Lists the snapshot's blocks. A snapshot of others is first copied into the account (it cannot be read
    /// otherwise); the copy is in the journal, and [`release`](Self::release) deletes it.
    pub fn open(
        client: &Client,
        resolved: &Resolved,
        journal: &Journal,
        tell: &dyn Teller,
    ) -> Result<Self, Error> {
        let _ = (client, resolved, journal, tell);
        pending()
    }

    /// The snapshot that was read: the parent of what is made of it.
    pub fn snapshot(&self) -> &str {
        ""
    }

    /// Deletes a copy that was made for reading, unless it is the parent of something that was written.
    pub fn release(&self, journal: &Journal) -> Result<(), Error> {
        let _ = journal;
        pending()
    }
}

impl BlockSource for SnapshotSource {
    fn len(&self) -> u64 {
        0
    }

    fn read_at(&self, _: u64, _: &mut [u8]) -> Result<(), hardtack_disk::Error> {
        Ok(())
    }
}
