//! Instances, as far as a trial of an image needs them: `RunInstances`, `DescribeInstances`, `TerminateInstances`,
//! `GetConsoleOutput`.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD};

use super::filter::{add_filters, items, pages};
use super::image::reason;
use super::{create_tags, specify_tags, tags, takes_tags, unless};
use crate::call::Call;
use crate::query::Query;
use crate::xml::Element;
use crate::{Client, Error, Kind, Service};

const RUN: Call = Call(Service::Ec2, "RunInstances");
const DESCRIBE: Call = Call(Service::Ec2, "DescribeInstances");
const TERMINATE: Call = Call(Service::Ec2, "TerminateInstances");
const CONSOLE: Call = Call(Service::Ec2, "GetConsoleOutput");

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

impl std::fmt::Debug for RunInstance {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // User-data may have secrets.
        let (image, token) = (&self.image, &self.token);
        formatter
            .debug_struct("RunInstance")
            .field("image", image)
            .field("token", token)
            .finish_non_exhaustive()
    }
}

/// What an instance is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceState {
    /// `pending`, `running`, `terminated` ….
    pub name: String,
    /// Why it changed.
    pub reason: Option<String>,
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
}

/// `RunInstances`, one of them. The same token starts nothing more: it is sent again where no answer came.
///
/// On Eucalyptus the tags come by a call of their own; where that fails the instance has none, and `tags` of the
/// answer is empty.
///
/// # Errors
/// Too much user-data; no such image, type, key, group or subnet; no capacity; an answer without an id.
pub fn run_instance(client: &Client, request: &RunInstance) -> Result<Instance, Error> {
    if request.user_data.len() > USER_DATA {
        return Err(RUN.unusable(format_args!(
            "the user-data has {} bytes, and {USER_DATA} are allowed",
            request.user_data.len()
        )));
    }
    let aws = client.place().kind == Kind::Aws;
    let mut query = Query::default();
    query.set("ImageId", &request.image).set("MinCount", "1").set("MaxCount", "1");
    query.maybe("InstanceType", Some(request.instance_type.as_str()).filter(|name| !name.is_empty()));
    query.maybe("KeyName", request.key_name.as_deref());
    if !request.user_data.is_empty() {
        query.set("UserData", STANDARD.encode(&request.user_data));
    }
    if let Some(public) = request.public_address {
        // An address is a matter of the interface, and then so are subnet and groups.
        query.set("NetworkInterface.1.DeviceIndex", "0");
        query.set("NetworkInterface.1.AssociatePublicIpAddress", public.to_string());
        query.maybe("NetworkInterface.1.SubnetId", request.subnet.as_deref());
        query.list("NetworkInterface.1.SecurityGroupId", &request.groups);
    } else {
        query.maybe("SubnetId", request.subnet.as_deref());
        query.list("SecurityGroupId", &request.groups);
    }
    query.set("ClientToken", &request.token);
    if aws && request.imds_v2 {
        query.set("MetadataOptions.HttpTokens", "required");
        query.set("MetadataOptions.HttpEndpoint", "enabled");
    }
    specify_tags(client, &mut query, &["instance", "volume"], &request.tags);
    let root = RUN.query(client, &query)?;
    let first = items(RUN, &root, "instancesSet")?.next();
    let mut made = instance(RUN, first.ok_or_else(|| RUN.wrong("instancesSet is empty"))?)?;
    if !takes_tags(client) && create_tags(client, &[&made.id], &request.tags).is_ok() {
        made.tags.clone_from(&request.tags);
    }
    Ok(made)
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
    let mut query = Query::default();
    query.list("InstanceId", ids.iter().copied());
    add_filters(&mut query, filters);
    let mut found = Vec::new();
    pages(DESCRIBE, client, &query, !ids.is_empty(), |root| {
        for reservation in items(DESCRIBE, root, "reservationSet")? {
            for entry in items(DESCRIBE, reservation, "instancesSet")? {
                found.push(instance(DESCRIBE, entry)?);
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// `TerminateInstances`. One that is gone already is no error.
///
/// # Errors
/// `OperationNotPermitted`: it is protected; no answer.
pub fn terminate_instance(client: &Client, instance: &str) -> Result<(), Error> {
    let mut query = Query::default();
    query.set("InstanceId.1", instance);
    unless(TERMINATE.query(client, &query).map(drop), &["InvalidInstanceID.NotFound"], ())
}

/// `GetConsoleOutput`, decoded; empty where there is none yet. `latest`: what is there now, where the type of the
/// instance can tell it. Eucalyptus always gives the last 64 KiB that are there, and is not asked for them in this way.
///
/// # Errors
/// The instance is gone; with `latest`, it is not on Nitro (`UnsupportedOperation`, `InvalidParameterCombination`); no
/// answer; an answer that is no base64.
pub fn console_output(client: &Client, instance: &str, latest: bool) -> Result<Vec<u8>, Error> {
    let mut query = Query::default();
    query.set("InstanceId", instance);
    if latest && client.place().kind == Kind::Aws {
        query.set("Latest", "true");
    }
    let root = CONSOLE.query(client, &query)?;
    CONSOLE.id(&root, &["instanceId"])?;
    decoded(root.at(&["output"]).unwrap_or_default())
}

/// Base64, with or without padding, line breaks anywhere. What follows a break in the text is left away: the service
/// cuts long consoles, and what was read is better than nothing.
fn decoded(text: &str) -> Result<Vec<u8>, Error> {
    const TOLERANT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let symbol = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut symbols: Vec<u8> =
        text.bytes().filter(|byte| !byte.is_ascii_whitespace()).take_while(symbol).collect();
    // One symbol alone holds no byte.
    if symbols.len() % 4 == 1 {
        symbols.pop();
    }
    if symbols.is_empty() && !text.trim().is_empty() {
        return Err(CONSOLE.wrong("output is not base64"));
    }
    TOLERANT.decode(&symbols).map_err(|_| CONSOLE.wrong("output is not base64"))
}

fn instance(call: Call, entry: &Element) -> Result<Instance, Error> {
    // Eucalyptus writes 0.0.0.0 for an address that it has not given yet.
    let address =
        |name: &str| entry.at(&[name]).map(str::trim).filter(|text| *text != "0.0.0.0").map(str::to_owned);
    let text = |name: &str| entry.at(&[name]).map(|text| text.trim().to_owned());
    Ok(Instance {
        id: call.id(entry, &["instanceId"])?,
        image: text("imageId").unwrap_or_default(),
        state: InstanceState {
            name: call.text(entry, &["instanceState", "name"])?.to_owned(),
            reason: reason(entry).or_else(|| text("reason")),
        },
        public_address: address("ipAddress"),
        private_address: address("privateIpAddress"),
        tags: tags(entry),
    })
}
