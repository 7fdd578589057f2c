//! An instance of a trial: terminated, and waited for, because an image's snapshot is in use as long as its volumes.

use hardtack_cloud::ec2::{Instance, describe_instances, terminate_instance};
use hardtack_cloud::{Error as Cloud, Kind};

use super::{Fate, Task};
use crate::Error;
use crate::journal::TAG;
use crate::poll::Poll;
use crate::refusal::missing;
use crate::tags;

impl Task<'_, '_> {
    pub(super) fn instance(&mut self, token: &str, id: Option<&str>) -> Result<Fate, Error> {
        let region = self.region().to_owned();
        let found = loop {
            let found = self.find(token, id)?;
            let (ours, others): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|instance| self.is_our_instance(instance));
            if !ours.is_empty() {
                break ours;
            }
            // Tags may be seen later than what they are of.
            if !self.fresh.again() {
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
        let found = match (id, self.client.place().kind) {
            (Some(id), _) => describe_instances(self.client, &[id], &[]),
            (None, Kind::Aws) => describe_instances(self.client, &[], &self.tag()),
            // Tags come with a call of their own there, and that may not have been made.
            (None, Kind::Euca) => {
                let filter = ("client-token".to_owned(), vec![token.to_owned()]);
                describe_instances(self.client, &[], &[filter])
            }
        };
        nothing(found)
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
