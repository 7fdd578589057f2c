//! A stack is made and watched until it is complete: every event is told once, the oldest first.

use std::time::Duration;

use hardtack_cloud::autoscaling::{Group, describe_groups};
use hardtack_cloud::cloudformation::{
    CreateStack, Stack, StackEvent, create_stack, find_stack, stack_events, stack_resources,
};
use hardtack_cloud::{Client, Error as Cloud, Kind};
use hardtack_publish::journal::{Journal, Resource, TAG, Ticket};
use hardtack_publish::poll::{Fresh, Poll};
use hardtack_publish::refusal::maybe_done;
use hardtack_publish::{Teller, tags};
use serde_json::json;

use crate::Error;

/// The last event that was told, in the journal.
const EVENT: &str = "stack/event";
/// How many stacks were begun with the journal: a token means one stack for ever.
const ATTEMPT: &str = "stack/attempt";
/// What is waited, of the time that there is, for a group's instances after the stack is complete.
const INSTANCES: Duration = Duration::from_secs(300);

/// A stack to make.
#[derive(Clone, Default)]
pub struct Order {
    /// Its name.
    pub name: String,
    /// The template's text. It may have secrets.
    pub template: String,
    /// Parameters. They may be secret.
    pub parameters: Vec<(String, String)>,
    /// `CAPABILITY_IAM` ….
    pub capabilities: Vec<String>,
    /// Where events are sent.
    pub notifications: Vec<String>,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// Minutes after which it has failed.
    pub timeout: Option<u32>,
    /// What becomes of what was made when it fails: `ROLLBACK`, `DELETE`, `DO_NOTHING`.
    pub on_failure: Option<String>,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Order").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a stack has made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// The stack.
    pub stack: Stack,
    /// Auto scaling groups, with their instances.
    pub groups: Vec<Group>,
    /// Instances of its own.
    pub instances: Vec<String>,
}

