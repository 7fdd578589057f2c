//! `RunInstances`.
//!
//! Sources: the EC2 API reference; for Eucalyptus `RunInstancesType` (`VmControl.groovy`), which has every parameter
//! that is sent there since 4.0. A subnet and an interface are of clouds with VPCs (since 4.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::register::add_mappings;
use super::super::{Mapping, create_tags, specify_tags, takes_tags};
use super::read;
use super::{Instance, Reservation};
use crate::call::Call;
use crate::query::Query;
use crate::{Client, Error, Kind, Service};

const RUN: Call = Call(Service::Ec2, "RunInstances");

/// Bytes of user-data, before base64 (EC2 User Guide, "Run commands at launch").
const USER_DATA: usize = 16 * 1024;

/// An instance to start.
#[derive(Clone, Default)]
pub struct RunInstance {
    /// The image.
    pub image: String,
    /// The type, as `t3.small`.
    pub instance_type: String,
    /// User-data, as it is.
    pub user_data: Vec<u8>,
    /// The key pair's name.
    pub key_name: Option<String>,
    /// Ids of security groups.
    pub groups: Vec<String>,
    /// The subnet.
    pub subnet: Option<String>,
    /// A public address: yes, no, or as the subnet says.
    pub public_address: Option<bool>,
    /// Another call with the same token starts nothing.
    pub token: String,
    /// Metadata by IMDSv2 only.
    pub imds_v2: bool,
    /// Tags of the instance and its volumes.
    pub tags: Vec<(String, String)>,
}

/// What few launches name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// What `shutdown` in the instance does: `stop` or `terminate`.
    pub on_shutdown: Option<String>,
    /// Metrics by the minute.
    pub monitoring: bool,
    /// `aki-…`, `eki-…`.
    pub kernel: Option<String>,
    /// `ari-…`, `eri-…`.
    pub ramdisk: Option<String>,
    /// The placement group.
    pub placement_group: Option<String>,
    /// `default`, `dedicated`, `host`.
    pub tenancy: Option<String>,
    /// It cannot be terminated by a call until that is taken back.
    pub protected: bool,
    /// It has a way of its own to its volumes.
    pub ebs_optimized: bool,
}

/// Instances to start.
#[derive(Clone, Default)]
pub struct RunInstances {
    /// The image.
    pub image: String,
    /// At least and at most so many.
    pub count: (u32, u32),
    /// The type, as `t3.small`; the cloud's default where it is empty.
    pub instance_type: String,
    /// User-data, as it is.
    pub user_data: Vec<u8>,
    /// The key pair's name.
    pub key_name: Option<String>,
    /// Ids of security groups.
    pub groups: Vec<String>,
    /// Names of security groups: of the default VPC, or of a cloud without VPCs. Not with a subnet or a public address.
    pub group_names: Vec<String>,
    /// The zone.
    pub zone: Option<String>,
    /// Block devices. `encrypted` is said for those that have it.
    pub mappings: Vec<Mapping>,
    /// The subnet.
    pub subnet: Option<String>,
    /// The instance profile: a name or an ARN.
    pub profile: Option<String>,
    /// A public address: yes, no, or as the subnet says.
    pub public_address: Option<bool>,
    /// The private address; of one instance only.
    pub private_address: Option<String>,
    /// Another call with the same token starts nothing.
    pub token: String,
    /// Metadata by IMDSv2 only. AWS.
    pub imds_v2: bool,
    /// How many hops an answer of the metadata service goes; 2: containers get it too. AWS.
    pub hop_limit: Option<u8>,
    /// Tags of the instances and their volumes.
    pub tags: Vec<(String, String)>,
    /// What few launches name.
    pub extras: Extras,
}

impl std::fmt::Debug for RunInstance {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        guarded(formatter, "RunInstance", &self.image, &self.token)
    }
}

impl std::fmt::Debug for RunInstances {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        guarded(formatter, "RunInstances", &self.image, &self.token)
    }
}

/// User-data may have secrets.
fn guarded(
    formatter: &mut std::fmt::Formatter<'_>,
    name: &str,
    image: &str,
    token: &str,
) -> std::fmt::Result {
    formatter.debug_struct(name).field("image", &image).field("token", &token).finish_non_exhaustive()
}

impl From<&RunInstance> for RunInstances {
    fn from(one: &RunInstance) -> Self {
        Self {
            image: one.image.clone(),
            count: (1, 1),
            instance_type: one.instance_type.clone(),
            user_data: one.user_data.clone(),
            key_name: one.key_name.clone(),
            groups: one.groups.clone(),
            subnet: one.subnet.clone(),
            public_address: one.public_address,
            token: one.token.clone(),
            imds_v2: one.imds_v2,
            tags: one.tags.clone(),
            ..Self::default()
        }
    }
}

/// `RunInstances`, one of them; as [`run_instances`].
///
/// # Errors
/// As there.
pub fn run_instance(client: &Client, request: &RunInstance) -> Result<Instance, Error> {
    let made = run_instances(client, &request.into())?;
    made.instances.into_iter().next().ok_or_else(|| RUN.wrong("instancesSet is empty"))
}

