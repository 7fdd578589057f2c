//! What an account says of encryption and of sharing.

use crate::error::pending;
use crate::{Client, Error};

/// Whether new volumes and snapshots are encrypted without being asked to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncryptionDefault {
    /// They are.
    pub enabled: bool,
    /// By this key; `None`: the account's own AWS key (`alias/aws/ebs`).
    pub kms_key: Option<String>,
}

/// `BlockPublicAccess` of images or snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicAccess {
    /// Sharing with everybody is refused.
    Blocked,
    /// It is not.
    Allowed,
    /// The service does not say.
    Unknown,
}

/// `GetEbsEncryptionByDefault` and `GetEbsDefaultKmsKeyId`.
pub fn encryption_default(client: &Client) -> Result<EncryptionDefault, Error> {
    let _ = client;
    pending()
}

/// `GetImageBlockPublicAccessState`.
pub fn image_public_access(client: &Client) -> Result<PublicAccess, Error> {
    let _ = client;
    pending()
}

/// `GetSnapshotBlockPublicAccessState`.
pub fn snapshot_public_access(client: &Client) -> Result<PublicAccess, Error> {
    let _ = client;
    pending()
}

/// `DescribeRegions`: names of those that the account can use.
pub fn regions(client: &Client) -> Result<Vec<String>, Error> {
    let _ = client;
    pending()
}
