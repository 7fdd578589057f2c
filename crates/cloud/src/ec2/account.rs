//! What an account says of encryption and of sharing. Eucalyptus has none of it, and is not asked.

use super::filter::items;
use crate::call::Call;
use crate::query::Query;
use crate::{Client, Error, Kind, Service};

const ENCRYPTION: Call = Call(Service::Ec2, "GetEbsEncryptionByDefault");
const DEFAULT_KEY: Call = Call(Service::Ec2, "GetEbsDefaultKmsKeyId");
const IMAGE_ACCESS: Call = Call(Service::Ec2, "GetImageBlockPublicAccessState");
const SNAPSHOT_ACCESS: Call = Call(Service::Ec2, "GetSnapshotBlockPublicAccessState");
const REGIONS: Call = Call(Service::Ec2, "DescribeRegions");

/// The account's own AWS key, as alias and at the end of the alias' ARN.
const AWS_KEY: &str = "alias/aws/ebs";

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

/// `GetEbsEncryptionByDefault` and, where it is so, `GetEbsDefaultKmsKeyId`.
///
/// # Errors
/// No right to ask; no answer.
pub fn encryption_default(client: &Client) -> Result<EncryptionDefault, Error> {
    if client.place().kind == Kind::Euca {
        return Ok(EncryptionDefault::default());
    }
    let root = ENCRYPTION.query(client, &Query::default())?;
    let enabled = ENCRYPTION.flag(&root, &["ebsEncryptionByDefault"])?;
    if !enabled.ok_or_else(|| ENCRYPTION.wrong("ebsEncryptionByDefault is missing"))? {
        return Ok(EncryptionDefault::default());
    }
    Ok(EncryptionDefault { enabled: true, kms_key: default_key(client)? })
}

/// `GetEbsDefaultKmsKeyId`: the key of what is encrypted without a key being named, whether by default or because it
/// was asked for; `None`: the account's own AWS key.
///
/// # Errors
/// No right to ask; no answer.
pub fn default_key(client: &Client) -> Result<Option<String>, Error> {
    let root = DEFAULT_KEY.query(client, &Query::default())?;
    let key = DEFAULT_KEY.id(&root, &["kmsKeyId"])?;
    Ok(Some(key).filter(|key| !key.ends_with(AWS_KEY)))
}

/// `GetImageBlockPublicAccessState`.
///
/// # Errors
/// No answer. Having no right to ask is [`PublicAccess::Unknown`].
pub fn image_public_access(client: &Client) -> Result<PublicAccess, Error> {
    public_access(client, IMAGE_ACCESS, "imageBlockPublicAccessState")
}

/// `GetSnapshotBlockPublicAccessState`.
///
/// # Errors
/// No answer. Having no right to ask is [`PublicAccess::Unknown`].
pub fn snapshot_public_access(client: &Client) -> Result<PublicAccess, Error> {
    public_access(client, SNAPSHOT_ACCESS, "state")
}

/// `DescribeRegions`: names of those that the account can use. Eucalyptus: the one that is asked for.
///
/// # Errors
/// No right to ask; no answer.
pub fn regions(client: &Client) -> Result<Vec<String>, Error> {
    if client.place().kind == Kind::Euca {
        return Ok(vec![client.place().region.clone()]);
    }
    let root = REGIONS.query(client, &Query::default())?;
    items(REGIONS, &root, "regionInfo")?.map(|item| REGIONS.id(item, &["regionName"])).collect()
}

fn public_access(client: &Client, call: Call, name: &str) -> Result<PublicAccess, Error> {
    /// What EC2 says to keys that may not ask, and in regions that have no such thing.
    const SILENT: &[&str] =
        &["UnauthorizedOperation", "AccessDenied", "InvalidAction", "UnsupportedOperation"];
    if client.place().kind == Kind::Euca {
        return Ok(PublicAccess::Unknown);
    }
    match call.query(client, &Query::default()) {
        Ok(root) => Ok(match call.text(&root, &[name])? {
            "unblocked" => PublicAccess::Allowed,
            "block-new-sharing" | "block-all-sharing" => PublicAccess::Blocked,
            _ => PublicAccess::Unknown,
        }),
        Err(error) if SILENT.iter().any(|code| error.is(code)) => Ok(PublicAccess::Unknown),
        Err(error) => Err(error),
    }
}
