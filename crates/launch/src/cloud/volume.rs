//! Volumes that are made with an instance.
//!
//! Where the root is a volume, they are block devices of the launch, and there before the first boot. An image of
//! Eucalyptus' instance store takes none: they are made before, and attached as soon as the instance runs.

use std::collections::BTreeSet;

use hardtack_cloud::ec2::{
    CreateVolume, Image, Instance, Mapping, attach_volume, create_tags, create_volume, delete_volume,
    describe_instances, describe_volumes, describe_zones,
};
use hardtack_cloud::{Client, Kind};
use hardtack_publish::Teller;
use hardtack_publish::journal::{Journal, Resource};
use hardtack_publish::poll::{Fresh, Poll};
use hardtack_publish::refusal::{maybe_done, missing};
use hardtack_publish::volume::{begun, is_over};

use super::{Order, Volume};
use crate::Error;

/// How volumes come to their instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As block devices of the launch.
    Mapped(Vec<Mapping>),
    /// By calls of their own, in this zone.
    Attached(String),
}

/// Decides, and looks whether the devices are free.
pub(super) fn way(client: &Client, order: &Order, image: &Image, mappings: &[Mapping]) -> Result<Way, Error> {
    let euca = client.place().kind == Kind::Euca;
    let root = image.root_device.as_deref().unwrap_or("/dev/sda1");
    let mut taken: BTreeSet<String> = mappings.iter().map(|mapping| letters(&mapping.device)).collect();
    let gone: Vec<String> =
        mappings.iter().filter(|mapping| mapping.none).map(|mapping| letters(&mapping.device)).collect();
    taken.retain(|device| !gone.contains(device));
    taken.insert(letters(root));
    let of_image = image.mappings.iter().map(|mapping| letters(&mapping.device));
    taken.extend(of_image.filter(|device| !gone.contains(device)));
    for volume in &order.volumes {
        if !taken.insert(letters(&volume.device)) {
            return Err(Error::Usage(format!(
                "--volume {}G:{}: this device is taken, by the image, by a mapping or by another volume",
                volume.size, volume.device
            )));
        }
    }
    if euca && image.root_type.as_deref() != Some("ebs") {
        return match order.volumes.is_empty() {
            true => Ok(Way::Mapped(Vec::new())),
            false => Ok(Way::Attached(zone(client, order)?)),
        };
    }
    let mapping = |volume: &Volume| Mapping {
        device: translated(&volume.device, root, euca),
        size: Some(volume.size),
        volume_type: (!euca).then(|| "gp3".to_owned()),
        delete_on_termination: Some(true),
        ..Mapping::default()
    };
    Ok(Way::Mapped(order.volumes.iter().map(mapping).collect()))
}

/// `/dev/vdc` and `/dev/sdc` are the same device: its letters behind the bus. What has other names stays as it is.
fn letters(device: &str) -> String {
    let name = device.strip_prefix("/dev/").unwrap_or(device);
    let rest = ["xvd", "vd", "sd", "hd"].iter().find_map(|bus| name.strip_prefix(bus)).unwrap_or(name);
    // The root is `/dev/sda1` where others are `/dev/sdb`.
    let bare = rest.trim_end_matches(|char: char| char.is_ascii_digit());
    if bare.is_empty() { rest.to_owned() } else { bare.to_owned() }
}

/// Whether both are names of one device, on whatever bus.
pub fn same_device(one: &str, other: &str) -> bool {
    letters(one) == letters(other)
}

/// The device as the cloud wants it: on the bus of the image's root. Eucalyptus' KVM takes names of virtio, too.
fn translated(device: &str, root: &str, euca: bool) -> String {
    let name = device.strip_prefix("/dev/").unwrap_or(device);
    let bus = if root.contains("xvd") { "xvd" } else { "sd" };
    match name.strip_prefix("vd") {
        Some(rest) if !euca => format!("/dev/{bus}{rest}"),
        _ => device.to_owned(),
    }
}

/// The zone that volumes and instances have in common.
fn zone(client: &Client, order: &Order) -> Result<String, Error> {
    if let Some(zone) = &order.zone {
        return Ok(zone.clone());
    }
    let zones = describe_zones(client, &[])?;
    match zones.as_slice() {
        [zone] => Ok(zone.name.clone()),
        zones => {
            let names: Vec<&str> = zones.iter().map(|zone| zone.name.as_str()).collect();
            Err(Error::Usage(format!(
                "--volume: a volume and its instance are in the same zone; give --availability-zone, one of {}",
                names.join(", ")
            )))
        }
    }
}

