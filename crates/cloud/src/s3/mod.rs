//! Buckets and objects.

use crate::error::pending;
use crate::{Client, Error};

/// What an object is stored with.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    /// A canned ACL, as `aws-exec-read`.
    pub acl: Option<String>,
    /// Metadata, names without `x-amz-meta-`.
    pub metadata: Vec<(String, String)>,
    /// Its type.
    pub content_type: Option<String>,
}

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes.
    pub size: u64,
    /// Its entity tag, without quotation marks. No MD5 where the bucket encrypts by KMS.
    pub etag: String,
    /// Metadata, names without `x-amz-meta-`, lower case.
    pub metadata: Vec<(String, String)>,
}

/// Whose bucket it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// There is none.
    Missing,
    /// It is there and can be used; its region where the service tells it.
    Usable(Option<String>),
    /// It is there, and not for us.
    Forbidden,
}

/// Whether a bucket takes ACLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// `BucketOwnerEnforced`: none.
    Enforced,
    /// It takes them.
    Acls,
    /// The service does not say.
    Unknown,
}

/// `HeadBucket`.
pub fn head_bucket(client: &Client, bucket: &str) -> Result<Bucket, Error> {
    let _ = (client, bucket);
    pending()
}

/// `CreateBucket`, in `location` or the client's region. `acls`: it takes ACLs (`ObjectWriter`).
pub fn create_bucket(client: &Client, bucket: &str, location: Option<&str>, acls: bool) -> Result<(), Error> {
    let _ = (client, bucket, location, acls);
    pending()
}

/// `DeleteBucket`. One that is gone already is no error.
pub fn delete_bucket(client: &Client, bucket: &str) -> Result<(), Error> {
    let _ = (client, bucket);
    pending()
}

/// `GetBucketOwnershipControls`.
pub fn ownership(client: &Client, bucket: &str) -> Result<Ownership, Error> {
    let _ = (client, bucket);
    pending()
}

/// `PutObject`; its entity tag.
pub fn put_object(
    client: &Client,
    bucket: &str,
    key: &str,
    body: &[u8],
    options: &PutOptions,
) -> Result<String, Error> {
    let _ = (client, bucket, key, body, options);
    pending()
}

/// `HeadObject`.
pub fn head_object(client: &Client, bucket: &str, key: &str) -> Result<Option<Head>, Error> {
    let _ = (client, bucket, key);
    pending()
}

/// `GetObject`, at most `limit` bytes.
pub fn get_object(client: &Client, bucket: &str, key: &str, limit: usize) -> Result<Option<Vec<u8>>, Error> {
    let _ = (client, bucket, key, limit);
    pending()
}

/// `DeleteObject`. One that is gone already is no error.
pub fn delete_object(client: &Client, bucket: &str, key: &str) -> Result<(), Error> {
    let _ = (client, bucket, key);
    pending()
}

/// `ListObjects`: all keys that begin with `prefix`, with their bytes.
pub fn list_objects(client: &Client, bucket: &str, prefix: &str) -> Result<Vec<(String, u64)>, Error> {
    let _ = (client, bucket, prefix);
    pending()
}
