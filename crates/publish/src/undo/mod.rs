//! Taking away what a journal says was made, last things first.
//!
//! Instances, then what they were started with (key pairs, security groups, volumes) and parameters (so that nobody is
//! pointed at an image that is gone), images, snapshots, objects, buckets.
//! What has no id in the journal was intended by a run that ended before the answer came: it is looked for by what
//! finds it again, for two minutes, because a cloud may not yet know everywhere what it has just made. Nothing is
//! removed that is not known to be the journal's.

mod image;
mod instance;
mod key_pair;
mod object;
mod parameter;
mod property;
mod security_group;
mod snapshot;
mod stack;
mod volume;

use std::path::Path;

use hardtack_cloud::{Client, Environment};

use crate::catalog::Catalog;
use crate::journal::{Journal, Resource, Standing};
use crate::poll::Fresh;
use crate::{Error, Teller};

/// What became of the things in a journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// What was removed, in words: "image ami-1 (name) in eu-central-1".
    pub removed: Vec<String>,
    /// What was not there any more.
    pub gone: Vec<String>,
    /// What was left on purpose, and why: a parameter that somebody has changed since, a bucket with others' objects.
    pub left: Vec<String>,
}

/// What became of one thing.
enum Fate {
    Removed(String),
    Gone(String),
    Left(String),
}

/// Removes everything that stands in `journal`; `client` is `None` where all of it is local. Goes on after a failure
/// and gives the first error at the end; what could not be removed still stands.
pub fn undo(journal: &Journal, client: Option<&Client>, tell: &dyn Teller) -> Result<Undone, Error> {
    undo_all(journal, client, client.map(|client| &**client.environment()), tell)
}

/// The same for a journal of this machine, whose instances end in their own time.
pub fn undo_here(journal: &Journal, environment: &Environment, tell: &dyn Teller) -> Result<Undone, Error> {
    undo_all(journal, None, Some(environment), tell)
}

fn undo_all(
    journal: &Journal,
    client: Option<&Client>,
    environment: Option<&Environment>,
    tell: &dyn Teller,
) -> Result<Undone, Error> {
    journal.reopen()?;
    let mut standing = journal.standing();
    // The last that was made comes first among its like.
    standing.reverse();
    standing.sort_by_key(|standing| rank(&standing.resource));
    let total = standing.len() as u64;
    // All of it was made before now: once the patience is at its end nothing more will turn up.
    let mut fresh = client.map(Fresh::new);
    let mut undone = Undone::default();
    let mut first: Option<Error> = None;
    let mut failed: Vec<Standing> = Vec::new();
    for (done, standing) in standing.into_iter().enumerate() {
        tell.progress("undoing", done as u64, total);
        if keeps(&failed, &standing) {
            continue;
        }
        match one(journal, client, environment, fresh.as_mut(), &standing, tell) {
            Ok(fate) => {
                journal.removed(standing.ticket)?;
                match fate {
                    Fate::Removed(text) => undone.removed.push(text),
                    Fate::Gone(text) => undone.gone.push(text),
                    Fate::Left(text) => undone.left.push(text),
                }
            }
            Err(error) => {
                if first.is_some() {
                    tell.note(&format!("{error}"));
                }
                first.get_or_insert(error);
                failed.push(standing);
            }
        }
    }
    tell.progress("undoing", total, total);
    let Some(error) = first else { return Ok(undone) };
    // The answer is the error, and has none of this.
    undone.removed.iter().for_each(|text| tell.note(&format!("removed {text}")));
    undone.left.iter().for_each(|text| tell.note(&format!("left {text}")));
    Err(error)
}

/// What goes first.
fn rank(resource: &Resource) -> u8 {
    match resource {
        Resource::Stack { .. } | Resource::Instance { .. } | Resource::LocalInstance { .. } => 0,
        Resource::Parameter { .. }
        | Resource::Property { .. }
        | Resource::Volume { .. }
        | Resource::SecurityGroup { .. }
        | Resource::KeyPair { .. } => 1,
        Resource::ImageCopy { .. } => 2,
        Resource::Image { .. } => 3,
        Resource::Snapshot { .. } | Resource::SnapshotCopy { .. } => 4,
        Resource::Object { .. } => 5,
        Resource::Bucket { .. } => 6,
        Resource::Local { .. } => 7,
    }
}

