//! Security groups: `DescribeSecurityGroups`, `CreateSecurityGroup`, `AuthorizeSecurityGroupIngress`,
//! `DeleteSecurityGroup`.
//!
//! Eucalyptus (`VmSecurity.groovy`) has neither IPv6 nor lists of prefixes.

use super::filter::{PAGE, add_filters, entries, items, pages};
use super::{create_tags, done, specify_tags, tags, takes_tags, unless};
use crate::call::Call;
use crate::query::Query;
use crate::xml::Element;
use crate::{Client, Error, Service};

const DESCRIBE: Call = Call(Service::Ec2, "DescribeSecurityGroups");
const CREATE: Call = Call(Service::Ec2, "CreateSecurityGroup");
const AUTHORIZE: Call = Call(Service::Ec2, "AuthorizeSecurityGroupIngress");
const DELETE: Call = Call(Service::Ec2, "DeleteSecurityGroup");

/// A security group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityGroup {
    /// `sg-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its account.
    pub owner: String,
    /// Its VPC; none in clouds without them.
    pub vpc: Option<String>,
    /// What is let in.
    pub ingress: Vec<Rule>,
    /// What is let out.
    pub egress: Vec<Rule>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// A rule: a protocol, ports, and who.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, a number, or `-1` for all.
    pub protocol: String,
    /// The first port, or the type of ICMP; `None` or -1: all.
    pub from_port: Option<i32>,
    /// The last port, or the code of ICMP; `None` or -1: all.
    pub to_port: Option<i32>,
    /// Networks of IPv4, as `0.0.0.0/0`.
    pub networks: Vec<String>,
    /// Networks of IPv6, as `::/0`.
    pub networks_v6: Vec<String>,
    /// Lists of prefixes: `pl-…`.
    pub prefix_lists: Vec<String>,
    /// Other groups.
    pub groups: Vec<RuleGroup>,
}

/// A group in a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleGroup {
    /// Its account.
    pub account: Option<String>,
    /// `sg-…`.
    pub id: Option<String>,
    /// Its name, in clouds without VPCs.
    pub name: Option<String>,
    /// Its VPC, where that is another one.
    pub vpc: Option<String>,
    /// The peering connection to that VPC.
    pub peering: Option<String>,
    /// What became of that connection.
    pub peering_status: Option<String>,
}

