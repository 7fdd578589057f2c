//! `RunInstances`, and what else starts instances.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::{Call, groups, images, register, types, volumes};
use super::write;
use crate::cloud::Shared;
use crate::holdings::{self, Attachment, Volume};
use crate::params::wrong;
use crate::refusal::{Answer, Refusal};
use crate::world::{Image, Instance, Mapping, Region, State, Tags, World};

/// Bytes of user-data, before base64, at most.
const USER_DATA: usize = 16 * 1024;
/// Instances that one call starts, at most.
const MOST: u64 = 20;

/// Instances that are to be started.
#[derive(Debug, Default)]
pub(crate) struct Launch {
    pub(crate) image: String,
    pub(crate) least: u64,
    pub(crate) most: u64,
    pub(crate) instance_type: Option<String>,
    pub(crate) user_data: Vec<u8>,
    pub(crate) key_name: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) zone: Option<String>,
    pub(crate) subnet: Option<String>,
    pub(crate) group_ids: Vec<String>,
    pub(crate) group_names: Vec<String>,
    pub(crate) public: Option<bool>,
    /// Its ARN or its name.
    pub(crate) profile: Option<String>,
    pub(crate) mappings: Vec<Mapping>,
    /// Devices of the image that are left out.
    pub(crate) without: Vec<String>,
    pub(crate) tokens: String,
    pub(crate) hops: u64,
    pub(crate) monitored: bool,
    pub(crate) tags: Tags,
    pub(crate) volume_tags: Tags,
}

/// `RunInstances`.
pub(crate) fn run(call: &Call<'_>) -> Answer {
    let wanted = parse(call)?;
    let account = &call.caller.account;
    // A trial looks at this, too.
    if let (Some(said), Some(true)) = (&wanted.profile, call.params.flag("DryRun")?) {
        profile(call.shared, account, said)?;
    }
    call.params.finish()?;
    images::check_id(&wanted.image)?;
    let mut world = call.shared.world();
    let name = &call.caller.region;
    let before = call.repeated(world.region(name), "RunInstances", wanted.token.as_deref())?;
    let reservation = match before {
        Some(reservation) => reservation,
        None => {
            let token = wanted.token.clone();
            let made = launch(call.shared, &mut world, name, account, wanted)?;
            call.remember(world.region(name), "RunInstances", token, &made);
            made
        }
    };
    let region = world.region(name);
    let mut all: Vec<&Instance> =
        region.instances.values().filter(|have| have.reservation == reservation).collect();
    all.sort_by_key(|instance| instance.index);
    Ok(Call::answer("RunInstances", |xml| {
        write::reservation(xml, region, &all, call.shared.euca());
    }))
}

