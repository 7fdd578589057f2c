//! Instances: they have states and consoles, and nothing runs.

mod run;
mod write;

pub(crate) use run::{Launch, launch, run};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Call, filter, types};
use crate::refusal::{Answer, Refusal};
use crate::world::{Instance, Region, hidden};
use crate::{console, holdings, time};

/// No such instance.
pub(crate) fn missing(id: &str) -> Refusal {
    Refusal::bad("InvalidInstanceID.NotFound", format!("The instance ID '{id}' does not exist"))
}

/// Refuses what is no instance's id.
fn check_id(id: &str) -> Result<(), Refusal> {
    let digits = id.strip_prefix("i-").unwrap_or_default();
    if !digits.is_empty() && digits.len() <= 17 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(Refusal::bad("InvalidInstanceID.Malformed", format!("Invalid id: \"{id}\"")))
}

fn field(region: &Region, instance: &Instance, name: &str) -> Option<Vec<String>> {
    let names = || {
        let groups = instance.groups.iter().filter_map(|id| region.groups.get(id));
        groups.map(|group| group.name.clone()).collect()
    };
    let of = |value: &Option<String>| value.clone().into_iter().collect();
    Some(match name {
        "instance-id" => vec![instance.id.clone()],
        "image-id" => vec![instance.image.clone()],
        "instance-state-name" => vec![instance.state.to_owned()],
        "instance-state-code" => vec![write::code(instance.state).to_owned()],
        "instance-type" => vec![instance.instance_type.clone()],
        "client-token" => of(&instance.client_token),
        "reservation-id" => vec![instance.reservation.clone()],
        "owner-id" => vec![instance.owner.clone()],
        "key-name" => of(&instance.key_name),
        "availability-zone" => vec![instance.zone.clone()],
        "vpc-id" => of(&instance.vpc),
        "subnet-id" => of(&instance.subnet),
        "instance.group-id" | "group-id" => instance.groups.clone(),
        "instance.group-name" | "group-name" => names(),
        "private-ip-address" => vec![instance.private_address.clone()],
        "ip-address" => of(&instance.public_address),
        "architecture" => vec![instance.architecture.clone()],
        "root-device-type" => vec![instance.root_type.to_owned()],
        "root-device-name" => of(&instance.root_device),
        "virtualization-type" => vec![instance.virtualization.clone()],
        "iam-instance-profile.arn" => of(&instance.profile),
        "launch-index" => vec![instance.index.to_string()],
        "reason" | "state-reason-code" => instance.reason.iter().map(|(code, _)| code.clone()).collect(),
        _ => return None,
    })
}

/// `DescribeInstances`.
pub(crate) fn describe(call: &Call<'_>) -> Answer {
    let (ids, filters) = (call.params.list("InstanceId"), call.params.filters()?);
    let (start, most) = call.paging()?;
    call.params.finish()?;
    if !ids.is_empty() && most.is_some() {
        let text = "The parameter instancesSet cannot be used with the parameter maxResults";
        return Err(Refusal::bad("InvalidParameterCombination", text));
    }
    let account = &call.caller.account;
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    for id in &ids {
        check_id(id)?;
        let found = region.instances.get_mut(id).filter(|have| have.owner == *account);
        let found = found.ok_or_else(|| missing(id))?;
        if hidden(&mut found.unseen) {
            return Err(missing(id));
        }
    }
    let mut found: Vec<String> = Vec::new();
    for instance in region.instances.values().filter(|have| have.owner == *account) {
        let asked = ids.is_empty() || ids.contains(&instance.id);
        if asked && filter::holds(&filters, &instance.tags, |name| field(region, instance, name))? {
            found.push(instance.id.clone());
        }
    }
    found.retain(|id| region.instances.get_mut(id).is_some_and(|have| !hidden(&mut have.unseen)));
    for id in &found {
        holdings::advance(region, id);
    }
    let mut all: Vec<&Instance> = found.iter().filter_map(|id| region.instances.get(id)).collect();
    // Reservations are together.
    all.sort_by_key(|instance| instance.number);
    let (page, next) = call.page(all, start, most);
    let mut reservations: Vec<Vec<&Instance>> = Vec::new();
    for instance in page {
        match reservations.last_mut() {
            Some(last) if last.iter().any(|have| have.reservation == instance.reservation) => {
                last.push(instance);
            }
            _ => reservations.push(vec![instance]),
        }
    }
    let euca = call.shared.euca();
    Ok(Call::answer("DescribeInstances", |xml| {
        xml.items("reservationSet", &reservations, |xml, instances| {
            write::reservation(xml, region, instances, euca);
        })
        .maybe("nextToken", next);
    }))
}

/// `TerminateInstances`.
pub(crate) fn terminate(call: &Call<'_>) -> Answer {
    let ids = call.params.list("InstanceId");
    call.params.finish()?;
    if ids.is_empty() {
        let text = "The request must contain the parameter InstanceId";
        return Err(Refusal::bad("MissingParameter", text));
    }
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    for id in &ids {
        check_id(id)?;
        region
            .instances
            .get(id)
            .filter(|have| have.owner == call.caller.account)
            .ok_or_else(|| missing(id))?;
    }
    Ok(Call::answer("TerminateInstances", |xml| {
        xml.items("instancesSet", &ids, |xml, id| {
            let Some(instance) = region.instances.get_mut(id) else { return };
            let before = end(instance);
            xml.text("instanceId", id);
            write::state(xml, "currentState", instance.state);
            write::state(xml, "previousState", before);
        });
    }))
}

/// Begins its end, as a user's wish; what it was.
pub(crate) fn end(instance: &mut Instance) -> &'static str {
    let before = instance.state;
    if before != "terminated" {
        instance.state = "shutting-down";
        instance.polls = 1;
        let reason = ("Client.UserInitiatedShutdown", "User initiated shutdown");
        instance.reason.get_or_insert((reason.0.to_owned(), format!("{}: {}", reason.0, reason.1)));
    }
    before
}

/// `GetConsoleOutput`: `Latest` is for instances on Nitro.
pub(crate) fn console(call: &Call<'_>) -> Answer {
    let id = call.params.need("InstanceId")?;
    let euca = call.shared.euca();
    let latest = if euca { None } else { call.params.flag("Latest")? };
    call.params.finish()?;
    check_id(&id)?;
    let mut world = call.shared.world();
    let instances = &mut world.region(&call.caller.region).instances;
    let instance = instances.get_mut(&id).filter(|have| have.owner == call.caller.account);
    let instance = instance.ok_or_else(|| missing(&id))?;
    let latest = latest == Some(true);
    let nitro = types::find(call.shared, &instance.instance_type).is_some_and(|kind| kind.nitro);
    if latest && !nitro {
        let text = "This instance type does not support retrieving the latest console logs.";
        return Err(Refusal::bad("UnsupportedOperation", text));
    }
    let text = console::shown(&call.shared.options, euca, instance, latest);
    let now = time::iso(call.shared.now());
    Ok(Call::answer("GetConsoleOutput", |xml| {
        xml.text("instanceId", &id).text("timestamp", &now);
        if !text.is_empty() {
            xml.text("output", STANDARD.encode(text));
        }
    }))
}
