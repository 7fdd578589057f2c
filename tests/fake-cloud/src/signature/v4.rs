//! Signature version 4, checked ("Create a signed AWS API request", IAM user guide). Written without a look at the
//! client's signer, so that both must be right.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use hardtack_bundle::hex;

use crate::http::{Request, pairs, percent_decode, percent_encode};

/// What `Authorization` says.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) id: String,
    /// `20150830`.
    pub(crate) day: String,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) signed: Vec<String>,
    pub(crate) signature: String,
}

impl Header {
    /// Takes the header apart.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("AWS4-HMAC-SHA256")?.trim_start();
        let part = |name: &str| {
            let mut parts = rest.split(',').map(str::trim);
            parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('='))
        };
        let scope: Vec<&str> = part("Credential")?.split('/').collect();
        let [id, day, region, service, "aws4_request"] = scope.as_slice() else { return None };
        Some(Self {
            id: (*id).to_owned(),
            day: (*day).to_owned(),
            region: (*region).to_owned(),
            service: (*service).to_owned(),
            signed: part("SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: part("Signature")?.to_owned(),
        })
    }
}

/// HMAC-SHA-256.
pub(crate) fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// The request in canonical form. `once`: S3's paths are encoded once, all others' a second time.
pub(crate) fn canonical(request: &Request, signed: &[String], payload: &str, once: bool) -> String {
    let path = if once {
        percent_encode(&percent_decode(&request.path), b"/")
    } else {
        percent_encode(request.path.as_bytes(), b"/")
    };
    let path = if path.is_empty() { "/".to_owned() } else { path };
    let mut query: Vec<(String, String)> = pairs(&request.query, false)
        .into_iter()
        .map(|(name, value)| (percent_encode(name.as_bytes(), b""), percent_encode(value.as_bytes(), b"")))
        .collect();
    query.sort();
    let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut text = format!("{}\n{path}\n{}\n", request.method, query.join("&"));
    for name in signed {
        let values: Vec<String> = request
            .headers
            .iter()
            .filter(|(have, _)| have == name)
            .map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        text.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    text.push_str(&format!("\n{}\n{payload}", signed.join(";")));
    text
}

/// The signature of a canonical request. `date` is `20150830T123600Z`.
pub(crate) fn sign(secret: &str, header: &Header, date: &str, canonical: &str) -> String {
    let scope = format!("{}/{}/{}/aws4_request", header.day, header.region, header.service);
    let digest = hex::encode(Sha256::digest(canonical.as_bytes()).as_slice());
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}");
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [&header.day, &header.region, &header.service, "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    hex::encode(&hmac(&key, text.as_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// `get-vanilla-query-order-key-case` and `post-header-value-trim`-like requests of AWS's published test suite,
    /// whose secret is this one.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn request(method: &str, path: &str, query: &str, headers: &[(&str, &str)]) -> Request {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: Vec::new(),
            chunked: false,
        }
    }

    fn header(service: &str) -> Header {
        Header::parse(&format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature=00"
        ))
        .unwrap()
    }

    #[test]
    fn public_vectors() {
        let empty = hex::encode(Sha256::digest(b"").as_slice());
        let headers = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
        for (query, signature) in [
            ("", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            (
                "Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
        ] {
            let request = request("GET", "/", query, &headers);
            let header = header("service");
            let canonical = canonical(&request, &header.signed, &empty, false);
            assert_eq!(sign(SECRET, &header, "20150830T123600Z", &canonical), signature, "{query}");
        }
    }

    #[test]
    fn the_documented_call_of_iam() {
        let request = request(
            "GET",
            "/",
            "Action=ListUsers&Version=2010-05-08",
            &[
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("host", "iam.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
            ],
        );
        let mut header = header("iam");
        header.signed = ["content-type", "host", "x-amz-date"].map(str::to_owned).to_vec();
        let empty = hex::encode(Sha256::digest(b"").as_slice());
        let canonical = canonical(&request, &header.signed, &empty, false);
        let signature =
            sign("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", &header, "20150830T123600Z", &canonical);
        assert_eq!(signature, "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
    }
}