fn parse(call: &Call<'_>) -> Result<Launch, Refusal> {
    let (params, euca) = (&call.params, call.shared.euca());
    let count = |name: &str| -> Result<u64, Refusal> {
        let number = params.number(name)?;
        number.ok_or_else(|| {
            Refusal::bad("MissingParameter", format!("The request must contain the parameter {name}"))
        })
    };
    let (mappings, without) = register::mappings(call, true)?;
    let mut wanted = Launch {
        image: params.need("ImageId")?,
        least: count("MinCount")?,
        most: count("MaxCount")?,
        instance_type: params.get("InstanceType"),
        key_name: params.get("KeyName"),
        token: params.get("ClientToken"),
        zone: params.get("Placement.AvailabilityZone"),
        subnet: params.get("SubnetId"),
        group_ids: params.list("SecurityGroupId"),
        group_names: params.list("SecurityGroup"),
        tokens: "optional".to_owned(),
        hops: 1,
        monitored: params.flag("Monitoring.Enabled")? == Some(true),
        mappings,
        without,
        ..Launch::default()
    };
    wanted.user_data = STANDARD
        .decode(params.get("UserData").unwrap_or_default())
        .map_err(|_| Refusal::bad("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."))?;
    let (profile, arn) = (params.get("IamInstanceProfile.Name"), params.get("IamInstanceProfile.Arn"));
    if profile.is_some() && arn.is_some() {
        let text = "Network interfaces: the parameter 'iamInstanceProfile.name' may not be used in combination \
                    with 'iamInstanceProfile.arn'";
        return Err(Refusal::bad("InvalidParameterCombination", text));
    }
    wanted.profile = profile.or(arn);
    for name in ["KernelId", "RamdiskId", "AdditionalInfo", "PrivateIpAddress", "Placement.GroupName"] {
        let _ = params.get(name);
    }
    let _ = (params.flag("DisableApiTermination")?, params.flag("EbsOptimized")?);
    let _ = params.one_of("Placement.Tenancy", &["default", "dedicated"])?;
    let _ = params.one_of("InstanceInitiatedShutdownBehavior", &["stop", "terminate"])?;
    interfaces(call, &mut wanted)?;
    if euca {
        let _ = params.one_of("AddressingType", &["public", "private"])?;
    } else {
        let tokens = params.one_of("MetadataOptions.HttpTokens", &["optional", "required"])?;
        wanted.tokens = tokens.unwrap_or(wanted.tokens);
        let _ = params.one_of("MetadataOptions.HttpEndpoint", &["enabled", "disabled"])?;
        let _ = params.one_of("MetadataOptions.InstanceMetadataTags", &["enabled", "disabled"])?;
        wanted.hops = params.number("MetadataOptions.HttpPutResponseHopLimit")?.unwrap_or(1);
        if !(1..=64).contains(&wanted.hops) {
            return Err(wrong("HttpPutResponseHopLimit", &wanted.hops.to_string()));
        }
        let mut tags = params.specified_tags(&["instance", "volume", "network-interface"])?;
        wanted.tags = tags.remove("instance").unwrap_or_default();
        wanted.volume_tags = tags.remove("volume").unwrap_or_default();
    }
    check(&wanted)?;
    Ok(wanted)
}

/// What is wrong whatever there is.
fn check(wanted: &Launch) -> Result<(), Refusal> {
    if wanted.least == 0 || wanted.most < wanted.least {
        let text = format!(
            "Value ({}) for parameter minCount is invalid. Expected: from 1 to maxCount ({}).",
            wanted.least, wanted.most
        );
        return Err(Refusal::bad("InvalidParameterValue", text));
    }
    if wanted.least > MOST {
        let text =
            format!("You have requested more instances ({}) than your current limit of {MOST}", wanted.least);
        return Err(Refusal::bad("InstanceLimitExceeded", text));
    }
    if wanted.user_data.len() > USER_DATA {
        return Err(Refusal::bad("InvalidParameterValue", "User data is limited to 16384 bytes"));
    }
    if wanted.token.as_ref().is_some_and(|token| token.len() > 64 || !token.is_ascii()) {
        return Err(wrong("ClientToken", "more than 64 characters of ASCII"));
    }
    Ok(())
}

/// `NetworkInterface.1`, which is instead of a subnet and groups.
fn interfaces(call: &Call<'_>, wanted: &mut Launch) -> Result<(), Refusal> {
    let params = &call.params;
    let interfaces = params.structures("NetworkInterface");
    let named = wanted.subnet.is_some() || !wanted.group_ids.is_empty() || !wanted.group_names.is_empty();
    if !interfaces.is_empty() && named {
        let text = "Network interfaces and an instance-level subnet ID or security groups may not be specified on \
                    the same request";
        return Err(Refusal::bad("InvalidParameterCombination", text));
    }
    for interface in &interfaces {
        let name = |rest: &str| format!("{interface}.{rest}");
        if params.number(&name("DeviceIndex"))?.is_none() {
            let text = "Each network interface requires a device index.";
            return Err(Refusal::bad("InvalidParameterValue", text));
        }
        wanted.public = params.flag(&name("AssociatePublicIpAddress"))?.or(wanted.public);
        wanted.subnet = params.get(&name("SubnetId")).or(wanted.subnet.take());
        wanted.group_ids.extend(params.list(&name("SecurityGroupId")));
        let _ = (params.get(&name("Description")), params.get(&name("PrivateIpAddress")));
        let _ = params.flag(&name("DeleteOnTermination"))?;
    }
    Ok(())
}

