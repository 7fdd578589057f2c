//! Instances: what is known of them, described and ended (`DescribeInstances`, `TerminateInstances`); `run` starts
//! them, `console` reads what they say, `read` reads answers.
//!
//! Sources: the EC2 API reference; for Eucalyptus `RunningInstancesItemType` (`VmControl.groovy`); what
//! euca-describe-instances prints (`commands/ec2/__init__.py` of euca2ools).

mod console;
pub(super) mod read;
mod run;

pub use console::{Console, console, console_output, user_data};
pub use run::{Extras, RunInstance, RunInstances, dry_run, run_instance, run_instances};

use super::filter::{PAGE, add_filters, items, pages};
use super::unless;
use crate::call::Call;
use crate::query::Query;
use crate::{Client, Error, Service};

const DESCRIBE: Call = Call(Service::Ec2, "DescribeInstances");
const TERMINATE: Call = Call(Service::Ec2, "TerminateInstances");

/// What an instance is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceState {
    /// `pending`, `running`, `terminated` ….
    pub name: String,
    /// Why it changed.
    pub reason: Option<String>,
}

/// A security group by its id and name. Clouds without VPCs may give one of the two only.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupRef {
    /// `sg-…`; may be empty.
    pub id: String,
    /// Its name; may be empty.
    pub name: String,
}

/// A disk of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// `/dev/xvda`.
    pub device: String,
    /// Its volume.
    pub volume: Option<String>,
    /// When it was attached.
    pub attached: Option<String>,
    /// `attaching`, `attached` ….
    pub status: Option<String>,
    /// The volume goes with its instance.
    pub delete_on_termination: Option<bool>,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interface {
    /// `eni-…`.
    pub id: String,
    /// Its subnet.
    pub subnet: Option<String>,
    /// Its VPC.
    pub vpc: Option<String>,
    /// Its account.
    pub owner: Option<String>,
    /// `in-use`, `available` ….
    pub status: String,
    /// What it is, in words.
    pub description: Option<String>,
    /// `interface`, `nat_gateway`, `lambda` ….
    pub kind: Option<String>,
    /// The service or account that made it, where that is not its own account.
    pub requester: Option<String>,
    /// Its first private address.
    pub private_address: Option<String>,
    /// That address' name.
    pub private_name: Option<String>,
    /// Its public address.
    pub public_address: Option<String>,
    /// Whose the public address is.
    pub public_address_owner: Option<String>,
    /// It drops what is not for it.
    pub source_check: Option<bool>,
    /// Its security groups.
    pub groups: Vec<GroupRef>,
    /// The instance that has it. In the answer about an instance it is not said.
    pub instance: Option<String>,
    /// `eni-attach-…`.
    pub attachment: Option<String>,
    /// Which of the instance's it is.
    pub device_index: Option<u32>,
    /// `attached` ….
    pub attachment_status: Option<String>,
    /// When it was attached.
    pub attached: Option<String>,
    /// It goes with its instance.
    pub delete_on_termination: Option<bool>,
    /// All its private addresses, their names, and whether each is the first.
    pub addresses: Vec<(String, Option<String>, bool)>,
    /// Its tags; only where interfaces are described.
    pub tags: Vec<(String, String)>,
}

