//! `DescribeSnapshots`, `DeleteSnapshot`.

use super::{Call, filter, tag_set};
use crate::refusal::{Answer, Refusal};
use crate::time;
use crate::world::{Region, Snapshot, State, hidden};
use crate::xml::Xml;

/// The state's name.
pub(crate) fn state(snapshot: &Snapshot) -> &'static str {
    match snapshot.state {
        State::Pending(_) => "pending",
        State::Ready => "completed",
        State::Failed(_) => "error",
    }
}

fn missing(id: &str) -> Refusal {
    Refusal::bad("InvalidSnapshot.NotFound", format!("The snapshot '{id}' does not exist."))
}

fn check_id(id: &str) -> Result<(), Refusal> {
    let digits = id.strip_prefix("snap-").unwrap_or_default();
    if (8..=17).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(());
    }
    let text = format!("Value ({id}) for parameter snapshotId is invalid.");
    Err(Refusal::bad("InvalidSnapshotID.Malformed", text))
}

/// The caller may see it.
pub(crate) fn visible(snapshot: &Snapshot, account: &str) -> bool {
    snapshot.owner == account || snapshot.all_users || snapshot.users.contains(account)
}

/// The caller's own snapshot.
pub(crate) fn own<'a>(region: &'a mut Region, account: &str, id: &str) -> Result<&'a mut Snapshot, Refusal> {
    check_id(id)?;
    match region.snapshots.get_mut(id) {
        Some(snapshot) if snapshot.owner == account => Ok(snapshot),
        Some(snapshot) if visible(snapshot, account) => {
            let text = "You do not have permission to access the specified resource.";
            Err(Refusal::new(403, "OperationNotPermitted", text))
        }
        _ => Err(missing(id)),
    }
}

/// The image that uses a snapshot.
pub(crate) fn in_use(region: &Region, snapshot: &str) -> Option<String> {
    let uses = |mapping: &crate::world::Mapping| mapping.snapshot.as_deref() == Some(snapshot);
    region.images.values().find(|image| image.mappings.iter().any(uses)).map(|image| image.id.clone())
}

/// `DescribeSnapshots`.
pub(crate) fn describe(call: &Call<'_>) -> Answer {
    let params = &call.params;
    let (ids, owners, filters) = (params.list("SnapshotId"), params.list("Owner"), params.filters()?);
    let restorable = params.list("RestorableBy");
    let (start, most) = call.paging()?;
    params.finish()?;
    if !ids.is_empty() && most.is_some() {
        let text = "The parameter snapshotSet cannot be used with the parameter maxResults";
        return Err(Refusal::bad("InvalidParameterCombination", text));
    }
    let account = &call.caller.account;
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    for id in &ids {
        check_id(id)?;
        let found = region.snapshots.get_mut(id).filter(|snapshot| visible(snapshot, account));
        if found.is_none_or(|snapshot| hidden(&mut snapshot.unseen)) {
            return Err(missing(id));
        }
    }
    let mut found = Vec::new();
    for snapshot in region.snapshots.values_mut() {
        let owner =
            |wanted: &String| *wanted == snapshot.owner || (wanted == "self" && *account == snapshot.owner);
        let may = |wanted: &String| match wanted.as_str() {
            "self" => snapshot.users.contains(account) || snapshot.owner == *account,
            "all" => snapshot.all_users,
            other => snapshot.users.contains(other),
        };
        let wanted = visible(snapshot, account)
            && (ids.is_empty() || ids.contains(&snapshot.id))
            && (owners.is_empty() || owners.iter().any(owner))
            && (restorable.is_empty() || restorable.iter().any(may))
            && filter::holds(&filters, &snapshot.tags, |name| field(snapshot, name))?;
        if wanted && !hidden(&mut snapshot.unseen) {
            snapshot.state.look();
            found.push(snapshot.clone());
        }
    }
    let (page, next) = call.page(found, start, most);
    Ok(Call::answer("DescribeSnapshots", |xml| {
        xml.items("snapshotSet", &page, write).maybe("nextToken", next);
    }))
}

fn field(snapshot: &Snapshot, name: &str) -> Option<Vec<String>> {
    Some(vec![match name {
        "snapshot-id" => snapshot.id.clone(),
        "description" => snapshot.description.clone(),
        "status" => state(snapshot).to_owned(),
        "owner-id" => snapshot.owner.clone(),
        "volume-size" => snapshot.size.to_string(),
        "encrypted" => snapshot.key.is_some().to_string(),
        "start-time" => time::iso(snapshot.started),
        "progress" => progress(snapshot).to_owned(),
        _ => return None,
    }])
}

fn progress(snapshot: &Snapshot) -> &'static str {
    match snapshot.state {
        State::Ready => "100%",
        State::Pending(Some(_)) => "50%",
        _ => "0%",
    }
}

/// A snapshot, as `DescribeSnapshots` writes it.
fn write(xml: &mut Xml, snapshot: &Snapshot) {
    xml.text("snapshotId", &snapshot.id)
        .text("volumeId", "vol-ffffffff")
        .text("status", state(snapshot))
        .text("startTime", time::iso(snapshot.started))
        .text("progress", progress(snapshot))
        .text("ownerId", &snapshot.owner)
        .text("volumeSize", snapshot.size.to_string())
        .text("description", &snapshot.description)
        .text("encrypted", snapshot.key.is_some().to_string())
        .maybe("kmsKeyId", snapshot.key.as_ref())
        .text("storageTier", "standard");
    if let State::Failed(reason) = &snapshot.state {
        xml.text("statusMessage", reason);
    }
    tag_set(xml, &snapshot.tags);
}

/// `DeleteSnapshot`.
pub(crate) fn delete(call: &Call<'_>) -> Answer {
    let id = call.params.need("SnapshotId")?;
    call.params.finish()?;
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    own(region, &call.caller.account, &id)?;
    if let Some(image) = in_use(region, &id) {
        let text = format!("The snapshot {id} is currently in use by {image}");
        return Err(Refusal::bad("InvalidSnapshot.InUse", text));
    }
    region.snapshots.remove(&id);
    Call::done("DeleteSnapshot")
}
