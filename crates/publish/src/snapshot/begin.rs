//! The snapshot that is written: begun now, or by an earlier run with the same journal.
//!
//! `StartSnapshot` with the same token gives the same snapshot. One that came to nothing (its blocks did not come in
//! time, somebody deleted it) is begun anew with another token.
//!
//! Which parents go: EBS' "encryption outcomes". An unencrypted parent only where nothing else encrypts, an encrypted
//! one only with its own key, and never with a word about encryption in the same call.

use crate::GIB;
use hardtack_cloud::ebs::{StartSnapshot, start_snapshot};
use hardtack_cloud::ec2::{Snapshot, SnapshotState, delete_snapshot, describe_snapshots, encryption_default};
use hardtack_cloud::{Client, kms};
use serde_json::json;

use super::SnapshotRequest;
use crate::journal::{Journal, Resource, Ticket};
use crate::poll;
use crate::refusal::missing;
use crate::{Error, Teller, tags};

/// GiB that a snapshot may have.
pub(super) const LARGEST: u64 = 65536;
/// Minutes without a block after which the service gives a snapshot up. A run that was ended can go on for so long.
const TIMEOUT: u32 = 60;
/// Snapshots that may come to nothing in one run before it gives up, too.
const ATTEMPTS: u64 = 3;
/// The number of the snapshot that is being written, in the journal.
const ATTEMPT: &str = "snapshot/attempt";
/// The service has refused the parent.
const NO_PARENT: &str = "snapshot/no-parent";

/// A snapshot that is begun.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    /// `snap-…`.
    pub(super) id: String,
    /// GiB.
    pub(super) size: u64,
    /// It is encrypted.
    pub(super) encrypted: bool,
    /// GiB of the parent, where it has one.
    pub(super) parent: Option<u64>,
    /// It is completed already.
    pub(super) completed: bool,
}

/// What is asked for, after a look at the parent. The same in all runs: a token means one request.
struct Terms {
    size: u64,
    parent: Option<(String, u64)>,
}

