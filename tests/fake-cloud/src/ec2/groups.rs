//! Security groups: `CreateSecurityGroup`, `DescribeSecurityGroups`, `DeleteSecurityGroup`.

use super::{Call, filter, rules, tag_set};
use crate::holdings::{self, Group, Rule, Source};
use crate::refusal::{Answer, Refusal};
use crate::world::Region;
use crate::xml::Xml;

/// No such group.
pub(crate) fn missing(key: &str) -> Refusal {
    Refusal::bad("InvalidGroup.NotFound", format!("The security group '{key}' does not exist"))
}

/// Refuses what is no group's id.
pub(crate) fn check_id(id: &str) -> Result<(), Refusal> {
    let digits = id.strip_prefix("sg-").unwrap_or_default();
    if (8..=17).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(Refusal::bad("InvalidGroupId.Malformed", format!("Invalid id: \"{id}\" (expecting \"sg-...\")")))
}

/// The caller's group that `GroupId` or `GroupName` names.
pub(crate) fn named(call: &Call<'_>, region: &Region) -> Result<String, Refusal> {
    let (id, name) = (call.params.get("GroupId"), call.params.get("GroupName"));
    let key = match (&id, &name) {
        (Some(id), _) => {
            check_id(id)?;
            id
        }
        (None, Some(name)) => {
            default_vpc(call, region)?;
            name
        }
        _ => {
            let text = "The request must contain the parameter GroupName or GroupId";
            return Err(Refusal::bad("MissingParameter", text));
        }
    };
    let group = holdings::group(region, &call.caller.account, key).ok_or_else(|| missing(key))?;
    Ok(group.id.clone())
}

/// The default network, for those who name none; Eucalyptus here has no networks.
pub(crate) fn default_vpc(call: &Call<'_>, region: &Region) -> Result<Option<String>, Refusal> {
    if call.shared.euca() {
        return Ok(None);
    }
    let own = |vpc: &&holdings::Vpc| vpc.default && vpc.owner == call.caller.account;
    let found = region.vpcs.iter().find(own).map(|vpc| vpc.id.clone());
    found.map(Some).ok_or_else(|| {
        let text =
            "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.";
        Refusal::bad("VPCIdNotSpecified", text)
    })
}

/// `CreateSecurityGroup`.
pub(crate) fn create(call: &Call<'_>) -> Answer {
    let (params, euca) = (&call.params, call.shared.euca());
    let (name, description) = (params.need("GroupName")?, params.need("GroupDescription")?);
    let vpc = params.get("VpcId");
    let mut tags = if euca { Default::default() } else { params.specified_tags(&["security-group"])? };
    params.finish()?;
    let good = |char: char| char.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(char) || euca;
    for (what, text) in [("Group name", &name), ("GroupDescription", &description)] {
        if text.chars().count() > 255 || !text.chars().all(good) || !text.is_ascii() {
            let text = format!(
                "Value ({text}) for parameter {what} is invalid. Character sets beyond ASCII are not supported."
            );
            return Err(Refusal::bad("InvalidParameterValue", text));
        }
    }
    if name.starts_with("sg-") && !euca {
        let text = format!("Value ({name}) for parameter GroupName is invalid. It may not begin with sg-.");
        return Err(Refusal::bad("InvalidParameterValue", text));
    }
    if name == "default" {
        return Err(Refusal::bad("InvalidGroup.Reserved", "The security group 'default' is reserved"));
    }
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    let account = &call.caller.account;
    let vpc = match vpc {
        Some(id) => {
            if !region.vpcs.iter().any(|vpc| vpc.id == id && vpc.owner == *account) {
                let text = format!("The vpc ID '{id}' does not exist");
                return Err(Refusal::bad("InvalidVpcID.NotFound", text));
            }
            Some(id)
        }
        None => default_vpc(call, region)?,
    };
    let same = |group: &Group| group.owner == *account && group.name == name && group.vpc == vpc;
    if region.groups.values().any(same) {
        let place = vpc.as_ref().map(|id| format!(" for VPC '{id}'")).unwrap_or_default();
        let text = format!("The security group '{name}' already exists{place}");
        return Err(Refusal::bad("InvalidGroup.Duplicate", text));
    }
    let group = Group {
        id: world.id("sg", euca),
        owner: account.clone(),
        name,
        description,
        vpc,
        rules: Vec::new(),
        egress: holdings::all_out(euca),
        tags: tags.remove("security-group").unwrap_or_default(),
        preset: false,
    };
    let answer = Call::answer("CreateSecurityGroup", |xml| {
        xml.text("return", "true").text("groupId", &group.id);
        tag_set(xml, &group.tags);
    });
    world.region(&call.caller.region).groups.insert(group.id.clone(), group);
    Ok(answer)
}

