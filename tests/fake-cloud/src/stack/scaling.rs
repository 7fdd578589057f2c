//! Auto Scaling (API reference 2011-01-01): `DescribeAutoScalingGroups`.

use super::{Scaling, respond};
use crate::account::Caller;
use crate::cloud::Shared;
use crate::holdings;
use crate::http::Request;
use crate::params::Params;
use crate::refusal::{Answer, Refusal};
use crate::route::Route;
use crate::time;
use crate::world::{Instance, Region};
use crate::xml::Xml;

const NAMESPACE: &str = "http://autoscaling.amazonaws.com/doc/2011-01-01/";

/// Answers.
pub(crate) fn handle(shared: &Shared, route: &Route, request: &Request, caller: &Caller) -> Answer {
    let params = Params::of(request);
    if params.peek("Version") != Some("2011-01-01") || route.action != "DescribeAutoScalingGroups" {
        let text = format!("Could not find operation {} for this version", route.action);
        return Err(Refusal::bad("InvalidAction", text));
    }
    let names = params.list("AutoScalingGroupNames.member");
    let most = params.number("MaxRecords")?.unwrap_or(50);
    let start = params.number("NextToken")?.unwrap_or_default();
    params.finish()?;
    if !(1..=100).contains(&most) {
        return Err(Refusal::bad("ValidationError", "MaxRecords is 1 to 100"));
    }
    let mut world = shared.world();
    let region = world.region(&caller.region);
    let ids: Vec<String> = region
        .instances
        .values()
        .filter(|have| group_of(have).is_some())
        .map(|have| have.id.clone())
        .collect();
    for id in &ids {
        holdings::advance(region, id);
    }
    let all: Vec<(&String, &Scaling)> = region
        .scaling
        .iter()
        .filter(|(name, group)| group.owner == caller.account && (names.is_empty() || names.contains(name)))
        .collect();
    let (first, most) = (usize::try_from(start).unwrap_or_default(), usize::try_from(most).unwrap_or(50));
    let next = (all.len() > first + most).then(|| (first + most).to_string());
    let mut xml = Xml::new("DescribeAutoScalingGroupsResponse", Some(NAMESPACE));
    xml.nest("DescribeAutoScalingGroupsResult", |xml| {
        xml.members("AutoScalingGroups", all.iter().skip(first).take(most), |xml, (name, group)| {
            write(xml, region, caller, name, group);
        })
        .maybe("NextToken", next);
    });
    xml.nest("ResponseMetadata", |xml| {
        xml.text("RequestId", "00000000-0000-4000-8000-000000000000");
    });
    Ok(respond(xml))
}

fn group_of(instance: &Instance) -> Option<&String> {
    instance.tags.get("aws:autoscaling:groupName")
}

fn write(xml: &mut Xml, region: &Region, caller: &Caller, name: &String, group: &Scaling) {
    let arn = format!(
        "arn:aws:autoscaling:{}:{}:autoScalingGroup:00000000:autoScalingGroupName/{name}",
        caller.region, caller.account
    );
    xml.text("AutoScalingGroupName", name)
        .text("AutoScalingGroupARN", arn)
        .text("LaunchConfigurationName", &group.configuration)
        .text("MinSize", group.least.to_string())
        .text("MaxSize", group.most.to_string())
        .text("DesiredCapacity", group.desired.to_string())
        .text("DefaultCooldown", "300")
        .members("AvailabilityZones", &group.zones, |xml, zone| xml.bare(zone))
        .members("LoadBalancerNames", [""; 0], |_, _| {})
        .text("HealthCheckType", "EC2")
        .text("HealthCheckGracePeriod", "0")
        .text("CreatedTime", time::iso(group.created))
        .text("VPCZoneIdentifier", group.subnets.join(","));
    let mine = |have: &&Instance| group_of(have) == Some(name) && have.state != "terminated";
    xml.members("Instances", region.instances.values().filter(mine), |xml, instance| {
        let state = match instance.state {
            "running" => "InService",
            "pending" => "Pending",
            _ => "Terminating",
        };
        xml.text("InstanceId", &instance.id)
            .text("InstanceType", &instance.instance_type)
            .text("AvailabilityZone", &instance.zone)
            .text("LifecycleState", state)
            .text("HealthStatus", "Healthy")
            .text("LaunchConfigurationName", &group.configuration)
            .text("ProtectedFromScaleIn", "false");
    });
    xml.members("SuspendedProcesses", [""; 0], |_, _| {})
        .members("EnabledMetrics", [""; 0], |_, _| {})
        .members("Tags", &group.tags, |xml, (key, value)| {
            xml.text("ResourceId", name)
                .text("ResourceType", "auto-scaling-group")
                .text("Key", key)
                .text("Value", value)
                .text("PropagateAtLaunch", "true");
        })
        .members("TerminationPolicies", ["Default"], |xml, policy| xml.bare(policy));
}
