//! Which image and snapshot a name means now, and whether it can be read.

use hardtack_cloud::ec2::{Image, ImageFilter, Snapshot, SnapshotState, describe_images, describe_snapshots};
use hardtack_cloud::{Client, ssm, sts};

use super::Name;
use crate::Error;

/// What a name came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The name as it was given.
    pub given: String,
    /// The region.
    pub region: String,
    /// The image, unless a snapshot was named.
    pub image: Option<Image>,
    /// The snapshot of its root.
    pub snapshot: String,
    /// GiB.
    pub size: u64,
    /// It is the account's own, so that it can be a parent.
    pub own: bool,
    /// It is encrypted.
    pub encrypted: bool,
    /// By this key.
    pub kms_key: Option<String>,
}

impl Resolved {
    /// For people: "snap-1 of ami-1 (debian-13)".
    pub fn describe(&self) -> String {
        match &self.image {
            Some(image) => format!("{} of {} ({})", self.snapshot, image.id, image.name),
            None => self.snapshot.clone(),
        }
    }
}

/// Asks the cloud what is meant. An image without an EBS root, or with product codes, is refused.
///
/// # Errors
/// There is none, it cannot be read, or the cloud says no.
pub fn resolve(client: &Client, name: &Name, given: &str) -> Result<Resolved, Error> {
    let image = match name {
        Name::Snapshot(_) => None,
        Name::Image(id) => Some(by_id(client, id, given)?),
        Name::Parameter(parameter) => {
            let value = ssm::get_parameter(client, parameter)?.ok_or_else(|| {
                Error::Refused(format!("{given}: there is no such parameter in {}", client.place().region))
            })?;
            Some(by_id(client, &id_of(&value, given)?, given)?)
        }
        Name::Newest { owners, filters } => Some(newest(client, owners, filters, given)?),
    };
    let id = match (&image, name) {
        (Some(image), _) => root_snapshot(image)?,
        (None, Name::Snapshot(id)) => id.clone(),
        (None, _) => return Err(Error::Refused(format!("{given}: no image was found"))),
    };
    let snapshot = snapshot(client, &id, image.as_ref())?;
    let account = sts::caller_identity(client)?.account;
    Ok(Resolved {
        given: given.to_owned(),
        region: client.place().region.clone(),
        own: snapshot.owner == account,
        snapshot: snapshot.id,
        size: snapshot.size,
        encrypted: snapshot.encrypted,
        kms_key: snapshot.kms_key,
        image,
    })
}

/// Some parameters of AWS hold JSON with the id in it (`image_id`, of ECS' images).
fn id_of(value: &str, given: &str) -> Result<String, Error> {
    let value = value.trim();
    let json = serde_json::from_str::<serde_json::Value>(value).ok();
    let id = json.as_ref().and_then(|json| json.get("image_id")?.as_str()).unwrap_or(value);
    match Name::parse(id) {
        Ok(Some(Name::Image(id))) => Ok(id),
        _ => {
            let start: String = value.chars().take(40).collect();
            Err(Error::Refused(format!("{given}: the parameter holds {start:?}, which is no image's id")))
        }
    }
}

fn by_id(client: &Client, id: &str, given: &str) -> Result<Image, Error> {
    let missing = || {
        Error::Refused(format!(
            "{given}: there is no image {id} in {} that this account may see",
            client.place().region
        ))
    };
    let filter = ImageFilter { ids: vec![id.to_owned()], ..ImageFilter::default() };
    let images = match describe_images(client, &filter) {
        Err(error) if error.is("InvalidAMIID.NotFound") || error.is("InvalidAMIID.Unavailable") => {
            return Err(missing());
        }
        answer => answer?,
    };
    images.into_iter().find(|image| image.id == id).ok_or_else(missing)
}

fn newest(
    client: &Client,
    owners: &[String],
    filters: &[(String, Vec<String>)],
    given: &str,
) -> Result<Image, Error> {
    let mut filter = ImageFilter { ids: Vec::new(), owners: owners.to_vec(), filters: filters.to_vec() };
    for (name, value) in [("state", "available"), ("root-device-type", "ebs")] {
        if !filters.iter().any(|(given, _)| given == name) {
            filter.filters.push((name.to_owned(), vec![value.to_owned()]));
        }
    }
    describe_images(client, &filter)?
        .into_iter()
        .filter(|image| image.state == "available")
        .max_by(|one, other| (&one.created, &one.id).cmp(&(&other.created, &other.id)))
        .ok_or_else(|| {
            Error::Refused(format!(
                "{given}: no available image in {} is like that; look at the owner and the pattern",
                client.place().region
            ))
        })
}

/// The snapshot of an image's root.
fn root_snapshot(image: &Image) -> Result<String, Error> {
    let id = &image.id;
    let refuse = |what: String| Err(Error::Refused(what));
    if image.state != "available" {
        let reason = image.reason.as_deref().map_or(String::new(), |reason| format!(" ({reason})"));
        return refuse(format!("{id} is {}{reason}, and only an available image can be read", image.state));
    }
    if !image.product_codes.is_empty() {
        return refuse(format!(
            "{id} has product codes ({}): what the marketplace sells cannot be read or copied",
            image.product_codes.join(", ")
        ));
    }
    if image.root_type.as_deref() == Some("instance-store") {
        return refuse(format!(
            "{id} has its root in an instance store: its bundle is at {}, and `hardtack unbundle` reads that",
            image.location
        ));
    }
    let root = image.mappings.iter().find(|mapping| Some(&mapping.device) == image.root_device.as_ref());
    match root.and_then(|root| root.snapshot.clone()) {
        Some(snapshot) => Ok(snapshot),
        None => refuse(format!(
            "{id} has no snapshot for its root device {}",
            image.root_device.as_deref().unwrap_or("(which it does not name)")
        )),
    }
}

/// The snapshot, completed.
fn snapshot(client: &Client, id: &str, image: Option<&Image>) -> Result<Snapshot, Error> {
    let missing = || {
        let region = &client.place().region;
        Error::Refused(match image {
            Some(image) => format!(
                "{}: this account may not read its snapshot {id} in {region}: account {} has shared the image alone; \
                 ask for the snapshot, or give the image file",
                image.id, image.owner
            ),
            None => format!("there is no snapshot {id} in {region} that this account may read"),
        })
    };
    let found = match describe_snapshots(client, &[id], &[]) {
        Err(error) if error.is("InvalidSnapshot.NotFound") => return Err(missing()),
        answer => answer?,
    };
    let snapshot = found.into_iter().find(|snapshot| snapshot.id == id).ok_or_else(missing)?;
    match &snapshot.state {
        SnapshotState::Completed => Ok(snapshot),
        SnapshotState::Pending => Err(Error::Refused(format!(
            "{id} is being made ({}): try again when it is completed",
            snapshot.progress
        ))),
        SnapshotState::Error => Err(Error::Refused(format!(
            "{id} came to nothing: {}",
            snapshot.message.as_deref().unwrap_or("no reason is given")
        ))),
        SnapshotState::Other(state) => Err(Error::Refused(format!(
            "{id} is in the state {state:?}, and only a completed one can be read"
        ))),
    }
}
