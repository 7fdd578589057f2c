//! Snapshots.

use crate::error::pending;
use crate::{Client, Error};

/// What a snapshot is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotState {
    /// It is being made.
    Pending,
    /// It can be used.
    Completed,
    /// It came to nothing.
    Error,
    /// Something newer than this program.
    Other(String),
}

/// A snapshot as EC2 describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// `snap-…`.
    pub id: String,
    /// Its state.
    pub state: SnapshotState,
    /// `42%`.
    pub progress: String,
    /// Why it failed.
    pub message: Option<String>,
    /// Its account.
    pub owner: String,
    /// GiB.
    pub size: u64,
    /// It is encrypted.
    pub encrypted: bool,
    /// By this key.
    pub kms_key: Option<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// A copy of a snapshot; the client is the region's that gets it.
#[derive(Clone, Debug, Default)]
pub struct CopySnapshot {
    /// The snapshot.
    pub snapshot: String,
    /// Its region.
    pub from: String,
    /// Its description.
    pub description: String,
    /// It is encrypted.
    pub encrypted: bool,
    /// By this key.
    pub kms_key: Option<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// `DescribeSnapshots`: those of `ids`, or the account's own that match `filters` (name, values).
pub fn describe_snapshots(
    client: &Client,
    ids: &[&str],
    filters: &[(String, Vec<String>)],
) -> Result<Vec<Snapshot>, Error> {
    let _ = (client, ids, filters);
    pending()
}

/// `DeleteSnapshot`. One that is gone already is no error.
pub fn delete_snapshot(client: &Client, snapshot: &str) -> Result<(), Error> {
    let _ = (client, snapshot);
    pending()
}

/// `CopySnapshot`; the copy's id.
pub fn copy_snapshot(client: &Client, request: &CopySnapshot) -> Result<String, Error> {
    let _ = (client, request);
    pending()
}

/// `ModifySnapshotAttribute`: these accounts may make volumes of it; `all`: everybody may.
pub fn share_snapshot(client: &Client, snapshot: &str, accounts: &[String], all: bool) -> Result<(), Error> {
    let _ = (client, snapshot, accounts, all);
    pending()
}
