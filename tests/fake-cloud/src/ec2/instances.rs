//! Instances: they have states and consoles, and nothing runs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Call, filter, tag_set};
use crate::params::wrong;
use crate::refusal::{Answer, Refusal};
use crate::time;
use crate::world::{Instance, State, hidden};
use crate::xml::Xml;

/// Bytes of user-data, before base64, at most.
const USER_DATA: usize = 16 * 1024;
/// Bytes of a console that are kept.
const CONSOLE: usize = 64 * 1024;

/// `RunInstances`, one of them.
pub(crate) fn run(call: &Call<'_>) -> Answer {
    let (params, euca) = (&call.params, call.shared.euca());
    let id = params.need("ImageId")?;
    if params.number("MinCount")? != Some(1) || params.number("MaxCount")? != Some(1) {
        return Err(wrong("MinCount", "other than 1: this cloud starts one"));
    }
    let instance_type = params.get("InstanceType").unwrap_or_else(|| "m1.small".to_owned());
    let user_data = STANDARD
        .decode(params.get("UserData").unwrap_or_default())
        .map_err(|_| Refusal::bad("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."))?;
    if user_data.len() > USER_DATA {
        let text = "User data is limited to 16384 bytes";
        return Err(Refusal::bad("InvalidParameterValue", text));
    }
    let (key_name, token) = (params.get("KeyName"), params.get("ClientToken"));
    if token.as_ref().is_some_and(|token| token.len() > 64) {
        return Err(wrong("ClientToken", "more than 64 characters"));
    }
    let (subnet, groups) = (params.get("SubnetId"), params.list("SecurityGroupId"));
    let interfaces = params.structures("NetworkInterface");
    for interface in &interfaces {
        let _ = params.number(&format!("{interface}.DeviceIndex"))?;
        let _ = params.flag(&format!("{interface}.AssociatePublicIpAddress"))?;
        let _ = params.get(&format!("{interface}.SubnetId"));
        let _ = params.list(&format!("{interface}.SecurityGroupId"));
    }
    if !interfaces.is_empty() && (subnet.is_some() || !groups.is_empty()) {
        let text = "Network interfaces and an instance-level subnet ID or security groups may not be specified on \
                    the same request";
        return Err(Refusal::bad("InvalidParameterCombination", text));
    }
    let (mut tokens, mut tags) = ("optional".to_owned(), Default::default());
    if !euca {
        tokens = params.one_of("MetadataOptions.HttpTokens", &["optional", "required"])?.unwrap_or(tokens);
        let _ = params.one_of("MetadataOptions.HttpEndpoint", &["enabled", "disabled"])?;
        let _ = params.number("MetadataOptions.HttpPutResponseHopLimit")?;
        let mut specified = params.specified_tags(&["instance", "volume", "network-interface"])?;
        tags = specified.remove("instance").unwrap_or_default();
    }
    let _ = params.one_of("InstanceInitiatedShutdownBehavior", &["stop", "terminate"])?;
    params.finish()?;
    super::images::check_id(&id)?;
    let mut world = call.shared.world();
    let account = call.caller.account.clone();
    if let Some(id) = call.repeated(world.region(&call.caller.region), "RunInstances", token.as_deref())? {
        let found = world.region(&call.caller.region).instances.get(&id).cloned();
        return Ok(started(&account, found.as_ref()));
    }
    let new = world.id("i", euca);
    let region = world.region(&call.caller.region);
    let image = region
        .images
        .get(&id)
        .filter(|image| image.owner == account || image.all_users || image.users.contains(&account));
    let Some(image) = image else {
        return Err(Refusal::bad("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist")));
    };
    if image.state != State::Ready {
        return Err(Refusal::bad("InvalidAMIID.Unavailable", format!("The image {id} is not available")));
    }
    let instance = Instance {
        id: new.clone(),
        owner: account.clone(),
        image: id,
        instance_type,
        user_data,
        key_name,
        tokens,
        state: "pending",
        polls: call.shared.options.instance_polls,
        tags,
        launched: call.shared.now(),
        unseen: call.shared.options.describe_misses,
        looks: 0,
    };
    let answer = started(&account, Some(&instance));
    region.instances.insert(new.clone(), instance);
    call.remember(region, "RunInstances", token, &new);
    Ok(answer)
}

fn started(account: &str, instance: Option<&Instance>) -> crate::http::Response {
    Call::answer("RunInstances", |xml| {
        xml.text("reservationId", "r-00000000000000001").text("ownerId", account).items(
            "instancesSet",
            instance,
            write,
        );
    })
}

fn state(xml: &mut Xml, element: &str, name: &str) {
    let code = match name {
        "pending" => "0",
        "running" => "16",
        "shutting-down" => "32",
        _ => "48",
    };
    xml.nest(element, |xml| {
        xml.text("code", code).text("name", name);
    });
}

fn write(xml: &mut Xml, instance: &Instance) {
    xml.text("instanceId", &instance.id).text("imageId", &instance.image);
    state(xml, "instanceState", instance.state);
    if instance.state == "running" {
        xml.text("privateIpAddress", "10.0.0.5").text("ipAddress", "203.0.113.5");
    }
    if instance.state == "terminated" {
        xml.text("reason", "User initiated").nest("stateReason", |xml| {
            xml.text("code", "Client.UserInitiatedShutdown").text("message", "User initiated shutdown");
        });
    }
    xml.maybe("keyName", instance.key_name.as_ref())
        .text("instanceType", &instance.instance_type)
        .text("launchTime", time::iso(instance.launched))
        .nest("metadataOptions", |xml| {
            xml.text("state", "applied").text("httpTokens", &instance.tokens);
        });
    tag_set(xml, &instance.tags);
}

