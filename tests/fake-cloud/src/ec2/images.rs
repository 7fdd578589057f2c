//! `DescribeImages`, `DeregisterImage`.

use super::{Call, filter, tag_set};
use crate::refusal::{Answer, Refusal};
use crate::time;
use crate::world::{Image, Mapping, State, hidden};
use crate::xml::Xml;

/// The state's name.
pub(crate) fn state(image: &Image) -> &'static str {
    match image.state {
        State::Pending(_) => "pending",
        State::Ready => "available",
        State::Failed(_) => "failed",
    }
}

fn missing(id: &str) -> Refusal {
    Refusal::bad("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist"))
}

/// Refuses what is no image's id.
pub(crate) fn check_id(id: &str) -> Result<(), Refusal> {
    let good = id.split_once('-').is_some_and(|(prefix, digits)| {
        ["ami", "emi", "eki", "eri"].contains(&prefix)
            && (8..=17).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    });
    if good {
        return Ok(());
    }
    Err(Refusal::bad("InvalidAMIID.Malformed", format!("Invalid id: \"{id}\" (expecting \"ami-...\")")))
}

/// The caller may see it.
fn visible(image: &Image, account: &str) -> bool {
    image.owner == account || image.all_users || image.users.contains(account)
}

/// The image that a call is about: the caller's own.
pub(crate) fn own<'a>(
    images: &'a mut std::collections::BTreeMap<String, Image>,
    account: &str,
    id: &str,
) -> Result<&'a mut Image, Refusal> {
    check_id(id)?;
    match images.get_mut(id) {
        Some(image) if image.owner == account => Ok(image),
        Some(image) if visible(image, account) => {
            Err(Refusal::new(403, "AuthFailure", format!("Not authorized for image:{id}")))
        }
        _ => Err(missing(id)),
    }
}

/// `DescribeImages`.
pub(crate) fn describe(call: &Call<'_>) -> Answer {
    let params = &call.params;
    let (ids, owners, filters) = (params.list("ImageId"), params.list("Owner"), params.filters()?);
    let executable = params.list("ExecutableBy");
    if !call.shared.euca() {
        let _ = (params.flag("IncludeDeprecated")?, params.flag("IncludeDisabled")?);
    }
    let (start, most) = call.paging()?;
    if !ids.is_empty() && most.is_some() {
        let text = "The parameter MaxResults cannot be used with the parameter ImageId";
        return Err(Refusal::bad("InvalidParameterCombination", text));
    }
    params.finish()?;
    let account = &call.caller.account;
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    for id in &ids {
        check_id(id)?;
        let found = region.images.get_mut(id).filter(|image| visible(image, account));
        if found.is_none_or(|image| hidden(&mut image.unseen)) {
            return Err(missing(id));
        }
    }
    let mut found = Vec::new();
    for image in region.images.values_mut() {
        let owner = |wanted: &String| match wanted.as_str() {
            "self" => image.owner == *account,
            "amazon" => image.owner.starts_with("1370000"),
            other => image.owner == other,
        };
        let may = |wanted: &String| match wanted.as_str() {
            "self" => image.owner == *account || image.users.contains(account),
            "all" => image.all_users,
            other => image.users.contains(other),
        };
        let wanted = visible(image, account)
            && (ids.is_empty() || ids.contains(&image.id))
            && (owners.is_empty() || owners.iter().any(owner))
            && (executable.is_empty() || executable.iter().any(may))
            && filter::holds(&filters, &image.tags, |name| field(image, name))?;
        if wanted && !hidden(&mut image.unseen) {
            image.state.look();
            found.push(image.clone());
        }
    }
    // A copy is there when its snapshots are.
    for image in found.iter().filter(|image| image.source.is_some() && image.state == State::Ready) {
        for id in image.mappings.iter().filter_map(|mapping| mapping.snapshot.as_ref()) {
            if let Some(snapshot) = region.snapshots.get_mut(id) {
                snapshot.state = State::Ready;
            }
        }
    }
    let (page, next) = call.page(found, start, most);
    Ok(Call::answer("DescribeImages", |xml| {
        xml.items("imagesSet", &page, write).maybe("nextToken", next);
    }))
}

