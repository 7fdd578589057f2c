//! Rules of security groups: `AuthorizeSecurityGroupIngress`, `RevokeSecurityGroupIngress`.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Call, groups};
use crate::holdings::{self, Rule, Source};
use crate::params::wrong;
use crate::refusal::{Answer, Refusal};
use crate::world::Region;
use crate::xml::Xml;

/// `A.B.C.D/N`, with the bits beyond `N` cleared, as EC2 keeps it.
fn cidr4(text: &str) -> Option<String> {
    let (address, bits) = text.split_once('/')?;
    let (address, bits): (Ipv4Addr, u32) = (address.parse().ok()?, bits.parse().ok()?);
    let mask = u32::MAX.checked_shl(32_u32.checked_sub(bits)?).unwrap_or(0);
    Some(format!("{}/{bits}", Ipv4Addr::from(u32::from(address) & mask)))
}

/// The same, of version 6.
fn cidr6(text: &str) -> Option<String> {
    let (address, bits) = text.split_once('/')?;
    let (address, bits): (Ipv6Addr, u32) = (address.parse().ok()?, bits.parse().ok()?);
    let mask = u128::MAX.checked_shl(128_u32.checked_sub(bits)?).unwrap_or(0);
    Some(format!("{}/{bits}", Ipv6Addr::from(u128::from(address) & mask)))
}

fn malformed(text: &str) -> Refusal {
    Refusal::bad("InvalidParameterValue", format!("CIDR block {text} is malformed"))
}

/// Protocol and ports below `prefix`.
fn ports(call: &Call<'_>, prefix: &str) -> Result<(String, Option<(i64, i64)>), Refusal> {
    let euca = call.shared.euca();
    let protocol = call.params.need(&format!("{prefix}IpProtocol"))?.to_lowercase();
    let protocol = match protocol.as_str() {
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        "58" => "icmpv6",
        "all" => "-1",
        other => other,
    }
    .to_owned();
    let number = |name: &str| -> Result<Option<i64>, Refusal> {
        let name = format!("{prefix}{name}");
        let Some(text) = call.params.get(&name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| wrong(&name, &text))
    };
    let (from, to) = (number("FromPort")?, number("ToPort")?);
    let known =
        ["tcp", "udp", "icmp", "icmpv6", "-1"].contains(&protocol.as_str()) || protocol.parse::<u8>().is_ok();
    if !known || (euca && protocol == "icmpv6") {
        let text = format!("Invalid value '{protocol}' for IP protocol. Unknown protocol.");
        return Err(Refusal::bad(
            if euca { "InvalidPermission.Malformed" } else { "InvalidParameterValue" },
            text,
        ));
    }
    let bounds = match protocol.as_str() {
        "tcp" | "udp" => 0..=65535,
        "icmp" | "icmpv6" => -1..=255,
        _ => return Ok((protocol, None)),
    };
    let (Some(from), Some(to)) = (from, to) else {
        let text = "The request must contain the parameters FromPort and ToPort";
        return Err(Refusal::bad("MissingParameter", text));
    };
    if !bounds.contains(&from) || !bounds.contains(&to) || (*bounds.start() == 0 && from > to) {
        let text = format!("Invalid TCP/UDP port range ({from}:{to})");
        return Err(Refusal::bad("InvalidParameterValue", text));
    }
    Ok((protocol, Some((from, to))))
}

/// A group that a rule lets in.
fn pair(call: &Call<'_>, region: &Region, prefix: &str, own_vpc: bool) -> Result<Source, Refusal> {
    let get = |name: &str| call.params.get(&format!("{prefix}.{name}"));
    let (user, id, name) = (get("UserId"), get("GroupId"), get("GroupName"));
    let _ = get("VpcId").filter(|_| own_vpc);
    let user = user.unwrap_or_else(|| call.caller.account.clone());
    let key = id.clone().or(name.clone()).ok_or_else(|| {
        Refusal::bad("MissingParameter", format!("The request must contain the parameter {prefix}.GroupId"))
    })?;
    if let Some(id) = &id {
        groups::check_id(id)?;
    }
    let found = holdings::group(region, &user, &key).ok_or_else(|| groups::missing(&key))?;
    Ok(Source::Group(user, found.id.clone(), found.name.clone()))
}

