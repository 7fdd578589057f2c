//! A cloud for tests: a strict EC2, EBS direct, STS, SSM, KMS and Eucalyptus' bootstrap service, written from their
//! references, and a real S3 (`s3s-fs`) behind the same address. Nothing leaves the machine.
//!
//! ```
//! let cloud = hardtack_fake_cloud::Cloud::start();
//! let variables = cloud.environment();
//! assert!(variables["AWS_ENDPOINT_URL"].starts_with("http://127.0.0.1:"));
//! assert!(cloud.leftovers().is_empty());
//! ```
//!
//! [`Cloud::builder`] makes others: Eucalyptus' dialect, accounts, what an account says of encryption, how long
//! things take (in looks at them, never in seconds). [`Cloud::inject`] lets calls fail, [`Cloud::log`] has all that
//! arrived, [`Cloud::leftovers`] all that there is.
//!
//! What it does not do: instances do not run, permissions of policies are not looked at (but for buckets that are public),
//! virtual-hosted buckets, templates in YAML.

#![forbid(unsafe_code)]

mod account;
mod arrange;
mod builder;
mod bundle;
mod cloud;
mod console;
mod ebs;
mod ec2;
mod euca;
mod fault;
mod holdings;
mod http;
mod inspect;
mod json;
mod log;
mod params;
mod properties;
mod refusal;
mod route;
mod s3;
mod server;
mod signature;
mod stack;
mod sts;
mod time;
mod world;
mod xml;

pub use account::Account;
pub use arrange::BucketOwnership;
pub use builder::{Builder, Dialect, Options};
pub use cloud::Cloud;
pub use console::Console;
pub use fault::{Fault, FaultKind, RandomFaults};
pub use inspect::{
    GroupView, ImageView, InstanceView, KeyPairView, SnapshotReader, SnapshotView, VolumeView,
};
pub use log::Entry;
pub use route::Service;
pub use world::MasterKey;

/// PEM of the certificate that bundles are sealed for.
pub const CLOUD_CERTIFICATE: &str = include_str!("../data/cloud.crt");
/// PEM of its private key.
pub const CLOUD_KEY: &str = include_str!("../data/cloud.pem");
/// PEM of a user's certificate.
pub const USER_CERTIFICATE: &str = include_str!("../data/user.crt");
/// PEM of its private key.
pub const USER_KEY: &str = include_str!("../data/user.pem");
