//! The account's buckets: `ListBuckets`, `GetBucketLocation`.

use super::name::existing_bucket_path;
use super::request;
use crate::call::{Call, shown};
use crate::{Client, Error, Kind, Service};

const LIST_BUCKETS: Call = Call(Service::S3, "ListBuckets");
const LOCATION: Call = Call(Service::S3, "GetBucketLocation");

/// Bytes of the list. AWS gives no more than 10,000 buckets at once.
const LIST: usize = 8 * 1024 * 1024;

/// A bucket of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnBucket {
    /// Its name.
    pub name: String,
    /// When it was made, as the service writes it (ISO 8601).
    pub created: String,
    /// Its region, where the list says it.
    pub region: Option<String>,
}

/// `ListBuckets`: all of the account, whatever their region.
///
/// # Errors
/// No right to ask (`s3:ListAllMyBuckets`); no answer.
pub fn list_buckets(client: &Client) -> Result<Vec<OwnBucket>, Error> {
    let response = LIST_BUCKETS.send(client, &request("GET", "/".to_owned()), LIST)?;
    let root = LIST_BUCKETS.xml(&response)?;
    if root.name != "ListAllMyBucketsResult" {
        return Err(
            LIST_BUCKETS.wrong(format!("<{}> in the place of <ListAllMyBucketsResult>", shown(&root.name)))
        );
    }
    let bucket = |entry| {
        Ok(OwnBucket {
            name: LIST_BUCKETS.text(entry, &["Name"])?.to_owned(),
            created: entry.trimmed(&["CreationDate"]).unwrap_or_default(),
            region: entry.trimmed(&["BucketRegion"]),
        })
    };
    root.list("Buckets", "Bucket").map(bucket).collect()
}

/// `GetBucketLocation`: its region. `None` on Eucalyptus, where it has none.
///
/// # Errors
/// No such bucket, or no right to ask; no answer.
pub fn bucket_location(client: &Client, bucket: &str) -> Result<Option<String>, Error> {
    let mut request = request("GET", existing_bucket_path(bucket)?);
    request.query.push(("location".to_owned(), String::new()));
    let root = LOCATION.xml(&LOCATION.send(client, &request, super::ANSWER)?)?;
    if root.name != "LocationConstraint" {
        return Err(LOCATION.wrong(format!("<{}> in the place of <LocationConstraint>", shown(&root.name))));
    }
    let aws = client.place().kind == Kind::Aws;
    Ok(match root.text.trim() {
        // The oldest regions have names of their own here.
        "" => aws.then(|| "us-east-1".to_owned()),
        "EU" if aws => Some("eu-west-1".to_owned()),
        region => Some(region.to_owned()),
    })
}
