//! `DescribeVpcs`, `DescribeSubnets`, `DescribeAvailabilityZones`, `DescribeNetworkInterfaces`.

use super::{Call, filter, tag_set};
use crate::holdings::{self, Subnet, Vpc};
use crate::refusal::{Answer, Refusal};
use crate::world::{Instance, Region};
use crate::xml::Xml;

/// `DescribeVpcs`.
pub(crate) fn vpcs(call: &Call<'_>) -> Answer {
    let (ids, filters) = (call.params.list("VpcId"), call.params.filters()?);
    let (start, most) = call.paging()?;
    call.params.finish()?;
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    let own: Vec<&Vpc> = region.vpcs.iter().filter(|vpc| vpc.owner == call.caller.account).collect();
    if let Some(id) = ids.iter().find(|id| !own.iter().any(|vpc| vpc.id == **id)) {
        return Err(Refusal::bad("InvalidVpcID.NotFound", format!("The vpc ID '{id}' does not exist")));
    }
    let mut found = Vec::new();
    for vpc in own {
        let field = |name: &str| {
            Some(vec![match name {
                "vpc-id" => vpc.id.clone(),
                "isDefault" | "is-default" => vpc.default.to_string(),
                "cidr" | "cidr-block" => vpc.cidr.clone(),
                "state" => "available".to_owned(),
                "owner-id" => vpc.owner.clone(),
                _ => return None,
            }])
        };
        if (ids.is_empty() || ids.contains(&vpc.id)) && filter::holds(&filters, &vpc.tags, field)? {
            found.push(vpc);
        }
    }
    let (page, next) = call.page(found, start, most);
    Ok(Call::answer("DescribeVpcs", |xml| {
        xml.items("vpcSet", page, |xml, vpc| {
            xml.text("vpcId", &vpc.id)
                .text("ownerId", &vpc.owner)
                .text("state", "available")
                .text("cidrBlock", &vpc.cidr)
                .text("dhcpOptionsId", "default")
                .text("instanceTenancy", "default")
                .text("isDefault", vpc.default.to_string());
            tag_set(xml, &vpc.tags);
        })
        .maybe("nextToken", next);
    }))
}

/// Addresses that a subnet has left of its 4091.
fn free(region: &Region, subnet: &Subnet) -> usize {
    let here = |have: &&Instance| have.subnet.as_ref() == Some(&subnet.id) && have.state != "terminated";
    4091_usize.saturating_sub(region.instances.values().filter(here).count())
}

/// `DescribeSubnets`.
pub(crate) fn subnets(call: &Call<'_>) -> Answer {
    let (ids, filters) = (call.params.list("SubnetId"), call.params.filters()?);
    let (start, most) = call.paging()?;
    call.params.finish()?;
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    let own: Vec<&Subnet> = region.subnets.iter().filter(|have| have.owner == call.caller.account).collect();
    if let Some(id) = ids.iter().find(|id| !own.iter().any(|have| have.id == **id)) {
        let text = format!("The subnet ID '{id}' does not exist");
        return Err(Refusal::bad("InvalidSubnetID.NotFound", text));
    }
    let mut found = Vec::new();
    for subnet in own {
        let field = |name: &str| {
            Some(vec![match name {
                "subnet-id" => subnet.id.clone(),
                "vpc-id" => subnet.vpc.clone(),
                "availability-zone" | "availabilityZone" => subnet.zone.clone(),
                "default-for-az" | "defaultForAz" => subnet.default.to_string(),
                "cidr-block" | "cidr" | "cidrBlock" => subnet.cidr.clone(),
                "state" => "available".to_owned(),
                "map-public-ip-on-launch" => subnet.default.to_string(),
                "owner-id" => subnet.owner.clone(),
                _ => return None,
            }])
        };
        if (ids.is_empty() || ids.contains(&subnet.id)) && filter::holds(&filters, &subnet.tags, field)? {
            found.push(subnet);
        }
    }
    let (page, next) = call.page(found, start, most);
    Ok(Call::answer("DescribeSubnets", |xml| {
        xml.items("subnetSet", page, |xml, subnet| {
            xml.text("subnetId", &subnet.id)
                .text("state", "available")
                .text("vpcId", &subnet.vpc)
                .text("ownerId", &subnet.owner)
                .text("cidrBlock", &subnet.cidr)
                .text("availableIpAddressCount", free(region, subnet).to_string())
                .text("availabilityZone", &subnet.zone)
                .text("defaultForAz", subnet.default.to_string())
                .text("mapPublicIpOnLaunch", subnet.default.to_string());
            tag_set(xml, &subnet.tags);
        })
        .maybe("nextToken", next);
    }))
}

