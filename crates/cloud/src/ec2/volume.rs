//! Volumes: `DescribeVolumes`, `CreateVolume`, `AttachVolume`, `DeleteVolume`.

use super::filter::{PAGE, add_filters, entries, items, pages};
use super::{create_tags, done, specify_tags, tags, takes_tags, unless};
use crate::call::Call;
use crate::query::Query;
use crate::xml::Element;
use crate::{Client, Error, Kind, Service};

const DESCRIBE: Call = Call(Service::Ec2, "DescribeVolumes");
const CREATE: Call = Call(Service::Ec2, "CreateVolume");
const ATTACH: Call = Call(Service::Ec2, "AttachVolume");
const DELETE: Call = Call(Service::Ec2, "DeleteVolume");

/// A volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// `vol-…`.
    pub id: String,
    /// `creating`, `available`, `in-use`, `deleting`, `error` ….
    pub state: String,
    /// GiB.
    pub size: u64,
    /// Its zone.
    pub zone: String,
    /// `gp3` and the like.
    pub volume_type: Option<String>,
    /// The snapshot that it was made of.
    pub snapshot: Option<String>,
    /// When it was made.
    pub created: String,
    /// Where it is attached.
    pub attachments: Vec<Attachment>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// Where a volume is attached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// The instance.
    pub instance: String,
    /// The device, as the instance was told.
    pub device: String,
    /// `attaching`, `attached`, `detaching` …; Eucalyptus may say `attaching failed`.
    pub state: String,
}

/// A volume to make.
#[derive(Clone, Debug, Default)]
pub struct CreateVolume {
    /// GiB; as the snapshot's where there is none.
    pub size: Option<u64>,
    /// Its zone.
    pub zone: String,
    /// The snapshot that it is made of.
    pub snapshot: Option<String>,
    /// `gp3` and the like.
    pub volume_type: Option<String>,
    /// Another call with the same token makes nothing. AWS; Eucalyptus has no tokens here.
    pub token: String,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// `DescribeVolumes`: those of `ids`, or those that match `filters`, all pages.
///
/// # Errors
/// `InvalidVolume.NotFound`; no answer.
pub fn describe_volumes(
    client: &Client,
    ids: &[&str],
    filters: &[(String, Vec<String>)],
) -> Result<Vec<Volume>, Error> {
    let mut query = Query::default();
    query.list("VolumeId", ids.iter().copied());
    add_filters(&mut query, filters);
    let mut found = Vec::new();
    pages(DESCRIBE, client, &query, PAGE.filter(|_| ids.is_empty()), |root| {
        for entry in items(DESCRIBE, root, "volumeSet")? {
            found.push(volume(DESCRIBE, entry)?);
        }
        Ok(())
    })?;
    Ok(found)
}

/// `CreateVolume`. On AWS the same token makes nothing more: it is sent again where no answer came. On Eucalyptus it is
/// sent once, and the tags come by a call of their own; where that fails the volume has none, and `tags` of the answer
/// is empty.
///
/// # Errors
/// No such zone or snapshot, no room; no answer.
pub fn create_volume(client: &Client, request: &CreateVolume) -> Result<Volume, Error> {
    let mut query = Query::default();
    query.maybe("Size", request.size.map(|size| size.to_string()));
    query.set("AvailabilityZone", &request.zone);
    query.maybe("SnapshotId", request.snapshot.as_deref());
    query.maybe("VolumeType", request.volume_type.as_deref());
    specify_tags(client, &mut query, &["volume"], &request.tags);
    let answer = if client.place().kind == Kind::Aws {
        query.set("ClientToken", &request.token);
        CREATE.query(client, &query)?
    } else {
        CREATE.query_once(client, &query)?
    };
    let mut made = volume(CREATE, &answer)?;
    if !takes_tags(client) && create_tags(client, &[&made.id], &request.tags).is_ok() {
        made.tags.clone_from(&request.tags);
    }
    Ok(made)
}

/// `AttachVolume` as `device`. The call is sent once, and who gets [`Error::Transport`] looks at the volume.
///
/// # Errors
/// `IncorrectState`, `VolumeInUse`: volume or instance are not ready for it; another zone; no answer.
pub fn attach_volume(client: &Client, volume: &str, instance: &str, device: &str) -> Result<(), Error> {
    let mut query = Query::default();
    query.set("VolumeId", volume).set("InstanceId", instance).set("Device", device);
    let answer = ATTACH.query_once(client, &query)?;
    ATTACH.id(&answer, &["volumeId"]).map(drop)
}

/// `DeleteVolume`. One that is gone already is no error.
///
/// # Errors
/// `VolumeInUse`: an instance has it; no answer.
pub fn delete_volume(client: &Client, volume: &str) -> Result<(), Error> {
    let mut query = Query::default();
    query.set("VolumeId", volume);
    let result = DELETE.query(client, &query).and_then(|answer| done(DELETE, &answer));
    unless(result, &["InvalidVolume.NotFound"], ())
}

fn volume(call: Call, entry: &Element) -> Result<Volume, Error> {
    let text = |name: &str| entry.trimmed(&[name]);
    let attachment = |item: &Element| Attachment {
        instance: item.trimmed(&["instanceId"]).unwrap_or_default(),
        device: item.trimmed(&["device"]).unwrap_or_default(),
        state: item.trimmed(&["status"]).unwrap_or_default(),
    };
    Ok(Volume {
        id: call.id(entry, &["volumeId"])?,
        state: call.text(entry, &["status"])?.to_owned(),
        size: call.number(entry, &["size"])?.unwrap_or(0),
        zone: text("availabilityZone").unwrap_or_default(),
        volume_type: text("volumeType"),
        snapshot: text("snapshotId"),
        created: text("createTime").unwrap_or_default(),
        attachments: entries(entry, "attachmentSet").map(attachment).collect(),
        tags: tags(entry),
    })
}
