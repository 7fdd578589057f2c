//! Registering: a snapshot or a bundle becomes an image. A name that is taken is found before, never doubled.
//!
//! `RegisterImage` has no client token: whether a call that was not answered made an image is asked by its name, and
//! the journal's tag, or what it is made of, says whose it is. Eucalyptus takes no tags with the call.

use std::time::Duration;

use hardtack_cloud::ec2::{
    Image, ImageFilter, Mapping, RegisterImage, create_tags, deregister_image, describe_images,
    register_image,
};
use hardtack_cloud::{Client, Error as Cloud, Kind};

use crate::journal::{self, Intent, Journal, Resource};
use crate::poll::{self, Fresh, Poll};
use crate::refusal::maybe_done;
use crate::{Error, Teller, fingerprint, tags};

/// Calls of `RegisterImage` whose answers were lost, before it is given up.
const CALLS: usize = 3;
/// Before a look for what a lost call made.
const SETTLE: Duration = Duration::from_secs(5);

/// What to do where an image of that name is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// An error that names it.
    #[default]
    Refuse,
    /// It is what is wanted, if it is of the same inputs (tag `hardtack:inputs`); else an error.
    Reuse,
}

/// An image that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// `ami-…`, `emi-…`.
    pub id: String,
    /// It was there before this run.
    pub found: bool,
}

/// The account's own image of that name, if there is one. Images that came to nothing do not count.
pub fn find(client: &Client, name: &str) -> Result<Option<Image>, Error> {
    let filter = ImageFilter {
        ids: Vec::new(),
        owners: vec!["self".to_owned()],
        filters: vec![("name".to_owned(), vec![name.to_owned()])],
    };
    let dead = |state: &str| matches!(state, "failed" | "invalid" | "error" | "deregistered");
    let mut found = describe_images(client, &filter)?;
    // A filter's value is a pattern, and older clouds have none of names.
    found.retain(|image| image.name == name && !dead(&image.state));
    Ok(found.into_iter().max_by(|one, other| one.created.cmp(&other.created)))
}