/// Begins a snapshot of a disk of `length` bytes, or finds that of an earlier run.
pub(super) fn begin(
    client: &Client,
    length: u64,
    request: &SnapshotRequest,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Begun, Error> {
    let size = volume_size(length, request.size)?;
    let mut attempt = journal.kept(ATTEMPT).and_then(|kept| kept.as_u64()).unwrap_or(1);
    for _ in 0..ATTEMPTS {
        let purpose = if attempt == 1 { "snapshot".to_owned() } else { format!("snapshot#{attempt}") };
        let token = journal.token(&purpose);
        if let Some(begun) = try_token(client, &token, size, request, journal, tell)? {
            return Ok(begun);
        }
        attempt = attempt.saturating_add(1);
        journal.keep(ATTEMPT, &json!(attempt))?;
    }
    Err(hardtack_cloud::Error::State(format!(
        "{ATTEMPTS} snapshots in a row came to nothing before a block was sent; look at the account's EBS quotas and at \
         its right to use the key"
    ))
    .into())
}

/// GiB of the volume.
fn volume_size(length: u64, wanted: Option<u64>) -> Result<u64, Error> {
    let needed = length.div_ceil(GIB);
    if length == 0 {
        return Err(Error::Refused(
            "the disk has no bytes, so there is nothing to make a snapshot of".to_owned(),
        ));
    }
    let size = wanted.unwrap_or(needed);
    if size < needed {
        return Err(Error::Usage(format!(
            "a volume of {size} GiB is too small for a disk of {length} bytes: give {needed} GiB or more"
        )));
    }
    if size > LARGEST {
        return Err(Error::Refused(format!(
            "a snapshot has at most {LARGEST} GiB, and this would have {size} GiB"
        )));
    }
    Ok(size)
}

/// `None`: what this token began is no more.
fn try_token(
    client: &Client,
    token: &str,
    size: u64,
    request: &SnapshotRequest,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Option<Begun>, Error> {
    let region = client.place().region.clone();
    let resource = Resource::Snapshot { token: token.to_owned() };
    let known = journal.find(&region, &resource).and_then(|standing| standing.id);
    let terms = Terms::find(client, token, size, request, journal, tell)?;
    let intent = journal.intent(&region, &resource)?;
    let ticket = intent.ticket;
    let parent = request.parent.as_ref().map(|(parent, _)| parent);
    if terms.parent.as_ref().is_some_and(|(begun, _)| Some(begun) != parent) {
        // One that is completed needs no parent any more (a copy of the source is deleted when it has served).
        if let Some(id) = &known
            && let Some(found) = look(client, id, tell)?
            && found.state == SnapshotState::Completed
        {
            let (id, encrypted) = (id.clone(), found.encrypted);
            let parent = terms.parent.map(|(_, size)| size);
            return Ok(Some(Begun { id, size: terms.size, encrypted, parent, completed: true }));
        }
        // What has changed since that parent nobody says any more: blocks that are left out would be the parent's.
        tell.note(
            "the snapshot of an earlier run has another parent than this run can use: a new one is begun",
        );
        if let Some(id) = known {
            delete_snapshot(client, &id)?;
            journal.removed(ticket)?;
        }
        return Ok(None);
    }
    let (id, key) = match known {
        Some(id) => (id, None),
        None => {
            let wanted = terms.start(client, token, request, journal)?;
            let started = match intent.settle(start_snapshot(client, &wanted)) {
                // An earlier run asked for something else with it. `undo` finds that by its tag.
                Err(error) if error.status() == Some(409) => return Ok(None),
                // Where the account may not ask what it encrypts by default, this is how it gets to know.
                Err(error) if terms.parent.is_some() && error.is("ValidationException") => {
                    tell.note(&format!("{error}; it is begun without a parent, and all blocks are sent"));
                    journal.keep(NO_PARENT, &json!(true))?;
                    return Ok(None);
                }
                result => result?,
            };
            journal.made(ticket, &started.id)?;
            (started.id, started.kms_key)
        }
    };
    match look(client, &id, tell)? {
        Some(found) if matches!(found.state, SnapshotState::Pending | SnapshotState::Completed) => {
            let encrypted = key.is_some() || found.encrypted;
            let completed = found.state == SnapshotState::Completed;
            let (size, parent) = (terms.size, terms.parent.map(|(_, size)| size));
            Ok(Some(Begun { id, size, encrypted, parent, completed }))
        }
        found => {
            give_up(client, &id, found, ticket, journal, tell)?;
            Ok(None)
        }
    }
}

/// What EC2 says of a snapshot; `None` when it is not there, and two minutes later neither.
pub(super) fn look(client: &Client, id: &str, tell: &dyn Teller) -> Result<Option<Snapshot>, Error> {
    poll::look(client, tell, || {
        Ok(describe_snapshots(client, &[id], &[])?.into_iter().find(|snapshot| snapshot.id == id))
    })
}

/// A snapshot that came to nothing is deleted, so that nothing is left of it.
fn give_up(
    client: &Client,
    id: &str,
    found: Option<Snapshot>,
    ticket: Ticket,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<(), Error> {
    let why = match &found {
        Some(snapshot) => snapshot.message.clone().unwrap_or_else(|| "no reason given".to_owned()),
        None => "it is not there any more".to_owned(),
    };
    tell.note(&format!("snapshot {id} of an earlier run came to nothing ({why}): a new one is begun"));
    if found.is_some() {
        delete_snapshot(client, id)?;
    }
    journal.removed(ticket)
}

impl Terms {
    fn find(
        client: &Client,
        token: &str,
        size: u64,
        request: &SnapshotRequest,
        journal: &Journal,
        tell: &dyn Teller,
    ) -> Result<Self, Error> {
        let key = format!("snapshot/terms/{token}");
        if let Some(kept) = journal.kept(&key) {
            let number = |name: &str| kept.get(name).and_then(serde_json::Value::as_u64);
            let parent = kept.get("parent").and_then(serde_json::Value::as_str).map(str::to_owned);
            let size = number("size").unwrap_or(size);
            return Ok(Self { size, parent: parent.zip(number("parent_size")) });
        }
        let parent = match &request.parent {
            Some((parent, _)) if journal.kept(NO_PARENT).is_none() => {
                usable_parent(client, parent, request, tell)?
            }
            _ => None,
        };
        // A volume of a snapshot is never smaller than that of its parent.
        let size = parent.as_ref().map_or(size, |(_, of_parent)| size.max(*of_parent));
        let (id, of_parent) = parent.clone().unzip();
        journal.keep(&key, &json!({ "size": size, "parent": id, "parent_size": of_parent }))?;
        Ok(Self { size, parent })
    }

    fn start(
        &self,
        client: &Client,
        token: &str,
        request: &SnapshotRequest,
        journal: &Journal,
    ) -> Result<StartSnapshot, Error> {
        let own = self.parent.is_none();
        let kms_key = if own { key_arn(client, request)? } else { None };
        let description = match request.description.as_str() {
            "" => journal.header().name,
            text => text.to_owned(),
        };
        Ok(StartSnapshot {
            size: self.size,
            token: token.to_owned(),
            tags: tags::with_journal(&request.tags, journal),
            description: description.chars().take(255).collect(),
            timeout: TIMEOUT,
            encrypted: own && (request.encrypted || kms_key.is_some()),
            kms_key,
            parent: self.parent.as_ref().map(|(id, _)| id.clone()),
        })
    }
}

/// `StartSnapshot` takes a key's ARN only.
fn key_arn(client: &Client, request: &SnapshotRequest) -> Result<Option<String>, Error> {
    Ok(match &request.kms_key {
        Some(key) if key.starts_with("arn:") && key.contains(":key/") => Some(key.clone()),
        Some(key) => Some(kms::describe_key(client, key)?.arn),
        None => None,
    })
}

/// The parent and its GiB, or `None` (said why) where the service would not take it.
fn usable_parent(
    client: &Client,
    parent: &str,
    request: &SnapshotRequest,
    tell: &dyn Teller,
) -> Result<Option<(String, u64)>, Error> {
    let found = match describe_snapshots(client, &[parent], &[]) {
        Err(error) if missing(&error) => None,
        result => result?.into_iter().find(|snapshot| snapshot.id == parent),
    };
    let encrypts = request.encrypted || request.kms_key.is_some();
    let why = match &found {
        None => "is not there".to_owned(),
        Some(found) if found.state != SnapshotState::Completed => "is not completed".to_owned(),
        Some(found) if found.encrypted => match key_arn(client, request)? {
            Some(key) if found.kms_key.as_ref() != Some(&key) => "is encrypted with another key".to_owned(),
            _ => return Ok(Some((parent.to_owned(), found.size))),
        },
        Some(_) if encrypts => "is not encrypted".to_owned(),
        Some(found) => match encryption_default(client) {
            Ok(default) if default.enabled => {
                "is not encrypted, and this account encrypts by default".to_owned()
            }
            // Where nobody may ask it, `StartSnapshot` tells.
            _ => return Ok(Some((parent.to_owned(), found.size))),
        },
    };
    tell.note(&format!(
        "snapshot {parent} {why}, so it cannot be the parent of the new one: all blocks are sent"
    ));
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_volume_holds_its_disk() {
        assert_eq!(volume_size(1, None).unwrap(), 1);
        assert_eq!(volume_size(GIB + 1, None).unwrap(), 2);
        assert_eq!(volume_size(GIB, Some(9)).unwrap(), 9);
        assert_eq!(volume_size(LARGEST * GIB, None).unwrap(), LARGEST);
        for (length, wanted, text) in [
            (0, None, "no bytes"),
            (GIB + 1, Some(1), "give 2 GiB"),
            (LARGEST * GIB + 1, None, "at most 65536 GiB"),
            (u64::MAX, Some(u64::MAX), "at most 65536 GiB"),
        ] {
            assert!(volume_size(length, wanted).unwrap_err().to_string().contains(text));
        }
    }
}
