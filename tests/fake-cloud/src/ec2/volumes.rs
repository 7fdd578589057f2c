//! `CreateVolume`, `DescribeVolumes`, `AttachVolume`, `DetachVolume`, `DeleteVolume`.

use super::{Call, filter, tag_set};
use crate::holdings::{self, Attachment, Volume};
use crate::params::wrong;
use crate::refusal::{Answer, Refusal};
use crate::time;
use crate::world::{Region, State, hidden};
use crate::xml::Xml;

fn missing(id: &str) -> Refusal {
    Refusal::bad("InvalidVolume.NotFound", format!("The volume '{id}' does not exist."))
}

fn own<'a>(region: &'a mut Region, account: &str, id: &str) -> Result<&'a mut Volume, Refusal> {
    let digits = id.strip_prefix("vol-").unwrap_or_default();
    if !(8..=17).contains(&digits.len()) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        let text = format!("Value ({id}) for parameter volumeId is invalid. Expected: 'vol-...'.");
        return Err(Refusal::bad("InvalidParameterValue", text));
    }
    region.volumes.get_mut(id).filter(|volume| volume.owner == account).ok_or_else(|| missing(id))
}

/// Names of devices that EC2 takes: `/dev/sdb`, `/dev/xvdba`; Eucalyptus takes those of virtio, too.
pub(crate) fn device_is_good(name: &str, euca: bool) -> bool {
    let name = name.strip_prefix("/dev/").unwrap_or(name);
    let letters = |text: &str, most: usize| {
        let text = text.trim_end_matches(|char: char| char.is_ascii_digit());
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    name.strip_prefix("sd").is_some_and(|rest| letters(rest, 1))
        || name.strip_prefix("xvd").is_some_and(|rest| letters(rest, 2))
        || (euca && name.strip_prefix("vd").is_some_and(|rest| letters(rest, 1)))
}

/// `CreateVolume`.
pub(crate) fn create(call: &Call<'_>) -> Answer {
    let (params, euca) = (&call.params, call.shared.euca());
    let zone = params.need("AvailabilityZone")?;
    let (size, snapshot) = (params.number("Size")?, params.get("SnapshotId"));
    let (mut tags, mut token, mut throughput) = (Default::default(), None, None);
    let (kind, iops) = (params.get("VolumeType"), params.number("Iops")?);
    let encrypted = params.flag("Encrypted")? == Some(true);
    let _ = params.get("KmsKeyId");
    if !euca {
        tags = params.specified_tags(&["volume"])?;
        token = params.get("ClientToken");
        throughput = params.number("Throughput")?;
    }
    params.finish()?;
    let kind = kind.unwrap_or_else(|| if euca { "standard" } else { "gp2" }.to_owned());
    if !super::register::VOLUMES.contains(&kind.as_str()) {
        return Err(wrong("VolumeType", &kind));
    }
    if throughput.is_some() && kind != "gp3" {
        let text = "The parameter throughput is not supported for this volume type";
        return Err(Refusal::bad("InvalidParameterCombination", text));
    }
    if !holdings::zones(&call.shared.options, &call.caller.region).contains(&zone) {
        let text = format!("The zone '{zone}' does not exist.");
        return Err(Refusal::bad("InvalidZone.NotFound", text));
    }
    let mut world = call.shared.world();
    if let Some(id) = call.repeated(world.region(&call.caller.region), "CreateVolume", token.as_deref())? {
        let volume = own(world.region(&call.caller.region), &call.caller.account, &id)?;
        return Ok(Call::answer("CreateVolume", |xml| write(xml, volume)));
    }
    let id = world.id("vol", euca);
    let region = world.region(&call.caller.region);
    let size = size_of(region, &call.caller.account, size, snapshot.as_deref())?;
    let volume = Volume {
        id: id.clone(),
        owner: call.caller.account.clone(),
        zone,
        size,
        kind,
        snapshot,
        iops,
        encrypted: encrypted || region.encryption_by_default,
        state: State::Pending(Some(call.shared.options.volume_polls)),
        attachment: None,
        tags: tags.remove("volume").unwrap_or_default(),
        created: call.shared.now(),
        unseen: call.shared.options.describe_misses,
    };
    let answer = Call::answer("CreateVolume", |xml| write(xml, &volume));
    region.volumes.insert(id.clone(), volume);
    call.remember(region, "CreateVolume", token, &id);
    Ok(answer)
}

/// GiB of a volume that is to be as large as said, or as its snapshot.
pub(crate) fn size_of(
    region: &Region,
    account: &str,
    size: Option<u64>,
    snapshot: Option<&str>,
) -> Result<u64, Refusal> {
    let Some(id) = snapshot else {
        let size = size.ok_or_else(|| {
            Refusal::bad("MissingParameter", "The request must contain the parameter size/snapshot")
        })?;
        let good = (1..=65536).contains(&size);
        return if good { Ok(size) } else { Err(wrong("Size", &size.to_string())) };
    };
    let found = region.snapshots.get(id).filter(|have| super::snapshots::visible(have, account));
    let found = found.ok_or_else(|| {
        Refusal::bad("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist."))
    })?;
    if found.state != State::Ready {
        let text = format!("Snapshot '{id}' is not in the state 'completed'");
        return Err(Refusal::bad("IncorrectState", text));
    }
    let size = size.unwrap_or(found.size);
    if size < found.size {
        let text = format!(
            "Volume of size {size}GB is smaller than snapshot '{id}', expect size >= {}GB",
            found.size
        );
        return Err(Refusal::bad("InvalidParameterValue", text));
    }
    Ok(size)
}

