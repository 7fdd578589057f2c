//! Images and their copies: deregistered, if they are this journal's.
//!
//! A name alone says nothing: somebody else may have registered an image of it since; nor does an id in a file that
//! can be edited. An image is ours if it has the
//! journal's tag; where it has none (Eucalyptus takes tags in a call of their own, which may not have been made), if it
//! is made of our manifest or of our snapshot, or registered with the manifest that the journal has for it.

use hardtack_cloud::Kind;
use hardtack_cloud::ec2::{Image, ImageFilter, deregister_image, describe_images, describe_snapshots};
use serde_json::{Value, json};

use super::{Fate, Task};
use crate::Error;
use crate::journal::{self, Resource};
use crate::refusal::missing;
use crate::tags;

impl Task<'_, '_> {
    pub(super) fn image(&mut self, name: &str, id: Option<&str>) -> Result<Fate, Error> {
        let text = |id: &str, region: &str| format!("image {id} ({name}) in {region}");
        let region = self.region().to_owned();
        match self.find_image(name, id)? {
            Found::Ours(image) => {
                deregister_image(self.client, &image.id)?;
                Ok(Fate::Removed(text(&image.id, &region)))
            }
            Found::Others(image) => {
                Ok(Fate::Left(format!("{}: it is not of this journal", text(&image, &region))))
            }
            Found::Nothing => Ok(Fate::Gone(text(id.unwrap_or("without an id"), &region))),
        }
    }

    /// A copy has snapshots of its own, that no record tells of: they have the journal's tag.
    pub(super) fn copy(&mut self, name: &str, id: Option<&str>) -> Result<Fate, Error> {
        let found = self.find_image(name, id)?;
        let mut snapshots: Vec<String> = match &found {
            Found::Ours(image) => {
                image.mappings.iter().filter_map(|mapping| mapping.snapshot.clone()).collect()
            }
            _ => Vec::new(),
        };
        // An undo that is ended between the image and its snapshots: these are found by nobody's mapping any more.
        let key = format!("undo/{}/{name}", self.region());
        let kept = self.journal.kept(&key).unwrap_or_default();
        let kept: Vec<String> = kept.as_array().into_iter().flatten().filter_map(text_of).collect();
        for snapshot in kept {
            if !snapshots.contains(&snapshot) {
                snapshots.push(snapshot);
            }
        }
        let known = self.known();
        let tagged = describe_snapshots(self.client, &[], &self.tag())?;
        for snapshot in tagged.into_iter().map(|snapshot| snapshot.id) {
            if !known.contains(&snapshot) && !snapshots.contains(&snapshot) {
                snapshots.push(snapshot);
            }
        }
        let region = self.region().to_owned();
        let text = |id: &str| format!("image {id} ({name}) in {region}");
        if let Found::Ours(image) = &found {
            self.journal.keep(&key, &json!(snapshots))?;
            deregister_image(self.client, &image.id)?;
        }
        for snapshot in &snapshots {
            self.delete_snapshot(snapshot)?;
        }
        let with =
            if snapshots.is_empty() { String::new() } else { format!(" with {}", snapshots.join(", ")) };
        Ok(match found {
            Found::Ours(image) => Fate::Removed(format!("{}{with}", text(&image.id))),
            _ if !snapshots.is_empty() => {
                Fate::Removed(format!("{} of a copy of {name} in {region}", snapshots.join(", ")))
            }
            Found::Others(image) => Fate::Left(format!("{}: it is not of this journal", text(&image))),
            Found::Nothing => Fate::Gone(text(id.unwrap_or("without an id"))),
        })
    }

    fn find_image(&mut self, name: &str, id: Option<&str>) -> Result<Found, Error> {
        let filter = match id {
            Some(id) => ImageFilter { ids: vec![id.to_owned()], ..ImageFilter::default() },
            None => ImageFilter {
                ids: Vec::new(),
                owners: vec!["self".to_owned()],
                filters: vec![("name".to_owned(), vec![name.to_owned()])],
            },
        };
        loop {
            let mut others = None;
            let found = match describe_images(self.client, &filter) {
                Err(error) if missing(&error) => Vec::new(),
                other => other?,
            };
            for image in found.into_iter().filter(|image| image.state != "deregistered") {
                if id.is_some_and(|id| image.id != id) || id.is_none() && image.name != name {
                    continue;
                }
                if self.is_ours(&image) || id.is_some() && image.name == name && self.is_untagged(&image) {
                    return Ok(Found::Ours(Box::new(image)));
                }
                others = Some((image.id, tags::value(&image.tags, journal::TAG).is_some()));
            }
            match others {
                // A name that somebody else has is none that ours could have got.
                Some((image, true)) => return Ok(Found::Others(image)),
                // Tags may be seen later than what they are of.
                others if !self.fresh.again() => {
                    return Ok(others.map_or(Found::Nothing, |(image, _)| Found::Others(image)));
                }
                _ => {}
            }
        }
    }

    /// Eucalyptus: the call that tags what was registered may not have been made.
    fn is_untagged(&self, image: &Image) -> bool {
        self.client.place().kind == Kind::Euca && tags::value(&image.tags, journal::TAG).is_none()
    }

    fn is_ours(&self, image: &Image) -> bool {
        if let Some(id) = tags::value(&image.tags, journal::TAG) {
            return id == self.journal.id();
        }
        if !self.is_untagged(image) {
            return false;
        }
        let location = image.location.trim_start_matches('/');
        self.journal.standing().iter().any(|standing| match (&standing.resource, &standing.id) {
            (Resource::Object { bucket, key }, _) => {
                key.ends_with(".manifest.xml") && location == format!("{bucket}/{key}")
            }
            (Resource::Snapshot { .. }, Some(id)) => {
                image.mappings.iter().any(|mapping| mapping.snapshot.as_deref() == Some(id))
            }
            (Resource::Image { name, location: Some(ours) }, _) => {
                *name == image.name && ours.trim_start_matches('/') == location
            }
            _ => false,
        })
    }
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

enum Found {
    Ours(Box<Image>),
    /// Of that name, and not ours.
    Others(String),
    Nothing,
}
