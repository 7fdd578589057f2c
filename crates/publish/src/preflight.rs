//! What can be found wrong before the first byte is sent.

use hardtack_cloud::Client;

use crate::Error;
use crate::bundle::Destination;
use crate::error::pending;
use crate::image::Existing;
use crate::regions::Distribution;

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Good.
    Good,
    /// It cannot be known beforehand, or people should look at it.
    Doubtful,
    /// It would fail.
    Bad,
}

/// One check: "bucket images: it takes no ACLs…".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at: "credentials", "bucket", "name", "encryption" ….
    pub subject: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// What was found, and what to do.
    pub text: String,
}

/// Before a bundle is sent and registered. `account` is the manifest's, which Eucalyptus compares with the caller's;
/// `size` are bytes of the disk.
pub fn bundle(
    client: &Client,
    destination: &Destination,
    name: Option<(&str, Existing)>,
    account: &str,
    size: u64,
) -> Result<Vec<Check>, Error> {
    let _ = (client, destination, name, account, size);
    pending()
}

/// Before a snapshot is written and registered.
pub fn snapshot(
    client: &Client,
    name: Option<(&str, Existing)>,
    size: u64,
    encrypted: bool,
    kms_key: Option<&str>,
    distribution: &Distribution,
) -> Result<Vec<Check>, Error> {
    let _ = (client, name, size, encrypted, kms_key, distribution);
    pending()
}
