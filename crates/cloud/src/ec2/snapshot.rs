//! Snapshots: `DescribeSnapshots`, `CopySnapshot`, `DeleteSnapshot`, `ModifySnapshotAttribute`,
//! `DescribeSnapshotAttribute`.

use super::filter::{PAGE, add_filters, entries, items, pages};
use super::{done, specify_tags, tags, unless};
use crate::call::{Call, shown};
use crate::query::Query;
use crate::xml::Element;
use crate::{Client, Error, Service};

const DESCRIBE: Call = Call(Service::Ec2, "DescribeSnapshots");
const DELETE: Call = Call(Service::Ec2, "DeleteSnapshot");
const COPY: Call = Call(Service::Ec2, "CopySnapshot");
const ATTRIBUTE: Call = Call(Service::Ec2, "DescribeSnapshotAttribute");
const SHARE: Call = Call(Service::Ec2, "ModifySnapshotAttribute");

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
///
/// # Errors
/// `InvalidSnapshot.NotFound`: one of the ids is no snapshot's (or not yet everywhere); no answer.
pub fn describe_snapshots(
    client: &Client,
    ids: &[&str],
    filters: &[(String, Vec<String>)],
) -> Result<Vec<Snapshot>, Error> {
    let mut query = Query::default();
    if ids.is_empty() {
        query.set("Owner.1", "self");
    }
    query.list("SnapshotId", ids.iter().copied());
    add_filters(&mut query, filters);
    described(client, &query, !ids.is_empty())
}

/// The account's own snapshots that everybody may make volumes of.
///
/// # Errors
/// No right to ask; no answer.
pub fn public_snapshots(client: &Client) -> Result<Vec<Snapshot>, Error> {
    let mut query = Query::default();
    query.set("Owner.1", "self").set("RestorableBy.1", "all");
    described(client, &query, false)
}

fn described(client: &Client, query: &Query, by_id: bool) -> Result<Vec<Snapshot>, Error> {
    let mut found = Vec::new();
    pages(DESCRIBE, client, query, PAGE.filter(|_| !by_id), |root| {
        for entry in items(DESCRIBE, root, "snapshotSet")? {
            found.push(snapshot(entry)?);
        }
        Ok(())
    })?;
    Ok(found)
}

/// Who may make volumes of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeMakers {
    /// Everybody.
    pub all: bool,
    /// These accounts.
    pub accounts: Vec<String>,
}

/// `DescribeSnapshotAttribute`, `createVolumePermission`.
///
/// # Errors
/// It is no snapshot of ours; no answer.
pub fn volume_makers(client: &Client, snapshot: &str) -> Result<VolumeMakers, Error> {
    let mut query = Query::default();
    query.set("SnapshotId", snapshot).set("Attribute", "createVolumePermission");
    let root = ATTRIBUTE.query(client, &query)?;
    ATTRIBUTE.id(&root, &["snapshotId"])?;
    let list = || entries(&root, "createVolumePermission");
    Ok(VolumeMakers {
        all: list().any(|item| item.at(&["group"]) == Some("all")),
        accounts: list().filter_map(|item| item.trimmed(&["userId"])).collect(),
    })
}

/// `DeleteSnapshot`. One that is gone already is no error.
///
/// # Errors
/// `InvalidSnapshot.InUse`: an image is made of it; no right to do it; no answer.
pub fn delete_snapshot(client: &Client, snapshot: &str) -> Result<(), Error> {
    let mut query = Query::default();
    query.set("SnapshotId", snapshot);
    let result = DELETE.query(client, &query).and_then(|answer| done(DELETE, &answer));
    unless(result, &["InvalidSnapshot.NotFound"], ())
}

/// `CopySnapshot`; the copy's id.
///
/// There is no client token: an answer that did not arrive may stand for a copy that was begun. The call is sent
/// once, and who gets [`Error::Transport`] looks for the tags.
///
/// An encrypted snapshot of another region would need an address signed for that region (`PresignedUrl`), which is not
/// sent: EC2 refuses it (`MissingParameter`). Copies between regions are made of images, by `CopyImage`.
///
/// # Errors
/// No such snapshot, no right to it, a key that cannot be used; no answer; an answer without an id.
pub fn copy_snapshot(client: &Client, request: &CopySnapshot) -> Result<String, Error> {
    let mut query = Query::default();
    query.set("SourceRegion", &request.from);
    query.set("SourceSnapshotId", &request.snapshot);
    query.maybe("Description", Some(request.description.as_str()).filter(|text| !text.is_empty()));
    query.maybe("Encrypted", request.encrypted.then_some("true"));
    query.maybe("KmsKeyId", request.kms_key.as_deref());
    specify_tags(client, &mut query, &["snapshot"], &request.tags);
    COPY.id(&COPY.query_once(client, &query)?, &["snapshotId"])
}

/// `ModifySnapshotAttribute`: these accounts may make volumes of it; `all`: everybody may. Nobody: no call.
///
/// # Errors
/// It is encrypted by a key that cannot be shared; an account that there is not; no answer.
pub fn share_snapshot(client: &Client, snapshot: &str, accounts: &[String], all: bool) -> Result<(), Error> {
    let entries = all.then_some(("Group", "all")).into_iter();
    let entries: Vec<_> =
        entries.chain(accounts.iter().map(|account| ("UserId", account.as_str()))).collect();
    if entries.is_empty() {
        return Ok(());
    }
    let mut query = Query::default();
    query.set("SnapshotId", snapshot);
    for (index, (name, value)) in entries.into_iter().enumerate() {
        query.set(format!("CreateVolumePermission.Add.{}.{name}", index + 1), value);
    }
    done(SHARE, &SHARE.query(client, &query)?)
}

fn snapshot(entry: &Element) -> Result<Snapshot, Error> {
    let text = |name: &str| entry.at(&[name]).map(|text| text.trim().to_owned());
    Ok(Snapshot {
        id: DESCRIBE.id(entry, &["snapshotId"])?,
        state: match DESCRIBE.text(entry, &["status"])? {
            "pending" => SnapshotState::Pending,
            "completed" => SnapshotState::Completed,
            // Eucalyptus says "failed".
            "error" | "failed" => SnapshotState::Error,
            other => SnapshotState::Other(shown(other)),
        },
        progress: text("progress").unwrap_or_default(),
        message: text("statusMessage"),
        owner: text("ownerId").unwrap_or_default(),
        // Eucalyptus leaves it out while the snapshot is being made.
        size: DESCRIBE.number(entry, &["volumeSize"])?.unwrap_or(0),
        encrypted: DESCRIBE.flag(entry, &["encrypted"])?.unwrap_or(false),
        kms_key: text("kmsKeyId"),
        tags: tags(entry),
    })
}