/// Where instances go: zone, network and subnet.
struct Place {
    zone: String,
    vpc: Option<String>,
    subnet: Option<String>,
    public: bool,
}

fn place(
    shared: &Shared,
    region: &Region,
    name: &str,
    account: &str,
    wanted: &Launch,
) -> Result<Place, Refusal> {
    let zones = holdings::zones(&shared.options, name);
    if let Some(zone) = wanted.zone.as_ref().filter(|zone| !zones.contains(zone)) {
        let text = format!("Invalid availability zone: [{zone}]");
        return Err(Refusal::bad("InvalidParameterValue", text));
    }
    if let Some(id) = &wanted.subnet {
        let found = region.subnets.iter().find(|have| have.id == *id && have.owner == account);
        let found = found.ok_or_else(|| {
            Refusal::bad("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist"))
        })?;
        if wanted.zone.as_ref().is_some_and(|zone| *zone != found.zone) {
            let text = format!(
                "The availability zone '{}' does not match the subnet's, '{}'.",
                wanted.zone.as_deref().unwrap_or_default(),
                found.zone
            );
            return Err(Refusal::bad("InvalidParameterValue", text));
        }
        if !wanted.group_names.is_empty() {
            let text = "The parameter groupName cannot be used with the parameter subnet";
            return Err(Refusal::bad("InvalidParameterCombination", text));
        }
        let (zone, vpc, subnet) = (found.zone.clone(), Some(found.vpc.clone()), Some(id.clone()));
        return Ok(Place { zone, vpc, subnet, public: wanted.public.unwrap_or(found.default) });
    }
    if shared.euca() {
        let zone = wanted.zone.clone().or(zones.first().cloned()).unwrap_or_default();
        return Ok(Place { zone, vpc: None, subnet: None, public: wanted.public != Some(false) });
    }
    let vpc = region.vpcs.iter().find(|vpc| vpc.default && vpc.owner == account).ok_or_else(|| {
        let text =
            "No default VPC for this user. GroupName is only supported for EC2-Classic and default VPC.";
        Refusal::bad("VPCIdNotSpecified", text)
    })?;
    let fits = |zone: &String| wanted.zone.as_ref().is_none_or(|wanted| wanted == zone);
    let subnet = region.subnets.iter().find(|have| have.vpc == vpc.id && have.default && fits(&have.zone));
    let subnet = subnet.ok_or_else(|| {
        let text = format!("No subnets found for the default VPC '{}'. Please specify a subnet.", vpc.id);
        Refusal::bad("MissingInput", text)
    })?;
    Ok(Place {
        zone: subnet.zone.clone(),
        vpc: Some(vpc.id.clone()),
        subnet: Some(subnet.id.clone()),
        public: wanted.public.unwrap_or(true),
    })
}

/// Ids of the groups, all of them in the place's network.
fn members(region: &Region, account: &str, wanted: &Launch, place: &Place) -> Result<Vec<String>, Refusal> {
    let mut ids = Vec::new();
    for id in &wanted.group_ids {
        groups::check_id(id)?;
        let found = region.groups.get(id).filter(|have| have.owner == account);
        let found = found.ok_or_else(|| groups::missing(id))?;
        if found.vpc != place.vpc {
            let subnet = place.subnet.as_deref().unwrap_or_default();
            let text = format!("Security group {id} and subnet {subnet} belong to different networks.");
            return Err(Refusal::bad("InvalidParameter", text));
        }
        ids.push(id.clone());
    }
    for name in &wanted.group_names {
        let mut same = region.groups.values().filter(|have| have.owner == account && have.vpc == place.vpc);
        let found = same.find(|have| have.name == *name || have.id == *name);
        ids.push(found.ok_or_else(|| groups::missing(name))?.id.clone());
    }
    if ids.is_empty() {
        let mut own = region.groups.values().filter(|have| have.owner == account && have.vpc == place.vpc);
        ids.extend(own.find(|have| have.name == "default").map(|have| have.id.clone()));
    }
    ids.dedup();
    Ok(ids)
}