/// `RunInstances`. The same token starts nothing more: it is sent again where no answer came.
///
/// On Eucalyptus the tags come by a call of their own; where that fails the instances have none, and `tags` of the
/// answer is empty.
///
/// # Errors
/// Too much user-data; names of groups where only ids go; no such image, type, key, group or subnet; no default VPC
/// ([`Error::lacks_subnet`]); no capacity; an answer without instances, or with more than were asked for.
pub fn run_instances(client: &Client, request: &RunInstances) -> Result<Reservation, Error> {
    let root = RUN.query(client, &query(client, request)?)?;
    // Eucalyptus' class has the reservation in a field of its own, and its binding takes it out again.
    let mut made = read::reservation(RUN, root.child("rsvInfo").unwrap_or(&root))?;
    if made.instances.is_empty() {
        return Err(RUN.wrong("instancesSet is empty"));
    }
    if u64::try_from(made.instances.len()).unwrap_or(u64::MAX) > u64::from(request.count.1) {
        return Err(RUN.wrong(format!(
            "{} instances, and {} were asked for",
            made.instances.len(),
            request.count.1
        )));
    }
    if !takes_tags(client) && !request.tags.is_empty() {
        let ids: Vec<&str> = made.instances.iter().map(|instance| instance.id.as_str()).collect();
        if create_tags(client, &ids, &request.tags).is_ok() {
            for instance in &mut made.instances {
                instance.tags.clone_from(&request.tags);
            }
        }
    }
    Ok(made)
}

/// `RunInstances` with `DryRun`: nothing is started. AWS.
///
/// # Errors
/// What the launch would be refused with, as far as that is looked at; no answer.
pub fn dry_run(client: &Client, request: &RunInstances) -> Result<(), Error> {
    let mut query = query(client, request)?;
    query.set("DryRun", "true");
    match RUN.query(client, &query) {
        Err(error) if error.is("DryRunOperation") => Ok(()),
        other => other.map(drop),
    }
}

fn query(client: &Client, request: &RunInstances) -> Result<Query, Error> {
    if request.user_data.len() > USER_DATA {
        return Err(RUN.unusable(format_args!(
            "the user-data has {} bytes, and {USER_DATA} are allowed",
            request.user_data.len()
        )));
    }
    let (least, most) = request.count;
    if least == 0 || least > most {
        return Err(RUN
            .unusable(format_args!("{least} to {most} instances are no number of them; ask for 1 or more")));
    }
    let aws = client.place().kind == Kind::Aws;
    let mut query = Query::default();
    query.set("ImageId", &request.image);
    query.set("MinCount", least.to_string()).set("MaxCount", most.to_string());
    query.maybe("InstanceType", Some(request.instance_type.as_str()).filter(|name| !name.is_empty()));
    query.maybe("KeyName", request.key_name.as_deref());
    if !request.user_data.is_empty() {
        query.set("UserData", STANDARD.encode(&request.user_data));
    }
    query.maybe("Placement.AvailabilityZone", request.zone.as_deref());
    add_network(&mut query, request)?;
    add_mappings(&mut query, &request.mappings, true);
    if let Some(profile) = &request.profile {
        let kind = if profile.starts_with("arn:") { "Arn" } else { "Name" };
        query.set(format!("IamInstanceProfile.{kind}"), profile);
    }
    query.maybe("ClientToken", Some(request.token.as_str()).filter(|token| !token.is_empty()));
    add_extras(&mut query, &request.extras);
    if aws && request.imds_v2 {
        query.set("MetadataOptions.HttpTokens", "required");
        query.set("MetadataOptions.HttpEndpoint", "enabled");
    }
    if aws {
        let hops = request.hop_limit.map(|hops| hops.to_string());
        query.maybe("MetadataOptions.HttpPutResponseHopLimit", hops);
    }
    specify_tags(client, &mut query, &["instance", "volume"], &request.tags);
    Ok(query)
}

fn add_extras(query: &mut Query, extras: &Extras) {
    query.maybe("InstanceInitiatedShutdownBehavior", extras.on_shutdown.as_deref());
    query.maybe("KernelId", extras.kernel.as_deref());
    query.maybe("RamdiskId", extras.ramdisk.as_deref());
    query.maybe("Placement.GroupName", extras.placement_group.as_deref());
    query.maybe("Placement.Tenancy", extras.tenancy.as_deref());
    let flags = [
        ("Monitoring.Enabled", extras.monitoring),
        ("DisableApiTermination", extras.protected),
        ("EbsOptimized", extras.ebs_optimized),
    ];
    for (name, _) in flags.iter().filter(|(_, given)| *given) {
        query.set(*name, "true");
    }
}

/// Subnet, groups and addresses. A public address is a matter of the interface, and then all the others are too.
fn add_network(query: &mut Query, request: &RunInstances) -> Result<(), Error> {
    let (subnet, address) = (request.subnet.as_deref(), request.private_address.as_deref());
    if !request.group_names.is_empty() && (subnet.is_some() || request.public_address.is_some()) {
        return Err(RUN.unusable(format_args!(
            "the security group \"{}\" is named, and with a subnet or a public address groups go by their ids; give sg-…",
            crate::call::shown(request.group_names.first().map_or("", String::as_str))
        )));
    }
    let Some(public) = request.public_address else {
        query.maybe("SubnetId", subnet);
        query.maybe("PrivateIpAddress", address);
        query.list("SecurityGroupId", &request.groups);
        query.list("SecurityGroup", &request.group_names);
        return Ok(());
    };
    query.set("NetworkInterface.1.DeviceIndex", "0");
    query.set("NetworkInterface.1.AssociatePublicIpAddress", public.to_string());
    query.maybe("NetworkInterface.1.SubnetId", subnet);
    query.maybe("NetworkInterface.1.PrivateIpAddress", address);
    query.list("NetworkInterface.1.SecurityGroupId", &request.groups);
    Ok(())
}
