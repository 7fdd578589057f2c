//! Launching on AWS and on Eucalyptus.
//!
//! First what can be found wrong without making anything (image, key pair, groups, subnet, devices, type, zone, where
//! other things are made first the profile), then key pair,
//! security group and volumes, then the instances: each in the journal before it is made. What a run has found out and must
//! be the same when it goes on (one's own address, the image of a name) is kept there too.

mod address;
mod before;
mod group;
mod image;
mod pair;
mod refused;
mod start;
mod subnet;
mod volume;

use std::path::PathBuf;

use hardtack_cloud::ec2::{Extras, GroupRef, Image, Mapping, RunInstances};
use hardtack_cloud::{Client, Kind};
use hardtack_publish::Teller;
use hardtack_publish::devices::mappings;
use hardtack_publish::journal::Journal;
use serde_json::json;

use self::address::Network;
use self::volume::Way;
use crate::Error;
use crate::key::Public;

pub use hardtack_cloud::ec2::Reservation;
pub use volume::same_device;

/// What was found out, in the journal.
const IMAGE: &str = "launch/image";
const FROM: &str = "launch/ssh-from";

/// Hops that an answer of the metadata service goes: containers of the instance are one further than itself.
const HOPS: u8 = 2;

/// A volume that is made with the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// GiB.
    pub size: u64,
    /// Where the guest has it: `/dev/vdc`.
    pub device: String,
}

/// The key pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// One that the cloud has.
    Named(String),
    /// A public key of this machine, imported unless the cloud has it.
    Imported(Public),
    /// One that is made here: the pair's name, and the file of the private key.
    Made {
        /// The pair's name.
        name: String,
        /// Where the private key is written; never over something.
        file: PathBuf,
    },
}

/// Who may reach SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SshFrom {
    /// A network.
    Network(String),
    /// This machine, as the cloud sees it.
    Me,
}

/// What is launched.
#[derive(Clone, Default)]
pub struct Order {
    /// The image's id, or its name.
    pub image: String,
    /// User-data, prepared. It may have secrets.
    pub user_data: Vec<u8>,
    /// The key pair.
    pub key: Option<Key>,
    /// What is wrong with the file that is called as the [`Key::Named`] is; said where the cloud has no such pair either.
    pub key_file: Option<String>,
    /// The type; a small one of AWS, the cloud's default on Eucalyptus, where there is none.
    pub instance_type: Option<String>,
    /// Security groups: ids or names.
    pub groups: Vec<String>,
    /// At least and at most so many.
    pub count: (u32, u32),
    /// The zone.
    pub zone: Option<String>,
    /// Block devices, as euca-run-instances writes them: `/dev/sda=snap-1:20:true:gp3`.
    pub mappings: Vec<String>,
    /// The subnet.
    pub subnet: Option<String>,
    /// The instance profile: a name or an ARN.
    pub profile: Option<String>,
    /// Tags.
    pub tags: Vec<(String, String)>,
    /// A public address: yes, no, or as the subnet says.
    pub public_address: Option<bool>,
    /// Metadata by IMDSv2 only (AWS).
    pub imds_v2: bool,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// A security group with only this.
    pub ssh_from: Option<SshFrom>,
    /// What is asked for one's own address (a text that is an address), when `ssh_from` is [`SshFrom::Me`].
    pub address_url: Option<String>,
    /// The private address, of one instance.
    pub private_address: Option<String>,
    /// A token of the caller's own instead of the journal's, for the first attempt.
    pub token: Option<String>,
    /// What few launches name.
    pub extras: Extras,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Order").field("image", &self.image).finish_non_exhaustive()
    }
}

/// What was found out before anything is made.
struct Plan {
    image: Image,
    mappings: Vec<Mapping>,
    volumes: Way,
    /// The VPC, where one was looked for.
    vpc: Option<String>,
    groups: Vec<GroupRef>,
    network: Option<Network>,
}

/// Launches: key pair, security group, volumes, then the instances, each in the journal before it is made. A run with a
/// journal of an earlier one goes on where that was.
///
/// # Errors
/// What the cloud refuses; without a default VPC the subnets that can be used are listed, a line each.
pub fn launch(
    client: &Client,
    order: &Order,
    journal: &Journal,
    tell: &dyn Teller,
) -> Result<Reservation, Error> {
    let plan = plan(client, order, journal, tell)?;
    let key_name = order.key.as_ref().map(|key| pair::prepare(client, key, journal, tell)).transpose()?;
    let mut groups = plan.groups.clone();
    if let Some(network) = plan.network {
        groups.push(group::for_ssh(client, network, plan.vpc.as_deref(), journal, tell)?);
    }
    let volumes = match &plan.volumes {
        Way::Mapped(mapped) => {
            volume::tell_mapped(client, order, mapped, tell);
            Vec::new()
        }
        Way::Attached(zone) => volume::create(client, order, zone, journal, tell)?,
    };
    let request = request(client, order, &plan, key_name, &groups, journal);
    let made = start::start(client, &request, &plan.image.architecture, journal, tell)?;
    volume::attach(client, order, &volumes, &made.instances, journal, tell)?;
    Ok(made)
}