/// A security group to make.
#[derive(Clone, Debug, Default)]
pub struct CreateSecurityGroup {
    /// Its name.
    pub name: String,
    /// What it is for. It must not be empty.
    pub description: String,
    /// Its VPC; the default one, or none, where nothing is given.
    pub vpc: Option<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// `DescribeSecurityGroups`: those of `ids`, or those that match `filters`, all pages.
///
/// # Errors
/// `InvalidGroup.NotFound`; no answer.
pub fn describe_security_groups(
    client: &Client,
    ids: &[&str],
    filters: &[(String, Vec<String>)],
) -> Result<Vec<SecurityGroup>, Error> {
    let mut query = Query::default();
    query.list("GroupId", ids.iter().copied());
    add_filters(&mut query, filters);
    let mut found = Vec::new();
    pages(DESCRIBE, client, &query, PAGE.filter(|_| ids.is_empty()), |root| {
        for entry in items(DESCRIBE, root, "securityGroupInfo")? {
            found.push(security_group(entry)?);
        }
        Ok(())
    })?;
    Ok(found)
}

/// `CreateSecurityGroup`; its id. Nothing is let in yet.
///
/// There is no client token: the call is sent once, and who gets [`Error::Transport`] looks for the name. On Eucalyptus
/// the tags come by a call of their own; where that fails the group has none.
///
/// # Errors
/// `InvalidGroup.Duplicate`: the name is taken; no default VPC ([`Error::lacks_subnet`]); no answer.
pub fn create_security_group(client: &Client, request: &CreateSecurityGroup) -> Result<String, Error> {
    let mut query = Query::default();
    query.set("GroupName", &request.name).set("GroupDescription", &request.description);
    query.maybe("VpcId", request.vpc.as_deref());
    specify_tags(client, &mut query, &["security-group"], &request.tags);
    let id = CREATE.id(&CREATE.query_once(client, &query)?, &["groupId"])?;
    if !takes_tags(client) {
        // It is found by its name as well.
        drop(create_tags(client, &[&id], &request.tags));
    }
    Ok(id)
}

/// `AuthorizeSecurityGroupIngress`. What is let in already is no error. Without rules: no call.
///
/// # Errors
/// There is no such group, or a rule that cannot be; no answer.
pub fn authorize_ingress(client: &Client, group: &str, rules: &[Rule]) -> Result<(), Error> {
    if rules.is_empty() {
        return Ok(());
    }
    let mut query = Query::default();
    query.set("GroupId", group);
    for (index, rule) in rules.iter().enumerate() {
        add_rule(&mut query, &format!("IpPermissions.{}", index + 1), rule);
    }
    let result = AUTHORIZE.query(client, &query).and_then(|answer| done(AUTHORIZE, &answer));
    // EC2 refuses all of them where one is there: one rule at a time then. A call that was repeated ends so too.
    match (result, rules) {
        (Err(error), [_]) if error.is("InvalidPermission.Duplicate") => Ok(()),
        (Err(error), rules) if error.is("InvalidPermission.Duplicate") => {
            rules.iter().try_for_each(|rule| authorize_ingress(client, group, std::slice::from_ref(rule)))
        }
        (result, _) => result,
    }
}

/// `DeleteSecurityGroup`. One that is gone already is no error.
///
/// # Errors
/// `DependencyViolation` (`InvalidGroup.InUse` on Eucalyptus): something is still in it, or names it; no answer.
pub fn delete_security_group(client: &Client, group: &str) -> Result<(), Error> {
    let mut query = Query::default();
    query.set("GroupId", group);
    let result = DELETE.query(client, &query).and_then(|answer| done(DELETE, &answer));
    unless(result, &["InvalidGroup.NotFound", "InvalidSecurityGroupID.NotFound"], ())
}

fn add_rule(query: &mut Query, prefix: &str, rule: &Rule) {
    query.set(format!("{prefix}.IpProtocol"), &rule.protocol);
    query.maybe(&format!("{prefix}.FromPort"), rule.from_port.map(|port| port.to_string()));
    query.maybe(&format!("{prefix}.ToPort"), rule.to_port.map(|port| port.to_string()));
    let mut each = |list: &str, name: &str, values: &[String]| {
        for (index, value) in values.iter().enumerate() {
            query.set(format!("{prefix}.{list}.{}.{name}", index + 1), value);
        }
    };
    each("IpRanges", "CidrIp", &rule.networks);
    each("Ipv6Ranges", "CidrIpv6", &rule.networks_v6);
    each("PrefixListIds", "PrefixListId", &rule.prefix_lists);
    for (index, group) in rule.groups.iter().enumerate() {
        let prefix = format!("{prefix}.Groups.{}", index + 1);
        query.maybe(&format!("{prefix}.UserId"), group.account.as_deref());
        query.maybe(&format!("{prefix}.GroupName"), group.name.as_deref());
        query.maybe(&format!("{prefix}.GroupId"), group.id.as_deref());
    }
}

fn security_group(entry: &Element) -> Result<SecurityGroup, Error> {
    let text = |name: &str| entry.trimmed(&[name]);
    let rules = |name| entries(entry, name).map(rule).collect::<Result<_, _>>();
    Ok(SecurityGroup {
        id: DESCRIBE.id(entry, &["groupId"])?,
        name: text("groupName").unwrap_or_default(),
        description: text("groupDescription").unwrap_or_default(),
        owner: text("ownerId").unwrap_or_default(),
        vpc: text("vpcId"),
        ingress: rules("ipPermissions")?,
        egress: rules("ipPermissionsEgress")?,
        tags: tags(entry),
    })
}

fn rule(item: &Element) -> Result<Rule, Error> {
    let each = |list, name: &str| entries(item, list).filter_map(|entry| entry.trimmed(&[name])).collect();
    let group = |entry: &Element| RuleGroup {
        account: entry.trimmed(&["userId"]),
        id: entry.trimmed(&["groupId"]),
        name: entry.trimmed(&["groupName"]),
        vpc: entry.trimmed(&["vpcId"]),
        peering: entry.trimmed(&["vpcPeeringConnectionId"]),
        peering_status: entry.trimmed(&["peeringStatus"]),
    };
    Ok(Rule {
        protocol: DESCRIBE.text(item, &["ipProtocol"])?.to_owned(),
        from_port: DESCRIBE.number(item, &["fromPort"])?,
        to_port: DESCRIBE.number(item, &["toPort"])?,
        networks: each("ipRanges", "cidrIp"),
        networks_v6: each("ipv6Ranges", "cidrIpv6"),
        prefix_lists: each("prefixListIds", "prefixListId"),
        groups: entries(item, "groups").map(group).collect(),
    })
}
