//! A disk into a snapshot, by EBS direct.

use std::ops::Range;

use hardtack_cloud::Client;
use hardtack_disk::BlockSource;

use crate::error::pending;
use crate::journal::Journal;
use crate::{Error, Teller};

/// A snapshot to write.
#[derive(Clone, Debug, Default)]
pub struct SnapshotRequest {
    /// Its description.
    pub description: String,
    /// Tags besides the journal's.
    pub tags: Vec<(String, String)>,
    /// GiB; never less than the disk. `None`: the disk's, rounded up.
    pub size: Option<u64>,
    /// Encrypted whatever the account's default.
    pub encrypted: bool,
    /// By this key's ARN.
    pub kms_key: Option<String>,
    /// The snapshot that the disk was made of, and the ranges of the disk that are not as in it, ascending.
    pub parent: Option<(String, Vec<Range<u64>>)>,
    /// Blocks on their way at the same time.
    pub parallel: usize,
}

/// A snapshot that was written and is completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenSnapshot {
    /// `snap-…`.
    pub id: String,
    /// GiB.
    pub size: u64,
    /// Blocks that the snapshot's own list has (`ChangedBlocksCount`).
    pub blocks: u64,
    /// Of these, sent by this run.
    pub sent: u64,
    /// It is encrypted.
    pub encrypted: bool,
}

/// Writes `disk`. `free` are the ranges of the disk that nobody can read anything from (the file systems' own
/// allocation maps, gaps between partitions), ascending.
///
/// Which blocks are left out: of an unencrypted snapshot those that are all zero; of an encrypted one, whose missing
/// blocks read as noise, those that lie in `free` as a whole. Whether it is encrypted is asked of the service after it
/// is begun, because an account may encrypt by default.
pub fn write_snapshot(
    client: &Client,
    disk: &dyn BlockSource,
    free: &[Range<u64>],
    request: &SnapshotRequest,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<WrittenSnapshot, Error> {
    let _ = (client, disk, free, request, journal, tell);
    pending()
}
