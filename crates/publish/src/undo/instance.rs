//! Instances of a trial or of a launch: terminated, and waited for, because an image's snapshot is in use as long as their
//! volumes, and so are security groups.

use hardtack_cloud::ec2::{Instance, describe_instances, terminate_instance};
use hardtack_cloud::{Error as Cloud, Kind};

use super::{Fate, Task};
use crate::Error;
use crate::journal::TAG;
use crate::poll::Poll;
use crate::refusal::{missing, transient};
use crate::tags;

impl Task<'_, '_> {
    pub(super) fn instance(&mut self, token: &str, id: Option<&str>) -> Result<Fate, Error> {
        let region = self.region().to_owned();
        let found = loop {
            let found = self.find(token, id)?;
            // Of several started at once one may be seen before the other: none is left running.
            let unseen =
                |known: &str| !known.is_empty() && !found.iter().any(|instance| instance.id == known);
            let all = !id.unwrap_or_default().split(',').any(unseen);
            let (ours, others): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|instance| self.is_our_instance(instance));
            if all && others.is_empty() && !ours.is_empty() {
                break ours;
            }
            // Tags may be seen later than what they are of.
            if !self.fresh.again() {
                if !ours.is_empty() {
                    break ours;
                }
                match others.first().filter(|other| !is_over(other)) {
                    Some(other) => {
                        let text =
                            format!("instance {} in {region}: it has not this journal's tag", other.id);
                        return Ok(Fate::Left(text));
                    }
                    None => break ours,
                }
            }
        };
        let ids: Vec<String> =
            found.into_iter().filter(|instance| !is_over(instance)).map(|instance| instance.id).collect();
        if ids.is_empty() {
            return Ok(Fate::Gone(format!("instance {} in {region}", id.unwrap_or(token))));
        }
        for id in &ids {
            terminate_instance(self.client, id)?;
        }
        for id in &ids {
            self.wait(id)?;
        }
        Ok(Fate::Removed(format!("instance {} in {region}", ids.join(", "))))
    }

    fn find(&self, token: &str, id: Option<&str>) -> Result<Vec<Instance>, Error> {
        // One that is forgotten would hide the others.
        let known = id.into_iter().flat_map(|ids| ids.split(','));
        let mut found = known.into_iter().try_fold(Vec::new(), |mut all: Vec<Instance>, id| {
            all.extend(nothing(describe_instances(self.client, &[id], &[]))?);
            Ok::<_, Error>(all)
        })?;
        // A try whose answer was lost may have started others, where a cloud minds no tokens.
        let filter = match self.client.place().kind {
            Kind::Aws => self.tag(),
            // Tags come with a call of their own there, and that may not have been made.
            Kind::Euca => vec![("client-token".to_owned(), vec![token.to_owned()])],
        };
        let others = match nothing(describe_instances(self.client, &[], &filter)) {
            Ok(others) => others,
            // The cloud may not know the filter.
            Err(Error::Cloud(error)) if id.is_some() && error.code().is_some() && !transient(&error) => {
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        // Those of other entries of the journal are theirs.
        let known = self.known();
        for other in others {
            if id.is_none() || !is_over(&other) && !known.contains(&other.id) && self.is_our_instance(&other)
            {
                found.push(other);
            }
        }
        Ok(found)
    }

    /// Eucalyptus tags in a call of its own, which may not have been made.
    fn is_our_instance(&self, instance: &Instance) -> bool {
        let tag = tags::value(&instance.tags, TAG);
        self.is_tagged(&instance.tags) || self.client.place().kind == Kind::Euca && tag.is_none()
    }

    fn wait(&self, id: &str) -> Result<(), Error> {
        let mut poll = Poll::new(self.client, self.tell);
        loop {
            match nothing_cloud(describe_instances(self.client, &[id], &[])) {
                Ok(found) => match found.iter().find(|instance| instance.id == id && !is_over(instance)) {
                    Some(instance) => poll.pause(&format!("{id} is {}", instance.state.name)),
                    None => return Ok(()),
                },
                Err(error) => poll.endure(error)?,
            }
        }
    }
}

fn is_over(instance: &Instance) -> bool {
    instance.state.name == "terminated"
}

fn nothing_cloud<T>(result: Result<Vec<T>, Cloud>) -> Result<Vec<T>, Cloud> {
    match result {
        Err(error) if missing(&error) => Ok(Vec::new()),
        other => other,
    }
}

fn nothing<T>(result: Result<Vec<T>, Cloud>) -> Result<Vec<T>, Error> {
    Ok(nothing_cloud(result)?)
}
