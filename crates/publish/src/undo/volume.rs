//! A volume that was made with an instance; the instance has ended by now.

use hardtack_cloud::Kind;
use hardtack_cloud::ec2::{Volume, delete_volume, describe_volumes};

use super::{Fate, Task};
use crate::Error;
use crate::journal::Standing;
use crate::poll::{Fresh, Poll};
use crate::refusal::missing;
use crate::volume::{begun, is_over};

impl Task<'_, '_> {
    pub(super) fn volume(&mut self, standing: &Standing, id: Option<&str>) -> Result<Fate, Error> {
        let region = self.region().to_owned();
        let found: Vec<Volume> = loop {
            let found = match id {
                Some(id) => match describe_volumes(self.client, &[id], &[]) {
                    Err(error) if missing(&error) => Vec::new(),
                    found => {
                        found?.into_iter().filter(|volume| volume.id == id && !is_over(volume)).collect()
                    }
                },
                None => begun(self.client, self.journal, standing)?,
            };
            if !found.is_empty() || !self.fresh.again() {
                break found;
            }
        };
        // One without this journal's tag is taken for its own where nothing else can be: see `begun`.
        let foreign = |volume: &&Volume| {
            !self.is_tagged(&volume.tags)
                && (self.client.place().kind == Kind::Aws || !volume.tags.is_empty())
        };
        if let Some(other) = found.iter().find(foreign) {
            return Ok(Fate::Left(format!("volume {} in {region}: it has not this journal's tag", other.id)));
        }
        match found.as_slice() {
            [] => Ok(Fate::Gone(format!("volume {} in {region}", id.unwrap_or("without an id")))),
            [volume] => {
                self.delete_volume(&volume.id)?;
                Ok(Fate::Removed(format!("volume {} in {region}", volume.id)))
            }
            several => {
                let ids: Vec<&str> = several.iter().map(|volume| volume.id.as_str()).collect();
                Ok(Fate::Left(format!(
                    "volumes {} in {region}: the run has made one of them at most, and nothing says which",
                    ids.join(", ")
                )))
            }
        }
    }

    fn delete_volume(&self, id: &str) -> Result<(), Error> {
        let mut fresh = Fresh::new(self.client);
        let mut poll = Poll::new(self.client, self.tell);
        loop {
            match delete_volume(self.client, id) {
                Err(error) if error.is("VolumeInUse") || error.is("IncorrectState") => {
                    // A run that was ended early may leave one that is not there yet: only asking says when it is.
                    if self.is_being_made(id)? {
                        poll.pause(&format!("{id} is being made"));
                    } else if fresh.again() {
                        // An instance that has just ended may have it still.
                        self.tell.waiting(&format!("{id} is still in use"));
                    } else {
                        return Err(error.into());
                    }
                }
                result => return Ok(result?),
            }
        }
    }

    fn is_being_made(&self, id: &str) -> Result<bool, Error> {
        match describe_volumes(self.client, &[id], &[]) {
            Err(error) if missing(&error) => Ok(false),
            found => Ok(found?.iter().any(|volume| volume.id == id && volume.state == "creating")),
        }
    }
}
