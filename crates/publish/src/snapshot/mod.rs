//! A disk into a snapshot, by EBS direct.
//!
//! - `begin`: the snapshot itself, or that of an earlier run with the same journal.
//! - `plan`: which blocks are sent. `send`: workers that send them, and the digest of all.
//! - `finish`: completing it, and waiting until it is completed.

mod begin;
mod finish;
mod gate;
mod plan;
mod send;

use std::ops::Range;

use hardtack_cloud::Client;
use hardtack_disk::BlockSource;

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
    /// By this key: its ARN, or what `DescribeKey` makes one of (id, `alias/…`).
    pub kms_key: Option<String>,
    /// The snapshot that the disk was made of, and the ranges of the disk that are not as in it, ascending. Where it
    /// cannot be a parent (it is gone, or encrypted otherwise) all blocks travel.
    pub parent: Option<(String, Vec<Range<u64>>)>,
    /// Blocks on their way at the same time; 0: as many as are useful. Each takes 512 KiB of memory.
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
///
/// A snapshot that is begun and fails is left as it is, for a run with the same journal. One that came to nothing in
/// the meantime is deleted and begun anew by that run.
pub fn write_snapshot(
    client: &Client,
    disk: &dyn BlockSource,
    free: &[Range<u64>],
    request: &SnapshotRequest,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<WrittenSnapshot, Error> {
    let begun = begin::begin(client, disk.len(), request, journal, tell)?;
    write(client, disk, free, request, &begun, journal, tell).map_err(|error| left(error, &begun.id, tell))
}

fn write(
    client: &Client,
    disk: &dyn BlockSource,
    free: &[Range<u64>],
    request: &SnapshotRequest,
    begun: &begin::Begun,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<WrittenSnapshot, Error> {
    let (blocks, sent) = match finish::completion(begun, journal) {
        Some(completion) => {
            completion.repeat(client, begun, tell)?;
            (completion.blocks, 0)
        }
        None => {
            let earlier = send::Earlier::read(&begun.id, journal);
            let mut rules = plan::Rules::new(begun.encrypted, free, earlier.touched());
            if let (Some(size), Some((_, changed))) = (begun.parent, &request.parent) {
                rules = rules.with_parent(size.saturating_mul(crate::GIB), changed);
            }
            let plan = plan::Plan::new(disk, rules);
            let parallel = if request.parallel == 0 { send::MOST } else { request.parallel };
            let snapshot = &*begun.id;
            let task = send::Task { client, disk, snapshot, earlier: &earlier, journal, tell };
            let sent = send::send(&task, plan, parallel)?;
            finish::complete(client, &begun.id, &sent, journal)?;
            (sent.blocks, sent.sent)
        }
    };
    finish::wait(client, &begun.id, tell)?;
    Ok(WrittenSnapshot { id: begun.id.clone(), size: begun.size, blocks, sent, encrypted: begun.encrypted })
}

/// Says what becomes of a snapshot that is not completed.
fn left(error: Error, snapshot: &str, tell: &dyn Teller) -> Error {
    use hardtack_cloud::Error as Cloud;
    let what = format!(
        "snapshot {snapshot} is left as it is: the same command goes on from there, and `hardtack undo` with its \
         journal removes it"
    );
    match error {
        Error::Cloud(
            error
            @ (Cloud::Service { .. } | Cloud::Transport { .. } | Cloud::Answer { .. } | Cloud::State(_)),
        ) => Cloud::State(format!("{error}; {what}")).into(),
        error => {
            tell.note(&what);
            error
        }
    }
}
