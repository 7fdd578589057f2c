//! EC2: images, snapshots, instances and what they need (keys, groups, volumes, networks, types), and what an account
//! says of encryption and sharing.
//!
//! Sources: the EC2 API reference of 2016-11-15 for names of parameters and elements; for Eucalyptus the message
//! classes of its sources (`compute-common`: `VmImages.groovy`, `VmControl.groovy`, `VmBlockDevice.groovy`).
//!
//! Eucalyptus refuses a call with a parameter that it does not know ("Failed to bind the following fields"). What
//! AWS added later is therefore not sent there: `TagSpecification`, `BootMode`, `EnaSupport`, `ImdsSupport`,
//! `TpmSupport`, `MetadataOptions`, `Latest`, `MaxResults`. Tags come by [`create_tags`] afterwards.

mod account;
mod filter;
mod image;
mod instance;
mod key;
mod launchers;
mod network;
mod register;
mod security;
mod size;
mod snapshot;
#[cfg(test)]
mod tests;
mod volume;

pub use account::{
    EncryptionDefault, PublicAccess, default_key, encryption_default, image_public_access, regions,
    snapshot_public_access,
};
pub use image::{Image, ImageFilter, describe_images, public_images};
pub use instance::{
    Console, Device, Extras, GroupRef, Instance, InstanceState, Interface, Reservation, RunInstance,
    RunInstances, console, console_output, describe_instances, describe_reservations, dry_run, run_instance,
    run_instances, terminate, terminate_instance, user_data,
};
pub use key::{KeyPair, delete_key_pair, describe_key_pairs, import_key_pair};
pub use launchers::{Launchers, launchers, modify_launchers};
pub use network::{Subnet, Vpc, Zone, describe_interfaces, describe_subnets, describe_vpcs, describe_zones};
pub use register::{
    BootMode, CopyImage, Mapping, RegisterImage, copy_image, deregister_image, register_image,
};
pub use security::{
    CreateSecurityGroup, Rule, RuleGroup, SecurityGroup, authorize_ingress, create_security_group,
    delete_security_group, describe_security_groups,
};
pub use size::{Capacity, InstanceType, describe_instance_types};
pub use snapshot::{
    CopySnapshot, Snapshot, SnapshotState, VolumeMakers, copy_snapshot, delete_snapshot, describe_snapshots,
    public_snapshots, share_snapshot, volume_makers,
};
pub use volume::{
    Attachment, CreateVolume, Volume, attach_volume, create_volume, delete_volume, describe_volumes,
};

use crate::call::Call;
use crate::query::Query;
use crate::xml::Element;
use crate::{Client, Error, Kind, Service};

const CREATE_TAGS: Call = Call(Service::Ec2, "CreateTags");

/// Whether this cloud takes tags with the calls that make things. Where it does not they come by [`create_tags`].
pub(crate) fn takes_tags(client: &Client) -> bool {
    client.place().kind == Kind::Aws
}

/// `CreateTags`: over those of the same names. Without resources or tags nothing is asked for.
///
/// # Errors
/// One of the resources is gone; no right to do it.
pub fn create_tags(client: &Client, resources: &[&str], tags: &[(String, String)]) -> Result<(), Error> {
    if resources.is_empty() || tags.is_empty() {
        return Ok(());
    }
    let mut query = Query::default();
    query.list("ResourceId", resources.iter().copied());
    add_tags(&mut query, "Tag", tags);
    let answer = CREATE_TAGS.query(client, &query)?;
    done(CREATE_TAGS, &answer)
}

/// `PREFIX.1.Key`, `PREFIX.1.Value` ….
fn add_tags(query: &mut Query, prefix: &str, tags: &[(String, String)]) {
    for (index, (key, value)) in tags.iter().enumerate() {
        query.set(format!("{prefix}.{}.Key", index + 1), key);
        query.set(format!("{prefix}.{}.Value", index + 1), value);
    }
}

/// `TagSpecification.1.ResourceType=…&TagSpecification.1.Tag.1.Key=…`, the same tags for each of `kinds`; nothing
/// where the cloud takes none.
fn specify_tags(client: &Client, query: &mut Query, kinds: &[&str], tags: &[(String, String)]) {
    if tags.is_empty() || !takes_tags(client) {
        return;
    }
    for (index, kind) in kinds.iter().enumerate() {
        let prefix = format!("TagSpecification.{}", index + 1);
        query.set(format!("{prefix}.ResourceType"), *kind);
        add_tags(query, &format!("{prefix}.Tag"), tags);
    }
}

/// The security groups of an entry of an answer. A bug of old Eucalyptus gives the name in `entry`.
fn group_refs(entry: &Element) -> Vec<GroupRef> {
    let group = |item: &Element| GroupRef {
        id: item.trimmed(&["groupId"]).unwrap_or_default(),
        name: item.trimmed(&["groupName"]).or_else(|| item.trimmed(&["entry"])).unwrap_or_default(),
    };
    filter::entries(entry, "groupSet").map(group).collect()
}

/// The tags of an entry of an answer.
fn tags(entry: &Element) -> Vec<(String, String)> {
    let items = filter::entries(entry, "tagSet");
    let tag = |item: &Element| {
        item.at(&["key"]).map(|key| (key.to_owned(), item.at(&["value"]).unwrap_or_default().to_owned()))
    };
    items.filter_map(tag).collect()
}

/// An answer that says nothing but `<return>true</return>`.
fn done(call: Call, answer: &Element) -> Result<(), Error> {
    match call.flag(answer, &["return"])? {
        Some(true) => Ok(()),
        // Eucalyptus says why it did nothing in an error; a plain "false" is left to whoever reads it.
        Some(false) => Err(call.wrong("it was not done, and nothing says why")),
        // Newer calls leave it out.
        None if answer.name.ends_with("Response") => Ok(()),
        None => Err(call.wrong(format!("its root is {}", crate::call::shown(&answer.name)))),
    }
}

/// What a call gives unless an error has one of `codes`.
fn unless<T>(result: Result<T, Error>, codes: &[&str], instead: T) -> Result<T, Error> {
    match result {
        Err(error) if codes.iter().any(|code| error.is(code)) => Ok(instead),
        other => other,
    }
}
