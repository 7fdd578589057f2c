//! EBS direct: snapshots by their blocks of 512 KiB.

use crate::error::pending;
use crate::{Client, Error};

/// Bytes of a block.
pub const BLOCK: usize = 512 * 1024;

/// A snapshot to begin.
#[derive(Clone, Debug, Default)]
pub struct StartSnapshot {
    /// GiB, 1 to 65536.
    pub size: u64,
    /// Another call with the same token gives the same snapshot.
    pub token: String,
    /// Names and values.
    pub tags: Vec<(String, String)>,
    /// Up to 255 characters.
    pub description: String,
    /// Minutes without a block after which the service gives it up, 10 to 4320.
    pub timeout: u32,
    /// Encrypted, whatever the account's default. Not with a parent.
    pub encrypted: bool,
    /// The key's ARN.
    pub kms_key: Option<String>,
    /// The snapshot whose blocks it begins with.
    pub parent: Option<String>,
}

/// A snapshot that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// `snap-…`.
    pub id: String,
    /// The key that it is encrypted with. A service may leave it out: ask `DescribeSnapshots`, too.
    pub kms_key: Option<String>,
    /// Bytes of a block.
    pub block_size: u64,
}

/// A block that a snapshot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockEntry {
    /// Its number.
    pub index: u64,
    /// What reads it.
    pub token: String,
}

/// A page of a snapshot's blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPage {
    /// Its blocks, ascending.
    pub blocks: Vec<BlockEntry>,
    /// GiB of the volume.
    pub size: u64,
    /// Bytes of a block.
    pub block_size: u64,
    /// Where the next page begins.
    pub next: Option<String>,
}

/// `StartSnapshot`.
pub fn start_snapshot(client: &Client, request: &StartSnapshot) -> Result<Started, Error> {
    let _ = (client, request);
    pending()
}

/// `PutSnapshotBlock`: `data` has [`BLOCK`] bytes, `digest` is their SHA-256.
pub fn put_block(
    client: &Client,
    snapshot: &str,
    index: u64,
    data: &[u8],
    digest: &[u8; 32],
) -> Result<(), Error> {
    let _ = (client, snapshot, index, data, digest);
    pending()
}

/// `CompleteSnapshot`: `changed` blocks were written; `digest` is the SHA-256 of their digests, in their order.
pub fn complete_snapshot(
    client: &Client,
    snapshot: &str,
    changed: u64,
    digest: &[u8; 32],
) -> Result<(), Error> {
    let _ = (client, snapshot, changed, digest);
    pending()
}

/// `ListSnapshotBlocks`, a page from `next` on.
pub fn list_blocks(client: &Client, snapshot: &str, next: Option<&str>) -> Result<BlockPage, Error> {
    let _ = (client, snapshot, next);
    pending()
}

/// `GetSnapshotBlock`: its bytes, compared with the checksum that comes with them.
pub fn get_block(client: &Client, snapshot: &str, block: &BlockEntry) -> Result<Vec<u8>, Error> {
    let _ = (client, snapshot, block);
    pending()
}