fn missing(id: &str) -> Refusal {
    Refusal::bad("InvalidInstanceID.NotFound", format!("The instance ID '{id}' does not exist"))
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
        let found = region.instances.get_mut(id).filter(|have| have.owner == *account);
        let found = found.ok_or_else(|| missing(id))?;
        if hidden(&mut found.unseen) {
            return Err(missing(id));
        }
    }
    let mut found = Vec::new();
    for instance in region.instances.values_mut().filter(|have| have.owner == *account) {
        let field = |name: &str| {
            Some(vec![match name {
                "instance-id" => instance.id.clone(),
                "image-id" => instance.image.clone(),
                "instance-state-name" => instance.state.to_owned(),
                "instance-type" => instance.instance_type.clone(),
                _ => return None,
            }])
        };
        let wanted = ids.is_empty() || ids.contains(&instance.id);
        if !wanted || !filter::holds(&filters, &instance.tags, field)? || hidden(&mut instance.unseen) {
            continue;
        }
        match (instance.state, instance.polls) {
            ("pending", 0) => instance.state = "running",
            ("shutting-down", 0) => instance.state = "terminated",
            (_, 0) => {}
            _ => instance.polls -= 1,
        }
        found.push(instance.clone());
    }
    let (page, next) = call.page(found, start, most);
    Ok(Call::answer("DescribeInstances", |xml| {
        xml.items("reservationSet", &page, |xml, instance| {
            xml.text("reservationId", "r-00000000000000001").text("ownerId", account).items(
                "instancesSet",
                [instance],
                write,
            );
        })
        .maybe("nextToken", next);
    }))
}

/// `TerminateInstances`.
pub(crate) fn terminate(call: &Call<'_>) -> Answer {
    let ids = call.params.list("InstanceId");
    call.params.finish()?;
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    for id in &ids {
        region
            .instances
            .get(id)
            .filter(|have| have.owner == call.caller.account)
            .ok_or_else(|| missing(id))?;
    }
    Ok(Call::answer("TerminateInstances", |xml| {
        xml.items("instancesSet", &ids, |xml, id| {
            let Some(instance) = region.instances.get_mut(id) else { return };
            let before = instance.state;
            if before != "terminated" {
                instance.state = "shutting-down";
                instance.polls = 1;
            }
            xml.text("instanceId", id);
            state(xml, "currentState", instance.state);
            state(xml, "previousState", before);
        });
    }))
}

/// `GetConsoleOutput`: what is asked for with `Latest` is as new as can be; without, it is one look behind. Both end
/// 64 KiB before their end.
pub(crate) fn console(call: &Call<'_>) -> Answer {
    let id = call.params.need("InstanceId")?;
    let latest = if call.shared.euca() { None } else { call.params.flag("Latest")? };
    call.params.finish()?;
    let steps = &call.shared.options.console;
    let mut world = call.shared.world();
    let instances = &mut world.region(&call.caller.region).instances;
    let instance = instances.get_mut(&id).filter(|have| have.owner == call.caller.account);
    let instance = instance.ok_or_else(|| missing(&id))?;
    let step = if latest == Some(true) { instance.looks } else { instance.looks.saturating_sub(1) };
    instance.looks += 1;
    let text = steps.get(step).or(steps.last()).map(String::as_bytes).unwrap_or_default();
    let text = text.get(text.len().saturating_sub(CONSOLE)..).unwrap_or_default();
    let now = time::iso(call.shared.now());
    Ok(Call::answer("GetConsoleOutput", |xml| {
        xml.text("instanceId", &id).text("timestamp", &now);
        if !text.is_empty() {
            xml.text("output", STANDARD.encode(text));
        }
    }))
}

/// `DescribeInstanceTypes`, of two.
pub(crate) fn types(call: &Call<'_>) -> Answer {
    let wanted = call.params.list("InstanceType");
    call.params.finish()?;
    let known = [
        ("t3.small", "x86_64", "nitro", &["legacy-bios", "uefi"][..]),
        ("t4g.small", "arm64", "nitro", &["uefi"][..]),
        ("t2.small", "x86_64", "xen", &["legacy-bios"][..]),
    ];
    if let Some(name) = wanted.iter().find(|name| !known.iter().any(|(have, ..)| have == name)) {
        let text = format!("The following supplied instance types do not exist: [{name}]");
        return Err(Refusal::bad("InvalidInstanceType", text));
    }
    let list = known.iter().filter(|(name, ..)| wanted.is_empty() || wanted.iter().any(|have| have == name));
    Ok(Call::answer("DescribeInstanceTypes", |xml| {
        xml.items("instanceTypeSet", list, |xml, (name, architecture, hypervisor, modes)| {
            xml.text("instanceType", name).text("hypervisor", hypervisor).nest("processorInfo", |xml| {
                xml.texts("supportedArchitectures", [architecture]);
            });
            xml.texts("supportedBootModes", *modes);
        });
    }))
}