/// Whether something that could not be removed needs this: a bucket's object the bucket, an image its snapshot and its
/// manifest.
fn keeps(failed: &[Standing], standing: &Standing) -> bool {
    failed.iter().any(|failed| match (&failed.resource, &standing.resource) {
        (Resource::Object { bucket, .. }, Resource::Bucket { name }) => bucket == name,
        (
            Resource::Image { .. },
            Resource::Snapshot { .. } | Resource::Object { .. } | Resource::Bucket { .. },
        )
        | (Resource::Instance { .. }, Resource::SecurityGroup { .. } | Resource::Volume { .. }) => true,
        _ => false,
    })
}

fn one(
    journal: &Journal,
    client: Option<&Client>,
    environment: Option<&Environment>,
    fresh: Option<&mut Fresh<'_>>,
    standing: &Standing,
    tell: &dyn Teller,
) -> Result<Fate, Error> {
    if let (Resource::LocalInstance { catalog, id }, Some(environment)) = (&standing.resource, environment) {
        let text = format!("instance {id} in {catalog}");
        let removed = hardtack_local::Instances::new(Path::new(catalog)).terminate(id, environment)?;
        return Ok(if removed { Fate::Removed(text) } else { Fate::Gone(text) });
    }
    if let Resource::Local { catalog, id } = &standing.resource {
        let text = format!("image {id} in {catalog}");
        let place = Catalog::new(Path::new(catalog));
        // One that is damaged cannot say whose it is: its id is random, and stands in this journal.
        if let Ok(Some(entry)) = place.find(id)
            && entry.tags.get(crate::journal::TAG).is_some_and(|of| *of != journal.id())
        {
            return Ok(Fate::Left(format!("{text}: it is not of this journal")));
        }
        let removed = place.remove(id)?;
        return Ok(if removed { Fate::Removed(text) } else { Fate::Gone(text) });
    }
    let (Some(client), Some(fresh)) = (client, fresh) else {
        let header = journal.header();
        return Err(Error::Usage(format!(
            "what this journal made is in {} ({}), and no cloud was named to undo it",
            header.place,
            if standing.region.is_empty() { &header.region } else { &standing.region }
        )));
    };
    let other = (client.place().region != standing.region && !standing.region.is_empty())
        .then(|| client.in_region(&standing.region));
    let mut task = Task { client: other.as_ref().unwrap_or(client), journal, fresh, tell };
    let id = standing.id.as_deref().filter(|id| !id.is_empty());
    match &standing.resource {
        Resource::Instance { token } => task.instance(token, id),
        Resource::Image { name, .. } => task.image(name, id),
        Resource::ImageCopy { name, .. } => task.copy(name, id),
        Resource::Snapshot { .. } | Resource::SnapshotCopy { .. } => task.snapshot(id),
        Resource::Parameter { name, before, after } => {
            task.parameter(name, before.as_deref(), after, standing.id.is_some())
        }
        Resource::Object { bucket, key } => task.object(bucket, key, standing.id.is_some()),
        Resource::Bucket { name } => task.bucket(name),
        Resource::Stack { name } => task.stack(name, id),
        Resource::Property { name, before, after } => task.property(name, before, after),
        Resource::KeyPair { name, fingerprints, .. } => task.key_pair(name, fingerprints, id.is_some()),
        Resource::SecurityGroup { name } => task.security_group(name, id),
        Resource::Volume { .. } => task.volume(standing, id),
        // Both were met above.
        Resource::Local { id, .. } | Resource::LocalInstance { id, .. } => Ok(Fate::Gone(id.clone())),
    }
}

/// One thing of a cloud that is undone.
struct Task<'a, 'f> {
    client: &'a Client,
    journal: &'a Journal,
    /// What is left of the patience with things that cannot be found.
    fresh: &'a mut Fresh<'f>,
    tell: &'a dyn Teller,
}

impl Task<'_, '_> {
    fn region(&self) -> &str {
        &self.client.place().region
    }

    /// The filter of the journal's tag.
    fn tag(&self) -> Vec<(String, Vec<String>)> {
        vec![(format!("tag:{}", crate::journal::TAG), vec![self.journal.id()])]
    }

    /// Whether these are tags of what the journal's run made.
    fn is_tagged(&self, tags: &[(String, String)]) -> bool {
        crate::tags::value(tags, crate::journal::TAG) == Some(&self.journal.id())
    }

    /// Ids that the journal knows, of what stands in this region.
    fn known(&self) -> Vec<String> {
        let mut standing = self.journal.standing();
        standing.retain(|standing| standing.region == self.region());
        // Instances of one call are one record.
        let ids = standing.into_iter().filter_map(|standing| standing.id);
        ids.flat_map(|ids| ids.split(',').map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}
