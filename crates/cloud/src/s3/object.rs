//! Objects: `PutObject`, `HeadObject`, `GetObject`, `DeleteObject`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use super::name::object_path;
use super::{ANSWER, gone, request};
use crate::call::Call;
use crate::transport::{Body, Response};
use crate::{Client, Error, Service};

const PUT_OBJECT: Call = Call(Service::S3, "PutObject");
const HEAD_OBJECT: Call = Call(Service::S3, "HeadObject");
const GET_OBJECT: Call = Call(Service::S3, "GetObject");
const DELETE_OBJECT: Call = Call(Service::S3, "DeleteObject");

const METADATA: &str = "x-amz-meta-";
/// All names and values of an object's metadata together (S3 User Guide, "Working with object metadata").
const METADATA_BYTES: usize = 2048;

/// What an object is stored with.
#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    /// A canned ACL, as `aws-exec-read`.
    pub acl: Option<String>,
    /// Metadata, names without `x-amz-meta-`.
    pub metadata: Vec<(String, String)>,
    /// Its type.
    pub content_type: Option<String>,
    /// Only where no object has that key: else `PreconditionFailed`, or `ConditionalRequestConflict` while somebody
    /// else puts one there. Services of before 2024 put it there all the same, or answer `NotImplemented`.
    pub only_new: bool,
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

/// `PutObject`; its entity tag. The service compares the body with its MD5 and with its SHA-256: what arrived broken
/// is refused (`BadDigest`).
///
/// # Errors
/// Names or options that no header can hold; no answer; `AccessControlListNotSupported`: the bucket takes no ACLs.
pub fn put_object(
    client: &Client,
    bucket: &str,
    key: &str,
    body: &[u8],
    options: &PutOptions,
) -> Result<String, Error> {
    let mut request = request("PUT", object_path(client, bucket, key)?);
    request.headers.push(("content-md5".to_owned(), STANDARD.encode(Md5::digest(body))));
    let kind = options.content_type.as_deref().unwrap_or("application/octet-stream");
    request.headers.push(("content-type".to_owned(), value("a content type", kind)?));
    if let Some(acl) = &options.acl {
        request.headers.push(("x-amz-acl".to_owned(), value("an ACL", acl)?));
    }
    if options.only_new {
        request.headers.push(("if-none-match".to_owned(), "*".to_owned()));
    }
    let mut bytes = 0;
    for (name, text) in &options.metadata {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(PUT_OBJECT.unusable(format_args!("\"{name}\" is no name of metadata")));
        }
        bytes += name.len() + text.len();
        let name = format!("{METADATA}{}", name.to_ascii_lowercase());
        request.headers.push((name, value("metadata", text)?));
    }
    if bytes > METADATA_BYTES {
        return Err(PUT_OBJECT.unusable(format_args!("its metadata has {bytes} bytes, and 2048 are allowed")));
    }
    request.body = Body::Signed(body);
    let response = PUT_OBJECT.send(client, &request, ANSWER)?;
    etag(PUT_OBJECT, &response)
}

/// `HeadObject`; `None` where there is no such object.
///
/// # Errors
/// No answer; no right to look (S3 says that, too, of a missing object to keys that may not list the bucket).
pub fn head_object(client: &Client, bucket: &str, key: &str) -> Result<Option<Head>, Error> {
    let response = match HEAD_OBJECT.send(client, &request("HEAD", object_path(client, bucket, key)?), ANSWER)
    {
        Ok(response) => response,
        Err(error) if gone(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let size = response.header("content-length").unwrap_or_default();
    let size = size
        .parse()
        .map_err(|_| HEAD_OBJECT.wrong(format!("content-length is \"{size}\", which is no number")))?;
    let metadata = response.headers.iter().filter_map(|(name, value)| {
        name.strip_prefix(METADATA).map(|name| (name.to_owned(), value.trim().to_owned()))
    });
    Ok(Some(Head { size, etag: etag(HEAD_OBJECT, &response)?, metadata: metadata.collect() }))
}

/// `GetObject`, at most `limit` bytes; `None` where there is no such object.
///
/// # Errors
/// It has more bytes; no answer.
pub fn get_object(client: &Client, bucket: &str, key: &str, limit: usize) -> Result<Option<Vec<u8>>, Error> {
    match GET_OBJECT.send(client, &request("GET", object_path(client, bucket, key)?), limit) {
        Ok(response) => Ok(Some(response.body)),
        Err(error) if gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `DeleteObject`. One that is gone already is no error.
///
/// # Errors
/// No answer; no right to do it.
pub fn delete_object(client: &Client, bucket: &str, key: &str) -> Result<(), Error> {
    match DELETE_OBJECT.send(client, &request("DELETE", object_path(client, bucket, key)?), ANSWER) {
        Err(error) if gone(&error) => Ok(()),
        other => other.map(drop),
    }
}

fn etag(call: Call, response: &Response) -> Result<String, Error> {
    let tag = response.header("etag").unwrap_or_default();
    let tag = tag.trim().trim_start_matches("W/").trim_matches('"');
    if tag.is_empty() { Err(call.wrong("the header etag is missing or empty")) } else { Ok(tag.to_owned()) }
}

/// A text that can be a header's value: no line break that would begin another header.
fn value(what: &str, text: &str) -> Result<String, Error> {
    if text.trim() == text && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err(PUT_OBJECT.unusable(format_args!("{what} has characters that no header can hold")))
    }
}
