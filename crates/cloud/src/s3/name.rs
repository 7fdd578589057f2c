//! What buckets and objects may be called.
//!
//! Sources: "Bucket naming rules" and "Naming Amazon S3 objects" of the S3 User Guide; for Eucalyptus
//! `validate_generic_bucket_name` of euca2ools (`commands/s3/__init__.py`).

use crate::call::shown;
use crate::url::encode;
use crate::{Client, Error, Kind};

/// Whether `bucket` can be a bucket's name in that cloud.
///
/// # Errors
/// It cannot; the message says which rule it breaks.
pub fn check_bucket_name(kind: Kind, bucket: &str) -> Result<(), Error> {
    let broken = match kind {
        Kind::Aws => aws(bucket),
        Kind::Euca => euca(bucket),
    };
    broken.map_or(Ok(()), |rule| {
        Err(Error::Usage(format!(
            "\"{}\" cannot be a bucket's name: it {rule}; choose another one",
            shown(bucket)
        )))
    })
}

/// Whether `key` can be an object's key.
///
/// # Errors
/// It is empty or too long; a part of it is `.` or `..`, which is resolved away on the way to some servers; it has
/// control characters, which lists cannot hold.
pub(super) fn check_key(key: &str) -> Result<(), Error> {
    let rule = if key.is_empty() {
        "it is empty"
    } else if key.len() > 1024 {
        "it has more than 1024 bytes"
    } else if key.split('/').any(|part| part == "." || part == "..") {
        "a part of it is \".\" or \"..\""
    } else if key.chars().any(char::is_control) {
        "it has control characters"
    } else {
        return Ok(());
    };
    Err(Error::Usage(format!("\"{}\" cannot be an object's key: {rule}", shown(key))))
}

/// The path of a bucket.
pub(super) fn bucket_path(client: &Client, bucket: &str) -> Result<String, Error> {
    check_bucket_name(client.place().kind, bucket)?;
    Ok(format!("/{}", encode(bucket)))
}

/// The path of an object.
pub(super) fn object_path(client: &Client, bucket: &str, key: &str) -> Result<String, Error> {
    check_key(key)?;
    Ok(format!("{}/{}", bucket_path(client, bucket)?, encoded(key)))
}

/// The path of a bucket that is there, whatever its name: AWS' oldest have names as Eucalyptus allows them.
pub(super) fn existing_bucket_path(bucket: &str) -> Result<String, Error> {
    check_bucket_name(Kind::Euca, bucket)?;
    Ok(format!("/{}", encode(bucket)))
}

/// The path of an object in such a bucket.
pub(super) fn existing_object_path(bucket: &str, key: &str) -> Result<String, Error> {
    check_key(key)?;
    Ok(format!("{}/{}", existing_bucket_path(bucket)?, encoded(key)))
}

fn encoded(key: &str) -> String {
    key.split('/').map(encode).collect::<Vec<_>>().join("/")
}

fn aws(bucket: &str) -> Option<&'static str> {
    let edge = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !(3..=63).contains(&bucket.len()) {
        return Some("has not 3 to 63 characters");
    }
    if !bucket.bytes().all(|byte| edge(byte) || byte == b'-' || byte == b'.') {
        return Some("has other characters than lower-case letters, digits, \"-\" and \".\"");
    }
    let labels: Vec<&str> = bucket.split('.').collect();
    let whole =
        |label: &&str| label.bytes().next().is_some_and(edge) && label.bytes().last().is_some_and(edge);
    if !labels.iter().all(whole) {
        return Some("has a part between dots that does not begin and end with a letter or digit");
    }
    if labels.len() == 4 && labels.iter().all(|label| label.bytes().all(|byte| byte.is_ascii_digit())) {
        return Some("looks like an IP address");
    }
    None
}

fn euca(bucket: &str) -> Option<&'static str> {
    if !(3..=255).contains(&bucket.len()) {
        return Some("has not 3 to 255 characters");
    }
    if !bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) {
        return Some("has other characters than letters, digits, \".\", \"-\" and \"_\"");
    }
    bucket.bytes().all(|byte| byte == b'.').then_some("consists of dots")
}
