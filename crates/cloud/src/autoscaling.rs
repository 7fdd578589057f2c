//! Auto scaling groups, of version 2011-01-01: `DescribeAutoScalingGroups`.
//!
//! Sources: botocore's model of it; for Eucalyptus `AutoScalingMessages.groovy`, which has the same names.

use crate::call::{self, Call};
use crate::query::Query;
use crate::xml::Element;
use crate::{Client, Error, Service};

const GROUPS: Call = Call(Service::AutoScaling, "DescribeAutoScalingGroups");

/// An auto scaling group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its launch configuration, where it has one.
    pub launch_configuration: Option<String>,
    /// The id of its launch template, where it has one.
    pub launch_template: Option<String>,
    /// At least so many instances.
    pub least: u32,
    /// At most so many.
    pub most: u32,
    /// As many as it tries to have.
    pub desired: u32,
    /// Its zones.
    pub zones: Vec<String>,
    /// `Delete in progress`, or nothing.
    pub status: Option<String>,
    /// Its instances.
    pub instances: Vec<Member>,
}

/// An instance of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// `i-…`.
    pub id: String,
    /// Its zone.
    pub zone: String,
    /// `Pending`, `InService`, `Terminating` ….
    pub state: String,
    /// `Healthy`, `Unhealthy`.
    pub health: String,
    /// Its launch configuration, where it has one.
    pub launch_configuration: Option<String>,
}

/// `DescribeAutoScalingGroups`: those of `names`, or all. A name that is no group's is left out.
///
/// # Errors
/// No right to ask; no answer.
pub fn describe_groups(client: &Client, names: &[&str]) -> Result<Vec<Group>, Error> {
    let mut query = Query::default();
    query.list("AutoScalingGroupNames.member", names.iter().copied());
    let mut found = Vec::new();
    call::pages(GROUPS, client, &query, &["DescribeAutoScalingGroupsResult", "NextToken"], |root| {
        let list = root
            .child("DescribeAutoScalingGroupsResult")
            .and_then(|result| result.child("AutoScalingGroups"))
            .ok_or_else(|| GROUPS.wrong("AutoScalingGroups is missing"))?;
        for entry in list.all("member") {
            found.push(group(entry)?);
        }
        Ok(true)
    })?;
    Ok(found)
}

fn group(entry: &Element) -> Result<Group, Error> {
    let number = |name: &str| GROUPS.number(entry, &[name]).map(|found| found.unwrap_or(0));
    let zones = entry.list("AvailabilityZones", "member").map(|zone| zone.text.trim().to_owned());
    Ok(Group {
        name: GROUPS.text(entry, &["AutoScalingGroupName"])?.to_owned(),
        launch_configuration: entry.trimmed(&["LaunchConfigurationName"]),
        launch_template: entry.trimmed(&["LaunchTemplate", "LaunchTemplateId"]).or_else(|| {
            let of_policy = ["LaunchTemplate", "LaunchTemplateSpecification", "LaunchTemplateId"];
            entry.child("MixedInstancesPolicy").and_then(|policy| policy.trimmed(&of_policy))
        }),
        least: number("MinSize")?,
        most: number("MaxSize")?,
        desired: number("DesiredCapacity")?,
        zones: zones.filter(|zone| !zone.is_empty()).collect(),
        status: entry.trimmed(&["Status"]),
        instances: entry.list("Instances", "member").map(member).collect::<Result<_, _>>()?,
    })
}

fn member(entry: &Element) -> Result<Member, Error> {
    Ok(Member {
        id: GROUPS.id(entry, &["InstanceId"])?,
        zone: entry.trimmed(&["AvailabilityZone"]).unwrap_or_default(),
        state: entry.trimmed(&["LifecycleState"]).unwrap_or_default(),
        health: entry.trimmed(&["HealthStatus"]).unwrap_or_default(),
        launch_configuration: entry.trimmed(&["LaunchConfigurationName"]),
    })
}

#[cfg(test)]
mod tests;