/// Makes the stack and waits, telling its events, until it is complete. A stack that an earlier run with the same journal
/// began is gone on with.
///
/// # Errors
/// The name is taken; the stack fails ([`Error::No`], with the first reason); time is up.
pub fn create(
    client: &Client,
    order: &Order,
    wait: Duration,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Made, Error> {
    let mut poll = Poll::new(client, tell);
    let (ticket, id) = begin(client, order, wait, &mut poll, journal, tell)?;
    let mut watch = Watch { client, name: &order.name, journal, tell, failure: None };
    let stack = loop {
        let looked = watch.events(&id).and_then(|()| find_stack(client, &id));
        let stack = match looked {
            Ok(found) => found,
            Err(error) => {
                poll.endure(error)?;
                continue;
            }
        };
        let Some(stack) = stack else {
            journal.removed(ticket)?;
            return Err(watch.failed("the cloud does not know it any more"));
        };
        match stack.status.as_str() {
            "CREATE_COMPLETE" => break stack,
            // What came between the events and the state is told, too.
            status if is_over(status) => {
                // It may be that they cannot be asked for any more; what is known is enough.
                let _ = watch.events(&id);
                if status == "DELETE_COMPLETE" {
                    journal.removed(ticket)?;
                }
                if watch.failure.is_none() {
                    watch.failure.clone_from(&stack.reason);
                }
                return Err(watch.failed(&format!("it is {status} now")));
            }
            status if poll.waited() >= wait => {
                let minutes = wait.as_secs() / 60;
                let text = format!("it is {status} after {minutes} minutes, and the cloud goes on with it");
                return Err(watch.failed(&text));
            }
            status => poll.pause(&format!("stack {} is {status}", order.name)),
        }
    };
    list(client, stack, wait, &mut poll)
}

/// A stack that was made, as it is now; none where it is gone. Nothing is waited for.
///
/// # Errors
/// It cannot be asked about.
pub fn look(client: &Client, id: &str, tell: &dyn Teller) -> Result<Option<Made>, Error> {
    let mut poll = Poll::new(client, tell);
    match find_stack(client, id)? {
        Some(stack) if stack.status != "DELETE_COMPLETE" => {
            list(client, stack, Duration::ZERO, &mut poll).map(Some)
        }
        _ => Ok(None),
    }
}

/// The stack's ticket and id: that of an earlier run, or a new one.
fn begin(
    client: &Client,
    order: &Order,
    wait: Duration,
    poll: &mut Poll<'_>,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<(Ticket, String), Error> {
    let region = client.place().region.clone();
    let resource = Resource::Stack { name: order.name.clone() };
    let standing = journal.find(&region, &resource);
    if let Some((ticket, id)) = standing.as_ref().and_then(|known| Some((known.ticket, known.id.clone()?))) {
        if standing_stack(client, &id, wait, poll)?.is_some() {
            return Ok((ticket, id));
        }
        tell.note(&format!("stack {} of an earlier run is there no more: it is made anew", order.name));
        journal.removed(ticket)?;
    }
    if let Some(found) = standing_stack(client, &order.name, wait, poll)? {
        let ticket = journal.intend(&region, &resource)?;
        return take(&found, ticket, order, journal);
    }
    if journal.find(&region, &resource).is_none() {
        // Kept before anything is asked for: what an earlier token made may have been undone.
        journal.keep(ATTEMPT, &json!(attempt(journal).saturating_add(1)))?;
    }
    let intent = journal.intent(&region, &resource)?;
    let request = request(client, order, journal);
    let error = match create_stack(client, &request) {
        Ok(id) => {
            journal.made(intent.ticket, &id)?;
            return Ok((intent.ticket, id));
        }
        Err(error) => error,
    };
    let taken = error.is("AlreadyExistsException") || error.is("AlreadyExists");
    if !taken && !maybe_done(&error) {
        return Ok(intent.settle(Err(error))?);
    }
    tell.waiting(&format!("{error}; whether stack {} was made is looked at", order.name));
    let mut fresh = Fresh::new(client);
    loop {
        match find_stack(client, &order.name) {
            Ok(Some(found)) => return take(&found, intent.ticket, order, journal),
            Ok(None) if !fresh.again() => return Err(error.into()),
            Ok(None) => {}
            Err(error) => poll.endure(error)?,
        }
    }
}

/// A stack that is not gone. Where an `undo` has begun to delete it, its end is waited for.
fn standing_stack(
    client: &Client,
    name: &str,
    wait: Duration,
    poll: &mut Poll<'_>,
) -> Result<Option<Stack>, Error> {
    loop {
        match find_stack(client, name) {
            Ok(Some(stack)) if stack.status == "DELETE_IN_PROGRESS" && poll.waited() < wait => {
                poll.pause(&format!("stack {} is being deleted", stack.name));
            }
            Ok(found) => return Ok(found.filter(|stack| stack.status != "DELETE_COMPLETE")),
            Err(error) => poll.endure(error)?,
        }
    }
}

/// The number of the stack that is made now.
fn attempt(journal: &Journal) -> u64 {
    journal.kept(ATTEMPT).and_then(|kept| kept.as_u64()).unwrap_or(0)
}

/// A stack of that name that is there, if this journal made it.
fn take(found: &Stack, ticket: Ticket, order: &Order, journal: &Journal) -> Result<(Ticket, String), Error> {
    if tags::value(&found.tags, TAG) == Some(journal.id().as_str()) {
        let id = if found.id.is_empty() { order.name.clone() } else { found.id.clone() };
        journal.made(ticket, &id)?;
        return Ok((ticket, id));
    }
    journal.removed(ticket)?;
    Err(Error::Refused(format!(
        "there is a stack {} already ({}, since {}), and it is not of this journal; give another --name, or delete it",
        order.name, found.status, found.created
    )))
}

fn request(client: &Client, order: &Order, journal: &Journal) -> CreateStack {
    let attempt = attempt(journal);
    let purpose = if attempt <= 1 { "stack".to_owned() } else { format!("stack#{attempt}") };
    let token = if client.place().kind == Kind::Aws { journal.token(&purpose) } else { String::new() };
    CreateStack {
        name: order.name.clone(),
        template: order.template.clone(),
        parameters: order.parameters.clone(),
        capabilities: order.capabilities.clone(),
        notifications: order.notifications.clone(),
        tags: tags::of_journal(&order.tags, journal),
        timeout: order.timeout,
        on_failure: order.on_failure.clone(),
        token,
    }
}

/// It will not change by itself any more, and is not complete.
fn is_over(status: &str) -> bool {
    matches!(
        status,
        "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "DELETE_COMPLETE" | "DELETE_FAILED"
    )
}

struct Watch<'a> {
    client: &'a Client,
    name: &'a str,
    journal: &'a Journal,
    tell: &'a dyn Teller,
    /// The first thing that went wrong.
    failure: Option<String>,
}