fn plan(client: &Client, order: &Order, journal: &Journal, tell: &dyn Teller) -> Result<Plan, Error> {
    // What needs no call comes first.
    let mappings = mappings(&order.mappings)?;
    if let Some(SshFrom::Network(text)) = &order.ssh_from {
        Network::parse(text)?;
    }
    refuse_foreign(client, order)?;
    let kept = journal.kept(IMAGE).and_then(|kept| kept.as_str().map(str::to_owned));
    let image = image::find(client, kept.as_deref().unwrap_or(&order.image))?;
    journal.keep(IMAGE, &json!(image.id))?;
    if let Some(key) = &order.key {
        pair::check(client, key, order.key_file.as_deref(), journal)?;
    }
    let volumes = volume::way(client, order, &image, &mappings)?;
    let names = order.groups.iter().any(|group| !group.starts_with("sg-"));
    let vpc = match order.ssh_from.is_some() || order.subnet.is_some() || names {
        true => subnet::vpc(client, order.subnet.as_deref())?,
        false => None,
    };
    let groups = group::named(client, &order.groups, vpc.as_deref())?;
    let network = match &order.ssh_from {
        None => None,
        Some(from) => {
            let kept = journal.kept(FROM).and_then(|kept| kept.as_str().map(str::to_owned));
            let from = kept.map_or_else(|| from.clone(), SshFrom::Network);
            let network = address::network(client, &from, order.address_url.as_deref(), tell)?;
            journal.keep(FROM, &json!(network.to_string()))?;
            Some(network)
        }
    };
    let plan = Plan { image, mappings, volumes, vpc, groups, network };
    before::check(client, order, &plan)?;
    Ok(plan)
}

/// What this cloud does not have.
fn refuse_foreign(client: &Client, order: &Order) -> Result<(), Error> {
    let reserved = |(key, _): &&(String, String)| key.starts_with("aws:") || key.starts_with("hardtack:");
    if let Some((key, _)) = order.tags.iter().find(reserved) {
        return Err(Error::Usage(format!("--tag {key}: names that begin so are not given by people")));
    }
    if order.count.0 == 0 || order.count.1 < order.count.0 {
        return Err(Error::Usage("--instance-count: at least one instance is launched".to_owned()));
    }
    if order.user_data.len() > 16 << 10 {
        let bytes = order.user_data.len();
        let text = format!("the user-data has {bytes} bytes, and {} takes 16384", client.place().region);
        return Err(Error::Usage(text));
    }
    Ok(())
}

fn request(
    client: &Client,
    order: &Order,
    plan: &Plan,
    key_name: Option<String>,
    groups: &[GroupRef],
    journal: &Journal,
) -> RunInstances {
    let aws = client.place().kind == Kind::Aws;
    let mut mappings = plan.mappings.clone();
    let mut zone = order.zone.clone();
    match &plan.volumes {
        Way::Mapped(mapped) => mappings.extend(mapped.iter().cloned()),
        Way::Attached(of) => zone = Some(of.clone()),
    }
    let names = group::by_name(client, groups);
    let each = |of: fn(&GroupRef) -> &String| groups.iter().map(of).cloned().collect::<Vec<String>>();
    let mut tags = order.tags.clone();
    tags.extend(journal.tags());
    RunInstances {
        image: plan.image.id.clone(),
        count: order.count,
        instance_type: order.instance_type.clone().unwrap_or_else(|| default_type(aws, &plan.image)),
        user_data: order.user_data.clone(),
        key_name,
        groups: if names { Vec::new() } else { each(|group| &group.id) },
        group_names: if names { each(|group| &group.name) } else { Vec::new() },
        zone,
        mappings,
        subnet: order.subnet.clone(),
        profile: order.profile.clone(),
        public_address: order.public_address,
        private_address: order.private_address.clone(),
        token: order.token.clone().unwrap_or_default(),
        extras: order.extras.clone(),
        imds_v2: order.imds_v2 && aws,
        hop_limit: (order.imds_v2 && aws).then_some(HOPS),
        tags,
    }
}

/// The launch as far as it is known before anything is made.
fn profile_request(client: &Client, order: &Order, plan: &Plan) -> RunInstances {
    RunInstances {
        image: plan.image.id.clone(),
        count: order.count,
        instance_type: order
            .instance_type
            .clone()
            .unwrap_or_else(|| default_type(client.place().kind == Kind::Aws, &plan.image)),
        zone: order.zone.clone(),
        subnet: order.subnet.clone(),
        profile: order.profile.clone(),
        ..RunInstances::default()
    }
}

/// EC2's own default, m1.small, starts no image of today.
fn default_type(aws: bool, image: &Image) -> String {
    match (aws, image.architecture.as_str()) {
        (false, _) => String::new(),
        (true, "arm64") => "t4g.small".to_owned(),
        (true, _) => "t3.small".to_owned(),
    }
}
