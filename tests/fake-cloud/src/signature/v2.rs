//! Signature version 2, which Eucalyptus still takes: of queries, and of S3's requests ("Signing and
//! Authenticating REST Requests", old S3 developer guide).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::Sha256;

use crate::http::{Request, percent_encode};

/// Sub-resources that are signed.
const SUBRESOURCES: [&str; 16] = [
    "acl",
    "cors",
    "delete",
    "lifecycle",
    "location",
    "logging",
    "notification",
    "partNumber",
    "policy",
    "requestPayment",
    "tagging",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
];

fn sha1(secret: &str, text: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn sha256(secret: &str, text: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The signature of a query; `path` is the service's, or "/".
pub(crate) fn query(
    secret: &str,
    request: &Request,
    path: &str,
    parameters: &[(String, String)],
    method: &str,
) -> String {
    let mut pairs: Vec<(&str, &str)> = parameters
        .iter()
        .filter(|(name, _)| name != "Signature")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| {
            format!("{}={}", percent_encode(name.as_bytes(), b""), percent_encode(value.as_bytes(), b""))
        })
        .collect();
    let host = request.header("host").unwrap_or_default().to_lowercase();
    let text = format!("{}\n{host}\n{path}\n{}", request.method, pairs.join("&"));
    if method == "HmacSHA1" { sha1(secret, &text) } else { sha256(secret, &text) }
}

/// The signature of a request of S3; `path` is the whole one or that below the service's.
pub(crate) fn object(secret: &str, request: &Request, path: &str) -> String {
    let header = |name| request.header(name).unwrap_or_default();
    let date = if request.header("x-amz-date").is_some() { "" } else { header("date") };
    let mut text =
        format!("{}\n{}\n{}\n{date}\n", request.method, header("content-md5"), header("content-type"));
    let mut amz: Vec<(&str, &str)> = request
        .headers
        .iter()
        .filter(|(name, _)| name.starts_with("x-amz-"))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    amz.sort_unstable();
    for (name, value) in amz {
        text.push_str(&format!("{name}:{value}\n"));
    }
    text.push_str(path);
    let mut sub: Vec<String> = request
        .parameters()
        .into_iter()
        .filter(|(name, _)| SUBRESOURCES.contains(&name.as_str()))
        .map(|(name, value)| if value.is_empty() { name } else { format!("{name}={value}") })
        .collect();
    sub.sort();
    if !sub.is_empty() {
        text.push_str(&format!("?{}", sub.join("&")));
    }
    sha1(secret, &text)
}