/// All rules that a call names, a source each.
fn parse(call: &Call<'_>, region: &Region) -> Result<Vec<Rule>, Refusal> {
    let (params, euca) = (&call.params, call.shared.euca());
    let mut rules = Vec::new();
    for prefix in params.structures("IpPermissions") {
        let (protocol, ports) = ports(call, &format!("{prefix}."))?;
        let mut add = |source, description: Option<String>| {
            rules.push(Rule { protocol: protocol.clone(), ports, source, description });
        };
        let said = |prefix: &str| if euca { None } else { params.get(&format!("{prefix}.Description")) };
        for range in params.structures(&format!("{prefix}.IpRanges")) {
            let text = params.need(&format!("{range}.CidrIp"))?;
            add(Source::V4(cidr4(&text).ok_or_else(|| malformed(&text))?), said(&range));
        }
        let six = if euca { Vec::new() } else { params.structures(&format!("{prefix}.Ipv6Ranges")) };
        for range in six {
            let text = params.need(&format!("{range}.CidrIpv6"))?;
            add(Source::V6(cidr6(&text).ok_or_else(|| malformed(&text))?), said(&range));
        }
        for group in params.structures(&format!("{prefix}.Groups")) {
            add(pair(call, region, &group, !euca)?, said(&group));
        }
    }
    if params.peek("IpProtocol").is_some() {
        let (protocol, ports) = ports(call, "")?;
        let text = params.need("CidrIp")?;
        let source = Source::V4(cidr4(&text).ok_or_else(|| malformed(&text))?);
        rules.push(Rule { protocol, ports, source, description: None });
    }
    Ok(rules)
}

/// `AuthorizeSecurityGroupIngress` and `RevokeSecurityGroupIngress`.
pub(crate) fn change(call: &Call<'_>, action: &str) -> Answer {
    if !call.shared.euca() {
        let _ = call.params.specified_tags(&["security-group-rule"])?;
    } else {
        let _ = call.params.get("UserId");
    }
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    let id = groups::named(call, region)?;
    let rules = parse(call, region)?;
    call.params.finish()?;
    if rules.is_empty() {
        let text = "The request must contain the parameter ipPermissions";
        return Err(Refusal::bad("MissingParameter", text));
    }
    let Some(group) = region.groups.get_mut(&id) else { return Err(groups::missing(&id)) };
    for (index, rule) in rules.iter().enumerate() {
        let has = group.rules.iter().any(|have| have.same(rule));
        let twice = rules.iter().take(index).any(|other| other.same(rule));
        if action.starts_with("Authorize") && (has || twice) {
            let text = format!("the specified rule \"peer: {:?}, ALLOW\" already exists", rule.source);
            let code = if twice { "InvalidParameterValue" } else { "InvalidPermission.Duplicate" };
            return Err(Refusal::bad(code, text));
        }
        if action.starts_with("Revoke") && !has && !call.shared.euca() {
            let text = "The specified rule does not exist in this security group.";
            return Err(Refusal::bad("InvalidPermission.NotFound", text));
        }
    }
    if action.starts_with("Authorize") {
        group.rules.extend(rules);
    } else {
        group.rules.retain(|have| !rules.iter().any(|rule| rule.same(have)));
    }
    Call::done(action)
}

/// Rules, put together by protocol and ports, as EC2 shows them.
pub(crate) fn write(xml: &mut Xml, name: &str, rules: &[Rule]) {
    let mut kinds: Vec<(&str, Option<(i64, i64)>)> = Vec::new();
    for rule in rules {
        if !kinds.contains(&(rule.protocol.as_str(), rule.ports)) {
            kinds.push((rule.protocol.as_str(), rule.ports));
        }
    }
    xml.items(name, kinds, |xml, (protocol, ports)| {
        xml.text("ipProtocol", protocol);
        if let Some((from, to)) = ports {
            xml.text("fromPort", from.to_string()).text("toPort", to.to_string());
        }
        let of: Vec<&Rule> =
            rules.iter().filter(|rule| rule.protocol == protocol && rule.ports == ports).collect();
        let groups = of.iter().filter(|rule| matches!(rule.source, Source::Group(..)));
        xml.items("groups", groups, |xml, rule| {
            if let Source::Group(user, id, name) = &rule.source {
                xml.text("userId", user).text("groupId", id).text("groupName", name);
            }
            xml.maybe("description", rule.description.as_ref());
        });
        let four = of.iter().filter(|rule| matches!(rule.source, Source::V4(_)));
        xml.items("ipRanges", four, |xml, rule| {
            if let Source::V4(cidr) = &rule.source {
                xml.text("cidrIp", cidr).maybe("description", rule.description.as_ref());
            }
        });
        let six = of.iter().filter(|rule| matches!(rule.source, Source::V6(_)));
        xml.items("ipv6Ranges", six, |xml, rule| {
            if let Source::V6(cidr) = &rule.source {
                xml.text("cidrIpv6", cidr).maybe("description", rule.description.as_ref());
            }
        });
        xml.nest("prefixListIds", |_| {});
    });
}
