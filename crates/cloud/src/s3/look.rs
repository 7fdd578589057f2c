//! What buckets and objects answer to somebody without credentials: requests that are not signed.
//!
//! Refusals are answers here: their status tells what anybody would see.

use super::list::{read_page, start_of};
use super::name::{existing_bucket_path, existing_object_path};
use super::{Listing, request};
use crate::call::Call;
use crate::transport::{Request, Response};
use crate::{Client, Error, Service, xml};

const LIST_OBJECTS: Call = Call(Service::S3, "ListObjects");
const GET_OBJECT: Call = Call(Service::S3, "GetObject");
const HEAD_OBJECT: Call = Call(Service::S3, "HeadObject");

/// Bytes of an object that are read at most. One is asked for; servers may not know how to give a part.
const BEGINNING: usize = 1024;

/// What anybody is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The status: 200 or 206, it is readable; 403, it is not; 404, there is none, or nobody is told.
    pub status: u16,
    /// The code of a refusal: `AccessDenied`, `NoSuchBucket`, `PermanentRedirect` ….
    pub code: Option<String>,
    /// The bucket's region (`x-amz-bucket-region`), which is told to everybody. With a status of 301 or 400 the client
    /// must be of that region.
    pub region: Option<String>,
    /// Of a bucket that anybody can list: a page of its keys.
    pub listing: Option<Listing>,
}

impl Look {
    /// Anybody can read it. An empty object has no first byte, and answers 416 to those who may read it.
    pub fn readable(&self) -> bool {
        matches!(self.status, 200 | 206)
            || (self.status == 416 && self.code.as_deref() == Some("InvalidRange"))
    }
}

/// `ListObjects` without credentials: the page of keys behind `marker`, with `prefix`.
///
/// # Errors
/// A name that no bucket can have; no answer; an answer of status 200 that is no list.
pub fn look_at_bucket(
    client: &Client,
    bucket: &str,
    prefix: &str,
    marker: Option<&str>,
) -> Result<Look, Error> {
    let mut request = request("GET", existing_bucket_path(bucket)?);
    request.query = start_of(prefix, marker);
    let response = send(LIST_OBJECTS, client, &request, super::list::PAGE)?;
    let mut look = read(&response);
    if response.status == 200 {
        look.listing = Some(read_page(&response, prefix)?);
    }
    Ok(look)
}

/// `GetObject` of the first byte, without credentials.
///
/// # Errors
/// A name that no bucket or object can have; no answer.
pub fn look_at_object(client: &Client, bucket: &str, key: &str) -> Result<Look, Error> {
    let mut request = request("GET", existing_object_path(bucket, key)?);
    request.headers.push(("range".to_owned(), "bytes=0-0".to_owned()));
    Ok(read(&send(GET_OBJECT, client, &request, BEGINNING)?))
}

/// `HeadObject` without credentials. A refusal has no code.
///
/// # Errors
/// A name that no bucket or object can have; no answer.
pub fn look_at_head(client: &Client, bucket: &str, key: &str) -> Result<Look, Error> {
    Ok(read(&send(HEAD_OBJECT, client, &request("HEAD", existing_object_path(bucket, key)?), BEGINNING)?))
}

fn send(call: Call, client: &Client, request: &Request<'_>, limit: usize) -> Result<Response, Error> {
    client.look(call.0, call.1, request, limit)
}

fn read(response: &Response) -> Look {
    let refused = response.status >= 300;
    let code = refused.then(|| xml::parse(&response.body).ok()?.trimmed(&["Code"])).flatten();
    Look {
        status: response.status,
        code: code.map(|code| crate::call::shown(&code)),
        region: response
            .header("x-amz-bucket-region")
            .map(crate::call::shown)
            .filter(|region| !region.is_empty()),
        listing: None,
    }
}
