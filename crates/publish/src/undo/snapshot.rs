//! Snapshots: those with the journal's tag, whatever ids a journal has.

use hardtack_cloud::ec2::{delete_snapshot, describe_snapshots};

use super::{Fate, Task};
use crate::Error;
use crate::poll::Fresh;
use crate::refusal::missing;

impl Task<'_, '_> {
    pub(super) fn snapshot(&mut self, id: Option<&str>) -> Result<Fate, Error> {
        let known = self.known();
        let region = self.region().to_owned();
        let found: Vec<String> = loop {
            let found = match id {
                Some(id) => describe_snapshots(self.client, &[id], &[]),
                None => describe_snapshots(self.client, &[], &self.tag()),
            };
            let found = match found {
                Err(error) if missing(&error) => Vec::new(),
                other => other?,
            };
            let (ours, others): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|snapshot| self.is_tagged(&snapshot.tags));
            let mut ids: Vec<String> = ours.into_iter().map(|snapshot| snapshot.id).collect();
            // Another record knows these, and they are told with it.
            ids.retain(|found| id.is_some() || !known.contains(found));
            if !ids.is_empty() {
                break ids;
            }
            // Tags may be seen later than what they are of.
            if !self.fresh.again() {
                match others.into_iter().find(|snapshot| Some(snapshot.id.as_str()) == id) {
                    Some(other) => {
                        let text =
                            format!("snapshot {} in {region}: it has not this journal's tag", other.id);
                        return Ok(Fate::Left(text));
                    }
                    None => break ids,
                }
            }
        };
        if found.is_empty() {
            // Where only the description lags behind, this removes it all the same.
            if let Some(id) = id {
                delete_snapshot(self.client, id)?;
            }
            return Ok(Fate::Gone(format!("snapshot {} in {region}", id.unwrap_or("without an id"))));
        }
        for snapshot in &found {
            self.delete_snapshot(snapshot)?;
        }
        Ok(Fate::Removed(format!("snapshot {} in {region}", found.join(", "))))
    }

    /// Deletes it; the image that was made of it may be deregistered, and not yet everywhere.
    pub(super) fn delete_snapshot(&self, id: &str) -> Result<(), Error> {
        let mut fresh = Fresh::new(self.client);
        loop {
            match delete_snapshot(self.client, id) {
                Err(error) if error.is("InvalidSnapshot.InUse") && fresh.again() => {
                    self.tell.waiting(&format!("{id} is still in use"));
                }
                result => return Ok(result?),
            }
        }
    }
}
