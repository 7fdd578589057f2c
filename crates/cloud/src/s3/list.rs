//! `ListObjects`, version 1: the one that AWS and Eucalyptus both have.
//!
//! `encoding-type=url` is not asked for: Eucalyptus does not know it, and `s3s` says that it has done it when it has
//! not. Keys that XML cannot hold are not made here. A server that encodes unasked is understood: botocore's handlers
//! decode such keys as forms are (a plus sign is a space).

use super::name::{bucket_path, existing_bucket_path};
use super::request;
use crate::call::{Call, shown};
use crate::transport::Response;
use crate::xml::Element;
use crate::{Client, Error, Service};

const LIST_OBJECTS: Call = Call(Service::S3, "ListObjects");

/// Bytes of a page: 1,000 keys of 1,024 bytes, each percent-encoded, with what stands around them.
pub(super) const PAGE: usize = 8 * 1024 * 1024;
/// Keys in all. A bundle has some thousands at most.
const KEYS: usize = 1_000_000;

/// A page of a bucket's keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Keys, with their bytes.
    pub keys: Vec<(String, u64)>,
    /// Others follow; the last key is the marker that they stand behind.
    pub more: bool,
}

/// `ListObjects`: all keys that begin with `prefix`, with their bytes.
///
/// # Errors
/// There is no such bucket; no answer; an answer with other keys than those asked for.
pub fn list_objects(client: &Client, bucket: &str, prefix: &str) -> Result<Vec<(String, u64)>, Error> {
    let path = bucket_path(client, bucket)?;
    let mut found: Vec<(String, u64)> = Vec::new();
    loop {
        let marker = found.last().map(|(key, _)| key.as_str());
        let next = page_of(client, &path, prefix, marker)?;
        let more = next.more;
        found.extend(next.keys);
        if !more {
            return Ok(found);
        }
        if found.len() > KEYS {
            return Err(LIST_OBJECTS.wrong(format!("more than {KEYS} keys begin with \"{}\"", shown(prefix))));
        }
    }
}

/// `ListObjects`: the page of keys that begin with `prefix` and stand behind `marker`. The bucket may have a name that
/// no new one can have.
///
/// # Errors
/// There is no such bucket; no answer; an answer with other keys than those asked for, or that would never end.
pub fn list_page(
    client: &Client,
    bucket: &str,
    prefix: &str,
    marker: Option<&str>,
) -> Result<Listing, Error> {
    page_of(client, &existing_bucket_path(bucket)?, prefix, marker)
}

fn page_of(client: &Client, path: &str, prefix: &str, marker: Option<&str>) -> Result<Listing, Error> {
    let mut request = request("GET", path.to_owned());
    request.query = start_of(prefix, marker);
    let found = read_page(&LIST_OBJECTS.send(client, &request, PAGE)?, prefix)?;
    // The last key is the next page's marker. A server that ignores markers would be asked for ever.
    if found.more && found.keys.last().is_none_or(|(key, _)| Some(key.as_str()) == marker) {
        return Err(LIST_OBJECTS.wrong("others follow, it says, and it gives no other keys"));
    }
    Ok(found)
}

/// The query of a page.
pub(super) fn start_of(prefix: &str, marker: Option<&str>) -> Vec<(String, String)> {
    let mut query = vec![("max-keys".to_owned(), "1000".to_owned())];
    if !prefix.is_empty() {
        query.push(("prefix".to_owned(), prefix.to_owned()));
    }
    if let Some(marker) = marker {
        query.push(("marker".to_owned(), marker.to_owned()));
    }
    query
}

/// The page in an answer.
pub(super) fn read_page(response: &Response, prefix: &str) -> Result<Listing, Error> {
    let root = LIST_OBJECTS.xml(response)?;
    if root.name != "ListBucketResult" {
        return Err(LIST_OBJECTS.wrong(format!("<{}> in the place of <ListBucketResult>", shown(&root.name))));
    }
    let mut keys = Vec::new();
    page(&root, prefix, &mut keys)?;
    Ok(Listing { keys, more: LIST_OBJECTS.flag(&root, &["IsTruncated"])? == Some(true) })
}

/// Adds a page's keys.
fn page(root: &Element, prefix: &str, found: &mut Vec<(String, u64)>) -> Result<(), Error> {
    let encoded = root.at(&["EncodingType"]) == Some("url");
    for entry in root.all("Contents") {
        let key = entry.at(&["Key"]).ok_or_else(|| LIST_OBJECTS.wrong("a key is missing or empty"))?;
        let key = if encoded { decode(key)? } else { key.to_owned() };
        if !key.starts_with(prefix) {
            // Who lists in order to remove must not be given what is somebody else's.
            return Err(LIST_OBJECTS.wrong(format!(
                "the key \"{}\" does not begin with \"{}\"",
                shown(&key),
                shown(prefix)
            )));
        }
        let size = LIST_OBJECTS.number(entry, &["Size"])?;
        found.push((key, size.ok_or_else(|| LIST_OBJECTS.wrong("an object's Size is missing"))?));
    }
    Ok(())
}

fn decode(text: &str) -> Result<String, Error> {
    let wrong = || LIST_OBJECTS.wrong(format!("the key \"{}\" is not percent-encoded text", shown(text)));
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
                let value = digit().zip(digit()).map(|(high, low)| high * 16 + low);
                value.and_then(|value| u8::try_from(value).ok()).ok_or_else(wrong)?
            }
            other => other,
        });
    }
    String::from_utf8(out).map_err(|_| wrong())
}