fn write_attachment(xml: &mut Xml, volume: &str, at: &Attachment) {
    xml.text("volumeId", volume)
        .text("instanceId", &at.instance)
        .text("device", &at.device)
        .text("status", if at.done { "attached" } else { "attaching" })
        .text("attachTime", time::iso(at.since))
        .text("deleteOnTermination", at.delete.to_string());
}

fn write(xml: &mut Xml, volume: &Volume) {
    xml.text("volumeId", &volume.id)
        .text("size", volume.size.to_string())
        .text("snapshotId", volume.snapshot.as_deref().unwrap_or_default())
        .text("availabilityZone", &volume.zone)
        .text("status", volume.state())
        .text("createTime", time::iso(volume.created))
        .text("volumeType", &volume.kind)
        .maybe("iops", volume.iops.map(|iops| iops.to_string()))
        .text("encrypted", volume.encrypted.to_string())
        .items("attachmentSet", &volume.attachment, |xml, at| write_attachment(xml, &volume.id, at));
    tag_set(xml, &volume.tags);
}

fn field(volume: &Volume, name: &str) -> Option<Vec<String>> {
    let at = volume.attachment.as_ref();
    Some(match name {
        "volume-id" => vec![volume.id.clone()],
        "status" => vec![volume.state().to_owned()],
        "size" => vec![volume.size.to_string()],
        "availability-zone" => vec![volume.zone.clone()],
        "volume-type" => vec![volume.kind.clone()],
        "snapshot-id" => volume.snapshot.clone().into_iter().collect(),
        "encrypted" => vec![volume.encrypted.to_string()],
        "attachment.instance-id" => at.map(|at| at.instance.clone()).into_iter().collect(),
        "attachment.device" => at.map(|at| at.device.clone()).into_iter().collect(),
        "attachment.delete-on-termination" => at.map(|at| at.delete.to_string()).into_iter().collect(),
        "attachment.status" => {
            at.map(|at| if at.done { "attached" } else { "attaching" }.to_owned()).into_iter().collect()
        }
        _ => return None,
    })
}

/// `DescribeVolumes`.
pub(crate) fn describe(call: &Call<'_>) -> Answer {
    let (ids, filters) = (call.params.list("VolumeId"), call.params.filters()?);
    let (start, most) = call.paging()?;
    call.params.finish()?;
    let account = &call.caller.account;
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    for id in &ids {
        if hidden(&mut own(region, account, id)?.unseen) {
            return Err(missing(id));
        }
    }
    let mut found = Vec::new();
    for volume in region.volumes.values_mut().filter(|volume| volume.owner == *account) {
        let asked = ids.is_empty() || ids.contains(&volume.id);
        let wanted = asked && filter::holds(&filters, &volume.tags, |name| field(volume, name))?;
        if !wanted || hidden(&mut volume.unseen) {
            continue;
        }
        volume.state.look();
        found.push(volume.clone());
        if let Some(at) = &mut volume.attachment {
            at.done = true;
        }
    }
    let (page, next) = call.page(found, start, most);
    Ok(Call::answer("DescribeVolumes", |xml| {
        xml.items("volumeSet", &page, write).maybe("nextToken", next);
    }))
}

