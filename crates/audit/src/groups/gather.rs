//! Asking the cloud for groups, instances and network interfaces.

use std::collections::BTreeSet;

use hardtack_cloud::Client;
use hardtack_cloud::ec2::{self, GroupRef, Instance, Interface, RuleGroup};

use super::{Allowed, Described, Group, Member, Named, Origin, Placed, Ports, build};
use crate::{Error, Problem};

/// All security groups of the region. Members that cannot be asked for are a problem; groups are told without them.
///
/// # Errors
/// The account may not ask for groups; no answer.
pub fn gather(client: &Client, problems: &mut Vec<Problem>) -> Result<Vec<Group>, Error> {
    let found = ec2::describe_security_groups(client, &[], &[])?;
    let described = found.into_iter().map(described).collect();
    let mut missing = |what: &str, error: Error| {
        let what = format!("{what} cannot be asked for, and are in no group here: {error}");
        problems.push(Problem { part: "groups", of: None, what });
    };
    let instances = match ec2::describe_reservations(client, &[], &[]) {
        Ok(found) => Some(found),
        Err(error) => {
            missing("instances", error);
            None
        }
    };
    let interfaces = match ec2::describe_interfaces(client, &[], &[]) {
        Ok(found) => Some(found),
        // Eucalyptus without VPCs has no such thing.
        Err(error) if ["InvalidAction", "UnsupportedOperation"].iter().any(|code| error.is(code)) => {
            Some(Vec::new())
        }
        Err(error) => {
            missing("network interfaces", error);
            None
        }
    };
    let complete = instances.is_some() && interfaces.is_some();
    let mut placed = Vec::new();
    let mut known = BTreeSet::new();
    for reservation in instances.into_iter().flatten() {
        for instance in reservation.instances {
            known.insert(instance.id.clone());
            placed.extend(of_instance(instance, &reservation.groups));
        }
    }
    placed.extend(interfaces.into_iter().flatten().filter_map(|interface| of_interface(interface, &known)));
    let mut groups = build(described, Some(&placed));
    if !complete {
        // A group that nobody known is in may have members all the same.
        for group in groups.iter_mut().filter(|group| group.unused == Some(true)) {
            group.unused = None;
        }
    }
    Ok(groups)
}

fn described(group: ec2::SecurityGroup) -> Described {
    let allowed = |rules: Vec<ec2::Rule>| rules.into_iter().flat_map(allowed).collect();
    Described {
        id: group.id,
        name: group.name,
        description: group.description,
        owner: group.owner,
        vpc: group.vpc,
        ingress: allowed(group.ingress),
        egress: allowed(group.egress),
    }
}

/// A rule for each of its origins.
fn allowed(rule: ec2::Rule) -> Vec<Allowed> {
    let ports = Ports::new(&rule.protocol, rule.from_port.map(i64::from), rule.to_port.map(i64::from));
    let networks = rule.networks.into_iter().chain(rule.networks_v6).map(Origin::Network);
    let lists = rule.prefix_lists.into_iter().map(Origin::List);
    let groups = rule.groups.into_iter().map(|group| Origin::Group(of_rule(group)));
    networks.chain(lists).chain(groups).map(|origin| Allowed { ports: ports.clone(), origin }).collect()
}

fn of_rule(group: RuleGroup) -> Named {
    let peered = group.peering.is_some();
    Named { id: filled(group.id), name: filled(group.name), account: filled(group.account), peered }
}

fn of_instance(instance: Instance, reservation: &[GroupRef]) -> Option<Placed> {
    if instance.state.name == "terminated" {
        return None;
    }
    // Clouds without VPCs tell groups of the reservation only.
    let of_interfaces = instance.interfaces.iter().flat_map(|interface| &interface.groups);
    let mut groups: Vec<Named> = instance.groups.iter().chain(of_interfaces).map(named).collect();
    if groups.is_empty() {
        groups.extend(reservation.iter().map(named));
    }
    let name = instance.tags.into_iter().find(|(key, _)| key == "Name").map(|(_, value)| value);
    let member = Member {
        id: instance.id,
        name: filled(name),
        public_name: filled(instance.public_name),
        public_address: filled(instance.public_address),
        private_address: filled(instance.private_address),
    };
    Some(Placed { member, groups, vpc: instance.vpc })
}

/// An interface. Those of instances are in the instances' own descriptions; that of a terminated one is about to go.
fn of_interface(interface: Interface, known: &BTreeSet<String>) -> Option<Placed> {
    if interface.instance.as_ref().is_some_and(|instance| known.contains(instance)) {
        return None;
    }
    let name = interface.tags.into_iter().find(|(key, _)| key == "Name").map(|(_, value)| value);
    let public_name =
        interface.addresses.into_iter().find(|(_, _, first)| *first).and_then(|(_, name, _)| name);
    let member = Member {
        id: interface.id,
        name: filled(name).or_else(|| filled(interface.description)),
        // The name of a private address is nobody's way in.
        public_name: filled(public_name)
            .filter(|_| interface.public_address.is_some())
            .filter(|name| name.starts_with("ec2-")),
        public_address: filled(interface.public_address),
        private_address: filled(interface.private_address),
    };
    Some(Placed { member, groups: interface.groups.iter().map(named).collect(), vpc: interface.vpc })
}

fn named(group: &GroupRef) -> Named {
    Named { id: filled(Some(group.id.clone())), name: filled(Some(group.name.clone())), ..Named::default() }
}

fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
