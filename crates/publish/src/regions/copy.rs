//! An image's copy in another region.
//!
//! `CopyImage` has a client token. Launch permissions and tags of the image do not come with a copy.

use hardtack_cloud::ec2::{CopyImage, Image, copy_image, delete_snapshot};
use hardtack_cloud::{Client, Error as Cloud};
use serde_json::json;

use super::Distribution;
use crate::journal::{self, Journal, Resource};
use crate::poll::Poll;
use crate::{Error, Teller, fingerprint, image, tags};

/// Twenty copies of snapshots go to a region at the same time; whoever comes later waits so often.
const BUSY: usize = 240;

/// The copy that is there: of this name (or any, with `reuse`) and these inputs, and available.
pub(super) fn same(client: &Client, name: &str, inputs: &str, reuse: bool) -> Result<Option<Image>, Error> {
    let is_same = |image: &Image| {
        image.state == "available" && tags::value(&image.tags, fingerprint::TAG) == Some(inputs)
    };
    match image::find(client, name)? {
        Some(found) => Ok(Some(found).filter(is_same)),
        None if reuse => fingerprint::find(client, inputs),
        None => Ok(None),
    }
}

/// What is copied, and for whom.
pub(super) struct Task<'a> {
    pub(super) image: &'a str,
    pub(super) from: &'a str,
    pub(super) name: &'a str,
    pub(super) distribution: &'a Distribution,
    pub(super) journal: &'a Journal,
    pub(super) tell: &'a dyn Teller,
}

impl Task<'_> {
    /// The copy in the client's region: that of an earlier run, one of the same inputs, or a new one.
    pub(super) fn copy(&self, client: &Client, key: Option<&str>) -> Result<Image, Error> {
        let region = client.place().region.clone();
        // A token means one request: an image that was made anew is copied by another one.
        let image = self.image;
        let attempts = format!("copy/{region}/{image}/attempt");
        let mut attempt = self.journal.kept(&attempts).and_then(|kept| kept.as_u64()).unwrap_or(1);
        let (token, resource, standing) = loop {
            let purpose = match attempt {
                1 => format!("copy/{region}/{image}"),
                _ => format!("copy/{region}/{image}#{attempt}"),
            };
            let token = self.journal.token(&purpose);
            let resource = Resource::ImageCopy { name: self.name.to_owned(), token: token.clone() };
            let standing = self.journal.find(&region, &resource);
            let Some((ticket, id)) =
                standing.as_ref().and_then(|known| Some((known.ticket, known.id.clone()?)))
            else {
                break (token, resource, standing);
            };
            if image::still_there(client, &id, self.tell)? {
                return image::wait(client, &id, self.tell);
            }
            self.tell.note(&format!(
                "copy {id} in {region} is there no more, or came to nothing: it is made anew"
            ));
            // An undo that was ended between the image and its snapshots has written them down.
            let left = self.journal.kept(&format!("undo/{region}/{}", self.name)).unwrap_or_default();
            for snapshot in left.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str) {
                delete_snapshot(client, snapshot)?;
            }
            self.journal.removed(ticket)?;
            // Its token means the old copy for ever.
            attempt = attempt.saturating_add(1);
            self.journal.keep(&attempts, &json!(attempt))?;
        };
        let inputs = self.journal.header().inputs;
        let found = match image::find(client, self.name)? {
            None if self.distribution.reuse && standing.is_none() => fingerprint::find(client, &inputs)?,
            named => named,
        };
        if let Some(found) = found {
            let ours = tags::value(&found.tags, journal::TAG) == Some(&self.journal.id());
            if ours {
                let ticket = self.journal.intend(&region, &resource)?;
                self.journal.made(ticket, &found.id)?;
            } else if !inputs.is_empty() && tags::value(&found.tags, fingerprint::TAG) == Some(&inputs) {
                self.tell
                    .note(&format!("{} in {region} is of the same inputs: it is taken as it is", found.id));
            } else {
                return Err(image::refusal(client, &found));
            }
            if let Some(standing) = standing.filter(|_| !ours) {
                self.journal.removed(standing.ticket)?;
            }
            return image::wait(client, &found.id, self.tell);
        }
        let intent = self.journal.intent(&region, &resource)?;
        let id = intent.settle(self.call(client, token, key))?;
        self.journal.made(intent.ticket, &id)?;
        image::wait(client, &id, self.tell)
    }

    fn call(&self, client: &Client, token: String, key: Option<&str>) -> Result<String, Cloud> {
        let request = CopyImage {
            image: self.image.to_owned(),
            from: self.from.to_owned(),
            name: self.name.to_owned(),
            description: None,
            token,
            encrypted: self.distribution.encrypted || key.is_some(),
            kms_key: key.map(str::to_owned),
            tags: tags::with_journal(&self.distribution.tags, self.journal),
        };
        let mut poll = Poll::new(client, self.tell);
        let mut calls = 0;
        loop {
            calls += 1;
            match copy_image(client, &request) {
                Err(error) if error.is("ResourceLimitExceeded") && calls < BUSY => {
                    let region = &client.place().region;
                    poll.pause(&format!("the copy to {region} waits for others ({error})"));
                }
                result => return result,
            }
        }
    }
}
