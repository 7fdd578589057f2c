//! Networks: `DescribeVpcs`, `DescribeSubnets`, `DescribeNetworkInterfaces`, `DescribeAvailabilityZones`.
//!
//! Eucalyptus has VPCs since 4.1, and only in its network mode VPCMIDO: elsewhere the lists are empty, or the calls
//! unknown (`InvalidAction`), which is the same here.

use super::filter::{PAGE, add_filters, entries, items, pages};
use super::instance::{Interface, read};
use super::tags;
use crate::call::Call;
use crate::query::Query;
use crate::xml::Element;
use crate::{Client, Error, Kind, Service};

const VPCS: Call = Call(Service::Ec2, "DescribeVpcs");
const SUBNETS: Call = Call(Service::Ec2, "DescribeSubnets");
const INTERFACES: Call = Call(Service::Ec2, "DescribeNetworkInterfaces");
const ZONES: Call = Call(Service::Ec2, "DescribeAvailabilityZones");

/// A VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vpc {
    /// `vpc-…`.
    pub id: String,
    /// `available` ….
    pub state: String,
    /// Its network.
    pub network: String,
    /// What names no subnet goes there.
    pub default: bool,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// A subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subnet {
    /// `subnet-…`.
    pub id: String,
    /// `available` ….
    pub state: String,
    /// Its VPC.
    pub vpc: String,
    /// Its zone.
    pub zone: String,
    /// Its network.
    pub network: String,
    /// Addresses that are free.
    pub free: u64,
    /// It is its zone's default.
    pub default: bool,
    /// What starts there gets a public address.
    pub public_addresses: bool,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// A zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// `eu-west-1a`; Eucalyptus' clusters have any name.
    pub name: String,
    /// `available` …; Eucalyptus may add the cluster's address and ARN.
    pub state: String,
    /// Its region.
    pub region: Option<String>,
    /// What there is to say of it.
    pub messages: Vec<String>,
}

/// `DescribeVpcs`: those of `ids`, or those that match `filters`.
///
/// # Errors
/// `InvalidVpcID.NotFound`; no answer.
pub fn describe_vpcs(
    client: &Client,
    ids: &[&str],
    filters: &[(String, Vec<String>)],
) -> Result<Vec<Vpc>, Error> {
    list(VPCS, client, ("VpcId", ids), filters, "vpcSet", |entry| {
        let text = |name: &str| entry.trimmed(&[name]).unwrap_or_default();
        Ok(Vpc {
            id: VPCS.id(entry, &["vpcId"])?,
            state: text("state"),
            network: text("cidrBlock"),
            default: VPCS.flag(entry, &["isDefault"])?.unwrap_or(false),
            tags: tags(entry),
        })
    })
}

/// `DescribeSubnets`: those of `ids`, or those that match `filters`.
///
/// # Errors
/// `InvalidSubnetID.NotFound`; no answer.
pub fn describe_subnets(
    client: &Client,
    ids: &[&str],
    filters: &[(String, Vec<String>)],
) -> Result<Vec<Subnet>, Error> {
    list(SUBNETS, client, ("SubnetId", ids), filters, "subnetSet", |entry| {
        let text = |name: &str| entry.trimmed(&[name]).unwrap_or_default();
        let flag = |name: &str| SUBNETS.flag(entry, &[name]).map(|found| found.unwrap_or(false));
        Ok(Subnet {
            id: SUBNETS.id(entry, &["subnetId"])?,
            state: text("state"),
            vpc: text("vpcId"),
            zone: text("availabilityZone"),
            network: text("cidrBlock"),
            free: SUBNETS.number(entry, &["availableIpAddressCount"])?.unwrap_or(0),
            default: flag("defaultForAz")?,
            public_addresses: flag("mapPublicIpOnLaunch")?,
            tags: tags(entry),
        })
    })
}

/// `DescribeNetworkInterfaces`: those of `ids`, or those that match `filters`: who is in a security group.
///
/// # Errors
/// `InvalidNetworkInterfaceID.NotFound`; no answer.
pub fn describe_interfaces(
    client: &Client,
    ids: &[&str],
    filters: &[(String, Vec<String>)],
) -> Result<Vec<Interface>, Error> {
    list(INTERFACES, client, ("NetworkInterfaceId", ids), filters, "networkInterfaceSet", |entry| {
        read::interface(INTERFACES, entry)
    })
}

/// `DescribeAvailabilityZones`: those of `names`, or all. An administrator of Eucalyptus who asks for `verbose` gets
/// rows of free capacity among them.
///
/// # Errors
/// There is no such zone; no answer.
pub fn describe_zones(client: &Client, names: &[&str]) -> Result<Vec<Zone>, Error> {
    let mut query = Query::default();
    query.list("ZoneName", names.iter().copied());
    let root = ZONES.query(client, &query)?;
    let zone = |entry: &Element| {
        // AWS has an element `message` in each, Eucalyptus the text.
        let message = |item: &Element| {
            item.trimmed(&["message"])
                .or_else(|| Some(item.text.trim().to_owned()).filter(|text| !text.is_empty()))
        };
        Ok(Zone {
            name: ZONES.text(entry, &["zoneName"])?.to_owned(),
            state: entry.trimmed(&["zoneState"]).unwrap_or_default(),
            region: entry.trimmed(&["regionName"]),
            messages: entries(entry, "messageSet").filter_map(message).collect(),
        })
    };
    items(ZONES, &root, "availabilityZoneInfo")?.map(zone).collect()
}

/// All pages of a list of what only clouds with VPCs have.
fn list<T>(
    call: Call,
    client: &Client,
    (parameter, ids): (&str, &[&str]),
    filters: &[(String, Vec<String>)],
    name: &str,
    mut read: impl FnMut(&Element) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let mut query = Query::default();
    query.list(parameter, ids.iter().copied());
    add_filters(&mut query, filters);
    let mut found = Vec::new();
    let result = pages(call, client, &query, PAGE.filter(|_| ids.is_empty()), |root| {
        for entry in items(call, root, name)? {
            found.push(read(entry)?);
        }
        Ok(())
    });
    match result {
        Err(error)
            if client.place().kind == Kind::Euca
                && ["InvalidAction", "UnsupportedOperation", "Unsupported"]
                    .iter()
                    .any(|code| error.is(code)) =>
        {
            Ok(Vec::new())
        }
        result => result.map(|()| found),
    }
}