/// Says how the guest will see the volumes.
pub(super) fn tell_mapped(client: &Client, order: &Order, mappings: &[Mapping], tell: &dyn Teller) {
    if client.place().kind != Kind::Aws {
        return;
    }
    for (volume, mapping) in order.volumes.iter().zip(mappings) {
        tell.note(&format!(
            "the volume {} is {} in the launch; on Nitro types (t3, m5 and later) the guest has it as /dev/nvme1n1 or a later \
             number",
            volume.device, mapping.device
        ));
    }
}

/// Makes the volumes of `count` instances: for each instance their ids, in the order of `order`.
pub(super) fn create(
    client: &Client,
    order: &Order,
    zone: &str,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Vec<Vec<String>>, Error> {
    let mut all = Vec::new();
    for instance in 0..order.count.1 {
        let mut ids = Vec::new();
        for (number, volume) in order.volumes.iter().enumerate() {
            let token = journal.token(&format!("volume/{instance}/{number}"));
            ids.push(make(client, &token, zone, volume.size, journal)?);
        }
        all.push(ids);
    }
    for id in all.iter().flatten() {
        wait_available(client, id, tell)?;
    }
    Ok(all)
}

fn make(client: &Client, token: &str, zone: &str, size: u64, journal: &Journal) -> Result<String, Error> {
    let region = client.place().region.clone();
    let mine = |resource: &Resource| matches!(resource, Resource::Volume { token: of, .. } if of == token);
    let standing = journal.standing().into_iter().find(|standing| mine(&standing.resource));
    let resource = match &standing {
        Some(standing) => standing.resource.clone(),
        None => Resource::Volume {
            token: token.to_owned(),
            zone: zone.to_owned(),
            size,
            before: describe_volumes(client, &[], &[])?.into_iter().map(|volume| volume.id).collect(),
        },
    };
    let found = match &standing {
        Some(known) => match known.id.as_deref() {
            Some(id) => there(client, id)?.map(|volume| volume.id),
            None => adopt(client, journal, known)?,
        },
        None => None,
    };
    let intent = journal.intent(&region, &resource)?;
    if let Some(id) = found {
        journal.made(intent.ticket, &id)?;
        return Ok(id);
    }
    let request = CreateVolume {
        size: Some(size),
        zone: zone.to_owned(),
        token: token.to_owned(),
        tags: journal.tags(),
        ..CreateVolume::default()
    };
    let id = match intent.settle(create_volume(client, &request)) {
        Ok(volume) => volume.id,
        Err(error) if maybe_done(&error) => {
            let standing = journal.find(&region, &resource);
            match standing.map(|standing| adopt(client, journal, &standing)).transpose()?.flatten() {
                Some(id) => id,
                None => return Err(error.into()),
            }
        }
        Err(error) => return Err(error.into()),
    };
    journal.made(intent.ticket, &id)?;
    Ok(id)
}

/// The volume that a call without an answer has made, tagged now.
fn adopt(
    client: &Client,
    journal: &Journal,
    standing: &hardtack_publish::journal::Standing,
) -> Result<Option<String>, Error> {
    let mut fresh = Fresh::new(client);
    loop {
        let found = begun(client, journal, standing)?;
        match found.as_slice() {
            [volume] => {
                create_tags(client, &[&volume.id], &journal.tags())?;
                return Ok(Some(volume.id.clone()));
            }
            [] if fresh.again() => {}
            [] => return Ok(None),
            several => {
                let ids: Vec<&str> = several.iter().map(|volume| volume.id.as_str()).collect();
                return Err(Error::Refused(format!(
                    "the earlier run may have made one of the volumes {}, and nothing says which: delete what is not needed, \
                     and run it again",
                    ids.join(", ")
                )));
            }
        }
    }
}

fn there(client: &Client, id: &str) -> Result<Option<hardtack_cloud::ec2::Volume>, Error> {
    match describe_volumes(client, &[id], &[]) {
        Ok(found) => Ok(found.into_iter().find(|volume| volume.id == id && !is_over(volume))),
        Err(error) if missing(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn wait_available(client: &Client, id: &str, tell: &dyn Teller) -> Result<(), Error> {
    let mut poll = Poll::new(client, tell);
    let mut fresh = Fresh::new(client);
    loop {
        match there(client, id)? {
            Some(volume) if matches!(volume.state.as_str(), "available" | "in-use") => return Ok(()),
            Some(volume) => poll.pause(&format!("volume {id} is {}", volume.state)),
            None if fresh.again() => {}
            None => return Err(Error::Refused(format!("volume {id} came to nothing"))),
        }
    }
}

/// Attaches the volumes, each as soon as its instance runs; those of instances that did not come to be go again.
pub(super) fn attach(
    client: &Client,
    order: &Order,
    volumes: &[Vec<String>],
    instances: &[Instance],
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<(), Error> {
    let mut sorted: Vec<&Instance> = instances.iter().collect();
    sorted.sort_by_key(|instance| instance.launch_index);
    for (index, ids) in volumes.iter().enumerate() {
        let Some(instance) = sorted.get(index) else {
            ids.iter().try_for_each(|id| give_back(client, id, journal))?;
            continue;
        };
        if ids.is_empty() {
            continue;
        }
        wait_running(client, &instance.id, tell)?;
        for (id, volume) in ids.iter().zip(&order.volumes) {
            attach_one(client, id, &instance.id, &volume.device)?;
            tell.note(&format!(
                "{id} is attached to {} as {}: images of the instance store take volumes only while they run, so it appears \
                 during the first boot, not before it",
                instance.id, volume.device
            ));
        }
    }
    Ok(())
}

fn give_back(client: &Client, id: &str, journal: &Journal) -> Result<(), Error> {
    delete_volume(client, id)?;
    for standing in journal.standing() {
        if standing.id.as_deref() == Some(id) {
            journal.removed(standing.ticket)?;
        }
    }
    Ok(())
}

fn wait_running(client: &Client, id: &str, tell: &dyn Teller) -> Result<(), Error> {
    let mut poll = Poll::new(client, tell);
    let mut fresh = Fresh::new(client);
    loop {
        let found = match describe_instances(client, &[id], &[]) {
            Err(error) if missing(&error) => None,
            Err(error) => {
                poll.endure(error)?;
                continue;
            }
            Ok(found) => found.into_iter().find(|instance| instance.id == id),
        };
        match found.as_ref().map(|instance| instance.state.name.as_str()) {
            Some("running") => return Ok(()),
            Some("pending") => poll.pause(&format!("{id} is pending")),
            None if fresh.again() => {}
            state => {
                let reason = found.as_ref().and_then(|instance| instance.state.reason.clone());
                let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
                return Err(Error::Refused(format!(
                    "{id} is {}{reason}, and its volume cannot be attached",
                    state.unwrap_or("gone")
                )));
            }
        }
    }
}

fn attach_one(client: &Client, volume: &str, instance: &str, device: &str) -> Result<(), Error> {
    let attached = || -> Result<bool, Error> {
        let found = there(client, volume)?;
        Ok(found
            .is_some_and(|found| found.attachments.iter().any(|attachment| attachment.instance == instance)))
    };
    let mut fresh = Fresh::new(client);
    while !attached()? {
        match attach_volume(client, volume, instance, device) {
            Ok(()) => return Ok(()),
            // Volume or instance are not ready for it, or the answer was lost.
            Err(error)
                if (maybe_done(&error) || error.is("IncorrectState") || error.is("VolumeInUse"))
                    && fresh.again() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_those_of_the_images_bus() {
        assert_eq!(translated("/dev/vdc", "/dev/xvda", false), "/dev/xvdc");
        assert_eq!(translated("/dev/vdc", "/dev/sda1", false), "/dev/sdc");
        assert_eq!(translated("/dev/sdf", "/dev/xvda", false), "/dev/sdf");
        assert_eq!(translated("/dev/vdc", "/dev/sda1", true), "/dev/vdc");
        for (one, other) in [("/dev/vdb", "/dev/sdb"), ("/dev/sda1", "/dev/xvda"), ("vdaa", "/dev/sdaa")] {
            assert_eq!(letters(one), letters(other), "{one}");
        }
        assert_ne!(letters("/dev/sdb"), letters("/dev/sdc"));
        assert_ne!(letters("/dev/nvme0n1"), letters("/dev/nvme1n1"));
    }
}