/// The image's devices with those of the launch over them.
fn devices(shared: &Shared, image: &Image, wanted: &Launch) -> Result<Vec<Mapping>, Refusal> {
    let mut all: Vec<Mapping> =
        image.mappings.iter().filter(|have| !wanted.without.contains(&have.device)).cloned().collect();
    for mapping in &wanted.mappings {
        let root = image.root_device.as_ref() == Some(&mapping.device);
        if !root && !volumes::device_is_good(&mapping.device, shared.euca()) {
            let text = format!("Invalid device name {}", mapping.device);
            return Err(Refusal::bad("InvalidBlockDeviceMapping", text));
        }
        match all.iter_mut().find(|have| have.device == mapping.device) {
            None => all.push(mapping.clone()),
            Some(have) => {
                if mapping.snapshot.is_some() && mapping.snapshot != have.snapshot && root {
                    let text = format!("snapshotId cannot be modified on root device {}", mapping.device);
                    return Err(Refusal::bad("InvalidBlockDeviceMapping", text));
                }
                *have = Mapping {
                    snapshot: mapping.snapshot.clone().or(have.snapshot.take()),
                    size: mapping.size.or(have.size),
                    volume_type: mapping.volume_type.clone().or(have.volume_type.take()),
                    delete_on_termination: mapping.delete_on_termination.or(have.delete_on_termination),
                    encrypted: mapping.encrypted || have.encrypted,
                    ..mapping.clone()
                };
            }
        }
    }
    Ok(all)
}

fn image(region: &Region, account: &str, id: &str) -> Result<Image, Refusal> {
    let image = region
        .images
        .get(id)
        .filter(|image| image.owner == account || image.all_users || image.users.contains(account));
    let image = image.ok_or_else(|| {
        Refusal::bad("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist"))
    })?;
    if image.state != State::Ready {
        return Err(Refusal::bad("InvalidAMIID.Unavailable", format!("The image {id} is not available")));
    }
    Ok(image.clone())
}

/// The ARN of a profile that is known.
fn profile(shared: &Shared, account: &str, said: &str) -> Result<String, Refusal> {
    let prefix = format!("arn:aws:iam::{account}:instance-profile/");
    let (name, what) = match said.strip_prefix(&prefix) {
        Some(name) => (name, "arn"),
        None => (said, if said.starts_with("arn:") { "arn" } else { "name" }),
    };
    if shared.options.instance_profiles.iter().any(|known| known == name) {
        return Ok(format!("{prefix}{name}"));
    }
    let text = format!(
        "Value ({said}) for parameter iamInstanceProfile.{what} is invalid. Invalid IAM Instance Profile {what}"
    );
    Err(Refusal::bad("InvalidParameterValue", text))
}

