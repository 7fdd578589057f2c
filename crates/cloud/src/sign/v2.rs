//! Signature version 2, for old Eucalyptus.
//!
//! - Queries: "Signature Version 2 signing process" (AWS general reference): HMAC-SHA256 over method, host, path and
//!   the sorted parameters.
//! - S3: "Signing and authenticating REST requests" (Amazon S3 developer guide): `AWS ID:SIGNATURE`, HMAC-SHA1 over
//!   method, some headers and the resource.

use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

use crate::credentials::Credentials;
use crate::date;
use crate::url::{SUB_RESOURCES, Url, form};

/// `parameters` with a signature, for a body or a query.
pub(crate) fn sign_query(
    method: &str,
    url: &Url,
    parameters: &[(String, String)],
    credentials: &Credentials,
    time: SystemTime,
) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = parameters.to_vec();
    let mut add = |name: &str, value: &str| all.push((name.to_owned(), value.to_owned()));
    add("AWSAccessKeyId", &credentials.id);
    add("SignatureMethod", "HmacSHA256");
    add("SignatureVersion", "2");
    add("Timestamp", &date::iso(time));
    if let Some(token) = &credentials.token {
        add("SecurityToken", token);
    }
    // By bytes of the names, before they are encoded.
    all.sort();
    let text = format!("{method}\n{}\n{}\n{}", url.authority, url.whole_path(), form(&all));
    let signature = hmac_sha256(credentials.secret.as_bytes(), text.as_bytes());
    all.push(("Signature".to_owned(), signature));
    all
}

/// The headers that sign a request to S3.
pub(crate) fn sign_s3(
    method: &str,
    url: &Url,
    headers: &[(String, String)],
    credentials: &Credentials,
    time: SystemTime,
) -> Vec<(String, String)> {
    let mut added = vec![("date".to_owned(), date::http(time))];
    if let Some(token) = &credentials.token {
        added.push(("x-amz-security-token".to_owned(), token.to_string()));
    }
    let all: Vec<&(String, String)> = headers.iter().chain(&added).collect();
    let text = s3_text(method, url, &all);
    let signature = hmac_sha1(credentials.secret.as_bytes(), text.as_bytes());
    added.push(("authorization".to_owned(), format!("AWS {}:{signature}", credentials.id)));
    added
}

/// The string to sign of S3.
fn s3_text(method: &str, url: &Url, headers: &[&(String, String)]) -> String {
    let value = |name: &str| {
        headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.trim()).unwrap_or_default()
    };
    let mut amazon: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in headers {
        if name.starts_with("x-amz-") {
            amazon.entry(name).or_default().push(value.trim());
        }
    }
    // Where `x-amz-date` is given it stands for the date.
    let date = if amazon.contains_key("x-amz-date") { "" } else { value("date") };
    let mut text = format!("{method}\n{}\n{}\n{date}\n", value("content-md5"), value("content-type"));
    for (name, values) in &amazon {
        text.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    text.push_str(&resource(url));
    text
}

/// The path below the endpoint's own, with the parts of the query that name something.
fn resource(url: &Url) -> String {
    const WITH_VALUES: [&str; 3] = ["partNumber", "uploadId", "versionId"];
    let mut named: Vec<&(String, String)> = url
        .query
        .iter()
        .filter(|(name, _)| {
            SUB_RESOURCES.contains(&name.as_str())
                || WITH_VALUES.contains(&name.as_str())
                || name.starts_with("response-")
        })
        .collect();
    named.sort();
    let named: Vec<String> = named
        .iter()
        .map(|(name, value)| if value.is_empty() { name.clone() } else { format!("{name}={value}") })
        .collect();
    let path = if url.path.is_empty() { "/" } else { url.path.as_str() };
    if named.is_empty() { path.to_owned() } else { format!("{path}?{}", named.join("&")) }
}

fn hmac_sha256(key: &[u8], text: &[u8]) -> String {
    // A key of any length is one.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(text);
    STANDARD.encode(mac.finalize().into_bytes())
}

fn hmac_sha1(key: &[u8], text: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key) else { return String::new() };
    mac.update(text);
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests;
