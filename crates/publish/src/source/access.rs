//! A snapshot that can be read: the account's own, or a copy of somebody's.
//!
//! EBS direct reads no public snapshot, and one that is shared only with rights to its key (EBS user guide, "Use EBS
//! direct APIs"). A copy is the account's own. It is in the journal before it is made, and found again by the
//! journal's tag after a kill: `CopySnapshot` has no client token.

use std::time::Duration;

use hardtack_cloud::Client;
use hardtack_cloud::ec2::{
    CopySnapshot, Snapshot, SnapshotState, copy_snapshot, delete_snapshot, describe_snapshots,
};

use super::Resolved;
use crate::journal::{Journal, Resource, TAG};
use crate::poll::{self, Fresh};
use crate::refusal::maybe_done;
use crate::{Error, Teller};

/// In the journal: this copy has served, and is deleted.
const RELEASED: &str = "source/released/";
/// Says of a copy which snapshot it is of.
const COPY_OF: &str = "hardtack:copy-of";
/// Between two looks at a copy that is being made.
const PAUSE: Duration = Duration::from_secs(15);
/// Looks, two days of them: a copy of a large snapshot takes hours.
const LOOKS: u32 = 2 * 24 * 60 * 4;
/// Looks at which a new copy may not be known yet.
const UNKNOWN: u32 = 8;

/// The copy of `resolved` in the account, completed.
pub(super) fn copy(
    client: &Client,
    resolved: &Resolved,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Snapshot, Error> {
    let region = &client.place().region;
    let resource = Resource::SnapshotCopy { of: resolved.snapshot.clone() };
    let mut known = journal.find(region, &resource);
    if let Some((ticket, id)) = known.as_ref().and_then(|known| Some((known.ticket, known.id.as_ref()?)))
        && !id.is_empty()
        && is_gone(client, id, journal, tell)?
    {
        // Where only the description lags behind, this removes it all the same.
        delete_snapshot(client, id)?;
        journal.removed(ticket)?;
        known = None;
    }
    let ticket = journal.intend(region, &resource)?;
    let id = match known {
        Some(standing) => match standing.id {
            Some(id) if !id.is_empty() => Some(id),
            _ => made_before(client, resolved, journal)?,
        },
        None => None,
    };
    let id = match id {
        Some(id) => id,
        None => {
            tell.note(&format!(
                "{} is another account's: it is copied to be read, and the copy is deleted afterwards",
                resolved.snapshot
            ));
            let mut tags = journal.tags();
            tags.push((COPY_OF.to_owned(), resolved.snapshot.clone()));
            let request = CopySnapshot {
                snapshot: resolved.snapshot.clone(),
                from: region.clone(),
                description: format!("copy of {}, to be read by hardtack", resolved.snapshot),
                // Its own key is another account's; without a name of one it is this account's.
                encrypted: resolved.encrypted,
                kms_key: None,
                tags,
            };
            copy_snapshot(client, &request).inspect_err(|error| {
                // Nothing was made, so a later run need not look for it. That it does all the same harms nobody.
                if !maybe_done(error) {
                    let _ = journal.removed(ticket);
                }
            })?
        }
    };
    journal.made(ticket, &id)?;
    wait(client, &id, tell)
}

/// Whether an earlier run has deleted its copy, or somebody else has.
fn is_gone(client: &Client, id: &str, journal: &Journal, tell: &dyn Teller) -> Result<bool, Error> {
    if journal.kept(&format!("{RELEASED}{id}")).is_some() {
        return Ok(true);
    }
    let ask = || Ok(describe_snapshots(client, &[id], &[])?.into_iter().find(|snapshot| snapshot.id == id));
    Ok(poll::look(client, tell, ask)?.is_none())
}

/// A copy that an earlier run of this journal made and did not live to write down. It may not be seen everywhere yet.
fn made_before(client: &Client, resolved: &Resolved, journal: &Journal) -> Result<Option<String>, Error> {
    let mut fresh = Fresh::new(client);
    loop {
        let mut found = copies(client, &resolved.snapshot, journal)?;
        if !found.is_empty() || !fresh.again() {
            return Ok(found.pop());
        }
    }
}

/// All copies of `of` with the journal's tag.
fn copies(client: &Client, of: &str, journal: &Journal) -> Result<Vec<String>, Error> {
    let filters = [(format!("tag:{TAG}"), vec![journal.id()])];
    let found = describe_snapshots(client, &[], &filters)?;
    let is = |snapshot: &Snapshot, name: &str, value: &str| {
        snapshot.tags.iter().any(|(tag, is)| tag == name && is == value)
    };
    let copies =
        found.into_iter().filter(|snapshot| is(snapshot, TAG, &journal.id()) && is(snapshot, COPY_OF, of));
    Ok(copies.map(|copy| copy.id).collect())
}

/// Waits until a copy is completed, for as long as it is pending: the state is told.
fn wait(client: &Client, id: &str, tell: &dyn Teller) -> Result<Snapshot, Error> {
    for look in 0..LOOKS {
        let found = match describe_snapshots(client, &[id], &[]) {
            Err(error) if error.is("InvalidSnapshot.NotFound") && look < UNKNOWN => Vec::new(),
            answer => answer?,
        };
        let Some(snapshot) = found.into_iter().find(|snapshot| snapshot.id == id) else {
            if look >= UNKNOWN {
                return Err(Error::Refused(format!("{id}, a copy that was made for reading, is gone")));
            }
            (client.environment().sleep)(PAUSE);
            continue;
        };
        match &snapshot.state {
            SnapshotState::Completed => return Ok(snapshot),
            SnapshotState::Error => {
                return Err(Error::Refused(format!(
                    "the copy {id} came to nothing: {}",
                    snapshot.message.as_deref().unwrap_or("no reason is given")
                )));
            }
            SnapshotState::Pending => {
                tell.waiting(&format!("the copy {id} is pending, {}", snapshot.progress))
            }
            SnapshotState::Other(state) => tell.waiting(&format!("the copy {id} is in the state {state}")),
        }
        (client.environment().sleep)(PAUSE);
    }
    Err(Error::Refused(format!(
        "the copy {id} is still not completed after two days; run it again to wait on"
    )))
}

/// Deletes the copy that was made for reading `of`, and any other that a lost answer has left.
pub(super) fn release(client: &Client, of: &str, id: &str, journal: &Journal) -> Result<(), Error> {
    let region = &client.place().region;
    // A run may be killed before it writes down that the copy is gone.
    journal.keep(&format!("{RELEASED}{id}"), &serde_json::json!(true))?;
    delete_snapshot(client, id)?;
    for other in copies(client, of, journal)?.iter().filter(|other| *other != id) {
        delete_snapshot(client, other)?;
    }
    match journal.find(region, &Resource::SnapshotCopy { of: of.to_owned() }) {
        Some(standing) => journal.removed(standing.ticket),
        None => Ok(()),
    }
}
