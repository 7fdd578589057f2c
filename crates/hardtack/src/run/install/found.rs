//! An image that is there already: printed, and given what is missing of it.

use hardtack_cloud::ec2::{Image, ImageFilter, describe_images};
use hardtack_cloud::{Client, Environment};
use hardtack_publish::image::{self, Existing};
use hardtack_publish::journal::{Header, Journal};
use hardtack_publish::regions::{Distribution, Placed, complete, distribute};
use hardtack_publish::{Teller as _, fingerprint};
use serde_json::{Value, json};

use super::cloud::Plan;
use super::{Order, local};
use crate::error::CliError;
use crate::run::publish::Session;
use crate::talk;

/// An image that is what is wanted.
pub(super) struct There {
    pub(super) image: Image,
    /// What its run gave, where that had this journal.
    result: Option<Value>,
}

/// The image that is wanted, if it is there already: of an earlier run with this journal, of the same inputs
/// (`--if-changed`), or of this name (`--existing reuse`).
pub(super) fn look(
    order: &Order<'_>,
    client: &Client,
    plan: &Plan,
    earlier: &Result<Option<Journal>, CliError>,
) -> Result<Option<There>, CliError> {
    if let Ok(Some(journal)) = earlier
        && let Some(result) = journal.result()
    {
        let id = result.get("image").and_then(Value::as_str).unwrap_or_default();
        let image = by_id(client, id)?.ok_or_else(|| local::gone(&order.journal, id))?;
        return Ok(Some(There { image, result: Some(result) }));
    }
    if order.arguments.if_changed
        && let Some(image) = fingerprint::find(client, &plan.inputs)?
    {
        talk::note(&format!("nothing has changed since {} ({}) was made", image.id, image.name));
        return Ok(Some(There { image, result: None }));
    }
    if order.existing == Existing::Reuse
        && let Some(image) = image::find(client, &order.request.name)?
    {
        let mut tags = image.tags.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        if !fingerprint::may_be_used(&mut tags) {
            let text = format!("{} ({}) is there, and has not passed its test", image.id, image.name);
            return Err(CliError::refused(text).hint("go on with the journal of its run, or undo that"));
        }
        let tag = image.tags.iter().find(|(name, _)| name == fingerprint::TAG);
        if tag.is_some_and(|(_, value)| *value == plan.inputs) {
            return Ok(Some(There { image, result: None }));
        }
        let text = format!("{} ({}) is there, and was made of something else", image.id, image.name);
        return Err(CliError::refused(text).hint("give another --name"));
    }
    Ok(None)
}

fn by_id(client: &Client, id: &str) -> Result<Option<Image>, CliError> {
    let filter = ImageFilter { ids: vec![id.to_owned()], ..ImageFilter::default() };
    match describe_images(client, &filter) {
        Ok(images) => Ok(images.into_iter().find(|image| image.id == id && image.state != "deregistered")),
        Err(error) if error.code().is_some_and(|code| code.starts_with("InvalidAMIID")) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Makes what is missing of it: copies, who may start it, parameters. Where nothing is, nothing is written down.
pub(super) fn provide(
    order: &Order<'_>,
    client: &Client,
    plan: &Plan,
    there: There,
    earlier: Result<Option<Journal>, CliError>,
    header: &Header,
    environment: &Environment,
) -> Result<Value, CliError> {
    let wanted = Distribution { reuse: there.result.is_none(), ..plan.distribution.clone() };
    if let Some(placed) = complete(client, &there.image, &wanted, &plan.inputs)? {
        return Ok(result(order, client, plan, there, &placed));
    }
    // It must be of these inputs, and its lock is needed.
    drop(earlier?);
    let session = Session::open(&order.journal, header, environment)?;
    let (id, name) = (there.image.id.clone(), there.image.name.clone());
    order.tell.note(&format!("{id} is there, and gets what is missing of it"));
    if there.result.is_none() && wanted.share != Default::default() {
        order
            .tell
            .note(&format!("{id} was there before: undoing this leaves it, and leaves who may start it"));
    }
    session.run(|journal| {
        let placed = distribute(client, &id, &name, &wanted, journal, &order.tell)?;
        Ok(result(order, client, plan, there, &placed))
    })
}

/// What is told of it: all that is told of an image that is made, as far as it is known.
fn result(order: &Order<'_>, client: &Client, plan: &Plan, there: There, placed: &[Placed]) -> Value {
    let image = there.image;
    let mut result = there.result.unwrap_or_else(|| {
        let snapshot = image.mappings.iter().find_map(|mapping| mapping.snapshot.as_deref());
        let mut result = json!({
            "image": image.id,
            "name": image.name,
            "on": order.arguments.place.on.name(),
            "region": client.place().region,
            "found": true,
            "architecture": image.architecture,
            "boot_mode": image.boot_mode,
            "changes": null,
            "confirmed": null,
        });
        let form = match &plan.bundle {
            Some(_) => {
                json!({"location": image.location, "parts": null, "skipped": null, "size": null, "bundled_size": null})
            }
            None => json!({"snapshot": snapshot, "blocks": null, "sent": null, "encrypted": null}),
        };
        if let (Some(result), Value::Object(form)) = (result.as_object_mut(), form) {
            result.extend(form);
        }
        result
    });
    if let Some(result) = result.as_object_mut() {
        let images = placed.iter().map(|placed| json!({"region": placed.region, "image": placed.id}));
        result.insert("images".to_owned(), images.collect());
    }
    result
}
