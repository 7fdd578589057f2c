//! Completing a snapshot, and waiting until it is completed.

use hardtack_bundle::hex;
use hardtack_cloud::ebs::complete_snapshot;
use hardtack_cloud::ec2::SnapshotState;
use hardtack_cloud::{Client, Error as Cloud};
use serde_json::{Value, json};

use super::begin::{Begun, look};
use super::send::{Earlier, Sent};
use crate::journal::Journal;
use crate::poll::{Fresh, Poll};
use crate::refusal::maybe_done;
use crate::{Error, Teller};

/// What `CompleteSnapshot` was called with, or may have been, by an earlier run.
pub(super) struct Completion {
    /// Blocks that the snapshot has.
    pub(super) blocks: u64,
    digest: Option<[u8; 32]>,
}

/// The call of an earlier run; also where the snapshot is completed and nobody kept the call.
pub(super) fn completion(begun: &Begun, journal: &Journal) -> Option<Completion> {
    let kept = journal.kept(&key(&begun.id)).unwrap_or_default();
    let blocks = kept.get("blocks").and_then(Value::as_u64);
    let digest = kept.get("digest").and_then(Value::as_str).and_then(hex::decode);
    match (blocks, digest.and_then(|bytes| bytes.try_into().ok())) {
        (Some(blocks), Some(digest)) => Some(Completion { blocks, digest: Some(digest) }),
        _ => begun.completed.then(|| {
            let blocks = Earlier::read(&begun.id, journal).touched().len() as u64;
            Completion { blocks, digest: None }
        }),
    }
}

impl Completion {
    /// Calls it again, if that is needed. The service may say no because it knows the call already: whether that is
    /// so, the state tells.
    pub(super) fn repeat(&self, client: &Client, begun: &Begun, tell: &dyn Teller) -> Result<(), Error> {
        let Some(digest) = self.digest.filter(|_| !begun.completed) else { return Ok(()) };
        match complete_snapshot(client, &begun.id, self.blocks, &digest) {
            Err(error) if matches!(error.status(), Some(400 | 404 | 409)) => {
                tell.note(&format!("{error}; an earlier run has called it, too, so its state is looked at"));
                Ok(())
            }
            result => Ok(result?),
        }
    }
}

fn key(snapshot: &str) -> String {
    format!("snapshot/complete/{snapshot}")
}

/// Seals the snapshot: no block can be sent afterwards.
pub(super) fn complete(client: &Client, snapshot: &str, sent: &Sent, journal: &Journal) -> Result<(), Error> {
    let key = key(snapshot);
    journal.keep(&key, &json!({ "blocks": sent.blocks, "digest": hex::encode(&sent.digest) }))?;
    let mut fresh = Fresh::new(client);
    loop {
        match complete_snapshot(client, snapshot, sent.blocks, &sent.digest) {
            // A snapshot without blocks may be completed before it is known everywhere.
            Err(error) if error.status() == Some(404) && fresh.again() => {}
            Err(error) => {
                if !maybe_done(&error) {
                    journal.keep(&key, &Value::Null)?;
                }
                return Err(error.into());
            }
            Ok(()) => return Ok(()),
        }
    }
}

/// Waits until a snapshot is completed, for as long as it is pending: the state is told. One that came to nothing is
/// an error with the service's reason.
pub(super) fn wait(client: &Client, snapshot: &str, tell: &dyn Teller) -> Result<(), Error> {
    let mut poll = Poll::new(client, tell);
    loop {
        let Some(found) = look(client, snapshot, tell)? else {
            return Err(Cloud::State(format!("snapshot {snapshot} is gone: somebody has deleted it")).into());
        };
        match found.state {
            SnapshotState::Completed => return Ok(()),
            SnapshotState::Error => {
                let why = found.message.unwrap_or_else(|| "no reason given".to_owned());
                return Err(Cloud::State(format!("snapshot {snapshot} came to nothing: {why}")).into());
            }
            SnapshotState::Pending => {
                poll.pause(&format!("snapshot {snapshot} is pending, {}", progress(&found.progress)));
            }
            SnapshotState::Other(state) => poll.pause(&format!("snapshot {snapshot} is {state}")),
        }
    }
}

fn progress(text: &str) -> &str {
    if text.is_empty() { "0%" } else { text }
}
