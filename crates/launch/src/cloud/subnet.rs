//! Subnets: the VPC of the one that is named, the default VPC, and what there is where there is no default.

use hardtack_cloud::ec2::{Subnet, describe_subnets, describe_vpcs};
use hardtack_cloud::{Client, Kind};
use hardtack_publish::refusal::missing;

use crate::Error;

/// Subnets that are listed.
const MOST: usize = 20;

/// The VPC that instances will be in; none on a cloud without VPCs.
///
/// # Errors
/// There is no such subnet; there is no default VPC.
pub(super) fn vpc(client: &Client, subnet: Option<&str>) -> Result<Option<String>, Error> {
    if let Some(subnet) = subnet {
        return match describe_subnets(client, &[subnet], &[]) {
            Ok(found) => match found.into_iter().find(|found| found.id == subnet) {
                Some(found) => Ok(Some(found.vpc)),
                None => Err(unknown(client, subnet)),
            },
            Err(error) if missing(&error) => Err(unknown(client, subnet)),
            Err(error) => Err(error.into()),
        };
    }
    let filters = [("isDefault".to_owned(), vec!["true".to_owned()])];
    let default = describe_vpcs(client, &[], &filters)?.into_iter().find(|vpc| vpc.default);
    match (default, client.place().kind) {
        (Some(vpc), _) => Ok(Some(vpc.id)),
        // It may be one without VPCs.
        (None, Kind::Euca) => Ok(None),
        (None, Kind::Aws) => Err(no_default(client)),
    }
}

fn unknown(client: &Client, subnet: &str) -> Error {
    Error::Refused(format!(
        "--subnet {subnet}: there is no such subnet in {}{}",
        client.place().region,
        listed(client)
    ))
}

/// There is no default VPC: what can be used is listed.
pub(super) fn no_default(client: &Client) -> Error {
    Error::Refused(format!(
        "{} has no default VPC (or it has no subnet there), so the subnet has to be named: --subnet SUBNET{}",
        client.place().region,
        listed(client)
    ))
}

/// A line for each subnet that can be used: id, zone, VPC, network, free addresses, name.
fn listed(client: &Client) -> String {
    // The account may not be allowed to ask; the error stands by itself then.
    let Ok(mut found) = describe_subnets(client, &[], &[]) else { return String::new() };
    found.retain(|subnet| subnet.free > 0 && matches!(subnet.state.as_str(), "" | "available"));
    if found.is_empty() {
        let make = match client.place().kind {
            Kind::Aws => "make one (aws ec2 create-default-vpc), or ",
            Kind::Euca => "",
        };
        return format!("\nthere is no subnet with free addresses: {make}ask who may make one");
    }
    found.sort_by(|one, other| (&one.zone, &one.id).cmp(&(&other.zone, &other.id)));
    let more = found.len().saturating_sub(MOST);
    let mut text = "\n--subnet takes one of these:".to_owned();
    text.extend(found.iter().take(MOST).map(line));
    if more > 0 {
        text.push_str(&format!("\nand {more} more"));
    }
    text
}

fn line(subnet: &Subnet) -> String {
    let name = hardtack_publish::tags::value(&subnet.tags, "Name").unwrap_or_default();
    let public = if subnet.public_addresses { "  public addresses" } else { "" };
    let tame: String = name.chars().filter(|char| !char.is_control()).take(64).collect();
    format!(
        "\n  {}  {}  {}  {}  {} free{public}  {tame}",
        subnet.id, subnet.zone, subnet.vpc, subnet.network, subnet.free
    )
    .trim_end()
    .to_owned()
}
