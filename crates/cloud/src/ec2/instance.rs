//! Instances, as far as a trial of an image needs them.

use crate::error::pending;
use crate::{Client, Error};

/// An instance to start.
#[derive(Clone, Debug, Default)]
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

/// `RunInstances`, one of them.
pub fn run_instance(client: &Client, request: &RunInstance) -> Result<Instance, Error> {
    let _ = (client, request);
    pending()
}

/// `DescribeInstances`: those of `ids`, or those that match `filters`.
pub fn describe_instances(
    client: &Client,
    ids: &[&str],
    filters: &[(String, Vec<String>)],
) -> Result<Vec<Instance>, Error> {
    let _ = (client, ids, filters);
    pending()
}

/// `TerminateInstances`. One that is gone already is no error.
pub fn terminate_instance(client: &Client, instance: &str) -> Result<(), Error> {
    let _ = (client, instance);
    pending()
}

/// `GetConsoleOutput`, decoded. `latest`: what is there now, where the type of the instance can tell it.
pub fn console_output(client: &Client, instance: &str, latest: bool) -> Result<Vec<u8>, Error> {
    let _ = (client, instance, latest);
    pending()
}