/// `AttachVolume`.
pub(crate) fn attach(call: &Call<'_>) -> Answer {
    let params = &call.params;
    let (id, instance, device) =
        (params.need("VolumeId")?, params.need("InstanceId")?, params.need("Device")?);
    params.finish()?;
    if !device_is_good(&device, call.shared.euca()) {
        let text = format!(
            "Value ({device}) for parameter device is invalid. {device} is not a valid EBS device name."
        );
        return Err(Refusal::bad("InvalidParameterValue", text));
    }
    let account = &call.caller.account;
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    let running = region.instances.get(&instance).filter(|have| have.owner == *account);
    let running = running.ok_or_else(|| super::instances::missing(&instance))?;
    let (state, zone) = (running.state, running.zone.clone());
    let taken = region.volumes.values().any(|volume| {
        volume.attachment.as_ref().is_some_and(|at| at.instance == instance && at.device == device)
    });
    let volume = own(region, account, &id)?;
    if volume.zone != zone {
        let text = format!("The volume '{id}' is not in the same availability zone as instance '{instance}'");
        return Err(Refusal::bad("InvalidVolume.ZoneMismatch", text));
    }
    if let Some(at) = &volume.attachment {
        let text = format!("{id} is already attached to an instance ({})", at.instance);
        return Err(Refusal::bad("VolumeInUse", text));
    }
    if volume.state() != "available" {
        let text = format!("Volume '{id}' is not 'available'.");
        return Err(Refusal::bad("IncorrectState", text));
    }
    if state != "running" {
        let text = format!("Instance '{instance}' is not 'running'.");
        return Err(Refusal::bad("IncorrectState", text));
    }
    if taken {
        let text =
            format!("Invalid value '{device}' for unixDevice. Attachment point {device} is already in use");
        return Err(Refusal::bad("InvalidParameterValue", text));
    }
    let now = call.shared.now();
    let at = Attachment { instance, device, delete: false, done: false, since: now };
    volume.attachment = Some(at.clone());
    Ok(Call::answer("AttachVolume", |xml| write_attachment(xml, &id, &at)))
}

/// `DetachVolume`: at once.
pub(crate) fn detach(call: &Call<'_>) -> Answer {
    let params = &call.params;
    let (id, instance, device) = (params.need("VolumeId")?, params.get("InstanceId"), params.get("Device"));
    let _ = params.flag("Force")?;
    params.finish()?;
    let mut world = call.shared.world();
    let volume = own(world.region(&call.caller.region), &call.caller.account, &id)?;
    let fits = |at: &Attachment| {
        instance.as_ref().is_none_or(|wanted| *wanted == at.instance)
            && device.as_ref().is_none_or(|wanted| *wanted == at.device)
    };
    let Some(at) = volume.attachment.take_if(|at| fits(at)) else {
        let text = format!("Volume '{id}' is in the 'available' state.");
        return Err(Refusal::bad("IncorrectState", text));
    };
    Ok(Call::answer("DetachVolume", |xml| {
        xml.text("volumeId", &id)
            .text("instanceId", &at.instance)
            .text("device", &at.device)
            .text("status", "detaching")
            .text("attachTime", time::iso(at.since));
    }))
}

/// `DeleteVolume`.
pub(crate) fn delete(call: &Call<'_>) -> Answer {
    let id = call.params.need("VolumeId")?;
    call.params.finish()?;
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    let volume = own(region, &call.caller.account, &id)?;
    if let Some(at) = &volume.attachment {
        let text = format!("Volume {id} is currently attached to {}", at.instance);
        return Err(Refusal::bad("VolumeInUse", text));
    }
    if matches!(volume.state, State::Pending(_)) {
        return Err(Refusal::bad("IncorrectState", format!("The volume '{id}' is 'creating'")));
    }
    region.volumes.remove(&id);
    Call::done("DeleteVolume")
}

#[cfg(test)]
mod tests {
    use super::device_is_good;

    #[test]
    fn virtio_names_are_eucalyptus_own() {
        for (name, aws, euca) in [
            ("/dev/sdf", true, true),
            ("sdf", true, true),
            ("/dev/xvdba", true, true),
            ("/dev/sda1", true, true),
            ("/dev/vdc", false, true),
            ("/dev/nvme1n1", false, false),
        ] {
            assert_eq!((device_is_good(name, false), device_is_good(name, true)), (aws, euca), "{name}");
        }
    }
}
