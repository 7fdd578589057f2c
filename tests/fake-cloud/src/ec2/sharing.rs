//! Who may use images and snapshots; tags.

use super::{Call, images, snapshots};
use crate::refusal::{Answer, Refusal};
use crate::world::{Region, Tags};

type Entries = Vec<(&'static str, String)>;

/// What is added and what removed: `LaunchPermission.Add.1.UserId` and the like, or as of old (`aws ec2
/// modify-snapshot-attribute --operation-type add --user-ids …`) `OperationType`, `UserId.1`, `UserGroup.1`.
fn changes(call: &Call<'_>, name: &str, kinds: &[&'static str]) -> Result<(Entries, Entries), Refusal> {
    let of = |operation: &str| {
        let mut entries = Vec::new();
        for prefix in call.params.structures(&format!("{name}.{operation}")) {
            for kind in kinds {
                if let Some(value) = call.params.get(&format!("{prefix}.{kind}")) {
                    entries.push((*kind, checked(kind, value)?));
                }
            }
        }
        Ok(entries)
    };
    let (mut add, mut remove) = (of("Add")?, of("Remove")?);
    let operation = call.params.one_of("OperationType", &["add", "remove"])?;
    let entries = if operation.as_deref() == Some("remove") { &mut remove } else { &mut add };
    for (list, kind) in [("UserId", "UserId"), ("UserGroup", "Group")] {
        for value in call.params.list(list) {
            if operation.is_none() {
                let text = format!("The request must contain the parameter OperationType for {list}");
                return Err(Refusal::bad("MissingParameter", text));
            }
            entries.push((kind, checked(kind, value)?));
        }
    }
    Ok((add, remove))
}

fn checked(kind: &str, value: String) -> Result<String, Refusal> {
    let good = match kind {
        "UserId" => value.len() == 12 && value.bytes().all(|digit| digit.is_ascii_digit()),
        "Group" => value == "all",
        _ => value.starts_with("arn:"),
    };
    if good {
        return Ok(value);
    }
    let code = if kind == "UserId" { "InvalidAMIAttributeItemValue" } else { "InvalidParameterValue" };
    Err(Refusal::bad(code, format!("Invalid attribute item value \"{value}\" for {kind}")))
}

/// `ModifyImageAttribute`: launch permissions and descriptions.
pub(crate) fn modify_image(call: &Call<'_>) -> Answer {
    let params = &call.params;
    let id = params.need("ImageId")?;
    let kinds: &[&'static str] = if call.shared.euca() {
        &["UserId", "Group"]
    } else {
        &["UserId", "Group", "OrganizationArn", "OrganizationalUnitArn"]
    };
    let (add, remove) = changes(call, "LaunchPermission", kinds)?;
    let description = params.get("Description.Value");
    let _ = params.one_of("Attribute", &["launchPermission", "description"])?;
    params.finish()?;
    if add.is_empty() && remove.is_empty() && description.is_none() {
        return Err(Refusal::bad("InvalidParameterCombination", "No attributes specified."));
    }
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    let blocked = region.image_block_public_access;
    let image = images::own(&mut region.images, &call.caller.account, &id)?;
    let keys: Vec<(bool, bool)> = image
        .mappings
        .iter()
        .filter_map(|mapping| region.snapshots.get(mapping.snapshot.as_ref()?))
        .map(|snapshot| (snapshot.key.is_some(), snapshot.managed_key))
        .collect();
    if !add.is_empty() && keys.iter().any(|(_, managed)| *managed) {
        let text = "Snapshots encrypted with the AWS Managed CMK can't be shared";
        return Err(Refusal::bad("InvalidParameter", text));
    }
    let public = add.iter().any(|(kind, _)| *kind == "Group");
    if public && keys.iter().any(|(encrypted, _)| *encrypted) {
        return Err(Refusal::bad("InvalidParameter", "Images with encrypted snapshots can't be made public"));
    }
    if public && blocked {
        let text = "You can't publicly share this image because block public access for AMIs is enabled for this \
                    account in this Region.";
        return Err(Refusal::bad("OperationNotPermitted", text));
    }
    if let Some(description) = description {
        image.description = Some(description);
    }
    for (kind, value) in add {
        match kind {
            "UserId" => drop(image.users.insert(value)),
            "Group" => image.all_users = true,
            "OrganizationArn" => drop(image.organizations.insert(value)),
            _ => drop(image.units.insert(value)),
        }
    }
    for (kind, value) in remove {
        match kind {
            "UserId" => drop(image.users.remove(&value)),
            "Group" => image.all_users = false,
            "OrganizationArn" => drop(image.organizations.remove(&value)),
            _ => drop(image.units.remove(&value)),
        }
    }
    Call::done("ModifyImageAttribute")
}

/// `DescribeImageAttribute`.
pub(crate) fn describe_image(call: &Call<'_>) -> Answer {
    let id = call.params.need("ImageId")?;
    let attribute = call.params.need("Attribute")?;
    call.params.finish()?;
    let mut world = call.shared.world();
    let image = images::own(&mut world.region(&call.caller.region).images, &call.caller.account, &id)?;
    let mut list: Vec<(&str, &str)> = Vec::new();
    if image.all_users {
        list.push(("group", "all"));
    }
    list.extend(image.users.iter().map(|user| ("userId", user.as_str())));
    list.extend(image.organizations.iter().map(|arn| ("organizationArn", arn.as_str())));
    list.extend(image.units.iter().map(|arn| ("organizationalUnitArn", arn.as_str())));
    match attribute.as_str() {
        "launchPermission" => Ok(Call::answer("DescribeImageAttribute", |xml| {
            xml.text("imageId", &id).items("launchPermission", list, |xml, (kind, value)| {
                xml.text(kind, value);
            });
        })),
        "description" => Ok(Call::answer("DescribeImageAttribute", |xml| {
            xml.text("imageId", &id).nest("description", |xml| {
                xml.text("value", image.description.as_deref().unwrap_or_default());
            });
        })),
        other => Err(Refusal::bad("InvalidRequest", format!("The attribute {other} is not known here"))),
    }
}