/// Starts instances; the reservation's id.
pub(crate) fn launch(
    shared: &Shared,
    world: &mut World,
    name: &str,
    account: &str,
    wanted: Launch,
) -> Result<String, Refusal> {
    let euca = shared.euca();
    let region = world.region(name);
    let image = image(region, account, &wanted.image)?;
    let instance_type = wanted.instance_type.clone().unwrap_or_else(|| "m1.small".to_owned());
    let kind = types::find(shared, &instance_type).ok_or_else(|| match euca {
        true => Refusal::bad("InvalidParameterValue", format!("Invalid instance type: {instance_type}")),
        false => wrong("InstanceType", &instance_type),
    })?;
    if image.architecture != kind.architecture && image.architecture != "i386" {
        let text = format!(
            "The architecture '{}' of the specified instance type does not match the architecture '{}' of the \
             specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.",
            kind.architecture, image.architecture
        );
        return Err(Refusal::bad("InvalidParameterValue", text));
    }
    let known = |key: &&String| region.key_pairs.contains_key(&(account.to_owned(), (*key).clone()));
    if let Some(key) = wanted.key_name.as_ref().filter(|key| !known(key)) {
        let text = format!("The key pair '{key}' does not exist");
        return Err(Refusal::bad("InvalidKeyPair.NotFound", text));
    }
    let arn = wanted.profile.as_ref().map(|said| profile(shared, account, said)).transpose()?;
    let place = place(shared, region, name, account, &wanted)?;
    let groups = members(region, account, &wanted, &place)?;
    let devices = devices(shared, &image, &wanted)?;
    let mut sizes = Vec::new();
    for device in devices.iter().filter(|device| device.virtual_name.is_none()) {
        let size = volumes::size_of(region, account, device.size, device.snapshot.as_deref());
        let size = size.map_err(|mut refusal| {
            if refusal.code == "InvalidParameterValue" {
                "InvalidBlockDeviceMapping".clone_into(&mut refusal.code);
            }
            refusal
        })?;
        sizes.push((device, size));
    }
    let (room, _) = types::capacity(shared, region, &place.zone, kind);
    if room < wanted.least {
        let text = format!(
            "We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested ({}).",
            place.zone
        );
        return Err(Refusal::new(500, "InsufficientInstanceCapacity", text));
    }
    let reservation = world.id("r", euca);
    let now = shared.now();
    for index in 0..wanted.most.min(room).min(MOST) {
        let id = world.id("i", euca);
        let number = world.instances;
        world.instances += 1;
        for (device, size) in &sizes {
            let at = Attachment {
                instance: id.clone(),
                device: device.device.clone(),
                delete: device.delete_on_termination.unwrap_or(true),
                done: true,
                since: now,
            };
            let volume = Volume {
                id: world.id("vol", euca),
                owner: account.to_owned(),
                zone: place.zone.clone(),
                size: *size,
                kind: device
                    .volume_type
                    .clone()
                    .unwrap_or_else(|| if euca { "standard" } else { "gp2" }.to_owned()),
                snapshot: device.snapshot.clone(),
                iops: device.iops,
                encrypted: device.encrypted,
                state: State::Ready,
                attachment: Some(at),
                tags: wanted.volume_tags.clone(),
                created: now,
                unseen: shared.options.describe_misses,
            };
            world.region(name).volumes.insert(volume.id.clone(), volume);
        }
        let doomed = shared.options.instances_fail.as_ref();
        let address = number % 200 + 5;
        let instance = Instance {
            id: id.clone(),
            owner: account.to_owned(),
            reservation: reservation.clone(),
            index,
            number,
            client_token: wanted.token.clone(),
            image: image.id.clone(),
            instance_type: instance_type.clone(),
            user_data: wanted.user_data.clone(),
            key_name: wanted.key_name.clone(),
            tokens: wanted.tokens.clone(),
            hops: wanted.hops,
            state: "pending",
            polls: shared.options.instance_polls,
            doomed: doomed
                .map(|why| ("Server.InternalError".to_owned(), format!("Server.InternalError: {why}"))),
            zone: place.zone.clone(),
            vpc: place.vpc.clone(),
            subnet: place.subnet.clone(),
            groups: groups.clone(),
            profile: arn.clone(),
            private_address: format!("172.31.{}.{address}", number / 200 % 16),
            public_address: place.public.then(|| format!("203.0.113.{address}")),
            architecture: image.architecture.clone(),
            virtualization: image.virtualization.clone(),
            root_device: image.root_device.clone(),
            root_type: image.root_type,
            kernel: image.kernel.clone(),
            ramdisk: image.ramdisk.clone(),
            platform: image.platform.clone(),
            monitored: wanted.monitored,
            tags: wanted.tags.clone(),
            launched: now,
            unseen: shared.options.describe_misses,
            ..Instance::default()
        };
        world.region(name).instances.insert(id, instance);
    }
    Ok(reservation)
}
