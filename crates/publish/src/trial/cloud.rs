//! A trial in a cloud: one instance, in the journal from before it starts until it is terminated.

use std::path::Path;
use std::time::Duration;

use hardtack_cloud::ec2::{
    Instance, RunInstance, console_output, describe_instances, run_instance, terminate_instance,
};
use hardtack_cloud::{Client, Kind};

use serde_json::json;

use super::{Machine, Trial, watch};
use crate::journal::{Journal, Resource, TAG, Ticket};
use crate::poll::Fresh;
use crate::{Error, Teller};

/// What is waited for an instance that is being terminated; its image can be removed before that is over.
const END: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_secs(5);
/// EC2 forgets for some seconds that an instance was begun.
const UNKNOWN: u32 = 24;
/// The number of the instance that is tried, in the journal.
const ATTEMPT: &str = "trial/attempt";

/// Starts an instance of `image`, looks at it, and terminates it.
///
/// # Errors
/// A check does not pass ([`Error::No`]), or the cloud refuses.
pub fn on_cloud(
    client: &Client,
    image: &str,
    trial: &Trial,
    imds_v2: bool,
    console: &Path,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<(), Error> {
    let (instance, ticket) = begin(client, image, trial, imds_v2, journal)?;
    tell.note(&format!("{} is started of {image}", instance.id));
    let mut machine = CloudMachine { client, id: instance.id.clone(), last: Some(instance), unknown: 0 };
    let watched = watch(&mut machine, trial, console, client.environment(), tell);
    terminate_instance(client, &machine.id)?;
    let gone = wait_for_end(&mut machine, tell);
    match (&watched, gone) {
        // It is on its way; what the checks say counts.
        (_, Ok(true)) => {
            // A run that goes on tries it with a new instance.
            let attempt = journal.kept(ATTEMPT).and_then(|kept| kept.as_u64()).unwrap_or(1);
            journal.keep(ATTEMPT, &json!(attempt.saturating_add(1)))?;
            journal.removed(ticket)?;
        }
        (Ok(()), Err(error)) => return Err(error),
        _ => {}
    }
    watched
}

/// An instance that looks can be taken at: that of an earlier run with this journal as long as it runs, or a new one.
///
/// A token means one instance for ever: after it has ended the next has another.
fn begin(
    client: &Client,
    image: &str,
    trial: &Trial,
    imds_v2: bool,
    journal: &Journal,
) -> Result<(Instance, Ticket), Error> {
    let region = client.place().region.clone();
    let mut attempt = journal.kept(ATTEMPT).and_then(|kept| kept.as_u64()).unwrap_or(1);
    loop {
        let purpose = if attempt == 1 { "trial".to_owned() } else { format!("trial#{attempt}") };
        let token = journal.token(&purpose);
        let resource = Resource::Instance { token: token.clone() };
        let earlier = journal.find(&region, &resource);
        let intent = journal.intent(&region, &resource)?;
        let ticket = intent.ticket;
        let request = request(image, trial, imds_v2, journal, token);
        let ended = match earlier.as_ref().and_then(|earlier| earlier.id.clone()) {
            Some(id) => {
                let mut fresh = Fresh::new(client);
                let mut found = find(client, &id)?;
                while found.is_none() && fresh.again() {
                    found = find(client, &id)?;
                }
                match found.filter(|instance| runs(instance) && instance.image == image) {
                    Some(instance) => return Ok((instance, ticket)),
                    None => vec![id],
                }
            }
            None => match intent.settle(run_instance(client, &request)) {
                Ok(instance) => {
                    journal.made(ticket, &instance.id)?;
                    if earlier.is_none() || runs(&instance) {
                        return Ok((instance, ticket));
                    }
                    vec![instance.id]
                }
                // The earlier run asked for something else with this token: its instance is of no use.
                Err(error) if earlier.is_some() && error.is("IdempotentParameterMismatch") => {
                    begun(client, &request.token, journal)?
                }
                Err(error) => return Err(error.into()),
            },
        };
        for id in &ended {
            terminate_instance(client, id)?;
        }
        attempt = attempt.saturating_add(1);
        journal.keep(ATTEMPT, &json!(attempt))?;
        journal.removed(ticket)?;
    }
}

/// What an earlier run began with this token; it may not be seen everywhere yet.
fn begun(client: &Client, token: &str, journal: &Journal) -> Result<Vec<String>, Error> {
    let filter = match client.place().kind {
        Kind::Aws => (format!("tag:{TAG}"), vec![journal.id()]),
        Kind::Euca => ("client-token".to_owned(), vec![token.to_owned()]),
    };
    let mut fresh = Fresh::new(client);
    loop {
        let found = describe_instances(client, &[], std::slice::from_ref(&filter))?;
        if !found.is_empty() || !fresh.again() {
            return Ok(found.into_iter().map(|instance| instance.id).collect());
        }
    }
}

fn request(image: &str, trial: &Trial, imds_v2: bool, journal: &Journal, token: String) -> RunInstance {
    let mut tags = journal.tags();
    tags.push(("Name".to_owned(), format!("test of {image}")));
    RunInstance {
        image: image.to_owned(),
        instance_type: trial.instance_type.clone(),
        user_data: trial.user_data.clone(),
        key_name: trial.key_name.clone(),
        groups: trial.groups.clone(),
        subnet: trial.subnet.clone(),
        public_address: trial.public_address,
        token,
        imds_v2,
        tags,
    }
}

fn runs(instance: &Instance) -> bool {
    matches!(instance.state.name.as_str(), "pending" | "running")
}

fn find(client: &Client, id: &str) -> Result<Option<Instance>, Error> {
    match describe_instances(client, &[id], &[]) {
        Ok(found) => Ok(found.into_iter().find(|instance| instance.id == id)),
        Err(error) if error.is("InvalidInstanceID.NotFound") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Waits until the instance has ended; false when that takes too long.
fn wait_for_end(machine: &mut CloudMachine<'_>, tell: &dyn Teller) -> Result<bool, Error> {
    let environment = machine.client.environment().clone();
    let mut waited = Duration::ZERO;
    while waited < END {
        machine.look()?;
        match machine.last.as_ref().map(|instance| instance.state.name.as_str()) {
            None | Some("terminated") => return Ok(true),
            Some(state) => tell.waiting(&format!("{} is {state}", machine.id)),
        }
        (environment.sleep)(PAUSE);
        waited += PAUSE;
    }
    Ok(false)
}

struct CloudMachine<'a> {
    client: &'a Client,
    id: String,
    last: Option<Instance>,
    unknown: u32,
}

impl CloudMachine<'_> {
    fn look(&mut self) -> Result<(), Error> {
        let found = find(self.client, &self.id)?;
        self.unknown = if found.is_some() { 0 } else { self.unknown + 1 };
        self.last = found;
        Ok(())
    }
}

impl Machine for CloudMachine<'_> {
    fn id(&self) -> String {
        self.id.clone()
    }

    /// What is kept of its beginning, and what is there now: each alone may lack a part.
    fn console(&mut self) -> Result<String, Error> {
        self.look()?;
        let mut text = Vec::new();
        let kept = console_output(self.client, &self.id, false);
        let latest = match self.client.place().kind {
            Kind::Aws => Some(console_output(self.client, &self.id, true)),
            Kind::Euca => None,
        };
        for part in [Some(kept), latest].into_iter().flatten() {
            match part {
                Ok(part) => {
                    text.extend(part);
                    text.push(b'\n');
                }
                // It is too new, or its type cannot tell what is there now.
                Err(error) if error.status().is_some_and(|status| status == 400) && !denied(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn ended(&mut self) -> Result<Option<String>, Error> {
        Ok(match &self.last {
            Some(instance) => match instance.state.name.as_str() {
                "pending" | "running" => None,
                state => {
                    let reason = instance.state.reason.as_deref().filter(|reason| !reason.is_empty());
                    Some(reason.map_or_else(|| state.to_owned(), |reason| format!("{state}: {reason}")))
                }
            },
            None if self.unknown > UNKNOWN => Some("the cloud does not know it any more".to_owned()),
            None => None,
        })
    }

    fn port(&mut self, port: u16) -> Result<Option<(String, u16)>, Error> {
        let Some(instance) = &self.last else { return Ok(None) };
        let address = instance.public_address.as_ref().or(instance.private_address.as_ref());
        Ok(address.filter(|address| !address.is_empty()).map(|address| (address.clone(), port)))
    }
}

fn denied(error: &hardtack_cloud::Error) -> bool {
    error
        .code()
        .is_some_and(|code| code.contains("Unauthorized") || code.contains("Auth") || code.contains("Denied"))
}
