//! Type, zone and instance profile, asked about before anything is made.
//!
//! What cannot be asked, because the keys may not or the cloud does not know the call, is found by the launch itself.

use hardtack_cloud::ec2::{InstanceType, describe_instance_types, describe_zones, dry_run};
use hardtack_cloud::{Client, Kind};

use super::volume::Way;
use super::{Key, Order, Plan, refused};
use crate::Error;
use crate::near;

/// What of the order the cloud does not have.
///
/// # Errors
/// There is no such type, zone or profile; the type is of another architecture than the image.
pub(super) fn check(client: &Client, order: &Order, plan: &Plan) -> Result<(), Error> {
    if let Some(name) = &order.instance_type {
        of_type(client, name, &plan.image.architecture)?;
    }
    if let Some(zone) = &order.zone {
        of_zone(client, zone)?;
    }
    // Where the launch comes first it says so itself.
    let first = matches!(order.key, Some(Key::Imported(_) | Key::Made { .. }))
        || order.ssh_from.is_some()
        || matches!(plan.volumes, Way::Attached(_));
    if order.profile.is_some() && first {
        of_profile(client, order, plan)?;
    }
    Ok(())
}

fn of_type(client: &Client, name: &str, architecture: &str) -> Result<(), Error> {
    let found = match client.place().kind {
        // It has hundreds: the one is asked for.
        Kind::Aws => describe_instance_types(client, &[name], &[]),
        Kind::Euca => describe_instance_types(client, &[], &[]),
    };
    let of = |all: &[InstanceType]| all.iter().find(|one| one.name == name).cloned();
    let all = match found {
        Ok(found) => match of(&found) {
            Some(one) => return fits(&one, architecture),
            None => found,
        },
        // `InvalidInstanceType`, or what a cloud says instead of it.
        Err(error) if error.code().is_some_and(|code| code.starts_with("Invalid")) => {
            describe_instance_types(client, &[], &[]).unwrap_or_default()
        }
        Err(_) => return Ok(()),
    };
    if all.is_empty() || of(&all).is_some() {
        return Ok(());
    }
    let mut names: Vec<String> = all.into_iter().map(|one| one.name).collect();
    names.sort();
    Err(Error::Refused(format!(
        "-t {name}: there is no such type in {}\n{}; `hardtack types` lists them",
        client.place().region,
        near::list(name, &names, "")
    )))
}

fn fits(one: &InstanceType, architecture: &str) -> Result<(), Error> {
    let known = &one.architectures;
    // 32 bits run on what is told to have 64 only, or the launch says that they do not.
    if known.is_empty()
        || !matches!(architecture, "x86_64" | "arm64")
        || known.iter().any(|it| it == architecture)
    {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "-t {}: this type is of {}\nthe image is of {architecture}: -t names a type of it, and `hardtack types` lists them",
        one.name,
        known.join(", ")
    )))
}

fn of_zone(client: &Client, zone: &str) -> Result<(), Error> {
    let Ok(all) = describe_zones(client, &[]) else { return Ok(()) };
    if all.is_empty() || all.iter().any(|one| one.name == zone) {
        return Ok(());
    }
    let names: Vec<String> = all.into_iter().map(|one| one.name).collect();
    Err(Error::Refused(format!(
        "-z {zone}: there is no such zone in {}\n-z names a zone of the region: {}",
        client.place().region,
        near::list(zone, &names, "")
    )))
}

/// EC2 cannot be asked about profiles, but would say whether it took the launch. What is not there yet, key pair and
/// group, is left out; only what it says about the profile counts.
fn of_profile(client: &Client, order: &Order, plan: &Plan) -> Result<(), Error> {
    if client.place().kind != Kind::Aws {
        return Ok(());
    }
    let request = super::profile_request(client, order, plan);
    match dry_run(client, &request) {
        Err(error)
            if error.code().is_some_and(|code| code.starts_with("Invalid"))
                && error.to_string().to_lowercase().contains("profile") =>
        {
            Err(refused::told(error, &plan.image.architecture))
        }
        _ => Ok(()),
    }
}