fn field(image: &Image, name: &str) -> Option<Vec<String>> {
    let text = |value: &str| vec![value.to_owned()];
    let maybe = |value: &Option<String>| value.iter().cloned().collect::<Vec<_>>();
    let snapshots = || image.mappings.iter().filter_map(|mapping| mapping.snapshot.clone()).collect();
    Some(match name {
        "image-id" => text(&image.id),
        "name" => text(&image.name),
        "architecture" => text(&image.architecture),
        "state" => text(state(image)),
        "owner-id" => text(&image.owner),
        "image-type" => text(image.kind),
        "virtualization-type" => text(&image.virtualization),
        "root-device-type" => text(image.root_type),
        "root-device-name" => maybe(&image.root_device),
        "boot-mode" => maybe(&image.boot_mode),
        "platform" => maybe(&image.platform),
        "description" => maybe(&image.description),
        "manifest-location" => text(&image.location),
        "is-public" => text(if image.all_users { "true" } else { "false" }),
        "creation-date" => text(&time::iso(image.created)),
        "source-image-id" => image.source.iter().map(|source| source.0.clone()).collect(),
        "block-device-mapping.snapshot-id" => snapshots(),
        "ena-support" => text(if image.ena == Some(true) { "true" } else { "false" }),
        "owner-alias" => Vec::new(),
        _ => return None,
    })
}

fn write(xml: &mut Xml, image: &Image) {
    xml.text("imageId", &image.id)
        .text("imageLocation", &image.location)
        .text("imageState", state(image))
        .text("imageOwnerId", &image.owner)
        .text("creationDate", time::iso(image.created))
        .text("isPublic", if image.all_users { "true" } else { "false" })
        .text("architecture", &image.architecture)
        .text("imageType", image.kind)
        .maybe("platform", image.platform.as_ref())
        .maybe("kernelId", image.kernel.as_ref())
        .maybe("ramdiskId", image.ramdisk.as_ref())
        .maybe("sriovNetSupport", image.sriov.as_ref())
        .maybe("enaSupport", image.ena.map(|ena| ena.to_string()))
        .text("name", &image.name)
        .maybe("description", image.description.as_ref())
        .text("rootDeviceType", image.root_type)
        .maybe("rootDeviceName", image.root_device.as_ref());
    xml.items("blockDeviceMapping", &image.mappings, write_mapping);
    xml.text("virtualizationType", &image.virtualization);
    tag_set(xml, &image.tags);
    xml.text("hypervisor", "xen")
        .maybe("bootMode", image.boot_mode.as_ref())
        .maybe("tpmSupport", image.tpm.as_ref())
        .maybe("imdsSupport", image.imds.as_ref());
    if let Some((source, region)) = &image.source {
        xml.text("sourceImageId", source).text("sourceImageRegion", region);
    }
    if let State::Failed(reason) = &image.state {
        xml.nest("stateReason", |xml| {
            xml.text("code", "Client.InternalError").text("message", reason);
        });
    }
}

fn write_mapping(xml: &mut Xml, mapping: &Mapping) {
    xml.text("deviceName", &mapping.device).maybe("virtualName", mapping.virtual_name.as_ref());
    if mapping.virtual_name.is_some() {
        return;
    }
    xml.nest("ebs", |xml| {
        xml.maybe("snapshotId", mapping.snapshot.as_ref())
            .maybe("volumeSize", mapping.size.map(|size| size.to_string()))
            .text("deleteOnTermination", mapping.delete_on_termination.unwrap_or(true).to_string())
            .text("volumeType", mapping.volume_type.as_deref().unwrap_or("gp2"))
            .maybe("iops", mapping.iops.map(|iops| iops.to_string()))
            .maybe("throughput", mapping.throughput.map(|throughput| throughput.to_string()))
            .text("encrypted", mapping.encrypted.to_string());
    });
}

/// `DeregisterImage`.
pub(crate) fn deregister(call: &Call<'_>) -> Answer {
    let id = call.params.need("ImageId")?;
    let snapshots = if call.shared.euca() { None } else { call.params.flag("DeleteAssociatedSnapshots")? };
    call.params.finish()?;
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    own(&mut region.images, &call.caller.account, &id).map_err(|refusal| {
        if refusal.code == "InvalidAMIID.NotFound" {
            let text = format!("The AMI ID '{id}' is no longer available");
            return Refusal::bad("InvalidAMIID.Unavailable", text);
        }
        refusal
    })?;
    let image = region.images.remove(&id);
    let mut deleted = Vec::new();
    if snapshots == Some(true) {
        for mapping in image.into_iter().flat_map(|image| image.mappings) {
            let Some(snapshot) = mapping.snapshot else { continue };
            let used = super::snapshots::in_use(region, &snapshot).is_some();
            if !used {
                region.snapshots.remove(&snapshot);
            }
            deleted.push((snapshot, if used { "skipped" } else { "success" }));
        }
    }
    Ok(Call::answer("DeregisterImage", |xml| {
        xml.text("return", "true");
        if snapshots.is_some() {
            xml.items("deleteSnapshotResultSet", deleted, |xml, (id, code)| {
                xml.text("snapshotId", id).text("returnCode", code);
            });
        }
    }))
}
