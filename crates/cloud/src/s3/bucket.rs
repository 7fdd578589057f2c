//! Buckets: `HeadBucket`, `CreateBucket`, `DeleteBucket`, `GetBucketOwnershipControls`.

use super::name::bucket_path;
use super::{ANSWER, gone, request};
use crate::call::Call;
use crate::transport::Body;
use crate::{Client, Error, Kind, Service};

const HEAD_BUCKET: Call = Call(Service::S3, "HeadBucket");
const CREATE_BUCKET: Call = Call(Service::S3, "CreateBucket");
const DELETE_BUCKET: Call = Call(Service::S3, "DeleteBucket");
const OWNERSHIP: Call = Call(Service::S3, "GetBucketOwnershipControls");

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
///
/// A bucket of another region is refused with 301 or 400, and only that region's client can use it: that is an error
/// here, which names the region.
///
/// # Errors
/// A name that no bucket can have; no answer; another region's bucket.
pub fn head_bucket(client: &Client, bucket: &str) -> Result<Bucket, Error> {
    match HEAD_BUCKET.send(client, &request("HEAD", bucket_path(client, bucket)?), ANSWER) {
        Ok(response) => Ok(Bucket::Usable(response.header("x-amz-bucket-region").map(str::to_owned))),
        Err(error) => match error.status() {
            Some(404) => Ok(Bucket::Missing),
            Some(403) => Ok(Bucket::Forbidden),
            _ => Err(error),
        },
    }
}

/// `CreateBucket`, in `location` or the client's region. `acls`: it takes ACLs (`ObjectWriter`), which AWS' buckets
/// do not unless they are told to. A canned `aws-exec-read` is no public ACL: the block of public access that new
/// buckets have may stay.
///
/// One that is ours already is no error: so it is sent again where no answer came.
///
/// # Errors
/// A name that no bucket can have; `BucketAlreadyExists`: it is somebody else's.
pub fn create_bucket(client: &Client, bucket: &str, location: Option<&str>, acls: bool) -> Result<(), Error> {
    let mut request = request("PUT", bucket_path(client, bucket)?);
    let aws = client.place().kind == Kind::Aws;
    // AWS wants the region of the endpoint here, and nothing at all in us-east-1. Eucalyptus has regions only where
    // its administrator federated some: the name comes from whoever asks.
    let place = if aws { location.or(Some(client.place().region.as_str())) } else { location };
    let body = place.filter(|place| !(aws && *place == "us-east-1")).map(configuration).transpose()?;
    if let Some(body) = &body {
        request.headers.push(("content-type".to_owned(), "application/xml".to_owned()));
        request.body = Body::Signed(body.as_bytes());
    }
    if acls && aws {
        request.headers.push(("x-amz-object-ownership".to_owned(), "ObjectWriter".to_owned()));
    }
    match CREATE_BUCKET.send(client, &request, ANSWER) {
        Err(error) if error.is("BucketAlreadyOwnedByYou") => Ok(()),
        other => other.map(drop),
    }
}

/// `DeleteBucket`. One that is gone already is no error.
///
/// # Errors
/// `BucketNotEmpty`: objects are in it.
pub fn delete_bucket(client: &Client, bucket: &str) -> Result<(), Error> {
    match DELETE_BUCKET.send(client, &request("DELETE", bucket_path(client, bucket)?), ANSWER) {
        Err(error) if gone(&error) => Ok(()),
        other => other.map(drop),
    }
}

/// `GetBucketOwnershipControls`. Eucalyptus' buckets all take ACLs; it is not asked.
///
/// # Errors
/// There is no such bucket; no answer.
pub fn ownership(client: &Client, bucket: &str) -> Result<Ownership, Error> {
    let mut request = request("GET", bucket_path(client, bucket)?);
    if client.place().kind == Kind::Euca {
        return Ok(Ownership::Acls);
    }
    request.query.push(("ownershipControls".to_owned(), String::new()));
    let response = match OWNERSHIP.send(client, &request, ANSWER) {
        Ok(response) => response,
        // A bucket from before 2021 that nobody set them for.
        Err(error) if error.is("OwnershipControlsNotFoundError") => return Ok(Ownership::Acls),
        // A server that has no such thing, or keys that may not ask.
        Err(error) if matches!(error.status(), Some(403 | 405 | 501)) => return Ok(Ownership::Unknown),
        Err(error) => return Err(error),
    };
    let root = OWNERSHIP.xml(&response)?;
    Ok(match root.at(&["Rule", "ObjectOwnership"]) {
        Some("BucketOwnerEnforced") => Ownership::Enforced,
        Some("ObjectWriter" | "BucketOwnerPreferred") => Ownership::Acls,
        _ => Ownership::Unknown,
    })
}

fn configuration(location: &str) -> Result<String, Error> {
    if location.is_empty()
        || !location.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    {
        return Err(CREATE_BUCKET.unusable(format_args!("\"{location}\" is no location")));
    }
    Ok(format!(
        "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <LocationConstraint>{location}</LocationConstraint></CreateBucketConfiguration>"
    ))
}