impl Watch<'_> {
    /// Tells what is new.
    fn events(&mut self, id: &str) -> Result<(), Cloud> {
        let kept = self.journal.kept(EVENT);
        // Of another stack with the same journal it is not found, and all are told.
        let last = kept.as_ref().and_then(serde_json::Value::as_str);
        // What was told already may have the reason.
        let after = if self.failure.is_none() { None } else { last };
        let events = stack_events(self.client, id, after)?;
        let from = events.iter().position(|event| Some(event.id.as_str()) == last).map_or(0, |at| at + 1);
        for (at, event) in events.iter().enumerate() {
            if self.failure.is_none() && event.status == "CREATE_FAILED" && event.logical != self.name {
                let why = event.reason.as_deref().unwrap_or("no reason is given");
                self.failure = Some(format!("{} ({}): {}", event.logical, event.kind, tame(why)));
            }
            if at >= from {
                self.tell.note(&line(event));
            }
        }
        if let Some(last) = events.last() {
            // A later run tells one twice; that is all that can come of it.
            let _ = self.journal.keep(EVENT, &json!(last.id));
        }
        Ok(())
    }

    fn failed(&self, state: &str) -> Error {
        let why = self.failure.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        Error::No(format!("stack {} was not made{why}; {state}", self.name))
    }
}

/// `2014-10-02T12:00:00Z CREATE_FAILED Group AWS::AutoScaling::AutoScalingGroup: why`.
pub fn line(event: &StackEvent) -> String {
    let why = event.reason.as_ref().map(|why| format!(": {}", tame(why))).unwrap_or_default();
    format!("{} {} {} {}{why}", event.time, event.status, tame(&event.logical), event.kind)
}

fn tame(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// Groups and instances. A group that is complete may still be starting its instances.
fn list(client: &Client, stack: Stack, wait: Duration, poll: &mut Poll<'_>) -> Result<Made, Error> {
    let id = if stack.id.is_empty() { stack.name.clone() } else { stack.id.clone() };
    let until = wait.min(poll.waited().saturating_add(INSTANCES));
    loop {
        let found = stack_resources(client, &id).and_then(|resources| {
            let of = |kind: &str| -> Vec<String> {
                let of_kind = resources.iter().filter(|resource| resource.kind == kind);
                of_kind.filter_map(|resource| resource.physical.clone()).collect()
            };
            let names = of("AWS::AutoScaling::AutoScalingGroup");
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            // Without names all groups of the account would be told.
            let groups = if names.is_empty() { Vec::new() } else { describe_groups(client, &names)? };
            Ok((groups, of("AWS::EC2::Instance")))
        });
        let (groups, instances) = match found {
            Ok(found) => found,
            Err(error) => {
                poll.endure(error)?;
                continue;
            }
        };
        let missing = groups.iter().find(|group| group.instances.len() < group.desired as usize);
        match missing {
            Some(group) if poll.waited() < until => {
                let (are, wanted) = (group.instances.len(), group.desired);
                poll.pause(&format!("group {} has {are} of {wanted} instances", group.name));
            }
            _ => return Ok(Made { stack, groups, instances }),
        }
    }
}