/// `DescribeAvailabilityZones`.
pub(crate) fn zones(call: &Call<'_>) -> Answer {
    let (names, filters) = (call.params.list("ZoneName"), call.params.filters()?);
    if !call.shared.euca() {
        let _ = call.params.flag("AllAvailabilityZones")?;
    }
    call.params.finish()?;
    let all = holdings::zones(&call.shared.options, &call.caller.region);
    if let Some(name) = names.iter().find(|name| !all.contains(name)) {
        return Err(Refusal::bad("InvalidParameterValue", format!("Invalid availability zone: [{name}]")));
    }
    let mut found = Vec::new();
    for zone in &all {
        let field = |name: &str| {
            Some(vec![match name {
                "zone-name" => zone.clone(),
                "region-name" => call.caller.region.clone(),
                "state" => "available".to_owned(),
                _ => return None,
            }])
        };
        let asked = names.is_empty() || names.contains(zone);
        if asked && filter::holds(&filters, &Default::default(), field)? {
            found.push(zone);
        }
    }
    Ok(Call::answer("DescribeAvailabilityZones", |xml| {
        xml.items("availabilityZoneInfo", found, |xml, zone| {
            xml.text("zoneName", zone)
                .text("zoneState", "available")
                .text("regionName", &call.caller.region)
                .nest("messageSet", |_| {});
        });
    }))
}

/// The id of an instance's one interface.
pub(crate) fn interface_of(instance: &Instance) -> String {
    instance.id.replacen("i-", "eni-", 1)
}

/// An instance's one interface.
pub(crate) fn write_interface(xml: &mut Xml, region: &Region, instance: &Instance) {
    let id = interface_of(instance);
    xml.text("networkInterfaceId", &id)
        .maybe("subnetId", instance.subnet.as_ref())
        .maybe("vpcId", instance.vpc.as_ref())
        .nest("description", |_| {})
        .text("ownerId", &instance.owner)
        .text("status", "in-use")
        .text("privateIpAddress", &instance.private_address)
        .text("sourceDestCheck", "true")
        .items("groupSet", &instance.groups, |xml, id| {
            xml.text("groupId", id);
            xml.maybe("groupName", region.groups.get(id).map(|group| &group.name));
        })
        .nest("attachment", |xml| {
            xml.text("attachmentId", id.replacen("eni-", "eni-attach-", 1))
                .text("instanceId", &instance.id)
                .text("instanceOwnerId", &instance.owner)
                .text("deviceIndex", "0")
                .text("status", "attached")
                .text("attachTime", crate::time::iso(instance.launched))
                .text("deleteOnTermination", "true");
        });
    let public = instance.public_address.as_ref().filter(|_| instance.state == "running");
    let associate = |xml: &mut Xml| {
        if let Some(address) = public {
            xml.nest("association", |xml| {
                xml.text("publicIp", address).nest("publicDnsName", |_| {}).text("ipOwnerId", "amazon");
            });
        }
    };
    associate(xml);
    xml.items("privateIpAddressesSet", [()], |xml, ()| {
        xml.text("privateIpAddress", &instance.private_address).text("primary", "true");
        associate(xml);
    });
}

/// `DescribeNetworkInterfaces`: those of instances.
pub(crate) fn interfaces(call: &Call<'_>) -> Answer {
    let (ids, filters) = (call.params.list("NetworkInterfaceId"), call.params.filters()?);
    let (start, most) = call.paging()?;
    call.params.finish()?;
    let mut world = call.shared.world();
    let region = world.region(&call.caller.region);
    let mut found = Vec::new();
    let own = |have: &&Instance| have.owner == call.caller.account && have.vpc.is_some();
    for instance in region.instances.values().filter(own) {
        let field = |name: &str| {
            Some(match name {
                "network-interface-id" => vec![interface_of(instance)],
                "vpc-id" => instance.vpc.clone().into_iter().collect(),
                "subnet-id" => instance.subnet.clone().into_iter().collect(),
                "group-id" => instance.groups.clone(),
                "group-name" => {
                    let names = instance.groups.iter().filter_map(|id| region.groups.get(id));
                    names.map(|group| group.name.clone()).collect()
                }
                "attachment.instance-id" => vec![instance.id.clone()],
                "status" => vec!["in-use".to_owned()],
                "availability-zone" => vec![instance.zone.clone()],
                _ => return None,
            })
        };
        let asked = ids.is_empty() || ids.contains(&interface_of(instance));
        let alive = instance.state != "terminated";
        if alive && asked && filter::holds(&filters, &Default::default(), field)? {
            found.push(instance);
        }
    }
    if let Some(id) = ids.iter().find(|id| !found.iter().any(|have| interface_of(have) == **id)) {
        let text = format!("The networkInterface ID '{id}' does not exist");
        return Err(Refusal::bad("InvalidNetworkInterfaceID.NotFound", text));
    }
    let (page, next) = call.page(found, start, most);
    Ok(Call::answer("DescribeNetworkInterfaces", |xml| {
        xml.items("networkInterfaceSet", page, |xml, instance| {
            write_interface(xml, region, instance);
            xml.text("availabilityZone", &instance.zone);
        })
        .maybe("nextToken", next);
    }))
}