/// Registers an image and waits until it is available. An image that an earlier run with the same journal made is
/// found again.
pub fn register(
    client: &Client,
    request: &RegisterImage,
    existing: Existing,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Registered, Error> {
    let region = client.place().region.clone();
    let resource = Resource::Image { name: request.name.clone(), location: request.location.clone() };
    let standing = journal.find(&region, &resource);
    if let Some((ticket, id)) = standing.as_ref().and_then(|known| Some((known.ticket, known.id.clone()?))) {
        if still_there(client, &id, tell)? {
            return finish(client, request, &id, journal, tell);
        }
        tell.note(&format!(
            "image {id} of an earlier run is there no more, or came to nothing: it is made anew"
        ));
        journal.removed(ticket)?;
    }
    if let Some(found) = find(client, &request.name)? {
        if let Some(known) = standing.filter(|known| known.id.is_none()) {
            if is_ours(&found, request, journal) {
                journal.made(known.ticket, &found.id)?;
                return finish(client, request, &found.id, journal, tell);
            }
            // The name was free when that run looked; the image is somebody else's.
            journal.removed(known.ticket)?;
        }
        return reuse(client, &found, existing, journal, tell);
    }
    let mut request = request.clone();
    request.tags = tags::with_journal(&request.tags, journal);
    let intent = journal.intent(&region, &resource)?;
    let id = call(client, &request, &intent, journal, tell)?;
    finish(client, &request, &id, journal, tell)
}

/// Calls `RegisterImage`, again only when the last call has made nothing.
fn call(
    client: &Client,
    request: &RegisterImage,
    intent: &Intent<'_>,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<String, Error> {
    let ticket = intent.ticket;
    let mut sent = request.clone();
    if client.place().kind == Kind::Euca {
        sent.tags = Vec::new();
    }
    let mut lost = None;
    for _ in 0..CALLS {
        let error = match register_image(client, &sent) {
            Ok(id) => {
                journal.made(ticket, &id)?;
                return Ok(id);
            }
            Err(error) => error,
        };
        let taken = error.code().is_some_and(|code| code.contains("Duplicate"));
        if !taken && !maybe_done(&error) {
            // What the call before this one has made may only not be seen yet.
            let said = if lost.is_none() { intent.settle(Err(error)) } else { Err(error) };
            return Ok(said?);
        }
        if !taken {
            tell.waiting(&format!("{error}; whether image {} was made is looked at", request.name));
            (client.environment().sleep)(SETTLE);
        }
        // An image that has the name is there, also where it is not yet known everywhere.
        let mut fresh = Fresh::new(client);
        let found = loop {
            match find(client, &request.name)? {
                None if taken && fresh.again() => {}
                found => break found,
            }
        };
        match found {
            Some(found) if is_ours(&found, request, journal) => {
                journal.made(ticket, &found.id)?;
                return Ok(found.id);
            }
            Some(found) => {
                journal.removed(ticket)?;
                return Err(refusal(client, &found));
            }
            None if taken => return Err(error.into()),
            None => lost = Some(error),
        }
    }
    Err(match lost {
        Some(error) => error.into(),
        None => Cloud::State(format!("image {} was not registered", request.name)).into(),
    })
}

/// Tags of its own where the call took none, and the wait.
fn finish(
    client: &Client,
    request: &RegisterImage,
    id: &str,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Registered, Error> {
    let image = wait(client, id, tell)?;
    let wanted = tags::with_journal(&request.tags, journal);
    if client.place().kind == Kind::Euca && wanted.iter().any(|tag| !image.tags.contains(tag)) {
        create_tags(client, &[id], &wanted)?;
    }
    Ok(Registered { id: id.to_owned(), found: false })
}

/// True where an earlier run's image can still become something; one that came to nothing is deregistered.
pub(crate) fn still_there(client: &Client, id: &str, tell: &dyn Teller) -> Result<bool, Error> {
    match look(client, id, tell)? {
        Some(image) if matches!(image.state.as_str(), "failed" | "invalid" | "error") => {
            deregister_image(client, id)?;
            Ok(false)
        }
        found => Ok(found.is_some_and(|image| image.state != "deregistered")),
    }
}

/// Whether this journal's call made it: by the journal's tag, and where there are no tags (yet) by what it is made of.
fn is_ours(found: &Image, request: &RegisterImage, journal: &Journal) -> bool {
    if let Some(id) = tags::value(&found.tags, journal::TAG) {
        return id == journal.id();
    }
    let snapshots = |mappings: &[Mapping]| -> Vec<String> {
        mappings.iter().filter_map(|mapping| mapping.snapshot.clone()).collect()
    };
    let wanted = snapshots(&request.mappings);
    let same_snapshots = !wanted.is_empty() && snapshots(&found.mappings) == wanted;
    let location = |text: &str| text.trim_start_matches('/').to_owned();
    let same_location =
        request.location.as_deref().is_some_and(|wanted| location(wanted) == location(&found.location));
    same_snapshots || same_location
}

/// An image of that name that no run with this journal made.
fn reuse(
    client: &Client,
    found: &Image,
    existing: Existing,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Registered, Error> {
    if existing == Existing::Refuse {
        return Err(refusal(client, found));
    }
    let inputs = journal.header().inputs;
    if tags::value(&found.tags, fingerprint::TESTED) == Some(fingerprint::NOT_TESTED) {
        return Err(Error::Refused(format!(
            "image {} ({}) has not passed its test, so it is not reused: go on with its journal, or undo that",
            found.name, found.id
        )));
    }
    match tags::value(&found.tags, fingerprint::TAG) {
        Some(theirs) if theirs == inputs => {
            wait(client, &found.id, tell)?;
            Ok(Registered { id: found.id.clone(), found: true })
        }
        theirs => {
            let why = if theirs.is_some() { "is of other inputs" } else { "does not say what it is made of" };
            Err(Error::Refused(format!(
                "image {} ({}) {why}, so it is not reused; give another name, or deregister it",
                found.name, found.id
            )))
        }
    }
}

/// The name is taken.
pub(crate) fn refusal(client: &Client, found: &Image) -> Error {
    Error::Refused(format!(
        "an image called {} is in {} already: {} ({}); give another name, or deregister it",
        found.name,
        client.place().region,
        found.id,
        found.state
    ))
}

/// What EC2 says of an image; `None` when it is not there, and two minutes later neither.
pub(crate) fn look(client: &Client, id: &str, tell: &dyn Teller) -> Result<Option<Image>, Error> {
    let filter = ImageFilter { ids: vec![id.to_owned()], ..ImageFilter::default() };
    poll::look(client, tell, || {
        Ok(describe_images(client, &filter)?.into_iter().find(|image| image.id == id))
    })
}

/// Waits until an image is available, for as long as it is pending: the state is told. An image that fails is an
/// error with the service's reason.
pub fn wait(client: &Client, image: &str, tell: &dyn Teller) -> Result<Image, Error> {
    let region = &client.place().region;
    let mut poll = Poll::new(client, tell);
    loop {
        let Some(found) = look(client, image, tell)? else {
            return Err(Cloud::State(format!(
                "image {image} is not in {region}: somebody has deregistered it"
            ))
            .into());
        };
        match found.state.as_str() {
            "available" => return Ok(found),
            "failed" | "invalid" | "error" | "deregistered" | "disabled" => {
                let why = found.reason.unwrap_or_else(|| "no reason given".to_owned());
                return Err(
                    Cloud::State(format!("image {image} in {region} is {}: {why}", found.state)).into()
                );
            }
            state => poll.pause(&format!("image {image} in {region} is {state}")),
        }
    }
}