fn field(group: &Group, name: &str) -> Option<Vec<String>> {
    let source = |rule: &Rule, name: &str| match (&rule.source, name) {
        (Source::V4(cidr), "cidr") | (Source::V6(cidr), "ipv6-cidr") => Some(cidr.clone()),
        (Source::Group(user, ..), "user-id") => Some(user.clone()),
        (Source::Group(_, id, _), "group-id") => Some(id.clone()),
        (Source::Group(_, _, group), "group-name") => Some(group.clone()),
        _ => None,
    };
    if let Some(name) = name.strip_prefix("ip-permission.") {
        return Some(match name {
            "protocol" => group.rules.iter().map(|rule| rule.protocol.clone()).collect(),
            "from-port" => group.rules.iter().filter_map(|rule| Some(rule.ports?.0.to_string())).collect(),
            "to-port" => group.rules.iter().filter_map(|rule| Some(rule.ports?.1.to_string())).collect(),
            "cidr" | "ipv6-cidr" | "user-id" | "group-id" | "group-name" => {
                group.rules.iter().filter_map(|rule| source(rule, name)).collect()
            }
            _ => return None,
        });
    }
    Some(match name {
        "group-id" => vec![group.id.clone()],
        "group-name" => vec![group.name.clone()],
        "description" => vec![group.description.clone()],
        "owner-id" => vec![group.owner.clone()],
        "vpc-id" => group.vpc.clone().into_iter().collect(),
        _ => return None,
    })
}

/// `DescribeSecurityGroups`.
pub(crate) fn describe(call: &Call<'_>) -> Answer {
    let params = &call.params;
    let (ids, names, filters) = (params.list("GroupId"), params.list("GroupName"), params.filters()?);
    let (start, most) = call.paging()?;
    params.finish()?;
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    let account = &call.caller.account;
    for id in &ids {
        check_id(id)?;
        region.groups.get(id).filter(|group| group.owner == *account).ok_or_else(|| missing(id))?;
    }
    if !names.is_empty() {
        default_vpc(call, region)?;
    }
    let mut wanted = ids.clone();
    for name in &names {
        wanted.push(holdings::group(region, account, name).ok_or_else(|| missing(name))?.id.clone());
    }
    let mut found = Vec::new();
    for group in region.groups.values().filter(|group| group.owner == *account) {
        let asked = wanted.is_empty() || wanted.contains(&group.id);
        if asked && filter::holds(&filters, &group.tags, |name| field(group, name))? {
            found.push(group.clone());
        }
    }
    let (page, next) = call.page(found, start, most);
    Ok(Call::answer("DescribeSecurityGroups", |xml| {
        xml.items("securityGroupInfo", &page, write).maybe("nextToken", next);
    }))
}

fn write(xml: &mut Xml, group: &Group) {
    xml.text("ownerId", &group.owner)
        .text("groupId", &group.id)
        .text("groupName", &group.name)
        .text("groupDescription", &group.description)
        .maybe("vpcId", group.vpc.as_ref());
    rules::write(xml, "ipPermissions", &group.rules);
    rules::write(xml, "ipPermissionsEgress", &group.egress);
    tag_set(xml, &group.tags);
}

/// `DeleteSecurityGroup`: not while an instance is in it that is not terminated, or another group's rule names it.
pub(crate) fn delete(call: &Call<'_>) -> Answer {
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    let id = named(call, region)?;
    call.params.finish()?;
    let Some(group) = region.groups.get(&id) else { return Err(missing(&id)) };
    if group.name == "default" {
        let text = "the specified group: \"default\" name: \"default\" cannot be deleted by a user";
        return Err(match call.shared.euca() {
            true => Refusal::bad("InvalidGroup.Reserved", "The security group 'default' is reserved"),
            false => Refusal::bad("CannotDelete", text),
        });
    }
    let used = region.instances.values().any(|have| have.state != "terminated" && have.groups.contains(&id));
    let names = |rule: &Rule| matches!(&rule.source, Source::Group(_, other, _) if *other == id);
    let named = region.groups.values().any(|other| other.id != id && other.rules.iter().any(names));
    if used || named {
        // Time passes: what is ending ends by itself.
        let of = |have: &&crate::world::Instance| have.state == "shutting-down" && have.groups.contains(&id);
        let ending: Vec<String> = region.instances.values().filter(of).map(|have| have.id.clone()).collect();
        for instance in ending {
            crate::holdings::advance(region, &instance);
        }
        let group = region.groups.get(&id).ok_or_else(|| missing(&id))?;
        return Err(if group.vpc.is_none() {
            Refusal::bad("InvalidGroup.InUse", "Specified group cannot be deleted because it is in use.")
        } else {
            Refusal::bad("DependencyViolation", format!("resource {id} has a dependent object"))
        });
    }
    region.groups.remove(&id);
    Ok(Call::answer("DeleteSecurityGroup", |xml| {
        xml.text("return", "true");
        if !call.shared.euca() {
            xml.text("groupId", &id);
        }
    }))
}