/// An instance as EC2 describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// `i-…`.
    pub id: String,
    /// Its image.
    pub image: String,
    /// Its state.
    pub state: InstanceState,
    /// Its public address.
    pub public_address: Option<String>,
    /// Its private address.
    pub private_address: Option<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// What it was started with: `r-…`.
    pub reservation: String,
    /// Its account.
    pub owner: String,
    /// The public address' name (`dnsName`).
    pub public_name: Option<String>,
    /// The private address' name (`privateDnsName`).
    pub private_name: Option<String>,
    /// Its key pair.
    pub key_name: Option<String>,
    /// Which it is of its reservation, from 0.
    pub launch_index: Option<u32>,
    /// Codes of products in it.
    pub product_codes: Vec<String>,
    /// `t3.small`.
    pub instance_type: String,
    /// When it was started, as EC2 writes it (ISO 8601, UTC): texts sort by time.
    pub launched: String,
    /// Its zone.
    pub zone: Option<String>,
    /// Its placement group.
    pub placement_group: Option<String>,
    /// `default`, `dedicated`, `host`.
    pub tenancy: Option<String>,
    /// `aki-…`, `eki-…`.
    pub kernel: Option<String>,
    /// `ari-…`, `eri-…`.
    pub ramdisk: Option<String>,
    /// `windows`, or nothing.
    pub platform: Option<String>,
    /// `disabled`, `enabled` ….
    pub monitoring: Option<String>,
    /// Its VPC.
    pub vpc: Option<String>,
    /// Its subnet.
    pub subnet: Option<String>,
    /// `ebs` or `instance-store`.
    pub root_type: Option<String>,
    /// `/dev/xvda`.
    pub root_device: Option<String>,
    /// `spot`, or nothing.
    pub lifecycle: Option<String>,
    /// `hvm` or `paravirtual`.
    pub virtualization: Option<String>,
    /// `xen`, which may be Nitro too.
    pub hypervisor: Option<String>,
    /// The token that it was started with.
    pub token: Option<String>,
    /// Its security groups.
    pub groups: Vec<GroupRef>,
    /// It has a way of its own to its volumes.
    pub ebs_optimized: Option<bool>,
    /// Its instance profile's ARN.
    pub profile: Option<String>,
    /// `x86_64`, `arm64`, `i386`.
    pub architecture: Option<String>,
    /// Its disks.
    pub devices: Vec<Device>,
    /// Its network interfaces.
    pub interfaces: Vec<Interface>,
    /// `required`: its metadata by IMDSv2 only; `optional`. AWS.
    pub imds_tokens: Option<String>,
}

/// What was started together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reservation {
    /// `r-…`.
    pub id: String,
    /// Its account.
    pub owner: String,
    /// Security groups of clouds without VPCs; the instances' own are in them.
    pub groups: Vec<GroupRef>,
    /// Its instances.
    pub instances: Vec<Instance>,
}

/// `DescribeInstances`: those of `ids`, or those that match `filters`, as they were started together. Those of one
/// reservation may stand on several pages: they are put together again.
///
/// # Errors
/// `InvalidInstanceID.NotFound`; no answer.
pub fn describe_reservations(
    client: &Client,
    ids: &[&str],
    filters: &[(String, Vec<String>)],
) -> Result<Vec<Reservation>, Error> {
    let mut query = Query::default();
    query.list("InstanceId", ids.iter().copied());
    add_filters(&mut query, filters);
    let mut found: Vec<Reservation> = Vec::new();
    pages(DESCRIBE, client, &query, PAGE.filter(|_| ids.is_empty()), |root| {
        for entry in items(DESCRIBE, root, "reservationSet")? {
            let next = read::reservation(DESCRIBE, entry)?;
            match found.last_mut() {
                Some(last) if !next.id.is_empty() && last.id == next.id => {
                    last.instances.extend(next.instances)
                }
                _ => found.push(next),
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// `DescribeInstances`: those of `ids`, or those that match `filters`.
///
/// # Errors
/// `InvalidInstanceID.NotFound`; no answer.
pub fn describe_instances(
    client: &Client,
    ids: &[&str],
    filters: &[(String, Vec<String>)],
) -> Result<Vec<Instance>, Error> {
    let found = describe_reservations(client, ids, filters)?;
    Ok(found.into_iter().flat_map(|reservation| reservation.instances).collect())
}

/// `TerminateInstances`. One that is gone already is no error.
///
/// # Errors
/// `OperationNotPermitted`: it is protected; no answer.
pub fn terminate_instance(client: &Client, instance: &str) -> Result<(), Error> {
    terminate(client, instance).map(drop)
}

/// The same; false where there is no such instance.
///
/// # Errors
/// `OperationNotPermitted`: it is protected; no answer.
pub fn terminate(client: &Client, instance: &str) -> Result<bool, Error> {
    let mut query = Query::default();
    query.set("InstanceId.1", instance);
    unless(TERMINATE.query(client, &query).map(|_| true), &["InvalidInstanceID.NotFound"], false)
}
