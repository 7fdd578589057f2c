//! Security groups: those that are named, and one of its own for SSH.

use hardtack_cloud::ec2::{
    CreateSecurityGroup, GroupRef, Rule, SecurityGroup, authorize_ingress, create_security_group,
    describe_security_groups,
};
use hardtack_cloud::{Client, Kind};
use hardtack_publish::Teller;
use hardtack_publish::journal::{Journal, Resource};
use hardtack_publish::poll::Fresh;
use hardtack_publish::refusal::{maybe_done, missing};

use super::address::Network;
use crate::Error;
use crate::near;

/// The groups that are named, each looked for: by its id, or by its name in `vpc`.
///
/// # Errors
/// There is none, or several are called so.
pub(super) fn named(client: &Client, names: &[String], vpc: Option<&str>) -> Result<Vec<GroupRef>, Error> {
    names.iter().map(|name| one(client, name, vpc)).collect()
}

fn one(client: &Client, name: &str, vpc: Option<&str>) -> Result<GroupRef, Error> {
    let is_id = name.starts_with("sg-");
    let filters = [("group-name".to_owned(), vec![name.to_owned()])];
    let found = match is_id {
        true => describe_security_groups(client, &[name], &[]),
        false => describe_security_groups(client, &[], &filters),
    };
    let mut found = match found {
        Err(error) if missing(&error) => Vec::new(),
        found => found?,
    };
    // Filters are patterns, and old clouds have none of names.
    found.retain(|group| if is_id { group.id == name } else { group.name == name });
    if !is_id && let Some(vpc) = vpc {
        found.retain(|group| group.vpc.as_deref().is_none_or(|of| of == vpc));
    }
    match found.as_slice() {
        [group] => Ok(GroupRef { id: group.id.clone(), name: group.name.clone() }),
        [] => {
            let all = describe_security_groups(client, &[], &[])?;
            let here =
                |group: &SecurityGroup| vpc.is_none() || group.vpc.as_deref() == vpc || group.vpc.is_none();
            let names: Vec<String> = all.into_iter().filter(here).map(|group| group.name).collect();
            let place = vpc.unwrap_or(&client.place().region);
            Err(Error::Refused(format!(
                "--group {name}: there is no such security group in {place}\n{}",
                near::list(name, &names, "there are no security groups; --ssh-from CIDR makes one")
            )))
        }
        several => {
            let ids: Vec<String> = several
                .iter()
                .map(|group| format!("{} in {}", group.id, group.vpc.as_deref().unwrap_or("no VPC")))
                .collect();
            Err(Error::Usage(format!(
                "--group {name}: several are called so: {}; give an id",
                ids.join(", ")
            )))
        }
    }
}

/// The group of this journal, which lets SSH in from `network` and nothing else.
pub(super) fn for_ssh(
    client: &Client,
    network: Network,
    vpc: Option<&str>,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<GroupRef, Error> {
    let digits: String = journal.id().chars().take(16).collect();
    // Nobody else's is called so.
    let name = format!("hardtack-{digits}");
    let region = client.place().region.clone();
    let resource = Resource::SecurityGroup { name: name.clone() };
    let standing = journal.find(&region, &resource);
    let known = match &standing {
        Some(_) => find(client, &name)?,
        None => None,
    };
    let intent = journal.intent(&region, &resource)?;
    let id = match known {
        Some(group) => group.id,
        None => create(client, &name, network, vpc, &intent, journal)?,
    };
    journal.made(intent.ticket, &id)?;
    let mut rule =
        Rule { protocol: "tcp".to_owned(), from_port: Some(22), to_port: Some(22), ..Rule::default() };
    let networks = if network.is_v6() { &mut rule.networks_v6 } else { &mut rule.networks };
    networks.push(network.to_string());
    let mut fresh = Fresh::new(client);
    loop {
        match authorize_ingress(client, &id, std::slice::from_ref(&rule)) {
            // It may not be known everywhere yet.
            Err(error) if missing(&error) && fresh.again() => {}
            result => break result?,
        }
    }
    tell.note(&format!("security group {id} ({name}) lets {network} reach SSH"));
    Ok(GroupRef { id, name })
}

fn create(
    client: &Client,
    name: &str,
    network: Network,
    vpc: Option<&str>,
    intent: &hardtack_publish::journal::Intent<'_>,
    journal: &Journal,
) -> Result<String, Error> {
    let request = CreateSecurityGroup {
        name: name.to_owned(),
        description: format!("SSH from {network}, made by hardtack launch"),
        vpc: vpc.map(str::to_owned),
        tags: journal.tags(),
    };
    match intent.settle(create_security_group(client, &request)) {
        Ok(id) => Ok(id),
        Err(error) if maybe_done(&error) || error.is("InvalidGroup.Duplicate") => {
            let mut fresh = Fresh::new(client);
            loop {
                match find(client, name)? {
                    Some(group) => return Ok(group.id),
                    None if fresh.again() => {}
                    None => return Err(error.into()),
                }
            }
        }
        Err(error) => Err(error.into()),
    }
}

fn find(client: &Client, name: &str) -> Result<Option<SecurityGroup>, Error> {
    let filters = [("group-name".to_owned(), vec![name.to_owned()])];
    let found = match describe_security_groups(client, &[], &filters) {
        Err(error) if missing(&error) => return Ok(None),
        found => found?,
    };
    Ok(found.into_iter().find(|group| group.name == name))
}

/// Whether groups are sent by their names: where a cloud has no ids of them.
pub(super) fn by_name(client: &Client, groups: &[GroupRef]) -> bool {
    client.place().kind == Kind::Euca && groups.iter().any(|group| group.id.is_empty())
}