/// `ModifySnapshotAttribute`.
pub(crate) fn modify_snapshot(call: &Call<'_>) -> Answer {
    let params = &call.params;
    let id = params.need("SnapshotId")?;
    let _ = params.one_of("Attribute", &["createVolumePermission"])?;
    let kinds: &[&'static str] = &["UserId", "Group"];
    let (add, remove) = changes(call, "CreateVolumePermission", kinds)?;
    params.finish()?;
    if add.is_empty() && remove.is_empty() {
        return Err(Refusal::bad("InvalidParameterCombination", "No attributes specified."));
    }
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    let blocked = region.snapshot_block_public_access;
    let snapshot = snapshots::own(region, &call.caller.account, &id)?;
    if !add.is_empty() && snapshot.managed_key {
        let text = "Encrypted snapshots with EBS default key cannot be shared";
        return Err(Refusal::bad("OperationNotPermitted", text));
    }
    let public = add.iter().any(|(kind, _)| *kind == "Group");
    if public && snapshot.key.is_some() {
        return Err(Refusal::bad("OperationNotPermitted", "Encrypted snapshots cannot be made public"));
    }
    if public && blocked {
        let text = "Snapshots cannot be shared publicly: block public access for snapshots is enabled";
        return Err(Refusal::bad("OperationNotPermitted", text));
    }
    for (kind, value) in add {
        if kind == "Group" {
            snapshot.all_users = true;
        } else {
            snapshot.users.insert(value);
        }
    }
    for (kind, value) in remove {
        if kind == "Group" {
            snapshot.all_users = false;
        } else {
            snapshot.users.remove(&value);
        }
    }
    Call::done("ModifySnapshotAttribute")
}

/// `DescribeSnapshotAttribute`.
pub(crate) fn describe_snapshot(call: &Call<'_>) -> Answer {
    let id = call.params.need("SnapshotId")?;
    let attribute = call.params.one_of("Attribute", &["createVolumePermission", "productCodes"])?;
    call.params.finish()?;
    let mut world = call.shared.world();
    let snapshot = snapshots::own(world.region(&call.caller.region), &call.caller.account, &id)?;
    let mut list: Vec<(&str, &str)> = Vec::new();
    if snapshot.all_users {
        list.push(("group", "all"));
    }
    list.extend(snapshot.users.iter().map(|user| ("userId", user.as_str())));
    Ok(Call::answer("DescribeSnapshotAttribute", |xml| {
        xml.text("snapshotId", &id);
        if attribute.as_deref() == Some("productCodes") {
            xml.nest("productCodes", |_| {});
            return;
        }
        xml.items("createVolumePermission", list, |xml, (kind, value)| {
            xml.text(kind, value);
        });
    }))
}

/// Tags of anything of the account's that has some.
fn tags_of<'a>(region: &'a mut Region, account: &str, id: &str) -> Option<&'a mut Tags> {
    let prefix = id.split('-').next().unwrap_or_default();
    match prefix {
        "snap" => {
            region.snapshots.get_mut(id).filter(|have| have.owner == account).map(|have| &mut have.tags)
        }
        "i" => region.instances.get_mut(id).filter(|have| have.owner == account).map(|have| &mut have.tags),
        "sg" => region.groups.get_mut(id).filter(|have| have.owner == account).map(|have| &mut have.tags),
        "vol" => region.volumes.get_mut(id).filter(|have| have.owner == account).map(|have| &mut have.tags),
        "key" => {
            let mut own = region.key_pairs.iter_mut().filter(|((owner, _), _)| owner == account);
            own.find(|(_, pair)| pair.id == id).map(|(_, pair)| &mut pair.tags)
        }
        "subnet" => region
            .subnets
            .iter_mut()
            .find(|have| have.id == id && have.owner == account)
            .map(|have| &mut have.tags),
        "vpc" => region
            .vpcs
            .iter_mut()
            .find(|have| have.id == id && have.owner == account)
            .map(|have| &mut have.tags),
        _ => region.images.get_mut(id).filter(|have| have.owner == account).map(|have| &mut have.tags),
    }
}

/// `CreateTags` and `DeleteTags`.
pub(crate) fn tag(call: &Call<'_>, action: &str) -> Answer {
    let ids = call.params.list("ResourceId");
    let tags = call.params.tags("Tag")?;
    call.params.finish()?;
    if ids.is_empty() || (tags.is_empty() && action == "CreateTags") {
        return Err(Refusal::bad("MissingParameter", "The request must contain ResourceId and Tag"));
    }
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    let account = &call.caller.account;
    // All or none.
    for pass in [false, true] {
        for id in &ids {
            let have = tags_of(region, account, id)
                .ok_or_else(|| Refusal::bad("InvalidID", format!("The ID '{id}' is not valid")))?;
            if !pass {
                continue;
            }
            for (key, value) in &tags {
                if action == "CreateTags" {
                    have.insert(key.clone(), value.clone());
                } else {
                    have.remove(key);
                }
            }
        }
    }
    Call::done(action)
}
