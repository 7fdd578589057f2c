//! Buckets and objects, of version 2006-03-01: what AWS and Eucalyptus' object storage both know.
//!
//! - buckets: is it there, whose is it, does it take ACLs; made and removed.
//! - objects: put, looked at, read, removed, listed by `ListObjects` (version 1, with markers: Eucalyptus has no
//!   version 2).
//! - account: which buckets the account has, and where each is.
//! - look: what is answered without credentials.
//! - names: what a bucket and a key may be called.
//!
//! Buckets are in the path, never in the host's name: endpoints with a path (Eucalyptus), names with dots under TLS
//! and servers on loopback all work with it. No streaming signatures and no trailing checksums: a body's SHA-256 is
//! signed and its MD5 goes along, which both clouds compare.

mod account;
mod bucket;
mod list;
mod look;
mod name;
mod object;
#[cfg(test)]
mod tests;

pub use account::{OwnBucket, bucket_location, list_buckets};
pub use bucket::{Bucket, Ownership, create_bucket, delete_bucket, head_bucket, ownership};
pub use list::{Listing, list_objects, list_page};
pub use look::{Look, look_at_bucket, look_at_head, look_at_object};
pub use name::check_bucket_name;
pub use object::{Head, PutOptions, delete_object, get_object, head_object, put_object};

use crate::Error;
use crate::transport::{Body, Request};

/// Bytes of an answer that holds no object.
const ANSWER: usize = 1024 * 1024;

/// A request without query, headers and body.
fn request(method: &'static str, path: String) -> Request<'static> {
    Request { method, path, query: Vec::new(), headers: Vec::new(), body: Body::Signed(&[]) }
}

/// Whether an error says that a bucket or an object is not there. Answers to HEAD have a status only.
fn gone(error: &Error) -> bool {
    error.is("NoSuchKey") || error.is("NoSuchBucket") || error.status() == Some(404)
}
